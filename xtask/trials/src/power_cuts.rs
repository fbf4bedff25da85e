//! The power goes: what the file system has not yet written is lost.
//!
//! The job works on an ext4 in a file. At a random moment it is stopped and the
//! file copied: the copy holds what the file system has handed to its device and
//! not what it only remembers, as a disk does after a power cut. The copy is
//! mounted, which replays its journal, and the job goes on there. A kill cannot
//! show this: it leaves the system's memory of the files as it is.

use std::fs::{self, File};
use std::path::Path;

use crate::Report;
use crate::job::Job;
use crate::mount::{Mounted, call};
use crate::process::Program;
use crate::random::Random;

/// Bytes of the file system.
const SIZE: u64 = 48 << 20;

/// Cuts the power of each of the jobs `count` times.
///
/// # Errors
/// When an undisturbed job fails, or a process cannot be started.
pub fn power_cuts(
    program: &Program,
    jobs: &[Job],
    count: usize,
    seed: u64,
) -> anyhow::Result<Report> {
    if let Err(error) = trial_mount() {
        return Ok(Report::skipped(format!(
            "no ext4 in a file can be mounted here ({error}); root and loop devices are needed"
        )));
    }
    let mut report = Report::default();
    let mut random = Random::new(seed);
    for job in jobs {
        let reference = job.reference(program)?;
        let mut done = 0;
        while done < count {
            let place = tempfile::tempdir()?;
            let (image, copy) = (place.path().join("disk"), place.path().join("after"));
            make(&image)?;
            {
                let disk = Mounted::image(&image, &place.path().join("before-the-cut"))?;
                job.prepare(disk.path())?;
                // The data were there long before.
                call("sync", &["-f", &disk.path().display().to_string()])?;
                let arguments = job.arguments(disk.path(), 1 + random.below(2));
                let mut process = program.start(disk.path(), &arguments)?;
                let moment = random.moment(reference.duration);
                if !process.run_for(moment)? {
                    continue;
                }
                process.signal("STOP")?;
                copy_still(&image, &copy)?;
                process.kill()?;
            }
            done += 1;
            let disk = Mounted::image(&copy, &place.path().join("after-the-cut"))?;
            let threads = 1 + random.below(2);
            if let Some(found) = job.finished(program, disk.path(), threads, &reference)? {
                let name = job.name;
                report
                    .findings
                    .push(format!("{name}, seed {seed}, cut {done}: {found}"));
            }
        }
        report.tried += done;
    }
    Ok(report)
}

fn make(image: &Path) -> anyhow::Result<()> {
    File::create(image)?.set_len(SIZE)?;
    call("mkfs.ext4", &["-q", "-F", &image.display().to_string()])
}

fn trial_mount() -> anyhow::Result<()> {
    let place = tempfile::tempdir()?;
    let image = place.path().join("disk");
    make(&image)?;
    Mounted::image(&image, &place.path().join("mounted")).map(drop)
}

/// Copies a file that the system may still be writing, until a copy is that of
/// one moment: the next one is the same.
fn copy_still(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut last = fs::read(from)?;
    loop {
        let next = fs::read(from)?;
        if next == last {
            return fs::write(to, next);
        }
        last = next;
    }
}
