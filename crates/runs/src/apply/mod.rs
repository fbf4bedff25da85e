//! Using a trained model: codes and reconstructions of any data, images of
//! codes, samples, and what lies between two images.
//!
//! Data are read in chunks by a thread of its own while the chunk before is
//! taken through the network, and results leave as they come: memory does not
//! grow with the number of rows. Neither chunks nor threads change a result.
//!
//! Rows are read as the run read its own (`[data.reading]` of its
//! `config.toml`) and treated as its test images were: a standardised model
//! standardises them, one of binary pixels binarises them. Images that come
//! out are means of the pixels under the likelihood, back in the units of the
//! data.

mod codes_file;
mod columns;
mod csv_table;
mod decode;
mod destination;
mod encode;
mod interpolate;
pub(crate) mod npy;
mod npz_table;
#[cfg(feature = "parquet")]
mod parquet_table;
mod pictures;
mod reconstruct;
mod rows;
mod sample;
mod table;
mod trained_model;

pub use codes_file::read as read_codes;
pub use columns::{Column, ColumnType, Values};
pub use decode::{DECODED, Decoded, decode};
pub use destination::{Destination, Kind};
pub use encode::{ENCODED, Encoded, EncodedPart, encode};
pub use interpolate::{InterpolateRequest, Interpolated, Place, interpolate};
pub use reconstruct::{RECONSTRUCTED, ReconstructRequest, Reconstructed, reconstruct};
pub use rows::{DataRequest, PartChoice};
pub use sample::{SampleRequest, Sampled, random_codes, sample};
pub use table::Table;
pub use trained_model::TrainedModel;

use crate::error::Error;
use crate::interrupt::Interrupt;

/// Hears how far work has come.
pub trait Observer {
    /// Work on so many rows begins.
    fn began(&self, _rows: usize) {}
    /// So many more rows are done.
    fn advanced(&self, _rows: usize) {}
    /// One sentence about how the data were read.
    fn remark(&self, _sentence: &str) {}
}

/// Hears nothing.
impl Observer for () {}

/// Refuses to go on once a stop was asked for.
fn check(interrupt: &Interrupt) -> Result<(), Error> {
    if interrupt.requested() {
        return Err(Error::Abandoned);
    }
    Ok(())
}
