//! A bit of a file that is read back changes: the program says in which file, or
//! has put it right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Report;
use crate::contents::{self, Contents};
use crate::job::Job;
use crate::process::Program;
use crate::random::Random;

/// A command and the files that it reads back.
struct Reading {
    command: Vec<String>,
    /// What it begins with.
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// What it ends in when no bit has changed.
    expected: Contents,
}

const FOLDERS: [&str; 3] = ["run", "figures", "runs"];

/// Changes one of the bits of one of the files, `count` times.
///
/// # Errors
/// When an undisturbed command fails, or a process cannot be started.
pub fn bit_flips(program: &Program, count: usize, seed: u64) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut random = Random::new(seed);
    let place = tempfile::tempdir()?;
    // Their images are there as long as they are.
    let (train, figures) = (Job::train()?, Job::figures()?);
    let readings = readings(program, &train, &figures, place.path())?;
    let mut found = BTreeMap::<String, [usize; 3]>::new();
    for _ in 0..count {
        let reading = &readings[random.below(readings.len())];
        let file = &reading.files[random.below(reading.files.len())];
        let folder = tempfile::tempdir()?;
        contents::copy(&reading.folder, folder.path())?;
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path)?;
        let bit = random.below(8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes)?;
        let ended = program.run(folder.path(), &reading.command)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_named = ended.said.contains(&*name);
        let what = format!(
            "bit {bit} of {}, {}",
            file.display(),
            reading.command[..2].join(" ")
        );
        let [refused, named, mended] = found.entry(name.into_owned()).or_default();
        match ended.status.code() {
            Some(1..=3) if is_named => *refused += 1,
            Some(0) => {
                let after = contents::of(folder.path(), &FOLDERS)?;
                let difference = contents::difference(&after, &reading.expected);
                let is_there = fs::read(&path).is_ok_and(|after| after == bytes);
                match difference {
                    // A file that is not one of the results may stand as it is
                    // when the program has said so.
                    None if is_named => *named += 1,
                    None if !is_there => *mended += 1,
                    None => report.findings.push(format!("{what}: accepted")),
                    Some(difference) => report
                        .findings
                        .push(format!("{what}: accepted, {difference}")),
                }
            }
            _ => report.findings.push(format!(
                "{what}: {}: {}",
                ended.status,
                ended.said.trim().replace('\n', " | ")
            )),
        }
        report.tried += 1;
    }
    for (name, [refused, named, mended]) in found {
        report.notes.push(format!(
            "{name}: {refused} refused by name, {named} put right by name, {mended} written anew"
        ));
    }
    Ok(report)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn readings(
    program: &Program,
    train: &Job,
    figures: &Job,
    place: &Path,
) -> anyhow::Result<Vec<Reading>> {
    // A run that was stopped on its way.
    let stopped = place.join("stopped");
    let duration = train.reference(program)?.duration;
    loop {
        fs::create_dir_all(&stopped)?;
        train.prepare(&stopped)?;
        let mut process = program.start(&stopped, &train.first())?;
        process.run_for(duration.mul_f64(0.7).max(Duration::from_millis(300)))?;
        process.signal("TERM")?;
        process.end()?;
        if stopped.join("run/state.safetensors").exists()
            && !stopped.join("run/result.json").exists()
        {
            break;
        }
        fs::remove_dir_all(&stopped)?;
    }
    // One that has ended, with everything that is made of it.
    let ended = place.join("ended");
    fs::create_dir_all(&ended)?;
    train.prepare(&ended)?;
    for command in [train.first(), words("eval run --quiet"), figures.first()] {
        program.run(&ended, &command)?.well()?;
    }
    let in_run = |names: &[&str]| -> Vec<PathBuf> {
        names
            .iter()
            .map(|name| Path::new("run").join(name))
            .collect()
    };
    let mut of_figures = Vec::new();
    for folder in ["figures", "runs"] {
        read_back(&ended, Path::new(folder), &mut of_figures)?;
    }
    let cases = [
        (
            "train --resume run",
            &stopped,
            in_run(&[
                "config.toml",
                "environment.json",
                "metrics.jsonl",
                "state.safetensors",
                "trajectories.npz",
            ]),
        ),
        (
            "eval run",
            &ended,
            in_run(&["config.toml", "environment.json", "model.safetensors"]),
        ),
        (
            "train --resume run",
            &ended,
            in_run(&["config.toml", "result.json"]),
        ),
        (
            "runs table run",
            &ended,
            in_run(&["config.toml", "result.json", "eval.json"]),
        ),
        (
            "figures run --figure training",
            &ended,
            in_run(&["metrics.jsonl"]),
        ),
        (
            "figures run --figure trajectories",
            &ended,
            in_run(&["trajectories.npz"]),
        ),
        (&figures.first().join(" "), &ended, of_figures),
    ];
    cases
        .into_iter()
        .map(|(command, folder, files)| {
            let command = words(command);
            let own = tempfile::tempdir()?;
            contents::copy(folder, own.path())?;
            program.run(own.path(), &command)?.well()?;
            Ok(Reading {
                command,
                folder: folder.clone(),
                files,
                expected: contents::of(own.path(), &FOLDERS)?,
            })
        })
        .collect()
}

/// The files below a folder that drawing again reads.
fn read_back(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    const NAMES: [&str; 6] = [
        "section.json",
        "config.toml",
        "environment.json",
        "result.json",
        "metrics.jsonl",
        "model.safetensors",
    ];
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_back(root, &path, files)?;
        } else if NAMES.iter().any(|name| path.ends_with(name))
            || entry
                .file_name()
                .to_string_lossy()
                .starts_with("classifier")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}
