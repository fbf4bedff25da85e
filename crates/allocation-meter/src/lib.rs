//! The system allocator, counted: for tests of how much memory is taken, and of
//! whether any is. The counts are of the whole process, so a test binary that
//! asks for them has one test.
//!
//! ```
//! use allocation_meter::Meter;
//!
//! #[global_allocator]
//! static METER: Meter = Meter::new();
//!
//! let (kept, peak) = METER.peak_during(|| vec![0_u8; 1000]);
//! assert!(peak >= kept.len());
//! let (_, allocations) = METER.allocations_during(|| kept.iter().sum::<u8>());
//! assert_eq!(allocations, 0);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A global allocator that counts. Growing a block is a new block beside the old
/// one for a moment, as a system may have to do it.
#[derive(Debug, Default)]
pub struct Meter {
    allocations: AtomicUsize,
    in_use: AtomicUsize,
    most: AtomicUsize,
}

impl Meter {
    /// With nothing counted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            allocations: AtomicUsize::new(0),
            in_use: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Allocations so far, on any thread.
    pub fn allocations(&self) -> usize {
        self.allocations.load(Ordering::Relaxed)
    }

    /// What `work` gives, and how many allocations there were meanwhile.
    pub fn allocations_during<R>(&self, work: impl FnOnce() -> R) -> (R, usize) {
        let before = self.allocations();
        let given = work();
        (given, self.allocations() - before)
    }

    /// What `work` gives, and the most bytes that were in use meanwhile beyond
    /// those before it.
    pub fn peak_during<R>(&self, work: impl FnOnce() -> R) -> (R, usize) {
        let before = self.in_use.load(Ordering::Relaxed);
        self.most.store(before, Ordering::Relaxed);
        let given = work();
        let most = self.most.load(Ordering::Relaxed);
        (given, most.saturating_sub(before))
    }

    fn taken(&self, bytes: usize) {
        self.allocations.fetch_add(1, Ordering::Relaxed);
        let now = self.in_use.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.most.fetch_max(now, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system allocator, which
// upholds the trait's contract; counting touches no memory it manages.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.taken(layout.size());
        // SAFETY: the caller's obligations are those of this very method.
        unsafe { System.alloc(layout) }
    }

    // Pages that are never written cost nothing.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.taken(layout.size());
        // SAFETY: the caller's obligations are those of this very method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.in_use.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's obligations are those of this very method.
        unsafe { System.dealloc(pointer, layout) }
    }
}
