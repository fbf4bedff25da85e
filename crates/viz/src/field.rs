use crate::VizError;

/// Values on a lattice of the plane, row-major from the top left as the tiles of a map are.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Lattice points in a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    /// Positions of the first and the last column.
    pub x: [f64; 2],
    /// Positions of the last (lowest) and the first (highest) row.
    pub y: [f64; 2],
    /// The values; NaN where there is none.
    pub values: Vec<f64>,
}

impl Field {
    /// A field of given values.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when there are not `columns × rows` values or fewer than two columns or
    /// rows.
    pub fn new(
        columns: usize,
        rows: usize,
        x: [f64; 2],
        y: [f64; 2],
        values: Vec<f64>,
    ) -> Result<Field, VizError> {
        if values.len() != columns * rows || columns < 2 || rows < 2 {
            return Err(VizError::shape(
                "values of a field",
                format!("{} for {columns} × {rows}", values.len()),
                "one for each point of at least 2 × 2",
            ));
        }
        Ok(Field {
            columns,
            rows,
            x,
            y,
            values,
        })
    }

    /// A function's values on a lattice of at least 2 × 2 points.
    pub fn sample(
        columns: usize,
        rows: usize,
        x: [f64; 2],
        y: [f64; 2],
        value: impl Fn([f64; 2]) -> f64,
    ) -> Field {
        let (columns, rows) = (columns.max(2), rows.max(2));
        let mut field = Field {
            columns,
            rows,
            x,
            y,
            values: Vec::with_capacity(columns * rows),
        };
        for row in 0..rows {
            for column in 0..columns {
                field.values.push(value(field.position(column, row)));
            }
        }
        field
    }

    /// The position of a lattice point.
    pub fn position(&self, column: usize, row: usize) -> [f64; 2] {
        let u = column as f64 / (self.columns - 1) as f64;
        let v = row as f64 / (self.rows - 1) as f64;
        [
            self.x[0] + u * (self.x[1] - self.x[0]),
            self.y[1] - v * (self.y[1] - self.y[0]),
        ]
    }

    /// The value at a lattice point.
    pub fn value(&self, column: usize, row: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// Smallest and largest finite value; [0, 1] when there is none.
    pub fn limits(&self) -> [f64; 2] {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        let limits = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
            [low.min(v), high.max(v)]
        });
        if limits[0] <= limits[1] {
            limits
        } else {
            [0.0, 1.0]
        }
    }

    /// The edges of the cells that surround the lattice points: half a step beyond `x` and `y`.
    pub fn cell_edges(&self) -> ([f64; 2], [f64; 2]) {
        let half_x = 0.5 * (self.x[1] - self.x[0]) / (self.columns - 1) as f64;
        let half_y = 0.5 * (self.y[1] - self.y[0]) / (self.rows - 1) as f64;
        (
            [self.x[0] - half_x, self.x[1] + half_x],
            [self.y[0] - half_y, self.y[1] + half_y],
        )
    }

    /// Bilinear interpolation; positions outside take the nearest value inside.
    pub fn at(&self, [x, y]: [f64; 2]) -> f64 {
        let last = |count: usize| (count - 1) as f64;
        let u = ((x - self.x[0]) / (self.x[1] - self.x[0]) * last(self.columns))
            .clamp(0.0, last(self.columns));
        let v = ((self.y[1] - y) / (self.y[1] - self.y[0]) * last(self.rows))
            .clamp(0.0, last(self.rows));
        let (column, row) = (
            (u as usize).min(self.columns - 2),
            (v as usize).min(self.rows - 2),
        );
        let (u, v) = (u - column as f64, v - row as f64);
        let upper = self.value(column, row) * (1.0 - u) + self.value(column + 1, row) * u;
        let lower = self.value(column, row + 1) * (1.0 - u) + self.value(column + 1, row + 1) * u;
        upper * (1.0 - v) + lower * v
    }
}

/// The straight pieces of one level's contour (marching squares, Lorensen and Cline 1987 in two
/// dimensions); the mean of the four corners decides a saddle. Cells with a NaN corner have none.
pub(crate) fn contour_segments(field: &Field, level: f64) -> Vec<[[f64; 2]; 2]> {
    let mut segments = Vec::new();
    for row in 0..field.rows - 1 {
        for column in 0..field.columns - 1 {
            // Corners clockwise from the top left.
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(dx, dy)| {
                let (c, r) = (column + dx, row + dy);
                (field.position(c, r), field.value(c, r) - level)
            });
            if corners.iter().any(|(_, v)| !v.is_finite()) {
                continue;
            }
            let crossings: Vec<[f64; 2]> = (0..4)
                .filter_map(|edge| {
                    let (a, va) = corners[edge];
                    let (b, vb) = corners[(edge + 1) % 4];
                    ((va > 0.0) != (vb > 0.0)).then(|| {
                        let t = va / (va - vb);
                        [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]
                    })
                })
                .collect();
            match crossings[..] {
                [a, b] => segments.push([a, b]),
                [top, right, bottom, left] => {
                    let mean: f64 = corners.iter().map(|(_, v)| v).sum();
                    // The middle joins the corners of its own sign.
                    if (mean > 0.0) == (corners[0].1 > 0.0) {
                        segments.push([top, right]);
                        segments.push([bottom, left]);
                    } else {
                        segments.push([left, top]);
                        segments.push([right, bottom]);
                    }
                }
                _ => {}
            }
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_run_from_the_top() {
        let field = Field::sample(3, 3, [-1.0, 1.0], [-2.0, 2.0], |[x, y]| 10.0 * y + x);
        assert_eq!(field.values[0], 19.0);
        assert_eq!(field.values[8], -19.0);
        assert_eq!(field.at([0.5, -1.0]), -9.5);
        assert_eq!(field.cell_edges(), ([-1.5, 1.5], [-3.0, 3.0]));
        assert!(Field::new(2, 2, [0.0, 1.0], [0.0, 1.0], vec![0.0; 3]).is_err());
    }

    #[test]
    fn the_contour_of_a_cone_is_a_circle_of_its_length() {
        let field = Field::sample(81, 81, [-2.0, 2.0], [-2.0, 2.0], |[x, y]| x.hypot(y));
        let segments = contour_segments(&field, 1.0);
        let mut length = 0.0;
        for [a, b] in &segments {
            assert!((a[0].hypot(a[1]) - 1.0).abs() < 2e-3);
            length += (a[0] - b[0]).hypot(a[1] - b[1]);
        }
        assert!((length - std::f64::consts::TAU).abs() < 0.01, "{length}");
    }

    #[test]
    fn a_saddle_keeps_its_branches_apart_and_nan_is_skipped() {
        let corner = |values| Field::new(2, 2, [0.0, 1.0], [0.0, 1.0], values).unwrap();
        // High at top left and bottom right; the middle is low, so these corners are cut off.
        let segments = contour_segments(&corner(vec![1.0, -2.0, -2.0, 1.0]), 0.0);
        assert_eq!(segments.len(), 2);
        for [a, b] in segments {
            let near_top_left = a[0] + (1.0 - a[1]) < 1.0 && b[0] + (1.0 - b[1]) < 1.0;
            let near_bottom_right = a[0] + (1.0 - a[1]) > 1.0 && b[0] + (1.0 - b[1]) > 1.0;
            assert!(near_top_left || near_bottom_right);
        }
        assert!(contour_segments(&corner(vec![1.0, f64::NAN, -1.0, -1.0]), 0.0).is_empty());
    }
}
