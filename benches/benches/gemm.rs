//! Layer products and row-major products, with matrixmultiply and gemm beside
//! them. Single-threaded; throughput is in floating-point operations, to be
//! read against `tensor_ops::peak::fma_peak_gflops`.

use std::time::Duration;

use benches::{Form, Layer, PRODUCTS, Product};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tensor_ops::Activation;
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nn, nt, tn};
use tensor_ops::linear::{LinearShape, RowBlock, forward_sparse, weight_gradient};
use tensor_ops::panels::Support;
use tensor_ops::random::{Stream, fill_normal};

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
    let single = single_thread();
    for product in PRODUCTS {
        let Product { m, k, n } = product;
        group.throughput(Throughput::Elements(product.flops()));
        let mut layer = Layer::new(product, 1);
        for form in Form::ALL {
            let id = BenchmarkId::new(form.to_string(), format!("{m}x{k}x{n}"));
            group.bench_function(id, |bencher| bencher.iter(|| layer.compute(form, &single)));
        }
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
        let single = single_thread();
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
fn single_thread() -> tensor_ops::parallel::ThreadPool {
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
