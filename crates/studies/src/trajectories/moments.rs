//! The animations and their stills: where the chosen digits are, and how wide
//! their posteriors are.

use std::ops::Range;

use datasets::Dataset;
use rayon::prelude::*;
use serde_json::{Value, json};
use viz::charts::{LineChart, Series, Trajectories};
use viz::page::Block;
use viz::{
    Axis, Classes, Figure, Layer, LegendEntry, Panel, Plot, RgbImage, Scale, Ticks, VizError,
};

use super::courses::Course;
use super::{FIRST_PERIOD, Followed, SECOND_PERIOD};
use crate::{Drawing, TrainedRun};
use figures::figure_data::rounded;
use figures::wording::{name_of, unbroken};
use figures::{Animated, Described};
use runs::Error;

/// Changes when the drawing of the frames does.
const FRAMES_VERSION: &str = "3";
/// Every so many recorded moments make a frame of the second animation, whose
/// images move slowly.
const EVERY_OF_SECOND: usize = 2;

/// The chosen images over a period, as drawn.
struct Scene<'a> {
    epochs: Vec<f64>,
    /// Position of each image at each moment: [image][moment].
    positions: Vec<Vec<[f64; 2]>>,
    /// Radius of each image at each moment.
    radii: Vec<Vec<f64>>,
    classes: Option<Vec<u32>>,
    index: Vec<u64>,
    class_names: &'a [String],
    /// Half the width of the square that is drawn.
    reach: f64,
}

impl<'a> Scene<'a> {
    /// Every so many of the recorded moments of `period`, or of as much of it
    /// as the run has.
    fn new(
        course: &Course,
        chosen: &[usize],
        period: [f64; 2],
        every: usize,
        class_names: &'a [String],
    ) -> Self {
        let moments = within(&course.tracked.snapshots, period).step_by(every);
        let position = |moment: usize, image: usize| {
            let mean = &course.tracked.snapshots[moment].mean;
            [0, 1].map(|axis| rounded(f64::from(mean[[image, axis]])))
        };
        let positions: Vec<Vec<[f64; 2]>> = chosen
            .iter()
            .map(|&image| {
                moments
                    .clone()
                    .map(|moment| position(moment, image))
                    .collect()
            })
            .collect();
        let radii: Vec<Vec<f64>> = chosen
            .iter()
            .map(|&image| {
                moments
                    .clone()
                    .map(|moment| rounded(course.radii[moment][image]))
                    .collect()
            })
            .collect();
        // Circles are wide only at first, near the origin; the paths decide.
        let reach = positions
            .iter()
            .flatten()
            .flatten()
            .fold(1.3f64, |reach, coordinate| reach.max(coordinate.abs()));
        Self {
            epochs: moments
                .map(|moment| course.tracked.snapshots[moment].epoch)
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
            reach: 1.05 * reach,
        }
    }

    /// The plane at one moment, with the paths so far.
    fn plane(
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
            prior: true,
        }
        .plot()?;
        // Small enough that the circles of the last epochs show around them.
        for layer in &mut plot.layers {
            if let Layer::Points(points) = layer {
                points.radius = 2.2;
            }
        }
        Ok(plot)
    }

    /// The radius of every image up to one moment.
    fn radius_so_far(&self, moment: usize) -> Plot {
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
        plot.x = Axis::linear("epoch", 0.0, last);
        plot.y.ticks = radius_ticks(plot.y.low, plot.y.high);
        plot.size = [320.0, 420.0];
        plot
    }

    fn classes(&self) -> Classes<'_> {
        self.classes.as_deref().into()
    }

    fn data(&self, moments: &[usize]) -> Value {
        let images: Vec<Value> = (0..self.positions.len())
            .map(|image| {
                json!({
                    "index": self.index[image],
                    "class": self.classes().get(image),
                    "mean": moments.iter().map(|&at| self.positions[image][at]).collect::<Vec<_>>(),
                    "radius": moments.iter().map(|&at| self.radii[image][at]).collect::<Vec<_>>(),
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
    fn nearest(&self, epochs: &[f64]) -> Vec<usize> {
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

/// Ticks of a logarithmic axis of radii: 1, 2 and 5 times powers of ten.
pub(super) fn radius_ticks(low: f64, high: f64) -> Ticks {
    Ticks::At(
        [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
            .into_iter()
            .filter(|radius| (low..=high).contains(radius))
            .map(|radius| (radius, radius.to_string()))
            .collect(),
    )
}

/// The snapshots taken within a period; all of them when it lies beyond the
/// end of the run.
fn within(snapshots: &[runs::trajectories::Snapshot], period: [f64; 2]) -> Range<usize> {
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

/// One image of each class: animation and stills.
pub(super) fn ten(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
    followed: &Followed,
) -> Result<Block, Error> {
    let dataset = drawing.dataset;
    let scene = Scene::new(
        course,
        &followed.images,
        FIRST_PERIOD,
        1,
        &dataset.class_names,
    );
    let title = followed.title.as_str();
    let explained = format!(
        "{}, seed {}. Dot: posterior mean μ; circle: radius r, r² the geometric mean of the two \
         variances; trail: the way so far. Dashed: one and two standard deviations of the prior.",
        run.title(),
        run.configuration.training.seed
    );
    let frame = |moment: usize| -> Result<RgbImage, Error> {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plane = scene.plane(moment, &format!("epoch {epoch}"), usize::MAX, true)?;
        let legend = std::mem::take(&mut plane.legend);
        let panels = vec![plane.into(), scene.radius_so_far(moment).into()];
        Ok(frame_of(dataset, title, &explained, legend, panels))
    };
    let animation = animate(drawing, run, "ten", &scene, &explained, 70, frame)?;
    let last = scene.epochs.last().copied().unwrap_or(0.0);
    let moments = scene.nearest(&[0.0, 0.08, 0.25, 1.0, 0.5 * last, last]);
    let stills = stills(
        drawing,
        run,
        "ten-stills",
        &scene,
        title,
        &explained,
        &moments,
        usize::MAX,
    )?;
    Ok(Block::Figures(vec![animation, stills]))
}

/// Six images of each class: animation and stills.
pub(super) fn sixty(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
    followed: &Followed,
) -> Result<Block, Error> {
    let dataset = drawing.dataset;
    let scene = Scene::new(
        course,
        &followed.images,
        SECOND_PERIOD,
        EVERY_OF_SECOND,
        &dataset.class_names,
    );
    let title = followed.title.as_str();
    // A whole path of sixty images is a tangle: the last epoch of it is shown.
    let tail = run.configuration.tracking.snapshots_per_epoch / EVERY_OF_SECOND;
    let explained = format!(
        "{}, seed {}. Dot: posterior mean μ; circle: radius r, r² the geometric mean of the two \
         variances; trail: the way of the last epoch. Dashed: one and two standard deviations of \
         the prior.",
        run.title(),
        run.configuration.training.seed
    );
    let frame = |moment: usize| -> Result<RgbImage, Error> {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plane = scene.plane(moment, &format!("epoch {epoch}"), tail, false)?;
        plane.size = [500.0, 500.0];
        let legend = std::mem::take(&mut plane.legend);
        Ok(frame_of(
            dataset,
            title,
            &explained,
            legend,
            vec![plane.into()],
        ))
    };
    let animation = animate(drawing, run, "sixty", &scene, &explained, 90, frame)?;
    let [first, last] =
        [scene.epochs.first(), scene.epochs.last()].map(|epoch| epoch.copied().unwrap_or(0.0));
    let wanted: Vec<f64> = (0..6)
        .map(|at| first + (last - first) * f64::from(at) / 5.0)
        .collect();
    let moments = scene.nearest(&wanted);
    let stills = stills(
        drawing,
        run,
        "sixty-stills",
        &scene,
        title,
        &explained,
        &moments,
        tail,
    )?;
    Ok(Block::Figures(vec![animation, stills]))
}

fn frame_of(
    dataset: &Dataset,
    title: &str,
    caption: &str,
    legend: Vec<LegendEntry>,
    panels: Vec<Panel>,
) -> RgbImage {
    Figure {
        title: format!("{title}, {}", name_of(dataset)),
        caption: unbroken(caption),
        legend,
        scale: 1.5,
        ..Figure::row(panels)
    }
    .render()
}

fn animate(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    name: &str,
    scene: &Scene<'_>,
    explained: &str,
    milliseconds: u16,
    frame: impl Fn(usize) -> Result<RgbImage, Error> + Sync,
) -> Result<viz::page::FigureLink, Error> {
    let moments: Vec<usize> = (0..scene.epochs.len()).collect();
    let caption = format!(
        "Animation, {} moments from {}. {explained}",
        moments.len(),
        period(scene)
    );
    drawing.animate(
        name,
        FRAMES_VERSION,
        Described {
            caption: &caption,
            runs: &[run],
            data: scene.data(&moments),
            bare: false,
        },
        || {
            Ok(Animated {
                frames: moments
                    .par_iter()
                    .map(|&moment| frame(moment))
                    .collect::<Result<_, _>>()?,
                milliseconds,
                hold: 2500,
            })
        },
    )
}

fn period(scene: &Scene<'_>) -> String {
    let [first, last] = [scene.epochs.first(), scene.epochs.last()]
        .map(|epoch| viz::number::decimal(epoch.copied().unwrap_or(0.0), 0));
    format!("epoch {first} to {last}")
}

#[expect(
    clippy::too_many_arguments,
    reason = "the texts and choices of one figure"
)]
fn stills(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    name: &str,
    scene: &Scene<'_>,
    title: &str,
    explained: &str,
    moments: &[usize],
    tail: usize,
) -> Result<viz::page::FigureLink, Error> {
    let mut legend = Vec::new();
    let mut panels: Vec<Panel> = Vec::new();
    for &moment in moments {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plot = scene.plane(moment, &format!("epoch {epoch}"), tail, false)?;
        plot.size = [270.0, 270.0];
        legend = std::mem::take(&mut plot.legend);
        panels.push(plot.into());
    }
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    while !panels.is_empty() {
        let rest = panels.split_off(panels.len().min(3));
        rows.push(std::mem::replace(&mut panels, rest));
    }
    let caption = format!(
        "{} moments from {}. {explained}",
        moments.len(),
        period(scene)
    );
    let figure = Figure {
        title: title.into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    drawing.chart_link(name, figure, &[run], scene.data(moments))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use runs::trajectories::Snapshot;

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
