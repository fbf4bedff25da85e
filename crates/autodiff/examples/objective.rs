//! A new objective on the tape, checked against finite differences and then
//! minimised: a variational autoencoder whose KL is held at a capacity,
//! reconstruction + γ·|KL − C| (Burgess et al. 2018, eq. 8).
//!
//!     cargo run --release -p autodiff --example objective

#![allow(clippy::print_stdout)]

use autodiff::{Error, Tape, Var, check};
use ndarray::{Array2, ArrayD};
use tensor_ops::random::{Stream, fill_normal};

const IMAGES: usize = 64;
const PIXELS: usize = 16;
const LATENT: usize = 2;
/// Weight of the distance from the capacity, and the capacity in nats.
const WEIGHT: f64 = 10.0;
const CAPACITY: f64 = 1.5;

/// The loss in nats per image, and the KL, of the parameters: encoder weights
/// [PIXELS, 2·LATENT], decoder weights [LATENT, PIXELS] and biases [PIXELS].
fn loss(
    tape: &mut Tape<f64>,
    images: &Array2<f64>,
    noise: &Array2<f64>,
    [encoder, decoder, bias]: [Var; 3],
) -> Result<(Var, Var), Error> {
    let x = tape.constant(images.view())?;
    let epsilon = tape.constant(noise.view())?;
    let head = tape.matmul(x, encoder)?;
    let mean = tape.slice(head, 1, 0..LATENT)?;
    let log_variance = tape.slice(head, 1, LATENT..2 * LATENT)?;
    // z = μ + σε.
    let half = tape.scale(log_variance, 0.5)?;
    let deviation = tape.exp(half)?;
    let spread = tape.mul(deviation, epsilon)?;
    let z = tape.add(mean, spread)?;
    let product = tape.matmul(z, decoder)?;
    let logits = tape.add(product, bias)?;
    let cross_entropy = tape.bce_with_logits(logits, x)?;
    let reconstruction = tape.sum(cross_entropy)?;
    // KL = ½ Σ (μ² + σ² − log σ² − 1).
    let square = tape.square(mean)?;
    let variance = tape.exp(log_variance)?;
    let both = tape.add(square, variance)?;
    let less = tape.sub(both, log_variance)?;
    let terms = tape.offset(less, -1.0)?;
    let sum = tape.sum(terms)?;
    let per_image = 1.0 / images.nrows() as f64;
    let kl = tape.scale(sum, 0.5 * per_image)?;
    // |KL − C| as the root of its square, which is smooth away from C.
    let distance = tape.offset(kl, -CAPACITY)?;
    let squared = tape.square(distance)?;
    let positive = tape.offset(squared, 1e-12)?;
    let absolute = tape.sqrt(positive)?;
    let penalty = tape.scale(absolute, WEIGHT)?;
    let reconstruction = tape.scale(reconstruction, per_image)?;
    Ok((tape.add(reconstruction, penalty)?, kl))
}

fn normal(rows: usize, columns: usize, stream: u64, scale: f64) -> Array2<f64> {
    let mut values = Array2::zeros((rows, columns));
    fill_normal(
        values.as_slice_mut().expect("a new array"),
        Stream::new(7, stream),
        0,
    );
    values * scale
}

fn main() -> Result<(), Error> {
    // Images of four kinds.
    let images = Array2::from_shape_fn((IMAGES, PIXELS), |(row, pixel)| {
        f64::from(u8::from(pixel / 4 == row % 4))
    });
    let mut parameters = [
        normal(PIXELS, 2 * LATENT, 0, 0.3),
        normal(LATENT, PIXELS, 1, 0.3),
        Array2::zeros((1, PIXELS)),
    ];

    let noise = normal(IMAGES, LATENT, 2, 1.0);
    let inputs: Vec<ArrayD<f64>> = parameters.iter().map(|p| p.clone().into_dyn()).collect();
    let comparison = check::gradients(&inputs, |tape, inputs| {
        Ok(loss(tape, &images, &noise, [inputs[0], inputs[1], inputs[2]])?.0)
    })?;
    println!("tape against finite differences: {comparison}");
    assert!(comparison.relative_error < 1e-6);

    let mut tape = Tape::new();
    let mut last_kl = 0.0;
    for step in 0..3000u64 {
        // New noise in each step, and a step size that falls.
        let noise = normal(IMAGES, LATENT, 3 + step, 1.0);
        let rate = 0.02 / (1.0 + step as f64 / 300.0);
        tape.reset();
        let [encoder, decoder, bias] = &parameters;
        let variables = [
            tape.parameter(encoder.view())?,
            tape.parameter(decoder.view())?,
            tape.parameter(bias.view())?,
        ];
        let (total, kl) = loss(&mut tape, &images, &noise, variables)?;
        tape.backward(total)?;
        last_kl = tape.value(kl)?.iter().sum();
        if step % 1000 == 0 {
            let total: f64 = tape.value(total)?.iter().sum();
            println!("step {step}: loss {total:.3}, KL {last_kl:.3} nats");
        }
        for (parameter, variable) in parameters.iter_mut().zip(variables) {
            let gradient = tape.gradient(variable)?;
            for (value, slope) in parameter.iter_mut().zip(gradient.iter()) {
                *value -= rate * slope;
            }
        }
    }
    println!("KL {last_kl:.2} nats, held at {CAPACITY}");
    assert!((last_kl - CAPACITY).abs() < 0.2);
    Ok(())
}
