//! Codes that somebody else made or changed: `.npz`, `.npy` or `.csv`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ndarray::Array2;

use super::npy::{self, Floats};
use crate::error::Error;

/// The arrays, and the beginnings of the names of CSV columns, that hold
/// codes: the first that is there counts.
const NAMES: [&str; 2] = ["mu", "z"];

/// Reads codes `[n, latent]`.
///
/// An `.npz` holds them as `mu` or `z`, or as its only array; a `.csv` in the
/// columns `mu1`, `mu2`, … or `z1`, `z2`, … among any others, or, without a
/// header, in all of them.
///
/// # Errors
/// When the file cannot be read, is of no such form, has codes of another
/// length or none, or a value that is not finite.
pub fn read(path: &Path, latent: usize) -> Result<Array2<f32>, Error> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let codes = match ending.to_lowercase().as_str() {
        "npy" => {
            let file = open(path)?;
            as_rows(
                path,
                "",
                latent,
                read_array(path, "", &mut BufReader::new(file))?,
            )?
        }
        "npz" => read_npz(path, latent)?,
        "csv" => read_csv(path)?,
        _ => {
            return Err(wrong(
                path,
                "",
                "is no file of codes; expected .npz, .npy or .csv",
            ));
        }
    };
    if codes.ncols() != latent {
        return Err(wrong(
            path,
            "",
            &format!(
                "holds codes of {}, but the model has {latent} latent {}; use the codes of a run like it",
                variables(codes.ncols()),
                if latent == 1 { "variable" } else { "variables" }
            ),
        ));
    }
    if codes.nrows() == 0 {
        return Err(wrong(path, "", "holds no codes; expected at least one"));
    }
    if let Some(at) = codes.iter().position(|value| !value.is_finite()) {
        return Err(wrong(
            path,
            "",
            &format!(
                "holds {} in row {}, counted from 0; expected finite numbers",
                codes.as_slice().map_or(f32::NAN, |values| values[at]),
                at / latent
            ),
        ));
    }
    Ok(codes)
}

/// The first few of the names in a file, in one line whatever they hold.
fn listed<'n>(mut names: impl Iterator<Item = &'n str>) -> String {
    let first: Vec<String> = names
        .by_ref()
        .take(8)
        .map(|name| name.escape_debug().to_string())
        .collect();
    let rest = if names.next().is_some() { ", …" } else { "" };
    first.join(", ") + rest
}

fn variables(count: usize) -> String {
    format!(
        "{count} {}",
        if count == 1 { "variable" } else { "variables" }
    )
}

/// One sentence about `path`, or an array in it.
fn wrong(path: &Path, array: &str, problem: &str) -> Error {
    let array = if array.is_empty() {
        String::new()
    } else {
        format!(", array {array},")
    };
    Error::Configuration(format!("{}{array} {problem}", path.display()))
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

fn open(path: &Path) -> Result<File, Error> {
    input_files::open(path).map_err(|source| unreadable(path, source))
}

fn read_array(path: &Path, array: &str, reader: &mut impl std::io::Read) -> Result<Floats, Error> {
    npy::read_floats(reader)
        .map_err(|source| unreadable(path, source))?
        .map_err(|problem| wrong(path, array, &problem))
}

/// `[n, latent]` of an array of two axes, or of one: a single code, or many of
/// one variable.
fn as_rows(
    path: &Path,
    array: &str,
    latent: usize,
    Floats { shape, values }: Floats,
) -> Result<Array2<f32>, Error> {
    let dimensions = match shape[..] {
        [rows, columns] => (rows, columns),
        [rows] if latent == 1 => (rows, 1),
        [columns] => (1, columns),
        _ => {
            let problem = format!(
                "has the sizes {shape:?}; expected codes of two axes, rows and latent variables"
            );
            return Err(wrong(path, array, &problem));
        }
    };
    if dimensions.0 == 0 || dimensions.1 == 0 {
        let problem = format!("has the sizes {shape:?}; expected at least one code");
        return Err(wrong(path, array, &problem));
    }
    Ok(Array2::from_shape_vec(dimensions, values).expect("as many values as the sizes say"))
}

fn read_npz(path: &Path, latent: usize) -> Result<Array2<f32>, Error> {
    let damaged =
        |error: zip::result::ZipError| wrong(path, "", &format!("is no .npz archive: {error}"));
    let mut file = open(path)?;
    datasets::archive::check_claims(&mut file)
        .map_err(zip::result::ZipError::from)
        .map_err(damaged)?;
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.trim_end_matches(".npy").to_owned())
        .collect();
    let wanted = NAMES
        .into_iter()
        .find(|wanted| names.iter().any(|name| name == wanted));
    let name = match (wanted, &names[..]) {
        (Some(wanted), _) => wanted.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => {
            let problem = format!(
                "holds the arrays {}; expected one called mu or z",
                listed(names.iter().map(String::as_str))
            );
            return Err(wrong(path, "", &problem));
        }
    };
    let entry = if archive.index_for_name(&name).is_some() {
        name.clone()
    } else {
        format!("{name}.npy")
    };
    let mut reader = archive.by_name(&entry).map_err(damaged)?;
    let floats = read_array(path, &name, &mut reader)?;
    as_rows(path, &name, latent, floats)
}

fn read_csv(path: &Path) -> Result<Array2<f32>, Error> {
    let damaged = |error: csv::Error| wrong(path, "", &format!("is no table: {error}"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(BufReader::new(open(path)?));
    let mut record = csv::StringRecord::new();
    let mut columns: Option<Vec<usize>> = None;
    let (mut values, mut rows) = (Vec::new(), 0);
    while reader.read_record(&mut record).map_err(damaged)? {
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let is_header = record.iter().any(|field| field.parse::<f32>().is_err());
                if is_header {
                    columns = Some(columns_of(path, &record)?);
                    continue;
                }
                columns.insert((0..record.len()).collect())
            }
        };
        for &column in columns {
            let field = &record[column];
            let value = field.parse::<f32>().map_err(|_| {
                let line = record.position().map_or(0, csv::Position::line);
                let problem = format!(
                    "holds \"{field}\" in line {line}, column {}; expected a number",
                    column + 1
                );
                wrong(path, "", &problem)
            })?;
            values.push(value);
        }
        rows += 1;
    }
    let width = columns.map_or(0, |columns| columns.len());
    Ok(Array2::from_shape_vec((rows, width), values).expect("a value for each column and row"))
}

/// The positions of `mu1`, `mu2`, … or `z1`, `z2`, … in a header.
fn columns_of(path: &Path, header: &csv::StringRecord) -> Result<Vec<usize>, Error> {
    let position = |wanted: &str| {
        header
            .iter()
            .position(|name| name.trim_start_matches('\u{feff}') == wanted)
    };
    NAMES
        .into_iter()
        .map(|name| {
            (1..)
                .map_while(|number| position(&format!("{name}{number}")))
                .collect::<Vec<_>>()
        })
        .find(|columns| !columns.is_empty())
        .ok_or_else(|| {
            let problem = format!(
                "has the columns {}; expected mu1, mu2, … or z1, z2, …, or numbers without a header",
                listed(header.iter())
            );
            wrong(path, "", &problem)
        })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn tables_hold_codes_among_other_columns_or_alone() {
        let expected = array![[1.5, -2.0], [0.25, 1e-9]];
        for text in [
            "1.5,-2\n0.25,1e-9\n",
            "mu1,mu2\n1.5,-2\n0.25,1e-9\n",
            "index,name,z2,z1,z4\n0,a,-2,1.5,9\n1,\"b,\n\",1e-9,0.25,9\n",
            "\u{feff}mu1, mu2,log_var1,z1\r\n1.5, -2,7,7\r\n0.25,1e-9,7,7\r\n",
        ] {
            let (_folder, path) = file("codes.csv", text.as_bytes());
            assert_eq!(read(&path, 2).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn arrays_of_other_writers_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let codes = array![[1.5_f64, -2.0], [0.25, 4.0]];
        ndarray_npy::write_npy(&path, &codes).unwrap();
        let expected = codes.mapv(|value| value as f32);
        assert_eq!(read(&path, 2).unwrap(), expected);
        ndarray_npy::write_npy(&path, &Array1::from(vec![1.0_f32, 2.0])).unwrap();
        assert_eq!(read(&path, 2).unwrap(), array![[1.0, 2.0]]);
        assert_eq!(read(&path, 1).unwrap(), array![[1.0], [2.0]]);

        let path = folder.path().join("a.npz");
        let mut archive = ndarray_npy::NpzWriter::new_compressed(File::create(&path).unwrap());
        archive.add_array("other", &array![1_u8]).unwrap();
        archive.add_array("z", &expected).unwrap();
        archive.finish().unwrap();
        assert_eq!(read(&path, 2).unwrap(), expected);
    }

    #[test]
    fn what_is_no_code_is_named() {
        for (name, content, expected) in [
            (
                "a.csv",
                "mu1,mu2,mu3\n1,2,3\n",
                "of 3 variables, but the model has 2",
            ),
            ("a.csv", "1,2\n3\n", "no table"),
            ("a.csv", "mu1,mu2\n1,x\n", "\"x\" in line 2, column 2"),
            ("a.csv", "mu1,mu2\n1,NaN\n", "NaN in row 0"),
            ("a.csv", "a,b\n1,2\n", "the columns a, b"),
            ("a.csv", "mu1,mu2\n", "holds no codes"),
            ("a.csv", "", "of 0 variables"),
            ("a.npy", "nothing", "no .npy array"),
            ("a.npz", "nothing", "no .npz archive"),
            ("a.txt", "1,2", ".npz, .npy or .csv"),
        ] {
            let (_folder, path) = file(name, content.as_bytes());
            let message = read(&path, 2).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(message.contains(name), "{message}");
        }
        let message = read(Path::new("absent.npy"), 2).unwrap_err().to_string();
        assert!(message.contains("absent.npy"), "{message}");
    }
}
