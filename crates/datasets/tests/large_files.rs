//! Files of more than 4 GiB, whose pixels are holes that take no room on the disk.

#![cfg(target_pointer_width = "64")]

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use datasets::{IdxProblem, Lookup, Reading, Rows, Source, idx};

const SIDE: usize = 64;

/// Images of 64 × 64, of which 4 GiB hold a fraction less.
const COUNT: usize = (1 << 20) + 300;

/// An IDX file of so many images whose pixels are 0 but for the last one's, which
/// count up; `missing` bytes are cut off its end.
fn images(path: &Path, count: usize, missing: u64) {
    let mut file = File::create(path).unwrap();
    let header = idx::header(&[count, SIDE, SIDE]);
    file.write_all(&header).unwrap();
    let image = SIDE * SIDE;
    let last = (header.len() + (count - 1) * image) as u64;
    file.seek(SeekFrom::Start(last)).unwrap();
    let pixels: Vec<u8> = (0..image).map(|at| (at % 251) as u8).collect();
    file.write_all(&pixels).unwrap();
    file.set_len(last + image as u64 - missing).unwrap();
}

fn folder_of(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    images(&folder.path().join("train-images-idx3-ubyte"), count, 0);
    images(&folder.path().join("t10k-images-idx3-ubyte"), 2, 0);
    folder
}

/// Nothing of the pixels is read: the header and the length of the file are what
/// the first part of a reader trusts.
#[test]
fn a_file_beyond_4_gib_opens_and_gives_its_first_rows() {
    let folder = folder_of(COUNT);
    let source = Source::Idx(folder.path().to_owned());
    let (reading, lookup) = (Reading::default(), Lookup::default());
    let mut stream = datasets::stream(&source, &reading, &lookup, &mut |_| {}).unwrap();
    let train = &mut stream.parts[0];
    assert_eq!(train.len(), COUNT);
    assert!((COUNT * SIDE * SIDE) as u64 > u64::from(u32::MAX));
    let chunk = train.next_chunk(3).unwrap().unwrap();
    assert_eq!(chunk.rows.dim(), (3, SIDE * SIDE));
}

#[test]
fn one_byte_that_is_missing_behind_4_gib_is_found_by_the_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    images(&path, COUNT, 1);
    let expected = (16 + COUNT * SIDE * SIDE) as u64;
    match idx::read_images(&path).unwrap_err() {
        datasets::DataError::Idx {
            problem:
                IdxProblem::Short {
                    found,
                    expected: wanted,
                    ..
                },
            ..
        } => assert_eq!((found, wanted), (expected - 1, expected)),
        other => panic!("{other:?}"),
    }
    fs::remove_file(path).unwrap();
}

/// Every byte goes through the hash and the last image, which lies behind 4 GiB,
/// comes out as it was written, without more than some rows in memory.
#[test]
#[ignore = "reads and hashes 4 GiB: run with --release -- --ignored"]
fn the_last_image_behind_4_gib_is_read() {
    let folder = folder_of(COUNT);
    let source = Source::Idx(folder.path().to_owned());
    let (reading, lookup) = (Reading::default(), Lookup::default());
    let mut stream = datasets::stream(&source, &reading, &lookup, &mut |_| {}).unwrap();
    let train = &mut stream.parts[0];
    let (mut rows, mut last) = (0, Vec::new());
    while let Some(chunk) = train.next_chunk(4096).unwrap() {
        assert_eq!(chunk.first, rows);
        let Rows::Bytes(bytes) = chunk.rows else {
            panic!("bytes were written");
        };
        rows += bytes.nrows();
        last = bytes.row(bytes.nrows() - 1).to_vec();
    }
    assert_eq!(rows, COUNT);
    let expected: Vec<u8> = (0..SIDE * SIDE).map(|at| (at % 251) as u8).collect();
    assert_eq!(last, expected);
}
