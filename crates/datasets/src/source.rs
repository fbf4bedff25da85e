//! Where a data set comes from: a name of the registry, or files of whatever
//! format is found there.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::csv;
use crate::error::DataError;
use crate::folder;
use crate::glyphs;
use crate::idx::IdxFolder;
use crate::npy;
use crate::parquet;
use crate::registry::{NAMES, NamedSet, named_sets};
use crate::shape::Shape;

/// Where a data set comes from.
///
/// Parsed from the text of `--dataset`: a name of the registry in any case
/// and with or without its dash, `idx:DIR`, or a path that exists. A name comes first; a folder `mnist`
/// in the working directory is `./mnist`.
///
/// ```
/// use datasets::Source;
/// assert!(matches!("glyphs".parse::<Source>()?, Source::Glyphs));
/// assert!(matches!("Fashion-MNIST".parse::<Source>()?, Source::Named(_)));
/// assert!(matches!("idx:some/folder".parse::<Source>()?, Source::Idx(_)));
/// assert!("fmnist".parse::<Source>().is_err());
/// # Ok::<(), datasets::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub enum Source {
    /// The embedded set.
    Glyphs,
    /// A published set with known hashes.
    Named(&'static NamedSet),
    /// A folder with IDX files.
    Idx(PathBuf),
    /// A file or folder; what it holds is found out when it is opened.
    Path(PathBuf),
}

impl Source {
    /// The set that the registry has under this very name.
    fn named(name: &str) -> Option<Self> {
        if name == glyphs::NAME {
            return Some(Self::Glyphs);
        }
        let set = named_sets().iter().find(|set| set.name == name)?;
        Some(Self::Named(set))
    }

    /// The name under which the set is loaded: that of the registry,
    /// `idx:DIR`, or the path.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Glyphs => glyphs::NAME.to_owned(),
            Self::Named(set) => set.name.to_owned(),
            Self::Idx(folder) => format!("idx:{}", folder.display()),
            Self::Path(path) => path.display().to_string(),
        }
    }

    /// What a row is, where that is known before it is read: all sets of the
    /// registry are of grey images of 28 × 28.
    #[must_use]
    pub fn known_shape(&self) -> Option<Shape> {
        const SIDE: usize = glyphs::SIDE;
        self.path().is_none().then(|| Shape::grey(SIDE, SIDE))
    }

    /// The file or folder it names, if it is no name of the registry.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Glyphs | Self::Named(_) => None,
            Self::Idx(path) | Self::Path(path) => Some(path),
        }
    }
}

impl FromStr for Source {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        if let Some(named) = Self::named(&text.to_lowercase()) {
            return Ok(named);
        }
        if let Some(folder) = text
            .strip_prefix("idx:")
            .filter(|folder| !folder.is_empty())
        {
            return Ok(Self::Idx(PathBuf::from(folder)));
        }
        if !text.is_empty() && Path::new(text).exists() {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        // After paths: torchvision calls its folder FashionMNIST.
        names::find(text, NAMES)
            .and_then(Self::named)
            .ok_or_else(|| DataError::UnknownDataset {
                nearest: nearest(text),
                name: text.to_owned(),
            })
    }
}

/// The name of the registry that `text` is probably meant to be, if it is no
/// path.
fn nearest(text: &str) -> Option<&'static str> {
    const MEANINGS: [(&str, &str); 3] = [
        ("fmnist", "fashion-mnist"),
        ("kuzushiji", "kmnist"),
        ("kuzushiji-mnist", "kmnist"),
    ];
    if text.contains(['/', '\\', '.', ':']) {
        return None;
    }
    names::nearest(text, NAMES, &MEANINGS)
}

/// What a path holds.
#[derive(Debug)]
pub(crate) enum Format {
    /// A folder with IDX files.
    Idx(IdxFolder),
    /// An image, or a folder of images.
    Images,
    /// An array of NumPy.
    Npy,
    /// An archive of such arrays.
    Npz,
    /// A table of text.
    Csv,
    /// A table in columns.
    Parquet,
    /// A folder of them.
    ParquetFolder(parquet::Shards),
}

/// Finds out what a path holds, by what is in it and not by its name.
pub(crate) fn detect(path: &Path) -> Result<Format, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    if !metadata.is_dir() {
        return detect_file(path);
    }
    if let Some(shards) = parquet::Shards::find(path)? {
        return Ok(Format::ParquetFolder(shards));
    }
    Ok(if IdxFolder::is_in(path)? {
        Format::Idx(IdxFolder::find(path)?)
    } else {
        Format::Images
    })
}

fn detect_file(path: &Path) -> Result<Format, DataError> {
    let start = first_bytes(path)?;
    if start.starts_with(&npy::MAGIC) {
        return Ok(Format::Npy);
    }
    if npy::ARCHIVE_MAGIC
        .iter()
        .any(|magic| start.starts_with(magic))
    {
        return Ok(Format::Npz);
    }
    if start.starts_with(&parquet::MAGIC) {
        return Ok(Format::Parquet);
    }
    if folder::begins_as_image(&start) || folder::has_image_name(path) {
        return Ok(Format::Images);
    }
    csv::refuse_compressed(path)?;
    if csv::is_named_so(path) {
        return Ok(Format::Csv);
    }
    Err(DataError::UnknownFormat {
        path: path.to_owned(),
    })
}

/// As many bytes as tell formats apart; fewer where the file has fewer.
fn first_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    input_files::open(path)
        .and_then(|file| file.take(64).read_to_end(&mut bytes))
        .map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_list_what_is_known() {
        for name in ["fmnist", "fashion", "", "idx:", "idx"] {
            let message = name.parse::<Source>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{name}\"")), "{message}");
            for known in NAMES {
                assert!(message.contains(known), "{message}");
            }
        }
        assert_eq!("idx:a/b".parse::<Source>().unwrap().name(), "idx:a/b");
        assert_eq!("kmnist".parse::<Source>().unwrap().name(), "kmnist");
    }

    #[test]
    fn names_are_known_in_any_case_and_near_ones_suggested() {
        for (typed, name) in [
            ("MNIST", "mnist"),
            ("Fashion-MNIST", "fashion-mnist"),
            ("fashion_mnist", "fashion-mnist"),
            ("FashionMNIST", "fashion-mnist"),
        ] {
            assert_eq!(typed.parse::<Source>().unwrap().name(), name);
        }
        for (name, nearest) in [
            ("fashion", Some("fashion-mnist")),
            ("fashon-mnist", Some("fashion-mnist")),
            ("mnits", Some("mnist")),
            ("glyph", Some("glyphs")),
            ("F-MNIST", Some("fashion-mnist")),
            ("pictures/", None),
            ("cifar", None),
        ] {
            let message = name.parse::<Source>().unwrap_err().to_string();
            match nearest {
                Some(nearest) => assert!(
                    message.contains(&format!("did you mean {nearest}?")),
                    "{message}"
                ),
                None => assert!(!message.contains("did you mean"), "{message}"),
            }
        }
    }

    #[test]
    fn a_path_that_exists_is_a_source() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().display().to_string();
        let source: Source = text.parse().unwrap();
        assert!(matches!(&source, Source::Path(path) if path == folder.path()));
        assert_eq!(source.name(), text);
    }
}
