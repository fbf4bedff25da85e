//! Maps of a latent plane: decoded images on a lattice of codes, and the
//! codes that are drawn with them.

use datasets::Shape;
use evaluation::codes::code_extent;
use evaluation::distributions::normal_quantile;
use evaluation::map::LatticeShape;
use ndarray::{Array2, ArrayView2};
use serde_json::{Value, json};
use viz::charts::LabelledMap;
use viz::{Image, Plot, lattice_of, linspace};

use crate::TrainedRun;
use crate::figure_data::{self, rounded_to};
use crate::plane::Plane;
use crate::tiles::{Layout, picture};
use runs::Error;

/// Pixels that the longer side of a tile of a bare map has, about.
const BARE_SIDE: usize = 28;

/// The decoded images of a lattice of 2-D codes.
#[derive(Clone, Debug)]
pub struct PlaneMap {
    /// Ascending codes of the columns.
    pub first: Vec<f64>,
    /// Ascending codes of the rows; the last one is at the top.
    pub second: Vec<f64>,
    /// Pixel probabilities `[tiles, values of a row]`, row-major from the top
    /// left.
    pub images: Array2<f32>,
    /// What a tile is.
    pub tile: Shape,
    /// Names of both axes.
    pub labels: [String; 2],
}

impl PlaneMap {
    /// The map over any ascending codes.
    pub fn of(run: &TrainedRun, first: Vec<f64>, second: Vec<f64>) -> Self {
        Self::on(&Plane::whole(), run, first, second)
    }

    /// The map over ascending coordinates of a plane.
    pub fn on(plane: &Plane, run: &TrainedRun, first: Vec<f64>, second: Vec<f64>) -> Self {
        let codes = plane.embed(&lattice_of(&first, &second));
        Self {
            images: run.decoded(codes.view()),
            first,
            second,
            tile: run.shape,
            labels: plane.labels.clone(),
        }
    }

    /// The map of `steps` × `steps` equally spaced codes over a square about
    /// the origin.
    pub fn square(run: &TrainedRun, steps: usize, half_width: f64) -> Self {
        let codes = linspace(steps, -half_width, half_width);
        Self::of(run, codes.clone(), codes)
    }

    /// The map at the prior's quantiles: codes of equal prior probability.
    pub fn at_prior_quantiles(run: &TrainedRun, steps: usize) -> Self {
        let codes = prior_quantiles(steps);
        Self::of(run, codes.clone(), codes)
    }

    /// The map of `steps` × `steps` codes over a rectangle, end to end.
    pub fn stretched(run: &TrainedRun, steps: usize, ranges: [[f64; 2]; 2]) -> Self {
        let [first, second] = ranges.map(|[low, high]| linspace(steps, low, high));
        Self::of(run, first, second)
    }

    /// A map over a rectangle with the same step on both axes, at most `most`
    /// tiles on the longer side: the tiles cover the rectangle, centred on it.
    pub fn covering(run: &TrainedRun, most: usize, ranges: [[f64; 2]; 2]) -> Self {
        let [first, second] = covering_codes(most, ranges);
        Self::of(run, first, second)
    }

    /// Rows and columns.
    pub fn shape(&self) -> LatticeShape {
        LatticeShape {
            rows: self.second.len(),
            columns: self.first.len(),
        }
    }

    /// The bare map: tile beside tile, without axes.
    pub fn image(&self) -> Result<Image, Error> {
        let grid = self.layout().bare_grid(self.tile, BARE_SIDE);
        picture(self.tile, self.images.view(), &grid)
    }

    /// The map on axes; `pixel` is the size of a pixel of a tile of 28 × 28 in
    /// the figure, and others take as much room.
    pub fn plot(&self, title: &str, pixel: f64) -> Result<Plot, Error> {
        let layout = Layout {
            pixel,
            ..self.layout()
        };
        let (grid, pixel) = layout.grid(self.tile);
        let image = picture(self.tile, self.images.view(), &grid)?;
        Ok(LabelledMap {
            title,
            image: image.as_ref(),
            first: &self.first,
            second: &self.second,
            labels: [&self.labels[0], &self.labels[1]],
            pixel,
        }
        .plot())
    }

    fn layout(&self) -> Layout {
        Layout::map(self.second.len(), self.first.len())
    }

    /// The codes of the map, for the data beside a figure.
    pub fn data(&self) -> Value {
        json!({
            "columns_z1": rounded(&self.first, 4),
            "rows_z2_from_below": rounded(&self.second, 4),
            "order": "row-major from the top left; the second axis points up",
        })
    }
}

/// Codes that cut the standard normal into `steps` parts of equal probability,
/// each in the middle of its part.
pub fn prior_quantiles(steps: usize) -> Vec<f64> {
    (0..steps)
        .map(|step| normal_quantile((step as f64 + 0.5) / steps as f64))
        .collect()
}

fn covering_codes(most: usize, ranges: [[f64; 2]; 2]) -> [Vec<f64>; 2] {
    let lengths = ranges.map(|[low, high]| high - low);
    let step = lengths[0].max(lengths[1]) / most as f64;
    [0, 1].map(|axis| {
        let [low, high] = ranges[axis];
        // A whole number of steps is not lost to rounding.
        let count = ((lengths[axis] / step - 1e-9).ceil() as usize).clamp(2, most.max(2));
        let half = 0.5 * step * (count - 1) as f64;
        let middle = 0.5 * (low + high);
        linspace(count, middle - half, middle + half)
    })
}

/// 2-D codes as points.
pub fn points(codes: ArrayView2<'_, f32>) -> Vec<[f64; 2]> {
    codes
        .outer_iter()
        .map(|code| [f64::from(code[0]), f64::from(code[1])])
        .collect()
}

/// The rectangle that holds 99 % of 2-D codes on each axis: half a per cent of
/// them lie beyond each of its sides, so that single outliers do not set it.
pub fn code_box(codes: ArrayView2<'_, f32>) -> Result<[[f64; 2]; 2], Error> {
    let extent = code_extent(codes)?;
    Ok([0, 1].map(|axis| [extent.lower_quantile[axis], extent.upper_quantile[axis]]))
}

/// The same rectangle of points of a plane; around points of no spread on an
/// axis, one of side 2.
pub fn code_box_of(points: &[[f64; 2]]) -> Result<[[f64; 2]; 2], Error> {
    let codes = Array2::from_shape_fn((points.len(), 2), |(row, axis)| points[row][axis] as f32);
    let ranges = code_box(codes.view())?;
    Ok(ranges.map(|[low, high]| {
        if high > low {
            [low, high]
        } else {
            [low - 1.0, high + 1.0]
        }
    }))
}

/// Ranges of both axes that show all points and the square of a map about the
/// origin, with a margin.
pub fn ranges_with_window(points: &[[f64; 2]], half_width: f64) -> [[f64; 2]; 2] {
    [0, 1].map(|axis| {
        let [low, high] = points
            .iter()
            .fold([-half_width, half_width], |[low, high], point| {
                [low.min(point[axis]), high.max(point[axis])]
            });
        let margin = 0.04 * (high - low);
        [low - margin, high + margin]
    })
}

/// Values with so many decimals, for the data beside a figure.
pub fn rounded(values: &[f64], decimals: i32) -> Vec<f64> {
    let values = values.iter();
    values.map(|&value| rounded_to(value, decimals)).collect()
}

/// Points with four decimals, for the data beside a figure.
pub fn rounded_points(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let points = points.iter();
    points
        .map(|point| point.map(figure_data::rounded))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_symmetric_and_equally_probable() {
        let codes = prior_quantiles(21);
        assert_eq!(codes.len(), 21);
        assert!(codes[10].abs() < 1e-9);
        for (low, high) in codes.iter().zip(codes.iter().rev()) {
            assert!((low + high).abs() < 1e-9, "{low} {high}");
        }
        let last = evaluation::distributions::normal_cdf(codes[20]);
        assert!((last - 20.5 / 21.0).abs() < 1e-9);
    }

    #[test]
    fn ranges_hold_points_and_window() {
        let [x, y] = ranges_with_window(&[[-10.0, 1.0], [0.0, 2.0]], 4.0);
        assert!((x[0] + 10.56).abs() < 1e-12 && (x[1] - 4.56).abs() < 1e-12);
        assert!((y[0] + 4.32).abs() < 1e-12 && (y[1] - 4.32).abs() < 1e-12);
    }

    #[test]
    fn covering_codes_have_one_step_and_reach_the_ends() {
        let [first, second] = covering_codes(20, [[-10.0, 10.0], [0.0, 5.0]]);
        assert_eq!((first.len(), second.len()), (20, 5));
        assert!((first[1] - first[0] - 1.0).abs() < 1e-12);
        assert!((second[1] - second[0] - 1.0).abs() < 1e-12);
        // Tiles reach half a step beyond their codes: exactly to the ends.
        assert!((first[0] - 0.5 + 10.0).abs() < 1e-12);
        assert!((second[4] + 0.5 - 5.0).abs() < 1e-12);
    }
}
