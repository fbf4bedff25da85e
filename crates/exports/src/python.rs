//! A run as one file of PyTorch that says what the network computes and how it was
//! trained, with the weights beside it.
//!
//! `model.py` defines the very network of the run, sizes written in, without a
//! branch that this run does not take: encoding, decoding, reconstructing, the loss
//! with its parts, loading and saving. `model.safetensors` is the run's, whose
//! names are those of the module's `state_dict`. What the file's `save` writes is a
//! `model.safetensors` again.

mod latent;
mod likelihood;
mod loss;
mod network;

use models::{DataTreatment, Model, Objective};
use runs::Error;
use runs::apply::Destination;

use crate::metadata::{self, preparation};
use crate::{Exported, ExportedRun};

/// Writes a folder with `model.py` and `model.safetensors`.
///
/// # Errors
/// When a file cannot be read or written, or the settings of the run are none.
pub fn export(run: &ExportedRun, destination: Destination) -> Result<Exported, Error> {
    let configuration = run.configuration();
    let described = Described {
        model: run.model(),
        objective: &configuration.objective()?,
        treatment: configuration.treatment()?,
        shape: run.shape().to_string(),
        dataset: &configuration.identity().data.dataset,
        preparation: preparation(configuration),
    };
    let text = described.text();
    let from = run.folder().model();
    let weights = input_files::read(&from).map_err(|source| Error::Read { path: from, source })?;
    let files = [
        ("model.py", text.into_bytes()),
        ("model.safetensors", weights),
    ];
    Exported::folder(destination, &files)
}

/// What the file is about.
struct Described<'a> {
    model: &'a Model,
    objective: &'a Objective,
    treatment: DataTreatment,
    /// Of a row, as in `28x28`.
    shape: String,
    /// Where the data came from, without paths.
    dataset: &'a str,
    /// How its rows are made ready, as options of `import`.
    preparation: String,
}

/// How the file begins, up to the constants; `{…}` are filled in.
const HEAD: &str = r#""""{title} of {shape} values under the likelihood {likelihood},
trained by Latent Atlas{trained_on}.

In use, with x [n, {inputs}] as the run read its rows (bytes as b / 255; after
--maximum, --invert and resizing){units}:

    from model import load
    model = load()                                  # the weights beside this file
    {codes} = model.encode(x)
    images = model.decode({code})                       # the mean of every value
    loss, reconstruction, penalty = model.loss(x)   # nats; loss.backward() trains on

model.save("tuned.safetensors") writes the weights under the names they had. They
become a run with

    latent-atlas import tuned.safetensors --dataset {dataset}{preparation} -o RUN

Needs the packages torch and safetensors.
"""

{imports}
INPUTS = {inputs}
SHAPE = ({sizes})  # of a row
LATENT = {latent}
{constants}
# What a file of these weights says about them.
METADATA = {
{metadata}}


"#;

/// How the file ends.
const TAIL: &str = r#"
    def save(self, path):
        """Writes the weights as they are now, under the same names."""
        tensors = {
            name: tensor.detach().cpu().float().contiguous()
            for name, tensor in self.state_dict().items()
        }
        save_file(tensors, path, metadata={"latent_atlas": json.dumps(METADATA)})


def load(path=Path(__file__).with_name("model.safetensors")):
    """The model with the weights of a file; every name and shape has to fit."""
    model = Model()
    model.load_state_dict(load_file(path), strict=True)
    return model
"#;

impl Described<'_> {
    fn text(&self) -> String {
        let spec = self.model.spec();
        let body = [
            self.functions().to_owned(),
            self.network(),
            self.coding(),
            likelihood::methods(self.model),
            self.loss(),
        ]
        .concat();
        let imports = imports(&body);
        let is_variational = spec.kind.is_variational();
        let treatment = match self.treatment {
            DataTreatment::Grey => String::new(),
            treatment => format!(" ({treatment})"),
        };
        let trained_on = match metadata::class_names(self.dataset) {
            None => treatment,
            Some(_) => format!(" on {}{treatment}", self.dataset),
        };
        let units = match self.model.standardisation() {
            Some(_) => ", which\nthe model standardises by itself",
            None => "",
        };
        let filled = [
            (
                "{title}",
                format!("{} {}", spec.kind.title(), spec.architecture),
            ),
            ("{shape}", self.shape.clone()),
            ("{likelihood}", spec.likelihood.to_string()),
            ("{trained_on}", trained_on),
            ("{inputs}", spec.architecture.inputs.to_string()),
            ("{units}", units.to_owned()),
            (
                "{codes}",
                if is_variational { "mu, log_var" } else { "z" }.to_owned(),
            ),
            ("{code}", if is_variational { "mu" } else { "z" }.to_owned()),
            ("{dataset}", self.source().to_owned()),
            ("{preparation}", self.preparation.clone()),
            ("{imports}", imports),
            ("{sizes}", self.sizes()),
            ("{latent}", spec.architecture.latent.to_string()),
            ("{constants}", self.constants()),
            ("{metadata}", self.metadata()),
        ];
        let head = filled
            .into_iter()
            .fold(HEAD.to_owned(), |head, (key, value)| {
                head.replace(key, &value)
            });
        format!("{head}{body}{TAIL}")
    }

    /// The entries of `METADATA`, by which `import` knows the file for a model of this
    /// program and needs no word about it: in the format from before files had
    /// checksums, which others cannot make.
    fn metadata(&self) -> String {
        let spec = self.model.spec();
        let entries = [
            ("format", "latent-atlas model 1".to_owned()),
            ("kind", spec.kind.to_string()),
            ("architecture", spec.architecture.to_string()),
            ("activation", spec.architecture.activation.to_string()),
            ("likelihood", spec.likelihood.to_string()),
            ("posterior_scale", spec.posterior_scale.to_string()),
            ("shape", self.shape.clone()),
        ];
        let line = |(key, value): (&str, String)| format!("    \"{key}\": \"{value}\",\n");
        entries.map(line).concat()
    }

    /// The shape as the items of a tuple.
    fn sizes(&self) -> String {
        if self.shape.contains('x') {
            self.shape.replace('x', ", ")
        } else {
            format!("{},", self.shape)
        }
    }

    /// The data, where they have a name that others know them by.
    fn source(&self) -> &str {
        match metadata::class_names(self.dataset) {
            Some(_) => self.dataset,
            None => "SOURCE",
        }
    }

    /// What the loss is told, and the names of classes.
    fn constants(&self) -> String {
        let mut constants = self.loss_constants();
        if let Some(names) = metadata::class_names(self.dataset) {
            let quoted = names.into_iter().map(|name| format!("{name:?}"));
            let names = quoted.collect::<Vec<_>>().join(", ");
            constants += &format!("CLASS_NAMES = [{names}]\n");
        }
        constants
    }
}

/// The imports that a body needs.
fn imports(body: &str) -> String {
    let mut lines = "import json\n".to_owned();
    if body.contains("math.") {
        lines += "import math\n";
    }
    lines += "from pathlib import Path\n\nimport torch\n";
    lines += "from safetensors.torch import load_file, save_file\nfrom torch import nn\n";
    if body.contains(" F.") {
        lines += "from torch.nn import functional as F\n";
    }
    lines
}

#[cfg(test)]
mod tests;
