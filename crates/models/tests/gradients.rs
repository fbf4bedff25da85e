//! The hand-derived gradient against the tape and against finite differences.

mod reference;

use std::sync::LazyLock;

use models::{
    Activation, Bound, GradientWorkspace, Gradients, Likelihood, ModelKind, ModelSpec, Objective,
    Parameters, PosteriorScale,
};
use rayon::prelude::*;
use reference::batch::ValueBatch;
use reference::{Problem, largest_magnitude, largest_relative_error, spec};
use tensor_ops::parallel::ThreadPool;

const ARCHITECTURES: [&str; 4] = ["21-3", "21-18-3", "21-18-7-2", "19-17-9-6-17"];

/// Every objective with every model it fits, both scales of the posterior
/// included.
fn every_objective(kind: ModelKind) -> Vec<(PosteriorScale, Objective)> {
    let plain = spec(kind, ARCHITECTURES[0], Activation::Relu);
    let mut objectives = varied_objectives(kind);
    let of_every_bound = Bound::ALL.into_iter().flat_map(|bound| {
        [1.0, 20.0].map(|beta| Objective {
            bound,
            beta,
            ..Objective::ELBO
        })
    });
    for objective in of_every_bound.filter(|objective| objective.validate(&plain).is_ok()) {
        if objectives.iter().all(|(_, one)| *one != objective) {
            objectives.push((PosteriorScale::LogVariance, objective));
        }
    }
    objectives
}

fn varied_objectives(kind: ModelKind) -> Vec<(PosteriorScale, Objective)> {
    let weighted = Objective {
        beta: 0.7,
        ..Objective::ELBO
    };
    let several = Objective {
        samples: 4,
        beta: 1.5,
        ..Objective::ELBO
    };
    let free_bits = Objective {
        beta: 2.0,
        free_bits: 0.3,
        ..Objective::ELBO
    };
    let free_bits_of_several = Objective {
        samples: 3,
        ..free_bits
    };
    let (variance, sigma) = (PosteriorScale::LogVariance, PosteriorScale::LogSigma);
    if kind.corruption() > 0.0 {
        let corrupted = Objective {
            corruption: kind.corruption(),
            ..Objective::ELBO
        };
        return vec![(variance, corrupted)];
    }
    if !kind.is_variational() {
        let mut objectives = vec![(variance, Objective::ELBO)];
        objectives.extend(kind.penalty_name().map(|_| (variance, weighted)));
        return objectives;
    }
    vec![
        (variance, Objective::ELBO),
        (sigma, Objective::ELBO),
        (variance, weighted),
        (sigma, several),
        (variance, several),
        (variance, free_bits),
        (sigma, free_bits_of_several),
        (variance, Objective::iwae(1)),
        (variance, Objective::iwae(5)),
        (sigma, Objective::iwae(3)),
    ]
}

fn likelihoods() -> Vec<Likelihood> {
    Likelihood::with_every_sigma(0.3)
}

/// Every model and objective: for the Bernoulli with every activation and
/// architecture, for the other likelihoods with one pair after the other, so
/// that each likelihood meets all eight.
fn every_case() -> Vec<(ModelSpec, Objective)> {
    let activations = [Activation::Relu, Activation::Tanh];
    let shapes: Vec<_> = activations
        .into_iter()
        .flat_map(|activation| ARCHITECTURES.map(|architecture| (architecture, activation)))
        .collect();
    let mut cases = Vec::new();
    for kind in ModelKind::ALL {
        for (scale, objective) in every_objective(kind) {
            for &(architecture, activation) in &shapes {
                let mut spec = spec(kind, architecture, activation);
                spec.posterior_scale = scale;
                cases.push((spec, objective));
            }
        }
    }
    let others = likelihoods().into_iter();
    let others = others.filter(|&one| one != Likelihood::Bernoulli);
    for (offset, likelihood) in others.enumerate() {
        let objectives = ModelKind::ALL.into_iter().flat_map(|kind| {
            let of_kind = every_objective(kind).into_iter();
            of_kind.map(move |(scale, objective)| (kind, scale, objective))
        });
        for (index, (kind, scale, objective)) in objectives.enumerate() {
            let (architecture, activation) = shapes[(index + 3 * offset) % shapes.len()];
            let mut spec = spec(kind, architecture, activation);
            spec.posterior_scale = scale;
            spec.likelihood = likelihood;
            cases.push((spec, objective));
        }
    }
    let corrupted = Objective {
        corruption: 0.4,
        ..Objective::ELBO
    };
    for (kind, architecture, activation) in [
        (ModelKind::Ae, "21-18-3", Activation::Relu),
        (ModelKind::Ae, "21-18-7-2", Activation::Tanh),
        (ModelKind::Vae, "21-18-3", Activation::Tanh),
    ] {
        cases.push((spec(kind, architecture, activation), corrupted));
    }
    cases
}

/// A problem of every case, for all tests.
static PROBLEMS: LazyLock<Vec<Problem>> = LazyLock::new(|| {
    let problem = |(spec, objective): (ModelSpec, Objective)| {
        // The first seed whose hidden units all stay clear of relu's kink,
        // KLs of free bits' and means of that of a density pointed at its mean,
        // under the differences below.
        let mut problems =
            (0..20_000).map(|seed| Problem::with_objective(spec.clone(), objective, 5, seed));
        problems
            .find(|problem| problem.evaluate(&problem.tensors()).kink_distance > 4e-3)
            .unwrap()
    };
    every_case().into_par_iter().map(problem).collect()
});

#[test]
fn losses_are_those_of_plain_loops() {
    for problem in &*PROBLEMS {
        let expected = problem.evaluate(&problem.tensors());
        for gradients in [Gradients::Hand, Gradients::Tape] {
            let (sums, _) = problem.gradient(gradients, 2);
            let expected = [
                expected.reconstruction.iter().sum(),
                expected.kl.iter().sum(),
                expected.loss * problem.rows as f64,
            ];
            let found = [sums.reconstruction, sums.kl, sums.loss];
            let error = largest_relative_error(&found, &expected, 1e-3);
            assert!(
                error < 1e-13,
                "{:?} {} {gradients}: {error}",
                problem.spec,
                problem.objective
            );
        }
    }
}

#[test]
fn free_bits_are_tested_above_and_below() {
    let (mut free, mut paid) = (0, 0);
    for problem in PROBLEMS.iter().filter(|one| one.objective.free_bits > 0.0) {
        for kl in problem.evaluate(&problem.tensors()).kl_by_dimension {
            if kl < problem.objective.free_bits {
                free += 1;
            } else {
                paid += 1;
            }
        }
    }
    assert!(free >= 10 && paid >= 10, "{free} free, {paid} paid");
}

#[test]
fn hand_derived_and_tape_gradients_agree() {
    for problem in &*PROBLEMS {
        let (_, hand) = problem.gradient(Gradients::Hand, 2);
        let (_, tape) = problem.gradient(Gradients::Tape, 2);
        let scale = largest_magnitude(hand.as_slice());
        assert!(
            scale > 1e-3,
            "{:?}: a gradient of {scale} tests nothing",
            problem.spec
        );
        let error = largest_relative_error(hand.as_slice(), tape.as_slice(), 1e-3 * scale);
        assert!(
            error <= 1e-12,
            "{:?} {}: {error}",
            problem.spec,
            problem.objective
        );
    }
}

/// The last batch of an epoch may be a single image.
#[test]
fn the_gradients_of_one_image_agree() {
    for (spec, objective) in every_case() {
        let problem = Problem::with_objective(spec, objective, 1, 7);
        let (hand_sums, hand) = problem.gradient(Gradients::Hand, 2);
        let (tape_sums, tape) = problem.gradient(Gradients::Tape, 2);
        let scale = largest_magnitude(hand.as_slice());
        let error = largest_relative_error(hand.as_slice(), tape.as_slice(), 1e-3 * scale);
        let case = format!("{:?} {objective}", problem.spec);
        assert!(error <= 1e-12, "{case}: {error}");
        let [hand, tape] = [hand_sums, tape_sums].map(|sums| [sums.loss, sums.kl]);
        let error = largest_relative_error(&hand, &tape, 1e-3);
        assert!(error <= 1e-12, "{case}: {error}");
    }
}

/// Five-point central differences, error O(h⁴): with h = 5e-4 truncation and
/// rounding both stay below 1e-10 of the largest component.
#[test]
fn hand_derived_gradients_are_those_of_finite_differences() {
    const STEP: f64 = 5e-4;
    PROBLEMS.par_iter().for_each(|problem| {
        let (_, hand) = problem.gradient(Gradients::Hand, 1);
        let hand = hand.named_tensors();
        let scale = hand
            .iter()
            .map(|tensor| largest_magnitude(&tensor.values))
            .fold(0.0, f64::max);
        let mut tensors = problem.tensors();
        for gradient in &hand {
            let mut numeric = Vec::with_capacity(gradient.values.len());
            for index in 0..gradient.values.len() {
                let value = tensors[&gradient.name].values[index];
                let mut at = |offset: f64| {
                    tensors.get_mut(&gradient.name).unwrap().values[index] = value + offset * STEP;
                    problem.evaluate(&tensors).loss
                };
                let (far, near) = (at(2.0) - at(-2.0), at(1.0) - at(-1.0));
                tensors.get_mut(&gradient.name).unwrap().values[index] = value;
                numeric.push((8.0 * near - far) / (12.0 * STEP));
            }
            let error = largest_relative_error(&gradient.values, &numeric, 1e-3 * scale);
            assert!(
                error <= 1e-7,
                "{:?} {} {}: {error}",
                problem.spec,
                problem.objective,
                gradient.name
            );
        }
    });
}

#[test]
fn gradients_do_not_depend_on_threads_or_row_blocks() {
    for gradients in [Gradients::Hand, Gradients::Tape] {
        for likelihood in likelihoods() {
            let of_kind = |kind| {
                every_objective(kind)
                    .into_iter()
                    .map(move |one| (kind, one))
            };
            for (kind, (scale, objective)) in ModelKind::ALL.into_iter().flat_map(of_kind) {
                let mut spec = spec(kind, "37-20-7-3", Activation::Tanh);
                spec.posterior_scale = scale;
                spec.likelihood = likelihood;
                let problem = Problem::with_objective(spec, objective, 11, 3);
                let (sums, one) = problem.gradient(gradients, 1);
                for threads in [2, 3, 4, 16] {
                    let (more_sums, more) = problem.gradient(gradients, threads);
                    let case =
                        format!("{kind} {likelihood} {objective}: {gradients}, {threads} threads");
                    assert_eq!(sums, more_sums, "{case}");
                    assert_eq!(one, more, "{case}");
                }
            }
        }
    }
}

/// With one sample and β = 1 the two engines meet the same terms in the same
/// order.
#[test]
fn the_plain_elbo_has_the_same_bits_by_hand_and_on_the_tape() {
    for scale in [PosteriorScale::LogVariance, PosteriorScale::LogSigma] {
        for activation in [Activation::Relu, Activation::Tanh] {
            let mut spec = spec(ModelKind::Vae, "37-20-7-3", activation);
            spec.posterior_scale = scale;
            let problem = Problem::new(spec, 11, 3);
            let (_, hand) = problem.gradient(Gradients::Hand, 2);
            let (_, tape) = problem.gradient(Gradients::Tape, 2);
            assert_eq!(hand, tape, "{scale} {activation}");
        }
    }
}

#[test]
fn padding_has_no_gradient_and_a_smaller_batch_leaves_nothing_behind() {
    let problem = Problem::new(spec(ModelKind::Vae, "37-20-3", Activation::Relu), 9, 4);
    let pool = ThreadPool::new(2).unwrap();
    let mut workspace = GradientWorkspace::new(
        &problem.spec,
        &problem.objective,
        problem.layout.clone(),
        Gradients::Hand,
        9,
        2,
    );
    let mut gradient = Parameters::zeros(problem.layout.clone());
    let few = ValueBatch {
        rows: 3,
        ..problem.batch()
    };
    pool.install(|| {
        workspace.forward_backward(&pool, &problem.parameters, &problem.batch());
        workspace.gradient(&pool, &mut gradient);
        workspace.forward_backward(&pool, &problem.parameters, &few);
        workspace.gradient(&pool, &mut gradient);
    });
    let alone = Problem {
        rows: 3,
        pixels: problem.pixels[..3 * 37].to_vec(),
        noise: problem.noise[..9].to_vec(),
        ..problem.clone()
    };
    assert_eq!(gradient, alone.gradient(Gradients::Hand, 2).1);
    let mut is_padding = vec![true; problem.layout.len()];
    for slot in problem.layout.tensors() {
        let len = slot.shape.iter().product();
        let of_tensor = vec![false; len];
        problem.layout.import(slot, &of_tensor, &mut is_padding);
    }
    assert!(is_padding.contains(&true));
    for (position, value) in gradient.as_slice().iter().enumerate() {
        if is_padding[position] {
            assert_eq!(*value, 0.0, "padding at {position}");
        }
    }
}

#[test]
fn single_precision_follows_double() {
    for problem in &*PROBLEMS {
        let (_, expected) = problem.gradient(Gradients::Hand, 1);
        let pixels: Vec<f32> = problem.pixels.iter().map(|&x| x as f32).collect();
        let noise: Vec<f32> = problem.noise.iter().map(|&x| x as f32).collect();
        let kept: Vec<f32> = problem.kept.iter().map(|&x| x as f32).collect();
        let batch = ValueBatch {
            rows: problem.rows,
            pixels: &pixels,
            noise: &noise,
            kept: &kept,
        };
        let pool = ThreadPool::new(1).unwrap();
        let mut workspace = GradientWorkspace::<f32>::new(
            &problem.spec,
            &problem.objective,
            problem.layout.clone(),
            Gradients::Hand,
            problem.rows,
            1,
        );
        let mut gradient = Parameters::zeros(problem.layout.clone());
        pool.install(|| {
            workspace.forward_backward(&pool, &problem.parameters.cast(), &batch);
            workspace.gradient(&pool, &mut gradient);
        });
        let gradient: Vec<f64> = gradient.as_slice().iter().map(|&g| f64::from(g)).collect();
        let scale = largest_magnitude(expected.as_slice());
        let error = largest_relative_error(&gradient, expected.as_slice(), scale);
        assert!(error <= 1e-5, "{:?}: {error}", problem.spec);
    }
}
