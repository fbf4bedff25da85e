//! Where results go: a file or folder that appears whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use durable_files::{UnfinishedFile, UnfinishedFolder};

use crate::atomic_file::{self, unwritable};
use crate::error::Error;
use crate::interrupt::{Farewell, Interrupt};

/// What is written, told by the name's ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `.npz`: named arrays, uncompressed.
    Npz,
    /// `.npy`: one array.
    Npy,
    /// `.csv`: a table with a header.
    Csv,
    /// `.parquet`: a table in columns.
    #[cfg(feature = "parquet")]
    Parquet,
    /// `.png`: a montage.
    Png,
    /// No ending, or a folder that exists: a PNG for each row.
    Folder,
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Self::Npz => ".npz",
            Self::Npy => ".npy",
            Self::Csv => ".csv",
            #[cfg(feature = "parquet")]
            Self::Parquet => ".parquet",
            Self::Png => ".png",
            Self::Folder => "a folder",
        }
    }

    /// The kind of a path: by its ending, in any case of letters.
    fn of(path: &Path) -> Option<Self> {
        let Some(ending) = path.extension().filter(|_| !path.is_dir()) else {
            return Some(Self::Folder);
        };
        match ending.to_string_lossy().to_lowercase().as_str() {
            "npz" => Some(Self::Npz),
            "npy" => Some(Self::Npy),
            "csv" => Some(Self::Csv),
            #[cfg(feature = "parquet")]
            "parquet" => Some(Self::Parquet),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}

/// A place that has been found writable, not yet written.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    kind: Kind,
    unfinished: Unfinished,
    /// Who may ask to give up, and what happens when the process is ended.
    given_up: Option<(Interrupt, Farewell)>,
}

#[derive(Debug)]
enum Unfinished {
    File(UnfinishedFile),
    Folder(UnfinishedFolder),
}

impl Destination {
    /// Opens `path` for one of the kinds that a command can write. An existing
    /// file is replaced with `force` alone; a folder must be new or empty.
    ///
    /// # Errors
    /// Another ending, a file or folder in the way, or a place that cannot be
    /// written: one sentence, before any work is done.
    pub fn open(path: &Path, force: bool, kinds: &[Kind]) -> Result<Self, Error> {
        let kind = match kinds {
            // Whatever is behind a point of its name, unless that is what a file has.
            [Kind::Folder] if !is_of_a_file(path) => Some(Kind::Folder),
            _ => Kind::of(path).filter(|kind| kinds.contains(kind)),
        };
        let Some(kind) = kind else {
            return Err(wrong_kind(path, kinds));
        };
        if path.file_name().is_none() {
            return Err(Error::Configuration(format!(
                "-o is {}, which is no new name; expected a name such as {}",
                path.display(),
                path.join("results").display()
            )));
        }
        refuse_existing(path, kind, force)?;
        atomic_file::require_parent(path)?;
        let unfinished = match kind {
            Kind::Folder => UnfinishedFolder::create(path).map(Unfinished::Folder),
            _ => UnfinishedFile::create(path).map(Unfinished::File),
        };
        let unfinished = unfinished.map_err(unwritable(path))?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            unfinished,
            given_up: None,
        })
    }

    /// Gives up when `interrupt` asks for a stop: nothing is added or gets its name any
    /// more, and a process that is ended before it comes to that leaves nothing behind.
    #[must_use]
    pub fn given_up_on(mut self, interrupt: &Interrupt) -> Self {
        let unfinished = match &self.unfinished {
            Unfinished::File(file) => file.path().to_owned(),
            Unfinished::Folder(folder) => folder.path().to_owned(),
        };
        let farewell = interrupt.on_departure(move || {
            let _ = match unfinished.is_dir() {
                true => fs::remove_dir_all(&unfinished),
                false => fs::remove_file(&unfinished),
            };
            Error::Abandoned
        });
        self.given_up = Some((interrupt.clone(), farewell));
        self
    }

    fn require_wanted(&self) -> Result<(), Error> {
        match &self.given_up {
            Some((interrupt, _)) if interrupt.requested() => Err(Error::Abandoned),
            _ => Ok(()),
        }
    }

    /// What is to be written.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The final path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write.
    ///
    /// # Panics
    /// If this is a folder.
    pub fn file(&mut self) -> &mut File {
        match &mut self.unfinished {
            Unfinished::File(file) => file.file(),
            Unfinished::Folder(_) => unreachable!("a folder has no file of its own"),
        }
    }

    /// A file without a name on the same disk: what is written there goes when
    /// it is closed.
    pub(super) fn spool(&self) -> Result<File, Error> {
        let folder = match &self.unfinished {
            Unfinished::File(_) => self
                .path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
            Unfinished::Folder(folder) => folder.path(),
        };
        tempfile::tempfile_in(folder).map_err(|source| self.failure(source))
    }

    /// Writes one file of a folder, synced.
    ///
    /// # Errors
    /// When it cannot be written, a file of that name has been, or it was given up.
    ///
    /// # Panics
    /// If this is a file.
    pub fn add(&self, name: &Path, bytes: &[u8]) -> Result<(), Error> {
        let Unfinished::Folder(folder) = &self.unfinished else {
            unreachable!("a file holds no files");
        };
        self.require_wanted()?;
        let path = self.path.join(name);
        folder.add(name, bytes).map_err(unwritable(&path))
    }

    /// An error of writing it.
    #[must_use]
    pub fn failure(&self, source: io::Error) -> Error {
        unwritable(&self.path)(source)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When it cannot be synced or renamed, or was given up; nothing is left then.
    pub fn finish(self) -> Result<PathBuf, Error> {
        // From here on the process is not ended before it has its name.
        let _stay = self
            .given_up
            .as_ref()
            .map(|(interrupt, _)| interrupt.stay());
        self.require_wanted()?;
        let Self {
            path, unfinished, ..
        } = self;
        let result = match unfinished {
            Unfinished::File(file) => file.publish(),
            Unfinished::Folder(folder) => folder.publish(),
        };
        result.map_err(unwritable(&path))?;
        Ok(path)
    }
}

/// Whether a name ends as that of a file that some tool writes.
fn is_of_a_file(path: &Path) -> bool {
    /// Besides those of a [`Kind`].
    const ENDINGS: [&str; 6] = ["onnx", "parquet", "pt", "py", "safetensors", "tsv"];

    let ending = path.extension().unwrap_or_default();
    let is_other = ENDINGS
        .iter()
        .any(|other| ending.eq_ignore_ascii_case(other));
    is_other || Kind::of(path).is_some_and(|kind| kind != Kind::Folder)
}

fn wrong_kind(path: &Path, kinds: &[Kind]) -> Error {
    let expected: Vec<_> = kinds
        .iter()
        .map(|kind| match kind {
            Kind::Folder if kinds.len() > 1 => "a folder without a point in its name",
            kind => kind.ending(),
        })
        .collect();
    let (last, others) = expected.split_last().expect("a command writes something");
    let expected = match others {
        [] => (*last).to_owned(),
        _ => format!("{} or {last}", others.join(", ")),
    };
    let is_parquet = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    let hint = if is_parquet && !cfg!(feature = "parquet") {
        "; .parquet takes a build with the feature parquet"
    } else {
        ""
    };
    Error::Configuration(format!(
        "-o is {}, but this command writes {expected}{hint}",
        path.display()
    ))
}

fn refuse_existing(path: &Path, kind: Kind, force: bool) -> Result<(), Error> {
    // A broken link is there, too.
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let refuse = |found: &str, advice: &str| {
        Err(Error::Configuration(format!(
            "{} {found}; {advice}",
            path.display()
        )))
    };
    match kind {
        Kind::Folder => match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => refuse(
                "holds files already",
                "name a new folder, folders are never replaced",
            ),
            Err(_) => refuse("is no folder", "name a new folder"),
        },
        _ if !metadata.is_file() => refuse("is no regular file", "name another one"),
        _ if !force => refuse(
            "exists already",
            "name another file, or replace it with --force",
        ),
        _ => Ok(()),
    }
}

/// The path of a row's PNG in a folder: its name in the source, or its number
/// padded to as many digits as the last of `count` has.
pub(super) fn png_name(name: Option<&str>, index: usize, count: usize) -> PathBuf {
    let digits = count.saturating_sub(1).to_string().len();
    let name = name.map(Path::new).filter(|name| {
        // Only what stays inside the folder.
        let mut components = name.components().peekable();
        components.peek().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
    });
    let Some(name) = name else {
        return format!("{index:0digits$}.png").into();
    };
    let is_png = name
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    if is_png {
        return name.to_owned();
    }
    // The old ending stays: a.jpg and a.webp are two images.
    let mut name = name.as_os_str().to_owned();
    name.push(".png");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 5] = [Kind::Npz, Kind::Npy, Kind::Csv, Kind::Png, Kind::Folder];

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).expect("readable").count()
    }

    #[test]
    fn endings_say_what_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, kind) in [
            ("a.NPZ", Kind::Npz),
            ("a.npy", Kind::Npy),
            ("a.b.csv", Kind::Csv),
            ("a.png", Kind::Png),
            ("a", Kind::Folder),
        ] {
            let destination = Destination::open(&folder.path().join(name), false, &ALL);
            assert_eq!(destination.expect("writable").kind(), kind);
        }
        let path = folder.path().join("a.parquet");
        let error = Destination::open(&path, false, &[Kind::Npz, Kind::Csv]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(".npz or .csv"), "{message}");
        assert_eq!(entries(folder.path()), 0, "dropped without a trace");
    }

    #[test]
    fn a_folder_alone_may_have_any_name_but_that_of_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open =
            |name: &str| Destination::open(&folder.path().join(name), false, &[Kind::Folder]);
        for name in ["a", "lr0.001", "v1.", "a.d"] {
            assert_eq!(open(name).expect(name).kind(), Kind::Folder);
        }
        for name in ["a.onnx", "a.PT", "a.npz", "a.csv"] {
            let message = open(name).expect_err(name).to_string();
            assert!(message.contains("writes a folder"), "{message}");
        }
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (part, csv) = (folder.path().join("part"), folder.path().join("a.csv"));
        let interrupt = Interrupt::default();
        let open = |path: &Path| {
            let destination = Destination::open(path, false, &ALL).expect("writable");
            destination.given_up_on(&interrupt)
        };
        let (one, other) = (open(&part), open(&csv));
        one.add(Path::new("first"), b"1").expect("wanted");
        interrupt.request();
        let refused = one.add(Path::new("second"), b"2");
        assert!(matches!(refused, Err(Error::Abandoned)), "{refused:?}");
        for destination in [one, other] {
            let refused = destination.finish();
            assert!(matches!(refused, Err(Error::Abandoned)), "{refused:?}");
        }
        assert_eq!(entries(folder.path()), 0);
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.csv");
        fs::write(&file, "old").expect("writable");
        let message = Destination::open(&file, false, &ALL)
            .unwrap_err()
            .to_string();
        assert!(message.contains("--force"), "{message}");
        let mut destination = Destination::open(&file, true, &ALL).expect("asked for");
        io::Write::write_all(destination.file(), b"new").expect("writable");
        assert_eq!(fs::read(&file).expect("readable"), b"old");
        destination.finish().expect("renamed");
        assert_eq!(fs::read(&file).expect("readable"), b"new");

        let message = Destination::open(folder.path(), true, &ALL)
            .unwrap_err()
            .to_string();
        assert!(message.contains("holds files"), "{message}");
        let message = Destination::open(&folder.path().join("no/where.csv"), false, &ALL)
            .unwrap_err()
            .to_string();
        assert!(message.contains("no/where.csv"), "{message}");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn folders_appear_at_the_end() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("images");
        let destination = Destination::open(&path, false, &ALL).expect("writable");
        destination.add(Path::new("a/b.png"), b"1").expect("new");
        assert!(destination.add(Path::new("a/b.png"), b"2").is_err());
        assert!(!path.exists());
        destination.finish().expect("renamed");
        assert_eq!(fs::read(path.join("a/b.png")).expect("readable"), b"1");
    }

    #[test]
    fn rows_keep_their_names_inside_the_folder() {
        for (name, expected) in [
            (Some("cats/1.png"), "cats/1.png"),
            (Some("cats/1.jpg"), "cats/1.jpg.png"),
            (Some("../1.png"), "007.png"),
            (Some("/etc/1.png"), "007.png"),
            (None, "007.png"),
        ] {
            assert_eq!(png_name(name, 7, 101), Path::new(expected));
        }
        assert_eq!(png_name(None, 0, 0), Path::new("0.png"));
    }
}
