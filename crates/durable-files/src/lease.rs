//! Who writes in a folder, told in a file: for those that no lock reaches.
//!
//! A lock of the system is the first to say who writes: it ends with its process,
//! however that ends. On a network file system it may not be seen from another
//! machine, or not be there at all. There a folder belongs to whoever made the
//! lease with the highest number, a file that can be made once only, and that shows
//! a sign of life every few seconds. One without a sign for long counts as left
//! behind by a machine that is gone; whoever takes the folder then makes the next
//! number, and the other one, if it comes back, finds that and stops.

mod machine;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use self::machine::Holder;

/// Time between two signs of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Without a sign for so long, a holder on another machine is taken for gone: time
/// for a file server to come back.
pub const GONE_AFTER: Duration = Duration::from_secs(180);

/// The name of a lease is its number between these.
const PREFIX: &str = ".latent-atlas-lease-";
const SUFFIX: &str = ".lock";

/// What a lease says that has ended.
const ENDED: &[u8] = b"ended\n";

/// How often a folder is looked at whose leases change meanwhile.
const LOOKS: usize = 10;

/// The last that is known of who writes in a folder, or wrote there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastHolder {
    /// Process, machine and command, as it gives them.
    pub name: String,
    /// The time of its last sign of life, by the clock of the file system.
    pub seen: SystemTime,
    /// Whether its process runs; none where that cannot be told from this machine.
    pub runs: Option<bool>,
}

impl LastHolder {
    /// How long ago its last sign of life was, by the clock of the file system and that
    /// of this machine.
    #[must_use]
    pub fn age(&self) -> Duration {
        age(self.seen, SystemTime::now())
    }

    /// Whether it still writes, as far as can be told by one look from here: of another
    /// machine's by the clocks of the file system and of this one.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.runs.unwrap_or_else(|| self.age() < GONE_AFTER)
    }
}

/// Who held a folder last and did not say that it had ended; none where nobody did.
///
/// It looks and changes nothing, so that it is in nobody's way.
///
/// # Errors
/// When the folder cannot be read; one that is not there is held by nobody.
pub fn last_holder(folder: &Path) -> io::Result<Option<LastHolder>> {
    let found = match highest(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let Some((_, path)) = found else {
        return Ok(None);
    };
    let (holder, seen) = match read(&path) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        // Its successor has removed it in between.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let runs = holder.runs_here();
    Ok(Some(LastHolder {
        name: holder.name,
        seen,
        runs,
    }))
}

/// The lease of a folder, alive until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Beat>);

/// Why a lease cannot be had.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody else has it, who was seen so long ago, or is seen to run.
    Held {
        holder: String,
        seen: Option<Duration>,
    },
    /// The folder or the file.
    Failed(PathBuf, io::Error),
}

impl Lease {
    /// Makes the next lease of `folder` for `name`. `lock` is the open file of its
    /// lock; where this process has locked it, nobody on this machine holds the folder.
    pub(crate) fn acquire(
        folder: &Path,
        name: &str,
        lock: &File,
        is_locked: bool,
    ) -> Result<Self, Refusal> {
        let failed = |error| Refusal::Failed(folder.to_owned(), error);
        for _ in 0..LOOKS {
            let number = match highest(folder).map_err(failed)? {
                None => 1,
                Some((number, path)) => {
                    match read(&path) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(Refusal::Failed(path, error)),
                        Ok(None) => {}
                        Ok(Some((holder, seen))) => {
                            refuse_if_held(holder, seen, lock, is_locked).map_err(|refusal| {
                                match refusal {
                                    Refusal::Failed(_, error) => {
                                        Refusal::Failed(path.clone(), error)
                                    }
                                    held => held,
                                }
                            })?;
                        }
                    }
                    number + 1
                }
            };
            let path = folder.join(format!("{PREFIX}{number}{SUFFIX}"));
            let mut options = OpenOptions::new();
            let file = match options.write(true).create_new(true).open(&path) {
                // Another one was faster; it is looked at again.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(|error| Refusal::Failed(path.clone(), error))?,
            };
            let beat = Beat {
                folder: folder.to_owned(),
                number,
                text: Holder::here(name).to_string(),
                file,
                stage: Mutex::new(Stage::Held),
            };
            if let Err(error) = beat.show_life() {
                // An empty one would keep everybody out for a while.
                let _ = fs::remove_file(&path);
                return Err(Refusal::Failed(path, error));
            }
            // Whoever has looked before this one was made may have made a later one.
            if beat.find_successor() {
                continue;
            }
            remove_before(folder, number);
            let beat = Arc::new(beat);
            keep_alive(&beat);
            return Ok(Self(beat));
        }
        Err(Refusal::Held {
            holder: "another process, which began at the same moment".into(),
            seen: None,
        })
    }

    /// Whether another process has taken the folder meanwhile.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.find_successor()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Refuses a lease that another process keeps alive, as far as can be told.
fn refuse_if_held(
    holder: Holder,
    seen: SystemTime,
    lock: &File,
    is_locked: bool,
) -> Result<(), Refusal> {
    // The system keeps locks of all processes of one machine.
    let is_reached = is_locked && holder.is_reached_by_locks();
    let runs = holder.runs_here();
    if is_reached || runs == Some(false) {
        return Ok(());
    }
    if runs == Some(true) {
        return Err(Refusal::Held {
            holder: holder.name,
            seen: None,
        });
    }
    // By the clock of the file system, which may be another machine's.
    let now = time_of_file_system(lock).map_err(|error| Refusal::Failed(PathBuf::new(), error))?;
    let seen = age(seen, now);
    if seen >= GONE_AFTER {
        return Ok(());
    }
    Err(Refusal::Held {
        holder: holder.name,
        seen: Some(seen),
    })
}

/// What the file system takes for now: the time of a write into `file`.
fn time_of_file_system(mut file: &File) -> io::Result<SystemTime> {
    file.write_all(b"\n")?;
    file.sync_all()?;
    file.metadata()?.modified()
}

fn age(seen: SystemTime, now: SystemTime) -> Duration {
    // A clock that is behind sees signs of the future.
    now.duration_since(seen).unwrap_or(Duration::ZERO)
}

/// The lease with the highest number.
fn highest(folder: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let mut highest = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = number_of(&entry.file_name());
        if let Some(number) = number.filter(|number| highest < Some(*number)) {
            highest = Some(number);
        }
    }
    Ok(highest.map(|number| (number, folder.join(format!("{PREFIX}{number}{SUFFIX}")))))
}

/// The number of a lease of this name.
fn number_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    digits.parse().ok()
}

/// Who made a lease, and when it was last seen; none where it says that it has
/// ended.
fn read(path: &Path) -> io::Result<Option<(Holder, SystemTime)>> {
    let bytes = fs::read(path)?;
    // The rest of what it said before may still be there.
    if bytes.starts_with(ENDED) {
        return Ok(None);
    }
    let seen = fs::metadata(path)?.modified()?;
    Ok(Some((Holder::read(&String::from_utf8_lossy(&bytes)), seen)))
}

/// Leases before the newest are in nobody's way and stay where they cannot be
/// removed.
fn remove_before(folder: &Path, number: u64) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if number_of(&entry.file_name()).is_some_and(|older| older < number) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A lease of this process that is to be kept alive.
#[derive(Debug)]
struct Beat {
    folder: PathBuf,
    number: u64,
    text: String,
    file: File,
    stage: Mutex<Stage>,
}

/// What has become of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Held,
    /// Another process has taken the folder.
    Lost,
    Ended,
}

impl Beat {
    /// Writes the same again, unless it is no longer held: the time of the file is
    /// the sign.
    fn show_life(&self) -> io::Result<()> {
        let stage = self.stage();
        match *stage {
            Stage::Held => self.replace(self.text.as_bytes()),
            Stage::Lost | Stage::Ended => Ok(()),
        }
    }

    /// Says that the folder is free. Where that cannot be said, it is known by the
    /// lock or becomes known by the missing signs.
    fn end(&self) {
        let mut stage = self.stage();
        if *stage == Stage::Held {
            *stage = Stage::Ended;
            let _ = self.replace(ENDED);
        }
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        io::Seek::rewind(&mut file)?;
        file.write_all(text)?;
        file.set_len(text.len() as u64)
    }

    /// Whether there is a lease with a higher number.
    fn find_successor(&self) -> bool {
        let mut stage = self.stage();
        if *stage == Stage::Held {
            let found = highest(&self.folder);
            // What cannot be looked at says nothing.
            if found.is_ok_and(|found| found.is_some_and(|(highest, _)| highest > self.number)) {
                *stage = Stage::Lost;
            }
        }
        *stage == Stage::Lost
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets one thread of the process show signs of life of all its leases.
fn keep_alive(beat: &Arc<Beat>) {
    static BEATS: Mutex<Option<Vec<Weak<Beat>>>> = Mutex::new(None);
    let mut beats = BEATS.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *beats {
        Some(beats) => {
            beats.retain(|beat| beat.strong_count() > 0);
            beats.push(Arc::downgrade(beat));
        }
        none => {
            let thread = std::thread::Builder::new().name("signs of life".into());
            let started = thread.spawn(|| {
                loop {
                    std::thread::sleep(SIGN_OF_LIFE);
                    let beats = BEATS.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    for beat in beats.unwrap_or_default().iter().filter_map(Weak::upgrade) {
                        if !beat.find_successor() {
                            // A file server that is away for a while is asked again.
                            let _ = beat.show_life().and_then(|()| beat.file.sync_data());
                        }
                    }
                }
            });
            // Without the thread locks still keep others out, and the next lease
            // tries again.
            if started.is_ok() {
                *none = Some(vec![Arc::downgrade(beat)]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
