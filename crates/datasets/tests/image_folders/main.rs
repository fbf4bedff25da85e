//! Folders of images, written by real encoders and read back.

mod cache;
mod formats;
mod layout;
mod malformed;
mod mutations;
mod written;

use std::collections::BTreeMap;
use std::path::Path;

use datasets::{DataError, Dataset, Lookup, PartName, Reading, Shape, Source};

/// What streaming a source gives.
#[derive(Debug)]
struct Read {
    shape: Shape,
    parts: Vec<(PartName, Vec<Row>)>,
    class_names: BTreeMap<i64, String>,
    remarks: Vec<String>,
}

#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    label: Option<i64>,
    bytes: Vec<u8>,
}

/// All rows of `path`, a few at a time.
fn read(path: &Path, reading: &Reading) -> Result<Read, DataError> {
    let source = Source::Path(path.to_owned());
    let stream = datasets::stream(&source, reading, &Lookup::default(), &mut |_| {})?;
    let shape = stream.parts[0].shape();
    let mut parts = Vec::new();
    for mut part in stream.parts {
        let mut rows = Vec::new();
        while let Some(chunk) = part.next_chunk(3)? {
            let bytes = chunk.rows.bytes().expect("images are bytes");
            let names = chunk.names.expect("images have names");
            for (index, row) in bytes.outer_iter().enumerate() {
                rows.push(Row {
                    name: names[index].clone(),
                    label: chunk.labels.map(|labels| labels[index]),
                    bytes: row.to_vec(),
                });
            }
        }
        assert_eq!(rows.len(), part.len());
        parts.push((part.name(), rows));
    }
    Ok(Read {
        shape,
        parts,
        class_names: stream.class_names,
        remarks: stream.remarks,
    })
}

/// The only image of a source, with the shape of the source.
fn read_one(path: &Path, reading: &Reading) -> (Shape, Vec<u8>) {
    let mut read = read(path, reading).unwrap();
    assert_eq!(read.parts.len(), 1);
    assert_eq!(read.parts[0].1.len(), 1);
    (read.shape, read.parts[0].1.remove(0).bytes)
}

fn load(path: &Path, reading: &Reading) -> Result<Dataset, DataError> {
    let source = Source::Path(path.to_owned());
    datasets::load_source(&source, reading, &Lookup::default(), &mut |_| {})
}

/// The message of the error that reading ends with, which is one sentence
/// that names the path concerned once.
fn message(path: &Path, reading: &Reading) -> String {
    let error = read(path, reading).expect_err("reading ends with an error");
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    assert!(!message.ends_with('.'), "{message}");
    let loading = load(path, reading)
        .expect_err("loading does, too")
        .to_string();
    assert_eq!(loading, message);
    message
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}
