//! What document 003 says about radii and courses, held against the numbers.

use std::collections::BTreeMap;

use evaluation::statistics::Claim::AtMost;
use evaluation::statistics::{Verdict, combined_verdict};

use super::{KEY, cloud};
use crate::claims::{Claim, claim, in_short};
use crate::{Drawing, TrainedRun};
use figures::Measured;
use figures::absence::Measurement;
use figures::course::Course;
use runs::Error;

/// Kolmogorov–Smirnov distance between ‖z‖ of a uniform disc of unit variance
/// and that of N(0, I) in the plane: max |r²/4 − 1 + exp(−r²/2)| = (1 − ln 2)/2,
/// taken where exp(−r²/2) = ½.
const UNIFORM_DISC: f64 = 0.5 * (1.0 - std::f64::consts::LN_2);

pub(super) fn claims(drawing: &Drawing<'_>) -> Result<Vec<Claim>, Error> {
    let mut courses: BTreeMap<u64, Measurement<Course>> = BTreeMap::new();
    for run in drawing.runs.iter().filter(|run| run.key == KEY) {
        let course = Measurement::of(Course::read(run))?;
        courses.insert(run.configuration.training.seed, course);
    }
    let name = drawing.title(KEY);
    let of_course = |what: &str, value: &dyn Fn(&Course) -> f64| {
        drawing.over_seeds(KEY, &format!("{name}, {what}"), |run: &TrainedRun| {
            Ok(value(courses[&run.configuration.training.seed].get()?))
        })
    };
    let start = of_course("r at the start", &|course| radius_at(course, 0))?;
    let factor = of_course("factor from 1", &|course| {
        let radius = radius_at(course, 0);
        radius.max(1.0 / radius)
    })?;
    let near_one = Claim {
        id: "003.1".into(),
        caveat: None,
        statement: "The radius of the posteriors is initially close to 1.".into(),
        quantity: "mean radius r of the recorded test images before the first step, and by which \
                   factor it differs from 1"
            .into(),
        verdict: factor.verdict(AtMost, 1.25),
        measured: vec![start, factor],
        rule: "supported if the factor is at most 1.25".into(),
    };

    let half = of_course("epochs until r is halved", &|course| {
        course.epochs_until_radius(0.5).unwrap_or(f64::INFINITY)
    })?;
    let share = of_course("share of r left after five epochs", &|course| {
        let last = course.epochs().len().saturating_sub(1);
        radius_at(course, last.min(5)) / radius_at(course, 0)
    })?;
    let falls = Claim {
        id: "003.2".into(),
        caveat: None,
        statement: "It rapidly decreases.".into(),
        quantity: "epochs until the mean radius is half of what it was before the first step; \
                   radius after the five epochs shown (after all epochs if there are fewer), as \
                   a share of it"
            .into(),
        verdict: combined_verdict(&[half.verdict(AtMost, 1.0), share.verdict(AtMost, 0.25)]),
        measured: vec![half, share],
        rule: "supported if it is halved within the first epoch and at most a quarter is left; \
               refuted if neither; mixed if one"
            .into(),
    };

    let of_cloud = |what: &str, value: &dyn Fn(&cloud::Settled) -> f64| {
        drawing.over_seeds(KEY, &format!("{name}, {what}"), |run| {
            Ok(value(&cloud::measure(drawing, run)?))
        })
    };
    let offset = of_cloud("share of the second moment", &|cloud| {
        cloud.offset_share.unwrap_or(f64::NAN)
    })?;
    let distance = of_cloud("distance to normal", &|cloud| {
        cloud.distance_to_normal.unwrap_or(f64::NAN)
    })?;
    let settled = Claim {
        id: "003.3".into(),
        caveat: None,
        statement: "All digits distribute around the centre, in a Gaussian-like distribution."
            .into(),
        quantity: "of μ of all test images: ‖E μ‖² as a share of E‖μ‖²; Kolmogorov–Smirnov \
                   distance of the whitened ‖μ‖ to that of a normal distribution"
            .into(),
        verdict: around_and_normal(&offset, &distance),
        measured: vec![offset, distance],
        rule: "around the centre if the share is at most 0.05; Gaussian-like if the distance is \
               at most 0.077, half that of a uniform disc; supported if both hold, mixed if one"
            .into(),
    };
    Ok(vec![near_one, falls, settled])
}

/// What training does to a posterior.
pub(super) fn answer(claims: &[Claim]) -> Option<String> {
    let falls = claim(claims, "003.2")?;
    let mut text = format!(
        "While a VAE is trained, the circle that stands for one image shrinks to {} % of its first \
         radius within the first epochs",
        in_short(100.0 * falls.mean(1)?)
    );
    if let Some(settled) = claim(claims, "003.3") {
        text.push_str(match settled.verdict {
            Verdict::Supported => {
                ", and all images spread about the centre like a normal distribution"
            }
            Verdict::Mixed => {
                ", and the images spread about the centre like a normal distribution in one of two \
                 respects only"
            }
            Verdict::Refuted => ", and the images do not spread like a normal distribution",
            Verdict::Undecided => {
                "; whether the images spread like a normal distribution, these seeds do not tell"
            }
        });
    }
    Some(text + ".")
}

fn around_and_normal(offset: &Measured, distance: &Measured) -> Verdict {
    combined_verdict(&[
        offset.verdict(AtMost, 0.05),
        distance.verdict(AtMost, 0.5 * UNIFORM_DISC),
    ])
}

/// Mean radius after so many epochs.
fn radius_at(course: &Course, epoch: usize) -> f64 {
    course
        .epochs()
        .iter()
        .find(|end| end.epoch == epoch)
        .map_or(f64::NAN, |end| end.radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uniform_disc_is_where_the_derivation_says() {
        let largest = (0..=2000)
            .map(|step| {
                let square = (f64::from(step) / 1000.0).powi(2);
                (square / 4.0 - 1.0 + (-square / 2.0).exp()).abs()
            })
            .fold(0.0, f64::max);
        assert!((largest - UNIFORM_DISC).abs() < 1e-6);
    }

    #[test]
    fn a_ring_about_the_centre_is_mixed() {
        let one = |value| Measured::new("m", [(0, value)].into(), Vec::new());
        assert_eq!(
            around_and_normal(&one(0.01), &one(0.05)),
            Verdict::Supported
        );
        assert_eq!(around_and_normal(&one(0.01), &one(0.4)), Verdict::Mixed);
        assert_eq!(around_and_normal(&one(0.5), &one(0.4)), Verdict::Refuted);
    }
}
