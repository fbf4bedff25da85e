//! `latent-atlas verify`: a run made again, byte for byte.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use runs::run_folder::RunFolder;
use runs::shell::shown;
use runs::verify::{Receipt, Request, Verdict, verify};
use serde_json::json;

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::portable::PortableOption;
use crate::progress::TrainingProgress;
use crate::threads::ThreadsOption;

/// Train a run again from its config.toml and compare the bytes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
It is trained in a folder that is gone afterwards, with the instruction set that the run was made
with where this machine has that one. A receipt is written: the machine, the instruction set, what
was compared and what was found. Other bits are to be expected of another instruction set, of
another version whose results differ, of a run that went on with another instruction set than it
began with, and of another mathematical library; the receipt says which. Runs that were trained
with --portable have the same bits on every machine.

Exit code 0: the same bits, or others as is to be expected; 1: others, and nothing explains it.

Examples:
  latent-atlas verify runs/mine
  latent-atlas verify runs/mine --dataset /data/mine -o receipt.json")]
pub struct Verify {
    /// The run folder.
    run: PathBuf,

    /// Where the receipt is written; by default RUN/verify.json.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Where the data of the run are now, if not where they were.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    source: SourceOptions,
}

impl Verify {
    pub(crate) fn run(&self, output: &Output, typed: &str) -> anyhow::Result<()> {
        let folder = RunFolder::at(&self.run);
        let configuration = folder.configuration()?;
        let environment = folder.environment()?;
        self.portable.decide_as(&environment.instruction_set)?;
        let path = match &self.output {
            Some(path) => path.clone(),
            None => Receipt::usual_path(&folder),
        };
        Receipt::check_place(&path)?;
        let interrupt = crate::interrupt()?;
        let request = Request {
            folder,
            threads: self.threads.asked(output),
            location: self.source.location(self.dataset.clone()),
            command: typed.into(),
        };
        let mut progress = TrainingProgress::new(*output, configuration.training.epochs);
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let receipt = verify(&request, &interrupt, &mut download, &mut progress)?;
        receipt.write(&path)?;
        output.note(&format!("wrote {}", path.display()));
        let document = json!({"receipt": shown(&path), "verified": receipt});
        output.result(&document, &text(&receipt))?;
        Ok(receipt.require_explained()?)
    }
}

fn text(receipt: &Receipt) -> String {
    let comparison = &receipt.comparison;
    let mut text = format!("{}: {}\n", receipt.run, receipt.says());
    for reason in &receipt.reasons {
        let _ = writeln!(text, "because {reason}");
    }
    for file in &comparison.files {
        let says = if file.is_same { "same" } else { "other" };
        let _ = writeln!(text, "  {:<20} {says:<6} {}", file.name, &file.sha256[..16]);
    }
    for name in &comparison.not_kept {
        let _ = writeln!(
            text,
            "  {name:<20} is not in the run: kept without it, or removed"
        );
    }
    let losses = match comparison.first_differing_epoch {
        None => format!("same, of {} epochs", comparison.epochs),
        Some(epoch) => format!("other from epoch {epoch} on"),
    };
    let _ = writeln!(text, "  {:<20} {losses}", "losses");
    if let (true, Some([then, now])) = (receipt.verdict != Verdict::Same, comparison.last_test_loss)
    {
        let _ = writeln!(text, "  test loss {then:.4} then, {now:.4} now");
    }
    if let Some(difference) = comparison.largest_weight_difference {
        let _ = writeln!(text, "  weights differ by up to {difference:.2e}");
    }
    if let Some([then, now]) = &comparison.ends {
        let _ = writeln!(text, "  it ended otherwise: {then}; now: {now}");
    }
    let _ = writeln!(
        text,
        "made with {} of version {}, again with {} of version {} on {}",
        receipt.made_on.instruction_set,
        receipt.made_on.version,
        receipt.made_again_on.instruction_set,
        receipt.program.version,
        receipt
            .machine
            .processor
            .as_deref()
            .unwrap_or("an unnamed processor")
    );
    text
}
