//! `latent-atlas train`: one model into a run folder.

use std::path::{Path, PathBuf};

use clap::Args;
use datasets::TestOrigin;
use models::ModelKind;
use runs::configuration::{Configuration, Override, Setting};
use runs::presets::PRESETS;
use runs::run_folder::{Losses, RunFolder};
use runs::shell::{quoted, quoted_path, shown};
use runs::training::{self, Target};
use serde_json::json;

use super::settings::TrainOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::Invocation;
use crate::checkpoints::CheckpointOption;
use crate::output::Output;
use crate::portable::PortableOption;
use crate::progress::TrainingProgress;
use crate::tensorboard::TensorboardOption;
use crate::threads::ThreadsOption;

/// What `--dataset` sets, which is no setting with `--resume`.
const DATASET: &str = "data.dataset";

/// What `--epochs` sets, of which a resumed run may have more.
const EPOCHS: &str = "training.epochs";

/// Train one model into a run folder.
#[derive(Debug, Args)]
#[command(after_long_help = after_help(), args_override_self = true)]
pub struct Train {
    /// What to train on, the same as --dataset: glyphs (embedded), mnist,
    /// fashion-mnist, kmnist, idx:DIR, a folder of images (subfolders are
    /// classes), or an .npz, .npy, .csv or .parquet file.
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

    #[command(flatten)]
    settings: TrainOptions,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    checkpoints: CheckpointOption,

    #[command(flatten)]
    tensorboard: TensorboardOption,

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
    /// --epochs, go on to more epochs than it was meant to have, and with
    /// --dataset, read its data from where they are now.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["preset", "config", "set"])]
    resume: Option<PathBuf>,

    /// Print the resolved configuration and stop.
    #[arg(long)]
    print_config: bool,

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
        let configuration = target.configuration()?;
        if self.print_config {
            return output.result(&configuration, &configuration.to_toml()?);
        }
        match &self.resume {
            // With another one its bits would be those of neither.
            Some(path) => {
                let environment = RunFolder::at(path).environment()?;
                self.portable.decide_as(&environment.instruction_set)?;
            }
            None => self.portable.decide()?,
        }
        let interrupt = crate::interrupt()?;
        let request = training::Request {
            target,
            command: invocation.command.clone(),
            threads: self.threads.asked(output),
            checkpoint_every: self.checkpoints.every(),
            location: self.source.location(match &self.resume {
                Some(_) => self.settings.get(DATASET).map(Into::into),
                None => None,
            }),
        };
        let epochs = configuration.training.epochs;
        let mut progress = TrainingProgress::new(*output, epochs);
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let mut watching = self.tensorboard.watching(*output, &mut progress);
        let outcome = training::train(&request, &interrupt, &mut download, &mut watching)?;
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
        output.result(&document, &text)?;
        progress.conclude();
        Ok(())
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
        if self.settings.get(EPOCHS).is_none() || self.print_config {
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
        let source = self.source_name.as_deref().zip(Setting::find(DATASET));
        overrides.extend(source.map(|(name, setting)| setting.given(name)));
        overrides.extend(self.settings.overrides());
        if self.resume.is_some() {
            // Where the data of a run are now is no setting of it.
            overrides.retain(|item| item.key != DATASET);
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
    let run = quoted_path(run);
    let source = quoted(source);
    format!(
        "next: {program} figures {run}\n\
         then: {program} eval {run}\n\
         or:   {program} encode {run} {source} -o codes.csv\n"
    )
}
