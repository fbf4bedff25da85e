//! Making a run again, to see whether the same settings and data give the same bytes.

mod comparison;
mod receipt;

use datasets::Dataset;

use crate::configuration::Configuration;
use crate::environment::{Environment, threads};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::jobs::Share;
use crate::run_data::{DataLocation, RunData};
use crate::run_folder::{RunFolder, RunResult, Status};
use crate::training::{CHECKPOINT_EVERY, Observer, Run};

use self::comparison::Held;

pub use self::comparison::{Comparison, File};
pub use self::receipt::{Machine, Program, Receipt, Verdict};

/// Which run, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run.
    pub folder: RunFolder,
    /// Threads to use; `None` for all cores. They change no bit.
    pub threads: Option<usize>,
    /// Where the data are.
    pub location: DataLocation,
    /// The command as typed.
    pub command: String,
}

/// Trains a run again from its `config.toml`, in a folder that is gone afterwards, and
/// compares what comes out with what the run holds.
///
/// # Errors
/// When the folder is no run or has not ended, its data cannot be had, or a stop was
/// asked for by a signal. Other bytes are no error: the receipt says so.
pub fn verify(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &mut dyn Observer,
) -> Result<Receipt, Error> {
    let folder = &request.folder;
    let configuration = folder.configuration()?;
    let Some(result) = folder.read_result()? else {
        return Err(Error::RunFolder(format!(
            "{} has not ended, so that there is nothing to compare with; continue it with --resume",
            folder.path().display()
        )));
    };
    let then = folder.environment()?;
    if let Some(imported) = &then.imported {
        return Err(imported.cannot_be_made_again(folder));
    }
    // What cannot be compared is told before the training, not after it.
    let held = Held::of(folder, &result)?;
    let dataset = request.location.load(&configuration, download)?;
    observer.data(&dataset);
    folder.check_dataset(&dataset)?;
    let place = tempfile::tempdir().map_err(|source| Error::Write {
        path: std::env::temp_dir(),
        source,
    })?;
    let again = RunFolder::at(place.path().join("run"));
    let _farewell = interrupt.on_departure(|| Error::Abandoned);
    let result_again = train(
        request,
        &configuration,
        dataset,
        &again,
        interrupt,
        observer,
    )?;
    let now = again.environment()?;
    let reasons = reasons(&configuration, &then, &now, &result);
    let comparison = Comparison::of(&held, &Held::of(&again, &result_again)?);
    Ok(Receipt::new(folder, then, now, reasons, comparison))
}

/// The result of the run, made again in `folder`.
fn train(
    request: &Request,
    configuration: &Configuration,
    dataset: Dataset,
    folder: &RunFolder,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Result<RunResult, Error> {
    let data = RunData::of_training(configuration, dataset)?;
    // Runs of older versions do not write down what a row is.
    let configuration = configuration.clone().of_shape(&data.dataset)?;
    let run = Run {
        configuration: &configuration,
        dataset: &data.dataset,
        standardisation: data.standardisation.as_ref(),
        threads: Share::of(threads(request.threads)),
        checkpoint_every: CHECKPOINT_EVERY,
        keeps_state: true,
        folder: folder.clone(),
        command: &request.command,
    };
    match run.start(interrupt, observer) {
        Ok(outcome) => Ok(outcome.result),
        Err(error @ Error::Diverged { .. }) => folder.read_result()?.ok_or(error),
        // What was to be continued is gone.
        Err(Error::Stopped { .. }) => Err(Error::Abandoned),
        Err(error) => Err(error),
    }
}

/// Why other bits are to be expected, each in a sentence; none where the same are.
fn reasons(
    configuration: &Configuration,
    then: &Environment,
    now: &Environment,
    result: &RunResult,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if !configuration
        .digests(&now.dataset_sha256)
        .contains(&result.digest)
    {
        reasons.push(format!(
            "the run was made by version {} ({}), which gives other results than this one, {} ({})",
            then.version, then.revision, now.version, now.revision
        ));
    }
    if !then.continued_on.is_empty() {
        reasons.push(format!(
            "the run began with the instruction set {} and went on with {}, which round differently: no machine makes its bits again",
            then.instruction_set,
            then.continued_on.join(" and ")
        ));
    } else if then.instruction_set != now.instruction_set {
        reasons.push(format!(
            "the run was made with the instruction set {}, and this process uses {}, which rounds differently; a run that is trained with --portable has the same bits on every machine",
            then.instruction_set, now.instruction_set
        ));
    }
    let differs = |then: &str, now: &str| !then.is_empty() && then != now;
    if !then.continued_with.is_empty() {
        reasons.push(
            "the run went on with another mathematical library than it began with, which computes other last digits: no machine makes its bits again"
                .to_owned(),
        );
    } else if differs(&then.library, &now.library) {
        reasons.push(format!(
            "the mathematical library of this machine ({}) computes other last digits than that of the run's ({}); a run that is trained with --portable uses none",
            now.platform, then.platform
        ));
    }
    reasons
}

impl RunResult {
    /// How it ended, in a word or a sentence.
    fn end(&self) -> String {
        match (self.status, &self.divergence) {
            (Status::Diverged, Some(divergence)) => divergence.clone(),
            (Status::Diverged, None) => "diverged".into(),
            (Status::Done, _) => "done".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bits_are_expected_for_a_reason_alone() {
        let configuration = Configuration::default();
        let here = Environment::describe(1, "f");
        let result = RunResult {
            status: Status::Done,
            digest: configuration.digest("f"),
            epochs: 1,
            steps: 1,
            last: None,
            best_epoch: None,
            divergence: None,
        };
        let of =
            |then: &Environment, result: &RunResult| reasons(&configuration, then, &here, result);
        assert_eq!(of(&here, &result), Vec::<String>::new());
        // Threads and revisions alone change nothing.
        let elsewhere = Environment {
            threads: 7,
            revision: "abc".into(),
            ..here.clone()
        };
        assert_eq!(of(&elsewhere, &result), Vec::<String>::new());
        let older = RunResult {
            digest: "of another version".into(),
            ..result.clone()
        };
        assert!(of(&here, &older)[0].contains("gives other results than this one"));
        let other_path = Environment {
            instruction_set: "sse9".into(),
            ..here.clone()
        };
        assert!(of(&other_path, &result)[0].contains("with the instruction set sse9"));
        let mixed = Environment {
            continued_on: vec!["sse9".into()],
            ..here.clone()
        };
        assert!(of(&mixed, &result)[0].contains("no machine makes its bits again"));
        let other_library = Environment {
            library: "0".into(),
            ..here.clone()
        };
        assert!(of(&other_library, &result)[0].contains("other last digits"));
        let mixed_libraries = Environment {
            continued_with: vec!["0".into()],
            ..here.clone()
        };
        assert!(of(&mixed_libraries, &result)[0].contains("no machine makes its bits again"));
        // Older versions did not say which they had.
        let unsaid = Environment {
            library: String::new(),
            ..here.clone()
        };
        assert_eq!(of(&unsaid, &result), Vec::<String>::new());
    }
}
