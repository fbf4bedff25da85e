//! What random points of a plane decode to, measured once and kept with the run.
//!
//! Decoded images are held against real ones: how well-formed they are, which
//! class they are taken for, and whether a small step changes it.

use evaluation::codes::code_extent;
use evaluation::prdc::prdc;
use evaluation::round_trip::round_trip;
use evaluation::spacing::spacing;
use evaluation::subset::{Population, SEED, numbers, parts};
use models::Images;
use ndarray::{Array2, ArrayView2, Axis};

use super::measures::{
    CONFIDENCE, Decoded, Disagreement, Form, POINTS, Pairs, STEP, USUAL, judged_and_real,
    middle_half, prior_points, stepped, uniform_points,
};
use crate::{Drawing, TrainedRun};
use figures::absence::{Measurement, known};
use figures::plane_map::code_box;
use runs::Error;
use runs::run_data::images;

/// Measures what random points decode to.
pub(super) fn decoded(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Decoded, Error> {
    drawing.measure(
        run,
        "autoencoder-decoded",
        "6: 2000 points, k = 5 of 4000 at random",
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
                pairs: judge.pairs(&uniform_points(POINTS, ranges), STEP)?,
                middle_pairs: judge.pairs(&uniform_points(POINTS, middle_half(ranges)), STEP)?,
                in_deviations: Measurement::of(judge.pairs_in_deviations(ranges))?,
                unsure_in_gaps: Measurement::of(judge.unsure_in_gaps(codes.view(), ranges))?,
            })
        },
    )
}

/// Holds decoded images of a run against real ones.
pub(super) struct Judge<'a> {
    drawing: &'a Drawing<'a>,
    run: &'a TrainedRun,
    real_features: Measurement<Array2<f32>>,
    deviation: f64,
}

impl<'a> Judge<'a> {
    /// Of a run whose codes have a standard deviation, against `real` images.
    pub(super) fn new(
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

    pub(super) fn images(&self, images: ArrayView2<'_, f32>) -> Result<Form, Error> {
        let unsure = || -> Result<f64, Error> { Ok(share(self.unsure(images)?.into_iter())) };
        let classes = || -> Result<Vec<f64>, Error> {
            let mut shares = vec![0.0; self.drawing.dataset.classes()];
            for class in self.drawing.classifier()?.classify(images)? {
                shares[class as usize] += 1.0 / images.nrows() as f64;
            }
            Ok(shares)
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
            classes: Measurement::of(classes())?,
        })
    }

    pub(super) fn points(&self, points: &[[f64; 2]]) -> Result<Form, Error> {
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

    /// Pairs of random points of a rectangle whose step is as long for the codes
    /// of every model.
    pub(super) fn pairs_in_deviations(&self, ranges: [[f64; 2]; 2]) -> Result<Pairs, Error> {
        if self.deviation <= 0.0 {
            return Err(Error::Undefined("all codes are one point".into()));
        }
        let step = STEP.map(|along| along * self.deviation);
        self.pairs(&uniform_points(POINTS, ranges), step)
    }

    /// Share of unsure images among random points of a rectangle that lie in gaps
    /// between the codes, and among those that do not.
    pub(super) fn unsure_in_gaps(
        &self,
        codes: ArrayView2<'_, f32>,
        ranges: [[f64; 2]; 2],
    ) -> Result<[f64; 2], Error> {
        let points = as_codes(&uniform_points(POINTS, ranges));
        let found = spacing(codes, points.view(), USUAL, codes.nrows())?;
        let unsure = self.unsure(self.run.model.decode(points.view()).view())?;
        let among = |in_gap: bool| {
            let places = unsure.iter().zip(found.in_gaps());
            let there = places.filter(|(_, is_in)| *is_in == in_gap);
            let share = share(there.map(|(unsure, _)| *unsure));
            let where_ = if in_gap { "in" } else { "outside of" };
            let missing = format!("no random point lies {where_} a gap");
            known(Some(share).filter(|share| share.is_finite()), &missing)
        };
        Ok([among(true)?, among(false)?])
    }

    pub(super) fn pairs(&self, points: &[[f64; 2]], step: [f64; 2]) -> Result<Pairs, Error> {
        let stepped = stepped(points, step);
        let (first, second) = (self.run.decode(points), self.run.decode(&stepped));
        let (a, b) = (first.view(), second.view());
        let classes = self
            .drawing
            .classifier()
            .and_then(|classifier| Ok([classifier.classify(a)?, classifier.classify(b)?]));
        let classes = Measurement::of(classes)?;
        let lost = || -> Result<f64, Error> {
            let [first, second] = classes.get()?;
            let [unsure, then_unsure] = [self.unsure(a)?, self.unsure(b)?];
            let formed = (0..points.len()).filter(|&at| !unsure[at]);
            let lost = share(formed.map(|at| then_unsure[at] || first[at] != second[at]));
            known(
                Some(lost).filter(|share| share.is_finite()),
                "no random point decodes to a well-formed image",
            )
        };
        let lost = Measurement::of(lost())?;
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
            lost,
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
                .then(|| step[0].hypot(step[1]) / self.deviation),
        })
    }

    /// Whether each image is given its most probable class with less than
    /// [`CONFIDENCE`].
    fn unsure(&self, images: ArrayView2<'_, f32>) -> Result<Vec<bool>, Error> {
        let probabilities = self.drawing.classifier()?.probabilities(images)?;
        let rows = probabilities.outer_iter();
        let unsure = rows.map(|row| row.iter().all(|&p| f64::from(p) < CONFIDENCE));
        Ok(unsure.collect())
    }
}

/// The share of those that are; NaN of none.
fn share(those: impl Iterator<Item = bool>) -> f64 {
    let mut counts = [0u32; 2];
    for is in those {
        counts[usize::from(is)] += 1;
    }
    f64::from(counts[1]) / f64::from(counts[0] + counts[1])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_points_are_left_out() {
        let points = [[0.0, 0.0], [0.1, 0.0], [1.0, 0.0], [0.9, 0.0]];
        assert_eq!(apart(&points, &[1, 0, 3, 2], 0.5), [1, 3]);
    }

    #[test]
    fn shares_count_and_there_is_none_of_nothing() {
        assert_eq!(share([true, false, false, true, false].into_iter()), 0.4);
        assert!(share(std::iter::empty()).is_nan());
    }
}
