//! Which columns of a table are values, and which one the label.

use std::path::Path;

use csv::ByteRecord;

use super::dialect::Dialect;
use super::scan::next_record;
use crate::error::DataError;
use crate::reading::{LabelColumn, Reading};
use crate::table::{
    LABEL_NAMES, LEAST_PIXELS, Place, is_pixel_name, label_column, shown, square_side,
};

/// What is known of the columns before the rows are read.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Fields in a line.
    pub(super) count: usize,
    /// Names, where the first line has them.
    names: Option<Vec<String>>,
    pub(super) label: Option<usize>,
    /// Whether that is the label because it begins with a name: then all of it
    /// are names.
    pub(super) label_by_text: bool,
    /// The column that numbers the rows, as data frames write it.
    index: Option<usize>,
    /// Columns of values.
    pub(super) values: usize,
    /// Whether these are called as pixels are.
    pub(super) are_pixels: bool,
}

impl Columns {
    /// Decides by the first two lines, and says what was decided.
    pub(super) fn decided(
        path: &Path,
        dialect: &Dialect,
        reading: &Reading,
    ) -> Result<(Self, Vec<String>), DataError> {
        let mut reader = dialect.reader(path)?;
        let (mut first, mut second) = (ByteRecord::new(), ByteRecord::new());
        let place = Place::of(path);
        if !next_record(&mut reader, &mut first, &place)? {
            return Err(place.wrong("no line", "a table with a row per line"));
        }
        let has_second = next_record(&mut reader, &mut second, &place)?;
        let names = is_header(&first).then(|| {
            first
                .iter()
                .map(|name| String::from_utf8_lossy(name).trim().to_owned())
                .collect::<Vec<_>>()
        });
        if names.is_some() && !has_second {
            return Err(place.wrong("a header and no row", "a row per line below it"));
        }
        let row = if names.is_some() { &second } else { &first };
        let mut remarks = Vec::new();
        let index = names
            .as_ref()
            .filter(|names| names.len() > 1 && (names[0].is_empty() || names[0] == "Unnamed: 0"))
            .map(|_| 0);
        if index.is_some() {
            remarks.push(
                "the first column has no name: taken as numbers of rows and left out".to_owned(),
            );
        }
        let label = label(reading.labels, names.as_deref(), row, index, &mut remarks);
        let count = first.len();
        let left_out = usize::from(label.is_some()) + usize::from(index.is_some());
        let values = count - left_out.min(count);
        if values == 0 {
            return Err(place.wrong(
                format!("{count} columns, none of which holds values"),
                "at least one column of numbers",
            ));
        }
        let are_pixels = names.as_ref().is_some_and(|names| {
            names
                .iter()
                .enumerate()
                .filter(|&(column, _)| Some(column) != label && Some(column) != index)
                .all(|(_, name)| is_pixel_name(name))
        });
        let columns = Self {
            count,
            label_by_text: label.is_some()
                && reading.labels == LabelColumn::Automatic
                && names
                    .as_ref()
                    .is_none_or(|names| label_column(names.iter().map(String::as_str)).is_none())
                && label.and_then(|label| row.get(label)).is_some_and(is_name),
            names,
            label,
            index,
            values,
            are_pixels,
        };
        Ok((columns, remarks))
    }

    pub(super) fn has_header(&self) -> bool {
        self.names.is_some()
    }

    pub(super) fn is_value(&self, column: usize) -> bool {
        Some(column) != self.label && Some(column) != self.index
    }

    /// A field, for messages: its line and its column with its name.
    pub(super) fn place(&self, path: &Path, line: u64, column: usize) -> Place {
        let name = self
            .names
            .as_ref()
            .and_then(|names| names.get(column))
            .filter(|name| !name.is_empty())
            .map(|name| format!(" ({})", shown(name.as_bytes())))
            .unwrap_or_default();
        Place::within(path, format!("line {line}, column {}{name}", column + 1))
    }
}

/// Whether the first line names the columns: no field is a number, or the
/// columns are numbered from 0 or 1.
fn is_header(line: &ByteRecord) -> bool {
    let numbered = |from: usize, first: u64| {
        line.len() > from + 2
            && line.iter().skip(from).zip(first..).all(|(field, number)| {
                std::str::from_utf8(field).is_ok_and(|field| field.trim() == number.to_string())
            })
    };
    let first_is_name = line.iter().take(1).all(|field| {
        let name = String::from_utf8_lossy(field);
        let name = name.trim();
        name.is_empty() || LABEL_NAMES.contains(&name.to_ascii_lowercase().as_str())
    });
    if numbered(0, 0) || (first_is_name && (numbered(1, 0) || numbered(1, 1))) {
        return true;
    }
    line.iter()
        .enumerate()
        .all(|(column, field)| !is_number(field) && (column == 0 || !field.trim_ascii().is_empty()))
}

fn is_number(field: &[u8]) -> bool {
    std::str::from_utf8(field).is_ok_and(|field| field.trim().parse::<f64>().is_ok())
}

/// Whether a field is no number, nor meant to be one: `0,5` is.
fn is_name(field: &[u8]) -> bool {
    !is_number(field)
        && field
            .iter()
            .any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

/// The column of the labels, with what was decided.
fn label(
    asked: LabelColumn,
    names: Option<&[String]>,
    row: &ByteRecord,
    index: Option<usize>,
    remarks: &mut Vec<String>,
) -> Option<usize> {
    let first = index.map_or(0, |index| index + 1);
    match asked {
        LabelColumn::None => return None,
        LabelColumn::First => return Some(first),
        LabelColumn::Automatic => {}
    }
    let mut decide = |why: String| {
        remarks.push(format!("{why}: taken as the labels"));
        Some(first)
    };
    if let Some(names) = names {
        if let Some(column) = label_column(names.iter().map(String::as_str)) {
            return Some(column);
        }
        let others = names.iter().skip(first + 1);
        if others.len() > 0
            && others.clone().all(|name| is_pixel_name(name))
            && !is_pixel_name(&names[first])
        {
            return decide(format!(
                "column {} comes before columns of pixels",
                shown(names[first].as_bytes())
            ));
        }
    }
    let text = row.get(first).unwrap_or_default();
    if is_name(text) {
        return decide("the first column holds no numbers".to_owned());
    }
    let columns = row.len();
    let is_whole = text.iter().all(u8::is_ascii_digit);
    if names.is_none()
        && is_whole
        && columns > LEAST_PIXELS
        && square_side(columns - 1).is_some()
        && square_side(columns).is_none()
    {
        return decide(format!(
            "{columns} columns are one more than the pixels of a square, the first one"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> ByteRecord {
        text.split(',').collect::<Vec<_>>().into()
    }

    #[test]
    fn headers_are_lines_without_numbers_or_counted() {
        for header in [
            "label,pixel0,pixel1",
            "a,b",
            "0,1,2,3",
            "label,0,1,2",
            "y,1,2,3",
            ",a,b",
        ] {
            assert!(is_header(&line(header)), "{header}");
        }
        for data in [
            "1,2,3",
            "cat,1,2",
            "0,1",
            "5.1,3.5,setosa",
            "a,,b",
            "nan,nan",
            "cat,0,1,2",
        ] {
            assert!(!is_header(&line(data)), "{data}");
        }
    }

    #[test]
    fn the_label_column_is_named_text_or_one_too_many() {
        let of = |names: Option<&str>, row: &str| {
            let names: Option<Vec<String>> =
                names.map(|names| names.split(',').map(str::to_owned).collect());
            label(
                LabelColumn::Automatic,
                names.as_deref(),
                &line(row),
                None,
                &mut Vec::new(),
            )
        };
        assert_eq!(of(Some("a,Class,b"), "1,2,3"), Some(1));
        assert_eq!(of(Some("digit,pixel0,pixel1"), "1,2,3"), Some(0));
        assert_eq!(of(Some("a,b"), "1,2"), None);
        assert_eq!(of(Some("a,b"), "x,2"), Some(0));
        let numbers = |count: usize| vec!["7"; count].join(",");
        assert_eq!(of(None, &numbers(26)), Some(0));
        assert_eq!(of(None, &numbers(785)), Some(0));
        assert_eq!(of(None, &numbers(784)), None);
        assert_eq!(of(None, &numbers(5)), None);
        let fractions = format!("0.5,{}", numbers(25));
        assert_eq!(of(None, &fractions), None);
    }
}
