//! Recorded test images on their way through a plane of the latent space.

use std::collections::BTreeSet;
use std::ops::Range;

use datasets::Dataset;
use runs::trajectories::Snapshot;
use serde_json::{Value, json};
use viz::charts::{LineChart, Series, Trajectories};
use viz::{Classes, Layer, Plot, Scale, VizError};

use crate::choice::{in_random_order, of_each_class};
use crate::course::{Course, radius_ticks};
use crate::figure_data::rounded;
use crate::plane::Plane;
use crate::wording::{capitalised, spelled};

/// Images where there are no labels, of one and of several of each class.
const UNLABELLED: [usize; 2] = [10, 60];
/// Paths of more classes cannot be followed in one picture.
const MOST_CLASSES: usize = 20;

/// The chosen images over a period, as drawn.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// When, in epochs.
    pub epochs: Vec<f64>,
    /// Position of each image at each moment: [image][moment].
    positions: Vec<Vec<[f64; 2]>>,
    /// Radius of each image at each moment; 0 without variances.
    radii: Vec<Vec<f64>>,
    classes: Option<Vec<u32>>,
    index: Vec<u64>,
    class_names: &'a [String],
    /// Half the width of the square that is drawn.
    reach: f64,
    labels: [String; 2],
    has_radii: bool,
    /// Whether the prior's circles are drawn.
    pub prior: bool,
}

impl<'a> Scene<'a> {
    /// Some of the recorded moments, on a plane.
    #[must_use]
    pub fn new(
        course: &Course,
        plane: &Plane,
        chosen: &[usize],
        moments: &[usize],
        class_names: &'a [String],
    ) -> Self {
        let snapshots = &course.tracked.snapshots;
        let projected: Vec<Vec<[f64; 2]>> = moments
            .iter()
            .map(|&moment| plane.project(snapshots[moment].mean.view()))
            .collect();
        let positions: Vec<Vec<[f64; 2]>> = chosen
            .iter()
            .map(|&image| {
                let at = projected.iter().map(|points| points[image]);
                at.map(|point| point.map(rounded)).collect()
            })
            .collect();
        let radii: Vec<Vec<f64>> = chosen
            .iter()
            .map(|&image| {
                let radius =
                    |&moment: &usize| course.radii.get(moment).map_or(0.0, |all| all[image]);
                moments
                    .iter()
                    .map(|moment| rounded(radius(moment)))
                    .collect()
            })
            .collect();
        // Circles are wide only at first, near the origin; the paths decide.
        let least = if course.radii.is_empty() { 0.0 } else { 1.3 };
        let reach = positions
            .iter()
            .flatten()
            .flatten()
            .fold(least, |reach, coordinate| coordinate.abs().max(reach));
        Self {
            epochs: moments
                .iter()
                .map(|&moment| snapshots[moment].epoch)
                .collect(),
            positions,
            radii,
            classes: course
                .tracked
                .label
                .as_ref()
                .map(|labels| chosen.iter().map(|&image| labels[image]).collect()),
            index: chosen
                .iter()
                .map(|&image| course.tracked.index[image])
                .collect(),
            class_names,
            reach: if reach > 0.0 { 1.05 * reach } else { 1.0 },
            labels: plane.labels.clone(),
            has_radii: !course.radii.is_empty(),
            prior: true,
        }
    }

    /// The plane at one moment, with `tail` positions of the paths so far, and
    /// where asked the names of classes if they are short.
    ///
    /// # Errors
    /// Those of the chart.
    pub fn plane(
        &self,
        moment: usize,
        title: &str,
        tail: usize,
        names: bool,
    ) -> Result<Plot, VizError> {
        let paths: Vec<Vec<[f64; 2]>> = self
            .positions
            .iter()
            .map(|path| path[..=moment].to_vec())
            .collect();
        let radii: Vec<f64> = self.radii.iter().map(|radii| radii[moment]).collect();
        let short = self.class_names.iter().all(|name| name.len() <= 2);
        let words: Vec<String> = match &self.classes {
            Some(classes) if names && short => {
                let name = |class: &u32| self.class_names[*class as usize].clone();
                classes.iter().map(name).collect()
            }
            _ => Vec::new(),
        };
        let mut plot = Trajectories {
            title,
            paths: &paths,
            radii: &radii,
            classes: self.classes(),
            class_names: self.class_names,
            words: &words,
            ranges: Some([[-self.reach, self.reach]; 2]),
            tail,
            prior: self.prior,
        }
        .plot()?;
        [plot.x.label, plot.y.label] = self.labels.clone();
        // Small enough that the circles of the last epochs show around them.
        for layer in &mut plot.layers {
            if let Layer::Points(points) = layer {
                points.radius = 2.2;
            }
        }
        Ok(plot)
    }

    /// The radius of every image up to one moment.
    #[must_use]
    pub fn radius_so_far(&self, moment: usize) -> Plot {
        let series: Vec<Series> = self
            .radii
            .iter()
            .enumerate()
            .map(|(image, radii)| Series {
                points: self.epochs[..=moment]
                    .iter()
                    .zip(radii)
                    .map(|(&epoch, &radius)| [epoch, radius])
                    .collect(),
                colour: Some(self.classes().colour(image)),
                ..Series::default()
            })
            .collect();
        let all = || self.radii.iter().flatten().copied();
        let least = all().fold(f64::INFINITY, f64::min);
        let most = all().fold(0.0, f64::max);
        let last = self.epochs.last().copied().unwrap_or(1.0);
        let mut plot = LineChart {
            title: "Radius r",
            y_label: "r",
            y_scale: Scale::Log10,
            y_range: Some([0.8 * least, 1.25 * most]),
            series: &series,
            ..LineChart::default()
        }
        .plot();
        plot.x = viz::Axis::linear("epoch", 0.0, last);
        plot.y.ticks = radius_ticks(plot.y.low, plot.y.high);
        plot.size = [320.0, 420.0];
        plot
    }

    fn classes(&self) -> Classes<'_> {
        self.classes.as_deref().into()
    }

    /// The numbers of some moments.
    #[must_use]
    pub fn data(&self, moments: &[usize]) -> Value {
        let images: Vec<Value> = (0..self.positions.len())
            .map(|image| {
                json!({
                    "index": self.index[image],
                    "class": self.classes().get(image),
                    "mean": moments.iter().map(|&at| self.positions[image][at]).collect::<Vec<_>>(),
                    "radius": self.has_radii.then(|| {
                        moments.iter().map(|&at| self.radii[image][at]).collect::<Vec<_>>()
                    }),
                })
            })
            .collect();
        json!({
            "split": "test",
            "epochs": moments.iter().map(|&at| rounded(self.epochs[at])).collect::<Vec<_>>(),
            "images": images,
        })
    }

    /// The recorded moments nearest to the given epochs, each once.
    #[must_use]
    pub fn nearest(&self, epochs: &[f64]) -> Vec<usize> {
        let mut moments: Vec<usize> = epochs
            .iter()
            .filter_map(|epoch| {
                let distance = |at: &usize| (self.epochs[*at] - epoch).abs();
                (0..self.epochs.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
            })
            .collect();
        moments.dedup();
        moments
    }
}

/// The recorded images that are followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Their positions among the recorded ones.
    pub images: Vec<usize>,
    /// `One test image of each class`.
    pub title: String,
}

impl Followed {
    /// `per_class` of each class; without labels, some at random.
    #[must_use]
    pub fn of(dataset: &Dataset, course: &Course, per_class: usize) -> Self {
        let noun = |count: usize| {
            let units = dataset.shape().noun();
            let unit = units.trim_end_matches('s');
            format!(
                "{} test {}",
                spelled(count),
                if count == 1 { unit } else { units }
            )
        };
        let labels = course.tracked.labels();
        if labels.is_empty() {
            let most = UNLABELLED[usize::from(per_class > 1)];
            let images = in_random_order(course.tracked.index.len(), most);
            let title = capitalised(&noun(images.len()));
            return Self { images, title };
        }
        let present = labels.iter().collect::<BTreeSet<_>>().len();
        let shown = present.min(MOST_CLASSES);
        let images = of_each_class(labels, dataset.classes(), per_class, MOST_CLASSES);
        let number = if images.len() == shown * per_class {
            capitalised(&noun(per_class))
        } else {
            format!("Up to {}", noun(per_class))
        };
        let title = if shown < present {
            format!("{number} of each of {shown} of {present} classes")
        } else {
            format!("{number} of each class")
        };
        Self { images, title }
    }
}

/// The snapshots taken within a period; all of them when it lies beyond the
/// end of the run.
#[must_use]
pub fn within(snapshots: &[Snapshot], period: [f64; 2]) -> Range<usize> {
    let start = snapshots
        .iter()
        .position(|moment| moment.epoch >= period[0]);
    let end = snapshots
        .iter()
        .rposition(|moment| moment.epoch <= period[1]);
    match (start, end) {
        (Some(start), Some(end)) if start < end => start..end + 1,
        _ => 0..snapshots.len(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn a_period_is_cut_out_of_the_run() {
        let snapshots: Vec<Snapshot> = (0..=20)
            .map(|step| Snapshot {
                step,
                epoch: step as f64 / 2.0,
                mean: Array2::zeros((1, 2)),
                log_variance: None,
            })
            .collect();
        assert_eq!(within(&snapshots, [0.0, 5.0]), 0..11);
        assert_eq!(within(&snapshots, [1.0, 10.0]), 2..21);
        // A short run: what there is of the period, else everything.
        assert_eq!(within(&snapshots[..5], [1.0, 10.0]), 2..5);
        assert_eq!(within(&snapshots[..2], [1.0, 10.0]), 0..2);
    }
}
