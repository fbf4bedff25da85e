//! `latent-atlas sweep run`: trains runs of a plan on this machine.

use std::path::PathBuf;

use clap::Args;
use indicatif::MultiProgress;
use runs::Error;
use runs::run_folder::RunResult;
use runs::shell::shown;
use runs::training;
use serde_json::json;
use sweeps::plan::counted;
use sweeps::shard::Asked;
use sweeps::{Keep, Plan, PlannedRun, Shard};
use tensor_ops::isa::{Isa, isa};

use crate::checkpoints::CheckpointOption;
use crate::command::source::{DownloadProgress, SourceOptions};
use crate::jobs::JobsOption;
use crate::output::Output;
use crate::portable::PortableOption;
use crate::progress::{TrainingProgress, note_above};

/// Train the runs of a plan, a part of them, or one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
What has ended is left alone, what was interrupted goes on with the instruction set that it was
begun with, where all have the same, and what another process is at is left
to that one; of a process on another machine that gives no sign of life any more it is waited until
it is certain to be gone (3 minutes), then its run goes on here. A signal stops all runs after a
checkpoint; the same command goes on. Exit codes: 0 all of the runs have ended, 3 they have and some
diverged, 75 stopped, or some are left to other processes: to be tried again; 2 wrong settings or
data, or folders of runs that are damaged, which keep none of the others from being trained.

--shard auto reads the index of a job array of Slurm, PBS, SGE or AWS Batch or of an indexed job of
Kubernetes; auto/N says of how many parts, which PBS and Kubernetes do not, and which stays the
same when a part of an array is submitted again.

Examples:
  latent-atlas sweep run plan.jsonl
  latent-atlas sweep run plan.jsonl --shard 0/2 --jobs 2
  latent-atlas sweep run plan.jsonl --shard auto/12 --keep results --eval
  latent-atlas sweep run plan.jsonl --only 3f9c0a12b7de")]
pub(crate) struct Run {
    /// The plan.
    plan: PathBuf,

    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,

    /// Train part I of N, counted from 0; or the part that an engine says (below).
    #[arg(
        long,
        value_name = "I/N|auto|auto/N",
        conflicts_with = "only",
        allow_hyphen_values = true
    )]
    shard: Option<Asked>,

    /// Train the run of this id or folder alone.
    #[arg(long, value_name = "ID")]
    only: Option<String>,

    /// What is kept of a run that has ended: results (no weights), weights, or all that
    /// a run with more epochs would go on from (four times the size). Where nothing is
    /// said, weights of runs that are trained now; what ended before is left as it is.
    #[arg(long, value_name = "results|weights|all")]
    keep: Option<Keep>,

    /// Evaluate each run too, as 'eval' does.
    #[arg(long)]
    eval: bool,

    /// Importance samples per image to bound −log p(x) with.
    #[arg(long, value_name = "K", requires = "eval")]
    nll_samples: Option<usize>,

    /// Where the data of the plan are on this machine, if not where it says: accepted
    /// when the content is the same.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    #[command(flatten)]
    jobs: JobsOption,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    checkpoints: CheckpointOption,

    #[command(flatten)]
    source: SourceOptions,
}

impl Run {
    pub(super) fn run(&self, output: &Output, typed: &str) -> anyhow::Result<()> {
        let (runs, part) = self.chosen(Plan::read(&self.plan)?)?;
        let begun = sweeps::run::begun_with(&runs, &self.runs)?;
        let sets: Vec<(&str, &PlannedRun)> = begun
            .iter()
            .map(|(set, &run)| (set.as_str(), run))
            .collect();
        match sets[..] {
            [(set, _)] => self.portable.decide_as(set)?,
            _ => self.portable.decide()?,
        }
        let here = isa().to_string();
        let portable = Isa::Portable.name();
        let mixed = sets
            .iter()
            .find(|(set, _)| *set != here && [*set, &here].contains(&portable));
        if let Some((set, run)) = mixed {
            return Err(Error::Configuration(format!(
                "{} was begun with the instruction set {set}, and would go on with {here}, so that no machine would make its bits again; {}",
                run.called(),
                if *set == portable { "add --portable" } else { "leave --portable out, or name another folder with --runs" }
            ))
            .into());
        }
        let interrupt = crate::interrupt()?;
        if self.nll_samples == Some(0) {
            return Err(
                Error::Configuration("--nll-samples is 0, but must be at least 1".into()).into(),
            );
        }
        let request = sweeps::run::Request {
            runs,
            folder: self.runs.clone(),
            limits: self.jobs.limits(output),
            checkpoint_every: self.checkpoints.every(),
            keep: self.keep,
            instruction_set: self.portable.instruction_set(),
            evaluates: self.eval,
            nll_samples: self.nll_samples,
            location: self.source.location(self.dataset.clone()),
            command: typed.into(),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let progress = Progress {
            output: *output,
            bars: MultiProgress::new(),
        };
        let outcome = sweeps::run::run(&request, &interrupt, &mut download, &progress)?;
        let count = |runs: &[PlannedRun], what: &str| match runs.len() {
            0 => String::new(),
            count => format!(", {count} {what}"),
        };
        for (run, why) in &outcome.refused {
            output.note(&format!("{}: {why}", run.called()));
        }
        let left_alone = [
            (outcome.made_otherwise, "were made without --portable"),
            (
                outcome.keeping_less,
                "had ended with less kept than --keep asks for",
            ),
        ];
        for (count, what) in left_alone.into_iter().filter(|(count, _)| *count > 0) {
            output.note(&format!(
                "{count} of the {} that ended before {what}; they are left as they are, and --runs with another folder trains them again",
                outcome.ended_before
            ));
        }
        let refused: Vec<PlannedRun> = outcome.refused.iter().map(|(run, _)| run.clone()).collect();
        let text = format!(
            "{}{part}: {} trained now, {} ended before{}{}{}\n{}\n",
            counted(request.runs.len()),
            outcome.trained,
            outcome.ended_before,
            count(&outcome.diverged, "diverged"),
            count(&outcome.elsewhere, "left to other processes"),
            count(&refused, "with folders that cannot be used"),
            self.runs.display()
        );
        let ids = |runs: &[PlannedRun]| -> Vec<String> {
            runs.iter().map(|run| run.id.clone()).collect()
        };
        let document = json!({
            "runs": shown(&self.runs),
            "planned": request.runs.len(),
            "trained": outcome.trained,
            "ended_before": outcome.ended_before,
            "diverged": ids(&outcome.diverged),
            "elsewhere": ids(&outcome.elsewhere),
            "refused": outcome
                .refused
                .iter()
                .map(|(run, why)| json!({"id": run.id, "why": why}))
                .collect::<Vec<_>>(),
        });
        output.result(&document, &text)?;
        if let [(first, why), others @ ..] = &outcome.refused[..] {
            let and = match others.len() {
                0 => String::new(),
                count => format!(" (and {count} more, see above)"),
            };
            return Err(Error::RunFolder(format!("{}: {why}{and}", first.called())).into());
        }
        if let [first, ..] = &outcome.elsewhere[..] {
            let count = outcome.elsewhere.len();
            return Err(Error::LeftToOthers(format!(
                "{count} of the runs are left to other processes, which are at them, such as {}; repeat the command to see them ended: {typed}",
                first.called()
            ))
            .into());
        }
        match &outcome.diverged[..] {
            [] => Ok(()),
            [first, others @ ..] => {
                let and = match others.len() {
                    0 => String::new(),
                    count => format!(" and {count} more of the plan's runs"),
                };
                Err(Error::Diverged {
                    run: first.folder(&self.runs).path().to_owned(),
                    divergence: format!("{}{and} diverged; all others have ended", first.called()),
                }
                .into())
            }
        }
    }

    /// The runs that were asked for, and which part of the plan they are.
    fn chosen(&self, mut plan: Plan) -> Result<(Vec<PlannedRun>, String), Error> {
        if let Some(name) = &self.only {
            let place = plan.find(name)?;
            return Ok((vec![plan.runs.swap_remove(place)], String::new()));
        }
        let shard = match self.shard {
            None => return Ok((plan.runs, String::new())),
            Some(Asked::Of(shard)) => shard,
            Some(Asked::Auto(count)) => Shard::of_engine(count, |name| std::env::var(name).ok())?,
        };
        let own = plan.shard(shard);
        let mut places = own.iter().peekable();
        let all = std::mem::take(&mut plan.runs).into_iter().enumerate();
        let runs = all.filter(|(place, _)| places.next_if_eq(&place).is_some());
        let part = format!(" of shard {shard}");
        Ok((runs.map(|(_, run)| run).collect(), part))
    }
}

/// Bars on a terminal; otherwise a line for each run that ends.
struct Progress {
    output: Output,
    bars: MultiProgress,
}

impl sweeps::run::Observer for Progress {
    fn training(
        &self,
        place: usize,
        total: usize,
        run: &PlannedRun,
    ) -> Box<dyn training::Observer + '_> {
        if !self.output.is_interactive() {
            return Box::new(Mendings {
                output: self.output,
                run: run.called(),
            });
        }
        let prefix = format!("[{}/{total}] {}  ", place + 1, run.called());
        let epochs = run.configuration.training.epochs;
        Box::new(TrainingProgress::among(
            &self.bars,
            self.output,
            &prefix,
            epochs,
        ))
    }

    fn ended(&self, place: usize, total: usize, run: &PlannedRun, result: &RunResult) {
        if self.output.is_interactive() {
            return;
        }
        let end = match (&result.divergence, result.last) {
            (Some(divergence), _) => divergence.clone(),
            (None, Some(last)) => format!("test loss {:.2}", last.test.loss),
            (None, None) => "done".into(),
        };
        self.output
            .note(&format!("[{}/{total}] {}: {end}", place + 1, run.called()));
    }

    fn remark(&self, sentence: &str) {
        note_above(&self.bars, self.output, sentence);
    }
}

/// What was found and mended, and nothing else: a log has lines of thousands of runs.
struct Mendings {
    output: Output,
    run: String,
}

impl training::Observer for Mendings {
    fn mended(&mut self, sentence: &str) {
        self.output.note(&format!("note: {}: {sentence}", self.run));
    }
}
