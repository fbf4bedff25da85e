//! Files that are named to be read.
//!
//! To open a named pipe waits until somebody writes into it, and to read a
//! device may never end, and a file that is larger than the memory ends the
//! process. What is to be read as a whole, or in any order, is a
//! regular file or a link to one; everything else is refused before it is
//! opened, in the words of what it is.

#![forbid(unsafe_code)]

use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a regular file.
///
/// # Errors
/// When it is not there, is something else than a regular file, or may not be
/// read.
pub fn open(path: &Path) -> io::Result<File> {
    require(path)?;
    File::open(path)
}

/// As [`open`], with the bytes that the file has.
///
/// # Errors
/// As [`open`].
pub fn open_sized(path: &Path) -> io::Result<(File, u64)> {
    let file = open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// All bytes of a regular file.
///
/// # Errors
/// As [`open`], and when it is larger than the memory that is available.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    /// So much is always there; to ask the machine takes longer than to read it, which
    /// shows where files are small and many.
    const SMALL: u64 = 1 << 20;

    let (mut file, size) = open_sized(path)?;
    if size > SMALL {
        memory::require("it", size)
            .map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a parser says about a file, or what it found there, on one line: names
/// that come out of a damaged file may hold anything.
///
/// ```
/// assert_eq!(input_files::on_one_line("no column x\ny"), "no column x\u{fffd}y");
/// ```
#[must_use]
pub fn on_one_line(words: impl std::fmt::Display) -> String {
    words.to_string().replace(char::is_control, "\u{fffd}")
}

/// The text of a regular file.
///
/// # Errors
/// As [`read`], and when the bytes are not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    text(read(path)?)
}

/// As [`read_to_string`], of a file of `limit` bytes at most.
///
/// # Errors
/// As [`read_to_string`], and when it is longer.
pub fn read_to_string_within(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let reason = format!("it is longer than the {limit} bytes that such a file may have");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    text(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let reason = format!("it is not UTF-8 text from byte {at} on");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

/// Checks that a path is a regular file, or a link to one, without opening it.
///
/// # Errors
/// When nothing is there, or something else.
pub fn require(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?.file_type();
    if found.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("it is {}; expected a regular file", noun(found)),
    ))
}

/// Checks that a path is free, or a regular file that can be replaced. A pipe
/// or a device would silently give its name to the new file.
///
/// # Errors
/// When something else is there.
pub fn require_replaceable(path: &Path) -> io::Result<()> {
    match require(path) {
        // Whether the folder is there is for whoever writes into it to say.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// What stands at a path, with its article.
fn noun(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if found.is_fifo() {
            return "a named pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() {
        "a folder"
    } else {
        "something else"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        let errors = [
            open(path).map(drop).unwrap_err(),
            read(path).map(drop).unwrap_err(),
            read_to_string(path).map(drop).unwrap_err(),
        ];
        let [first, others @ ..] = errors.map(|error| error.to_string());
        assert!(others.iter().all(|other| *other == first));
        first
    }

    #[test]
    fn a_file_is_read_as_a_whole_and_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for content in [&b""[..], b"text", &[0xff; 100_000]] {
            fs::write(&file, content).unwrap();
            assert_eq!(read(&file).unwrap(), content);
        }
        let error = read_to_string(&file).unwrap_err().to_string();
        assert_eq!(error, "it is not UTF-8 text from byte 0 on");
        fs::write(&file, "λ").unwrap();
        assert_eq!(read_to_string(&file).unwrap(), "λ");
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&file, &link).unwrap();
            assert_eq!(read_to_string(&link).unwrap(), "λ");
        }
    }

    /// The file has a hole instead of content: it takes no room on the disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_does_not_fit_into_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        File::create(&file).unwrap().set_len(1 << 42).unwrap();
        let error = read(&file).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        let text = error.to_string();
        assert!(text.starts_with("it needs 4.40 TB of memory"), "{text}");
        assert_eq!(read_to_string(&file).unwrap_err().to_string(), text);
        assert!(open(&file).is_ok());
    }

    #[test]
    fn nothing_and_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(folder.path()).contains("it is a folder; expected a regular file"));
        let missing = read(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    /// To open the pipe would wait for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_sockets_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(refused(&pipe).contains("a named pipe"));
        assert!(require_replaceable(&pipe).is_err());
        assert!(require_replaceable(&folder.path().join("new")).is_ok());
        assert!(require_replaceable(&pipe.join("below")).is_ok());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refused(&socket).contains("a socket"));
        assert!(refused(Path::new("/dev/zero")).contains("a device"));
    }
}
