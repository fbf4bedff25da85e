//! The program as its users type it. One binary, as linking one takes as long as
//! compiling its tests; what measures time has binaries of its own, and runs without
//! these beside it.

mod cli;
mod diagnose;
mod divergence;
mod export;
mod import;
#[cfg(unix)]
mod own_data;
mod pictures;
mod real_data;
mod reproduce;
#[path = "../tiny/mod.rs"]
mod tiny;
mod trained_model;
mod usage;
mod verify;

use std::fs;
use std::path::Path;

/// What a folder holds.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
