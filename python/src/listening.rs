//! Work on a thread of its own, while the one that Python has called listens: to what
//! the work tells, and to Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use pyo3::prelude::*;
use runs::interrupt::Interrupt;

use crate::errors::of_panic;

/// How often signals are looked for while nothing is told.
const PATIENCE: Duration = Duration::from_millis(25);

/// What `work` gives, with the interpreter left to others while it computes.
///
/// # Errors
/// `RuntimeError` where it panics.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)))
        .map_err(|payload| of_panic(&*payload))
}

/// The same of work that takes long. What it sends is given to `hear` on the thread that
/// called; where that raises, or a signal does, `interrupt` is requested, the work is
/// waited for, and what was raised is raised.
///
/// # Errors
/// What `hear` or a signal raised, or `RuntimeError` where the work panics.
pub(crate) fn listening<T: Send, M: Send>(
    py: Python<'_>,
    interrupt: &Interrupt,
    work: impl FnOnce(Sender<M>) -> T + Send,
    mut hear: impl FnMut(M) -> PyResult<()>,
) -> PyResult<T> {
    std::thread::scope(|scope| {
        let (sender, mut receiver) = channel();
        let worker = std::thread::Builder::new()
            .name("latent-atlas".into())
            .spawn_scoped(scope, move || work(sender))?;
        let mut raised = None;
        loop {
            let receiver = &mut receiver;
            let heard = py.detach(move || receiver.recv_timeout(PATIENCE));
            let outcome = match heard {
                Ok(_) if raised.is_some() => Ok(()),
                Ok(message) => hear(message),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let outcome = match raised {
                None => outcome.and_then(|()| py.check_signals()),
                Some(_) => Ok(()),
            };
            if let Err(error) = outcome {
                interrupt.request();
                raised = Some(error);
            }
        }
        let done = py.detach(move || worker.join());
        match (raised, done) {
            (Some(error), _) => Err(error),
            (None, Ok(done)) => Ok(done),
            (None, Err(payload)) => Err(of_panic(&*payload)),
        }
    })
}
