//! Tells the program which revision it was built from, whether what it is built
//! from was changed since, and for which target.
//!
//! It runs again when HEAD moves or when a source is newer, and what depends on
//! it is this crate and the alias alone: a commit recompiles nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is built from, below the root of the workspace.
const SOURCES: [&str; 5] = ["Cargo.lock", "Cargo.toml", "benches", "crates", "xtask"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A source archive has no revision, also when it is unpacked below another
    // repository.
    let is_repository = git(&root, &["rev-parse", "--show-prefix"]).as_deref() == Some("");
    let revision = git(&root, &["rev-parse", "--short=12", "HEAD"]).filter(|_| is_repository);
    println!(
        "cargo:rustc-env=LATENT_ATLAS_REVISION={}",
        match &revision {
            Some(revision) if is_changed(&root) => format!("{revision}-dirty"),
            Some(revision) => revision.clone(),
            None => "unknown".into(),
        }
    );
    let target = std::env::var("TARGET").unwrap_or_else(|_| "unknown".into());
    println!("cargo:rustc-env=LATENT_ATLAS_TARGET={target}");
    for source in SOURCES {
        watch(&root.join(source));
    }
    watch(Path::new("build.rs"));
    if revision.is_some() {
        // The log of HEAD grows with every commit and checkout; the index, which
        // looking at the state of the tree may write, does not matter.
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&root, &["rev-parse", "--git-path", file]) {
                watch(&root.join(PathBuf::from(path)));
            }
        }
    }
}

fn is_changed(root: &Path) -> bool {
    let mut arguments = vec!["status", "--porcelain", "--"];
    arguments.extend(SOURCES);
    git(root, &arguments).is_none_or(|changes| !changes.is_empty())
}

fn watch(path: &Path) {
    // What does not exist would count as changed each time.
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
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
