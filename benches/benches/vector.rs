//! Elementwise functions, the loss, the optimiser, deviates and byte
//! conversion; the standard library's functions beside ours.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor_ops::adam::{AdamConstants, AdamStep, update};
use tensor_ops::panels::Panels;
use tensor_ops::random::{Stream, fill_normal};
use tensor_ops::{loss, vector};

/// Small enough for the cache nearest to the core.
const LENGTH: usize = 4096;

fn normal(len: usize, stream: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    fill_normal(&mut values, Stream::new(1, stream), 0);
    values
}

fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vector");
    group.throughput(Throughput::Elements(LENGTH as u64));
    let x: Vec<f32> = normal(LENGTH, 0).iter().map(|x| 4.0 * x).collect();
    let mut out = vec![0.0; LENGTH];
    macro_rules! function {
        ($name:ident) => {
            group.bench_function(stringify!($name), |bencher| {
                bencher.iter(|| vector::$name(&x, &mut out));
            });
        };
    }
    function!(exp);
    function!(ln);
    function!(log1p_unit);
    function!(sigmoid);
    function!(softplus);
    function!(tanh);
    function!(relu);
    type Scalar = fn(f32) -> f32;
    let std_functions: [(&str, Scalar); 3] = [
        ("std exp", f32::exp),
        ("std ln_1p", f32::ln_1p),
        ("std tanh", f32::tanh),
    ];
    for (name, function) in std_functions {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (out, &x) in out.iter_mut().zip(&x) {
                    *out = function(x);
                }
            });
        });
    }
    group.finish();
}

fn passes(criterion: &mut Criterion) {
    let shape = Panels::new(64, 784);
    let mut group = criterion.benchmark_group("passes");
    group.throughput(Throughput::Elements(shape.len() as u64));
    let start = normal(shape.len(), 1);
    let targets = vec![0.25; shape.len()];
    let (mut logits, mut row_loss) = (start.clone(), vec![0.0; shape.rows]);
    group.bench_function("bce_with_logits", |bencher| {
        bencher.iter(|| loss::bce_with_logits(shape, &mut logits, &targets, &mut row_loss));
    });
    group.bench_function("bce_with_logits_loss", |bencher| {
        bencher.iter(|| loss::bce_with_logits_loss(shape, &start, &targets, &mut row_loss));
    });
    let bytes: Vec<u8> = (0..shape.len()).map(|i| (i * 31 % 256) as u8).collect();
    group.bench_function("pack_bytes", |bencher| {
        bencher.iter(|| shape.pack_bytes(&bytes, &mut logits));
    });
    group.bench_function("fill_normal", |bencher| {
        bencher.iter(|| fill_normal(&mut logits, Stream::new(3, 0), 0));
    });
    group.finish();
}

fn adam(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adam");
    for len in [4096, 424_000] {
        group.throughput(Throughput::Elements(len as u64));
        let (mut p, g) = (normal(len, 4), normal(len, 5));
        let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
        let step = AdamStep::new(&AdamConstants::with_learning_rate(1e-3), 10);
        group.bench_function(format!("{len}"), |bencher| {
            bencher.iter(|| update(&mut p, &mut m, &mut v, &g, &step));
        });
    }
    group.finish();
}

criterion_group! {
    name = elementwise;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = functions, passes, adam
}
criterion_main!(elementwise);
