//! How much of the latent plane each class takes.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{
    EvaluationError, Result, require_columns, require_finite, require_length, require_rows,
};
use crate::map::{LatticeShape, require_classes};
use crate::statistics::{sorted, sorted_quantile};

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
    require_columns("the array of codes", &codes, 2)?;
    require_rows("the array of codes", codes.nrows(), 1)?;
    require_finite("the array of codes", &codes)?;
    require_length("the list of labels", labels.len(), codes.nrows())?;
    require_classes(labels, class_count)?;
    if !(level > 0.0 && level < 1.0) {
        return Err(EvaluationError::Parameter {
            what: "the level of the highest-density region",
            found: level.to_string(),
            expected: "a number between 0 and 1, such as 0.9",
        });
    }
    let mut by_class = vec![Vec::new(); class_count];
    for (code, &label) in codes.rows().into_iter().zip(labels) {
        by_class[label as usize].push([f64::from(code[0]), f64::from(code[1])]);
    }
    let areas: Vec<Option<f64>> = by_class
        .par_iter()
        .map(|points| (points.len() >= 20).then(|| highest_density_area(points, level)))
        .collect();
    let known: Vec<f64> = areas.iter().flatten().copied().collect();
    let (ratio, relative_spread) = spread_of(&known);
    Ok(ClassAreas {
        level,
        areas,
        ratio,
        relative_spread,
    })
}

/// Area in which each class holds the majority on a decoded lattice, in units
/// of tiles times `tile_area`.
///
/// A second definition of "the area of a class", from what the decoder draws
/// instead of where codes lie; it depends on the window drawn.
///
/// # Errors
/// A list that does not fit the lattice, or a class out of range.
pub fn lattice_areas(
    classes: &[u32],
    shape: LatticeShape,
    class_count: usize,
    tile_area: f64,
) -> Result<Vec<f64>> {
    require_length("the list of classes", classes.len(), shape.len())?;
    require_classes(classes, class_count)?;
    let mut areas = vec![0.0; class_count];
    for &class in classes {
        areas[class as usize] += tile_area;
    }
    Ok(areas)
}

fn spread_of(areas: &[f64]) -> (Option<f64>, Option<f64>) {
    if areas.len() < 2 {
        return (None, None);
    }
    let largest = areas.iter().copied().fold(f64::MIN, f64::max);
    let smallest = areas.iter().copied().fold(f64::MAX, f64::min);
    let (mean, variance) = crate::statistics::mean_and_variance(areas);
    (
        (smallest > 0.0).then(|| largest / smallest),
        (mean > 0.0).then(|| variance.sqrt() / mean),
    )
}

const CELLS: usize = 256;

fn highest_density_area(points: &[[f64; 2]], level: f64) -> f64 {
    let n = points.len() as f64;
    let mut origin = [0.0; 2];
    let mut step = [0.0; 2];
    let mut kernels: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for axis in 0..2 {
        let values = sorted(points.iter().map(|p| p[axis]));
        let (_, variance) = crate::statistics::mean_and_variance(&values);
        let quartiles = sorted_quantile(&values, 0.75) - sorted_quantile(&values, 0.25);
        let mut scale = variance.sqrt().min(quartiles / 1.349);
        if scale <= 0.0 {
            scale = variance.sqrt();
        }
        if scale <= 0.0 {
            return 0.0; // all codes on a line or a point
        }
        let bandwidth = scale * n.powf(-1.0 / 6.0);
        let (low, high) = (
            values[0] - 3.0 * bandwidth,
            values[values.len() - 1] + 3.0 * bandwidth,
        );
        origin[axis] = low;
        step[axis] = (high - low) / CELLS as f64;
        // Only proportions of the density matter, so the kernel's norm is left out.
        let reach = (4.0 * bandwidth / step[axis]).ceil() as usize;
        kernels[axis] = (0..=reach)
            .map(|k| (-0.5 * (k as f64 * step[axis] / bandwidth).powi(2)).exp())
            .collect();
    }
    let cell_of = |p: &[f64; 2]| {
        let index = |axis: usize| (((p[axis] - origin[axis]) / step[axis]) as usize).min(CELLS - 1);
        [index(0), index(1)]
    };
    let mut counts = Array2::<f64>::zeros((CELLS, CELLS));
    for point in points {
        counts[cell_of(point)] += 1.0;
    }
    let density = smooth(
        &smooth(&counts, &kernels[1]).reversed_axes().to_owned(),
        &kernels[0],
    )
    .reversed_axes()
    .to_owned();
    let at_codes = sorted(points.iter().map(|p| density[cell_of(p)]));
    let threshold = sorted_quantile(&at_codes, 1.0 - level);
    let cells = density.iter().filter(|d| **d >= threshold).count();
    cells as f64 * step[0] * step[1]
}

/// Convolves every row with a symmetric kernel given by its right half.
fn smooth(counts: &Array2<f64>, kernel: &[f64]) -> Array2<f64> {
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

    #[test]
    fn lattice_areas_count_tiles() {
        let shape = LatticeShape {
            rows: 2,
            columns: 2,
        };
        let areas = lattice_areas(&[0, 1, 1, 1], shape, 3, 0.16).unwrap();
        assert!((areas[1] - 0.48).abs() < 1e-12);
        assert_eq!(areas[2], 0.0);
    }
}
