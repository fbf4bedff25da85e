//! How far a code is from the data, as shares of the data that say what far is.
//!
//! The distance of a code from the data is that to the nearest code of an image.
//! How large such distances are for the data themselves is told by leaving one
//! out: for every image the distance to the nearest code of *another* image. A
//! new image from where these came from has a nearest code among the n that is
//! distributed as theirs among the n − 1 others but for the one code more: the
//! quantile of order q of the distances covers a share q of new images, as of
//! conformal prediction with the nearest neighbour's distance as its score
//! (Laxhammar & Falkman 2011).

use evaluation::knn::NearestNeighbours;
use evaluation::statistics::sorted_quantile;
use ndarray::{ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::Result;

/// Steps of the quantiles that a page keeps: whole per cents.
pub const STEPS: usize = 100;

/// Beyond so many latent variables a tree decides little, and walking over all
/// codes with an eye on the least distance so far is faster.
const MOST_OF_TREE: usize = 8;

/// The distance of every code `[n, L]` to the nearest other one, in their order;
/// 0 of a single code.
///
/// # Errors
/// No codes, or one that is not finite.
pub fn to_nearest_other(codes: ArrayView2<'_, f32>) -> Result<Vec<f64>> {
    if codes.ncols() > MOST_OF_TREE {
        return Ok(by_walking(codes));
    }
    let neighbours = NearestNeighbours::new(codes)?;
    let rows: Vec<ArrayView1<'_, f32>> = codes.outer_iter().collect();
    let distances = rows.par_iter().enumerate().map(|(own, code)| {
        let code: Vec<f64> = code.iter().map(|&value| f64::from(value)).collect();
        let nearest = neighbours.nearest(&code, 2).into_iter();
        let mut others = nearest.filter(|neighbour| neighbour.index != own);
        others
            .next()
            .map_or(0.0, |neighbour| neighbour.squared_distance.sqrt())
    });
    Ok(distances.collect())
}

/// The same in any number of dimensions.
fn by_walking(codes: ArrayView2<'_, f32>) -> Vec<f64> {
    let codes = codes.as_standard_layout();
    let rows: Vec<&[f32]> = codes
        .axis_iter(Axis(0))
        .filter_map(|row| row.to_slice())
        .collect();
    let distances = rows.par_iter().enumerate().map(|(own, code)| {
        let mut least = f64::INFINITY;
        for (index, other) in rows.iter().enumerate() {
            if index != own {
                least = least.min(squared_distance_below(least, code, other));
            }
        }
        if least.is_finite() { least.sqrt() } else { 0.0 }
    });
    distances.collect()
}

/// ‖a − b‖², or any number from `least` on once it is known to reach that.
fn squared_distance_below(least: f64, a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sum = 0.0;
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        let mut squares = [0.0; LANES];
        for ((square, &a), &b) in squares.iter_mut().zip(a).zip(b) {
            *square = (f64::from(a) - f64::from(b)).powi(2);
        }
        sum += squares.iter().sum::<f64>();
        if sum >= least {
            break;
        }
    }
    sum
}

/// The quantiles of order 0, 0.01, …, 1 of distances, of which there is one at
/// least: what a page keeps.
#[must_use]
pub fn quantiles(mut distances: Vec<f64>) -> Vec<f64> {
    distances.sort_by(f64::total_cmp);
    (0..=STEPS)
        .map(|step| sorted_quantile(&distances, step as f64 / STEPS as f64))
        .collect()
}

/// The share of the data whose nearest other code is nearer than `distance`,
/// interpolated between the [`quantiles`]: what the page says beside a code.
///
/// ```
/// let quantiles: Vec<f64> = (0..=100).map(f64::from).collect();
/// assert_eq!(explorer::distances::share_nearer(&quantiles, 95.5), 0.955);
/// assert_eq!(explorer::distances::share_nearer(&quantiles, 1e9), 1.0);
/// ```
#[must_use]
pub fn share_nearer(quantiles: &[f64], distance: f64) -> f64 {
    let nearer = quantiles.partition_point(|&quantile| quantile < distance);
    if nearer == 0 {
        return 0.0;
    }
    if nearer == quantiles.len() {
        return 1.0;
    }
    let (low, high) = (quantiles[nearer - 1], quantiles[nearer]);
    let steps = (nearer - 1) as f64 + (distance - low) / (high - low);
    steps / (quantiles.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn both_ways_find_the_nearest_other_code() {
        let codes = array![[0.0_f32, 0.0], [3.0, 4.0], [3.0, 4.0], [0.0, -1.0]];
        let expected = vec![1.0, 0.0, 0.0, 1.0];
        assert_eq!(to_nearest_other(codes.view()).unwrap(), expected);
        assert_eq!(by_walking(codes.view()), expected);
        assert_eq!(by_walking(array![[2.0_f32]].view()), [0.0]);
        let spread = Array2::from_shape_fn((60, 19), |(i, j)| ((i * 37 + j * j * 11) % 53) as f32);
        let found = to_nearest_other(spread.view()).unwrap();
        let tree = NearestNeighbours::new(spread.view()).unwrap();
        for (row, distance) in spread.outer_iter().zip(found) {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let nearest = tree.nearest(&row, 2)[1].squared_distance;
            assert!((distance * distance - nearest).abs() <= 1e-9 * nearest);
        }
    }

    #[test]
    fn shares_are_between_the_quantiles() {
        let quantiles = quantiles((1..=1001).map(f64::from).collect());
        assert_eq!(
            (quantiles[0], quantiles[50], quantiles[100]),
            (1.0, 501.0, 1001.0)
        );
        for (distance, share) in [
            (0.5, 0.0),
            (1.0, 0.0),
            (506.0, 0.505),
            (1001.0, 1.0),
            (2e3, 1.0),
        ] {
            assert!(
                (share_nearer(&quantiles, distance) - share).abs() < 1e-12,
                "{distance}"
            );
        }
        // All images at one code.
        assert_eq!(share_nearer(&[0.0; 101], 0.0), 0.0);
        assert_eq!(share_nearer(&[0.0; 101], 1e-9), 1.0);
    }
}
