//! −log p(x|z) of the decoder's outputs under every likelihood, and its
//! gradients.

use tensor_ops::loss::{self, SampledRows, continuous_bernoulli, gaussian};
use tensor_ops::panels::Panels;
use tensor_ops::vector;
use tensor_ops::{AlignedBuffer, Float};

use crate::model::Model;
use crate::network::layout::Role;
use crate::network::parameters::Parameters;
use crate::spec::{GaussianMean, GaussianSigma, Likelihood, ModelSpec};

/// A likelihood with the parameters it has outside the decoder.
#[derive(Debug)]
pub(crate) struct PixelLikelihood<T> {
    likelihood: Likelihood,
    inputs: usize,
    /// 1/σ² by pixel of a Gaussian whose σ does not come from the decoder.
    inverse_variance: AlignedBuffer<T>,
    /// What the loss of every row has besides ½ Σ d²/σ² (+ Σ ln σ).
    constant: T,
}

impl<T: Float> PixelLikelihood<T> {
    /// The likelihood of a model; [`read`](Self::read) brings its parameters.
    pub(crate) fn new(spec: &ModelSpec) -> Self {
        let inputs = spec.architecture.inputs;
        let shared = match spec.likelihood {
            Likelihood::Gaussian { sigma, .. } if sigma != GaussianSigma::Decoder => {
                Panels::new(1, inputs).len()
            }
            _ => 0,
        };
        Self {
            likelihood: spec.likelihood,
            inputs,
            inverse_variance: AlignedBuffer::zeroed(shared),
            constant: T::ZERO,
        }
    }

    /// Takes σ from the parameters, as it is in this step.
    pub(crate) fn read(&mut self, parameters: &Parameters<T>) {
        let Likelihood::Gaussian { sigma, .. } = self.likelihood else {
            return;
        };
        let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
        let mut scale = parameters.layout().network(Role::Scale);
        let learned = scale.next().map(|layer| parameters.bias(layer));
        let log_sigma = |pixel: usize| match (sigma, learned) {
            (GaussianSigma::Fixed(sigma), _) => T::from_f64(sigma.ln()),
            (GaussianSigma::Scalar, Some(values)) => values[0],
            (_, Some(values)) => values[pixel],
            (_, None) => T::ZERO,
        };
        let mut total = half_log_tau * self.inputs as f64;
        let minus_two = T::from_f64(-2.0);
        if !self.inverse_variance.is_empty() {
            for pixel in 0..self.inputs {
                let log_sigma = log_sigma(pixel);
                total += log_sigma.to_f64();
                self.inverse_variance[pixel] = minus_two * log_sigma;
            }
            vector::exp_in_place(&mut self.inverse_variance[..self.inputs]);
        }
        self.constant = T::from_f64(total);
    }

    /// −log p(x|z) of every row in nats; `outputs` become its gradient by the
    /// outputs.
    ///
    /// `log_sigma_gradient` receives the gradient by every row's ln σ where σ
    /// is learned outside the decoder. One ln σ for all pixels gets the sum
    /// over them, Σ (1 − d²/σ²) = pixels − 2·(½ Σ d²/σ²).
    pub(crate) fn losses_and_gradients(
        &self,
        rows: SampledRows,
        outputs: &mut [T],
        log_sigma_gradient: &mut [T],
        targets: &[T],
        row_loss: &mut [T],
    ) {
        match self.likelihood {
            Likelihood::Bernoulli => loss::bernoulli(rows, outputs, targets, row_loss),
            Likelihood::ContinuousBernoulli => {
                continuous_bernoulli::with_logits(rows, outputs, targets, row_loss);
            }
            Likelihood::Gaussian { mean, sigma } => {
                let mean = mean.into();
                if sigma == GaussianSigma::Decoder {
                    let (means, log_sigma) = outputs.split_at_mut(rows.shape.len());
                    let log_sigma = &mut log_sigma[..rows.shape.len()];
                    gaussian::per_element(rows, mean, means, log_sigma, targets, row_loss);
                } else {
                    let by_pixel =
                        (sigma == GaussianSigma::PerPixel).then_some(&mut *log_sigma_gradient);
                    let precision = &self.inverse_variance;
                    gaussian::per_column(
                        rows, mean, precision, outputs, by_pixel, targets, row_loss,
                    );
                }
                if sigma == GaussianSigma::Scalar {
                    let (pixels, two) = (T::from_usize(self.inputs), T::from_f64(2.0));
                    let panels = Panels::new(rows.shape.rows, 1);
                    for (row, &half_squares) in row_loss.iter().enumerate() {
                        log_sigma_gradient[panels.index(row, 0)] = pixels - two * half_squares;
                    }
                }
                self.add_constant(row_loss);
            }
        }
    }

    /// −log p(x|z) of every row in nats, alone.
    pub(crate) fn losses(
        &self,
        rows: SampledRows,
        outputs: &[T],
        targets: &[T],
        row_loss: &mut [T],
    ) {
        match self.likelihood {
            Likelihood::Bernoulli => loss::bernoulli_loss(rows, outputs, targets, row_loss),
            Likelihood::ContinuousBernoulli => {
                continuous_bernoulli::with_logits_loss(rows, outputs, targets, row_loss);
            }
            Likelihood::Gaussian { mean, sigma } => {
                let mean = mean.into();
                if sigma == GaussianSigma::Decoder {
                    let (means, log_sigma) = outputs.split_at(rows.shape.len());
                    let log_sigma = &log_sigma[..rows.shape.len()];
                    gaussian::per_element_loss(rows, mean, means, log_sigma, targets, row_loss);
                } else {
                    let precision = &self.inverse_variance;
                    gaussian::per_column_loss(rows, mean, precision, outputs, targets, row_loss);
                }
                self.add_constant(row_loss);
            }
        }
    }

    fn add_constant(&self, row_loss: &mut [T]) {
        for loss in row_loss {
            *loss += self.constant;
        }
    }
}

impl Likelihood {
    /// Turns the decoder's outputs into the mean E\[x|z\] of each pixel.
    pub(crate) fn means_in_place(self, outputs: &mut [f32]) {
        match self {
            Likelihood::Bernoulli
            | Likelihood::Gaussian {
                mean: GaussianMean::Sigmoid,
                ..
            } => vector::sigmoid_in_place(outputs),
            Likelihood::ContinuousBernoulli => continuous_bernoulli::means_in_place(outputs),
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            } => {}
        }
    }
}

impl Likelihood {
    /// Whether the outputs are the means themselves, which can then be any
    /// numbers.
    pub(crate) fn output_is_mean(self) -> bool {
        matches!(
            self,
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            }
        )
    }

    /// The decoder's output whose pixel has the mean `mean`: within (0, 1), or
    /// anywhere where the output is the mean.
    pub(crate) fn output_of_mean(self, mean: f64) -> f64 {
        match self {
            Likelihood::Bernoulli
            | Likelihood::Gaussian {
                mean: GaussianMean::Sigmoid,
                ..
            } => (mean / (1.0 - mean)).ln(),
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            } => mean,
            // E[x] rises with the logit and has no inverse in closed form; for
            // large |a| it is within 1/|a| of 0 or 1.
            Likelihood::ContinuousBernoulli => {
                let reach = 1.0 + 1.0 / mean.min(1.0 - mean);
                let (mut low, mut high) = (-reach, reach);
                for _ in 0..f64::MANTISSA_DIGITS + 12 {
                    let mut middle = [0.5 * (low + high)];
                    let logit = middle[0];
                    continuous_bernoulli::means_in_place(&mut middle);
                    if middle[0] < mean {
                        low = logit;
                    } else {
                        high = logit;
                    }
                }
                0.5 * (low + high)
            }
        }
    }
}

impl From<GaussianMean> for gaussian::Mean {
    fn from(mean: GaussianMean) -> Self {
        match mean {
            GaussianMean::Identity => gaussian::Mean::Identity,
            GaussianMean::Sigmoid => gaussian::Mean::Sigmoid,
        }
    }
}

/// A pixel's distribution at the decoder's output a, in f64.
impl Likelihood {
    /// Its mean m = E\[x|z\].
    pub fn mean_of_output(self, output: f64) -> f64 {
        match self {
            Likelihood::Bernoulli
            | Likelihood::Gaussian {
                mean: GaussianMean::Sigmoid,
                ..
            } => 1.0 / (1.0 + (-output).exp()),
            Likelihood::ContinuousBernoulli => {
                let mut mean = [output];
                continuous_bernoulli::means_in_place(&mut mean);
                mean[0]
            }
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            } => output,
        }
    }

    /// dm/da of the mean.
    pub fn slope_of_mean(self, output: f64) -> f64 {
        match self {
            Likelihood::Bernoulli
            | Likelihood::Gaussian {
                mean: GaussianMean::Sigmoid,
                ..
            } => {
                let m = 1.0 / (1.0 + (-output).exp());
                m * (1.0 - m)
            }
            Likelihood::ContinuousBernoulli => continuous_bernoulli::variance(output),
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            } => 1.0,
        }
    }

    /// The Fisher information about a, for a pixel of the given ln σ, which
    /// counts only where the likelihood has a σ.
    ///
    /// It is dm/da of the exponential families with natural parameter a, the
    /// Bernoulli and the continuous Bernoulli (both have dm/da = Var\[x\]), and
    /// (dm/da)²/σ² of a Gaussian.
    pub fn information_about_output(self, output: f64, log_sigma: f64) -> f64 {
        let slope = self.slope_of_mean(output);
        match self {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => slope,
            Likelihood::Gaussian { .. } => slope.powi(2) * (-2.0 * log_sigma).exp(),
        }
    }

    /// The Fisher information about ln σ: 2 of a Gaussian, nothing without σ.
    pub fn information_about_log_sigma(self) -> f64 {
        match self {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => 0.0,
            Likelihood::Gaussian { .. } => 2.0,
        }
    }
}

impl Model {
    /// ln σ of the pixels, fixed or learned: one number for all of them or one
    /// for each. `None` without σ, and where the decoder computes it.
    pub fn log_sigma(&self) -> Option<Vec<f64>> {
        match self.spec().likelihood.scale_source()? {
            GaussianSigma::Fixed(sigma) => Some(vec![sigma.ln()]),
            GaussianSigma::Scalar | GaussianSigma::PerPixel => {
                let layout = self.parameters().layout();
                let layer = layout.network(Role::Scale).next()?;
                let learned = &self.parameters().bias(layer)[..layout.layers()[layer].outputs];
                Some(learned.iter().map(|&value| f64::from(value)).collect())
            }
            GaussianSigma::Decoder => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_the_mean_they_were_made_for() {
        for likelihood in [
            "bernoulli",
            "continuous-bernoulli",
            "gaussian/1",
            "gaussian-identity/1",
        ] {
            let likelihood: Likelihood = likelihood.parse().unwrap();
            for mean in [0.001, 0.02, 0.3, 0.5, 0.9, 0.999] {
                let mut output = [likelihood.output_of_mean(mean) as f32];
                likelihood.means_in_place(&mut output);
                let error = (f64::from(output[0]) - mean).abs();
                assert!(error < 1e-6, "{likelihood}: {mean} {}", output[0]);
            }
        }
    }
}
