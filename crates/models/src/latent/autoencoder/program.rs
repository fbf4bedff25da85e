//! The deterministic autoencoders on the tape.

use autodiff::{Error, Var};
use tensor_ops::Float;

use crate::step::program::{Latent, LatentProgram, Recorder};

pub(crate) struct Autoencoder;

impl<T: Float> LatentProgram<T> for Autoencoder {
    fn record(&self, recorder: &mut Recorder<'_, '_, T>, head: Var) -> Result<Latent, Error> {
        let penalty = if recorder.spec.kind.penalty_name().is_some() {
            let square = recorder.tape.square(head)?;
            Some(recorder.tape.scale(square, T::from_f64(0.5))?)
        } else {
            None
        };
        Ok(Latent {
            codes: head,
            penalty,
            log_ratio: None,
        })
    }
}
