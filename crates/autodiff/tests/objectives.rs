//! Whole objectives: an ELBO and an importance-weighted bound, end to end.

mod data;

use autodiff::{Activation, Error, Float, Tape, Var};
use data::assert_gradients;
use data::objectives::{
    HIDDEN, IMAGES, LATENT, PIXELS, SAMPLES, images, negative_elbo, negative_iwae_bound, noise,
    parameters,
};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix1, Ix2, Zip};

#[derive(Clone, Copy, Debug)]
enum Objective {
    Elbo,
    Iwae,
}

fn record<T: Float>(
    tape: &mut Tape<'_, T>,
    objective: Objective,
    p: &[Var],
    activation: Activation,
) -> Result<Var, Error> {
    let cast = |array: ArrayD<f64>| array.mapv(T::from_f64);
    let x = tape.constant(cast(images()).view())?;
    match objective {
        Objective::Elbo => {
            let noise = tape.constant(cast(noise(1)).view())?;
            negative_elbo(tape, p, x, noise, activation)
        }
        Objective::Iwae => {
            let noise = tape.constant(cast(noise(SAMPLES)).view())?;
            negative_iwae_bound(tape, p, x, noise, SAMPLES, activation)
        }
    }
}

fn loss_and_gradients<T: Float>(
    tape: &mut Tape<'static, T>,
    objective: Objective,
    activation: Activation,
) -> (T, Vec<ArrayD<T>>) {
    tape.reset();
    let p: Vec<Var> = parameters()
        .into_iter()
        .map(|p| tape.parameter(p.mapv(T::from_f64).view()).unwrap())
        .collect();
    let loss = record(tape, objective, &p, activation).unwrap();
    tape.backward(loss).unwrap();
    let gradients = p
        .iter()
        .map(|&p| tape.gradient(p).unwrap().to_owned())
        .collect();
    (tape.item(loss).unwrap(), gradients)
}

#[test]
fn gradients_agree_with_finite_differences() {
    for objective in [Objective::Elbo, Objective::Iwae] {
        for activation in Activation::ALL {
            assert_gradients((objective, activation), &parameters(), |tape, p| {
                record(tape, objective, p, activation)
            });
        }
    }
}

/// The kinks of the ReLU networks are further away than the steps reach.
#[test]
fn no_unit_is_near_its_kink() {
    let p = parameters();
    let matrix = |i: usize| p[i].clone().into_dimensionality::<Ix2>().unwrap();
    let vector = |i: usize| p[i].clone().into_dimensionality::<Ix1>().unwrap();
    let x = images().into_dimensionality::<Ix2>().unwrap();
    let first = x.dot(&matrix(0).t()) + vector(1);
    let heads = first.mapv(|a| a.max(0.0)).dot(&matrix(2).t()) + vector(3);
    let mut arguments: Vec<f64> = first.iter().copied().collect();
    for noise in [noise(1), noise(SAMPLES)] {
        for noise in noise.outer_iter() {
            let noise = noise.into_dimensionality::<Ix2>().unwrap();
            let (mean, log_variance) = heads.view().split_at(Axis(1), LATENT);
            let codes = Zip::from(&mean)
                .and(&log_variance)
                .and(&noise)
                .map_collect(|m, l, e| m + (0.5 * l).exp() * e);
            arguments.extend(codes.dot(&matrix(4).t()) + vector(5));
        }
    }
    let nearest = arguments
        .iter()
        .fold(1.0_f64, |nearest, a| nearest.min(a.abs()));
    assert!(nearest > 0.015, "{nearest}");
    assert!(arguments.iter().any(|&a| a > 0.0) && arguments.iter().any(|&a| a < 0.0));
}

#[test]
fn elbo_value_follows_the_formula() {
    let p = parameters();
    let matrix = |i: usize| p[i].clone().into_dimensionality::<Ix2>().unwrap();
    let vector = |i: usize| p[i].clone().into_dimensionality::<Ix1>().unwrap();
    let x = images().into_dimensionality::<Ix2>().unwrap();
    let noise = noise(1).index_axis(Axis(0), 0).to_owned();
    let hidden = (x.dot(&matrix(0).t()) + vector(1)).mapv(f64::tanh);
    let heads = hidden.dot(&matrix(2).t()) + vector(3);
    let (mean, log_variance) = heads.view().split_at(Axis(1), LATENT);
    let codes = Zip::from(&mean)
        .and(&log_variance)
        .and(&noise.into_dimensionality::<Ix2>().unwrap())
        .map_collect(|m, l, e| m + (0.5 * l).exp() * e);
    let hidden = (codes.dot(&matrix(4).t()) + vector(5)).mapv(f64::tanh);
    let probabilities: Array2<f64> =
        (hidden.dot(&matrix(6).t()) + vector(7)).mapv(|l| 1.0 / (1.0 + (-l).exp()));
    let reconstruction: f64 = Zip::from(&probabilities).and(&x).fold(0.0, |sum, p, x| {
        sum - x * p.ln() - (1.0 - x) * (1.0 - p).ln()
    });
    let kl: f64 = Zip::from(&mean)
        .and(&log_variance)
        .fold(0.0, |sum, m, l| sum + 0.5 * (m * m + l.exp() - l - 1.0));
    let expected = (reconstruction + kl) / IMAGES as f64;
    let (loss, gradients) =
        loss_and_gradients(&mut Tape::<f64>::new(), Objective::Elbo, Activation::Tanh);
    assert!(
        (loss - expected).abs() < 1e-13 * expected,
        "{loss} {expected}"
    );
    assert_eq!(gradients[0].shape(), [HIDDEN, PIXELS]);
    // By hand: the output bias collects σ(l) − x, averaged over images.
    let by_hand: Array1<f64> = (&probabilities - &x).mean_axis(Axis(0)).unwrap();
    for (g, e) in gradients[7].iter().zip(&by_hand) {
        assert!((g - e).abs() < 1e-14);
    }
}

#[test]
fn the_bound_tightens_with_more_samples_of_the_same_weight() {
    // With all K weights equal the bound equals that of one sample.
    let mut tape = Tape::<f64>::new();
    let p: Vec<Var> = parameters()
        .into_iter()
        .map(|p| tape.constant(p.view()).unwrap())
        .collect();
    let x = tape.constant(images().view()).unwrap();
    let one = tape.constant(noise(1).view()).unwrap();
    let repeated = tape.broadcast_to(one, &[SAMPLES, IMAGES, LATENT]).unwrap();
    let single = negative_iwae_bound(&mut tape, &p, x, one, 1, Activation::Relu).unwrap();
    let many = negative_iwae_bound(&mut tape, &p, x, repeated, SAMPLES, Activation::Relu).unwrap();
    let (single, many) = (tape.item(single).unwrap(), tape.item(many).unwrap());
    assert!((single - many).abs() < 1e-13 * single);
}

#[test]
fn f32_agrees_with_f64() {
    for objective in [Objective::Elbo, Objective::Iwae] {
        for activation in Activation::ALL {
            let (single, single_gradients) =
                loss_and_gradients(&mut Tape::<f32>::new(), objective, activation);
            let (double, double_gradients) =
                loss_and_gradients(&mut Tape::<f64>::new(), objective, activation);
            assert!((f64::from(single) / double - 1.0).abs() < 1e-6);
            for (single, double) in single_gradients.iter().zip(&double_gradients) {
                let largest = double
                    .iter()
                    .fold(0.0_f64, |largest, g| largest.max(g.abs()));
                for (s, d) in single.iter().zip(double) {
                    assert!(
                        (f64::from(*s) - d).abs() < 3e-6 * largest,
                        "{objective:?} {activation}: {s} {d}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_tape_used_again_gives_the_same_bits() {
    let mut tape = Tape::<f32>::new();
    let mut fresh = Vec::new();
    for objective in [Objective::Elbo, Objective::Iwae] {
        for activation in Activation::ALL {
            fresh.push(loss_and_gradients(
                &mut Tape::<f32>::new(),
                objective,
                activation,
            ));
        }
    }
    // Programs of different shapes follow each other in the same buffers.
    for _ in 0..2 {
        let mut expected = fresh.iter();
        for objective in [Objective::Elbo, Objective::Iwae] {
            for activation in Activation::ALL {
                let again = loss_and_gradients(&mut tape, objective, activation);
                assert_eq!(Some(&again), expected.next());
            }
        }
    }
}
