//! One script of a peer, running: it trains an epoch for each line it is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// How long a script may take to end once its input has ended.
const FAREWELL: Duration = Duration::from_secs(3);

/// The line a script prints for each epoch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PeerEpoch {
    /// The peer.
    pub name: String,
    /// Version of its framework.
    pub version: String,
    /// Widths of the encoder and of the code.
    pub architecture: String,
    /// Nonlinearity of the hidden layers.
    pub activation: String,
    /// Images per step.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Whether it holds compilation and is no measurement.
    pub warm_up: bool,
    /// Its wall-clock seconds.
    pub seconds: f64,
    /// Its mean −ELBO per image in nats.
    pub loss: f64,
}

impl PeerEpoch {
    /// Reads a script's line.
    ///
    /// # Errors
    /// One sentence about a line that is not such an object, or whose seconds
    /// or loss are no usable numbers.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim_end();
        let epoch: Self = serde_json::from_str(line)
            .map_err(|error| format!("it printed {line:?} instead of an epoch's line ({error})"))?;
        // JSON has no NaN, but Python writes and Rust refuses it above.
        if epoch.seconds > 0.0 && epoch.loss.is_finite() {
            Ok(epoch)
        } else {
            Err(format!(
                "it reported {} seconds and a loss of {}",
                epoch.seconds, epoch.loss
            ))
        }
    }
}

/// Why a script does not run.
#[derive(Debug)]
pub(super) enum StartError {
    /// There is no interpreter: no script can run.
    Python(String),
    /// This script fails.
    Peer(String),
}

/// A running script.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Collects stderr, so that a talkative framework never blocks on it.
    errors: Option<JoinHandle<String>>,
}

impl Process {
    /// Starts `script` with `options`; it then waits for the first epoch.
    pub(super) fn start(
        python: &Path,
        script: &Path,
        options: &[(&str, &str)],
    ) -> Result<Self, StartError> {
        let mut command = Command::new(python);
        command.arg(script).arg("--interactive");
        for (option, value) in options {
            command.args([option, value]);
        }
        let mut child = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                StartError::Python(format!(
                    "the Python interpreter '{}' cannot be started ({error}); name one with --python or LATENT_ATLAS_PYTHON",
                    python.display()
                ))
            })?;
        let closed = || StartError::Peer("its pipes could not be opened".into());
        let input = child.stdin.take();
        let output = child.stdout.take().map(BufReader::new).ok_or_else(closed)?;
        let mut stderr = child.stderr.take().ok_or_else(closed)?;
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read until an error is still the best explanation.
            let _ = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Self {
            child,
            input,
            output,
            errors: Some(errors),
        })
    }

    /// Lets the script train one epoch.
    pub(super) fn epoch(&mut self) -> Result<PeerEpoch, String> {
        // A script that has ended cannot be written to; its last words follow.
        let sent = self.input.as_mut().is_some_and(|input| {
            input
                .write_all(b"go\n")
                .and_then(|()| input.flush())
                .is_ok()
        });
        let mut line = String::new();
        if sent {
            self.output
                .read_line(&mut line)
                .map_err(|error| format!("its output cannot be read ({error})"))?;
        }
        if line.is_empty() {
            return Err(self.last_words());
        }
        PeerEpoch::parse(&line)
    }

    /// The last line on stderr of a script that has ended, or how it ended.
    fn last_words(&mut self) -> String {
        self.end();
        let status = self.child.wait();
        let errors = self.errors.take().and_then(|errors| errors.join().ok());
        let last = errors.as_ref().and_then(|errors| {
            let mut lines = errors.lines().rev();
            lines.find(|line| !line.trim().is_empty())
        });
        match (last, status) {
            (Some(line), _) => line.trim().to_owned(),
            (None, Ok(status)) => format!("it ended with {status}"),
            (None, Err(error)) => format!("it ended in an unknown way ({error})"),
        }
    }

    /// Ends the script: its input ends, and when that is not enough, it is
    /// killed.
    fn end(&mut self) {
        self.input = None;
        let deadline = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // It may have ended in between; there is nothing else to do.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"name": "jax-scan", "version": "0.10.2", "architecture": "784-256-2", "activation": "relu", "batch": 128, "threads": 2, "epoch": 2, "warm_up": false, "seconds": 1.25, "loss": 170.5}"#;

    #[test]
    fn an_epoch_is_read_from_its_line() {
        let epoch = PeerEpoch::parse(&format!("{LINE}\n")).unwrap();
        assert_eq!(epoch.name, "jax-scan");
        assert_eq!(epoch.version, "0.10.2");
        assert_eq!((epoch.batch, epoch.threads, epoch.epoch), (128, 2, 2));
        assert!(!epoch.warm_up);
        assert_eq!((epoch.seconds, epoch.loss), (1.25, 170.5));
    }

    #[test]
    fn a_line_that_is_none_is_quoted() {
        let error = PeerEpoch::parse("downloading…\n").unwrap_err();
        assert!(error.contains("\"downloading…\""), "{error}");
        let error = PeerEpoch::parse(&LINE.replace("\"batch\": 128, ", "")).unwrap_err();
        assert!(error.contains("missing field `batch`"), "{error}");
        // What Python prints for a loss that is not a number.
        assert!(PeerEpoch::parse(&LINE.replace("170.5", "NaN")).is_err());
        let error = PeerEpoch::parse(&LINE.replace("1.25", "0.0")).unwrap_err();
        assert!(error.contains("0 seconds"), "{error}");
    }

    #[test]
    fn a_missing_interpreter_is_named() {
        let python = Path::new("/nowhere/python3");
        let Err(StartError::Python(reason)) = Process::start(python, Path::new("x.py"), &[]) else {
            panic!("an interpreter that does not exist was started");
        };
        assert!(
            reason.contains("/nowhere/python3") && reason.contains("--python"),
            "{reason}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_script_trains_an_epoch_for_each_line_and_its_last_words_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(
            &script,
            format!("read x; echo '{LINE}'; echo first >&2; echo 'no module torch' >&2; exit 2\n"),
        )
        .unwrap();
        let mut process = Process::start(Path::new("sh"), &script, &[("--batch", "1")]).unwrap();
        assert_eq!(process.epoch().unwrap().seconds, 1.25);
        assert_eq!(process.epoch().unwrap_err(), "no module torch");
    }
}
