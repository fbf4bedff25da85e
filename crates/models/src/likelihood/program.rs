//! −log p(x|z) of the decoder's outputs on the autodiff tape.

use autodiff::{Error, Tape, Var};
use tensor_ops::loss::location_scale::Family;
use tensor_ops::panels::LANES;
use tensor_ops::{Float, library};

use super::{Form, GaussianMean, GaussianSigma, Likelihood};
use crate::network::layout::{Layout, Role};

/// −log p(x|z) of each of `rows` codes, from the decoder's outputs.
pub(crate) fn losses<T: Float>(
    likelihood: Likelihood,
    layout: &Layout,
    rows: usize,
    tape: &mut Tape<'_, T>,
    [outputs, targets]: [Var; 2],
) -> Result<Var, Error> {
    let (density, sigma) = match likelihood.form() {
        Form::Bernoulli => return tape.bce_with_logits_panels(outputs, targets),
        Form::ContinuousBernoulli => {
            let (logits, targets) = (tape.from_panels(outputs)?, tape.from_panels(targets)?);
            let partition = tape.continuous_bernoulli_log_partition(logits)?;
            let product = tape.mul(logits, targets)?;
            let losses = tape.sub(partition, product)?;
            return tape.sum_axes(losses, &[1]);
        }
        Form::LocationScale(density, sigma) => (density, sigma),
    };
    let inputs = layout.inputs();
    let (outputs, targets) = (tape.from_panels(outputs)?, tape.from_panels(targets)?);
    let (means, log_sigma) = match sigma {
        GaussianSigma::Decoder => {
            let first = inputs.next_multiple_of(LANES);
            (
                tape.slice(outputs, 1, 0..inputs)?,
                tape.slice(outputs, 1, first..first + inputs)?,
            )
        }
        GaussianSigma::Fixed(sigma) => (outputs, tape.scalar(T::from_f64(library::ln(sigma)))),
        GaussianSigma::Scalar | GaussianSigma::PerPixel => {
            (outputs, learned_log_sigma(layout, rows, tape)?)
        }
    };
    let means = match density.mean {
        GaussianMean::Identity => means,
        GaussianMean::Sigmoid => tape.sigmoid(means)?,
    };
    // c·|d|ᵖ·e^(−p ln σ) + ln σ + the constant
    let family = density.family;
    let difference = tape.sub(means, targets)?;
    let power = power(family, tape, difference)?;
    let weight = tape.scale(log_sigma, T::from_f64(-family.degree()))?;
    let weight = tape.exp(weight)?;
    let power = tape.mul(power, weight)?;
    let power = tape.scale(power, T::from_f64(family.factor()))?;
    let losses = tape.add(power, log_sigma)?;
    let losses = tape.offset(losses, T::from_f64(family.constant()))?;
    tape.sum_axes(losses, &[1])
}

/// |d|ᵖ.
fn power<T: Float>(family: Family, tape: &mut Tape<'_, T>, d: Var) -> Result<Var, Error> {
    match family {
        Family::Gaussian => tape.square(d),
        // max(d, 0) + max(−d, 0), whose derivative at 0 is 0.
        Family::Laplace => {
            let above = tape.relu(d)?;
            let negative = tape.neg(d)?;
            let below = tape.relu(negative)?;
            tape.add(above, below)
        }
    }
}

/// Values that [`losses`] and its gradient take of every code.
pub(crate) fn values(likelihood: Likelihood, inputs: usize) -> f64 {
    let of_power = |family| match family {
        Family::Gaussian => 2.0,
        Family::Laplace => 8.0,
    };
    let arrays = match likelihood.form() {
        Form::Bernoulli => return inputs.next_multiple_of(LANES) as f64,
        Form::ContinuousBernoulli => 9.0,
        Form::LocationScale(density, sigma) => {
            of_power(density.family)
                + match sigma {
                    GaussianSigma::Decoder => 22.0,
                    GaussianSigma::PerPixel => 20.0,
                    GaussianSigma::Fixed(_) | GaussianSigma::Scalar => 14.0,
                }
        }
    };
    arrays * inputs as f64
}

/// The learned ln σ for every row, `[rows, 1]` or `[rows, inputs]`: a layer
/// without inputs gives its bias, and has its gradient summed over the rows in
/// the same order as any other.
fn learned_log_sigma<T: Float>(
    layout: &Layout,
    rows: usize,
    tape: &mut Tape<'_, T>,
) -> Result<Var, Error> {
    let layer = &layout.layers()[layout.network(Role::Scale).start];
    let nothing = tape.constant_panels(rows, 0, |_| {});
    let weight = tape.bound_panels(layer.weight.clone(), 0, layer.outputs)?;
    let bias = tape.bound_panels(layer.bias.clone(), 1, layer.outputs)?;
    let log_sigma = tape.linear_panels(nothing, weight, bias, layer.activation)?;
    tape.from_panels(log_sigma)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value and a gradient of each array that has a number for every pixel.
    #[test]
    fn the_values_of_a_loss_are_counted_by_array() {
        for (likelihood, expected) in [
            // The gradient, in whole panels.
            ("bernoulli", 32.0),
            ("continuous-bernoulli", 9.0 * 19.0),
            ("gaussian/0.5", (14.0 + 2.0) * 19.0),
            ("laplace/scalar", (14.0 + 8.0) * 19.0),
            ("gaussian-identity/per-pixel", (20.0 + 2.0) * 19.0),
            ("laplace-identity/decoder", (22.0 + 8.0) * 19.0),
        ] {
            let found = values(likelihood.parse().unwrap(), 19);
            assert_eq!(found, expected, "{likelihood}");
        }
    }
}
