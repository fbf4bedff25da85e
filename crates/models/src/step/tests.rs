//! Every way through a step, small enough for an interpreter that watches each
//! access to memory.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::linear::RowBlock;
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::Stream;

use crate::images::PixelRows;
use crate::network::layout::Layout;
use crate::network::parameters::Parameters;
use crate::objective::BatchValue;
use crate::step::panel_groups::LayerGradients;
use crate::step::{Engine, GradientWorkspace, ImageLosses, LossSums, Losses};
use crate::training::batch::{BatchPixels, BatchSource, IndexedBatch};
use crate::{
    Bound, GaussianSigma, Gradients, Initialisation, Likelihood, Model, ModelKind, ModelSpec,
    Objective, Trainer, TrainingConfig,
};

const PIXELS: usize = 20;

/// Two steps, so that the second sees what the first has written.
fn parameters_after_two_steps(
    spec: &ModelSpec,
    objective: Objective,
    gradients: Gradients,
    threads: usize,
) -> Vec<u32> {
    let images: Arc<[u8]> = (0..10 * PIXELS).map(|i| (i * 37 % 256) as u8).collect();
    let config = TrainingConfig {
        batch: 5,
        objective,
        gradients,
        threads,
        ..TrainingConfig::standard(3)
    };
    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 1).unwrap();
    let mut trainer = Trainer::new(model, config, images).unwrap();
    for _ in 0..2 {
        trainer.step().unwrap();
    }
    let values = trainer.model().parameters().as_slice().iter();
    values.map(|value| value.to_bits()).collect()
}

#[test]
fn every_model_takes_the_same_tiny_steps_on_any_number_of_threads() {
    let wae = Objective {
        bound: Bound::Wae,
        ..Objective::ELBO
    };
    let lossy = Objective {
        corruption: ModelKind::Denoising.corruption(),
        ..Objective::ELBO
    };
    // 36 outputs are three panels, of which one thread owns one and the other two.
    for (kind, architecture, objective) in [
        (ModelKind::Vae, "20-36-3", Objective::ELBO),
        (ModelKind::Vae, "20-4-3", Objective::iwae(3)),
        (ModelKind::Denoising, "20-36-3", lossy),
        (ModelKind::Ae, "20-4-3", wae),
        (ModelKind::Vae, "20-4-3/3-5-2", Objective::iwae(2)),
    ] {
        let spec = ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let run =
            |gradients, threads| parameters_after_two_steps(&spec, objective, gradients, threads);
        // The interpreter takes half a minute for each.
        let more: &[usize] = if cfg!(miri) { &[2] } else { &[2, 3] };
        let on_tape = !cfg!(miri) || objective == Objective::ELBO;
        let ways = [(Gradients::Hand, more), (Gradients::Tape, &[2])];
        for (gradients, more) in ways.into_iter().take(1 + usize::from(on_tape)) {
            let one = run(gradients, 1);
            for &threads in more {
                assert!(
                    run(gradients, threads) == one,
                    "{kind} {architecture} {objective}: {gradients}, {threads} threads"
                );
            }
        }
    }
}

/// Blocks of any size, the last ones smaller or empty, and any number of threads,
/// changed from batch to batch, come to the losses and the gradient of one block on
/// one thread.
#[test]
fn blocks_and_threads_cannot_be_seen_in_losses_and_gradient() {
    let with = |change: fn(&mut Objective)| {
        let mut objective = Objective::ELBO;
        change(&mut objective);
        objective
    };
    let free_bits = with(|objective| objective.free_bits = 0.3);
    let of_two = Objective {
        samples: 2,
        ..free_bits
    };
    let wae = with(|objective| objective.bound = Bound::Wae);
    let cases = [
        (ModelKind::Vae, "20-36-3", "bernoulli", free_bits),
        (ModelKind::Vae, "20-36-3", "gaussian/1", of_two),
        (ModelKind::Ae, "20-36-3", "bernoulli", wae),
        (ModelKind::Vae, "20-36-3", "gaussian/1", Objective::iwae(3)),
        (ModelKind::Vae, "20-3", "laplace/1", Objective::ELBO),
        // With a learned σ nine layers, of which eight threads have 72 parts.
        (
            ModelKind::Vae,
            "20-4-3/3-5-2",
            "gaussian/1",
            Objective::iwae(2),
        ),
    ];
    for (kind, architecture, likelihood, objective) in cases {
        let likelihood: Likelihood = likelihood.parse().unwrap();
        let sigmas = [
            GaussianSigma::Scalar,
            GaussianSigma::PerPixel,
            GaussianSigma::Decoder,
            GaussianSigma::Fixed(0.5),
        ];
        let of_sigmas = sigmas
            .into_iter()
            .filter_map(|sigma| likelihood.with_sigma(sigma));
        let mut likelihoods: Vec<Likelihood> = of_sigmas.collect();
        if likelihoods.is_empty() {
            likelihoods.push(likelihood);
        }
        if cfg!(miri) {
            likelihoods.truncate(1);
        }
        for likelihood in likelihoods {
            let spec = ModelSpec {
                kind,
                architecture: architecture.parse().unwrap(),
                likelihood,
                posterior_scale: Default::default(),
            };
            let case = format!("{kind} {architecture} {likelihood} {objective}");
            assert_blocks_and_threads_are_invisible(&spec, &objective, &case);
        }
    }
}

fn assert_blocks_and_threads_are_invisible(spec: &ModelSpec, objective: &Objective, case: &str) {
    let capacity = 8;
    let bytes: Vec<u8> = (0..capacity * PIXELS)
        .map(|i| (i * 37 % 256) as u8)
        .collect();
    let indices: Vec<u32> = (0..capacity as u32).collect();
    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 1).unwrap();
    let layout = model.parameters().layout();
    let run = |workspace: &mut GradientWorkspace<f32>, pool: &ThreadPool, rows: usize| {
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Bytes(&bytes)),
            indices: &indices[..rows],
            noise: Stream::new(1, 1),
            noise_offset: 0,
            corruption: (Stream::new(1, 2), 0),
        };
        let sums = workspace.forward_backward(pool, model.parameters(), &batch);
        let mut gradient = Parameters::zeros(layout.clone());
        workspace.gradient(pool, &mut gradient);
        let values = gradient.as_slice().iter();
        let bits: Vec<u32> = values.map(|value| value.to_bits()).collect();
        (sums, bits)
    };
    let workspace = |images: usize, threads: usize| {
        let rows = (capacity, images);
        let hand = Gradients::Hand;
        GradientWorkspace::in_blocks(spec, objective, layout.clone(), hand, rows, threads)
    };
    let alone = ThreadPool::new(1).unwrap();
    let most = if cfg!(miri) { 2 } else { 8 };
    let pool = ThreadPool::new(most).unwrap();
    let sizes: &[usize] = if cfg!(miri) { &[3] } else { &[8, 3, 2] };
    for &images in sizes {
        let mut shared = workspace(images, most);
        // Of seven images the last block has one, of three the last ones none.
        for rows in [7, 3] {
            let expected = run(&mut workspace(capacity, 1), &alone, rows);
            for threads in (1..=most).rev() {
                shared.set_threads(threads);
                let found = run(&mut shared, &pool, rows);
                assert_eq!(
                    found.0, expected.0,
                    "{case}: {rows} by {images}, {threads} threads"
                );
                assert!(
                    found.1 == expected.1,
                    "{case}: another gradient of {rows} by {images}, {threads} threads"
                );
            }
        }
    }
}

#[test]
fn sums_of_losses_are_added_and_their_means_are_by_image() {
    let mut sums = LossSums {
        images: 3,
        reconstruction: 12.0,
        kl: 5.0,
        loss: 14.5,
    };
    sums.add(&LossSums {
        images: 5,
        reconstruction: 28.0,
        kl: -1.0,
        loss: 9.5,
    });
    let expected = LossSums {
        images: 8,
        reconstruction: 40.0,
        kl: 4.0,
        loss: 24.0,
    };
    assert_eq!(sums, expected);
    let means = Losses {
        loss: 3.0,
        reconstruction: 5.0,
        kl: 0.5,
    };
    assert_eq!(sums.means(), means);
    let nothing = LossSums::default().means();
    assert_eq!(
        (nothing.loss, nothing.reconstruction, nothing.kl),
        (0.0, 0.0, 0.0)
    );
    assert!(sums.is_finite());
    for odd in [f64::NAN, f64::INFINITY] {
        for change in [
            |sums: &mut LossSums, odd| sums.reconstruction = odd,
            |sums: &mut LossSums, odd| sums.kl = odd,
            |sums: &mut LossSums, odd| sums.loss = odd,
        ] {
            let mut sums = sums;
            change(&mut sums, odd);
            assert!(!sums.is_finite(), "{sums:?}");
        }
    }
}

fn tiny_workspace(gradients: Gradients, threads: usize) -> GradientWorkspace<f32> {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "20-4-3".parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let layout = Arc::new(Layout::new(&spec));
    GradientWorkspace::new(&spec, &Objective::ELBO, layout, gradients, 6, threads)
}

#[test]
fn batches_are_taken_by_as_many_threads_as_were_asked_for_and_there_are() {
    let mut workspace = tiny_workspace(Gradients::Hand, 5);
    assert_eq!((workspace.most_threads(), workspace.next_threads), (5, 5));
    for (asked, threads) in [(3, 3), (0, 1), (5, 5), (6, 5)] {
        workspace.set_threads(asked);
        assert_eq!(workspace.next_threads, threads);
    }
    assert_eq!(tiny_workspace(Gradients::Hand, 0).most_threads(), 1);
    // The tape has a block for each and no choice.
    let mut on_tape = tiny_workspace(Gradients::Tape, 5);
    assert_eq!(on_tape.most_threads(), 1);
    on_tape.set_threads(4);
    assert_eq!(on_tape.next_threads, 1);
}

/// Losses without a model that has them.
#[derive(Debug)]
struct Given {
    layout: Layout,
    images: Vec<ImageLosses>,
}

impl LayerGradients<f32> for Given {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn with_row_blocks(
        &self,
        _: usize,
        _: &Range<usize>,
        _: &mut dyn FnMut(&[RowBlock<'_, f32>]),
    ) -> bool {
        false
    }
}

impl Engine<f32> for Given {
    fn set_threads(&mut self, _: usize) {}

    fn run(
        &mut self,
        _: &ThreadPool,
        _: &Parameters<f32>,
        _: &dyn BatchSource<f32>,
        _: f64,
    ) -> Option<BatchValue> {
        None
    }

    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses)) {
        self.images.iter().copied().for_each(each);
    }

    fn first_non_finite_output(&self) -> Option<usize> {
        None
    }
}

#[test]
fn the_term_of_a_loss_that_is_not_finite_is_named() {
    const NAN: f64 = f64::NAN;
    const INFINITY: f64 = f64::INFINITY;
    /// Reconstruction, penalty and loss of an image.
    type Terms = (f64, f64, Option<f64>);
    // Of two images, in either order.
    let cases: [([Terms; 2], &str); 7] = [
        ([(NAN, 2.0, None), (1.0, 2.0, None)], "reconstruction"),
        ([(1.0, -INFINITY, None), (1.0, 2.0, None)], "kl"),
        ([(NAN, 2.0, None), (1.0, NAN, None)], "kl"),
        ([(1.0, NAN, Some(NAN)), (1.0, 2.0, Some(3.0))], "kl"),
        (
            [(1.0, 2.0, Some(NAN)), (1.0, 2.0, Some(3.0))],
            "log weights",
        ),
        ([(1.0, 2.0, Some(NAN)), (1.0, 2.0, None)], "log weights"),
        (
            [(INFINITY, 2.0, Some(NAN)), (1.0, 2.0, Some(3.0))],
            "reconstruction",
        ),
    ];
    for (images, expected) in cases {
        let [first, second] = images;
        for order in [[first, second], [second, first]] {
            let mut workspace = tiny_workspace(Gradients::Hand, 1);
            let of_image = |(reconstruction, penalty, loss)| ImageLosses {
                reconstruction,
                penalty,
                loss,
            };
            workspace.engine = Box::new(Given {
                layout: (*workspace.layout).clone(),
                images: order.into_iter().map(of_image).collect(),
            });
            let parameters = Parameters::zeros(workspace.layout.clone());
            assert_eq!(
                workspace.first_non_finite(&parameters),
                expected,
                "{order:?}"
            );
        }
    }
}
