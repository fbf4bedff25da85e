//! What is kept of decoded images is found by content, and never trusted when
//! it is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use datasets::{Colour, Reading};
use image::{ExtendedColorType, ImageFormat};

use crate::written::{Png, encoded, put, small};
use crate::{assert_says, load, read};

fn keeping(cache: &Path) -> Reading {
    Reading {
        cache: Some(cache.to_owned()),
        ..Reading::default()
    }
}

/// The entries of a cache, sorted.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(cache)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    entries.sort();
    for entry in &entries {
        assert_eq!(entry.extension().unwrap(), "rows", "{}", entry.display());
    }
    entries
}

/// A folder of two parts, two classes and an animated image.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..40 {
        let part = if seed % 4 == 0 { "test" } else { "train" };
        let class = if seed % 3 == 0 { "a" } else { "b" };
        put(
            folder.path(),
            &format!("{part}/{class}/{seed}.png"),
            &small(seed),
        );
    }
    let animated = Png {
        more_frames: 1,
        ..Png::new((3, 2), png::ColorType::Grayscale, png::BitDepth::Eight)
    };
    put(folder.path(), "test/b/frames.png", &animated.bytes(&[5; 6]));
    folder
}

/// Whether `work` finds an entry: one that is new is written otherwise.
fn is_hit(cache: &Path, work: impl FnOnce()) -> bool {
    let before = entries(cache);
    work();
    let after = entries(cache);
    assert!(after.len() <= before.len() + 1);
    before == after
}

#[test]
fn what_is_kept_is_what_is_decoded() {
    let (folder, cache) = (tree(), tempfile::tempdir().unwrap());
    let reading = keeping(cache.path());
    let plain = read(folder.path(), &Reading::default()).unwrap();
    let plain_set = load(folder.path(), &Reading::default()).unwrap();
    for is_kept in [false, true, true] {
        let mut kept = None;
        let hit = is_hit(cache.path(), || {
            kept = Some(read(folder.path(), &reading).unwrap())
        });
        assert_eq!(hit, is_kept);
        let kept = kept.unwrap();
        assert_eq!(kept.parts, plain.parts);
        assert_eq!(kept.shape, plain.shape);
        assert_eq!(kept.class_names, plain.class_names);
        assert_eq!(kept.remarks, plain.remarks);
        assert_says(&kept.remarks[0], &["1 animated image", "test/b/frames.png"]);
        let set = load(folder.path(), &reading).unwrap();
        assert_eq!(set.fingerprint, plain_set.fingerprint);
        assert_eq!(set.train.names(), plain_set.train.names());
        assert_eq!(set.train.bytes(), plain_set.train.bytes());
        assert_eq!(set.test.labels(), plain_set.test.labels());
    }
    // Nothing is kept unless it is asked for, and not of a single image.
    assert_eq!(entries(cache.path()).len(), 1);
    let single = folder.path().join("train/a/3.png");
    assert!(is_hit(cache.path(), || drop(
        read(&single, &reading).unwrap()
    )));
}

#[test]
fn another_content_is_another_entry() {
    let (folder, cache) = (tree(), tempfile::tempdir().unwrap());
    let reading = keeping(cache.path());
    let at = |name: &str| folder.path().join(name);
    let hit = || {
        is_hit(cache.path(), || {
            // Never wrong: always what decoding gives.
            let kept = read(folder.path(), &reading).unwrap();
            assert_eq!(
                kept.parts,
                read(folder.path(), &Reading::default()).unwrap().parts
            );
        })
    };
    assert!(!hit());
    assert!(hit());
    // Other times are not other content.
    let file = fs::File::options()
        .write(true)
        .open(at("train/a/3.png"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
        .unwrap();
    assert!(hit());
    // One pixel.
    let bytes = fs::read(at("train/a/3.png")).unwrap();
    put(folder.path(), "train/a/3.png", &small(200));
    assert!(!hit());
    put(folder.path(), "train/a/3.png", &bytes);
    assert!(hit());
    // A name, in the same place of the order.
    fs::rename(at("train/a/3.png"), at("train/a/3x.png")).unwrap();
    assert!(!hit());
    fs::rename(at("train/a/3x.png"), at("train/a/3.png")).unwrap();
    // Two contents exchanged.
    let other = fs::read(at("train/a/6.png")).unwrap();
    put(folder.path(), "train/a/3.png", &other);
    put(folder.path(), "train/a/6.png", &bytes);
    assert!(!hit());
    put(folder.path(), "train/a/3.png", &bytes);
    put(folder.path(), "train/a/6.png", &other);
    assert!(hit());
    put(folder.path(), "train/a/new.png", &small(100));
    assert!(!hit());
    fs::remove_file(at("train/a/new.png")).unwrap();
    assert!(hit());
    fs::remove_file(at("train/a/3.png")).unwrap();
    assert!(!hit());
    // From a test image to a training image.
    fs::rename(at("test/a/0.png"), at("train/a/0.png")).unwrap();
    assert!(!hit());
}

#[test]
fn another_way_of_decoding_is_another_entry() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for value in 0..8 {
        let bytes = encoded(
            ImageFormat::Png,
            (2, 1),
            ExtendedColorType::Rgba8,
            &[value, 2, 3, 99, 4, 5, 6, 255],
        );
        put(folder.path(), &format!("{value}.png"), &bytes);
    }
    let base = keeping(cache.path());
    let other_ways = [
        Reading {
            colour: Colour::Grey,
            ..base.clone()
        },
        Reading {
            colour: Colour::Rgb,
            ..base.clone()
        },
        Reading {
            background: [0, 0, 1],
            ..base.clone()
        },
        Reading {
            resize: Some((3, 4)),
            ..base.clone()
        },
        Reading {
            resize: Some((4, 3)),
            ..base.clone()
        },
    ];
    for reading in [&base].into_iter().chain(&other_ways) {
        assert!(!is_hit(cache.path(), || drop(
            read(folder.path(), reading).unwrap()
        )));
    }
    // What is done to decoded images needs no other entry.
    let later_ways = [
        Reading {
            invert: true,
            ..base.clone()
        },
        Reading {
            maximum: Some(16.0),
            ..base.clone()
        },
        Reading {
            test_share: 0.5,
            ..base.clone()
        },
        Reading {
            transposed: true,
            ..base.clone()
        },
        Reading {
            transposed: true,
            resize: Some((3, 4)),
            ..base.clone()
        },
    ];
    for reading in &later_ways {
        let plain = Reading {
            cache: None,
            ..reading.clone()
        };
        let expected = load(folder.path(), &plain).unwrap();
        assert!(is_hit(cache.path(), || {
            let kept = load(folder.path(), reading).unwrap();
            assert_eq!(kept.fingerprint, expected.fingerprint);
        }));
    }
}

#[test]
fn a_damaged_entry_is_ignored_and_written_anew() {
    let (folder, cache) = (tree(), tempfile::tempdir().unwrap());
    let reading = keeping(cache.path());
    let plain = read(folder.path(), &reading).unwrap();
    let entry = entries(cache.path()).remove(0);
    let whole = fs::read(&entry).unwrap();
    let damaged = (0..whole.len())
        .step_by(7)
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            bytes
        })
        .chain(
            (0..whole.len())
                .step_by(31)
                .map(|length| whole[..length].to_vec()),
        )
        .chain([[&whole[..], b"x"].concat()]);
    for bytes in damaged {
        fs::write(&entry, bytes).unwrap();
        assert_eq!(read(folder.path(), &reading).unwrap().parts, plain.parts);
        assert_eq!(fs::read(&entry).unwrap(), whole);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_a_remark() {
    let folder = tree();
    let file = folder.path().join("train/a/3.png");
    let reading = keeping(&file.join("below-a-file"));
    let read = read(folder.path(), &reading).unwrap();
    assert_eq!(read.parts.len(), 2);
    assert_says(
        &read.remarks.join("\n"),
        &["could not be kept in", "below-a-file"],
    );
    // An image that cannot be decoded is an error all the same, and leaves
    // nothing behind.
    let cache = tempfile::tempdir().unwrap();
    let bytes = fs::read(&file).unwrap();
    put(
        folder.path(),
        "train/a/3.png",
        &bytes[..bytes.len() / 2 + 8],
    );
    assert!(load(folder.path(), &keeping(cache.path())).is_err());
    assert!(entries(cache.path()).is_empty());
}

#[test]
fn entries_unused_for_a_month_go_when_a_new_one_is_written() {
    let (folder, cache) = (tree(), tempfile::tempdir().unwrap());
    let reading = keeping(cache.path());
    read(folder.path(), &reading).unwrap();
    let old = entries(cache.path()).remove(0);
    let day = Duration::from_secs(24 * 60 * 60);
    let age = |path: &Path, days: u32| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - day * days).unwrap();
    };
    let foreign = cache.path().join("notes.txt");
    fs::write(&foreign, b"").unwrap();
    age(&foreign, 400);
    let write_another = |seed| {
        put(folder.path(), "train/a/3.png", &small(seed));
        read(folder.path(), &reading).unwrap();
    };
    age(&old, 29);
    write_another(201);
    assert!(old.exists() && foreign.exists());
    age(&old, 31);
    write_another(202);
    assert!(!old.exists() && foreign.exists());
    // Being used counts.
    fs::remove_file(&foreign).unwrap();
    let kept = entries(cache.path());
    assert_eq!(kept.len(), 2);
    for entry in &kept {
        age(entry, 31);
    }
    read(folder.path(), &reading).unwrap();
    write_another(203);
    assert_eq!(entries(cache.path()).len(), 2);
}

#[test]
fn processes_that_write_at_once_do_no_harm() {
    let (folder, cache) = (tree(), tempfile::tempdir().unwrap());
    let reading = keeping(cache.path());
    let plain = read(folder.path(), &Reading::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(read(folder.path(), &reading).unwrap().parts, plain.parts);
                    for entry in fs::read_dir(cache.path()).unwrap().flatten() {
                        let _ = fs::remove_file(entry.path());
                    }
                }
            });
        }
    });
}
