//! A finished run, loaded for a study.

use datasets::{Dataset, Shape, Split};
use models::{Codes, Images, Model, ModelSpec};
use ndarray::{Array2, ArrayView2, Axis};
use runs::Error;
use runs::configuration::Configuration;
use runs::run_data::{images, kept_shape, training_rows};
use runs::run_folder::{EpochMetrics, RunFolder};
use runs::run_images::{Treated, evaluated_treatment, treated};

/// A run that a study needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// The study's name for the model, such as `vae`.
    pub key: String,
    /// What to train.
    pub configuration: Configuration,
    /// What figures call it; its kind and architecture where there is none.
    pub title: Option<String>,
}

impl PlannedRun {
    /// A run that is called after its kind and architecture.
    #[must_use]
    pub fn new(key: impl Into<String>, configuration: Configuration) -> Self {
        Self {
            key: key.into(),
            configuration,
            title: None,
        }
    }

    /// `VAE 784-512-2`, or what the study calls it.
    ///
    /// # Errors
    /// A configuration of no model.
    pub fn title(&self) -> Result<String, Error> {
        match &self.title {
            Some(title) => Ok(title.clone()),
            None => Ok(title(&self.configuration.model_spec()?)),
        }
    }
}

/// A model with its settings and its history.
#[derive(Debug)]
pub struct TrainedRun {
    /// The study's name for the model, such as `vae`.
    pub key: String,
    /// Its settings.
    pub configuration: Configuration,
    /// What a row of its data is.
    pub shape: Shape,
    /// Where it is kept.
    pub folder: RunFolder,
    /// Its weights after the last epoch.
    pub model: Model,
    /// Its epochs.
    pub metrics: Vec<EpochMetrics>,
    /// What figures call it.
    title: String,
    /// Least and largest value of its data; 0 and 1 where they lie in between.
    range: [f32; 2],
}

/// A run whose loss stopped being finite.
#[derive(Clone, Debug)]
pub struct DivergedRun {
    /// The study's name for the model.
    pub key: String,
    /// `VAE 784-512-2`.
    pub title: String,
    /// Its seed.
    pub seed: u64,
    /// Where it is kept.
    pub folder: RunFolder,
    /// Where and in what it happened.
    pub divergence: String,
}

impl TrainedRun {
    /// Loads a finished run of `dataset`.
    ///
    /// # Errors
    /// When a file of the run folder is missing or damaged, or its model is
    /// not the one that was planned, such as one of another latent size.
    pub fn load(planned: PlannedRun, folder: RunFolder, dataset: &Dataset) -> Result<Self, Error> {
        if !folder.model().exists() {
            return Err(folder.without_weights());
        }
        let model = Model::load(&folder.model())?;
        let (found, expected) = (model.spec(), planned.configuration.model_spec()?);
        if *found != expected {
            return Err(Error::RunFolder(format!(
                "{} holds the model {} {} with {} latent variables, but the study needs {} {} with {}; delete the folder {} to train it again",
                folder.model().display(),
                found.kind,
                found.architecture,
                found.architecture.latent,
                expected.kind,
                expected.architecture,
                expected.architecture.latent,
                folder.path().display(),
            )));
        }
        Ok(Self {
            title: planned.title()?,
            key: planned.key,
            range: range_of(dataset),
            shape: planned.configuration.shape()?,
            configuration: planned.configuration,
            model,
            metrics: folder.read_metrics()?,
            folder,
        })
    }

    /// Opens a run of `dataset` whatever it is, as far as it was trained.
    ///
    /// # Errors
    /// When the folder is no run, has no weights yet, or was trained on other
    /// data.
    pub fn open(folder: RunFolder, dataset: &Dataset) -> Result<Self, Error> {
        folder.configuration()?;
        folder.check_dataset(dataset)?;
        Self::showing(folder, dataset)
    }

    /// Opens a run to show other rows than those of its own data set, of the same
    /// shape. What the run has kept of its own rows is not for them.
    ///
    /// # Errors
    /// When the folder is no run or has no weights yet, or its rows have another length.
    pub fn showing(folder: RunFolder, dataset: &Dataset) -> Result<Self, Error> {
        let configuration = folder.configuration()?;
        let model = folder.load_model(&configuration)?;
        let inputs = model.spec().architecture.inputs;
        if dataset.shape().len() != inputs {
            return Err(Error::Configuration(format!(
                "{} holds {} of {}, but a row of {} has {inputs} values; expected as many",
                dataset.name,
                dataset.shape().noun(),
                dataset.shape(),
                folder.path().display()
            )));
        }
        let name = folder.path().file_name().unwrap_or_default();
        Ok(Self {
            key: name.to_string_lossy().into_owned(),
            title: title(model.spec()),
            range: range_of(dataset),
            shape: kept_shape(&configuration, &model)?.0,
            configuration,
            model,
            metrics: folder.read_metrics()?,
            folder,
        })
    }

    /// A run whose weights are in memory, as while it is trained, without its history.
    /// `range` is that of its [data](range_of).
    ///
    /// # Errors
    /// When the shape of its data cannot be understood.
    pub fn in_memory(
        folder: RunFolder,
        configuration: Configuration,
        model: Model,
        range: [f32; 2],
    ) -> Result<Self, Error> {
        let name = folder.path().file_name().unwrap_or_default();
        Ok(Self {
            key: name.to_string_lossy().into_owned(),
            title: title(model.spec()),
            range,
            shape: kept_shape(&configuration, &model)?.0,
            configuration,
            model,
            metrics: Vec::new(),
            folder,
        })
    }

    /// The same run under another name and title.
    #[must_use]
    pub fn called(self, key: String, title: String) -> Self {
        Self { key, title, ..self }
    }

    /// `VAE 784-512-2`, or what tells it from others like it.
    #[must_use]
    pub fn title(&self) -> String {
        self.title.clone()
    }

    /// Number of latent variables.
    #[must_use]
    pub fn latent(&self) -> usize {
        self.model.spec().architecture.latent
    }

    /// Rows of its data set as its network sees them: after the treatment of its
    /// test images, and standardised where its data were.
    ///
    /// # Errors
    /// A treatment that these rows cannot have.
    pub fn seen<'s>(&self, split: &'s Split) -> Result<Treated<'s>, Error> {
        let treatment = evaluated_treatment(&self.configuration, None)?;
        let rows = treated(treatment, images(split), self.configuration.data.test_seed)?;
        Ok(self.standardised(rows))
    }

    /// Some [`seen`](Self::seen) rows of a split: what is drawn of a row depends
    /// on its place in the split.
    ///
    /// # Errors
    /// A treatment that these rows cannot have.
    pub fn seen_rows<'s>(&self, split: &Split, rows: &[usize]) -> Result<Treated<'s>, Error> {
        let treatment = evaluated_treatment(&self.configuration, None)?;
        let all = treated(treatment, images(split), self.configuration.data.test_seed)?;
        Ok(self.standardised(match all.images() {
            Images::Bytes(all) => Treated::Bytes(all.select(Axis(0), rows).into()),
            Images::Values(all) => Treated::Values(all.select(Axis(0), rows).into()),
        }))
    }

    /// Treated rows standardised, where its data were.
    #[must_use]
    pub fn standardised<'s>(&self, rows: Treated<'s>) -> Treated<'s> {
        let Some(standardisation) = self.model.standardisation() else {
            return rows;
        };
        let mut values = values(rows.images());
        for mut row in values.outer_iter_mut() {
            if let Some(row) = row.as_slice_mut() {
                standardisation.apply(row);
            }
        }
        Treated::Values(values.into())
    }

    /// The values that pictures show from black to white.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        self.range
    }

    /// The training rows of its data set that it was trained on: without those held
    /// out for validation, which say nothing about what it has learned by heart.
    ///
    /// # Errors
    /// When none are left.
    pub fn trained_on(&self, dataset: &Dataset) -> Result<Split, Error> {
        Ok(dataset
            .train
            .slice(0..training_rows(&self.configuration, dataset)?))
    }

    /// Codes of a split of its data set.
    ///
    /// # Errors
    /// A treatment that these rows cannot have.
    pub fn codes(&self, split: &Split) -> Result<Codes, Error> {
        Ok(self.model.encode(self.seen(split)?.images()))
    }

    /// Rows as its network sees them `[n, values of a row]`, in the units of the
    /// data.
    #[must_use]
    pub fn in_units_of_data(&self, mut rows: Array2<f32>) -> Array2<f32> {
        if let Some(standardisation) = self.model.standardisation() {
            for mut row in rows.outer_iter_mut() {
                if let Some(row) = row.as_slice_mut() {
                    standardisation.invert(row);
                }
            }
        }
        rows
    }

    /// Rows as its network sees them `[n, values of a row]`, as brightness: in
    /// the units of the data, of which 0 and 1, or the range of the data where
    /// it is larger, become 0 and 1.
    #[must_use]
    pub fn brightness(&self, rows: Array2<f32>) -> Array2<f32> {
        let mut rows = self.in_units_of_data(rows);
        let [low, high] = self.range;
        if [low, high] != [0.0, 1.0] {
            rows.mapv_inplace(|value| (value - low) / (high - low));
        }
        rows
    }

    /// Brightness of the mean rows of codes `[n, L]`.
    #[must_use]
    pub fn decoded(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        self.brightness(self.model.decode(codes))
    }

    /// Whether the codes are distributions.
    #[must_use]
    pub fn is_variational(&self) -> bool {
        self.model.spec().kind.is_variational()
    }

    /// Whether there are two stochastic layers: codes are those of the upper one,
    /// given the lower one at its mean.
    #[must_use]
    pub fn has_lower_layer(&self) -> bool {
        self.model.spec().architecture.lower.is_some()
    }

    /// The log variances of the posteriors of codes, which are normal
    /// distributions.
    ///
    /// # Errors
    /// [`Error::Undefined`] for an autoencoder, and for two stochastic layers,
    /// whose q(z|x) is a mixture over the lower one.
    pub fn log_variances<'a>(&self, codes: &'a Codes) -> Result<&'a Array2<f32>, Error> {
        let undefined = |reason: &str| Err(Error::Undefined(reason.into()));
        match &codes.log_variance {
            None => undefined("the codes of an autoencoder are points, not distributions"),
            Some(_) if self.has_lower_layer() => {
                undefined("the posterior of two stochastic layers is no normal distribution")
            }
            Some(log_variances) => Ok(log_variances),
        }
    }

    /// The last epoch's metrics.
    #[must_use]
    pub fn last(&self) -> Option<&EpochMetrics> {
        self.metrics.last()
    }

    /// Codes of images.
    #[must_use]
    pub fn encode<'a>(&self, images: impl Into<Images<'a>>) -> Codes {
        self.model.encode(images)
    }

    /// Decoded images of 2-D codes: pixel probabilities `[n, values of a row]`.
    #[must_use]
    pub fn decode(&self, codes: &[[f64; 2]]) -> Array2<f32> {
        let codes =
            Array2::from_shape_fn((codes.len(), 2), |(row, column)| codes[row][column] as f32);
        self.model.decode(codes.view())
    }
}

/// The values that pictures show from black to white: 0 to 1 where all lie there.
#[must_use]
pub fn range_of(dataset: &Dataset) -> [f32; 2] {
    let [low, high] = dataset.range();
    [low.min(0.0), if low >= 0.0 { high.max(1.0) } else { high }]
}

/// Rows as values `[n, values of a row]`.
#[must_use]
pub fn values(rows: Images<'_>) -> Array2<f32> {
    let mut values = Array2::zeros(rows.dim());
    for (index, mut row) in values.outer_iter_mut().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            rows.read_row(index, row);
        }
    }
    values
}

/// `VAE 784-512-2`: what figures and tables call a model.
#[must_use]
pub fn title(spec: &ModelSpec) -> String {
    format!("{} {}", spec.kind.title(), spec.architecture)
}
