//! The courses of a run's recorded test images: radius, path and distance over
//! training.

use datasets::Dataset;
use evaluation::statistics::sorted_quantile;
use evaluation::trajectory::{TrajectoryStep, posterior_radii, trajectories};
use ndarray::{Array3, ArrayView2, Axis, stack};
use runs::Error;
use runs::trajectories::TrackedCodes;
use serde_json::{Value, json};
use viz::charts::{LineChart, Series};
use viz::{Dash, Plot, Rgb, Scale, Ticks, class_colour};

use crate::TrainedRun;
use crate::figure_data::rounded;
use crate::wording::count;

/// The recorded images of a run and what they say together.
#[derive(Clone, Debug)]
pub struct Course {
    /// The record.
    pub tracked: TrackedCodes,
    /// Radius of every image at every moment; empty without variances.
    pub radii: Vec<Vec<f64>>,
    /// One entry for every moment.
    pub steps: Vec<TrajectoryStep>,
}

/// Means over the recorded images at the end of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct EndOfEpoch {
    /// Epochs done.
    pub epoch: usize,
    /// Radius; NaN without variances.
    pub radius: f64,
    /// Length of the way within it.
    pub path_of_epoch: f64,
    /// Length of the way so far.
    pub path: f64,
    /// ‖μ‖.
    pub distance: f64,
}

impl Course {
    /// `100 recorded test images (the first of each class)`: they are examples, not a
    /// sample of all.
    #[must_use]
    pub fn images_in_words(&self, dataset: &Dataset) -> String {
        let which = if self.tracked.labels().is_empty() {
            "all"
        } else {
            "each class"
        };
        format!(
            "{} recorded test {} (the first of {which})",
            count(self.tracked.index.len()),
            dataset.shape().noun()
        )
    }

    /// Reads the record of a run.
    ///
    /// # Errors
    /// [`Error::Undefined`] when there is none; when the file is damaged or its
    /// codes are not finite.
    pub fn read(run: &TrainedRun) -> Result<Self, Error> {
        let path = run.folder.trajectories();
        if !path.exists() {
            return Err(Error::Undefined("no courses were recorded".into()));
        }
        let tracked = TrackedCodes::read(&path)?;
        if tracked.snapshots.is_empty() || tracked.index.is_empty() {
            return Err(Error::Undefined("its record has no images".into()));
        }
        let moments = || tracked.snapshots.iter();
        let means: Vec<ArrayView2<'_, f32>> = moments().map(|moment| moment.mean.view()).collect();
        let log_variances: Option<Vec<ArrayView2<'_, f32>>> = moments()
            .map(|moment| Some(moment.log_variance.as_ref()?.view()))
            .collect();
        let stacked = |views: &[ArrayView2<'_, f32>]| -> Array3<f32> {
            stack(Axis(0), views).expect("the file's arrays have three dimensions")
        };
        let epochs: Vec<f64> = moments().map(|moment| moment.epoch).collect();
        let radii = log_variances.iter().flatten();
        let radii = radii.map(|moment| posterior_radii(*moment)).collect();
        let stacked_variances = log_variances.as_deref().map(stacked);
        let measured = trajectories(
            &epochs,
            stacked(&means).view(),
            stacked_variances.as_ref().map(|all| all.view()),
        )?;
        Ok(Self {
            radii,
            steps: measured.steps,
            tracked,
        })
    }

    /// The moments at which an epoch ends, and the beginning.
    #[must_use]
    pub fn epochs(&self) -> Vec<EndOfEpoch> {
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
    #[must_use]
    pub fn epochs_until_radius(&self, share: f64) -> Option<f64> {
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

    /// Number of latent variables.
    #[must_use]
    pub fn latent(&self) -> usize {
        let moments = &self.tracked.snapshots;
        moments.first().map_or(0, |moment| moment.mean.ncols())
    }

    /// The numbers of its curves.
    #[must_use]
    pub fn data(&self) -> Value {
        let (radius, ends) = (self.radius(), self.epochs());
        let so_far: Vec<[f64; 2]> = ends
            .iter()
            .map(|end| [end.epoch as f64, rounded(end.path)])
            .collect();
        json!({
            "split": "test",
            "n": self.tracked.index.len(),
            "radius": {"mean": radius.points, "quantiles_10_90": radius.band},
            "path_of_epoch": self.path_of_epochs().points,
            "path_so_far": so_far,
            "distance_from_origin": self.distance().points,
        })
    }

    fn curve(&self, value: impl Fn(&TrajectoryStep) -> f64) -> Series {
        let steps = self.steps.iter();
        Series {
            points: steps
                .map(|step| [rounded(step.epoch), rounded(value(step))])
                .collect(),
            ..Series::default()
        }
    }

    fn radius(&self) -> Series {
        let steps = self.steps.iter().zip(&self.radii);
        let band = steps
            .map(|(step, radii)| {
                let mut sorted = radii.clone();
                sorted.sort_by(f64::total_cmp);
                let at = |q| rounded(sorted_quantile(&sorted, q));
                [rounded(step.epoch), at(0.1), at(0.9)]
            })
            .collect();
        Series {
            band,
            ..self.curve(|step| step.mean_radius.unwrap_or(f64::NAN))
        }
    }

    fn path_of_epochs(&self) -> Series {
        let ends = self.epochs().into_iter().skip(1);
        Series {
            points: ends
                .map(|end| [end.epoch as f64, rounded(end.path_of_epoch)])
                .collect(),
            ..Series::default()
        }
    }

    fn distance(&self) -> Series {
        self.curve(|step| step.mean_distance_from_origin)
    }
}

/// Curves over training of some runs: radius (where there are variances), path
/// within each epoch and distance from the origin, with that of the prior where
/// all have as many latent variables; a single run's is dark, and its radius
/// has the band from the 10 % to the 90 % quantile.
#[must_use]
pub fn curves(courses: &[(String, &Course)]) -> Vec<Plot> {
    let series = |pick: &dyn Fn(&Course) -> Series| -> Vec<Series> {
        let all = courses.iter().enumerate();
        all.map(|(index, (name, course))| {
            let mut series = pick(course);
            if courses.len() == 1 {
                series.colour = Some(Rgb::hex(0x2b4c7e));
            } else {
                series.name.clone_from(name);
                series.colour = Some(class_colour(index));
                series.band.clear();
            }
            series
        })
        .filter(|series| series.points.iter().any(|point| point[1].is_finite()))
        .collect()
    };
    let chart = |title: &str, y_label: &str, scale: Scale, series: &[Series]| {
        let mut plot = LineChart {
            title,
            y_label,
            y_scale: scale,
            series,
            size: [330.0, 250.0],
            ..LineChart::default()
        }
        .plot();
        if scale == Scale::Log10 {
            plot.y.ticks = radius_ticks(plot.y.low, plot.y.high);
        }
        plot
    };
    let mut plots = Vec::new();
    let radii = series(&Course::radius);
    if !radii.is_empty() {
        plots.push(chart("Radius", "r", Scale::Log10, &radii));
    }
    let paths = series(&Course::path_of_epochs);
    plots.push(chart(
        "Path within each epoch",
        "length",
        Scale::Linear,
        &paths,
    ));
    let mut distances = series(&Course::distance);
    distances.extend(prior_of(courses));
    plots.push(chart(
        "Distance from the origin",
        "‖μ‖",
        Scale::Linear,
        &distances,
    ));
    plots
}

/// E‖z‖ of N(0, I) in so many dimensions, √2·Γ((L+1)/2)/Γ(L/2).
#[must_use]
pub fn mean_norm_of_prior(latent: usize) -> f64 {
    let first = if latent.is_multiple_of(2) {
        std::f64::consts::PI / 2.0
    } else {
        2.0 / std::f64::consts::PI
    };
    let below = (1..).map(|step| 2 * step - latent % 2);
    below
        .take_while(|&dimensions| dimensions < latent)
        .fold(first.sqrt(), |norm, dimensions| {
            norm * (dimensions + 1) as f64 / dimensions as f64
        })
}

/// Mean ‖z‖ of the prior over training, where the runs have one of one latent size.
pub(crate) fn prior_of(courses: &[(String, &Course)]) -> Option<Series> {
    let (_, first) = courses.first()?;
    let latent = first.latent();
    let is_common = courses.iter().all(|(_, course)| course.latent() == latent);
    if !is_common || courses.iter().all(|(_, course)| course.radii.is_empty()) {
        return None;
    }
    let steps = courses.iter().flat_map(|(_, course)| &course.steps);
    let mut epochs: Vec<f64> = steps.map(|step| step.epoch).collect();
    epochs.sort_by(f64::total_cmp);
    epochs.dedup();
    Some(Series {
        points: epochs
            .into_iter()
            .map(|epoch| [epoch, mean_norm_of_prior(latent)])
            .collect(),
        colour: Some(Rgb::GREY),
        dash: Dash::Dashed,
        ..Series::default()
    })
}

/// Ticks of a logarithmic axis of radii: 1, 2 and 5 times powers of ten.
#[must_use]
pub fn radius_ticks(low: f64, high: f64) -> Ticks {
    Ticks::At(
        [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
            .into_iter()
            .filter(|radius| (low..=high).contains(radius))
            .map(|radius| (radius, radius.to_string()))
            .collect(),
    )
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

    #[test]
    fn the_prior_is_as_far_away_as_its_dimensions_say() {
        use std::f64::consts::PI;
        let expected = [(1, (2.0 / PI).sqrt()), (2, (PI / 2.0).sqrt())];
        for (latent, norm) in expected {
            assert_eq!(mean_norm_of_prior(latent).to_bits(), norm.to_bits());
        }
        // The Maxwell distribution's 2√(2/π); far out √(L − ½) holds.
        assert!((mean_norm_of_prior(3) - 2.0 * (2.0 / PI).sqrt()).abs() < 1e-15);
        for latent in [100, 101] {
            let about = (latent as f64 - 0.5).sqrt();
            assert!((mean_norm_of_prior(latent) / about - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn runs_without_variances_have_no_radius() {
        let vae = Course {
            radii: vec![vec![1.0]; 5],
            ..falling()
        };
        let mut ae = falling();
        for step in &mut ae.steps {
            step.mean_radius = None;
        }
        let titles = |courses: &[(String, &Course)]| -> Vec<(String, usize)> {
            let plots = curves(courses).into_iter();
            plots.map(|plot| (plot.title, plot.legend.len())).collect()
        };
        let named = |name: &str| name.to_owned();
        let both = [(named("VAE"), &vae), (named("AE"), &ae)];
        assert_eq!(
            titles(&both),
            [
                (named("Radius"), 1),
                (named("Path within each epoch"), 2),
                (named("Distance from the origin"), 2)
            ]
        );
        assert_eq!(titles(&both[1..]).len(), 2);
    }
}
