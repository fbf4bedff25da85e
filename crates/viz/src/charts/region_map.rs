use crate::charts::class_scatter::class_legend;
use crate::{
    Aspect, Axis, Classes, Frame, Label, Labels, Layer, PlacedImage, Plot, Rgb, RgbImage, Segments,
    Swatch, VizError, theme,
};

/// The class of each lattice cell in its colour, paler where it is less certain, with lines where
/// the class changes: which object is drawn where. A class has its name where it has most room.
#[derive(Clone, Debug)]
pub struct RegionMap<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Lattice points in a row.
    pub columns: usize,
    /// Rows, the first one at the top.
    pub rows: usize,
    /// Positions of the first and the last column.
    pub x: [f64; 2],
    /// Positions of the lowest and the highest row.
    pub y: [f64; 2],
    /// Class of each cell, row-major from the top left.
    pub classes: Classes<'a>,
    /// Confidence of each cell in [0, 1]; empty for full confidence.
    pub confidences: &'a [f64],
    /// Names of the classes for the legend.
    pub class_names: &'a [String],
}

/// A class has its name on the map where its largest square has this share of the map's height.
const HIGH_ENOUGH: f64 = 0.06;

impl RegionMap<'_> {
    /// The chart.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when there is not one class, or confidence, for each of at least 2 × 2
    /// cells.
    pub fn plot(&self) -> Result<Plot, VizError> {
        let cells = self.columns * self.rows;
        if self.classes.len() != Some(cells) || self.columns < 2 || self.rows < 2 {
            return Err(VizError::shape(
                "classes of a region map",
                self.classes.len().unwrap_or(0),
                format!("{} × {}, each at least 2", self.columns, self.rows),
            ));
        }
        if !self.confidences.is_empty() && self.confidences.len() != cells {
            return Err(VizError::shape(
                "confidences of a region map",
                self.confidences.len(),
                cells,
            ));
        }
        let mut image = RgbImage::new(self.columns, self.rows, Rgb::WHITE);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let cell = row * self.columns + column;
                let confidence = self.confidences.get(cell).copied().unwrap_or(1.0);
                let strength = 0.12 + 0.78 * confidence.clamp(0.0, 1.0);
                let colour = self.classes.colour(cell);
                image.set(column, row, Rgb::WHITE.mix(colour, strength));
            }
        }
        let step = [
            (self.x[1] - self.x[0]) / (self.columns - 1) as f64,
            (self.y[1] - self.y[0]) / (self.rows - 1) as f64,
        ];
        let x = [self.x[0] - 0.5 * step[0], self.x[1] + 0.5 * step[0]];
        let y = [self.y[0] - 0.5 * step[1], self.y[1] + 0.5 * step[1]];
        let mut legend = class_legend(self.class_names, self.classes);
        for entry in &mut legend {
            entry.swatch = Swatch::Patch;
        }
        Ok(Plot {
            title: self.title.to_string(),
            x: Axis::linear("z₁", x[0], x[1]),
            y: Axis::linear("z₂", y[0], y[1]),
            size: [420.0, 420.0],
            aspect: Aspect::EqualSize,
            frame: Frame::Closed,
            grid: [false, false],
            layers: vec![
                Layer::Image(PlacedImage {
                    image: image.into(),
                    x,
                    y,
                    alpha: 1.0,
                }),
                Layer::Segments(Segments {
                    segments: self.borders(x[0], y[1], step),
                    colour: Rgb::hex(0x2b3038),
                    width: 1.1,
                    alpha: 0.8,
                }),
                Layer::Labels(Labels {
                    labels: self.names(x[0], y[1], step),
                    size: theme::LEGEND_SIZE,
                    ..Labels::default()
                }),
            ],
            legend,
            ..Plot::default()
        })
    }

    /// The name of each class in the middle of the largest square of its cells, where that is as
    /// high as a word.
    fn names(&self, left: f64, top: f64, step: [f64; 2]) -> Vec<Label> {
        let room = self.room();
        let names = self.class_names.iter().enumerate();
        names
            .filter_map(|(class, name)| {
                let of_class = |cell: &usize| self.classes.get(*cell) == Some(class);
                let cells: Vec<usize> = (0..room.len()).filter(of_class).collect();
                let most = cells.iter().map(|&cell| room[cell]).max()?;
                let high = (2 * most - 1) as f64 / self.rows as f64;
                // A long region has its largest square in many places.
                let roomy: Vec<usize> = cells.into_iter().filter(|&c| room[c] == most).collect();
                let cell = roomy[roomy.len() / 2];
                let (row, column) = (cell / self.columns, cell % self.columns);
                (high >= HIGH_ENOUGH).then(|| Label {
                    text: name.clone(),
                    at: [
                        left + step[0] * (column as f64 + 0.5),
                        top - step[1] * (row as f64 + 0.5),
                    ],
                    colour: theme::INK,
                })
            })
            .collect()
    }

    /// How many cells each one is away from another class or the outside, diagonal steps as long as
    /// others: two passes give the exact distance (Rosenfeld and Pfaltz 1966).
    fn room(&self) -> Vec<usize> {
        let (rows, columns) = (self.rows as isize, self.columns as isize);
        let mut room = vec![usize::MAX; self.rows * self.columns];
        let mut pass = |order: &mut dyn Iterator<Item = usize>, way: isize| {
            for cell in order {
                let (row, column) = (cell as isize / columns, cell as isize % columns);
                for [down, right] in [[-1, -1], [-1, 0], [-1, 1], [0, -1]] {
                    let (row, column) = (row + way * down, column + way * right);
                    let inside = (0..rows).contains(&row) && (0..columns).contains(&column);
                    let next = (row * columns + column) as usize;
                    let alike = inside && self.classes.get(next) == self.classes.get(cell);
                    let distance = if alike {
                        room[next].saturating_add(1)
                    } else {
                        1
                    };
                    room[cell] = room[cell].min(distance);
                }
            }
        };
        let cells = 0..self.rows * self.columns;
        pass(&mut cells.clone(), 1);
        pass(&mut cells.rev(), -1);
        room
    }

    /// The edges between cells of different classes.
    fn borders(&self, left: f64, top: f64, step: [f64; 2]) -> Vec<[[f64; 2]; 2]> {
        let class = |column: usize, row: usize| self.classes.get(row * self.columns + column);
        let corner = |column: usize, row: usize| {
            [left + step[0] * column as f64, top - step[1] * row as f64]
        };
        let mut segments = Vec::new();
        for row in 0..self.rows {
            for column in 0..self.columns {
                if column + 1 < self.columns && class(column, row) != class(column + 1, row) {
                    segments.push([corner(column + 1, row), corner(column + 1, row + 1)]);
                }
                if row + 1 < self.rows && class(column, row) != class(column, row + 1) {
                    segments.push([corner(column, row + 1), corner(column + 1, row + 1)]);
                }
            }
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_their_class_has_most_room() {
        // A class of 2 × 6 cells, and one of 7 × 6 with an island of a third.
        let mut classes = vec![0; 12];
        classes.extend([1; 42]);
        classes[50] = 2;
        let names = ["upper", "lower", "island", "absent"].map(String::from);
        let map = RegionMap {
            title: "",
            columns: 6,
            rows: 9,
            x: [0.0, 5.0],
            y: [0.0, 8.0],
            classes: (&classes).into(),
            confidences: &[],
            class_names: &names,
        };
        let room = map.room();
        let brute = |cell: usize| {
            let others = (-1..=9).flat_map(|row: isize| (-1..=6).map(move |column| (row, column)));
            let different = others.filter(|&(row, column)| {
                let inside = (0..9).contains(&row) && (0..6).contains(&column);
                !inside || classes[(row * 6 + column) as usize] != classes[cell]
            });
            let away = |(row, column): (isize, isize)| {
                let rows = (row - cell as isize / 6).unsigned_abs();
                rows.max((column - cell as isize % 6).unsigned_abs())
            };
            different.map(away).min().unwrap()
        };
        assert_eq!(room, (0..54).map(brute).collect::<Vec<_>>());
        let plot = map.plot().unwrap();
        let Some(Layer::Labels(labels)) = plot.layers.last() else {
            panic!("the last layer holds the names");
        };
        let at: Vec<_> = labels
            .labels
            .iter()
            .map(|label| (&*label.text, label.at))
            .collect();
        // The island is in the last row; of the four middles of 5 × 5 cells above it the third.
        assert_eq!(
            at,
            [
                ("upper", [0.0, 7.0]),
                ("lower", [2.0, 3.0]),
                ("island", [2.0, 0.0])
            ]
        );
    }

    #[test]
    fn borders_run_between_different_classes() {
        let map = RegionMap {
            title: "",
            columns: 2,
            rows: 2,
            x: [0.0, 1.0],
            y: [0.0, 1.0],
            classes: (&[1, 1, 1, 2]).into(),
            confidences: &[],
            class_names: &[],
        };
        let plot = map.plot().unwrap();
        let Layer::Segments(borders) = &plot.layers[1] else {
            panic!("the second layer holds the borders");
        };
        let expected = [[[0.5, 0.5], [1.5, 0.5]], [[0.5, 0.5], [0.5, -0.5]]];
        assert_eq!(borders.segments, expected);
        assert!(
            RegionMap {
                confidences: &[1.0],
                ..map.clone()
            }
            .plot()
            .is_err()
        );
        assert!(
            RegionMap {
                classes: (&[1]).into(),
                ..map
            }
            .plot()
            .is_err()
        );
    }
}
