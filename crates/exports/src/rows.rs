//! The rows of a run's data with what the model makes of them: what tables hold.

use datasets::{Kind, Rows, Shape, Split};
use models::{Codes, Images, Model};
use ndarray::{Array2, Axis, concatenate};
use runs::Error;
use runs::run_data::training_rows;
use viz::{GrayImage, Image, RgbImage};

use crate::{ExportedRun, RunRows};

/// Which rows of its data a run is exported with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitChoice {
    /// The training rows, those held out for validation among them.
    Train,
    /// The test rows.
    Test,
    /// The training rows, then the test rows.
    All,
}

impl SplitChoice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Train, Self::Test, Self::All];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::All => "all",
        }
    }
}

/// Encoded rows, in the order of the data set.
#[derive(Debug)]
pub struct EncodedRows<'a> {
    data: &'a RunRows,
    parts: Vec<Part<'a>>,
    /// μ and, of a VAE, log σ²: `[n, latent]` each.
    pub codes: Codes,
    /// −log p(x|z = μ) of each row, nats, of what the network saw.
    pub reconstruction: Vec<f32>,
}

/// The rows of one split.
#[derive(Debug)]
struct Part<'a> {
    split: &'a Split,
    name: &'static str,
    /// Rows from here on were held out for validation.
    trained: usize,
}

impl<'a> EncodedRows<'a> {
    /// Encodes the rows that `choice` names.
    ///
    /// # Errors
    /// When the data cannot be had or are not those of the run.
    pub fn of(
        run: &'a ExportedRun,
        choice: SplitChoice,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<Self, Error> {
        let data = run.data(download)?;
        let train = Part {
            split: &data.dataset.train,
            name: "train",
            trained: training_rows(run.configuration(), &data.dataset)?,
        };
        let test = Part {
            split: &data.dataset.test,
            name: "test",
            trained: data.dataset.test.len(),
        };
        let parts = match choice {
            SplitChoice::Train => vec![train],
            SplitChoice::Test => vec![test],
            SplitChoice::All => vec![train, test],
        };
        let mut codes = Vec::new();
        let mut reconstruction = Vec::new();
        for part in &parts {
            let seen = data.run.seen(part.split)?;
            let (encoded, losses) = run.install(|| coded(&data.run.model, seen.images()));
            codes.push(encoded);
            reconstruction.extend(losses);
        }
        Ok(Self {
            data,
            parts,
            codes: joined(codes),
            reconstruction,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reconstruction.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reconstruction.is_empty()
    }

    /// The run as it sees them.
    #[must_use]
    pub fn run(&self) -> &'a figures::TrainedRun {
        &self.data.run
    }

    /// What a row is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.data.run.shape
    }

    /// Position of each row in its split.
    #[must_use]
    pub fn index(&self) -> Vec<i64> {
        let lengths = self.parts.iter().map(|part| part.split.len() as i64);
        lengths.flat_map(|length| 0..length).collect()
    }

    /// What each row was for: `train`, `validation` or `test`.
    #[must_use]
    pub fn split(&self) -> Vec<&'static str> {
        let of_part = |part: &Part<'_>| {
            let (name, trained) = (part.name, part.trained);
            (0..part.split.len()).map(move |row| if row < trained { name } else { "validation" })
        };
        self.parts.iter().flat_map(of_part).collect()
    }

    /// The class of each row, where there are labels.
    #[must_use]
    pub fn labels(&self) -> Option<Vec<u32>> {
        let labels = self.parts.iter().map(|part| part.split.labels());
        Some(labels.collect::<Option<Vec<_>>>()?.concat())
    }

    /// The names of all classes, by label.
    #[must_use]
    pub fn class_names(&self) -> &'a [String] {
        &self.data.dataset.class_names
    }

    /// The name of each row's class, where there are labels.
    #[must_use]
    pub fn classes(&self) -> Option<Vec<String>> {
        let name = |label: u32| {
            let name = self.class_names().get(label as usize);
            name.cloned().unwrap_or_else(|| label.to_string())
        };
        Some(self.labels()?.into_iter().map(name).collect())
    }

    /// The name of each row's file, where rows are files.
    #[must_use]
    pub fn names(&self) -> Option<Vec<String>> {
        let names = self.parts.iter().map(|part| part.split.names());
        Some(names.collect::<Option<Vec<_>>>()?.concat())
    }

    /// The split that holds a row, and its position there.
    fn place(&self, mut row: usize) -> (&'a Split, usize) {
        for part in &self.parts {
            if row < part.split.len() {
                return (part.split, row);
            }
            row -= part.split.len();
        }
        panic!("EncodedRows: a row beyond the last");
    }

    /// A row as a picture, as it is stored; `None` of vectors.
    ///
    /// # Errors
    /// When its length is not that of its shape.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn picture(&self, row: usize) -> Result<Option<Image>, Error> {
        let Shape::Image {
            height,
            width,
            channels,
        } = self.shape()
        else {
            return Ok(None);
        };
        let (split, row) = self.place(row);
        let pixels = self.bytes(split, row);
        Ok(Some(if channels == 1 {
            GrayImage::from_pixels(width, height, pixels)?.into()
        } else {
            RgbImage::from_pixels(width, height, pixels)?.into()
        }))
    }

    fn bytes(&self, split: &Split, row: usize) -> Vec<u8> {
        let [low, high] = self.data.run.range();
        match split.images() {
            Rows::Bytes(rows) => rows.row(row).to_vec(),
            Rows::Floats(rows) => rows
                .row(row)
                .iter()
                .map(|&value| {
                    let brightness = (value - low) / (high - low);
                    (brightness.clamp(0.0, 1.0) * 255.0).round() as u8
                })
                .collect(),
        }
    }

    /// Bytes of a picture before it is compressed.
    #[must_use]
    pub fn picture_bytes(&self) -> usize {
        self.shape().len() * Kind::Bytes.bytes()
    }
}

/// The codes of rows, and −log p(x|z) of each at the mean.
fn coded(model: &Model, rows: Images<'_>) -> (Codes, Vec<f32>) {
    let codes = model.encode(rows);
    // Of two stochastic layers a row is decoded from the lower one, whose means are no codes.
    let losses = match model.spec().architecture.lower {
        None => model.reconstruction_losses(codes.mean.view(), rows),
        Some(_) => model.losses_at_mean(rows),
    };
    (codes, losses)
}

/// Codes of one part after the other.
fn joined(parts: Vec<Codes>) -> Codes {
    let stacked = |arrays: Vec<Array2<f32>>| {
        let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
        concatenate(Axis(0), &views).expect("codes of one model have one width")
    };
    let (means, log_variances): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .map(|codes| (codes.mean, codes.log_variance))
        .unzip();
    let log_variances: Option<Vec<_>> = log_variances.into_iter().collect();
    Codes {
        mean: stacked(means),
        log_variance: log_variances.map(stacked),
    }
}
