//! A spinning barrier between the threads of one region.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Looks at the shared state before the processor is offered to others: far
/// more than the threads of a region are apart, unless one of them has lost
/// its processor.
const LOOKS: usize = 1 << 14;

/// Where the threads of [`ThreadPool::together`](super::ThreadPool::together)
/// wait for each other.
#[derive(Debug)]
pub struct Barrier {
    parties: usize,
    arrived: AtomicUsize,
    /// Times that all have arrived.
    generation: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub(super) fn new(parties: usize) -> Self {
        Self {
            parties,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns when every thread of the region has called this as often as the
    /// calling one. What any of them wrote before is visible to all after.
    ///
    /// # Panics
    /// If another thread of the region has panicked and will never come.
    pub fn wait(&self) {
        let generation = self.generation.load(Ordering::Relaxed);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.parties {
            // The others wait for the generation, so that nobody arrives at
            // the next one before this is back to zero.
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut looks = 0_usize;
        while self.generation.load(Ordering::Acquire) == generation {
            assert!(
                !self.broken.load(Ordering::Relaxed),
                "another thread of the region has panicked"
            );
            looks += 1;
            if looks.is_multiple_of(LOOKS) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    /// Makes every present and future wait panic.
    fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// Breaks the barrier if the thread that holds this panics.
pub(super) struct BreakOnPanic<'a>(pub(super) &'a Barrier);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_down();
        }
    }
}
