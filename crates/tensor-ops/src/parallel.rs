//! Threads for a few large parallel regions per training step.

use rayon::ThreadPoolBuilder;

/// A pool could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ThreadPoolError {
    /// Zero threads were asked for.
    #[error("a thread pool of 0 threads was asked for: expected at least 1")]
    NoThreads,
    /// The system refused to start the threads.
    #[error("cannot start {threads} threads: {source}")]
    Start {
        /// Threads asked for.
        threads: usize,
        /// The system's answer.
        source: rayon::ThreadPoolBuildError,
    },
}

/// A fixed number of threads, the calling one included.
///
/// Run a whole training loop inside [`ThreadPool::install`]: it then is a
/// member of the pool and a region costs about a microsecond; entering the
/// pool costs ten times that.
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
    threads: usize,
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
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("tensor-ops-{index}"))
            .build()
            .map_err(|source| ThreadPoolError::Start { threads, source })?;
        Ok(Self { pool, threads })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `operation` as a member of the pool; products of [`crate::gemm`]
    /// inside it use this pool.
    pub fn install<R: Send>(&self, operation: impl FnOnce() -> R + Send) -> R {
        self.pool.install(operation)
    }

    /// Calls `operation(index, task)` for every task, in parallel and in any
    /// order; returns when all are done. Call it inside [`Self::install`].
    pub fn for_each<T: Send>(&self, tasks: &mut [T], operation: impl Fn(usize, &mut T) + Sync) {
        split(tasks, 0, &operation);
    }
}

fn split<T: Send>(tasks: &mut [T], first: usize, operation: &(impl Fn(usize, &mut T) + Sync)) {
    match tasks {
        [] => {}
        [task] => operation(first, task),
        _ => {
            let half = tasks.len().div_ceil(2);
            let (left, right) = tasks.split_at_mut(half);
            rayon::join(
                || split(left, first, operation),
                || split(right, first + half, operation),
            );
        }
    }
}
