//! Threads for a few large parallel regions per training step.

use rayon::ThreadPoolBuilder;

mod barrier;
mod team;

pub use barrier::Barrier;
use barrier::BreakOnPanic;
use team::Team;

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
/// [`ThreadPool::for_each`] is made for the two regions of a training step,
/// a few hundred microseconds apart: the other threads wait for the next
/// region in a short spin before they sleep, so that a region costs about a
/// microsecond, and nothing is allocated. Products of [`crate::gemm`] share
/// their work over the rayon pool of the same size that
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
        if threads == 0 {
            return Err(ThreadPoolError::NoThreads);
        }
        let refused = |reason: String| ThreadPoolError::Start { threads, reason };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("tensor-ops-{index}"))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let team = Team::new(threads).map_err(|error| refused(error.to_string()))?;
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

    /// Calls `operation(index, own, barrier)` once on every thread of the pool,
    /// at the same time, each with its own element of `owned`; returns when all
    /// are done.
    ///
    /// Element i goes to the same thread in every call (0 to the calling one),
    /// whose caches may still hold what it refers to, and the threads can wait
    /// for each other at the barrier. [`for_each`](Self::for_each) allows
    /// neither: its tasks may run on any thread, one after the other. Waits
    /// while another thread is in a region of this pool.
    ///
    /// # Panics
    /// If there is not one element for each thread; with the panic of a thread,
    /// once all have returned; and when called inside a region of this pool,
    /// where its threads are not free.
    pub fn together<T: Send>(
        &self,
        owned: &mut [T],
        operation: impl Fn(usize, &mut T, &Barrier) + Sync,
    ) {
        assert!(
            owned.len() == self.threads(),
            "ThreadPool::together: {} elements for {} threads",
            owned.len(),
            self.threads()
        );
        let barrier = Barrier::new(self.threads());
        let owned = Tasks(owned.as_mut_ptr());
        let owned = &owned;
        self.team.run_together(&|index| {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

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
            std::thread::sleep(std::time::Duration::from_millis(5));
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
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
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
    fn a_panic_at_a_barrier_reaches_everyone() {
        let pool = ThreadPool::new(2).unwrap();
        for which in 0..2 {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
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
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
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

    #[test]
    fn no_threads_is_an_error() {
        assert!(matches!(
            ThreadPool::new(0),
            Err(ThreadPoolError::NoThreads)
        ));
    }
}
