//! How the values of a data set are stored: bytes or floats.

use memory::SharedSlice;
use ndarray::ArrayView2;

/// What a stored value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An unsigned byte b that stands for b / 255.
    Bytes,
    /// A finite 32-bit float that stands for itself.
    Floats,
}

impl Kind {
    /// Bytes a value takes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Floats => 4,
        }
    }

    /// In words, for messages and tables.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Floats => "floats",
        }
    }
}

/// The values of all rows, which several splits may share.
#[derive(Clone, Debug)]
pub enum Values {
    /// Bytes that stand for b / 255.
    Bytes(SharedSlice<u8>),
    /// Values that stand for themselves.
    Floats(SharedSlice<f32>),
}

impl Values {
    /// Room for `count` values, all 0.
    pub(crate) fn zeros(kind: Kind, count: usize) -> Self {
        // An exact-size iterator fills the shared buffer in place; collecting
        // a vector first would hold the values twice.
        match kind {
            Kind::Bytes => Self::Bytes(std::iter::repeat_n(0u8, count).collect()),
            Kind::Floats => Self::Floats(std::iter::repeat_n(0f32, count).collect()),
        }
    }

    /// What is stored.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_) => Kind::Bytes,
            Self::Floats(_) => Kind::Floats,
        }
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For writing, as long as nothing shares the values.
    ///
    /// # Panics
    /// When they are shared.
    pub(crate) fn as_mut(&mut self) -> ValuesMut<'_> {
        const OWNED: &str = "values under construction have one owner";
        match self {
            Self::Bytes(values) => ValuesMut::Bytes(values.get_mut().expect(OWNED)),
            Self::Floats(values) => ValuesMut::Floats(values.get_mut().expect(OWNED)),
        }
    }
}

/// Values to be written.
#[derive(Debug)]
pub(crate) enum ValuesMut<'a> {
    Bytes(&'a mut [u8]),
    Floats(&'a mut [f32]),
}

impl ValuesMut<'_> {
    /// The same values, borrowed anew.
    pub(crate) fn reborrow(&mut self) -> ValuesMut<'_> {
        match self {
            Self::Bytes(values) => ValuesMut::Bytes(values),
            Self::Floats(values) => ValuesMut::Floats(values),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }
}

impl<'a> ValuesMut<'a> {
    /// The first `count` values, and the others.
    pub(crate) fn split_at(self, count: usize) -> (ValuesMut<'a>, ValuesMut<'a>) {
        match self {
            Self::Bytes(values) => {
                let (first, rest) = values.split_at_mut(count);
                (ValuesMut::Bytes(first), ValuesMut::Bytes(rest))
            }
            Self::Floats(values) => {
                let (first, rest) = values.split_at_mut(count);
                (ValuesMut::Floats(first), ValuesMut::Floats(rest))
            }
        }
    }
}

/// Rows `[n, values]` of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows<'a> {
    /// Bytes that stand for b / 255.
    Bytes(ArrayView2<'a, u8>),
    /// Values that stand for themselves.
    Floats(ArrayView2<'a, f32>),
}

impl<'a> Rows<'a> {
    /// What is stored.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_) => Kind::Bytes,
            Self::Floats(_) => Kind::Floats,
        }
    }

    /// Rows and values in a row.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Self::Bytes(rows) => rows.dim(),
            Self::Floats(rows) => rows.dim(),
        }
    }

    /// The bytes, where they are stored so.
    #[must_use]
    pub fn bytes(&self) -> Option<ArrayView2<'a, u8>> {
        match self {
            Self::Bytes(rows) => Some(*rows),
            Self::Floats(_) => None,
        }
    }

    /// Writes row `index` as the numbers its values stand for.
    ///
    /// # Panics
    /// When there is no such row, or `out` has another length.
    pub fn write(&self, index: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.dim().1, "Rows::write: length of the row");
        match self {
            Self::Bytes(rows) => {
                for (out, &byte) in out.iter_mut().zip(rows.row(index)) {
                    *out = f32::from(byte) / 255.0;
                }
            }
            Self::Floats(rows) => {
                for (out, &value) in out.iter_mut().zip(rows.row(index)) {
                    *out = value;
                }
            }
        }
    }
}

/// The byte b with b / 255 = `value`, if there is one.
pub(crate) fn byte_of(value: f32) -> Option<u8> {
    let byte = (value * 255.0).round();
    ((0.0..=255.0).contains(&byte) && byte / 255.0 == value && !value.is_sign_negative())
        .then_some(byte as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_again_and_nothing_else() {
        for byte in 0..=255u8 {
            let value = f32::from(byte) / 255.0;
            assert_eq!(byte_of(value), Some(byte));
            assert_eq!(byte_of(value.next_up()), None);
        }
        for value in [-0.0, -0.1, 1.1, f32::NAN, f32::INFINITY, 0.5] {
            assert_eq!(byte_of(value), None, "{value}");
        }
    }

    #[test]
    fn rows_are_written_as_what_they_stand_for() {
        let bytes = [0u8, 51, 255, 102];
        let rows = Rows::Bytes(ArrayView2::from_shape((2, 2), &bytes).unwrap());
        let mut row = [0.0; 2];
        rows.write(1, &mut row);
        assert_eq!(row, [1.0, 0.4]);
    }
}
