//! Stopping in an orderly way: the first SIGINT, SIGTERM or SIGUSR1 asks the
//! run to checkpoint and stop, a second SIGINT or SIGTERM ends the process at
//! once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, shared between the signal handlers and a run.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Installs the handlers of the process and returns their flag.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    #[cfg(unix)]
    pub fn install() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // Registered first, so that it sees the flag as the previous
            // signal left it.
            signal_hook::flag::register_conditional_shutdown(
                signal,
                128 + signal,
                Arc::clone(&interrupt.requested),
            )?;
        }
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            signal_hook::flag::register(signal, Arc::clone(&interrupt.requested))?;
        }
        Ok(interrupt)
    }

    /// Without signals there is nothing to install.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub fn install() -> std::io::Result<Self> {
        Ok(Self::default())
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
