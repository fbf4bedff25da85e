//! Threads for a few large parallel regions per training step.

use std::time::Duration;

use rayon::ThreadPoolBuilder;

mod barrier;
mod exchange;
mod team;
mod wait_point;

pub use barrier::Barrier;
use barrier::BreakOnPanic;
pub use exchange::Exchange;
use team::Team;
use wait_point::WATCH;

/// A pool could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ThreadPoolError {
    /// Zero threads were asked for.
    #[error("a thread pool of 0 threads was asked for: expected at least 1")]
    NoThreads,
    /// The system refused to start the threads.
    #[error("cannot start {threads} threads: {reason}")]
    Start {
        /// Threads asked for.
        threads: usize,
        /// The system's answer.
        reason: String,
    },
}

/// A fixed number of threads, the calling one included.
///
/// Regions ([`ThreadPool::for_each`], [`ThreadPool::together`]) are made for
/// training steps, a few hundred microseconds apart: the other threads watch for the next
/// region for a hundred microseconds before they sleep, so that a region costs
/// about a microsecond, and nothing is allocated. The waits for the end of a
/// region and at a [`Barrier`] are like it. Where watching has been in vain, or
/// threads outnumber the cores, waits sleep at once. Products of
/// [`crate::gemm`] share their work over the rayon pool of the same size that
/// [`ThreadPool::install`] enters.
///
/// ```
/// use tensor_ops::parallel::ThreadPool;
///
/// let pool = ThreadPool::new(2)?;
/// let mut squares = [1, 2, 3, 4];
/// pool.install(|| pool.for_each(&mut squares, |_, value| *value *= *value));
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # Ok::<(), tensor_ops::parallel::ThreadPoolError>(())
/// ```
#[derive(Debug)]
pub struct ThreadPool {
    pool: rayon::ThreadPool,
    team: Team,
}

impl ThreadPool {
    /// Starts a pool of `threads` threads.
    ///
    /// # Errors
    /// If `threads` is 0 or the system refuses.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolError> {
        // Where threads outnumber the cores, who watches keeps the core from
        // whom he waits for.
        let crowded = std::thread::available_parallelism().is_ok_and(|cores| threads > cores.get());
        Self::with_watch(threads, if crowded { Duration::ZERO } else { WATCH })
    }

    fn with_watch(threads: usize, watch: Duration) -> Result<Self, ThreadPoolError> {
        if threads == 0 {
            return Err(ThreadPoolError::NoThreads);
        }
        let refused = |reason: String| ThreadPoolError::Start { threads, reason };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("tensor-ops-{index}"))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let team = Team::new(threads, watch).map_err(|error| refused(error.to_string()))?;
        Ok(Self { pool, team })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.team.threads()
    }

    /// Runs `operation` on a thread of the rayon pool of this size: products
    /// of [`crate::gemm`] inside it use that pool.
    pub fn install<R: Send>(&self, operation: impl FnOnce() -> R + Send) -> R {
        self.pool.install(operation)
    }

    /// Calls `operation(index, task)` for every task, in parallel and in any
    /// order, on the calling thread and the others; returns when all are done.
    ///
    /// Inside a task, or while another thread is in a region of this pool, it
    /// runs the tasks one after the other.
    ///
    /// # Panics
    /// With the panic of a task, once all tasks are done.
    pub fn for_each<T: Send>(&self, tasks: &mut [T], operation: impl Fn(usize, &mut T) + Sync) {
        let count = tasks.len();
        let tasks = Tasks(tasks.as_mut_ptr());
        let tasks = &tasks;
        self.team.run(count, &|index| {
            // SAFETY: the team calls every index below `count` exactly once,
            // so that each element is borrowed by one task, and returns before
            // the borrow of the slice ends; T is Send.
            operation(index, unsafe { &mut *tasks.0.add(index) });
        });
    }

    /// Calls `operation(index, own, barrier)` once on each of as many threads of
    /// the pool as there are elements of `owned`, at the same time, each with its
    /// own; returns when all are done.
    ///
    /// Element i goes to the same thread in every call (0 to the calling one),
    /// whose caches may still hold what it refers to, and the threads can wait
    /// for each other at the barrier. [`for_each`](Self::for_each) allows
    /// neither: its tasks may run on any thread, one after the other. Waits
    /// while another thread is in a region of this pool.
    ///
    /// # Panics
    /// If there are no elements, or more than threads; with the panic of a thread,
    /// once all have returned; and when called inside a region of this pool,
    /// where its threads are not free. One element alone is a call and no region.
    pub fn together<T: Send>(
        &self,
        owned: &mut [T],
        operation: impl Fn(usize, &mut T, &Barrier) + Sync,
    ) {
        assert!(
            (1..=self.threads()).contains(&owned.len()),
            "ThreadPool::together: {} elements for {} threads",
            owned.len(),
            self.threads()
        );
        let threads = owned.len();
        let barrier = Barrier::new(threads, self.team.barrier());
        let owned = Tasks(owned.as_mut_ptr());
        let owned = &owned;
        self.team.run_together(threads, &|index| {
            let _guard = BreakOnPanic(&barrier);
            // SAFETY: the team calls every index below the number of threads
            // exactly once and returns before the borrow ends; T is Send.
            operation(index, unsafe { &mut *owned.0.add(index) }, &barrier);
        });
    }
}

struct Tasks<T>(*mut T);

// SAFETY: the pointer is only used to give disjoint elements of a slice of
// Send values to the threads of a team.
unsafe impl<T: Send> Sync for Tasks<T> {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::wait_point::tests::{WATCHES, ends, pause};
    use super::*;

    #[test]
    fn every_task_runs_once() {
        let rounds = if cfg!(miri) { 3 } else { 2000 };
        for threads in 1..4 {
            let pool = ThreadPool::new(threads).unwrap();
            for round in 0..rounds {
                let mut counts = vec![0; round % 7];
                pool.for_each(&mut counts, |index, count| *count += index + 1);
                assert!(counts.iter().enumerate().all(|(i, &count)| count == i + 1));
            }
        }
    }

    #[test]
    fn sleeping_threads_wake() {
        let pool = ThreadPool::new(2).unwrap();
        let together = AtomicUsize::new(0);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(5));
            together.store(0, Ordering::SeqCst);
            // Each task waits for the other, so both threads must take part.
            pool.for_each(&mut [(), ()], |_, ()| {
                together.fetch_add(1, Ordering::SeqCst);
                while together.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn nested_regions_run_in_place() {
        let pool = ThreadPool::new(2).unwrap();
        let mut outer = [[0; 3]; 4];
        pool.for_each(&mut outer, |_, inner| {
            pool.for_each(inner, |i, value| *value = i)
        });
        assert_eq!(outer, [[0, 1, 2]; 4]);
    }

    #[test]
    fn a_panic_of_a_task_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = ThreadPool::new(2).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.for_each(&mut [0, 1, 2, 3], |index, _| {
                assert!(index != 2, "task two")
            });
        }));
        let message = caught.unwrap_err();
        assert!(
            message
                .downcast_ref::<&str>()
                .is_some_and(|text| text.contains("task two"))
        );
        let mut values = [0; 4];
        pool.for_each(&mut values, |index, value| *value = index);
        assert_eq!(values, [0, 1, 2, 3]);
    }

    #[test]
    fn threads_together_meet_at_the_barrier() {
        let rounds = if cfg!(miri) { 3 } else { 500 };
        for threads in 1..4 {
            let pool = ThreadPool::new(threads).unwrap();
            let arrivals = AtomicUsize::new(0);
            let mut calls = vec![(0, None); threads];
            for region in 1..=3 {
                pool.together(&mut calls, |_, (calls, thread), barrier| {
                    *calls += 1;
                    let this = std::thread::current().id();
                    assert_eq!(*thread.get_or_insert(this), this, "another thread");
                    for _ in 0..rounds {
                        let before = arrivals.fetch_add(1, Ordering::SeqCst) / threads;
                        barrier.wait();
                        assert_eq!(arrivals.load(Ordering::SeqCst), threads * (before + 1));
                        barrier.wait();
                    }
                });
                assert!(calls.iter().all(|&(calls, _)| calls == region));
                // Regions of both kinds follow each other.
                let mut tasks = [0; 5];
                pool.for_each(&mut tasks, |index, task| *task = index);
                assert_eq!(tasks, [0, 1, 2, 3, 4]);
            }
        }
    }

    #[test]
    fn fewer_threads_than_the_pool_has_come_together_too() {
        let rounds = if cfg!(miri) { 3 } else { 300 };
        let pool = ThreadPool::new(4).unwrap();
        let mut calls = [0; 4];
        let mut expected = [0; 4];
        for round in 0..rounds {
            let threads = 1 + round * 7 % 4;
            pool.together(&mut calls[..threads], |_, calls, barrier| {
                barrier.wait();
                *calls += 1;
                barrier.wait();
            });
            expected[..threads].iter_mut().for_each(|calls| *calls += 1);
            assert_eq!(calls, expected);
            let mut tasks = [false; 6];
            pool.for_each(&mut tasks, |_, done| *done = true);
            assert_eq!(tasks, [true; 6]);
        }
    }

    #[test]
    fn a_panic_at_a_barrier_reaches_everyone() {
        let pool = ThreadPool::new(2).unwrap();
        for which in 0..2 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.together(&mut [(), ()], |index, (), barrier| {
                    assert!(index != which, "one thread");
                    barrier.wait();
                });
            }));
            assert!(caught.is_err());
            let mut met = [false; 2];
            pool.together(&mut met, |_, met, barrier| {
                barrier.wait();
                *met = true;
            });
            assert_eq!(met, [true; 2]);
        }
    }

    #[test]
    fn a_region_of_all_threads_inside_a_region_is_refused() {
        let pool = ThreadPool::new(2).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.together(&mut [(), ()], |_, (), _| {
                pool.together(&mut [(), ()], |_, (), _| ());
            });
        }));
        let message = caught.unwrap_err();
        assert!(
            message
                .downcast_ref::<&str>()
                .is_some_and(|text| text.contains("inside a region"))
        );
    }

    /// Far more threads than cores, in regions of both kinds: each wait costs
    /// a switch between threads, not the time slice of one that spins.
    #[test]
    fn many_threads_on_few_cores_make_progress() {
        let (threads, regions, rounds) = if cfg!(miri) { (3, 2, 5) } else { (8, 30, 100) };
        for watch in WATCHES {
            ends(move || {
                let pool = ThreadPool::with_watch(threads, watch).unwrap();
                let arrivals = AtomicUsize::new(0);
                let mut passed = vec![0; threads];
                let mut counts = vec![0; 3 * threads];
                for region in 1..=regions {
                    pool.together(&mut passed, |_, passed, barrier| {
                        for _ in 0..rounds {
                            arrivals.fetch_add(1, Ordering::Relaxed);
                            barrier.wait();
                            *passed += 1;
                            assert!(arrivals.load(Ordering::Relaxed) >= threads * *passed);
                        }
                    });
                    assert!(passed.iter().all(|&passed| passed == region * rounds));
                    pool.for_each(&mut counts, |_, count| *count += 1);
                    assert!(counts.iter().all(|&count| count == region));
                }
            });
        }
    }

    /// Threads that come to each wait early or late, by chance.
    #[test]
    fn no_thread_is_forgotten_whenever_it_comes() {
        let rounds = if cfg!(miri) { 4 } else { 150 };
        for watch in WATCHES {
            ends(move || {
                let threads = 3;
                let pool = ThreadPool::with_watch(threads, watch).unwrap();
                let mut met = vec![0; threads];
                for round in 0..rounds {
                    pool.together(&mut met, |index, met, barrier| {
                        pause(threads * round + index, 200);
                        barrier.wait();
                        *met += 1;
                        pause(threads * (round + rounds) + index, 200);
                    });
                    let mut tasks = vec![false; 1 + round % 5];
                    pool.for_each(&mut tasks, |index, done| {
                        pause(5 * round + index, 200);
                        *done = true;
                    });
                    assert!(tasks.iter().all(|&done| done));
                    pause(round, 200);
                }
                assert_eq!(met, [rounds; 3]);
            });
        }
    }

    /// With a clock that always says the watch is over: both threads must
    /// still take part, in regions of both kinds.
    #[test]
    fn threads_take_work_whatever_the_clock_says() {
        ends(|| {
            let pool = ThreadPool::with_watch(2, Duration::ZERO).unwrap();
            for _ in 0..if cfg!(miri) { 3 } else { 200 } {
                let here = AtomicUsize::new(0);
                pool.for_each(&mut [(), ()], |_, ()| {
                    here.fetch_add(1, Ordering::SeqCst);
                    while here.load(Ordering::SeqCst) < 2 {
                        std::thread::yield_now();
                    }
                });
                pool.together(&mut [(), ()], |_, (), barrier| barrier.wait());
            }
        });
    }

    #[test]
    fn a_panic_wakes_those_that_sleep_at_the_barrier() {
        for watch in WATCHES {
            ends(move || {
                let pool = ThreadPool::with_watch(3, watch).unwrap();
                for which in 0..3 {
                    let caught = catch_unwind(AssertUnwindSafe(|| {
                        pool.together(&mut [(); 3], |index, (), barrier| {
                            barrier.wait();
                            if index == which {
                                std::thread::sleep(Duration::from_millis(20));
                                panic!("thread {index}");
                            }
                            barrier.wait();
                        });
                    }));
                    assert!(caught.is_err());
                    let mut met = [false; 3];
                    pool.together(&mut met, |_, met, barrier| {
                        barrier.wait();
                        *met = true;
                    });
                    assert_eq!(met, [true; 3]);
                }
            });
        }
    }

    #[test]
    fn no_threads_is_an_error() {
        assert!(matches!(
            ThreadPool::new(0),
            Err(ThreadPoolError::NoThreads)
        ));
    }
}
