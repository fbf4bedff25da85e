//! Runs side by side: which of those that are due goes when, and on how many of
//! the threads.
//!
//! Two steps of small networks on a core each take less time than one step split
//! over both, which waits for the slower half at every layer. As long as there
//! are as many runs as threads, each has one; when fewer are left, they share the
//! threads and take more of them on their way ([`Share`]). The longest begin
//! first, so that the last ones to end are short. None of this changes a result.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use datasets::Dataset;
use evaluation::footprint::evaluation_bytes;
use memory::Amount;
use models::{Layout, MAXIMUM_THREADS};

use crate::configuration::Configuration;
use crate::environment;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::needed_memory::bytes_of_training;
use crate::run_data::training_rows;

/// What the runs of a command may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads of all runs.
    pub threads: usize,
    /// Runs at once.
    pub jobs: usize,
}

impl Limits {
    /// As many threads as [`environment::threads`] says, and as many runs at
    /// once as were asked for, but no more than threads: one for each by default.
    #[must_use]
    pub fn of(threads: Option<usize>, jobs: Option<usize>) -> Self {
        let threads = environment::threads(threads);
        Self {
            threads,
            jobs: jobs.unwrap_or(threads).clamp(1, threads),
        }
    }
}

/// How many threads a run may use, at this moment.
#[derive(Clone, Debug)]
pub struct Share(Arc<AtomicUsize>);

impl Share {
    /// So many from the beginning to the end.
    #[must_use]
    pub fn of(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }

    /// How many now, at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.load(Ordering::Relaxed).clamp(1, MAXIMUM_THREADS)
    }
}

/// A run that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// What a message calls it.
    pub name: String,
    /// How long it is expected to take, in any unit that all have in common.
    pub cost: f64,
    /// Bytes it needs on one thread, beside what all runs share.
    pub bytes: u64,
}

impl Due {
    /// The training of `configuration` on `dataset`, which all runs share.
    ///
    /// The cost are the operations of all its steps, counted as dense: what
    /// [`Layout::training_flops_per_image`] says, times images, samples and
    /// epochs.
    ///
    /// # Errors
    /// Settings of no model.
    pub fn training(
        name: impl Into<String>,
        configuration: &Configuration,
        dataset: &Dataset,
    ) -> Result<Self, Error> {
        let images = training_rows(configuration, dataset)?;
        let per_image = Layout::new(&configuration.model_spec()?).training_flops_per_image();
        let training = &configuration.training;
        let passes = [images, configuration.objective()?.samples, training.epochs];
        Ok(Self {
            name: name.into(),
            cost: passes
                .iter()
                .fold(per_image as f64, |cost, &count| cost * count as f64),
            bytes: bytes_of_training(configuration, dataset, 1)?,
        })
    }

    /// The same where the model is evaluated on so many rows and threads when it
    /// is trained.
    ///
    /// # Errors
    /// Settings of no model.
    pub fn then_evaluated(
        self,
        configuration: &Configuration,
        rows: usize,
        threads: usize,
    ) -> Result<Self, Error> {
        let bytes = evaluation_bytes(&configuration.model_spec()?, rows, threads);
        Ok(Self {
            bytes: self.bytes.max(bytes),
            ..self
        })
    }
}

/// Does `work` for every run that is due, with its place in `due`, side by side
/// within `limits`, and gives what it returned in the order of `due`.
///
/// A run that needs more memory than the running ones leave waits until one has
/// ended, which `say` is told the first time. Alone, it is begun whatever it
/// needs: it refuses itself.
///
/// # Errors
/// The first error of a run. The others are asked to stop at a checkpoint, and
/// none is begun after it. [`Error::Abandoned`] where a stop was asked for before
/// all had ended.
///
/// # Panics
/// With the panic of a run, after the others have stopped.
pub fn side_by_side<T: Send>(
    due: &[Due],
    limits: Limits,
    interrupt: &Interrupt,
    say: &(dyn Fn(&str) + Sync),
    work: impl Fn(usize, &Share, &Interrupt) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    side_by_side_within(memory::available(), due, limits, interrupt, say, work)
}

/// The same where `available` bytes can be had.
fn side_by_side_within<T: Send>(
    available: Option<u64>,
    due: &[Due],
    limits: Limits,
    interrupt: &Interrupt,
    say: &(dyn Fn(&str) + Sync),
    work: impl Fn(usize, &Share, &Interrupt) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let queue = Queue {
        due,
        limits,
        available,
        interrupt: interrupt.of_part(),
        say,
        state: Mutex::new(State::of(due)),
        changed: Condvar::new(),
    };
    let done: Vec<Mutex<Option<T>>> = due.iter().map(|_| Mutex::new(None)).collect();
    let failure = Mutex::new(None);
    // All at once, so that none of the first has more threads than it keeps.
    let first = queue.first();
    std::thread::scope(|scope| {
        let threads = first.into_iter().map(|first| {
            let (queue, done, failure, work) = (&queue, &done, &failure, &work);
            scope.spawn(move || {
                let mut next = first.or_else(|| queue.next(None));
                while let Some(job) = next {
                    match work(job.place, &job.share, &queue.interrupt) {
                        Ok(result) => *lock(&done[job.place]) = Some(result),
                        // A signal, or another one's error, has stopped it.
                        Err(error) if queue.interrupt.requested() && is_stop(&error) => {}
                        Err(error) => {
                            queue.interrupt.request();
                            lock(failure).get_or_insert(error);
                        }
                    }
                    next = queue.next(Some(job));
                }
            })
        });
        // Of several panics the first one's is reported.
        let threads: Vec<_> = threads.collect();
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        if let Some(panic) = ends.into_iter().find_map(Result::err) {
            std::panic::resume_unwind(panic);
        }
    });
    if let Some(error) = into_inner(failure) {
        return Err(error);
    }
    let done = done.into_iter().map(into_inner).collect::<Option<Vec<T>>>();
    done.ok_or(Error::Abandoned)
}

struct Queue<'a> {
    due: &'a [Due],
    limits: Limits,
    available: Option<u64>,
    /// Stops the jobs, by a signal or because one of them failed.
    interrupt: Interrupt,
    say: &'a (dyn Fn(&str) + Sync),
    state: Mutex<State>,
    /// A job has ended.
    changed: Condvar,
}

impl<'a> Queue<'a> {
    /// Those that begin at once, for each of as many threads as jobs may run.
    fn first<'q>(&'q self) -> Vec<Option<Job<'q, 'a>>> {
        let count = self.limits.jobs.min(self.due.len());
        let mut said = None;
        let first = {
            let mut state = lock(&self.state);
            let first = (0..count).map(|_| self.begin(&mut state, &mut said));
            first.collect()
        };
        self.tell(said);
        first
    }

    /// What is begun after `ended`; waits for memory where one has to. Nothing
    /// when none is left, or a stop was asked for.
    fn next<'q>(&'q self, ended: Option<Job<'q, 'a>>) -> Option<Job<'q, 'a>> {
        let mut state = lock(&self.state);
        if let Some(job) = ended {
            state.running.retain(|(place, _)| *place != job.place);
        }
        loop {
            let mut said = None;
            let next = self.begin(&mut state, &mut said);
            // Threads are divided when one has taken the place of another.
            self.divide(&state);
            self.changed.notify_all();
            let is_over = self.interrupt.requested() || state.waiting.is_empty();
            if next.is_some() || is_over {
                drop(state);
                self.tell(said);
                return next;
            }
            if said.is_some() {
                // Before the wait, and without the lock that others need to end.
                drop(state);
                self.tell(said);
                state = lock(&self.state);
                continue;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Begins the longest of the waiting ones for which there is memory.
    fn begin<'q>(&'q self, state: &mut State, said: &mut Option<String>) -> Option<Job<'q, 'a>> {
        if self.interrupt.requested() {
            return None;
        }
        let taken = state
            .running
            .iter()
            .map(|(place, _)| self.due[*place].bytes);
        let taken = taken.fold(0, u64::saturating_add);
        let left = self.available.map(|bytes| bytes.saturating_sub(taken));
        let fits = |place: usize| left.is_none_or(|left| self.due[place].bytes <= left);
        let found = state.waiting.iter().position(|&place| fits(place));
        let found = found.or_else(|| state.running.is_empty().then_some(0));
        if let (Some(&longest), Some(left)) = (state.waiting.first(), left)
            && found != Some(0)
            && !state.is_said
        {
            state.is_said = true;
            let Due { name, bytes, .. } = &self.due[longest];
            *said = Some(format!(
                "{name} waits: it needs {} of memory, and the runs beside it leave {}",
                Amount(*bytes),
                Amount(left)
            ));
        }
        let place = match found {
            Some(found) if found < state.waiting.len() => state.waiting.remove(found),
            _ => return None,
        };
        let share = Share::of(1);
        state.running.push((place, share.clone()));
        self.divide(state);
        Some(Job {
            queue: self,
            place,
            share,
        })
    }

    fn end(&self, state: &mut State, place: usize) {
        state.running.retain(|(running, _)| *running != place);
        self.divide(state);
        self.changed.notify_all();
    }

    /// Gives every running job its threads; the longest have one more where they
    /// do not come out even.
    fn divide(&self, state: &State) {
        let (threads, count) = (self.limits.threads, state.running.len().max(1));
        for (rank, (_, share)) in state.running.iter().enumerate() {
            let more = usize::from(rank < threads % count);
            share.0.store(threads / count + more, Ordering::Relaxed);
        }
    }

    fn tell(&self, said: Option<String>) {
        if let Some(sentence) = said {
            (self.say)(&sentence);
        }
    }
}

struct State {
    /// Places of those that have not begun, the longest first.
    waiting: Vec<usize>,
    /// Those that have begun, in the order in which they did.
    running: Vec<(usize, Share)>,
    /// Whether it was said that memory keeps one waiting.
    is_said: bool,
}

impl State {
    fn of(due: &[Due]) -> Self {
        let mut waiting: Vec<usize> = (0..due.len()).collect();
        waiting.sort_by(|&a, &b| due[b].cost.total_cmp(&due[a].cost));
        Self {
            waiting,
            running: Vec::new(),
            is_said: false,
        }
    }
}

/// One that has begun.
struct Job<'q, 'a> {
    queue: &'q Queue<'a>,
    place: usize,
    share: Share,
}

impl Drop for Job<'_, '_> {
    /// In a panic the queue never hears of its end otherwise.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.queue.interrupt.request();
            self.queue.end(&mut lock(&self.queue.state), self.place);
        }
    }
}

fn is_stop(error: &Error) -> bool {
    matches!(error, Error::Stopped { .. } | Error::Abandoned)
}

/// A lock that a panic elsewhere does not take from us: the panic itself is
/// reported when its thread is joined.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
