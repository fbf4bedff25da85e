//! Decoded images kept between runs, known by the content they were decoded
//! from.
//!
//! An entry is one file `KEY.rows`: a header, the rows, and a checksum of both.
//! Its key is a hash of everything the rows depend on, so an entry never
//! becomes wrong: it is found or it is not. Entries are written whole and never
//! changed; processes that write the same one at once write the same bytes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use durable_files::UnfinishedFile;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// The folder that decoded images are kept in when none is named:
/// `$LATENT_ATLAS_CACHE`, else `latent-atlas` in `$XDG_CACHE_HOME`, else in
/// `~/.cache`; none where no home is known either. Empty variables count as
/// unset, and so does a relative `$XDG_CACHE_HOME`, as its specification has it.
#[must_use]
pub fn default_cache() -> Option<PathBuf> {
    default_cache_of(|name| std::env::var_os(name))
}

fn default_cache_of(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    const FOLDER: &str = "latent-atlas";
    let path = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    path("LATENT_ATLAS_CACHE")
        .or_else(|| {
            path("XDG_CACHE_HOME")
                .filter(|path| path.is_absolute())
                .map(|path| path.join(FOLDER))
        })
        .or_else(|| path("HOME").map(|home| home.join(".cache").join(FOLDER)))
}

/// Bytes that all entries of a folder may take together, unless the newest alone
/// takes more.
const MAX_TOTAL_BYTES: u64 = 4 << 30;

/// How long an entry is kept without being used.
const MAX_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const EXTENSION: &str = "rows";

/// Raised when the layout of an entry changes.
const MAGIC: [u8; 8] = *b"LAROWS\0\x01";

/// Bytes that are hashed as one piece, so that several threads check an entry.
const BLOCK: usize = 1 << 20;

const CHECKSUM_BYTES: u64 = 32;

/// What the rows of an entry depend on, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

/// What an entry says about its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) rows: u64,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) channels: u32,
    /// Images of which only the first of several frames is kept.
    pub(crate) animated: u64,
    /// The first of them.
    pub(crate) first_animated: u64,
}

impl Header {
    const BYTES: usize = 8 + 32 + 8 + 3 * 4 + 2 * 8;

    fn to_bytes(self, key: Key) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [
            &MAGIC[..],
            &key.0,
            &self.rows.to_le_bytes(),
            &self.height.to_le_bytes(),
            &self.width.to_le_bytes(),
            &self.channels.to_le_bytes(),
            &self.animated.to_le_bytes(),
            &self.first_animated.to_le_bytes(),
        ];
        let mut rest = &mut bytes[..];
        for field in fields {
            let (place, others) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = others;
        }
        bytes
    }

    /// None when it is the header of something else.
    fn from_bytes(bytes: &[u8; Self::BYTES], key: Key) -> Option<Self> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(bytes[at..at + 4].try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
        let header = Self {
            rows: u64_at(40)?,
            height: u32_at(48)?,
            width: u32_at(52)?,
            channels: u32_at(56)?,
            animated: u64_at(60)?,
            first_animated: u64_at(68)?,
        };
        // Magic and key are compared by writing the header again.
        (header.to_bytes(key) == *bytes).then_some(header)
    }

    /// Bytes of all rows; none when no memory could hold them.
    pub(crate) fn data_bytes(&self) -> Option<u64> {
        [self.height, self.width, self.channels]
            .into_iter()
            .try_fold(self.rows, |product, size| {
                product.checked_mul(u64::from(size))
            })
    }
}

/// The rows of an entry that has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) header: Header,
    /// Shared by the parts of a source; whoever reads seeks first.
    file: Arc<Mutex<File>>,
}

impl Entry {
    /// Reads bytes of the rows, the first of which is at `offset`.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(Header::BYTES as u64 + offset))?;
        file.read_exact(out)
    }

    fn new(header: Header, file: File) -> Self {
        Self {
            header,
            file: Arc::new(Mutex::new(file)),
        }
    }
}

/// Whether an entry may be written into `folder`, or why not: one that fits with
/// others always, a larger one when it takes no more than half of what is free on
/// the disk.
pub(crate) fn has_room(folder: &Path, header: Header) -> Result<(), String> {
    let Some(bytes) = header.data_bytes() else {
        return Err("they are more bytes than a file can have".to_owned());
    };
    if bytes <= MAX_TOTAL_BYTES {
        return Ok(());
    }
    has_room_in(free_bytes(folder), bytes)
}

fn has_room_in(free: Option<u64>, bytes: u64) -> Result<(), String> {
    match free {
        Some(free) if bytes <= free / 2 => Ok(()),
        Some(free) => Err(format!(
            "they take {bytes} bytes, more than half of the {free} that are free there"
        )),
        None => Err(format!(
            "they take {bytes} bytes, and it is not known how many are free there"
        )),
    }
}

/// What is free on the disk of a folder, or of the folder that it is to be made
/// in; none where nothing is known.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let existing = folder.ancestors().find(|part| part.is_dir())?;
        let disk = rustix::fs::statvfs(existing).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        None
    }
}

fn entry_path(folder: &Path, key: Key) -> PathBuf {
    let name: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(name).with_extension(EXTENSION)
}

/// The entry of `key`, if there is one and every byte of it is as it was
/// written; one that is damaged is as good as none.
pub(crate) fn find(folder: &Path, key: Key) -> Option<Entry> {
    let mut file = File::open(entry_path(folder, key)).ok()?;
    let header = checked(&mut file, key).ok()??;
    // When it was used last; where this cannot be noted, it goes the earlier.
    let _ = file.set_modified(SystemTime::now());
    Some(Entry::new(header, file))
}

/// The header of an entry, if length and checksum are right.
fn checked(file: &mut File, key: Key) -> io::Result<Option<Header>> {
    let length = file.metadata()?.len();
    let mut bytes = [0; Header::BYTES];
    file.read_exact(&mut bytes)?;
    let Some(header) = Header::from_bytes(&bytes, key) else {
        return Ok(None);
    };
    let content = header
        .data_bytes()
        .and_then(|bytes| bytes.checked_add(Header::BYTES as u64));
    let Some(content) =
        content.filter(|content| Some(length) == content.checked_add(CHECKSUM_BYTES))
    else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(0))?;
    let mut outer = Sha256::new();
    let mut left = content;
    let mut buffer = vec![0; (8 * BLOCK as u64).min(content) as usize];
    while left > 0 {
        let count = left.min(buffer.len() as u64) as usize;
        let piece = &mut buffer[..count];
        file.read_exact(piece)?;
        let blocks: Vec<[u8; 32]> = piece
            .par_chunks(BLOCK)
            .map(|block| Sha256::digest(block).into())
            .collect();
        for block in blocks {
            outer.update(block);
        }
        left -= count as u64;
    }
    let mut checksum = [0; CHECKSUM_BYTES as usize];
    file.read_exact(&mut checksum)?;
    let found: [u8; 32] = outer.finalize().into();
    Ok((found == checksum).then_some(header))
}

/// An entry that is being written; gone without a trace unless it is
/// published.
pub(crate) struct Writer {
    temporary: UnfinishedFile,
    folder: PathBuf,
    key: Key,
    header: Header,
    /// Of the block that is being filled, and how much of it there is.
    block: Sha256,
    filled: usize,
    outer: Sha256,
}

impl Writer {
    pub(crate) fn create(folder: &Path, key: Key, header: Header) -> io::Result<Self> {
        durable_files::create_folder(folder)?;
        let mut writer = Self {
            temporary: UnfinishedFile::create(&entry_path(folder, key))?,
            folder: folder.to_owned(),
            key,
            header,
            block: Sha256::new(),
            filled: 0,
            outer: Sha256::new(),
        };
        writer.append(&header.to_bytes(key))?;
        Ok(writer)
    }

    /// Adds rows.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.temporary.file().write_all(bytes)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(BLOCK - self.filled));
            self.block.update(piece);
            self.filled += piece.len();
            if self.filled == BLOCK {
                self.end_block();
            }
            rest = others;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        self.outer.update(self.block.finalize_reset());
        self.filled = 0;
    }

    /// Puts the entry in its place and removes what is old.
    pub(crate) fn publish(mut self) -> io::Result<Entry> {
        if self.filled > 0 {
            self.end_block();
        }
        let checksum = self.outer.finalize_reset();
        self.temporary.file().write_all(&checksum)?;
        self.temporary.publish()?;
        let path = entry_path(&self.folder, self.key);
        let file = File::open(&path)?;
        prune(&self.folder, &path, MAX_TOTAL_BYTES, SystemTime::now());
        Ok(Entry::new(self.header, file))
    }
}

/// Removes entries unused for long, then the longest unused ones until all
/// take `max_bytes` at most; never `new`. What cannot be removed stays.
fn prune(folder: &Path, new: &Path, max_bytes: u64, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut kept = Vec::new();
    let mut total = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let age = metadata
            .modified()
            .ok()
            .and_then(|used| now.duration_since(used).ok())
            .unwrap_or_default();
        if path
            .extension()
            .is_none_or(|extension| extension != EXTENSION)
        {
            continue;
        }
        if path != new && age > MAX_UNUSED {
            let _ = fs::remove_file(&path);
        } else {
            total += metadata.len();
            kept.push((age, path, metadata.len()));
        }
    }
    kept.sort_by(|first, second| second.cmp(first));
    for (_, path, bytes) in kept {
        if total <= max_bytes {
            return;
        }
        if path != new && fs::remove_file(&path).is_ok() {
            total -= bytes;
        }
    }
}

/// A key under construction: every field is preceded by its length, so that
/// none can run into the next.
pub(crate) struct KeyHasher(Sha256);

impl KeyHasher {
    /// For rows made by `reader`, which says its version too.
    pub(crate) fn new(reader: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.update(reader.as_bytes());
        hasher
    }

    pub(crate) fn update(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    pub(crate) fn key(self) -> Key {
        Key(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_comes_from_the_first_variable_that_is_set() {
        let folder = |variables: &[(&str, &str)]| {
            let variables: Vec<(String, OsString)> = variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.into()))
                .collect();
            default_cache_of(|name| {
                let found = variables.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone())
            })
        };
        let (own, xdg, home) = (
            ("LATENT_ATLAS_CACHE", "own"),
            ("XDG_CACHE_HOME", "/xdg"),
            ("HOME", "/home/x"),
        );
        assert_eq!(folder(&[home, xdg, own]), Some("own".into()));
        assert_eq!(folder(&[home, xdg]), Some("/xdg/latent-atlas".into()));
        let fallback = Some(PathBuf::from("/home/x/.cache/latent-atlas"));
        assert_eq!(folder(&[home]), fallback);
        let relative = ("XDG_CACHE_HOME", "xdg");
        assert_eq!(
            folder(&[home, relative, ("LATENT_ATLAS_CACHE", "")]),
            fallback
        );
        assert_eq!(folder(&[]), None);
    }

    fn header(rows: u64) -> Header {
        Header {
            rows,
            height: 1000,
            width: 1000,
            channels: 1,
            animated: 2,
            first_animated: 1,
        }
    }

    #[test]
    fn rows_of_many_blocks_are_read_back_whatever_pieces_they_came_in() {
        let folder = tempfile::tempdir().unwrap();
        let data: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
        let mut written = Vec::new();
        for (number, pieces) in [1, 7_777, BLOCK, 3_000_000].into_iter().enumerate() {
            let key = Key([7; 32]);
            let mut writer = Writer::create(folder.path(), key, header(3)).unwrap();
            // Few small pieces, at the front.
            let (front, back) = data.split_at(if pieces == 1 { 100 } else { 0 });
            for piece in front.chunks(1).chain(back.chunks(pieces.max(1000))) {
                writer.append(piece).unwrap();
            }
            writer.publish().unwrap();
            let entry = find(folder.path(), key).unwrap();
            assert_eq!(entry.header, header(3));
            let mut read = vec![0; 2_000_000];
            entry.read(1_000_000, &mut read).unwrap();
            assert_eq!(read, data[1_000_000..]);
            written.push(fs::read(entry_path(folder.path(), key)).unwrap());
            assert_eq!(written[0], written[number]);
        }
        assert!(find(folder.path(), Key([8; 32])).is_none());
        // An entry under the name of another one.
        let other = entry_path(folder.path(), Key([8; 32]));
        fs::write(other, &written[0]).unwrap();
        assert!(find(folder.path(), Key([8; 32])).is_none());
    }

    #[test]
    fn an_unpublished_entry_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(folder.path(), Key([1; 32]), header(1)).unwrap();
        writer.append(&[1, 2, 3]).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn entries_beyond_the_limit_of_all_are_kept_where_the_disk_has_room() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not/yet");
        assert_eq!(has_room(&missing, header(4000)), Ok(()));
        let too_many = has_room(&missing, header(1 << 40));
        assert!(too_many.unwrap_err().contains("bytes"));
        let overflowing = has_room(&missing, header(u64::MAX)).unwrap_err();
        assert!(
            overflowing.contains("than a file can have"),
            "{overflowing}"
        );
        let bytes = MAX_TOTAL_BYTES + 1;
        assert_eq!(has_room_in(Some(2 * bytes), bytes), Ok(()));
        assert!(has_room_in(Some(2 * bytes - 1), bytes).is_err());
        assert!(has_room_in(None, bytes).is_err());
        #[cfg(target_os = "linux")]
        assert!(free_bytes(&missing).is_some_and(|free| free > 0));
    }

    #[test]
    fn what_was_used_longest_ago_goes_until_the_rest_fits() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let paths: Vec<PathBuf> = (0..4u8)
            .map(|number| {
                let path = entry_path(folder.path(), Key([number; 32]));
                fs::write(&path, [0; 100]).unwrap();
                let file = File::options().write(true).open(&path).unwrap();
                let hours = [3, 1, 2, 4][usize::from(number)];
                file.set_modified(now - Duration::from_secs(3600 * hours))
                    .unwrap();
                path
            })
            .collect();
        let kept = || -> Vec<bool> { paths.iter().map(|path| path.exists()).collect() };
        // The oldest one is the new one: it stays.
        prune(folder.path(), &paths[3], 400, now);
        assert_eq!(kept(), [true; 4]);
        prune(folder.path(), &paths[3], 399, now);
        assert_eq!(kept(), [false, true, true, true]);
        prune(folder.path(), &paths[3], 0, now);
        assert_eq!(kept(), [false, false, false, true]);
    }
}
