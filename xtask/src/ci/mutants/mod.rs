//! Whether a change of the code fails a test: a sample of the changes that
//! cargo-mutants would make, each made in a copy of the tree and tested in
//! stages.
//!
//! cargo-mutants itself runs every test of a crate for every mutant, which takes
//! minutes each; only its list is used.

mod list;
mod outcomes;
mod stages;
mod survey;
mod tree;
mod triage;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use trials::Report;

use self::list::Mutant;
use self::outcomes::{Fate, Outcomes};
use self::stages::{Stages, Workshop};
use self::survey::{Found, Survey};
use self::tree::Source;
use super::{Settings, cargo};

/// A crate whose mutants are tried.
struct Subject {
    name: &'static str,
    /// The least percentage that tests must catch.
    at_least: f64,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "evaluation",
        at_least: 95.0,
    },
    Subject {
        name: "models",
        at_least: 90.0,
    },
];

/// How many builds and tests run at the same time: each has a copy of everything
/// that is built.
const JOBS: usize = 2;

pub(super) fn mutants(settings: &Settings) -> anyhow::Result<Report> {
    let chosen = &settings.mutants;
    let subjects: Vec<&Subject> = match &chosen.package {
        None => SUBJECTS.iter().collect(),
        Some(name) => {
            let found = SUBJECTS.iter().find(|subject| subject.name == name);
            let names = SUBJECTS.map(|subject| subject.name).join(" and ");
            let found = found.ok_or_else(|| {
                runs::Error::Configuration(format!(
                    "--crate {name} has no mutants tried; expected one of {names}"
                ))
            })?;
            vec![found]
        }
    };
    let installed = Command::new("cargo-mutants")
        .args(["mutants", "--version"])
        .stdout(Stdio::null())
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        return Ok(Report::skipped(
            "cargo-mutants is not installed (cargo install cargo-mutants --locked)",
        ));
    }
    let mut report = Report::default();
    let mut details = Vec::new();
    for subject in subjects {
        let (of_subject, detail) = try_subject(subject, settings)?;
        report.add(of_subject);
        details.push(detail);
    }
    report.details = Some(Value::Array(details));
    Ok(report)
}

/// Tries a sample of a crate's mutants, or those that were asked for.
fn try_subject(subject: &Subject, settings: &Settings) -> anyhow::Result<(Report, Value)> {
    let output = &settings.output;
    let name = subject.name;
    let source = Source::of_repository()?;
    let folder = target_directory()?.join("mutants");
    let cores = available_parallelism().map_or(1, usize::from);
    let jobs = settings
        .mutants
        .jobs
        .map_or(JOBS.min(cores), NonZeroUsize::get);
    let workshops: Vec<Workshop> = (0..jobs)
        .map(|job| Workshop {
            folder: folder.join(job.to_string()),
            threads: (cores / jobs).max(1),
        })
        .collect();
    let tree = workshops[0].tree();
    // The user's files may change while it is tested.
    let source = source.copied_to(&tree)?;
    let of_all = source.digest(&tree, &[""])?;
    // A crate's tests read fixtures and go through the crates that it depends on.
    let of_code = source.digest(&tree, &["crates/", "fixtures/", "Cargo."])?;

    let mut mutants = list::mutants(&tree, name)?;
    let in_all = mutants.len();
    let (equivalent, findings) = triage::equivalents(&triage::kept()?, &mutants, name);
    list::shuffle(&mut mutants, settings.seed);
    let mut wanted = settings.count;
    if let Some(text) = &settings.mutants.only {
        mutants.retain(|mutant| mutant.name().contains(text));
        if mutants.is_empty() {
            return Ok((
                Report {
                    notes: vec![format!("{name} has no mutant with '{text}'")],
                    ..Report::default()
                },
                json!({"crate": name, "mutants": 0}),
            ));
        }
        wanted = mutants.len();
    }
    output.note(&format!("{name}: {in_all} mutants are listed"));

    let stages = Stages::of_unchanged(name, &workshops[0], &folder, &of_all, &|line| {
        output.note(line)
    })?;
    for workshop in &workshops[1..] {
        seed(workshop, &workshops[0])?;
        source.copy_to(&workshop.tree())?;
    }
    let outcomes = Outcomes::open(&folder.join("outcomes.jsonl"), &of_code)?;
    let survey = Survey {
        mutants: &mutants,
        equivalent: &equivalent,
        wanted,
        stages: &stages,
        output,
    };
    let found = survey.run(&workshops, outcomes)?;
    let is_sample = settings.mutants.only.is_none();
    Ok(conclude(subject, in_all, &found, findings, is_sample))
}

/// Text and document of what was found; findings, if too little was caught.
fn conclude(
    subject: &Subject,
    in_all: usize,
    found: &[Found<'_>],
    mut findings: Vec<String>,
    is_sample: bool,
) -> (Report, Value) {
    let name = subject.name;
    let count = |fate: Fate| found.iter().filter(|one| one.fate == Some(fate)).count();
    let caught = count(Fate::Caught);
    let timeouts = count(Fate::Timeout);
    let missed = count(Fate::Missed);
    let unviable = count(Fate::Unviable);
    let equivalent = found.iter().filter(|one| one.fate.is_none()).count();
    let tried = caught + timeouts + missed;
    let percent = 100.0 * (caught + timeouts) as f64 / tried.max(1) as f64;
    let mut notes = vec![format!(
        "{name}: {tried} of {in_all} mutants: {caught} caught, {timeouts} without end, \
         {missed} missed: {percent:.1} % are killed, {:.0} % have to be; beside them \
         {unviable} that do not compile and {equivalent} that are equivalent",
        subject.at_least
    )];
    let with_fate = |fate: Fate| {
        let such = found.iter().filter(move |one| one.fate == Some(fate));
        such.map(|one| one.mutant)
    };
    for fate in [Fate::Timeout, Fate::Missed] {
        let lines = with_fate(fate).map(|mutant| format!("{} {}", fate.name(), mutant.name()));
        notes.extend(lines);
    }
    let documents = |fate: Fate| -> Vec<Value> { with_fate(fate).map(Mutant::document).collect() };
    if is_sample && tried > 0 && percent < subject.at_least {
        findings.push(format!(
            "tests kill {percent:.1} % of the mutants of {name}, fewer than {:.0} %; test what \
             was missed, or say in xtask/mutants.toml why no test can see it",
            subject.at_least
        ));
    }
    let document = json!({
        "crate": name,
        "mutants": in_all,
        "tried": tried,
        "caught": caught,
        "timeouts": timeouts,
        "missed": missed,
        "unviable": unviable,
        "equivalent": equivalent,
        "percent_killed": (tried > 0).then_some(percent),
        "percent_needed": subject.at_least,
        "without_end": documents(Fate::Timeout),
        "survivors": documents(Fate::Missed),
    });
    let report = Report {
        tried,
        findings,
        notes,
        ..Report::default()
    };
    (report, document)
}

/// Gives a new workshop what another has built, so that it need not build it.
fn seed(workshop: &Workshop, from: &Workshop) -> anyhow::Result<()> {
    if workshop.folder.is_dir() {
        return Ok(());
    }
    // It gets its name when it is whole. Times are kept: by them cargo tells
    // what has to be built again.
    let unfinished = workshop.folder.with_extension("unfinished");
    if unfinished.is_dir() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    let status = Command::new("cp")
        .arg("-a")
        .args([&from.folder, &unfinished])
        .status()
        .context("cp could not be started")?;
    if !status.success() {
        bail!(
            "{} could not be copied ({status}); is there room on the disk?",
            from.folder.display()
        );
    }
    std::fs::rename(&unfinished, &workshop.folder)
        .with_context(|| format!("{} cannot be renamed", unfinished.display()))
}

fn target_directory() -> anyhow::Result<PathBuf> {
    let metadata = cargo::metadata(&["--no-deps"])?;
    let target = metadata["target_directory"].as_str();
    let target = target.context("cargo metadata names no target_directory")?;
    Ok(Path::new(target).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_fails_below_its_share_and_names_what_survives() {
        let mutant = list::tests::mutant("crates/models/src/a.rs", "replace + with - in f", "x", 1);
        let subject = Subject {
            name: "models",
            at_least: 90.0,
        };
        let found = |missed: usize| {
            let fates = [
                vec![Some(Fate::Missed); missed],
                vec![Some(Fate::Caught); 8],
                vec![Some(Fate::Timeout), Some(Fate::Unviable), None],
            ];
            let fates = fates.concat().into_iter();
            fates
                .map(|fate| Found {
                    mutant: &mutant,
                    fate,
                })
                .collect::<Vec<_>>()
        };
        let (report, document) = conclude(&subject, 99, &found(1), Vec::new(), true);
        assert!(report.findings.is_empty(), "{report}");
        assert_eq!(document["percent_killed"], 90.0);
        assert_eq!(
            (&document["tried"], &document["equivalent"]),
            (&json!(10), &json!(1))
        );
        assert_eq!(document["survivors"][0]["file"], "crates/models/src/a.rs");
        assert!(
            report
                .to_string()
                .contains("missed crates/models/src/a.rs:1:1: replace")
        );

        let (report, _) = conclude(&subject, 99, &found(2), Vec::new(), true);
        assert!(report.findings[0].contains("81.8 %"), "{report}");
        // Mutants that were asked for by name are no sample.
        let (report, _) = conclude(&subject, 99, &found(2), Vec::new(), false);
        assert!(report.findings.is_empty());
        let (report, _) = conclude(&subject, 99, &found(0), vec!["gone".into()], true);
        assert_eq!(report.findings, ["gone"]);
    }
}
