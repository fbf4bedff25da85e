//! `--tensorboard` of `train`: an event file beside the progress that is shown.

use clap::Args;
use datasets::Dataset;
use exports::tensorboard::TrainingLog;
use models::{ModelKind, Trainer};
use runs::Error;
use runs::run_folder::EpochMetrics;
use runs::training::{Observer, Run};

use crate::output::Output;

/// Whether TensorBoard can watch.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct TensorboardOption {
    /// Write losses, pictures and distributions of every epoch for TensorBoard into
    /// the folder tensorboard of the run: tensorboard --logdir RUN.
    #[arg(long)]
    tensorboard: bool,
}

impl TensorboardOption {
    /// What hears of training: `progress`, and an event file where one was asked
    /// for.
    pub(crate) fn watching<'a>(
        self,
        output: Output,
        progress: &'a mut dyn Observer,
    ) -> Watching<'a> {
        Watching {
            output,
            progress,
            log: self.tensorboard.then(TrainingLog::default),
        }
    }
}

/// Tells an event file what is told to the progress.
pub(crate) struct Watching<'a> {
    output: Output,
    progress: &'a mut dyn Observer,
    /// None without the option, and from the first error on.
    log: Option<TrainingLog>,
}

impl Watching<'_> {
    /// Goes on without the file where it cannot be written: weights are worth more
    /// than what is told of them on the way.
    fn try_to_log(&mut self, write: impl FnOnce(&mut TrainingLog) -> Result<(), Error>) {
        let Some(log) = &mut self.log else { return };
        if let Err(error) = write(log) {
            self.log = None;
            self.output.warn(&format!(
                "warning: {error}; training goes on without TensorBoard's file, which `export \
                 --format tensorboard` writes afterwards"
            ));
        }
    }
}

impl Observer for Watching<'_> {
    fn data(&mut self, dataset: &Dataset) {
        if let Some(log) = &mut self.log {
            log.data(dataset);
        }
        self.progress.data(dataset);
    }

    fn model(&mut self, kind: ModelKind) {
        self.progress.model(kind);
    }

    fn mended(&mut self, sentence: &str) {
        self.progress.mended(sentence);
    }

    fn began(&mut self, statement: &str) {
        self.progress.began(statement);
    }

    fn opened(&mut self, run: &Run<'_>, metrics: &[EpochMetrics]) {
        self.try_to_log(|log| log.begin(run, metrics));
        self.progress.opened(run, metrics);
    }

    fn resumed(&mut self, epochs: usize) {
        self.progress.resumed(epochs);
    }

    fn progressed(&mut self, share: f64) {
        self.progress.progressed(share);
    }

    fn epoch(&mut self, metrics: &EpochMetrics, epochs: usize) {
        self.progress.epoch(metrics, epochs);
    }

    fn trained(&mut self, run: &Run<'_>, trainer: &Trainer, metrics: &EpochMetrics) {
        self.try_to_log(|log| log.epoch(run, trainer, metrics));
        self.progress.trained(run, trainer, metrics);
    }

    fn finished(&mut self) {
        self.progress.finished();
    }

    fn wants_diagnosis(&self) -> bool {
        self.progress.wants_diagnosis()
    }

    fn diagnosed(&mut self, line: &str) {
        self.progress.diagnosed(line);
    }
}
