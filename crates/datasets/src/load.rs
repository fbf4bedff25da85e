//! Opening and loading a data set, wherever it comes from.

use std::path::Path;

use crate::class_names;
use crate::collect::collected;
use crate::csv;
use crate::dataset::Dataset;
use crate::download::Progress;
use crate::error::DataError;
use crate::folder;
use crate::glyphs;
use crate::idx::{self, IdxFolder, IdxPair};
use crate::locate::{self, Located, Lookup};
use crate::manage;
use crate::npy;
use crate::parquet;
use crate::part::{Opened, Part, Parts};
use crate::reading::Reading;
use crate::registry::NamedSet;
use crate::source::{self, Format, Source};

/// Loads the data set called `name`, read as it comes; see [`load_source`].
///
/// # Errors
/// Every [`DataError`], with the file concerned.
pub fn load(
    name: &str,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset, DataError> {
    load_source(&name.parse()?, &Reading::default(), lookup, progress)
}

/// Loads the data set a [`Source`] stands for, read as `reading` says.
///
/// A published set that is in none of the folders of `lookup` is downloaded
/// once; `progress` hears about that, and about nothing otherwise. Nothing is
/// written when the files are there. The files of a published set are checked
/// against its SHA-256 hashes each time they are read.
///
/// # Errors
/// Every [`DataError`], with the file concerned.
pub fn load_source(
    source: &Source,
    reading: &Reading,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset, DataError> {
    reading.validate()?;
    // The embedded set is drawn where it is needed: nothing to open.
    if matches!(source, Source::Glyphs) && *reading == embedded(reading) {
        return Ok(glyphs::dataset());
    }
    let opened = open(source, reading, lookup, progress)?;
    collected(source.name(), opened, reading)
}

/// What `reading` is when it changes nothing about the embedded set.
fn embedded(reading: &Reading) -> Reading {
    Reading {
        test_share: reading.test_share,
        cache: reading.cache.clone(),
        labels: reading.labels,
        ..Reading::default()
    }
}

/// Opens the parts of a source without reading its rows.
pub(crate) fn open(
    source: &Source,
    reading: &Reading,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Opened, DataError> {
    match source {
        Source::Glyphs => Ok(glyphs::open()),
        Source::Named(set) => open_named(set, lookup, progress),
        Source::Idx(folder) => open_idx(&IdxFolder::find(folder)?),
        Source::Path(path) => match source::detect(path)? {
            Format::Idx(located) => open_idx(&located),
            Format::Images => folder::open(path, reading),
            Format::Npy => npy::open_array(path, reading),
            Format::Csv => named_beside(path, csv::open(path, reading)?),
            Format::Parquet => named_beside(path, parquet::open_file(path, reading)?),
            Format::ParquetFolder(shards) => {
                named_beside(path, parquet::open(path, &shards, reading)?)
            }
            Format::Npz => named_beside(path, npy::open_archive(path, reading)?),
        },
    }
}

/// A table with the class names of the list beside it, where its labels have
/// no names of their own.
fn named_beside(path: &Path, opened: Opened) -> Result<Opened, DataError> {
    let parts = match &opened.parts {
        Parts::TrainAndTest(train, _) => train,
        Parts::Whole(part) => part,
    };
    if !parts.is_labelled || !opened.class_names.is_empty() {
        return Ok(opened);
    }
    let folder = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let names = class_names::beside(folder.unwrap_or(Path::new(".")))?;
    Ok(Opened {
        class_names: names.by_label,
        listed_in: names.listed_in,
        ..opened
    })
}

fn open_named(
    set: &'static NamedSet,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Opened, DataError> {
    let located = match locate::find_named(set, lookup) {
        Some(located) => located,
        None => manage::download_missing(set, lookup, progress)?.0,
    };
    open_files(set, &located, true)
}

/// Opens the four files of a published set; `as_published` when their content
/// is to be compared with that of the registry.
pub(crate) fn open_files(
    set: &'static NamedSet,
    located: &Located,
    as_published: bool,
) -> Result<Opened, DataError> {
    let part = |first: usize| -> Result<Part, DataError> {
        let files = [&set.files[first], &set.files[first + 1]];
        let (images, labels) = (&located.files[first], &located.files[first + 1]);
        idx::part(images, Some(labels), as_published.then_some((set, files)))
    };
    Ok(Opened {
        parts: Parts::TrainAndTest(part(0)?, part(2)?),
        class_names: (0i64..)
            .zip(set.class_names.iter().map(|&name| name.to_owned()))
            .collect(),
        attribution: set.attribution.to_owned(),
        is_transposed: false,
        listed_in: None,
        remarks: Vec::new(),
    })
}

fn open_idx(located: &IdxFolder) -> Result<Opened, DataError> {
    let part = |pair: &IdxPair| idx::part(&pair.images, pair.labels.as_deref(), None);
    let train = part(&located.train)?;
    let parts = match &located.test {
        Some(test) => Parts::TrainAndTest(train, part(test)?),
        None => Parts::Whole(train),
    };
    let is_transposed = located.is_emnist();
    let names = class_names::of_idx(located)?;
    let mut remarks = Vec::new();
    if is_transposed {
        remarks.push(
            "EMNIST's files hold every image with rows and columns exchanged: turned back"
                .to_owned(),
        );
    }
    Ok(Opened {
        parts,
        class_names: names.by_label,
        attribution: format!("images of {}", located.folder.display()),
        is_transposed,
        listed_in: names.listed_in,
        remarks,
    })
}
