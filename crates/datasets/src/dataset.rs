//! A data set in memory: training and test rows, with labels where there are
//! some.

use std::ops::Range;
use std::sync::Arc;

use memory::SharedSlice;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::shape::Shape;
use crate::values::{Kind, Rows, Values};

/// Training and test images (or vectors) of one source.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The source as it was asked for: `glyphs`, `mnist`, `idx:DIR`, a path.
    pub name: String,
    /// One name per class, in label order; none without labels.
    pub class_names: Vec<String>,
    /// Who made the images and under which licence they may be shown.
    pub attribution: String,
    /// The training rows.
    pub train: Split,
    /// The test rows.
    pub test: Split,
    /// Where the test rows come from.
    pub test_origin: TestOrigin,
    /// What was decided while reading, one sentence each: how columns were
    /// taken, what was composed on which background.
    pub remarks: Vec<String>,
    /// Identifies the content, whatever files it came from; see
    /// [`fingerprint`](crate::fingerprint).
    pub fingerprint: String,
}

impl Dataset {
    /// The shape of every row of both splits.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.train.shape()
    }

    /// Whether there are labels.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.train.labels().is_some()
    }

    /// Number of classes; 0 without labels.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// The lowest and the highest value.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        let mut range = [f32::INFINITY, f32::NEG_INFINITY];
        for split in [&self.train, &self.test] {
            let [low, high] = split.range();
            range = [range[0].min(low), range[1].max(high)];
        }
        range
    }

    /// The same rows as floats, each changed by `change`: in place where the
    /// values are floats that nothing else shares, else as a copy. The
    /// fingerprint stays that of the content.
    #[must_use]
    pub fn changed(mut self, change: impl Fn(&mut [f32]) + Sync) -> Self {
        let length = self.shape().len();
        let shared = match (&self.train.values, &self.test.values) {
            (Values::Bytes(train), Values::Bytes(test)) => train.is_same(test),
            (Values::Floats(train), Values::Floats(test)) => train.is_same(test),
            _ => false,
        };
        let empty = Values::zeros(Kind::Floats, 0);
        let train = std::mem::replace(&mut self.train.values, empty.clone());
        let test = std::mem::replace(&mut self.test.values, empty);
        if shared {
            drop(test);
            self.train.values = changed_values(train, length, &change);
            self.test.values = self.train.values.clone();
        } else {
            self.train.values = changed_values(train, length, &change);
            self.test.values = changed_values(test, length, &change);
        }
        self
    }

    /// The source and how many rows are for what: `mnist: 60000 training and
    /// 10000 test images of 28x28`.
    #[must_use]
    pub fn statement(&self) -> String {
        let share = match self.test_origin {
            TestOrigin::Own => String::new(),
            TestOrigin::Share(share) => format!(
                " (the source has no test set: a share of {share} by a hash of the content)"
            ),
        };
        format!(
            "{}: {} training and {} test {} of {}{share}",
            self.name,
            self.train.len(),
            self.test.len(),
            self.shape().noun(),
            self.shape()
        )
    }
}

fn changed_values(values: Values, length: usize, change: &(impl Fn(&mut [f32]) + Sync)) -> Values {
    let mut floats: SharedSlice<f32> = match values {
        Values::Floats(mut floats) => {
            if floats.get_mut().is_some() {
                floats
            } else {
                floats.iter().copied().collect()
            }
        }
        Values::Bytes(bytes) => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
    };
    if let Some(floats) = floats.get_mut() {
        floats.par_chunks_exact_mut(length).for_each(change);
    }
    Values::Floats(floats)
}

/// Where the test rows of a data set come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TestOrigin {
    /// The source has a test set.
    Own,
    /// The source has none: this share of its rows, chosen by a hash of their
    /// content.
    Share(f64),
}

/// Rows of one shape, with labels and names where the source has some.
///
/// Cloning shares the rows, and two splits may be parts of one buffer.
#[derive(Clone, Debug)]
pub struct Split {
    values: Values,
    rows: Range<usize>,
    shape: Shape,
    labels: Option<Arc<[u32]>>,
    names: Option<Arc<[String]>>,
}

impl PartialEq for Split {
    /// Whether the rows are equal, whatever buffers they are in.
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
            && self.images() == other.images()
            && self.labels == other.labels
            && self.names == other.names
    }
}

impl Split {
    /// A split of all rows of `values`.
    ///
    /// # Panics
    /// When the values are no whole number of rows, or there are labels and
    /// not one per row.
    #[must_use]
    pub fn new(values: Values, shape: Shape, labels: Option<Vec<u32>>) -> Self {
        let count = values.len() / shape.len().max(1);
        Self::part(values, 0..count, shape, labels, None)
    }

    /// A split of grey byte images `[n, height, width]` with labels.
    ///
    /// # Panics
    /// As [`Split::new`].
    #[must_use]
    pub fn grey(images: Arc<[u8]>, labels: Vec<u32>, height: usize, width: usize) -> Self {
        Self::new(
            Values::Bytes(images.into()),
            Shape::grey(height, width),
            Some(labels),
        )
    }

    pub(crate) fn part(
        values: Values,
        rows: Range<usize>,
        shape: Shape,
        labels: Option<Vec<u32>>,
        names: Option<Vec<String>>,
    ) -> Self {
        assert!(
            shape.len() > 0
                && values.len().is_multiple_of(shape.len())
                && rows.end <= values.len() / shape.len(),
            "Split: {} values for rows {rows:?} of {shape}",
            values.len()
        );
        for found in [labels.as_ref().map(Vec::len), names.as_ref().map(Vec::len)]
            .into_iter()
            .flatten()
        {
            assert_eq!(found, rows.len(), "Split: labels or names for the rows");
        }
        Self {
            values,
            rows,
            shape,
            labels: labels.map(Arc::from),
            names: names.map(Arc::from),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What a row is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How values are stored.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.values.kind()
    }

    /// The rows `[n, values]`.
    #[must_use]
    pub fn images(&self) -> Rows<'_> {
        let length = self.shape.len();
        let range = self.rows.start * length..self.rows.end * length;
        let dimensions = (self.len(), length);
        const CHECKED: &str = "the constructor checked the length";
        match &self.values {
            Values::Bytes(values) => {
                Rows::Bytes(ArrayView2::from_shape(dimensions, &values[range]).expect(CHECKED))
            }
            Values::Floats(values) => {
                Rows::Floats(ArrayView2::from_shape(dimensions, &values[range]).expect(CHECKED))
            }
        }
    }

    /// The rows `[n, values]` where they are bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<ArrayView2<'_, u8>> {
        self.images().bytes()
    }

    /// The buffer that holds the rows, and which of its rows they are: to be
    /// shared without a copy.
    #[must_use]
    pub fn shared(&self) -> (&Values, Range<usize>) {
        (&self.values, self.rows.clone())
    }

    /// The rows as the numbers they stand for, `[n, values]`: a copy.
    #[must_use]
    pub fn to_floats(&self) -> Array2<f32> {
        let rows = self.images();
        let mut floats = Array2::zeros(rows.dim());
        for (index, mut row) in floats.axis_iter_mut(Axis(0)).enumerate() {
            let row = row.as_slice_mut().expect("a row of a new array");
            rows.write(index, row);
        }
        floats
    }

    /// The lowest and the highest value; infinite the wrong way round without
    /// rows.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        let start = [f32::INFINITY, f32::NEG_INFINITY];
        let wider = |[low, high]: [f32; 2], value: f32| [low.min(value), high.max(value)];
        match self.images() {
            Rows::Bytes(rows) => {
                let (low, high) = rows.iter().fold((255u8, 0u8), |(low, high), &byte| {
                    (low.min(byte), high.max(byte))
                });
                if rows.is_empty() {
                    return start;
                }
                [f32::from(low) / 255.0, f32::from(high) / 255.0]
            }
            Rows::Floats(rows) => rows.iter().copied().fold(start, wider),
        }
    }

    /// The label of each row: its class, counted from 0.
    #[must_use]
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }

    /// The name of each row, where rows were files.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The rows at `range`, sharing the buffer.
    ///
    /// # Panics
    /// When the range reaches beyond the rows.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(
            range.start <= range.end && range.end <= self.len(),
            "Split::slice: {range:?} of {} rows",
            self.len()
        );
        let start = self.rows.start;
        Self {
            values: self.values.clone(),
            rows: start + range.start..start + range.end,
            shape: self.shape,
            labels: self
                .labels
                .as_ref()
                .map(|labels| labels[range.clone()].into()),
            names: self.names.as_ref().map(|names| names[range].into()),
        }
    }

    /// A new split of copies of the rows at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Split::len`].
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let values = match self.images() {
            Rows::Bytes(rows) => {
                Values::Bytes(rows.select(Axis(0), indices).iter().copied().collect())
            }
            Rows::Floats(rows) => {
                Values::Floats(rows.select(Axis(0), indices).iter().copied().collect())
            }
        };
        let labels = self
            .labels()
            .map(|labels| indices.iter().map(|&index| labels[index]).collect());
        let names = self
            .names()
            .map(|names| indices.iter().map(|&index| names[index].clone()).collect());
        Self::part(values, 0..indices.len(), self.shape, labels, names)
    }

    /// Rows of each class below `classes`; none without labels.
    #[must_use]
    pub fn class_counts(&self, classes: usize) -> Option<Vec<usize>> {
        let mut counts = vec![0; classes];
        for &label in self.labels()? {
            if let Some(count) = counts.get_mut(label as usize) {
                *count += 1;
            }
        }
        Some(counts)
    }

    /// The lowest Bernoulli reconstruction error any model can reach on these
    /// grey values: the entropy of each value read as a probability,
    /// `−x ln x − (1−x) ln(1−x)` with `x = byte / 255`, summed over values and
    /// averaged over rows, in nats (0 for no rows); none for floats.
    #[must_use]
    pub fn grey_entropy(&self) -> Option<f64> {
        let bytes = self.bytes()?;
        let mut histogram = [0u64; 256];
        for &byte in bytes {
            histogram[usize::from(byte)] += 1;
        }
        let total: f64 = (1u8..255)
            .map(|value| {
                let x = f64::from(value) / 255.0;
                histogram[usize::from(value)] as f64 * -(x * x.ln() + (1.0 - x) * (-x).ln_1p())
            })
            .sum();
        Some(total / self.len().max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Split {
        Split::grey((0u8..24).collect::<Vec<_>>().into(), vec![3, 1, 3, 0], 2, 3)
    }

    #[test]
    fn views_agree_with_the_buffer() {
        let split = small();
        assert_eq!((split.len(), split.shape()), (4, Shape::grey(2, 3)));
        let bytes = split.bytes().unwrap();
        assert_eq!(bytes[[2, 4]], 16);
        assert_eq!(split.to_floats()[[3, 5]], 23.0 / 255.0);
        assert_eq!(split.class_counts(4), Some(vec![1, 1, 0, 2]));
    }

    #[test]
    fn parts_share_the_buffer() {
        let split = small();
        let part = split.slice(1..3);
        assert_eq!(part.labels(), Some(&[1, 3][..]));
        assert_eq!(part.bytes().unwrap()[[0, 0]], 6);
        let (Values::Bytes(whole), _) = split.shared() else {
            panic!("bytes")
        };
        let (Values::Bytes(shared), rows) = part.shared() else {
            panic!("bytes")
        };
        assert!(whole.is_same(shared));
        assert_eq!(rows, 1..3);
        assert_eq!(part.slice(1..2).shared().1, 2..3);
    }

    #[test]
    fn select_copies_in_the_given_order() {
        let selected = small().slice(1..4).select(&[2, 0, 0]);
        assert_eq!(selected.labels(), Some(&[0, 1, 1][..]));
        assert_eq!(selected.bytes().unwrap().row(0)[0], 18);
        assert_eq!(
            selected.bytes().unwrap().row(1),
            selected.bytes().unwrap().row(2)
        );
        assert!(small().select(&[]).is_empty());
    }

    #[test]
    fn rows_without_labels_say_so() {
        let split = Split::new(
            Values::Floats(vec![0.5, -1.0, 2.0, 0.25].into()),
            Shape::Vector { length: 2 },
            None,
        );
        assert_eq!((split.len(), split.labels()), (2, None));
        assert_eq!(split.class_counts(3), None);
        assert_eq!(split.to_floats()[[1, 0]], 2.0);
        assert!(split.bytes().is_none());
    }
}
