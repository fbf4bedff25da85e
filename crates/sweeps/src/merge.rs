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

use crate::plan::{Plan, PlannedRun};
use crate::status::require_planned;

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
    /// Runs that have not ended.
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
    /// Seeds that have not ended.
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
}

/// Gathers the `measures` of the runs of a plan, which are in `folder`.
///
/// # Errors
/// A folder that holds another run, a damaged file, a measure that a run which is done
/// does not have.
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
    for planned in &plan.runs {
        let place = *places.entry(&planned.model).or_insert_with(|| {
            models.push(Model::new(&planned.model, measures.len()));
            models.len() - 1
        });
        let model = &mut models[place];
        let run = planned.folder(folder);
        let Some(result) = run.read_result()? else {
            merged.complete = false;
            merged.missing.push(Absent::of(planned, None));
            model.missing.push(planned.seed);
            continue;
        };
        require_planned(planned, &result.digest, folder)?;
        match result.status {
            Status::Diverged => {
                model.diverged.push(planned.seed);
                merged.diverged.push(Absent::of(planned, result.divergence));
            }
            Status::Done => {
                merged.done += 1;
                let numbers = Numbers::of(planned, folder, &result);
                for (values, measure) in model.values.iter_mut().zip(measures) {
                    values.push(numbers.get(measure)?);
                }
            }
        }
    }
    for model in models {
        model.add_rows(measures, &mut merged.rows)?;
    }
    Ok(merged)
}

impl Merged {
    /// Writes the table whole, as CSV (RFC 4180) or JSON by the ending of `path`.
    ///
    /// # Errors
    /// Another ending, or a place that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        atomic_file::check_file(path)?;
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => atomic_file::write(path, self.to_csv().as_bytes()),
            Some("json") => sealed_json::write(path, self),
            _ => Err(Error::Configuration(format!(
                "-o is {}, but a merged table is a .csv or a .json",
                path.display()
            ))),
        }
    }

    /// The rows as CSV with a header; seeds of a cell are separated by spaces.
    #[must_use]
    pub fn to_csv(&self) -> String {
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

    /// The refusal of a table in which runs are missing.
    ///
    /// # Errors
    /// [`Error::Incomplete`] where some are; it names the first few.
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
        Err(Error::Incomplete(format!(
            "{} of {all} runs have not ended ({}); train them with 'sweep run', or add --incomplete for a table of those that have",
            self.missing.len(),
            named.join(", ")
        )))
    }
}

impl Absent {
    fn of(planned: &PlannedRun, divergence: Option<String>) -> Self {
        Self {
            id: planned.id.clone(),
            run: planned.run.clone(),
            model: planned.model.clone(),
            seed: planned.seed,
            divergence,
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
            Value::Null => format!("{hint} (train with --eval for more)"),
            _ => hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use runs::configuration::Configuration;
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
            message.contains("2 of 5 runs have not ended (b seed 1, a seed 2)"),
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
    fn other_runs_and_unknown_measures_are_refused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let mut run = planned("a", 0);
        end(root.path(), &run, Some(10.0));
        let merge = |run: &PlannedRun, measure: &str| {
            let plan = Plan {
                runs: vec![run.clone()],
            };
            merge(&plan, root.path(), &[measure.to_owned()])
                .expect_err("refused")
                .to_string()
        };
        let message = merge(&run, "test.los");
        assert!(message.contains("did you mean 'test.loss'?"), "{message}");
        run.digest = "another".into();
        assert!(merge(&run, "test.loss").contains("holds another run"));
    }
}
