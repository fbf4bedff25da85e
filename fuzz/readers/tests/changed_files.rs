//! Every reader reads changed files without a finding, and has a target of
//! cargo-fuzz.
//!
//! `LATENT_ATLAS_MUTATIONS` names another number of files than 1,000.

use std::process::Command;

use readers::READERS;

#[test]
fn changed_files_end_in_content_or_in_a_sentence() {
    let count = std::env::var("LATENT_ATLAS_MUTATIONS").unwrap_or_else(|_| "1000".into());
    let findings = concat!(env!("CARGO_TARGET_TMPDIR"), "/findings");
    let output = Command::new(env!("CARGO_BIN_EXE_readers"))
        .args(["mutate", "--count", &count, "--findings", findings])
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    // Neither all nor none: the changes are neither too mild nor too wild.
    let count: u64 = count.parse().expect("a number of files");
    for reader in READERS {
        let line = text
            .lines()
            .find(|line| line.split_whitespace().next() == Some(reader.name))
            .unwrap_or_else(|| panic!("no line for {}: {text}", reader.name));
        let refused = line
            .split_once(" read, ")
            .and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok())
            .unwrap_or_else(|| panic!("no number in {line}"));
        let mended = reader.name == "cache-entry";
        assert!(
            (mended && refused == 0) || (count / 10 < refused && refused < count),
            "{line}"
        );
    }
}

#[test]
fn every_reader_has_a_target() {
    let manifest = include_str!("../../Cargo.toml");
    for reader in READERS {
        let name = format!("name = \"{}\"\n", reader.name);
        assert!(manifest.contains(&name), "{}", reader.name);
    }
}
