//! What can be wrong with the arrays and files a measurement is given.

use std::fmt::{Debug, Display};
use std::path::PathBuf;

use models::{Images, Likelihood, ModelSpec};
use ndarray::{ArrayView, ArrayView2, RemoveAxis};
use tensor_ops::Float;
use thiserror::Error;

/// Why a number could not be computed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// An array or a parameter that the measurement has no value for: a sentence
    /// of what it is and what was expected.
    #[error("{0}")]
    Invalid(String),
    /// Numbers that a model gives when it has diverged: not finite, or of
    /// posteriors whose densities leave the range of numbers.
    #[error("{0}")]
    Diverged(String),
    /// A measurement of q(z|x) on a model that has none.
    #[error(
        "the model has no posterior q(z|x), which a likelihood bound and its rate are measured with; expected a model of kind vae"
    )]
    NotVariational,
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

/// What `holds`; otherwise a sentence of what was found and expected.
pub(crate) fn require(
    holds: bool,
    what: &str,
    found: impl Display,
    expected: impl Display,
) -> Result<()> {
    if holds {
        return Ok(());
    }
    let sentence = format!("{what} is {found}, expected {expected}");
    Err(EvaluationError::Invalid(sentence))
}

/// As many rows as a statistic needs.
pub(crate) fn require_rows(what: &str, found: usize, needed: usize) -> Result<()> {
    if found >= needed {
        return Ok(());
    }
    Err(EvaluationError::Invalid(format!(
        "{what} holds {found} rows, at least {needed} are needed; measure on more of them"
    )))
}

/// [`require`] of an array that is to fit the others.
pub(crate) fn require_shape(
    holds: bool,
    what: &str,
    found: impl Display,
    expected: impl Display,
) -> Result<()> {
    let hint = "pass arrays that describe the same images";
    require(holds, what, found, format_args!("{expected}; {hint}"))
}

/// One entry for each of the `expected` others.
pub(crate) fn require_length(what: &str, found: usize, expected: usize) -> Result<()> {
    require_shape(
        found == expected,
        what,
        format_args!("{found} long"),
        expected,
    )
}

/// Two arrays of the same shape.
pub(crate) fn require_alike<S: PartialEq + Debug>(what: &str, found: S, expected: S) -> Result<()> {
    let shapes = (format!("{found:?}"), format!("{expected:?}"));
    require_shape(found == expected, what, shapes.0, shapes.1)
}

/// A class below `class_count` for each of `rows` others.
pub(crate) fn require_labels(
    what: &str,
    labels: &[u32],
    rows: usize,
    class_count: usize,
) -> Result<()> {
    require_length(what, labels.len(), rows)?;
    let beyond = labels.iter().find(|&&label| label as usize >= class_count);
    let found = format!("holding class {}", beyond.unwrap_or(&0));
    let expected = format_args!("classes below {class_count}");
    require_shape(beyond.is_none(), what, found, expected)
}

/// An array of finite values, at least `rows` rows and as many columns as are
/// given; of any number of columns but none otherwise.
pub(crate) fn require_array(
    what: &str,
    array: &ArrayView2<'_, f32>,
    rows: usize,
    columns: Option<usize>,
) -> Result<()> {
    let (n, width) = array.dim();
    let expected = columns.unwrap_or(width);
    let (found, wanted) = (format!("[{n}, {width}]"), format!("[n, {expected}]"));
    require_shape(width == expected, what, &found, wanted)?;
    require_rows(what, n, rows)?;
    require(width > 0, what, &found, "at least one column")?;
    require_finite(what, array)
}

/// An array of finite values; an error names the first row, along axis 0, that
/// holds another.
pub(crate) fn require_finite<T: Float, D: RemoveAxis>(
    what: &str,
    array: &ArrayView<'_, T, D>,
) -> Result<()> {
    let rows = array.outer_iter();
    require_finite_rows(what, rows.map(|row| row.iter().all(|v| v.is_finite())))
}

/// Rows of which each says that it is finite.
pub(crate) fn require_finite_rows(
    what: &str,
    is_finite: impl IntoIterator<Item = bool>,
) -> Result<()> {
    let broken = is_finite.into_iter().position(|is_finite| !is_finite);
    broken.map_or(Ok(()), |row| Err(not_finite(what, row)))
}

fn not_finite(what: &str, row: usize) -> EvaluationError {
    EvaluationError::Diverged(format!(
        "{what} holds a NaN or infinite value in row {row}, expected finite numbers; a model that made it has diverged"
    ))
}

/// Means and log σ² [n, L] of posteriors, log σ² of a magnitude of at most
/// `limit`.
pub(crate) fn require_posteriors(
    means: &ArrayView2<'_, f32>,
    log_variances: &ArrayView2<'_, f32>,
    limit: f32,
) -> Result<()> {
    let what = "the array of log variances";
    require_alike(what, log_variances.dim(), means.dim())?;
    require_array("the array of posterior means", means, 1, None)?;
    require_finite(what, log_variances)?;
    require_variances(log_variances, limit)
}

/// Log variances of a magnitude of at most `limit`.
pub(crate) fn require_variances(log_variances: &ArrayView2<'_, f32>, limit: f32) -> Result<()> {
    let mut values = log_variances.indexed_iter();
    let Some(((row, _), found)) = values.find(|(_, value)| value.abs() > limit) else {
        return Ok(());
    };
    Err(EvaluationError::Diverged(format!(
        "log σ² of posterior {row} is {found}, expected between -{limit} and {limit}; the model that made it has diverged or its posterior has shrunk to a point"
    )))
}

/// Images that a model of this specification can be measured on.
pub(crate) fn require_images(images: Images<'_>, spec: &ModelSpec) -> Result<()> {
    require_width(images, spec.architecture.inputs, "model")?;
    require_pixels(images, spec.likelihood)
}

/// Images [n, pixels] as wide as those that a model, or what else it is called,
/// was trained on.
pub(crate) fn require_width(images: Images<'_>, expected: usize, trained: &str) -> Result<()> {
    let (rows, width) = images.dim();
    let found = format!("[{rows}, {width}]");
    let wanted = format!("[n, {expected}], as the {trained} was trained on");
    require_shape(width == expected, "the array of images", found, wanted)
}

/// At least one image, of pixels that the likelihood is one of.
pub(crate) fn require_pixels(images: Images<'_>, likelihood: Likelihood) -> Result<()> {
    require_rows("the array of images", images.nrows(), 1)?;
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
    Err(EvaluationError::Invalid(format!(
        "pixel {pixel} of image {row} is {}, expected {expected} under the likelihood {likelihood}",
        values[pixel]
    )))
}

/// [`require_finite`] of images.
pub(crate) fn require_finite_images(images: Images<'_>) -> Result<()> {
    let broken = images.first_non_finite();
    broken.map_or(Ok(()), |(row, _)| {
        Err(not_finite("the array of images", row))
    })
}
