//! The hand-derived gradient against the tape and against finite differences.

mod reference;

use models::{Activation, GradientWorkspace, Gradients, ModelKind, Parameters, ValueBatch};
use reference::{Problem, largest_magnitude, largest_relative_error, spec};
use tensor_ops::parallel::ThreadPool;

const ARCHITECTURES: [&str; 4] = ["21-3", "21-18-3", "21-18-7-2", "19-17-9-6-17"];

fn every_problem() -> impl Iterator<Item = Problem> {
    let kinds = ModelKind::ALL.into_iter();
    kinds.flat_map(|kind| {
        [Activation::Relu, Activation::Tanh]
            .into_iter()
            .flat_map(move |activation| {
                ARCHITECTURES.into_iter().map(move |architecture| {
                    // The first seed whose hidden units all stay clear of relu's
                    // kink under the differences below.
                    let mut problems = (0..100)
                        .map(|seed| Problem::new(spec(kind, architecture, activation), 5, seed));
                    problems
                        .find(|problem| problem.evaluate(&problem.tensors()).kink_distance > 4e-3)
                        .unwrap()
                })
            })
    })
}

#[test]
fn losses_are_those_of_plain_loops() {
    for problem in every_problem() {
        let expected = problem.evaluate(&problem.tensors());
        for gradients in [Gradients::Hand, Gradients::Tape] {
            let (sums, _) = problem.gradient(gradients, 2);
            let expected = [
                expected.reconstruction.iter().sum(),
                expected.kl.iter().sum(),
            ];
            let error = largest_relative_error(&[sums.reconstruction, sums.kl], &expected, 1e-3);
            assert!(error < 1e-13, "{:?} {gradients}: {error}", problem.spec);
        }
    }
}

#[test]
fn hand_derived_and_tape_gradients_agree() {
    for problem in every_problem() {
        let (_, hand) = problem.gradient(Gradients::Hand, 2);
        let (_, tape) = problem.gradient(Gradients::Tape, 2);
        let scale = largest_magnitude(hand.as_slice());
        assert!(
            scale > 1e-3,
            "{:?}: a gradient of {scale} tests nothing",
            problem.spec
        );
        let error = largest_relative_error(hand.as_slice(), tape.as_slice(), 1e-3 * scale);
        assert!(error <= 1e-12, "{:?}: {error}", problem.spec);
    }
}

/// Five-point central differences, error O(h⁴): with h = 5e-4 truncation and
/// rounding both stay below 1e-10 of the largest component.
#[test]
fn hand_derived_gradients_are_those_of_finite_differences() {
    const STEP: f64 = 5e-4;
    for problem in every_problem() {
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
                    problem.evaluate(&tensors).mean_loss()
                };
                let (far, near) = (at(2.0) - at(-2.0), at(1.0) - at(-1.0));
                at(0.0);
                numeric.push((8.0 * near - far) / (12.0 * STEP));
            }
            let error = largest_relative_error(&gradient.values, &numeric, 1e-3 * scale);
            assert!(
                error <= 1e-7,
                "{:?} {}: {error}",
                problem.spec,
                gradient.name
            );
        }
    }
}

#[test]
fn gradients_do_not_depend_on_threads_or_row_blocks() {
    for gradients in [Gradients::Hand, Gradients::Tape] {
        let problem = Problem::new(spec(ModelKind::Vae, "37-20-7-3", Activation::Tanh), 11, 3);
        let (sums, one) = problem.gradient(gradients, 1);
        for threads in [2, 3, 4, 16] {
            let (more_sums, more) = problem.gradient(gradients, threads);
            assert_eq!(sums, more_sums, "{gradients} on {threads} threads");
            assert_eq!(one, more, "{gradients} on {threads} threads");
        }
    }
}

#[test]
fn padding_has_no_gradient_and_a_smaller_batch_leaves_nothing_behind() {
    let problem = Problem::new(spec(ModelKind::Vae, "37-20-3", Activation::Relu), 9, 4);
    let pool = ThreadPool::new(2).unwrap();
    let mut workspace =
        GradientWorkspace::new(&problem.spec, problem.layout.clone(), Gradients::Hand, 9, 2);
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
    for (position, value) in gradient.as_slice().iter().enumerate() {
        if problem.layout.tensor_at(position).is_none() {
            assert_eq!(*value, 0.0, "padding at {position}");
        }
    }
}

#[test]
fn single_precision_follows_double() {
    for problem in every_problem() {
        let (_, expected) = problem.gradient(Gradients::Hand, 1);
        let pixels: Vec<f32> = problem.pixels.iter().map(|&x| x as f32).collect();
        let noise: Vec<f32> = problem.noise.iter().map(|&x| x as f32).collect();
        let batch = ValueBatch {
            rows: problem.rows,
            pixels: &pixels,
            noise: &noise,
        };
        let pool = ThreadPool::new(1).unwrap();
        let mut workspace = GradientWorkspace::<f32>::new(
            &problem.spec,
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
