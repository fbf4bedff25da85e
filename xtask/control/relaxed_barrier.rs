//! A race that ThreadSanitizer must report: two threads meet at a barrier that
//! orders nothing, and then one reads what the other has written.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

struct Shared {
    arrived: AtomicUsize,
    value: UnsafeCell<u64>,
}

// SAFETY: there is none, which is the point: `arrived` would have to order the
// accesses to `value`.
unsafe impl Sync for Shared {}

impl Shared {
    #[inline(never)]
    fn write(&self, value: u64) {
        // SAFETY: as above.
        unsafe { *self.value.get() = value }
    }

    #[inline(never)]
    fn read(&self) -> u64 {
        // SAFETY: as above.
        unsafe { *self.value.get() }
    }

    fn wait(&self, arrivals: usize) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        while self.arrived.load(Ordering::Relaxed) < arrivals {
            thread::yield_now();
        }
    }
}

fn main() {
    let shared = Shared {
        arrived: AtomicUsize::new(0),
        value: UnsafeCell::new(0),
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..1000 {
                shared.write(round as u64);
                shared.wait(4 * round - 2);
                shared.wait(4 * round);
            }
        });
        scope.spawn(|| {
            let mut sum = 0;
            for round in 1..1000 {
                shared.wait(4 * round - 2);
                sum += shared.read();
                shared.wait(4 * round);
            }
            println!("{sum}");
        });
    });
}
