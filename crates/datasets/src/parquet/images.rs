//! Image files that stand in a column.

use ::parquet::data_type::ByteArray;
use rayon::prelude::*;

use super::column::Column;
use super::open::check_claim;
use super::rows::{Shard, no_value};
use super::selection::Content;
use crate::error::DataError;
use crate::folder::{self, Header, ImageProblem, Sizes};
use crate::prepare::fit_image;
use crate::reading::{Colour, Reading};
use crate::shape::Shape;
use crate::table::Place;

/// Files that are held at a time.
const FILES: usize = 256;

/// Bytes of files that are held at a time, one file aside.
const FILE_BYTES: usize = 32 << 20;

/// What a value of a column of images must be.
const IMAGE: &str = "an image in every row";

/// What is found out before images are decoded to rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Survey {
    /// The shape every image is brought to.
    pub(super) shape: Shape,
    /// Whether every row has a name.
    pub(super) is_named: bool,
    /// Images of which only the first of several frames is read.
    pub(super) animated: usize,
    /// The first of them.
    pub(super) first_animated: String,
}

/// Image files in their order, as rows need them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoding {
    pub(super) shape: Shape,
    /// Whether images are brought to one size.
    pub(super) is_resized: bool,
    pub(super) background: [u8; 3],
}

impl Survey {
    /// Looks at the header of every image, and at the pixels of as many as it
    /// takes to tell whether all are grey.
    pub(super) fn of(shards: &[Shard], reading: &Reading) -> Result<Self, DataError> {
        let mut sizes = Sizes::default();
        let mut is_coloured = match reading.colour {
            Colour::Automatic => None,
            Colour::Grey => Some(false),
            Colour::Rgb => Some(true),
        };
        let mut animated = Vec::new();
        let mut total = 0;
        // Where in which file an image is, by its number among all.
        let mut starts = Vec::new();
        for shard in shards {
            starts.push((total, shard));
            let &Content::Images(images) = &shard.selection.content else {
                continue;
            };
            let mut column = shard.column(images)?;
            let (mut done, mut values) = (0, 0u64);
            while done < shard.footer.rows {
                let files = files(&mut column, done, shard.footer.rows - done)?;
                let headers = headers(&files, done, column.place())?;
                for (offset, header) in headers.iter().enumerate() {
                    sizes.add(header, total + offset);
                    values = values.saturating_add(
                        u64::from(header.height)
                            * u64::from(header.width)
                            * u64::from(header.channels),
                    );
                    if header.is_animated {
                        animated.push(total + offset);
                    }
                }
                // An image in a dictionary may be that of any number of rows.
                check_claim(shard, Some(values), || format!("images of {values} values"))?;
                if is_coloured.is_none() && has_colour(&files, &headers, reading.background) {
                    is_coloured = Some(true);
                }
                done += files.len() as u64;
                total += files.len();
            }
        }
        let row_name = |index: usize| {
            let (start, shard) = starts
                .iter()
                .rev()
                .find(|(start, _)| *start <= index)
                .unwrap_or(&starts[0]);
            let file = shard.path.file_name().unwrap_or_default();
            format!("row {} of {}", index - start, file.display())
        };
        let (height, width) = match reading.resize {
            // Rows and columns of all images are exchanged later.
            Some((height, width)) if reading.transposed => (width, height),
            Some(size) => size,
            None => sizes
                .common(row_name)
                .map_err(|problem| DataError::Folder {
                    path: shards[0].path.clone(),
                    problem,
                })?,
        };
        Ok(Self {
            shape: if is_coloured.unwrap_or(false) {
                Shape::colour(height, width)
            } else {
                Shape::grey(height, width)
            },
            is_named: are_named(shards)?,
            animated: animated.len(),
            first_animated: animated
                .first()
                .map_or_else(String::new, |&at| row_name(at)),
        })
    }
}

impl Decoding {
    /// Decodes the images from row `first` on to as many rows as `out` has.
    pub(super) fn rows(
        &self,
        column: &mut Column,
        first: u64,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let length = self.shape.len();
        let (mut rest, mut first) = (out, first);
        while !rest.is_empty() {
            let files = files(column, first, (rest.len() / length) as u64)?;
            let (out, others) = rest.split_at_mut(files.len() * length);
            rest = others;
            let failed = files
                .par_iter()
                .zip(out.par_chunks_exact_mut(length))
                .enumerate()
                .map(|(row, (file, out))| self.row(file, out).err().map(|wrong| (row, wrong)))
                .find_map_first(|failed| failed);
            if let Some((row, problem)) = failed {
                return Err(in_row(column.place(), first + row as u64, problem));
            }
            first += files.len() as u64;
        }
        Ok(())
    }

    fn row(&self, file: &ByteArray, out: &mut [u8]) -> Result<(), ImageProblem> {
        let pixels = folder::decode(file.data())?;
        if !self.is_resized && Some((pixels.height, pixels.width)) != self.shape.size() {
            return Err(ImageProblem::Changed);
        }
        let from = pixels.shape();
        fit_image(&pixels.values, from, self.shape, self.background, out);
        Ok(())
    }
}

/// The next files, `limit` at most: at least one, and no more than are held
/// at a time.
fn files(column: &mut Column, first: u64, limit: u64) -> Result<Vec<ByteArray>, DataError> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    while (files.len() as u64) < limit && files.len() < FILES && bytes < FILE_BYTES {
        let place = column.place().clone();
        let batch = column.read(1)?;
        let Some(file) = batch.bytes.first() else {
            return Err(no_value(first + files.len() as u64, &place, IMAGE));
        };
        bytes += file.len();
        files.push(file.clone());
    }
    Ok(files)
}

fn headers(files: &[ByteArray], first: u64, place: &Place) -> Result<Vec<Header>, DataError> {
    let headers: Vec<Result<Header, ImageProblem>> = files
        .par_iter()
        .map(|file| folder::header(file.data(), file.len() as u64))
        .collect();
    // The first of several problems, whatever thread met one first.
    (first..)
        .zip(headers)
        .map(|(row, header)| header.map_err(|problem| in_row(place, row, problem)))
        .collect()
}

fn has_colour(files: &[ByteArray], headers: &[Header], background: [u8; 3]) -> bool {
    files.par_iter().zip(headers).any(|(file, header)| {
        // What cannot be decoded is reported when it is read.
        folder::may_have_colour(header, background)
            && folder::decode(file.data()).is_ok_and(|pixels| !folder::is_grey(&pixels, background))
    })
}

/// Whether there is a name beside every image.
fn are_named(shards: &[Shard]) -> Result<bool, DataError> {
    let mut are_named = true;
    for shard in shards {
        let Some(names) = shard.selection.names else {
            return Ok(false);
        };
        shard.column(names)?.for_each(|_, batch, _| {
            are_named &= batch.first_missing().is_none()
                && batch.bytes.iter().all(|text| file_name(text).is_some());
            Ok(())
        })?;
    }
    Ok(are_named)
}

/// The name of a row.
pub(super) fn file_name(text: &ByteArray) -> Option<&str> {
    text.as_utf8().ok().filter(|name| !name.is_empty())
}

fn in_row(place: &Place, row: u64, problem: ImageProblem) -> DataError {
    DataError::ImageInColumn {
        path: place.path.clone(),
        place: place.within.clone(),
        row,
        problem,
    }
}
