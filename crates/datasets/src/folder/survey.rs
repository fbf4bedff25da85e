//! What the images of a folder have in common: their size, and whether they
//! are grey.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::cache;
use crate::error::DataError;
use crate::folder::decode::{self, Header, Pixels};
use crate::folder::problem::{FolderProblem, SizeCount};
use crate::folder::tree::{ImageFile, Tree};
use crate::prepare::fit_image;
use crate::reading::{Colour, Reading};
use crate::shape::Shape;

/// What is found out before the images are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Survey {
    /// The shape every image is brought to.
    pub(super) shape: Shape,
    /// Images of which only the first of several frames is read.
    pub(super) animated: usize,
    /// The first of them among all images.
    pub(super) first_animated: usize,
}

impl Survey {
    /// Looks at the header of every image, and at the pixels of as many as it
    /// takes to tell whether all are grey.
    pub(super) fn of(tree: &Tree, reading: &Reading) -> Result<Self, DataError> {
        let files: Vec<&ImageFile> = tree.files().collect();
        let headers: Vec<Result<Header, DataError>> = files
            .par_iter()
            .map_init(Vec::new, |buffer, file| {
                decode::read_header(&tree.root.join(file.relative()), buffer)
            })
            .collect();
        // The first of several problems, whatever thread met one first.
        let headers = headers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (height, width) = match reading.resize {
            // Rows and columns of all images are exchanged later.
            Some((height, width)) if reading.transposed => (width, height),
            Some(size) => size,
            None => common_size(tree, &files, &headers)?,
        };
        let is_grey = match reading.colour {
            Colour::Grey => true,
            Colour::Rgb => false,
            Colour::Automatic => all_grey(tree, &files, &headers, reading.background),
        };
        Ok(Self {
            shape: if is_grey {
                Shape::grey(height, width)
            } else {
                Shape::colour(height, width)
            },
            animated: headers.iter().filter(|header| header.is_animated).count(),
            first_animated: headers
                .iter()
                .position(|header| header.is_animated)
                .unwrap_or(0),
        })
    }

    /// What an entry of the cache says.
    pub(super) fn of_entry(entry: cache::Header) -> Self {
        Self {
            shape: Shape::Image {
                height: entry.height as usize,
                width: entry.width as usize,
                channels: entry.channels as usize,
            },
            animated: entry.animated as usize,
            first_animated: entry.first_animated as usize,
        }
    }

    /// What an entry of `rows` images says.
    pub(super) fn header(&self, rows: usize) -> cache::Header {
        // Sides come from files and options that do not allow more than 2^32.
        let (height, width) = self.shape.size().unwrap_or_default();
        cache::Header {
            rows: rows as u64,
            height: height as u32,
            width: width as u32,
            channels: self.shape.channels() as u32,
            animated: self.animated as u64,
            first_animated: self.first_animated as u64,
        }
    }
}

/// Height and width of all images.
fn common_size(
    tree: &Tree,
    files: &[&ImageFile],
    headers: &[Header],
) -> Result<(usize, usize), DataError> {
    let mut sizes = Sizes::default();
    for (index, header) in headers.iter().enumerate() {
        sizes.add(header, index);
    }
    let common = sizes.common(|index| files[index].name.to_string());
    common.map_err(|problem| DataError::Folder {
        path: tree.root.clone(),
        problem,
    })
}

/// The sizes that images have.
#[derive(Debug, Default)]
pub(crate) struct Sizes(
    /// By height and width: how many images, and the number of the first.
    HashMap<(u32, u32), (usize, usize)>,
);

impl Sizes {
    /// Counts the image of number `index`.
    pub(crate) fn add(&mut self, header: &Header, index: usize) {
        let (count, _) = self
            .0
            .entry((header.height, header.width))
            .or_insert((0, index));
        *count += 1;
    }

    /// Height and width, where all are the same; `name` says which image a
    /// number stands for.
    pub(crate) fn common(
        self,
        name: impl Fn(usize) -> String,
    ) -> Result<(usize, usize), FolderProblem> {
        let mut sizes: Vec<((u32, u32), (usize, usize))> = self.0.into_iter().collect();
        if let [((height, width), _)] = sizes[..] {
            return Ok((height as usize, width as usize));
        }
        // The most frequent first, of equally frequent ones the first met.
        sizes.sort_by_key(|&(_, (count, first))| (std::cmp::Reverse(count), first));
        Err(FolderProblem::Sizes {
            sizes: sizes
                .into_iter()
                .map(|((height, width), (count, first))| SizeCount {
                    height,
                    width,
                    count,
                    example: name(first),
                })
                .collect(),
        })
    }
}

/// Whether every image is grey once it lies on the background. One in colour
/// ends the search, so only grey images stored in colour are all decoded.
fn all_grey(tree: &Tree, files: &[&ImageFile], headers: &[Header], background: [u8; 3]) -> bool {
    let mut unknown: Vec<&ImageFile> = files
        .iter()
        .zip(headers)
        .filter(|(_, header)| may_have_colour(header, background))
        .map(|(file, _)| *file)
        .collect();
    // A class may be grey as a whole: images from everywhere come first.
    const FIRST: usize = 64;
    let step = unknown.len() / FIRST;
    if step > 1 {
        for place in 1..FIRST {
            unknown.swap(place, place * step);
        }
    }
    let is_coloured = AtomicBool::new(false);
    unknown.par_iter().for_each_init(Vec::new, |buffer, file| {
        if is_coloured.load(Ordering::Relaxed) {
            return;
        }
        // What cannot be decoded is reported when it is read.
        let read = decode::read_file(&tree.root.join(file.relative()), buffer);
        if let (Ok(()), Ok(pixels)) = (read, decode::decode(buffer))
            && !is_grey(&pixels, background)
        {
            is_coloured.store(true, Ordering::Relaxed);
        }
    });
    !is_coloured.into_inner()
}

/// Whether only the pixels of an image tell whether it is grey.
pub(crate) fn may_have_colour(header: &Header, background: [u8; 3]) -> bool {
    header.channels > 2 || (header.channels == 2 && !are_equal(&background))
}

/// Whether an image is grey once it lies on the background.
pub(crate) fn is_grey(pixels: &Pixels, background: [u8; 3]) -> bool {
    if pixels.channels == 3 {
        return pixels.values.chunks_exact(3).all(are_equal);
    }
    let shape = Shape::colour(pixels.height, pixels.width);
    let mut row = vec![0; shape.len()];
    fit_image(&pixels.values, pixels.shape(), shape, background, &mut row);
    row.chunks_exact(3).all(are_equal)
}

/// Whether red, green and blue are the same.
fn are_equal(colour: &[u8]) -> bool {
    colour[0] == colour[1] && colour[1] == colour[2]
}
