//! Runs of which a process on another machine may be gone, or not.

use std::time::{Duration, SystemTime};

use durable_files::GONE_AFTER;
use runs::{Error, Standing};

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

impl Group<'_> {
    /// Watches runs until each has shown a sign of life, or none for so long that its
    /// process is gone.
    pub(super) fn watch(&self, places: &[usize]) -> Result<Watched, Error> {
        let mut watched = Watched::default();
        let mut doubtful: Vec<(usize, Option<SystemTime>)> =
            places.iter().map(|&place| (place, None)).collect();
        if doubtful.is_empty() {
            return Ok(watched);
        }
        self.observer.remark(&format!(
            "{} runs belong to processes on other machines that may be gone, which is certain after {} s without a sign of life",
            places.len(),
            GONE_AFTER.as_secs()
        ));
        while !doubtful.is_empty() {
            self.pause()?;
            let mut still = Vec::new();
            for (place, before) in doubtful {
                let folder = self.request.runs[place].folder(&self.request.folder);
                match folder.standing()? {
                    Standing::Running { holder, .. } => match before {
                        Some(before) if holder.seen != before => watched.living.push(place),
                        _ => still.push((place, Some(holder.seen))),
                    },
                    Standing::Missing | Standing::Interrupted { .. } | Standing::Ended(_) => {
                        watched.free.push(place);
                    }
                }
            }
            doubtful = still;
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
