//! The parts of an opened source, read row by row in their order.
//!
//! Every format is a [`ReadRows`]; [`Part`] is what the rest of the crate sees
//! of it. A part knows how many rows it has before it is read, so that memory
//! is taken once and only for what the file can hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::DataError;
use crate::shape::Shape;
use crate::values::{Kind, ValuesMut};

/// Rows of one format, in their order.
pub(crate) trait ReadRows: Send {
    /// Reads the next rows, as many as `into` has room for; never more than
    /// are left.
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError>;

    /// Called after the last row: refuses what is behind it, and gives the
    /// SHA-256 of the two IDX files (images, labels) that hold exactly these
    /// rows, where that is known without hashing them again.
    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        Ok(None)
    }
}

/// Where rows are read to.
pub(crate) struct RowsInto<'a> {
    /// Room for whole rows.
    pub(crate) values: ValuesMut<'a>,
    /// Gets one label per row, where the part has labels: the number in the
    /// file, or the position of the class among those of a folder.
    pub(crate) labels: &'a mut Vec<i64>,
    /// Gets one name per row, where rows are files.
    pub(crate) names: &'a mut Vec<String>,
}

/// Some rows of a source: its training set, its test set, or all of it.
pub(crate) struct Part {
    /// What to call it in messages: its file or folder.
    pub(crate) path: PathBuf,
    pub(crate) count: usize,
    pub(crate) shape: Shape,
    pub(crate) kind: Kind,
    pub(crate) is_labelled: bool,
    pub(crate) is_named: bool,
    pub(crate) rows: Box<dyn ReadRows>,
}

/// A source, ready to be read.
pub(crate) struct Opened {
    pub(crate) parts: Parts,
    /// Names of classes by the labels of the parts, where the source has some.
    pub(crate) class_names: BTreeMap<i64, String>,
    pub(crate) attribution: String,
    /// The file that lists `class_names` without saying of which labels.
    pub(crate) listed_in: Option<PathBuf>,
    /// Whether its images have rows and columns exchanged.
    pub(crate) is_transposed: bool,
    /// What was decided, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// What a source consists of.
pub(crate) enum Parts {
    /// It has a test set.
    TrainAndTest(Part, Part),
    /// It has none.
    Whole(Part),
}

impl Parts {
    /// The parts, with their names.
    pub(crate) fn into_vec(self) -> Vec<(PartName, Part)> {
        match self {
            Self::TrainAndTest(train, test) => {
                vec![(PartName::Train, train), (PartName::Test, test)]
            }
            Self::Whole(part) => vec![(PartName::All, part)],
        }
    }
}

/// Which part of a source rows are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartName {
    /// The training set.
    Train,
    /// The test set.
    Test,
    /// A source without a test set.
    All,
}

impl PartName {
    /// `train`, `test` or `all`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::All => "all",
        }
    }
}
