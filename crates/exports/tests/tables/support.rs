//! Tiny data, runs trained on them, and readers of what is exported.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::Lookup;
use exports::{Exported, ExportedRun};
use runs::Error;
use runs::apply::{Destination, Kind};
use runs::configuration::{Configuration, Override};
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;
use runs::training::{self, Observer, Outcome, Target};

/// Training and test rows of [`images`].
pub(crate) const TRAIN: usize = 150;
pub(crate) const TEST: usize = 30;

/// Writes images of `height` × `width`, grey or of three colours, with the class
/// row mod 3, as Keras stores them.
pub(crate) fn images(folder: &Path, height: usize, width: usize, channels: usize) -> String {
    use ndarray::{Array1, ArrayD, Dimension as _, IxDyn};
    let path = folder.join(format!("images-{height}x{width}x{channels}.npz"));
    let mut archive = ndarray_npy::NpzWriter::new(fs::File::create(&path).unwrap());
    for (name, first, count) in [("train", 0, TRAIN), ("test", TRAIN, TEST)] {
        let mut shape = vec![count, height, width];
        if channels > 1 {
            shape.push(channels);
        }
        let pixels =
            ArrayD::from_shape_fn(IxDyn(&shape), |at| pixel(first + at[0], &at.slice()[1..]));
        let labels = Array1::from_shape_fn(count, |row| ((first + row) % 3) as u8);
        archive.add_array(format!("x_{name}"), &pixels).unwrap();
        archive.add_array(format!("y_{name}"), &labels).unwrap();
    }
    archive.finish().unwrap();
    path.display().to_string()
}

/// A pixel that no other row has in the same places.
pub(crate) fn pixel(row: usize, at: &[usize]) -> u8 {
    let place = at.iter().fold(0, |place, &index| place * 17 + index + 1);
    (row * 29 + place * (row % 3 + 2) * 7 + row / 7) as u8
}

/// Writes 200 vectors of six values between −2 and 3, without labels.
pub(crate) fn vectors(folder: &Path) -> String {
    let mut text = String::from("a,b,c,d,e,f\n");
    for row in 0..200u32 {
        let value = |column: u32| (row * 37 + column * 53 + row * column) % 101;
        let values: Vec<String> = (0..6)
            .map(|column| format!("{:.2}", f64::from(value(column)) / 20.0 - 2.0))
            .collect();
        writeln!(text, "{}", values.join(",")).unwrap();
    }
    let path = folder.join("vectors.csv");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Settings of a run of `data` over those of a small one.
pub(crate) fn configuration(data: &str, settings: &[&str]) -> Configuration {
    let source = format!("data.dataset={data}");
    let overrides: Vec<Override> = [
        "training.epochs=3",
        "training.batch=32",
        "model.hidden=[6]",
        &source,
    ]
    .iter()
    .chain(settings)
    .map(|setting| Override::parse(setting).unwrap())
    .collect();
    Configuration::resolve(None, None, &overrides).unwrap()
}

pub(crate) fn location() -> DataLocation {
    DataLocation::from(Lookup {
        offline: true,
        ..Lookup::default()
    })
}

pub(crate) fn train(
    target: Target,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let request = training::Request {
        target,
        command: "train".into(),
        threads: Some(1),
        checkpoint_every: Duration::from_secs(600),
        location: location(),
    };
    training::train(&request, interrupt, &mut |_| {}, observer)
}

/// A run of `data`, trained with `settings`.
pub(crate) fn trained(folder: &Path, data: &str, settings: &[&str]) -> ExportedRun {
    let out = folder.join("run");
    let target = Target::New {
        configuration: Box::new(configuration(data, settings)),
        out: Some(out.clone()),
    };
    train(target, &Interrupt::default(), &mut ()).unwrap();
    opened(&out)
}

pub(crate) fn opened(run: &Path) -> ExportedRun {
    ExportedRun::open(RunFolder::at(run), Some(2), location()).unwrap()
}

/// Exports twice, into files called by `names`: the bytes have to be the same.
/// The first are returned.
pub(crate) fn exported_twice(
    folder: &Path,
    names: [&str; 2],
    kind: Kind,
    export: impl Fn(Destination) -> Result<Exported, Error>,
) -> (PathBuf, Exported) {
    let [first, second] = names.map(|name| {
        let path = folder.join(name);
        let exported = export(Destination::open(&path, false, &[kind]).unwrap()).unwrap();
        (path, exported)
    });
    assert_eq!(
        contents(&first.0),
        contents(&second.0),
        "not the same again"
    );
    first
}

/// The files of a folder, or the file itself, with their bytes.
pub(crate) fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    if path.is_file() {
        return [(String::new(), fs::read(path).unwrap())].into();
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).unwrap())
    });
    entries.collect()
}

/// A field of a protobuf message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    Varint(u64),
    Fixed64(u64),
    Bytes(Vec<u8>),
    Fixed32(u32),
}

impl Field {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} holds no bytes"),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    pub(crate) fn double(&self) -> f64 {
        match self {
            Self::Fixed64(bits) => f64::from_bits(*bits),
            other => panic!("{other:?} is no double"),
        }
    }
}

/// The fields of a message by their numbers, by the wire format alone.
pub(crate) fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(count);
        *bytes = rest;
        taken
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Fixed64(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length).to_vec())
            }
            5 => Field::Fixed32(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// The only field of this number, if it is there.
pub(crate) fn field(fields: &[(u64, Field)], number: u64) -> Option<&Field> {
    let mut found = fields.iter().filter(|(at, _)| *at == number);
    let first = found.next().map(|(_, field)| field);
    assert!(found.next().is_none(), "field {number} twice");
    first
}

/// A value of an event file: its step, its tag and the fields of its message.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) step: u64,
    pub(crate) tag: String,
    pub(crate) fields: Vec<(u64, Field)>,
}

impl Told {
    pub(crate) fn scalar(&self) -> Option<f32> {
        match field(&self.fields, 2)? {
            Field::Fixed32(bits) => Some(f32::from_bits(*bits)),
            other => panic!("{other:?} is no float"),
        }
    }
}

/// CRC-32C bit by bit, masked.
fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Reads an event file to its end; a last record that is cut off is left out.
pub(crate) fn event_file(path: &Path) -> Vec<Told> {
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut told = Vec::new();
    let mut count = 0;
    while rest.len() >= 12 {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(number(8), masked_crc(&rest[..8]), "a length in {path:?}");
        if rest.len() < 16 + length {
            break;
        }
        let event = &rest[12..12 + length];
        assert_eq!(
            number(12 + length),
            masked_crc(event),
            "a record in {path:?}"
        );
        rest = &rest[16 + length..];
        let event = fields(event);
        assert!(matches!(field(&event, 1), Some(Field::Fixed64(_)) | None));
        if count == 0 {
            assert_eq!(field(&event, 3).unwrap().text(), "brain.Event:2");
        }
        count += 1;
        let step = match field(&event, 2) {
            Some(Field::Varint(step)) => *step,
            _ => 0,
        };
        let Some(summary) = field(&event, 5) else {
            continue;
        };
        for (number, value) in fields(summary.bytes()) {
            assert_eq!(number, 1);
            let fields = fields(value.bytes());
            told.push(Told {
                step,
                tag: field(&fields, 1).unwrap().text(),
                fields,
            });
        }
    }
    told
}
