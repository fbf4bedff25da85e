//! Losses by epoch.

use models::ModelKind;
use runs::Error;
use runs::run_folder::{EpochMetrics, Losses};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::{LineChart, Series};
use viz::page::Block;
use viz::{
    Dash, Figure, Layer, LegendAt, LegendEntry, Panel, Plot, Point, Points, Rgb, Shape,
    class_colour,
};

use super::Picture;
use super::each_run::{beside_each_other, for_the_vaes, in_rows, of_each, one_below_the_other};
use crate::wording::seeds_and_epochs;
use crate::{Drawing, TrainedRun};

/// Width and height of a panel, canvas units.
const SIZE: [f64; 2] = [330.0, 260.0];

/// Loss and reconstruction by epoch, and below them KL or penalty: a panel with
/// its own range for each run, since the worst of them would flatten the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Whether KL or penalty is shown.
    pub kl: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self { kl: true }
    }
}

impl Training {
    /// The figure and its numbers.
    ///
    /// # Errors
    /// [`Error::Undefined`] where no run has an epoch.
    pub fn figure(&self, runs: &[&TrainedRun]) -> Result<(Figure, Value), Error> {
        let (drawn, left_out) = of_each(runs, |run| {
            if run.metrics.is_empty() {
                return Err(Error::Undefined("it has no epoch yet".into()));
            }
            Ok((losses(run), self.kl.then(|| penalty(run)).flatten()))
        })?;
        let shown: Vec<&TrainedRun> = drawn.iter().map(|&(run, _)| run).collect();
        let mut legend: Vec<LegendEntry> = Vec::new();
        let mut share_legend = |plot: &mut Plot| {
            for entry in std::mem::take(&mut plot.legend) {
                if legend.iter().all(|other| other.label != entry.label) {
                    legend.push(entry);
                }
            }
        };
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for (_, (mut losses, penalty)) in drawn {
            share_legend(&mut losses);
            above.push(Panel::from(losses));
            below.push(penalty.map_or(Panel::Empty, |mut penalty| {
                share_legend(&mut penalty);
                Panel::from(penalty)
            }));
        }
        let has_penalty = below.iter().any(|panel| !matches!(panel, Panel::Empty));
        let panels = above.len() + usize::from(has_penalty);
        let rows = match (has_penalty, above.len()) {
            (false, _) => in_rows(above),
            (true, 1) => beside_each_other(vec![above, below]),
            (true, _) => one_below_the_other(above, below),
        };
        let kinds = ModelKind::ALL
            .into_iter()
            .filter(|&kind| shown.iter().any(|run| run.model.spec().kind == kind));
        let of_kinds: String = kinds.map(|kind| self.of_kind(kind)).collect();
        let has_batch_penalty = shown
            .iter()
            .any(|run| run.configuration.training.objective == "wae");
        let caption = format!(
            "Losses by epoch{of_kinds}{}.{} Training values are means over the epoch while the \
             weights change; test values are taken after it{}; {}.{left_out}",
            if has_batch_penalty {
                "; with the objective wae, training values have the MMD² of the batch too"
            } else {
                ""
            },
            if panels > 1 {
                " Each panel has its own range."
            } else {
                ""
            },
            for_the_vaes(&shown)
                .map_or_else(String::new, |vaes| format!(", with z sampled {vaes}")),
            seeds_and_epochs(&shown),
        );
        let data: Vec<Value> = shown
            .iter()
            .map(|run| json!({"model": run.key, "metrics": run.metrics}))
            .collect();
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            legend,
            ..Figure::grid(rows)
        };
        Ok((figure, json!(data)))
    }

    /// What the caption says of a kind: the penalty that it has or lacks.
    fn of_kind(&self, kind: ModelKind) -> String {
        let title = kind.title();
        match kind.penalty_name() {
            None => format!("; for an {title} the loss is the reconstruction"),
            Some(penalty) if self.kl && !kind.is_variational() => {
                format!("; the penalty of an {title} is {penalty}")
            }
            Some(_) => String::new(),
        }
    }
}

impl Picture for Training {
    const NAME: &'static str = "training";
    const TITLE: &'static str = "Training";
    const ABOUT: &'static str = "loss, reconstruction and KL by epoch";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (figure, data) = self.figure(runs)?;
        drawing.chart(file, figure, runs, data)
    }
}

/// Loss, and reconstruction where it is another number.
fn losses(run: &TrainedRun) -> Plot {
    let mut series = of_both_splits(run, "loss", class_colour(0), |losses| losses.loss);
    if run.model.spec().kind.penalty_name().is_some() {
        series.extend(of_both_splits(
            run,
            "reconstruction",
            class_colour(6),
            |losses| losses.reconstruction,
        ));
    }
    plot(&run.title(), &nats(run), &series)
}

/// KL, or the penalty of a kind that does not sample; none of a plain autoencoder.
fn penalty(run: &TrainedRun) -> Option<Plot> {
    let kind = run.model.spec().kind;
    let name = kind.penalty_name()?;
    // The caption has the formula of what is no divergence.
    let name = if kind.is_variational() {
        name
    } else {
        "penalty"
    };
    let series = of_both_splits(run, name, class_colour(4), |losses| losses.kl);
    Some(plot("", &format!("{name}, {}", nats(run)), &series))
}

fn nats(run: &TrainedRun) -> String {
    let noun = if run.shape.is_image() {
        "image"
    } else {
        "vector"
    };
    format!("nats per {noun}")
}

fn of_both_splits(
    run: &TrainedRun,
    name: &str,
    colour: Rgb,
    value: fn(&Losses) -> f64,
) -> Vec<Series> {
    let curve = |split: &str, dash, losses: fn(&EpochMetrics) -> &Losses| Series {
        name: format!("{name}, {split}"),
        points: run
            .metrics
            .iter()
            .map(|epoch| [epoch.epoch as f64, value(losses(epoch))])
            .collect(),
        colour: Some(colour),
        dash,
        ..Series::default()
    };
    vec![
        curve("training", Dash::Dashed, |epoch| &epoch.train),
        curve("test", Dash::Solid, |epoch| &epoch.test),
    ]
}

fn plot(title: &str, y_label: &str, series: &[Series]) -> Plot {
    let mut plot = LineChart {
        title,
        y_label,
        series,
        ..LineChart::default()
    }
    .plot();
    plot.size = SIZE;
    plot.legend_at = LegendAt::TopRight;
    if series.iter().all(|series| series.points.len() == 1) {
        // A single epoch is no line.
        plot.layers.push(Layer::Points(Points {
            points: series.iter().map(single).collect(),
            shapes: series
                .iter()
                .map(|series| match series.dash {
                    Dash::Solid => Shape::Disc,
                    _ => Shape::Ring,
                })
                .collect(),
            radius: 4.0,
            ..Points::default()
        }));
    }
    plot
}

fn single(series: &Series) -> Point {
    Point {
        at: series.points[0],
        colour: series.colour.unwrap_or(Rgb::GREY),
    }
}
