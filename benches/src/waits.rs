//! What waiting for each other costs threads where cores are short.
//!
//! Several threads train the same model as one does, in turn, epoch by epoch
//! and under the same conditions: alone, beside threads that take all the time
//! they can get, many times more threads than cores, and all threads on one
//! core. Only ratios mean something then, and each is of two epochs that
//! follow each other.

use std::sync::atomic::{AtomicBool, Ordering};

use datasets::Split;
use evaluation::statistics::sorted_quantile;
use models::{Activation, Gradients, Trainer};
use serde::Serialize;

use super::training::{Recipe, epoch_seconds};
use runs::Error;

/// Images of an epoch: it is short, so that both of a pair meet the same machine.
const IMAGES: usize = 3000;

/// Steps with more and with fewer waits for their work.
const RECIPES: [Recipe; 2] = [recipe("784-256-2"), recipe("784-512-2")];

const fn recipe(architecture: &'static str) -> Recipe {
    Recipe {
        architecture,
        activation: Activation::Relu,
        batch: 128,
        tape: false,
    }
}

/// Under what the threads work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surroundings {
    /// All cores, and as many other threads that never wait.
    Beside(usize),
    /// One core for all threads.
    OneCore,
}

/// Several threads' epochs against one thread's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitRow {
    /// Widths of the encoder and of the code.
    pub architecture: &'static str,
    /// Images per step.
    pub batch: usize,
    /// Under what both sides work.
    pub surroundings: Surroundings,
    /// Threads that train together.
    pub threads: usize,
    /// Seconds of the median epoch of these.
    pub seconds_per_epoch: f64,
    /// Seconds of the median epoch of one thread.
    pub seconds_on_one_thread: f64,
    /// First quartile, median and third quartile of the seconds with these
    /// threads over those with one, pair by pair.
    pub ratio_quartiles: [f64; 3],
    /// Pairs of epochs.
    pub pairs: usize,
}

/// Measures every row: `threads` of them on all cores, alone and beside 1, 2
/// and 4 busy ones, and on one core where threads can be bound to it; and
/// eight times as many, alone, as far as a step is spread.
pub(super) fn measure(threads: usize, pairs: usize) -> Result<Vec<WaitRow>, Error> {
    let images = datasets::glyphs::split(0..IMAGES);
    let mut measurements: Vec<_> = [0, 1, 2, 4]
        .map(|busy| (Surroundings::Beside(busy), threads))
        .into();
    let many = (8 * threads).min(Gradients::Hand.most_threads());
    measurements.push((Surroundings::Beside(0), many));
    if cfg!(target_os = "linux") {
        measurements.push((Surroundings::OneCore, threads));
    }
    let mut rows = Vec::new();
    for recipe in &RECIPES {
        for &(surroundings, threads) in &measurements {
            let epochs =
                in_surroundings(surroundings, || alternate(recipe, &images, threads, pairs))?;
            rows.push(row(recipe, surroundings, threads, &epochs));
        }
    }
    Ok(rows)
}

/// Runs `work`, and the threads that it starts, on a thread of its own.
fn in_surroundings<R: Send>(
    surroundings: Surroundings,
    work: impl FnOnce() -> Result<R, Error> + Send,
) -> Result<R, Error> {
    let over = AtomicBool::new(false);
    let busy = match surroundings {
        Surroundings::Beside(busy) => busy,
        Surroundings::OneCore => 0,
    };
    let result = std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let worker = scope.spawn(|| {
            let _over = SetOnDrop(&over);
            if surroundings == Surroundings::OneCore {
                bind_to_one_core()?;
            }
            work()
        });
        worker.join()
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ends the busy threads, also if the work panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Binds the calling thread, and those that it will start, to the first of the
/// cores it may use.
#[cfg(target_os = "linux")]
fn bind_to_one_core() -> Result<(), Error> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let refused = |error: rustix::io::Errno| {
        Error::Benchmark(format!("a thread cannot be bound to one core: {error}"))
    };
    let allowed = sched_getaffinity(None).map_err(refused)?;
    let first = (0..CpuSet::MAX_CPU).find(|&core| allowed.is_set(core));
    let mut one = CpuSet::new();
    one.set(first.unwrap_or(0));
    sched_setaffinity(None, &one).map_err(refused)
}

#[cfg(not(target_os = "linux"))]
fn bind_to_one_core() -> Result<(), Error> {
    Err(Error::Benchmark(
        "threads are bound to one core on Linux only".into(),
    ))
}

/// Seconds of pairs of epochs, one thread's first.
fn alternate(
    recipe: &Recipe,
    images: &Split,
    threads: usize,
    pairs: usize,
) -> Result<Vec<[f64; 2]>, Error> {
    let trainer = |threads| recipe.trainer(images, threads, Gradients::Hand);
    let mut trainers: [Trainer; 2] = [trainer(1)?, trainer(threads)?];
    let mut pair = || -> Result<[f64; 2], Error> {
        let [one, several] = &mut trainers;
        Ok([epoch_seconds(one)?, epoch_seconds(several)?])
    };
    // The first epochs fault the pages in.
    pair()?;
    (0..pairs).map(|_| pair()).collect()
}

fn row(
    recipe: &Recipe,
    surroundings: Surroundings,
    threads: usize,
    epochs: &[[f64; 2]],
) -> WaitRow {
    let quartiles = |value: fn(&[f64; 2]) -> f64| {
        let mut sorted: Vec<f64> = epochs.iter().map(value).collect();
        sorted.sort_by(f64::total_cmp);
        [0.25, 0.5, 0.75].map(|q| sorted_quantile(&sorted, q))
    };
    WaitRow {
        architecture: recipe.architecture,
        batch: recipe.batch,
        surroundings,
        threads,
        seconds_per_epoch: quartiles(|&[_, several]| several)[1],
        seconds_on_one_thread: quartiles(|&[one, _]| one)[1],
        ratio_quartiles: quartiles(|&[one, several]| several / one),
        pairs: epochs.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_epochs_that_follow_each_other() {
        // Both sides get slower by ten together: the ratio does not see it.
        let epochs = [[1.0, 0.5], [10.0, 6.25], [100.0, 75.0]];
        let row = row(&RECIPES[0], Surroundings::Beside(2), 2, &epochs);
        assert_eq!(row.ratio_quartiles, [0.5625, 0.625, 0.6875]);
        assert_eq!(row.seconds_per_epoch, 6.25);
        assert_eq!(row.seconds_on_one_thread, 10.0);
        assert_eq!(row.pairs, 3);
    }

    #[test]
    fn busy_threads_end_with_the_work() {
        assert_eq!(
            in_surroundings(Surroundings::Beside(3), || Ok(7)).unwrap(),
            7
        );
        let caught = std::panic::catch_unwind(|| {
            in_surroundings::<()>(Surroundings::Beside(1), || panic!("the work"))
        });
        assert!(caught.is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_on_one_core_has_one_and_leaves_the_caller_its_own() {
        let cores = || std::thread::available_parallelism().unwrap().get();
        let before = cores();
        let inside = in_surroundings(Surroundings::OneCore, || {
            Ok(std::thread::spawn(cores).join().unwrap())
        });
        assert_eq!(inside.unwrap(), 1);
        assert_eq!(cores(), before);
    }
}
