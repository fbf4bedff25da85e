//! `state.safetensors` of a model of two stochastic layers.

use std::collections::BTreeMap;
use std::path::Path;

use super::model::TwoLayerModel;
use super::trainer::TwoLayerTrainer;
use crate::checkpoint::{Attachments, Checkpoint, CheckpointError};
use crate::state::stream_settings;

/// What the metadata entry `format` of a state file begins with.
const FORMAT: &str = "latent-atlas two-layer state";

impl TwoLayerTrainer {
    /// Writes the state of training, all in one file that is replaced
    /// atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_state(
        &self,
        path: &Path,
        attachments: &Attachments,
    ) -> Result<(), CheckpointError> {
        let mut state = self.description();
        let settings = stream_settings(&self.config, self.image_count);
        state.metadata.extend(settings);
        state.put_training(self.model.parameters(), &self.moments, &self.counters);
        state.put_attachments(attachments);
        state.write(path)
    }

    /// Continues from a state written by [`save_state`](Self::save_state), whose
    /// attachments it returns: the coming steps give the same bytes as if
    /// training had never stopped.
    ///
    /// # Errors
    /// The file cannot be read or is no such file, its tensors do not fit, or
    /// it belongs to another model or to a run with other settings of what the
    /// coming steps see. The trainer is then as it was.
    pub fn load_state(&mut self, path: &Path) -> Result<Attachments, CheckpointError> {
        let mut state = Checkpoint::read(path)?;
        let attachments = state.take_attachments(path)?;
        let spec = state.two_layer_spec(path, FORMAT)?;
        let description = self.description().metadata;
        for (key, expected) in description.iter().filter(|(key, _)| *key != "format") {
            state.require_entry(path, key, expected)?;
        }
        let layout = self.model.parameters().layout();
        let (parameters, moments, counters) =
            state.take_training(path, layout, &self.config, self.image_count)?;
        self.model = TwoLayerModel::from_parameters(spec, parameters);
        self.moments = moments;
        self.counters = counters;
        self.ordered = false;
        Ok(attachments)
    }

    /// What a state must have in common with the trainer that continues it,
    /// besides the settings of the random streams.
    fn description(&self) -> Checkpoint {
        let objective = self.config.objective.to_string();
        let mut state = Checkpoint {
            metadata: BTreeMap::from([("objective".to_owned(), objective)]),
            tensors: BTreeMap::new(),
        };
        state.describe_two_layers(FORMAT, self.model.spec());
        state
    }
}
