//! Fetching one published file from its mirrors.

mod pace;
mod transfer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use durable_files::UnfinishedFile;

use transfer::{Failure, Transferred, transfer};

use crate::error::DataError;
use crate::registry::PublishedFile;

/// What happens during a download, for a progress display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A mirror is being asked for a file.
    Started {
        /// File name, with `.gz`.
        file: &'a str,
        /// Full address.
        url: &'a str,
        /// Expected size in bytes.
        total: u64,
    },
    /// More of the file has arrived.
    Received {
        /// File name, with `.gz`.
        file: &'a str,
        /// Bytes so far.
        received: u64,
        /// Expected size in bytes.
        total: u64,
    },
    /// A transfer broke; the same mirror is asked again after a wait.
    Broken {
        /// File name, with `.gz`.
        file: &'a str,
        /// Full address.
        url: &'a str,
        /// What was wrong, in words.
        reason: &'a str,
        /// How long it is waited.
        wait: Duration,
    },
    /// A mirror failed.
    MirrorFailed {
        /// File name, with `.gz`.
        file: &'a str,
        /// Full address.
        url: &'a str,
        /// What was wrong, in words.
        reason: &'a str,
        /// Whether another one is tried now.
        is_followed: bool,
    },
    /// The file is verified and in its place.
    Finished {
        /// File name, with `.gz`.
        file: &'a str,
        /// Size in bytes.
        bytes: u64,
    },
}

/// How much is put up with before a mirror is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Bytes per second that a mirror has to deliver,
    least_rate: u64,
    /// measured over so long. Looking up its name, connecting and its answer
    /// are part of that time.
    over: Duration,
    /// The waits before it is asked again after transfers that broke.
    waits: &'static [Duration],
    /// How often all this, and a request to stop, is looked at.
    tick: Duration,
}

/// A slow line delivers more, and an overloaded mirror is not worth waiting
/// for where there is another.
const PATIENCE: Patience = Patience {
    least_rate: 10_000,
    over: Duration::from_secs(30),
    waits: &[Duration::from_secs(1), Duration::from_secs(4)],
    tick: Duration::from_millis(100),
};

/// Where the files of a data set are downloaded from.
#[derive(Debug)]
pub(crate) struct Mirrors<'a> {
    dataset: &'static str,
    /// Base addresses, in the order they are tried.
    bases: Vec<String>,
    /// Set by whoever wants the download to end.
    stop: &'a AtomicBool,
    patience: Patience,
}

/// What a successful download brought.
#[derive(Debug)]
pub(crate) struct Downloaded {
    pub(crate) path: PathBuf,
    pub(crate) url: String,
    pub(crate) bytes: u64,
}

impl<'a> Mirrors<'a> {
    pub(crate) fn new(dataset: &'static str, bases: Vec<String>, stop: &'a AtomicBool) -> Self {
        Self {
            dataset,
            bases,
            stop,
            patience: PATIENCE,
        }
    }

    /// Downloads `file` into `folder` from the first base address that
    /// delivers the right bytes.
    ///
    /// The bytes are hashed while they stream into a temporary file beside the
    /// target, which is synced and renamed only when the hash is right, and
    /// removed otherwise. An https address is never followed to plain http. A
    /// transfer that breaks is begun again a few times; a mirror that is too
    /// slow is left. One that failed is the last to be asked for other files.
    pub(crate) fn download(
        &mut self,
        file: &PublishedFile,
        folder: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Downloaded, DataError> {
        let name = format!("{}.gz", file.name);
        durable_files::create_folder(folder).map_err(|source| unwritable(folder, source))?;
        let mut attempts = Vec::new();
        for (index, base) in self.bases.clone().iter().enumerate() {
            let url = format!("{}/{name}", base.trim_end_matches('/'));
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                return Err(DataError::Mirror { url: base.clone() });
            }
            let mut waits = self.patience.waits.iter();
            let reason = loop {
                let (reason, wait) = match self.attempt(file, folder, &url, progress) {
                    Ok(downloaded) => return Ok(downloaded),
                    Err(Failure::Stopped) => return Err(self.stopped(&name)),
                    Err(Failure::Write(source)) => {
                        return Err(unwritable(&folder.join(&name), source));
                    }
                    Err(Failure::Broken(reason)) => (reason, waits.next()),
                    Err(Failure::Mirror(reason)) => (reason, None),
                };
                let Some(&wait) = wait else {
                    break reason;
                };
                progress(Progress::Broken {
                    file: &name,
                    url: &url,
                    reason: &reason,
                    wait,
                });
                self.wait(wait, &name)?;
            };
            progress(Progress::MirrorFailed {
                file: &name,
                url: &url,
                reason: &reason,
                is_followed: index + 1 < self.bases.len(),
            });
            attempts.push(format!("{url}: {reason}"));
            self.bases.rotate_left(1);
        }
        Err(DataError::Download {
            dataset: self.dataset,
            file: file.name,
            folder: folder.to_owned(),
            attempts,
        })
    }

    /// Asks one mirror once.
    fn attempt(
        &self,
        file: &PublishedFile,
        folder: &Path,
        url: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Downloaded, Failure> {
        let name = &format!("{}.gz", file.name);
        let target = folder.join(name);
        let mut temporary = UnfinishedFile::create(&target).map_err(Failure::Write)?;
        let total = file.gz_bytes;
        progress(Progress::Started {
            file: name,
            url,
            total,
        });
        let mut received = |received| {
            progress(Progress::Received {
                file: name,
                received,
                total,
            });
        };
        let limit = total.saturating_mul(2);
        let Transferred {
            bytes,
            sha256,
            is_announced,
        } = transfer(url, temporary.file(), limit, self, &mut received)?;
        if sha256 != file.gz_sha256 {
            return Err(if bytes < total && !is_announced {
                Failure::Broken(format!("the transfer ended after {bytes} of {total} bytes"))
            } else {
                Failure::Mirror(format!(
                    "the file has SHA-256 {sha256}, expected {}",
                    file.gz_sha256
                ))
            });
        }
        temporary.publish().map_err(Failure::Write)?;
        progress(Progress::Finished { file: name, bytes });
        Ok(Downloaded {
            path: target,
            url: url.to_owned(),
            bytes,
        })
    }

    fn wait(&self, wait: Duration, name: &str) -> Result<(), DataError> {
        let end = Instant::now() + wait;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if self.is_stopped() {
                return Err(self.stopped(name));
            }
            thread::sleep(left.min(self.patience.tick));
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stopped(&self, name: &str) -> DataError {
        DataError::Stopped {
            dataset: self.dataset,
            file: name.to_owned(),
        }
    }
}

fn unwritable(path: &Path, source: io::Error) -> DataError {
    DataError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
