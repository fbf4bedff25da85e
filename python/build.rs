//! Tells the module which revision it was built from: what runs record of the program
//! that trained them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the module is built from, below the root of the repository.
const SOURCES: [&str; 3] = ["Cargo.toml", "crates", "python"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let is_repository = git(&root, &["rev-parse", "--show-prefix"]).as_deref() == Some("");
    let revision = git(&root, &["rev-parse", "--short=12", "HEAD"]).filter(|_| is_repository);
    let mut changes = vec!["status", "--porcelain", "--"];
    changes.extend(SOURCES);
    let is_changed = || git(&root, &changes).is_none_or(|changes| !changes.is_empty());
    println!(
        "cargo:rustc-env=LATENT_ATLAS_REVISION={}",
        match &revision {
            Some(revision) if is_changed() => format!("{revision}-dirty"),
            Some(revision) => revision.clone(),
            None => "unknown".into(),
        }
    );
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    if revision.is_some() {
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&root, &["rev-parse", "--git-path", file]) {
                let path = root.join(PathBuf::from(path));
                if path.exists() {
                    println!("cargo:rerun-if-changed={}", path.display());
                }
            }
        }
    }
}

/// What git prints, or nothing where there is no git or no repository.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // A hook that builds has these of its own repository and index.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    let output = command
        .arg("--no-optional-locks")
        .args(arguments)
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}
