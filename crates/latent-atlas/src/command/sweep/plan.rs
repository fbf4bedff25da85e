//! `latent-atlas sweep plan`: which runs there are to be.

use std::path::PathBuf;

use clap::Args;
use runs::configuration::ReadingConfiguration;
use runs::reproduce::Reproduction;
use runs::shell::{quoted_path, shown};
use serde_json::json;
use studies::{STUDIES, Seeds};
use sweeps::make::{self, Published, Request};
use sweeps::plan::counted;

use super::duration;
use crate::command::iwae_table::IwaeTableOptions;
use crate::command::settings::ReadingOptions;
use crate::command::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::portable::PortableOption;

/// Write a plan: a line for each run, with its settings and how long it may take.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub(crate) struct Plan {
    /// Studies and published results by name (listed below), a study in a file (.toml), a
    /// file of settings such as a run's config.toml, or a list: a file .jsonl with an
    /// object of settings in each line, {"training.beta": 4, "model.latent": 8}, with
    /// "preset" and "name" where wanted. By default all studies of the list.
    #[arg(value_name = "STUDY|FILE")]
    sources: Vec<String>,

    /// Where the plan is written.
    #[arg(short, long, value_name = "FILE", default_value = "plan.jsonl")]
    output: PathBuf,

    /// The data set of all runs, instead of what each names.
    #[arg(long, value_name = "D")]
    dataset: Option<String>,

    /// Fewer epochs of the models of studies, for a first look.
    #[arg(long)]
    quick: bool,

    /// Seeds per model, counted from --first-seed; by default what a study's file or the
    /// settings say, or 1.
    #[arg(long, value_name = "N")]
    seeds: Option<Seeds>,

    /// The first seed of each model, 0 if not given. Published results have the seed 42
    /// unless it or --seeds is given.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    first_seed: Option<u64>,

    #[command(flatten)]
    table: IwaeTableOptions,

    /// Speed of one thread of the machines that train, in billions of operations a
    /// second; by default measured here for a second.
    #[arg(long, value_name = "G", value_parser = speed)]
    gflops: Option<f64>,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    source: SourceOptions,

    #[command(flatten)]
    reading: ReadingOptions,
}

fn after_help() -> String {
    let mut text = String::from("Studies:\n");
    for study in STUDIES.iter() {
        text.push_str(&format!("  {:<25} {}\n", study.name(), study.about()));
    }
    text.push_str("\nPublished results:\n");
    for one in Reproduction::ALL {
        text.push_str(&format!("  {:<25} {}\n", one.name, one.about));
    }
    text.push_str(
        "\nThe order of the runs depends on nothing but what is asked for; of two plans of the same\n\
         only the expected times differ; with --portable they are those of runs that are trained\n\
         with it. Runs that several studies need are there once.\n\
         \nExamples:\n  \
         latent-atlas sweep plan --dataset mnist --seeds 20\n  \
         latent-atlas sweep plan beta.toml --seeds 5 -o beta.jsonl\n  \
         latent-atlas sweep plan settings.jsonl --seeds 3\n  \
         latent-atlas sweep plan iwae-table1 --stages 5 --k 1,5 --seeds 4",
    );
    text
}

/// Billions of operations a second.
fn speed(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed.is_finite() => Ok(speed),
        _ => Err("expected a positive number, such as 50".into()),
    }
}

impl Plan {
    pub(super) fn run(&self, output: &Output, program: &str) -> anyhow::Result<()> {
        // Its speed is measured: runs that are trained with it take longer.
        self.portable.decide()?;
        let _interrupt = crate::interrupt()?;
        let mut results = self
            .sources
            .iter()
            .filter_map(|name| Reproduction::find(name).ok());
        if !results.any(Reproduction::is_of_likelihoods) {
            self.table.refuse("this plan", "plan")?;
        }
        sweeps::Plan::check_place(&self.output)?;
        let request = Request {
            sources: self.sources.clone(),
            dataset: self.dataset.clone(),
            quick: self.quick,
            seeds: self.seeds,
            first_seed: self.first_seed,
            published: Published {
                stages: self.table.stages(),
                layers: self.table.layers(),
                samples: self.table.samples(),
            },
            reading: self.reading.over(&ReadingConfiguration::default())?,
            location: self.source.location(None),
            speed: self.gflops.map(|speed| 1e9 * speed),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let made = make::make(&request, &mut download)?;
        if made.repeated > 0 {
            output.note(&format!(
                "{} of the list's lines and seeds ask for runs that others ask for too; each is planned once",
                made.repeated
            ));
        }
        let plan = made.plan;
        plan.write(&self.output)?;
        let seconds = plan.seconds();
        let text = format!(
            "{}, about {} on one thread\n{}\nnext: {program} sweep run {}\n",
            counted(plan.runs.len()),
            duration(seconds),
            self.output.display(),
            quoted_path(&self.output)
        );
        let document = json!({
            "plan": shown(&self.output),
            "runs": plan.runs.len(),
            "seconds": seconds,
            "repeated": made.repeated,
        });
        output.result(&document, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_positive_number() {
        assert_eq!(speed(" 50.5 "), Ok(50.5));
        for text in ["", "0", "-1", "nan", "inf", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
