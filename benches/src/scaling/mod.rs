//! What training and evaluating cost as everything grows: the numbers and the
//! page `docs/SCALING.md` of `cargo xtask scaling`.
//!
//! Every point is measured in a process of its own, so that the memory it holds
//! is its own. What does not fit into the memory of the machine, or would take
//! longer than a page is worth, is not left out: its row says why, and what it
//! would need.

mod evaluations;
mod held_memory;
mod page;
mod pictures;
mod points;
mod trainings;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runs::Error;
use runs::environment::Environment;
use serde::{Deserialize, Serialize};

pub use evaluations::{EvaluationPoint, Measure};
pub use points::{Axis, Sweep};
pub use trainings::TrainingPoint;

use crate::{Observer, PeakRates, check_threads};

/// Something of which the cost is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// Steps of training.
    Training(TrainingPoint),
    /// One measure of trained models.
    Evaluation(EvaluationPoint),
}

/// What a point costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Of training the seconds of an epoch, of an evaluation those of all of it.
    pub seconds: f64,
    /// 10⁹ operations a second, where the operations are counted.
    pub gflops: Option<f64>,
    /// Most bytes held beyond those before it began; absent where the system does
    /// not tell. Inputs of an evaluation were there before.
    pub held_bytes: Option<u64>,
    /// The multiply-add peak of as many threads right before and after, in
    /// GFLOP/s.
    pub peak_gflops: f64,
}

/// What became of a point.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was measured.
    Measured(Cost),
    /// Its seconds follow from the point before by how the work grows; it was not
    /// measured because they are too many.
    Estimated {
        /// The seconds.
        seconds: f64,
    },
    /// It was not measured, and why.
    Left {
        /// A clause: `it needs 49.2 GB of memory, …`.
        reason: String,
    },
}

/// A point with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The point.
    pub point: Point,
    /// Bytes that are told before they are taken, where a formula says them.
    pub told_bytes: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The machine that points were measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor as it names itself, or its architecture.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Bytes of memory that could be had when it began, where that is known.
    pub available_bytes: Option<u64>,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
pub struct Scaling {
    /// Trainings, one axis after another.
    pub trainings: Vec<(Sweep, Vec<Row>)>,
    /// Evaluations, one measure after another, rows ascending.
    pub evaluations: Vec<Row>,
    /// Where.
    pub machine: Machine,
    /// The program.
    pub environment: Environment,
}

/// Most seconds that a point may be expected to take and still be measured.
const MOST_SECONDS: f64 = 20.0;

/// The share of the memory that can be had which a point may take: others use the
/// machine too.
const SHARE_OF_MEMORY: f64 = 0.6;

/// Measures a point in this process.
///
/// # Errors
/// When it cannot be set up.
pub fn measure(point: &Point) -> Result<Cost, Error> {
    match point {
        Point::Training(point) => point.measure(),
        Point::Evaluation(point) => point.measure(),
    }
}

/// Measures all points, each in a process that `program` starts: it is given the
/// point as JSON for its last argument, calls [`measure`], and prints the cost as
/// JSON.
///
/// # Errors
/// Wrong options, or a process that fails.
pub fn run(
    threads: usize,
    program: &dyn Fn() -> Command,
    observer: &mut dyn Observer,
) -> Result<Scaling, Error> {
    check_threads(threads)?;
    let machine = Machine::describe();
    let mut known: Vec<Row> = Vec::new();
    let mut trainings = Vec::new();
    for sweep in points::sweeps(threads) {
        observer.measuring(&format!("training by {}", sweep.axis.noun()));
        let mut rows = Vec::new();
        for &point in &sweep.points {
            let point = Point::Training(point);
            // Sweeps cross each other.
            let row = match known.iter().find(|row| row.point == point) {
                Some(row) => row.clone(),
                None => row(point, None, &machine, program)?,
            };
            known.push(row.clone());
            rows.push(row);
        }
        trainings.push((sweep, rows));
    }
    let mut evaluations: Vec<Row> = Vec::new();
    for point in points::evaluations(threads) {
        observer.measuring(&point.to_string());
        let before = evaluations.last().filter(|row| is_before(row, &point));
        evaluations.push(row(Point::Evaluation(point), before, &machine, program)?);
    }
    Ok(Scaling {
        trainings,
        evaluations,
        machine,
        environment: Environment::describe(threads, ""),
    })
}

/// Whether a row is of the same measure, so that it says how long a point takes.
fn is_before(row: &Row, point: &EvaluationPoint) -> bool {
    let Point::Evaluation(former) = &row.point else {
        return false;
    };
    former.measure == point.measure
        && (former.dimensions == point.dimensions || point.measure == Measure::Eigenvalues)
}

fn row(
    point: Point,
    before: Option<&Row>,
    machine: &Machine,
    program: &dyn Fn() -> Command,
) -> Result<Row, Error> {
    let (told_bytes, needed, expected) = match &point {
        Point::Training(point) => {
            let told = point.told_bytes()?;
            (Some(told), told, point.seconds_of_few_steps()?)
        }
        Point::Evaluation(point) => (
            point.told_bytes()?,
            point.needed_bytes()?,
            before.map_or(0.0, |row| point.seconds_after(row)),
        ),
    };
    let room = machine
        .available_bytes
        .map(|bytes| SHARE_OF_MEMORY * bytes as f64);
    let outcome = if let Some(room) = room.filter(|&room| needed as f64 > room) {
        Outcome::Left {
            reason: format!(
                "it needs {}, and {} were free for it",
                page::bytes(needed),
                page::bytes(room as u64)
            ),
        }
    } else if expected > MOST_SECONDS {
        match &point {
            Point::Evaluation(_) => Outcome::Estimated { seconds: expected },
            Point::Training(_) => Outcome::Left {
                reason: format!("a few steps take about {expected:.0} s"),
            },
        }
    } else {
        Outcome::Measured(in_a_process(&point, program())?)
    };
    Ok(Row {
        point,
        told_bytes,
        outcome,
    })
}

fn in_a_process(point: &Point, mut program: Command) -> Result<Cost, Error> {
    let failed = |reason: String| {
        Error::Benchmark(format!(
            "the process that measures {point:?} failed: {reason}"
        ))
    };
    let text = serde_json::to_string(point).map_err(|error| failed(error.to_string()))?;
    let output = program
        .arg(text)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
}

/// The cost of something that gives its seconds and operations, with the peaks and
/// the memory around it.
fn cost(
    threads: usize,
    begin: held_memory::Mark,
    work: impl FnOnce() -> Result<(f64, Option<f64>), Error>,
) -> Result<Cost, Error> {
    let mut peaks = PeakRates::default();
    peaks.measure(threads)?;
    let (seconds, operations) = work()?;
    let held_bytes = begin.held_since();
    peaks.measure(threads)?;
    Ok(Cost {
        seconds,
        gflops: operations.map(|operations| operations / seconds / 1e9),
        held_bytes,
        peak_gflops: peaks.gflops(threads),
    })
}

impl Machine {
    fn describe() -> Self {
        Self {
            processor: runs::environment::processor()
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: runs::environment::most_threads(),
            available_bytes: memory::available(),
        }
    }
}

impl Scaling {
    /// Writes the page `SCALING.md` into a folder, and its pictures into `scaling`
    /// below it. Returns the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut files = pictures::write(self, &folder.join(pictures::FOLDER))?;
        let path = folder.join("SCALING.md");
        let written = durable_files::update(&path, page::page(self).as_bytes());
        written.map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })?;
        files.push(path);
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of every outcome.
    pub(super) fn example() -> Scaling {
        let cost = Cost {
            seconds: 0.5,
            gflops: Some(40.0),
            held_bytes: Some(4_000_000),
            peak_gflops: 80.0,
        };
        let measured = |point| Row {
            point,
            told_bytes: Some(3_000_000),
            outcome: Outcome::Measured(cost),
        };
        let of_sweep = |axis: Axis| {
            let point = points::middle(1);
            let mut rows = vec![measured(Point::Training(point))];
            if axis == Axis::Several {
                rows[0].outcome = Outcome::Left {
                    reason: "it needs 5 GB".into(),
                };
            }
            let points = vec![point];
            (Sweep { axis, points }, rows)
        };
        let rates = EvaluationPoint {
            measure: Measure::Rates,
            rows: 1000,
            dimensions: 2,
            threads: 1,
        };
        Scaling {
            trainings: Axis::ALL.into_iter().map(of_sweep).collect(),
            evaluations: vec![
                measured(Point::Evaluation(evaluation(1000))),
                Row {
                    point: Point::Evaluation(rates),
                    told_bytes: None,
                    outcome: Outcome::Estimated { seconds: 120.0 },
                },
            ],
            machine: machine(1 << 34),
            environment: Environment::describe(1, ""),
        }
    }

    fn machine(available_bytes: u64) -> Machine {
        Machine {
            processor: "a processor".into(),
            cores: 1,
            available_bytes: Some(available_bytes),
        }
    }

    fn evaluation(rows: usize) -> EvaluationPoint {
        EvaluationPoint {
            measure: Measure::PrecisionRecall,
            rows,
            dimensions: 8,
            threads: 1,
        }
    }

    fn shell(script: &'static str) -> impl Fn() -> Command {
        move || {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_too_large_or_too_long_is_not_begun_and_says_so() {
        let never = shell("exit 3");
        let large = row(
            Point::Evaluation(evaluation(1000)),
            None,
            &machine(1000),
            &never,
        );
        let Outcome::Left { reason } = large.unwrap().outcome else {
            panic!("it has no room");
        };
        assert!(reason.starts_with("it needs"), "{reason}");
        let cost = Cost {
            seconds: 2.0,
            gflops: None,
            held_bytes: None,
            peak_gflops: 1.0,
        };
        let before = Row {
            point: Point::Evaluation(evaluation(1000)),
            told_bytes: None,
            outcome: Outcome::Measured(cost),
        };
        let point = evaluation(10_000);
        assert!(is_before(&before, &point));
        let long = row(
            Point::Evaluation(point),
            Some(&before),
            &machine(1 << 40),
            &never,
        );
        let estimated = Outcome::Estimated { seconds: 200.0 };
        assert_eq!(long.unwrap().outcome, estimated);
        let failed = row(
            Point::Evaluation(evaluation(100)),
            None,
            &machine(1 << 40),
            &never,
        );
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("exit status: 3"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_point_goes_to_its_process_as_json_and_comes_back_as_a_cost() {
        let point = Point::Training(points::sweeps(1)[0].points[0]);
        let text = serde_json::to_string(&point).unwrap();
        assert_eq!(serde_json::from_str::<Point>(&text).unwrap(), point);
        // The last argument of `sh -c` is its name.
        let program = shell(
            r#"case "$0" in *training*) echo '{"seconds":1.5,"gflops":2.0,"held_bytes":null,"peak_gflops":4.0}';; esac"#,
        );
        let cost = in_a_process(&point, program()).unwrap();
        assert_eq!(
            (cost.seconds, cost.gflops, cost.held_bytes),
            (1.5, Some(2.0), None)
        );
    }
}
