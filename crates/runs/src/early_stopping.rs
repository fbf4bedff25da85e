//! Early stopping on held-out images.

use std::collections::BTreeMap;

use models::Model;

use crate::configuration::Configuration;
use crate::error::Error;
use crate::run_folder::{EpochMetrics, RunFolder};

/// Follows the loss of the held-out images and keeps the weights of its
/// lowest value.
///
/// All decisions are functions of the lines of `metrics.jsonl`, which are cut
/// back to the checkpoint when a run is resumed; `best.safetensors` may be
/// ahead of it by then, but the epochs in between are trained again with the
/// same bytes and bring it to the same state.
#[derive(Debug)]
pub(crate) struct EarlyStopping {
    patience: usize,
    best: Option<Best>,
    model: Option<Model>,
    /// Whether `best.safetensors` lags behind `model`.
    unwritten: bool,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    epoch: usize,
    loss: f64,
}

impl EarlyStopping {
    /// Takes up the epochs of `metrics`. A patience of 0 never stops and
    /// keeps nothing.
    ///
    /// # Errors
    /// When the best weights of those epochs cannot be read, or are those of
    /// another run.
    pub(crate) fn begin(
        configuration: &Configuration,
        metrics: &[EpochMetrics],
        folder: &RunFolder,
    ) -> Result<Self, Error> {
        let mut stopping = Self {
            patience: configuration.training.patience,
            best: None,
            model: None,
            unwritten: false,
        };
        for line in metrics {
            stopping.improves(line);
        }
        if stopping.best.is_some() {
            stopping.model = Some(folder.load_weights(&folder.best(), configuration)?);
        }
        Ok(stopping)
    }

    /// Takes up an epoch that has just ended with these weights.
    pub(crate) fn observe(&mut self, metrics: &EpochMetrics, model: &Model) {
        if self.improves(metrics) {
            self.model = Some(model.clone());
            self.unwritten = true;
        }
    }

    /// Whether training should stop after so many epochs.
    pub(crate) fn is_due(&self, epochs: u64) -> bool {
        self.best
            .is_some_and(|best| epochs as usize >= best.epoch + self.patience)
    }

    /// The epoch of the lowest loss.
    pub(crate) fn best_epoch(&self) -> Option<usize> {
        self.best.map(|best| best.epoch)
    }

    /// Its weights.
    pub(crate) fn best_model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Brings `best.safetensors` up to date; to be called before the state is
    /// written. `metadata` is that of weights after so many epochs; at the end of
    /// the run, which may have become a longer one, it is written in any case.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(
        &mut self,
        folder: &RunFolder,
        is_end: bool,
        metadata: impl FnOnce(u64) -> BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let best = self.model.as_ref().zip(self.best);
        if let Some((model, best)) = best.filter(|_| self.unwritten || is_end) {
            model.save(&folder.best(), &metadata(best.epoch as u64))?;
            self.unwritten = false;
        }
        Ok(())
    }

    fn improves(&mut self, metrics: &EpochMetrics) -> bool {
        let Some(validation) = metrics.validation.filter(|_| self.patience > 0) else {
            return false;
        };
        let improves = self.best.is_none_or(|best| validation.loss < best.loss);
        if improves {
            self.best = Some(Best {
                epoch: metrics.epoch,
                loss: validation.loss,
            });
        }
        improves
    }
}
