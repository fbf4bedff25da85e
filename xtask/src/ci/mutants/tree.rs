//! Copies of the working tree, in which mutants are made: the user's own files
//! are never changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use datasets::sha256_hex;

/// The files of the repository as they are, committed or not, without those that
/// git ignores.
pub(super) struct Source {
    root: PathBuf,
    files: BTreeSet<String>,
}

impl Source {
    pub(super) fn of_repository() -> anyhow::Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .with_context(|| format!("{} cannot be found", root.display()))?;
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&root)
            .output()
            .context("git could not be started")?;
        if !output.status.success() {
            bail!(
                "git could not list the files of {} ({}): {}",
                root.display(),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
        let names = names.split_terminator('\0').map(str::to_owned);
        // Git lists files that are removed and not yet committed too.
        let files = names.filter(|name| root.join(name).is_file()).collect();
        Ok(Self { root, files })
    }

    /// What the files of a copy hold whose names begin with one of `starts`, as one
    /// number.
    pub(super) fn digest(&self, tree: &Path, starts: &[&str]) -> anyhow::Result<String> {
        let mut all = String::new();
        let is_meant = |name: &&String| starts.iter().any(|start| name.starts_with(start));
        for name in self.files.iter().filter(is_meant) {
            let content = read(&tree.join(name))?;
            all += &format!("{} {name}\n", sha256_hex(&content));
        }
        Ok(sha256_hex(all.as_bytes()))
    }

    /// The same files where they were copied to: what others change in the meantime is
    /// in no further copy.
    pub(super) fn copied_to(self, tree: &Path) -> anyhow::Result<Self> {
        self.copy_to(tree)?;
        Ok(Self {
            root: tree.to_owned(),
            ..self
        })
    }

    /// Makes `tree` a copy. What it holds already keeps its time, or everything
    /// would be built again.
    pub(super) fn copy_to(&self, tree: &Path) -> anyhow::Result<()> {
        let mut present = Vec::new();
        if tree.is_dir() {
            files_below(tree, "", &mut present)?;
        }
        for name in present.iter().filter(|&name| !self.files.contains(name)) {
            let path = tree.join(name);
            fs::remove_file(&path)
                .with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        for name in &self.files {
            let content = read(&self.root.join(name))?;
            let path = tree.join(name);
            if fs::read(&path).is_ok_and(|present| present == content) {
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)
                    .with_context(|| format!("{} cannot be created", folder.display()))?;
            }
            write(&path, &content)?;
        }
        Ok(())
    }
}

pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

pub(super) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("{} cannot be written", path.display()))
}

/// The names of all files below `tree`, from there.
fn files_below(tree: &Path, folder: &str, found: &mut Vec<String>) -> anyhow::Result<()> {
    let path = tree.join(folder);
    let entries = fs::read_dir(&path);
    for entry in entries.with_context(|| format!("{} cannot be read", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().context("a file's name is not UTF-8")?;
        let name = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        if entry.file_type()?.is_dir() {
            files_below(tree, &name, found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_its_source_and_keeps_the_time_of_what_is_the_same() {
        let place = tempfile::tempdir().expect("a folder");
        let (root, tree) = (place.path().join("root"), place.path().join("tree"));
        fs::create_dir_all(root.join("crates/a")).expect("a folder");
        let source = |files: &[(&str, &str)]| {
            for (name, content) in files {
                write(&root.join(name), content.as_bytes()).expect("a file");
            }
            Source {
                root: root.clone(),
                files: files.iter().map(|&(name, _)| name.to_owned()).collect(),
            }
        };
        let time = |name: &str| {
            let data = fs::metadata(tree.join(name)).expect("a file");
            data.modified().expect("a time")
        };
        let first = source(&[("one", "1"), ("crates/a/two", "2"), ("gone", "3")]);
        first.copy_to(&tree).expect("a copy");
        let of_crate = first.digest(&tree, &["crates/a/"]).expect("a digest");
        let of_all = first.digest(&tree, &[""]).expect("a digest");
        let written = time("one");
        // A mutant that an interrupted check has left there.
        write(&tree.join("crates/a/two"), b"mutant").expect("a file");

        let second = source(&[("one", "1"), ("crates/a/two", "2"), ("three", "3")]);
        let second = second.copied_to(&tree).expect("a copy");
        assert_eq!(time("one"), written);
        assert_eq!(read(&tree.join("crates/a/two")).expect("a file"), b"2");
        let mut names = Vec::new();
        files_below(&tree, "", &mut names).expect("files");
        names.sort();
        assert_eq!(names, ["crates/a/two", "one", "three"]);
        assert_eq!(
            second.digest(&tree, &["crates/a/"]).expect("a digest"),
            of_crate
        );
        assert_ne!(second.digest(&tree, &[""]).expect("a digest"), of_all);

        write(&root.join("one"), b"changed since").expect("a file");
        let third = place.path().join("third");
        second.copy_to(&third).expect("a copy");
        assert_eq!(read(&third.join("one")).expect("a file"), b"1");
    }
}
