//! Two stochastic layers on the tape.

use autodiff::{Error, Tape, Var};
use tensor_ops::Float;

use crate::network::layout::{Role, scale_column};
use crate::step::program::{Latent, LatentProgram, Recorder};

pub(crate) struct TwoLayers;

impl<T: Float> LatentProgram<T> for TwoLayers {
    /// log p(h₁|h₂) + log p(h₂) − log q(h₁|x) − log q(h₂|h₁), with the ½ log 2π
    /// of all dimensions cancelled.
    fn record(&self, recorder: &mut Recorder<'_, '_, T>, head: Var) -> Result<Latent, Error> {
        let architecture = &recorder.spec.architecture;
        let (lower, upper) = (architecture.decoded(), architecture.latent);
        let columns = [lower, upper].map(|latent| scale_column(architecture, latent));
        let factor = T::from_f64(recorder.spec.posterior_scale.log_sigma_factor());
        let (images, samples) = (recorder.images.len(), recorder.objective.samples);
        let rows = images * samples;
        let gaussian = |tape: &mut Tape<'_, T>, head: Var, latent: usize, column: usize| {
            let mean = tape.slice(head, 1, 0..latent)?;
            let scale = tape.slice(head, 1, column..column + latent)?;
            Ok::<_, Error>((mean, tape.scale(scale, factor)?))
        };

        let noise = recorder.noise()?;
        let tape = &mut *recorder.tape;
        let (mean, log_sigma) = gaussian(tape, head, lower, columns[0])?;
        let epsilon = tape.slice(noise, 2, 0..lower)?;
        let sigma = tape.exp(log_sigma)?;
        let spread = tape.insert_axis(sigma, 1)?;
        let spread = tape.mul(spread, epsilon)?;
        let center = tape.insert_axis(mean, 1)?;
        let h1 = tape.add(center, spread)?;
        let h1 = tape.reshape(h1, &[rows, lower])?;
        let log_sigma = tape.sum_axes(log_sigma, &[1])?;
        let log_sigma = tape.insert_axis(log_sigma, 1)?;
        let squares = half_squares(tape, epsilon, 2)?;
        let of_lower = tape.add(squares, log_sigma)?;

        let input = tape.to_panels(h1)?;
        let head = recorder.network(Role::UpperEncoder, input)?;
        let tape = &mut *recorder.tape;
        let (mean, log_sigma) = gaussian(tape, head, upper, columns[1])?;
        let epsilon = tape.slice(noise, 2, lower..lower + upper)?;
        let epsilon = tape.reshape(epsilon, &[rows, upper])?;
        let sigma = tape.exp(log_sigma)?;
        let spread = tape.mul(sigma, epsilon)?;
        let h2 = tape.add(mean, spread)?;
        let log_sigma = tape.sum_axes(log_sigma, &[1])?;
        let squares = half_squares(tape, epsilon, 1)?;
        let of_upper = tape.add(squares, log_sigma)?;

        let input = tape.to_panels(h2)?;
        let head = recorder.network(Role::Prior, input)?;
        let tape = &mut *recorder.tape;
        let (mean, log_sigma) = gaussian(tape, head, lower, columns[0])?;
        let difference = tape.sub(h1, mean)?;
        let scale = tape.neg(log_sigma)?;
        let scale = tape.exp(scale)?;
        let scaled = tape.mul(difference, scale)?;
        let log_sigma = tape.sum_axes(log_sigma, &[1])?;
        let squares = half_squares(tape, scaled, 1)?;
        let of_prior = tape.add(squares, log_sigma)?;

        let of_code = half_squares(tape, h2, 1)?;
        let ratio = tape.sub(of_upper, of_prior)?;
        let ratio = tape.sub(ratio, of_code)?;
        let ratio = tape.reshape(ratio, &[images, samples])?;
        let log_ratio = tape.add(of_lower, ratio)?;
        Ok(Latent {
            codes: h1,
            penalty: None,
            log_ratio: Some(log_ratio),
        })
    }
}

/// ½ Σ v² along an axis.
fn half_squares<T: Float>(tape: &mut Tape<'_, T>, values: Var, axis: usize) -> Result<Var, Error> {
    let squares = tape.square(values)?;
    let sum = tape.sum_axes(squares, &[axis])?;
    tape.scale(sum, T::from_f64(0.5))
}
