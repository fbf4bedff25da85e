//! Many changed files for many readers, each in processes of its own: a panic,
//! an abort or a hang ends one of them, and is noted with the file's number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use readers::{READERS, Reader, mutation, place};

/// Let every reader read changed files.
#[derive(Args, Debug)]
pub(crate) struct Mutate {
    /// Only this reader; may be repeated.
    #[arg(long, value_parser = crate::reader, value_name = "NAME")]
    reader: Vec<&'static Reader>,

    /// Changed files for each reader.
    #[arg(long, default_value_t = 2000)]
    count: u64,

    /// What the changes follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Readers at work at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,

    /// Seconds after which a file that is still being read is a finding.
    #[arg(long, default_value_t = 20)]
    patience: u64,

    /// Where the files of findings are kept.
    #[arg(long, value_name = "DIR", default_value = "fuzz/artifacts")]
    findings: PathBuf,
}

/// What the processes of one reader have come to.
#[derive(Debug, Default)]
struct Tally {
    refused: u64,
    most_memory: usize,
    findings: Vec<String>,
}

/// Findings of one reader after which it is given up.
const MOST_FINDINGS: usize = 10;

impl Mutate {
    /// Prints a line for each reader; whether there was no finding.
    pub(crate) fn run(&self) -> io::Result<bool> {
        let chosen: Vec<&Reader> = match &self.reader[..] {
            [] => READERS.iter().collect(),
            some => some.to_vec(),
        };
        println!(
            "{} changed files for each reader, seed {}",
            self.count, self.seed
        );
        let queue = Mutex::new(chosen.into_iter());
        let next = || queue.lock().expect("no reader panics here").next();
        let sound = Mutex::new(Ok(true));
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(reader) = next() {
                        let ended = self.one(reader);
                        let mut sound = sound.lock().expect("no reader panics here");
                        match (&mut *sound, ended) {
                            (Ok(sound), Ok(ended)) => *sound &= ended,
                            (Ok(_), Err(error)) => *sound = Err(error),
                            (Err(_), _) => {}
                        }
                    }
                });
            }
        });
        sound.into_inner().expect("no reader panics here")
    }

    fn one(&self, reader: &Reader) -> io::Result<bool> {
        let began = Instant::now();
        let mut tally = Tally::default();
        let mut from = 0;
        while from < self.count && tally.findings.len() < MOST_FINDINGS {
            from = self.process(reader, from, &mut tally)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{:<24} {from} read, {} refused, {:.1} s, {:.0} µs each, at most {} KiB of memory, {} findings",
            reader.name,
            tally.refused,
            seconds,
            1e6 * seconds / from.max(1) as f64,
            tally.most_memory >> 10,
            tally.findings.len()
        );
        for finding in &tally.findings {
            println!("  {finding}");
        }
        Ok(tally.findings.is_empty())
    }

    /// Starts a process at the file `from`; the number of the first that it has
    /// not read.
    fn process(&self, reader: &Reader, from: u64, tally: &mut Tally) -> io::Result<u64> {
        let (own, place) = (place(), place());
        let own = own.path();
        let progress = own.join("progress");
        fs::write(&progress, from.to_le_bytes())?;
        // Files, not pipes: nobody reads them before the process has ended.
        let (stdout, stderr) = (own.join("stdout"), own.join("stderr"));
        let mut child = Command::new(std::env::current_exe()?)
            .args(["work", "--reader", reader.name])
            .args(["--seed", &self.seed.to_string()])
            .args(["--from", &from.to_string(), "--to", &self.count.to_string()])
            .arg("--place")
            .arg(place.path())
            .arg("--progress")
            .arg(&progress)
            // What a reader spreads over threads is small here.
            .env("RAYON_NUM_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&stdout)?)
            .stderr(fs::File::create(&stderr)?)
            .spawn()?;
        let hung = self.await_end(&mut child, &progress)?;
        let status = child.wait()?;
        if !hung && status.success() {
            let text = fs::read_to_string(&stdout)?;
            let mut numbers = text.split_whitespace();
            let mut number = || numbers.next()?.parse::<u64>().ok();
            let (Some(refused), Some(most)) = (number(), number()) else {
                return Err(io::Error::other(format!("a process printed {text:?}")));
            };
            tally.refused += refused;
            tally.most_memory = tally.most_memory.max(most as usize);
            return Ok(self.count);
        }
        let index = number_in(&progress)?;
        let why = if hung {
            format!("still read after {} s", self.patience)
        } else {
            let stderr = String::from_utf8_lossy(&fs::read(&stderr)?).into_owned();
            let lines: Vec<&str> = stderr
                .lines()
                .filter(|line| !line.is_empty())
                .take(3)
                .collect();
            format!("{status}: {}", lines.join(" | "))
        };
        fs::create_dir_all(&self.findings)?;
        let kept = self
            .findings
            .join(format!("{}-{}-{index}", reader.name, self.seed));
        let files = reader.open(&own.join("again")).files;
        fs::write(&kept, mutation::mutated(reader, &files, self.seed, index))?;
        tally.findings.push(format!(
            "seed {}, number {index}, {}: {why}",
            self.seed,
            kept.display()
        ));
        Ok(index + 1)
    }

    /// Waits until the process ends or reads the same file for too long.
    fn await_end(&self, child: &mut Child, progress: &Path) -> io::Result<bool> {
        let mut last = (number_in(progress)?, Instant::now());
        while child.try_wait()?.is_none() {
            thread::sleep(Duration::from_millis(20));
            let now = number_in(progress)?;
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > Duration::from_secs(self.patience) {
                child.kill()?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn number_in(progress: &Path) -> io::Result<u64> {
    let bytes = fs::read(progress)?;
    let bytes = bytes
        .try_into()
        .map_err(|_| io::Error::other("no eight bytes of progress"))?;
    Ok(u64::from_le_bytes(bytes))
}
