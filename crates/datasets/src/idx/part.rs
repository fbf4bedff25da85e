//! An image file and its label file as a part of a source.

use std::path::{Path, PathBuf};

use super::{Element, IdxFile, Role};
use crate::error::DataError;
use crate::part::{Part, ReadRows, RowsInto};
use crate::registry::{NamedSet, PublishedFile};
use crate::shape::Shape;
use crate::values::{Kind, ValuesMut};

/// Opens the rows of an image file with the labels of another one.
///
/// With `published`, the content is compared with that of the registry once
/// it has been read.
pub(crate) fn part(
    images: &Path,
    labels: Option<&Path>,
    published: Option<(&'static NamedSet, [&'static PublishedFile; 2])>,
) -> Result<Part, DataError> {
    // The small file first: a mistake in it costs no decompression.
    let opened_labels = labels
        .map(|path| IdxFile::open(path, Role::Labels))
        .transpose()?;
    let file = IdxFile::open(images, Role::Images)?;
    let count = file.dimensions()[0];
    if let (Some(labels), Some(path)) = (&opened_labels, labels)
        && labels.dimensions()[0] != count
    {
        return Err(DataError::CountMismatch {
            image_path: images.to_owned(),
            label_path: path.to_owned(),
            images: count,
            labels: labels.dimensions()[0],
        });
    }
    let shape = match file.dimensions()[1..] {
        [length] => Shape::Vector { length },
        [height, width] => Shape::grey(height, width),
        [height, width, channels] => Shape::Image {
            height,
            width,
            channels,
        },
        _ => unreachable!("an image file has two to four dimensions"),
    };
    let kind = match file.element() {
        Element::U8 => Kind::Bytes,
        _ => Kind::Floats,
    };
    Ok(Part {
        path: images.to_owned(),
        count,
        shape,
        kind,
        is_labelled: opened_labels.is_some(),
        is_named: false,
        rows: Box::new(IdxRows {
            row_bytes: shape.len() * file.element().bytes(),
            images: Some((file, images.to_owned())),
            labels: opened_labels.zip(labels.map(Path::to_owned)),
            published,
            buffer: Vec::new(),
        }),
    })
}

/// Values that are converted at a time.
const PIECE: usize = 1 << 16;

struct IdxRows {
    /// Taken when they are finished.
    images: Option<(IdxFile, PathBuf)>,
    labels: Option<(IdxFile, PathBuf)>,
    published: Option<(&'static NamedSet, [&'static PublishedFile; 2])>,
    row_bytes: usize,
    buffer: Vec<u8>,
}

impl ReadRows for IdxRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let Some((images, _)) = &mut self.images else {
            return Ok(());
        };
        let element = images.element();
        let rows = into.values.len() * element.bytes() / self.row_bytes;
        match &mut into.values {
            ValuesMut::Bytes(values) => images.read(values)?,
            ValuesMut::Floats(values) => {
                for values in values.chunks_mut(PIECE) {
                    self.buffer.resize(values.len() * element.bytes(), 0);
                    images.read(&mut self.buffer)?;
                    let stored = self.buffer.chunks_exact(element.bytes());
                    for (value, stored) in values.iter_mut().zip(stored) {
                        *value = element.value(stored) as f32;
                    }
                }
            }
        }
        if let Some((labels, _)) = &mut self.labels {
            let (element, columns) = (
                labels.element(),
                labels.dimensions()[1..].iter().product::<usize>(),
            );
            let row_bytes = columns * element.bytes();
            let at_once = (PIECE / row_bytes).max(1);
            for first in (0..rows).step_by(at_once) {
                let rows = at_once.min(rows - first);
                self.buffer.resize(rows * row_bytes, 0);
                labels.read(&mut self.buffer)?;
                let stored = self.buffer.chunks_exact(row_bytes);
                into.labels
                    .extend(stored.map(|row| element.value(row) as i64));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        let Some((images, path)) = self.images.take() else {
            return Ok(None);
        };
        let is_canonical = |file: &IdxFile, dimensions: usize| {
            file.element() == Element::U8 && file.dimensions().len() == dimensions
        };
        let canonical = is_canonical(&images, 3)
            && self
                .labels
                .as_ref()
                .is_some_and(|(labels, _)| is_canonical(labels, 1));
        let (content, stored) = images.finish()?;
        self.compare(0, path, [&content, &stored])?;
        let Some((labels, path)) = self.labels.take() else {
            return Ok(None);
        };
        let (label_content, stored) = labels.finish()?;
        self.compare(1, path, [&label_content, &stored])?;
        Ok(canonical.then_some([content, label_content]))
    }
}

impl IdxRows {
    /// Refuses a file that is not the published one; a .gz may be recompressed
    /// and still hold the published content.
    fn compare(&self, index: usize, path: PathBuf, found: [&String; 2]) -> Result<(), DataError> {
        let Some((set, files)) = self.published else {
            return Ok(());
        };
        let file = files[index];
        let (found, expected) = match file.content_sha256 {
            Some(expected) => (found[0], expected),
            None => (found[1], file.gz_sha256),
        };
        if found == expected {
            return Ok(());
        }
        Err(DataError::Altered {
            dataset: set.name,
            path,
            found: found.clone(),
            expected,
        })
    }
}
