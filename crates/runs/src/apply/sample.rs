//! New rows from random codes.

use models::streams::{Purpose, stream};
use ndarray::Array2;
use serde::Serialize;
use tensor_ops::random::fill_normal;

use super::decode::write_decoded;
use super::pictures::Arrangement;
use super::{Decoded, Destination, Observer, TrainedModel};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::needed_memory::require_for_codes;
use crate::run_data::{DataLocation, RunData, images, training_rows};
use crate::run_images::treated;
use evaluation::random_codes::Fitted;

/// The stream of random codes; those of evaluation have other numbers.
const CODES: u64 = 0x7361 << 32;

/// What to sample.
#[derive(Clone, Debug)]
pub struct SampleRequest {
    /// How many codes.
    pub count: usize,
    /// Seed of the codes: code i depends on it and on i alone.
    pub seed: u64,
    /// What the standard deviation of codes is multiplied by.
    pub temperature: f32,
    /// Draw codes from the normal distribution with the mean and covariance of
    /// the codes of the training data, which are found here, and not from
    /// N(0, I).
    pub fitted: Option<DataLocation>,
}

/// What was sampled.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    /// What was written.
    #[serde(flatten)]
    pub decoded: Decoded,
    /// `prior` or `fitted`.
    pub codes: &'static str,
    /// The seed.
    pub seed: u64,
    /// The temperature.
    pub temperature: f32,
}

/// Decodes random codes into mean rows: z = temperature · ε with ε from
/// N(0, I), or from a normal distribution fitted to the training data's codes.
///
/// # Errors
/// N(0, I) for a model that was not trained towards it, no codes, a temperature
/// that is not positive, training data that cannot be had, an output that
/// cannot be written, or a stop; nothing is left then.
pub fn sample(
    trained: &TrainedModel,
    request: &SampleRequest,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Sampled, Error> {
    let wrong = |sentence: String| Err(Error::Configuration(sentence));
    if request.count == 0 {
        return wrong("-n is 0, but must be at least 1".into());
    }
    if !(request.temperature.is_finite() && request.temperature > 0.0) {
        return wrong(format!(
            "--temperature is {}, but must be a positive number",
            request.temperature
        ));
    }
    if !trained.is_variational() && request.fitted.is_none() {
        return wrong(format!(
            "{} holds a model of kind '{}', which has no distribution of codes to draw from; give --fitted to draw from a normal distribution fitted to the codes of its training data",
            trained.folder().path().display(),
            trained.model().spec().kind
        ));
    }
    let latent = trained.latent();
    require_for_codes("-n", request.count, latent)?;
    let noise = random_codes(request.count, latent, request.seed, request.temperature);
    let codes = match &request.fitted {
        Some(location) => fitted(trained, location, download)?.codes(&noise),
        None => noise,
    };
    let decoded = write_decoded(
        trained,
        codes.view(),
        Arrangement::Square,
        destination,
        interrupt,
        observer,
    )?;
    Ok(Sampled {
        decoded,
        codes: if request.fitted.is_some() {
            "fitted"
        } else {
            "prior"
        },
        seed: request.seed,
        temperature: request.temperature,
    })
}

/// The codes temperature · ε `[count, latent]` with ε from N(0, I) that [`sample`]
/// decodes: code i depends on `seed` and i alone.
#[must_use]
pub fn random_codes(count: usize, latent: usize, seed: u64, temperature: f32) -> Array2<f32> {
    let mut codes = Array2::zeros((count, latent));
    if let Some(values) = codes.as_slice_mut() {
        fill_normal(values, stream(seed, Purpose::Sampling, CODES), 0);
    }
    codes *= temperature;
    codes
}

/// Mean and covariance of the codes (of a VAE, of their means) of the rows the
/// run was trained on.
fn fitted(
    trained: &TrainedModel,
    location: &DataLocation,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Fitted, Error> {
    let configuration = trained.configuration();
    let dataset = location.load(configuration, download)?;
    trained.folder().check_dataset(&dataset)?;
    let standardisation = trained.model().standardisation().cloned();
    let RunData { dataset, .. } = RunData::standardised(dataset, standardisation);
    let kept = training_rows(configuration, &dataset)?;
    let rows = treated(
        trained.treatment(None)?,
        images(&dataset.train).slice_rows(0..kept),
        configuration.data.test_seed,
    )?;
    let codes = trained.install(|| trained.model().encode(rows.images()));
    Ok(Fitted::to(codes.mean.view())?)
}
