//! A fork-join team whose threads watch shortly for the next region.
//!
//! rayon's idle threads fall asleep after a few yields; waking one takes tens
//! of microseconds, twice per training step. The threads of a team watch a
//! little longer before they sleep, see [`WaitPoint`].

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::wait_point::WaitPoint;

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

/// With a number of threads, in place of one of tasks: each of them has one.
const ONE_EACH: u32 = 1 << 31;

type Task<'a> = &'a (dyn Fn(usize) + Sync);

struct Shared {
    /// Region number (upper half) and tasks not yet taken (lower half). A task
    /// is taken by lowering the count of the *same* region; where the lower
    /// half has [`ONE_EACH`], each of the first threads takes the task of its own
    /// number, once in the region.
    state: AtomicU64,
    /// The region's function. Written between regions only; read only by a
    /// thread that has taken a task of the region, which lasts until that task
    /// is finished.
    task: UnsafeCell<Option<Task<'static>>>,
    unfinished: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Where each thread but the calling one waits for a task: who has none in a
    /// region is not woken for it.
    idle: Vec<WaitPoint>,
    /// Where the caller waits for the end of a region.
    done: WaitPoint,
    /// Where the threads of a region wait for each other.
    barrier: WaitPoint,
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
    /// Threads that watch for `watch` before they sleep.
    pub(super) fn new(threads: usize, watch: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            task: UnsafeCell::new(None),
            unfinished: AtomicUsize::new(0),
            panic: Mutex::new(None),
            idle: (1..threads).map(|_| WaitPoint::new(watch)).collect(),
            done: WaitPoint::new(watch),
            barrier: WaitPoint::new(watch),
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

    /// Where the threads of a region wait for each other.
    pub(super) fn barrier(&self) -> &WaitPoint {
        &self.shared.barrier
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

    /// Calls `task(i)` on thread i of the first `threads`, the caller being thread
    /// 0, at the same time.
    pub(super) fn run_together(&self, threads: usize, task: Task<'_>) {
        assert!(
            !self.shared.is_inside(),
            "ThreadPool::together was called inside a region of the same pool, \
             whose threads are taken"
        );
        if threads == 1 {
            task(0);
            return;
        }
        let _region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        self.share(ONE_EACH | threads as u32, task);
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
        let tasks = (count & !ONE_EACH) as usize;
        shared.unfinished.store(tasks, Ordering::Relaxed);
        let region = (shared.state.load(Ordering::Relaxed) >> 32) + 1;
        shared
            .state
            .store(region << 32 | u64::from(count), Ordering::SeqCst);
        shared.idle[..self.workers.len().min(tasks - 1)]
            .iter()
            .for_each(WaitPoint::wake);
        if count & ONE_EACH != 0 {
            shared.finish(0);
        } else {
            while shared.take_and_run(0, &mut 0) {}
        }
        shared
            .done
            .wait(|| shared.unfinished.load(Ordering::SeqCst) == 0);
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
        self.shared.idle.iter().for_each(WaitPoint::wake);
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks; it has none of its own.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// What thread `index` does until the team is dropped.
    fn work(&self, index: usize) {
        let mut region = 0;
        while !self.closing.load(Ordering::SeqCst) {
            while self.take_and_run(index, &mut region) {}
            self.idle[index - 1]
                .wait(|| self.has_task(index, region) || self.closing.load(Ordering::SeqCst));
        }
    }

    /// The thread of number `index`, whose last region with a task of its own is
    /// `region`, may find a task.
    fn has_task(&self, index: usize, region: u64) -> bool {
        let state = self.state.load(Ordering::SeqCst);
        match state as u32 {
            0 => false,
            threads if threads & ONE_EACH != 0 => {
                index < (threads & !ONE_EACH) as usize && state >> 32 != region
            }
            _ => true,
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
            if left & ONE_EACH != 0 {
                let is_taken = std::mem::replace(region, state >> 32) == state >> 32;
                if is_taken || index >= (left & !ONE_EACH) as usize {
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
        if self.unfinished.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.done.wake();
        }
    }
}
