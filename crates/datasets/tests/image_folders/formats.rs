//! Every kind of image file gives the pixels that its format defines.

use datasets::{Colour, Reading, Shape};
use image::{ExtendedColorType, ImageFormat};
use png::{BitDepth, ColorType};

use crate::written::{Png, animated_webp, encoded, exif, grey_png, put, with_exif};
use crate::{read, read_one};

fn one(name: &str, bytes: &[u8], reading: &Reading) -> (Shape, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), name, bytes);
    read_one(&folder.path().join(name), reading)
}

fn plain(bytes: &[u8]) -> (Shape, Vec<u8>) {
    one("a.png", bytes, &Reading::default())
}

#[test]
fn greys_of_every_depth_span_the_bytes() {
    let grey = |depth, width, data: &[u8]| {
        plain(&Png::new((width, 1), ColorType::Grayscale, depth).bytes(data))
    };
    assert_eq!(
        grey(BitDepth::One, 8, &[0b1010_0110]),
        (Shape::grey(1, 8), vec![255, 0, 255, 0, 0, 255, 255, 0])
    );
    assert_eq!(grey(BitDepth::Two, 4, &[0b0001_1011]).1, [0, 85, 170, 255]);
    assert_eq!(grey(BitDepth::Four, 4, &[0x01, 0x8f]).1, [0, 17, 136, 255]);
    assert_eq!(
        grey(BitDepth::Eight, 4, &[0, 1, 254, 255]).1,
        [0, 1, 254, 255]
    );
}

#[test]
fn sixteen_bits_are_rounded_to_the_nearest_byte() {
    let values: Vec<u16> = vec![0, 128, 129, 257, 385, 386, 32767, 65406, 65407, 65535];
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect();
    let png = Png::new((10, 1), ColorType::Grayscale, BitDepth::Sixteen);
    let expected: Vec<u8> = values
        .iter()
        .map(|&value| (f64::from(value) / 257.0).round() as u8)
        .collect();
    assert_eq!(plain(&png.bytes(&data)), (Shape::grey(1, 10), expected));

    let data: Vec<u8> = [65535u16, 257, 0]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let png = Png::new((1, 1), ColorType::Rgb, BitDepth::Sixteen);
    assert_eq!(
        plain(&png.bytes(&data)),
        (Shape::colour(1, 1), vec![255, 1, 0])
    );
    // Half of red on white.
    let data: Vec<u8> = [65535u16, 0, 0, 102 * 257]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let png = Png::new((1, 1), ColorType::Rgba, BitDepth::Sixteen);
    let white = Reading {
        background: [255; 3],
        ..Reading::default()
    };
    assert_eq!(one("a.png", &png.bytes(&data), &white).1, [255, 153, 153]);
}

#[test]
fn palettes_are_looked_up_and_their_transparency_composed() {
    let palette = [255, 0, 0, 0, 255, 0, 10, 10, 10, 200, 200, 200];
    for depth in [BitDepth::Two, BitDepth::Four, BitDepth::Eight] {
        let data: &[u8] = match depth {
            BitDepth::Two => &[0b0001_1011],
            BitDepth::Four => &[0x01, 0x23],
            _ => &[0, 1, 2, 3],
        };
        let png = Png {
            palette: Some(&palette),
            ..Png::new((4, 1), ColorType::Indexed, depth)
        };
        assert_eq!(
            plain(&png.bytes(data)),
            (Shape::colour(1, 4), palette.to_vec())
        );
        // The first colour vanishes, a fifth of the second is left.
        let png = Png {
            transparency: Some(&[0, 51]),
            ..png
        };
        let (_, pixels) = plain(&png.bytes(data));
        assert_eq!(pixels[..6], [0, 0, 0, 0, 51, 0]);
        assert_eq!(pixels[6..], palette[6..]);
    }
    // All that is left is grey.
    let png = Png {
        palette: Some(&palette),
        transparency: Some(&[0, 0]),
        ..Png::new((4, 1), ColorType::Indexed, BitDepth::Eight)
    };
    assert_eq!(
        plain(&png.bytes(&[0, 1, 2, 3])),
        (Shape::grey(1, 4), vec![0, 0, 10, 200])
    );
}

#[test]
fn a_transparent_grey_or_colour_becomes_the_background() {
    let blue = Reading {
        background: [0, 0, 255],
        ..Reading::default()
    };
    let grey = Png {
        transparency: Some(&[0, 7]),
        ..Png::new((2, 1), ColorType::Grayscale, BitDepth::Eight)
    };
    assert_eq!(plain(&grey.bytes(&[7, 8])), (Shape::grey(1, 2), vec![0, 8]));
    // A grey image on a background in colour is one in colour.
    assert_eq!(
        one("a.png", &grey.bytes(&[7, 8]), &blue),
        (Shape::colour(1, 2), vec![0, 0, 255, 8, 8, 8])
    );
    let colour = Png {
        transparency: Some(&[0, 1, 0, 2, 0, 3]),
        ..Png::new((2, 1), ColorType::Rgb, BitDepth::Eight)
    };
    assert_eq!(
        one("a.png", &colour.bytes(&[1, 2, 3, 1, 2, 4]), &blue).1,
        [0, 0, 255, 1, 2, 4]
    );
    let alpha = Png::new((2, 1), ColorType::GrayscaleAlpha, BitDepth::Eight);
    assert_eq!(plain(&alpha.bytes(&[100, 51, 100, 255])).1, [20, 100]);
}

#[test]
fn lossless_formats_keep_every_pixel() {
    let colour: Vec<u8> = (0..5 * 7 * 3)
        .map(|index| (index * 29 % 256) as u8)
        .collect();
    let grey: Vec<u8> = (0..5 * 7).map(|index| (index * 29 % 256) as u8).collect();
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP] {
        // The extension says nothing about the format.
        for name in ["a.png", "b.JPG", "c.webp", "d.bmp"] {
            let bytes = encoded(format, (5, 7), ExtendedColorType::Rgb8, &colour);
            assert_eq!(
                one(name, &bytes, &Reading::default()),
                (Shape::colour(7, 5), colour.clone())
            );
        }
        let bytes = encoded(format, (5, 7), ExtendedColorType::L8, &grey);
        // BMP and WebP store grey as colour: by content it is grey.
        assert_eq!(plain(&bytes), (Shape::grey(7, 5), grey.clone()));
    }
}

#[test]
fn jpegs_are_near_to_what_was_stored() {
    let grey: Vec<u8> = (0..16 * 16).map(|index| (index % 16 * 16) as u8).collect();
    let near = |found: &[u8], expected: &[u8]| {
        assert_eq!(found.len(), expected.len());
        let worst = found
            .iter()
            .zip(expected)
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(worst.unwrap() <= 4, "{worst:?}");
    };
    let bytes = encoded(ImageFormat::Jpeg, (16, 16), ExtendedColorType::L8, &grey);
    let (shape, pixels) = plain(&bytes);
    assert_eq!(shape, Shape::grey(16, 16));
    near(&pixels, &grey);
    // Smooth colours: chroma may be subsampled.
    let colour: Vec<u8> = (0..16 * 16)
        .flat_map(|index| [(index % 16 * 8) as u8, 90, 200])
        .collect();
    let bytes = encoded(
        ImageFormat::Jpeg,
        (16, 16),
        ExtendedColorType::Rgb8,
        &colour,
    );
    let (shape, pixels) = plain(&bytes);
    assert_eq!(shape, Shape::colour(16, 16));
    near(&pixels, &colour);
}

/// Row and column 0 of a stored image by EXIF orientation, TIFF 6.0 p. 36:
/// the position in the stored image (2 rows, 3 columns) of each pixel to be
/// seen.
const UPRIGHT: [(u8, (usize, usize), [u8; 6]); 8] = [
    (1, (2, 3), [0, 1, 2, 3, 4, 5]),
    (2, (2, 3), [2, 1, 0, 5, 4, 3]),
    (3, (2, 3), [5, 4, 3, 2, 1, 0]),
    (4, (2, 3), [3, 4, 5, 0, 1, 2]),
    (5, (3, 2), [0, 3, 1, 4, 2, 5]),
    (6, (3, 2), [3, 0, 4, 1, 5, 2]),
    (7, (3, 2), [5, 2, 4, 1, 3, 0]),
    (8, (3, 2), [2, 5, 1, 4, 0, 3]),
];

#[test]
fn images_are_turned_as_their_exif_data_say() {
    let stored: Vec<u8> = (0..6).map(|position| position * 40).collect();
    for (orientation, (height, width), positions) in UPRIGHT {
        let png = Png {
            exif: Some(exif(orientation)),
            ..Png::new((3, 2), ColorType::Grayscale, BitDepth::Eight)
        };
        let expected: Vec<u8> = positions
            .iter()
            .map(|&at| stored[usize::from(at)])
            .collect();
        assert_eq!(
            plain(&png.bytes(&stored)),
            (Shape::grey(height, width), expected),
            "orientation {orientation}"
        );
        // A JPEG of flat blocks of 8 × 8 pixels, one per pixel above.
        let blocks: Vec<u8> = (0..16 * 24)
            .map(|index| stored[index / 24 / 8 * 3 + index % 24 / 8])
            .collect();
        let jpeg = encoded(ImageFormat::Jpeg, (24, 16), ExtendedColorType::L8, &blocks);
        let (shape, pixels) = plain(&with_exif(&jpeg, &exif(orientation)));
        assert_eq!(shape, Shape::grey(height * 8, width * 8));
        for (block, &at) in positions.iter().enumerate() {
            let middle = (block / width * 8 + 4) * width * 8 + block % width * 8 + 4;
            let difference = pixels[middle].abs_diff(stored[usize::from(at)]);
            assert!(difference <= 2, "orientation {orientation}, block {block}");
        }
    }
    // An orientation that is none is no error.
    let png = Png {
        exif: Some(exif(9)),
        ..Png::new((3, 2), ColorType::Grayscale, BitDepth::Eight)
    };
    assert_eq!(plain(&png.bytes(&stored)).1, stored);
}

#[test]
fn of_animated_images_the_first_frame_is_read_with_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = [9, 8, 7, 6];
    let png = Png {
        more_frames: 2,
        ..Png::new((2, 2), ColorType::Grayscale, BitDepth::Eight)
    };
    put(folder.path(), "b.png", &png.bytes(&pixels));
    let frame = |first: u8| {
        let pixels = [first, 1, 2, 255].repeat(4);
        encoded(ImageFormat::WebP, (2, 2), ExtendedColorType::Rgba8, &pixels)
    };
    put(
        folder.path(),
        "c.webp",
        &animated_webp((2, 2), &[frame(3), frame(4)]),
    );
    put(folder.path(), "a.png", &grey_png(2, 2, &pixels));
    let read = read(folder.path(), &Reading::default()).unwrap();
    let rows = &read.parts[0].1;
    assert_eq!(rows[1].bytes, [9, 9, 9, 8, 8, 8, 7, 7, 7, 6, 6, 6]);
    assert_eq!(rows[2].bytes, [3, 1, 2].repeat(4));
    assert_eq!(
        read.remarks,
        ["only the first frame is read of 2 animated images (b.png, …)"]
    );
}

#[test]
fn one_image_in_colour_makes_all_of_them_so() {
    let folder = tempfile::tempdir().unwrap();
    let grey = [50; 12];
    let mut colour = grey;
    colour[11] = 51;
    // Grey images stored in colour, enough to be looked at out of order.
    for index in 0..200 {
        let bytes = encoded(ImageFormat::Bmp, (2, 2), ExtendedColorType::Rgb8, &grey);
        put(folder.path(), &format!("{index:03}.bmp"), &bytes);
    }
    put(folder.path(), "a.png", &grey_png(2, 2, &[50; 4]));
    let shape = |reading: &Reading| read(folder.path(), reading).unwrap().shape;
    let automatic = Reading::default();
    assert_eq!(shape(&automatic), Shape::grey(2, 2));
    for place in ["000.bmp", "101.bmp", "199.bmp"] {
        let bytes = encoded(ImageFormat::Bmp, (2, 2), ExtendedColorType::Rgb8, &colour);
        put(folder.path(), place, &bytes);
        let read = read(folder.path(), &automatic).unwrap();
        assert_eq!(read.shape, Shape::colour(2, 2), "{place}");
        assert_eq!(read.parts[0].1.last().unwrap().bytes, grey);
        let bytes = encoded(ImageFormat::Bmp, (2, 2), ExtendedColorType::Rgb8, &grey);
        put(folder.path(), place, &bytes);
    }
    let forced = |colour| Reading {
        colour,
        ..Reading::default()
    };
    assert_eq!(shape(&forced(Colour::Rgb)), Shape::colour(2, 2));
    let bytes = encoded(
        ImageFormat::Bmp,
        (2, 2),
        ExtendedColorType::Rgb8,
        &[255, 0, 0].repeat(4),
    );
    put(folder.path(), "000.bmp", &bytes);
    let read = read(folder.path(), &forced(Colour::Grey)).unwrap();
    assert_eq!(read.shape, Shape::grey(2, 2));
    // The luma of red in ITU-R BT.601.
    assert_eq!(read.parts[0].1[0].bytes, [76; 4]);
}

#[test]
fn what_else_reading_asks_for_is_done_to_images_of_folders() {
    let bytes = grey_png(3, 2, &[0, 1, 2, 3, 4, 5]);
    let transposed = Reading {
        transposed: true,
        invert: true,
        ..Reading::default()
    };
    assert_eq!(
        one("a.png", &bytes, &transposed),
        (Shape::grey(3, 2), vec![255, 252, 254, 251, 253, 250])
    );
    // Halves of 10 and 200, exchanged: the size is that of the result.
    let halves: Vec<u8> = (0..8 * 4)
        .map(|index| if index % 8 < 4 { 10 } else { 200 })
        .collect();
    let resized = Reading {
        transposed: true,
        resize: Some((2, 3)),
        ..Reading::default()
    };
    let (shape, pixels) = one("a.png", &grey_png(8, 4, &halves), &resized);
    assert_eq!(shape, Shape::grey(2, 3));
    assert!(pixels[..3].iter().all(|&value| value < 40), "{pixels:?}");
    assert!(pixels[3..].iter().all(|&value| value > 170), "{pixels:?}");
}

/// Files of kinds that the encoders above do not write, made by Pillow, beside
/// a PNG of what Pillow decodes.
const OF_PILLOW: [(&str, &[u8], &[u8]); 3] = [
    (
        "cmyk.jpg",
        include_bytes!("files/cmyk.jpg"),
        include_bytes!("files/cmyk.png"),
    ),
    (
        "progressive.jpg",
        include_bytes!("files/progressive.jpg"),
        include_bytes!("files/progressive.png"),
    ),
    (
        "lossy.webp",
        include_bytes!("files/lossy.webp"),
        include_bytes!("files/lossy.png"),
    ),
];

#[test]
fn other_programs_decode_to_nearly_the_same_pixels() {
    for (name, bytes, expected) in OF_PILLOW {
        let (shape, pixels) = plain(bytes);
        let (expected_shape, expected) = plain(expected);
        assert_eq!((shape, shape), (expected_shape, Shape::colour(16, 24)));
        let differences = pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
        let worst = differences.max().unwrap();
        assert!(worst <= 8, "{name}: {worst}");
    }
}

/// A decoder that gives other pixels makes kept ones wrong: where this digest
/// changes, the version in `READER` of `src/folder/mod.rs` is to be raised.
#[test]
fn decoders_give_the_pixels_that_are_kept() {
    let decoded: Vec<u8> = OF_PILLOW
        .iter()
        .flat_map(|(_, bytes, _)| plain(bytes).1)
        .collect();
    assert_eq!(
        datasets::sha256_hex(&decoded),
        "2508a3932ccc33a45ee35416815f7d0df54970a582cfc2d1a8aeb507d079d56f"
    );
}
