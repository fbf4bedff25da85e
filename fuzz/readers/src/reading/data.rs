//! Files of data sets.

use std::fs;
use std::path::Path;

use datasets::idx::{self, Element};
use datasets::{Lookup, Reading, Source, load_source};

use super::{fixture, of_file, put};
use crate::{Opened, Outcome};

/// Loads what a path is.
fn load(path: &Path) -> Outcome {
    let source = Source::Path(path.to_owned());
    super::sentence(load_source(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    ))
}

fn of_fixtures(place: &Path, ending: &str, names: &[&str]) -> Opened {
    let files = names.iter().map(|name| fixture(&format!("tables/{name}")));
    of_file(place, &format!("file.{ending}"), files.collect(), |path| {
        let outcome = load(path);
        if let Err(sentence) = &outcome {
            assert!(sentence.contains("file."), "names no file: {sentence}");
        }
        outcome
    })
}

pub(crate) fn npy(place: &Path) -> Opened {
    let names = [
        "images-u1.npy",
        "images-f8-big.npy",
        "images-f4-fortran.npy",
        "channels-first.npy",
        "version-3.npy",
    ];
    of_fixtures(place, "npy", &names)
}

pub(crate) fn npz(place: &Path) -> Opened {
    let names = [
        "keras.npz",
        "keras-compressed.npz",
        "names.npz",
        "fortran.npz",
        "medical.npz",
    ];
    of_fixtures(place, "npz", &names)
}

#[cfg(feature = "parquet")]
pub(crate) fn parquet(place: &Path) -> Opened {
    let names = [
        "hub.parquet",
        "vectors-none-1.parquet",
        "vectors-snappy-2.parquet",
        "fixed-size.parquet",
        "pixels.parquet",
        "vectors-snappy-1.parquet",
        "vectors-gzip-2.parquet",
        "byte-lists.parquet",
        "columns.parquet",
    ];
    of_fixtures(place, "parquet", &names)
}

pub(crate) fn csv(place: &Path) -> Opened {
    let tables = [
        &b"label,pixel0,pixel1,pixel2,pixel3\n3,0,51,255,1\n\"5\",1,2,3,4\n7,9,9,9,9\n"[..],
        b"\xef\xbb\xbfname;a;b\r\ndog;0.5;1e-3\r\ncat;2;3\r\n\"big; dog\";-4;0.25\r\n",
        b"0.5\t-1\t3\n1\t2\t3\n\n4\t5\t6\n",
    ];
    of_file(place, "file.csv", tables.map(<[u8]>::to_vec).to_vec(), load)
}

/// Files of elements of these types, whole and compressed.
fn idx_files(elements: Vec<Element>, dimensions: &[usize], fill: u8) -> Vec<Vec<u8>> {
    let values: usize = dimensions.iter().product();
    elements
        .into_iter()
        .flat_map(|element| {
            let mut plain = idx::header_of(element, dimensions);
            plain.extend((0..values * element.bytes()).map(|at| fill ^ (at % 3) as u8));
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &plain).expect("memory");
            [encoder.finish().expect("memory"), plain]
        })
        .collect()
}

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// Puts images and labels of one part into `folder`.
fn put_idx(folder: &Path) {
    let images = [idx::header(&[3, 4, 5]), vec![7; 60]].concat();
    put(&folder.join(IMAGES), &images);
    let labels = [idx::header(&[3]), vec![4, 1, 4]].concat();
    put(&folder.join(LABELS), &labels);
}

pub(crate) fn idx_images(place: &Path) -> Opened {
    put_idx(place);
    let folder = place.to_owned();
    of_file(
        place,
        IMAGES,
        idx_files(Element::ALL.to_vec(), &[3, 4, 5], 0x3f),
        move |_| load(&folder),
    )
}

pub(crate) fn idx_labels(place: &Path) -> Opened {
    put_idx(place);
    let folder = place.to_owned();
    let whole = |element: &Element| element.is_integer();
    let elements = Element::ALL.into_iter().filter(whole).collect();
    let files = idx_files(elements, &[3], 0);
    of_file(place, LABELS, files, move |_| load(&folder))
}

pub(crate) fn class_names(place: &Path) -> Opened {
    put_idx(place);
    let folder = place.to_owned();
    let files = [
        &b"a\nb\nc\nd\ne\n"[..],
        b"1 A\n4\tZ\n",
        b"\xef\xbb\xbf1,dark cat\r\n4,light dog\r\n",
    ];
    let files = files.map(<[u8]>::to_vec).to_vec();
    of_file(place, "labels.txt", files, move |_| load(&folder))
}

pub(crate) fn emnist_mapping(place: &Path) -> Opened {
    let name = |rest: &str| place.join(format!("emnist-letters-{rest}"));
    put_idx(place);
    for file in [IMAGES, LABELS] {
        fs::rename(place.join(file), name(file)).expect("a file to rename");
    }
    let test = name("test-images-idx3-ubyte");
    put(&test, &[idx::header(&[1, 4, 5]), vec![9; 20]].concat());
    let labels = name("test-labels-idx1-ubyte");
    put(&labels, &[idx::header(&[1]), vec![1]].concat());
    let folder = place.to_owned();
    let files = [
        &b"1 65 97\n4 66 98\n"[..],
        b"0 48\n1 49\n2 50\n3 51\n4 52\n",
    ];
    let files = files.map(<[u8]>::to_vec).to_vec();
    let mapping = "emnist-letters-mapping.txt";
    of_file(place, mapping, files, move |_| load(&folder))
}
