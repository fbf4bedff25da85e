//! Mutants that no test can tell from the code: `xtask/mutants.toml`.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use toml::{Table, Value};

use super::list::Mutant;

/// A mutant that computes what the code computes, or differs in what nobody is
/// promised.
#[derive(Debug)]
pub(super) struct Equivalent {
    file: String,
    mutation: String,
    line: String,
    occurrence: Option<usize>,
}

impl Equivalent {
    fn is(&self, mutant: &Mutant) -> bool {
        self.file == mutant.file
            && self.mutation == mutant.mutation
            && self.line == mutant.line
            && self
                .occurrence
                .is_none_or(|occurrence| occurrence == mutant.occurrence)
    }
}

/// What the kept file lists.
pub(super) fn kept() -> anyhow::Result<Vec<Equivalent>> {
    read(include_str!("../../../mutants.toml")).context("xtask/mutants.toml")
}

/// The keys of those mutants that are listed as equivalent, and a sentence for
/// each entry that does not mean exactly one mutant.
pub(super) fn equivalents(
    listed: &[Equivalent],
    mutants: &[Mutant],
    package: &str,
) -> (BTreeSet<String>, Vec<String>) {
    let mut keys = BTreeSet::new();
    let mut findings = Vec::new();
    let folder = format!("crates/{package}/");
    for entry in listed
        .iter()
        .filter(|entry| entry.file.starts_with(&folder))
    {
        let meant: Vec<&Mutant> = mutants.iter().filter(|&mutant| entry.is(mutant)).collect();
        let what = format!("{}, {}, {}", entry.file, entry.mutation, entry.line);
        match meant[..] {
            [mutant] => {
                if !keys.insert(mutant.key()) {
                    findings.push(format!("xtask/mutants.toml lists twice: {what}"));
                }
            }
            [] => findings.push(format!(
                "xtask/mutants.toml lists a mutant that is gone, remove it or correct it: {what}"
            )),
            _ => findings.push(format!(
                "xtask/mutants.toml means {} mutants, say which by 'occurrence': {what}",
                meant.len()
            )),
        }
    }
    (keys, findings)
}

fn read(text: &str) -> anyhow::Result<Vec<Equivalent>> {
    let mut file: Table = text.parse().context("is no TOML")?;
    let Some(Value::Array(entries)) = file.remove("equivalent") else {
        bail!("has no list [[equivalent]]");
    };
    if let Some(unknown) = file.keys().next() {
        bail!("has '{unknown}', expected [[equivalent]] alone");
    }
    let entries = entries.into_iter().enumerate();
    let read = entries.map(|(place, entry)| {
        let place = place + 1;
        entry_of(entry).with_context(|| format!("entry {place} of [[equivalent]]"))
    });
    read.collect()
}

fn entry_of(entry: Value) -> anyhow::Result<Equivalent> {
    let Value::Table(mut entry) = entry else {
        bail!("is no table");
    };
    let mut text = |name: &str| match entry.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        _ => bail!("lacks the text '{name}'"),
    };
    let (file, mutation, line) = (text("file")?, text("mutation")?, text("line")?);
    // It is for whoever reads the file.
    let _ = text("why")?;
    let occurrence = match entry.remove("occurrence") {
        None => None,
        Some(Value::Integer(place)) if place > 0 => Some(usize::try_from(place)?),
        Some(other) => bail!("has occurrence = {other}, expected which of them, from 1"),
    };
    if let Some(unknown) = entry.keys().next() {
        bail!("has the unknown '{unknown}'; expected file, mutation, line, why, occurrence");
    }
    Ok(Equivalent {
        file,
        mutation,
        line,
        occurrence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::mutants::list::tests::mutant;

    const ENTRY: &str = "[[equivalent]]\nfile = 'crates/a/src/b.rs'\nmutation = 'replace + with - in f'\nline = 'x + y'\nwhy = 'y is 0'\n";

    #[test]
    fn the_kept_file_can_be_read() {
        kept().expect("it is there");
    }

    #[test]
    fn an_entry_means_one_mutant_and_one_that_is_gone_is_reported() {
        let first = mutant("crates/a/src/b.rs", "replace + with - in f", "x + y", 1);
        let mut second = first.clone();
        second.occurrence = 2;
        let listed = read(ENTRY).expect("an entry");
        let (keys, findings) = equivalents(&listed, std::slice::from_ref(&first), "a");
        assert_eq!(keys, BTreeSet::from([first.key()]));
        assert!(findings.is_empty(), "{findings:?}");

        let both = [first, second.clone()];
        let (keys, findings) = equivalents(&listed, &both, "a");
        assert!(keys.is_empty() && findings[0].contains("'occurrence'"));
        let told = read(&format!("{ENTRY}occurrence = 2")).expect("an entry");
        let (keys, _) = equivalents(&told, &both, "a");
        assert_eq!(keys, BTreeSet::from([second.key()]));

        let (_, findings) = equivalents(&listed, &[], "a");
        assert!(findings[0].contains("gone") && findings[0].contains("x + y"));
        // It is another crate's.
        assert!(equivalents(&listed, &[], "c").1.is_empty());
        let twice = read(&[ENTRY, ENTRY].concat()).expect("entries");
        assert!(equivalents(&twice, &both[..1], "a").1[0].contains("twice"));
    }

    #[test]
    fn an_entry_without_its_reason_is_refused() {
        for (wrong, said) in [
            (ENTRY.replace("why = 'y is 0'", ""), "'why'"),
            (ENTRY.replace("'y is 0'", "' '"), "'why'"),
            (format!("{ENTRY}occurrence = 0"), "occurrence = 0"),
            (format!("{ENTRY}reason = 'x'"), "'reason'"),
            (String::new(), "[[equivalent]]"),
            (format!("other = 1\n{ENTRY}"), "'other'"),
        ] {
            let error = read(&wrong).expect_err(&wrong);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
