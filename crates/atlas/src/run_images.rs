//! The images a run is trained, validated and tested on, after its data
//! treatment.

use std::sync::Arc;

use datasets::Dataset;
use models::DataTreatment;
use ndarray::{Array2, CowArray, Ix2, s};

use crate::configuration::{Configuration, PIXELS};
use crate::error::Error;

/// Images of one run.
#[derive(Clone, Debug)]
pub(crate) struct RunImages<'a> {
    pub(crate) treatment: DataTreatment,
    /// The grey training images without those held out: rows of bytes. Their
    /// treatment is part of the training step.
    pub(crate) train: Arc<[u8]>,
    /// The images held out from the end of the training set, treated.
    pub(crate) validation: Option<Array2<u8>>,
    /// The test images, treated.
    pub(crate) test: CowArray<'a, u8, Ix2>,
    test_seed: u64,
    /// Whether the likelihood is a density of grey values.
    is_density: bool,
}

impl<'a> RunImages<'a> {
    /// # Errors
    /// When no training images are left.
    pub(crate) fn new(configuration: &Configuration, dataset: &'a Dataset) -> Result<Self, Error> {
        let treatment = configuration.treatment()?;
        let seed = configuration.data.test_seed;
        let (all, held_out) = (dataset.train.len(), configuration.data.validation);
        if held_out >= all {
            return Err(Error::Configuration(format!(
                "data.validation is {held_out}, but must be below the {all} training images of {}",
                dataset.name
            )));
        }
        let images = dataset.train.images();
        let train = if held_out == 0 {
            dataset.train.shared_images()
        } else {
            dataset.train.shared_images()[..(all - held_out) * PIXELS].into()
        };
        let validation = (held_out > 0).then(|| {
            let held_out = images.slice(s![all - held_out.., ..]);
            treated(treatment, CowArray::from(held_out), seed).into_owned()
        });
        let test = treated(treatment, CowArray::from(dataset.test.images()), seed);
        Ok(Self {
            treatment,
            train,
            validation,
            test,
            test_seed: seed,
            is_density: configuration.likelihood()?.is_density(),
        })
    }

    /// One line that says which pixels the numbers of the run are about.
    pub(crate) fn statement(&self) -> String {
        let test = match self.treatment {
            DataTreatment::Grey if self.is_density => "grey values under a density".to_owned(),
            DataTreatment::Grey => "grey values as targets of a Bernoulli term".to_owned(),
            DataTreatment::Threshold => "test images likewise".to_owned(),
            _ => format!("test images binarised once with seed {}", self.test_seed),
        };
        let held_out = self.validation.as_ref().map_or_else(String::new, |images| {
            format!("; {} training images held out", images.nrows())
        });
        format!("data treatment: {}; {test}{held_out}", self.treatment)
    }
}

/// Images [n, 784] as a model of this treatment is evaluated on them.
pub(crate) fn treated(
    treatment: DataTreatment,
    images: CowArray<'_, u8, Ix2>,
    seed: u64,
) -> CowArray<'_, u8, Ix2> {
    if !treatment.is_binary() {
        return images;
    }
    let (rows, pixels) = images.dim();
    let standard = images.as_standard_layout();
    let bytes = standard.as_slice().unwrap_or_default();
    let bytes = treatment
        .evaluation_images(bytes, pixels, seed)
        .into_owned();
    match Array2::from_shape_vec((rows, pixels), bytes) {
        Ok(array) => array.into(),
        Err(error) => unreachable!("a treatment keeps the shape of images: {error}"),
    }
}
