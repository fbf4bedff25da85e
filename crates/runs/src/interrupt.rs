//! Stopping in an orderly way: the first SIGINT, SIGTERM, SIGHUP or SIGUSR1 asks
//! the run to checkpoint and stop, a second SIGINT, SIGTERM or SIGHUP ends the
//! process at once.
//!
//! What goes on for longer than 1.2 s after that, such as the drawing of a
//! picture or a pass over many images, is left where it is: everything that is
//! on the disk is whole at any moment.
//!
//! `timeout` and some schedulers send one request to a process and then to its
//! whole group, so that it arrives twice; a signal close behind the first is
//! therefore part of it. A signal that the process was started to ignore, as
//! `nohup` does with SIGHUP, stays ignored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
#[cfg(unix)]
use std::time::Duration;

use crate::error::Error;

/// Signals this close to the first repeat it.
#[cfg(unix)]
const REPETITION: Duration = Duration::from_millis(200);

/// How long work may take to stop by itself.
#[cfg(unix)]
const GRACE: Duration = Duration::from_millis(1200);

/// How long the reason of an end may take to be written.
#[cfg(unix)]
const REPORT: Duration = Duration::from_millis(300);

/// A request to stop, shared between the signal handlers and a run.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// That of the whole, where this one is of a part of the work.
    whole: Option<Box<Interrupt>>,
    departure: Arc<Mutex<Departure>>,
}

/// How the process ends if the work does not stop by itself.
#[derive(Default)]
struct Departure {
    /// Says what the end means; none before the first work has begun.
    farewell: Option<Arc<dyn Fn() -> Error + Send + Sync>>,
    /// Parts of the work that have to be finished.
    staying: usize,
}

impl std::fmt::Debug for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Departure({} stay)", self.staying)
    }
}

impl Interrupt {
    /// Installs the handlers of the process and returns their flag. `report` is
    /// told why the process ends when it is ended in the middle of something.
    ///
    /// # Errors
    /// When the operating system refuses a handler or the thread that waits for
    /// signals.
    #[cfg(unix)]
    pub fn install(report: fn(&Error)) -> std::io::Result<Self> {
        use std::time::Instant;

        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
        use signal_hook::iterator::Signals;

        let heard = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]
            .into_iter()
            .filter(|&signal| !is_ignored(signal));
        let mut signals = Signals::new(heard)?;
        let interrupt = Self::of_process();
        let asked = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut first: Option<Instant> = None;
                for signal in signals.forever() {
                    asked.request();
                    if first.is_none() {
                        let asked = asked.clone();
                        // Without it the work stops by itself or not at all.
                        let _ = std::thread::Builder::new()
                            .name("departure".into())
                            .spawn(move || asked.depart(report));
                    }
                    let since = first.get_or_insert_with(Instant::now).elapsed();
                    if signal != SIGUSR1 && since >= REPETITION {
                        std::process::exit(128 + signal);
                    }
                }
            })?;
        Ok(interrupt)
    }

    /// Without signals there is nothing to install.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub fn install(_report: fn(&Error)) -> std::io::Result<Self> {
        Ok(Self::of_process())
    }

    /// The request that [`install`](Self::install) lets signals make, for what
    /// is built before or apart from whoever calls that.
    #[must_use]
    pub fn of_process() -> Self {
        static PROCESS: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
        PROCESS.clone()
    }

    /// A request to stop a part of the work: made by asking for a stop of it, or
    /// of the whole.
    #[must_use]
    pub fn of_part(&self) -> Self {
        Self {
            requested: Arc::default(),
            whole: Some(Box::new(self.clone())),
            departure: Arc::clone(&self.departure),
        }
    }

    /// What is set once a stop was asked for; of a part, of that part alone.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.requested)
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
            || self.whole.as_ref().is_some_and(|whole| whole.requested())
    }

    /// Asks for a stop, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// From now until the result is dropped, a process that is ended in the
    /// middle of something ends with what `farewell` says, after it has done
    /// what it does.
    #[must_use = "the farewell is forgotten when this is dropped"]
    pub fn on_departure(&self, farewell: impl Fn() -> Error + Send + Sync + 'static) -> Farewell {
        let mut departure = self.departure();
        let former = departure.farewell.replace(Arc::new(farewell));
        drop(departure);
        Farewell {
            interrupt: self.clone(),
            former,
        }
    }

    /// While the result lives, the process is not ended: what is being written
    /// belongs together.
    #[must_use = "the process may end when this is dropped"]
    pub fn stay(&self) -> Stay {
        self.departure().staying += 1;
        Stay(self.clone())
    }

    fn departure(&self) -> MutexGuard<'_, Departure> {
        self.departure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the process after the grace, at the first moment at which nobody
    /// stays.
    #[cfg(unix)]
    fn depart(&self, report: fn(&Error)) {
        std::thread::sleep(GRACE);
        loop {
            let departure = self.departure();
            if departure.staying == 0 {
                let farewell = departure.farewell.clone();
                let error = farewell.map_or(Error::Abandoned, |farewell| farewell());
                let code = error.exit_code();
                // Who listens may have stopped to.
                let (told, done) = std::sync::mpsc::channel();
                let _ = std::thread::Builder::new().spawn(move || {
                    report(&error);
                    told.send(())
                });
                let _ = done.recv_timeout(REPORT);
                // With the lock held: nobody begins to stay any more.
                std::process::exit(code.into());
            }
            drop(departure);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What a process says when it is ended; see [`Interrupt::on_departure`].
pub struct Farewell {
    interrupt: Interrupt,
    former: Option<Arc<dyn Fn() -> Error + Send + Sync>>,
}

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.interrupt.departure().farewell = self.former.take();
    }
}

/// Keeps the process from being ended; see [`Interrupt::stay`].
#[derive(Debug)]
pub struct Stay(Interrupt);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.departure().staying -= 1;
    }
}

/// Lets a file that would become longer than the process may write be an error
/// of writing, which names it, instead of the end of the process.
///
/// # Errors
/// When the operating system refuses.
pub fn survive_file_limits() -> std::io::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    Ok(())
}

/// Whether the process was started with a signal ignored. Told by Linux alone.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_signals(&status) >> (signal - 1) & 1 == 1
}

/// The mask `SigIgn` of proc_pid_status(5).
#[cfg(unix)]
fn ignored_signals(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t00000001000004e8\n";
        assert_eq!(ignored_signals(status), 1 << 12 | 1);
        assert_eq!(ignored_signals("Name:\tx\n"), 0);
    }

    #[test]
    fn a_part_stops_with_the_whole_and_not_the_other_way_round() {
        let whole = Interrupt::default();
        let (part, other) = (whole.of_part(), whole.of_part());
        let within = part.of_part();
        part.request();
        assert!(part.requested() && within.requested());
        assert!(!whole.requested() && !other.requested());
        whole.request();
        assert!(other.requested());
    }

    #[test]
    fn farewells_are_nested_and_stays_are_counted() {
        let interrupt = Interrupt::default();
        let says = |interrupt: &Interrupt| {
            let farewell = interrupt.departure().farewell.clone();
            farewell.map(|farewell| farewell().to_string())
        };
        assert_eq!(says(&interrupt), None);
        let outer = interrupt.on_departure(|| Error::Undefined("outer".into()));
        {
            let _inner = interrupt.on_departure(|| Error::Undefined("inner".into()));
            assert_eq!(says(&interrupt).as_deref(), Some("inner"));
        }
        assert_eq!(says(&interrupt).as_deref(), Some("outer"));
        drop(outer);
        assert_eq!(says(&interrupt), None);
        let (first, second) = (interrupt.stay(), interrupt.clone().stay());
        assert_eq!(interrupt.departure().staying, 2);
        drop((first, second));
        assert_eq!(interrupt.departure().staying, 0);
    }
}
