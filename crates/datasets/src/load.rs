//! Loading a data set by name.

use std::path::Path;

use crate::dataset::{Dataset, Split, fingerprint};
use crate::download::Progress;
use crate::error::DataError;
use crate::glyphs;
use crate::idx::{self, IdxArray};
use crate::locate::{self, Located, Lookup};
use crate::manage;
use crate::registry::{self, CLASSES, NamedSet, Source};

/// Loads the data set called `name`: `glyphs`, `mnist`, `fashion-mnist`,
/// `kmnist` or `idx:DIR`.
///
/// A published set that is in none of the folders of `lookup` is downloaded
/// once; `progress` hears about that, and about nothing otherwise. Nothing is
/// written when the files are there. The files of a published set are checked
/// against its SHA-256 hashes each time they are read.
///
/// # Errors
/// Every [`DataError`], with the file concerned.
pub fn load(
    name: &str,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset, DataError> {
    load_source(&name.parse()?, lookup, progress)
}

/// Loads the data set a [`Source`] stands for; see [`load`].
///
/// # Errors
/// As [`load`].
pub fn load_source(
    source: &Source,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset, DataError> {
    match source {
        Source::Glyphs => Ok(glyphs::dataset()),
        Source::Named(set) => load_named(set, lookup, progress),
        Source::Idx(folder) => {
            let loaded = read_located(&locate::find_in_folder(folder)?, CLASSES)?;
            Ok(Dataset {
                name: source.name(),
                class_names: registry::digit_names(),
                attribution: format!("images of {}", folder.display()),
                fingerprint: loaded.fingerprint(),
                train: loaded.train,
                test: loaded.test,
            })
        }
    }
}

fn load_named(
    set: &'static NamedSet,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset, DataError> {
    let located = match locate::find_named(set, lookup) {
        Some(located) => located,
        None => manage::download_missing(set, lookup, progress)?.0,
    };
    let loaded = read_located(&located, CLASSES)?;
    for ((stored, file), path) in loaded.files.iter().zip(&set.files).zip(&located.files) {
        // A .gz may be recompressed and still hold the published content.
        let (found, expected) = match file.content_sha256 {
            Some(expected) => (&stored.content_sha256, expected),
            None => (&stored.file_sha256, file.gz_sha256),
        };
        if found != expected {
            let (path, found) = (path.clone(), found.clone());
            return Err(DataError::Altered {
                dataset: set.name,
                path,
                found,
                expected,
            });
        }
    }
    Ok(Dataset {
        name: set.name.to_owned(),
        class_names: set
            .class_names
            .iter()
            .map(|&name| name.to_owned())
            .collect(),
        attribution: set.attribution.to_owned(),
        fingerprint: loaded.fingerprint(),
        train: loaded.train,
        test: loaded.test,
    })
}

/// Hashes and counts of one file, in the order of the registry.
pub(crate) struct ReadFile {
    pub(crate) content_sha256: String,
    pub(crate) file_sha256: String,
}

/// The four files of a folder, read and checked against each other.
pub(crate) struct Loaded {
    pub(crate) train: Split,
    pub(crate) test: Split,
    pub(crate) files: [ReadFile; 4],
}

impl Loaded {
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(
            self.files
                .each_ref()
                .map(|file| file.content_sha256.as_str()),
        )
    }
}

pub(crate) fn read_located(located: &Located, classes: usize) -> Result<Loaded, DataError> {
    let [train_images, train_labels, test_images, test_labels] = &located.files;
    let (train, test) = rayon::join(
        || read_split(train_images, train_labels, classes),
        || read_split(test_images, test_labels, classes),
    );
    let (train, first, second) = train?;
    let (test, third, fourth) = test?;
    let sizes = [&train, &test].map(|split| (split.rows(), split.columns()));
    if sizes[0] != sizes[1] {
        return Err(DataError::SizeMismatch {
            train_path: train_images.clone(),
            test_path: test_images.clone(),
            train: sizes[0],
            test: sizes[1],
        });
    }
    Ok(Loaded {
        train,
        test,
        files: [first, second, third, fourth],
    })
}

fn read_split(
    image_path: &Path,
    label_path: &Path,
    classes: usize,
) -> Result<(Split, ReadFile, ReadFile), DataError> {
    // The small file first: a mistake in it costs no decompression.
    let labels = idx::read_labels(label_path, classes)?;
    let images = idx::read_images(image_path)?;
    let (count, rows, columns) = (
        images.dimensions[0],
        images.dimensions[1],
        images.dimensions[2],
    );
    if count != labels.data.len() {
        return Err(DataError::CountMismatch {
            image_path: image_path.to_owned(),
            label_path: label_path.to_owned(),
            images: count,
            labels: labels.data.len(),
        });
    }
    let split = Split::new(images.data.clone(), labels.data.to_vec(), rows, columns);
    Ok((split, summary(images), summary(labels)))
}

fn summary(array: IdxArray) -> ReadFile {
    ReadFile {
        content_sha256: array.content_sha256,
        file_sha256: array.file_sha256,
    }
}
