//! What is in the dependency tree: the licences by a check of our own, which
//! always runs, and everything that `deny.toml` says where cargo-deny is
//! installed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use trials::Report;

use super::{Settings, cargo};

pub(super) fn dependencies(_: &Settings) -> anyhow::Result<Report> {
    let (checked, findings) = licences()?;
    let mut report = Report {
        tried: checked,
        findings,
        ..Report::default()
    };
    let is_there = Command::new("cargo-deny").arg("--version").output().is_ok();
    if !is_there {
        report.notes.push(
            "cargo-deny is not installed: advisories and duplicates are not checked (cargo install cargo-deny --locked)".into(),
        );
        return Ok(report);
    }
    deny(&["licenses", "bans", "sources"], &mut report)?;
    if deny_fetches()? {
        deny(&["advisories"], &mut report)?;
    } else {
        report
            .notes
            .push("the database of advisories cannot be had: they are not checked".into());
    }
    Ok(report)
}

/// Whether cargo-deny can have its database of advisories.
fn deny_fetches() -> anyhow::Result<bool> {
    let output = Command::new("cargo-deny").args(["fetch", "db"]).output()?;
    Ok(output.status.success())
}

fn deny(what: &[&str], report: &mut Report) -> anyhow::Result<()> {
    let output = Command::new("cargo-deny")
        .args(["--all-features", "check"])
        .args(what)
        .output()
        .context("cargo-deny could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        report
            .notes
            .push(format!("cargo-deny: {} hold", what.join(", ")));
    } else {
        let lines = said.lines().filter(|line| line.starts_with("error"));
        let lines: Vec<&str> = lines.collect();
        report.findings.push(format!(
            "cargo deny check {}: {}",
            what.join(" "),
            lines.join("; ")
        ));
    }
    Ok(())
}

/// The number of crates in the tree, with every feature and for every platform,
/// and a sentence for each whose licence is not one of those that `deny.toml`
/// allows.
fn licences() -> anyhow::Result<(usize, Vec<String>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let file: toml::Table = text.parse().context("deny.toml is no TOML")?;
    let allowed: BTreeSet<&str> = file
        .get("licenses")
        .and_then(|section| section.get("allow")?.as_array())
        .context("deny.toml has no list licenses.allow")?
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let metadata = cargo::metadata(&["--all-features"])?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &allowed).with_context(|| format!("the licence of {name}"))? {
            findings.push(format!(
                "{name} is under '{licence}', which deny.toml does not allow; find another crate, or say there why it may be"
            ));
        }
    }
    Ok((packages.len(), findings))
}

/// Whether what a crate says of its licence can be met by allowed ones alone. An
/// expression of SPDX (annex D of its specification), or the older form with a
/// slash for a choice.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> anyhow::Result<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any(&mut words, allowed)?;
    match words.next() {
        None => Ok(holds),
        Some(word) => bail!("'{expression}' has {word} where it should end"),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> anyhow::Result<bool> {
    let mut holds = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        holds |= all(words, allowed)?;
    }
    Ok(holds)
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> anyhow::Result<bool> {
    let mut holds = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed)?;
    }
    Ok(holds)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> anyhow::Result<bool> {
    match words.next() {
        Some("(") => {
            let holds = any(words, allowed)?;
            if words.next() != Some(")") {
                bail!("an expression lacks its closing bracket");
            }
            Ok(holds)
        }
        Some(licence) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            Ok(allowed.contains(&*format!("{licence} WITH {exception}")))
        }
        Some(licence) => Ok(allowed.contains(licence)),
        None => bail!("there is none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_tree_is_under_an_allowed_licence() {
        let (checked, findings) = licences().expect("cargo and deny.toml are there");
        assert!(checked > 100, "{checked}");
        assert_eq!(findings, Vec::<String>::new());
    }

    #[test]
    fn expressions_are_met_by_what_is_allowed() {
        let allowed = BTreeSet::from(["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"]);
        for (expression, holds) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("MIT AND (GPL-3.0 OR Zlib)", true),
            ("GPL-3.0 OR MIT AND Apache-2.0", false),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
        ] {
            let found = is_allowed(expression, &allowed).expect("an expression");
            assert_eq!(found, holds, "{expression}");
        }
        for wrong in ["", "(MIT", "MIT MIT", "MIT OR"] {
            assert!(is_allowed(wrong, &allowed).is_err(), "{wrong}");
        }
    }
}
