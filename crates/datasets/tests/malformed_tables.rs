//! Changed files of every format of arrays and tables: each ends in rows or in
//! a sentence, and takes no memory that the file's size does not justify.
//!
//! `LATENT_ATLAS_MUTATIONS=100000 cargo test -p datasets --test malformed_tables`
//! for a long run; the count is per format.

use std::fs;
use std::path::{Path, PathBuf};

use allocation_meter::Meter;
use datasets::{Lookup, Reading, Source, load_source};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

#[global_allocator]
static METER: Meter = Meter::new();

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/tables")
        .join(name);
    fs::read(path).unwrap()
}

/// A file with some of its bytes changed, cut, repeated or taken from another
/// place.
fn mutated(original: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.next_u32() % 4 {
        let mut at = || random.next_u32() as usize % bytes.len().max(1);
        let (first, second) = (at(), at());
        let byte = random.next_u32() as u8;
        if bytes.is_empty() {
            break;
        }
        match random.next_u32() % 8 {
            0 => bytes.truncate(first),
            1 => bytes[first] ^= 1 << (byte % 8),
            2 => bytes[first] = [0, 1, 0x7f, 0x80, 0xff][usize::from(byte) % 5],
            3 => {
                let end = (first + 1 + usize::from(byte % 16)).min(bytes.len());
                bytes.drain(first..end);
            }
            4 => bytes.insert(first, byte),
            5 => {
                let end = (first + 8).min(bytes.len());
                let piece = bytes[first..end].to_vec();
                bytes.splice(second..second, piece);
            }
            6 => {
                // A size that is as large as it can be.
                let end = (first + 4).min(bytes.len());
                bytes[first..end].fill(if byte.is_multiple_of(2) { 0xff } else { 0x7f });
            }
            _ => bytes[first] = byte,
        }
    }
    bytes
}

/// The most memory that loading takes beyond what was held before.
fn load(path: &Path) -> (Result<(), String>, usize) {
    let source = Source::Path(PathBuf::from(path));
    let (loaded, peak) = METER.peak_during(|| {
        load_source(
            &source,
            &Reading::default(),
            &Lookup::default(),
            &mut |_| {},
        )
        .map(drop)
    });
    (loaded.map_err(|error| error.to_string()), peak)
}

/// Buffers of a fixed size, and a million values that need no proof.
const FIXED: usize = 8 << 20;

/// One test: the counters belong to the whole process.
#[test]
fn changed_files_end_in_rows_or_a_sentence_without_taking_memory() {
    let count: usize = std::env::var("LATENT_ATLAS_MUTATIONS")
        .ok()
        .map_or(2_000, |count| count.parse().expect("a number of files"));
    let folder = tempfile::tempdir().unwrap();
    let table = b"label,pixel0,pixel1,pixel2,pixel3\n3,0,51,255,1\n\"5\",1,2,3,4\n7,9,9,9,9\n";
    let text = b"\xef\xbb\xbfname;a;b\r\ndog;0.5;1e-3\r\ncat;2;3\r\n\"big; dog\";-4;0.25\r\n";
    let mut formats: Vec<(&str, Vec<Vec<u8>>)> = vec![
        (
            "npy",
            [
                "images-u1.npy",
                "images-f8-big.npy",
                "images-f4-fortran.npy",
                "channels-first.npy",
                "version-3.npy",
            ]
            .map(fixture)
            .to_vec(),
        ),
        (
            "npz",
            [
                "keras.npz",
                "keras-compressed.npz",
                "names.npz",
                "fortran.npz",
                "medical.npz",
            ]
            .map(fixture)
            .to_vec(),
        ),
        ("csv", vec![table.to_vec(), text.to_vec()]),
    ];
    if cfg!(feature = "parquet") {
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
        formats.push(("parquet", names.map(fixture).to_vec()));
    }
    for (extension, originals) in formats {
        let path = folder.path().join(format!("file.{extension}"));
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut refused = 0;
        for number in 0..count {
            let content = mutated(&originals[number % originals.len()], &mut random);
            fs::write(&path, &content).unwrap();
            let (outcome, peak) = load(&path);
            // Some file systems wait for the disk when a file is written over.
            fs::remove_file(&path).unwrap();
            assert!(
                peak < FIXED + 64 * content.len(),
                "{extension} {number}: {peak} bytes for {} ({outcome:?})",
                content.len()
            );
            if let Err(message) = outcome {
                refused += 1;
                assert!(
                    message.contains("file.") && !message.contains('\n'),
                    "{extension} {number}: {message}"
                );
            }
        }
        assert!(
            refused > count / 10,
            "{extension}: only {refused} of {count} files refused"
        );
    }
    claims_take_no_memory(folder.path());
}

/// Small files that claim to be large.
fn claims_take_no_memory(folder: &Path) {
    let header = |shape: &str| {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let claim = header("(10000000000, 28, 28)");
    // The entries of an archive: the claim stored, and deflated with a size
    // that agrees with the claim and not with the data.
    let entry = |method: u8, stored: &[u8], size: u32| {
        let common = [
            &[20, 0, 0, 0, method, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &(stored.len() as u32).to_le_bytes(),
            &size.to_le_bytes(),
            &[5, 0, 0, 0],
        ]
        .concat();
        let mut content = [&b"PK\x03\x04"[..], &common, b"x.npy", stored].concat();
        let start = content.len() as u32;
        let directory = [&b"PK\x01\x02\x14\x00"[..], &common, &[0; 14], b"x.npy"].concat();
        content.extend(&directory);
        content.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        content.extend((directory.len() as u32).to_le_bytes());
        content.extend(start.to_le_bytes());
        content.extend([0, 0]);
        content
    };
    let deflated = |data: &[u8]| {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, data).unwrap();
        encoder.finish().unwrap()
    };
    let large = header("(1000000, 28, 28)");
    let size = (large.len() + 784_000_000) as u32;
    for (name, content, part) in [
        ("claim.npy", claim.clone(), "10000000000"),
        (
            "stored.npz",
            entry(0, &claim, claim.len() as u32),
            "10000000000",
        ),
        ("larger.npz", entry(0, &claim, size), "claim to hold"),
        (
            "deflated.npz",
            entry(8, &deflated(&large), size),
            "claim to hold",
        ),
    ] {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        let (outcome, peak) = load(&path);
        let message = outcome.unwrap_err();
        assert!(message.contains(part), "{message}");
        assert!(peak < 1 << 20, "{name} takes {peak} bytes");
    }
}
