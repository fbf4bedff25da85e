//! A file's layers as a model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use models::{Model, ModelKind, ModelSpec};

use crate::arrangement::{Arrangement, check_widths};
use crate::assembly::{Found, LOG_SIGMA, STANDARDISED, assembled};
use crate::assumptions::{assumed_activation, assumed_likelihood};
use crate::declared::Declared;
use crate::error::ImportError;
use crate::file::{Contents, Format, Weights};
use crate::graph::Graph;
use crate::layers::{Layer, Layers, Takes, direction_of, leftovers};
use crate::map::{Applied, NameMap};
use crate::own_names;
use crate::tensor::{Tensor, list};

/// A model that another program trained.
#[derive(Clone, Debug)]
pub struct Imported {
    /// It, with the weights of the file.
    pub model: Model,
    /// The format that it was read from.
    pub format: Format,
    /// Each file with the SHA-256 of its bytes.
    pub files: Vec<(PathBuf, String)>,
    /// Our names of its layers, and theirs.
    pub names: BTreeMap<String, String>,
    /// Which layer is which, a line for each part.
    pub said: Vec<String>,
    /// What was decided that the file does not tell, in sentences.
    pub assumed: Vec<String>,
    /// The settings by which rows were made ready for it, where the file says so.
    pub preparation: Option<String>,
}

/// Reads a model out of one file, or out of several that hold a part each, such as
/// its encoder and its decoder.
///
/// # Errors
/// A file that cannot be read or is damaged; tensors that are no autoencoder of dense
/// layers whose decoder mirrors its encoder, with a list of them; what has to be
/// declared.
pub fn read(
    paths: &[PathBuf],
    map: Option<&NameMap>,
    declared: &Declared,
) -> Result<Imported, ImportError> {
    read_files(paths, map, declared).map_err(|error| match error {
        ImportError::Network(reason) if !paths.is_empty() => {
            let names = paths.iter().map(|path| path.display().to_string());
            let names: Vec<String> = names.collect();
            ImportError::Network(format!("{}: {reason}", names.join(", ")))
        }
        error => error,
    })
}

fn read_files(
    paths: &[PathBuf],
    map: Option<&NameMap>,
    declared: &Declared,
) -> Result<Imported, ImportError> {
    let contents: Vec<Contents> = paths
        .iter()
        .map(|path| Contents::read(path))
        .collect::<Result<_, _>>()?;
    let digests = contents.iter().map(|file| file.sha256.clone());
    let files: Vec<(PathBuf, String)> = paths.iter().cloned().zip(digests).collect();
    let Some(format) = contents.first().map(|file| file.format) else {
        return Err(ImportError::Network(
            "no file was named to be imported".into(),
        ));
    };
    let mut assumed: Vec<String> = contents
        .iter()
        .flat_map(|file| file.notes.clone())
        .collect();
    if let ([path], [file]) = (paths, contents.as_slice())
        && file.is_own
    {
        // With its seal checked. That reads the file again, whose digest has to be that
        // of what was read.
        let model = Model::load(path)?;
        if Contents::read(path)?.sha256 != file.sha256 {
            return Err(ImportError::Network(
                "the file was changed while it was read; import it again".into(),
            ));
        }
        return own(model, declared, files);
    }
    let stems: Vec<String> = paths
        .iter()
        .map(|path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut tensors = Vec::new();
    let mut graph: Option<Graph> = None;
    let is_several = contents.len() > 1;
    for (file, stem) in contents.into_iter().zip(&stems) {
        let named = |name: &str| match is_several {
            true => format!("{stem}.{name}"),
            false => name.to_owned(),
        };
        match file.weights {
            Weights::Tensors(mut of_file) => {
                if file.format == Format::Safetensors {
                    // Writers order these as they like.
                    of_file.sort_by_key(|tensor| natural(&tensor.name));
                }
                for tensor in &mut of_file {
                    tensor.name = named(&tensor.name);
                }
                tensors.append(&mut of_file);
            }
            Weights::Graph(mut of_file) => {
                for layer in &mut of_file.layers {
                    layer.name = named(&layer.name);
                }
                match &mut graph {
                    None => graph = Some(*of_file),
                    Some(graph) => graph.join(*of_file)?,
                }
            }
        }
    }
    let standardisation = match &graph {
        // Its end tells what becomes of that.
        Some(_) => None,
        None => own_names::standardisation(&mut tensors)?,
    };
    let mut imported = match graph {
        Some(_) if !tensors.is_empty() => {
            return Err(ImportError::Network(
                "one of the files is ONNX and another is not; expected files of one format".into(),
            ));
        }
        Some(graph) => {
            let declared = graph.metadata.declared(declared)?;
            let (preparation, of_file) = (graph.metadata.preparation(), graph.metadata.said());
            let mut imported = assembled(of_graph(graph, map, &declared)?, &declared, format)?;
            imported.said.extend(of_file);
            Imported {
                preparation,
                ..imported
            }
        }
        None => match two_layers(&tensors, declared, map)? {
            Some(imported) => Imported { format, ..imported },
            None => {
                let found = of_tensors(tensors, map, declared, &mut assumed)?;
                assembled(found, declared, format)?
            }
        },
    };
    if let Some(standardisation) = standardisation {
        imported.model = imported.model.with_standardisation(standardisation)?;
        imported.said.push(STANDARDISED.into());
    }
    imported.files = files;
    assumed.append(&mut imported.assumed);
    imported.assumed = assumed;
    Ok(imported)
}

/// A model in a file of this program.
fn own(
    model: Model,
    declared: &Declared,
    files: Vec<(PathBuf, String)>,
) -> Result<Imported, ImportError> {
    let spec = model.spec();
    require_same(spec, declared)?;
    require_inputs(spec, declared)?;
    let said = vec![format!(
        "a file of this program: {} {}, likelihood {}",
        spec.kind, spec.architecture, spec.likelihood
    )];
    let names = layer_names(&model);
    Ok(Imported {
        names: names.into_iter().map(|name| (name.clone(), name)).collect(),
        model,
        format: Format::Safetensors,
        files,
        said,
        assumed: Vec::new(),
        preparation: None,
    })
}

fn layer_names(model: &Model) -> Vec<String> {
    let tensors = model.named_tensors();
    tensors
        .iter()
        .filter_map(|tensor| Some(tensor.name.strip_suffix(".weight")?.to_owned()))
        .collect()
}

/// Refuses what was said of a model whose file or names say something else.
fn require_same(spec: &ModelSpec, declared: &Declared) -> Result<(), ImportError> {
    let same = |what: &str, found: String, said: Option<String>| match said {
        Some(said) if said != found => Err(ImportError::Undeclared(format!(
            "the file is of this program and says that its {what} is {found}, but {said} was given; leave the option out"
        ))),
        _ => Ok(()),
    };
    let activation = spec.architecture.activation.name().to_owned();
    same(
        "model",
        spec.kind.to_string(),
        declared.kind.map(|kind| kind.to_string()),
    )?;
    same(
        "activation",
        activation,
        declared.activation.map(|it| it.name().to_owned()),
    )?;
    same(
        "likelihood",
        spec.likelihood.to_string(),
        declared.likelihood.map(|it| it.to_string()),
    )?;
    same(
        "posterior's scale",
        spec.posterior_scale.to_string(),
        declared.posterior_scale.map(|it| it.to_string()),
    )
}

fn require_inputs(spec: &ModelSpec, declared: &Declared) -> Result<(), ImportError> {
    let inputs = spec.architecture.inputs;
    match declared.inputs {
        Some(given) if given != inputs => Err(ImportError::Network(format!(
            "the model takes {inputs} values, but a row of the data has {given}; name the data it was trained on with --dataset"
        ))),
        _ => Ok(()),
    }
}

/// A model of two stochastic layers under this program's names.
fn two_layers(
    tensors: &[Tensor],
    declared: &Declared,
    map: Option<&NameMap>,
) -> Result<Option<Imported>, ImportError> {
    if map.is_some() || !tensors.iter().any(|tensor| tensor.name == "mu_2.weight") {
        return Ok(None);
    }
    let mut assumed = Vec::new();
    let activation = assumed_activation(declared, None, &mut assumed);
    let likelihood = assumed_likelihood(declared, &mut assumed);
    let Some((spec, tensors)) = own_names::two_layers(tensors, activation, likelihood) else {
        return Err(ImportError::Network(format!(
            "the names are those of two stochastic layers, but not the shapes: {}",
            list(tensors)
        )));
    };
    require_same(&spec, declared)?;
    require_inputs(&spec, declared)?;
    let said = vec![format!(
        "two stochastic layers under this program's names: {}",
        spec.architecture
    )];
    let model = Model::from_named_tensors(spec, tensors)?;
    let names = layer_names(&model);
    Ok(Some(Imported {
        names: names.into_iter().map(|name| (name.clone(), name)).collect(),
        model,
        format: Format::Safetensors,
        files: Vec::new(),
        said,
        assumed,
        preparation: None,
    }))
}

fn of_graph(
    mut graph: Graph,
    map: Option<&NameMap>,
    declared: &Declared,
) -> Result<Found, ImportError> {
    let mut scale = None;
    if let Some(map) = map {
        scale = map.place(&mut graph.layers)?;
    }
    check_widths(&graph.layers)?;
    let is_variational = declared.kind.map(ModelKind::is_variational);
    let find = |layers: &[Layer]| Arrangement::of(layers, declared.inputs, is_variational);
    let arrangement =
        find(&graph.layers).map_err(|error| because_of_graph(error, &graph.layers, find))?;
    Ok(Found {
        layers: std::mem::take(&mut graph.layers),
        arrangement,
        log_sigma: graph.log_sigma.take(),
        scale,
        graph: Some(graph),
    })
}

/// Why layers are no model that would be one in a graph that did less between them;
/// else the error.
fn because_of_graph(
    error: ImportError,
    layers: &[Layer],
    find: impl Fn(&[Layer]) -> Result<Arrangement, ImportError>,
) -> ImportError {
    /// Layers that may be the decoder's first and are tried as that.
    const MOST_TRIED: usize = 4;

    let computed: Vec<&str> = layers
        .iter()
        .filter(|layer| layer.takes == Some(Takes::Computed))
        .map(|layer| layer.name.as_str())
        .collect();
    // Widths and names are looked at, not weights.
    let light = |layer: &Layer| Layer {
        name: layer.name.clone(),
        weight: Vec::new(),
        bias: Vec::new(),
        ..*layer
    };
    let mut otherwise: Vec<Layer> = layers.iter().map(light).collect();
    if !computed.is_empty() {
        for layer in &mut otherwise {
            layer.takes = layer.takes.filter(|&takes| takes != Takes::Computed);
        }
        if find(&otherwise).is_ok() {
            return ImportError::Network(format!(
                "in the graph {} take values that are computed; expected before the first layer nothing, or a subtraction of constants and then a division by constants, behind hidden layers relu or tanh alone, and behind a code nothing",
                computed.join(", ")
            ));
        }
        otherwise = layers.iter().map(light).collect();
    }
    let narrowest = layers.iter().map(|layer| layer.inputs).min();
    let behind_code = (0..layers.len()).filter(|&index| Some(layers[index].inputs) == narrowest);
    for index in behind_code.take(MOST_TRIED) {
        let takes = layers[index].takes;
        let Some(Takes::Layer(before, Some(activation))) = takes else {
            continue;
        };
        otherwise[index].takes = Some(Takes::Layer(before, None));
        if find(&otherwise).is_ok() {
            return ImportError::Network(format!(
                "behind the code, {}, the graph has {}; expected nothing there, as in this program's models",
                layers[before].name,
                activation.name()
            ));
        }
        otherwise[index].takes = takes;
    }
    error
}

fn of_tensors(
    tensors: Vec<Tensor>,
    map: Option<&NameMap>,
    declared: &Declared,
    assumed: &mut Vec<String>,
) -> Result<Found, ImportError> {
    let mut applied = match map {
        Some(map) => map.apply(tensors)?,
        None => Applied {
            layers: Vec::new(),
            log_sigma: None,
            scale: None,
            direction: direction_of(&tensors),
            rest: tensors,
        },
    };
    if applied.log_sigma.is_none() {
        let is_ours = |tensor: &mut Tensor| {
            tensor.name == LOG_SIGMA || tensor.name.ends_with(&format!(".{LOG_SIGMA}"))
        };
        applied.log_sigma = applied.rest.extract_if(.., is_ours).next();
    }
    let is_variational = declared.kind.map(ModelKind::is_variational);
    let attempt = |otherwise: bool| {
        let found = Layers::of(applied.rest.clone(), applied.direction, otherwise)?;
        if !found.others.is_empty() {
            let all = list(&applied.rest);
            let left = leftovers(&found.others);
            // Said twice where nothing else is there.
            let all = if found.layers.is_empty() {
                String::new()
            } else {
                format!("; all of them: {all}")
            };
            return Err(ImportError::Network(format!("the file has {left}{all}")));
        }
        let mut layers = applied.layers.clone();
        layers.extend(found.layers);
        check_widths(&layers)?;
        let arrangement = Arrangement::of(&layers, declared.inputs, is_variational)?;
        Ok((layers, arrangement))
    };
    let (layers, arrangement) = match attempt(false) {
        Ok(found) => found,
        // Without biases only the widths tell which way weights lie.
        Err(error) => match attempt(true) {
            Ok(found) => {
                assumed.push(
                    "weights without biases are taken to lie the other way than their names say, because only so their widths fit".into(),
                );
                found
            }
            Err(_) => return Err(error),
        },
    };
    Ok(Found {
        layers,
        arrangement,
        log_sigma: applied.log_sigma,
        scale: applied.scale,
        graph: None,
    })
}

/// A name with its numbers in order: `fc2` comes before `fc10`.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = vec![(String::new(), 0_u64)];
    let mut was_digit = false;
    for c in name.chars() {
        if was_digit && !c.is_ascii_digit() {
            parts.push((String::new(), 0));
        }
        if let Some((text, number)) = parts.last_mut() {
            match c.to_digit(10) {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => text.push(c),
            }
        }
        was_digit = c.is_ascii_digit();
    }
    parts
}

#[cfg(test)]
mod tests;
