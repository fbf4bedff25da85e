//! The numbers of many runs in one table.
//!
//! A run's `eval.json` says what the run is, so that one file for each run is
//! enough.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::atomic_file;
use crate::error::Error;
use crate::run_folder::RunFolder;
use crate::sealed_json;

/// Folders below which runs are looked for.
const DEEPEST: usize = 5;

/// Measures of a table that names none, separated by commas.
pub const USUAL: &str = "loss,reconstruction,kl,elbo,at_mean.reconstruction,active_units";

/// What is known of some runs: a row for each, its settings where they differ,
/// and its measures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gathered {
    /// `run`, `status`, `epochs`, `data`, `digest`, the settings that are not the
    /// same in all runs by their dotted names, and the measures.
    pub columns: Vec<String>,
    /// One value for each column; null where a run does not have it.
    pub rows: Vec<Vec<Value>>,
    /// Runs without an `eval.json`: they have no measures.
    #[serde(serialize_with = "crate::shell::serialize_paths")]
    pub not_evaluated: Vec<PathBuf>,
}

/// Gathers the runs at and below `folders`.
///
/// `measures` are names of numbers in `eval.json`, nested ones with dots
/// (`at_mean.reconstruction`, `nll.100.value`).
///
/// # Errors
/// No run at all, a measure that no `eval.json` has, a file that cannot be
/// understood.
pub fn gather(folders: &[PathBuf], measures: &[String]) -> Result<Gathered, Error> {
    let mut found = Vec::new();
    for folder in folders {
        find(folder, DEEPEST, &mut found)?;
    }
    found.sort();
    // The same run by two names is one.
    let mut known = BTreeSet::new();
    found.retain(|path| known.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    if found.is_empty() {
        let named: Vec<String> = folders
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(Error::RunFolder(format!(
            "there is no run at or below {}; expected folders made by 'latent-atlas train'",
            named.join(", ")
        )));
    }
    let runs: Vec<Known> = found
        .into_iter()
        .map(|path| Known::of(RunFolder::at(path)))
        .collect::<Result<_, _>>()?;
    let is_evaluated = runs.iter().any(|run| run.evaluation.is_some());
    for measure in measures {
        let is_known = runs.iter().any(|run| run.has(measure));
        if is_evaluated && !is_known {
            return Err(unknown(measure, &runs));
        }
    }
    let differing = differing(&runs);
    let mut columns: Vec<String> = ["run", "status", "epochs", "data", "digest"]
        .map(str::to_owned)
        .into();
    columns.extend(differing.iter().cloned());
    columns.extend(measures.iter().cloned());
    let rows = runs
        .iter()
        .map(|run| {
            let mut row = vec![
                run.folder.path().display().to_string().into(),
                run.status.into(),
                run.epochs.into(),
                run.data.clone(),
                run.digest.clone(),
            ];
            row.extend(differing.iter().map(|name| run.setting(name)));
            row.extend(measures.iter().map(|name| run.measure(name)));
            row
        })
        .collect();
    let not_evaluated = runs.iter().filter(|run| run.evaluation.is_none());
    Ok(Gathered {
        columns,
        rows,
        not_evaluated: not_evaluated
            .map(|run| run.folder.path().to_owned())
            .collect(),
    })
}

impl Gathered {
    /// Writes the table whole, as CSV (RFC 4180), JSON or, in a build with the
    /// feature, Parquet, by the ending of `path`.
    ///
    /// # Errors
    /// As [`Self::check_place`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        Self::check_place(path)?;
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => atomic_file::write(path, self.to_csv().as_bytes()),
            #[cfg(feature = "parquet")]
            Some("parquet") => self.write_parquet(path),
            _ => sealed_json::write(path, self),
        }
    }

    /// Checks that a table can be written to `path`.
    ///
    /// # Errors
    /// Another ending, a place that cannot be written, or a file that is there and no
    /// such table.
    pub fn check_place(path: &Path) -> Result<(), Error> {
        let own: &[u8] = match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => b"run,status,epochs,",
            Some("json") => b"{\n  \"columns\": ",
            #[cfg(feature = "parquet")]
            Some("parquet") => b"PAR1",
            _ => {
                return Err(Error::Configuration(format!(
                    "-o is {}, but a table of runs is a .csv, a .json or, in a build with the feature parquet, a .parquet",
                    path.display()
                )));
            }
        };
        atomic_file::check_own_file(path, "table of runs", |head| head.starts_with(own))
    }

    /// Columns of numbers as doubles, NaN where a run has none; others as texts,
    /// empty there.
    #[cfg(feature = "parquet")]
    fn write_parquet(&self, path: &Path) -> Result<(), Error> {
        use datasets::{ColumnKind, ColumnValues, ParquetWriter};

        enum Cells {
            Numbers(Vec<f64>),
            Texts(Vec<String>),
        }
        let columns: Vec<Cells> = (0..self.columns.len())
            .map(|column| {
                let cells = || self.rows.iter().map(move |row| &row[column]);
                if cells().all(|cell| cell.is_number() || cell.is_null()) {
                    let numbers = cells().map(|cell| cell.as_f64().unwrap_or(f64::NAN));
                    Cells::Numbers(numbers.collect())
                } else {
                    Cells::Texts(cells().map(text).collect())
                }
            })
            .collect();
        let kinds: Vec<(&str, ColumnKind)> = self
            .columns
            .iter()
            .zip(&columns)
            .map(|(name, cells)| match cells {
                Cells::Numbers(_) => (name.as_str(), ColumnKind::Double),
                Cells::Texts(_) => (name.as_str(), ColumnKind::Text),
            })
            .collect();
        let values: Vec<ColumnValues<'_>> = columns
            .iter()
            .map(|cells| match cells {
                Cells::Numbers(numbers) => ColumnValues::Doubles(numbers),
                Cells::Texts(texts) => ColumnValues::Texts(texts),
            })
            .collect();
        let mut writer = ParquetWriter::create(path, &kinds)?;
        writer.append(&values)?;
        Ok(writer.finish()?)
    }

    /// The table as CSV with a header.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = self.columns.iter().map(String::as_str);
        let rows = self.rows.iter().map(|row| row.iter().map(text).collect());
        let all = std::iter::once(header.map(str::to_owned).collect::<Vec<_>>()).chain(rows);
        for row in all {
            writer
                .write_record(&row)
                .expect("memory takes rows of one length");
        }
        let bytes = writer.into_inner().expect("memory takes what is written");
        String::from_utf8(bytes).expect("texts are UTF-8")
    }
}

/// A value as a cell of a table; nothing for null.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("-"),
        value => value.to_string(),
    }
}

/// A run as its files describe it.
struct Known {
    folder: RunFolder,
    /// `done`, `diverged` or `unfinished`.
    status: &'static str,
    epochs: usize,
    data: Value,
    digest: Value,
    configuration: Value,
    evaluation: Option<Value>,
}

impl Known {
    fn of(folder: RunFolder) -> Result<Self, Error> {
        let mut evaluation = folder.read_evaluation()?;
        if let Some(entries) = evaluation.as_mut().and_then(Value::as_object_mut) {
            // The seal of the file is no measure.
            entries.remove("sha256");
        }
        let configuration = folder.configuration()?;
        let result = folder.read_result()?;
        let status = match result.as_ref().map(|result| result.status) {
            Some(crate::run_folder::Status::Done) => "done",
            Some(crate::run_folder::Status::Diverged) => "diverged",
            None => "unfinished",
        };
        let epochs = match &result {
            Some(result) => result.epochs,
            None => folder.read_metrics()?.len(),
        };
        Ok(Self {
            status,
            epochs,
            data: configuration.data.dataset.clone().into(),
            digest: result.map_or(Value::Null, |result| result.digest.into()),
            configuration: serde_json::to_value(&configuration).unwrap_or_default(),
            evaluation,
            folder,
        })
    }

    fn setting(&self, name: &str) -> Value {
        at(&self.configuration, name).cloned().unwrap_or_default()
    }

    /// Whether its evaluation names a number, also one that it does not have.
    fn has(&self, name: &str) -> bool {
        let found = self.evaluation.as_ref().and_then(|all| at(all, name));
        found.is_some_and(|value| !value.is_object())
    }

    fn measure(&self, name: &str) -> Value {
        let found = self.evaluation.as_ref().and_then(|all| at(all, name));
        found.cloned().unwrap_or_default()
    }
}

/// The value of a dotted name, such as `at_mean.reconstruction` or `nll.100.value`.
#[must_use]
pub fn at<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    name.split('.').try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

/// Settings that are not the same in all runs, by their dotted names. What the
/// data set is has a column of its own.
fn differing(runs: &[Known]) -> Vec<String> {
    let names: BTreeSet<String> = runs
        .iter()
        .flat_map(|run| leaves(&run.configuration, ""))
        .collect();
    let is_differing = |name: &String| {
        let first = runs[0].setting(name);
        runs.iter().any(|run| run.setting(name) != first)
    };
    let names = names.into_iter().filter(|name| name != "data.dataset");
    names.filter(is_differing).collect()
}

/// Dotted names of everything in an object that is none itself.
#[must_use]
pub fn leaves(value: &Value, prefix: &str) -> Vec<String> {
    let Value::Object(entries) = value else {
        return Vec::new();
    };
    entries
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Object(_) => leaves(value, &format!("{prefix}{name}.")),
            _ => vec![format!("{prefix}{name}")],
        })
        .collect()
}

fn unknown(measure: &str, runs: &[Known]) -> Error {
    let evaluations = runs.iter().filter_map(|run| run.evaluation.as_ref());
    let known: BTreeSet<String> = evaluations
        .flat_map(|evaluation| leaves(evaluation, ""))
        .filter(|name| !name.starts_with("configuration."))
        .collect();
    let hint = names::hint(measure, known.iter().map(String::as_str), &[]);
    Error::Configuration(format!(
        "--measures names '{measure}', which no eval.json of these runs has; {hint}"
    ))
}

/// Adds the runs at and below `folder`; what is below a run is its own.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if RunFolder::at(folder).exists() {
        found.push(folder.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let unreadable = |source| Error::Read {
        path: folder.into(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_dir() {
            find(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::configuration::Configuration;

    fn run(root: &Path, name: &str, beta: f64, evaluation: Option<Value>) {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut configuration = Configuration::default();
        configuration.training.beta = beta;
        std::fs::write(folder.join("config.toml"), configuration.to_toml().unwrap()).unwrap();
        std::fs::write(folder.join("environment.json"), "{}").unwrap();
        if let Some(evaluation) = evaluation {
            std::fs::write(folder.join("eval.json"), evaluation.to_string()).unwrap();
        }
    }

    fn measures(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_row_for_each_run_with_what_differs() {
        let root = tempfile::tempdir().unwrap();
        let numbers = json!({"loss": 1.5, "kl": null, "at_mean": {"reconstruction": 0.1}});
        run(root.path(), "sweep/a", 1.0, Some(numbers));
        run(root.path(), "sweep/deep/b", 4.0, None);
        let asked = measures(&["loss", "at_mean.reconstruction"]);
        let found = gather(&[root.path().into()], &asked).unwrap();
        assert_eq!(
            found.columns[5..],
            ["training.beta", "loss", "at_mean.reconstruction"]
        );
        assert_eq!(found.rows[0][5..], [json!(1.0), json!(1.5), json!(0.1)]);
        assert_eq!(found.rows[1][5..], [json!(4.0), Value::Null, Value::Null]);
        assert_eq!(found.not_evaluated, [root.path().join("sweep/deep/b")]);
        let csv = found.to_csv();
        assert!(
            csv.starts_with("run,status,epochs,data,digest,training.beta,loss,"),
            "{csv}"
        );
        assert!(
            csv.lines()
                .nth(2)
                .unwrap()
                .ends_with("unfinished,0,glyphs,,4.0,,"),
            "{csv}"
        );
        // The same runs named twice are there once.
        let twice = [root.path().into(), root.path().join("sweep")];
        assert_eq!(gather(&twice, &asked).unwrap().rows.len(), 2);
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn a_parquet_table_has_the_numbers_of_the_csv() {
        let root = tempfile::tempdir().unwrap();
        run(root.path(), "a", 1.0, Some(json!({"loss": 0.1})));
        run(root.path(), "b", 2.0, Some(json!({"loss": null})));
        let table = gather(&[root.path().into()], &measures(&["loss"])).unwrap();
        let path = root.path().join("runs.parquet");
        table.write(&path).unwrap();
        // Its numbers are doubles: the bytes of 0.1 stand in the file.
        let bytes = std::fs::read(&path).unwrap();
        let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|found| found == wanted);
        assert!(holds(&0.1f64.to_le_bytes()) && holds(b"PAR1") && holds(b"loss"));
    }

    #[test]
    fn the_usual_measures_suit_autoencoders() {
        let root = tempfile::tempdir().unwrap();
        let own = json!({
            "loss": 1.0, "reconstruction": 1.0, "kl": null, "elbo": null,
            "at_mean": {"reconstruction": 1.0}, "active_units": 2,
        });
        run(root.path(), "a", 1.0, Some(own));
        let usual: Vec<&str> = USUAL.split(',').collect();
        let table = gather(&[root.path().into()], &measures(&usual)).unwrap();
        let kl = table.columns.iter().position(|name| name == "kl").unwrap();
        assert!(table.rows[0][kl].is_null());
        // The same folder by two names has its runs once.
        let twice = [
            root.path().into(),
            root.path()
                .join("../")
                .join(root.path().file_name().unwrap()),
        ];
        assert_eq!(gather(&twice, &measures(&usual)).unwrap().rows.len(), 1);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let root = tempfile::tempdir().unwrap();
        let refused = |asked: &[&str]| {
            let error = gather(&[root.path().into()], &measures(asked)).unwrap_err();
            error.to_string()
        };
        assert!(refused(&["loss"]).contains("there is no run"));
        run(root.path(), "a", 1.0, Some(json!({"active_units": 2})));
        assert!(refused(&["active-unit"]).contains("did you mean 'active_units'"));
        std::fs::write(root.path().join("a/eval.json"), "{").unwrap();
        assert!(refused(&["active_units"]).contains("damaged"));
    }
}
