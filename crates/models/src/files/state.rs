//! `state.safetensors`: everything needed to go on training.

use std::path::Path;

use crate::files::checkpoint::{Attachments, Checkpoint, CheckpointError, ContentsError};
use crate::model::{DataDescription, Model};
use crate::objective::Objective;
use crate::spec::{Architecture, ModelSpec};
use crate::step::LossSums;
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
        let mut state = Checkpoint::default();
        state.metadata.extend(self.stream_settings());
        state.describe(FORMATS[0], self.model.spec());
        state.put_data(self.model.data());
        let objective = self.config.objective.to_string();
        state.metadata.insert("objective".to_owned(), objective);
        state.put_parameters("parameters.", self.model.parameters());
        state.put_parameters("adam.first_moment.", &self.moments.first);
        state.put_parameters("adam.second_moment.", &self.moments.second);
        let Counters {
            epoch,
            step,
            position,
            sums,
        } = self.counters;
        state.put_vector("counters", &[epoch, step, position, sums.images]);
        state.put_vector("epoch_sums", &[sums.reconstruction, sums.kl]);
        state.put_vector("epoch_loss", &[sums.loss]);
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
        Checkpoint::read(path, |state| self.take_state(state))
    }

    fn take_state(&mut self, mut state: Checkpoint) -> Result<Attachments, ContentsError> {
        let attachments = state.take_attachments()?;
        let spec = state.spec(FORMATS)?;
        let data = state.take_data(&spec)?;
        let own = describe(self.model.spec());
        for ((key, found), (_, expected)) in describe(&spec).into_iter().zip(own) {
            require(key, &found, &expected)?;
        }
        let found = state.metadata.get("objective").cloned();
        // States from when there was one objective do not name it.
        let found = found.unwrap_or_else(|| Objective::ELBO.to_string());
        require("objective", &found, &self.config.objective.to_string())?;
        let of_model = self.model.data();
        if let (Some(found), Some(expected)) = (&data.shape, &of_model.shape) {
            require("shape", found, expected)?;
        }
        if data.standardisation != of_model.standardisation {
            let found = match &data.standardisation {
                None => "of data that are not standardised",
                Some(_) => "of data standardised by other means and deviations",
            };
            let expected = match &of_model.standardisation {
                None => "data that are not standardised",
                Some(_) => "the means and deviations of the run's training data",
            };
            return Err(ContentsError::metadata("standardisation", found, expected));
        }
        let data = DataDescription {
            shape: data.shape.or_else(|| of_model.shape.clone()),
            standardisation: data.standardisation,
        };
        for (key, expected) in self.stream_settings() {
            let found = state.metadata.get(&key).map_or("missing", String::as_str);
            require(&key, found, &expected)?;
        }
        let layout = self.model.parameters().layout();
        let parameters = state.take_parameters("parameters.", layout)?;
        let moments = Moments {
            first: state.take_parameters("adam.first_moment.", layout)?,
            second: state.take_parameters("adam.second_moment.", layout)?,
        };
        let counters = state.take_counters(self.image_count as u64, self.config.batch as u64)?;
        state.finish()?;
        let model = Model::from_parameters(spec, parameters).with_data(data);
        self.restore(model, moments, counters);
        Ok(attachments)
    }

    /// What decides the images and the noise of every step.
    fn stream_settings(&self) -> [(String, String); 5] {
        [
            ("seed", self.config.seed.to_string()),
            ("batch", self.config.batch.to_string()),
            ("shuffle", self.config.shuffle.to_string()),
            ("images", self.image_count.to_string()),
            ("treatment", self.config.treatment.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
    }
}

impl Checkpoint {
    /// Takes how far training is, in batches of `batch` of `count` images.
    fn take_counters(&mut self, count: u64, batch: u64) -> Result<Counters, ContentsError> {
        let [epoch, step, position, images] = self.take_array("counters")?;
        let [reconstruction, kl] = self.take_array("epoch_sums")?;
        // States from when there was one objective hold no loss of their own.
        let [loss] = if self.names("epoch_loss").is_empty() {
            [reconstruction + kl]
        } else {
            self.take_array("epoch_loss")?
        };
        let steps = u64::checked_mul(epoch, count.div_ceil(batch))
            .and_then(|steps| steps.checked_add(position / batch));
        let is_reached = position < count && position.is_multiple_of(batch) && images == position;
        if !is_reached || steps != Some(step) || step > MOST_STEPS {
            let found = format!("epoch {epoch}, step {step}, position {position}, {images} images");
            let expected = format!("counters that batches of {batch} of {count} images reach");
            return Err(ContentsError::metadata("counters", found, &expected));
        }
        Ok(Counters {
            epoch,
            step,
            position,
            sums: LossSums {
                images,
                reconstruction,
                kl,
                loss,
            },
        })
    }
}

/// What a state is of, in the words of its metadata.
fn describe(spec: &ModelSpec) -> [(&'static str, String); 4] {
    let Architecture { activation, .. } = spec.architecture;
    let architecture = format!("{} {activation}", spec.architecture);
    [
        ("kind", spec.kind.to_string()),
        ("likelihood", spec.likelihood.to_string()),
        ("architecture", architecture),
        ("posterior_scale", spec.posterior_scale.to_string()),
    ]
}

fn require(key: &str, found: &str, expected: &str) -> Result<(), ContentsError> {
    if found == expected {
        return Ok(());
    }
    Err(ContentsError::metadata(key, found, expected))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::files::checkpoint::{read_attachments, sealed};
    use crate::network::initialisation::Initialisation;
    use crate::spec::{ModelKind, PosteriorScale};
    use crate::training::configuration::TrainingConfig;

    fn trainer(architecture: &str) -> Trainer {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: architecture.parse().unwrap(),
            likelihood: "bernoulli".parse().unwrap(),
            posterior_scale: PosteriorScale::LogVariance,
        };
        let model = Model::new(spec, Initialisation::PyTorchUniform, 2).unwrap();
        let images: Arc<[u8]> = (0..10 * 20_u32).map(|at| (at * 37 % 256) as u8).collect();
        let config = TrainingConfig {
            batch: 4,
            ..TrainingConfig::standard(5)
        };
        Trainer::new(model, config, images).unwrap()
    }

    /// Reads a file, and writes it again with a change.
    fn change(path: &Path, change: impl FnOnce(&mut Checkpoint)) {
        let mut whole = Checkpoint::read(path, Ok).unwrap();
        change(&mut whole);
        whole.write(path).unwrap();
    }

    fn taken(
        [epoch, step, position, images]: [u64; 4],
        [count, batch]: [u64; 2],
    ) -> Result<Counters, String> {
        let mut state = Checkpoint::default();
        state.put_vector("counters", &[epoch, step, position, images]);
        state.put_vector("epoch_sums", &[7.5_f64, -2.25]);
        let counters = state.take_counters(count, batch);
        counters.map_err(|error| error.to_string())
    }

    #[test]
    fn counters_are_those_that_batches_reach() {
        // Three steps in an epoch of ten images, the last one of two.
        for (epoch, step, position) in [(0, 0, 0), (0, 2, 8), (3, 9, 0), (3, 10, 4), (3, 11, 8)] {
            let found = taken([epoch, step, position, position], [10, 4]).unwrap();
            let expected = Counters {
                epoch,
                step,
                position,
                sums: LossSums {
                    images: position,
                    reconstruction: 7.5,
                    kl: -2.25,
                    // Of a file that has none of its own.
                    loss: 5.25,
                },
            };
            assert_eq!(found, expected);
        }
        for (counters, sizes) in [
            // Other steps than epochs and position make.
            ([3, 10, 0, 0], [10, 4]),
            ([3, 9, 4, 4], [10, 4]),
            ([0, 1, 0, 0], [10, 4]),
            // Within a batch, and at or behind the end of an epoch.
            ([0, 1, 5, 5], [10, 4]),
            ([0, 2, 8, 8], [8, 4]),
            ([0, 3, 12, 12], [10, 4]),
            // Losses of other images.
            ([3, 10, 4, 3], [10, 4]),
            ([3, 10, 4, 0], [10, 4]),
            ([3, 9, 0, 4], [10, 4]),
            // Out of range.
            ([u64::MAX, 0, 0, 0], [10, 4]),
            ([u64::MAX, 1, 1, 1], [2, 1]),
        ] {
            let [epoch, step, position, images] = counters;
            let [count, batch] = sizes;
            assert_eq!(
                taken(counters, sizes).unwrap_err(),
                format!(
                    "metadata \"counters\" is epoch {epoch}, step {step}, position {position}, \
                     {images} images; expected counters that batches of {batch} of {count} images \
                     reach"
                )
            );
        }
        let most = 1_099_511_627_776;
        assert_eq!(taken([most, most, 0, 0], [1, 1]).unwrap().step, most);
        assert!(taken([most + 1, most + 1, 0, 0], [1, 1]).is_err());
    }

    #[test]
    fn what_a_state_holds_besides_is_refused_and_its_attachments_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let mut trainer = trainer("20-5-3");
        trainer.step().unwrap();
        let attachments = Attachments::from([
            ("metrics".to_owned(), b"{}\n".to_vec()),
            ("none".to_owned(), Vec::new()),
        ]);
        trainer.save_state(&path, &attachments).unwrap();
        assert_eq!(read_attachments(&path).unwrap(), attachments);
        assert_eq!(trainer.load_state(&path).unwrap(), attachments);
        change(&path, |state| state.put_vector("momentum", &[1.0_f32]));
        let error = trainer.load_state(&path).unwrap_err().to_string();
        assert!(
            error.contains("tensor momentum is unknown to this model"),
            "{error}"
        );
        assert_eq!(read_attachments(&path).unwrap(), attachments);
        change(&path, |state| {
            state.take_vector::<f32>("momentum", 1).unwrap();
            state.take_vector::<f64>("epoch_loss", 1).unwrap();
            state.put_vector("epoch_loss", &[1.0_f64, 2.0]);
        });
        let error = trainer.load_state(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("tensor epoch_loss has shape [2]; expected [1]"),
            "{error}"
        );
    }

    /// When two stochastic layers were a model apart, files named no kind.
    #[test]
    fn files_of_two_layers_from_when_they_were_apart_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let [model, state] = ["model", "state"].map(|name| folder.path().join(name));
        let mut whole = trainer("20-5-4/4-6-3");
        whole.step().unwrap();
        whole.model().save(&model, &BTreeMap::new()).unwrap();
        whole.save_state(&state, &Attachments::new()).unwrap();
        for (path, name) in [
            (&model, "latent-atlas two-layer model"),
            (&state, "latent-atlas two-layer state"),
        ] {
            for format in [sealed(name), format!("{name} 1")] {
                change(path, |file| {
                    file.metadata.remove("kind");
                    file.metadata.insert("format".to_owned(), format);
                });
                if path == &model {
                    assert_eq!(&Model::load(path).unwrap(), whole.model());
                } else {
                    let mut resumed = trainer("20-5-4/4-6-3");
                    resumed.load_state(path).unwrap();
                    assert_eq!(resumed.model(), whole.model());
                    assert_eq!(resumed.steps(), 1);
                }
            }
            // A file of today says which kind it is of.
            let usual = name.replace("two-layer ", "");
            change(path, |file| {
                file.metadata.insert("format".to_owned(), sealed(&usual));
            });
            let error = if path == &model {
                Model::load(path).unwrap_err()
            } else {
                whole.load_state(path).unwrap_err()
            };
            let error = error.to_string();
            assert!(error.contains("metadata \"kind\" is missing"), "{error}");
        }
    }
}
