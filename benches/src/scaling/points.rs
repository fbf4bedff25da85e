//! Which points are measured.

use serde::Serialize;

use super::{EvaluationPoint, Measure, TrainingPoint};

/// What grows in a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Images of the training set.
    Images,
    /// Pixels of an image.
    Pixels,
    /// Units of the hidden layer.
    Width,
    /// Latent variables.
    Latent,
    /// Images of a step.
    Batch,
    /// Threads.
    Threads,
    /// Several at once.
    Several,
}

impl Axis {
    /// Every axis, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::Images,
        Self::Pixels,
        Self::Width,
        Self::Latent,
        Self::Batch,
        Self::Threads,
        Self::Several,
    ];

    /// What it counts.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Pixels => "pixels",
            Self::Width => "hidden units",
            Self::Latent => "latent variables",
            Self::Batch => "images of a step",
            Self::Threads => "threads",
            Self::Several => "several at once",
        }
    }

    /// The point with another number of what grows; itself where several do.
    #[must_use]
    pub fn with(self, point: TrainingPoint, value: usize) -> TrainingPoint {
        let mut point = point;
        match self {
            Self::Images => point.images = value,
            Self::Pixels => point.pixels = value,
            Self::Width => point.width = value,
            Self::Latent => point.latent = value,
            Self::Batch => point.batch = value,
            Self::Threads => point.threads = value,
            Self::Several => {}
        }
        point
    }

    /// How many of what grows a point has.
    #[must_use]
    pub fn of(self, point: &TrainingPoint) -> usize {
        match self {
            Self::Images | Self::Several => point.images,
            Self::Pixels => point.pixels,
            Self::Width => point.width,
            Self::Latent => point.latent,
            Self::Batch => point.batch,
            Self::Threads => point.threads,
        }
    }

    fn values(self, threads: usize) -> Vec<usize> {
        match self {
            Self::Images => vec![1_000, 10_000, 100_000, 1_000_000],
            Self::Pixels => vec![64, 784, 3_072, 12_288, 49_152],
            Self::Width => vec![64, 256, 1_024, 4_096],
            Self::Latent => vec![2, 8, 32, 128, 512],
            Self::Batch => vec![1, 4, 16, 64, 128, 256, 1_024, 4_096],
            Self::Threads => {
                let powers = std::iter::successors(Some(1), |count| Some(2 * count));
                let mut counts: Vec<usize> = powers.take_while(|&c| c < threads).collect();
                counts.push(threads);
                counts
            }
            Self::Several => Vec::new(),
        }
    }
}

/// Points of training along an axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    /// What grows.
    pub axis: Axis,
    /// The points, by what grows.
    pub points: Vec<TrainingPoint>,
}

/// The point that all sweeps cross: 784-256-2 in batches of 128.
pub(super) fn middle(threads: usize) -> TrainingPoint {
    TrainingPoint {
        images: 10_000,
        pixels: 784,
        width: 256,
        latent: 2,
        batch: 128,
        threads,
    }
}

/// All sweeps.
pub(super) fn sweeps(threads: usize) -> Vec<Sweep> {
    let middle = middle(threads);
    let large = TrainingPoint {
        pixels: 49_152,
        width: 4_096,
        latent: 512,
        ..middle
    };
    let of_axis = |axis: Axis| Sweep {
        axis,
        points: match axis {
            Axis::Several => vec![
                TrainingPoint {
                    images: 1_000_000,
                    width: 4_096,
                    latent: 512,
                    batch: 4_096,
                    ..middle
                },
                TrainingPoint {
                    images: 1_000_000,
                    pixels: 49_152,
                    ..middle
                },
                TrainingPoint {
                    images: 1_000,
                    ..large
                },
                TrainingPoint {
                    batch: 4_096,
                    ..large
                },
                TrainingPoint {
                    images: 1_000_000,
                    batch: 4_096,
                    ..large
                },
            ],
            axis => {
                let values = axis.values(threads).into_iter();
                values.map(|value| axis.with(middle, value)).collect()
            }
        },
    };
    Axis::ALL.into_iter().map(of_axis).collect()
}

/// All evaluations; of one measure and number of dimensions from few rows to many.
pub(super) fn evaluations(threads: usize) -> Vec<EvaluationPoint> {
    let mut points = Vec::new();
    for measure in Measure::ALL {
        let sizes: Vec<(usize, usize)> = match measure {
            Measure::Eigenvalues => [32, 64, 128, 256, 512, 1_024, 2_048]
                .map(|dimensions| (dimensions, dimensions))
                .to_vec(),
            measure => {
                let rows = [1_000, 10_000, 100_000, 1_000_000];
                let dimensions = measure.dimensions().iter();
                dimensions
                    .flat_map(|&dimensions| rows.map(|rows| (rows, dimensions)))
                    .collect()
            }
        };
        points.extend(sizes.into_iter().map(|(rows, dimensions)| EvaluationPoint {
            measure,
            rows,
            dimensions,
            threads,
        }));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sweep_but_that_of_several_crosses_the_middle() {
        for threads in [1, 2, 3, 8] {
            for sweep in sweeps(threads) {
                let values: Vec<usize> = sweep
                    .points
                    .iter()
                    .map(|point| sweep.axis.of(point))
                    .collect();
                if sweep.axis == Axis::Several {
                    assert!(sweep.points.len() > 3);
                    continue;
                }
                assert!(
                    values.windows(2).all(|pair| pair[0] < pair[1]),
                    "{values:?}"
                );
                assert!(sweep.points.contains(&middle(threads)), "{:?}", sweep.axis);
            }
        }
    }

    #[test]
    fn evaluations_of_a_measure_ascend() {
        let points = evaluations(2);
        for pair in points.windows(2) {
            let is_same =
                pair[0].measure == pair[1].measure && pair[0].dimensions == pair[1].dimensions;
            assert!(!is_same || pair[0].rows < pair[1].rows, "{pair:?}");
        }
        for measure in Measure::ALL {
            assert!(points.iter().any(|point| point.measure == measure));
        }
    }
}
