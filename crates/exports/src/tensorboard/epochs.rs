//! What an event file says of each epoch, and of the run.

use figures::TrainedRun;
use figures::plane::{Axes, Plane};
use models::ModelKind;
use rayon::prelude::*;
use runs::Error;
use runs::configuration::Configuration;
use runs::run_folder::EpochMetrics;
use runs::trajectories::{Snapshot, TrackedCodes};
use viz::charts::ClassScatter;
use viz::{Figure, RgbImage};

use super::messages::Value;
use super::summaries::{image, scalar, text};

/// Pictures of codes on their way, at most.
const MOST_MOMENTS: usize = 12;

/// Width and height of such a picture, pixels.
const SIDE: f64 = 360.0;

/// The tag by which the numbers of an epoch are known to be there.
pub(super) const TRAIN_LOSS: &str = "loss/train";

/// The numbers of an epoch.
pub(super) fn scalars(metrics: &EpochMetrics, kind: ModelKind) -> Vec<Value> {
    let mut values = Vec::new();
    let parts = [
        ("train", Some(metrics.train)),
        ("test", Some(metrics.test)),
        ("validation", metrics.validation),
    ];
    for (part, losses) in parts {
        let Some(losses) = losses else { continue };
        values.push(scalar(format!("loss/{part}"), losses.loss));
        let tag = format!("reconstruction/{part}");
        values.push(scalar(tag, losses.reconstruction));
        if kind.penalty_name().is_some() {
            let penalty = if kind.is_variational() {
                "kl"
            } else {
                "penalty"
            };
            values.push(scalar(format!("{penalty}/{part}"), losses.kl));
        }
    }
    values.extend(
        metrics
            .learning_rate
            .map(|rate| scalar("learning_rate", rate)),
    );
    values.push(scalar("images_per_second", metrics.images_per_second));
    values
}

/// The settings as a text.
///
/// # Errors
/// Only if serialisation itself fails.
pub(super) fn settings(configuration: &Configuration) -> Result<Value, Error> {
    let markdown = format!("```toml\n{}\n```\n", configuration.to_toml()?);
    Ok(text("configuration/text_summary", &markdown))
}

/// Pictures of the codes of the tracked test images at some whole epochs, with
/// the epoch of each: on the plane of the last ones, all with the same axes. None
/// of one latent variable.
///
/// # Errors
/// When codes are not finite, or cannot be drawn.
pub(super) fn tracked_codes(
    run: &TrainedRun,
    tracked: &TrackedCodes,
    class_names: &[String],
) -> Result<Vec<(usize, Value)>, Error> {
    let whole = |snapshot: &&Snapshot| snapshot.epoch.fract() == 0.0;
    let snapshots: Vec<&Snapshot> = tracked.snapshots.iter().filter(whole).collect();
    let Some(last) = snapshots.last().filter(|_| run.latent() > 1) else {
        return Ok(Vec::new());
    };
    let codes = models::Codes {
        mean: last.mean.clone(),
        log_variance: last.log_variance.clone(),
    };
    let plane = Plane::of(&codes, Axes::Automatic)?;
    let moments: Vec<(usize, Vec<[f64; 2]>)> = evenly(snapshots.len(), MOST_MOMENTS)
        .map(|at| {
            let snapshot = snapshots[at];
            (snapshot.epoch as usize, plane.project(snapshot.mean.view()))
        })
        .collect();
    let ranges = [0, 1].map(|axis| {
        let all = moments.iter().flat_map(|(_, points)| points);
        let reach = all.fold(0.0, |reach: f64, point| reach.max(point[axis].abs()));
        let reach = if reach > 0.0 { 1.05 * reach } else { 1.0 };
        [-reach, reach]
    });
    let draw = |(epoch, points): &(usize, Vec<[f64; 2]>)| {
        let plot = ClassScatter {
            title: &format!("epoch {epoch}"),
            points,
            classes: tracked.label.as_deref().into(),
            class_names,
            labels: [&plane.labels[0], &plane.labels[1]],
            ranges: Some(ranges),
            prior: run.is_variational(),
            size: [SIDE; 2],
            ..ClassScatter::default()
        };
        let figure = Figure {
            scale: 1.0,
            ..Figure::of(plot.plot()?)
        };
        let picture: RgbImage = figure.render();
        Ok((*epoch, image("pictures/codes", (&picture).into())?))
    };
    moments.par_iter().map(draw).collect()
}

/// At most `most` positions of `count`, evenly, the first and the last among them.
fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(most);
    (0..shown).map(move |at| {
        if shown == 1 {
            count - 1
        } else {
            at * (count - 1) / (shown - 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_begin_and_end_with_the_first_and_the_last() {
        for count in [1, 2, 12, 13, 100] {
            let shown: Vec<usize> = evenly(count, 12).collect();
            assert_eq!(shown.len(), count.min(12));
            assert_eq!(shown.last(), Some(&(count - 1)));
            assert!(shown.is_sorted_by(|a, b| a < b));
        }
        assert_eq!(evenly(0, 12).count(), 0);
    }
}
