//! A second process in the same folder: it is refused, and the first is not
//! disturbed.

use std::time::Duration;

use crate::job::Job;
use crate::process::Program;
use crate::random::Random;
use crate::{Report, contents};

/// Starts a second process beside each of the jobs, `rounds` times.
///
/// # Errors
/// When an undisturbed job fails, or a process cannot be started.
pub fn two_writers(
    program: &Program,
    jobs: &[Job],
    rounds: usize,
    seed: u64,
) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut random = Random::new(seed);
    for job in jobs {
        let reference = job.reference(program)?;
        let mut done = 0;
        while done < rounds {
            let folder = tempfile::tempdir()?;
            let folder = folder.path();
            job.prepare(folder)?;
            let mut first = program.start(folder, &job.first())?;
            let begun = folder.join(job.begun);
            first.run_until(|| begun.exists())?;
            let moment = random.moment(reference.duration / 2);
            if !first.run_for(moment.max(Duration::from_millis(20)))? {
                continue;
            }
            // The same command again, or the one that goes on.
            let arguments = if random.below(2) == 0 {
                job.first()
            } else {
                job.arguments(folder, 1)
            };
            let second = program.run(folder, &arguments)?;
            let overlapped = first.is_running()?;
            let first = first.end()?;
            let found = contents::of(folder, job.results)?;
            let difference = contents::difference(&found, &reference.contents);
            let name = job.name;
            let mut find = |found: String| report.findings.push(format!("{name}: {found}"));
            if !first.status.success() {
                find(format!(
                    "the first was disturbed: {}: {}",
                    first.status,
                    first.said.trim()
                ));
            } else if let Some(difference) = difference {
                find(format!("the results are others: {difference}"));
            }
            if second.status.success() && overlapped {
                find(format!("the second was let in: {}", arguments.join(" ")));
            }
            if !second.status.success()
                && overlapped
                && !second.said.contains("is being written by")
            {
                find(format!("the second was told: {}", second.said.trim()));
            }
            // Without an overlap, nothing was tried.
            done += usize::from(overlapped || !second.status.success());
            report.tried += usize::from(overlapped || !second.status.success());
        }
    }
    Ok(report)
}
