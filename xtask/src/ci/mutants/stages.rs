//! The tests of a crate in stages: the cheapest first, until one
//! fails.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::list::Mutant;
use super::outcomes::Fate;
use super::tree;
use crate::ci::cargo;

/// A copy of the tree with what is built of it.
pub(super) struct Workshop {
    pub(super) folder: PathBuf,
    /// How many compilers, and then tests of a program, run at the same time.
    pub(super) threads: usize,
}

impl Workshop {
    pub(super) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }
}

/// How a test program ended, with the first tests that failed.
enum Ending {
    Passed,
    Failed(String),
    Late,
}

/// The stages of a crate, with the times that they take of the code as it is.
pub(super) struct Stages {
    package: &'static str,
    stages: Vec<(Target, Duration)>,
    /// The tests within the code as it is, built: a copy.
    unchanged: PathBuf,
    modules: Mutex<BTreeMap<String, Duration>>,
}

/// A program of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Library,
    Test(String),
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Self::Library => "lib",
            Self::Test(name) => name,
        }
    }
}

/// A test may take this many times what it takes of the code as it is, and
/// `GRACE` more: others use the machine too.
const PATIENCE: u32 = 5;
const GRACE: Duration = Duration::from_secs(20);

/// Address space of a test program, in KiB: a mutant may ask for more than there
/// is.
const ADDRESS_SPACE: u64 = 16 << 20;

impl Stages {
    /// Builds and runs every stage in a workshop whose tree is as it was copied,
    /// or reads from `kept` that this was done with the same digest of the tree.
    pub(super) fn of_unchanged(
        package: &'static str,
        workshop: &Workshop,
        kept: &Path,
        digest: &str,
        note: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        let targets = targets(package, workshop)?;
        let file = kept.join(format!("{package}.json"));
        let unchanged = kept.join(format!("{package}-tests"));
        if let Some(times) = kept_times(&file, digest, &targets)
            && unchanged.is_file()
        {
            let stages = targets.into_iter().zip(times).collect();
            return Ok(Self::cheapest_first(package, stages, unchanged));
        }
        let mut stages = Vec::new();
        for target in targets {
            note(&format!("{package}, unchanged: {}", target.name()));
            let Some(program) = build(package, &target, workshop)? else {
                bail!("{package} does not compile without a mutant");
            };
            if target == Target::Library {
                std::fs::copy(&program, &unchanged)
                    .with_context(|| format!("{} cannot be written", unchanged.display()))?;
            }
            let began = Instant::now();
            let limit = Duration::from_secs(3600);
            match run(package, &program, None, workshop, limit)? {
                Ending::Passed => stages.push((target, began.elapsed())),
                Ending::Failed(tests) => bail!(
                    "the tests {} of {package} fail without a mutant: {tests}",
                    target.name()
                ),
                Ending::Late => bail!(
                    "the tests {} of {package} take more than an hour without a mutant",
                    target.name()
                ),
            }
        }
        let seconds: Vec<f64> = stages.iter().map(|(_, time)| time.as_secs_f64()).collect();
        let names: Vec<&str> = stages.iter().map(|(target, _)| target.name()).collect();
        let record = json!({"digest": digest, "targets": names, "seconds": seconds});
        tree::write(&file, record.to_string().as_bytes())?;
        Ok(Self::cheapest_first(package, stages, unchanged))
    }

    /// The tests within the library, whose modules are asked alone first, then the
    /// programs in the order of their times.
    fn cheapest_first(
        package: &'static str,
        mut stages: Vec<(Target, Duration)>,
        unchanged: PathBuf,
    ) -> Self {
        stages.sort_by_key(|(target, time)| (*target != Target::Library, *time));
        Self {
            package,
            stages,
            unchanged,
            modules: Mutex::default(),
        }
    }

    /// Makes a mutant in the workshop's tree, tests it, and takes it back. Also
    /// gives who saw it.
    pub(super) fn try_mutant(
        &self,
        mutant: &Mutant,
        workshop: &Workshop,
    ) -> anyhow::Result<(Fate, String)> {
        let path = workshop.tree().join(&mutant.file);
        let text = tree::read(&path)?;
        let changed = mutant.applied_to(std::str::from_utf8(&text)?)?;
        tree::write(&path, changed.as_bytes())?;
        let fate = self.fate(mutant, workshop);
        // Also when it could not be told.
        tree::write(&path, &text)?;
        fate
    }

    fn fate(&self, mutant: &Mutant, workshop: &Workshop) -> anyhow::Result<(Fate, String)> {
        for (target, time) in &self.stages {
            let Some(program) = build(self.package, target, workshop)? else {
                // Tests of the crate's own use what others see of it.
                let by = format!("{} does not compile", target.name());
                return Ok((Fate::Unviable, by));
            };
            let mut filters = vec![(None, *time)];
            if let (Target::Library, Some(module)) = (target, mutant.module()) {
                let time = self.time_of_module(&module, workshop)?;
                filters.insert(0, (Some(module), time));
            }
            for (filter, time) in filters {
                let limit = time * PATIENCE + GRACE;
                let filter = filter.as_deref();
                let name = filter.unwrap_or(target.name());
                match run(self.package, &program, filter, workshop, limit)? {
                    Ending::Passed => {}
                    Ending::Failed(tests) => {
                        return Ok((Fate::Caught, format!("{name}: {tests}")));
                    }
                    Ending::Late => return Ok((Fate::Timeout, name.to_owned())),
                }
            }
        }
        Ok((Fate::Missed, String::new()))
    }

    /// How long the tests of a module take of the code as it is.
    fn time_of_module(&self, module: &str, workshop: &Workshop) -> anyhow::Result<Duration> {
        let mut times = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(time) = times.get(module) {
            return Ok(*time);
        }
        let whole = self.stages.first().map_or(GRACE, |(_, time)| *time);
        let began = Instant::now();
        let limit = whole * PATIENCE + GRACE;
        let Ending::Passed = run(self.package, &self.unchanged, Some(module), workshop, limit)?
        else {
            bail!("the tests {module} fail without a mutant, though they passed before");
        };
        let time = began.elapsed();
        times.insert(module.to_owned(), time);
        Ok(time)
    }
}

/// The times of an earlier run with the same tree and targets.
fn kept_times(file: &Path, digest: &str, targets: &[Target]) -> Option<Vec<Duration>> {
    let record: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let names: Vec<&str> = targets.iter().map(Target::name).collect();
    if record["digest"] != digest || record["targets"] != json!(names) {
        return None;
    }
    let seconds = record["seconds"].as_array()?.iter();
    let times = seconds.map(|value| Duration::try_from_secs_f64(value.as_f64()?).ok());
    let times: Option<Vec<Duration>> = times.collect();
    times.filter(|times| times.len() == targets.len())
}

/// The tests within the library, and every program of its tests.
fn targets(package: &str, workshop: &Workshop) -> anyhow::Result<Vec<Target>> {
    let manifest = workshop.tree().join("Cargo.toml");
    let metadata = cargo::metadata(&["--no-deps", "--manifest-path", &manifest.to_string_lossy()])?;
    let packages = metadata["packages"].as_array();
    let found = packages.and_then(|packages| packages.iter().find(|one| one["name"] == package));
    let found = found.with_context(|| format!("cargo metadata lists no {package}"))?;
    let all = found["targets"].as_array().into_iter().flatten();
    let tests = all.filter(|target| target["kind"] == json!(["test"]));
    let names = tests.filter_map(|target| target["name"].as_str());
    let tests = names.map(|name| Target::Test(name.to_owned()));
    Ok([Target::Library].into_iter().chain(tests).collect())
}

/// The program of a target, or none if it does not compile.
fn build(package: &str, target: &Target, workshop: &Workshop) -> anyhow::Result<Option<PathBuf>> {
    let mut command = cargo::cargo();
    command
        .args(["test", "--locked", "--no-run", "--message-format=json"])
        // What is built once stays optimised, what is built for each mutant is
        // built fast.
        .arg("--config")
        .arg(format!("profile.dev.package.{package}.opt-level=1"))
        .args(["--config", "profile.dev.debug=false"])
        .args(["--package", package]);
    match target {
        Target::Library => command.arg("--lib"),
        Target::Test(name) => command.args(["--test", name]),
    };
    let output = command
        .current_dir(workshop.tree())
        .env("CARGO_TARGET_DIR", workshop.folder.join("target"))
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_BUILD_JOBS", workshop.threads.to_string())
        .output()
        .context("cargo could not be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let messages: Vec<Value> = messages.collect();
    if !output.status.success() {
        let is_error = |message: &&Value| message["message"]["level"] == "error";
        if messages.iter().any(|message| is_error(&message)) {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        bail!(
            "cargo could not build the tests {} of {package} ({}): {}",
            target.name(),
            output.status,
            last.join(" | ")
        );
    }
    let mut programs = messages.iter().filter_map(|message| {
        let is_its = message["target"]["name"] == target.name() || *target == Target::Library;
        message["executable"].as_str().filter(|_| is_its)
    });
    let program = programs.next_back();
    let program = program.with_context(|| format!("cargo names no tests {}", target.name()))?;
    Ok(Some(PathBuf::from(program)))
}

/// Runs tests, or those of them whose names hold `filter`.
fn run(
    package: &str,
    program: &Path,
    filter: Option<&str>,
    workshop: &Workshop,
    limit: Duration,
) -> anyhow::Result<Ending> {
    let folder = workshop.tree().join("crates").join(package);
    // Should this process end, the program will still come to an end: on all cores
    // later than the limit would have ended it, as tests start threads of their own.
    let cores = available_parallelism().map_or(1, usize::from) as u64;
    let processor_seconds = limit.as_secs().saturating_mul(8.max(2 * cores));
    let limits = format!("ulimit -v {ADDRESS_SPACE}; ulimit -t {processor_seconds}; exec \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limits, "sh"])
        .arg(program)
        .args(filter)
        .arg(format!("--test-threads={}", workshop.threads))
        .current_dir(&folder)
        .env("CARGO_MANIFEST_DIR", &folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} could not be started", program.display()))?;
    let said = child
        .stdout
        .take()
        .context("a test program has no output")?;
    let failed = std::thread::spawn(move || failed_tests(BufReader::new(said)));
    // What it may have started itself still holds its output: that is not waited
    // for.
    let Some(status) = end_of(&mut child, limit)? else {
        return Ok(Ending::Late);
    };
    let failed = failed.join().unwrap_or_default();
    if status.success() {
        return Ok(Ending::Passed);
    }
    // SIGHUP, SIGINT, SIGKILL and SIGTERM come from outside and say nothing of
    // the mutant.
    if let Some(signal @ (1 | 2 | 9 | 15)) = status.signal() {
        bail!("the tests of {package} were ended from outside, by signal {signal}");
    }
    Ok(Ending::Failed(if failed.is_empty() {
        status.to_string()
    } else {
        failed.join(", ")
    }))
}

/// The first tests that are said to have failed.
fn failed_tests(said: impl std::io::BufRead) -> Vec<String> {
    let mut failed = Vec::new();
    // Everything is read: a program whose output nobody takes would wait.
    for line in said.split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        let name = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... FAILED"));
        if let Some(name) = name.filter(|_| failed.len() < 3) {
            failed.push(name.to_owned());
        }
    }
    failed
}

/// How a process ends, or none if it had to be ended after `limit`.
fn end_of(child: &mut Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_that_failed_are_named() {
        let said =
            b"running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\xff\ntest d ... FAILED\n";
        assert_eq!(failed_tests(&said[..]), ["a::c", "d"]);
    }

    #[test]
    fn what_comes_to_no_end_is_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        let began = Instant::now();
        let ended = end_of(&mut child, Duration::from_millis(50)).expect("it ends");
        assert!(ended.is_none() && began.elapsed() < Duration::from_secs(30));
        let mut child = Command::new("false").spawn().expect("false");
        let ended = end_of(&mut child, Duration::from_secs(60)).expect("it ends");
        assert!(ended.is_some_and(|status| !status.success()));
    }

    #[test]
    fn times_hold_for_the_same_tree_and_tests() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("times");
        let targets = [Target::Library, Target::Test("a".into())];
        let record = json!({"digest": "1", "targets": ["lib", "a"], "seconds": [2.5, 1.0]});
        tree::write(&file, record.to_string().as_bytes()).expect("a file");
        let times = kept_times(&file, "1", &targets).expect("times");
        assert_eq!(times[0], Duration::from_millis(2500));
        assert_eq!(kept_times(&file, "2", &targets), None);
        assert_eq!(kept_times(&file, "1", &targets[..1]), None);
    }
}
