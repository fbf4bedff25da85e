//! `state.safetensors`: everything needed to go on training.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::files::checkpoint::{Attachments, Checkpoint, CheckpointError, StoredTensor};
use crate::images::standardisation::Standardisation;
use crate::model::{DataDescription, Model};
use crate::network::layout::Layout;
use crate::network::parameters::Parameters;
use crate::objective::Objective;
use crate::spec::{Architecture, ModelSpec};
use crate::step::LossSums;
use crate::training::configuration::TrainingConfig;
use crate::training::optimiser::Moments;
use crate::training::trainer::{Counters, Trainer};

/// What the metadata entry `format` of a state file begins with, and of one of
/// two stochastic layers from when those were a model apart.
const FORMATS: [&str; 2] = ["latent-atlas state", "latent-atlas two-layer state"];

/// More steps than anybody takes; what is computed from them does not overflow.
const MOST_STEPS: u64 = 1 << 40;

impl Trainer {
    /// Writes the state of training: parameters, moments, counters and the
    /// losses of the epoch in progress. Being self-contained, the one file is
    /// replaced in one step: no crash can pair weights with moments of
    /// another time. Random streams are addressed by the counters, so there
    /// is no generator state.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_state(
        &self,
        path: &Path,
        attachments: &Attachments,
    ) -> Result<(), CheckpointError> {
        let mut state = Checkpoint {
            metadata: stream_settings(&self.config, self.image_count),
            tensors: BTreeMap::new(),
        };
        state.describe(FORMATS[0], self.model.spec());
        state.put_data(self.model.data());
        state
            .metadata
            .insert("objective".to_owned(), self.config.objective.to_string());
        state.put_training(self.model.parameters(), &self.moments, &self.counters);
        state.put_attachments(attachments);
        state.write(path)
    }

    /// Continues from a state written by [`Trainer::save_state`], whose
    /// attachments it returns: the coming steps give the same bytes as if
    /// training had never stopped.
    ///
    /// # Errors
    /// The file cannot be read or is no such file, its tensors do not fit, or
    /// it belongs to another model, to data of another shape or standardised
    /// otherwise, or to a run whose batch size, seed, objective, shuffling, data
    /// treatment or number of images differ: those decide what the coming steps
    /// see. The trainer is then as it was.
    pub fn load_state(&mut self, path: &Path) -> Result<Attachments, CheckpointError> {
        let mut state = Checkpoint::read(path)?;
        let attachments = state.take_attachments(path)?;
        let spec = state.spec(path, FORMATS)?;
        let data = state.take_data(path, &spec)?;
        let mismatch = |key: &str, found: String, expected: String| {
            Err(CheckpointError::Metadata {
                path: path.to_owned(),
                key: key.to_owned(),
                found,
                expected,
            })
        };
        let describe = |spec: &ModelSpec| {
            let Architecture { activation, .. } = spec.architecture;
            [
                ("kind", spec.kind.to_string()),
                ("likelihood", spec.likelihood.to_string()),
                (
                    "architecture",
                    format!("{} {activation}", spec.architecture),
                ),
                ("posterior_scale", spec.posterior_scale.to_string()),
            ]
        };
        let own = describe(self.model.spec());
        for ((key, found), (_, expected)) in describe(&spec).into_iter().zip(own) {
            if found != expected {
                return mismatch(key, found, expected);
            }
        }
        let objective = self.config.objective.to_string();
        let found = state.metadata.get("objective").cloned();
        // States from when there was one objective do not name it.
        let found = found.unwrap_or_else(|| Objective::ELBO.to_string());
        if found != objective {
            return mismatch("objective", found, objective);
        }
        let of_model = self.model.data();
        if let (Some(found), Some(expected)) = (&data.shape, &of_model.shape)
            && found != expected
        {
            return mismatch("shape", found.clone(), expected.clone());
        }
        if data.standardisation != of_model.standardisation {
            let describe = |standardisation: &Option<Standardisation>| match standardisation {
                None => "of data that are not standardised".to_owned(),
                Some(_) => "of data standardised by other means and deviations".to_owned(),
            };
            let expected = match &of_model.standardisation {
                None => "data that are not standardised",
                Some(_) => "the means and deviations of the run's training data",
            };
            let found = describe(&data.standardisation);
            return mismatch("standardisation", found, expected.to_owned());
        }
        let data = DataDescription {
            shape: data.shape.or_else(|| of_model.shape.clone()),
            standardisation: data.standardisation,
        };
        let (parameters, moments, counters) = state.take_training(
            path,
            self.model.parameters().layout(),
            &self.config,
            self.image_count,
        )?;
        let model = Model::from_parameters(spec, parameters).with_data(data);
        self.restore(model, moments, counters);
        Ok(attachments)
    }
}

impl Checkpoint {
    /// Adds all of the state of training.
    pub(crate) fn put_training(
        &mut self,
        parameters: &Parameters<f32>,
        moments: &Moments<f32>,
        counters: &Counters,
    ) {
        self.put_parameters("parameters.", parameters);
        self.put_parameters("adam.first_moment.", &moments.first);
        self.put_parameters("adam.second_moment.", &moments.second);
        let Counters {
            epoch,
            step,
            position,
            sums,
        } = *counters;
        self.tensors.insert(
            "counters".to_owned(),
            StoredTensor::from_u64(&[epoch, step, position, sums.images]),
        );
        self.tensors.insert(
            "epoch_sums".to_owned(),
            StoredTensor::from_f64(&[sums.reconstruction, sums.kl]),
        );
        self.tensors.insert(
            "epoch_loss".to_owned(),
            StoredTensor::from_f64(&[sums.loss]),
        );
    }

    /// Takes all of the state of training that [`put_training`](Self::put_training)
    /// has added, of a run with these streams, and checks that nothing is left.
    pub(crate) fn take_training(
        mut self,
        path: &Path,
        layout: &Arc<Layout>,
        config: &TrainingConfig,
        image_count: usize,
    ) -> Result<(Parameters<f32>, Moments<f32>, Counters), CheckpointError> {
        for (key, expected) in stream_settings(config, image_count) {
            self.require_entry(path, &key, &expected)?;
        }
        let parameters = self.take_parameters(path, "parameters.", layout)?;
        let moments = Moments {
            first: self.take_parameters(path, "adam.first_moment.", layout)?,
            second: self.take_parameters(path, "adam.second_moment.", layout)?,
        };
        let [epoch, step, position, images] = self.take_u64(path, "counters")?;
        let [reconstruction, kl] = self.take_f64(path, "epoch_sums")?;
        // States from when there was one objective hold no loss of their own.
        let loss = if self.tensors.contains_key("epoch_loss") {
            let [loss] = self.take_f64(path, "epoch_loss")?;
            loss
        } else {
            reconstruction + kl
        };
        self.finish(path)?;
        let (count, batch) = (image_count as u64, config.batch as u64);
        let steps = epoch
            .checked_mul(count.div_ceil(batch))
            .and_then(|steps| steps.checked_add(position / batch));
        let is_reached = position < count && position.is_multiple_of(batch) && images == position;
        if !is_reached || steps != Some(step) || step > MOST_STEPS {
            return Err(CheckpointError::Metadata {
                path: path.to_owned(),
                key: "counters".to_owned(),
                found: format!("epoch {epoch}, step {step}, position {position}, {images} images"),
                expected: format!("counters that batches of {batch} of {count} images reach"),
            });
        }
        let sums = LossSums {
            images,
            reconstruction,
            kl,
            loss,
        };
        let counters = Counters {
            epoch,
            step,
            position,
            sums,
        };
        Ok((parameters, moments, counters))
    }

    /// Checks one metadata entry.
    pub(crate) fn require_entry(
        &self,
        path: &Path,
        key: &str,
        expected: &str,
    ) -> Result<(), CheckpointError> {
        let found = self.metadata.get(key).map_or("missing", String::as_str);
        if found == expected {
            return Ok(());
        }
        Err(CheckpointError::Metadata {
            path: path.to_owned(),
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        })
    }
}

/// What decides the images and the noise of every step.
pub(crate) fn stream_settings(
    config: &TrainingConfig,
    image_count: usize,
) -> BTreeMap<String, String> {
    let settings = [
        ("seed", config.seed.to_string()),
        ("batch", config.batch.to_string()),
        ("shuffle", config.shuffle.to_string()),
        ("images", image_count.to_string()),
        ("treatment", config.treatment.to_string()),
    ];
    settings
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
