//! The file of a sweep: a line of JSON for each run, each with its checksum.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use durable_files::seal::JSON_LINE;
use runs::configuration::Configuration;
use runs::run_folder::RunFolder;
use runs::{Error, atomic_file};
use serde::{Deserialize, Serialize};

/// Digits of a run's digest that name it.
pub(crate) const DIGITS: usize = 12;

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// Its name: the first digits of its digest. The same settings and data have the
    /// same name in every plan.
    pub id: String,
    /// Its folder below that of all runs.
    pub run: String,
    /// What it is one of several seeds of.
    pub model: String,
    /// Its seed.
    pub seed: u64,
    /// Digest of its settings and data, which its result has too.
    pub digest: String,
    /// Identifies the content of its data.
    pub dataset_sha256: String,
    /// Seconds that its training is expected to take on one thread of the machine that
    /// the plan was made on.
    pub seconds: f64,
    /// Everything that decides its result.
    pub configuration: Configuration,
}

impl PlannedRun {
    /// Its folder, where all runs are in `runs`.
    #[must_use]
    pub fn folder(&self, runs: &Path) -> RunFolder {
        RunFolder::at(runs.join(&self.run))
    }

    /// What messages call it.
    #[must_use]
    pub fn called(&self) -> String {
        format!("{} seed {}", self.model, self.seed)
    }

    /// Checks that the line is what it says, before anything is trained by it.
    ///
    /// # Errors
    /// When its digest is not that of its settings: the line was edited, or another
    /// version of the program made it, whose runs have other results.
    pub fn check(&self) -> Result<(), Error> {
        if self.configuration.digest(&self.dataset_sha256) == self.digest {
            return Ok(());
        }
        Err(Error::Configuration(format!(
            "the run {} of the plan does not have the digest of its settings; the plan was edited, or is of a version with other results: make it again with 'sweep plan'",
            self.id
        )))
    }
}

/// The runs of a sweep, in an order that only what was asked for decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Each once.
    pub runs: Vec<PlannedRun>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// When the file cannot be read, a line is no run or was changed, or two are of
    /// one run or folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = input_files::read(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let mut runs = Vec::new();
        let lines = bytes.split_inclusive(|&byte| byte == b'\n').enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
            let damaged = |reason: String| {
                Error::Configuration(format!(
                    "line {} of {} is no run of a plan ({reason}); expected a line that 'sweep plan' wrote",
                    index + 1,
                    path.display()
                ))
            };
            JSON_LINE
                .check(line)
                .map_err(|error| damaged(error.to_string()))?;
            let run: PlannedRun =
                serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            if !is_below(Path::new(&run.run)) {
                let folder = &run.run;
                return Err(damaged(format!(
                    "its folder '{folder}' is not below another"
                )));
            }
            runs.push(run);
        }
        let plan = Self { runs };
        if plan.runs.is_empty() {
            return Err(Error::Configuration(format!(
                "{} holds no run; expected the lines that 'sweep plan' writes",
                path.display()
            )));
        }
        plan.check_distinct(path)?;
        Ok(plan)
    }

    /// Writes the plan, whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        Self::check_place(path)?;
        atomic_file::write(
            path,
            &self.lines().map_err(|source| Error::Write {
                path: path.into(),
                source,
            })?,
        )
    }

    /// Checks that a plan can be written to `path`.
    ///
    /// # Errors
    /// When the file cannot be written, or is there and no plan.
    pub fn check_place(path: &Path) -> Result<(), Error> {
        atomic_file::check_own_file(path, "plan", |head| head.starts_with(b"{\"id\":\""))
    }

    /// The file as bytes.
    ///
    /// # Errors
    /// Numbers that JSON has no word for, which no run has.
    pub fn lines(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for run in &self.runs {
            let mut line = serde_json::to_vec(run)?;
            line.push(b'\n');
            JSON_LINE.close(&mut line);
            bytes.append(&mut line);
        }
        Ok(bytes)
    }

    /// The run called `name`: by its id, digits that no other one begins with, or a path
    /// of its folder.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn find(&self, name: &str) -> Result<usize, Error> {
        /// Fewer are no name that somebody has copied.
        const FEWEST: usize = 4;
        // As completion writes folders, below that of all runs or not.
        let folder = Path::new(name).components();
        let is_called = |run: &PlannedRun| {
            run.id == name
                || name.len() >= FEWEST && run.id.starts_with(name)
                || folder.as_path().ends_with(&run.run)
        };
        let mut found = (0..self.runs.len()).filter(|&place| is_called(&self.runs[place]));
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(place),
            (first, _) => Err(Error::Configuration(format!(
                "--only is '{name}', which {} of the plan's {} runs {}; expected the id or the folder of one",
                if first.is_some() { "several" } else { "none" },
                self.runs.len(),
                if first.is_some() { "have" } else { "has" },
            ))),
        }
    }

    /// Seconds that all runs are expected to take, one after the other on one thread.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.runs.iter().map(|run| run.seconds).sum()
    }

    /// Names of the data sets, each once, in the order of the runs.
    #[must_use]
    pub fn datasets(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for run in &self.runs {
            let name = run.configuration.data.dataset.as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn check_distinct(&self, path: &Path) -> Result<(), Error> {
        let mut known = BTreeMap::new();
        for run in &self.runs {
            for name in [&run.id, &run.run] {
                if known
                    .insert(name, &run.digest)
                    .is_some_and(|other| other != &run.digest)
                {
                    return Err(Error::Configuration(format!(
                        "{} has two runs called {name}; expected one",
                        path.display()
                    )));
                }
            }
        }
        let distinct = 2 * self.runs.len();
        if known.len() < distinct {
            return Err(Error::Configuration(format!(
                "{} has the same run in several lines; expected each once",
                path.display()
            )));
        }
        Ok(())
    }
}

/// So many runs, in words.
#[must_use]
pub fn counted(runs: usize) -> String {
    match runs {
        1 => "1 run".into(),
        _ => format!("{runs} runs"),
    }
}

/// Whether a path stays below the folder that it is joined to.
fn is_below(path: &Path) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    path.components().count() > 0 && path.components().all(is_plain)
}

/// A path of a run below the folder of all, as a plan has it: with slashes.
pub(crate) fn with_slashes(path: &Path) -> Result<String, Error> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| {
        let path = PathBuf::from(path);
        Error::Configuration(format!(
            "the folder {} is not valid UTF-8, which a plan needs; rename it",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with these digits.
    pub(crate) fn run(id: &str, seed: u64) -> PlannedRun {
        let mut configuration = Configuration::default();
        configuration.training.seed = seed;
        let digest = configuration.digest("f");
        PlannedRun {
            id: id.into(),
            run: format!("glyphs-{id}"),
            model: "vae".into(),
            seed,
            digest,
            dataset_sha256: "f".into(),
            seconds: 1.5,
            configuration,
        }
    }

    fn written(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("plan.jsonl");
        std::fs::write(&path, text).expect("writable");
        (folder, path)
    }

    #[test]
    fn a_plan_is_read_as_it_was_written_and_its_parts_are_plans() {
        let plan = Plan {
            runs: vec![run("00aa11", 0), run("00bb22", 1)],
        };
        let bytes = plan.lines().expect("plain data");
        let (_folder, path) = written(&bytes);
        assert_eq!(Plan::read(&path).expect("whole"), plan);
        plan.runs[0].check().expect("its own digest");
        let second = bytes.split_inclusive(|&byte| byte == b'\n').nth(1);
        let (_folder, path) = written(second.expect("two lines"));
        assert_eq!(Plan::read(&path).expect("whole").runs, plan.runs[1..]);
        assert_eq!(plan.seconds(), 3.0);
        assert_eq!(plan.datasets(), ["glyphs"]);
    }

    #[test]
    fn what_is_no_plan_is_refused_with_its_line() {
        let plan = Plan {
            runs: vec![run("00aa11", 0)],
        };
        let line = plan.lines().expect("plain data");
        let mut changed = line.clone();
        changed[20] ^= 1;
        let mut climbing = plan.runs[0].clone();
        climbing.run = "../elsewhere".into();
        let climbing = Plan {
            runs: vec![climbing],
        };
        let mut other = run("00aa11", 7);
        other.run = "other".into();
        let two = Plan {
            runs: vec![plan.runs[0].clone(), other],
        };
        for (text, expected) in [
            (changed, "line 1 of "),
            (b"\n{}\n".to_vec(), "line 2 of "),
            (b"\n".to_vec(), "holds no run"),
            (climbing.lines().expect("plain"), "is not below another"),
            ([&line[..], &line].concat(), "the same run in several lines"),
            (two.lines().expect("plain"), "two runs called 00aa11"),
        ] {
            let (_folder, path) = written(&text);
            let message = Plan::read(&path).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
        let mut edited = run("00aa11", 0);
        edited.configuration.training.epochs += 1;
        let message = edited.check().expect_err("another digest").to_string();
        assert!(message.contains("make it again"), "{message}");
    }

    #[test]
    fn runs_are_found_by_id_beginning_and_folder() {
        let plan = Plan {
            runs: vec![run("00aa11", 0), run("00aa22", 1)],
        };
        for (name, place) in [
            ("00aa22", 1),
            ("00aa1", 0),
            ("glyphs-00aa22", 1),
            ("runs/glyphs-00aa22/", 1),
        ] {
            assert_eq!(plan.find(name).expect("one"), place, "{name}");
        }
        for (name, word) in [("00aa", "several"), ("00", "none"), ("x", "none")] {
            let message = plan.find(name).expect_err("not one").to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
