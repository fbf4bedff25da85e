//! A run that diverges in its importance weights alone.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// A data set `black` of black images: no gradient of the encoder depends on
/// them but that of its biases, which Adam's first step moves by the step size
/// exactly.
fn write_black_images(folder: &Path) {
    let black = folder.join("black");
    fs::create_dir(&black).expect("writable");
    for (split, count) in [("train", 256_u32), ("t10k", 10)] {
        let mut images = Vec::new();
        for number in [0x0803, count, 28, 28] {
            images.extend(number.to_be_bytes());
        }
        images.resize(images.len() + count as usize * 28 * 28, 0);
        let mut labels = Vec::new();
        for number in [0x0801, count] {
            labels.extend(number.to_be_bytes());
        }
        labels.extend((0..count).map(|image| (image % 10) as u8));
        for (name, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            fs::write(black.join(format!("{split}-{name}-ubyte")), bytes).expect("writable");
        }
    }
}

/// The first step takes log σ² to 88.5: σ² and the KL are still finite, the
/// squares of codes far from the mean are not. Pixels so wide that the decoder
/// counts for nothing leave the sign of that step to the noise of the seed.
#[test]
fn log_weights_that_diverge_end_the_run_with_exit_code_3() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_black_images(folder.path());
    let output = Command::cargo_bin("latent-atlas")
        .expect("cargo built it")
        .current_dir(folder.path())
        .env_remove("LATENT_ATLAS_DATA")
        .args(["train", "--quiet", "--out", "run", "--dataset", "idx:black"])
        .args(["--objective", "iwae", "--samples", "1", "--hidden", "none"])
        .args(["--likelihood", "gaussian", "--sigma", "1000"])
        .args(["--latent", "1", "--batch", "128", "--lr", "88.5"])
        .args(["--seed", "1"])
        .output()
        .expect("the program starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains("diverged in epoch 1, step 2: log weights is not finite"),
        "{message}"
    );
    let result = fs::read(folder.path().join("run/result.json")).expect("written");
    let result: Value = serde_json::from_slice(&result).expect("one JSON document");
    assert_eq!(result["status"], "diverged");
}
