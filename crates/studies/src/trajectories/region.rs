//! How far from its mean a posterior's image is still reconstructed, in radii of
//! the circle that stands for it.

use std::f64::consts::TAU;

use evaluation::statistics::sorted_quantile;
use evaluation::trajectory::posterior_radius;
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::{Drawing, TrainedRun};
use figures::choice::in_random_order;
use runs::Error;

/// Test images that are measured, at most.
const IMAGES: usize = 500;
/// Directions in which each is left.
const DIRECTIONS: usize = 16;
/// Distances from the mean, radii of the circle.
const DISTANCES: [f64; 12] = [
    0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0,
];
/// Which of them is the circle itself.
const CIRCLE: usize = 3;
/// Nats that a code may be worse than the mean and still count as giving rise to
/// the image: a factor of e in its likelihood.
const CLOSE: f64 = 1.0;

/// The region that reconstructs an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Region {
    /// Test images.
    pub(super) n: usize,
    /// Median over images of the distance at which the reconstruction is one nat
    /// worse than at the mean, in radii of the image's circle; images whose
    /// reconstruction is nowhere that much worse count with the largest distance.
    pub(super) reach: f64,
    /// Mean over images of what the reconstruction on the circle costs, nats.
    pub(super) on_the_circle: f64,
}

/// Measures a run, once.
///
/// # Errors
/// A model without posteriors, or of other than two latent variables.
pub(super) fn measure(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Region, Error> {
    let version =
        format!("1: {IMAGES} images, {DIRECTIONS} directions, {CLOSE} nat, {DISTANCES:?}");
    drawing.measure(run, "trajectories-region", &version, || {
        let test = &drawing.dataset.test;
        let some = run.seen_rows(test, &in_random_order(test.len(), IMAGES))?;
        let codes = run.encode(some.images());
        let log_variances = run.log_variances(&codes)?;
        if run.latent() != 2 {
            return Err(Error::Undefined(
                "circles are of two latent variables".into(),
            ));
        }
        let n = codes.mean.nrows();
        let at_means = run
            .model
            .log_likelihoods(codes.mean.view(), some.images(), 1);
        let mut around = Array2::<f32>::zeros((n * DIRECTIONS * DISTANCES.len(), 2));
        for image in 0..n {
            let radius = posterior_radius(log_variances.row(image));
            place_around(&mut around, image, codes.mean.row(image), radius);
        }
        let each = DIRECTIONS * DISTANCES.len();
        let at_codes = run
            .model
            .log_likelihoods(around.view(), some.images(), each);
        let costs: Vec<Vec<f64>> = at_codes
            .chunks_exact(each)
            .zip(&at_means)
            .map(|(values, mean)| costs_by_distance(values, *mean))
            .collect();
        let mut reaches: Vec<f64> = costs.iter().map(|costs| reach(costs)).collect();
        reaches.sort_by(f64::total_cmp);
        let on_the_circle: f64 = costs.iter().map(|costs| costs[CIRCLE]).sum();
        Ok(Region {
            n,
            reach: sorted_quantile(&reaches, 0.5),
            on_the_circle: on_the_circle / n as f64,
        })
    })
}

/// The codes of an image: direction by direction at the first distance, then at
/// the next.
fn place_around(around: &mut Array2<f32>, image: usize, mean: ArrayView1<'_, f32>, radius: f64) {
    let each = DIRECTIONS * DISTANCES.len();
    for (place, distance) in DISTANCES.iter().enumerate() {
        for direction in 0..DIRECTIONS {
            let (sine, cosine) = (TAU * direction as f64 / DIRECTIONS as f64).sin_cos();
            let row = image * each + place * DIRECTIONS + direction;
            for (axis, unit) in [cosine, sine].into_iter().enumerate() {
                let at = f64::from(mean[axis]) + distance * radius * unit;
                around[[row, axis]] = at as f32;
            }
        }
    }
}

/// By how much log p(x|z) falls below that at the mean, mean over directions at
/// each distance.
fn costs_by_distance(log_likelihoods: &[f32], at_mean: f32) -> Vec<f64> {
    let of_distance = |values: &[f32]| {
        let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
        f64::from(at_mean) - sum / values.len() as f64
    };
    log_likelihoods
        .chunks_exact(DIRECTIONS)
        .map(of_distance)
        .collect()
}

/// The first distance at which the cost is [`CLOSE`], between those measured on a
/// straight line.
fn reach(costs: &[f64]) -> f64 {
    let mut before = (0.0, 0.0);
    for (&distance, &cost) in DISTANCES.iter().zip(costs) {
        if cost >= CLOSE {
            let share = (CLOSE - before.1) / (cost - before.1);
            return before.0 + share * (distance - before.0);
        }
        before = (distance, cost);
    }
    before.0
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_parabola_is_left_at_its_root() {
        // ½m² nats are 1 at √2; of the chord from 1.25 to 1.5 a little before.
        let of = |curvature: f64| reach(&DISTANCES.map(|m| 0.5 * curvature * m * m));
        assert!((of(1.0) - 2f64.sqrt()).abs() < 0.01, "{}", of(1.0));
        assert!((of(4.0) - 0.5f64.sqrt()).abs() < 0.02, "{}", of(4.0));
        assert_eq!(of(0.0), 8.0);
        // Steeper than the first distance tells.
        assert!((of(1e4) - 0.25 / (0.5 * 1e4 * 0.0625)).abs() < 1e-12);
    }

    #[test]
    fn codes_lie_on_circles_about_the_mean() {
        assert_eq!(DISTANCES[CIRCLE], 1.0);
        let each = DIRECTIONS * DISTANCES.len();
        let mut around = Array2::zeros((2 * each, 2));
        place_around(&mut around, 1, array![3.0f32, -1.0].view(), 0.5);
        for (place, distance) in DISTANCES.iter().enumerate() {
            for direction in 0..DIRECTIONS {
                let code = around.row(each + place * DIRECTIONS + direction);
                let away = f64::from(code[0] - 3.0).hypot(f64::from(code[1] + 1.0));
                assert!((away - 0.5 * distance).abs() < 1e-5, "{away}");
            }
        }
        assert!(
            around
                .rows()
                .into_iter()
                .take(each)
                .all(|code| code.sum() == 0.0)
        );
    }

    #[test]
    fn costs_are_means_over_directions() {
        let values: Vec<f32> = (0..2 * DIRECTIONS).map(|at| -(at as f32)).collect();
        // Means −7.5 and −23.5 below −1.
        assert_eq!(costs_by_distance(&values, -1.0), [6.5, 22.5]);
    }
}
