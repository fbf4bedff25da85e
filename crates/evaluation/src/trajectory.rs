//! How the posteriors of tracked images move and shrink while training.

use ndarray::{Array1, ArrayView1, ArrayView2, ArrayView3, Axis};
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE;
use crate::error::{
    Result, require_alike, require_finite, require_length, require_rows, require_variances,
};

/// Radius √(σ₁σ₂) of a 2-D posterior, in general the geometric mean of the
/// standard deviations: the radius of the ball with the volume of the 1σ
/// ellipsoid. In 2-D, r² is the geometric mean of the two variances.
///
/// ```
/// use ndarray::array;
/// let radius = evaluation::trajectory::posterior_radius(array![4.0f32.ln(), 0.25f32.ln()].view());
/// assert!((radius - 1.0).abs() < 1e-6);
/// ```
pub fn posterior_radius(log_variance: ArrayView1<'_, f32>) -> f64 {
    let sum: f64 = log_variance.iter().map(|&l| f64::from(l)).sum();
    (0.5 * sum / log_variance.len().max(1) as f64).exp()
}

/// Geometric-mean radius of each posterior, from log σ² [n, L].
pub fn posterior_radii(log_variance: ArrayView2<'_, f32>) -> Vec<f64> {
    let posteriors = log_variance.rows().into_iter();
    posteriors.map(posterior_radius).collect()
}

/// What one moment of the training says about the tracked images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryStep {
    /// Moment, in epochs.
    pub epoch: f64,
    /// Mean radius of the posteriors; `None` for a model without variances.
    pub mean_radius: Option<f64>,
    /// Largest radius of the tracked posteriors.
    pub largest_radius: Option<f64>,
    /// Mean distance the means moved since the previous moment; 0 at the first.
    pub mean_movement: f64,
    /// Mean length of the path travelled so far.
    pub mean_path_length: f64,
    /// Mean ‖μ‖.
    pub mean_distance_from_origin: f64,
}

/// The course of the tracked images, and of each its path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trajectories {
    /// One entry for every recorded moment.
    pub steps: Vec<TrajectoryStep>,
    /// Length of each image's whole path.
    pub path_lengths: Vec<f64>,
    /// Straight distance from first to last position over path length: 1 for a
    /// straight course, near 0 for wandering; `None` for an image that never
    /// moved.
    pub straightness: Vec<Option<f64>>,
}

/// Summarises recorded posteriors: `epochs` (t of them), `means` [t, n, L] and, for a
/// variational model, `log_variances` [t, n, L].
///
/// A path length grows with how often it is recorded, since the wiggles between
/// records are lost: compare runs recorded at the same moments.
///
/// # Errors
/// Arrays that do not fit each other, no moment or image, a value that is not
/// finite, or a variance beyond the range of f64.
pub fn trajectories(
    epochs: &[f64],
    means: ArrayView3<'_, f32>,
    log_variances: Option<ArrayView3<'_, f32>>,
) -> Result<Trajectories> {
    let (moments, images, _) = means.dim();
    require_rows("the list of recorded moments", epochs.len(), 1)?;
    require_rows("the array of tracked means", images, 1)?;
    require_length("the array of tracked means", moments, epochs.len())?;
    require_finite("the array of tracked means", &means)?;
    if let Some(log_variances) = &log_variances {
        let what = "the array of tracked log variances";
        require_alike(what, log_variances.dim(), means.dim())?;
        require_finite(what, log_variances)?;
        for moment in log_variances.outer_iter() {
            require_variances(&moment, LARGEST_LOG_VARIANCE)?;
        }
    }
    let n = images as f64;
    let mut path_lengths = vec![0.0; images];
    let mut steps = Vec::with_capacity(moments);
    let at = |moment: usize| means.index_axis(Axis(0), moment);
    let origin = Array1::zeros(means.dim().2);
    for (moment, &epoch) in epochs.iter().enumerate() {
        let (here, before) = (at(moment), at(moment.saturating_sub(1)));
        let mut movement = 0.0;
        for (image, length) in path_lengths.iter_mut().enumerate() {
            let step = distance(before.row(image), here.row(image));
            *length += step;
            movement += step / n;
        }
        let log_variances = log_variances.as_ref();
        let radii = log_variances.map(|l| posterior_radii(l.index_axis(Axis(0), moment)));
        let from_origin = here
            .rows()
            .into_iter()
            .map(|mu| distance(mu, origin.view()));
        steps.push(TrajectoryStep {
            epoch,
            mean_radius: radii.as_ref().map(|r| r.iter().sum::<f64>() / n),
            largest_radius: radii.map(|r| r.into_iter().fold(0.0, f64::max)),
            mean_movement: movement,
            mean_path_length: path_lengths.iter().sum::<f64>() / n,
            mean_distance_from_origin: from_origin.sum::<f64>() / n,
        });
    }
    let chord = |image: usize| distance(at(0).row(image), at(moments - 1).row(image));
    let paths = path_lengths.iter().enumerate();
    Ok(Trajectories {
        steps,
        straightness: paths
            .map(|(image, &length)| (length > 0.0).then(|| chord(image) / length))
            .collect(),
        path_lengths,
    })
}

fn distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let differences = a.iter().zip(b).map(|(&x, &y)| f64::from(x) - f64::from(y));
    differences.map(|d| d.powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_right_angle_and_a_point_at_rest() {
        let means = array![
            [[0.0f32, 0.0], [1.0, 1.0]],
            [[3.0, 0.0], [1.0, 1.0]],
            [[3.0, 4.0], [1.0, 1.0]]
        ];
        let log_variances = array![
            [[0.0f32, 0.0], [0.0, 0.0]],
            [[-2.0, 0.0], [0.0, 0.0]],
            [[-4.0, 0.0], [-2.0, -2.0]]
        ];
        let found =
            trajectories(&[0.0, 0.5, 1.0], means.view(), Some(log_variances.view())).unwrap();
        assert_eq!(found.path_lengths, vec![7.0, 0.0]);
        assert!((found.straightness[0].unwrap() - 5.0 / 7.0).abs() < 1e-12);
        assert_eq!(found.straightness[1], None);
        assert_eq!(found.steps[1].mean_movement, 1.5);
        assert_eq!(found.steps[2].mean_path_length, 3.5);
        assert_eq!(found.steps[0].mean_radius, Some(1.0));
        // √(σ₁σ₂) = exp((−4 + 0)/4) and exp(−4/4).
        assert!((found.steps[2].mean_radius.unwrap() - (-1.0_f64).exp()).abs() < 1e-12);
        assert!(
            (found.steps[2].mean_distance_from_origin - (5.0 + 2.0_f64.sqrt()) / 2.0).abs() < 1e-9
        );
        let without = trajectories(&[0.0, 0.5, 1.0], means.view(), None).unwrap();
        assert_eq!(without.steps[1].mean_radius, None);
    }

    #[test]
    fn arrays_must_fit() {
        let means = ndarray::Array3::<f32>::zeros((2, 3, 2));
        let other = ndarray::Array3::<f32>::zeros((2, 3, 1));
        assert!(trajectories(&[0.0], means.view(), None).is_err());
        assert!(trajectories(&[0.0, 1.0], means.view(), Some(other.view())).is_err());
        let mut broken = means.clone();
        broken[[1, 0, 0]] = f32::INFINITY;
        assert!(trajectories(&[0.0, 1.0], broken.view(), None).is_err());
    }
}
