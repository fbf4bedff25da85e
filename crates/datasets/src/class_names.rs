//! Names of classes from the text files that lie beside a data set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::idx::IdxFolder;

/// The file that names the classes of any source.
pub(crate) const LABELS_FILE: &str = "labels.txt";

/// Bytes that such a file may have: thousands of classes, but no data.
const MAX_BYTES: u64 = 16 << 20;

/// Names of classes by label.
#[derive(Debug, Default)]
pub(crate) struct ClassNames {
    pub(crate) by_label: BTreeMap<i64, String>,
    /// The file whose lines do not say of which labels they are: those from 0
    /// on, as far as that fits the labels there are.
    pub(crate) listed_in: Option<PathBuf>,
}

/// Names for the labels of IDX files: from `labels.txt`, or EMNIST's own
/// `emnist-…-mapping.txt`.
pub(crate) fn of_idx(located: &IdxFolder) -> Result<ClassNames, DataError> {
    let mapping = located
        .folder
        .join(format!("{}mapping.txt", located.prefix));
    if located.is_emnist() && mapping.exists() {
        return Ok(ClassNames {
            by_label: characters(&mapping)?,
            listed_in: None,
        });
    }
    beside(&located.folder)
}

/// Names from the `labels.txt` of a folder; none where there is no such file.
///
/// A line is a name, of the label that the lines before it count up to from 0;
/// or, in every line, a whole number, a space, tab or comma, and the name of
/// that label.
pub(crate) fn beside(folder: &Path) -> Result<ClassNames, DataError> {
    let path = folder.join(LABELS_FILE);
    // A folder of that name is a class.
    if !path.exists() || path.is_dir() {
        return Ok(ClassNames::default());
    }
    let text = read_text(&path)?;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let numbered: Option<BTreeMap<i64, String>> = lines.iter().map(|line| numbered(line)).collect();
    Ok(match numbered {
        Some(names) if !names.is_empty() && names.len() == lines.len() => ClassNames {
            by_label: names,
            listed_in: None,
        },
        _ => ClassNames {
            by_label: (0i64..)
                .zip(lines.iter().map(|&line| line.to_owned()))
                .collect(),
            listed_in: Some(path),
        },
    })
}

/// The names of the labels there are, from those of a list without numbers: by
/// position where every label is one; in ascending order of the labels where
/// there are as many names (EMNIST's letters begin at 1).
///
/// # Errors
/// When the list can be read neither way.
pub(crate) fn fitted(
    names: &BTreeMap<i64, String>,
    labels: &BTreeSet<i64>,
    list: &Path,
) -> Result<BTreeMap<i64, String>, DataError> {
    let Some(label) = labels.iter().find(|label| !names.contains_key(label)) else {
        return Ok(names.clone());
    };
    if names.len() == labels.len() {
        return Ok(labels
            .iter()
            .copied()
            .zip(names.values().cloned())
            .collect());
    }
    Err(DataError::ListedNames {
        path: list.to_owned(),
        names: names.len(),
        labels: labels.len(),
        label: *label,
    })
}

fn numbered(line: &str) -> Option<(i64, String)> {
    let (number, name) = line.split_once([' ', '\t', ','])?;
    let name = name.trim();
    (!name.is_empty()).then_some((number.parse().ok()?, name.to_owned()))
}

/// EMNIST's mapping: in each line a label and the code points of the
/// characters it stands for (Cohen et al. 2017).
fn characters(path: &Path) -> Result<BTreeMap<i64, String>, DataError> {
    let text = read_text(path)?;
    let mut names = BTreeMap::new();
    for (line, content) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let numbers = content
            .split_whitespace()
            .map(|number| number.parse::<u32>().ok())
            .collect::<Option<Vec<u32>>>();
        let name = numbers.as_deref().and_then(|numbers| {
            let (_, codes) = numbers
                .split_first()
                .filter(|(_, codes)| !codes.is_empty())?;
            codes
                .iter()
                .map(|&code| char::from_u32(code))
                .collect::<Option<String>>()
        });
        let (Some(numbers), Some(name)) = (numbers, name) else {
            return Err(DataError::ClassNames {
                path: path.to_owned(),
                line: line + 1,
                found: content.chars().take(40).collect(),
                expected: "a label and the code points of its characters",
            });
        };
        names.insert(i64::from(numbers[0]), name);
    }
    Ok(names)
}

/// The text of a file, without a byte order mark.
fn read_text(path: &Path) -> Result<String, DataError> {
    let text = input_files::read_to_string_within(path, MAX_BYTES).map_err(|source| {
        let path = path.to_owned();
        DataError::Read { path, source }
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(i64, String)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LABELS_FILE), text).unwrap();
        let names = beside(folder.path()).unwrap();
        names.by_label.into_iter().collect()
    }

    #[test]
    fn lines_are_names_in_order_or_numbered() {
        let pair = |number, name: &str| (number, name.to_owned());
        assert_eq!(names("cat\r\n\ndog\n"), [pair(0, "cat"), pair(1, "dog")]);
        assert_eq!(names("1 A\n26\tZ\n"), [pair(1, "A"), pair(26, "Z")]);
        assert_eq!(names("\u{feff}3,dark cat\n"), [pair(3, "dark cat")]);
        // One line without a number: none of them is one.
        assert_eq!(names("1 A\nB\n"), [pair(0, "1 A"), pair(1, "B")]);
        assert!(names("").is_empty());
        assert!(
            beside(Path::new("/nowhere/at/all"))
                .unwrap()
                .by_label
                .is_empty()
        );
    }

    #[test]
    fn a_list_names_labels_by_position_or_in_their_order() {
        let names: BTreeMap<i64, String> =
            (0i64..).zip(["A", "B", "C"].map(str::to_owned)).collect();
        let fit = |labels: &[i64]| {
            let labels = labels.iter().copied().collect();
            fitted(&names, &labels, Path::new("labels.txt"))
        };
        // A class may have no rows.
        assert_eq!(fit(&[0, 2]).unwrap(), names);
        let from_one = fit(&[1, 2, 3]).unwrap();
        assert_eq!((&*from_one[&1], &*from_one[&3]), ("A", "C"));
        let message = fit(&[1, 3]).unwrap_err().to_string();
        assert!(
            message.contains("labels.txt") && message.contains("label 3"),
            "{message}"
        );
    }

    #[test]
    fn the_mapping_of_emnist_gives_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("emnist-letters-mapping.txt");
        std::fs::write(&path, "1 65 97\n2 66 98\n").unwrap();
        let names = characters(&path).unwrap();
        assert_eq!(names[&1], "Aa");
        std::fs::write(&path, "1 65 97\nx\n").unwrap();
        let message = characters(&path).unwrap_err().to_string();
        assert!(message.contains("line 2"), "{message}");
    }
}
