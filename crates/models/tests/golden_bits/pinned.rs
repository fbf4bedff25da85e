//! The file of pinned digests, and what differs from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Digests by what they are of.
pub(crate) type Entries = BTreeMap<String, String>;

/// Digests by section: `libm`, and one for every instruction-set path.
pub(crate) type Sections = BTreeMap<String, Entries>;

const HEADER: &str = "\
# SHA-256 of the tensors that training results in, by instruction-set path; see
# main.rs beside this file. Written by the command that stands there, never by hand.

";

/// The pinned file.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_bits/pinned.toml")
}

pub(crate) fn read(path: &Path) -> Sections {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn write(path: &Path, sections: &Sections) {
    let text = HEADER.to_owned() + &toml::to_string(sections).unwrap();
    fs::write(path, text)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// What `found` has otherwise than `pinned`, one line each.
pub(crate) fn differences(pinned: &Entries, found: &Entries) -> Vec<String> {
    let names: BTreeSet<_> = pinned.keys().chain(found.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (pinned.get(name), found.get(name)) {
            (Some(pinned), Some(found)) if pinned == found => None,
            (Some(_), Some(_)) => Some(format!("{name}: changed")),
            (None, _) => Some(format!("{name}: not pinned")),
            (_, None) => Some(format!("{name}: pinned, but no longer trained")),
        })
        .collect()
}

pub(crate) fn hexadecimal(hasher: Sha256) -> String {
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_kind_of_difference_is_named() {
    let entries = |pairs: &[(&str, &str)]| -> Entries {
        let pairs = pairs.iter();
        pairs
            .map(|&(name, digest)| (name.to_owned(), digest.to_owned()))
            .collect()
    };
    let pinned = entries(&[("a", "1"), ("b", "2"), ("c", "3")]);
    assert_eq!(differences(&pinned, &pinned), [""; 0]);
    let found = entries(&[("a", "1"), ("b", "4"), ("d", "3")]);
    assert_eq!(
        differences(&pinned, &found),
        [
            "b: changed",
            "c: pinned, but no longer trained",
            "d: not pinned"
        ]
    );
}
