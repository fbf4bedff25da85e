//! The importance-sampled bounds of one image, from log weights as they come.

use std::collections::BTreeMap;

use crate::error::{Result, require};

/// Sample counts at which the bound is reported on the way to the largest.
pub const CURVE: [usize; 5] = [1, 10, 100, 1000, 5000];

/// Σ w and Σ w² of weights given by their logarithms, scaled by the largest so
/// far: neither overflows, and only terms 700 nats below it are lost.
#[derive(Debug, Clone, Copy)]
struct LogSum {
    largest: f64,
    sum: f64,
    squares: f64,
}

impl LogSum {
    const EMPTY: Self = Self {
        largest: f64::NEG_INFINITY,
        sum: 0.0,
        squares: 0.0,
    };

    fn push(&mut self, log_weight: f64) {
        if log_weight > self.largest {
            let shrink = (self.largest - log_weight).exp();
            self.sum = self.sum * shrink + 1.0;
            self.squares = self.squares * shrink * shrink + 1.0;
            self.largest = log_weight;
        } else if log_weight != f64::NEG_INFINITY {
            // Of NaN, all sums are NaN from here on.
            let weight = (log_weight - self.largest).exp();
            self.sum += weight;
            self.squares += weight * weight;
        }
    }

    /// log Σ w; −∞ without weights.
    fn log(&self) -> f64 {
        self.largest + self.sum.ln()
    }

    /// (Σ w)² / Σ w², between 1 and the number of weights (Kong 1992).
    fn effective_count(&self) -> f64 {
        self.sum * self.sum / self.squares
    }
}

/// The bounds L_K of one image for several K, from a stream of log weights
/// log w = log p(x|z) + log p(z) − log q(z|x), z ~ q(z|x).
///
/// L_K = E log (1/K) Σ_{k ≤ K} w_k is a lower bound of log p(x) that rises
/// with K and tends to log p(x) (Burda, Grosse & Salakhutdinov 2016,
/// arXiv 1509.00519, theorem 1); L_1 is the ELBO. The expectation is estimated
/// by the mean over the ⌊S/K⌋ groups of K consecutive samples out of S, so
/// that every K uses all samples and not the first K alone, and where each K
/// divides the next, the estimates of one image rise with K as the
/// expectations do (by Jensen's inequality on their very groups).
///
/// Memory depends on the number of reported K alone.
///
/// ```
/// use evaluation::likelihood::BoundCurve;
///
/// let mut curve = BoundCurve::new(1000)?;
/// for k in 0..1000 {
///     curve.push(if k % 2 == 0 { 0.0 } else { f64::ln(3.0) });
/// }
/// let bounds = curve.finish();
/// assert!((bounds.log_likelihood[&1] - 0.5 * f64::ln(3.0)).abs() < 1e-12);
/// assert!((bounds.log_likelihood[&1000] - f64::ln(2.0)).abs() < 1e-12);
/// assert!((bounds.effective_sample_size - 800.0).abs() < 1e-9);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BoundCurve {
    groups: Vec<Groups>,
    all: LogSum,
    samples: usize,
    seen: usize,
}

/// The mean log-mean of groups of `size` consecutive weights.
#[derive(Debug, Clone)]
struct Groups {
    size: usize,
    current: LogSum,
    filled: usize,
    log_means: f64,
    complete: usize,
}

/// The bounds of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// K → L_K in nats.
    pub log_likelihood: BTreeMap<usize, f64>,
    /// (Σ w)² / Σ w² of all weights: how many samples of the true posterior
    /// they are worth.
    pub effective_sample_size: f64,
}

impl BoundCurve {
    /// A curve of all K of [`CURVE`] below `samples`, and `samples` itself.
    ///
    /// # Errors
    /// `samples` is 0.
    pub fn new(samples: usize) -> Result<Self> {
        let what = "the number of importance samples";
        require(samples > 0, what, samples, "at least 1")?;
        let sizes = CURVE.into_iter().filter(|&size| size < samples);
        let groups = |size| Groups {
            size,
            current: LogSum::EMPTY,
            filled: 0,
            log_means: 0.0,
            complete: 0,
        };
        Ok(Self {
            groups: sizes.map(groups).collect(),
            all: LogSum::EMPTY,
            samples,
            seen: 0,
        })
    }

    /// Takes the next log weight.
    ///
    /// # Panics
    /// If all samples have been given.
    pub fn push(&mut self, log_weight: f64) {
        assert!(
            self.seen < self.samples,
            "BoundCurve::push: more than {} log weights",
            self.samples
        );
        self.seen += 1;
        self.all.push(log_weight);
        for groups in &mut self.groups {
            groups.push(log_weight);
        }
    }

    /// The bounds; NaN where a log weight was NaN.
    ///
    /// # Panics
    /// If fewer log weights were given than announced.
    pub fn finish(self) -> Bounds {
        assert!(
            self.seen == self.samples,
            "BoundCurve::finish: {} of {} log weights",
            self.seen,
            self.samples
        );
        let groups = self.groups.iter();
        let groups = groups.map(|groups| (groups.size, groups.log_means / groups.complete as f64));
        let all = self.all.log() - (self.samples as f64).ln();
        Bounds {
            log_likelihood: groups.chain([(self.samples, all)]).collect(),
            effective_sample_size: self.all.effective_count(),
        }
    }
}

impl Groups {
    fn push(&mut self, log_weight: f64) {
        self.filled += 1;
        if self.size == 1 {
            self.log_means += log_weight;
        } else {
            self.current.push(log_weight);
            if self.filled < self.size {
                return;
            }
            self.log_means += self.current.log() - (self.size as f64).ln();
            self.current = LogSum::EMPTY;
        }
        self.filled = 0;
        self.complete += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor_ops::random::{Stream, fill_normal};

    fn normals(stream: u64, count: usize) -> Vec<f64> {
        let mut values = vec![0.0; count];
        fill_normal(&mut values, Stream::new(11, stream), 0);
        values
    }

    fn bounds(log_weights: &[f64]) -> Bounds {
        let mut curve = BoundCurve::new(log_weights.len()).unwrap();
        log_weights.iter().for_each(|&w| curve.push(w));
        curve.finish()
    }

    #[test]
    fn streaming_agrees_with_all_weights_at_once() {
        for shift in [-90.0, 0.0, 2000.0, -1e6] {
            let log_weights: Vec<f64> = normals(0, 5000).iter().map(|z| shift + 3.0 * z).collect();
            let found = bounds(&log_weights);
            for (&size, value) in &found.log_likelihood {
                let means = log_weights
                    .chunks_exact(size)
                    .map(|group| tensor_ops::reduce::log_sum_exp(group) - (size as f64).ln());
                let expected = means.sum::<f64>() / (5000 / size) as f64;
                assert!(
                    (value - expected).abs() < 1e-12 * (1.0 + shift.abs()),
                    "{shift} {size}"
                );
            }
            let weights = log_weights.iter().map(|w| (w - shift).exp());
            let effective =
                weights.clone().sum::<f64>().powi(2) / weights.map(|w| w * w).sum::<f64>();
            assert!((found.effective_sample_size / effective - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_bound_rises_with_the_number_of_samples() {
        for stream in 0..20 {
            let spread = 0.1 + stream as f64;
            let log_weights: Vec<f64> = normals(stream, 5000).iter().map(|z| spread * z).collect();
            let found = bounds(&log_weights);
            let values: Vec<f64> = found.log_likelihood.into_values().collect();
            assert_eq!(values.len(), CURVE.len());
            assert!(
                values.windows(2).all(|pair| pair[0] < pair[1]),
                "{values:?}"
            );
            assert!((1.0..=5000.0).contains(&found.effective_sample_size));
        }
    }

    /// What is promised only where each K divides the next is not so elsewhere: of fifteen
    /// weights the ten of K = 10 are the first, and the last five are as they may be.
    #[test]
    fn the_bound_may_fall_where_samples_are_left_over() {
        let low: Vec<f64> = (0..15).map(|k| if k < 10 { 0.0 } else { -50.0 }).collect();
        let found = bounds(&low).log_likelihood;
        assert_eq!(found[&10], 0.0);
        assert!((found[&15] - (10.0_f64 / 15.0).ln()).abs() < 1e-12);
    }

    #[test]
    fn counts_between_those_of_the_curve_are_reported_too() {
        let found = bounds(&[1.0; 64]);
        assert_eq!(
            found.log_likelihood.keys().copied().collect::<Vec<_>>(),
            [1, 10, 64]
        );
        assert!(
            found
                .log_likelihood
                .values()
                .all(|value| (value - 1.0).abs() < 1e-14)
        );
        assert!((found.effective_sample_size - 64.0).abs() < 1e-12);
        assert_eq!(bounds(&[0.5]).log_likelihood, BTreeMap::from([(1, 0.5)]));
        assert!(BoundCurve::new(0).is_err());
    }

    #[test]
    fn weights_of_zero_and_nan_show() {
        let found = bounds(&[f64::NEG_INFINITY, 0.0]);
        assert_eq!(found.log_likelihood[&1], f64::NEG_INFINITY);
        assert!((found.log_likelihood[&2] + 2.0_f64.ln()).abs() < 1e-15);
        let none = bounds(&[f64::NEG_INFINITY; 2]).log_likelihood[&2];
        assert_eq!(none, f64::NEG_INFINITY);
        for place in 0..3 {
            let mut log_weights = [0.0; 3];
            log_weights[place] = f64::NAN;
            assert!(bounds(&log_weights).log_likelihood[&3].is_nan());
        }
    }

    /// x = W z + b + s·noise with z ~ N(0, I): log p(x) is a normal density,
    /// q a normal distribution that is deliberately not the posterior.
    #[test]
    fn a_linear_gaussian_model_gives_its_known_log_likelihood() {
        const SAMPLES: usize = 5000;
        let (weights, noise_scale) = ([[0.9, -0.4], [0.3, 0.7], [-0.5, 0.6]], 0.5_f64);
        let covariance = ndarray::Array2::from_shape_fn((3, 3), |(i, j)| {
            let shared: f64 = (0..2).map(|l| weights[i][l] * weights[j][l]).sum();
            shared + if i == j { noise_scale.powi(2) } else { 0.0 }
        });
        let factor = cholesky(&covariance);
        let ln_tau = std::f64::consts::TAU.ln();
        let images = 40;
        let draws = normals(99, images * 3);
        let mut errors = Vec::new();
        for image in 0..images {
            let draw = &draws[image * 3..][..3];
            let x: Vec<f64> = (0..3)
                .map(|i| (0..=i).map(|j| factor[[i, j]] * draw[j]).sum())
                .collect();
            // x = factor · draw, so that the quadratic form is ‖draw‖².
            let truth: f64 = (0..3)
                .map(|i| -0.5 * (draw[i].powi(2) + ln_tau) - factor[[i, i]].ln())
                .sum();
            let mu = [0.8 * x[0] - 0.5 * x[2], 0.5 * x[1] + 0.3 * x[2]];
            let sigma = [0.6_f64, 0.75];
            let epsilon = normals(1000 + image as u64, 2 * SAMPLES);
            let mut curve = BoundCurve::new(SAMPLES).unwrap();
            for epsilon in epsilon.chunks_exact(2) {
                let z = [0, 1].map(|l| mu[l] + sigma[l] * epsilon[l]);
                let mut log_weight = 0.0;
                for l in 0..2 {
                    log_weight += 0.5 * (epsilon[l].powi(2) - z[l].powi(2)) + sigma[l].ln();
                }
                for i in 0..3 {
                    let mean = weights[i][0] * z[0] + weights[i][1] * z[1];
                    let residual = (x[i] - mean) / noise_scale;
                    log_weight -= 0.5 * (residual.powi(2) + ln_tau) + noise_scale.ln();
                }
                curve.push(log_weight);
            }
            errors.push(curve.finish().log_likelihood[&SAMPLES] - truth);
        }
        // The estimates' own errors, not the spread of the images, set the
        // scale: agreement to hundredths of a nat.
        let count = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / count;
        let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let standard_error = (variance / count).sqrt();
        assert!(standard_error < 0.01, "{standard_error}");
        assert!(
            mean.abs() < 3.0 * standard_error,
            "{mean} ± {standard_error}"
        );
    }

    fn cholesky(matrix: &ndarray::Array2<f64>) -> ndarray::Array2<f64> {
        let n = matrix.nrows();
        let mut factor = ndarray::Array2::zeros((n, n));
        for i in 0..n {
            for j in 0..=i {
                let inner: f64 = (0..j).map(|k| factor[[i, k]] * factor[[j, k]]).sum();
                factor[[i, j]] = if i == j {
                    (matrix[[i, i]] - inner).sqrt()
                } else {
                    (matrix[[i, j]] - inner) / factor[[j, j]]
                };
            }
        }
        factor
    }
}
