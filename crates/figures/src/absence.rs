//! What these data or this model do not have: numbers that are a dash with a
//! reason, and figures that become a sentence.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use viz::page::{Block, Cell};

use super::Drawing;
use crate::Measured;
use runs::Error;

/// Why nothing that is counted by class can be measured.
const UNLABELLED: &str = "the data set has no labels";

/// A number of a table or claim, or why there is none.
///
/// In JSON it is the value itself, or an object with the one key `missing`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measurement<T> {
    /// It could be measured.
    Known(T),
    /// It could not, because `missing`.
    Missing {
        /// The second half of a sentence.
        missing: String,
    },
}

/// A number, or why there is none: the second half of a sentence.
pub fn known(value: Option<f64>, missing: &str) -> Result<f64, Error> {
    value.ok_or_else(|| Error::Undefined(missing.into()))
}

impl<T> Measurement<T> {
    /// Keeps the reason of an error that is about these numbers alone.
    ///
    /// # Errors
    /// Every other one.
    pub fn of(measured: Result<T, impl Into<Error>>) -> Result<Self, Error> {
        match measured.map_err(Into::into) {
            Ok(value) => Ok(Self::Known(value)),
            Err(error) => reason(error).map(|missing| Self::Missing { missing }),
        }
    }

    /// A part of the value, with the same reason where there is none.
    pub fn map<U>(&self, part: impl FnOnce(&T) -> U) -> Measurement<U> {
        match self {
            Self::Known(value) => Measurement::Known(part(value)),
            Self::Missing { missing } => Measurement::Missing {
                missing: missing.clone(),
            },
        }
    }

    /// The value.
    ///
    /// # Errors
    /// [`Error::Undefined`] with the reason.
    pub fn get(&self) -> Result<&T, Error> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Missing { missing } => Err(Error::Undefined(missing.clone())),
        }
    }
}

/// The error of what needs labels where there are none.
pub fn unlabelled() -> Error {
    Error::Undefined(UNLABELLED.into())
}

/// Why a number is missing, where an error is about that number alone: the
/// first half of its sentence, without what to pass instead.
///
/// # Errors
/// The error itself when it is about anything else, such as a file.
pub fn reason(error: Error) -> Result<String, Error> {
    match error {
        Error::Undefined(reason) => Ok(reason),
        Error::Evaluation(error @ evaluation::EvaluationError::ClassifierFile { .. }) => {
            Err(error.into())
        }
        Error::Evaluation(error) => {
            let sentence = error.to_string();
            let first = sentence.split(';').next().unwrap_or_default();
            Ok(first.to_owned())
        }
        error => Err(error),
    }
}

/// The missing numbers of a table.
#[derive(Debug, Default)]
pub struct Absences {
    reasons: BTreeSet<String>,
}

impl Absences {
    /// A cell for a number, or a dash.
    ///
    /// # Errors
    /// Those that are about anything else than this number.
    pub fn cell(&mut self, value: Result<f64, Error>, decimals: usize) -> Result<Cell, Error> {
        match value {
            Ok(value) if value.is_finite() => Ok(Cell::Number { value, decimals }),
            Ok(_) => Ok(Cell::Missing),
            Err(error) => {
                self.reasons.insert(reason(error)?);
                Ok(Cell::Missing)
            }
        }
    }

    /// A cell for a number over seeds, or a dash.
    pub fn over_seeds(&mut self, measured: &Measured, decimals: usize) -> Cell {
        if measured.interval.is_none() {
            self.reasons.extend(measured.missing.values().cloned());
        }
        measured.cell(decimals)
    }

    /// ` A dash: because …`, for the end of a caption; nothing when no number is
    /// missing for a reason.
    pub fn sentence(&self) -> String {
        if self.reasons.is_empty() {
            return String::new();
        }
        let reasons: Vec<&str> = self.reasons.iter().map(String::as_str).collect();
        format!(" A dash stands where {}.", reasons.join(", or "))
    }
}

impl Drawing<'_> {
    /// Blocks of the page; a sentence in their place when these data do not have
    /// them.
    ///
    /// # Errors
    /// Those that are about anything else than these blocks.
    pub fn blocks(
        &mut self,
        what: &str,
        draw: impl FnOnce(&mut Self) -> Result<Vec<Block>, Error>,
    ) -> Result<Vec<Block>, Error> {
        draw(self).or_else(|error| {
            let reason = reason(error)?;
            Ok(vec![Block::paragraph(format!(
                "Left out: {what}, because {reason}."
            ))])
        })
    }
}

#[cfg(test)]
mod tests {
    use evaluation::EvaluationError;
    use evaluation::gaps::gaps;
    use ndarray::Array2;

    use super::*;

    fn too_few() -> EvaluationError {
        gaps(Array2::zeros((5, 2)).view(), 4, 0.0, 1).unwrap_err()
    }

    #[test]
    fn a_measurement_is_its_value_or_its_reason() {
        let known = Measurement::of(Ok::<_, Error>(0.1)).unwrap();
        assert_eq!(serde_json::to_string(&known).unwrap(), "0.1");
        let missing = Measurement::<f64>::of(Err(too_few())).unwrap();
        let text = serde_json::to_string(&missing).unwrap();
        assert_eq!(
            text,
            r#"{"missing":"the array of codes holds 5 rows, at least 10 are needed"}"#
        );
        assert_eq!(
            serde_json::from_str::<Measurement<f64>>(&text).unwrap(),
            missing
        );
        assert!(missing.get().is_err() && *known.get().unwrap() == 0.1);
    }

    #[test]
    fn an_unreadable_file_is_no_missing_number() {
        let error = Error::RunFolder("gone".into());
        assert!(Measurement::<f64>::of(Err(error)).is_err());
        let mut absences = Absences::default();
        let damaged = EvaluationError::ClassifierFile {
            path: "c".into(),
            problem: "damaged".into(),
        };
        assert!(absences.cell(Err(damaged.into()), 1).is_err());
        assert_eq!(absences.sentence(), "");
        for value in [Ok(f64::NAN), Err(unlabelled())] {
            assert!(matches!(absences.cell(value, 1).unwrap(), Cell::Missing));
        }
        let number = absences.cell(Ok(1.5), 1).unwrap();
        assert!(matches!(number, Cell::Number { value: 1.5, .. }));
        assert_eq!(
            absences.sentence(),
            " A dash stands where the data set has no labels."
        );
    }
}
