//! The memory that reading a source takes, compared with what there is before
//! any of it is taken.

use std::path::Path;

use crate::error::DataError;
use crate::part::Part;

/// Refuses parts of which all rows do not fit into memory together;
/// `is_divided` when they are still to be divided into training and test rows.
/// Refuses what has more rows than can be numbered, too.
pub(crate) fn check_rows(parts: &[&Part], is_divided: bool) -> Result<(), DataError> {
    let described = parts.iter().map(|part| {
        let (rows, shape, kind) = (part.count, part.shape, part.kind.noun());
        format!("{} ({rows} rows of {shape} {kind})", part.path.display())
    });
    let what = format!(
        "reading {}",
        described.collect::<Vec<String>>().join(" and ")
    );
    let bytes = parts.iter().map(|part| bytes(part, is_divided));
    memory::require(what, bytes.fold(0, u64::saturating_add)).map_err(DataError::Memory)?;
    parts.iter().try_for_each(|part| check_numbers(part))
}

/// Refuses a part whose rows, or whose sides, a fingerprint cannot number: it is
/// that of IDX files, where a size has 32 bits. The bytes may be as many as they
/// like.
fn check_numbers(part: &Part) -> Result<(), DataError> {
    let sizes = part.shape.dimensions(part.count);
    if sizes.iter().all(|&size| u32::try_from(size).is_ok()) {
        return Ok(());
    }
    Err(DataError::TooMany {
        path: part.path.clone(),
        found: part.count,
        shape: part.shape,
    })
}

/// Refuses a part of which not even a row fits into memory, as it is stored
/// and as it becomes.
pub(crate) fn check_row(part: &Part) -> Result<(), DataError> {
    let values = part.shape.len() as u64;
    let what = format!("a row of {} ({values} values)", part.path.display());
    // Stored values take eight bytes at most, and what is made of them four.
    memory::require(what, values.saturating_mul(12)).map_err(DataError::Memory)
}

/// Refuses a file whose content does not fit into memory.
pub(crate) fn check_content(path: &Path, bytes: u64) -> Result<(), DataError> {
    let what = format!("the content of {}", path.display());
    memory::require(what, bytes).map_err(DataError::Memory)
}

/// Bytes of all rows of a part in memory.
fn bytes(part: &Part, is_divided: bool) -> u64 {
    let values = (part.shape.len() as u64).saturating_mul(part.kind.bytes() as u64);
    let beside = [
        // The label of the source and the number of the class.
        (part.is_labelled, size_of::<i64>() + size_of::<u32>()),
        (part.is_named, size_of::<String>()),
        // The hash that says to which side a row goes.
        (is_divided, size_of::<u64>()),
    ];
    let beside = beside.iter().filter(|(is_there, _)| *is_there);
    let beside: usize = beside.map(|(_, bytes)| bytes).sum();
    let row = values.saturating_add(beside as u64);
    row.saturating_mul(part.count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::{ReadRows, RowsInto};
    use crate::shape::Shape;
    use crate::values::Kind;

    struct NoRows;

    impl ReadRows for NoRows {
        fn read(&mut self, _: &mut RowsInto<'_>) -> Result<(), DataError> {
            Ok(())
        }
    }

    fn part(count: usize, shape: Shape) -> Part {
        Part {
            path: "x.npz".into(),
            count,
            shape,
            kind: Kind::Floats,
            is_labelled: true,
            is_named: false,
            rows: Box::new(NoRows),
        }
    }

    #[test]
    fn rows_take_their_values_and_what_is_known_of_them() {
        let small = part(10, Shape::grey(28, 28));
        assert_eq!(bytes(&small, false), 10 * (4 * 784 + 12));
        assert_eq!(bytes(&small, true), 10 * (4 * 784 + 20));
        assert_eq!(bytes(&part(usize::MAX, small.shape), true), u64::MAX);
        assert!(check_rows(&[&small, &small], false).is_ok());
        assert!(check_row(&small).is_ok());
    }

    #[test]
    fn more_rows_than_are_numbered_are_refused_in_a_sentence() {
        let most = u32::MAX as usize;
        let one = Shape::Vector { length: 1 };
        let longest = Shape::Vector { length: most };
        for (count, shape, fits) in [
            (most, one, true),
            (most + 1, one, false),
            (1, longest, true),
            (1, Shape::Vector { length: most + 1 }, false),
        ] {
            let checked = check_numbers(&part(count, shape));
            let is_refused = matches!(checked, Err(DataError::TooMany { .. }));
            assert_eq!(is_refused, !fits, "{count} rows of {shape}");
        }
        let message = check_numbers(&part(most + 1, one)).unwrap_err();
        assert!(
            message
                .to_string()
                .starts_with("x.npz holds 4294967296 rows of 1"),
            "{message}"
        );
    }

    // Elsewhere it is not known how much memory there is.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_no_machine_holds_is_refused_in_a_sentence() {
        let rows = part(10_000_000_000_000, Shape::grey(28, 28));
        let message = check_rows(&[&rows], true).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "reading x.npz (10000000000000 rows of 28x28 floats) needs 31.6 PB of memory, and "
            ),
            "{message}"
        );
        let length = 1 << 60;
        let message = check_row(&part(1, Shape::Vector { length })).unwrap_err();
        assert!(
            message
                .to_string()
                .contains("x.npz (1152921504606846976 values)"),
            "{message}"
        );
    }
}
