//! The columns of a written file: their schema, and values that wait for their
//! group to be full.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder};
use ::parquet::file::writer::SerializedRowGroupWriter;
use ::parquet::schema::types::{ColumnPath, Type, TypePtr};
use ndarray::{ArrayView2, Axis};

/// What a column of a written file holds; no value is ever missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// 32-bit floats.
    Float,
    /// 64-bit floats; not a number where there is none.
    Double,
    /// 64-bit integers.
    Integer,
    /// Texts.
    Text,
    /// Lists of as many 32-bit floats.
    FloatList(usize),
    /// Image files as the hubs store them: `struct{bytes, path}`; of about so
    /// many bytes each.
    Image(usize),
    /// The nearest rows of each row, as many for all: `struct{ids, distances}`
    /// of two lists.
    Neighbours(usize),
}

/// The values of a column in some rows.
#[derive(Clone, Copy, Debug)]
pub enum ColumnValues<'a> {
    /// One of each row.
    Floats(&'a [f32]),
    /// One of each row.
    Doubles(&'a [f64]),
    /// One of each row.
    Integers(&'a [i64]),
    /// One of each row.
    Texts(&'a [String]),
    /// `[rows, values of a list]`.
    FloatLists(ArrayView2<'a, f32>),
    /// One of each row.
    Images {
        /// The bytes of the files.
        files: &'a [Vec<u8>],
        /// What they are called.
        paths: &'a [String],
    },
    /// `[rows, neighbours]` both, nearest first.
    Neighbours {
        /// Positions of rows in the file, from 0.
        ids: ArrayView2<'a, i64>,
        /// How far they are.
        distances: ArrayView2<'a, f64>,
    },
}

/// Values that wait for their group to be full.
pub(super) enum Column {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Integers(Vec<i64>),
    Texts(Vec<ByteArray>),
    FloatLists {
        length: usize,
        values: Vec<f32>,
    },
    Images {
        files: Vec<ByteArray>,
        paths: Vec<ByteArray>,
    },
    Neighbours {
        count: usize,
        ids: Vec<i64>,
        distances: Vec<f64>,
    },
}

impl ColumnValues<'_> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::FloatLists(values) => values.nrows(),
            Self::Images { files, .. } => files.len(),
            Self::Neighbours { ids, .. } => ids.nrows(),
        }
    }
}

impl ColumnKind {
    /// A column of the schema.
    ///
    /// # Panics
    /// If it is of lists without values.
    pub(super) fn field(self, name: &str) -> ParquetResult<TypePtr> {
        match self {
            Self::Float => primitive(name, Physical::FLOAT, None),
            Self::Double => primitive(name, Physical::DOUBLE, None),
            Self::Integer => primitive(name, Physical::INT64, None),
            Self::Text => text(name),
            Self::FloatList(length) => {
                assert!(length > 0, "ParquetWriter: lists with values");
                list(name, Physical::FLOAT)
            }
            Self::Image(_) => {
                let files = primitive(BYTES, Physical::BYTE_ARRAY, None)?;
                group(name, vec![files, text(PATH)?])
            }
            Self::Neighbours(count) => {
                assert!(count > 0, "ParquetWriter: rows with neighbours");
                let ids = list(IDS, Physical::INT64)?;
                group(name, vec![ids, list(DISTANCES, Physical::DOUBLE)?])
            }
        }
    }

    /// How the values of a column of this name are encoded, where the default
    /// does not suit them.
    pub(super) fn properties(
        self,
        name: &str,
        mut properties: WriterPropertiesBuilder,
    ) -> WriterPropertiesBuilder {
        let path = |parts: &[&str]| {
            let parts = parts.iter().map(|&part| part.to_owned());
            ColumnPath::new(parts.collect())
        };
        // Hardly a float or an image occurs twice: a dictionary only costs.
        let without_dictionary = match self {
            Self::Float | Self::Double => vec![path(&[name])],
            Self::FloatList(_) => vec![path(&[name, "list", "element"])],
            Self::Image(_) => vec![path(&[name, BYTES]), path(&[name, PATH])],
            Self::Neighbours(_) => [IDS, DISTANCES]
                .map(|part| path(&[name, part, "list", "element"]))
                .into(),
            Self::Integer | Self::Text => Vec::new(),
        };
        for column in without_dictionary {
            properties = properties.set_column_dictionary_enabled(column, false);
        }
        if let Self::Image(_) = self {
            // They are compressed, and in no order.
            let column = path(&[name, BYTES]);
            properties = properties
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::None);
        }
        properties
    }

    /// Bytes that a value takes while it waits, about.
    pub(super) fn row_bytes(self) -> usize {
        /// Of a text.
        const TEXT: usize = 64;
        match self {
            Self::Float => 4,
            Self::Double | Self::Integer => 8,
            Self::Text => TEXT,
            // With two levels of 16 bits each.
            Self::FloatList(length) => 8 * length,
            Self::Image(bytes) => bytes.saturating_add(TEXT),
            Self::Neighbours(count) => 24 * count,
        }
    }
}

impl Column {
    pub(super) fn of(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Float => Self::Floats(Vec::new()),
            ColumnKind::Double => Self::Doubles(Vec::new()),
            ColumnKind::Integer => Self::Integers(Vec::new()),
            ColumnKind::Text => Self::Texts(Vec::new()),
            ColumnKind::FloatList(length) => Self::FloatLists {
                length,
                values: Vec::new(),
            },
            ColumnKind::Image(_) => Self::Images {
                files: Vec::new(),
                paths: Vec::new(),
            },
            ColumnKind::Neighbours(count) => Self::Neighbours {
                count,
                ids: Vec::new(),
                distances: Vec::new(),
            },
        }
    }

    pub(super) fn extend(&mut self, values: &ColumnValues<'_>, rows: Range<usize>) {
        match (self, values) {
            (Self::Floats(waiting), ColumnValues::Floats(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Doubles(waiting), ColumnValues::Doubles(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Integers(waiting), ColumnValues::Integers(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Texts(waiting), ColumnValues::Texts(values)) => {
                waiting.extend(values[rows].iter().map(|text| text.as_str().into()));
            }
            (
                Self::FloatLists {
                    length,
                    values: waiting,
                },
                ColumnValues::FloatLists(values),
            ) if values.ncols() == *length => {
                waiting.extend(values.slice_axis(Axis(0), rows.into()).iter());
            }
            (
                Self::Images { files, paths },
                ColumnValues::Images {
                    files: new_files,
                    paths: new_paths,
                },
            ) => {
                files.extend(
                    new_files[rows.clone()]
                        .iter()
                        .map(|file| file.clone().into()),
                );
                paths.extend(new_paths[rows].iter().map(|path| path.as_str().into()));
            }
            (
                Self::Neighbours {
                    count,
                    ids,
                    distances,
                },
                ColumnValues::Neighbours {
                    ids: new_ids,
                    distances: new_distances,
                },
            ) if new_ids.ncols() == *count && new_distances.dim() == new_ids.dim() => {
                ids.extend(new_ids.slice_axis(Axis(0), rows.clone().into()).iter());
                distances.extend(new_distances.slice_axis(Axis(0), rows.into()).iter());
            }
            _ => panic!("ParquetWriter::append: values of another kind than their column"),
        }
    }

    /// Writes the values that wait to the next column of a group, or to the next
    /// two.
    pub(super) fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, File>,
    ) -> ParquetResult<()> {
        match self {
            Self::Floats(values) => write_plain::<FloatType>(values, group),
            Self::Doubles(values) => write_plain::<DoubleType>(values, group),
            Self::Integers(values) => write_plain::<Int64Type>(values, group),
            Self::Texts(values) => write_plain::<ByteArrayType>(values, group),
            Self::FloatLists { length, values } => write_lists::<FloatType>(*length, values, group),
            Self::Images { files, paths } => {
                write_plain::<ByteArrayType>(files, group)?;
                write_plain::<ByteArrayType>(paths, group)
            }
            Self::Neighbours {
                count,
                ids,
                distances,
            } => {
                write_lists::<Int64Type>(*count, ids, group)?;
                write_lists::<DoubleType>(*count, distances, group)
            }
        }
    }
}

const BYTES: &str = "bytes";
const PATH: &str = "path";
const IDS: &str = "ids";
const DISTANCES: &str = "distances";

fn write_plain<T: DataType>(
    values: &mut Vec<T::T>,
    group: &mut SerializedRowGroupWriter<'_, File>,
) -> ParquetResult<()> {
    write_leaf::<T>(values, None, group)
}

/// Writes lists of `length` values each.
fn write_lists<T: DataType>(
    length: usize,
    values: &mut Vec<T::T>,
    group: &mut SerializedRowGroupWriter<'_, File>,
) -> ParquetResult<()> {
    // The first value of a list begins a row, the others repeat.
    let repetition: Vec<i16> = (0..values.len())
        .map(|at| i16::from(at % length > 0))
        .collect();
    write_leaf::<T>(values, Some(&repetition), group)
}

fn write_leaf<T: DataType>(
    values: &mut Vec<T::T>,
    repetition: Option<&[i16]>,
    group: &mut SerializedRowGroupWriter<'_, File>,
) -> ParquetResult<()> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("more columns than named".to_owned()));
    };
    // Of what repeats, every value is there.
    let definition = repetition.map(|repetition| vec![1; repetition.len()]);
    writer
        .typed::<T>()
        .write_batch(values, definition.as_deref(), repetition)?;
    values.clear();
    writer.close()
}

fn primitive(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
) -> ParquetResult<TypePtr> {
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

fn text(name: &str) -> ParquetResult<TypePtr> {
    primitive(name, Physical::BYTE_ARRAY, Some(LogicalType::String))
}

fn group(name: &str, fields: Vec<TypePtr>) -> ParquetResult<TypePtr> {
    Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_fields(fields)
        .build()
        .map(Arc::new)
}

/// "Lists" in `LogicalTypes.md` of Apache Parquet.
fn list(name: &str, element: Physical) -> ParquetResult<TypePtr> {
    let list = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![primitive("element", element, None)?])
        .build()?;
    Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(list)])
        .build()
        .map(Arc::new)
}
