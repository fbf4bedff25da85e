//! Arrays of NumPy as rows of a data set, where they are and without a copy.

use datasets::{ArrayPart, Shape, Values};
use memory::SharedSlice;
use models::Images;
use ndarray::{Array2, ArrayView2};
use numpy::{Element, PyArray2, PyReadonlyArray2, PyUntypedArrayMethods as _, ToPyArray as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Rows `[n, values]` in C order: bytes that stand for b / 255, or 32-bit floats.
#[derive(FromPyObject)]
pub(crate) enum Rows<'py> {
    /// Of the type `uint8`.
    #[pyo3(transparent)]
    Bytes(PyReadonlyArray2<'py, u8>),
    /// Of the type `float32`.
    #[pyo3(transparent)]
    Floats(PyReadonlyArray2<'py, f32>),
}

impl Rows<'_> {
    /// Rows and values in a row.
    pub(crate) fn dim(&self) -> (usize, usize) {
        let shape = match self {
            Self::Bytes(array) => array.shape(),
            Self::Floats(array) => array.shape(),
        };
        (shape[0], shape[1])
    }

    /// As models read them.
    ///
    /// # Errors
    /// `ValueError` where they are not in C order.
    pub(crate) fn images(&self) -> PyResult<Images<'_>> {
        Ok(match self {
            Self::Bytes(array) => Images::Bytes(view(array)?),
            Self::Floats(array) => Images::Values(view(array)?),
        })
    }

    /// As a part of a data set whose messages call them `name`: used where they are, and
    /// kept alive as long as anything of the data set is.
    ///
    /// # Errors
    /// As [`images`](Self::images), or where no rows of `shape` are there.
    pub(crate) fn part(
        &self,
        name: &str,
        shape: Shape,
        labels: Option<Vec<i64>>,
    ) -> PyResult<ArrayPart> {
        if self.dim().1 != shape.len() {
            return Err(PyValueError::new_err(format!(
                "{name} has rows of {} values; expected the {} of {shape}",
                self.dim().1,
                shape.len()
            )));
        }
        Ok(ArrayPart {
            name: name.to_owned(),
            values: match self {
                Self::Bytes(array) => Values::Bytes(lent(array)?),
                Self::Floats(array) => Values::Floats(lent(array)?),
            },
            shape,
            labels,
        })
    }
}

/// The values of an array row after row.
fn in_order<'a, T: Element>(array: &'a PyReadonlyArray2<'_, T>) -> PyResult<&'a [T]> {
    // `as_slice` takes columns after each other too.
    let values = array.as_slice().ok().filter(|_| array.is_c_contiguous());
    values.ok_or_else(|| {
        PyValueError::new_err(
            "the array is not stored in C order, or not aligned; give numpy.require(array, requirements=['C', 'A'])",
        )
    })
}

fn view<'a, T: Element>(array: &'a PyReadonlyArray2<'_, T>) -> PyResult<ArrayView2<'a, T>> {
    let values = in_order(array)?;
    let shape = array.shape();
    ArrayView2::from_shape((shape[0], shape[1]), values)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Values of an array that is kept alive by this.
struct Lent<T> {
    /// Never read: it owns the values.
    _array: Py<PyArray2<T>>,
    values: *const T,
    count: usize,
}

// SAFETY: the values are plain numbers that are only read, and the reference to the array
// may be dropped on any thread: without the interpreter, that is done later.
unsafe impl<T: Sync> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Lent<T> {}

impl<T> AsRef<[T]> for Lent<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: `values` is the first of `count` values in a row of an array that is
        // alive and whose memory NumPy moves only when an array that owns it is resized,
        // which it refuses while others refer to that array, as this does. They are
        // aligned, which `as_slice` has checked. As of every function that computes
        // without the interpreter, the documentation asks that nobody writes them meanwhile.
        unsafe { std::slice::from_raw_parts(self.values, self.count) }
    }
}

fn lent<T: Element + Sync + 'static>(array: &PyReadonlyArray2<'_, T>) -> PyResult<SharedSlice<T>> {
    let values = in_order(array)?;
    Ok(SharedSlice::lent(Lent {
        values: values.as_ptr(),
        count: values.len(),
        _array: (**array).clone().unbind(),
    }))
}

/// A new array of NumPy with the values of `array`.
pub(crate) fn to_python<'py>(py: Python<'py>, array: Array2<f32>) -> Bound<'py, PyArray2<f32>> {
    // Not one that owns the vector: its memory would belong to no allocator NumPy knows,
    // and could not be resized in place.
    array.to_pyarray(py)
}
