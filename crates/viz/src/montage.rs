use crate::{GrayImage, Image, ImageRef, Rgb, RgbImage, VizError};

/// The codes of a square map of the plane, in tile order: row-major from the top left.
///
/// Both axes run over `steps` equally spaced values from `low` to `high` inclusive; the second
/// axis points up. So the first code is (`low`, `high`) and the last one (`high`, `low`).
///
/// ```
/// let codes = viz::lattice(21, -4.0, 4.0);
/// assert_eq!(codes.len(), 441);
/// assert_eq!(codes[0], [-4.0, 4.0]);
/// assert_eq!(codes[220], [0.0, 0.0]);
/// assert_eq!(codes[440], [4.0, -4.0]);
/// ```
pub fn lattice(steps: usize, low: f64, high: f64) -> Vec<[f64; 2]> {
    let axis = linspace(steps, low, high);
    lattice_of(&axis, &axis)
}

/// The codes of a map over any ascending values of both axes (for instance the prior's quantiles),
/// in tile order: row-major from the top left, the second axis upwards.
pub fn lattice_of(first: &[f64], second: &[f64]) -> Vec<[f64; 2]> {
    second
        .iter()
        .rev()
        .flat_map(|&y| first.iter().map(move |&x| [x, y]))
        .collect()
}

/// `steps` equally spaced values from `low` to `high` inclusive, exactly symmetric when the ends
/// are.
pub fn linspace(steps: usize, low: f64, high: f64) -> Vec<f64> {
    match steps {
        0 => Vec::new(),
        1 => vec![0.5 * (low + high)],
        _ => {
            // Weighting both ends keeps low and high exact and makes the
            // values of a symmetric range cancel exactly.
            let last = (steps - 1) as f64;
            (0..steps)
                .map(|i| (low * (last - i as f64) + high * i as f64) / last)
                .collect()
        }
    }
}

/// The layout of equally sized tiles in rows and columns.
///
/// ```
/// let grid = viz::Grid::new(21, 21, 28, 28);
/// assert_eq!((grid.width(), grid.height()), (588, 588));
/// assert_eq!(grid.tile_origin(22), (28, 28));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Rows of tiles.
    pub rows: usize,
    /// Tiles in a row.
    pub columns: usize,
    /// Height of a tile in pixels before scaling.
    pub tile_height: usize,
    /// Width of a tile in pixels before scaling.
    pub tile_width: usize,
    /// Side of the square that each tile pixel becomes, at least 1.
    pub scale: usize,
    /// Pixels between neighbouring tiles.
    pub gutter: usize,
    /// Pixels around all tiles.
    pub margin: usize,
    /// Value of gutters, margins and cells without a tile.
    pub background: u8,
}

impl Grid {
    /// Tiles side by side: no gutter, no margin, no scaling, black background.
    pub fn new(rows: usize, columns: usize, tile_height: usize, tile_width: usize) -> Grid {
        Grid {
            rows,
            columns,
            tile_height,
            tile_width,
            scale: 1,
            gutter: 0,
            margin: 0,
            background: 0,
        }
    }

    /// Width of the montage in pixels.
    pub fn width(&self) -> usize {
        span(self.columns, self.cell_width(), self.gutter) + 2 * self.margin
    }

    /// Height of the montage in pixels.
    pub fn height(&self) -> usize {
        span(self.rows, self.cell_height(), self.gutter) + 2 * self.margin
    }

    /// Width of a tile in the montage.
    pub fn cell_width(&self) -> usize {
        self.tile_width * self.scale
    }

    /// Height of a tile in the montage.
    pub fn cell_height(&self) -> usize {
        self.tile_height * self.scale
    }

    /// Column and row of the top left pixel of tile `index`, row-major.
    pub fn tile_origin(&self, index: usize) -> (usize, usize) {
        let (row, column) = (index / self.columns, index % self.columns);
        (
            self.margin + column * (self.cell_width() + self.gutter),
            self.margin + row * (self.cell_height() + self.gutter),
        )
    }

    fn check(&self, pixels: usize) -> Result<usize, VizError> {
        let tile = self.tile_height * self.tile_width;
        if tile == 0 || self.scale == 0 || self.rows == 0 || self.columns == 0 {
            return Err(VizError::shape(
                "grid of tiles",
                format!(
                    "{} × {} tiles of {} × {} pixels at scale {}",
                    self.rows, self.columns, self.tile_height, self.tile_width, self.scale
                ),
                "at least one of each",
            ));
        }
        if !pixels.is_multiple_of(tile) || pixels / tile > self.rows * self.columns {
            return Err(VizError::shape(
                "bytes of the tiles",
                pixels,
                format!(
                    "a multiple of {tile}, at most {} of them",
                    self.rows * self.columns
                ),
            ));
        }
        Ok(pixels / tile)
    }
}

/// The tiles laid out on `grid`: tile i of `tiles` (each `tile_height × tile_width` bytes, rows
/// from the top) at cell i, row-major; missing tiles leave background.
///
/// # Errors
///
/// [`VizError::Shape`] when the bytes are not whole tiles or more than the grid has cells.
pub fn montage(grid: &Grid, tiles: &[u8]) -> Result<GrayImage, VizError> {
    let count = grid.check(tiles.len())?;
    let mut image = GrayImage::new(grid.width(), grid.height(), grid.background);
    for index in 0..count {
        let tile = &tiles[index * grid.tile_height * grid.tile_width..];
        let (left, top) = grid.tile_origin(index);
        for y in 0..grid.cell_height() {
            let row = &tile[y / grid.scale * grid.tile_width..][..grid.tile_width];
            for x in 0..grid.cell_width() {
                image.set(left + x, top + y, row[x / grid.scale]);
            }
        }
    }
    Ok(image)
}

/// As [`montage`], with a frame of `border` pixels drawn around tile i in colour `borders[i]`
/// (over the gutter where that is wide enough, else over the tile's edge).
///
/// # Errors
///
/// As [`montage`], or when there are more borders than cells.
pub fn montage_with_borders(
    grid: &Grid,
    tiles: &[u8],
    border: usize,
    borders: &[Option<Rgb>],
) -> Result<RgbImage, VizError> {
    let mut image = montage(grid, tiles)?.to_rgb();
    draw_borders(grid, &mut image, border, borders)?;
    Ok(image)
}

/// Frames around the tiles of a montage on `grid`; see [`montage_with_borders`].
pub(crate) fn draw_borders(
    grid: &Grid,
    image: &mut RgbImage,
    border: usize,
    borders: &[Option<Rgb>],
) -> Result<(), VizError> {
    if borders.len() > grid.rows * grid.columns {
        return Err(VizError::shape(
            "borders of the tiles",
            borders.len(),
            format!("at most {}", grid.rows * grid.columns),
        ));
    }
    let outside = border.min(grid.gutter / 2).min(grid.margin);
    for (index, colour) in borders.iter().enumerate() {
        let Some(colour) = *colour else { continue };
        let (left, top) = grid.tile_origin(index);
        let (left, top) = (left - outside, top - outside);
        let width = grid.cell_width() + 2 * outside;
        let height = grid.cell_height() + 2 * outside;
        for y in 0..height {
            for x in 0..width {
                let edge = x.min(y).min(width - 1 - x).min(height - 1 - y);
                if edge < border {
                    image.set(left + x, top + y, colour);
                }
            }
        }
    }
    Ok(())
}

/// Images next to each other from left to right, aligned at their tops.
pub fn beside(images: &[ImageRef<'_>], gap: usize, background: Rgb) -> Image {
    let width =
        images.iter().map(|i| i.width()).sum::<usize>() + gap * images.len().saturating_sub(1);
    let height = images.iter().map(|i| i.height()).max().unwrap_or(0);
    let mut left = 0;
    let origins = images.iter().map(|image| {
        let origin = (left, 0);
        left += image.width() + gap;
        origin
    });
    assemble(images, origins, width, height, background)
}

/// Images below each other from top to bottom, aligned at their left edges.
pub fn stacked(images: &[ImageRef<'_>], gap: usize, background: Rgb) -> Image {
    let width = images.iter().map(|i| i.width()).max().unwrap_or(0);
    let height =
        images.iter().map(|i| i.height()).sum::<usize>() + gap * images.len().saturating_sub(1);
    let mut top = 0;
    let origins = images.iter().map(|image| {
        let origin = (0, top);
        top += image.height() + gap;
        origin
    });
    assemble(images, origins, width, height, background)
}

fn assemble(
    images: &[ImageRef<'_>],
    origins: impl Iterator<Item = (usize, usize)>,
    width: usize,
    height: usize,
    background: Rgb,
) -> Image {
    let gray = background.0 == background.1
        && background.1 == background.2
        && images.iter().all(|i| matches!(i, ImageRef::Gray(_)));
    let mut out = RgbImage::new(width, height, background);
    for (image, (left, top)) in images.iter().zip(origins) {
        for y in 0..image.height() {
            for x in 0..image.width() {
                out.set(left + x, top + y, image.get(x, y));
            }
        }
    }
    if !gray {
        return out.into();
    }
    let mut grey = GrayImage::new(width, height, 0);
    for y in 0..height {
        for x in 0..width {
            grey.set(x, y, out.get(x, y).0);
        }
    }
    grey.into()
}

fn span(count: usize, size: usize, gap: usize) -> usize {
    count * size + count.saturating_sub(1) * gap
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]
        #[test]
        fn every_tile_lands_where_its_index_says(
            rows in 1usize..5, columns in 1usize..5, tile_height in 1usize..5,
            tile_width in 1usize..5, scale in 1usize..4, gutter in 0usize..4,
            margin in 0usize..4, missing in 0usize..3, offset in 0u8..50,
        ) {
            let grid = Grid { scale, gutter, margin, background: 255,
                ..Grid::new(rows, columns, tile_height, tile_width) };
            let count = (rows * columns).saturating_sub(missing);
            let tile = tile_height * tile_width;
            let tiles: Vec<u8> = (0..count * tile).map(|i| offset + (i % 200) as u8).collect();
            let image = montage(&grid, &tiles).unwrap();
            prop_assert_eq!((image.width(), image.height()), (grid.width(), grid.height()));
            // Read by arithmetic of its own: walk the pixels, not the tiles.
            let mut covered = 0;
            for y in 0..image.height() {
                for x in 0..image.width() {
                    let cell = |p: usize, size: usize| {
                        let p = p.checked_sub(margin)?;
                        (p % (size * scale + gutter) < size * scale)
                            .then(|| (p / (size * scale + gutter), p % (size * scale + gutter) / scale))
                    };
                    let expected = match (cell(x, tile_width), cell(y, tile_height)) {
                        (Some((column, u)), Some((row, v)))
                            if column < columns && row < rows && row * columns + column < count =>
                        {
                            covered += 1;
                            tiles[(row * columns + column) * tile + v * tile_width + u]
                        }
                        _ => 255,
                    };
                    prop_assert_eq!(image.get(x, y), expected);
                }
            }
            prop_assert_eq!(covered, count * tile * scale * scale);
        }

        #[test]
        fn lattices_are_symmetric(steps in 1usize..40, half in 0.1f64..9.0) {
            let codes = lattice(steps, -half, half);
            prop_assert_eq!(codes.len(), steps * steps);
            for (a, b) in codes.iter().zip(codes.iter().rev()) {
                prop_assert_eq!(a[0], -b[0]);
                prop_assert_eq!(a[1], -b[1]);
            }
        }
    }

    #[test]
    fn the_map_of_the_plane_starts_top_left() {
        let codes = lattice(21, -4.0, 4.0);
        assert_eq!(codes[0], [-4.0, 4.0]);
        assert_eq!(codes[1], [-3.6, 4.0]);
        assert_eq!(codes[20], [4.0, 4.0]);
        assert_eq!(codes[21], [-4.0, 3.6]);
        assert_eq!(codes[420], [-4.0, -4.0]);
        assert_eq!(codes[440], [4.0, -4.0]);
        let quantiles = lattice_of(&[-1.0, 0.0, 2.0], &[5.0, 7.0]);
        assert_eq!(quantiles[0], [-1.0, 7.0]);
        assert_eq!(quantiles[5], [2.0, 5.0]);
    }

    #[test]
    fn the_bare_map_is_588_pixels_square_in_tile_order() {
        let grid = Grid::new(21, 21, 28, 28);
        let tiles: Vec<u8> = (0..441 * 784).map(|i| (i / 784 % 251) as u8).collect();
        let image = montage(&grid, &tiles).unwrap();
        assert_eq!((image.width(), image.height()), (588, 588));
        for index in 0..441 {
            let (x, y) = (index % 21 * 28, index / 21 * 28);
            assert_eq!(image.get(x, y), (index % 251) as u8);
            assert_eq!(image.get(x + 27, y + 27), (index % 251) as u8);
        }
    }

    #[test]
    fn borders_use_the_gutter_when_there_is_one() {
        let grid = Grid {
            gutter: 2,
            margin: 1,
            ..Grid::new(1, 2, 2, 2)
        };
        let red = Rgb(255, 0, 0);
        let image = montage_with_borders(&grid, &[9; 8], 1, &[None, Some(red)]).unwrap();
        let (left, _) = grid.tile_origin(1);
        assert_eq!(image.get(left - 1, 0), red);
        assert_eq!(image.get(left, 1), Rgb(9, 9, 9));
        assert_eq!(image.get(1, 1), Rgb(9, 9, 9));
        assert_eq!(image.get(0, 0), Rgb::BLACK);
    }

    #[test]
    fn partial_tiles_and_too_many_are_refused() {
        let grid = Grid::new(2, 2, 3, 3);
        assert!(montage(&grid, &[0; 10]).is_err());
        assert!(montage(&grid, &[0; 45]).is_err());
        assert!(montage(&Grid::new(0, 2, 3, 3), &[]).is_err());
        assert!(montage_with_borders(&grid, &[0; 9], 1, &[None; 5]).is_err());
    }

    #[test]
    fn compositions_keep_grey_and_align() {
        let (a, b) = (GrayImage::new(2, 3, 10), GrayImage::new(4, 1, 20));
        let Image::Gray(row) = beside(&[(&a).into(), (&b).into()], 1, Rgb::WHITE) else {
            panic!("grey beside grey is grey");
        };
        assert_eq!((row.width(), row.height()), (7, 3));
        assert_eq!(
            (row.get(2, 0), row.get(3, 0), row.get(3, 1)),
            (255, 20, 255)
        );
        let colour = RgbImage::new(1, 1, Rgb(1, 2, 3));
        let column = stacked(&[(&a).into(), (&colour).into()], 2, Rgb::BLACK);
        assert_eq!((column.as_ref().width(), column.as_ref().height()), (2, 6));
        assert_eq!(column.as_ref().get(0, 5), Rgb(1, 2, 3));
    }
}
