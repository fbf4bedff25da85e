//! A training step and a whole epoch of 784-256-2, batch 128, by thread count
//! and by what computes the gradient. Throughput is in images.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use datasets::glyphs;
use models::{Gradients, Initialisation, Likelihood, Model, ModelKind, ModelSpec};
use models::{Trainer, TrainingConfig};

/// Images of the epoch: that many of the embedded set, for an epoch of all
/// takes a second; a multiple of the batch, so that every step is a full one.
const IMAGES: usize = 128 * 100;

fn trainer(images: &Arc<[u8]>, threads: usize, gradients: Gradients) -> Trainer {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "784-256-2".parse().expect("well-formed widths"),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 0).expect("a valid model");
    let config = TrainingConfig {
        threads,
        gradients,
        ..TrainingConfig::standard(0)
    };
    Trainer::new(model, config, images.clone()).expect("a valid configuration")
}

fn training(criterion: &mut Criterion) {
    let split = glyphs::split(0..IMAGES);
    let images: Arc<[u8]> = split
        .bytes()
        .expect("glyphs are bytes")
        .iter()
        .copied()
        .collect();
    let processors = std::thread::available_parallelism().map_or(1, Into::into);
    let thread_counts: &[usize] = if processors > 1 { &[1, 2] } else { &[1] };

    let mut group = criterion.benchmark_group("training");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(5));
    for &threads in thread_counts {
        for gradients in [Gradients::Hand, Gradients::Tape] {
            let name = format!("{gradients}, {threads} threads");
            let mut warm = trainer(&images, threads, gradients);
            group.throughput(Throughput::Elements(128));
            group.bench_function(BenchmarkId::new("step", &name), |bencher| {
                bencher.iter(|| warm.step().expect("training stays finite"));
            });
            group.throughput(Throughput::Elements(IMAGES as u64));
            group.bench_function(BenchmarkId::new("epoch", &name), |bencher| {
                bencher.iter(|| warm.run_epoch(&mut |_| ()).expect("training stays finite"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, training);
criterion_main!(benches);
