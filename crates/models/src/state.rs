//! `state.safetensors`: everything needed to go on training.

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::{Checkpoint, CheckpointError, StoredTensor};
use crate::gradient::LossSums;
use crate::model::Model;
use crate::objective::Objective;
use crate::optimiser::Moments;
use crate::trainer::{Counters, Trainer};

/// The value of the metadata entry `format` of a state file.
const FORMAT: &str = "latent-atlas state 1";

impl Trainer {
    /// Writes the state of training: parameters, moments, counters and the
    /// losses of the epoch in progress. Being self-contained, the one file is
    /// replaced in one step: no crash can pair weights with moments of
    /// another time. Random streams are addressed by the counters, so there
    /// is no generator state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_state(&self, path: &Path) -> Result<(), CheckpointError> {
        let mut state = Checkpoint {
            metadata: self.stream_settings(),
            tensors: BTreeMap::new(),
        };
        state.describe(FORMAT, self.model.spec());
        state
            .metadata
            .insert("objective".to_owned(), self.config.objective.to_string());
        state.put_parameters("parameters.", self.model.parameters());
        state.put_parameters("adam.first_moment.", &self.moments.first);
        state.put_parameters("adam.second_moment.", &self.moments.second);
        let Counters {
            epoch,
            step,
            position,
            sums,
        } = self.counters;
        state.tensors.insert(
            "counters".to_owned(),
            StoredTensor::from_u64(&[epoch, step, position, sums.images]),
        );
        state.tensors.insert(
            "epoch_sums".to_owned(),
            StoredTensor::from_f64(&[sums.reconstruction, sums.kl]),
        );
        state.tensors.insert(
            "epoch_loss".to_owned(),
            StoredTensor::from_f64(&[sums.loss]),
        );
        state.write(path)
    }

    /// Continues from a state written by [`Trainer::save_state`]: the coming
    /// steps give the same bytes as if training had never stopped.
    ///
    /// # Errors
    /// The file cannot be read or is no such file, its tensors do not fit, or
    /// it belongs to another model or to a run whose batch size, seed,
    /// objective, shuffling, data treatment or number of images differ: those decide what the coming
    /// steps see. The trainer is then as it was.
    pub fn load_state(&mut self, path: &Path) -> Result<(), CheckpointError> {
        let mut state = Checkpoint::read(path)?;
        let spec = state.spec(path, FORMAT)?;
        let mismatch = |key: &str, found: String, expected: String| {
            Err(CheckpointError::Metadata {
                path: path.to_owned(),
                key: key.to_owned(),
                found,
                expected,
            })
        };
        let own = self.model.spec();
        if spec.kind != own.kind {
            return mismatch("kind", spec.kind.to_string(), own.kind.to_string());
        }
        if spec.likelihood != own.likelihood {
            return mismatch(
                "likelihood",
                spec.likelihood.to_string(),
                own.likelihood.to_string(),
            );
        }
        let describe =
            |activation: tensor_ops::Activation, widths: String| format!("{widths} {activation}");
        if spec.architecture != own.architecture {
            let found = describe(spec.architecture.activation, spec.architecture.to_string());
            let expected = describe(own.architecture.activation, own.architecture.to_string());
            return mismatch("architecture", found, expected);
        }
        if spec.posterior_scale != own.posterior_scale {
            return mismatch(
                "posterior_scale",
                spec.posterior_scale.to_string(),
                own.posterior_scale.to_string(),
            );
        }
        let objective = self.config.objective.to_string();
        let found = state.metadata.get("objective").cloned();
        // Nor do they name it.
        let found = found.unwrap_or_else(|| Objective::ELBO.to_string());
        if found != objective {
            return mismatch("objective", found, objective);
        }
        for (key, expected) in self.stream_settings() {
            let found = state
                .metadata
                .get(&key)
                .cloned()
                .unwrap_or_else(|| "missing".to_owned());
            if found != expected {
                return mismatch(&key, found, expected);
            }
        }
        let layout = self.model.parameters().layout();
        let parameters = state.take_parameters(path, "parameters.", layout)?;
        let moments = Moments {
            first: state.take_parameters(path, "adam.first_moment.", layout)?,
            second: state.take_parameters(path, "adam.second_moment.", layout)?,
        };
        let [epoch, step, position, images] = state.take_u64(path, "counters")?;
        let [reconstruction, kl] = state.take_f64(path, "epoch_sums")?;
        // States from when there was one objective hold no loss of their own.
        let loss = if state.tensors.contains_key("epoch_loss") {
            let [loss] = state.take_f64(path, "epoch_loss")?;
            loss
        } else {
            reconstruction + kl
        };
        state.finish(path)?;
        if position >= self.image_count as u64 {
            let expected = format!("a position below the {} images", self.image_count);
            return mismatch("counters", position.to_string(), expected);
        }
        let model = Model::from_parameters(spec, parameters);
        let sums = LossSums {
            images,
            reconstruction,
            kl,
            loss,
        };
        self.restore(
            model,
            moments,
            Counters {
                epoch,
                step,
                position,
                sums,
            },
        );
        Ok(())
    }

    /// What decides the images and the noise of every step.
    fn stream_settings(&self) -> BTreeMap<String, String> {
        let settings = [
            ("seed", self.config.seed.to_string()),
            ("batch", self.config.batch.to_string()),
            ("shuffle", self.config.shuffle.to_string()),
            ("images", self.image_count.to_string()),
            ("treatment", self.config.treatment.to_string()),
        ];
        settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}
