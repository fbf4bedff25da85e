//! Where data sets are looked up and in which spellings their files exist.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::idx;
use crate::registry::NamedSet;

/// Where to look for data sets, and how to get one that is not there.
///
/// The folders are searched in the order `data_dir`, `environment_dir`,
/// `default_dir`; each holds one folder per data set, either as this project
/// and Keras name it (`mnist/`, `fashion-mnist/`) or as torchvision does
/// (`MNIST/raw/`). A download goes into the first of the three that is named.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `$LATENT_ATLAS_DATA`.
    pub environment_dir: Option<PathBuf>,
    /// The last resort, `data` in the working directory.
    pub default_dir: PathBuf,
    /// Base addresses to download from instead of the built-in ones; a file
    /// is fetched from `BASE/DATASET/FILE`. Tried in order.
    pub mirrors: Vec<String>,
    /// Never use the network.
    pub offline: bool,
    /// Set by whoever wants a download to end, as a handler of signals does:
    /// it is heard within a fraction of a second.
    pub stop: Arc<AtomicBool>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            data_dir: None,
            environment_dir: None,
            default_dir: PathBuf::from("data"),
            mirrors: Vec::new(),
            offline: false,
            stop: Arc::default(),
        }
    }
}

impl Lookup {
    /// The defaults with `$LATENT_ATLAS_DATA` and `$LATENT_ATLAS_MIRROR` (one
    /// address, or several separated by white space); empty variables count
    /// as unset.
    #[must_use]
    pub fn from_environment() -> Self {
        let environment_dir = std::env::var_os("LATENT_ATLAS_DATA")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let mirrors = std::env::var("LATENT_ATLAS_MIRROR")
            .map(|value| value.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        Self {
            environment_dir,
            mirrors,
            ..Self::default()
        }
    }

    /// The same with `--data-dir`.
    #[must_use]
    pub fn with_data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The folders searched, in order.
    #[must_use]
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> = Vec::new();
        let named = [
            self.data_dir.as_ref(),
            self.environment_dir.as_ref(),
            Some(&self.default_dir),
        ];
        for root in named.into_iter().flatten() {
            if !roots.contains(root) {
                roots.push(root.clone());
            }
        }
        roots
    }

    /// The folder a download of `set` goes into.
    pub(crate) fn download_folder(&self, set: &NamedSet) -> PathBuf {
        let root = self
            .data_dir
            .as_ref()
            .or(self.environment_dir.as_ref())
            .unwrap_or(&self.default_dir);
        root.join(set.name)
    }
}

/// A folder with all four files, in the order of [`FILE_NAMES`].
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) folder: PathBuf,
    pub(crate) files: [PathBuf; 4],
}

/// The first folder that holds all four files of `set`, if any.
pub(crate) fn find_named(set: &NamedSet, lookup: &Lookup) -> Option<Located> {
    lookup
        .roots()
        .iter()
        .flat_map(|root| {
            [
                root.join(set.name),
                root.join(set.torchvision_folder).join("raw"),
            ]
        })
        .find_map(|folder| {
            let mut files = set
                .files
                .iter()
                .map(|file| find_file(&folder, file.name, file.content_sha256.is_some()));
            let files = [
                files.next()??,
                files.next()??,
                files.next()??,
                files.next()??,
            ];
            Some(Located { folder, files })
        })
}

/// The file called `name` in `folder`, raw before compressed (it loads
/// faster), with `-idx` or `.idx`; compressed only unless `raw_accepted`, which
/// a file can be whose name has lost its `.gz`.
pub(crate) fn find_file(folder: &Path, name: &str, raw_accepted: bool) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let raw = [name.to_owned(), dotted.clone()];
    let compressed = [format!("{name}.gz"), format!("{dotted}.gz")];
    let is_accepted = |path: &PathBuf| raw_accepted || idx::is_gzip(path).is_ok_and(|is| is);
    let in_folder = |file| folder.join(file);
    let raw = raw.into_iter().map(in_folder);
    let compressed = compressed.into_iter().map(in_folder);
    // Some unpackers leave an empty folder under the file's name.
    raw.filter(|path| path.is_file() && is_accepted(path))
        .chain(compressed.filter(|path| path.is_file()))
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{FILE_NAMES, named_sets};

    fn put(folder: &Path, names: &[&str]) {
        std::fs::create_dir_all(folder).unwrap();
        for name in names {
            std::fs::write(folder.join(name), b"").unwrap();
        }
    }

    fn lookup(root: &Path) -> Lookup {
        Lookup {
            data_dir: Some(root.join("first")),
            environment_dir: Some(root.join("second")),
            default_dir: root.join("third"),
            ..Lookup::default()
        }
    }

    #[test]
    fn the_first_complete_folder_wins_and_incomplete_ones_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let lookup = lookup(root.path());
        let set = &named_sets()[0];
        assert!(find_named(set, &lookup).is_none());

        put(&root.path().join("first/mnist"), &FILE_NAMES[..3]);
        put(&root.path().join("third/mnist"), &FILE_NAMES);
        assert_eq!(
            find_named(set, &lookup).unwrap().folder,
            root.path().join("third/mnist")
        );

        let gz: Vec<String> = FILE_NAMES.iter().map(|name| format!("{name}.gz")).collect();
        let gz: Vec<&str> = gz.iter().map(String::as_str).collect();
        put(&root.path().join("second/MNIST/raw"), &gz);
        let located = find_named(set, &lookup).unwrap();
        assert_eq!(located.folder, root.path().join("second/MNIST/raw"));
        assert!(located.files[2].ends_with("t10k-images-idx3-ubyte.gz"));
    }

    #[test]
    fn a_set_without_content_hashes_is_taken_as_gz_only() {
        let root = tempfile::tempdir().unwrap();
        let set = &named_sets()[2];
        put(&root.path().join("first/kmnist"), &FILE_NAMES);
        assert!(find_named(set, &lookup(root.path())).is_none());
    }

    #[test]
    fn both_spellings_are_found_raw_first() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        put(folder, &["train-images.idx3-ubyte.gz"]);
        assert!(
            find_file(folder, FILE_NAMES[0], true)
                .unwrap()
                .ends_with("train-images.idx3-ubyte.gz")
        );
        put(folder, &["train-images.idx3-ubyte"]);
        assert!(
            find_file(folder, FILE_NAMES[0], true)
                .unwrap()
                .ends_with("train-images.idx3-ubyte")
        );
        assert!(
            find_file(folder, FILE_NAMES[0], false)
                .unwrap()
                .ends_with("train-images.idx3-ubyte.gz")
        );
    }

    #[test]
    fn roots_keep_their_order_without_repetition() {
        let lookup = Lookup {
            data_dir: Some("a".into()),
            environment_dir: Some("data".into()),
            ..Lookup::default()
        };
        assert_eq!(lookup.roots(), [PathBuf::from("a"), PathBuf::from("data")]);
        assert_eq!(
            lookup.download_folder(&named_sets()[0]),
            PathBuf::from("a/mnist")
        );
    }
}
