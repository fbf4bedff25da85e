//! Which layer of a file is which of the model: found from widths, names and order.
//!
//! Widths have to fit: the encoder leads from the inputs to the heads, the decoder
//! from the code back over the same widths. A name that speaks of a place keeps its
//! layer there. What is left open by both is decided by order: the layers that come
//! first in the file come first in the model, and of two heads the first is μ.

mod search;

use models::{Activation, MAXIMUM_WIDTH};

use crate::error::ImportError;
use crate::layers::{Layer, Place, Takes};
use crate::words::{self, Kind};

use self::search::{Asked, search};

/// Layers in the places of a model, by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrangement {
    /// Hidden layers of the encoder, first to last.
    pub(crate) encoder: Vec<usize>,
    pub(crate) head: Head,
    /// Layers of the decoder, the one of the outputs last.
    pub(crate) decoder: Vec<usize>,
    /// Values of a row.
    pub(crate) inputs: usize,
    /// Latent variables.
    pub(crate) latent: usize,
    /// Whether the decoder has two outputs for each value.
    pub(crate) is_doubled: bool,
}

/// What the encoder ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// μ and a scale.
    Two(usize, usize),
    /// Both in one layer, μ first.
    Shared(usize),
    /// A code.
    Single(usize),
}

impl Arrangement {
    /// Finds the places of all layers. `inputs` are the values of a row of the data;
    /// `is_variational` is what the model was said to be, if it was.
    ///
    /// # Errors
    /// When the layers are not those of an autoencoder whose decoder mirrors its
    /// encoder.
    pub(crate) fn of(
        layers: &[Layer],
        inputs: Option<usize>,
        is_variational: Option<bool>,
    ) -> Result<Self, ImportError> {
        let asked = |inputs, is_mirrored| Asked {
            layers,
            inputs,
            is_variational,
            is_mirrored,
        };
        if let Some(found) = search(&asked(inputs, true)) {
            return Ok(found);
        }
        if let Some(given) = inputs
            && let Some(other) = search(&asked(None, true))
        {
            return Err(ImportError::Network(format!(
                "the model takes {} values, but a row of the data has {given}; name the data it was trained on with --dataset, or bring rows to its shape with --resize, --colour or --shape",
                other.inputs
            )));
        }
        if let Some(other) = search(&asked(None, false)) {
            return Err(ImportError::Network(format!(
                "the encoder is {} and the decoder {}; expected a decoder that mirrors the encoder, which is all that this program's models can be",
                other.encoder_widths(layers),
                other.decoder_widths(layers)
            )));
        }
        let list: Vec<String> = layers.iter().take(40).map(Layer::shown).collect();
        let list = if list.is_empty() {
            "none".into()
        } else {
            list.join(", ")
        };
        let declared = match is_variational {
            Some(true) => ", with layers for mu and log_var",
            Some(false) => ", with one layer for the code",
            None => "",
        };
        Err(ImportError::Network(format!(
            "these dense layers are not those of an autoencoder whose decoder mirrors its encoder{declared}: {list}; where names or directions mislead, write a file for --map, with lines such as \"encoder.0\" = \"fc1\" and mu = {{ name = \"fc21\", transpose = true }}; of a model in several files give all"
        )))
    }

    /// The layer that takes the rows of the data, or the first of several.
    pub(crate) fn first(&self) -> Option<usize> {
        self.first_layers().first().copied()
    }

    /// The layers that take the rows of the data: without hidden layers those of the
    /// code.
    pub(crate) fn first_layers(&self) -> Vec<usize> {
        match (self.encoder.first(), self.head) {
            (Some(&first), _) => vec![first],
            (None, Head::Two(mean, scale)) => vec![mean, scale],
            (None, Head::Shared(one) | Head::Single(one)) => vec![one],
        }
    }

    /// Widths of the hidden layers.
    pub(crate) fn hidden(&self, layers: &[Layer]) -> Vec<usize> {
        let widths = self.encoder.iter();
        widths.map(|&layer| layers[layer].outputs).collect()
    }

    /// The nonlinearity behind hidden layers, where a graph tells it.
    ///
    /// # Errors
    /// Two different ones, or hidden layers without.
    pub(crate) fn activation(&self, layers: &[Layer]) -> Result<Option<Activation>, ImportError> {
        let heads = match self.head {
            Head::Two(mean, scale) => vec![mean, scale],
            Head::Shared(one) | Head::Single(one) => vec![one],
        };
        let encoder = self.encoder.iter().skip(1).copied();
        let heads = heads.into_iter().filter(|_| !self.encoder.is_empty());
        let decoder = self.decoder.iter().skip(1).copied();
        let mut found = None;
        for layer in encoder.chain(heads).chain(decoder) {
            let Some(Takes::Layer(before, activation)) = layers[layer].takes else {
                continue;
            };
            let Some(activation) = activation else {
                return Err(ImportError::Network(format!(
                    "nothing nonlinear lies between {} and {}; expected relu or tanh behind every hidden layer",
                    layers[before].name, layers[layer].name
                )));
            };
            match found {
                None => found = Some(activation),
                Some(first) if first == activation => {}
                Some(first) => {
                    return Err(ImportError::Network(format!(
                        "hidden layers have the nonlinearities {} and {}; expected one for all, as this program's models have",
                        first.name(),
                        activation.name()
                    )));
                }
            }
        }
        Ok(found)
    }

    /// A line for each part of the model, and what was decided by order.
    pub(crate) fn said(&self, layers: &[Layer]) -> Vec<String> {
        let list = |indices: &[usize]| {
            let shown: Vec<String> = indices.iter().map(|&layer| layers[layer].shown()).collect();
            shown.join(", ")
        };
        let mut said = Vec::new();
        if !self.encoder.is_empty() {
            said.push(format!("encoder: {}", list(&self.encoder)));
        }
        match self.head {
            Head::Two(mean, scale) => {
                said.push(format!("mu: {}", list(&[mean])));
                said.push(format!("log_var: {}", list(&[scale])));
            }
            Head::Shared(one) => said.push(format!(
                "mu and log_var: {}, the first half of its outputs for mu",
                list(&[one])
            )),
            Head::Single(one) => said.push(format!("code: {}", list(&[one]))),
        }
        said.push(format!("decoder: {}", list(&self.decoder)));
        said
    }

    /// What neither widths nor names decided, in sentences.
    /// `shows_mean` says that a graph tells which of two heads is the mean, `is_by_name`
    /// that layers come in the order of their names.
    pub(crate) fn guesses(
        &self,
        layers: &[Layer],
        shows_mean: bool,
        is_by_name: bool,
    ) -> Vec<String> {
        let (first, order) = match is_by_name {
            true => ("comes first by name", "the order of their names"),
            false => ("comes first", "their order"),
        };
        let mut guesses = Vec::new();
        if let Head::Two(mean, scale) = self.head
            && !shows_mean
        {
            let is_told = |layer: usize, kind| {
                layers[layer].place.is_some() || words::kind(&layers[layer].name) == kind
            };
            if !is_told(mean, Kind::Mean) && !is_told(scale, Kind::Scale) {
                guesses.push(format!(
                    "{} is taken for mu and {} for log_var, because it {first}; if it is the other way round, say so with --map: mu = \"{}\"",
                    layers[mean].name, layers[scale].name, layers[scale].name
                ));
            }
        }
        let chain = || self.encoder.iter().chain(&self.decoder).copied();
        let alike = |one: usize, other: usize| {
            let (one, other) = (&layers[one], &layers[other]);
            (one.inputs, one.outputs) == (other.inputs, other.outputs)
                && words::kind(&one.name) == words::kind(&other.name)
                && one.place.or(other.place).is_none()
                && one.takes.is_none()
        };
        let open: Vec<&str> = chain()
            .filter(|&one| chain().any(|other| one != other && alike(one, other)))
            .map(|layer| layers[layer].name.as_str())
            .collect();
        if !open.is_empty() {
            guesses.push(format!(
                "{} have the same widths and are taken in {order}; if it is another one, say so with --map: \"encoder.0\" = \"{}\"",
                open.join(", "),
                open[0]
            ));
        }
        let square: Vec<&str> = layers
            .iter()
            .filter(|layer| layer.is_direction_guessed && layer.inputs == layer.outputs)
            .map(|layer| layer.name.as_str())
            .collect();
        if !square.is_empty() {
            guesses.push(format!(
                "the weights of {} are square and taken to lie as the others do; if not, say so with --map: {{ name = \"{}\", transpose = true }}",
                square.join(", "),
                square[0]
            ));
        }
        guesses
    }

    fn encoder_widths(&self, layers: &[Layer]) -> String {
        let mut widths = vec![self.inputs];
        widths.extend(self.hidden(layers));
        widths.push(self.latent);
        hyphened(&widths)
    }

    fn decoder_widths(&self, layers: &[Layer]) -> String {
        let mut widths = vec![self.latent];
        widths.extend(self.decoder.iter().map(|&layer| layers[layer].outputs));
        hyphened(&widths)
    }
}

fn hyphened(widths: &[usize]) -> String {
    let texts: Vec<String> = widths.iter().map(usize::to_string).collect();
    texts.join("-")
}

/// Refuses layers that no model can have, before any are compared.
///
/// # Errors
/// The first that is too wide, or without width.
pub(crate) fn check_widths(layers: &[Layer]) -> Result<(), ImportError> {
    /// A typing error is likelier than more.
    const MOST_LAYERS: usize = 200;

    if layers.len() > MOST_LAYERS {
        return Err(ImportError::Network(format!(
            "there are {} dense layers; expected at most {MOST_LAYERS}",
            layers.len()
        )));
    }
    let is_wrong = |width: usize| !(1..=2 * MAXIMUM_WIDTH).contains(&width);
    match layers
        .iter()
        .find(|layer| is_wrong(layer.inputs) || is_wrong(layer.outputs))
    {
        Some(layer) => Err(ImportError::Network(format!(
            "the layer {} has a side of a width that no layer has; expected 1 to {MAXIMUM_WIDTH}",
            layer.shown()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

/// Whether a layer can stand at a place, by its name or by what was said.
fn can_be(layers: &[Layer], layer: usize, place: Place) -> bool {
    let is_taken = |other: &Layer| other.place == Some(place);
    match layers[layer].place {
        Some(said) => said == place,
        None => !layers.iter().any(is_taken) && words::kind(&layers[layer].name).can_be(place),
    }
}
