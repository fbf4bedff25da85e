//! `latent-atlas train`: one model into a run folder.

use std::path::{Path, PathBuf};

use clap::Args;
use datasets::TestOrigin;
use models::ModelKind;
use runs::configuration::{Configuration, Override};
use runs::presets::PRESETS;
use runs::run_folder::{Losses, RunFolder};
use runs::shell::{quoted, shown};
use runs::training::{self, Target};
use serde_json::json;

use super::reading::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::Invocation;
use crate::checkpoints::CheckpointOption;
use crate::output::Output;
use crate::progress::TrainingProgress;
use crate::threads::ThreadsOption;

/// Train one model into a run folder.
#[derive(Debug, Args)]
#[command(after_long_help = after_help(), args_override_self = true)]
pub struct Train {
    /// What to train on: glyphs (embedded), mnist, fashion-mnist, kmnist,
    /// idx:DIR, a folder of images (subfolders are classes), or an .npz, .npy,
    /// .csv or .parquet file.
    #[arg(value_name = "SOURCE", conflicts_with_all = ["dataset", "resume"])]
    source_name: Option<String>,

    /// Start from a named recipe (listed below).
    #[arg(long, value_name = "P")]
    preset: Option<String>,

    /// Read settings from a TOML file, such as the config.toml of another run.
    #[arg(long, value_name = "F")]
    config: Option<PathBuf>,

    /// Set any key of config.toml, such as training.beta1=0.95; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// The same as SOURCE; with --resume, where the data of the run are now.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    /// ae, vae, or ae-l2 (no sampling, quadratic penalty kept).
    #[arg(long, aliases = ["kind", "model-type"], value_name = "M")]
    model: Option<String>,

    /// Widths of the encoder's hidden layers, such as 256,32,8; none for no
    /// hidden layer. The decoder mirrors them. A whole architecture such as
    /// 784-256-2 is understood where inputs and --latent agree.
    #[arg(long, aliases = ["hidden-layers", "hidden-dims", "layers"], value_name = "WIDTHS")]
    hidden: Option<String>,

    /// Number of latent variables.
    #[arg(long, aliases = ["latent-dim", "latent-dims", "latent-size"], value_name = "L", allow_negative_numbers = true)]
    latent: Option<String>,

    /// relu or tanh.
    #[arg(long, value_name = "A")]
    activation: Option<String>,

    /// bernoulli, continuous-bernoulli, gaussian, or gaussian-identity.
    #[arg(long, value_name = "P")]
    likelihood: Option<String>,

    /// A Gaussian's standard deviation: a number, scalar, per-pixel or decoder.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    sigma: Option<String>,

    /// What is raised: elbo, or iwae (the importance-weighted bound).
    #[arg(long, value_name = "O")]
    objective: Option<String>,

    /// Samples of z per image.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    samples: Option<String>,

    /// Weight of the KL in the ELBO.
    #[arg(long, aliases = ["kl-weight"], value_name = "X", allow_negative_numbers = true)]
    beta: Option<String>,

    /// Epochs over which that weight rises from 0.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    beta_warm_up: Option<String>,

    /// Nats of KL per latent dimension that cost nothing.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    free_bits: Option<String>,

    /// Passes over the training images.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<String>,

    /// Images in a minibatch.
    #[arg(long, aliases = ["batch-size"], value_name = "N", allow_negative_numbers = true)]
    batch: Option<String>,

    /// Adam's step size.
    #[arg(long, aliases = ["learning-rate"], value_name = "X", allow_negative_numbers = true)]
    lr: Option<String>,

    /// Seed of every random stream.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,

    /// grey, binarised-per-minibatch, binarised-per-epoch, binarised-once or
    /// threshold.
    #[arg(long, value_name = "T")]
    treatment: Option<String>,

    /// The step size over time: constant, iwae, step or cosine.
    #[arg(long, value_name = "S")]
    schedule: Option<String>,

    /// hand (derived by hand) or tape (automatic differentiation).
    #[arg(long, value_name = "G")]
    gradients: Option<String>,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    checkpoints: CheckpointOption,

    /// Run folder to create; by default one named after the
    /// data set and the model, below runs/.
    #[arg(
        long,
        short_alias = 'o',
        alias = "output",
        value_name = "DIR",
        conflicts_with = "resume"
    )]
    out: Option<PathBuf>,

    /// Continue an interrupted run where its last checkpoint left it; with
    /// --epochs, go on to more epochs than it was meant to have.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "preset", "config", "set", "standardise", "test_share", "shape", "resize", "colour",
        "background", "maximum", "invert", "transposed", "labels", "model", "hidden", "latent", "activation",
        "likelihood", "sigma", "objective", "samples", "beta", "beta_warm_up", "free_bits", "batch", "lr", "seed", "treatment", "schedule", "gradients",
    ])]
    resume: Option<PathBuf>,

    /// Print the resolved configuration and stop.
    #[arg(long)]
    print_config: bool,

    /// Take off the mean of the training part and divide by its deviation,
    /// value by value; decoded values are brought back.
    #[arg(long, alias = "standardize")]
    standardise: bool,

    #[command(flatten)]
    reading: ReadingOptions,

    #[command(flatten)]
    source: SourceOptions,
}

fn after_help() -> String {
    let mut text = String::from("Presets:\n");
    for preset in PRESETS {
        text.push_str(&format!("  {:<16} {}\n", preset.name, preset.about));
    }
    text.push_str(
        "\nExamples:\n  \
         latent-atlas train\n  \
         latent-atlas train my-pictures/ --latent 16\n  \
         latent-atlas train --dataset mnist --model vae --hidden 400 --latent 20 --out runs/g1\n  \
         latent-atlas train --preset lab-ae --dataset fashion-mnist\n  \
         latent-atlas train --config runs/g1/config.toml --seed 1\n  \
         latent-atlas train --preset iwae-table1 --dataset mnist --epochs 40 --out runs/iwae\n  \
         latent-atlas train --resume runs/iwae --epochs 121",
    );
    text
}

impl Train {
    pub(crate) fn run(&self, output: &Output, invocation: &Invocation) -> anyhow::Result<()> {
        let target = self.target()?;
        if self.print_config {
            let configuration = target.configuration()?;
            return output.result(&configuration, &configuration.to_toml()?);
        }
        let interrupt = crate::interrupt()?;
        let request = training::Request {
            target,
            command: invocation.command.clone(),
            threads: self.threads.asked(output),
            checkpoint_every: self.checkpoints.every(),
            location: self.source.location(if self.resume.is_some() {
                self.dataset.clone()
            } else {
                None
            }),
        };
        let configuration = request.target.configuration()?;
        let epochs = configuration.training.epochs;
        let mut progress = TrainingProgress::new(*output, epochs);
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let outcome = training::train(&request, &interrupt, &mut download, &mut progress)?;
        let result = &outcome.result;
        let last = result.last;
        let mut text = format!(
            "{} {} after {} epochs\n",
            if outcome.already_done {
                "already done:"
            } else {
                "done:"
            },
            outcome.folder.path().display(),
            result.epochs
        );
        if let Some(last) = last {
            let kind = configuration.model_spec()?.kind;
            text.push_str(&format!(
                "test loss {:.2} nats per row{}{}\n",
                last.test.loss,
                terms(kind, &last.test),
                outcome.test.map_or_else(String::new, test_rows)
            ));
        }
        if output.shows_progress() {
            text.push_str(&next(
                invocation.program,
                outcome.folder.path(),
                &configuration.data.dataset,
            ));
        }
        let document = json!({
            "run": shown(outcome.folder.path()),
            "already_done": outcome.already_done,
            "result": result,
        });
        output.result(&document, &text)
    }

    fn target(&self) -> Result<Target, runs::Error> {
        if let Some(path) = &self.resume {
            let folder = RunFolder::at(path);
            let longer = self.longer(&folder)?.map(Box::new);
            return Ok(Target::Resume { folder, longer });
        }
        let configuration = Configuration::resolve(
            self.preset.as_deref(),
            self.config.as_deref(),
            &self.overrides()?,
        )?;
        Ok(Target::New {
            configuration: Box::new(configuration),
            out: self.out.clone(),
        })
    }

    /// The settings of the run to be resumed with as many epochs as `--epochs`
    /// says, if these are more than it has. One that has ended with more epochs
    /// has those asked for.
    fn longer(&self, folder: &RunFolder) -> Result<Option<Configuration>, runs::Error> {
        if self.epochs.is_none() || self.print_config {
            return Ok(None);
        }
        let shorter = folder.configuration()?;
        let path = folder.path().join("config.toml");
        let longer = Configuration::resolve(None, Some(&path), &self.overrides()?)?;
        let has_ended = folder.read_result()?.is_some();
        let is_enough = has_ended && longer.training.epochs <= shorter.training.epochs;
        if longer == shorter || is_enough {
            return Ok(None);
        }
        if !longer.extends(&shorter) {
            return Err(runs::Error::Configuration(format!(
                "--epochs is {}, but {} already has {} with the schedule '{}'; expected more epochs and a schedule that does not depend on their number",
                longer.training.epochs,
                folder.path().display(),
                shorter.training.epochs,
                shorter.training.schedule
            )));
        }
        Ok(Some(longer))
    }

    /// `--set` first, then the flags, so that a flag has the last word.
    fn overrides(&self) -> Result<Vec<Override>, runs::Error> {
        let mut overrides = self
            .set
            .iter()
            .map(|text| Override::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        let quoted = |value: &Option<String>| value.as_ref().map(|text| toml_string(text));
        // With --resume, --dataset is no setting.
        let dataset = match self.source_name.as_ref().or(self.dataset.as_ref()) {
            Some(text) if self.resume.is_none() => Some(toml_string(text)),
            _ => None,
        };
        overrides.extend(self.reading.overrides());
        let flags = [
            ("--dataset", "data.dataset", dataset),
            ("--model", "model.kind", quoted(&self.model)),
            ("--hidden", "model.hidden", quoted(&self.hidden)),
            ("--latent", "model.latent", self.latent.clone()),
            ("--activation", "model.activation", quoted(&self.activation)),
            ("--likelihood", "model.likelihood", quoted(&self.likelihood)),
            ("--sigma", "model.sigma", quoted(&self.sigma)),
            ("--objective", "training.objective", quoted(&self.objective)),
            ("--samples", "training.samples", self.samples.clone()),
            ("--beta", "training.beta", self.beta.clone()),
            (
                "--beta-warm-up",
                "training.beta_warm_up_epochs",
                self.beta_warm_up.clone(),
            ),
            ("--free-bits", "training.free_bits", self.free_bits.clone()),
            ("--epochs", "training.epochs", self.epochs.clone()),
            ("--batch", "training.batch", self.batch.clone()),
            ("--lr", "training.learning_rate", self.lr.clone()),
            ("--seed", "training.seed", self.seed.clone()),
            ("--treatment", "data.treatment", quoted(&self.treatment)),
            ("--schedule", "training.schedule", quoted(&self.schedule)),
            ("--gradients", "training.gradients", quoted(&self.gradients)),
            (
                "--standardise",
                "data.standardise",
                self.standardise.then(|| "true".to_owned()),
            ),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                overrides.push(Override {
                    key: key.into(),
                    value,
                    origin: flag.into(),
                });
            }
        }
        Ok(overrides)
    }
}

/// What a loss is the sum of, where it is a sum.
fn terms(kind: ModelKind, losses: &Losses) -> String {
    kind.penalty_name().map_or_else(String::new, |penalty| {
        format!(
            " = reconstruction {:.2} + {penalty} {:.2}",
            losses.reconstruction, losses.kl
        )
    })
}

/// How many rows test losses are of, and where they come from.
fn test_rows((count, origin): (usize, TestOrigin)) -> String {
    match origin {
        TestOrigin::Own => format!(", of {count} test rows"),
        TestOrigin::Share(share) => {
            format!(
                ", of {count} test rows (a share of {share} of the source, by a hash of the content)"
            )
        }
    }
}

/// What to type next, each line for a shell.
fn next(program: &str, run: &Path, source: &str) -> String {
    let run = quoted(run);
    let source = quoted(source);
    format!(
        "next: {program} figures {run}\n\
         then: {program} eval {run}\n\
         or:   {program} encode {run} {source} -o codes.csv\n"
    )
}

/// A TOML basic string, so that a value such as `3` stays a text.
pub(crate) fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
