//! PNG files with a palette: a fraction of the bytes, for copies of pictures
//! that many people load.

use std::path::Path;

use crate::palette::Palette;
use crate::png_file::png_dimension;
use crate::{Rgb, RgbImage, VizError, write_atomically};

/// The bytes of a PNG file that shows the image in at most `colours` colours
/// (2 to 256); the same image gives the same bytes.
///
/// An image of no more colours keeps them all; otherwise the most frequent ones
/// stay and the others become the nearest of a median cut.
///
/// # Errors
///
/// [`VizError::Encode`] for an image without pixels, [`VizError::Shape`] for
/// another number of colours.
///
/// ```
/// use viz::{Image, Rgb, RgbImage, decode_png, encode_small_png};
/// let image = RgbImage::new(40, 30, Rgb(1, 2, 3));
/// let bytes = encode_small_png(&image, 16)?;
/// assert_eq!(decode_png(&bytes)?, Image::Rgb(image));
/// # Ok::<(), viz::VizError>(())
/// ```
pub fn encode_small_png(image: &RgbImage, colours: usize) -> Result<Vec<u8>, VizError> {
    if !(2..=256).contains(&colours) {
        return Err(VizError::shape("colours of a palette", colours, "2 to 256"));
    }
    let (width, height) = (image.width(), image.height());
    let palette = Palette::of(std::slice::from_ref(image), colours);
    let bits = match palette.colours.len() {
        0..=2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        _ => 8,
    };
    let failed = |error: png::EncodingError| VizError::Encode {
        reason: error.to_string(),
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, png_dimension(width)?, png_dimension(height)?);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(match bits {
        1 => png::BitDepth::One,
        2 => png::BitDepth::Two,
        4 => png::BitDepth::Four,
        _ => png::BitDepth::Eight,
    });
    let entries = palette.colours.iter().flat_map(|&Rgb(r, g, b)| [r, g, b]);
    encoder.set_palette(entries.collect::<Vec<u8>>());
    encoder.set_compression(png::Compression::High);
    // Neighbouring indices are no neighbouring colours, so differences only add noise.
    encoder.set_filter(png::Filter::NoFilter);
    let mut rows = Vec::with_capacity(height * (width * bits).div_ceil(8));
    for row in palette.indices(image).chunks_exact(width.max(1)) {
        for group in row.chunks(8 / bits) {
            let packed = group
                .iter()
                .enumerate()
                .fold(0, |byte, (at, index)| byte | index << (8 - bits * (at + 1)));
            rows.push(packed);
        }
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rows).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Writes the file atomically; see [`encode_small_png`].
///
/// # Errors
///
/// As [`encode_small_png`] and [`write_atomically`].
pub fn write_small_png(path: &Path, image: &RgbImage, colours: usize) -> Result<(), VizError> {
    write_atomically(path, &encode_small_png(image, colours)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_png;

    fn shades() -> RgbImage {
        let mut image = RgbImage::new(64, 64, Rgb::WHITE);
        for y in 0..60 {
            for x in 0..60 {
                image.set(x, y, Rgb(4 * x as u8, 4 * y as u8, (x * y % 251) as u8));
            }
        }
        image
    }

    #[test]
    fn few_colours_come_back_exactly_at_any_depth() {
        for colours in [1usize, 2, 3, 4, 5, 16, 17, 200] {
            // Widths that do not fill their last byte.
            let mut image = RgbImage::new(13, 17, Rgb::WHITE);
            for at in 0..13 * 17 {
                let shade = (at * 7 % colours) as u8;
                image.set(at % 13, at / 13, Rgb(shade, 255 - shade, 90));
            }
            let bytes = encode_small_png(&image, 256).unwrap();
            let back = decode_png(&bytes).unwrap();
            for (x, y) in (0..17).flat_map(|y| (0..13).map(move |x| (x, y))) {
                assert_eq!(
                    back.as_ref().get(x, y),
                    image.get(x, y),
                    "{colours} colours"
                );
            }
        }
    }

    #[test]
    fn many_colours_become_few_near_ones_and_fewer_bytes() {
        let image = shades();
        let bytes = encode_small_png(&image, 64).unwrap();
        // Without filters: one byte a pixel, at most.
        assert!(bytes.len() < 64 * 64 + 400, "{}", bytes.len());
        assert_eq!(bytes, encode_small_png(&image, 64).unwrap());
        let small = decode_png(&bytes).unwrap();
        let (mut used, mut squares) = (std::collections::BTreeSet::new(), 0.0);
        for (x, y) in (0..64).flat_map(|y| (0..64).map(move |x| (x, y))) {
            let (Rgb(r, g, b), Rgb(r0, g0, b0)) = (small.as_ref().get(x, y), image.get(x, y));
            used.insert((r, g, b));
            for (a, b) in [(r, r0), (g, g0), (b, b0)] {
                squares += (f64::from(a) - f64::from(b)).powi(2) / (3.0 * 64.0 * 64.0);
            }
        }
        assert!(used.len() <= 64);
        // 64 boxes of equal sides in a cube of 256 have an error of 64/√12 = 18.
        assert!(squares.sqrt() < 20.0, "{}", squares.sqrt());
        assert_eq!(small.as_ref().get(62, 62), Rgb::WHITE);
    }

    #[test]
    fn impossible_palettes_and_images_are_refused() {
        for colours in [0, 1, 257] {
            assert!(matches!(
                encode_small_png(&shades(), colours),
                Err(VizError::Shape { .. })
            ));
        }
        assert!(matches!(
            encode_small_png(&RgbImage::new(0, 3, Rgb::WHITE), 16),
            Err(VizError::Encode { .. })
        ));
    }
}
