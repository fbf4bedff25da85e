//! What the measures of trained models cost.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use evaluation::footprint::evaluation_bytes;
use evaluation::frechet::frechet_distance_of;
use evaluation::knn::knn_accuracy;
use evaluation::mmd::{mmd_permutation_test, mmd_to_prior};
use evaluation::prdc::prdc;
use evaluation::rates::{MOST_CODES, rate_decomposition};
use evaluation::symmetric::SymmetricEigen;
use evaluation::{EvaluationOptions, evaluate};
use models::{Codes, Initialisation, Likelihood, Model, ModelKind, ModelSpec, TrainerError};
use ndarray::Array2;
use runs::Error;
use serde::{Deserialize, Serialize};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::{Stream, fill_normal};

use super::{Cost, Outcome, Point, Row, cost, held_memory};

/// A measure with what grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Reconstruction, KL and active units of images under 784-256-L.
    Losses,
    /// Mutual information, marginal KL and total correlation.
    Rates,
    /// Nearest neighbours of at most 10,000 codes, among all.
    Neighbours,
    /// The maximum mean discrepancy from the prior, with its null.
    Discrepancy,
    /// The same of two samples, with 200 permutations.
    Permutations,
    /// The Fréchet distance of two sets of features.
    Frechet,
    /// Precision, recall, density and coverage of two sets of features.
    PrecisionRecall,
    /// Eigenvalues and eigenvectors of a covariance of as many dimensions as rows.
    Eigenvalues,
}

/// A measure of so many rows of so many dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationPoint {
    /// The measure.
    pub measure: Measure,
    /// Rows: images, codes, or features of each of two sets.
    pub rows: usize,
    /// Latent variables, or features of a row.
    pub dimensions: usize,
    /// Threads.
    pub threads: usize,
}

/// Codes whose neighbours are sought, as many as MNIST has test images.
const QUERIES: usize = 10_000;

/// Permutations of a test: its 95 % quantile is then the tenth from the top.
const PERMUTATIONS: usize = 200;

/// The null of a discrepancy as the measures of studies have it.
const NULL_ROWS: usize = 300;
const NULL_DRAWS: usize = 400;

impl Measure {
    /// Every measure, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Losses,
        Self::Rates,
        Self::Neighbours,
        Self::Discrepancy,
        Self::Permutations,
        Self::Frechet,
        Self::PrecisionRecall,
        Self::Eigenvalues,
    ];

    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Losses => "losses",
            Self::Rates => "rates",
            Self::Neighbours => "neighbours",
            Self::Discrepancy => "MMD to the prior",
            Self::Permutations => "MMD permutations",
            Self::Frechet => "Fréchet distance",
            Self::PrecisionRecall => "precision and recall",
            Self::Eigenvalues => "eigenvalues",
        }
    }

    /// How its time grows with n rows and D or L dimensions.
    #[must_use]
    pub fn growth(self) -> &'static str {
        match self {
            Self::Losses => "n",
            Self::Rates => "n·min(n, 10⁴)·L",
            Self::Neighbours => "min(n, 10⁴)·n·L, or ·log n up to 15 dimensions",
            Self::Discrepancy => "n²·L",
            Self::Permutations => "n²·(L + permutations)",
            Self::Frechet => "n·D² + D³",
            Self::PrecisionRecall => "n²·D",
            Self::Eigenvalues => "D³",
        }
    }

    /// Dimensions that it is measured with.
    pub(super) fn dimensions(self) -> &'static [usize] {
        match self {
            Self::Losses | Self::Discrepancy | Self::Permutations => &[2, 50],
            Self::Rates => &[2, 50, 512],
            Self::Neighbours => &[2, 50, 784],
            Self::Frechet => &[128, 512],
            Self::PrecisionRecall => &[128],
            Self::Eigenvalues => &[],
        }
    }
}

impl EvaluationPoint {
    /// The work in operations of one kind, to be compared with that of another
    /// point of the measure.
    fn work(&self) -> f64 {
        let (n, d) = (self.rows as f64, self.dimensions as f64);
        match self.measure {
            Measure::Losses => n,
            Measure::Rates => n * n.min(MOST_CODES as f64) * (d + 4.0),
            Measure::Neighbours if self.dimensions <= 15 => {
                (n + n.min(QUERIES as f64)) * n.max(2.0).log2()
            }
            Measure::Neighbours => n.min(QUERIES as f64) * n * d,
            Measure::Discrepancy => {
                let null = (NULL_ROWS * NULL_ROWS * NULL_DRAWS) as f64;
                (n * n + null) * (d + 20.0)
            }
            Measure::Permutations => n * n * (d + 20.0 + PERMUTATIONS as f64 / 8.0),
            Measure::Frechet => n * d * d + 20.0 * d * d * d,
            Measure::PrecisionRecall => n * n * (d + 20.0),
            Measure::Eigenvalues => d * d * d,
        }
    }

    /// The seconds that follow from those of a smaller point.
    pub(super) fn seconds_after(&self, row: &Row) -> f64 {
        let seconds = match &row.outcome {
            Outcome::Measured(cost) => cost.seconds,
            Outcome::Estimated { seconds } => *seconds,
            Outcome::Left { .. } => return f64::INFINITY,
        };
        match &row.point {
            Point::Evaluation(former) => seconds * self.work() / former.work(),
            Point::Training(_) => seconds,
        }
    }

    fn spec(&self) -> Result<ModelSpec, Error> {
        Ok(ModelSpec {
            kind: ModelKind::Vae,
            architecture: format!("784-256-{}", self.dimensions).parse()?,
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        })
    }

    /// What the program says that `eval` takes, which are the losses and the rates.
    pub(super) fn told_bytes(&self) -> Result<Option<u64>, Error> {
        match self.measure {
            Measure::Losses | Measure::Rates => {
                let told = evaluation_bytes(&self.spec()?, self.rows, self.threads);
                Ok(Some(told))
            }
            _ => Ok(None),
        }
    }

    /// What the point takes with its inputs, roughly: no measure holds more than
    /// its samples in f64 beside them.
    pub(super) fn needed_bytes(&self) -> Result<u64, Error> {
        let (n, d) = (self.rows as f64, self.dimensions as f64);
        let inputs = match self.measure {
            Measure::Losses => 784.0 * n,
            Measure::Eigenvalues => 8.0 * d * d,
            _ => 2.0 * 4.0 * n * d,
        };
        let told = self.told_bytes()?.map_or(2.0 * inputs, |told| told as f64);
        Ok((inputs + told) as u64)
    }

    /// Computes the measure once, of random rows.
    pub(super) fn measure(&self) -> Result<Cost, Error> {
        let (rows, dimensions) = (self.rows, self.dimensions);
        let pool = ThreadPool::new(self.threads).map_err(TrainerError::from)?;
        match self.measure {
            Measure::Losses => {
                let model = Model::new(self.spec()?, Initialisation::PyTorchUniform, 0)?;
                let images =
                    Array2::from_shape_fn((rows, 784), |(i, j)| (i * 31 + j * j % 251) as u8);
                let options = EvaluationOptions::default();
                self.timed(&pool, || done(evaluate(&model, &images, &options)?))
            }
            Measure::Rates => {
                let codes = Codes {
                    mean: normals(1, rows, dimensions),
                    log_variance: Some(normals(2, rows, dimensions).mapv(|l| 0.7 * l - 3.0)),
                };
                self.timed(&pool, || done(rate_decomposition(&codes, 0)?))
            }
            Measure::Eigenvalues => {
                let factor = normals(1, rows, dimensions).mapv(f64::from);
                let covariance = factor.t().dot(&factor);
                self.timed(&pool, || done(SymmetricEigen::new(covariance.view())))
            }
            Measure::Discrepancy => {
                let codes = normals(1, rows, dimensions);
                self.timed(&pool, || {
                    done(mmd_to_prior(codes.view(), NULL_ROWS, NULL_DRAWS, 0)?)
                })
            }
            Measure::Neighbours => {
                let reference = normals(1, rows, dimensions);
                let queries = normals(2, rows.min(QUERIES), dimensions);
                let labels: Vec<u32> = (0..rows as u32).map(|row| row % 10).collect();
                let of_queries = &labels[..queries.nrows()];
                self.timed(&pool, || {
                    let (reference, queries) = (reference.view(), queries.view());
                    done(knn_accuracy(
                        reference,
                        &labels,
                        queries,
                        of_queries,
                        &[15],
                    )?)
                })
            }
            Measure::Permutations | Measure::Frechet | Measure::PrecisionRecall => {
                let first = normals(1, rows, dimensions);
                let second = normals(2, rows, dimensions);
                let (first, second) = (first.view(), second.view());
                self.timed(&pool, || match self.measure {
                    Measure::Permutations => {
                        done(mmd_permutation_test(first, second, PERMUTATIONS, 0)?)
                    }
                    Measure::Frechet => done(frechet_distance_of(first, second)?),
                    _ => done(prdc(first, second, 5)?),
                })
            }
        }
    }

    fn timed(
        &self,
        pool: &ThreadPool,
        work: impl FnOnce() -> Result<(), Error> + Send,
    ) -> Result<Cost, Error> {
        let begin = held_memory::Mark::now();
        cost(self.threads, begin, || {
            let began = Instant::now();
            pool.install(work)?;
            Ok((began.elapsed().as_secs_f64(), None))
        })
    }
}

impl fmt::Display for EvaluationPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, rows, dimensions) = (self.measure.name(), self.rows, self.dimensions);
        write!(f, "{name} of {rows} rows and {dimensions} dimensions")
    }
}

/// Lets the compiler leave out nothing of what gave a value.
fn done<T>(value: T) -> Result<(), Error> {
    black_box(value);
    Ok(())
}

fn normals(seed: u64, rows: usize, columns: usize) -> Array2<f32> {
    let mut values = Array2::zeros((rows, columns));
    if let Some(values) = values.as_slice_mut() {
        fill_normal(values, Stream::new(seed, 0), 0);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(measure: Measure, rows: usize, dimensions: usize) -> EvaluationPoint {
        EvaluationPoint {
            measure,
            rows,
            dimensions,
            threads: 1,
        }
    }

    #[test]
    fn every_measure_can_be_measured_and_takes_longer_of_more_rows() {
        for measure in Measure::ALL {
            let rows = if measure == Measure::Eigenvalues {
                9
            } else {
                60
            };
            let small = point(measure, rows, 9);
            let cost = small.measure().unwrap();
            assert!(cost.seconds > 0.0 && cost.peak_gflops > 0.0, "{small}");
            let row = Row {
                point: Point::Evaluation(small),
                told_bytes: None,
                outcome: Outcome::Measured(cost),
            };
            let more = point(
                measure,
                600,
                if measure == Measure::Eigenvalues {
                    90
                } else {
                    9
                },
            );
            assert!(more.seconds_after(&row) > cost.seconds, "{more}");
            assert!(more.needed_bytes().unwrap() > small.needed_bytes().unwrap());
        }
    }

    #[test]
    fn seconds_are_estimated_from_estimates_too() {
        let row = Row {
            point: Point::Evaluation(point(Measure::Losses, 1000, 2)),
            told_bytes: None,
            outcome: Outcome::Estimated { seconds: 3.0 },
        };
        assert_eq!(point(Measure::Losses, 4000, 2).seconds_after(&row), 12.0);
    }
}
