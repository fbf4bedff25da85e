//! Reconstructions of new data.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use datasets::PartName;
use evaluation::subset::{Population, subset};
use models::DataTreatment;
use models::streams::{Purpose, stream};
use ndarray::Array2;
use serde::Serialize;

use super::columns::{Column, ColumnType, Values};
use super::destination::{Kind, png_name};
use super::pictures::{Pairs, add_pictures, check_images, write_montage};
use super::rows::{DataRows, RowChunk};
use super::table::Table;
use super::{DataRequest, Destination, Observer, TrainedModel};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::run_data::refuse_inside;

/// The stream that rows of a montage are chosen with.
const CHOICE: u64 = 0x7265 << 32;

/// What reconstructions can be written as.
pub const RECONSTRUCTED: [Kind; 4] = [Kind::Png, Kind::Folder, Kind::Npz, Kind::Csv];

/// What to reconstruct.
#[derive(Clone, Debug)]
pub struct ReconstructRequest {
    /// The rows.
    pub data: DataRequest,
    /// How many rows a montage shows.
    pub count: usize,
    /// Seed to choose the rows of a montage with; `None` for the first ones.
    pub seed: Option<u64>,
}

/// What was reconstructed.
#[derive(Clone, Debug, Serialize)]
pub struct Reconstructed {
    /// The file or folder written.
    #[serde(serialize_with = "crate::shell::serialize_path")]
    pub output: PathBuf,
    /// The source as it was asked for.
    pub dataset: String,
    /// Rows of the source.
    pub rows: usize,
    /// The rows that were reconstructed, counted from 0 through all parts:
    /// those of a montage; absent where they are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<Vec<usize>>,
    /// What a row is.
    pub shape: String,
    /// The values at the edges of lines, or of black and white where pixels do
    /// not lie in [0, 1]; of a montage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// What was done to values before they were encoded.
    pub data_treatment: DataTreatment,
}

/// Encodes rows and decodes their codes (the means, for a VAE; of two stochastic
/// layers those of the lower one) into mean rows.
///
/// Written are a montage of pairs, the row above (as the network saw it: after
/// the treatment) and its reconstruction below; a folder with a PNG of each
/// reconstruction, called as the row is in its source or by its position, in a
/// folder for each part where there are two; or `x` and `reconstruction` as
/// arrays or columns.
///
/// # Errors
/// When the source cannot be had or read or does not fit the model, the output
/// cannot be written, or a stop was asked for; nothing is left then.
pub fn reconstruct(
    trained: &TrainedModel,
    request: &ReconstructRequest,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Reconstructed, Error> {
    let shape = trained.shape();
    if destination.kind() == Kind::Folder {
        check_images(shape, &destination)?;
    }
    if request.count == 0 {
        return Err(Error::Configuration(
            "--count is 0, but must be at least 1".into(),
        ));
    }
    if matches!(destination.kind(), Kind::Folder | Kind::Png) {
        refuse_inside(&request.data.source, destination.path())?;
    }
    let data = DataRows::open(trained, &request.data, download, observer)?;
    let mut reconstructed = Reconstructed {
        output: PathBuf::new(),
        dataset: data.name.clone(),
        rows: data.len(),
        shown: None,
        range: None,
        shape: shape.to_string(),
        data_treatment: data.treatment,
    };
    let work = Work {
        trained,
        interrupt,
        observer,
        parts: data.parts(),
    };
    reconstructed.output = match destination.kind() {
        Kind::Png => {
            let montage = work.montage(data, request, destination)?;
            reconstructed.shown = Some(montage.shown);
            reconstructed.range = montage.range;
            montage.output
        }
        Kind::Folder => work.folder(data, destination)?,
        _ => work.table(data, destination)?,
    };
    Ok(reconstructed)
}

/// A montage that was written.
struct Montage {
    output: PathBuf,
    shown: Vec<usize>,
    range: Option<[f32; 2]>,
}

struct Work<'a> {
    trained: &'a TrainedModel,
    interrupt: &'a Interrupt,
    observer: &'a dyn Observer,
    parts: Vec<(PartName, usize)>,
}

impl Work<'_> {
    fn table(&self, data: DataRows, destination: Destination) -> Result<PathBuf, Error> {
        let values = ColumnType::Floats(self.trained.shape().len());
        let columns = ["x", "reconstruction"].map(|name| Column::new(name, values));
        let mut table = Table::new(columns.into(), "reconstruction", destination)?;
        self.observer.began(data.len());
        data.for_each(self.interrupt, |chunk| {
            let reconstructions = self.reconstructions(&chunk);
            let rows = values_of(&chunk);
            let values = vec![
                Values::Floats(rows.view()),
                Values::Floats(reconstructions.view()),
            ];
            self.trained.install(|| table.append(values))?;
            self.observer.advanced(rows.nrows());
            Ok(ControlFlow::Continue(()))
        })?;
        table.finish()
    }

    fn folder(&self, data: DataRows, destination: Destination) -> Result<PathBuf, Error> {
        self.observer.began(data.len());
        data.for_each(self.interrupt, |chunk| {
            let reconstructions = self.reconstructions(&chunk);
            let (part, count) = self.parts[chunk.part];
            let has_parts = self.parts.len() > 1;
            let name = |row: usize| {
                let name = chunk.names.as_ref().map(|names| names[row].as_str());
                let path = png_name(name, chunk.first + row, count);
                // Names in folders of both parts begin with them already.
                if !has_parts || path.starts_with(part.name()) {
                    path
                } else {
                    Path::new(part.name()).join(path)
                }
            };
            self.trained.install(|| {
                let shape = self.trained.shape();
                add_pictures(&destination, shape, reconstructions.view(), name)
            })?;
            self.observer.advanced(reconstructions.nrows());
            Ok(ControlFlow::Continue(()))
        })?;
        destination.finish()
    }

    fn montage(
        &self,
        data: DataRows,
        request: &ReconstructRequest,
        destination: Destination,
    ) -> Result<Montage, Error> {
        let shape = self.trained.shape();
        let pairs = Pairs::new(shape, request.count.min(data.len()));
        let count = request.count.min(data.len()).min(pairs.capacity());
        let shown = match request.seed {
            None => (0..count).collect(),
            Some(seed) => choice(seed, count, data.len()),
        };
        let (mut rows, mut reconstructions) = (Vec::new(), Vec::new());
        let starts: Vec<usize> = self
            .parts
            .iter()
            .scan(0, |start, &(_, length)| {
                let this = *start;
                *start += length;
                Some(this)
            })
            .collect();
        self.observer.began(count);
        let name = data.name.clone();
        data.for_each(self.interrupt, |chunk| {
            let first = starts[chunk.part] + chunk.first;
            let length = chunk.images().nrows();
            let here: Vec<usize> = shown
                .range(first..first + length)
                .map(|&row| row - first)
                .collect();
            if !here.is_empty() {
                let all = self.reconstructions(&chunk);
                let inputs = values_of(&chunk);
                for &row in &here {
                    rows.extend(inputs.row(row));
                    reconstructions.extend(all.row(row));
                }
                self.observer.advanced(here.len());
            }
            Ok(match shown.last() {
                Some(&last) if last >= first + length => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            })
        })?;
        let (image, range) = pairs.draw(&rows, &reconstructions)?;
        let description = format!(
            "{count} {} of {name} and their reconstructions",
            shape.noun()
        );
        let output = write_montage(destination, &image, &description)?;
        Ok(Montage {
            output,
            shown: shown.into_iter().collect(),
            range,
        })
    }

    fn reconstructions(&self, chunk: &RowChunk) -> Array2<f32> {
        let input = self.trained.input(chunk.images());
        self.trained.reconstruct(&input)
    }
}

/// Rows as the numbers they stand for.
fn values_of(chunk: &RowChunk) -> Array2<f32> {
    let images = chunk.images();
    let mut values = Array2::zeros(images.dim());
    for (row, mut target) in values.rows_mut().into_iter().enumerate() {
        images.read_row(row, target.as_slice_mut().expect("rows of a new array"));
    }
    values
}

/// `count` of the rows 0, …, n − 1 at random, fewer a part of more.
fn choice(seed: u64, count: usize, n: usize) -> BTreeSet<usize> {
    let numbers = stream(seed, Purpose::Sampling, CHOICE);
    let rows = subset(Population::Rows(n), count, numbers);
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_rows_are_distinct_nested_and_spread() {
        let few = choice(3, 10, 1000);
        let more = choice(3, 100, 1000);
        assert_eq!((few.len(), more.len()), (10, 100));
        assert!(few.is_subset(&more));
        assert_ne!(few, choice(4, 10, 1000));
        // Of 100 of 1000 rows, 50 ± 5 (one deviation) are in the upper half.
        let upper = more.iter().filter(|&&row| row >= 500).count();
        assert!((30..=70).contains(&upper), "{upper}");
        assert_eq!(choice(3, 5, 5), (0..5).collect());
    }
}
