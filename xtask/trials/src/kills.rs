//! A kill at a random moment, again and again, until the job is let to its end.

use crate::Report;
use crate::job::Job;
use crate::process::Program;
use crate::random::Random;

/// The most kills before a job may end.
const IN_A_ROW: usize = 6;

/// Kills each of the jobs `count` times in all, on one to three threads.
///
/// # Errors
/// When an undisturbed job fails, or a process cannot be started.
pub fn kills(program: &Program, jobs: &[Job], count: usize, seed: u64) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for (number, job) in jobs.iter().enumerate() {
        let mut random = Random::new(seed + number as u64);
        let reference = job.reference(program)?;
        let (mut killed, mut runs) = (0, 0);
        while killed < count {
            let folder = tempfile::tempdir()?;
            job.prepare(folder.path())?;
            runs += 1;
            let mut here = 0;
            for _ in 0..=random.below(IN_A_ROW) {
                let arguments = job.arguments(folder.path(), 1 + random.below(3));
                let mut process = program.start(folder.path(), &arguments)?;
                process.run_for(random.moment(reference.duration))?;
                here += usize::from(process.kill()?);
            }
            killed += here;
            let threads = 1 + random.below(3);
            if let Some(found) = job.finished(program, folder.path(), threads, &reference)? {
                let name = job.name;
                report.findings.push(format!(
                    "{name}, seed {seed}, run {runs} after {here} kills: {found}"
                ));
            }
        }
        report.tried += killed;
        report.notes.push(format!(
            "{}: {killed} kills over {runs} runs of {:.1} s",
            job.name,
            reference.duration.as_secs_f64()
        ));
    }
    Ok(report)
}
