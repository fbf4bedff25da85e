use ndarray::Array2;

use super::*;
use crate::locate::Lookup;
use crate::reading::Reading;
use crate::source::Source;
use crate::stream::stream;

/// Values that tell rows and columns apart.
fn codes(rows: std::ops::Range<usize>) -> Array2<f32> {
    Array2::from_shape_fn((rows.len(), 3), |(row, column)| {
        (rows.start + row) as f32 + column as f32 / 4.0
    })
}

/// Writes `total` rows, `chunk` at a time.
fn write(path: &Path, total: usize, chunk: usize) {
    let columns = [
        ("z", ColumnKind::FloatList(3)),
        ("label", ColumnKind::Integer),
        ("name", ColumnKind::Text),
        ("reconstruction", ColumnKind::Float),
    ];
    let mut writer = ParquetWriter::create(path, &columns).unwrap();
    for start in (0..total).step_by(chunk) {
        let rows = start..total.min(start + chunk);
        let labels: Vec<i64> = rows.clone().map(|row| row as i64 % 7).collect();
        let names: Vec<String> = rows.clone().map(|row| format!("{row}.png")).collect();
        let losses: Vec<f32> = rows.clone().map(|row| row as f32 / 2.0).collect();
        writer
            .append(&[
                ColumnValues::FloatLists(codes(rows).view()),
                ColumnValues::Integers(&labels),
                ColumnValues::Texts(&names),
                ColumnValues::Floats(&losses),
            ])
            .unwrap();
        assert!(!path.exists());
    }
    writer.finish().unwrap();
}

#[test]
fn what_is_written_is_read_again_whatever_the_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.parquet");
    // Two groups of rows and a third that is begun.
    let total = 2 * GROUP_ROWS + 5;
    let mut contents = Vec::new();
    for chunk in [1000, GROUP_ROWS, total] {
        write(&path, total, chunk);
        contents.push(std::fs::read(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
    assert!(contents.windows(2).all(|pair| pair[0] == pair[1]));

    std::fs::write(&path, &contents[0]).unwrap();
    let source = Source::Path(path.clone());
    let mut opened = stream(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(opened.remarks, ["name, reconstruction is not used"]);
    let part = &mut opened.parts[0];
    let mut done = 0;
    while let Some(chunk) = part.next_chunk(50_000).unwrap() {
        let labels = chunk.labels.unwrap();
        let crate::values::Rows::Floats(rows) = chunk.rows else {
            panic!("codes are floats");
        };
        assert_eq!(rows, codes(done..done + rows.nrows()));
        assert!(
            (done..)
                .zip(labels)
                .all(|(row, &label)| label == row as i64 % 7)
        );
        done += rows.nrows();
    }
    assert_eq!(done, total);
}

#[test]
fn long_rows_make_small_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.parquet");
    let length = 1 << 20;
    let mut writer = ParquetWriter::create(&path, &[("x", ColumnKind::FloatList(length))]).unwrap();
    assert_eq!(writer.group_rows, 2);
    let rows = Array2::zeros((3, length));
    writer
        .append(&[ColumnValues::FloatLists(rows.view())])
        .unwrap();
    assert_eq!(writer.rows, 1);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.parquet");
    let mut writer = ParquetWriter::create(&path, &[("a", ColumnKind::Float)]).unwrap();
    writer.append(&[ColumnValues::Floats(&[1.0])]).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let nowhere = folder.path().join("no/such/codes.parquet");
    let error = ParquetWriter::create(&nowhere, &[("a", ColumnKind::Float)]).err();
    assert!(error.unwrap().to_string().contains("cannot write"));
}

/// Read back row by row with the crate's own records, which know nothing of what
/// is written here.
#[test]
fn images_and_neighbours_are_structs_of_every_row() {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atlas.parquet");
    let columns = [
        ("index", ColumnKind::Integer),
        ("neighbours", ColumnKind::Neighbours(2)),
        ("image", ColumnKind::Image(4)),
    ];
    let mut writer = ParquetWriter::create(&path, &columns).unwrap();
    writer.note("projection", "the code itself".to_owned());
    for first in [0i64, 2] {
        let ids = Array2::from_shape_fn((2, 2), |(row, rank)| first + row as i64 + rank as i64);
        let distances = ids.mapv(|id| id as f64 / 8.0);
        let files: Vec<Vec<u8>> = (0..2).map(|row| vec![row as u8; first as usize]).collect();
        let paths = ["a.png".to_owned(), format!("{first}.png")];
        writer
            .append(&[
                ColumnValues::Integers(&[first, first + 1]),
                ColumnValues::Neighbours {
                    ids: ids.view(),
                    distances: distances.view(),
                },
                ColumnValues::Images {
                    files: &files,
                    paths: &paths,
                },
            ])
            .unwrap();
    }
    writer.finish().unwrap();

    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let notes = reader.metadata().file_metadata().key_value_metadata();
    assert!(notes.unwrap().iter().any(|note| note.key == "projection"));
    let rows: Vec<String> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().to_string())
        .collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(
        rows[3],
        "{index: 3, neighbours: {ids: [3, 4], distances: [0.375, 0.5]}, image: {bytes: [1, 1], path: \"2.png\"}}"
    );
}
