//! Posteriors of chosen images as ellipses.

use std::collections::BTreeSet;

use datasets::Dataset;
use evaluation::aggregate_posterior::Lattice;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts;
use viz::page::Block;
use viz::{Field, Figure, Layer, Panel, Plot};

use super::Picture;
use super::each_run::{in_rows, legend_of_drawn, of_each, panel_side};
use super::map::in_sentences;
use crate::choice::{chosen, one_of_at_most};
use crate::plane::Axes;
use crate::plane_map::rounded_points;
use crate::posteriors::{self, HalfWidth, lattice_field};
use crate::wording::{capitalised, seeds_and_epochs, spelled, test_images};
use crate::{Drawing, TrainedRun};

/// Cells along each side of the density below the ellipses.
const CELLS: usize = 121;
/// So many posteriors are told apart where they lie on one another.
const MOST: usize = 10;
/// Distance below which two means crowd, as a share of the square's side.
const CROWDED: f64 = 0.04;

/// Posteriors of some test images as ellipses of one and two standard
/// deviations over the aggregate posterior.
///
/// So few that they can be told apart: without `images`, one of each class and
/// never more than ten; where their means crowd, only the legend names them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Posteriors {
    /// Which images.
    pub of: Of,
    /// Indices of test images instead.
    pub images: Vec<usize>,
    /// Half the side of the square.
    pub range: HalfWidth,
    /// The two of more latent variables.
    pub axes: Axes,
}

/// Whose posteriors are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The first test image of each class.
    #[default]
    EachClass,
    /// Of each class the image whose posterior is densest at the origin.
    Origin,
}

/// Some posteriors in one panel.
#[derive(Debug)]
pub struct Ellipses<'a> {
    /// Title of the panel.
    pub title: &'a str,
    /// Test images.
    pub images: &'a [usize],
    /// Half the side of the square.
    pub half_width: f64,
    /// Whether the classes stand beside the ellipses.
    pub named: bool,
}

impl Ellipses<'_> {
    /// The panel, over a density, and its numbers.
    ///
    /// # Errors
    /// Images that are not there.
    pub fn plot(
        &self,
        dataset: &Dataset,
        posteriors: &posteriors::Posteriors,
        aggregate: &Field,
    ) -> Result<(Plot, Value), Error> {
        let images = self.images;
        let pick = |from: &[[f64; 2]]| images.iter().map(|&i| from[i]).collect::<Vec<_>>();
        let (means, deviations) = (pick(&posteriors.means), pick(&posteriors.deviations));
        let classes: Option<Vec<u32>> = dataset
            .test
            .labels()
            .map(|labels| images.iter().map(|&image| labels[image]).collect());
        let words: Vec<String> = match &classes {
            Some(classes) if self.named => classes
                .iter()
                .map(|&class| dataset.class_names[class as usize].clone())
                .collect(),
            _ => Vec::new(),
        };
        // A root keeps the thin parts of q(z) visible beside its peaks.
        let grey = Field {
            values: aggregate
                .values
                .iter()
                .map(|density| density.sqrt())
                .collect(),
            ..aggregate.clone()
        };
        let mut plot = charts::Posteriors {
            title: self.title,
            means: &means,
            deviations: &deviations,
            classes: classes.as_deref().into(),
            class_names: &dataset.class_names,
            words: &words,
            aggregate: Some(&grey),
            prior: true,
            ranges: Some([[-self.half_width, self.half_width]; 2]),
        }
        .plot()?;
        let [x, y] = &posteriors.plane.labels;
        (plot.x.label, plot.y.label) = (x.clone(), y.clone());
        // Names beside the ellipses, not over them.
        if let Some(Layer::Labels(labels)) = plot.layers.last_mut() {
            labels.offset = [0.0, 17.0];
        }
        if classes.is_none() || !self.named {
            see_through(&mut plot.layers);
        }
        let data = json!({
            "test_images": images,
            "classes": classes,
            "means": rounded_points(&means),
            "standard_deviations": rounded_points(&deviations),
        });
        Ok((plot, data))
    }
}

/// Ellipses of one colour, or on one another, as outlines: filled, they would
/// hide each other.
fn see_through(layers: &mut [Layer]) {
    for layer in layers {
        if let Layer::Ellipses(ellipses) = layer {
            ellipses.fill *= 0.1;
        }
    }
}

/// The images whose posteriors are drawn at the origin, where only so many can
/// be told apart: of those whose 95 % ellipse holds it, the densest there of
/// each class. None where no posterior reaches the origin.
#[must_use]
pub fn at_the_origin(posteriors: &posteriors::Posteriors, labels: Option<&[u32]>) -> Vec<usize> {
    posteriors.densest_at_origin(posteriors.covering_origin(), labels, MOST)
}

/// Which posteriors [`at_the_origin`] are, in words.
#[must_use]
pub fn at_the_origin_in_words(dataset: &Dataset) -> String {
    let most = spelled(MOST);
    if dataset.test.labels().is_none() {
        return format!(
            "at most {most} images whose 95 % ellipse holds the origin, those densest there"
        );
    }
    let some = if dataset.classes() > MOST {
        format!(" of at most {most} classes")
    } else {
        String::new()
    };
    format!(
        "of the images whose 95 % ellipse holds the origin the densest there of each class{some}"
    )
}

/// Whether more than half of the points have another nearer than `distance`.
fn is_crowded(points: &[[f64; 2]], distance: f64) -> bool {
    let near = |at: usize| {
        let [x, y] = points[at];
        let mut others = (0..points.len()).filter(|&other| other != at);
        others.any(|other| (points[other][0] - x).hypot(points[other][1] - y) < distance)
    };
    2 * (0..points.len()).filter(|&at| near(at)).count() > points.len()
}

impl Picture for Posteriors {
    const NAME: &'static str = "posteriors";
    const TITLE: &'static str = "Posteriors";
    const ABOUT: &'static str = "q(z|x) of one image of each class as ellipses over q(z)";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let dataset = drawing.dataset;
        let fixed = match (self.of, self.images.is_empty()) {
            (Of::EachClass, true) => Some(one_of_at_most(MOST, &dataset.test, dataset.classes())),
            (Of::Origin, true) => None,
            (_, false) => Some(chosen(&self.images, dataset, Self::NAME)?),
        };
        let (drawn, left_out) = of_each(runs, |run| {
            let posteriors = posteriors::Posteriors::of(drawing, run, self.axes)?;
            let lattice = Lattice {
                half_width: posteriors.half_width(self.range)?,
                cells: CELLS,
            };
            let found = posteriors.aggregate(drawing, run, lattice)?;
            let images = match &fixed {
                Some(choice) => choice.images.clone(),
                None => at_the_origin(&posteriors, dataset.test.labels()),
            };
            if images.is_empty() {
                return Err(Error::Undefined(
                    "no posterior's 95 % ellipse holds the origin".into(),
                ));
            }
            Ok((posteriors, images, lattice, found.density))
        })?;
        let side = panel_side(drawn.len());
        let mut legend = Vec::new();
        let (mut panels, mut planes, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut shown = Vec::new();
        let mut classes = BTreeSet::new();
        for (run, (posteriors, images, lattice, density)) in drawn {
            let half_width = match self.of {
                Of::Origin if fixed.is_none() && self.range == HalfWidth::Automatic => {
                    posteriors.reach(&images)
                }
                _ => lattice.half_width,
            };
            if let Some(labels) = dataset.test.labels() {
                classes.extend(images.iter().map(|&image| labels[image]));
            }
            let means: Vec<[f64; 2]> = images.iter().map(|&i| posteriors.means[i]).collect();
            let ellipses = Ellipses {
                title: &run.title(),
                images: &images,
                half_width,
                named: !is_crowded(&means, 2.0 * half_width * CROWDED),
            };
            let field = lattice_field(lattice, density)?;
            let (mut plot, numbers) = ellipses.plot(dataset, &posteriors, &field)?;
            plot.size = [side; 2];
            legend = std::mem::take(&mut plot.legend);
            panels.push(Panel::from(plot));
            data.push(json!({
                "model": run.key,
                "plane": posteriors.plane.words_of_projection(),
                "posteriors": numbers,
            }));
            planes.push((
                run.title(),
                posteriors.plane.words_of_projection().to_owned(),
            ));
            shown.push(run);
        }
        legend_of_drawn(&mut legend, &classes);
        let which = match &fixed {
            Some(choice) => choice.words.clone(),
            None => at_the_origin_in_words(dataset),
        };
        let caption = format!(
            "Posteriors q(z|x) of {which}: ellipses of one and two standard deviations over the \
             aggregate posterior q(z) of the {} (grey, darker with the root of the density), with \
             the prior's circles.{} {}.{left_out}",
            test_images(dataset),
            in_sentences(&planes),
            capitalised(&seeds_and_epochs(&shown)),
        );
        let figure = Figure {
            title: format!("Posteriors of single {}", dataset.shape().noun()),
            caption,
            legend,
            ..Figure::grid(in_rows(panels))
        };
        drawing.chart(file, figure, &shown, json!(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_means_do_not_crowd() {
        let apart = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0]];
        assert!(!is_crowded(&apart, 0.2));
        assert!(is_crowded(&apart, 1.01));
        assert!(!is_crowded(&[], 1.0) && !is_crowded(&[[0.0; 2]], 1.0));
    }
}
