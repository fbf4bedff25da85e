//! Encoder and decoder as a drawing.

use models::PosteriorScale;
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::{Network, NetworkLayer};
use viz::page::Block;
use viz::{Figure, Panel, Rgb, class_colour};

use super::Picture;
use crate::trained_run::title;
use crate::wording::count;
use crate::{Drawing, TrainedRun};

/// The layers of each run's encoder and decoder, one drawing for every model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Architecture {}

/// What a run's network computes, from what it is shown to what it makes of it.
fn layers(run: &TrainedRun) -> Vec<NetworkLayer> {
    let [encoder, code, decoder] = [0, 1, 2].map(class_colour);
    let layer = |name: &str, width: usize, colour: Rgb| NetworkLayer {
        name: name.into(),
        words: count(width),
        width,
        colour,
    };
    let spec = run.model.spec();
    let architecture = &spec.architecture;
    let hidden = |widths: &[usize], colour| -> Vec<NetworkLayer> {
        let widths = widths.iter();
        widths
            .map(|&width| layer("hidden", width, colour))
            .collect()
    };
    let mirrored = |widths: &[usize]| widths.iter().rev().copied().collect::<Vec<usize>>();
    let scale = match spec.posterior_scale {
        PosteriorScale::LogVariance => "μ, log σ²",
        PosteriorScale::LogSigma => "μ, log σ",
    };
    let distribution = |width: usize, colour| NetworkLayer {
        words: format!("2 × {}", count(width)),
        ..layer(scale, 2 * width, colour)
    };
    let mut layers = vec![layer("input", architecture.inputs, Rgb::GREY)];
    layers.extend(hidden(&architecture.hidden, encoder));
    if let Some(lower) = &architecture.lower {
        layers.push(distribution(lower.latent, encoder));
        layers.push(layer("h = μ + σε", lower.latent, code));
        layers.extend(hidden(&lower.upper_hidden, encoder));
    }
    if run.is_variational() {
        layers.push(distribution(architecture.latent, encoder));
        layers.push(layer("z = μ + σε", architecture.latent, code));
    } else {
        layers.push(layer("z", architecture.latent, code));
    }
    if let Some(lower) = &architecture.lower {
        layers.extend(hidden(&mirrored(&lower.upper_hidden), decoder));
        layers.push(distribution(lower.latent, decoder));
        layers.push(layer("h", lower.latent, code));
    }
    layers.extend(hidden(&mirrored(&architecture.hidden), decoder));
    layers.push(layer("decoded", architecture.inputs, Rgb::GREY));
    layers
}

impl Picture for Architecture {
    const NAME: &'static str = "architecture";
    const TITLE: &'static str = "Encoder and decoder";
    const ABOUT: &'static str = "the layers of each model as a drawing";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let mut drawn: Vec<(String, Vec<NetworkLayer>)> = Vec::new();
        let (mut panels, mut shown, mut data) = (Vec::new(), Vec::new(), Vec::<Value>::new());
        for &run in runs {
            // Runs of one model differ in what is not drawn.
            let model = (title(run.model.spec()), layers(run));
            if drawn.contains(&model) {
                continue;
            }
            let (title, layers) = &model;
            let network = Network { title, layers };
            panels.push(vec![Panel::from(network.plot()?)]);
            let boxes = layers.iter();
            let boxes: Vec<Value> = boxes
                .map(|layer| json!([layer.name, layer.width]))
                .collect();
            data.push(json!({"model": run.key, "layers": boxes}));
            shown.push(run);
            drawn.push(model);
        }
        let sampled = if runs.iter().any(|run| run.is_variational()) {
            " ε is drawn from N(0, I) anew every time, and left out where a figure decodes μ."
        } else {
            ""
        };
        let of_two = if runs.iter().any(|run| run.has_lower_layer()) {
            " h is the lower of two stochastic layers: in training that of the encoder goes on to \
             the image, and the decoder's p(h|z) is its prior; a figure that decodes z takes the \
             prior's mean."
        } else {
            ""
        };
        let caption = format!(
            "The layers of {}, left to right: encoder (blue), code (yellow), decoder (red). A \
             box's height goes with the logarithm of its width, which stands below it; every value \
             of a layer is computed from all of the layer before.{sampled}{of_two}",
            if drawn.len() == 1 {
                "the model"
            } else {
                "each model"
            },
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::grid(panels)
        };
        drawing.chart(file, figure, &shown, json!(data))
    }
}
