//! Numbers about the plane of one run by distance from the origin, measured once
//! and kept with it.

use evaluation::aggregate_posterior::{Lattice, PriorComparison, aggregate_mass};
use evaluation::map::{LatticeShape, class_map};
use evaluation::overlap::{Overlap, posterior_overlap};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use viz::linspace;

use crate::measures::map::{MINIMUM_SHARE, RANGE};
use crate::{Drawing, TrainedRun};
use figures::absence::{Measurement, unlabelled};
use figures::pictures::log10_stretch;
use figures::plane::Plane;
use figures::plane_map::{PlaneMap, rounded};
use figures::posteriors::from_the_top_left;
use runs::Error;
use runs::run_data::images;

/// Steps of the finer map that regions and rings are taken from.
pub(super) const FINE_STEPS: usize = 81;
/// Steps of the map of the decoder's local stretch.
pub(super) const STRETCH_STEPS: usize = 41;
/// Cells of the aggregate posterior's picture, over the map's range.
pub(super) const DENSITY_LATTICE: Lattice = Lattice {
    half_width: RANGE,
    cells: 121,
};
/// Width of the rings about the origin.
pub(super) const RING: f64 = 0.5;
/// Directions in which posteriors are counted.
const DIRECTIONS: usize = 48;

/// What a finer map shows by distance from the origin.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FineMap {
    /// Most probable class of each tile.
    pub classes: Measurement<Vec<u32>>,
    /// Its probability.
    pub confidence: Measurement<Vec<f64>>,
    /// Change and class borders by distance from the origin.
    pub rings: Vec<Ring>,
}

/// Variety of the map in a ring about the origin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    /// Inner and outer radius.
    pub radii: [f64; 2],
    /// Mean Euclidean change of the image for one unit of code.
    pub change: f64,
    /// Length of class borders per area, in classes changed for one unit of
    /// code walked along an axis.
    borders: Option<f64>,
}

impl Ring {
    /// The length of class borders; an error where there is no classifier.
    pub(super) fn borders(&self) -> Result<f64, Error> {
        self.borders.ok_or_else(unlabelled)
    }
}

/// The finer map over −4 … 4.
pub(super) fn fine_map(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<FineMap, Error> {
    drawing.measure(
        run,
        "lab-fine-map",
        "1: 81 × 81 over −4 … 4, rings of 0.5",
        || {
            let map = PlaneMap::square(run, FINE_STEPS, RANGE);
            let found = drawing.classifier().and_then(|classifier| {
                let probabilities = classifier.probabilities(map.images.view())?;
                let found = class_map(probabilities.view(), map.shape(), MINIMUM_SHARE)?;
                let confidence: Vec<f64> = found.confidence.iter().map(|&c| f64::from(c)).collect();
                Ok((found.classes, rounded(&confidence, 3)))
            });
            let found = Measurement::of(found)?;
            let classes = found.get().ok().map(|(classes, _)| classes.as_slice());
            Ok(FineMap {
                rings: rings(map.images.view(), classes, map.shape()),
                classes: found.map(|(classes, _)| classes.clone()),
                confidence: found.map(|(_, confidence)| confidence.clone()),
            })
        },
    )
}

/// Variety by distance from the origin on a square map over −4 … 4: every
/// neighbouring pair of tiles counts in the ring that holds its middle.
fn rings(images: ArrayView2<'_, f32>, classes: Option<&[u32]>, shape: LatticeShape) -> Vec<Ring> {
    let step = 2.0 * RANGE / (shape.columns - 1) as f64;
    let count = (RANGE / RING).round() as usize;
    let mut sums = vec![[0.0f64; 3]; count];
    let place =
        |row: usize, column: usize| [column as f64 * step - RANGE, RANGE - row as f64 * step];
    for row in 0..shape.rows {
        for column in 0..shape.columns {
            for (down, right) in [(0, 1), (1, 0)] {
                let (below, beside) = (row + down, column + right);
                if below >= shape.rows || beside >= shape.columns {
                    continue;
                }
                let (a, b) = (place(row, column), place(below, beside));
                let radius = (0.5 * (a[0] + b[0])).hypot(0.5 * (a[1] + b[1]));
                let Some(sum) = sums.get_mut((radius / RING) as usize) else {
                    continue;
                };
                let (i, j) = (row * shape.columns + column, below * shape.columns + beside);
                sum[0] += 1.0;
                sum[1] += distance(images.row(i), images.row(j));
                if let Some(classes) = classes {
                    sum[2] += f64::from(u8::from(classes[i] != classes[j]));
                }
            }
        }
    }
    sums.iter()
        .enumerate()
        .map(|(index, [pairs, change, borders])| Ring {
            radii: [index as f64 * RING, (index + 1) as f64 * RING],
            change: change / pairs / step,
            borders: classes.map(|_| borders / pairs / step),
        })
        .collect()
}

fn distance(a: ndarray::ArrayView1<'_, f32>, b: ndarray::ArrayView1<'_, f32>) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

/// log₁₀ of the decoder's local stretch of area, √det JᵀJ, on a lattice over
/// −4 … 4.
pub(super) fn stretch(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Vec<f64>, Error> {
    drawing.measure(
        run,
        "lab-stretch",
        "1: 41 × 41 over −4 … 4, probabilities",
        || {
            let codes = linspace(STRETCH_STEPS, -RANGE, RANGE);
            log10_stretch(run, &Plane::whole(), &codes, &codes)
        },
    )
}

/// The aggregate posterior of the test images, and how posteriors overlap.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Aggregate {
    /// Density of q(z) over −4 … 4, row-major from the top left.
    pub density: Vec<f64>,
    /// q(z) held against the prior, on the standard lattice.
    pub prior: PriorComparison,
    /// Overlap at growing distance from the origin.
    pub overlap: Vec<Overlap>,
    /// Mean number of posteriors covering a point, ring by ring.
    pub covering: Vec<f64>,
}

/// The aggregate posterior of a VAE's test images.
pub(super) fn aggregate(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Aggregate, Error> {
    drawing.measure(
        run,
        "lab-aggregate",
        "1: test posteriors, 121 cells over −4 … 4",
        || {
            let codes = run.encode(images(&drawing.dataset.test));
            let log_variance = run.log_variances(&codes).map_err(|reason| {
                Error::Configuration(format!(
                    "the study 'lab' needs normal posteriors of {}, but {reason}",
                    run.title()
                ))
            })?;
            let (means, log_variance) = (codes.mean.view(), log_variance.view());
            let density = aggregate_mass(means, log_variance, DENSITY_LATTICE)?.density();
            let radii: Vec<f64> = (0..=40).map(|step| f64::from(step) * 0.1).collect();
            let overlap = posterior_overlap(means, log_variance, &radii, DIRECTIONS, 0)?;
            let standard = aggregate_mass(means, log_variance, Lattice::STANDARD)?;
            Ok(Aggregate {
                density: rounded(&from_the_top_left(&density), 5),
                prior: standard.against_prior(0.1),
                covering: ring_means(&overlap, |at| at.covering),
                overlap,
            })
        },
    )
}

/// Mean of a value over the area of each ring, by the trapezoid rule on r·v(r).
pub(super) fn ring_means(overlap: &[Overlap], value: impl Fn(&Overlap) -> f64) -> Vec<f64> {
    let count = (RANGE / RING).round() as usize;
    (0..count)
        .map(|ring| {
            let (low, high) = (ring as f64 * RING, (ring + 1) as f64 * RING);
            let mut sums = [0.0; 2];
            for pair in overlap.windows(2) {
                let (a, b) = (&pair[0], &pair[1]);
                if a.radius > low - 1e-9 && b.radius < high + 1e-9 {
                    let width = b.radius - a.radius;
                    sums[0] += 0.5 * width * (a.radius * value(a) + b.radius * value(b));
                    sums[1] += 0.5 * width * (a.radius + b.radius);
                }
            }
            sums[0] / sums[1]
        })
        .collect()
}

/// The ring about the origin minus the largest of the others: positive when
/// the origin has the most.
pub(super) fn excess_at_origin(rings: &[f64]) -> f64 {
    rings[0] - largest_of_others(rings)
}

/// The largest ring that is not about the origin.
pub(super) fn largest_of_others(rings: &[f64]) -> f64 {
    let others = rings.iter().skip(1).copied();
    others.fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn rings_of_a_linear_map_are_alike() {
        // Pixel values grow along the first axis by 1/8 for one unit of code.
        let shape = LatticeShape {
            rows: 41,
            columns: 41,
        };
        let images = Array2::from_shape_fn((shape.len(), 1), |(tile, _)| (tile % 41) as f32 / 40.0);
        let classes: Vec<u32> = (0..shape.len())
            .map(|tile| u32::from(tile % 41 > 20))
            .collect();
        let rings = rings(images.view(), Some(&classes), shape);
        assert_eq!(rings.len(), 8);
        for ring in &rings {
            // Half of the pairs lie along the first axis.
            assert!((ring.change - 0.0625).abs() < 0.01, "{ring:?}");
        }
        let borders: Vec<f64> = rings.iter().map(|ring| ring.borders().unwrap()).collect();
        assert!(excess_at_origin(&borders) > 0.0, "{borders:?}");
    }

    #[test]
    fn rings_average_over_area() {
        let overlap: Vec<Overlap> = (0..=40)
            .map(|step| Overlap {
                radius: f64::from(step) * 0.1,
                covering: if step <= 5 { 3.0 } else { 1.0 },
                effective: 1.0,
                density: Some(0.0),
            })
            .collect();
        let means = ring_means(&overlap, |at| at.covering);
        assert_eq!(means.len(), 8);
        assert!((means[0] - 3.0).abs() < 1e-12);
        assert!((means[7] - 1.0).abs() < 1e-12);
        assert!(excess_at_origin(&means) > 1.5);
    }
}
