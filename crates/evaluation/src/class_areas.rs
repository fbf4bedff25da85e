//! How much of the latent plane each class takes.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, require_array, require_labels};
use crate::statistics::{mean_and_variance, require_level, sorted, sorted_quantile};

/// Area of every class in the latent plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAreas {
    /// Share of a class's codes that its region holds.
    pub level: f64,
    /// Area of each class's highest-density region, in squared latent units;
    /// `None` for a class with fewer than 20 codes.
    pub areas: Vec<Option<f64>>,
    /// Largest area over smallest; `None` when fewer than two classes have one.
    pub ratio: Option<f64>,
    /// Coefficient of variation of the areas (standard deviation over mean).
    pub relative_spread: Option<f64>,
}

/// Area of each class's highest-density region of the given level (0.9: the
/// smallest region that holds 90 % of the class), from codes [n, 2] and labels.
///
/// The density of each class is a product-kernel estimate with Scott's
/// bandwidth h_j = s_j n^(−1/6) (s_j the smaller of standard deviation and
/// interquartile range/1.349), binned on 256 × 256 cells; its threshold is the
/// (1−level)-quantile of the density at the codes themselves (Hyndman 1996,
/// *The American Statistician* 50:120), which corrects most of what smoothing
/// adds. For a normal class of 1000 codes the area comes out within about 10 %.
///
/// The ratio of the largest to the smallest of ten areas is above 1 even for
/// ten samples of one distribution (about 1.2 at 1000 codes each): read it
/// against that floor. Areas change with the scale of the latent plane, ratios
/// do not.
///
/// # Errors
/// Codes that are not 2-D or not finite, labels that do not fit, or a level
/// outside (0, 1).
pub fn class_areas(
    codes: ArrayView2<'_, f32>,
    labels: &[u32],
    class_count: usize,
    level: f64,
) -> Result<ClassAreas> {
    require_array("the array of codes", &codes, 1, Some(2))?;
    require_labels("the list of labels", labels, codes.nrows(), class_count)?;
    require_level("the level of the highest-density region", level)?;
    let mut by_class = vec![Vec::new(); class_count];
    for (code, &label) in codes.rows().into_iter().zip(labels) {
        by_class[label as usize].push([f64::from(code[0]), f64::from(code[1])]);
    }
    let areas: Vec<Option<f64>> = by_class
        .par_iter()
        .map(|points| (points.len() >= 20).then(|| highest_density_area(points, level)))
        .collect();
    let known: Vec<f64> = areas.iter().flatten().copied().collect();
    let are_several = known.len() > 1;
    let largest = known.iter().copied().fold(f64::MIN, f64::max);
    let smallest = known.iter().copied().fold(f64::MAX, f64::min);
    let (mean, variance) = mean_and_variance(&known);
    Ok(ClassAreas {
        level,
        areas,
        ratio: (are_several && smallest > 0.0).then(|| largest / smallest),
        relative_spread: (are_several && mean > 0.0).then(|| variance.sqrt() / mean),
    })
}

const CELLS: usize = 256;

/// 0 of codes that are all on a line along an axis, or on a point.
fn highest_density_area(points: &[[f64; 2]], level: f64) -> f64 {
    let axes = [0, 1].map(|axis| Binning::of(sorted(points.iter().map(|point| point[axis]))));
    let [Some(x), Some(y)] = axes else {
        return 0.0;
    };
    let cell_of = |point: &[f64; 2]| [x.cell_of(point[0]), y.cell_of(point[1])];
    let mut counts = Array2::<f64>::zeros((CELLS, CELLS));
    for point in points {
        counts[cell_of(point)] += 1.0;
    }
    let along_y = smooth(counts.view(), &y.kernel);
    let density = smooth(along_y.t(), &x.kernel).reversed_axes();
    let at_codes = sorted(points.iter().map(|point| density[cell_of(point)]));
    let threshold = sorted_quantile(&at_codes, 1.0 - level);
    let cells = density.iter().filter(|d| **d >= threshold).count();
    cells as f64 * x.step * y.step
}

/// The cells of one axis.
struct Binning {
    low: f64,
    step: f64,
    /// Right half of the kernel, by cell.
    kernel: Vec<f64>,
}

impl Binning {
    /// Cells for sorted values; none where they do not differ.
    fn of(values: Vec<f64>) -> Option<Self> {
        let quartiles = sorted_quantile(&values, 0.75) - sorted_quantile(&values, 0.25);
        let deviation = mean_and_variance(&values).1.sqrt();
        let robust = deviation.min(quartiles / 1.349);
        let scale = if robust > 0.0 { robust } else { deviation };
        if scale <= 0.0 {
            return None;
        }
        let bandwidth = scale * (values.len() as f64).powf(-1.0 / 6.0);
        let low = values[0] - 3.0 * bandwidth;
        let high = values[values.len() - 1] + 3.0 * bandwidth;
        let step = (high - low) / CELLS as f64;
        // Only proportions of the density matter, so the kernel's norm is left out.
        let weight = |k: usize| (-0.5 * (k as f64 * step / bandwidth).powi(2)).exp();
        let reach = (4.0 * bandwidth / step).ceil() as usize;
        let kernel = (0..=reach).map(weight).collect();
        Some(Self { low, step, kernel })
    }

    fn cell_of(&self, value: f64) -> usize {
        (((value - self.low) / self.step) as usize).min(CELLS - 1)
    }
}

/// Convolves every row with a symmetric kernel given by its right half.
fn smooth(counts: ArrayView2<'_, f64>, kernel: &[f64]) -> Array2<f64> {
    let mut out = Array2::<f64>::zeros(counts.raw_dim());
    for (row, mut smoothed) in counts.rows().into_iter().zip(out.rows_mut()) {
        for (i, &count) in row.iter().enumerate().filter(|(_, c)| **c > 0.0) {
            for (k, weight) in kernel.iter().enumerate() {
                if i + k < CELLS {
                    smoothed[i + k] += weight * count;
                }
                if k > 0 && i >= k {
                    smoothed[i - k] += weight * count;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{standard_normals, uniforms};

    #[test]
    fn area_of_normal_and_uniform_classes() {
        // Class 0: N(0, I), area 2π·ln 10 = 14.47; class 1: twice as wide on one
        // axis and narrower on the other, area 14.47·2·0.25; class 2: the square
        // [0, 3]², area 0.9·9.
        let n = 4000;
        let mut codes = Array2::<f32>::zeros((3 * n, 2));
        let mut labels = vec![0u32; 3 * n];
        let normals = standard_normals(1, 2 * n, 2);
        let square = uniforms(2, n, 2);
        for i in 0..n {
            codes.row_mut(i).assign(&normals.row(i));
            codes[[n + i, 0]] = 2.0 * normals[[n + i, 0]] + 5.0;
            codes[[n + i, 1]] = 0.25 * normals[[n + i, 1]];
            codes[[2 * n + i, 0]] = 3.0 * square[[i, 0]];
            codes[[2 * n + i, 1]] = 3.0 * square[[i, 1]];
            labels[n + i] = 1;
            labels[2 * n + i] = 2;
        }
        let found = class_areas(codes.view(), &labels, 4, 0.9).unwrap();
        let normal = 2.0 * std::f64::consts::PI * 10.0_f64.ln();
        for (area, expected) in found.areas.iter().zip([normal, normal / 2.0, 8.1]) {
            let area = area.unwrap();
            assert!((area / expected - 1.0).abs() < 0.08, "{area} of {expected}");
        }
        assert_eq!(found.areas[3], None);
        assert!((found.ratio.unwrap() - 2.0).abs() < 0.15);
        let areas: Vec<f64> = found.areas.iter().flatten().copied().collect();
        let mean = (areas[0] + areas[1] + areas[2]) / 3.0;
        let squares = areas.iter().map(|area| (area - mean).powi(2));
        let expected = (squares.sum::<f64>() / 2.0).sqrt() / mean;
        assert!((found.relative_spread.unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn areas_are_compared_where_two_classes_have_one() {
        let mut codes = standard_normals(3, 70, 2);
        codes.slice_mut(ndarray::s![50.., 1]).fill(0.5);
        let areas = |second: usize, third: usize| {
            let labels: Vec<u32> = (0..50 + second + third)
                .map(|i| u32::from(i >= 50) + u32::from(i >= 50 + second))
                .collect();
            let codes = codes.slice(ndarray::s![..labels.len(), ..]);
            class_areas(codes, &labels, 3, 0.9).unwrap()
        };
        // Twenty codes on a line along an axis: of areas a and 0 the mean is a/2, and
        // the standard deviation a/√2.
        let found = areas(20, 0);
        assert!(found.areas[0].unwrap() > 1.0);
        assert_eq!((found.areas[1], found.areas[2]), (Some(0.0), None));
        assert_eq!(found.ratio, None);
        assert!((found.relative_spread.unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
        // Nineteen are too few.
        let found = areas(19, 1);
        assert!(found.areas[0].is_some());
        assert_eq!((found.areas[1], found.ratio), (None, None));
        assert_eq!(found.relative_spread, None);
        // Two lines have no size that one could be of the other.
        let lines = Array2::from_shape_fn((40, 2), |(i, j)| ((i % 20) * (1 - j)) as f32);
        let labels: Vec<u32> = (0..40).map(|i| i / 20).collect();
        let found = class_areas(lines.view(), &labels, 2, 0.9).unwrap();
        assert_eq!(found.areas, [Some(0.0); 2]);
        assert_eq!((found.ratio, found.relative_spread), (None, None));
    }

    /// By the `statistics` of Python, and its quartiles of the inclusive method: the
    /// spread of the quartiles counts where it is the smaller one and not 0.
    #[test]
    fn cells_and_kernel_follow_from_the_spread() {
        for (values, low, step, reach, seventh) in [
            (
                vec![1.0, 2.0, 4.0, 8.0, 16.0],
                -9.203_884_984_411_52,
                0.138_311_601_440_715,
                99,
                0.960_296_653_696_159_1,
            ),
            (
                vec![0.0, 0.0, 0.0, 10.0, 10.0, 10.0],
                -12.189_615_506_662_143,
                0.134_293_871_145_798,
                122,
                0.973_591_585_199_868_4,
            ),
            (
                vec![5.0, 5.0, 5.0, 5.0, 9.0],
                0.896_057_727_975_927_4,
                0.047_687_049_000_188_07,
                115,
                0.970_666_887_354_324_7,
            ),
        ] {
            let found = Binning::of(values.clone()).unwrap();
            assert!((found.low - low).abs() < 1e-12, "{values:?}: {}", found.low);
            assert!(
                (found.step - step).abs() < 1e-13,
                "{values:?}: {}",
                found.step
            );
            assert_eq!(found.kernel.len(), reach + 1, "{values:?}");
            assert_eq!(found.kernel[0], 1.0);
            assert!((found.kernel[7] - seventh).abs() < 1e-12, "{values:?}");
        }
        assert!(Binning::of(vec![3.0; 9]).is_none());
    }

    #[test]
    fn a_value_is_in_the_cell_above_its_lower_edge() {
        let axis = Binning {
            low: -1.5,
            step: 0.25,
            kernel: Vec::new(),
        };
        let cells = [-1.5, -1.25, 0.9, 62.4, 62.5, 80.0].map(|value| axis.cell_of(value));
        assert_eq!(cells, [0, 1, 9, 255, 255, 255]);
    }

    #[test]
    fn rows_are_smoothed_by_the_sum_of_their_counts() {
        let mut counts = Array2::<f64>::zeros((3, CELLS));
        for (row, cell, count) in [
            (0, 0, 3.0),
            (0, 2, 5.0),
            (0, 255, 2.0),
            (1, 127, 7.0),
            (2, 253, 4.0),
            (2, 4, 11.0),
        ] {
            counts[[row, cell]] = count;
        }
        let kernel = [1.0, 0.75, 0.5, 0.375, 0.125];
        let found = smooth(counts.view(), &kernel);
        for ((row, cell), &found) in found.indexed_iter() {
            let weight = |at: usize| kernel.get(cell.abs_diff(at)).copied().unwrap_or(0.0);
            let expected: f64 = (0..CELLS).map(|at| weight(at) * counts[[row, at]]).sum();
            assert_eq!(found, expected, "{row} {cell}");
        }
    }

    #[test]
    fn ten_equal_classes_have_a_ratio_near_one() {
        let codes = standard_normals(4, 10_000, 2);
        let labels: Vec<u32> = (0..10_000).map(|i| i % 10).collect();
        let found = class_areas(codes.view(), &labels, 10, 0.9).unwrap();
        assert!(found.ratio.unwrap() < 1.3, "{found:?}");
        assert!(class_areas(codes.view(), &labels, 9, 0.9).is_err());
        assert!(class_areas(codes.view(), &labels[1..], 10, 0.9).is_err());
    }
}
