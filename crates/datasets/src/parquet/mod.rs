//! Parquet files as the hubs store images: a column of image files, lists of
//! numbers, or columns of numbers; one file, or several of a folder.
//!
//! What is read is what pyarrow and the hubs write by default: plain values
//! and dictionaries, in pages of either version, uncompressed or as Snappy or
//! gzip. A page or two at a time are held of every column. A build without the
//! feature `parquet` refuses all of them.

#[cfg(not(feature = "parquet"))]
mod absent;
#[cfg(feature = "parquet")]
mod column;
#[cfg(feature = "parquet")]
mod footer;
#[cfg(feature = "parquet")]
mod images;
#[cfg(feature = "parquet")]
mod open;
#[cfg(feature = "parquet")]
mod pages;
#[cfg(feature = "parquet")]
mod rows;
#[cfg(feature = "parquet")]
mod selection;
mod shards;
#[cfg(feature = "parquet")]
mod write;

#[cfg(not(feature = "parquet"))]
pub(crate) use absent::{open, open_file};
#[cfg(feature = "parquet")]
pub(crate) use open::{open, open_file};
pub(crate) use shards::Shards;
#[cfg(feature = "parquet")]
pub use write::{ColumnKind, ColumnValues, ParquetWriter};

/// What a file begins and ends with.
pub(crate) const MAGIC: [u8; 4] = *b"PAR1";
