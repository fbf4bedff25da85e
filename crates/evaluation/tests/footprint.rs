//! The memory of an evaluation that is told before it is taken, against what is
//! taken.

use allocation_meter::Meter;
use evaluation::footprint::evaluation_bytes;
use evaluation::rates::rate_decomposition;
use evaluation::{EvaluationOptions, evaluate};
use models::{DataTreatment, Initialisation, Model, ModelKind, ModelSpec};
use ndarray::Array2;
use tensor_ops::parallel::ThreadPool;

#[global_allocator]
static METER: Meter = Meter::new();

/// One test, so that no other runs beside it and is counted.
#[test]
fn what_is_told_is_what_is_taken() {
    for threads in [1, 2] {
        for (kind, architecture, rows) in [
            (ModelKind::Vae, "100-40-300", 600),
            (ModelKind::Vae, "100-700-2", 600),
            (ModelKind::Ae, "100-20-900", 600),
            (ModelKind::Ae, "100-20-900", 2000),
        ] {
            let images =
                Array2::from_shape_fn((rows, 100), |(i, j)| 255 * u8::from((i + j) % 3 == 0));
            let spec = ModelSpec {
                kind,
                architecture: architecture.parse().unwrap(),
                likelihood: models::Likelihood::Bernoulli,
                posterior_scale: Default::default(),
            };
            let [told, of_one] =
                [threads, 1].map(|threads| evaluation_bytes(&spec, rows, threads) as f64);
            let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
            let options = EvaluationOptions {
                split: "test".into(),
                seed: 0,
                data_treatment: DataTreatment::Grey,
            };
            let pool = ThreadPool::new(threads).unwrap();
            // A worker that wakes late finds nothing left and takes no memory, which is
            // told all the same: of a few evaluations the greatest counts, and what one
            // worker has may be missing from it.
            let mut taken = 0.0_f64;
            for _ in 0..8 {
                let ((), peak) = METER.peak_during(|| {
                    pool.install(|| {
                        evaluate(&model, images.view(), &options).unwrap();
                        if kind == ModelKind::Vae {
                            rate_decomposition(&model.encode(images.view()), 0).unwrap();
                        }
                    });
                });
                taken = taken.max(peak as f64);
            }
            assert!(
                told >= 0.8 * taken && of_one <= 1.3 * taken && told <= 1.5 * taken,
                "{kind} {architecture} on {threads} threads: {told} told, {of_one} for one, {taken} taken"
            );
        }
    }
}
