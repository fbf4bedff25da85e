//! What has become of mutants, kept in a file, so that an interrupted check goes
//! on where it was.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A test failed.
    Caught,
    /// A test came to no end.
    Timeout,
    /// It does not compile.
    Unviable,
    /// Every test passed.
    Missed,
}

const NAMES: [(Fate, &str); 4] = [
    (Fate::Caught, "caught"),
    (Fate::Timeout, "timeout"),
    (Fate::Unviable, "unviable"),
    (Fate::Missed, "missed"),
];

impl Fate {
    pub(super) fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(fate, _)| *fate == self);
        found.map_or("", |(_, name)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(_, of_fate)| *of_fate == name);
        found.map(|(fate, _)| *fate)
    }
}

/// The file of outcomes, and those that hold for the sources as they are.
pub(super) struct Outcomes {
    file: File,
    /// The digest of the files that the outcomes are of.
    digest: String,
    known: BTreeMap<String, Fate>,
}

impl Outcomes {
    /// Opens the file for sources of this digest.
    pub(super) fn open(path: &Path, digest: &str) -> anyhow::Result<Self> {
        let say = || format!("{} cannot be used", path.display());
        let mut file = OpenOptions::new();
        let mut file = file
            .create(true)
            .append(true)
            .open(path)
            .with_context(say)?;
        let text = fs::read_to_string(path).with_context(say)?;
        if !text.is_empty() && !text.ends_with('\n') {
            // A check was ended while it wrote.
            writeln!(file).with_context(say)?;
        }
        let known = text.lines().filter_map(|line| {
            // A line that is cut off says nothing.
            let line: Value = serde_json::from_str(line).ok()?;
            let is_of_these = line["digest"].as_str() == Some(digest);
            let fate = Fate::of_name(line["fate"].as_str()?)?;
            is_of_these.then_some((line["mutant"].as_str()?.to_owned(), fate))
        });
        Ok(Self {
            known: known.collect(),
            digest: digest.to_owned(),
            file,
        })
    }

    pub(super) fn known(&self, mutant: &str) -> Option<Fate> {
        self.known.get(mutant).copied()
    }

    /// Keeps what has become of a mutant, and who saw it.
    pub(super) fn keep(&mut self, mutant: &str, fate: Fate, by: &str) -> anyhow::Result<()> {
        let line = json!({
            "mutant": mutant,
            "fate": fate.name(),
            "by": by,
            "digest": self.digest,
        });
        writeln!(self.file, "{line}").context("the file of outcomes cannot be written")?;
        self.known.insert(mutant.to_owned(), fate);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_for_the_same_sources_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("outcomes");
        let open = |digest: &str| Outcomes::open(&path, digest).expect("it opens");
        let mut first = open("1");
        first.keep("a", Fate::Caught, "a test").expect("it is kept");
        first.keep("b", Fate::Missed, "").expect("it is kept");
        let text = fs::read_to_string(&path).expect("a file");
        fs::write(&path, &text[..text.len() - 5]).expect("a file");

        let mut again = open("1");
        assert_eq!(again.known("a"), Some(Fate::Caught));
        assert_eq!(again.known("b"), None);
        again.keep("b", Fate::Timeout, "").expect("it is kept");
        assert_eq!(open("1").known("b"), Some(Fate::Timeout));
        assert_eq!(open("2").known("a"), None);
    }
}
