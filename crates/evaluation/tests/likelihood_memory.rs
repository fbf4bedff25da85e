//! The memory of a likelihood bound does not grow with its samples.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use evaluation::likelihood::likelihood_bounds;
use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec};
use ndarray::Array2;

/// Follows how many bytes of the process are in use, on any thread.
struct Following;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

fn taken(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is passed on unchanged to the system allocator, which
// upholds the trait's contract; counting touches no memory it manages.
unsafe impl GlobalAlloc for Following {
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
static FOLLOWING: Following = Following;

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
        let (before, count) = (
            IN_USE.load(Ordering::SeqCst),
            ALLOCATIONS.load(Ordering::SeqCst),
        );
        MOST.store(before, Ordering::SeqCst);
        pool.install(|| likelihood_bounds(&model, images.view(), samples, 0, &|| {}).unwrap());
        (
            MOST.load(Ordering::SeqCst) - before,
            ALLOCATIONS.load(Ordering::SeqCst) - count,
        )
    };
    // Both report K = 1, 10, 100, 1000 and their own, and fill whole blocks.
    measure(2000);
    let (few_bytes, few) = measure(2000);
    let (many_bytes, many) = measure(5000);
    assert!(few_bytes > 96 * 100 * 4, "the block is not counted");
    assert_eq!((many_bytes, many), (few_bytes, few));
}
