use crate::charts::class_scatter::class_legend;
use crate::{
    Aspect, Axis, Classes, Frame, Layer, PlacedImage, Plot, Rgb, RgbImage, Segments, Swatch,
    VizError,
};

/// The class of each lattice cell in its colour, paler where it is less certain, with lines where
/// the class changes: which object is drawn where.
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
            ],
            legend,
            ..Plot::default()
        })
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
