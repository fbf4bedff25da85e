//! Where the margins of docs/RULES.md come from that need a trained model: what two
//! halves of the real test images differ by, of models that the rules are about.

// Told with --nocapture: the margins are these, rounded up.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup};
use evaluation::gaps::gaps;
use figures::{PlannedRun, TrainedRun};
use models::Images;
use ndarray::{Array2, Axis};
use runs::configuration::{Configuration, Override};
use runs::interrupt::Interrupt;
use runs::jobs::Share;
use runs::run_data::images;
use runs::run_folder::RunFolder;
use runs::training::{CHECKPOINT_EVERY, Run};

/// Cells a side and share left out, as the rules count gaps.
const GAPS: (usize, f64) = (50, 0.01);
/// Ways in which the test images are halved.
const HALVES: u64 = 20;

fn trained(dataset: &Dataset, folder: &Path, preset: &str, seed: u64) -> TrainedRun {
    let set = |text: String| Override::parse(&text).unwrap();
    let overrides = [
        set("training.epochs=20".into()),
        set(format!("training.seed={seed}")),
    ];
    let mut configuration = Configuration::resolve(Some(preset), None, &overrides).unwrap();
    configuration.data.dataset.clone_from(&dataset.name);
    let configuration = configuration.of_shape(dataset).unwrap();
    let folder = RunFolder::at(folder.join(format!("{preset}-{seed}")));
    let run = Run {
        configuration: &configuration,
        dataset,
        standardisation: None,
        threads: Share::of(2),
        checkpoint_every: CHECKPOINT_EVERY,
        folder: folder.clone(),
        command: "margins",
    };
    run.complete(&Interrupt::default(), &mut ()).unwrap();
    TrainedRun::load(PlannedRun::new("m", configuration), folder, dataset).unwrap()
}

/// The rows of both halves of `count` images, halved at random.
fn halves(count: usize, seed: u64) -> [Vec<usize>; 2] {
    let mut keys = vec![0.0f64; count];
    let stream = tensor_ops::random::Stream::new(seed, 0x4d41_5247);
    tensor_ops::random::fill_uniform(&mut keys, stream, 0);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    let second = order.split_off(count / 2);
    [order, second]
}

fn losses(run: &TrainedRun, test: Images<'_>) -> Vec<f64> {
    let codes = run.encode(test).mean;
    let losses = run.model.reconstruction_losses(codes.view(), test);
    losses.iter().map(|&loss| f64::from(loss)).collect()
}

fn excess(codes: &Array2<f32>) -> f64 {
    let found = gaps(codes.view(), GAPS.0, GAPS.1, 0).unwrap();
    found.empty_share - found.normal_reference
}

/// 1.96 standard deviations of differences whose mean is known to be 0.
fn ninety_five(differences: &[f64]) -> f64 {
    let squares: f64 = differences.iter().map(|value| value * value).sum();
    1.96 * (squares / differences.len() as f64).sqrt()
}

#[test]
#[ignore = "trains four models on MNIST, which LATENT_ATLAS_DATA must name; a minute"]
fn margins_are_what_halves_of_real_images_differ_by() {
    let lookup = Lookup {
        environment_dir: std::env::var_os("LATENT_ATLAS_DATA").map(PathBuf::from),
        offline: true,
        ..Lookup::default()
    };
    let dataset = datasets::load("mnist", &lookup, &mut |_| {}).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut of_gaps, mut of_losses) = (Vec::new(), Vec::new());
    for seed in 0..2 {
        let shallow = trained(&dataset, folder.path(), "vae-2d", seed);
        let deep = trained(&dataset, folder.path(), "vae-2d-deep", seed);
        let codes = shallow.encode(images(&dataset.test)).mean;
        let losses = losses(&deep, images(&dataset.test));
        let mean =
            |rows: &[usize]| rows.iter().map(|&row| losses[row]).sum::<f64>() / rows.len() as f64;
        let (mut gaps, mut nats) = (Vec::new(), Vec::new());
        for halving in 0..HALVES {
            let both = halves(codes.nrows(), halving);
            let [first, second] = both
                .each_ref()
                .map(|rows| excess(&codes.select(Axis(0), rows)));
            gaps.push(first - second);
            nats.push(mean(&both[0]) - mean(&both[1]));
        }
        println!(
            "seed {seed}: gaps {:.4}, nats {:.3}",
            ninety_five(&gaps),
            ninety_five(&nats)
        );
        of_gaps.push(ninety_five(&gaps));
        of_losses.push(ninety_five(&nats));
    }
    // What docs/RULES.md states, rounded up.
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    assert!((0.02..=0.03).contains(&largest(&of_gaps)), "{of_gaps:?}");
    assert!((2.0..=2.5).contains(&largest(&of_losses)), "{of_losses:?}");
}
