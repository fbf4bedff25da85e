//! The images a run is trained, validated and tested on, after its data
//! treatment.

use datasets::Dataset;
use models::{DataTreatment, Images, SharedImages};
use ndarray::{Array2, CowArray, Ix2};

use crate::configuration::Configuration;
use crate::error::Error;
use crate::run_data::{images, shared_images, training_rows};

/// Images of one run.
#[derive(Clone, Debug)]
pub(crate) struct RunImages<'a> {
    pub(crate) treatment: DataTreatment,
    /// The training images without those held out. Their treatment is part of
    /// the training step.
    pub(crate) train: SharedImages,
    pub(crate) train_count: usize,
    /// The images held out from the end of the training set, treated.
    pub(crate) validation: Option<Treated<'a>>,
    /// The test images, treated.
    pub(crate) test: Treated<'a>,
    test_seed: u64,
    /// Whether the likelihood is a density of grey values.
    is_density: bool,
}

/// Images after a data treatment: those of the data set where it changes none.
#[derive(Clone, Debug)]
pub enum Treated<'a> {
    /// b/255, `[n, values of a row]`.
    Bytes(CowArray<'a, u8, Ix2>),
    /// As they are, `[n, values of a row]`.
    Values(CowArray<'a, f32, Ix2>),
}

impl Treated<'_> {
    /// As models read them.
    #[must_use]
    pub fn images(&self) -> Images<'_> {
        match self {
            Self::Bytes(bytes) => Images::Bytes(bytes.view()),
            Self::Values(values) => Images::Values(values.view()),
        }
    }

    /// The same images in memory of their own.
    #[must_use]
    pub fn into_owned(self) -> Treated<'static> {
        match self {
            Self::Bytes(bytes) => Treated::Bytes(bytes.into_owned().into()),
            Self::Values(values) => Treated::Values(values.into_owned().into()),
        }
    }
}

impl<'a> RunImages<'a> {
    /// # Errors
    /// When no training images are left, or the likelihood is not one of the
    /// values of these images.
    pub(crate) fn new(configuration: &Configuration, dataset: &'a Dataset) -> Result<Self, Error> {
        let treatment = configuration.treatment()?;
        let seed = configuration.data.test_seed;
        let likelihood = configuration.likelihood()?;
        let kept = training_rows(configuration, dataset)?;
        for split in [&dataset.train, &dataset.test] {
            if likelihood.is_of_unit_interval() && images(split).first_outside_unit().is_some() {
                return Err(beyond_unit(configuration, dataset));
            }
        }
        let all = images(&dataset.train);
        let validation = (kept < all.nrows())
            .then(|| treated(treatment, all.slice_rows(kept..all.nrows()), seed))
            .transpose()?;
        Ok(Self {
            treatment,
            train: shared_images(&dataset.train, kept),
            train_count: kept,
            validation,
            test: treated(treatment, images(&dataset.test), seed)?,
            test_seed: seed,
            is_density: likelihood.is_density(),
        })
    }

    /// One line that says which pixels the numbers of the run are about.
    pub(crate) fn statement(&self) -> String {
        let test = match self.treatment {
            DataTreatment::Grey if self.is_density => "values under a density".to_owned(),
            DataTreatment::Grey => "grey values as targets of a Bernoulli term".to_owned(),
            DataTreatment::Threshold => "test images likewise".to_owned(),
            _ => format!("test images binarised once with seed {}", self.test_seed),
        };
        let held_out = self.validation.as_ref().map_or_else(String::new, |images| {
            format!(
                "; trained on {} images, {} held out from the end of the training set",
                self.train_count,
                images.images().nrows()
            )
        });
        format!("data treatment: {}; {test}{held_out}", self.treatment)
    }
}

/// The sentence for values that are no grey values.
fn beyond_unit(configuration: &Configuration, dataset: &Dataset) -> Error {
    let [low, high] = dataset.range();
    // What is left of a maximum that was too small.
    let maximum = configuration.data.reading.maximum;
    let full = high * if maximum > 0.0 { maximum as f32 } else { 1.0 };
    let advice = if low < 0.0 {
        "use --likelihood gaussian-identity, with --standardise where columns differ in size"
            .to_owned()
    } else {
        format!(
            "divide them with --maximum {full}, or use --likelihood gaussian-identity, with --standardise where columns differ in size"
        )
    };
    Error::Configuration(format!(
        "{} holds values from {low} to {high}, but the likelihood '{}' is of values in [0, 1]; {advice}",
        dataset.name, configuration.model.likelihood
    ))
}

/// What is done to the images that a run's model is evaluated on or used with:
/// what its configuration does to the test images, or what is `asked` for.
///
/// # Errors
/// Binary images for a model of grey values.
pub fn evaluated_treatment(
    configuration: &Configuration,
    asked: Option<DataTreatment>,
) -> Result<DataTreatment, Error> {
    let treatment = asked
        .map_or_else(|| configuration.treatment(), Ok)?
        .of_evaluation();
    let likelihood = configuration.likelihood()?;
    if treatment.is_binary() && likelihood.is_density() {
        return Err(Error::Configuration(format!(
            "--data-treatment is {treatment}, but the likelihood {likelihood} is a density of grey values; expected grey"
        )));
    }
    Ok(treatment)
}

/// Images as a model of this treatment is evaluated on them.
///
/// # Errors
/// A treatment that draws, of images that are no bytes.
pub fn treated(
    treatment: DataTreatment,
    images: Images<'_>,
    seed: u64,
) -> Result<Treated<'_>, Error> {
    treated_from(0, treatment, images, seed)
}

/// The same of images that are those of a split from number `first` on.
pub fn treated_from(
    first: usize,
    treatment: DataTreatment,
    images: Images<'_>,
    seed: u64,
) -> Result<Treated<'_>, Error> {
    let (rows, pixels) = images.dim();
    const SHAPE: &str = "a treatment keeps the shape of images";
    Ok(match images {
        Images::Bytes(bytes) if !treatment.is_binary() => Treated::Bytes(bytes.into()),
        Images::Bytes(bytes) => {
            let standard = bytes.as_standard_layout();
            let bytes = standard.as_slice().unwrap_or_default();
            let bytes = treatment.evaluation_rows(first, bytes, pixels, seed);
            let array = Array2::from_shape_vec((rows, pixels), bytes.into_owned());
            Treated::Bytes(array.expect(SHAPE).into())
        }
        Images::Values(values) if !treatment.is_binary() => Treated::Values(values.into()),
        Images::Values(values) => {
            let standard = values.as_standard_layout();
            let values = standard.as_slice().unwrap_or_default();
            let values = treatment
                .evaluation_values(values)
                .map_err(|error| Error::Configuration(error.to_string()))?;
            let array = Array2::from_shape_vec((rows, pixels), values.into_owned());
            Treated::Values(array.expect(SHAPE).into())
        }
    })
}
