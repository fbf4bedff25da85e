//! Images, and what is kept of decoded ones.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use datasets::{Chunk, Lookup, Reading, Source};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, RgbaImage};

use super::{get, of_file, put};
use crate::{Opened, Outcome};

const WIDTH: u32 = 24;
const HEIGHT: u32 = 17;

/// Bytes without a pattern, as many as are asked for.
fn noise(count: u32) -> Vec<u8> {
    let byte = |index: u32| (index.wrapping_mul(2_654_435_761) >> 25) as u8;
    (0..count).map(byte).collect()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, format)
        .expect("an encoder for what is decoded");
    bytes.into_inner()
}

fn images(format: ImageFormat) -> Vec<Vec<u8>> {
    let pixels = WIDTH * HEIGHT;
    let grey = GrayImage::from_raw(WIDTH, HEIGHT, noise(pixels)).expect("its bytes");
    let colour = RgbImage::from_raw(WIDTH, HEIGHT, noise(3 * pixels)).expect("its bytes");
    let transparent = RgbaImage::from_raw(WIDTH, HEIGHT, noise(4 * pixels)).expect("its bytes");
    let mut all: Vec<DynamicImage> = vec![grey.into(), colour.into()];
    if format != ImageFormat::Jpeg {
        all.push(transparent.into());
    }
    if format == ImageFormat::Png {
        let deep = noise(pixels).into_iter().map(u16::from).collect();
        let deep = image::ImageBuffer::from_raw(WIDTH, HEIGHT, deep).expect("its values");
        all.push(DynamicImage::ImageLuma16(deep));
    }
    all.iter().map(|image| encoded(image, format)).collect()
}

/// Names and bytes of all rows at `path`.
fn rows(path: &Path, cache: Option<&Path>) -> Result<Vec<u8>, datasets::DataError> {
    let reading = Reading {
        cache: cache.map(Path::to_owned),
        ..Reading::default()
    };
    let source = Source::Path(path.to_owned());
    let stream = datasets::stream(&source, &reading, &Lookup::default(), &mut |_| {})?;
    let mut all = Vec::new();
    for mut part in stream.parts {
        while let Some(Chunk { rows, names, .. }) = part.next_chunk(3)? {
            all.extend(names.into_iter().flatten().flat_map(|name| name.bytes()));
            all.extend(rows.bytes().expect("images are bytes").iter());
        }
    }
    Ok(all)
}

fn of_format(place: &Path, name: &str, files: Vec<Vec<u8>>) -> Opened {
    of_file(place, name, files, |path| -> Outcome {
        super::sentence(rows(path, None))
    })
}

pub(crate) fn png(place: &Path) -> Opened {
    let files = images(ImageFormat::Png);
    of_format(place, "image.png", files)
}

pub(crate) fn jpeg(place: &Path) -> Opened {
    of_format(place, "image.jpg", images(ImageFormat::Jpeg))
}

pub(crate) fn bmp(place: &Path) -> Opened {
    of_format(place, "image.bmp", images(ImageFormat::Bmp))
}

pub(crate) fn webp(place: &Path) -> Opened {
    of_format(place, "image.webp", images(ImageFormat::WebP))
}

/// An entry is what was decoded, or it is decoded again: nothing that is done to
/// it changes a row.
pub(crate) fn cache_entry(place: &Path) -> Opened {
    let (folder, cache) = (place.join("folder"), place.join("cache"));
    fs::create_dir_all(&folder).expect("a folder");
    for (number, value) in [3, 50, 200].into_iter().enumerate() {
        let image = GrayImage::from_pixel(5, 4, image::Luma([value]));
        let bytes = encoded(&image.into(), ImageFormat::Png);
        put(&folder.join(format!("{number}.png")), &bytes);
    }
    let written = rows(&folder, Some(&cache)).expect("good images");
    let entry = fs::read_dir(&cache)
        .expect("a cache")
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("an entry of the folder");
    let files = vec![get(&entry)];
    Opened {
        files,
        read: Box::new(move |bytes| {
            put(&entry, bytes);
            let found = rows(&folder, Some(&cache));
            if let Ok(found) = &found {
                assert!(*found == written, "a changed entry changed the rows");
            }
            super::sentence(found)
        }),
    }
}
