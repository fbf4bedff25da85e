//! NumPy's arrays: `.npy` files and `.npz` archives of them.
//!
//! Arrays are read row by row as they are in the file or the archive; only the
//! header is interpreted, and objects, which are pickles, are refused.

mod array;
mod dtype;
mod header;
mod labels;
mod layout;
mod part;
mod stored;

use std::collections::BTreeMap;
use std::path::Path;

use array::Array;
use labels::Labels;
use layout::Layout;
use stored::Stored;

use crate::error::DataError;
use crate::part::{Opened, Part, Parts};
use crate::reading::Reading;
use crate::table::{ClassSet, Place, names_of};

pub(crate) use header::MAGIC;

/// What an archive begins with, an empty one included.
pub(crate) const ARCHIVE_MAGIC: [[u8; 4]; 2] = [*b"PK\x03\x04", *b"PK\x05\x06"];

/// Names of the training rows, their labels, the test rows and theirs.
const DIVIDED: [[&str; 4]; 2] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
];

/// Names of the rows of a set that is not divided.
const ROWS: [&str; 4] = ["x", "images", "data", "arr_0"];

/// Names of their labels.
const LABELS: [&str; 5] = ["y", "labels", "label", "target", "targets"];

/// Opens an array without labels.
pub(crate) fn open_array(path: &Path, reading: &Reading) -> Result<Opened, DataError> {
    let mut remarks = Vec::new();
    let rows = Rows::open(Stored::file(path)?, None, reading, &mut remarks)?;
    Ok(opened(
        path,
        Parts::Whole(rows.part()),
        BTreeMap::new(),
        remarks,
    ))
}

/// Opens the arrays of an archive by their names.
pub(crate) fn open_archive(path: &Path, reading: &Reading) -> Result<Opened, DataError> {
    let (arrays, others) = stored::entries(path)?;
    let mut archive = Archive {
        arrays,
        others,
        remarks: Vec::new(),
    };
    for [rows, labels, test_rows, test_labels] in DIVIDED {
        let Some(train) = archive.rows(&[rows], &[labels], reading)? else {
            continue;
        };
        let test = archive.rows(&[test_rows], &[test_labels], reading)?;
        return archive.opened(path, train, test);
    }
    match archive.rows(&ROWS, &LABELS, reading)? {
        Some(rows) => archive.opened(path, rows, None),
        None => {
            let keys: Vec<String> = archive
                .arrays
                .iter()
                .map(|array| array.key.clone())
                .collect();
            let found = if keys.is_empty() {
                "no array".to_owned()
            } else {
                format!("the arrays {}", listed(&keys))
            };
            Err(Place::of(path).wrong(
                found,
                "x_train (y_train, x_test, y_test), train_images (train_labels, test_images, test_labels), or x, images, data or arr_0 (y, labels or target)",
            ))
        }
    }
}

fn opened(
    path: &Path,
    parts: Parts,
    class_names: BTreeMap<i64, String>,
    remarks: Vec<String>,
) -> Opened {
    Opened {
        parts,
        class_names,
        attribution: format!("arrays of {}", path.display()),
        is_transposed: false,
        listed_in: None,
        remarks,
    }
}

/// What of an archive has not been used yet.
struct Archive {
    arrays: Vec<Stored>,
    others: Vec<String>,
    remarks: Vec<String>,
}

impl Archive {
    /// Takes the first array that has one of `names`, in any case.
    fn take(&mut self, names: &[&str]) -> Option<Stored> {
        let at = names.iter().find_map(|name| {
            let exactly = self.arrays.iter().position(|array| array.key == *name);
            exactly.or_else(|| {
                self.arrays
                    .iter()
                    .position(|array| array.key.eq_ignore_ascii_case(name))
            })
        })?;
        Some(self.arrays.remove(at))
    }

    fn rows(
        &mut self,
        names: &[&str],
        labels: &[&str],
        reading: &Reading,
    ) -> Result<Option<Rows>, DataError> {
        let Some(rows) = self.take(names) else {
            return Ok(None);
        };
        let labels = self.take(labels);
        Rows::open(rows, labels, reading, &mut self.remarks).map(Some)
    }

    fn opened(
        mut self,
        path: &Path,
        mut train: Rows,
        mut test: Option<Rows>,
    ) -> Result<Opened, DataError> {
        let mut names: Vec<String> = self.arrays.iter().map(|array| array.key.clone()).collect();
        names.append(&mut self.others);
        if !names.is_empty() {
            self.remarks.push(format!("{} is not used", listed(&names)));
        }
        let classes = named(&mut train, test.as_mut())?;
        let parts = match test {
            Some(test) => Parts::TrainAndTest(train.part(), test.part()),
            None => Parts::Whole(train.part()),
        };
        // Both parts are usually alike, and so is what was decided.
        self.remarks.dedup();
        Ok(opened(path, parts, classes, self.remarks))
    }
}

/// An array of images or vectors and that of its labels.
struct Rows {
    array: Array,
    layout: Layout,
    labels: Option<Labels>,
}

impl Rows {
    fn open(
        rows: Stored,
        labels: Option<Stored>,
        reading: &Reading,
        remarks: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let array = Array::open(rows)?;
        let (layout, remark) = Layout::of(&array, reading)?;
        remarks.extend(remark);
        let labels = labels
            .map(|labels| Labels::of(Array::open(labels)?, array.shape()[0], &array))
            .transpose()?;
        Ok(Self {
            array,
            layout,
            labels,
        })
    }

    fn part(self) -> Part {
        part::part(self.array, self.layout, self.labels)
    }
}

/// Numbers the names of both parts alike, where labels are names.
fn named(train: &mut Rows, test: Option<&mut Rows>) -> Result<BTreeMap<i64, String>, DataError> {
    let mut labels: Vec<&mut Option<Labels>> = vec![&mut train.labels];
    labels.extend(test.map(|test| &mut test.labels));
    labels.retain(|labels| labels.is_some());
    let texts = labels
        .iter()
        .filter(|labels| labels.as_ref().is_some_and(Labels::is_text))
        .count();
    if texts == 0 {
        return Ok(BTreeMap::new());
    }
    if let (true, Some(first)) = (texts < labels.len(), labels[0].as_ref()) {
        return Err(first.place().wrong(
            "labels of another type than those of the other part",
            "names in both or numbers in both",
        ));
    }
    let mut classes = ClassSet::default();
    for labels in &mut labels {
        if let Some(unread) = labels.take() {
            **labels = Some(unread.collect(&mut classes)?);
        }
    }
    let classes = classes.numbered();
    for labels in labels.into_iter().flatten() {
        labels.name_by(classes.clone());
    }
    Ok(names_of(&classes))
}

/// `"a", "b"`, at most twenty of them.
fn listed(names: &[String]) -> String {
    let mut texts: Vec<String> = names.iter().take(20).map(|name| quoted(name)).collect();
    if names.len() > texts.len() {
        texts.push(format!("and {} more", names.len() - texts.len()));
    }
    texts.join(", ")
}

fn quoted(text: &str) -> String {
    crate::table::shown(text.as_bytes())
}
