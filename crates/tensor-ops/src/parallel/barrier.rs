//! A barrier between the threads of one region.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::wait_point::WaitPoint;

/// Where the threads of [`ThreadPool::together`](super::ThreadPool::together)
/// wait for each other.
#[derive(Debug)]
pub struct Barrier<'a> {
    parties: usize,
    arrived: AtomicUsize,
    /// Times that all have arrived.
    generation: AtomicUsize,
    broken: AtomicBool,
    waiting: &'a WaitPoint,
}

impl<'a> Barrier<'a> {
    pub(super) fn new(parties: usize, waiting: &'a WaitPoint) -> Self {
        Self {
            parties,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            waiting,
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
            self.generation.store(generation + 1, Ordering::SeqCst);
            self.waiting.wake();
            return;
        }
        let complete = || self.generation.load(Ordering::SeqCst) != generation;
        self.waiting
            .wait(|| complete() || self.broken.load(Ordering::SeqCst));
        assert!(complete(), "another thread of the region has panicked");
    }

    /// Makes every present and future wait panic.
    fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.waiting.wake();
    }
}

/// Breaks the barrier if the thread that holds this panics.
pub(super) struct BreakOnPanic<'a>(pub(super) &'a Barrier<'a>);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_down();
        }
    }
}
