//! Codes with pictures and neighbours as a `.parquet` file, which
//! `embedding-atlas` opens.

use datasets::{ColumnKind, ColumnValues, ParquetWriter};
use evaluation::knn::NearestNeighbours;
use figures::plane::Plane;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use runs::Error;
use runs::apply::Destination;
use viz::encode_thumbnail;

use crate::rows::{EncodedRows, SplitChoice};
use crate::{Exported, ExportedRun};

/// Nearest rows of each, unless another number is asked for: as many as UMAP
/// looks at.
pub const NEIGHBOURS: usize = 15;

/// Rows whose pictures are held at a time.
const ROWS: usize = 8192;

/// What is written into the file about the columns `x` and `y`.
const PROJECTION: &str = "projection";

/// Writes the codes of some rows of the run's data with all that
/// `embedding-atlas` shows of them: the columns of the other tables, a place `x`,
/// `y` in the plane, the `neighbours` nearest rows in code space (`neighbors`,
/// positions in the file with distances), and of images the row itself as a PNG
/// (`image`, as the hubs store images).
///
/// # Errors
/// When the data cannot be had or are not those of the run, codes are not finite,
/// or the file cannot be written.
pub fn export(
    run: &ExportedRun,
    choice: SplitChoice,
    neighbours: usize,
    mut destination: Destination,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Exported, Error> {
    let rows = EncodedRows::of(run, choice, download)?;
    let codes = rows.codes.mean.view();
    let (plane, projection) = run.install(|| plane(codes))?;
    let nearest = run.install(|| nearest(codes, neighbours))?;
    let has_pictures = rows.shape().is_image();
    let latent = codes.ncols();
    let labels = rows.labels().map(|labels| {
        let labels = labels.into_iter().map(i64::from);
        labels.collect::<Vec<i64>>()
    });
    let (classes, names) = (rows.classes(), rows.names());
    let kinds = [
        (true, "index", ColumnKind::Integer),
        (true, "split", ColumnKind::Text),
        (labels.is_some(), "label", ColumnKind::Integer),
        (classes.is_some(), "class", ColumnKind::Text),
        (names.is_some(), "name", ColumnKind::Text),
        (true, "x", ColumnKind::Float),
        (true, "y", ColumnKind::Float),
        (true, "mu", ColumnKind::FloatList(latent)),
        (
            rows.codes.log_variance.is_some(),
            "log_var",
            ColumnKind::FloatList(latent),
        ),
        (true, "reconstruction", ColumnKind::Float),
        (
            nearest.is_some(),
            "neighbors",
            ColumnKind::Neighbours(nearest.as_ref().map_or(0, |found| found.ids.ncols())),
        ),
        (
            has_pictures,
            "image",
            ColumnKind::Image(rows.picture_bytes()),
        ),
    ];
    let kinds: Vec<(&str, ColumnKind)> = kinds
        .into_iter()
        .filter(|&(is_there, ..)| is_there)
        .map(|(_, name, kind)| (name, kind))
        .collect();
    let file = destination.file().try_clone();
    let file = file.map_err(|source| destination.failure(source))?;
    let mut writer = ParquetWriter::over(file, destination.path(), &kinds)?;
    writer.note(PROJECTION, projection.clone());
    let index = rows.index();
    let split: Vec<String> = rows.split().into_iter().map(str::to_owned).collect();
    for first in (0..rows.len()).step_by(ROWS) {
        let range = first..rows.len().min(first + ROWS);
        let part =
            |array: ArrayView2<'_, f32>| array.slice_axis(Axis(0), range.clone().into()).to_owned();
        let (mean, log_variance) = (
            part(codes),
            rows.codes.log_variance.as_ref().map(|all| part(all.view())),
        );
        let (files, paths) = pictures(run, &rows, range.clone(), names.as_deref())?;
        let ids = nearest.as_ref().map(|found| {
            let rows = Axis(0);
            (
                found.ids.slice_axis(rows, range.clone().into()),
                found.distances.slice_axis(rows, range.clone().into()),
            )
        });
        let mut values = vec![
            ColumnValues::Integers(&index[range.clone()]),
            ColumnValues::Texts(&split[range.clone()]),
        ];
        values.extend(
            labels
                .as_ref()
                .map(|all| ColumnValues::Integers(&all[range.clone()])),
        );
        for texts in [&classes, &names].into_iter().flatten() {
            values.push(ColumnValues::Texts(&texts[range.clone()]));
        }
        for axis in &plane {
            values.push(ColumnValues::Floats(&axis[range.clone()]));
        }
        values.push(ColumnValues::FloatLists(mean.view()));
        values.extend(
            log_variance
                .as_ref()
                .map(|all| ColumnValues::FloatLists(all.view())),
        );
        values.push(ColumnValues::Floats(&rows.reconstruction[range]));
        values.extend(ids.map(|(ids, distances)| ColumnValues::Neighbours { ids, distances }));
        if has_pictures {
            values.push(ColumnValues::Images {
                files: &files,
                paths: &paths,
            });
        }
        writer.append(&values)?;
    }
    writer.finish()?;
    Ok(Exported {
        files: vec![destination.finish()?],
        rows: Some(rows.len()),
        columns: kinds.iter().map(|&(name, _)| name.to_owned()).collect(),
        remarks: vec![format!("x and y are {projection}")],
    })
}

/// Where codes `[n, L]` are drawn, an array for each axis; and what that is, in
/// words.
///
/// # Errors
/// Codes that are not finite.
fn plane(codes: ArrayView2<'_, f32>) -> Result<([Vec<f32>; 2], String), Error> {
    let column = |at: usize| codes.column(at).to_vec();
    Ok(match codes.ncols() {
        1 => (
            [column(0), vec![0.0; codes.nrows()]],
            "the latent variable and 0".into(),
        ),
        2 => ([column(0), column(1)], "the two latent variables".into()),
        _ if codes.nrows() < 2 => (
            [column(0), column(1)],
            "the first two latent variables".into(),
        ),
        _ => {
            let (plane, _) = Plane::principal(codes)?;
            let points = plane.project(codes);
            let axis = |at: usize| points.iter().map(|point| point[at] as f32).collect();
            ([axis(0), axis(1)], plane.words)
        }
    })
}

/// The nearest rows of each row.
struct Nearest {
    /// `[n, k]`, nearest first.
    ids: Array2<i64>,
    /// `[n, k]`, Euclidean.
    distances: Array2<f64>,
}

/// At most `count` nearest others of each of the codes `[n, L]`; `None` of none.
///
/// # Errors
/// Codes that are not finite.
fn nearest(codes: ArrayView2<'_, f32>, count: usize) -> Result<Option<Nearest>, Error> {
    let count = count.min(codes.nrows().saturating_sub(1));
    if count == 0 {
        return Ok(None);
    }
    let search = NearestNeighbours::new(codes)?;
    // One more: a code is among its own nearest, though not always as the first.
    let found = search.map_nearest(codes, count + 1, |row, found| {
        let others = found.iter().filter(|other| other.index != row);
        let others = others.take(count);
        others
            .map(|other| (other.index as i64, other.squared_distance.sqrt()))
            .collect::<Vec<_>>()
    });
    let shape = (codes.nrows(), count);
    Ok(Some(Nearest {
        ids: Array2::from_shape_fn(shape, |(row, rank)| found[row][rank].0),
        distances: Array2::from_shape_fn(shape, |(row, rank)| found[row][rank].1),
    }))
}

/// Rows as PNG files, and what these are called: as in the source, or by their
/// position in the table. None of vectors.
fn pictures(
    run: &ExportedRun,
    rows: &EncodedRows<'_>,
    range: std::ops::Range<usize>,
    names: Option<&[String]>,
) -> Result<(Vec<Vec<u8>>, Vec<String>), Error> {
    if !rows.shape().is_image() {
        return Ok((Vec::new(), Vec::new()));
    }
    let png = |row: usize| {
        let picture = rows.picture(row)?;
        let bytes = picture.map(|picture| encode_thumbnail(picture.as_ref()));
        Ok(bytes.transpose()?.unwrap_or_default())
    };
    let files: Result<Vec<Vec<u8>>, Error> =
        run.install(|| range.clone().into_par_iter().map(png).collect());
    let path = |row: usize| match names {
        Some(names) => names[row].clone(),
        None => format!("{row}.png"),
    };
    Ok((files?, range.map(path).collect()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn nearest_are_those_of_exhaustive_search_without_the_row_itself() {
        // Two equal codes, whose order by index puts one before itself.
        let codes = array![[0.0_f32, 0.0], [3.0, 4.0], [0.0, 0.0], [6.0, 8.0]];
        let found = nearest(codes.view(), 2).unwrap().unwrap();
        assert_eq!(found.ids, array![[2, 1], [0, 2], [0, 1], [1, 0]]);
        assert_eq!(
            found.distances,
            array![[0.0, 5.0], [5.0, 5.0], [0.0, 5.0], [5.0, 10.0]]
        );
        let all = nearest(codes.view(), 99).unwrap().unwrap();
        assert_eq!(all.ids.ncols(), 3);
        assert!(nearest(codes.view(), 0).unwrap().is_none());
        assert!(
            nearest(codes.slice_axis(Axis(0), (..1).into()), 5)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn every_number_of_latent_variables_has_a_place() {
        let codes = array![[1.0_f32, 2.0, 0.0], [3.0, 4.0, 0.0], [-1.0, 9.0, 0.0]];
        let ([x, y], words) = plane(codes.slice_axis(Axis(1), (..1).into())).unwrap();
        assert_eq!((x, y), (vec![1.0, 3.0, -1.0], vec![0.0; 3]));
        assert!(words.contains("and 0"));
        let ([x, y], _) = plane(codes.slice_axis(Axis(1), (..2).into())).unwrap();
        assert_eq!((x, y), (vec![1.0, 3.0, -1.0], vec![2.0, 4.0, 9.0]));
        // Distances in the plane that holds all of it are those of the codes.
        let ([x, y], words) = plane(codes.view()).unwrap();
        assert!(words.contains("principal directions"), "{words}");
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            let drawn = (x[a] - x[b]).hypot(y[a] - y[b]);
            let code = (codes[[a, 0]] - codes[[b, 0]]).hypot(codes[[a, 1]] - codes[[b, 1]]);
            assert!((drawn - code).abs() < 1e-5);
        }
    }
}
