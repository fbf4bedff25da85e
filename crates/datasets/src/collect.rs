//! From an opened source to a data set in memory: rows read once into one
//! buffer, split where there is no test set, labels numbered, content hashed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::class_names;
use crate::dataset::{Dataset, Split, TestOrigin};
use crate::digest;
use crate::error::DataError;
use crate::fingerprint::{fingerprint, row_hash, split_digests};
use crate::needs;
use crate::part::{Opened, Part, Parts, RowsInto};
use crate::prepare::prepared;
use crate::reading::Reading;
use crate::shape::Shape;
use crate::values::{Kind, Rows, Values, ValuesMut, byte_of};

/// Values read at a time, in bytes: small beside the data, large enough to be
/// decoded in parallel.
const CHUNK_BYTES: usize = 8 << 20;

/// Reads everything.
pub(crate) fn collected(
    name: String,
    opened: Opened,
    reading: &Reading,
) -> Result<Dataset, DataError> {
    let Opened {
        parts,
        class_names,
        listed_in,
        attribution,
        is_transposed,
        remarks,
    } = opened;
    let reading = &Reading {
        transposed: reading.transposed || is_transposed,
        ..reading.clone()
    };
    let (train, test, test_origin) = match parts {
        Parts::TrainAndTest(train, test) => {
            let (train, test) = (prepared(train, reading)?, prepared(test, reading)?);
            check_agreement(&train, &test)?;
            needs::check_rows(&[&train, &test], false)?;
            let (train, test) = rayon::join(|| whole(train), || whole(test));
            let (train, test) = alike(train?, test?);
            (train, test, TestOrigin::Own)
        }
        Parts::Whole(part) => {
            let part = prepared(part, reading)?;
            needs::check_rows(&[&part], true)?;
            let (train, test) = divided(part, reading.test_share)?;
            let (train, test) = alike(train, test);
            (train, test, TestOrigin::Share(reading.test_share))
        }
    };
    let classes = Classes::of([&train, &test], &class_names, listed_in.as_deref())?;
    Ok(Dataset {
        name,
        attribution,
        test_origin,
        remarks,
        ..of_parts(train, test, &classes)
    })
}

/// The data set of these rows, which have been made [`alike`]; its test rows are its own.
pub(crate) fn of_parts(train: Collected, test: Collected, classes: &Classes) -> Dataset {
    let (train_digests, test_digests) = rayon::join(|| train.digests(), || test.digests());
    let fingerprint = {
        let ([a, b], [c, d]) = (&train_digests, &test_digests);
        fingerprint([a, b, c, d])
    };
    Dataset {
        name: String::new(),
        class_names: classes.names.clone(),
        attribution: String::new(),
        train: train.into_split(classes),
        test: test.into_split(classes),
        test_origin: TestOrigin::Own,
        remarks: Vec::new(),
        fingerprint,
    }
}

/// Refuses training and test rows that do not fit together.
fn check_agreement(train: &Part, test: &Part) -> Result<(), DataError> {
    if train.shape != test.shape {
        return Err(DataError::SizeMismatch {
            train_path: train.path.clone(),
            test_path: test.path.clone(),
            train: train.shape,
            test: test.shape,
        });
    }
    if train.is_labelled != test.is_labelled {
        let (with, without) = if train.is_labelled {
            (train, test)
        } else {
            (test, train)
        };
        return Err(DataError::LabelsOfOnePart {
            with: with.path.clone(),
            without: without.path.clone(),
        });
    }
    Ok(())
}

/// Rows in memory, with the labels of the source.
pub(crate) struct Collected {
    pub(crate) values: Values,
    pub(crate) rows: std::ops::Range<usize>,
    pub(crate) shape: Shape,
    pub(crate) labels: Option<Vec<i64>>,
    pub(crate) names: Option<Vec<String>>,
    /// SHA-256 of the IDX files of these rows, where reading gave them.
    pub(crate) digests: Option<[String; 2]>,
}

impl Collected {
    fn digests(&self) -> [String; 2] {
        self.digests.clone().unwrap_or_else(|| {
            split_digests(
                &self.values,
                self.rows.clone(),
                self.shape,
                self.labels.as_deref(),
            )
        })
    }

    fn into_split(self, classes: &Classes) -> Split {
        let labels = self
            .labels
            .map(|labels| labels.iter().map(|label| classes.numbers[label]).collect());
        Split::part(self.values, self.rows, self.shape, labels, self.names)
    }
}

/// The classes of a source: its labels in ascending order, numbered from 0.
pub(crate) struct Classes {
    numbers: BTreeMap<i64, u32>,
    names: Vec<String>,
}

impl Classes {
    /// A class that has a name but no rows counts as one: it keeps its number
    /// and its colour.
    pub(crate) fn of(
        parts: [&Collected; 2],
        names: &BTreeMap<i64, String>,
        listed_in: Option<&Path>,
    ) -> Result<Self, DataError> {
        let mut labels: BTreeSet<i64> = parts
            .iter()
            .filter_map(|part| part.labels.as_ref())
            .flatten()
            .copied()
            .collect();
        let names = &match listed_in {
            Some(list) if !labels.is_empty() => class_names::fitted(names, &labels, list)?,
            _ => names.clone(),
        };
        if !labels.is_empty() {
            labels.extend(names.keys());
        }
        let names = labels
            .iter()
            .map(|label| {
                names
                    .get(label)
                    .cloned()
                    .unwrap_or_else(|| label.to_string())
            })
            .collect();
        let numbers = labels.into_iter().zip(0u32..).collect();
        Ok(Self { numbers, names })
    }
}

/// Reads a part from its first row to its last, `chunk` rows at a time, into
/// `take`.
fn read_in_chunks(
    part: &mut Part,
    mut take: impl FnMut(ValuesMut<'_>, &[i64], &mut Vec<String>),
) -> Result<(), DataError> {
    let length = part.shape.len();
    let chunk = (CHUNK_BYTES / (length * part.kind.bytes())).clamp(1, part.count.max(1));
    let mut buffer = Values::zeros(part.kind, chunk * length);
    let (mut labels, mut names) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < part.count {
        let rows = chunk.min(part.count - done);
        let mut values = match buffer.as_mut() {
            ValuesMut::Bytes(values) => ValuesMut::Bytes(&mut values[..rows * length]),
            ValuesMut::Floats(values) => ValuesMut::Floats(&mut values[..rows * length]),
        };
        labels.clear();
        names.clear();
        part.rows.read(&mut RowsInto {
            values: values.reborrow(),
            labels: &mut labels,
            names: &mut names,
        })?;
        if let ValuesMut::Floats(values) = &values {
            check_finite(&part.path, values, length, done)?;
        }
        take(values, &labels, &mut names);
        done += rows;
    }
    Ok(())
}

/// Refuses the first value that is not finite.
pub(crate) fn check_finite(
    path: &Path,
    values: &[f32],
    length: usize,
    first_row: usize,
) -> Result<(), DataError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(DataError::NotFinite {
            path: path.to_owned(),
            row: first_row + at / length,
            position: at % length,
            found: values[at],
        }),
    }
}

fn empty(part: &Part) -> DataError {
    DataError::TooFew {
        path: part.path.clone(),
        found: part.count,
        needed: 1,
    }
}

/// All rows of a part in one buffer.
fn whole(mut part: Part) -> Result<Collected, DataError> {
    if part.count == 0 {
        return Err(empty(&part));
    }
    let length = part.shape.len();
    let mut values = Values::zeros(part.kind, part.count * length);
    let mut labels = Vec::with_capacity(if part.is_labelled { part.count } else { 0 });
    let mut names = Vec::new();
    part.rows.read(&mut RowsInto {
        values: values.as_mut(),
        labels: &mut labels,
        names: &mut names,
    })?;
    if let Values::Floats(values) = &values {
        check_finite(&part.path, values, length, 0)?;
    }
    let digests = part.rows.finish()?;
    Ok(Collected {
        values,
        rows: 0..part.count,
        shape: part.shape,
        labels: part.is_labelled.then_some(labels),
        names: part.is_named.then_some(names),
        digests,
    })
}

/// All rows of a part in one buffer, those for training first: which row is
/// for what depends on its content alone, so that rows added later move none.
fn divided(mut part: Part, share: f64) -> Result<(Collected, Collected), DataError> {
    if part.count < 2 {
        return Err(DataError::TooFew {
            path: part.path.clone(),
            found: part.count,
            needed: 2,
        });
    }
    let length = part.shape.len();
    let total = part.count;
    let mut values = Values::zeros(part.kind, total * length);
    let mut sides = [Side::default(), Side::default()];
    let mut target = values.as_mut();
    let border = border(share);
    read_in_chunks(&mut part, |chunk, labels, names| {
        let rows = chunk.len() / length;
        for row in 0..rows {
            let range = row * length..(row + 1) * length;
            let hash = match &chunk {
                ValuesMut::Bytes(values) => row_hash(&values[range]),
                ValuesMut::Floats(values) => row_hash_of_floats(&values[range]),
            };
            let side = usize::from(hash < border);
            let at = if side == 0 {
                sides[0].rows
            } else {
                total - 1 - sides[1].rows
            };
            copy_row(&chunk, row, &mut target, at, length);
            let name = names.get_mut(row).map(std::mem::take);
            sides[side].push(labels.get(row).copied(), name, hash);
        }
    })?;
    part.rows.finish()?;
    let [mut train, mut test] = sides;
    reverse_rows(&mut target, train.rows..total, length);
    if train.rows == 0 || test.rows == 0 {
        rebalance(&mut train, &mut test, &mut target, length);
    }
    let middle = train.rows;
    let collected = |values: Values, rows, side: Side| Collected {
        values,
        rows,
        shape: part.shape,
        labels: part.is_labelled.then_some(side.labels),
        names: part.is_named.then_some(side.names),
        digests: None,
    };
    Ok((
        collected(values.clone(), 0..middle, train),
        collected(values, middle..total, test),
    ))
}

/// 2⁶⁴ times the share: a row with a hash below it is for testing.
fn border(share: f64) -> u64 {
    (share * 2f64.powi(64)) as u64
}

/// Which rows a division by `share` gives to the test set; where it would give
/// it none or all, one row more or less is moved.
pub(crate) fn test_rows(rows: &Rows<'_>, share: f64) -> Vec<bool> {
    let border = border(share);
    let is_test = |hash: u64| hash < border;
    match rows {
        Rows::Bytes(rows) => rows
            .outer_iter()
            .map(|row| is_test(row_hash(row.as_slice().unwrap_or_default())))
            .collect(),
        Rows::Floats(rows) => rows
            .outer_iter()
            .map(|row| is_test(row_hash_of_floats(row.as_slice().unwrap_or_default())))
            .collect(),
    }
}

/// What is known of the rows on one side of a division.
#[derive(Default)]
struct Side {
    rows: usize,
    labels: Vec<i64>,
    names: Vec<String>,
    hashes: Vec<u64>,
}

impl Side {
    fn push(&mut self, label: Option<i64>, name: Option<String>, hash: u64) {
        self.rows += 1;
        self.labels.extend(label);
        self.names.extend(name);
        self.hashes.push(hash);
    }

    fn remove(&mut self, index: usize) -> (Option<i64>, Option<String>, u64) {
        self.rows -= 1;
        let label = (!self.labels.is_empty()).then(|| self.labels.remove(index));
        let name = (!self.names.is_empty()).then(|| self.names.remove(index));
        (label, name, self.hashes.remove(index))
    }
}

/// Gives an empty side the row whose hash is nearest to the border, the first
/// of equal ones: few rows, or all of them alike, can all fall on one side.
fn rebalance(train: &mut Side, test: &mut Side, target: &mut ValuesMut<'_>, length: usize) {
    let total = train.rows + test.rows;
    if test.rows == 0 {
        let index = position(&train.hashes, |a, b| a < b);
        let (label, name, hash) = train.remove(index);
        test.push(label, name, hash);
        rotate_rows(target, index, total, length, true);
    } else {
        let index = position(&test.hashes, |a, b| a > b);
        let (label, name, hash) = test.remove(index);
        train.push(label, name, hash);
        rotate_rows(target, index, total, length, false);
    }
}

/// Position of the first hash that is `better` than all before it.
fn position(hashes: &[u64], better: impl Fn(u64, u64) -> bool) -> usize {
    let mut best = 0;
    for (index, &hash) in hashes.iter().enumerate() {
        if better(hash, hashes[best]) {
            best = index;
        }
    }
    best
}

/// Moves row `index` to the end, or to the front, of `total` rows.
fn rotate_rows(
    target: &mut ValuesMut<'_>,
    index: usize,
    total: usize,
    length: usize,
    to_end: bool,
) {
    fn rotate<V>(values: &mut [V], index: usize, total: usize, length: usize, to_end: bool) {
        if to_end {
            values[index * length..total * length].rotate_left(length);
        } else {
            values[..(index + 1) * length].rotate_right(length);
        }
    }
    match target {
        ValuesMut::Bytes(values) => rotate(values, index, total, length, to_end),
        ValuesMut::Floats(values) => rotate(values, index, total, length, to_end),
    }
}

fn copy_row(from: &ValuesMut<'_>, row: usize, to: &mut ValuesMut<'_>, at: usize, length: usize) {
    let (from_range, to_range) = (
        row * length..(row + 1) * length,
        at * length..(at + 1) * length,
    );
    match (from, to) {
        (ValuesMut::Bytes(from), ValuesMut::Bytes(to)) => {
            to[to_range].copy_from_slice(&from[from_range]);
        }
        (ValuesMut::Floats(from), ValuesMut::Floats(to)) => {
            to[to_range].copy_from_slice(&from[from_range]);
        }
        _ => unreachable!("a chunk has the kind of its part"),
    }
}

fn reverse_rows(target: &mut ValuesMut<'_>, rows: std::ops::Range<usize>, length: usize) {
    fn reverse<V>(values: &mut [V], length: usize) {
        let mut rest = values;
        while rest.len() >= 2 * length {
            let (first, others) = rest.split_at_mut(length);
            let (others, last) = others.split_at_mut(others.len() - length);
            first.swap_with_slice(last);
            rest = others;
        }
    }
    let range = rows.start * length..rows.end * length;
    match target {
        ValuesMut::Bytes(values) => reverse(&mut values[range], length),
        ValuesMut::Floats(values) => reverse(&mut values[range], length),
    }
}

/// The hash of a row of floats: that of its bytes where every value is one, so
/// that images fall on the same side whichever way they are stored.
fn row_hash_of_floats(row: &[f32]) -> u64 {
    match row
        .iter()
        .map(|&value| byte_of(value))
        .collect::<Option<Vec<u8>>>()
    {
        Some(bytes) => row_hash(&bytes),
        None => {
            let mut hasher = Sha256::new();
            for value in row {
                hasher.update(value.to_be_bytes());
            }
            digest::first_u64(hasher)
        }
    }
}

/// Both parts as bytes where both can be: floats that are all a byte over 255
/// are what their bytes are, in a quarter of the memory. Otherwise both as
/// floats.
pub(crate) fn alike(train: Collected, test: Collected) -> (Collected, Collected) {
    let is_bytes = |part: &Collected| match &part.values {
        Values::Bytes(_) => true,
        Values::Floats(values) => values.iter().all(|&value| byte_of(value).is_some()),
    };
    let has_floats = [&train, &test]
        .iter()
        .any(|part| part.values.kind() == Kind::Floats);
    if !has_floats {
        return (train, test);
    }
    if is_bytes(&train) && is_bytes(&test) {
        let shared = same_buffer(&train.values, &test.values);
        let train = Collected {
            values: to_bytes(&train.values),
            digests: None,
            ..train
        };
        let values = if shared {
            train.values.clone()
        } else {
            to_bytes(&test.values)
        };
        let test = Collected {
            values,
            digests: None,
            ..test
        };
        return (train, test);
    }
    let to_floats = |part: Collected| match &part.values {
        Values::Floats(_) => part,
        Values::Bytes(values) => Collected {
            values: Values::Floats(values.iter().map(|&byte| f32::from(byte) / 255.0).collect()),
            digests: None,
            ..part
        },
    };
    (to_floats(train), to_floats(test))
}

fn to_bytes(values: &Values) -> Values {
    match values {
        Values::Bytes(_) => values.clone(),
        Values::Floats(values) => {
            let bytes = values
                .iter()
                .map(|&value| byte_of(value).unwrap_or_default());
            Values::Bytes(bytes.collect())
        }
    }
}

fn same_buffer(first: &Values, second: &Values) -> bool {
    match (first, second) {
        (Values::Bytes(first), Values::Bytes(second)) => first.is_same(second),
        (Values::Floats(first), Values::Floats(second)) => first.is_same(second),
        _ => false,
    }
}
