//! The memory of an evaluation that is told before it is taken, against what is
//! taken.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use evaluation::footprint::evaluation_bytes;
use evaluation::rates::rate_decomposition;
use evaluation::{EvaluationOptions, evaluate};
use models::{DataTreatment, Initialisation, Model, ModelKind, ModelSpec};
use ndarray::Array2;
use tensor_ops::parallel::ThreadPool;

/// Counts the bytes in use, and the most there were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn taken(bytes: usize) {
    let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to the system allocator, which
// upholds the trait's contract; counting touches no memory it manages.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's obligations are those of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's obligations are those of this very method.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test, so that no other runs beside it and is counted.
#[test]
fn what_is_told_is_what_is_taken() {
    const ROWS: usize = 600;
    let images = Array2::from_shape_fn((ROWS, 100), |(i, j)| 255 * u8::from((i + j) % 3 == 0));
    for threads in [1, 2] {
        for (kind, architecture) in [
            (ModelKind::Vae, "100-40-300"),
            (ModelKind::Vae, "100-700-2"),
            (ModelKind::Ae, "100-20-900"),
        ] {
            let spec = ModelSpec {
                kind,
                architecture: architecture.parse().unwrap(),
                likelihood: models::Likelihood::Bernoulli,
                posterior_scale: Default::default(),
            };
            let told = evaluation_bytes(&spec, ROWS, threads) as f64;
            let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
            let options = EvaluationOptions {
                split: "test".into(),
                seed: 0,
                data_treatment: DataTreatment::Grey,
            };
            let pool = ThreadPool::new(threads).unwrap();
            let before = IN_USE.load(Ordering::SeqCst);
            MOST.store(before, Ordering::SeqCst);
            pool.install(|| {
                evaluate(&model, images.view(), &options).unwrap();
                if kind == ModelKind::Vae {
                    rate_decomposition(&model.encode(images.view()), 0).unwrap();
                }
            });
            let taken = (MOST.load(Ordering::SeqCst) - before) as f64;
            let ratio = told / taken;
            assert!(
                (0.8..=1.3).contains(&ratio),
                "{kind} {architecture} on {threads} threads: {told} told, {taken} taken: {ratio:.3}"
            );
        }
    }
}
