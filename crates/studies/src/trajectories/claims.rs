//! What document 003 says about radii and courses, held against the numbers.

use evaluation::statistics::Claim::AtMost;
use evaluation::statistics::Scale;

use super::{KEY, cloud, region};
use crate::Drawing;
use crate::claims::{Decide, Decided, Part};
use figures::Measured;
use figures::course::Course;
use runs::Error;

/// Kolmogorov–Smirnov distance between ‖z‖ of a uniform disc of unit variance
/// and that of N(0, I) in the plane: max |r²/4 − 1 + exp(−r²/2)| = (1 − ln 2)/2,
/// taken where exp(−r²/2) = ½.
const UNIFORM_DISC: f64 = 0.5 * (1.0 - std::f64::consts::LN_2);

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("003.1", close_to_one),
    ("003.2", decreases),
    ("003.3", around_the_centre),
    ("003.17", accommodated),
    ("003.18", region_of_the_circle),
];

fn of_course(
    drawing: &Drawing<'_>,
    what: &str,
    value: impl Fn(&Course) -> f64,
) -> Result<Measured, Error> {
    let name = format!("{}, {what}", drawing.title(KEY));
    drawing.over_seeds(KEY, &name, |run| Ok(value(&Course::read(run)?)))
}

fn of_cloud(
    drawing: &Drawing<'_>,
    what: &str,
    value: impl Fn(&cloud::Settled) -> Option<f64>,
) -> Result<Measured, Error> {
    let name = format!("{}, {what}", drawing.title(KEY));
    drawing.over_seeds(KEY, &name, |run| {
        Ok(value(&cloud::measure(drawing, run)?).unwrap_or(f64::NAN))
    })
}

fn close_to_one(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let start = of_course(drawing, "r at the start", |course| radius_at(course, 0))?;
    let start = start.on(Scale::Ratio);
    let evidence = Part::within(&start, 1.0 / at[0], at[0]);
    Ok(Decided::new([evidence], [start]))
}

fn decreases(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let half = of_course(drawing, "epochs until r is halved", |course| {
        // A radius that stays takes longer than all epochs: so much is known.
        let longer = course.epochs().len() as f64;
        course.epochs_until_radius(0.5).unwrap_or(longer)
    })?;
    let share = of_course(drawing, "share of r left after five epochs", |course| {
        let last = course.epochs().len().saturating_sub(1);
        radius_at(course, last.min(5)) / radius_at(course, 0)
    })?;
    let parts = [
        Part::of(&half, AtMost, at[0]),
        Part::of(&share, AtMost, at[1]),
    ];
    Ok(Decided::new([Part::all(&parts)], [half, share]))
}

fn around_the_centre(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let offset = of_cloud(drawing, "share of the second moment", |cloud| {
        cloud.offset_share
    })?;
    let distance = of_cloud(drawing, "distance to normal", |cloud| {
        cloud.distance_to_normal
    })?;
    let parts = around_and_normal(&offset, &distance, at[0]);
    Ok(Decided::new(parts, [offset, distance]))
}

/// That the codes lie around the centre, and that they do so like those of a
/// normal distribution.
fn around_and_normal(offset: &Measured, distance: &Measured, share: f64) -> [Part; 2] {
    [
        Part::of(offset, AtMost, share),
        Part::of(distance, AtMost, 0.5 * UNIFORM_DISC),
    ]
}

fn accommodated(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |what: &str, value: fn(&cloud::Settled) -> f64| {
        of_cloud(drawing, what, |of| Some(value(of)))
    };
    let cover = of("area of all circles over that of their ellipse", |cloud| {
        cloud.cover
    })?;
    let cover = cover.on(Scale::Ratio);
    let radius = of("root mean square radius of the training images", |cloud| {
        cloud.root_mean_square_radius
    })?;
    let evidence = Part::of(&cover, AtMost, at[0]);
    Ok(Decided::new([evidence], [radius, cover]))
}

fn region_of_the_circle(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |what: &str, value: fn(&region::Region) -> f64| {
        let name = format!("{}, {what}", drawing.title(KEY));
        drawing.over_seeds(KEY, &name, |run| Ok(value(&region::measure(drawing, run)?)))
    };
    let reach = of("radii until it is one nat worse", |region| region.reach)?;
    let reach = reach.on(Scale::Ratio);
    let cost = of("cost on the circle (nats)", |region| region.on_the_circle)?;
    let evidence = Part::within(&reach, 1.0 / at[0], at[0]);
    Ok(Decided::new([evidence], [reach, cost]))
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
    use evaluation::statistics::Verdict;

    use super::*;
    use crate::claims::verdict_of;

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
        // Five seeds near a value, of which one is as the next.
        let near = |value: f64| {
            let values = [0.98, 0.99, 1.0, 1.01, 1.02].map(|share| share * value);
            Measured::new("m", (0..).zip(values).collect(), Vec::new())
        };
        let of = |offset: f64, distance: f64| {
            verdict_of(&around_and_normal(&near(offset), &near(distance), 0.05))
        };
        assert_eq!(of(0.01, 0.05), Verdict::Supported);
        assert_eq!(of(0.01, 0.4), Verdict::Mixed);
        assert_eq!(of(0.5, 0.4), Verdict::Refuted);
    }
}
