//! Which columns of a file are images, vectors or values, and which the label.

use std::collections::BTreeMap;

use ::parquet::basic::Type;

use super::footer::{Footer, Leaf};
use crate::error::DataError;
use crate::reading::{LabelColumn, Reading};
use crate::table::{Place, is_pixel_name, label_column};

/// The columns that are read, by their position in the footer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selection {
    pub(super) content: Content,
    pub(super) label: Option<usize>,
    /// The names of the files that are images.
    pub(super) names: Option<usize>,
}

/// What a row consists of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// A file in a column of bytes.
    Images(usize),
    /// A list of numbers.
    Vector(usize),
    /// A number of each column.
    Table(Vec<usize>),
}

impl Content {
    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Images(column) | Self::Vector(column) => std::slice::from_ref(column),
            Self::Table(columns) => columns,
        }
    }
}

/// Names that columns of images have, the likeliest first.
const IMAGE_NAMES: [&str; 4] = ["image", "img", "images", "picture"];

impl Selection {
    /// Chooses the columns, and says which are not used.
    pub(super) fn of(
        footer: &Footer,
        reading: &Reading,
        place: &Place,
        remarks: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let leaves = &footer.leaves;
        let label = label(leaves, reading.labels);
        let others = || (0..leaves.len()).filter(|&column| Some(column) != label);
        let first_named = |columns: Vec<usize>| {
            let named = IMAGE_NAMES.iter().find_map(|name| {
                columns
                    .iter()
                    .find(|&&column| leaves[column].path[0].eq_ignore_ascii_case(name))
            });
            named.or(columns.first()).copied()
        };
        let numbers = |column: usize| is_number(&leaves[column]);
        let images = first_named(
            others()
                .filter(|&column| is_image(&leaves[column]))
                .collect(),
        );
        let vectors = others().filter(|&column| leaves[column].max_repetition > 0);
        let vector = first_named(vectors.filter(|&column| numbers(column)).collect());
        let content = if let Some(images) = images {
            Content::Images(images)
        } else if let Some(vector) = vector {
            Content::Vector(vector)
        } else {
            let table: Vec<usize> = others()
                .filter(|&column| numbers(column) && !is_index(&leaves[column]))
                .collect();
            if table.is_empty() {
                let names: Vec<String> = leaves.iter().map(name).collect();
                return Err(place.wrong(
                    format!("the columns {}", names.join(", ")),
                    "a column of images (image.bytes), lists of numbers, or columns of numbers",
                ));
            }
            Content::Table(table)
        };
        let names = images.and_then(|images| {
            others().find(|&column| {
                let leaf = &leaves[column];
                is_file_name(leaves, column, &Content::Images(images))
                    && leaf.path.last().is_some_and(|name| name == "path")
                    && leaf.physical == Type::BYTE_ARRAY
                    && leaf.max_repetition == 0
            })
        });
        let selection = Self {
            content,
            label,
            names,
        };
        let unused: Vec<String> = others()
            .filter(|column| !selection.content.columns().contains(column))
            .filter(|&column| !is_file_name(leaves, column, &selection.content))
            .map(|column| name(&leaves[column]))
            .collect();
        if !unused.is_empty() {
            remarks.push(format!("{} is not used", unused.join(", ")));
        }
        Ok(selection)
    }

    /// The same columns in another file of the set.
    pub(super) fn in_other(&self, first: &Footer, other: &Footer) -> Option<Self> {
        let find = |&column: &usize| {
            let wanted = &first.leaves[column];
            other.leaves.iter().position(|leaf| {
                leaf.path == wanted.path
                    && leaf.is_text == wanted.is_text
                    && leaf.is_byte == wanted.is_byte
                    && is_number(leaf) == is_number(wanted)
                    && (leaf.max_repetition > 0) == (wanted.max_repetition > 0)
            })
        };
        let columns: Option<Vec<usize>> = self.content.columns().iter().map(find).collect();
        let columns = columns?;
        Some(Self {
            content: match self.content {
                Content::Images(_) => Content::Images(columns[0]),
                Content::Vector(_) => Content::Vector(columns[0]),
                Content::Table(_) => Content::Table(columns),
            },
            label: match &self.label {
                Some(label) => Some(find(label)?),
                None => None,
            },
            names: self.names.as_ref().and_then(find),
        })
    }

    /// Whether the columns of a table may be the pixels of images.
    pub(super) fn are_whole_numbers(&self, footer: &Footer) -> bool {
        self.content
            .columns()
            .iter()
            .all(|&column| matches!(footer.leaves[column].physical, Type::INT32 | Type::INT64))
    }

    pub(super) fn are_pixels(&self, footer: &Footer) -> bool {
        self.content
            .columns()
            .iter()
            .all(|&column| is_pixel_name(&footer.leaves[column].path[0]))
    }
}

/// `image.bytes`.
pub(super) fn name(leaf: &Leaf) -> String {
    let text = leaf.path.join(".");
    let mut name: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(60)
        .collect();
    if name.len() < text.len() {
        name.push('…');
    }
    name
}

/// The names of the classes, where the hub's library noted them.
pub(super) fn class_names(footer: &Footer, label: usize) -> BTreeMap<i64, String> {
    let names = || {
        let noted: serde_json::Value = serde_json::from_str(footer.features.as_deref()?).ok()?;
        let features = noted.get("info")?.get("features")?;
        let names = features.get(&footer.leaves[label].path[0])?.get("names")?;
        let texts = names.as_array()?.iter().map(|name| name.as_str());
        texts
            .map(|name| name.map(str::to_owned))
            .collect::<Option<Vec<_>>>()
    };
    (0i64..).zip(names().unwrap_or_default()).collect()
}

fn label(leaves: &[Leaf], asked: LabelColumn) -> Option<usize> {
    let is_label = |leaf: &Leaf| {
        leaf.max_repetition == 0
            && leaf.path.len() == 1
            && (is_number(leaf) || (leaf.physical == Type::BYTE_ARRAY && leaf.is_text))
    };
    match asked {
        LabelColumn::None => None,
        LabelColumn::First => leaves.first().filter(|leaf| is_label(leaf)).map(|_| 0),
        LabelColumn::Automatic => label_column(leaves.iter().map(|leaf| {
            if is_label(leaf) {
                leaf.path[0].as_str()
            } else {
                ""
            }
        })),
    }
}

fn is_number(leaf: &Leaf) -> bool {
    !matches!(
        leaf.physical,
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY | Type::INT96
    )
}

/// A struct with the bytes of a file, or bytes that are no text.
fn is_image(leaf: &Leaf) -> bool {
    leaf.max_repetition == 0
        && leaf.physical == Type::BYTE_ARRAY
        && !leaf.is_text
        && (leaf.path.len() == 1 || leaf.path.last().is_some_and(|name| name == "bytes"))
}

/// The numbers of rows, as data frames write them.
fn is_index(leaf: &Leaf) -> bool {
    leaf.path[0].starts_with("__index_level_")
}

/// The name beside the bytes of a file, which needs no word.
fn is_file_name(leaves: &[Leaf], column: usize, content: &Content) -> bool {
    matches!(content, Content::Images(images) if leaves[*images].path[0] == leaves[column].path[0])
}
