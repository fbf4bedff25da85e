//! What random points of a plane decode to, measured once and kept with the run.

use evaluation::codes::code_extent;
use evaluation::prdc::prdc;
use evaluation::round_trip::round_trip;
use evaluation::subset::{Population, SEED, numbers, parts};
use models::Images;
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

use crate::{Drawing, TrainedRun};
use figures::absence::Measurement;
use figures::plane_map::code_box;
use runs::Error;
use runs::run_data::images;

/// Random points a statement is measured with.
pub(super) const POINTS: usize = 2000;
/// A decoded image counts as ill-formed when the classifier gives its most
/// probable class less than this.
pub(super) const CONFIDENCE: f64 = 0.8;
/// Step of the pairs z and z + 0.1: as in the document, up along the first
/// axis and down along the second.
pub(super) const STEP: [f64; 2] = [0.1, -0.1];
/// Real images that samples are held against, at most.
const REAL: usize = 4000;
const STREAM: u64 = 0x4154_4c41_0000;

/// How well-formed some decoded images are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Form {
    /// Share given its most probable class with less than 0.8.
    pub unsure: Measurement<f64>,
    /// Share outside of the region that real images fill in the classifier's
    /// features (1 − precision, k = 5).
    pub outside: Measurement<f64>,
    /// Mean distance of z → decode → encode, in standard deviations of the
    /// codes; none for images that were not decoded from random points, and
    /// where all codes are one point.
    pub return_distance: Option<f64>,
}

/// What random points decode to, and whether a small step changes it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Decoded {
    /// Test images as they are.
    pub real: Form,
    /// Reconstructions of test images.
    pub reconstructed: Form,
    /// Points spread evenly over the box of the codes.
    pub whole: Form,
    /// Points spread evenly over the middle half of both axes.
    pub middle: Form,
    /// Points drawn from the prior.
    pub prior: Form,
    /// Pairs z and z + (0.1, −0.1) over the box.
    pub pairs: Pairs,
    /// The same in the middle half.
    pub middle_pairs: Pairs,
}

/// Pairs of neighbouring codes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pairs {
    /// Share of pairs that the classifier gives different classes.
    pub disagreeing: Measurement<f64>,
    /// Mean distance of both images, pixels in [0, 1].
    pub mean_distance: f64,
    /// Pairs that the classifier gives different classes, those whose images
    /// differ most first and none near another: at most ten.
    pub examples: Vec<Disagreement>,
    /// Length of the step in standard deviations of the codes; none where all
    /// codes are one point.
    pub step_in_deviations: Option<f64>,
}

/// A pair of neighbouring codes that the classifier gives different classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Disagreement {
    /// The first point.
    pub z: [f64; 2],
    /// Classes of both images.
    pub classes: [u32; 2],
}

/// Measures what random points decode to.
pub(super) fn decoded(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Decoded, Error> {
    drawing.measure(
        run,
        "autoencoder-decoded",
        "5: 2000 points, k = 5 of 4000 at random",
        || {
            let test = &drawing.dataset.test;
            let codes = run.encode(images(test)).mean;
            let ranges = code_box(codes.view())?;
            let extent = code_extent(codes.view())?;
            let deviation = (0.5
                * extent
                    .standard_deviation
                    .iter()
                    .map(|value| value * value)
                    .sum::<f64>())
            .sqrt();
            // No image is among its own neighbours.
            let sizes = judged_and_real(test.len());
            let [held_out, real] = parts(Population::Rows(test.len()), sizes, numbers(SEED));
            let real = test.select(&real);
            let judge = Judge::new(drawing, run, images(&real), deviation)?;
            let some_codes = codes.select(Axis(0), &held_out);
            let held_out = test.select(&held_out).to_floats();
            Ok(Decoded {
                real: judge.images(held_out.view())?,
                reconstructed: judge.images(run.model.decode(some_codes.view()).view())?,
                whole: judge.points(&uniform_points(POINTS, ranges))?,
                middle: judge.points(&uniform_points(POINTS, middle_half(ranges)))?,
                prior: judge.points(&prior_points(POINTS))?,
                pairs: judge.pairs(&uniform_points(POINTS, ranges))?,
                middle_pairs: judge.pairs(&uniform_points(POINTS, middle_half(ranges)))?,
            })
        },
    )
}

/// How many of so many test images are judged, and how many of the others they are
/// held against: random samples without an image in common.
pub(super) fn judged_and_real(test: usize) -> [usize; 2] {
    let judged = POINTS.min(test / 3);
    [judged, REAL.min(test - judged)]
}

/// Holds decoded images against real ones.
struct Judge<'a> {
    drawing: &'a Drawing<'a>,
    run: &'a TrainedRun,
    real_features: Measurement<Array2<f32>>,
    deviation: f64,
}

impl<'a> Judge<'a> {
    fn new(
        drawing: &'a Drawing<'a>,
        run: &'a TrainedRun,
        real: Images<'_>,
        deviation: f64,
    ) -> Result<Self, Error> {
        let features = drawing
            .classifier()
            .and_then(|classifier| Ok(classifier.features(real)?));
        Ok(Self {
            real_features: Measurement::of(features)?,
            drawing,
            run,
            deviation,
        })
    }

    fn images(&self, images: ArrayView2<'_, f32>) -> Result<Form, Error> {
        let unsure = || -> Result<f64, Error> {
            let probabilities = self.drawing.classifier()?.probabilities(images)?;
            let unsure = probabilities
                .outer_iter()
                .filter(|row| row.iter().all(|&p| f64::from(p) < CONFIDENCE))
                .count();
            Ok(unsure as f64 / images.nrows() as f64)
        };
        let outside = || -> Result<f64, Error> {
            let real = self.real_features.get()?;
            let features = self.drawing.classifier()?.features(images)?;
            Ok(1.0 - prdc(real.view(), features.view(), 5)?.precision)
        };
        Ok(Form {
            unsure: Measurement::of(unsure())?,
            outside: Measurement::of(outside())?,
            return_distance: None,
        })
    }

    fn points(&self, points: &[[f64; 2]]) -> Result<Form, Error> {
        let form = self.images(self.run.decode(points).view())?;
        let trip = round_trip(
            as_codes(points).view(),
            |codes| self.run.model.decode(codes),
            |images| self.run.model.encode(images).mean,
        )?;
        Ok(Form {
            // Codes in one point have no deviation to measure in.
            return_distance: (self.deviation > 0.0).then(|| trip.mean / self.deviation),
            ..form
        })
    }

    fn pairs(&self, points: &[[f64; 2]]) -> Result<Pairs, Error> {
        let stepped = stepped(points);
        let (first, second) = (self.run.decode(points), self.run.decode(&stepped));
        let classes = self.drawing.classifier().and_then(|classifier| {
            let (a, b) = (first.view(), second.view());
            Ok([classifier.classify(a)?, classifier.classify(b)?])
        });
        let classes = Measurement::of(classes)?;
        let distances: Vec<f64> = first
            .outer_iter()
            .zip(second.outer_iter())
            .map(|(a, b)| {
                let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
                squares.sum::<f64>().sqrt()
            })
            .collect();
        let disagreeing = classes
            .map(|[a, b]| -> Vec<usize> { (0..points.len()).filter(|&i| a[i] != b[i]).collect() });
        let mut order = disagreeing.get().cloned().unwrap_or_default();
        order.sort_by(|&i, &j| distances[j].total_cmp(&distances[i]).then(i.cmp(&j)));
        Ok(Pairs {
            disagreeing: disagreeing.map(|order| order.len() as f64 / points.len() as f64),
            mean_distance: distances.iter().sum::<f64>() / points.len() as f64,
            examples: apart(points, &order, 0.3 * self.deviation)
                .into_iter()
                .take(10)
                .map(|index| Disagreement {
                    z: points[index],
                    classes: classes.get().map_or([0; 2], |[a, b]| [a[index], b[index]]),
                })
                .collect(),
            step_in_deviations: (self.deviation > 0.0)
                .then(|| STEP[0].hypot(STEP[1]) / self.deviation),
        })
    }
}

/// The indices in their order without those whose point lies within `distance`
/// of one before.
fn apart(points: &[[f64; 2]], order: &[usize], distance: f64) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for &index in order {
        let [x, y] = points[index];
        let far = |&other: &usize| {
            let [a, b] = points[other];
            (x - a).hypot(y - b) > distance
        };
        if kept.iter().all(far) {
            kept.push(index);
        }
    }
    kept
}

fn as_codes(points: &[[f64; 2]]) -> Array2<f32> {
    Array2::from_shape_fn((points.len(), 2), |(row, axis)| points[row][axis] as f32)
}

/// z + (0.1, −0.1) of every z.
pub(super) fn stepped(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    points
        .iter()
        .map(|point| [point[0] + STEP[0], point[1] + STEP[1]])
        .collect()
}

/// The middle half of both ranges.
pub(super) fn middle_half(ranges: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    ranges.map(|[low, high]| {
        let quarter = 0.25 * (high - low);
        [low + quarter, high - quarter]
    })
}

/// The first points of a fixed uniform sequence over a rectangle.
pub(super) fn uniform_points(count: usize, ranges: [[f64; 2]; 2]) -> Vec<[f64; 2]> {
    let mut values = vec![0.0f64; 2 * count];
    fill_uniform(&mut values, Stream::new(0, STREAM), 0);
    values
        .chunks_exact(2)
        .map(|pair| {
            [0, 1].map(|axis| {
                let [low, high] = ranges[axis];
                low + pair[axis] * (high - low)
            })
        })
        .collect()
}

/// The first points of a fixed sequence from N(0, I).
pub(super) fn prior_points(count: usize) -> Vec<[f64; 2]> {
    let mut values = vec![0.0f64; 2 * count];
    fill_normal(&mut values, Stream::new(0, STREAM + 1), 0);
    values
        .chunks_exact(2)
        .map(|pair| [pair[0], pair[1]])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_their_rectangle_and_are_always_the_same() {
        let ranges = [[-10.0, 30.0], [2.0, 4.0]];
        let points = uniform_points(4000, ranges);
        let mean = points.iter().map(|point| point[0]).sum::<f64>() / 4000.0;
        assert!((mean - 10.0).abs() < 1.0, "{mean}");
        assert!(points.iter().all(|p| (-10.0..=30.0).contains(&p[0])));
        assert!(points.iter().all(|p| (2.0..=4.0).contains(&p[1])));
        assert_eq!(uniform_points(3, ranges), points[..3]);
        let normal = prior_points(4000);
        let square = normal.iter().map(|p| p[0] * p[0]).sum::<f64>() / 4000.0;
        assert!((square - 1.0).abs() < 0.1, "{square}");
    }

    #[test]
    fn near_points_are_left_out() {
        let points = [[0.0, 0.0], [0.1, 0.0], [1.0, 0.0], [0.9, 0.0]];
        assert_eq!(apart(&points, &[1, 0, 3, 2], 0.5), [1, 3]);
    }

    #[test]
    fn the_middle_half_and_the_step() {
        assert_eq!(
            middle_half([[0.0, 8.0], [-4.0, 4.0]]),
            [[2.0, 6.0], [-2.0, 2.0]]
        );
        let [[x, y]] = stepped(&[[2.0, -2.0]])[..] else {
            panic!("one point gives one point");
        };
        assert!((x - 2.1).abs() < 1e-12 && (y + 2.1).abs() < 1e-12);
    }
}
