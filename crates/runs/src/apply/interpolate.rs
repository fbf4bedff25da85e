//! What lies between two rows.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use datasets::Dataset;
use models::Images;
use ndarray::Array2;
use serde::Serialize;

use super::decode::write_decoded;
use super::destination::Kind;
use super::pictures::Arrangement;
use super::rows::DataRows;
use super::{DataRequest, Decoded, Destination, Observer, PartChoice, TrainedModel};
use crate::configuration::{Configuration, ReadingConfiguration};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::needed_memory::require_for_codes;
use crate::run_data::{DataLocation, images};
use crate::run_images::{Treated, treated_from};

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A row of the test set, by its position.
    Test(usize),
    /// A row of the training set, by its position.
    Train(usize),
    /// The one row of a file, or of any other source.
    File(String),
}

impl FromStr for Place {
    type Err = Error;

    /// `17` and `test:17`, `train:17`, or a path.
    fn from_str(text: &str) -> Result<Self, Error> {
        let index = |text: &str| text.parse::<usize>().ok();
        if let Some(index) = index(text) {
            return Ok(Self::Test(index));
        }
        let (part, place): (_, fn(usize) -> Self) = match text.split_once(':') {
            Some(("test", rest)) => (rest, Self::Test),
            Some(("train", rest)) => (rest, Self::Train),
            _ => return Ok(Self::File(text.to_owned())),
        };
        index(part).map(place).ok_or_else(|| {
            Error::Configuration(format!(
                "\"{text}\" is no row; expected a position such as test:17 or train:17, or a file"
            ))
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(index) => write!(formatter, "test:{index}"),
            Self::Train(index) => write!(formatter, "train:{index}"),
            Self::File(path) => formatter.write_str(path),
        }
    }
}

/// What to interpolate between.
#[derive(Clone, Debug)]
pub struct InterpolateRequest {
    /// Where it begins and where it ends.
    pub ends: [Place; 2],
    /// How many codes, both ends included.
    pub steps: usize,
    /// How files, and the rows of another data set, are read.
    pub reading: ReadingConfiguration,
    /// Where the rows are that are given by position: the run's own data, or
    /// those of `dataset`.
    pub location: DataLocation,
}

/// What was interpolated.
#[derive(Clone, Debug, Serialize)]
pub struct Interpolated {
    /// What was written.
    #[serde(flatten)]
    pub decoded: Decoded,
    /// Where it begins and ends.
    pub ends: [String; 2],
}

/// Decodes the codes (1 − t) μ_A + t μ_B at equally spaced t from 0 to 1 into
/// mean rows; the first and the last are the reconstructions of A and B.
///
/// # Errors
/// When the rows cannot be had or do not fit the model, there are fewer than
/// two steps or more than a strip has room for, the output cannot be written,
/// or a stop was asked for; nothing is left then.
pub fn interpolate(
    trained: &TrainedModel,
    request: &InterpolateRequest,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Interpolated, Error> {
    let steps = request.steps;
    if steps < 2 {
        return Err(Error::Configuration(format!(
            "--steps is {steps}, but must be at least 2: both ends"
        )));
    }
    let room = Arrangement::Strip.grid(trained.shape(), steps).columns;
    if destination.kind() == Kind::Png && room < steps {
        return Err(Error::Configuration(format!(
            "--steps is {steps}, but a strip has room for {room} {} of {}; name a folder or an .npz file for more",
            trained.shape().noun(),
            trained.shape()
        )));
    }
    require_for_codes("--steps", steps, trained.latent())?;
    let ends = ends(trained, request, interrupt, observer, download)?;
    let codes = Array2::from_shape_fn((steps, trained.latent()), |(step, variable)| {
        // Exact at both ends: 0 and 1 times.
        let share = step as f32 / (steps - 1) as f32;
        (1.0 - share) * ends[[0, variable]] + share * ends[[1, variable]]
    });
    let decoded = write_decoded(
        trained,
        codes.view(),
        Arrangement::Strip,
        destination,
        interrupt,
        observer,
    )?;
    Ok(Interpolated {
        decoded,
        ends: request.ends.each_ref().map(ToString::to_string),
    })
}

/// The codes `[2, latent]` of both ends.
fn ends(
    trained: &TrainedModel,
    request: &InterpolateRequest,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Array2<f32>, Error> {
    let is_position = |place: &Place| !matches!(place, Place::File(_));
    let dataset = request
        .ends
        .iter()
        .any(is_position)
        .then(|| dataset(trained, request, download))
        .transpose()?;
    let mut codes = Array2::zeros((2, trained.latent()));
    for (place, mut code) in request.ends.iter().zip(codes.rows_mut()) {
        let row = match (place, &dataset) {
            (Place::File(path), _) => {
                let data = DataRequest {
                    source: path.clone(),
                    part: PartChoice::All,
                    reading: request.reading.clone(),
                    treatment: None,
                    location: request.location.clone(),
                };
                only_row(trained, &data, interrupt, observer, download)?
            }
            (_, Some(dataset)) => row_of(trained, place, dataset)?,
            (_, None) => unreachable!("loaded for the places that are positions"),
        };
        let input = trained.input(row.images());
        code.assign(&trained.encode(&input).mean.row(0));
    }
    Ok(codes)
}

/// The run's own data, or another data set that its model fits.
fn dataset(
    trained: &TrainedModel,
    request: &InterpolateRequest,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Dataset, Error> {
    if request.location.dataset.is_none() {
        let dataset = request.location.load(trained.configuration(), download)?;
        trained.folder().check_dataset(&dataset)?;
        return Ok(dataset);
    }
    let mut configuration: Configuration = trained.configuration().clone();
    configuration.data.reading = request.reading.clone();
    let dataset = request.location.load(&configuration, download)?;
    trained.check_shape(&dataset.name, dataset.shape())?;
    Ok(dataset)
}

fn row_of(
    trained: &TrainedModel,
    place: &Place,
    dataset: &Dataset,
) -> Result<Treated<'static>, Error> {
    let (split, index, name) = match *place {
        Place::Train(index) => (&dataset.train, index, "training"),
        Place::Test(index) => (&dataset.test, index, "test"),
        Place::File(_) => unreachable!("a file is no position"),
    };
    if index >= split.len() {
        return Err(Error::Configuration(format!(
            "{place} is no row of {}: its {name} set has {}, counted from 0",
            dataset.name,
            split.len()
        )));
    }
    owned(trained, index, images(split).slice_rows(index..index + 1))
}

fn owned(trained: &TrainedModel, index: usize, row: Images<'_>) -> Result<Treated<'static>, Error> {
    let treatment = trained.treatment(None)?;
    let seed = trained.configuration().data.test_seed;
    Ok(treated_from(index, treatment, row, seed)?.into_owned())
}

fn only_row(
    trained: &TrainedModel,
    data: &DataRequest,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Treated<'static>, Error> {
    let rows = DataRows::open(trained, data, download, observer)?;
    if rows.len() != 1 {
        return Err(Error::Configuration(format!(
            "{} holds {} {}; expected one image, or a position such as test:17 in --dataset {}",
            data.source,
            rows.len(),
            trained.shape().noun(),
            data.source
        )));
    }
    let mut only = None;
    rows.for_each(interrupt, |chunk| {
        only = Some(chunk.rows);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(only.expect("one row, or an error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_positions_or_files() {
        for (text, place) in [
            ("17", Place::Test(17)),
            ("test:0", Place::Test(0)),
            ("train:9", Place::Train(9)),
            ("17.png", Place::File("17.png".into())),
            ("idx:train", Place::File("idx:train".into())),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), place);
        }
        for text in ["test:", "train:-1", "test:1.5"] {
            let message = text.parse::<Place>().unwrap_err().to_string();
            assert!(message.contains(text), "{message}");
        }
    }
}
