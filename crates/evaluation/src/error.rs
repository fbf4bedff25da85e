//! What can be wrong with the arrays and files a measurement is given.

use std::fmt::Debug;
use std::path::PathBuf;

use models::{Images, Likelihood, ModelSpec};
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
        "{what} holds a NaN or infinite value in row {row}, expected finite numbers; a model that made it has diverged"
    )]
    NotFinite {
        /// The array at fault.
        what: &'static str,
        /// First row holding such a value.
        row: usize,
    },
    /// A posterior so narrow or so wide that densities leave the range of
    /// numbers.
    #[error(
        "log σ² of posterior {row} is {found}, expected between -{limit} and {limit}; the model that made it has diverged or its posterior has shrunk to a point"
    )]
    Variance {
        /// The posterior.
        row: usize,
        /// Its first log σ² out of range.
        found: f32,
        /// The largest magnitude.
        limit: f32,
    },
    /// A pixel the likelihood gives no probability or density.
    #[error(
        "pixel {pixel} of image {row} is {found}, expected {expected} under the likelihood {likelihood}"
    )]
    Pixel {
        /// The image.
        row: usize,
        /// The pixel.
        pixel: usize,
        /// Its value.
        found: f32,
        /// The likelihood.
        likelihood: Likelihood,
        /// The values it is one of.
        expected: &'static str,
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

/// Images that a model of this specification can be measured on.
pub(crate) fn require_images(images: Images<'_>, spec: &ModelSpec) -> Result<()> {
    require_rows("the array of images", images.nrows(), 1)?;
    require_width(images.dim(), spec.architecture.inputs, "model")?;
    require_pixels(images, spec.likelihood)
}

/// Images [n, pixels] as wide as those that a model, or what else it is called,
/// was trained on.
pub(crate) fn require_width(
    (rows, width): (usize, usize),
    expected: usize,
    trained: &str,
) -> Result<()> {
    if width != expected {
        return Err(EvaluationError::Shape {
            what: "the array of images",
            found: format!("[{rows}, {width}]"),
            expected: format!("[n, {expected}], as the {trained} was trained on"),
        });
    }
    Ok(())
}

/// Pixels that the likelihood is one of.
pub(crate) fn require_pixels(images: Images<'_>, likelihood: Likelihood) -> Result<()> {
    let (at, expected) = if likelihood.is_of_unit_interval() {
        (images.first_outside_unit(), "a number between 0 and 1")
    } else {
        (images.first_non_finite(), "a finite number")
    };
    let Some((row, pixel)) = at else {
        return Ok(());
    };
    let mut values = vec![0.0; images.ncols()];
    images.read_row(row, &mut values);
    Err(EvaluationError::Pixel {
        row,
        pixel,
        found: values[pixel],
        likelihood,
        expected,
    })
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

/// Two arrays of one shape.
pub(crate) fn require_shape<S: PartialEq + Debug>(
    what: &'static str,
    found: S,
    expected: S,
) -> Result<()> {
    if found != expected {
        return Err(EvaluationError::Shape {
            what,
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
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

/// Codes of at least one dimension.
pub(crate) fn require_dimensions(array: &ArrayView2<'_, f32>) -> Result<()> {
    require_rows("the list of dimensions of the codes", array.ncols(), 1)
}

/// Log variances of a magnitude of at most `limit`.
pub(crate) fn require_variances(log_variances: &ArrayView2<'_, f32>, limit: f32) -> Result<()> {
    for (row, values) in log_variances.rows().into_iter().enumerate() {
        if let Some(&found) = values.iter().find(|value| value.abs() > limit) {
            return Err(EvaluationError::Variance { row, found, limit });
        }
    }
    Ok(())
}

/// [`require_finite`] of images.
pub(crate) fn require_finite_images(images: Images<'_>) -> Result<()> {
    match images.first_non_finite() {
        Some((row, _)) => Err(EvaluationError::NotFinite {
            what: "the array of images",
            row,
        }),
        None => Ok(()),
    }
}

pub(crate) fn require_finite(what: &'static str, array: &ArrayView2<'_, f32>) -> Result<()> {
    let rows = array.rows().into_iter();
    require_all_finite(
        what,
        rows.map(|row| row.iter().all(|value| value.is_finite())),
    )
}

/// Rows of which each says that it is finite.
pub(crate) fn require_all_finite(
    what: &'static str,
    is_finite: impl IntoIterator<Item = bool>,
) -> Result<()> {
    match is_finite.into_iter().position(|is_finite| !is_finite) {
        Some(row) => Err(EvaluationError::NotFinite { what, row }),
        None => Ok(()),
    }
}
