//! The numbers of all runs of a plan in one table.
//!
//! The table is a function of the plan and of what the runs came to: whoever trained
//! them, in which order and where, it is the same to the byte.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use evaluation::statistics::t_interval;
use runs::gather::{at, leaves};
use runs::run_folder::{RunResult, Status};
use runs::{Error, atomic_file, sealed_json};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ended::Ended;
use crate::plan::{Plan, PlannedRun, counted};

/// Measures of a table that names none, separated by commas.
pub const USUAL: &str = "test.loss,test.reconstruction,test.kl,train.loss";

/// How often an interval over seeds holds the mean.
const LEVEL: f64 = 0.95;

/// What the runs came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Merged {
    /// Whether every run has ended.
    pub complete: bool,
    /// Runs that are done.
    pub done: usize,
    /// A row for each model and measure.
    pub rows: Vec<Row>,
    /// Runs without these numbers: they have not ended, their folders are damaged, or they
    /// were not evaluated.
    pub missing: Vec<Absent>,
    /// Runs that diverged, which are in no number.
    pub diverged: Vec<Absent>,
}

/// A measure of a model over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The model.
    pub model: String,
    /// What is measured: a number of `result.json`, as the lines of `metrics.jsonl` name
    /// it, or of `eval.json`.
    pub measure: String,
    /// Seeds that the row is of.
    pub n: usize,
    /// Their mean; none without a seed.
    pub mean: Option<f64>,
    /// Their standard deviation, with n − 1; none of fewer than two.
    pub standard_deviation: Option<f64>,
    /// Lower end of the 95 % interval of the mean by Student's t; none of fewer than two
    /// and of equal ones.
    pub lower: Option<f64>,
    /// Its upper end.
    pub upper: Option<f64>,
    /// Seeds without a result.
    pub missing: Vec<u64>,
    /// Seeds that diverged.
    pub diverged: Vec<u64>,
}

/// A run that is in no number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// Its name.
    pub id: String,
    /// Its folder below that of all runs.
    pub run: String,
    /// Its model.
    pub model: String,
    /// Its seed.
    pub seed: u64,
    /// Of a run that diverged, where and in what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<String>,
    /// Of one whose folder is damaged, holds something else or lacks a measure that others
    /// have, in a sentence how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// Gathers the `measures` of the runs of a plan, which are in `folder`.
///
/// # Errors
/// A measure that not one of the runs has which are done, or a disk that cannot be read.
pub fn merge(plan: &Plan, folder: &Path, measures: &[String]) -> Result<Merged, Error> {
    let mut models: Vec<Model<'_>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut merged = Merged {
        complete: true,
        done: 0,
        rows: Vec::new(),
        missing: Vec::new(),
        diverged: Vec::new(),
    };
    let mut unmeasured = None;
    for planned in &plan.runs {
        let place = *places.entry(&planned.model).or_insert_with(|| {
            models.push(Model::new(&planned.model, measures.len()));
            models.len() - 1
        });
        let model = &mut models[place];
        let result = match Ended::read(planned, folder) {
            Ok(Some(ended)) => ended.result,
            absent => {
                let damage = match absent {
                    Err(error) if error.is_of_folder(planned.folder(folder).path()) => {
                        Some(error.to_string())
                    }
                    absent => absent?.and(None),
                };
                merged.complete = false;
                model.missing.push(planned.seed);
                let run = Absent::of(planned);
                merged.missing.push(Absent { damage, ..run });
                continue;
            }
        };
        match result.status {
            Status::Diverged => {
                model.diverged.push(planned.seed);
                let (run, divergence) = (Absent::of(planned), result.divergence);
                merged.diverged.push(Absent { divergence, ..run });
            }
            Status::Done => {
                let numbers = Numbers::of(planned, folder, &result);
                let read: Result<Vec<f64>, Error> = measures
                    .iter()
                    .map(|measure| numbers.get(measure))
                    .collect();
                match read {
                    Ok(read) => {
                        merged.done += 1;
                        for (values, value) in model.values.iter_mut().zip(read) {
                            values.push(value);
                        }
                    }
                    Err(error) => {
                        merged.complete = false;
                        model.missing.push(planned.seed);
                        let run = Absent::of(planned);
                        let damage = Some(error.to_string());
                        merged.missing.push(Absent { damage, ..run });
                        unmeasured.get_or_insert(error);
                    }
                }
            }
        }
    }
    // What not one of them has is no fault of theirs.
    if let (0, Some(error)) = (merged.done, unmeasured) {
        return Err(error);
    }
    for model in models {
        model.add_rows(measures, &mut merged.rows)?;
    }
    Ok(merged)
}

/// Columns of a table.
const HEADER: [&str; 9] = [
    "model",
    "measure",
    "n",
    "mean",
    "standard_deviation",
    "lower",
    "upper",
    "missing_seeds",
    "diverged_seeds",
];

impl Merged {
    /// Writes the table whole, as CSV (RFC 4180) or JSON by the ending of `path`.
    ///
    /// # Errors
    /// As [`Self::check_place`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        Self::check_place(path)?;
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => atomic_file::write(path, self.to_csv().as_bytes()),
            _ => sealed_json::write(path, self),
        }
    }

    /// Checks that a table can be written to `path`.
    ///
    /// # Errors
    /// Another ending than `.csv` and `.json`, a place that cannot be written, or a file
    /// that is there and no such table.
    pub fn check_place(path: &Path) -> Result<(), Error> {
        let own = match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => HEADER.join(","),
            Some("json") => "{\n  \"complete\": ".into(),
            _ => {
                return Err(Error::Configuration(format!(
                    "-o is {}, but a merged table is a .csv or a .json",
                    path.display()
                )));
            }
        };
        atomic_file::check_own_file(path, "merged table", |head| {
            head.starts_with(own.as_bytes())
        })
    }

    /// The rows as CSV with a header; seeds of a cell are separated by spaces.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
        let seeds = |seeds: &[u64]| {
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            seeds.join(" ")
        };
        let rows = self.rows.iter().map(|row| {
            [
                row.model.clone(),
                row.measure.clone(),
                row.n.to_string(),
                number(row.mean),
                number(row.standard_deviation),
                number(row.lower),
                number(row.upper),
                seeds(&row.missing),
                seeds(&row.diverged),
            ]
        });
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(HEADER.map(str::to_owned)).chain(rows) {
            writer
                .write_record(&row)
                .expect("memory takes rows of one length");
        }
        let bytes = writer.into_inner().expect("memory takes what is written");
        String::from_utf8(bytes).expect("texts are UTF-8")
    }

    /// The refusal of a table without a number.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where not one run has ended; `folder` is that of all.
    pub fn require_any(&self, folder: &Path) -> Result<(), Error> {
        if self.done + self.diverged.len() > 0 {
            return Ok(());
        }
        let what = match folder.is_dir() {
            true => "which holds no result of them",
            false => "which is no folder",
        };
        Err(Error::Incomplete(format!(
            "none of the plan's {} has ended in {}, {what}; name the folder of the runs with --runs, or train them with 'sweep run'",
            counted(self.missing.len()),
            folder.display()
        )))
    }

    /// The refusal of a table in which runs are missing.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where some are; it names the first few, and why the first
    /// damaged one is.
    pub fn require_complete(&self) -> Result<(), Error> {
        /// As many as are read.
        const NAMED: usize = 3;
        if self.complete {
            return Ok(());
        }
        let named = self.missing.iter().take(NAMED);
        let mut named: Vec<String> = named
            .map(|run| format!("{} seed {}", run.model, run.seed))
            .collect();
        if self.missing.len() > NAMED {
            named.push("…".into());
        }
        let all = self.missing.len() + self.diverged.len() + self.done;
        let damage = self.missing.iter().find_map(|run| run.damage.as_deref());
        let remedy = match damage {
            None => "train them with 'sweep run'".to_owned(),
            Some(damage) => format!("of one of them: {damage}"),
        };
        Err(Error::Incomplete(format!(
            "{} of {} {} no result ({}); {remedy}; or add --incomplete for a table of those that have one",
            self.missing.len(),
            counted(all),
            if self.missing.len() == 1 {
                "has"
            } else {
                "have"
            },
            named.join(", ")
        )))
    }
}

impl Absent {
    fn of(planned: &PlannedRun) -> Self {
        Self {
            id: planned.id.clone(),
            run: planned.run.clone(),
            model: planned.model.clone(),
            seed: planned.seed,
            divergence: None,
            damage: None,
        }
    }
}

/// The seeds of a model.
struct Model<'a> {
    name: &'a str,
    /// Of each measure, in the order of the plan.
    values: Vec<Vec<f64>>,
    missing: Vec<u64>,
    diverged: Vec<u64>,
}

impl<'a> Model<'a> {
    fn new(name: &'a str, measures: usize) -> Self {
        Self {
            name,
            values: vec![Vec::new(); measures],
            missing: Vec::new(),
            diverged: Vec::new(),
        }
    }

    fn add_rows(self, measures: &[String], rows: &mut Vec<Row>) -> Result<(), Error> {
        for (measure, values) in measures.iter().zip(self.values) {
            let interval = match values.is_empty() {
                true => None,
                false => Some(t_interval(&values, LEVEL)?),
            };
            rows.push(Row {
                model: self.name.to_owned(),
                measure: measure.clone(),
                n: values.len(),
                mean: interval.map(|interval| interval.centre),
                standard_deviation: interval.and_then(|interval| interval.standard_deviation),
                lower: interval.and_then(|interval| interval.lower),
                upper: interval.and_then(|interval| interval.upper),
                missing: self.missing.clone(),
                diverged: self.diverged.clone(),
            });
        }
        Ok(())
    }
}

/// Where the numbers of a run are.
struct Numbers<'a> {
    planned: &'a PlannedRun,
    folder: &'a Path,
    result: Value,
    /// What `eval.json` holds, read when a measure asks for it; `None` where there is
    /// none.
    evaluation: OnceCell<Option<Value>>,
}

impl<'a> Numbers<'a> {
    fn of(planned: &'a PlannedRun, folder: &'a Path, result: &RunResult) -> Self {
        let losses = result.last.map(|last| {
            json!({
                "epoch": last.epoch,
                "step": last.step,
                "train": last.train,
                "test": last.test,
                "validation": last.validation,
            })
        });
        Self {
            planned,
            folder,
            result: losses.unwrap_or_default(),
            evaluation: OnceCell::new(),
        }
    }

    fn get(&self, measure: &str) -> Result<f64, Error> {
        if let Some(value) = at(&self.result, measure).and_then(Value::as_f64) {
            return Ok(value);
        }
        let run = self.planned.folder(self.folder);
        let path = run.path().display();
        let evaluation = match self.evaluation.get() {
            Some(evaluation) => evaluation,
            None => {
                let read = run.read_evaluation()?;
                self.evaluation.get_or_init(|| read)
            }
        };
        let Some(evaluation) = evaluation else {
            return Err(Error::Configuration(format!(
                "--measures names '{measure}', which result.json of {path} does not have, and there is no eval.json; {}",
                self.known(&Value::Null, measure)
            )));
        };
        at(evaluation, measure)
            .and_then(Value::as_f64)
            .ok_or_else(|| {
                Error::Configuration(format!(
                    "--measures names '{measure}', which {path} does not have; {}",
                    self.known(evaluation, measure)
                ))
            })
    }

    /// What may be meant instead.
    fn known(&self, evaluation: &Value, measure: &str) -> String {
        let is_number =
            |value: &Value, name: &String| at(value, name).is_some_and(Value::is_number);
        let of = |value: &Value| {
            let names = leaves(value, "").into_iter();
            names
                .filter(|name| is_number(value, name))
                .collect::<BTreeSet<String>>()
        };
        let mut known = of(&self.result);
        known.extend(of(evaluation));
        let hint = names::hint(measure, known.iter().map(String::as_str), &[]);
        match evaluation {
            _ if measure.starts_with("nll") => {
                format!("{hint} (nll needs 'sweep run --eval --nll-samples K')")
            }
            Value::Null => format!("{hint} (train with --eval for more)"),
            _ => hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use runs::configuration::Configuration;
    use runs::environment::Environment;
    use runs::run_folder::{EpochMetrics, Losses};

    use super::*;

    fn planned(model: &str, seed: u64) -> PlannedRun {
        PlannedRun {
            id: format!("{model}{seed}"),
            run: format!("{model}-{seed}"),
            model: model.into(),
            seed,
            digest: format!("digest of {model} {seed}"),
            dataset_sha256: "f".into(),
            seconds: 1.0,
            configuration: Configuration::default(),
        }
    }

    fn end(folder: &Path, run: &PlannedRun, loss: Option<f64>) {
        let of = run.folder(folder);
        std::fs::create_dir_all(of.path()).expect("writable");
        std::fs::write(of.path().join("config.toml"), "").expect("writable");
        let environment = serde_json::to_string(&Environment::describe(1, "f"));
        let path = of.path().join("environment.json");
        std::fs::write(path, environment.expect("plain data")).expect("writable");
        let losses = |loss| Losses {
            loss,
            reconstruction: loss - 1.0,
            kl: 1.0,
        };
        of.write_result(&RunResult {
            status: if loss.is_some() {
                Status::Done
            } else {
                Status::Diverged
            },
            digest: run.digest.clone(),
            epochs: 2,
            steps: 8,
            last: loss.map(|loss| EpochMetrics {
                epoch: 2,
                step: 8,
                train: losses(loss + 1.0),
                test: losses(loss),
                validation: None,
                data_treatment: Default::default(),
                learning_rate: None,
                seconds: 1.0,
                images_per_second: 1.0,
            }),
            best_epoch: None,
            divergence: loss.is_none().then(|| "training diverged".into()),
        })
        .expect("writable");
    }

    #[test]
    fn seeds_are_averaged_and_what_is_not_there_is_listed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path();
        let runs: Vec<PlannedRun> = [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]
            .into_iter()
            .map(|(model, seed)| planned(model, seed))
            .collect();
        let plan = Plan { runs: runs.clone() };
        let measures = ["test.loss".to_owned(), "train.loss".to_owned()];
        end(folder, &runs[0], Some(10.0));
        end(folder, &runs[2], Some(14.0));
        end(folder, &runs[1], None);
        let merged = merge(&plan, folder, &measures).expect("readable");
        assert!(!merged.complete);
        let csv = merged.to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(
            lines[1].starts_with("a,test.loss,2,12,2.8284271247461903,-13.4"),
            "{csv}"
        );
        assert!(lines[1].ends_with(",2,"), "{csv}");
        assert_eq!(lines[3], "b,test.loss,0,,,,,1,0");
        let message = merged.require_complete().expect_err("missing").to_string();
        assert!(
            message.contains("2 of 5 runs have no result (b seed 1, a seed 2)"),
            "{message}"
        );
        assert_eq!(Error::Incomplete(String::new()).exit_code(), 4);
        end(folder, &runs[3], Some(1.0));
        end(folder, &runs[4], Some(12.0));
        let merged = merge(&plan, folder, &measures).expect("readable");
        merged.require_complete().expect("complete");
        assert_eq!(merged.diverged[0].id, "b0");
        assert_eq!((merged.rows[0].n, merged.rows[0].mean), (3, Some(12.0)));
        assert_eq!(merged.rows[2].lower, None);
    }

    #[test]
    fn other_runs_are_no_results_and_unknown_measures_are_refused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let runs = [planned("a", 0), planned("a", 1)];
        for run in &runs {
            end(root.path(), run, Some(10.0));
        }
        let of = |runs: &[PlannedRun], measure: &str| {
            let plan = Plan {
                runs: runs.to_vec(),
            };
            merge(&plan, root.path(), &[measure.to_owned()])
        };
        let message = of(&runs, "test.los").expect_err("unknown").to_string();
        assert!(message.contains("did you mean 'test.loss'?"), "{message}");
        let message = of(&runs, "nll.8.value").expect_err("unknown").to_string();
        assert!(message.contains("--nll-samples"), "{message}");
        let mut other = runs.clone();
        other[0].digest = "another".into();
        let merged = of(&other, "test.loss").expect("readable");
        assert_eq!((merged.done, &merged.rows[0].missing), (1, &vec![0]));
        merged.require_any(root.path()).expect("one");
        let message = merged.require_complete().expect_err("damaged").to_string();
        assert!(
            message.contains("1 of 2 runs has no result (a seed 0)")
                && message.contains("holds another run"),
            "{message}"
        );
        // A number that one of them does not have leaves the other's.
        for (seed, evaluation) in [(0, "{\"active_units\": 2}"), (1, "{")] {
            let path = runs[seed].folder(root.path()).path().join("eval.json");
            std::fs::write(path, evaluation).expect("writable");
        }
        let merged = of(&runs, "active_units").expect("readable");
        assert_eq!((merged.done, &merged.rows[0].missing), (1, &vec![1]));
        assert_eq!(merged.rows[0].mean, Some(2.0));
        // Nor is what is in a folder of its own.
        std::fs::remove_file(runs[0].folder(root.path()).path().join("environment.json"))
            .expect("there");
        let merged = of(&runs, "test.loss").expect("readable");
        assert_eq!(merged.rows[0].missing, [0]);
        let nowhere = root.path().join("typo");
        let plan = Plan { runs: runs.into() };
        let merged = merge(&plan, &nowhere, &["test.loss".into()]).expect("readable");
        let message = merged.require_any(&nowhere).expect_err("none").to_string();
        assert!(message.contains("typo, which is no folder"), "{message}");
    }

    #[test]
    fn a_table_takes_the_place_of_a_table_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let merged = merge(&Plan::default(), root.path(), &[]).expect("readable");
        for name in ["table.csv", "table.json"] {
            let path = root.path().join(name);
            merged.write(&path).expect("new");
            merged.write(&path).expect("a table");
            std::fs::write(&path, "label,pixel\n").expect("writable");
            let message = merged.write(&path).expect_err("data").to_string();
            assert!(message.contains("is no merged table"), "{message}");
        }
    }
}
