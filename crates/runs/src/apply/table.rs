//! A result that grows row by row, in any of the formats for numbers.

use std::ops::Range;
use std::path::PathBuf;

use super::columns::{Column, Values};
use super::csv_table;
use super::destination::{Destination, Kind};
use super::npz_table::NpzTable;
#[cfg(feature = "parquet")]
use super::parquet_table::ParquetTable;
use crate::error::Error;

/// A table under construction at a [`Destination`].
#[derive(Debug)]
pub struct Table {
    destination: Destination,
    columns: Vec<Column>,
    /// Those of `columns` that are written.
    written: Range<usize>,
    rows: usize,
    sink: Sink,
}

/// Where rows go as they come.
#[derive(Debug)]
enum Sink {
    /// Columns that go behind one another in the end.
    Arrays(NpzTable),
    /// Lines of a CSV file.
    Lines,
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetTable>),
}

impl Table {
    /// A table of `columns`; an `.npy` file holds the one called `main` alone.
    ///
    /// # Errors
    /// When the place cannot be written.
    ///
    /// # Panics
    /// If the destination is a picture or folder, or `main` is no column.
    pub fn new(
        columns: Vec<Column>,
        main: &str,
        mut destination: Destination,
    ) -> Result<Self, Error> {
        let mut written = 0..columns.len();
        if destination.kind() == Kind::Npy {
            let main = columns.iter().position(|column| column.name == main);
            let main = main.expect("the main column is one of them");
            written = main..main + 1;
        }
        let sink = match destination.kind() {
            Kind::Npz | Kind::Npy => {
                Sink::Arrays(NpzTable::new(&columns[written.clone()], &destination)?)
            }
            Kind::Csv => {
                let written = csv_table::write_header(&columns, destination.file());
                written.map_err(|source| destination.failure(source))?;
                Sink::Lines
            }
            #[cfg(feature = "parquet")]
            Kind::Parquet => {
                Sink::Parquet(Box::new(ParquetTable::new(&columns, &mut destination)?))
            }
            Kind::Png | Kind::Folder => unreachable!("pictures are no tables"),
        };
        Ok(Self {
            destination,
            columns,
            written,
            rows: 0,
            sink,
        })
    }

    /// Adds rows; `values` are those of every column, in order.
    ///
    /// # Errors
    /// When they cannot be written.
    ///
    /// # Panics
    /// If they are not of the columns, or differ in number.
    pub fn append(&mut self, values: Vec<Values<'_>>) -> Result<(), Error> {
        let rows = values.first().map_or(0, Values::rows);
        assert!(
            values.len() == self.columns.len()
                && values
                    .iter()
                    .zip(&self.columns)
                    .all(|(values, column)| values.are(column.holds) && values.rows() == rows),
            "Table::append: values of other columns than {:?}",
            self.columns
        );
        self.rows += rows;
        let written = match &mut self.sink {
            Sink::Arrays(arrays) => arrays.append(&values[self.written.clone()]),
            Sink::Lines => csv_table::append(&values, self.destination.file()),
            #[cfg(feature = "parquet")]
            Sink::Parquet(table) => return table.append(&values),
        };
        written.map_err(|source| self.destination.failure(source))
    }

    /// Writes what is left and gives the file its name.
    ///
    /// # Errors
    /// When it cannot be written; nothing is left then.
    pub fn finish(self) -> Result<PathBuf, Error> {
        let Self {
            mut destination,
            rows,
            sink,
            ..
        } = self;
        match sink {
            Sink::Arrays(arrays) => {
                let kind = destination.kind();
                let file = destination.file();
                let written = if kind == Kind::Npy {
                    arrays.write_npy(rows, file)
                } else {
                    arrays.write_npz(rows, file)
                };
                written.map_err(|source| destination.failure(source))?;
            }
            Sink::Lines => {}
            #[cfg(feature = "parquet")]
            Sink::Parquet(table) => table.finish()?,
        }
        destination.finish()
    }

    /// The names of what is written: arrays, or the columns of a CSV file.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match &self.sink {
            Sink::Arrays(arrays) => arrays.names(),
            Sink::Lines => csv_table::header(&self.columns),
            #[cfg(feature = "parquet")]
            Sink::Parquet(_) => self.columns.iter().map(|c| c.name.to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::io::Read;

    use ndarray::{Array1, Array2, array};
    use ndarray_npy::NpzReader;

    use super::super::columns::ColumnType;
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("index", ColumnType::Integer),
            Column::new("name", ColumnType::Text),
            Column::new("mu", ColumnType::Floats(2)),
            Column::new("reconstruction", ColumnType::Float),
        ]
    }

    /// The same five rows in pieces of `sizes`.
    fn write(name: &str, sizes: &[usize]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        let kinds = [Kind::Npz, Kind::Npy, Kind::Csv];
        let destination = Destination::open(&path, false, &kinds).expect("writable");
        let mut table = Table::new(columns(), "mu", destination).expect("writable");
        let names = ["a", "ü,\"x\"", "", "long name", "e"];
        let mu = Array2::from_shape_fn((5, 2), |(row, column)| {
            [1e-30, -0.1, f32::MAX][(row + column) % 3]
        });
        let reconstruction = [0.5, f32::NAN, 1.0 / 3.0, 4.0, 5.0];
        let mut first = 0;
        for &size in sizes {
            let range = first..first + size;
            table
                .append(vec![
                    Values::Integer(Cow::Owned(range.clone().map(|i| i as i64 - 1).collect())),
                    Values::Text(names[range.clone()].to_vec()),
                    Values::Floats(mu.slice(ndarray::s![range.clone(), ..])),
                    Values::Float(&reconstruction[range]),
                ])
                .expect("writable");
            first += size;
        }
        let path = table.finish().expect("writable");
        (folder, path)
    }

    #[test]
    fn arrays_are_read_by_an_independent_reader() {
        let (_folder, path) = write("a.npz", &[2, 0, 3]);
        let mut archive = NpzReader::new(std::fs::File::open(path).expect("written")).unwrap();
        let index: Array1<i64> = archive.by_name("index").unwrap();
        assert_eq!(index, array![-1, 0, 1, 2, 3]);
        let mu: Array2<f32> = archive.by_name("mu").unwrap();
        assert_eq!(mu.row(1), array![-0.1, f32::MAX]);
        let reconstruction: Array1<f32> = archive.by_name("reconstruction").unwrap();
        assert!(reconstruction[1].is_nan() && reconstruction[2] == 1.0 / 3.0);
    }

    #[test]
    fn texts_are_padded_to_the_longest() {
        let (_folder, path) = write("a.npz", &[5]);
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        archive
            .by_name("name.npy")
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        let header = npy_header(&bytes);
        assert!(header.contains("'<U9'"), "{header}");
        let data = &bytes[bytes.len() - 5 * 36..];
        let characters: Vec<char> = data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| char::from_u32(u32::from_le_bytes(bytes)).unwrap())
            .collect();
        let rows: Vec<String> = characters
            .chunks(9)
            .map(|row| row.iter().collect::<String>())
            .map(|row| row.trim_end_matches('\0').to_owned())
            .collect();
        assert_eq!(rows, ["a", "ü,\"x\"", "", "long name", "e"]);
    }

    fn npy_header(bytes: &[u8]) -> String {
        String::from_utf8_lossy(&bytes[10..128]).into_owned()
    }

    #[test]
    fn csv_numbers_are_those_of_the_arrays() {
        let (_folder, path) = write("a.csv", &[1, 4]);
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header: Vec<_> = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(header, ["index", "name", "mu1", "mu2", "reconstruction"]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(&rows[1][1], "ü,\"x\"");
        assert_eq!(rows[0][2].parse::<f32>().unwrap(), 1e-30);
        assert_eq!(rows[1][3].parse::<f32>().unwrap(), f32::MAX);
        assert!(rows[1][4].parse::<f32>().unwrap().is_nan());
        assert_eq!(rows[2][4].parse::<f32>().unwrap(), 1.0 / 3.0);
    }

    #[test]
    fn one_array_is_the_main_column() {
        let (_folder, path) = write("a.npy", &[3, 2]);
        let mu: Array2<f32> = ndarray_npy::read_npy(path).unwrap();
        assert_eq!((mu.dim(), mu[[0, 0]]), ((5, 2), 1e-30));
    }

    #[test]
    fn pieces_do_not_show_in_the_bytes() {
        for name in ["a.npz", "a.csv", "a.npy"] {
            let (_one, whole) = write(name, &[5]);
            let (_two, pieces) = write(name, &[1, 1, 3]);
            assert_eq!(
                std::fs::read(whole).unwrap(),
                std::fs::read(pieces).unwrap(),
                "{name}"
            );
        }
    }
}
