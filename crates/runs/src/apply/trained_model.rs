//! A run's model with what its rows are and how they reach it.

use datasets::{Colour, Reading, Shape};
use models::{Codes, DataTreatment, Images, Model};
use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use rayon::prelude::*;
use tensor_ops::parallel::ThreadPool;

use crate::configuration::{Configuration, ReadingConfiguration};
use crate::environment::threads;
use crate::error::Error;
use crate::run_data::kept_shape;
use crate::run_folder::RunFolder;
use crate::run_images::evaluated_treatment;

/// The weights of a run's last checkpoint, ready to be used.
#[derive(Debug)]
pub struct TrainedModel {
    folder: RunFolder,
    configuration: Configuration,
    model: Model,
    shape: Shape,
    /// Whether the shape is the run's, and not guessed from the inputs.
    is_shape_known: bool,
    pool: ThreadPool,
}

/// Rows as the network takes them.
#[derive(Debug)]
pub(super) enum Input<'a> {
    AsStored(Images<'a>),
    Standardised(CowArray<'a, f32, Ix2>),
}

impl Input<'_> {
    pub(super) fn images(&self) -> Images<'_> {
        match self {
            Self::AsStored(Images::Bytes(rows)) => Images::Bytes(rows.view()),
            Self::AsStored(Images::Values(rows)) => Images::Values(rows.view()),
            Self::Standardised(values) => Images::Values(values.view()),
        }
    }
}

impl TrainedModel {
    /// Loads the model of a run folder; `asked` threads, or all cores.
    ///
    /// # Errors
    /// When the folder is no run, has no checkpoint yet or a damaged one, or
    /// the threads cannot be started.
    pub fn open(folder: RunFolder, asked: Option<usize>) -> Result<Self, Error> {
        let configuration = folder.configuration()?;
        let model = folder.load_model(&configuration)?;
        let pool = ThreadPool::new(threads(asked)).map_err(models::TrainerError::from)?;
        let (shape, is_shape_known) = kept_shape(&configuration, &model)?;
        Ok(Self {
            folder,
            configuration,
            model,
            shape,
            is_shape_known,
            pool,
        })
    }

    /// The settings of the run.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The network and its weights.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What a row is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    pub(super) fn latent(&self) -> usize {
        self.model.spec().architecture.latent
    }

    pub(super) fn is_variational(&self) -> bool {
        self.model.spec().kind.is_variational()
    }

    /// What is done to rows: what was done to the run's test images, or what is
    /// asked for.
    pub(super) fn treatment(&self, asked: Option<DataTreatment>) -> Result<DataTreatment, Error> {
        evaluated_treatment(&self.configuration, asked)
    }

    /// How new data are read: as `settings` say, with as many channels as the
    /// run's images where they leave that open.
    pub(super) fn reading(&self, settings: &ReadingConfiguration) -> Result<Reading, Error> {
        let mut reading = settings.reading()?;
        if reading.colour == Colour::Automatic && self.is_shape_known && self.shape.is_image() {
            reading.colour = if self.shape.channels() == 1 {
                Colour::Grey
            } else {
                Colour::Rgb
            };
        }
        Ok(reading)
    }

    /// Refuses rows of another shape than the run's.
    pub(super) fn check_shape(&self, source: &str, found: Shape) -> Result<(), Error> {
        let fits_as_table =
            found.len() == self.shape.len() && (!self.is_shape_known || !found.is_image());
        if found == self.shape || fits_as_table {
            return Ok(());
        }
        let advice = match (self.shape, found) {
            (Shape::Image { height, width, .. }, Shape::Image { .. })
                if found.size() != self.shape.size() =>
            {
                format!("bring them to that size with --resize {height}x{width}")
            }
            (Shape::Image { channels, .. }, Shape::Image { .. }) => format!(
                "bring them to that colour with --colour {}",
                if channels == 1 { "grey" } else { "rgb" }
            ),
            (Shape::Vector { length }, Shape::Image { .. }) if found.len() == length => {
                format!("take them as vectors with --shape {length}")
            }
            _ => "use a source of that shape".to_owned(),
        };
        Err(Error::Configuration(format!(
            "{source} gives {} of {found}, but {} was trained on {} of {}; {advice}",
            found.noun(),
            self.folder.path().display(),
            self.shape.noun(),
            self.shape,
        )))
    }

    /// Runs `operation` on the threads of the model.
    pub fn install<R: Send>(&self, operation: impl FnOnce() -> R + Send) -> R {
        self.pool.install(operation)
    }

    /// Rows in the units of the data as the network takes them.
    pub(super) fn input<'a>(&self, rows: Images<'a>) -> Input<'a> {
        let Some(standardisation) = self.model.standardisation() else {
            return Input::AsStored(rows);
        };
        let mut values = Array2::zeros(rows.dim());
        self.for_each_row(&mut values, |row, target| {
            rows.read_row(row, target);
            standardisation.apply(target);
        });
        Input::Standardised(values.into())
    }

    pub(super) fn encode(&self, input: &Input<'_>) -> Codes {
        self.install(|| self.model.encode(input.images()))
    }

    /// −log p(x|z) of each row at its mean, in nats; of a standardised model, of
    /// the standardised values.
    pub(super) fn losses(&self, input: &Input<'_>) -> Vec<f32> {
        self.install(|| self.model.losses_at_mean(input.images()))
    }

    /// Mean rows `[n, inputs]` of codes, in the units of the data.
    pub(super) fn decode(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        self.in_units(self.install(|| self.model.decode(codes)))
    }

    /// Rows as the model gives them back, in the units of the data.
    pub(super) fn reconstruct(&self, input: &Input<'_>) -> Array2<f32> {
        self.in_units(self.install(|| self.model.reconstruct(input.images())))
    }

    fn in_units(&self, mut rows: Array2<f32>) -> Array2<f32> {
        if let Some(standardisation) = self.model.standardisation() {
            self.for_each_row(&mut rows, |_, row| standardisation.invert(row));
        }
        rows
    }

    /// Changes each row by itself, on all threads.
    fn for_each_row(&self, rows: &mut Array2<f32>, work: impl Fn(usize, &mut [f32]) + Sync) {
        let width = rows.ncols();
        let values = rows.as_slice_mut().expect("a new array");
        self.install(|| {
            let rows = values.par_chunks_mut(width).enumerate();
            rows.for_each(|(row, values)| work(row, values));
        });
    }
}
