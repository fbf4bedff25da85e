//! The memory of a likelihood bound does not grow with its samples.

use allocation_meter::Meter;
use evaluation::likelihood::likelihood_bounds;
use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec};
use ndarray::Array2;

#[global_allocator]
static METER: Meter = Meter::new();

/// One test, so that no other runs beside it and is counted.
#[test]
fn more_samples_take_no_more_memory() {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "100-40-10".parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
    let images = Array2::from_shape_fn((4, 100), |(i, j)| 255 * u8::from((i + j) % 3 == 0));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let measure = |samples| {
        let ((_, bytes), allocations) = METER.allocations_during(|| {
            METER.peak_during(|| {
                pool.install(|| likelihood_bounds(&model, images.view(), samples, 0, &|| {}))
                    .unwrap()
            })
        });
        (bytes, allocations)
    };
    // Both report K = 1, 10, 100, 1000 and their own, and fill whole blocks.
    measure(2000);
    let (few_bytes, few) = measure(2000);
    let (many_bytes, many) = measure(5000);
    assert!(few_bytes > 96 * 100 * 4, "the block is not counted");
    assert_eq!((many_bytes, many), (few_bytes, few));
}
