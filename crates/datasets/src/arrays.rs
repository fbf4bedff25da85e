//! A data set of arrays that are in memory already, of this program or of another
//! language.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::collect::{Classes, Collected, alike, check_finite, of_parts};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::shape::Shape;
use crate::table::Place;
use crate::values::Values;

/// Rows of a data set in memory.
#[derive(Clone, Debug)]
pub struct ArrayPart {
    /// What messages call them.
    pub name: String,
    /// Their values, row after row. Bytes are used where they are; floats that are all
    /// a byte over 255 become bytes.
    pub values: Values,
    /// What a row is.
    pub shape: Shape,
    /// The label of each row.
    pub labels: Option<Vec<i64>>,
}

impl Dataset {
    /// The data set of these rows for training and for testing, of which no row is
    /// moved: the same that is read from a file which holds them as two arrays.
    /// `class_names` are by label; a class without one is called by its number.
    ///
    /// # Errors
    /// Values that are no whole number of rows or not finite, no rows, rows of two
    /// shapes, or labels of one part alone or not one for each row.
    pub fn of_arrays(
        train: ArrayPart,
        test: ArrayPart,
        class_names: &BTreeMap<i64, String>,
    ) -> Result<Self, DataError> {
        let path = |part: &ArrayPart| PathBuf::from(&part.name);
        let name = train.name.clone();
        if train.shape != test.shape {
            return Err(DataError::SizeMismatch {
                train_path: path(&train),
                test_path: path(&test),
                train: train.shape,
                test: test.shape,
            });
        }
        if train.labels.is_some() != test.labels.is_some() {
            let (with, without) = if train.labels.is_some() {
                (&train, &test)
            } else {
                (&test, &train)
            };
            return Err(DataError::LabelsOfOnePart {
                with: path(with),
                without: path(without),
            });
        }
        let (train, test) = (checked(train)?, checked(test)?);
        let (train, test) = alike(train, test);
        let classes = Classes::of([&train, &test], class_names, None)?;
        Ok(Self {
            name,
            ..of_parts(train, test, &classes)
        })
    }
}

/// Rows that are whole, finite and as many as their labels.
fn checked(part: ArrayPart) -> Result<Collected, DataError> {
    let path = PathBuf::from(&part.name);
    let length = part.shape.len();
    let count = part.values.len() / length;
    if count == 0 {
        return Err(DataError::TooFew {
            path,
            found: 0,
            needed: 1,
        });
    }
    let place = Place::of(&path);
    if !part.values.len().is_multiple_of(length) {
        return Err(place.wrong(
            format!("{} values", part.values.len()),
            format!("a whole number of rows of {length}"),
        ));
    }
    if let Some(labels) = &part.labels
        && labels.len() != count
    {
        return Err(place.wrong(
            format!("{} labels", labels.len()),
            format!("one for each of the {count} rows"),
        ));
    }
    if let Values::Floats(values) = &part.values {
        check_finite(&path, values, length, 0)?;
    }
    Ok(Collected {
        values: part.values,
        rows: 0..count,
        shape: part.shape,
        labels: part.labels,
        names: None,
        digests: None,
    })
}

#[cfg(test)]
mod tests {
    use memory::SharedSlice;

    use super::*;
    use crate::values::Kind;

    fn part(values: Values, labels: Option<&[i64]>) -> ArrayPart {
        ArrayPart {
            name: "X".into(),
            values,
            shape: Shape::grey(2, 3),
            labels: labels.map(<[i64]>::to_vec),
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count * 6).map(|at| (at * 37 % 256) as u8).collect()
    }

    fn dataset(train: ArrayPart, test: ArrayPart) -> Result<Dataset, DataError> {
        Dataset::of_arrays(train, test, &BTreeMap::new())
    }

    #[test]
    fn bytes_are_used_where_they_are() {
        let values = bytes(5);
        let place = values.as_ptr();
        let lent = Values::Bytes(SharedSlice::lent(values));
        let set = dataset(part(lent, None), part(Values::Bytes(bytes(2).into()), None));
        let set = set.expect("rows of one shape");
        let rows = set.train.bytes().expect("bytes");
        assert_eq!(rows.as_ptr(), place);
        assert_eq!((set.train.len(), set.test.len()), (5, 2));
    }

    #[test]
    fn floats_that_are_bytes_give_the_same_data_set() {
        let floats = |bytes: Vec<u8>| {
            let values = bytes.into_iter().map(|byte| f32::from(byte) / 255.0);
            Values::Floats(values.collect())
        };
        let labels = Some(&[7i64, -1, 7, 7][..]);
        let [of_bytes, of_floats] = [
            [4, 1].map(|count| Values::Bytes(bytes(count).into())),
            [4, 1].map(|count| floats(bytes(count))),
        ]
        .map(|[train, test]| dataset(part(train, labels), part(test, Some(&[-1]))).expect("rows"));
        assert_eq!(of_bytes.fingerprint, of_floats.fingerprint);
        assert_eq!(of_floats.train.kind(), Kind::Bytes);
        assert_eq!(of_bytes.class_names, ["-1", "7"]);
        assert_eq!(of_bytes.train.labels(), Some(&[1, 0, 1, 1][..]));
    }

    #[test]
    fn what_is_no_data_set_is_refused() {
        let good = || part(Values::Bytes(bytes(2).into()), None);
        let floats = |values: Vec<f32>| part(Values::Floats(values.into()), None);
        let other = ArrayPart {
            shape: Shape::Vector { length: 6 },
            ..good()
        };
        for (train, expected) in [
            (part(Values::Bytes(Vec::new().into()), None), "0 rows"),
            (
                part(Values::Bytes(vec![1; 7].into()), None),
                "whole number of rows of 6",
            ),
            (floats(vec![0.5, 1.0, f32::NAN, 0.0, 0.0, 0.0]), "NaN"),
            (part(Values::Bytes(bytes(2).into()), Some(&[1, 2])), "label"),
            (other, "2x3"),
        ] {
            let message = dataset(train, good()).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
        let labels = Some(&[1i64][..]);
        let short = part(Values::Bytes(bytes(2).into()), labels);
        let test = part(Values::Bytes(bytes(1).into()), labels);
        let message = dataset(short, test)
            .expect_err("a label too few")
            .to_string();
        assert!(message.contains("1 labels"), "{message}");
    }
}
