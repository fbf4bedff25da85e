//! What is too large for any machine, and what is no regular file, is refused
//! in a sentence: nothing is allocated and nothing waits.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use datasets::{DataError, Dataset, Lookup, Reading, Source, idx, load_source};

fn load(source: Source, reading: Reading) -> Result<Dataset, DataError> {
    load_source(&source, &reading, &Lookup::default(), &mut |_| {})
}

/// What loading ends with, in so short a time that nothing can have waited.
fn refusal(source: Source, reading: Reading) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let loaded = load(source, reading);
        sender.send(loaded.map(|dataset| dataset.name)).unwrap();
    });
    let loaded = receiver.recv_timeout(Duration::from_secs(60));
    let message = loaded.expect("it waits").unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// An array file of this type and shape whose data are a hole of the right
/// size.
fn hole(path: &Path, descr: &str, shape: &str, bytes: u64) {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(text.len() as u16).to_le_bytes()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_len(10 + text.len() as u64 + bytes).unwrap();
}

// Elsewhere it is not known how much memory there is.
#[cfg(target_os = "linux")]
#[test]
fn more_than_the_memory_is_refused_before_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.npy");
    let shapes = [
        (
            "|u1",
            "(5000000000, 28, 28)",
            3_920_000_000_000,
            "needs 3.96 TB of memory",
        ),
        // Half as many bytes in the file as in memory.
        (
            "<f2",
            "(2500000000, 28, 28)",
            3_920_000_000_000,
            "needs 7.86 TB of memory",
        ),
        // A single row.
        (
            "|u1",
            "(2, 2000000000000)",
            4_000_000_000_000,
            "needs 24.0 TB of memory",
        ),
        // Many rows of one value each: the labels and hashes count.
        (
            "|u1",
            "(1000000000000, 1)",
            1_000_000_000_000,
            "needs 9.00 TB of memory",
        ),
    ];
    for (descr, shape, bytes, needs) in shapes {
        hole(&path, descr, shape, bytes);
        let message = refusal(Source::Path(path.clone()), Reading::default());
        for part in ["large.npy", needs, "can be had on this machine"] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
    // Brought to a small size, a large row is still one that has to be read.
    hole(&path, "|u1", "(2, 2000000, 1000000)", 4_000_000_000_000);
    let reading = Reading {
        resize: Some((28, 28)),
        ..Reading::default()
    };
    let message = refusal(Source::Path(path), reading);
    assert!(message.contains("a row of"), "{message}");
}

#[test]
fn a_line_without_an_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, start, piece) in [
        ("one.csv", "", "0.25,1.5,"),
        ("quoted.csv", "a,\"b\n", "0.25,\n1.5"),
    ] {
        let path = folder.path().join(name);
        let text = start.to_owned() + &piece.repeat(1 << 23);
        fs::write(&path, text).unwrap();
        let message = refusal(Source::Path(path), Reading::default());
        assert!(
            message.contains(name)
                && message.contains("found a line")
                && message.contains("more than 64 MB"),
            "{message}"
        );
    }
}

fn pipe(path: PathBuf) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn pipes_are_refused_wherever_a_file_is_expected() {
    let root = tempfile::tempdir().unwrap();
    let says = |message: &str, name: &str| {
        assert!(
            message.contains(name) && message.contains("expected a regular file"),
            "{message}"
        );
    };
    let alone = ["x.npy", "x.npz", "x.csv", "x.png", "x.parquet", "x"];
    for name in alone {
        let path = root.path().join(name);
        pipe(path.clone());
        says(&refusal(Source::Path(path), Reading::default()), name);
    }
    says(
        &refusal(Source::Path("/dev/zero".into()), Reading::default()),
        "/dev/zero",
    );
    // The list of class names beside data, and EMNIST's mapping.
    let write = |path: PathBuf, dimensions: &[usize]| {
        let data = vec![1; dimensions.iter().product()];
        let mut content = Vec::new();
        idx::write(&mut content, dimensions, &data).unwrap();
        fs::write(path, content).unwrap();
    };
    for (prefix, list) in [
        ("", "labels.txt"),
        ("emnist-letters-", "emnist-letters-mapping.txt"),
    ] {
        let folder = root.path().join(format!("of-{list}"));
        fs::create_dir(&folder).unwrap();
        write(
            folder.join(format!("{prefix}train-images-idx3-ubyte")),
            &[4, 2, 2],
        );
        write(
            folder.join(format!("{prefix}train-labels-idx1-ubyte")),
            &[4],
        );
        assert!(load(Source::Idx(folder.clone()), Reading::default()).is_ok());
        pipe(folder.join(list));
        says(&refusal(Source::Idx(folder), Reading::default()), list);
    }
    // A pipe under the name of an IDX file is passed over, as a folder is.
    let folder = root.path().join("idx");
    fs::create_dir(&folder).unwrap();
    pipe(folder.join("train-images-idx3-ubyte"));
    let message = refusal(Source::Idx(folder.clone()), Reading::default());
    assert!(message.contains("no train-images-idx3-ubyte"), "{message}");
    let error = idx::read_images(&folder.join("train-images-idx3-ubyte"));
    says(&error.unwrap_err().to_string(), "train-images-idx3-ubyte");
    assert!(datasets::sha256_file(&folder.join("train-images-idx3-ubyte")).is_err());
}

#[test]
fn a_list_of_classes_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.csv"), "label,a,b\n0,0.5,1\n1,0,0\n").unwrap();
    let list = File::create(folder.path().join("labels.txt")).unwrap();
    list.set_len(1 << 40).unwrap();
    let source = Source::Path(folder.path().join("x.csv"));
    let message = refusal(source, Reading::default());
    assert!(
        message.contains("labels.txt") && message.contains("longer than"),
        "{message}"
    );
}
