//! Stopping in an orderly way: the first SIGINT, SIGTERM or SIGUSR1 asks the
//! run to checkpoint and stop, a second SIGINT or SIGTERM ends the process at
//! once.
//!
//! `timeout` and some schedulers send one request to a process and then to its
//! whole group, so that it arrives twice; a signal close behind the first is
//! therefore part of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
#[cfg(unix)]
use std::time::Duration;

/// Signals this close to the first repeat it.
#[cfg(unix)]
const REPETITION: Duration = Duration::from_millis(500);

/// A request to stop, shared between the signal handlers and a run.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Installs the handlers of the process and returns their flag.
    ///
    /// # Errors
    /// When the operating system refuses a handler or the thread that waits for
    /// signals.
    #[cfg(unix)]
    pub fn install() -> std::io::Result<Self> {
        use std::time::Instant;

        use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
        use signal_hook::iterator::Signals;

        let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
        let interrupt = Self::of_process();
        let asked = interrupt.clone();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let mut first: Option<Instant> = None;
                for signal in signals.forever() {
                    asked.request();
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
    pub fn install() -> std::io::Result<Self> {
        Ok(Self::of_process())
    }

    /// The request that [`install`](Self::install) lets signals make, for what
    /// is built before or apart from whoever calls that.
    #[must_use]
    pub fn of_process() -> Self {
        static PROCESS: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
        PROCESS.clone()
    }

    /// What is set once a stop was asked for.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.requested)
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Asks for a stop, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}
