//! New data, read ahead by a thread of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use datasets::{Chunk, PartName, Rows, Source, Stream, StreamedPart};
use models::{DataTreatment, Images};

use super::{Observer, TrainedModel, check};
use crate::configuration::ReadingConfiguration;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::run_data::{DataLocation, anchored};
use crate::run_images::{Treated, treated_from};

/// Which data, and how they are read.
#[derive(Clone, Debug)]
pub struct DataRequest {
    /// The source, as `--dataset` takes it.
    pub source: String,
    /// Which of its parts.
    pub part: PartChoice,
    /// How it is read: the run's own settings, or others.
    pub reading: ReadingConfiguration,
    /// What is done to values; `None` for what the run does to its test images.
    pub treatment: Option<DataTreatment>,
    /// Where named data sets are looked up.
    pub location: DataLocation,
}

/// Which parts of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartChoice {
    /// All rows: those of the training set, then those of the test set.
    All,
    /// The training set.
    Train,
    /// The test set.
    Test,
}

/// Bytes of rows that are read at a time: few enough to be read while the
/// chunk before is in the network, many enough for all threads.
const CHUNK_BYTES: usize = 4 << 20;

/// Rows of a chunk, however short or long they are.
const CHUNK_ROWS: std::ops::RangeInclusive<usize> = 16..=8192;

/// Rows of `row_bytes` that go through the network together.
pub(super) fn chunk_rows(row_bytes: usize) -> usize {
    (CHUNK_BYTES / row_bytes.max(1)).clamp(*CHUNK_ROWS.start(), *CHUNK_ROWS.end())
}

/// An opened source whose rows fit a model.
pub(super) struct DataRows {
    pub(super) name: String,
    /// Names of classes by label; empty where they say no more than labels.
    pub(super) class_names: BTreeMap<i64, String>,
    pub(super) treatment: DataTreatment,
    pub(super) seed: u64,
    parts: Vec<StreamedPart>,
    is_of_unit_interval: bool,
    likelihood: String,
    /// The share of the run's own source that became its test set.
    test_share: Option<f64>,
}

/// Consecutive rows of a part.
pub(super) struct RowChunk {
    /// Position of the part among those that are read.
    pub(super) part: usize,
    /// Position of the first row in its part.
    pub(super) first: usize,
    /// The rows after the treatment, in the units of the data.
    pub(super) rows: Treated<'static>,
    pub(super) labels: Option<Vec<i64>>,
    pub(super) names: Option<Vec<String>>,
    /// On which side of the division of the run's own source each row fell;
    /// absent where it has a test set, and for other sources.
    pub(super) sides: Option<Vec<PartName>>,
}

impl RowChunk {
    pub(super) fn images(&self) -> Images<'_> {
        self.rows.images()
    }
}

impl DataRows {
    /// Opens what `request` names.
    ///
    /// # Errors
    /// When it cannot be had or read, has not the part asked for, or rows of
    /// another shape than the model's.
    pub(super) fn open(
        trained: &TrainedModel,
        request: &DataRequest,
        download: &mut dyn FnMut(datasets::Progress<'_>),
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let source: Source = request.source.parse()?;
        let mut reading = trained.reading(&request.reading)?;
        reading.cache.clone_from(&request.location.cache);
        let treatment = trained.treatment(request.treatment)?;
        let opened = datasets::stream(&source, &reading, &request.location.lookup, download)?;
        let Stream {
            name,
            parts,
            class_names,
            remarks,
        } = opened;
        for remark in &remarks {
            observer.remark(remark);
        }
        let configuration = trained.configuration();
        let is_own = anchored(&request.source)
            .is_ok_and(|source| source == configuration.data.dataset)
            && request.reading == configuration.data.reading;
        let test_share = (is_own && parts.iter().all(|part| part.name() == PartName::All))
            .then_some(reading.test_share);
        let parts = chosen(parts, request.part, &name)?;
        for part in &parts {
            trained.check_shape(&name, part.shape())?;
        }
        let says_more = class_names
            .iter()
            .any(|(label, name)| *name != label.to_string());
        let likelihood = trained.model().spec().likelihood;
        Ok(Self {
            name,
            class_names: if says_more {
                class_names
            } else {
                BTreeMap::new()
            },
            treatment,
            seed: configuration.data.test_seed,
            parts,
            is_of_unit_interval: likelihood.is_of_unit_interval()
                && trained.model().standardisation().is_none(),
            likelihood: configuration.model.likelihood.clone(),
            test_share,
        })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(StreamedPart::len).sum()
    }

    /// The parts in their order, with their numbers of rows.
    pub(super) fn parts(&self) -> Vec<(PartName, usize)> {
        let parts = self.parts.iter();
        parts.map(|part| (part.name(), part.len())).collect()
    }

    /// Whether rows come with the side of a division they fell on.
    pub(super) fn is_divided(&self) -> bool {
        self.test_share.is_some()
    }

    /// Whether all rows have labels.
    pub(super) fn is_labelled(&self) -> bool {
        self.parts.iter().all(StreamedPart::is_labelled)
    }

    /// Whether all rows are files with names.
    pub(super) fn is_named(&self) -> bool {
        self.parts.iter().all(StreamedPart::is_named)
    }

    /// Hands every chunk to `work`, in order, until it breaks off.
    ///
    /// # Errors
    /// The first of reading or of `work`, or that a stop was asked for.
    pub(super) fn for_each(
        mut self,
        interrupt: &Interrupt,
        mut work: impl FnMut(RowChunk) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        // One chunk in the network, one waiting, one being read.
        let (sender, chunks) = sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(move || self.read(&sender));
            for chunk in chunks {
                check(interrupt)?;
                if work(chunk?)?.is_break() {
                    break;
                }
            }
            // The receiver is gone here, and the reader ends at its next chunk.
            Ok(())
        })
    }

    fn read(&mut self, chunks: &SyncSender<Result<RowChunk, Error>>) {
        let (treatment, seed, share) = (self.treatment, self.seed, self.test_share);
        for (index, part) in self.parts.iter_mut().enumerate() {
            let rows = chunk_rows(part.shape().len() * part.kind().bytes());
            loop {
                let chunk = match part.next_chunk(rows) {
                    Ok(Some(chunk)) => {
                        owned(index, &chunk, treatment, seed).map(|owned| RowChunk {
                            sides: share.map(|share| sides(&chunk, share)),
                            ..owned
                        })
                    }
                    Ok(None) => break,
                    Err(error) => Err(error.into()),
                };
                let chunk = chunk.and_then(|chunk| match self.is_of_unit_interval {
                    true => within_unit(chunk, &self.name, &self.likelihood),
                    false => Ok(chunk),
                });
                let failed = chunk.is_err();
                if chunks.send(chunk).is_err() || failed {
                    return;
                }
            }
        }
    }
}

fn chosen(
    parts: Vec<StreamedPart>,
    choice: PartChoice,
    source: &str,
) -> Result<Vec<StreamedPart>, Error> {
    let (wanted, name) = match choice {
        PartChoice::All => return Ok(parts),
        PartChoice::Train => (PartName::Train, "train"),
        PartChoice::Test => (PartName::Test, "test"),
    };
    let chosen: Vec<_> = parts
        .into_iter()
        .filter(|part| part.name() == wanted)
        .collect();
    if chosen.is_empty() {
        return Err(Error::Configuration(format!(
            "--split is {name}, but {source} has no test set of its own; leave --split out to take all rows (of the run's own source, the column split says which were for what)"
        )));
    }
    Ok(chosen)
}

fn owned(
    part: usize,
    chunk: &Chunk<'_>,
    treatment: DataTreatment,
    seed: u64,
) -> Result<RowChunk, Error> {
    let images = match chunk.rows {
        Rows::Bytes(rows) => Images::Bytes(rows),
        Rows::Floats(rows) => Images::Values(rows),
    };
    let rows = treated_from(chunk.first, treatment, images, seed)?.into_owned();
    Ok(RowChunk {
        part,
        first: chunk.first,
        rows,
        labels: chunk.labels.map(<[i64]>::to_vec),
        names: chunk.names.map(<[String]>::to_vec),
        sides: None,
    })
}

fn sides(chunk: &Chunk<'_>, share: f64) -> Vec<PartName> {
    let is_test = chunk.test_rows(share).into_iter();
    is_test
        .map(|is_test| {
            if is_test {
                PartName::Test
            } else {
                PartName::Train
            }
        })
        .collect()
}

fn within_unit(chunk: RowChunk, source: &str, likelihood: &str) -> Result<RowChunk, Error> {
    let Some((row, position)) = chunk.images().first_outside_unit() else {
        return Ok(chunk);
    };
    let mut values = vec![0.0; chunk.images().ncols()];
    chunk.images().read_row(row, &mut values);
    Err(Error::Configuration(format!(
        "{source} holds {} in row {}, but the run's likelihood '{likelihood}' is of values in [0, 1]; divide them with --maximum, as the training data were",
        values[position],
        chunk.first + row,
    )))
}
