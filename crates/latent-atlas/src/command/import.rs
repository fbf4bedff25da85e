//! `latent-atlas import`: a model that another program trained as a run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use imports::{Declared, ImportError, Imported, NameMap};
use runs::Error;
use runs::configuration::{Configuration, Override, Setting};
use runs::imported::{self, ImportedFile, Provenance};
use runs::run_data::{anchored, refuse_inside};
use runs::run_folder::RunFolder;
use runs::shell::{quoted, shown};
use serde_json::json;

use super::settings::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::Invocation;
use crate::output::Output;
use crate::threads::ThreadsOption;

/// The settings of a model that a file may not tell; all others it does.
const DECLARED: [&str; 5] = [KIND, ACTIVATION, LIKELIHOOD, SIGMA, POSTERIOR_SCALE];
const DATASET: &str = "data.dataset";
const KIND: &str = "model.kind";
const ACTIVATION: &str = "model.activation";
const LIKELIHOOD: &str = "model.likelihood";
const SIGMA: &str = "model.sigma";
const POSTERIOR_SCALE: &str = "model.posterior_scale";

/// Make a run of a model that another program trained.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Read are safetensors, the archives of PyTorch's torch.save (of a state dict; nothing in them is
ever run) and ONNX. The model is an autoencoder or VAE of dense layers whose decoder mirrors its
encoder. Which layer is which follows from widths, then names, then order, and is printed;
--map FILE says it otherwise:

  \"encoder.0\" = \"fc1\"                              # ours = theirs, weight and bias
  mu = \"fc21\"
  log_var = { name = \"fc22\", transpose = true }     # stored as [inputs, outputs]
  \"decoder.0\" = { name = \"both\", rows = [0, 400] }  # some of a layer's outputs
  \"decoder.2.weight\" = \"out\"                       # a single tensor
  ignore = [\"classifier.\"]                         # no part of the model

Hidden layers of encoder and decoder are numbered 0, 2, 4, …, as our own files do. What the file
cannot tell is given (--activation, --likelihood, --posterior-scale) or assumed, and then said.
The losses of the test rows are measured and printed: they show at once whether that was right.

eval, figures, explore, encode, diagnose and all others read the run; train --resume RUN --epochs N
goes on with its weights.

Examples:
  latent-atlas import vae.pt --dataset mnist -o runs/theirs
  latent-atlas import ae.safetensors --dataset faces/ --activation tanh \\
      --likelihood gaussian --sigma 0.1 -o runs/theirs
  latent-atlas import encoder.onnx decoder.onnx --dataset mnist -o runs/theirs
  latent-atlas import odd.pt --map names.toml --dataset digits.npz -o runs/theirs")]
pub struct Import {
    /// The file, or several that hold a part of the model each.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Run folder to create.
    #[arg(short, long, alias = "output", value_name = "RUN")]
    out: PathBuf,

    /// A TOML file that says which of its layers are which of the model's.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// The data that the model was trained on, as for `train`.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    /// What the model is, where it is no VAE and the file does not say it: ae,
    /// ae-l2 or denoising.
    #[arg(long, value_name = "M")]
    model: Option<String>,

    /// The nonlinearity behind hidden layers, relu or tanh; relu where neither
    /// this nor the file says.
    #[arg(long, value_name = "A")]
    activation: Option<String>,

    /// The distribution of a value given the code: bernoulli where neither this
    /// nor the file says, which is cross-entropy behind a sigmoid.
    #[arg(long, value_name = "P")]
    likelihood: Option<String>,

    /// Its standard deviation, where it has one.
    #[arg(long, value_name = "S")]
    sigma: Option<String>,

    /// What the second head computes, log-variance or log-sigma; its name says
    /// it in most files.
    #[arg(long, value_name = "S")]
    posterior_scale: Option<String>,

    /// Set any key of the sections data, training and tracking of config.toml,
    /// such as data.standardise=true; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    #[command(flatten)]
    reading: ReadingOptions,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    source: SourceOptions,
}

impl Import {
    pub(crate) fn run(&self, output: &Output, invocation: &Invocation) -> anyhow::Result<()> {
        let folder = RunFolder::at(&self.out);
        imported::check_folder(&folder)?;
        let overrides = self.overrides()?;
        let mut configuration = Configuration::resolve(None, None, &overrides)?;
        let mut declared = declared(&configuration, &overrides)?;
        let map_text = self.map.as_deref().map(read_map).transpose()?;
        let map = match (&self.map, &map_text) {
            (Some(path), Some(text)) => {
                Some(NameMap::parse(text, &path.display().to_string()).map_err(refused)?)
            }
            _ => None,
        };
        let read = |declared: &Declared| {
            imports::read(&self.files, map.as_ref(), declared).map_err(refused)
        };
        // Before data are looked for, which may be far away.
        let mut found = read(&declared)?;
        // As it was resolved, the last of several settings.
        let is_set = overrides.iter().any(|item| item.key == DATASET);
        let set = is_set.then_some(configuration.data.dataset.as_str());
        configuration.data.dataset = self.dataset(&found, set)?;
        refuse_inside(&configuration.data.dataset, &self.out)?;
        let interrupt = crate::interrupt()?;
        let _farewell = interrupt.on_departure(|| Error::Abandoned);
        let mut downloads = DownloadProgress::new(*output);
        let location = self.source.location(None);
        let dataset = location.load(&configuration, &mut |event| downloads.report(event))?;
        let inputs = dataset.shape().len();
        if found.model.spec().architecture.inputs != inputs {
            declared.inputs = Some(inputs);
            found = read(&declared)?;
        }
        found
            .assumed
            .extend(other_preparation(&found, &configuration));
        let provenance = provenance(&found, map_text)?;
        let request = imported::Request {
            folder,
            configuration,
            command: invocation.command.clone(),
            threads: self.threads.asked(output),
        };
        let model = found.model.clone();
        let outcome = imported::create(&request, model, provenance, dataset, &interrupt)?;
        let document = json!({
            "run": shown(&self.out),
            "format": found.format.to_string(),
            "architecture": found.model.spec().architecture.to_string(),
            "layers": found.names,
            "assumed": found.assumed,
            "test": outcome.test,
            "result": outcome.result,
        });
        let mut text = self.text(&found, &outcome);
        if output.shows_progress() {
            let run = quoted(&self.out);
            let program = invocation.program;
            let _ = write!(
                text,
                "next: {program} eval {run}\nthen: {program} figures {run}\n"
            );
        }
        output.result(&document, &text)
    }

    /// What was given, `--set` first.
    fn overrides(&self) -> Result<Vec<Override>, Error> {
        let mut overrides = Vec::new();
        for text in &self.set {
            let item = Override::parse(text)?;
            let is_of_file =
                item.key.starts_with("model.") && !DECLARED.contains(&item.key.as_str());
            if is_of_file || item.key == "training.epochs" {
                return Err(Error::Configuration(format!(
                    "--set {} is not for imported weights, of which the file says it; leave it out",
                    item.key
                )));
            }
            overrides.push(item);
        }
        let given = [
            (KIND, &self.model),
            (ACTIVATION, &self.activation),
            (LIKELIHOOD, &self.likelihood),
            (SIGMA, &self.sigma),
            (POSTERIOR_SCALE, &self.posterior_scale),
        ];
        for (key, text) in given {
            if let (Some(text), Some(setting)) = (text, Setting::find(key)) {
                overrides.push(setting.given(text));
            }
        }
        overrides.extend(self.reading.overrides());
        Ok(overrides)
    }

    /// The data, as `config.toml` names them: those of --dataset, else of --set.
    fn dataset(&self, found: &Imported, set: Option<&str>) -> Result<String, Error> {
        let given = self.dataset.as_deref().or(set);
        let given = given.ok_or_else(|| {
            Error::Configuration(format!(
                "--dataset is missing; name the data that the model was trained on, rows of {} values: mnist, fashion-mnist, kmnist, glyphs, idx:DIR, a folder of images, or an .npz, .npy, .csv or .parquet file",
                found.model.spec().architecture.inputs
            ))
        })?;
        anchored(given)
    }

    fn text(&self, found: &Imported, outcome: &imported::Outcome) -> String {
        let spec = found.model.spec();
        let files: Vec<String> = self
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let mut text = format!(
            "imported: {} from {} ({}), {} {}\n",
            self.out.display(),
            files.join(", "),
            found.format,
            spec.kind.title(),
            spec.architecture
        );
        for line in &found.said {
            let _ = writeln!(text, "  {line}");
        }
        for line in &found.assumed {
            let _ = writeln!(text, "assumed: {line}");
        }
        let _ = write!(text, "test loss {:.2} nats per row", outcome.test.loss);
        if let Some(penalty) = spec.kind.penalty_name() {
            let _ = write!(
                text,
                " = reconstruction {:.2} + {penalty} {:.2}",
                outcome.test.reconstruction, outcome.test.kl
            );
        }
        let _ = writeln!(text, ", of {} test rows", outcome.test_rows);
        text
    }
}

/// What was given of the model.
fn declared(configuration: &Configuration, overrides: &[Override]) -> Result<Declared, Error> {
    let is_given = |key: &str| overrides.iter().any(|item| item.key == key);
    let spec = configuration.model_spec()?;
    let likelihood = configuration.likelihood()?;
    Ok(Declared {
        kind: is_given(KIND).then_some(spec.kind),
        activation: is_given(ACTIVATION).then_some(spec.architecture.activation),
        likelihood: (is_given(LIKELIHOOD) || is_given(SIGMA)).then_some(likelihood),
        posterior_scale: is_given(POSTERIOR_SCALE).then_some(spec.posterior_scale),
        inputs: None,
    })
}

/// That rows are read otherwise than the file says, where it says it.
fn other_preparation(found: &Imported, configuration: &Configuration) -> Option<String> {
    let now = exports::metadata::preparation(configuration);
    let now = now.trim_start();
    let then = found.preparation.as_deref().filter(|then| *then != now)?;
    let how = |settings: &str| match settings {
        "" => "as they are".to_owned(),
        settings => format!("with {settings}"),
    };
    Some(format!(
        "rows are read {}, but the file says that those of its run were read {}; give the same where the data are the same",
        how(now),
        how(then)
    ))
}

fn provenance(found: &Imported, map: Option<String>) -> Result<Provenance, Error> {
    let files = found.files.iter().map(|(path, sha256)| {
        let absolute = std::path::absolute(path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        Ok(ImportedFile {
            path: absolute.display().to_string(),
            sha256: sha256.clone(),
        })
    });
    Ok(Provenance {
        files: files.collect::<Result<_, Error>>()?,
        format: found.format.to_string(),
        layers: found.names.clone(),
        assumed: found.assumed.clone(),
        map,
    })
}

fn read_map(path: &std::path::Path) -> Result<String, Error> {
    /// Names of layers need no more.
    const MOST_BYTES: u64 = 1 << 20;

    input_files::read_to_string_within(path, MOST_BYTES).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// As an error of a command, whose input is wrong.
fn refused(error: ImportError) -> Error {
    match error {
        ImportError::Read { path, source } => Error::Read { path, source },
        ImportError::Checkpoint(error) => Error::Checkpoint(error),
        ImportError::Spec(error) => Error::Model(error),
        other => Error::Configuration(other.to_string()),
    }
}
