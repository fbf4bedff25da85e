//! A file that says which layers of another program's file are which of the model.
//!
//! ```toml
//! # ours = theirs: a layer, whose weight and bias are found by their usual endings
//! "encoder.0" = "fc1"
//! mu = "fc21"
//! # a weight that lies as [inputs, outputs]
//! "decoder.0" = { name = "back1", transpose = true }
//! # outputs of a layer that holds two: from the first up to the last, which is left out
//! log_var = { name = "head", rows = [20, 40] }
//! # single tensors
//! "decoder.2.weight" = "out_matrix"
//! "decoder.2.bias" = "out_offset"
//! # a learned ln σ of the likelihood
//! "likelihood.log_sigma" = "log_scale"
//! # what is no part of the model: names, or beginnings that end in a dot
//! ignore = ["classifier.", "log_scale"]
//! ```
//!
//! Layers that are not named are found as without such a file.

use std::collections::{BTreeMap, BTreeSet};

use models::PosteriorScale;
use serde::Deserialize;

use crate::assembly::LOG_SIGMA;
use crate::error::ImportError;
use crate::layers::{
    Direction, Layer, Layers, Part, Place, agreed, direction_of, parts, require_sides, transposed,
};
use crate::tensor::{Tensor, list, shown};

/// What a file of names says.
#[derive(Clone, Debug, Default)]
pub struct NameMap {
    entries: BTreeMap<String, Theirs>,
    ignore: Vec<String>,
}

/// What stands for one of ours.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Theirs {
    name: String,
    #[serde(default)]
    transpose: Option<bool>,
    #[serde(default)]
    rows: Option<[usize; 2]>,
}

/// Layers, what the scale is called, and the names of their tensors.
type Taken = (Vec<Layer>, Option<PosteriorScale>, BTreeSet<String>);

/// What a map makes of a file's tensors.
pub(crate) struct Applied {
    /// Layers whose place was said.
    pub(crate) layers: Vec<Layer>,
    /// ln σ of the likelihood, where it was named.
    pub(crate) log_sigma: Option<Tensor>,
    /// What the scale is said to be by its name in the map.
    pub(crate) scale: Option<PosteriorScale>,
    /// The way in which weights lie that nothing else tells.
    pub(crate) direction: Option<Direction>,
    /// The tensors of which nothing was said.
    pub(crate) rest: Vec<Tensor>,
}

impl NameMap {
    /// Reads the text of a file; `origin` is its name.
    ///
    /// # Errors
    /// When it is no TOML, or names what no model has.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ImportError> {
        let wrong = |reason: String| ImportError::Map(format!("{origin}: {reason}"));
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            wrong(format!(
                "line {line} is not valid TOML: {}; expected lines such as mu = \"fc21\", with names in quotes",
                error.message()
            ))
        })?;
        let mut map = Self::default();
        for (key, value) in table {
            if key == "ignore" {
                map.ignore = value.try_into().map_err(|_| {
                    wrong(
                        "ignore is no list of names; expected as in ignore = [\"classifier.\"]"
                            .into(),
                    )
                })?;
            } else {
                map.add(key, value).map_err(&wrong)?;
            }
        }
        for (ours, theirs) in &map.entries {
            if ours.ends_with(".bias") && theirs.transpose.is_some() {
                return Err(wrong(format!(
                    "{ours} is transposed, but a bias is no matrix; leave transpose out there"
                )));
            }
            if ours == LOG_SIGMA && (theirs.transpose.is_some() || theirs.rows.is_some()) {
                return Err(wrong(format!(
                    "{ours} has more than a name, but it is taken as it is; expected \"{LOG_SIGMA}\" = \"…\""
                )));
            }
            let stem = ours
                .strip_suffix(".weight")
                .or_else(|| ours.strip_suffix(".bias"))
                .unwrap_or(ours);
            if place(stem).is_none() && ours != LOG_SIGMA {
                return Err(wrong(format!(
                    "{ours} is no layer of a model; expected encoder.0, encoder.2, … for its hidden layers, mu with log_var or log_sigma, code, decoder.0, decoder.2, …, or {LOG_SIGMA}"
                )));
            }
        }
        Ok(map)
    }

    /// Adds an entry; tables without a name are what dots in a key make.
    fn add(&mut self, key: String, value: toml::Value) -> Result<(), String> {
        let theirs = match value {
            toml::Value::String(name) => Theirs {
                name,
                transpose: None,
                rows: None,
            },
            toml::Value::Table(table) if !table.get("name").is_some_and(toml::Value::is_str) => {
                for (inner, value) in table {
                    self.add(format!("{key}.{inner}"), value)?;
                }
                return Ok(());
            }
            value => value.try_into().map_err(|error: toml::de::Error| {
                format!(
                    "{key} is wrong: {}; expected a name, or {{ name = \"…\", transpose = true, rows = [0, 20] }}",
                    error.message()
                )
            })?,
        };
        self.entries.insert(key, theirs);
        Ok(())
    }

    /// Takes the tensors that are named out of all.
    ///
    /// # Errors
    /// A name that is not in the file, or of a tensor that is no such thing.
    pub(crate) fn apply(&self, tensors: Vec<Tensor>) -> Result<Applied, ImportError> {
        let is_ignored = |name: &str| {
            self.ignore.iter().any(|ignored| {
                name == ignored || ignored.ends_with('.') && name.starts_with(ignored.as_str())
            })
        };
        let tensors: Vec<Tensor> = tensors
            .into_iter()
            .filter(|tensor| !is_ignored(&tensor.name))
            .collect();
        let of_file = direction_of(&tensors);
        let (named, _, _) = self.layers(&tensors, of_file)?;
        // Those that the map names tell it too, whatever their tensors are called.
        let told = named.iter().filter(|layer| !layer.is_direction_guessed);
        let told = told.map(|layer| match layer.was_transposed {
            true => Direction::InputsFirst,
            false => Direction::OutputsFirst,
        });
        let direction = agreed(of_file.into_iter().chain(told));
        let (layers, scale, mut used) = self.layers(&tensors, direction)?;
        let mut log_sigma = None;
        if let Some(theirs) = self.entries.get(LOG_SIGMA) {
            let tensor = find(&tensors, &theirs.name, LOG_SIGMA)?;
            used.insert(tensor.name.clone());
            log_sigma = Some(tensor.clone());
        }
        let rest = tensors
            .into_iter()
            .filter(|tensor| !used.contains(&tensor.name))
            .collect();
        Ok(Applied {
            layers,
            log_sigma,
            scale,
            direction,
            rest,
        })
    }

    /// The layers that are named, what the scale is called, and the tensors of both.
    fn layers(
        &self,
        tensors: &[Tensor],
        direction: Option<Direction>,
    ) -> Result<Taken, ImportError> {
        let mut used = BTreeSet::new();
        let mut layers = Vec::new();
        let mut scale = None;
        let stems: BTreeSet<&str> = self
            .entries
            .keys()
            .filter(|key| *key != LOG_SIGMA)
            .map(|key| {
                key.strip_suffix(".weight")
                    .or_else(|| key.strip_suffix(".bias"))
                    .unwrap_or(key)
            })
            .collect();
        for stem in stems {
            let Some(place) = place(stem) else { continue };
            match stem {
                "log_var" => scale = Some(PosteriorScale::LogVariance),
                "log_sigma" => scale = Some(PosteriorScale::LogSigma),
                _ => {}
            }
            let layer = self.layer(stem, tensors, direction, &mut used)?;
            layers.push(Layer {
                place: Some(place),
                ..layer
            });
        }
        Ok((layers, scale, used))
    }

    /// Says the places of the layers of a graph, whose weights are as the graph uses
    /// them; what the scale is called.
    ///
    /// # Errors
    /// A name that no layer has, or parts of a layer.
    pub(crate) fn place(
        &self,
        layers: &mut [Layer],
    ) -> Result<Option<PosteriorScale>, ImportError> {
        let mut scale = None;
        if let Some(ignored) = self.ignore.first() {
            return Err(ImportError::Map(format!(
                "--map ignores {ignored}, which is not done in graphs; leave it out, or export the graph without it"
            )));
        }
        for (ours, theirs) in &self.entries {
            if ours == LOG_SIGMA {
                return Err(ImportError::Map(format!(
                    "--map names {} for {LOG_SIGMA}, but of a graph a learned ln σ is taken under this program's name alone; leave it out, and name the constant {LOG_SIGMA} in the graph",
                    theirs.name
                )));
            }
            let place = place(ours).filter(|_| theirs.rows.is_none() && theirs.transpose.is_none());
            let Some(place) = place else {
                return Err(ImportError::Map(format!(
                    "--map has {ours} with more than the name of a layer, but a graph tells by itself how weights lie; expected as in mu = \"fc21\""
                )));
            };
            let names: Vec<String> = layers.iter().map(|layer| layer.name.clone()).collect();
            let mut named = layers.iter_mut().filter(|layer| layer.name == theirs.name);
            let layer = named.next().ok_or_else(|| {
                ImportError::Map(format!(
                    "--map names {} for {ours}, which the graph has not; it has {}",
                    theirs.name,
                    names.join(", ")
                ))
            })?;
            layer.place = Some(place);
            match ours.as_str() {
                "log_var" => scale = Some(PosteriorScale::LogVariance),
                "log_sigma" => scale = Some(PosteriorScale::LogSigma),
                _ => {}
            }
        }
        Ok(scale)
    }

    /// The layer that stands for ours of the name `stem`.
    fn layer(
        &self,
        stem: &str,
        tensors: &[Tensor],
        direction: Option<Direction>,
        used: &mut BTreeSet<String>,
    ) -> Result<Layer, ImportError> {
        let weight_key = format!("{stem}.weight");
        let bias_key = format!("{stem}.bias");
        let whole = self.entries.get(stem);
        let of_weight = self.entries.get(&weight_key).or(whole).ok_or_else(|| {
            ImportError::Map(format!(
                "--map names a bias for {stem}, but no weight; name both, as in {weight_key} = \"…\""
            ))
        })?;
        let weight = match self.entries.contains_key(&weight_key) {
            true => find(tensors, &of_weight.name, &weight_key)?,
            false => part_of(tensors, &of_weight.name, true)
                .or_else(|| tensors.iter().find(|tensor| tensor.name == of_weight.name))
                .ok_or_else(|| unknown(tensors, &of_weight.name, stem))?,
        };
        let bias = match (self.entries.get(&bias_key), whole) {
            (Some(theirs), _) => Some((find(tensors, &theirs.name, &bias_key)?, theirs)),
            (None, Some(theirs)) => {
                part_of(tensors, &theirs.name, false).map(|bias| (bias, theirs))
            }
            (None, None) => None,
        };
        used.insert(weight.name.clone());
        let &[rows, columns] = weight.shape.as_slice() else {
            return Err(ImportError::Map(format!(
                "--map names {} for the weight of {stem}, but its shape is {}; expected a matrix",
                weight.name,
                shown(&weight.shape)
            )));
        };
        require_sides(&weight.name, [rows, columns]).map_err(ImportError::Network)?;
        let mut alone = vec![Tensor {
            name: "x.weight".into(),
            ..weight.clone()
        }];
        let is_given = of_weight.transpose;
        if let Some(is_transposed) = is_given
            && let Some(values) = &weight.values
        {
            // From here on it lies as [outputs, inputs].
            if is_transposed {
                alone[0].values = Some(transposed(values, rows, columns));
                alone[0].shape = vec![columns, rows];
            }
        } else if let Some((_, Part::Weight(by_name))) = parts(&weight.name)
            && by_name == Some(Direction::InputsFirst)
        {
            alone[0].name = "x.kernel".into();
        }
        let mut cut = None;
        if let Some((bias, theirs)) = bias {
            used.insert(bias.name.clone());
            let values = bias.values.clone().unwrap_or_default();
            // One of other rows than the weight's tells nothing of the whole weight.
            if theirs.rows == of_weight.rows && is_given.is_none() {
                alone.push(Tensor {
                    name: "x.bias".into(),
                    shape: vec![values.len()],
                    values: Some(values.clone()),
                });
            }
            cut = Some(part(&values, 1, theirs.rows, &bias.name, &bias_key)?);
        }
        let direction = match is_given {
            Some(_) => Some(Direction::OutputsFirst),
            None => direction,
        };
        let found = Layers::of(alone, direction, false)?;
        let mut layer = found.layers.into_iter().next().ok_or_else(|| {
            ImportError::Map(format!(
                "--map names {} for {stem}, which holds no weights",
                weight.name
            ))
        })?;
        layer.is_direction_guessed &= is_given.is_none();
        if let Some(is_transposed) = is_given {
            layer.was_transposed = is_transposed;
        }
        layer.name.clone_from(&of_weight.name);
        if let Some([first, end]) = of_weight.rows {
            layer.weight = part(
                &layer.weight,
                layer.inputs,
                of_weight.rows,
                &layer.name,
                stem,
            )?;
            layer.outputs = end - first;
            layer.name = format!("{}[{first}..{end}]", layer.name);
        }
        layer.has_bias = cut.is_some();
        layer.bias = cut.unwrap_or_else(|| vec![0.0; layer.outputs]);
        if layer.bias.len() != layer.outputs {
            return Err(ImportError::Map(format!(
                "--map gives {stem} a bias of {} values and a weight of {} outputs; expected as many, with rows for each that holds more",
                layer.bias.len(),
                layer.outputs
            )));
        }
        Ok(layer)
    }
}

/// Some rows of a matrix, or all.
fn part(
    values: &[f32],
    columns: usize,
    rows: Option<[usize; 2]>,
    theirs: &str,
    ours: &str,
) -> Result<Vec<f32>, ImportError> {
    let Some([first, end]) = rows else {
        return Ok(values.to_vec());
    };
    let outputs = values.len() / columns;
    if first >= end || end > outputs {
        return Err(ImportError::Map(format!(
            "--map takes the rows {first} to {end} of {theirs} for {ours}, which has {outputs} outputs; expected the first and the one behind the last"
        )));
    }
    Ok(values[first * columns..end * columns].to_vec())
}

/// The place that our name of a layer stands for; the indices of hidden layers count
/// nonlinearities too.
fn place(stem: &str) -> Option<Place> {
    let index = |prefix: &str| -> Option<usize> {
        let index: usize = stem.strip_prefix(prefix)?.parse().ok()?;
        index.is_multiple_of(2).then_some(index / 2)
    };
    match stem {
        "mu" => Some(Place::Mean),
        "log_var" | "log_sigma" => Some(Place::Scale),
        "code" => Some(Place::Code),
        _ => index("encoder.")
            .map(Place::Encoder)
            .or_else(|| index("decoder.").map(Place::Decoder)),
    }
}

fn find<'a>(tensors: &'a [Tensor], name: &str, ours: &str) -> Result<&'a Tensor, ImportError> {
    let mut all = tensors.iter();
    all.find(|tensor| tensor.name == name)
        .ok_or_else(|| unknown(tensors, name, ours))
}

/// The weight or the bias of a layer of theirs.
fn part_of<'a>(tensors: &'a [Tensor], layer: &str, is_weight: bool) -> Option<&'a Tensor> {
    tensors.iter().find(|tensor| {
        parts(&tensor.name)
            .is_some_and(|(name, part)| name == layer && (part != Part::Bias) == is_weight)
    })
}

fn unknown(tensors: &[Tensor], name: &str, ours: &str) -> ImportError {
    ImportError::Map(format!(
        "--map names {name} for {ours}, which the file has not; it has {}",
        list(tensors)
    ))
}

#[cfg(test)]
mod tests;
