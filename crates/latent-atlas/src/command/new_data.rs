//! Options that the commands of a trained model share: which data, how they
//! are read, where the result goes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use models::DataTreatment;
use runs::apply::{DataRequest, Decoded, Destination, Kind, PartChoice, TrainedModel};
use runs::interrupt::Interrupt;
use runs::run_folder::RunFolder;

use super::settings::ReadingOptions;
use super::source::SourceOptions;
use crate::output::Output;
use crate::threads::ThreadsOption;

/// Where the result goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResultOptions {
    /// Where to write; the ending says what.
    #[arg(long, short, alias = "out", value_name = "PATH")]
    output: PathBuf,

    /// Replace the file if it exists. A folder is never replaced.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    threads: ThreadsOption,
}

impl ResultOptions {
    /// The model of a run, and the place for one of `kinds`; the place is looked
    /// at first.
    pub(crate) fn open(
        &self,
        output: &Output,
        run: &Path,
        kinds: &[Kind],
    ) -> anyhow::Result<(TrainedModel, Destination, Interrupt)> {
        let interrupt = crate::interrupt()?;
        let destination =
            Destination::open(&self.output, self.force, kinds)?.given_up_on(&interrupt);
        let trained = TrainedModel::open(RunFolder::at(run), self.threads.asked(output))?;
        Ok((trained, destination, interrupt))
    }
}

/// Which rows of a source, and how they are read.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewDataOptions {
    /// The rows: a name such as mnist, idx:DIR, or the path of a folder or file.
    #[arg(value_name = "SOURCE")]
    dataset: String,

    /// The training set or the test set of a source that has both.
    #[arg(long, value_enum, default_value_t = Split::All)]
    split: Split,

    /// What to do to the values first: grey, binarised-once or threshold; by
    /// default what the run does to its test images.
    #[arg(long, value_name = "TREATMENT")]
    data_treatment: Option<DataTreatment>,

    #[command(flatten)]
    reading: ReadingOptions,

    #[command(flatten)]
    source: SourceOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Split {
    All,
    Train,
    Test,
}

impl NewDataOptions {
    /// The request, read as the run read its own data where no option says
    /// otherwise.
    ///
    /// # Errors
    /// An option that is given what it cannot take.
    pub(crate) fn request(&self, trained: &TrainedModel) -> Result<DataRequest, runs::Error> {
        Ok(DataRequest {
            source: self.dataset.clone(),
            part: match self.split {
                Split::All => PartChoice::All,
                Split::Train => PartChoice::Train,
                Split::Test => PartChoice::Test,
            },
            reading: self.reading.over(&trained.configuration().data.reading)?,
            treatment: self.data_treatment,
            location: self.source.location(None),
        })
    }
}

/// What was done to the values, behind a comma; nothing where they were left.
pub(crate) fn treated(treatment: DataTreatment) -> String {
    if treatment.is_binary() {
        format!(", {treatment}")
    } else {
        String::new()
    }
}

/// The result of decoding in a line or two.
pub(crate) fn decoded_text(decoded: &Decoded, what: &str) -> String {
    let mut text = format!(
        "wrote {}: {} {what} of {}",
        decoded.output.display(),
        decoded.rows,
        decoded.shape
    );
    if decoded.shown < decoded.rows {
        text += &format!(
            "; the montage has room for the first {}, a folder or an .npz file holds all",
            decoded.shown
        );
    }
    text += &between(decoded.range);
    text
}

/// What the edges of lines, or black and white, stand for.
pub(crate) fn between(range: Option<[f32; 2]>) -> String {
    range.map_or_else(String::new, |[low, high]| {
        format!("; drawn between {low} and {high}")
    })
}
