//! Layers in their places as a model under this program's names.

use models::{
    Activation, Architecture, GaussianMean, Model, ModelKind, ModelSpec, NamedTensor,
    PosteriorScale, Standardisation,
};

use crate::arrangement::{Arrangement, Head};
use crate::assumptions::{
    assumed_activation, assumed_likelihood, check_output, check_sigma, mean_of, scale_of,
};
use crate::declared::Declared;
use crate::error::ImportError;
use crate::file::Format;
use crate::graph::{Graph, ScaleUse};
use crate::layers::Layer;
use crate::model::Imported;
use crate::tensor::Tensor;

/// The name of a learned ln σ.
pub(crate) const LOG_SIGMA: &str = "likelihood.log_sigma";

/// What is said of a model that standardises values.
pub(crate) const STANDARDISED: &str =
    "values are standardised by the means and deviations of the file";

/// What is found in a file, whatever its format.
pub(crate) struct Found {
    pub(crate) layers: Vec<Layer>,
    pub(crate) arrangement: Arrangement,
    pub(crate) log_sigma: Option<Tensor>,
    /// What the map calls the scale.
    pub(crate) scale: Option<PosteriorScale>,
    pub(crate) graph: Option<Graph>,
}

/// The model of the layers in their places.
pub(crate) fn assembled(
    found: Found,
    declared: &Declared,
    format: Format,
) -> Result<Imported, ImportError> {
    let Found {
        mut layers,
        arrangement,
        log_sigma,
        scale,
        graph,
    } = found;
    let shows_mean = match &graph {
        Some(graph) => graph.check_code(&arrangement, &layers)?,
        None => false,
    };
    let mut assumed = arrangement.guesses(&layers, shows_mean, format == Format::Safetensors);
    let is_variational = !matches!(arrangement.head, Head::Single(_));
    let told = arrangement.activation(&layers)?;
    if let (Some(told), Some(said)) = (told, declared.activation)
        && told != said
    {
        return Err(ImportError::Undeclared(format!(
            "--activation is {}, but the graph has {} behind hidden layers; leave the option out",
            said.name(),
            told.name()
        )));
    }
    let activation = match arrangement.encoder.is_empty() {
        // Of no hidden layers none has one.
        true => declared.activation.unwrap_or(Activation::Relu),
        false => assumed_activation(declared, told, &mut assumed),
    };
    let ending = graph
        .as_ref()
        .map(|graph| graph.ending(&arrangement, &layers))
        .transpose()?;
    let likelihood = assumed_likelihood(declared, &mut assumed);
    check_output(
        ending.map(|ending| ending.end),
        likelihood,
        declared,
        &mut assumed,
    )?;
    check_sigma(&arrangement, likelihood, log_sigma.as_ref())?;
    let posterior_scale = match arrangement.head {
        Head::Two(_, layer) | Head::Shared(layer) => {
            let used = graph
                .as_ref()
                .map_or(ScaleUse::Unknown, |graph| graph.scale_use(&arrangement));
            let name = &layers[layer].name;
            scale_of(declared, scale, used, name, &mut assumed)?
        }
        Head::Single(_) => PosteriorScale::default(),
    };
    let spec = ModelSpec {
        kind: declared.kind.unwrap_or(match is_variational {
            true => ModelKind::Vae,
            false => ModelKind::Ae,
        }),
        architecture: Architecture {
            inputs: arrangement.inputs,
            hidden: arrangement.hidden(&layers),
            lower: None,
            latent: arrangement.latent,
            activation,
        },
        likelihood,
        posterior_scale,
    };
    spec.validate()?;
    let without: Vec<&str> = layers
        .iter()
        .filter(|layer| !layer.has_bias)
        .map(|layer| layer.name.as_str())
        .collect();
    if !without.is_empty() {
        assumed.push(format!(
            "the file has no bias of {}: zeros stand for it",
            without.join(", ")
        ));
    }
    for layer in &layers {
        require_finite(layer)?;
    }
    let mut said = arrangement.said(&layers);
    let mut standardisation = graph.and_then(|graph| graph.standardisation);
    if let (Some(found), Some(ending)) = (&standardisation, ending)
        && !ending.is_brought_back
    {
        if mean_of(likelihood) == Some(GaussianMean::Identity) {
            assumed.push("the graph standardises its input and does not bring its outputs back: they are taken for standardised values too".into());
        } else {
            require_absorbable(found)?;
            for layer in arrangement.first_layers() {
                absorb(&mut layers[layer], found);
                require_finite(&layers[layer])?;
            }
            assumed.push("the graph standardises its input and does not bring its outputs back: they are taken to be in the units of the data, and the standardising is made a part of the first layer".into());
            standardisation = None;
        }
    }
    let placed = placed(&arrangement, &layers, posterior_scale);
    let names = placed
        .iter()
        .map(|(ours, layer)| {
            let way = if layer.was_transposed {
                ", transposed"
            } else {
                ""
            };
            (ours.clone(), format!("{}{way}", layer.name))
        })
        .collect();
    let mut tensors: Vec<NamedTensor<f32>> = Vec::new();
    for (ours, layer) in placed {
        tensors.push(NamedTensor {
            name: format!("{ours}.weight"),
            shape: vec![layer.outputs, layer.inputs],
            values: layer.weight,
        });
        tensors.push(NamedTensor {
            name: format!("{ours}.bias"),
            shape: vec![layer.outputs],
            values: layer.bias,
        });
    }
    if let Some(log_sigma) = log_sigma {
        let values = log_sigma.values.unwrap_or_default();
        tensors.push(NamedTensor {
            name: LOG_SIGMA.into(),
            shape: vec![values.len()],
            values,
        });
    }
    let mut model = Model::from_named_tensors(spec, tensors)?;
    if let Some(standardisation) = standardisation {
        model = model.with_standardisation(standardisation)?;
        said.push(STANDARDISED.into());
    }
    Ok(Imported {
        model,
        format,
        files: Vec::new(),
        names,
        said,
        assumed,
        preparation: None,
    })
}

/// Makes a layer that takes standardised values, x′ = (x − m) ⁄ d, one of the values as
/// they are: W·x′ + b = (W ⁄ d)·x + (b − (W ⁄ d)·m).
fn absorb(layer: &mut Layer, standardisation: &Standardisation) {
    let (mean, deviation) = (standardisation.mean(), standardisation.deviation());
    let rows = layer.weight.chunks_exact_mut(layer.inputs);
    for (row, bias) in rows.zip(&mut layer.bias) {
        let mut offset = f64::from(*bias);
        for ((weight, &mean), &deviation) in row.iter_mut().zip(mean).zip(deviation) {
            let scaled = f64::from(*weight) / f64::from(deviation);
            offset -= scaled * f64::from(mean);
            *weight = scaled as f32;
        }
        *bias = offset as f32;
    }
}

/// Refuses to make a part of a layer what its numbers cannot hold: (W ⁄ d)·x and
/// (W ⁄ d)·m are |m| ⁄ d times as large as their difference is accurate.
fn require_absorbable(standardisation: &Standardisation) -> Result<(), ImportError> {
    /// Half of the digits of an f32.
    const MOST: f32 = 4096.0;

    let both = standardisation
        .mean()
        .iter()
        .zip(standardisation.deviation());
    let mut ratios = both.filter(|&(&mean, &deviation)| mean.abs() > MOST * deviation);
    match ratios.next() {
        None => Ok(()),
        Some((mean, deviation)) => Err(ImportError::Network(format!(
            "the graph takes {mean} off a value and divides it by {deviation}, which cannot be made a part of its first layer without losing digits; expected a deviation of at least {} of its mean; leave constant columns out, or give them the deviation 1",
            MOST.recip()
        ))),
    }
}

/// Refuses what no network computes with, by the name that the file has for it.
fn require_finite(layer: &Layer) -> Result<(), ImportError> {
    for (part, values) in [("weight", &layer.weight), ("bias", &layer.bias)] {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(ImportError::Network(format!(
                "the {part} of {} holds {value}; expected finite numbers",
                layer.name
            )));
        }
    }
    Ok(())
}

/// Every layer under our name; a shared head in two halves.
fn placed(
    arrangement: &Arrangement,
    layers: &[Layer],
    scale: PosteriorScale,
) -> Vec<(String, Layer)> {
    let scale = match scale {
        PosteriorScale::LogVariance => "log_var",
        PosteriorScale::LogSigma => "log_sigma",
    };
    let numbered = |network: &str, indices: &[usize]| -> Vec<(String, Layer)> {
        indices
            .iter()
            .enumerate()
            .map(|(index, &layer)| (format!("{network}.{}", 2 * index), layers[layer].clone()))
            .collect()
    };
    let mut placed = numbered("encoder", &arrangement.encoder);
    match arrangement.head {
        Head::Two(mean, log) => {
            placed.push(("mu".into(), layers[mean].clone()));
            placed.push((scale.into(), layers[log].clone()));
        }
        Head::Shared(one) => {
            let (mean, log) = halves(&layers[one]);
            placed.push(("mu".into(), mean));
            placed.push((scale.into(), log));
        }
        Head::Single(one) => placed.push(("code".into(), layers[one].clone())),
    }
    placed.extend(numbered("decoder", &arrangement.decoder));
    placed
}

/// A layer of the first and one of the last half of the outputs.
fn halves(layer: &Layer) -> (Layer, Layer) {
    let half = layer.outputs / 2;
    let part = |rows: std::ops::Range<usize>| Layer {
        name: format!("{}[{}..{}]", layer.name, rows.start, rows.end),
        outputs: half,
        weight: layer.weight[rows.start * layer.inputs..rows.end * layer.inputs].to_vec(),
        bias: layer.bias[rows].to_vec(),
        ..layer.clone()
    };
    (part(0..half), part(half..layer.outputs))
}
