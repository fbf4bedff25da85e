//! Folders of images (PNG, JPEG, WebP, BMP), and single images.
//!
//! A file is an image of a folder by its name, and of a format by its content.
//! Images lie in the folder itself, unlabelled, or in one folder per class:
//! classes are sorted by the bytes of their names, and a label is a position
//! among them. Above either may be `train/` (`training/`) and `test/`
//! (`testing/`); `val/` (`valid/`, `validation/`) is the test set where there
//! is none, and left out where there is one. Hidden files are no part of it.

mod decode;
mod level;
mod problem;
mod rows;
mod survey;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::cache::{self, Entry, Key, KeyHasher, Writer};
use crate::error::DataError;
use crate::part::{Opened, Part, Parts};
use crate::reading::{Colour, Reading};
use crate::shape::Shape;
use crate::values::Kind;

pub(crate) use decode::begins_as_image;
#[cfg(feature = "parquet")]
pub(crate) use decode::{Header, decode, header};
pub(crate) use level::has_image_name;
pub use problem::{FolderProblem, ImageProblem, SizeCount};
use rows::{Decoding, ImageRows, Origin};
use survey::Survey;
#[cfg(feature = "parquet")]
pub(crate) use survey::{Sizes, is_grey, may_have_colour};
use tree::{ImageFile, ImageFiles, Tree};

/// What made the rows of a cache. Raised when the same files give other rows:
/// a test compares the digest of decoded images.
const READER: &str = "images of a folder, version 1";

/// Decoded bytes on their way into the cache.
const CHUNK_BYTES: usize = 8 << 20;

/// Opens a folder of images, or a single one.
///
/// # Errors
/// When there are no images, the folders are not laid out as described, an
/// image cannot be read, or sizes differ and none is asked for.
pub(crate) fn open(path: &Path, reading: &Reading) -> Result<Opened, DataError> {
    if !path.is_dir() {
        return uncached(path, Tree::of_file(path), reading);
    }
    let tree = Tree::of_folder(path)?;
    match &reading.cache {
        None => uncached(path, tree, reading),
        Some(folder) => cached(path, tree, reading, folder),
    }
}

fn uncached(path: &Path, tree: Tree, reading: &Reading) -> Result<Opened, DataError> {
    let survey = Survey::of(&tree, reading)?;
    Ok(opened(path, tree, reading, survey, None))
}

/// Opens a folder whose decoded images are kept in the folder `cache`: from
/// there, or once they have been decoded into it.
fn cached(
    path: &Path,
    mut tree: Tree,
    reading: &Reading,
    cache: &Path,
) -> Result<Opened, DataError> {
    let digests = digests(&tree)?;
    let key = key(&tree, &digests, reading);
    if let Some(entry) = cache::find(cache, key) {
        let survey = Survey::of_entry(entry.header);
        return Ok(opened(path, tree, reading, survey, Some(entry)));
    }
    let survey = Survey::of(&tree, reading)?;
    let header = survey.header(digests.len());
    let entry = match cache::has_room(cache, header) {
        Ok(()) => {
            let decoding = decoding(&tree, reading, survey.shape);
            let written = write(cache, key, header, &tree, &digests, &decoding)?;
            written.map_err(|error| error.to_string())
        }
        Err(reason) => Err(reason),
    };
    let entry = match entry {
        Ok(entry) => Some(entry),
        Err(reason) => {
            tree.remarks.push(format!(
                "the decoded images could not be kept in {}, so they are decoded again next time: {reason}",
                cache.display()
            ));
            None
        }
    };
    Ok(opened(path, tree, reading, survey, entry))
}

/// The SHA-256 of every file.
fn digests(tree: &Tree) -> Result<Vec<[u8; 32]>, DataError> {
    let files: Vec<&ImageFile> = tree.files().collect();
    let digests: Vec<Result<[u8; 32], DataError>> = files
        .par_iter()
        .map_init(Vec::new, |buffer, file| {
            decode::read_file(&tree.root.join(file.relative()), buffer)?;
            Ok(Sha256::digest(&*buffer).into())
        })
        .collect();
    // The first of several failures, whatever thread met one first.
    digests.into_iter().collect()
}

/// Everything that decoded rows depend on: what reads them, how, and the names
/// and bytes of the files in their order. A name begins with that of its part.
fn key(tree: &Tree, digests: &[[u8; 32]], reading: &Reading) -> Key {
    let mut hasher = KeyHasher::new(READER);
    let colour: &[u8] = match reading.colour {
        Colour::Automatic => b"automatic",
        Colour::Grey => b"grey",
        Colour::Rgb => b"rgb",
    };
    hasher.update(colour);
    hasher.update(&reading.background);
    // The size before rows and columns are exchanged.
    let resize = reading.resize.map_or_else(String::new, |(height, width)| {
        if reading.transposed {
            format!("{width}x{height}")
        } else {
            format!("{height}x{width}")
        }
    });
    hasher.update(resize.as_bytes());
    for (file, digest) in tree.files().zip(digests) {
        hasher.update(file.relative().as_encoded_bytes());
        hasher.update(digest);
    }
    hasher.key()
}

fn decoding(tree: &Tree, reading: &Reading, shape: Shape) -> Decoding {
    Decoding {
        root: Arc::from(tree.root.as_path()),
        shape,
        is_resized: reading.resize.is_some(),
        background: reading.background,
    }
}

/// Decodes all images into the cache. The outer error is one of the images,
/// the inner one says why the cache could not be written.
fn write(
    cache: &Path,
    key: Key,
    header: cache::Header,
    tree: &Tree,
    digests: &[[u8; 32]],
    decoding: &Decoding,
) -> Result<io::Result<Entry>, DataError> {
    let mut writer = match Writer::create(cache, key, header) {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error)),
    };
    let files: Vec<&ImageFile> = tree.files().collect();
    let row = decoding.shape.len();
    let rows = (CHUNK_BYTES / row).clamp(1, files.len().max(1));
    let mut buffer = vec![0; rows * row];
    for (files, digests) in files.chunks(rows).zip(digests.chunks(rows)) {
        let chunk = &mut buffer[..files.len() * row];
        decoding.rows(files, Some(digests), chunk)?;
        if let Err(error) = writer.append(chunk) {
            return Ok(Err(error));
        }
    }
    Ok(writer.publish())
}

/// What is said of `count` images with several frames, of which `first` is one.
pub(crate) fn animation_remark(count: usize, first: &str) -> String {
    format!(
        "only the first frame is read of {count} animated {} ({first}{})",
        if count == 1 { "image" } else { "images" },
        if count == 1 { "" } else { ", …" }
    )
}

/// The parts of a source, decoded from its files or read from `entry`.
fn opened(
    path: &Path,
    tree: Tree,
    reading: &Reading,
    survey: Survey,
    entry: Option<Entry>,
) -> Opened {
    let decoding = decoding(&tree, reading, survey.shape);
    let mut remarks = tree.remarks;
    if survey.animated > 0 {
        let first = tree
            .train
            .files
            .iter()
            .chain(tree.test.iter().flat_map(|test| &test.files));
        let first = first.map(|file| &file.name).nth(survey.first_animated);
        let first = first.map_or("", |name| name);
        remarks.push(animation_remark(survey.animated, first));
    }
    let row_bytes = survey.shape.len();
    let part = |images: ImageFiles, first_row: usize| Part {
        count: images.files.len(),
        shape: survey.shape,
        kind: Kind::Bytes,
        is_labelled: images.is_labelled,
        is_named: true,
        rows: Box::new(ImageRows {
            origin: match &entry {
                None => Origin::Files(decoding.clone()),
                Some(entry) => Origin::Cache {
                    entry: entry.clone(),
                    offset: (first_row * row_bytes) as u64,
                    path: images.path.as_path().into(),
                },
            },
            files: images.files,
            row_bytes,
            done: 0,
            is_labelled: images.is_labelled,
        }),
        path: images.path,
    };
    let train_count = tree.train.files.len();
    let train = part(tree.train, 0);
    Opened {
        parts: match tree.test {
            Some(test) => Parts::TrainAndTest(train, part(test, train_count)),
            None => Parts::Whole(train),
        },
        class_names: (0i64..).zip(tree.classes).collect(),
        attribution: format!("images of {}", path.display()),
        is_transposed: false,
        listed_in: None,
        remarks,
    }
}
