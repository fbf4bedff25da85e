//! Rows as pictures: one PNG each, or a montage of many.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::PathBuf;

use datasets::Shape;
use ndarray::ArrayView2;
use rayon::prelude::*;
use viz::{Grid, Image, ImageRef, Rgb, TileShape, Tiles, encode_png, stacked};

use super::destination::Destination;
use crate::error::Error;

/// Width and height that a montage does not exceed.
const LIMIT: [usize; 2] = [1200, 1200];

/// Width and height that a strip does not exceed.
const STRIP_LIMIT: [usize; 2] = [2400, 400];

/// White pixels between one line of pairs and the next: more than between the
/// two lines of a pair, so that it is seen what belongs together.
const PAIR_GAP: usize = 12;

/// How a row is drawn.
pub(super) fn tile_shape(shape: Shape) -> TileShape {
    match shape {
        Shape::Image {
            height,
            width,
            channels: 3,
        } => TileShape::Colour { height, width },
        Shape::Image { height, width, .. } => TileShape::Grey { height, width },
        Shape::Vector { length } => TileShape::Line { length },
    }
}

/// How tiles of a montage are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// As near to a square as they go.
    Square,
    /// One beside the other.
    Strip,
}

impl Arrangement {
    /// The grid for `count` tiles, which may have fewer cells.
    pub(super) fn grid(self, shape: Shape, count: usize) -> Grid {
        match self {
            Self::Square => Grid::of_tiles(tile_shape(shape), count, LIMIT),
            Self::Strip => Grid::of_rows(tile_shape(shape), 1, count, STRIP_LIMIT),
        }
    }
}

/// A montage of rows, one after the other in `values`, and the values of its
/// lowest and highest ink where these are not 0 and 1.
pub(super) fn montage(
    shape: Shape,
    grid: &Grid,
    values: &[f32],
) -> Result<(Image, Option<[f32; 2]>), Error> {
    let tile = tile_shape(shape);
    if !shape.is_image() {
        let tiles = Tiles::new(tile, values);
        return Ok((tiles.montage(grid)?, Some(tiles.range())));
    }
    let range = ink_range(values);
    let inked = inked(values, range);
    Ok((Tiles::new(tile, &*inked).montage(grid)?, range))
}

/// The range of pixels that do not all lie in [0, 1], as far as they are
/// finite: drawn as they are, most of them would be black or white.
fn ink_range(values: &[f32]) -> Option<[f32; 2]> {
    // A sum of sigmoids rounds a little beyond.
    const ROUNDING: f32 = 1e-3;
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let [low, high] = finite.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], value| {
        [low.min(value), high.max(value)]
    });
    (low < -ROUNDING || (high > 1.0 + ROUNDING && high.is_finite())).then_some([low, high])
}

/// Pixels brought from a range to [0, 1].
fn inked(values: &[f32], range: Option<[f32; 2]>) -> Cow<'_, [f32]> {
    match range {
        None => Cow::Borrowed(values),
        Some([low, high]) => {
            let span = (high - low).max(f32::MIN_POSITIVE);
            Cow::Owned(values.iter().map(|value| (value - low) / span).collect())
        }
    }
}

/// Pairs of a row and its reconstruction.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    shape: Shape,
    grid: Grid,
}

impl Pairs {
    /// Room for `count` pairs, or for as many as there is.
    pub(super) fn new(shape: Shape, count: usize) -> Self {
        let tile = tile_shape(shape);
        let grid = match tile {
            // A vector and its reconstruction share a tile.
            TileShape::Line { .. } => Grid::of_tiles(tile, count, LIMIT),
            _ => {
                let columns = ((2 * count) as f64).sqrt().ceil() as usize;
                let bands = count.div_ceil(columns.max(1)).max(1);
                let columns = count.div_ceil(bands);
                let limit = [LIMIT[0], LIMIT[1].saturating_sub(PAIR_GAP * bands)];
                let grid = Grid::of_rows(tile, 2 * bands, columns, limit);
                Grid {
                    rows: (grid.rows & !1).max(2),
                    ..grid
                }
            }
        };
        Self { shape, grid }
    }

    /// How many pairs there is room for.
    pub(super) fn capacity(&self) -> usize {
        let cells = self.grid.rows * self.grid.columns;
        match self.shape {
            Shape::Vector { .. } => cells,
            Shape::Image { .. } => cells / 2,
        }
    }

    /// Draws pairs, one after the other in both: of images, the reconstruction
    /// below; of vectors, it is a second line over the first.
    /// The range is that of [`montage`].
    pub(super) fn draw(
        &self,
        rows: &[f32],
        reconstructions: &[f32],
    ) -> Result<(Image, Option<[f32; 2]>), Error> {
        let tile = tile_shape(self.shape);
        if let TileShape::Line { .. } = tile {
            let tiles = Tiles {
                overlay: Some(reconstructions.into()),
                ..Tiles::new(tile, rows)
            };
            return Ok((tiles.montage(&self.grid)?, Some(tiles.range())));
        }
        let ranges = [ink_range(rows), ink_range(reconstructions)];
        let range = ranges
            .into_iter()
            .flatten()
            .reduce(|[low, high], other| [low.min(other[0]), high.max(other[1])]);
        // A side that needs no range of its own lies in [0, 1].
        let range = range.map(|[low, high]| match ranges {
            [Some(_), Some(_)] => [low, high],
            _ => [low.min(0.0), high.max(1.0)],
        });
        let (rows, reconstructions) = (inked(rows, range), inked(reconstructions, range));
        let grid = Grid {
            rows: 2,
            ..self.grid.clone()
        };
        let band = grid.columns * tile.values();
        let mut bands = Vec::new();
        for (rows, reconstructions) in rows.chunks(band).zip(reconstructions.chunks(band)) {
            let mut values = rows.to_vec();
            // What is missing in the last band is white, as around the tiles.
            values.resize(band, 1.0);
            values.extend(reconstructions);
            bands.push(Tiles::new(tile, &values).montage(&grid)?);
        }
        let bands: Vec<ImageRef<'_>> = bands.iter().map(Image::as_ref).collect();
        Ok((stacked(&bands, PAIR_GAP, Rgb::WHITE), range))
    }
}

/// Writes a montage, and gives it its name.
pub(super) fn write_montage(
    mut destination: Destination,
    image: &Image,
    description: &str,
) -> Result<PathBuf, Error> {
    let bytes = encode_png(image.as_ref(), &[("Description", description)])?;
    let written = destination.file().write_all(&bytes);
    written.map_err(|source| destination.failure(source))?;
    destination.finish()
}

/// Refuses to write each row of vectors as a picture.
pub(super) fn check_images(shape: Shape, destination: &Destination) -> Result<(), Error> {
    if shape.is_image() {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "-o is the folder {}, but the rows are vectors of {shape} values and no images; name an .npz or .csv file, or a .png for a montage of lines",
        destination.path().display()
    )))
}

/// Writes each row as a PNG under the path `name` gives for its position;
/// pixels beyond [0, 1] by the range of their own picture.
pub(super) fn add_pictures(
    destination: &Destination,
    shape: Shape,
    rows: ArrayView2<'_, f32>,
    name: impl Fn(usize) -> PathBuf + Sync,
) -> Result<(), Error> {
    let tile = tile_shape(shape);
    let [height, width] = tile.size();
    let grid = Grid::new(1, 1, height, width);
    (0..rows.nrows()).into_par_iter().try_for_each(|row| {
        let values = rows.row(row).to_vec();
        let inked = inked(&values, ink_range(&values));
        let image = Tiles::new(tile, &*inked).montage(&grid)?;
        destination.add(&name(row), &encode_png(image.as_ref(), &[])?)
    })
}
