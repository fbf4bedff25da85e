//! A disk that is full: the job says so, and goes on once there is room.

use std::fs;
use std::path::Path;

use crate::Report;
use crate::job::Job;
use crate::mount::Mounted;
use crate::process::Program;
use crate::random::Random;

/// Room for any of the jobs, in KiB.
const ENOUGH: u64 = 64 << 10;

/// Runs each of the jobs on `count` disks that are too small, of sizes spread
/// over what it needs.
///
/// # Errors
/// When an undisturbed job fails, or a process cannot be started.
pub fn full_disk(
    program: &Program,
    jobs: &[Job],
    count: usize,
    seed: u64,
) -> anyhow::Result<Report> {
    let place = tempfile::tempdir()?;
    if let Err(error) = Mounted::memory(&place.path().join("trial"), 64) {
        return Ok(Report::skipped(format!(
            "no file system in memory can be mounted here ({error}); root is needed"
        )));
    }
    let mut report = Report::default();
    let mut random = Random::new(seed);
    for job in jobs {
        let reference = job.reference(program)?;
        let (needed, given) = {
            let folder = tempfile::tempdir()?;
            job.prepare(folder.path())?;
            let given = kibibytes(folder.path())?;
            program.run(folder.path(), &job.first())?.well()?;
            (kibibytes(folder.path())?, given)
        };
        for number in 0..count {
            let disk = Mounted::memory(&place.path().join("disk"), ENOUGH)?;
            job.prepare(disk.path())?;
            // Evenly, and nowhere the same.
            let share = (number as f64 + random.below(1000) as f64 / 1000.0) / count as f64;
            let size = given + 4 + ((needed - given) as f64 * share) as u64;
            disk.resize(size)?;
            let arguments = job.arguments(disk.path(), 1 + random.below(2));
            let ended = program.run(disk.path(), &arguments)?;
            let mut find = |found: String| {
                let name = job.name;
                report
                    .findings
                    .push(format!("{name}, seed {seed}, {size} KiB: {found}"));
            };
            match ended.status.code() {
                Some(0) => {}
                Some(2) if ended.said.contains("No space left") => {}
                _ => find(format!(
                    "{}: {}",
                    ended.status,
                    ended.said.trim().replace('\n', " | ")
                )),
            }
            disk.resize(ENOUGH)?;
            if let Some(found) = job.finished(program, disk.path(), 1, &reference)? {
                find(found);
            }
            report.tried += 1;
        }
    }
    Ok(report)
}

/// What the files of a folder take, in whole pages.
fn kibibytes(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            4 + kibibytes(&entry.path())?
        } else {
            4 * entry.metadata()?.len().div_ceil(4096)
        };
    }
    Ok(sum)
}
