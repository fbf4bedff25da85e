//! Images of codes.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView2, s};
use serde::Serialize;

use super::columns::{Column, ColumnType, Values};
use super::destination::{Kind, png_name};
use super::pictures::{Arrangement, add_pictures, check_images, montage, write_montage};
use super::rows::chunk_rows;
use super::table::Table;
use super::{Destination, Observer, TrainedModel, check, codes_file};
use crate::error::Error;
use crate::interrupt::Interrupt;

/// What rows of codes can be written as.
pub const DECODED: [Kind; 4] = [Kind::Png, Kind::Folder, Kind::Npz, Kind::Csv];

/// What was decoded.
#[derive(Clone, Debug, Serialize)]
pub struct Decoded {
    /// The file or folder written.
    #[serde(serialize_with = "crate::shell::serialize_path")]
    pub output: PathBuf,
    /// Codes decoded.
    pub rows: usize,
    /// How many of them are shown: the first ones, where a montage has no room
    /// for all.
    pub shown: usize,
    /// What a row is.
    pub shape: String,
    /// The values at the edges of lines, or of black and white where pixels do
    /// not lie in [0, 1]; of a montage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
}

/// Decodes the codes in a file into mean rows.
///
/// The codes are an `.npz` with the array `mu` or `z` or with one array alone,
/// an `.npy`, or a `.csv` with the columns `mu1`, `mu2`, … or `z1`, `z2`, …
/// among any others, or with numbers alone: what [`encode`](super::encode)
/// writes. They are held in memory, what comes of them is not. Written are a
/// montage, a folder of PNGs, or `z` and `x` as arrays or columns.
///
/// # Errors
/// When the codes cannot be read or are of another length than the model's,
/// the output cannot be written, or a stop was asked for; nothing is left then.
pub fn decode(
    trained: &TrainedModel,
    codes: &Path,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
) -> Result<Decoded, Error> {
    let codes = codes_file::read(codes, trained.latent())?;
    write_decoded(
        trained,
        codes.view(),
        Arrangement::Square,
        destination,
        interrupt,
        observer,
    )
}

/// Decodes `codes` chunk by chunk into what `destination` is.
pub(super) fn write_decoded(
    trained: &TrainedModel,
    codes: ArrayView2<'_, f32>,
    arrangement: Arrangement,
    destination: Destination,
    interrupt: &Interrupt,
    observer: &dyn Observer,
) -> Result<Decoded, Error> {
    let (rows, shape) = (codes.nrows(), trained.shape());
    let mut decoded = Decoded {
        output: PathBuf::new(),
        rows,
        shown: rows,
        shape: shape.to_string(),
        range: None,
    };
    let chunks = || {
        let size = chunk_rows(4 * shape.len());
        (0..rows)
            .step_by(size)
            .map(move |first| first..rows.min(first + size))
    };
    let work = |range: Range<usize>| {
        check(interrupt)?;
        let z = codes.slice(s![range.clone(), ..]);
        let x = trained.decode(z);
        observer.advanced(range.len());
        Ok::<_, Error>((z, x))
    };
    match destination.kind() {
        Kind::Png => {
            let grid = arrangement.grid(shape, rows);
            decoded.shown = rows.min(grid.rows * grid.columns);
            observer.began(decoded.shown);
            let (_, x) = work(0..decoded.shown)?;
            let values = x.as_slice().unwrap_or_default();
            let description = format!("mean {} of {} codes", shape.noun(), decoded.shown);
            let (image, range) = montage(shape, &grid, values)?;
            decoded.range = range;
            decoded.output = write_montage(destination, &image, &description)?;
        }
        Kind::Folder => {
            check_images(shape, &destination)?;
            observer.began(rows);
            for range in chunks() {
                let first = range.start;
                let (_, x) = work(range)?;
                trained.install(|| {
                    add_pictures(&destination, shape, x.view(), |row| {
                        png_name(None, first + row, rows)
                    })
                })?;
            }
            decoded.output = destination.finish()?;
        }
        _ => {
            observer.began(rows);
            let columns = vec![
                Column::new("z", ColumnType::Floats(trained.latent())),
                Column::new("x", ColumnType::Floats(shape.len())),
            ];
            let mut table = Table::new(columns, "x", destination)?;
            for range in chunks() {
                let (z, x) = work(range)?;
                let values = vec![Values::Floats(z), Values::Floats(x.view())];
                trained.install(|| table.append(values))?;
            }
            decoded.output = table.finish()?;
        }
    }
    Ok(decoded)
}
