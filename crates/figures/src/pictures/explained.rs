//! Which codes explain an image: its likelihood around its posterior.

use ndarray::{Array1, Array2, ArrayView1};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::charts::DensityMap;
use viz::page::Block;
use viz::{Dash, Ellipse, Ellipses, Field, Figure, Layer, Plot, Rgb, lattice_of, linspace};

use super::Picture;
use super::each_run::{in_rows, of_each, panel_side, with_one_bar_a_row};
use super::map::in_sentences;
use crate::choice::{chosen, one_of_at_most};
use crate::figure_data::rounded;
use crate::plane::{Axes, Plane};
use crate::wording::{capitalised, listed, seeds_and_epochs};
use crate::{Drawing, TrainedRun};

/// Images without `images`: a row of panels.
const IMAGES: usize = 3;
/// Codes along each side.
const STEPS: usize = 61;
/// Nats below the best code at which colours end.
const DEPTH: f64 = 20.0;
/// Half the side of a panel in standard deviations of the wider axis.
const REACH: f64 = 6.0;
/// Codes on the inner ellipse.
const ON_THE_ELLIPSE: usize = 64;

/// log p(x|z) of single images over the codes around their posteriors' means,
/// with the posteriors: whether the inside of the ellipse is the region that
/// reconstructs the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Explained {
    /// Indices of test images; without any, the first one of some classes.
    pub images: Vec<usize>,
    /// The two of more latent variables, the others at the image's own mean.
    pub axes: Axes,
}

/// One image's posterior over two latent variables, and its whole code.
struct Around {
    code: Array1<f32>,
    variables: [usize; 2],
    mean: [f64; 2],
    deviation: [f64; 2],
}

impl Around {
    fn of(
        mean: ArrayView1<'_, f32>,
        log_variance: ArrayView1<'_, f32>,
        variables: [usize; 2],
    ) -> Self {
        Self {
            mean: variables.map(|at| f64::from(mean[at])),
            deviation: variables.map(|at| f64::from(0.5 * log_variance[at]).exp()),
            code: mean.to_owned(),
            variables,
        }
    }

    /// The code with its two variables at each of `points`.
    fn codes(&self, points: &[[f64; 2]]) -> Array2<f32> {
        let mut codes = Array2::from_shape_fn((points.len(), self.code.len()), |(_, column)| {
            self.code[column]
        });
        for (mut code, point) in codes.rows_mut().into_iter().zip(points) {
            for (at, value) in self.variables.iter().zip(point) {
                code[*at] = *value as f32;
            }
        }
        codes
    }

    /// Codes all around at one standard deviation.
    fn ellipse(&self) -> Vec<[f64; 2]> {
        let angle = |step: usize| std::f64::consts::TAU * step as f64 / ON_THE_ELLIPSE as f64;
        let at = |step| {
            let (sine, cosine) = f64::sin_cos(angle(step));
            [
                self.mean[0] + self.deviation[0] * cosine,
                self.mean[1] + self.deviation[1] * sine,
            ]
        };
        (0..ON_THE_ELLIPSE).map(at).collect()
    }

    fn outline(&self, deviations: f64, dash: Dash) -> Layer {
        Layer::Ellipses(Ellipses {
            ellipses: vec![Ellipse {
                centre: self.mean,
                radii: self.deviation.map(|radius| deviations * radius),
                angle: 0.0,
                colour: Rgb::hex(0xd0342c),
            }],
            fill: 0.0,
            edge: 1.0,
            width: 2.0,
            dash,
        })
    }
}

impl Picture for Explained {
    const NAME: &'static str = "explained";
    const TITLE: &'static str = "Codes that explain an image";
    const ABOUT: &'static str = "log p(x|z) of single images around their posteriors";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let dataset = drawing.dataset;
        let choice = if self.images.is_empty() {
            one_of_at_most(IMAGES, &dataset.test, dataset.classes())
        } else {
            chosen(&self.images, dataset, Self::NAME)?
        };
        let (found, left_out) = of_each(runs, |run| {
            let codes = run.codes(&dataset.test)?;
            let log_variances = run.log_variances(&codes)?;
            let plane = Plane::of(&codes, self.axes)?;
            let variables = plane.variables().ok_or_else(|| {
                Error::Undefined("it shows two latent variables, not principal directions".into())
            })?;
            let around = choice.images.iter().map(|&image| {
                let [mean, log_variance] = [&codes.mean, log_variances].map(|all| all.row(image));
                Around::of(mean, log_variance, variables)
            });
            Ok((plane, around.collect::<Vec<Around>>()))
        })?;
        let (mut plots, mut data, mut planes) = (Vec::<Plot>::new(), Vec::new(), Vec::new());
        let (mut shown, mut sentences) = (Vec::new(), Vec::new());
        let side = panel_side(found.len() * choice.images.len());
        for (run, (plane, around)) in found {
            // Of the whole test set: what is drawn of a row depends on its place.
            let test = run.seen(&dataset.test)?;
            let mut losses = Vec::new();
            for (row, around) in around.iter().enumerate() {
                let at = choice.images[row];
                let image = test.images().slice_rows(at..at + 1);
                let explained = |points: &[[f64; 2]]| {
                    let codes = around.codes(points);
                    run.model.log_likelihoods(codes.view(), image, points.len())
                };
                let half = REACH * around.deviation[0].max(around.deviation[1]);
                let ranges = around.mean.map(|mean| [mean - half, mean + half]);
                let [first, second] = ranges.map(|[low, high]| linspace(STEPS, low, high));
                let values = explained(&lattice_of(&first, &second));
                let best = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let values = values
                    .iter()
                    .map(|&value| f64::from(value - best))
                    .collect();
                let field = Field::new(STEPS, STEPS, ranges[0], ranges[1], values)?;
                let label = dataset
                    .test
                    .labels()
                    .map(|labels| labels[choice.images[row]]);
                let name = match label {
                    Some(class) => dataset.class_names[class as usize].clone(),
                    None => format!("image {}", choice.images[row]),
                };
                let title = format!("{}: {name}", run.title());
                let mut plot = DensityMap {
                    title: &title,
                    value_label: "log p(x|z) below the best, nats",
                    labels: [&plane.labels[0], &plane.labels[1]],
                    limits: Some([-DEPTH, 0.0]),
                    contours: 3,
                    size: [side; 2],
                    ..DensityMap::new(&field)
                }
                .plot();
                plot.layers.push(around.outline(1.0, Dash::Solid));
                plot.layers.push(around.outline(2.0, Dash::Dashed));
                plots.push(plot);
                // log p(x|z) at μ against its mean on the inner ellipse.
                let [centre, on_it] = [&[around.mean][..], &around.ellipse()].map(|points| {
                    let values = explained(points);
                    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
                    sum / points.len() as f64
                });
                losses.push(centre - on_it);
                data.push(json!({
                    "model": run.key,
                    "test_image": choice.images[row],
                    "mean": around.mean.map(rounded),
                    "standard_deviation": around.deviation.map(rounded),
                    "loss_on_ellipse": rounded(centre - on_it),
                }));
            }
            let losses: Vec<String> = losses
                .iter()
                .map(|loss| viz::number::decimal(*loss, 1))
                .collect();
            sentences.push(format!("{}: {} nats", run.title(), listed(&losses)));
            planes.push((run.title(), plane.words_of_projection().to_owned()));
            shown.push(run);
        }
        // The posterior that maximises another objective is not p(z|x).
        let is_plain = shown.iter().all(|run| {
            let training = &run.configuration.training;
            training.beta == 1.0 && training.free_bits == 0.0 && training.objective == "elbo"
        });
        let caption = format!(
            "log p(x|z) of {} under the codes around its own, in nats below the best of them; red \
             the posterior q(z|x) at one (solid) and two (dashed) standard deviations. What the \
             image loses against μ on the solid line, on average: {}{}.{} {}.{left_out}",
            choice.words,
            sentences.join("; "),
            if is_plain {
                "; under an exact normal posterior half a nat, but for the prior"
            } else {
                ""
            },
            in_sentences(&planes),
            capitalised(&seeds_and_epochs(&shown)),
        );
        let count = plots.len();
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(in_rows(with_one_bar_a_row(plots, count)))
        };
        drawing.chart(file, figure, &shown, json!(data))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn codes_move_in_two_variables_about_the_image() {
        let (mean, log_variance) = (array![1.0, 2.0, 3.0], array![0.0, 2.0 * 2f32.ln(), 9.0]);
        let around = Around::of(mean.view(), log_variance.view(), [1, 0]);
        assert_eq!(around.mean, [2.0, 1.0]);
        assert!((around.deviation[0] - 2.0).abs() < 1e-6 && around.deviation[1] == 1.0);
        assert_eq!(around.codes(&[[7.0, 8.0]]), array![[8.0, 7.0, 3.0]]);
        for [x, y] in around.ellipse() {
            let away = ((x - 2.0) / 2.0).powi(2) + (y - 1.0).powi(2);
            assert!((away - 1.0).abs() < 1e-6, "{away}");
        }
    }
}
