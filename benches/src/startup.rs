//! What a user waits for and what the machine must hold: the first step of a
//! run, and the peak of its memory, measured in a process of its own.

use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use datasets::Lookup;

use runs::Error;
use runs::configuration::Configuration;
use runs::interrupt::Interrupt;
use runs::training::{self, Request, Target};

/// The line the probe prints after its first step.
const FIRST_STEP: &str = "first step";
/// What the line with the peak of its memory begins with.
const PEAK_MEMORY: &str = "peak memory in MB: ";

/// The start of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Startup {
    /// Most memory the process held at a time, in 10⁶ bytes; absent where the
    /// system does not tell.
    pub peak_memory_mb: Option<f64>,
    /// Seconds from the start of the process to the end of its first step.
    pub seconds_to_first_step: Option<f64>,
}

/// Starts the probe and times it from outside, so that starting the process
/// counts.
pub(super) fn measure(mut probe: Command) -> Result<Startup, Error> {
    let failed = |reason: String| {
        Error::Benchmark(format!(
            "the run whose start and memory are measured failed: {reason}"
        ))
    };
    let began = Instant::now();
    let mut child = probe
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut startup = Startup::default();
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(|output| output.lines()) {
        let line = line.map_err(|error| failed(error.to_string()))?;
        if line == FIRST_STEP {
            startup.seconds_to_first_step = Some(began.elapsed().as_secs_f64());
        } else if let Some(memory) = line.strip_prefix(PEAK_MEMORY) {
            startup.peak_memory_mb = memory.parse().ok();
        }
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    Ok(startup)
}

/// Trains 784-256-2 for one epoch into a temporary run folder, exactly as
/// `train` does, and writes what the parent of this process waits for: a line
/// after the first step, and one with the peak memory at the end.
///
/// # Errors
/// As [`training::train`].
pub fn probe(
    dataset: &str,
    threads: usize,
    lookup: &Lookup,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let unwritable = |path: std::path::PathBuf| move |source| Error::Write { path, source };
    let folder = tempfile::tempdir().map_err(unwritable(std::env::temp_dir()))?;
    let mut configuration = Configuration::default();
    configuration.data.dataset = dataset.into();
    configuration.training.epochs = 1;
    // Training reports progress at every snapshot of the tracked codes; one
    // per step makes the first step audible.
    configuration.tracking.snapshots_per_epoch = 1 << 20;
    configuration.tracking.images_per_class = 1;
    let request = Request {
        target: Target::New {
            configuration: Box::new(configuration),
            out: Some(folder.path().join("run")),
        },
        command: "the start of a run".into(),
        checkpoint_every: training::CHECKPOINT_EVERY,
        threads: Some(threads),
        location: lookup.clone().into(),
    };
    let mut observer = FirstStep {
        out,
        seen: false,
        written: Ok(()),
    };
    training::train(&request, &Interrupt::default(), &mut |_| (), &mut observer)?;
    let FirstStep { out, written, .. } = observer;
    written
        .and_then(|()| match peak_memory_mb() {
            Some(memory) => writeln!(out, "{PEAK_MEMORY}{memory}"),
            None => Ok(()),
        })
        .map_err(unwritable("the output".into()))
}

struct FirstStep<'a> {
    out: &'a mut dyn Write,
    seen: bool,
    written: std::io::Result<()>,
}

impl training::Observer for FirstStep<'_> {
    fn progressed(&mut self, _share: f64) {
        if !self.seen {
            self.seen = true;
            self.written = writeln!(self.out, "{FIRST_STEP}").and_then(|()| self.out.flush());
        }
    }
}

/// Most memory this process has held at a time, in 10⁶ bytes, where the
/// system tells.
fn peak_memory_mb() -> Option<f64> {
    high_water_mark(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The `VmHWM` line of Linux's `/proc/PID/status`, which counts in KiB, in
/// 10⁶ bytes.
fn high_water_mark(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_memory_is_read_from_the_status_of_a_process() {
        let status = "Name:\txtask\nVmPeak:\t  300000 kB\nVmHWM:\t  125000 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(high_water_mark(status), Some(128.0));
        assert_eq!(high_water_mark("Name:\txtask\n"), None);
        assert_eq!(high_water_mark("VmHWM:\t many kB\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_probe_is_timed_and_its_failure_is_an_error() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            measure(command)
        };
        let startup = shell("echo first step; echo peak memory in MB: 12.5").unwrap();
        assert_eq!(startup.peak_memory_mb, Some(12.5));
        assert!(startup.seconds_to_first_step.unwrap() > 0.0);
        let error = shell("exit 3").unwrap_err().to_string();
        assert!(error.contains('3'), "{error}");
    }
}
