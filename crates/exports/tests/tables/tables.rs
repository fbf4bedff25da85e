//! `--format npz`, `csv` and `parquet`.

use exports::codes_table;
use exports::rows::SplitChoice;
use ndarray::{Array1, Array2};
use ndarray_npy::NpzReader;
use runs::apply::Kind;
use tempfile::tempdir;

use crate::support::*;

#[test]
fn arrays_hold_the_codes_of_the_model() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(
        folder.path(),
        &data,
        &["data.validation=20", "model.latent=3"],
    );
    let names = ["codes-1.npz", "codes-2.npz"];
    let (path, exported) = exported_twice(folder.path(), names, Kind::Npz, |destination| {
        codes_table::export(&run, SplitChoice::All, destination, &mut |_| {})
    });
    assert_eq!(exported.rows, Some(TRAIN + TEST));
    let columns = [
        "index",
        "split",
        "label",
        "class",
        "mu",
        "log_var",
        "reconstruction",
    ];
    assert_eq!(exported.columns, columns);
    let mut archive = NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let index: Array1<i64> = archive.by_name("index").unwrap();
    let label: Array1<i64> = archive.by_name("label").unwrap();
    let mu: Array2<f32> = archive.by_name("mu").unwrap();
    let log_var: Array2<f32> = archive.by_name("log_var").unwrap();
    let loss: Array1<f32> = archive.by_name("reconstruction").unwrap();
    let rows = run.data(&mut |_| {}).unwrap();
    for (split, first) in [(&rows.dataset.train, 0), (&rows.dataset.test, TRAIN)] {
        let codes = rows.run.codes(split).unwrap();
        let losses = rows
            .run
            .model
            .losses_at_mean(rows.run.seen(split).unwrap().images());
        assert_eq!(losses.len(), split.len());
        for (row, &of_row) in losses.iter().enumerate() {
            let at = first + row;
            assert_eq!((index[at], label[at]), (row as i64, (at % 3) as i64));
            assert_eq!(mu.row(at), codes.mean.row(row));
            assert_eq!(
                log_var.row(at),
                codes.log_variance.as_ref().unwrap().row(row)
            );
            assert_eq!(loss[at], of_row);
        }
    }
}

#[test]
fn lines_name_what_each_row_was_for() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 4, 4, 3);
    let run = trained(
        folder.path(),
        &data,
        &["data.validation=20", "model.kind=ae"],
    );
    let names = ["codes-1.csv", "codes-2.csv"];
    let (path, _) = exported_twice(folder.path(), names, Kind::Csv, |destination| {
        codes_table::export(&run, SplitChoice::All, destination, &mut |_| {})
    });
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let expected = [
        "index",
        "split",
        "label",
        "class",
        "mu1",
        "mu2",
        "reconstruction",
    ];
    assert_eq!(header, expected);
    let split: Vec<String> = reader
        .records()
        .map(|row| row.unwrap()[1].to_owned())
        .collect();
    let count = |name: &str| split.iter().filter(|split| *split == name).count();
    assert_eq!(split.len(), TRAIN + TEST);
    assert_eq!(
        [count("train"), count("validation"), count("test")],
        [130, 20, TEST]
    );
}

#[cfg(feature = "parquet")]
mod parquet {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::{Field, Row, RowAccessor};
    use exports::parquet;

    use super::*;

    fn read(path: &std::path::Path) -> Vec<Row> {
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    fn place(row: &Row, name: &str) -> usize {
        row.get_column_iter()
            .position(|(column, _)| column == name)
            .unwrap()
    }

    #[test]
    fn rows_have_pictures_places_and_neighbours() {
        let folder = tempdir().unwrap();
        let data = images(folder.path(), 5, 7, 3);
        let run = trained(folder.path(), &data, &[]);
        let names = ["codes-1.parquet", "codes-2.parquet"];
        let (path, exported) = exported_twice(folder.path(), names, Kind::Parquet, |destination| {
            parquet::export(&run, SplitChoice::All, 4, destination, &mut |_| {})
        });
        let rows = read(&path);
        assert_eq!(rows.len(), TRAIN + TEST);
        let columns: Vec<String> = rows[0]
            .get_column_iter()
            .map(|(name, _)| name.clone())
            .collect();
        assert_eq!(columns, exported.columns);
        let code = |row: &Row| {
            let list = row.get_list(place(row, "mu")).unwrap().elements().to_vec();
            list.into_iter()
                .map(|value| match value {
                    Field::Float(value) => f64::from(value),
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<f64>>()
        };
        let codes: Vec<Vec<f64>> = rows.iter().map(code).collect();
        let distance = |a: usize, b: usize| {
            let squares = codes[a].iter().zip(&codes[b]).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        for (at, row) in rows.iter().enumerate() {
            let x = row.get_float(place(row, "x")).unwrap();
            let y = row.get_float(place(row, "y")).unwrap();
            assert_eq!(codes[at], [f64::from(x), f64::from(y)]);
            let neighbours = row.get_group(place(row, "neighbors")).unwrap();
            let ids: Vec<usize> = neighbours
                .get_list(0)
                .unwrap()
                .elements()
                .iter()
                .map(|id| match id {
                    Field::Long(id) => *id as usize,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(ids.len(), 4);
            // By looking at all of them.
            let mut all: Vec<f64> = (0..rows.len())
                .filter(|&other| other != at)
                .map(|other| distance(at, other))
                .collect();
            all.sort_by(f64::total_cmp);
            let found: Vec<f64> = ids.iter().map(|&id| distance(at, id)).collect();
            assert!(!ids.contains(&at) && found == all[..4], "{at}: {ids:?}");
            let image = row.get_group(place(row, "image")).unwrap();
            assert_eq!(image.get_string(1).unwrap(), &format!("{at}.png"));
            let png = viz::decode_png(image.get_bytes(0).unwrap().data()).unwrap();
            let colour = [0, 1, 2].map(|channel| pixel(at, &[4, 6, channel]));
            assert_eq!(
                png.as_ref().get(6, 4),
                viz::Rgb(colour[0], colour[1], colour[2])
            );
        }
    }

    #[test]
    fn vectors_have_no_pictures_and_files_can_do_without_neighbours() {
        let folder = tempdir().unwrap();
        let settings = ["model.likelihood=gaussian-identity", "model.latent=5"];
        let run = trained(folder.path(), &vectors(folder.path()), &settings);
        let names = ["codes-1.parquet", "codes-2.parquet"];
        let (path, exported) = exported_twice(folder.path(), names, Kind::Parquet, |destination| {
            parquet::export(&run, SplitChoice::Train, 0, destination, &mut |_| {})
        });
        let columns = [
            "index",
            "split",
            "x",
            "y",
            "mu",
            "log_var",
            "reconstruction",
        ];
        assert_eq!(exported.columns, columns);
        assert!(exported.remarks[0].contains("two principal directions"));
        assert_eq!(Some(read(&path).len()), exported.rows);
    }
}
