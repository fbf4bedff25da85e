//! Signals that ask for an end: the work ends in a checkpoint and exit code 75,
//! within two seconds.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Report;
use crate::job::Job;
use crate::process::{Process, Program};
use crate::random::Random;

/// Names and numbers of the signals.
const SIGNALS: [(&str, u32); 4] = [("TERM", 15), ("INT", 2), ("HUP", 1), ("USR1", 10)];

/// The exit code of work that a signal has stopped.
const STOPPED: i32 = 75;

/// Sends each signal to each of the jobs, to an evaluation and to a download,
/// `rounds` times; `limit` is how long each may take to end.
///
/// # Errors
/// When an undisturbed job fails, or a process cannot be started.
pub fn signals(
    program: &Program,
    jobs: &[Job],
    rounds: usize,
    limit: Duration,
    seed: u64,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut slowest = Duration::ZERO;
    let mut random = Random::new(seed);
    let mut judge = |who: &str, signal: &str, found: Result<Duration, String>| {
        report.tried += 1;
        match found {
            Ok(after) => slowest = slowest.max(after),
            Err(found) => report.findings.push(format!("{who}, SIG{signal}: {found}")),
        }
    };
    for job in jobs {
        let reference = job.reference(program)?;
        for (signal, number) in SIGNALS.repeat(rounds) {
            // A job that ends before the signal comes is begun again.
            loop {
                let folder = tempfile::tempdir()?;
                job.prepare(folder.path())?;
                let arguments = job.arguments(folder.path(), 1 + random.below(3));
                let process = program.start(folder.path(), &arguments)?;
                let begun = folder.path().join(job.begun);
                let moment = random.moment(reference.duration.mul_f64(0.7));
                let Some(ended) = stopped(process, (signal, number), &begun, moment, limit)? else {
                    continue;
                };
                let found = match ended {
                    Err(found) => Err(found),
                    Ok(after) => match job.finished(program, folder.path(), 2, &reference)? {
                        None => Ok(after),
                        Some(found) => Err(found),
                    },
                };
                judge(job.name, signal, found);
                break;
            }
        }
    }
    let folder = tempfile::tempdir()?;
    let train = Job::train()?;
    train.prepare(folder.path())?;
    program.run(folder.path(), &train.first())?.well()?;
    let mirror = slow_mirror()?;
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let others = [
        (
            "eval --nll-samples",
            words("eval run --nll-samples 1000000 --quiet"),
        ),
        (
            "data fetch",
            words(&format!(
                "data fetch mnist --data-dir data --mirror {mirror} --quiet"
            )),
        ),
    ];
    for (name, arguments) in others {
        for signal in SIGNALS.repeat(rounds) {
            let process = program.start(folder.path(), &arguments)?;
            let moment = random.moment(Duration::from_secs(1));
            let run = folder.path().join("run");
            match stopped(process, signal, &run, moment, limit)? {
                Some(found) => judge(name, signal.0, found),
                None => judge(name, signal.0, Err("ended by itself".into())),
            }
        }
    }
    report.notes.push(format!(
        "the slowest ended {:.2} s after its signal",
        slowest.as_secs_f64()
    ));
    Ok(report)
}

/// Sends a signal once the process listens, `begun` is there and `moment` has
/// passed since, and says how long it took to end as it should; none when it had
/// ended before.
fn stopped(
    mut process: Process,
    (name, number): (&str, u32),
    begun: &Path,
    moment: Duration,
    limit: Duration,
) -> anyhow::Result<Option<Result<Duration, String>>> {
    let began = Instant::now();
    // Nobody can be asked to listen from the first instruction on.
    const DEAF: Duration = Duration::from_secs(2);
    while process.catches(number) == Some(false) && began.elapsed() < DEAF {
        if !process.is_running()? {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
    if !process.run_until(|| begun.exists())? {
        return Ok(None);
    }
    let sent = Instant::now() + moment;
    if !process.run_until(|| Instant::now() >= sent)? {
        return Ok(None);
    }
    let sent = Instant::now();
    process.signal(name)?;
    let ended = process.end()?;
    let after = sent.elapsed();
    Ok(match ended.status.code() {
        // It had ended when the signal came.
        Some(0) if after <= limit => None,
        Some(0) => Some(Err("went on as if it had not come".to_owned())),
        Some(STOPPED) if after <= limit => Some(Ok(after)),
        Some(STOPPED) => Some(Err(format!("ended {:.2} s after it", after.as_secs_f64()))),
        _ => Some(Err(format!(
            "{}: {}",
            ended.status,
            ended.said.trim().replace('\n', " | ")
        ))),
    })
}

/// A server on this machine that gives a kilobyte a second and never ends; its
/// address.
fn slow_mirror() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 9912422\r\n\r\n";
                let mut sent = stream.write_all(head.as_bytes());
                while sent.is_ok() {
                    sent = stream.write_all(&[7; 100]);
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    Ok(address)
}
