//! A fork-join team whose threads spin shortly between regions.
//!
//! rayon's idle threads fall asleep after a few yields; waking one takes tens
//! of microseconds, twice per training step. The threads of a team watch for
//! the next region for [`SPIN`] before they sleep.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread watches for work before it sleeps: longer than the serial
/// part of a training step, short against what a person would notice.
const SPIN: Duration = Duration::from_micros(200);

/// Looks at the shared state between two looks at the clock.
const LOOKS: usize = 64;

/// The calling thread and `threads − 1` others.
#[derive(Debug)]
pub(super) struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held during a region.
    region: Mutex<()>,
}

thread_local! {
    /// Address of the team whose task the thread is in, 0 outside.
    static REGION_OF: Cell<usize> = const { Cell::new(0) };
}

/// In place of a number of tasks: every thread has one.
const ONE_EACH: u32 = u32::MAX;

type Task<'a> = &'a (dyn Fn(usize) + Sync);

struct Shared {
    /// Region number (upper half) and tasks not yet taken (lower half). A task
    /// is taken by lowering the count of the *same* region; where the lower
    /// half is [`ONE_EACH`], each thread takes the task of its own number, once
    /// in the region.
    state: AtomicU64,
    /// The region's function. Written between regions only; read only by a
    /// thread that has taken a task of the region, which lasts until that task
    /// is finished.
    task: UnsafeCell<Option<Task<'static>>>,
    unfinished: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleepers: AtomicUsize,
    /// Whether there are more threads than cores to run them: a thread that
    /// watches then keeps another from its work.
    crowded: bool,
    closing: AtomicBool,
}

// SAFETY: `task` follows the protocol in its description; the rest is Sync.
unsafe impl Sync for Shared {}
// SAFETY: the function behind `task` is Sync and is not owned.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Team {
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            task: UnsafeCell::new(None),
            unfinished: AtomicUsize::new(0),
            panic: Mutex::new(None),
            sleepers: AtomicUsize::new(0),
            crowded: thread::available_parallelism().is_ok_and(|cores| threads > cores.get()),
            closing: AtomicBool::new(false),
        });
        let mut team = Self {
            shared,
            workers: Vec::new(),
            region: Mutex::new(()),
        };
        for index in 1..threads {
            let shared = Arc::clone(&team.shared);
            let worker = thread::Builder::new()
                .name(format!("tensor-ops-team-{index}"))
                .spawn(move || shared.work(index))?;
            team.workers.push(worker);
        }
        Ok(team)
    }

    pub(super) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(i)` once for every i below `count`; returns when all are done.
    pub(super) fn run(&self, count: usize, task: Task<'_>) {
        let region = match self.region.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        };
        let (Some(_region), 2.., false) = (region, count, self.workers.is_empty()) else {
            (0..count).for_each(task);
            return;
        };
        assert!(count < ONE_EACH as usize, "{count} tasks in one region");
        self.share(count as u32, task);
    }

    /// Calls `task(i)` on thread i, the caller being thread 0, at the same time.
    pub(super) fn run_together(&self, task: Task<'_>) {
        assert!(
            !self.shared.is_inside(),
            "ThreadPool::together was called inside a region of the same pool, \
             whose threads are taken"
        );
        if self.workers.is_empty() {
            task(0);
            return;
        }
        let _region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        self.share(ONE_EACH, task);
    }

    /// Shares the tasks among the threads. The caller holds the region's lock.
    fn share(&self, count: u32, task: Task<'_>) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. The reference is used by threads
        // that have taken a task, all tasks are finished before this function
        // returns, and no panic leaves it earlier.
        let task: Task<'static> = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(task) };
        // SAFETY: no task of an earlier region is unfinished and none of this
        // one can be taken yet, so that no one reads the cell.
        unsafe { *shared.task.get() = Some(task) };
        let tasks = if count == ONE_EACH {
            self.threads()
        } else {
            count as usize
        };
        shared.unfinished.store(tasks, Ordering::Relaxed);
        let region = (shared.state.load(Ordering::Relaxed) >> 32) + 1;
        shared
            .state
            .store(region << 32 | u64::from(count), Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            for worker in &self.workers {
                worker.thread().unpark();
            }
        }
        if count == ONE_EACH {
            shared.finish(0);
        } else {
            while shared.take_and_run(0, &mut 0) {}
        }
        let mut looks = 0_usize;
        while shared.unfinished.load(Ordering::Acquire) > 0 {
            looks += 1;
            if shared.crowded || looks.is_multiple_of(LOOKS * 64) {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
        shared.state.store(region << 32, Ordering::Relaxed);
        let panic = shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its tasks; it has none of its own.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// What thread `index` does until the team is dropped.
    fn work(&self, index: usize) {
        let mut region = 0;
        loop {
            // Counted from the end of the last task: a task may itself take
            // longer than the watch.
            let mut idle_since = Instant::now();
            while idle_since.elapsed() < SPIN {
                for _ in 0..LOOKS {
                    if self.take_and_run(index, &mut region) {
                        while self.take_and_run(index, &mut region) {}
                        idle_since = Instant::now();
                    }
                    std::hint::spin_loop();
                }
                if self.closing.load(Ordering::Relaxed) {
                    return;
                }
                if self.crowded {
                    thread::yield_now();
                }
            }
            // Announce the sleep first and look once more: either the caller
            // of a new region sees the sleeper, or the sleeper the region.
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            let idle = self.state.load(Ordering::SeqCst) as u32 == 0;
            if idle && !self.closing.load(Ordering::SeqCst) {
                thread::park();
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
            if self.closing.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// The calling thread is in a task of this team.
    fn is_inside(&self) -> bool {
        REGION_OF.get() == std::ptr::from_ref(self).addr()
    }

    /// Takes one task of the current region and runs it; false if there is
    /// none for the calling thread, of number `index`. `region` is the last
    /// region in which that thread had a task of its own.
    fn take_and_run(&self, index: usize, region: &mut u64) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let left = state as u32;
            if left == 0 {
                return false;
            }
            if left == ONE_EACH {
                if std::mem::replace(region, state >> 32) == state >> 32 {
                    return false;
                }
                self.finish(index);
                return true;
            }
            let taken = self.state.compare_exchange_weak(
                state,
                state - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match taken {
                Ok(_) => {
                    self.finish(left as usize - 1);
                    return true;
                }
                Err(now) => state = now,
            }
        }
    }

    fn finish(&self, index: usize) {
        // SAFETY: this thread has taken a task of the region that wrote the
        // cell before publishing its state, or has one of its own in it, and
        // has not finished it.
        let task = unsafe { *self.task.get() };
        let outer = REGION_OF.replace(std::ptr::from_ref(self).addr());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if let Some(task) = task {
                task(index);
            }
        }));
        REGION_OF.set(outer);
        if let Err(panic) = outcome {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(panic);
        }
        self.unfinished.fetch_sub(1, Ordering::Release);
    }
}
