//! The program on a few images.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a data set `tiny` of 120 + 40 images: bright rectangles on
/// black whose edges are grey, so that binarised draws differ.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_set(&folder.path().join("tiny"), 120);
    folder
}

/// Such a data set of so many training images.
pub(crate) fn write_set(set: &Path, training_images: u32) {
    fs::create_dir(set).expect("writable");
    for (split, count) in [("train", training_images), ("t10k", 40)] {
        let mut images = Vec::new();
        for number in [0x0803, count, 28, 28] {
            images.extend(number.to_be_bytes());
        }
        let mut labels = Vec::new();
        for number in [0x0801, count] {
            labels.extend(number.to_be_bytes());
        }
        for image in 0..count {
            labels.push((image % 10) as u8);
            let (left, top) = (image * 7 % 15, image * 5 % 17);
            images.extend((0..28 * 28).map(|at| {
                let (x, y) = (at % 28, at / 28);
                let inside = (left..left + 10).contains(&x) && (top..top + 8).contains(&y);
                let grey = (100 + (image * 13 + at * 29) % 150) as u8;
                if inside { grey } else { 0 }
            }));
        }
        for (name, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
            fs::write(set.join(format!("{split}-{name}-ubyte")), bytes).expect("writable");
        }
    }
}

pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("latent-atlas").expect("cargo built it");
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env_remove("LATENT_ATLAS_MIRROR")
        .env_remove("SLURM_CPUS_PER_TASK");
    command
}

pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}
