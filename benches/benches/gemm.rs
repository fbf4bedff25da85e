//! Layer products and row-major products, with matrixmultiply and gemm beside
//! them. Single-threaded; throughput is in floating-point operations, to be
//! read against `tensor_ops::peak::fma_peak_gflops`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tensor_ops::Activation;
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nn, nt, tn};
use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, forward, forward_sparse, input_gradient, weight_gradient,
};
use tensor_ops::panels::Support;
use tensor_ops::random::{Stream, fill_normal};

/// Batch rows, inputs, outputs: the layers of the reference architectures.
const LAYERS: [(usize, usize, usize); 8] = [
    (128, 784, 256),
    (64, 784, 256),
    (64, 256, 784),
    (64, 784, 400),
    (64, 256, 4),
    (64, 2, 256),
    (10, 784, 200),
    (10, 200, 784),
];

fn normal(len: usize, stream: u64) -> Vec<f32> {
    let mut values = vec![0.0; len];
    fill_normal(&mut values, Stream::new(1, stream), 0);
    values
}

fn operations((m, k, n): (usize, usize, usize)) -> Throughput {
    Throughput::Elements(2 * (m * k * n) as u64)
}

fn layers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    for (rows, inputs, outputs) in LAYERS {
        let shape = LinearShape {
            rows,
            inputs,
            outputs,
        };
        let name = format!("{rows}x{inputs}x{outputs}");
        group.throughput(operations((rows, inputs, outputs)));
        let (x, weight) = (normal(shape.x().len(), 0), normal(shape.weight().len(), 1));
        let (bias, dy) = (
            normal(shape.y().padded_cols(), 2),
            normal(shape.y().len(), 3),
        );
        let mut y = vec![0.0; shape.y().len()];
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher.iter(|| forward(shape, &x, &weight, &bias, Activation::Relu, &mut y));
        });
        let (mut dx, mut scratch) = (vec![0.0; x.len()], LinearScratch::new());
        group.bench_function(BenchmarkId::new("input_gradient", &name), |bencher| {
            bencher.iter(|| {
                let relu = Activation::Relu;
                input_gradient(shape, &dy, &weight, &x, relu, &mut dx, &mut scratch);
            });
        });
        let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
        let block = [RowBlock {
            rows,
            x: &x,
            dy: &dy,
            support: None,
        }];
        group.bench_function(BenchmarkId::new("weight_gradient", &name), |bencher| {
            bencher.iter(|| {
                let panels = 0..shape.y().panel_count();
                weight_gradient(inputs, outputs, panels, &block, 1.0, &mut dw, &mut db);
            });
        });
    }
    group.finish();
}

/// The first layer on inputs of which four fifths are zero in runs, as in
/// images of digits; throughput counts the dense work.
fn zeros(criterion: &mut Criterion) {
    let (rows, inputs, outputs) = (64, 784, 256);
    let shape = LinearShape {
        rows,
        inputs,
        outputs,
    };
    let mut x = normal(shape.x().len(), 0);
    for (line, values) in x.chunks_exact_mut(4).enumerate() {
        if !Stream::new(2, 0).word(line as u64).is_multiple_of(5) {
            values.fill(0.0);
        }
    }
    let (weight, bias) = (
        normal(shape.weight().len(), 1),
        normal(shape.y().padded_cols(), 2),
    );
    let dy = normal(shape.y().len(), 3);
    let mut y = vec![0.0; shape.y().len()];
    let mut support = Support::new();
    support.scan(shape.x(), &x);

    let mut group = criterion.benchmark_group("zeros");
    group.throughput(operations((rows, inputs, outputs)));
    group.bench_function("forward_sparse", |bencher| {
        let relu = Activation::Relu;
        bencher.iter(|| forward_sparse(shape, &x, &support, &weight, &bias, relu, &mut y));
    });
    let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; bias.len()]);
    let block = [RowBlock {
        rows,
        x: &x,
        dy: &dy,
        support: Some(&support),
    }];
    group.bench_function("weight_gradient", |bencher| {
        bencher.iter(|| {
            let panels = 0..shape.y().panel_count();
            weight_gradient(inputs, outputs, panels, &block, 1.0, &mut dw, &mut db);
        });
    });
    group.bench_function("scan", |bencher| {
        let mut support = Support::new();
        bencher.iter(|| support.scan(shape.x(), &x));
    });
    group.finish();
}

fn row_major(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("row_major");
    for (m, k, n) in [
        (128, 784, 256),
        (128, 256, 784),
        (784, 128, 256),
        (128, 400, 20),
        (64, 64, 64),
    ] {
        let shape = GemmShape { m, k, n };
        let name = format!("{m}x{k}x{n}");
        group.throughput(operations((m, k, n)));
        let (a, b) = (normal(m * k, 0), normal(k * n, 1));
        let (mut c, mut scratch) = (vec![0.0; m * n], GemmScratch::new());
        let single = rayon_pool();
        macro_rules! form {
            ($form:ident) => {
                group.bench_function(BenchmarkId::new(stringify!($form), &name), |bencher| {
                    single.install(|| {
                        bencher
                            .iter(|| $form(shape, &a, &b, Output::Overwrite, &mut c, &mut scratch));
                    });
                });
            };
        }
        form!(nn);
        form!(nt);
        form!(tn);
        group.bench_function(BenchmarkId::new("matrixmultiply", &name), |bencher| {
            let (k_stride, n_stride) = (k as isize, n as isize);
            bencher.iter(|| {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: the matrices have the lengths of these shapes and strides.
                unsafe {
                    matrixmultiply::sgemm(
                        m, k, n, 1.0, a, k_stride, 1, b, n_stride, 1, 0.0, c, n_stride, 1,
                    );
                }
            });
        });
        group.bench_function(BenchmarkId::new("gemm", &name), |bencher| {
            let (k_stride, n_stride) = (k as isize, n as isize);
            bencher.iter(|| {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: the matrices have the lengths of these shapes and strides.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        c,
                        1,
                        n_stride,
                        false,
                        a,
                        1,
                        k_stride,
                        b,
                        1,
                        n_stride,
                        0.0_f32,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            });
        });
    }
    group.finish();
}

/// One thread: the comparators are single-threaded here too.
fn rayon_pool() -> tensor_ops::parallel::ThreadPool {
    match tensor_ops::parallel::ThreadPool::new(1) {
        Ok(pool) => pool,
        Err(error) => panic!("{error}"),
    }
}

criterion_group! {
    name = products;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = layers, zeros, row_major
}
criterion_main!(products);
