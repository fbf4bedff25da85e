//! What a folder holds, without what may differ between two runs that are the
//! same: times, threads, and checksums of these.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Files by their paths below a folder.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// Files that say how a run came about.
const ACCOUNTS: [&str; 2] = ["command.txt", "environment.json"];

/// Entries of JSON that say how long something took, on how many threads, and
/// checksums over them.
const CIRCUMSTANCES: [&str; 5] = [
    "seconds",
    "training_seconds",
    "images_per_second",
    "threads",
    "sha256",
];

/// What the folders below `root` hold.
///
/// # Errors
/// When they cannot be read.
pub fn of(root: &Path, folders: &[&str]) -> io::Result<Contents> {
    let mut contents = Contents::new();
    // What is missing is not among them.
    for folder in folders.iter().filter(|folder| root.join(folder).is_dir()) {
        add(root, Path::new(folder), &mut contents)?;
    }
    Ok(contents)
}

/// What a file holds.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<Vec<u8>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(kept(&name, fs::read(path)?))
}

fn add(root: &Path, below: &Path, contents: &mut Contents) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = below.join(&name);
        if entry.file_type()?.is_dir() {
            add(root, &path, contents)?;
            continue;
        }
        let name = name.to_string_lossy();
        if ACCOUNTS.contains(&&*name) || name.ends_with("lock") {
            continue;
        }
        let kept = kept(&name, fs::read(entry.path())?);
        contents.insert(path, kept);
    }
    Ok(())
}

/// What may not differ of a file.
fn kept(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    match Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
    {
        Some("json" | "jsonl") => without_circumstances(&bytes),
        Some("safetensors") => tensors(&bytes).unwrap_or(bytes),
        _ => bytes,
    }
}

/// The metadata and tensors of a safetensors file; a tensor that is a file of its
/// own, which states carry, is looked at as one.
fn tensors(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
    let header: BTreeMap<String, Value> = serde_json::from_slice(header).ok()?;
    let mut kept_bytes = Vec::new();
    for (name, entry) in header {
        kept_bytes.extend(name.bytes());
        let Some(offsets) = entry.get("data_offsets") else {
            let own = entry["latent_atlas"].as_str()?;
            kept_bytes.extend(without_circumstances(own.as_bytes()));
            continue;
        };
        let [start, end] = [0, 1].map(|side| offsets[side].as_u64());
        let values = data.get(start? as usize..end? as usize)?.to_vec();
        kept_bytes.extend(if name.starts_with("attached.") {
            without_circumstances(&values)
        } else {
            values
        });
    }
    Some(kept_bytes)
}

/// The documents of a file of JSON, one or one for each line; as it is where it
/// holds something else.
fn without_circumstances(bytes: &[u8]) -> Vec<u8> {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(bytes)
        .into_iter()
        .collect();
    let Ok(mut documents) = documents else {
        return bytes.to_vec();
    };
    documents.iter_mut().for_each(strip);
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    lines.join("\n").into_bytes()
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|key, _| !CIRCUMSTANCES.contains(&key.as_str()));
            entries.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// How `found` differs from `expected`, in one sentence; none when it does not.
#[must_use]
pub fn difference(found: &Contents, expected: &Contents) -> Option<String> {
    let differing: Vec<String> = expected
        .iter()
        .filter_map(|(path, bytes)| match found.get(path) {
            None => Some(format!("{} is missing", path.display())),
            Some(other) if other != bytes => {
                let at = bytes
                    .iter()
                    .zip(other)
                    .take_while(|(one, other)| one == other);
                Some(format!(
                    "{} differs from byte {} on",
                    path.display(),
                    at.count()
                ))
            }
            Some(_) => None,
        })
        .chain(
            found
                .keys()
                .filter(|path| !expected.contains_key(*path))
                .map(|path| format!("{} is left over", path.display())),
        )
        .collect();
    (!differing.is_empty()).then(|| differing.join(", "))
}

/// Copies a folder with everything in it.
///
/// # Errors
/// When it cannot be read, or the copy not be written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_took_other_times_are_the_same_and_others_are_not() {
        let folders = [(); 3].map(|()| tempfile::tempdir().expect("a temporary folder"));
        for (folder, seconds, loss) in [(0, 1.5, 2), (1, 2.5, 2), (2, 1.5, 3)] {
            let run = folders[folder].path().join("run");
            fs::create_dir(&run).expect("writable");
            let line = format!("{{\"loss\":{loss},\"seconds\":{seconds}}}\n");
            fs::write(run.join("metrics.jsonl"), line.repeat(2)).expect("writable");
            fs::write(run.join("command.txt"), seconds.to_string()).expect("writable");
        }
        let contents = folders
            .each_ref()
            .map(|folder| of(folder.path(), &["run"]).expect("readable"));
        assert_eq!(difference(&contents[1], &contents[0]), None);
        let difference = difference(&contents[2], &contents[0]).expect("another loss");
        assert!(
            difference.starts_with("run/metrics.jsonl differs"),
            "{difference}"
        );
    }

    #[test]
    fn states_are_the_same_when_only_times_in_them_differ() {
        let state = |seconds: f64, weight: u8| {
            let lines = format!("{{\"loss\":1,\"seconds\":{seconds}}}\n");
            let end = 1 + lines.len();
            let header = format!(
                r#"{{"__metadata__":{{"latent_atlas":"{{\"epoch\":\"1\",\"sha256\":\"{weight}\"}}"}},"a":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}},"attached.metrics":{{"dtype":"U8","shape":[{}],"data_offsets":[1,{end}]}}}}"#,
                lines.len()
            );
            let length = (header.len() as u64).to_le_bytes();
            [&length[..], header.as_bytes(), &[weight], lines.as_bytes()].concat()
        };
        let kept = |bytes| kept("state.safetensors", bytes);
        assert_eq!(kept(state(1.0, 7)), kept(state(12.5, 7)));
        assert_ne!(kept(state(1.0, 7)), kept(state(1.0, 8)));
        assert!(tensors(&state(1.0, 7)).is_some());
        // What is no such file is compared as it is.
        assert_eq!(kept(b"other".to_vec()), b"other");
    }

    #[test]
    fn what_is_missing_or_left_over_is_named() {
        let file = |name: &str| (PathBuf::from(name), vec![1]);
        let (one, two) = (
            Contents::from([file("a"), file("b")]),
            Contents::from([file("b"), file("c")]),
        );
        let text = difference(&one, &two).expect("different");
        assert_eq!(text, "c is missing, a is left over");
    }
}
