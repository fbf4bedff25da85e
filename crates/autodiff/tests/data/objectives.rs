//! The negative ELBO of a small VAE and the negative IWAE bound, for any float.

use autodiff::{Activation, Error, Float, Tape, Var};
use ndarray::ArrayD;

use super::{normal, uniform};

pub(crate) const IMAGES: usize = 3;
pub(crate) const PIXELS: usize = 7;
pub(crate) const HIDDEN: usize = 5;
pub(crate) const LATENT: usize = 2;
pub(crate) const SAMPLES: usize = 4;

/// A seed for which no unit of a ReLU network comes near its kink.
const SEED: u64 = 2000;

/// Weights `[outputs, inputs]` and biases of encoder, heads (μ then log σ²),
/// decoder and output layer.
pub(crate) fn parameters() -> Vec<ArrayD<f64>> {
    let mut parameters = Vec::new();
    for (seed, (inputs, outputs)) in [
        (PIXELS, HIDDEN),
        (HIDDEN, 2 * LATENT),
        (LATENT, HIDDEN),
        (HIDDEN, PIXELS),
    ]
    .into_iter()
    .enumerate()
    {
        let seed = SEED + 2 * seed as u64;
        let bound = 1.5 / (inputs as f64).sqrt();
        parameters.push(uniform(&[outputs, inputs], -bound, bound, seed));
        parameters.push(uniform(&[outputs], -bound, bound, seed + 1));
    }
    parameters
}

pub(crate) fn images() -> ArrayD<f64> {
    uniform(&[IMAGES, PIXELS], 0.0, 1.0, SEED + 20)
}

pub(crate) fn noise(samples: usize) -> ArrayD<f64> {
    normal(&[samples, IMAGES, LATENT], SEED + 21)
}

/// Mean over images of reconstruction + KL, Kingma & Welling (2014), eq. 10,
/// with one reparameterised sample and KL = ½ Σ (μ² + σ² − log σ² − 1).
pub(crate) fn negative_elbo<T: Float>(
    tape: &mut Tape<'_, T>,
    p: &[Var],
    images: Var,
    noise: Var,
    activation: Activation,
) -> Result<Var, Error> {
    let (mean, log_variance) = encode(tape, p, images, activation)?;
    let noise = tape.reshape(noise, &[IMAGES, LATENT])?;
    let codes = sample(tape, mean, log_variance, noise)?;
    let logits = decode(tape, p, codes, activation)?;
    let reconstruction = tape.bce_with_logits(logits, images)?;
    let reconstruction = tape.sum_axes(reconstruction, &[1])?;
    let variance = tape.exp(log_variance)?;
    let square = tape.square(mean)?;
    let kl = tape.add(square, variance)?;
    let kl = tape.sub(kl, log_variance)?;
    let kl = tape.offset(kl, -T::ONE)?;
    let kl = tape.scale(kl, T::from_f64(0.5))?;
    let kl = tape.sum_axes(kl, &[1])?;
    let total = tape.add(reconstruction, kl)?;
    tape.mean(total)
}

/// Mean over images of −log (1/K) Σ_k p(x | z_k) p(z_k) / q(z_k | x), Burda,
/// Grosse & Salakhutdinov (2016), eq. 8.
pub(crate) fn negative_iwae_bound<T: Float>(
    tape: &mut Tape<'_, T>,
    p: &[Var],
    images: Var,
    noise: Var,
    samples: usize,
    activation: Activation,
) -> Result<Var, Error> {
    let half = T::from_f64(0.5);
    let (mean, log_variance) = encode(tape, p, images, activation)?;
    let codes = sample(tape, mean, log_variance, noise)?;
    let rows = tape.reshape(codes, &[samples * IMAGES, LATENT])?;
    let logits = decode(tape, p, rows, activation)?;
    let logits = tape.reshape(logits, &[samples, IMAGES, PIXELS])?;
    let loss = tape.bce_with_logits(logits, images)?;
    let loss = tape.sum_axes(loss, &[2])?;
    // log p(z) − log q(z|x) = ½ Σ (ε² + log σ² − z²): the constants cancel.
    let prior = tape.square(codes)?;
    let posterior = tape.square(noise)?;
    let posterior = tape.add(posterior, log_variance)?;
    let ratio = tape.sub(posterior, prior)?;
    let ratio = tape.sum_axes(ratio, &[2])?;
    let ratio = tape.scale(ratio, half)?;
    let log_weights = tape.sub(ratio, loss)?;
    let bound = tape.logsumexp(log_weights, 0)?;
    let bound = tape.offset(bound, -T::from_f64((samples as f64).ln()))?;
    let bound = tape.mean(bound)?;
    tape.neg(bound)
}

fn encode<T: Float>(
    tape: &mut Tape<'_, T>,
    p: &[Var],
    images: Var,
    activation: Activation,
) -> Result<(Var, Var), Error> {
    let hidden = tape.linear(images, p[0], p[1], activation)?;
    let heads = tape.linear(hidden, p[2], p[3], Activation::Identity)?;
    let mean = tape.slice(heads, 1, 0..LATENT)?;
    let log_variance = tape.slice(heads, 1, LATENT..2 * LATENT)?;
    Ok((mean, log_variance))
}

fn sample<T: Float>(
    tape: &mut Tape<'_, T>,
    mean: Var,
    log_variance: Var,
    noise: Var,
) -> Result<Var, Error> {
    let deviation = tape.scale(log_variance, T::from_f64(0.5))?;
    let deviation = tape.exp(deviation)?;
    let scaled = tape.mul(noise, deviation)?;
    tape.add(scaled, mean)
}

fn decode<T: Float>(
    tape: &mut Tape<'_, T>,
    p: &[Var],
    codes: Var,
    activation: Activation,
) -> Result<Var, Error> {
    let hidden = tape.linear(codes, p[4], p[5], activation)?;
    tape.linear(hidden, p[6], p[7], Activation::Identity)
}
