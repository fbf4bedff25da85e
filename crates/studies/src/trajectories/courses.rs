//! Radius, path and distance of the recorded images as curves over training.

use evaluation::statistics::sorted_quantile;
use evaluation::trajectory::{TrajectoryStep, posterior_radii, trajectories};
use ndarray::{Array3, ArrayView2, Axis, stack};
use serde_json::json;
use viz::charts::{LineChart, Series};
use viz::page::Block;
use viz::{Dash, Figure, Rgb, Scale};

use super::moments::radius_ticks;
use crate::{Drawing, TrainedRun};
use figures::figure_data::rounded;
use runs::Error;
use runs::trajectories::TrackedCodes;

/// The recorded images of a run and what they say together.
pub(super) struct Course {
    /// The record.
    pub(super) tracked: TrackedCodes,
    /// Radius of every image at every moment.
    pub(super) radii: Vec<Vec<f64>>,
    /// One entry for every moment.
    pub(super) steps: Vec<TrajectoryStep>,
}

/// The recorded images at the end of an epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndOfEpoch {
    pub(super) epoch: usize,
    pub(super) radius: f64,
    pub(super) path_of_epoch: f64,
    pub(super) path: f64,
    pub(super) distance: f64,
}

impl Course {
    /// Reads the record of a VAE's run.
    ///
    /// # Errors
    /// When the file is missing or damaged, or holds no variances.
    pub(super) fn read(run: &TrainedRun) -> Result<Self, Error> {
        let path = run.folder.trajectories();
        let tracked = TrackedCodes::read(&path)?;
        let means: Vec<ArrayView2<'_, f32>> = tracked
            .snapshots
            .iter()
            .map(|moment| moment.mean.view())
            .collect();
        let log_variances: Option<Vec<ArrayView2<'_, f32>>> = tracked
            .snapshots
            .iter()
            .map(|moment| Some(moment.log_variance.as_ref()?.view()))
            .collect();
        let (false, Some(log_variances)) = (means.is_empty(), log_variances) else {
            return Err(Error::RunFolder(format!(
                "{} holds no posterior variances; expected the record of a VAE",
                path.display()
            )));
        };
        let stacked = |views: &[ArrayView2<'_, f32>]| -> Array3<f32> {
            stack(Axis(0), views).expect("the file's arrays have three dimensions")
        };
        let epochs: Vec<f64> = tracked
            .snapshots
            .iter()
            .map(|moment| moment.epoch)
            .collect();
        let radii = log_variances
            .iter()
            .map(|moment| posterior_radii(*moment))
            .collect();
        let measured = trajectories(
            &epochs,
            stacked(&means).view(),
            Some(stacked(&log_variances).view()),
        )?;
        Ok(Self {
            radii,
            steps: measured.steps,
            tracked,
        })
    }

    /// The moments at which an epoch ends, and the beginning.
    pub(super) fn epochs(&self) -> Vec<EndOfEpoch> {
        let mut ends: Vec<EndOfEpoch> = Vec::new();
        for step in self.steps.iter().filter(|step| step.epoch.fract() == 0.0) {
            let before = ends.last().map_or(0.0, |end| end.path);
            ends.push(EndOfEpoch {
                epoch: step.epoch as usize,
                radius: step.mean_radius.unwrap_or(f64::NAN),
                path_of_epoch: step.mean_path_length - before,
                path: step.mean_path_length,
                distance: step.mean_distance_from_origin,
            });
        }
        ends
    }

    /// The epochs, with fractions, after which the mean radius is at most
    /// `share` of what it was before the first step: linear in the logarithm
    /// between the moments recorded. `None` when it never is.
    pub(super) fn epochs_until_radius(&self, share: f64) -> Option<f64> {
        let course: Vec<[f64; 2]> = self
            .steps
            .iter()
            .filter_map(|step| Some([step.epoch, step.mean_radius?.ln()]))
            .collect();
        let goal = course.first()?[1] + share.ln();
        let after = course.iter().position(|moment| moment[1] <= goal)?;
        let Some(before) = after.checked_sub(1) else {
            return Some(course[0][0]);
        };
        let ([x0, y0], [x1, y1]) = (course[before], course[after]);
        Some(x0 + (x1 - x0) * (y0 - goal) / (y0 - y1))
    }
}

/// Three charts over training time.
pub(super) fn figure(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
) -> Result<Block, Error> {
    let dark = Rgb::hex(0x2b4c7e);
    let curve = |name: &str, value: &dyn Fn(&TrajectoryStep) -> f64| Series {
        name: name.into(),
        points: course
            .steps
            .iter()
            .map(|step| [rounded(step.epoch), rounded(value(step))])
            .collect(),
        colour: Some(dark),
        ..Series::default()
    };
    let band = course
        .steps
        .iter()
        .zip(&course.radii)
        .map(|(step, radii)| {
            let mut sorted = radii.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |q| rounded(sorted_quantile(&sorted, q));
            [rounded(step.epoch), at(0.1), at(0.9)]
        })
        .collect();
    let radius = Series {
        band,
        ..curve("", &|step| step.mean_radius.unwrap_or(f64::NAN))
    };
    let ends = course.epochs();
    let path = Series {
        points: ends
            .iter()
            .skip(1)
            .map(|end| [end.epoch as f64, rounded(end.path_of_epoch)])
            .collect(),
        ..curve("", &|_| f64::NAN)
    };
    let distance = curve("", &|step| step.mean_distance_from_origin);
    let prior = Series {
        name: String::new(),
        points: course
            .steps
            .iter()
            // E‖z‖ of N(0, I) in the plane.
            .map(|step| [step.epoch, (std::f64::consts::PI / 2.0).sqrt()])
            .collect(),
        colour: Some(Rgb::GREY),
        dash: Dash::Dashed,
        ..Series::default()
    };
    let chart = |title: &str, y_label: &str, scale: Scale, series: &[Series]| {
        let mut plot = LineChart {
            title,
            y_label,
            y_scale: scale,
            series,
            ..LineChart::default()
        }
        .plot();
        plot.size = [330.0, 250.0];
        if scale == Scale::Log10 {
            plot.y.ticks = radius_ticks(plot.y.low, plot.y.high);
        }
        plot
    };
    let panels = [
        chart("Radius", "r", Scale::Log10, std::slice::from_ref(&radius)),
        chart(
            "Path within each epoch",
            "length",
            Scale::Linear,
            std::slice::from_ref(&path),
        ),
        chart(
            "Distance from the origin",
            "‖μ‖",
            Scale::Linear,
            &[distance.clone(), prior],
        ),
    ];
    let caption = format!(
        "{}, seed {}, {} test images. Left: mean radius, with the band from the 10 % to the 90 % \
         quantile. Middle: mean length of the way travelled in each epoch. Right: mean distance \
         of μ from the origin; dashed, that of the prior, √(π/2).",
        run.title(),
        run.configuration.training.seed,
        course.tracked.index.len(),
    );
    let figure = Figure {
        title: "Radius, path and distance by epoch".into(),
        caption,
        ..Figure::row(panels.into_iter().map(Into::into).collect())
    };
    let data = json!({
        "split": "test",
        "n": course.tracked.index.len(),
        "radius": {"mean": radius.points, "quantiles_10_90": radius.band},
        "path_of_epoch": path.points,
        "path_so_far": ends.iter().map(|end| [end.epoch as f64, rounded(end.path)]).collect::<Vec<_>>(),
        "distance_from_origin": distance.points,
    });
    drawing.chart("by-epoch", figure, &[run], data)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use runs::trajectories::Snapshot;

    fn falling() -> Course {
        let snapshots: Vec<Snapshot> = [0.0f64, 0.5, 1.0, 1.5, 2.0]
            .iter()
            .enumerate()
            .map(|(step, &epoch)| Snapshot {
                step: step as u64,
                epoch,
                mean: array![[epoch as f32, 0.0]],
                // σ² = 4^(−epoch), so that r halves every epoch.
                log_variance: Some(array![[-(epoch as f32) * 4f32.ln(); 2]]),
            })
            .collect();
        let steps = snapshots
            .iter()
            .map(|moment| TrajectoryStep {
                epoch: moment.epoch,
                mean_radius: Some(0.5f64.powf(moment.epoch)),
                largest_radius: None,
                mean_movement: 0.0,
                mean_path_length: moment.epoch,
                mean_distance_from_origin: moment.epoch,
            })
            .collect();
        Course {
            radii: Vec::new(),
            steps,
            tracked: TrackedCodes {
                index: vec![0],
                label: Some(vec![0]),
                snapshots,
            },
        }
    }

    #[test]
    fn the_radius_is_followed_between_moments() {
        let course = falling();
        let at = |share| course.epochs_until_radius(share);
        assert!((at(0.5).unwrap() - 1.0).abs() < 1e-12);
        assert!((at(0.5f64.powf(0.75)).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(at(1.0), Some(0.0));
        assert_eq!(at(0.2), None);
    }

    #[test]
    fn epochs_end_at_whole_numbers() {
        let ends = falling().epochs();
        let paths: Vec<f64> = ends.iter().map(|end| end.path_of_epoch).collect();
        assert_eq!(
            ends.iter().map(|end| end.epoch).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(paths, [0.0, 1.0, 1.0]);
    }
}
