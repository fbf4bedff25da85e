//! What can be wrong with the arrays and files a measurement is given.

use std::path::PathBuf;

use ndarray::ArrayView2;
use thiserror::Error;

/// Why a number could not be computed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// Two arrays do not belong together, or one has the wrong shape.
    #[error("{what} is {found}, expected {expected}; pass arrays that describe the same images")]
    Shape {
        /// The array at fault.
        what: &'static str,
        /// Its shape or length.
        found: String,
        /// The shape or length the measurement needs.
        expected: String,
    },
    /// A statistic needs more rows than it was given.
    #[error("{what} holds {found} rows, at least {needed} are needed; measure on more of them")]
    TooFew {
        /// The array at fault.
        what: &'static str,
        /// Rows present.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "{what} holds a NaN or infinite value in row {row}, expected finite numbers; the model that made it has diverged"
    )]
    NotFinite {
        /// The array at fault.
        what: &'static str,
        /// First row holding such a value.
        row: usize,
    },
    /// A parameter of the measurement lies outside its range.
    #[error("{what} is {found}, expected {expected}")]
    Parameter {
        /// The parameter.
        what: &'static str,
        /// Its value.
        found: String,
        /// Its range.
        expected: &'static str,
    },
    /// A measurement of q(z|x) on a model that has none.
    #[error(
        "the model has no posterior q(z|x), which a likelihood bound and its rate are measured with; expected a model of kind vae"
    )]
    NotVariational,
    /// A matrix that must be positive definite is not.
    #[error(
        "the covariance of {what} is singular (smallest eigenvalue {smallest:e}), expected full rank; a dimension has collapsed, so leave it out"
    )]
    Singular {
        /// What the covariance was taken of.
        what: &'static str,
        /// The offending eigenvalue.
        smallest: f64,
    },
    /// A classifier file could not be read or written.
    #[error("{path}: {problem}")]
    ClassifierFile {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
}

/// `Result` with [`EvaluationError`].
pub type Result<T> = std::result::Result<T, EvaluationError>;

pub(crate) fn require_rows(what: &'static str, found: usize, needed: usize) -> Result<()> {
    if found < needed {
        return Err(EvaluationError::TooFew {
            what,
            found,
            needed,
        });
    }
    Ok(())
}

pub(crate) fn require_length(what: &'static str, found: usize, expected: usize) -> Result<()> {
    if found != expected {
        return Err(EvaluationError::Shape {
            what,
            found: format!("{found} long"),
            expected: expected.to_string(),
        });
    }
    Ok(())
}

pub(crate) fn require_columns(
    what: &'static str,
    array: &ArrayView2<'_, f32>,
    expected: usize,
) -> Result<()> {
    if array.ncols() != expected {
        return Err(EvaluationError::Shape {
            what,
            found: format!("[{}, {}]", array.nrows(), array.ncols()),
            expected: format!("[n, {expected}]"),
        });
    }
    Ok(())
}

pub(crate) fn require_finite(what: &'static str, array: &ArrayView2<'_, f32>) -> Result<()> {
    for (row, values) in array.rows().into_iter().enumerate() {
        if !values.iter().all(|value| value.is_finite()) {
            return Err(EvaluationError::NotFinite { what, row });
        }
    }
    Ok(())
}
