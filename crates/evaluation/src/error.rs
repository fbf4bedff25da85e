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

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn refused(found: Result<()>, sentence: &str) {
        let message = found.unwrap_err().to_string();
        assert!(message.contains(sentence), "{message}");
    }

    #[test]
    fn what_is_as_it_should_be_passes_up_to_the_border() {
        require(true, "k", 3, "at most 3").unwrap();
        require_rows("codes", 4, 4).unwrap();
        require_length("labels", 3, 3).unwrap();
        require_alike("codes", (2, 3), (2, 3)).unwrap();
        require_labels("labels", &[0, 3, 1], 3, 4).unwrap();
        let array = array![[1.0_f32], [-2.0]];
        require_array("codes", &array.view(), 2, Some(1)).unwrap();
        require_array("codes", &array.view(), 0, None).unwrap();
        require_variances(&array![[2.5, -2.5]].view(), 2.5).unwrap();
        require_posteriors(&array.view(), &array.view(), 2.0).unwrap();
        require_width(Images::from(&array), 1, "model").unwrap();
        require_finite_images(Images::from(&array)).unwrap();
    }

    #[test]
    fn what_is_not_is_said() {
        let found = require(false, "k", 4, "at most 3");
        refused(found, "k is 4, expected at most 3");
        let rows = require_rows("codes", 3, 4);
        refused(rows, "codes holds 3 rows, at least 4 are needed");
        for length in [2, 4] {
            let found = require_length("labels", length, 3);
            refused(found, &format!("labels is {length} long, expected 3;"));
        }
        let alike = require_alike("codes", (2, 4), (2, 3));
        refused(alike, "codes is (2, 4), expected (2, 3);");
        let labels = |labels: &[u32]| require_labels("labels", labels, 3, 4);
        refused(
            labels(&[0, 4, 9]),
            "labels is holding class 4, expected classes below 4;",
        );
        refused(labels(&[0, 1]), "labels is 2 long, expected 3;");
    }

    #[test]
    fn arrays_are_refused_for_what_is_first_wrong_with_them() {
        let wrong = |array: Array2<f32>, columns| require_array("codes", &array.view(), 2, columns);
        let array = || array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
        refused(wrong(array(), Some(3)), "codes is [3, 2], expected [n, 3];");
        refused(
            wrong(Array2::zeros((1, 2)), None),
            "holds 1 rows, at least 2",
        );
        refused(
            wrong(Array2::zeros((3, 0)), None),
            "codes is [3, 0], expected at least one column",
        );
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = array();
            values[[1, 1]] = broken;
            refused(
                require_finite_images(Images::from(&values)),
                "the array of images holds a NaN or infinite value in row 1,",
            );
            refused(
                require_posteriors(&values.view(), &array().view(), 9.0),
                "means holds a NaN or infinite value in row 1,",
            );
            refused(
                require_posteriors(&array().view(), &values.view(), 9.0),
                "log variances holds a NaN or infinite value in row 1,",
            );
            refused(
                wrong(values, None),
                "codes holds a NaN or infinite value in row 1,",
            );
        }
        for value in [2.501, -2.501] {
            let variances = array![[0.0, 2.5], [1.0, value]];
            let found = require_posteriors(&Array2::zeros((2, 2)).view(), &variances.view(), 2.5);
            refused(
                found,
                &format!("log σ² of posterior 1 is {value}, expected between -2.5 and 2.5;"),
            );
        }
        let fewer = require_posteriors(&array().view(), &Array2::zeros((2, 2)).view(), 9.0);
        refused(fewer, "log variances is (2, 2), expected (3, 2);");
        refused(
            require_width(Images::from(&array()), 3, "model"),
            "images is [3, 2], expected [n, 3], as the model was trained on",
        );
    }

    #[test]
    fn pixels_are_those_of_their_likelihood() {
        let images = array![[0.0_f32, 1.0], [0.5, -1.25]];
        let of =
            |likelihood: &str| require_pixels(Images::from(&images), likelihood.parse().unwrap());
        of("gaussian-identity/0.1").unwrap();
        refused(
            of("bernoulli"),
            "pixel 1 of image 1 is -1.25, expected a number between 0 and 1",
        );
        let none = Array2::<u8>::zeros((0, 2));
        let found = require_pixels(Images::from(&none), Likelihood::Bernoulli);
        refused(found, "holds 0 rows, at least 1");
        let broken = array![[0.0_f32, f32::INFINITY]];
        let found = require_pixels(
            Images::from(&broken),
            "gaussian-identity/0.1".parse().unwrap(),
        );
        refused(found, "pixel 1 of image 0 is inf, expected a finite number");
    }
}
