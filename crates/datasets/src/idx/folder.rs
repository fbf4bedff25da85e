//! The IDX files of a folder, by their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::registry::FILE_NAMES;

/// The IDX files of one data set.
#[derive(Clone, Debug)]
pub(crate) struct IdxFolder {
    pub(crate) folder: PathBuf,
    /// What the names begin with: `emnist-letters-`, mostly nothing.
    pub(crate) prefix: String,
    pub(crate) train: IdxPair,
    pub(crate) test: Option<IdxPair>,
}

/// An image file and its label file.
#[derive(Clone, Debug)]
pub(crate) struct IdxPair {
    pub(crate) images: PathBuf,
    pub(crate) labels: Option<PathBuf>,
}

/// Places of [`FILE_NAMES`].
const TRAIN: [usize; 2] = [0, 1];
const TEST: [usize; 2] = [2, 3];

impl IdxFolder {
    /// The files in `folder`, or those in its parent whose names begin with
    /// its last part: `idx:emnist/emnist-letters`.
    ///
    /// # Errors
    /// When the folder cannot be read, has no training images, or several data
    /// sets.
    pub(crate) fn find(asked: &Path) -> Result<Self, DataError> {
        let folder = asked;
        let wanted = (!folder.is_dir())
            .then(|| Some((folder.parent()?, folder.file_name()?.to_str()?)))
            .flatten()
            .filter(|(parent, _)| parent.is_dir());
        let (folder, wanted) = match wanted {
            Some((parent, name)) => (parent, Some(format!("{}-", name.trim_end_matches('-')))),
            None => (folder, None),
        };
        let mut sets = sets(folder)?;
        if let Some(wanted) = wanted {
            sets.retain(|prefix, _| *prefix == wanted);
            if sets.is_empty() {
                return Err(match std::fs::metadata(asked) {
                    Ok(_) => DataError::NotApplicable {
                        dataset: format!("idx:{}", asked.display()),
                        reason: "names a file; expected the folder that holds it",
                    },
                    Err(source) => DataError::Read {
                        path: asked.to_owned(),
                        source,
                    },
                });
            }
        }
        let complete: Vec<String> = sets
            .iter()
            .filter(|(_, files)| files[TRAIN[0]].is_some())
            .map(|(prefix, _)| prefix.clone())
            .collect();
        let prefix = match &complete[..] {
            [prefix] => prefix.clone(),
            // A set without prefix is the one that is meant.
            [first, ..] if first.is_empty() => String::new(),
            [] => {
                return Err(DataError::MissingFile {
                    folder: folder.to_owned(),
                    file: FILE_NAMES[0],
                });
            }
            _ => {
                return Err(DataError::SeveralSets {
                    folder: folder.to_owned(),
                    prefixes: complete
                        .iter()
                        .map(|prefix| prefix.trim_end_matches('-').to_owned())
                        .collect(),
                });
            }
        };
        let mut files = sets.remove(&prefix).unwrap_or_default();
        let mut pair = |[images, labels]: [usize; 2]| {
            Some(IdxPair {
                images: files[images].take()?.path,
                labels: files[labels].take().map(|file| file.path),
            })
        };
        let train = pair(TRAIN).ok_or_else(|| DataError::MissingFile {
            folder: folder.to_owned(),
            file: FILE_NAMES[0],
        })?;
        Ok(Self {
            test: pair(TEST),
            folder: folder.to_owned(),
            prefix,
            train,
        })
    }

    /// Whether a folder has files that are IDX files by their names.
    pub(crate) fn is_in(folder: &Path) -> Result<bool, DataError> {
        Ok(!sets(folder)?.is_empty())
    }

    /// Whether the names are those of EMNIST, whose images are stored with
    /// rows and columns exchanged.
    pub(crate) fn is_emnist(&self) -> bool {
        self.prefix.starts_with("emnist-")
    }

    /// Its files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        [Some(&self.train), self.test.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|pair| [Some(&pair.images), pair.labels.as_ref()])
            .flatten()
            .cloned()
            .collect()
    }
}

/// A file found for one of [`FILE_NAMES`].
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    compressed: bool,
}

/// The regular files of a folder that are IDX files by their names, in the
/// order of [`FILE_NAMES`], by prefix. A raw file, which loads faster, goes
/// before a compressed one.
fn sets(folder: &Path) -> Result<BTreeMap<String, [Option<Candidate>; 4]>, DataError> {
    let unreadable = |source| DataError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    paths.sort();
    let mut sets: BTreeMap<String, [Option<Candidate>; 4]> = BTreeMap::new();
    for path in paths {
        let parsed = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(parse);
        let Some((prefix, place, compressed)) = parsed else {
            continue;
        };
        // Some unpackers leave an empty folder under the file's name.
        if !path.is_file() {
            continue;
        }
        let slot = &mut sets.entry(prefix).or_default()[place];
        if slot
            .as_ref()
            .is_none_or(|found| found.compressed && !compressed)
        {
            *slot = Some(Candidate { path, compressed });
        }
    }
    Ok(sets)
}

/// Prefix, place in [`FILE_NAMES`] and whether it is compressed, of a name
/// such as `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`,
/// `emnist-letters-test-images-idx3-ubyte.gz` or `qmnist-test-labels-idx2-int`.
fn parse(name: &str) -> Option<(String, usize, bool)> {
    let (stem, compressed) = match name.strip_suffix(".gz") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let (part, kind) = stem
        .rsplit_once("-idx")
        .or_else(|| stem.rsplit_once(".idx"))?;
    let (dimensions, element) = kind.split_once('-')?;
    let is_kind = dimensions.len() == 1
        && dimensions.bytes().all(|byte| byte.is_ascii_digit())
        && element.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (part, role) = part.rsplit_once('-')?;
    let role = match role {
        "images" => 0,
        "labels" => 1,
        _ => return None,
    };
    let (prefix, split) = part.rsplit_once('-').map_or(("", part), |(prefix, split)| {
        (&part[..=prefix.len()], split)
    });
    let split = match split {
        "train" => 0,
        "t10k" | "test" => 2,
        _ => return None,
    };
    is_kind.then(|| (prefix.to_owned(), split + role, compressed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        folder
    }

    #[test]
    fn names_are_taken_apart() {
        for (name, expected) in [
            ("train-images-idx3-ubyte", ("", 0, false)),
            ("t10k-labels.idx1-ubyte.gz", ("", 3, true)),
            (
                "emnist-letters-train-labels-idx1-ubyte",
                ("emnist-letters-", 1, false),
            ),
            ("qmnist-test-labels-idx2-int.gz", ("qmnist-", 3, true)),
        ] {
            let (prefix, place, compressed) = parse(name).unwrap();
            assert_eq!((prefix.as_str(), place, compressed), expected, "{name}");
        }
        for name in [
            "train-images",
            "images-idx3-ubyte",
            "train-masks-idx3-ubyte",
            "a.gz",
            "",
        ] {
            assert!(parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn folders_named_like_the_file_are_passed_over() {
        let folder = folder(&["train-images.idx3-ubyte", "t10k-images.idx3-ubyte"]);
        for name in FILE_NAMES {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = IdxFolder::find(folder.path()).unwrap();
        assert!(found.train.images.ends_with("train-images.idx3-ubyte"));
        assert!(found.train.labels.is_none());
        assert_eq!(found.files().len(), 2);
    }

    #[test]
    fn raw_goes_before_compressed_in_either_spelling() {
        let folder = folder(&["train-images-idx3-ubyte.gz", "train-images.idx3-ubyte"]);
        let found = IdxFolder::find(folder.path()).unwrap();
        assert!(found.train.images.ends_with("train-images.idx3-ubyte"));
        assert!(found.test.is_none());
    }

    #[test]
    fn one_of_several_sets_is_named_by_its_prefix() {
        let folder = folder(&[
            "emnist-letters-train-images-idx3-ubyte",
            "emnist-digits-train-images-idx3-ubyte",
        ]);
        let message = IdxFolder::find(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("emnist-digits, emnist-letters"),
            "{message}"
        );
        let found = IdxFolder::find(&folder.path().join("emnist-letters")).unwrap();
        assert_eq!(found.prefix, "emnist-letters-");
        assert!(found.is_emnist());
        let error = IdxFolder::find(&folder.path().join("emnist-byclass")).unwrap_err();
        assert!(matches!(error, DataError::Read { .. }), "{error}");
        let file = "emnist-digits-train-images-idx3-ubyte";
        let error = IdxFolder::find(&folder.path().join(file)).unwrap_err();
        assert!(error.to_string().contains("names a file"), "{error}");
    }
}
