use std::borrow::Cow;

use crate::montage::draw_borders;
use crate::tile_line::draw_lines;
use crate::{Grid, Image, Rgb, RgbImage, VizError, montage};

/// What the values of one example are as a picture.
///
/// ```
/// use viz::TileShape;
/// assert_eq!(TileShape::Grey { height: 28, width: 28 }.values(), 784);
/// assert_eq!(TileShape::Colour { height: 32, width: 32 }.values(), 3072);
/// assert_eq!(TileShape::Line { length: 512 }.values(), 512);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileShape {
    /// A grey image, rows from the top.
    Grey {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A colour image, rows from the top, red, green and blue of each pixel beside each other.
    Colour {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A vector, drawn as a line over its index.
    Line {
        /// Number of values.
        length: usize,
    },
}

impl TileShape {
    /// Number of values of one tile.
    pub fn values(self) -> usize {
        match self {
            TileShape::Grey { height, width } => height.saturating_mul(width),
            TileShape::Colour { height, width } => height.saturating_mul(width).saturating_mul(3),
            TileShape::Line { length } => length,
        }
    }

    /// Height and width in pixels at which a tile is drawn at scale 1: those of an image, and of a
    /// line 96 by a width between 128 and 288 that grows with its length.
    pub fn size(self) -> [usize; 2] {
        match self {
            TileShape::Grey { height, width } | TileShape::Colour { height, width } => {
                [height, width]
            }
            TileShape::Line { length } => [96, length.saturating_mul(2).clamp(128, 288)],
        }
    }
}

/// Values of tiles, one tile after the other.
#[derive(Clone, Copy, Debug)]
pub enum TileValues<'a> {
    /// Bytes; of an image 0 is black and 255 is white, of a line they count as value / 255.
    Bytes(&'a [u8]),
    /// Floats; of an image 0 is black and 1 is white (values beyond are drawn as these, NaN as a
    /// light grey), of a line they may be any, and what is not finite is a gap.
    Floats(&'a [f32]),
}

impl<'a> From<&'a [u8]> for TileValues<'a> {
    fn from(values: &'a [u8]) -> TileValues<'a> {
        TileValues::Bytes(values)
    }
}

impl<'a> From<&'a [f32]> for TileValues<'a> {
    fn from(values: &'a [f32]) -> TileValues<'a> {
        TileValues::Floats(values)
    }
}

impl<'a> From<&'a Vec<u8>> for TileValues<'a> {
    fn from(values: &'a Vec<u8>) -> TileValues<'a> {
        TileValues::Bytes(values)
    }
}

impl<'a> From<&'a Vec<f32>> for TileValues<'a> {
    fn from(values: &'a Vec<f32>) -> TileValues<'a> {
        TileValues::Floats(values)
    }
}

/// The grey of a pixel without a value, as in the colour maps.
const NO_VALUE: u8 = 0xe6;

impl<'a> TileValues<'a> {
    fn len(self) -> usize {
        match self {
            TileValues::Bytes(values) => values.len(),
            TileValues::Floats(values) => values.len(),
        }
    }

    pub(crate) fn get(self, index: usize) -> f32 {
        match self {
            TileValues::Bytes(values) => f32::from(values[index]) / 255.0,
            TileValues::Floats(values) => values[index],
        }
    }

    /// The bytes of a whole image.
    fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            TileValues::Bytes(values) => Cow::Borrowed(values),
            TileValues::Floats(values) => values.iter().map(|&v| byte(v)).collect(),
        }
    }
}

fn byte(value: f32) -> u8 {
    if value.is_nan() {
        NO_VALUE
    } else {
        (255.0 * value.clamp(0.0, 1.0)).round() as u8
    }
}

/// Tiles of any shape to be laid out as a montage.
///
/// ```
/// use viz::{Grid, Image, TileShape, Tiles};
/// let colour = TileShape::Colour { height: 2, width: 3 };
/// let pixels = [0.5f32; 4 * 18];
/// let tiles = Tiles::new(colour, pixels.as_slice());
/// let grid = Grid::of_tiles(colour, tiles.count()?, [600, 600]);
/// assert!(matches!(tiles.montage(&grid)?, Image::Rgb(_)));
///
/// let line = TileShape::Line { length: 100 };
/// let (spectrum, decoded) = (vec![0.25f32; 300], vec![0.5f32; 300]);
/// let tiles = Tiles { overlay: Some((&decoded).into()), ..Tiles::new(line, &spectrum) };
/// assert_eq!(tiles.range(), [0.25, 0.5]);
/// tiles.montage(&Grid::of_tiles(line, 3, [600, 600]))?;
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tiles<'a> {
    /// What one tile is.
    pub shape: TileShape,
    /// [`TileShape::values`] for each tile.
    pub values: TileValues<'a>,
    /// Of lines only: a second one over each first, such as the reconstruction, in orange.
    pub overlay: Option<TileValues<'a>>,
    /// Of lines only: the values at the lower and the upper edge of every tile; without them, the
    /// smallest and the largest finite value of all tiles.
    pub range: Option<[f32; 2]>,
}

impl<'a> Tiles<'a> {
    /// Tiles without a second line.
    pub fn new(shape: TileShape, values: impl Into<TileValues<'a>>) -> Tiles<'a> {
        Tiles {
            shape,
            values: values.into(),
            overlay: None,
            range: None,
        }
    }

    /// Number of tiles.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when the values are not whole tiles, or those of the overlay are not as
    /// many or of images.
    pub fn count(&self) -> Result<usize, VizError> {
        let (tile, values) = (self.shape.values(), self.values.len());
        if tile == 0 || !values.is_multiple_of(tile) {
            return Err(VizError::shape(
                "values of the tiles",
                values,
                format!("a multiple of {tile}, at least 1 in a tile"),
            ));
        }
        let is_line = matches!(self.shape, TileShape::Line { .. });
        if let Some(overlay) = self.overlay.filter(|o| !is_line || o.len() != values) {
            return Err(VizError::shape(
                "values of the second lines",
                overlay.len(),
                format!("{values}, as of the first lines; images have none"),
            ));
        }
        Ok(values / tile)
    }

    /// The values at the lower and the upper edge of lines: what a caption should state. [0, 1]
    /// when no value is finite, and for images.
    pub fn range(&self) -> [f32; 2] {
        if !matches!(self.shape, TileShape::Line { .. }) {
            return [0.0, 1.0];
        }
        let finite = |range: [f32; 2]| range.iter().all(|v| v.is_finite());
        if let Some(range) = self.range.filter(|&range| finite(range)) {
            return range;
        }
        let [low, high] = std::iter::once(self.values)
            .chain(self.overlay)
            .flat_map(|values| (0..values.len()).map(move |at| values.get(at)))
            .filter(|value| value.is_finite())
            .fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| {
                [low.min(v), high.max(v)]
            });
        if low <= high { [low, high] } else { [0.0, 1.0] }
    }

    /// The tiles laid out on `grid`, row-major: grey images give a grey image, the others a colour
    /// image. Where the grid's tiles are smaller than the images, each pixel is the mean of the area
    /// it covers. Lines are drawn at the grid's size of a tile times its scale.
    ///
    /// # Errors
    ///
    /// As [`Tiles::count`], when there are more tiles than cells, or when the grid's tiles are larger
    /// than the images.
    pub fn montage(&self, grid: &Grid) -> Result<Image, VizError> {
        let count = self.count()?;
        if count > grid.rows * grid.columns || grid.cell_height() * grid.cell_width() == 0 {
            return Err(VizError::shape(
                "tiles of a montage",
                count,
                format!(
                    "at most {} × {} of at least one pixel",
                    grid.rows, grid.columns
                ),
            ));
        }
        match self.shape {
            TileShape::Grey { .. } => {
                let bytes = self.reduced(grid, 1)?;
                Ok(montage(grid, &bytes)?.into())
            }
            TileShape::Colour { .. } => {
                let bytes = self.reduced(grid, 3)?;
                let size = 3 * grid.tile_height * grid.tile_width;
                let mut image = empty(grid);
                for (index, tile) in bytes.chunks_exact(size).enumerate() {
                    place(grid, &mut image, index, |x, y| {
                        let at = 3 * (y / grid.scale * grid.tile_width + x / grid.scale);
                        Rgb(tile[at], tile[at + 1], tile[at + 2])
                    });
                }
                Ok(image.into())
            }
            TileShape::Line { length } => {
                let range = self.range();
                let mut image = empty(grid);
                for index in 0..count {
                    let line = |values: TileValues<'a>| {
                        move |at: usize| f64::from(values.get(index * length + at))
                    };
                    let overlay = self.overlay.map(line);
                    let size = [grid.cell_height(), grid.cell_width()];
                    let tile = draw_lines(size, length, range, line(self.values), overlay);
                    place(grid, &mut image, index, |x, y| tile.get(x, y));
                }
                Ok(image.into())
            }
        }
    }

    /// As [`Tiles::montage`], with frames as of [`crate::montage_with_borders`].
    ///
    /// # Errors
    ///
    /// As [`Tiles::montage`], or when there are more borders than cells.
    pub fn montage_with_borders(
        &self,
        grid: &Grid,
        border: usize,
        borders: &[Option<Rgb>],
    ) -> Result<RgbImage, VizError> {
        let mut image = match self.montage(grid)? {
            Image::Gray(image) => image.to_rgb(),
            Image::Rgb(image) => image,
        };
        draw_borders(grid, &mut image, border, borders)?;
        Ok(image)
    }

    /// The bytes of images at the grid's size of a tile.
    fn reduced(&self, grid: &Grid, channels: usize) -> Result<Cow<'a, [u8]>, VizError> {
        let (from, to) = (self.shape.size(), [grid.tile_height, grid.tile_width]);
        if from == to {
            return Ok(self.values.bytes());
        }
        if to[0] > from[0] || to[1] > from[1] {
            return Err(VizError::shape(
                "tile of a grid",
                format!("{} × {}", to[0], to[1]),
                format!(
                    "at most {} × {}, as the images; larger by the scale",
                    from[0], from[1]
                ),
            ));
        }
        let tile = self.shape.values();
        Ok((0..self.values.len() / tile)
            .flat_map(|index| {
                let value = |at: usize| self.values.get(index * tile + at);
                area_mean(&value, from, to, channels)
            })
            .map(byte)
            .collect())
    }
}

/// An image of `from` rows and columns at the smaller size `to`: each pixel is the mean over the
/// area that it covers, pixels at its edges counting by their share.
pub(crate) fn area_mean(
    value: &dyn Fn(usize) -> f32,
    from: [usize; 2],
    to: [usize; 2],
    channels: usize,
) -> Vec<f32> {
    let shares = [0, 1].map(|axis| shares(from[axis], to[axis]));
    let mut mean = Vec::with_capacity(to[0] * to[1] * channels);
    for rows in &shares[0] {
        for columns in &shares[1] {
            for channel in 0..channels {
                let mut sum = 0.0;
                for &(row, height) in rows {
                    for &(column, width) in columns {
                        let at = (row * from[1] + column) * channels + channel;
                        sum += height * width * f64::from(value(at));
                    }
                }
                mean.push(sum as f32);
            }
        }
    }
    mean
}

/// Which of `from` pixels each of `to` covers, by which share of itself.
fn shares(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    // In units of 1 / to of a pixel, where all edges are whole numbers.
    (0..to)
        .map(|target| {
            let (low, high) = (target * from, (target + 1) * from);
            (low / to..high.div_ceil(to))
                .map(|source| {
                    let covered = high.min((source + 1) * to) - low.max(source * to);
                    (source, covered as f64 / from as f64)
                })
                .collect()
        })
        .collect()
}

fn empty(grid: &Grid) -> RgbImage {
    let Grid { background, .. } = *grid;
    let colour = Rgb(background, background, background);
    RgbImage::new(grid.width(), grid.height(), colour)
}

fn place(grid: &Grid, image: &mut RgbImage, index: usize, colour: impl Fn(usize, usize) -> Rgb) {
    let (left, top) = grid.tile_origin(index);
    for y in 0..grid.cell_height() {
        for x in 0..grid.cell_width() {
            image.set(left + x, top + y, colour(x, y));
        }
    }
}
