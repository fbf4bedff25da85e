//! The variational autoencoder on the tape.

use autodiff::{Error, Var};
use tensor_ops::Float;

use crate::objective::Bound;
use crate::step::program::{Latent, LatentProgram, Recorder};

pub(crate) struct Vae;

impl<T: Float> LatentProgram<T> for Vae {
    fn record(&self, recorder: &mut Recorder<'_, '_, T>, head: Var) -> Result<Latent, Error> {
        let (latent, half) = (recorder.spec.architecture.latent, T::from_f64(0.5));
        let rows = recorder.images.len() * recorder.objective.samples;
        let factor = recorder.spec.posterior_scale.log_sigma_factor();
        let noise = recorder.noise()?;
        let is_importance = recorder.objective.bound == Bound::Iwae;
        let tape = &mut *recorder.tape;
        let mu = tape.slice(head, 1, 0..latent)?;
        let scale = tape.slice(head, 1, latent..2 * latent)?;
        let log_sigma = tape.scale(scale, T::from_f64(factor))?;
        let log_variance = tape.scale(scale, T::from_f64(2.0 * factor))?;
        let sigma = tape.exp(log_sigma)?;
        let spread = tape.insert_axis(sigma, 1)?;
        let spread = tape.mul(spread, noise)?;
        let center = tape.insert_axis(mu, 1)?;
        let codes = tape.add(center, spread)?;

        let mu_square = tape.square(mu)?;
        let variance = tape.square(sigma)?;
        let moments = tape.add(mu_square, variance)?;
        let excess = tape.sub(moments, log_variance)?;
        let excess = tape.offset(excess, -T::ONE)?;
        let penalty = tape.scale(excess, half)?;

        let log_ratio = if is_importance {
            // ½ Σ (ε² + log σ² − z²), in which the two ½ log 2π cancel.
            let posterior = tape.square(noise)?;
            let log_variance = tape.insert_axis(log_variance, 1)?;
            let posterior = tape.add(posterior, log_variance)?;
            let prior = tape.square(codes)?;
            let ratio = tape.sub(posterior, prior)?;
            let ratio = tape.sum_axes(ratio, &[2])?;
            Some(tape.scale(ratio, half)?)
        } else {
            None
        };
        Ok(Latent {
            codes: tape.reshape(codes, &[rows, latent])?,
            penalty: Some(penalty),
            log_ratio,
        })
    }
}
