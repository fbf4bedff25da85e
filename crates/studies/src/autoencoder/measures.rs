//! The numbers about what random points of a plane decode to, and the points.

use serde::{Deserialize, Serialize};
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

use figures::absence::Measurement;

/// Random points a statement is measured with.
pub(super) const POINTS: usize = 2000;
/// A decoded image counts as ill-formed when the classifier gives its most
/// probable class less than this.
pub(super) const CONFIDENCE: f64 = 0.8;
/// Step of the pairs z and z + 0.1: as in the document, up along the first
/// axis and down along the second.
pub(super) const STEP: [f64; 2] = [0.1, -0.1];
/// A random point lies in a gap where it is farther from the nearest code than
/// this share of the codes of other images.
pub(super) const USUAL: f64 = 0.99;
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
    /// Share of each class that the classifier takes the images for.
    pub classes: Measurement<Vec<f64>>,
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
    /// Pairs over the box whose step is (0.1, −0.1) standard deviations of the
    /// codes.
    pub in_deviations: Measurement<Pairs>,
    /// Of the points over the box: share of unsure ones among those in gaps, and
    /// among the others.
    pub unsure_in_gaps: Measurement<[f64; 2]>,
}

/// Pairs of neighbouring codes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pairs {
    /// Share of pairs that the classifier gives different classes.
    pub disagreeing: Measurement<f64>,
    /// Of the pairs whose first image is given its class with at least 0.8, those
    /// whose second is not given the same class so.
    pub lost: Measurement<f64>,
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

/// How many of so many test images are judged, and how many of the others they are
/// held against: random samples without an image in common.
pub(super) fn judged_and_real(test: usize) -> [usize; 2] {
    let judged = POINTS.min(test / 3);
    [judged, REAL.min(test - judged)]
}

/// Every point after a step.
pub(super) fn stepped(points: &[[f64; 2]], step: [f64; 2]) -> Vec<[f64; 2]> {
    points
        .iter()
        .map(|point| [point[0] + step[0], point[1] + step[1]])
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
    fn the_middle_half_and_the_step() {
        assert_eq!(
            middle_half([[0.0, 8.0], [-4.0, 4.0]]),
            [[2.0, 6.0], [-2.0, 2.0]]
        );
        let [[x, y]] = stepped(&[[2.0, -2.0]], STEP)[..] else {
            panic!("one point gives one point");
        };
        assert!((x - 2.1).abs() < 1e-12 && (y + 2.1).abs() < 1e-12);
    }
}
