//! Rows of a data set, real or decoded, as tiles of a picture: the one place
//! that knows how a shape is drawn.

use datasets::Shape;
use ndarray::ArrayView2;
use viz::{Grid, Image, ImageRef, TilePanel, TileShape, TileValues, Tiles};

use runs::Error;

/// Longer side of the images that sizes are given for, pixels.
const NOMINAL: f64 = 28.0;
/// Images are drawn in full up to so many times the nominal side.
const FULL: f64 = 1.5;
/// Least height of the tile of a vector, and its width over its height.
const LINE_HEIGHT: f64 = 40.0;
const LINE_RATIO: f64 = 1.5;

/// Rows and columns of tiles, and what is between them.
///
/// Sizes hold for an image of 28 × 28: tiles of other shapes take about as much
/// room, small images enlarged by a whole factor and large ones reduced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// Rows of tiles.
    pub rows: usize,
    /// Columns of tiles.
    pub columns: usize,
    /// Pixels of an image of 28 × 28 between neighbouring tiles.
    pub gutter: usize,
    /// Grey of the gutters.
    pub background: u8,
    /// Canvas units of a pixel of such an image, a multiple of one half: two
    /// pixels of a file are one unit.
    pub pixel: f64,
}

impl Layout {
    /// Tiles side by side at one pixel of the file each.
    pub fn map(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            gutter: 0,
            background: 0,
            pixel: 0.5,
        }
    }

    /// The grid of tiles of a shape, and the canvas units of one of its pixels.
    pub fn grid(self, shape: Shape) -> (Grid, f64) {
        let doubled = 2.0 * self.pixel;
        // Pixels of the file that the longer side of a tile takes.
        let room = doubled * NOMINAL;
        let Shape::Image { height, width, .. } = shape else {
            let height = LINE_HEIGHT.max(room);
            let gutter = self.gutter as f64 * doubled;
            return (self.of_tiles([height, LINE_RATIO * height], 1, gutter), 0.5);
        };
        let longer = height.max(width) as f64;
        let size = [height as f64, width as f64];
        let scale = (NOMINAL / longer).round().max(1.0);
        if longer * scale <= FULL * NOMINAL {
            let grid = self.of_tiles(size, scale as usize, self.gutter as f64);
            return (grid, self.pixel);
        }
        let doubled_of_pixel = (room / longer).round().max(1.0);
        let kept = (FULL * room / doubled_of_pixel / longer).min(1.0);
        let gutter = self.gutter as f64 * doubled / doubled_of_pixel;
        let grid = self.of_tiles(size.map(|side| side * kept), 1, gutter);
        (grid, 0.5 * doubled_of_pixel)
    }

    /// The grid of a bare picture, shown at its own size: tiles whose longer
    /// side has about `side` pixels, but all pixels of images of up to 64.
    pub fn bare_grid(self, shape: Shape, side: usize) -> Grid {
        const IN_FULL: f64 = 64.0;
        let side = side as f64;
        let Shape::Image { height, width, .. } = shape else {
            let height = LINE_HEIGHT.max(side);
            return self.of_tiles([height, LINE_RATIO * height], 1, self.gutter as f64);
        };
        let longer = height.max(width) as f64;
        let scale = (side / longer).round().max(1.0);
        let kept = (IN_FULL.max(side) / longer).min(1.0);
        let size = [height, width].map(|pixels| pixels as f64 * kept);
        self.of_tiles(size, scale as usize, self.gutter as f64)
    }

    fn of_tiles(self, [height, width]: [f64; 2], scale: usize, gutter: f64) -> Grid {
        let whole = |size: f64| size.round().max(1.0) as usize;
        Grid {
            scale,
            gutter: gutter.round() as usize,
            background: self.background,
            ..Grid::new(self.rows, self.columns, whole(height), whole(width))
        }
    }
}

/// Values as bytes, rounded to the nearest: what a picture of grey or colour
/// shows of them.
pub fn bytes(rows: ArrayView2<'_, f32>) -> Vec<u8> {
    rows.iter()
        .map(|&value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect()
}

/// Rows of values in [0, 1], each one tile, laid out on a grid.
pub fn picture(shape: Shape, rows: ArrayView2<'_, f32>, grid: &Grid) -> Result<Image, Error> {
    let rows = rows.as_standard_layout();
    laid_out(shape, rows.as_slice().unwrap_or_default(), grid)
}

/// The same of values one row after the other.
pub fn laid_out<'a>(
    shape: Shape,
    values: impl Into<TileValues<'a>>,
    grid: &Grid,
) -> Result<Image, Error> {
    let tiles = Tiles {
        // Lines of different tiles have one scale.
        range: Some([0.0, 1.0]),
        ..Tiles::new(tile_shape(shape), values)
    };
    Ok(tiles.montage(grid)?)
}

/// A panel of tiles without heads.
pub fn panel(
    title: &str,
    shape: Shape,
    rows: ArrayView2<'_, f32>,
    layout: Layout,
) -> Result<TilePanel, Error> {
    let (grid, pixel) = layout.grid(shape);
    Ok(TilePanel {
        title: title.into(),
        image: picture(shape, rows, &grid)?,
        grid,
        row_heads: Vec::new(),
        column_heads: Vec::new(),
        pixel,
    })
}

/// Blocks of tiles, each laid out on `inner`, on a grid with gutters; and the
/// canvas units of a pixel.
pub fn nested(
    shape: Shape,
    rows: ArrayView2<'_, f32>,
    inner: Layout,
    outer: Layout,
) -> Result<(Image, Grid, f64), Error> {
    let (grid, pixel) = inner.grid(shape);
    let mut pixels = Vec::new();
    let mut is_grey = true;
    for block in rows.axis_chunks_iter(ndarray::Axis(0), inner.rows * inner.columns) {
        let image = picture(shape, block, &grid)?;
        match image.as_ref() {
            ImageRef::Gray(image) => pixels.extend_from_slice(image.pixels()),
            ImageRef::Rgb(image) => {
                is_grey = false;
                pixels.extend_from_slice(image.pixels());
            }
        }
    }
    let (height, width) = (grid.height(), grid.width());
    let block = if is_grey {
        TileShape::Grey { height, width }
    } else {
        TileShape::Colour { height, width }
    };
    let gutter = outer.gutter as f64 * inner.pixel / pixel;
    let grid = outer.of_tiles([height as f64, width as f64], 1, gutter);
    let image = Tiles::new(block, &pixels).montage(&grid)?;
    Ok((image, grid, pixel))
}

/// What a row is as a tile.
pub fn tile_shape(shape: Shape) -> TileShape {
    match shape {
        Shape::Image {
            height,
            width,
            channels: 1,
        } => TileShape::Grey { height, width },
        Shape::Image { height, width, .. } => TileShape::Colour { height, width },
        Shape::Vector { length } => TileShape::Line { length },
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    const MAP: Layout = Layout {
        rows: 2,
        columns: 3,
        gutter: 4,
        background: 255,
        pixel: 3.0,
    };

    #[test]
    fn grey_images_of_28_are_tiles_as_they_are() {
        let shape = Shape::grey(28, 28);
        let plain = Grid {
            gutter: 4,
            background: 255,
            ..Grid::new(2, 3, 28, 28)
        };
        assert_eq!(MAP.grid(shape), (plain.clone(), 3.0));
        assert_eq!(MAP.bare_grid(shape, 28), plain);
        assert_eq!(MAP.bare_grid(shape, 56), Grid { scale: 2, ..plain });
        let rows = Array2::from_shape_fn((6, 784), |(row, at)| ((row + at) % 9) as f32 / 8.0);
        let (grid, _) = MAP.grid(shape);
        let image = picture(shape, rows.view(), &grid).unwrap();
        assert_eq!(
            image,
            viz::montage(&grid, &bytes(rows.view())).unwrap().into()
        );
    }

    #[test]
    fn every_shape_takes_about_the_same_room() {
        let shapes = [
            Shape::grey(8, 8),
            Shape::grey(25, 25),
            Shape::colour(32, 32),
            Shape::colour(64, 64),
            Shape::grey(14, 56),
            Shape::grey(1, 1),
            Shape::colour(500, 300),
            Shape::Vector { length: 512 },
        ];
        for shape in shapes {
            for pixel in [0.5, 1.5, 3.0] {
                let layout = Layout { pixel, ..MAP };
                let (grid, unit) = layout.grid(shape);
                let longer = grid.cell_height().max(grid.cell_width()) as f64 * unit;
                let wanted = 28.0 * pixel;
                let most = if shape.is_image() { 1.5 } else { 4.3 };
                assert!(
                    (0.7 * wanted..=most * wanted + 1.0).contains(&longer),
                    "{shape} at {pixel}: {longer} of {wanted}"
                );
                assert!((2.0 * unit).fract() == 0.0 && unit > 0.0, "{shape}: {unit}");
                let rows = Array2::from_elem((6, shape.len()), 0.5);
                let panel = panel("", shape, rows.view(), layout).unwrap();
                let size = (panel.image.as_ref().width(), panel.image.as_ref().height());
                assert_eq!(size, (grid.width(), grid.height()));
            }
        }
    }

    #[test]
    fn blocks_keep_their_tiles_together() {
        // Tile t is filled with the byte t.
        for shape in [Shape::grey(28, 28), Shape::colour(28, 28)] {
            let rows = Array2::from_shape_fn((81, shape.len()), |(tile, _)| tile as f32 / 255.0);
            let inner = Layout {
                pixel: 1.5,
                ..Layout::map(3, 3)
            };
            let outer = Layout {
                gutter: 6,
                background: 255,
                ..inner
            };
            let (image, _, pixel) = nested(shape, rows.view(), inner, outer).unwrap();
            assert_eq!(pixel, 1.5);
            let image = image.as_ref();
            let at = |x: usize, y: usize| image.get(x, y).0;
            let block = 3 * 28 + 6;
            assert_eq!((at(0, 0), at(28, 0), at(0, 28)), (0, 1, 3));
            assert_eq!((at(block, 0), at(0, block)), (9, 27));
            assert_eq!(at(3 * 28, 0), 255, "the gutter");
        }
    }
}
