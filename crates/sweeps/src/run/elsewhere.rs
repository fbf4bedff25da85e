//! Runs of which a process on another machine may be gone, or not.

use std::time::{Duration, Instant, SystemTime};

use durable_files::{GONE_AFTER, last_holder};
use runs::Error;

use super::{Group, stopped};

/// How often they are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often a signal is.
const HEARING: Duration = Duration::from_millis(100);

/// What has become of them.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Nobody is at these: they can be taken up, or have ended.
    pub(super) free: Vec<usize>,
    /// The processes of these have shown signs of life.
    pub(super) living: Vec<usize>,
}

/// A run that seems to be held by a process on another machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubtful {
    /// Its place among the runs of the request.
    pub(super) place: usize,
    /// How long ago its process was last seen, by the clock of the file system.
    pub(super) seen: Duration,
}

impl Group<'_> {
    /// Watches runs until each has shown a sign of life, or none for so long that its
    /// process is gone.
    ///
    /// Signs are told by that they differ, and time is this machine's own: its clock and
    /// that of the file system need not agree.
    pub(super) fn watch(&self, doubtful: &[Doubtful]) -> Result<Watched, Error> {
        let mut watched = Watched::default();
        if doubtful.is_empty() {
            return Ok(watched);
        }
        self.observer.remark(&format!(
            "{} runs belong to processes on other machines that may be gone, which is certain after {} s without a sign of life",
            doubtful.len(),
            GONE_AFTER.as_secs()
        ));
        let began = Instant::now();
        let mut still: Vec<(Doubtful, Option<SystemTime>)> =
            doubtful.iter().map(|&run| (run, None)).collect();
        while !still.is_empty() {
            self.pause()?;
            let mut next = Vec::new();
            for (run, before) in still {
                let folder = self.request.runs[run.place].folder(&self.request.folder);
                let holder = last_holder(folder.path()).map_err(|source| Error::Read {
                    path: folder.path().to_owned(),
                    source,
                })?;
                let is_over = run.seen + began.elapsed() > GONE_AFTER;
                match holder {
                    None => watched.free.push(run.place),
                    Some(holder) => match (holder.runs, before) {
                        (Some(false), _) => watched.free.push(run.place),
                        (Some(true), _) => watched.living.push(run.place),
                        (None, Some(before)) if before != holder.seen => {
                            watched.living.push(run.place);
                        }
                        (None, _) if is_over => watched.free.push(run.place),
                        (None, _) => next.push((run, Some(holder.seen))),
                    },
                }
            }
            still = next;
        }
        Ok(watched)
    }

    /// Waits until the next look, and hears signals meanwhile.
    fn pause(&self) -> Result<(), Error> {
        for _ in 0..LOOK.as_millis() / HEARING.as_millis() {
            if self.interrupt.requested() {
                return Err(stopped(self.request));
            }
            std::thread::sleep(HEARING);
        }
        Ok(())
    }
}
