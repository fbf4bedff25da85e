//! How many tiles of a shape fit a picture, and at which size.

use crate::{Grid, TileShape};

/// Images are scaled up until their longer side has so many pixels, if there is room.
const GOOD_SIDE: usize = 112;
/// Fewer tiles are shown rather than ones whose longer side is smaller than this.
const LEAST_SIDE: usize = 24;
/// As of [`LEAST_SIDE`], the height of a line's tile.
const LEAST_LINE: usize = 40;
const GUTTER: usize = 2;

impl Grid {
    /// A grid for `count` tiles of a shape in a montage of at most `limit` (width, height) pixels.
    ///
    /// Small images are enlarged by a whole factor until they can be seen, large ones reduced. Where
    /// even 24 pixels for the longer side (of a line: 40 for its height) are too many, the grid has
    /// fewer than `count` cells, and its first tiles are to be shown. White gutters of two pixels.
    ///
    /// ```
    /// use viz::{Grid, TileShape};
    /// let digits = Grid::of_tiles(TileShape::Grey { height: 8, width: 8 }, 64, [1200, 1200]);
    /// assert_eq!((digits.rows, digits.columns, digits.scale), (8, 8, 14));
    /// let photos = TileShape::Colour { height: 512, width: 512 };
    /// let grid = Grid::of_tiles(photos, 64, [1200, 1200]);
    /// assert_eq!((grid.rows, grid.columns, grid.tile_height), (8, 8, 148));
    /// let grid = Grid::of_tiles(photos, 1_000_000, [1200, 1200]);
    /// assert_eq!((grid.rows, grid.columns, grid.tile_height), (46, 46, 24));
    /// ```
    pub fn of_tiles(shape: TileShape, count: usize, limit: [usize; 2]) -> Grid {
        let most = most_cells(shape, limit);
        let count = count.clamp(1, most[0] * most[1]);
        let mut best: Option<Grid> = None;
        for columns in 1..=count.min(most[0]) {
            let grid = sized(shape, count.div_ceil(columns), columns, limit);
            // The largest tiles, then the picture that is nearest to a square.
            let rank = |grid: &Grid| {
                let area = grid.cell_height() * grid.cell_width();
                (
                    area,
                    std::cmp::Reverse(grid.width().abs_diff(grid.height())),
                )
            };
            if grid.rows <= most[1] && best.as_ref().is_none_or(|best| rank(&grid) > rank(best)) {
                best = Some(grid);
            }
        }
        best.unwrap_or_else(|| sized(shape, most[1], most[0], limit))
    }

    /// As [`Grid::of_tiles`] with given rows and columns, such as one row of inputs above one of
    /// reconstructions: the last columns, then the last rows are left out where there is no room.
    pub fn of_rows(shape: TileShape, rows: usize, columns: usize, limit: [usize; 2]) -> Grid {
        let most = most_cells(shape, limit);
        sized(
            shape,
            rows.clamp(1, most[1]),
            columns.clamp(1, most[0]),
            limit,
        )
    }
}

/// Columns and rows of the smallest tiles that can be read.
fn most_cells(shape: TileShape, limit: [usize; 2]) -> [usize; 2] {
    let [height, width] = shape.size().map(|side| side.max(1));
    let longer = height.max(width);
    let least = match shape {
        TileShape::Line { .. } => [LEAST_LINE * width / height, LEAST_LINE],
        _ if longer < LEAST_SIDE => {
            let scale = LEAST_SIDE.div_ceil(longer);
            [width * scale, height * scale]
        }
        _ => [width, height].map(|side| (side * LEAST_SIDE).div_ceil(longer)),
    };
    [0, 1].map(|axis| ((limit[axis] + GUTTER) / (least[axis] + GUTTER)).max(1))
}

/// Rows and columns of tiles as large as is good and as `limit` allows.
fn sized(shape: TileShape, rows: usize, columns: usize, limit: [usize; 2]) -> Grid {
    let [height, width] = shape.size().map(|side| side.max(1));
    // What the limit leaves for a tile's width and height.
    let room = [(limit[0], columns), (limit[1], rows)]
        .map(|(limit, count)| (limit.saturating_sub(GUTTER * (count - 1)) / count).max(1));
    let good = match shape {
        TileShape::Line { .. } => 1,
        _ => GOOD_SIDE.div_ceil(height.max(width)),
    };
    let scale = good.min(room[0] / width).min(room[1] / height);
    let (tile_height, tile_width) = if scale > 0 {
        (height, width)
    } else if room[0] * height < room[1] * width {
        ((height * room[0] / width).max(1), room[0])
    } else {
        (room[1], (width * room[1] / height).max(1))
    };
    Grid {
        scale: scale.max(1),
        gutter: GUTTER,
        background: 255,
        // A side shorter than the other's reduction must not grow.
        ..Grid::new(
            rows,
            columns,
            tile_height.min(height),
            tile_width.min(width),
        )
    }
}
