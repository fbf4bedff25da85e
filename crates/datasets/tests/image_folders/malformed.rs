//! Every malformed file ends with a sentence: which file, what was found, what
//! was expected.

use std::fs;

use datasets::{Lookup, Reading, Source};
use image::{ExtendedColorType, ImageFormat};

use crate::written::{encoded, grey_png, put, small};
use crate::{assert_says, load, message, read};

/// What a folder with one good image and `bytes` as `bad.png` is refused with;
/// sizes may differ.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a/good.png", &small(1));
    put(folder.path(), "a/bad.png", bytes);
    let reading = Reading {
        resize: Some((4, 4)),
        ..Reading::default()
    };
    let message = message(folder.path(), &reading);
    let path = folder.path().join("a/bad.png");
    assert!(
        message.starts_with(&path.display().to_string()),
        "{message}"
    );
    let single = read(&path, &reading).unwrap_err().to_string();
    assert_eq!(single, message);
    let cached = Reading {
        cache: Some(folder.path().join("cache")),
        ..reading
    };
    assert_eq!(crate::message(&folder.path().join("a"), &cached), message);
    message
}

fn noise(count: usize) -> Vec<u8> {
    (0..count as u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn what_is_no_image_is_named() {
    assert_says(&refusal(b""), &["holds no bytes", "expected a PNG"]);
    assert_says(
        &refusal(b"<!DOCTYPE html><html>"),
        &["begins with \"<!DOCTYPE ht\"", "no PNG"],
    );
    assert_says(
        &refusal(b"GIF89a\x01\0\x01\0"),
        &["begins with bytes 47 49 46 38"],
    );
    assert_says(&refusal(&[0x89]), &["begins with bytes 89,"]);
    assert_says(
        &refusal(b"\x89PNG\r\n\x1a\n"),
        &["ends after 8 bytes", "PNG"],
    );
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let pixels = noise(16 * 16 * 3);
    for (format, last) in [
        // The last four bytes are the checksum of an end chunk without content.
        (ImageFormat::Png, 5),
        (ImageFormat::Jpeg, 1),
        (ImageFormat::WebP, 1),
        (ImageFormat::Bmp, 1),
    ] {
        let whole = encoded(format, (16, 16), ExtendedColorType::Rgb8, &pixels);
        for cut in (1..8)
            .map(|part| whole.len() * part / 8)
            .chain([whole.len() - last])
        {
            let message = refusal(&whole[..cut]);
            assert!(
                message.contains(&format!("ends after {cut} bytes"))
                    || message.contains("damaged")
                    || message.contains(&format!("its {cut} bytes cannot hold")),
                "{format:?}: {message}"
            );
        }
    }
    // The end marker of a thumbnail is not that of the image.
    let whole = encoded(
        ImageFormat::Jpeg,
        (16, 16),
        ExtendedColorType::Rgb8,
        &pixels,
    );
    let thumbnail = encoded(
        ImageFormat::Jpeg,
        (8, 8),
        ExtendedColorType::L8,
        &pixels[..64],
    );
    let bytes = crate::written::with_exif(&whole, &thumbnail);
    assert_says(&refusal(&bytes[..bytes.len() - 2]), &["ends after", "JPEG"]);
}

#[test]
fn of_several_bad_files_the_first_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = small(1);
    let mut damaged = good.clone();
    *damaged.iter_mut().rev().nth(20).unwrap() ^= 1;
    for index in 0..300 {
        // Unreadable pixels; from 200 on, unreadable headers, which are met first.
        let bytes = match index {
            0..100 => &good[..],
            100..200 => &damaged,
            _ => &good[..20],
        };
        put(folder.path(), &format!("{index:03}.png"), bytes);
    }
    for _ in 0..10 {
        assert_says(
            &message(folder.path(), &Reading::default()),
            &["200.png ends"],
        );
    }
    for index in 200..300 {
        put(folder.path(), &format!("{index:03}.png"), &good);
    }
    for _ in 0..10 {
        let message = load(folder.path(), &Reading::default())
            .unwrap_err()
            .to_string();
        assert_says(&message, &["100.png is a damaged"]);
    }
}

#[test]
fn damage_is_found_by_the_checksums_of_png() {
    let mut bytes = small(1);
    let middle = bytes.len() - 20;
    bytes[middle] ^= 1;
    assert_says(&refusal(&bytes), &["damaged PNG"]);
}

#[test]
fn a_header_that_claims_too_much_takes_no_memory() {
    let claim = |at: usize, number: [u8; 4], bytes: &mut Vec<u8>| {
        bytes[at..at + 4].copy_from_slice(&number);
    };
    // Width and height of a PNG, with the checksum of the chunk.
    let huge = |side: u32| {
        let mut png = grey_png(3, 2, &[0; 6]);
        claim(16, side.to_be_bytes(), &mut png);
        claim(20, side.to_be_bytes(), &mut png);
        let mut checksum = flate2::Crc::new();
        checksum.update(&png[12..29]);
        claim(29, checksum.sum().to_be_bytes(), &mut png);
        png
    };
    assert_says(
        &refusal(&huge(60_000)),
        &["claims 60000x60000 pixels", "cannot hold"],
    );
    // A size that would be accepted of a larger file.
    assert_says(
        &refusal(&huge(8000)),
        &["claims 8000x8000 pixels", "cannot hold"],
    );
    assert_says(&refusal(&huge(1 << 31)), &["bad.png"]);

    let mut bmp = encoded(ImageFormat::Bmp, (2, 2), ExtendedColorType::Rgb8, &[0; 12]);
    claim(18, 8000u32.to_le_bytes(), &mut bmp);
    claim(22, 8000u32.to_le_bytes(), &mut bmp);
    assert_says(
        &refusal(&bmp),
        &["claims 8000x8000 pixels", "cannot hold", "BMP"],
    );
    claim(18, 60000u32.to_le_bytes(), &mut bmp);
    claim(22, 60000u32.to_le_bytes(), &mut bmp);
    assert_says(&refusal(&bmp), &["claims 60000x60000 pixels", "256 MB"]);

    let mut jpeg = encoded(ImageFormat::Jpeg, (8, 8), ExtendedColorType::L8, &[0; 64]);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    claim(frame + 5, [0x30, 0, 0x30, 0], &mut jpeg);
    assert_says(
        &refusal(&jpeg),
        &["claims 12288x12288 pixels", "cannot hold", "JPEG"],
    );
    claim(frame + 5, [0xff, 0xff, 0xff, 0xff], &mut jpeg);
    assert_says(&refusal(&jpeg), &["claims 65535x65535 pixels"]);
}

#[test]
fn a_file_that_vanishes_or_changes_is_an_error_and_not_another_image() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1.png", "2.png", "3.png"] {
        put(folder.path(), name, &small(1));
    }
    let source = Source::Path(folder.path().to_owned());
    let stream = || {
        datasets::stream(
            &source,
            &Reading::default(),
            &Lookup::default(),
            &mut |_| {},
        )
        .unwrap()
        .parts
        .remove(0)
    };
    let mut part = stream();
    assert!(part.next_chunk(2).unwrap().is_some());
    fs::remove_file(folder.path().join("3.png")).unwrap();
    let message = part.next_chunk(2).unwrap_err().to_string();
    assert_says(&message, &["cannot read", "3.png"]);

    put(folder.path(), "3.png", &small(1));
    let mut part = stream();
    put(folder.path(), "3.png", &grey_png(2, 2, &[0; 4]));
    let message = part.next_chunk(3).unwrap_err().to_string();
    assert_says(&message, &["3.png changed"]);
    put(folder.path(), "3.png", b"");
    let mut part = {
        fs::remove_file(folder.path().join("3.png")).unwrap();
        stream()
    };
    fs::remove_file(folder.path().join("1.png")).unwrap();
    fs::create_dir(folder.path().join("1.png")).unwrap();
    let message = part.next_chunk(3).unwrap_err().to_string();
    assert_says(&message, &["1.png", "a folder; expected a regular file"]);
}
