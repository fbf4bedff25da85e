//! Waiting for other threads: a short watch by the clock, then sleep.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread watches what it waits for before it sleeps, where every
/// thread can have a core: longer than the serial part of a training step,
/// about twice what it costs to be woken.
pub(super) const WATCH: Duration = Duration::from_micros(100);

/// Looks at the condition between two looks at the clock.
const LOOKS: usize = 8;

/// The most waits in a row that sleep at once, 2ᵏ − 1, once watches have been
/// in vain: k.
const MOST_VAIN: u32 = 5;

/// Where threads wait until a condition holds that others bring about.
///
/// Nothing is lost because both sides announce first and look afterwards: a
/// waiter counts itself among the sleepers and then looks at the condition
/// once more, who brings it about does so and then looks for sleepers. All four
/// accesses are sequentially consistent, so that at least one of the two sees
/// the other. A waiter that has looked in vain holds the lock until it sleeps,
/// and who wakes it passes through the lock first.
#[derive(Debug)]
pub(super) struct WaitPoint {
    watch: Duration,
    patience: Patience,
    /// Threads that sleep or are about to.
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    woken: Condvar,
}

impl WaitPoint {
    /// Whose waiters watch for `watch` before they sleep.
    pub(super) const fn new(watch: Duration) -> Self {
        Self {
            watch,
            patience: Patience::new(),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    /// Returns when `ready()` is true, which must load with
    /// [`Ordering::SeqCst`] what decides it.
    pub(super) fn wait(&self, ready: impl Fn() -> bool) {
        if ready() {
            return;
        }
        if self.patience.watches() {
            let in_time = self.watch(&ready);
            self.patience.learn(in_time);
            if in_time {
                return;
            }
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !ready() {
            guard = self
                .woken
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes who sleeps. To be called after the condition has been brought
    /// about by a write with [`Ordering::SeqCst`].
    pub(super) fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.woken.notify_all();
        }
    }

    /// Whether `ready()` has become true in time.
    fn watch(&self, ready: impl Fn() -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < self.watch {
            for _ in 0..LOOKS {
                if ready() {
                    return true;
                }
                std::hint::spin_loop();
            }
        }
        false
    }
}

/// Whether to watch at all, learned from the last watches: the n-th in a row
/// that was in vain, because who is waited for has lost its processor or has
/// more to do, makes the next 2ⁿ⁻¹ − 1 waits sleep at once (n up to
/// [`MOST_VAIN`] + 1).
///
/// The threads of a point share it without agreeing on an order: an update
/// that is lost costs a watch or a sleep.
#[derive(Debug)]
struct Patience {
    /// Watches in a row that were in vain.
    vain: AtomicU32,
    /// Waits that sleep at once before one watches again.
    rest: AtomicU32,
}

impl Patience {
    const fn new() -> Self {
        Self {
            vain: AtomicU32::new(0),
            rest: AtomicU32::new(0),
        }
    }

    /// Whether the wait that begins is to watch.
    fn watches(&self) -> bool {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            self.rest.store(rest - 1, Ordering::Relaxed);
        }
        rest == 0
    }

    fn learn(&self, in_time: bool) {
        let vain = self.vain.load(Ordering::Relaxed);
        if !in_time {
            self.rest.store((1 << vain) - 1, Ordering::Relaxed);
            self.vain
                .store((vain + 1).min(MOST_VAIN), Ordering::Relaxed);
        } else if vain > 0 {
            self.vain.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};

    use super::*;

    /// Watches of a clock that is too fast to see anything, of one that sees
    /// a little, and the usual one: what is right must not depend on them.
    pub(in crate::parallel) const WATCHES: [Duration; 3] =
        [Duration::ZERO, Duration::from_nanos(700), WATCH];

    /// Runs `test`, which must end within a minute: a thread that is never
    /// woken is a failure, not a test that hangs.
    pub(in crate::parallel) fn ends(test: impl FnOnce() + Send + 'static) {
        let (ended, end) = channel();
        let thread = std::thread::spawn(move || {
            test();
            // The receiver waits, unless the test has failed for its time.
            let _ = ended.send(());
        });
        if end.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            panic!("threads still wait for each other after a minute");
        }
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    /// A pause of some number of microseconds below `most` that has no
    /// pattern: half of them are none.
    pub(in crate::parallel) fn pause(number: usize, most: u64) {
        let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if mixed.is_multiple_of(2) {
            std::thread::sleep(Duration::from_micros(mixed / 2 % most));
        }
    }

    #[test]
    fn no_wake_is_lost() {
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        for watch in WATCHES {
            ends(move || {
                let (turn, point) = (AtomicUsize::new(0), WaitPoint::new(watch));
                std::thread::scope(|scope| {
                    for index in 0..3 {
                        let (turn, point) = (&turn, &point);
                        scope.spawn(move || {
                            for round in 0..rounds {
                                let own = 3 * round + index;
                                point.wait(|| turn.load(Ordering::SeqCst) == own);
                                if round % 16 == 0 {
                                    pause(own, 150);
                                }
                                turn.store(own + 1, Ordering::SeqCst);
                                point.wake();
                            }
                        });
                    }
                });
                assert_eq!(turn.load(Ordering::SeqCst), 3 * rounds);
                assert_eq!(point.sleepers.load(Ordering::SeqCst), 0);
            });
        }
    }

    #[test]
    fn a_condition_that_holds_is_seen_without_the_clock() {
        let point = WaitPoint::new(Duration::ZERO);
        point.wait(|| true);
        assert_eq!(point.patience.vain.into_inner(), 0);
    }

    #[test]
    fn watches_in_vain_become_rare_and_one_in_time_brings_them_back() {
        let patience = Patience::new();
        let watched = |waits: usize, in_time: bool| {
            let watched = (0..waits).filter(|_| {
                let watches = patience.watches();
                if watches {
                    patience.learn(in_time);
                }
                watches
            });
            watched.count()
        };
        // 1 + 0, 1 + 1, 1 + 3, 1 + 7, 1 + 15 waits, then one of 32.
        assert_eq!(watched(31, false), 5);
        assert_eq!(watched(3200, false), 100);
        assert_eq!(watched(1, true), 1);
        assert_eq!(watched(1000, true), 1000);
        assert_eq!(watched(1, false), 1);
        assert_eq!(watched(1, true), 1);
    }
}
