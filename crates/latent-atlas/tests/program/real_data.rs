//! Training on the real MNIST, where it is on this machine.

use std::path::PathBuf;

use assert_cmd::Command;

/// `$LATENT_ATLAS_DATA`, or the folder beside a checkout that holds the data
/// sets.
#[allow(clippy::print_stderr)]
fn data() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("LATENT_ATLAS_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let found = folder.join("mnist/train-images-idx3-ubyte.gz").exists();
    if !found {
        eprintln!(
            "skipped: no MNIST in {}; set LATENT_ATLAS_DATA",
            folder.display()
        );
    }
    found.then_some(folder)
}

/// Three epochs of 784-256-2. The band is what an independent JAX run gives
/// after three epochs, widened to cover seeds.
#[test]
fn a_vae_on_mnist_learns_and_both_gradients_agree() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let last_loss = |out: &str, gradients: &str| {
        let output = Command::cargo_bin("latent-atlas")
            .expect("cargo built it")
            .current_dir(folder.path())
            .args([
                "train",
                "--json",
                "--quiet",
                "--dataset",
                "mnist",
                "--data-dir",
            ])
            .arg(&data)
            .args(["--epochs", "3", "--out", out, "--gradients", gradients])
            .output()
            .expect("the program starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let document: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("one JSON document");
        document["result"]["last"]["train"]["loss"]
            .as_f64()
            .expect("a number")
    };
    let hand = last_loss("hand", "hand");
    assert!(
        (164.0..168.0).contains(&hand),
        "train loss of epoch 3: {hand}"
    );
    let tape = last_loss("tape", "tape");
    assert!((hand - tape).abs() < 1e-3, "hand {hand}, tape {tape}");
}
