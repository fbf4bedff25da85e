//! What arrays, CSV and Parquet have in common: labels as numbers or names,
//! the names of columns, and rows that are square images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::reading::Reading;
use crate::shape::Shape;

/// The most names that labels may have: more are no classes but identifiers.
pub(crate) const MAX_CLASSES: usize = 1 << 16;

/// DEFLATE cannot expand by more than this factor (a match of 258 bytes takes
/// at least two bits). Other codecs can, but data that they do it to is no
/// data anyone has.
pub(crate) const MAX_RATIO: u64 = 1032;

/// Where in which file something is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// What follows the path in a message: an array, a line, a column.
    pub(crate) within: String,
}

impl Place {
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            within: String::new(),
        }
    }

    pub(crate) fn within(path: &Path, what: impl std::fmt::Display) -> Self {
        Self {
            path: path.to_owned(),
            within: format!(", {what}"),
        }
    }

    pub(crate) fn wrong(&self, found: impl Into<String>, expected: impl Into<String>) -> DataError {
        DataError::Table {
            path: self.path.clone(),
            place: self.within.clone(),
            found: input_files::on_one_line(found.into()),
            expected: expected.into(),
        }
    }

    pub(crate) fn unreadable(&self, source: std::io::Error) -> DataError {
        DataError::Read {
            path: self.path.clone(),
            source,
        }
    }
}

/// A text as it is shown in a message.
pub(crate) fn shown(text: &[u8]) -> String {
    let mut shown: String = String::from_utf8_lossy(&text[..text.len().min(160)])
        .chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .take(40)
        .collect();
    if shown.len() < text.len() && text.len() > 40 {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// A label as the whole number that it must be.
pub(crate) fn whole_label(value: f64) -> Option<i64> {
    let fits = value.fract() == 0.0 && value.abs() <= f64::from(1u32 << 31);
    // Beyond 32 bits it is no class but an identifier.
    fits.then_some(value as i64)
        .filter(|&label| i32::try_from(label).is_ok())
}

/// What a label must be, for messages.
pub(crate) const LABEL: &str = "whole numbers of at most 32 bits, or names";

/// Different names of classes, collected on a first pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassSet(BTreeSet<String>);

impl ClassSet {
    /// Adds the name of a row's class.
    pub(crate) fn add(&mut self, name: &[u8], place: impl Fn() -> Place) -> Result<(), DataError> {
        let text = std::str::from_utf8(name)
            .map_err(|_| place().wrong(format!("the label {}", shown(name)), "text in UTF-8"))?
            .trim();
        if text.is_empty() {
            return Err(place().wrong("an empty label", LABEL));
        }
        if !self.0.contains(text) {
            if self.0.len() == MAX_CLASSES {
                return Err(place().wrong(
                    format!("more than {MAX_CLASSES} different labels"),
                    "classes; leave the column out if it tells rows apart",
                ));
            }
            self.0.insert(text.to_owned());
        }
        Ok(())
    }

    /// The classes, numbered by their names in order.
    pub(crate) fn numbered(self) -> BTreeMap<String, i64> {
        self.0.into_iter().zip(0i64..).collect()
    }
}

/// Names by number.
pub(crate) fn names_of(classes: &BTreeMap<String, i64>) -> BTreeMap<i64, String> {
    classes
        .iter()
        .map(|(name, &number)| (number, name.clone()))
        .collect()
}

/// The number of a row's class, found on the first pass.
pub(crate) fn class_of(
    classes: &BTreeMap<String, i64>,
    name: &[u8],
    place: impl Fn() -> Place,
) -> Result<i64, DataError> {
    std::str::from_utf8(name)
        .ok()
        .and_then(|name| classes.get(name.trim()).copied())
        .ok_or_else(|| {
            place().wrong(
                format!("the label {}", shown(name)),
                "a label that was there before; the file changed while it was read",
            )
        })
}

/// Names that say that a column holds the labels, the likeliest first.
pub(crate) const LABEL_NAMES: [&str; 7] = [
    "label",
    "labels",
    "class",
    "target",
    "y",
    "targets",
    "fine_label",
];

/// The column that holds the labels, by its name.
pub(crate) fn label_column<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    LABEL_NAMES.iter().find_map(|wanted| {
        names
            .clone()
            .position(|name| name.trim().eq_ignore_ascii_case(wanted))
    })
}

/// Whether a column is called as pixels are: `pixel12`, `12` or `3x4`.
pub(crate) fn is_pixel_name(name: &str) -> bool {
    let lower = name.trim().to_ascii_lowercase();
    let rest = ["pixel", "px"]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))
        .unwrap_or(&lower);
    let rest = rest.trim_start_matches(['_', ' ']);
    !rest.is_empty()
        && rest
            .split('x')
            .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The side of a square of `count` pixels.
pub(crate) fn square_side(count: usize) -> Option<usize> {
    let side = count.isqrt();
    (side > 0 && side * side == count).then_some(side)
}

/// Columns from which on a square number of them is taken for pixels: fewer
/// are more often the columns of a table.
pub(crate) const LEAST_PIXELS: usize = 25;

/// Rows of `length` bytes: square images where nothing else is said.
pub(crate) fn byte_rows(length: usize, reading: &Reading) -> (Shape, Option<String>) {
    match Shape::of_bytes(length) {
        shape @ Shape::Image { .. } if reading.shape.is_none() => (
            shape,
            Some(format!(
                "rows of {length} bytes are taken as images of {shape}; --shape {length} makes them vectors"
            )),
        ),
        _ => (Shape::Vector { length }, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_whole_and_of_32_bits() {
        assert_eq!(whole_label(-3.0), Some(-3));
        assert_eq!(whole_label(2147483647.0), Some(2147483647));
        for wrong in [2147483648.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(whole_label(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_of_pixels_and_labels() {
        for name in ["pixel0", "Pixel_12", "1x28", "783", "px7"] {
            assert!(is_pixel_name(name), "{name}");
        }
        for name in ["pixel", "x", "1x", "sepal", "", "y"] {
            assert!(!is_pixel_name(name), "{name}");
        }
        assert_eq!(label_column(["a", "Class ", "b"].into_iter()), Some(1));
        assert_eq!(label_column(["y", "LABEL"].into_iter()), Some(1));
        assert_eq!(label_column(["a"].into_iter()), None);
    }

    #[test]
    fn squares() {
        assert_eq!(square_side(784), Some(28));
        assert_eq!(square_side(785), None);
        assert_eq!(square_side(0), None);
    }

    #[test]
    fn classes_are_numbered_by_name() {
        let place = || Place::of(Path::new("file"));
        let mut classes = ClassSet::default();
        for name in ["dog", "cat ", "dog"] {
            classes.add(name.as_bytes(), place).unwrap();
        }
        let classes = classes.numbered();
        assert_eq!(class_of(&classes, b"cat", place).unwrap(), 0);
        assert_eq!(class_of(&classes, b" dog", place).unwrap(), 1);
        assert!(class_of(&classes, b"cow", place).is_err());
        assert_eq!(names_of(&classes)[&1], "dog");
    }
}
