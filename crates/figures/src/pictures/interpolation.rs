//! What lies between two images.

use datasets::Dataset;
use evaluation::geodesic::{Geodesic, Path, geodesic};
use evaluation::stretch::DecoderNetwork;
use ndarray::{Array2, Axis, concatenate};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::ClassScatter;
use viz::page::Block;
use viz::{Dash, Figure, Layer, LegendEntry, Line, Panel, Rgb, Swatch};

use super::Picture;
use super::each_run::{in_rows, panel_side};
use crate::choice::{chosen, in_random_order, one_of_at_most};
use crate::figure_data::{self, rounded};
use crate::tiles::{Layout, panel};
use crate::wording::{seeds_and_epochs, test_images};
use crate::{Drawing, TrainedRun};

/// Paths over the colours of classes.
const DARK: Rgb = Rgb::hex(0x2b3038);

/// Strips between pairs of test images: straight in code space, and along a
/// shortest path in the decoder's metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interpolation {
    /// Indices of test images, two for each pair; without any, images of
    /// neighbouring classes.
    pub images: Vec<usize>,
    /// Pairs, where `images` names none.
    pub pairs: usize,
    /// Images in a strip, both ends included.
    pub steps: usize,
}

impl Default for Interpolation {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            pairs: 3,
            steps: 11,
        }
    }
}

impl Picture for Interpolation {
    const NAME: &'static str = "interpolation";
    const TITLE: &'static str = "Between two images";
    const ABOUT: &'static str =
        "from one test image to another: straight, and along the decoder's shortest path";

    fn check(&self) -> Result<(), Error> {
        if !(3..=101).contains(&self.steps)
            || !self.images.len().is_multiple_of(2)
            || self.pairs == 0
        {
            return Err(Error::Configuration(format!(
                "{} pairs, {} images and {} steps make no interpolation; expected 3 to 101 steps, at least one pair, and two images for each",
                self.pairs,
                self.images.len(),
                self.steps
            )));
        }
        Ok(())
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (dataset, test) = (drawing.dataset, &drawing.dataset.test);
        let ends = if self.images.is_empty() {
            let mut images = one_of_at_most(2 * self.pairs, test, dataset.classes()).images;
            // Fewer classes than images: any others.
            for other in in_random_order(test.len(), 2 * self.pairs + images.len()) {
                if images.len() < 2 * self.pairs && !images.contains(&other) {
                    images.push(other);
                }
            }
            images.truncate(images.len() / 2 * 2);
            images
        } else {
            chosen(&self.images, dataset, Self::NAME)?.images
        };
        if ends.is_empty() {
            return Err(Error::Undefined("it takes two test images".into()));
        }
        let mut panels = Vec::new();
        let mut data = Vec::new();
        let mut in_planes = Vec::new();
        for run in runs {
            let mut found = Vec::new();
            // Of the whole test set: what is drawn of a row depends on its place.
            let codes = run.codes(test)?.mean.select(Axis(0), &ends);
            let codes = codes.mapv(f64::from);
            let decoder = DecoderNetwork::of_model(&run.model);
            let mut strips: Vec<Array2<f32>> = Vec::new();
            let mut heads = Vec::new();
            for pair in 0..ends.len() / 2 {
                let (from, to) = (codes.row(2 * pair), codes.row(2 * pair + 1));
                let between = geodesic(&decoder, from, to, self.steps - 1)?;
                let Geodesic { straight, shortest } = &between;
                for (name, path) in [("straight", straight), ("shortest", shortest)] {
                    strips.push(run.decoded(path.codes.mapv(|z| z as f32).view()));
                    let length = viz::number::decimal(path.length, 1);
                    heads.push(format!("{name}, {length}"));
                }
                data.push(json!({
                    "model": run.key,
                    "images": [ends[2 * pair], ends[2 * pair + 1]],
                    "length_straight": straight.length,
                    "length_shortest": shortest.length,
                }));
                found.push(between);
            }
            if run.latent() == 2 {
                in_planes.push((*run, found));
            }
            let views: Vec<_> = strips.iter().map(|strip| strip.view()).collect();
            let all = concatenate(Axis(0), &views).expect("strips of one length");
            let layout = Layout {
                gutter: 1,
                background: 255,
                pixel: 1.0,
                ..Layout::map(strips.len(), self.steps)
            };
            let mut tiles = panel(&run.title(), run.shape, all.view(), layout)?;
            tiles.row_heads = heads;
            panels.push(Panel::from(tiles));
        }
        let caption = format!(
            "Mean images of {} codes from that of one test image to that of another: straight in \
             the latent space, and below it along a path of least energy in the metric that the \
             decoder pulls back from the images, found from the straight one. Beside each its \
             length: the sum of the Euclidean distances of neighbouring images; {}.",
            self.steps,
            seeds_and_epochs(runs),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(panels))
        };
        let mut blocks = drawing.chart(file, figure, runs, json!(data))?;
        if !in_planes.is_empty() {
            let shown: Vec<&TrainedRun> = in_planes.iter().map(|&(run, _)| run).collect();
            let (figure, data) = in_the_plane(dataset, &in_planes)?;
            blocks.extend(drawing.chart(&format!("{file}-paths"), figure, &shown, data)?);
        }
        Ok(blocks)
    }
}

/// The paths of runs of two latent variables over the codes of the test images.
fn in_the_plane(
    dataset: &Dataset,
    runs: &[(&TrainedRun, Vec<Geodesic>)],
) -> Result<(Figure, Value), Error> {
    let line = |path: &Path, dash| Line {
        points: points(path),
        colour: DARK,
        width: 2.2,
        dash,
        ..Line::default()
    };
    let mut legend = Vec::new();
    let mut panels = Vec::new();
    let mut data = Vec::new();
    for (run, paths) in runs {
        let codes: Vec<[f64; 2]> = figure_data::points(run.codes(&dataset.test)?.mean.view());
        let mut plot = ClassScatter {
            title: &run.title(),
            points: &codes,
            classes: dataset.test.labels().into(),
            class_names: &dataset.class_names,
            alpha: Some(0.2),
            ..ClassScatter::default()
        }
        .plot()?;
        plot.size = [panel_side(runs.len()); 2];
        legend = std::mem::take(&mut plot.legend);
        // Below the names of classes.
        let names = plot.layers.pop();
        for Geodesic { straight, shortest } in paths {
            plot.layers.push(Layer::Line(line(straight, Dash::Dashed)));
            plot.layers.push(Layer::Line(line(shortest, Dash::Solid)));
        }
        plot.layers.extend(names);
        panels.push(Panel::from(plot));
        let of_pair = |Geodesic { straight, shortest }: &Geodesic| json!({"straight": points(straight), "shortest": points(shortest)});
        data.push(json!({
            "model": run.key,
            "paths": paths.iter().map(of_pair).collect::<Vec<_>>(),
        }));
    }
    legend.extend(
        [("straight", Dash::Dashed), ("shortest", Dash::Solid)]
            .map(|(name, dash)| LegendEntry::new(name, DARK, Swatch::Line(dash))),
    );
    let shown: Vec<&TrainedRun> = runs.iter().map(|&(run, _)| run).collect();
    let caption = format!(
        "The same paths over the codes of the {}: dashed the straight ones, solid those of least \
         energy; {}.",
        test_images(dataset),
        seeds_and_epochs(&shown),
    );
    let figure = Figure {
        title: "Paths between codes".into(),
        caption,
        legend,
        ..Figure::grid(in_rows(panels))
    };
    Ok((figure, json!(data)))
}

fn points(path: &Path) -> Vec<[f64; 2]> {
    let codes = path.codes.outer_iter();
    codes
        .map(|code| [rounded(code[0]), rounded(code[1])])
        .collect()
}
