//! Data sets of images and vectors: IDX files, folders of images, a registry
//! with verified download, and the embedded `glyphs` set.
//!
//! ```
//! use datasets::{Lookup, glyphs};
//!
//! # fn main() -> Result<(), datasets::DataError> {
//! // The first hundred training images of the embedded set; `datasets::load`
//! // gives whole sets, from files or from strokes, by name.
//! let split = glyphs::split(0..100);
//! assert_eq!(split.images().dim(), (100, 784));
//!
//! let source: datasets::Source = "fashion-mnist".parse()?;
//! let lookup = Lookup::from_environment().with_data_dir("/somewhere");
//! # let _ = (source, lookup);
//! # Ok(())
//! # }
//! ```
//!
//! Pixels stay unsigned bytes, 0 the background and 255 full ink, and are
//! converted batch by batch by whoever computes with them; what is no byte
//! stays 32-bit floats. A data set asked for by name is the published one,
//! checked by SHA-256, or an error: never another one.
//!
//! A folder of PNG, JPEG, WebP and BMP images has one class per subfolder, or
//! none; `train/` and `test/` above them are respected. Images are brought to
//! one size only where [`Reading::resize`] asks for it. Once decoded they can
//! be kept in [`Reading::cache`], where they are found again by the content of
//! all files, never by names or times.

#![forbid(unsafe_code)]

pub mod archive;
mod arrays;
mod cache;
mod class_names;
mod collect;
mod csv;
mod dataset;
mod digest;
mod download;
mod error;
mod fingerprint;
mod folder;
pub mod glyphs;
mod health;
pub mod idx;
mod load;
mod locate;
mod manage;
mod needs;
mod npy;
mod parquet;
mod part;
mod prepare;
mod reading;
mod registry;
mod shape;
mod source;
mod stream;
mod table;
#[cfg(test)]
mod test_server;
mod values;

pub use arrays::ArrayPart;
pub use cache::default_cache;
pub use dataset::{Dataset, Split, TestOrigin};
pub use digest::{sha256_file, sha256_hex};
pub use download::Progress;
pub use error::{DataError, IdxProblem};
pub use fingerprint::fingerprint;
pub use folder::{FolderProblem, ImageProblem, SizeCount};
pub use health::{ClassCount, Duplicates, Finding, Health};
pub use load::{load, load_source};
pub use locate::Lookup;
pub use manage::{
    FetchAction, FetchReport, FetchedFile, FileStatus, PathReport, VerifiedFile, VerifyReport,
    fetch, path, verify,
};
#[cfg(feature = "parquet")]
pub use parquet::{ColumnKind, ColumnValues, ParquetWriter};
pub use part::PartName;
pub use reading::{Colour, LabelColumn, Reading, TEST_SHARE};
pub use registry::{
    DatasetInfo, FILE_NAMES, NAMES, NamedSet, PublishedFile, information, named_sets,
};
pub use shape::Shape;
pub use source::Source;
pub use stream::{Chunk, Stream, StreamedPart, stream};
pub use values::{Kind, Rows, Values};
