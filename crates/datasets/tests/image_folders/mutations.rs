//! Files and trees that nobody made on purpose: an image, or an error, and
//! never a panic.

use std::fs;
use std::path::Path;

use datasets::{DataError, Reading};
use image::{ExtendedColorType, ImageFormat};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::written::{Png, animated_webp, encoded, exif, put, small, with_exif};
use crate::{load, read};

/// Mutated files per format; `LATENT_ATLAS_MUTATIONS` names another number.
const MUTATIONS: usize = 500;

fn originals() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let noise: Vec<u8> = (0..24 * 17 * 4u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 25) as u8)
        .collect();
    let noise = |values: usize| &noise[..24 * 17 * values];
    let size = (24, 17);
    let of = |format, colour, values| encoded(format, size, colour, noise(values));
    let (grey, rgb, rgba) = (
        ExtendedColorType::L8,
        ExtendedColorType::Rgb8,
        ExtendedColorType::Rgba8,
    );
    let animated = Png {
        more_frames: 1,
        exif: Some(exif(6)),
        ..Png::new(size, png::ColorType::Rgba, png::BitDepth::Eight)
    };
    let palette = Png {
        palette: Some(&[1, 2, 3, 4, 5, 6]),
        transparency: Some(&[0, 9]),
        ..Png::new((24, 17), png::ColorType::Indexed, png::BitDepth::One)
    };
    let jpeg = of(ImageFormat::Jpeg, rgb, 3);
    vec![
        (
            "png",
            vec![
                of(ImageFormat::Png, grey, 1),
                animated.bytes(noise(4)),
                palette.bytes(&noise(1)[..3 * 17]),
            ],
        ),
        (
            "jpeg",
            vec![
                of(ImageFormat::Jpeg, grey, 1),
                with_exif(&jpeg, &exif(8)),
                jpeg,
            ],
        ),
        (
            "webp",
            vec![
                of(ImageFormat::WebP, rgb, 3),
                animated_webp(size, &[of(ImageFormat::WebP, rgba, 4)]),
            ],
        ),
        (
            "bmp",
            vec![
                of(ImageFormat::Bmp, grey, 1),
                of(ImageFormat::Bmp, rgb, 3),
                of(ImageFormat::Bmp, rgba, 4),
            ],
        ),
    ]
}

fn mutated(original: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let mut below = |limit: usize| (rng.next_u64() % limit.max(1) as u64) as usize;
    for _ in 0..1 + below(4) {
        if bytes.is_empty() {
            break;
        }
        // Headers are a small part of a file, and the interesting one.
        let range = if below(2) == 0 {
            bytes.len().min(64)
        } else {
            bytes.len()
        };
        let at = below(range);
        match below(7) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, below(256) as u8),
            5 => {
                let end = (at + below(16)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let place = below(bytes.len());
                bytes.splice(place..place, piece);
            }
            _ => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(below(256) as u8);
            }
        }
    }
    bytes
}

/// Gives a PNG its checksums back, so that what is behind them is reached.
fn with_checksums(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = at + 8 + length;
        if bytes.len() < end + 4 {
            return;
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.sum().to_be_bytes());
        at = end + 4;
    }
}

#[test]
fn mutated_files_are_images_or_errors() {
    let count = std::env::var("LATENT_ATLAS_MUTATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(MUTATIONS);
    let folder = tempfile::tempdir().unwrap();
    for (format, originals) in originals() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let path = folder.path().join(format!("mutated.{format}"));
        let mut decoded = 0;
        for index in 0..count {
            let mut bytes = mutated(&originals[index % originals.len()], &mut rng);
            if format == "png" && index % 2 == 0 {
                with_checksums(&mut bytes);
            }
            fs::write(&path, &bytes).unwrap();
            let result = std::panic::catch_unwind(|| read(&path, &Reading::default()));
            match result {
                Ok(Ok(read)) => {
                    decoded += 1;
                    assert_eq!(read.parts[0].1[0].bytes.len(), read.shape.len());
                }
                Ok(Err(error)) => assert!(!error.to_string().contains('\n')),
                Err(_) => {
                    let kept = std::env::temp_dir().join(format!("mutation-{index}.{format}"));
                    fs::write(&kept, &bytes).unwrap();
                    panic!("{} makes the reader panic", kept.display());
                }
            }
        }
        // Neither all nor none: the mutations are neither too mild nor too wild.
        assert!(
            0 < decoded && decoded < count,
            "{format}: {decoded} of {count}"
        );
    }
}

/// Where a file may be, and what is in it.
#[derive(Clone, Debug)]
struct Entry {
    folders: Vec<&'static str>,
    name: &'static str,
    content: u8,
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let folder = prop::sample::select(vec![
        "train", "test", "val", "Training", "a", "b", "a.png", ".git",
    ]);
    let name = prop::sample::select(vec![
        "1.png",
        "2.JPG",
        "labels.txt",
        "x.txt",
        ".y.png",
        "README.png",
    ]);
    let entry = (prop::collection::vec(folder, 0..4), name, 0u8..12).prop_map(
        |(folders, name, content)| Entry {
            folders,
            name,
            content,
        },
    );
    prop::collection::vec(entry, 0..8)
}

/// Writes what can be written: a file and a folder may want the same name.
fn write(root: &Path, entries: &[Entry]) {
    for entry in entries {
        let folder = entry
            .folders
            .iter()
            .fold(root.to_owned(), |path, name| path.join(name));
        let bytes = match entry.content {
            0 => Vec::new(),
            1 => b"one\ntwo\n".to_vec(),
            2 => encoded(
                ImageFormat::Bmp,
                (1, 1),
                ExtendedColorType::Rgb8,
                &[1, 2, 3],
            ),
            seed => small(seed),
        };
        if fs::create_dir_all(&folder).is_ok() && !folder.join(entry.name).is_dir() {
            put(&folder, entry.name, &bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_loaded_or_refused(entries in entries()) {
        let folder = tempfile::tempdir().unwrap();
        let (root, cache) = (folder.path().join("root"), folder.path().join("cache"));
        fs::create_dir(&root).unwrap();
        write(&root, &entries);
        let kept = Reading { cache: Some(cache), ..Reading::default() };
        let plain = load(&root, &Reading::default());
        for again in [load(&root, &kept), load(&root, &kept)] {
            match (&plain, &again) {
                (Ok(plain), Ok(again)) => prop_assert_eq!(&plain.fingerprint, &again.fingerprint),
                (Err(plain), Err(again)) => prop_assert_eq!(plain.to_string(), again.to_string()),
                _ => prop_assert!(false, "{:?} with a cache, {:?} without", again.is_ok(), plain.is_ok()),
            }
        }
        if let Ok(dataset) = plain {
            let names: Vec<&String> = [&dataset.train, &dataset.test]
                .into_iter()
                .flat_map(|split| split.names().unwrap())
                .collect();
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(distinct.len(), names.len());
            for name in names {
                prop_assert!(root.join(name).is_file());
            }
        } else if let Err(DataError::Read { path, .. }) = plain {
            // Class names that are no text; everything else is readable.
            prop_assert!(path.ends_with("labels.txt"), "{}", path.display());
        }
    }
}
