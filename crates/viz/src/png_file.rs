use std::io::Cursor;
use std::path::Path;

use crate::{GrayImage, Image, ImageRef, RgbImage, VizError, write_atomically};

/// The bytes of a PNG file; the same image and texts give the same bytes.
///
/// `texts` are keyword and value pairs: Latin-1 values become tEXt chunks, others iTXt.
///
/// # Errors
///
/// [`VizError::Encode`] for an image without pixels or a keyword that PNG forbids.
///
/// ```
/// use viz::{GrayImage, Image, decode_png, encode_png};
/// let image = GrayImage::new(2, 3, 7);
/// let bytes = encode_png(&image, &[("Title", "seven")])?;
/// assert_eq!(decode_png(&bytes)?, Image::Gray(image));
/// # Ok::<(), viz::VizError>(())
/// ```
pub fn encode_png<'a>(
    image: impl Into<ImageRef<'a>>,
    texts: &[(&str, &str)],
) -> Result<Vec<u8>, VizError> {
    encode(image.into(), texts, None)
}

/// The bytes of a PNG file of a small image, of which there are many: in a fraction of the time of
/// [`encode_png`], and somewhat larger.
///
/// # Errors
///
/// [`VizError::Encode`] for an image without pixels.
///
/// ```
/// use viz::{GrayImage, Image, decode_png, encode_thumbnail};
/// let image = GrayImage::new(28, 28, 7);
/// assert_eq!(decode_png(&encode_thumbnail(&image)?)?, Image::Gray(image));
/// # Ok::<(), viz::VizError>(())
/// ```
pub fn encode_thumbnail<'a>(image: impl Into<ImageRef<'a>>) -> Result<Vec<u8>, VizError> {
    compressed(image.into(), &[], None, png::Compression::Fast)
}

/// As [`encode_png`], with the number of pixels to a metre if the image has a size on paper.
pub(crate) fn encode(
    image: ImageRef<'_>,
    texts: &[(&str, &str)],
    pixels_per_metre: Option<u32>,
) -> Result<Vec<u8>, VizError> {
    compressed(image, texts, pixels_per_metre, png::Compression::Balanced)
}

fn compressed(
    image: ImageRef<'_>,
    texts: &[(&str, &str)],
    pixels_per_metre: Option<u32>,
    compression: png::Compression,
) -> Result<Vec<u8>, VizError> {
    let mut bytes = Vec::new();
    let failed = |error: png::EncodingError| VizError::Encode {
        reason: error.to_string(),
    };
    let mut encoder = png::Encoder::new(
        &mut bytes,
        png_dimension(image.width())?,
        png_dimension(image.height())?,
    );
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(match image {
        ImageRef::Gray(_) => png::ColorType::Grayscale,
        ImageRef::Rgb(_) => png::ColorType::Rgb,
    });
    encoder.set_compression(compression);
    encoder.set_pixel_dims(pixels_per_metre.map(|number| png::PixelDimensions {
        xppu: number,
        yppu: number,
        unit: png::Unit::Meter,
    }));
    for (keyword, value) in texts {
        let (keyword, value) = (keyword.to_string(), value.to_string());
        if value.chars().all(|c| u32::from(c) < 256) {
            encoder.add_text_chunk(keyword, value)
        } else {
            encoder.add_itxt_chunk(keyword, value)
        }
        .map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(image.bytes()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Writes a PNG file atomically; see [`encode_png`].
///
/// # Errors
///
/// As [`encode_png`] and [`write_atomically`].
pub fn write_png<'a>(
    path: &Path,
    image: impl Into<ImageRef<'a>>,
    texts: &[(&str, &str)],
) -> Result<(), VizError> {
    write_atomically(path, &encode_png(image, texts)?)
}

/// The image in a PNG file of 8-bit grey or RGB pixels (palettes are expanded to RGB).
///
/// # Errors
///
/// [`VizError::Decode`] for anything else.
pub fn decode_png(bytes: &[u8]) -> Result<Image, VizError> {
    let failed = |error: png::DecodingError| VizError::Decode {
        reason: error.to_string(),
    };
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| VizError::Decode {
            reason: "its size does not fit the memory".to_string(),
        })?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(failed)?;
    pixels.truncate(frame.buffer_size());
    let (width, height) = (frame.width as usize, frame.height as usize);
    match (frame.color_type, frame.bit_depth) {
        (png::ColorType::Grayscale, png::BitDepth::Eight) => {
            Ok(GrayImage::from_pixels(width, height, pixels)?.into())
        }
        (png::ColorType::Rgb, png::BitDepth::Eight) => {
            Ok(RgbImage::from_pixels(width, height, pixels)?.into())
        }
        (colour, depth) => Err(VizError::Decode {
            reason: format!("found {colour:?} at {depth:?} bits, expected 8-bit grey or RGB"),
        }),
    }
}

pub(crate) fn png_dimension(length: usize) -> Result<u32, VizError> {
    u32::try_from(length).map_err(|_| VizError::Encode {
        reason: format!("{length} pixels on a side, expected at most {}", u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rgb;

    fn gradient() -> RgbImage {
        let mut image = RgbImage::new(5, 4, Rgb::WHITE);
        for y in 0..4 {
            for x in 0..5 {
                image.set(x, y, Rgb(x as u8 * 50, y as u8 * 60, 128));
            }
        }
        image
    }

    #[test]
    fn both_kinds_of_pixels_come_back() {
        let image = gradient();
        let bytes = encode_png(&image, &[("Title", "plain"), ("Description", "μ and σ²")]).unwrap();
        assert_eq!(decode_png(&bytes).unwrap(), Image::Rgb(image));
        let gray = GrayImage::from_pixels(3, 1, vec![0, 128, 255]).unwrap();
        let bytes = encode_png(&gray, &[]).unwrap();
        assert_eq!(decode_png(&bytes).unwrap(), Image::Gray(gray));
    }

    #[test]
    fn bytes_repeat() {
        let texts = [("Title", "again")];
        assert_eq!(
            encode_png(&gradient(), &texts).unwrap(),
            encode_png(&gradient(), &texts).unwrap()
        );
    }

    #[test]
    fn texts_are_chunks_of_the_file() {
        let bytes = encode_png(&gradient(), &[("Title", "plain"), ("Comment", "σ")]).unwrap();
        let reader = png::Decoder::new(Cursor::new(&bytes)).read_info().unwrap();
        let info = reader.info();
        assert_eq!(info.uncompressed_latin1_text[0].text, "plain");
        assert_eq!(info.utf8_text[0].keyword, "Comment");
        assert_eq!(info.utf8_text[0].get_text().unwrap(), "σ");
    }

    #[test]
    fn damaged_and_empty_images_are_refused() {
        let bytes = encode_png(&gradient(), &[]).unwrap();
        assert!(matches!(
            decode_png(&bytes[..bytes.len() / 2]),
            Err(VizError::Decode { .. })
        ));
        assert!(matches!(
            decode_png(b"no picture"),
            Err(VizError::Decode { .. })
        ));
        assert!(matches!(
            encode_png(&GrayImage::new(0, 3, 0), &[]),
            Err(VizError::Encode { .. })
        ));
    }

    #[test]
    fn a_missing_folder_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("a.png");
        let error = write_png(&path, &gradient(), &[]).unwrap_err();
        assert!(matches!(error, VizError::File { .. }));
        assert!(error.to_string().contains("a.png"), "{error}");

        // A folder in the file's place: the rename fails, the temporary file goes.
        let path = folder.path().join("taken.png");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "kept").unwrap();
        let error = write_png(&path, &gradient(), &[]).unwrap_err();
        assert!(error.to_string().contains("taken.png"), "{error}");
        let names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["taken.png"]);
    }
}
