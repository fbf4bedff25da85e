//! The program as a process that is started, watched and disturbed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The program.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

/// A process of it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    began: Instant,
    /// What it says, on stdout and stderr.
    said: PathBuf,
    _place: tempfile::TempDir,
}

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub status: ExitStatus,
    /// What it said, on stdout and stderr.
    pub said: String,
    /// How long it ran.
    pub after: Duration,
}

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(2);

impl Program {
    /// The program at this path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, folder: &Path, arguments: &[String]) -> anyhow::Result<Process> {
        let place = tempfile::tempdir()?;
        let said = place.path().join("said");
        let file = File::create(&said)?;
        // What a shell starts in the background ignores SIGINT, and so would all that
        // it starts.
        let child = Command::new("env")
            .arg("--default-signal=HUP,INT")
            .arg(&self.path)
            .args(arguments)
            .current_dir(folder)
            .env_remove("LATENT_ATLAS_DATA")
            .env_remove("LATENT_ATLAS_MIRROR")
            .env_remove("SLURM_CPUS_PER_TASK")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{} could not be started", self.path.display()))?;
        Ok(Process {
            child,
            began: Instant::now(),
            said,
            _place: place,
        })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub fn run(&self, folder: &Path, arguments: &[String]) -> anyhow::Result<Ended> {
        self.start(folder, arguments)?.end()
    }
}

impl Process {
    /// Sends a signal, named as `kill` names it.
    ///
    /// # Errors
    /// When `kill` cannot be started.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        // A process that has ended by itself is none to signal.
        Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status()
            .map(|_| ())
    }

    /// Kills it; whether it was still running.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> io::Result<bool> {
        let running = self.child.try_wait()?.is_none();
        self.child.kill()?;
        self.child.wait()?;
        Ok(running)
    }

    /// Whether it is still running.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits until it has run for so long or ended; whether it still runs.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn run_for(&mut self, time: Duration) -> io::Result<bool> {
        let end = self.began + time;
        self.run_until(|| Instant::now() >= end)
    }

    /// Waits until something holds or it has ended; whether it still runs.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn run_until(&mut self, holds: impl Fn() -> bool) -> io::Result<bool> {
        loop {
            if !self.is_running()? {
                return Ok(false);
            }
            if holds() {
                return Ok(true);
            }
            thread::sleep(LOOK);
        }
    }

    /// Whether it has a handler for a signal, as far as the system tells.
    #[must_use]
    pub fn catches(&self, signal: u32) -> Option<bool> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask >> (signal - 1) & 1 == 1)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not come.
    pub fn end(mut self) -> anyhow::Result<Ended> {
        let limit = Instant::now() + PATIENCE;
        let running = self.run_until(|| Instant::now() >= limit)?;
        let said = String::from_utf8_lossy(&fs::read(&self.said)?).into_owned();
        if running {
            self.child.kill()?;
            self.child.wait()?;
            bail!("a process did not end within {PATIENCE:?}; it said: {said}");
        }
        Ok(Ended {
            status: self.child.wait()?,
            said,
            after: self.began.elapsed(),
        })
    }
}

impl Ended {
    /// The error unless it ended well.
    ///
    /// # Errors
    /// With what it said.
    pub fn well(self) -> anyhow::Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        bail!("{}: {}", self.status, self.said.trim().replace('\n', " | "))
    }
}
