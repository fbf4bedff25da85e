//! Words of commands and paths as messages and documents give them.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serializer;

/// An argument as a shell takes it. What cannot be shown as it is, bytes that
/// are no UTF-8 and control characters, stands in `$'…'`, which bash, zsh, ksh
/// and POSIX of 2024 turn back into the very bytes.
#[must_use]
pub fn quoted(argument: impl AsRef<OsStr>) -> String {
    let argument = argument.as_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    match argument.to_str() {
        Some(text) if text.contains(char::is_control) => escaped(argument),
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => escaped(argument),
    }
}

/// A path as a shell takes it, and as no program takes it for an option.
#[must_use]
pub fn quoted_path(path: &Path) -> String {
    quoted(no_option(path).as_os_str())
}

/// A path that does not begin as options do.
#[must_use]
pub fn no_option(path: &Path) -> Cow<'_, Path> {
    match path.as_os_str().as_encoded_bytes() {
        [b'-', ..] => Path::new(".").join(path).into(),
        _ => path.into(),
    }
}

/// `$'…'`: octal escapes have three digits at most, so that a digit may follow.
fn escaped(argument: &OsStr) -> String {
    let mut text = String::from("$'");
    for chunk in argument.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => text.extend(['\\', c]),
                c if c.is_control() => {
                    write_octal(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes())
                }
                c => text.push(c),
            }
        }
        write_octal(&mut text, chunk.invalid());
    }
    text.push('\'');
    text
}

fn write_octal(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A String takes everything.
        let _ = write!(text, "\\{byte:03o}");
    }
}

/// The text of a path in a JSON document, with U+FFFD for what is no text:
/// serde would refuse such a path, at the end of the work.
#[must_use]
pub fn shown(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

/// [`shown`] for a field of a document.
pub(crate) fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// [`shown`] for several.
pub(crate) fn serialize_paths<S: Serializer>(
    paths: &[PathBuf],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        for (argument, word) in [
            ("runs/a-1_b.c", "runs/a-1_b.c"),
            ("", "''"),
            ("it's here", r"'it'\''s here'"),
            ("é", "'é'"),
            ("two\nlines", r"$'two\012lines'"),
            ("tab\there's \\", r"$'tab\011here\'s \\'"),
        ] {
            assert_eq!(quoted(argument), word);
        }
    }

    #[test]
    fn no_path_is_taken_for_an_option() {
        for (path, word) in [
            ("-x y", "'./-x y'"),
            ("--runs", "./--runs"),
            ("a/-x", "a/-x"),
            ("plan.jsonl", "plan.jsonl"),
        ] {
            assert_eq!(quoted_path(Path::new(path)), word);
        }
    }

    /// The shell is asked what it makes of the words.
    #[cfg(unix)]
    #[test]
    fn a_shell_gives_back_the_very_bytes() {
        use std::os::unix::ffi::OsStrExt as _;
        let bash = |word: &str| {
            std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {word}")])
                .output()
        };
        if bash("x").is_err() {
            return;
        }
        for bytes in [
            &b"caf\xe9"[..],
            b"\xff1\x80'\\ $HOME `ls`",
            b"a\nb\x7f\x01",
            b"$(x) \"y\" !z",
        ] {
            let found = bash(&quoted(OsStr::from_bytes(bytes))).expect("there is a bash");
            assert_eq!(found.stdout, bytes);
        }
    }
}
