//! PNG files with a palette: a fraction of the bytes, for copies of pictures
//! that many people load.

use std::path::Path;

use crate::palette::Palette;
use crate::png_file::png_dimension;
use crate::{GrayImage, Rgb, RgbImage, VizError, encode_png, write_atomically};

/// The bytes of a PNG file that shows the image in at most `colours` colours
/// (2 to 256); the same image gives the same bytes.
///
/// An image of no more colours keeps them all; otherwise the colours of classes and of the inks of
/// charts and the most frequent ones stay, and the others become the nearest of a median cut.
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
    let palette = Palette::of([image], colours);
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

/// The bytes of a PNG file that shows the image as faithfully as `most_bytes` allow: all of its
/// colours, else 256, 128 or 64 of them as [`encode_small_png`] chooses. 64 are kept whatever they
/// take: of a grey ramp, that many cannot be told from all.
///
/// # Errors
///
/// [`VizError::Encode`] for an image without pixels.
///
/// ```
/// use viz::{Image, Rgb, RgbImage, decode_png, encode_png_within};
/// let mut image = RgbImage::new(256, 40, Rgb::WHITE);
/// for at in 0..256 * 40 {
///     let grey = (at % 256) as u8;
///     image.set(at % 256, at / 256, Rgb(grey, grey, grey));
/// }
/// let bytes = encode_png_within(&image, 5_000)?;
/// assert!(bytes.len() <= 5_000);
/// assert_eq!(decode_png(&bytes)?.as_ref().get(101, 7), Rgb(101, 101, 101));
/// # Ok::<(), viz::VizError>(())
/// ```
pub fn encode_png_within(image: &RgbImage, most_bytes: usize) -> Result<Vec<u8>, VizError> {
    let mut bytes = match grey(image) {
        Some(grey) => encode_png(&grey, &[])?,
        None => encode_png(image, &[])?,
    };
    for colours in [256, 128, 64] {
        if bytes.len() <= most_bytes {
            break;
        }
        bytes = encode_small_png(image, colours)?;
    }
    Ok(bytes)
}

/// The image with one byte a pixel, if all of it is grey.
fn grey(image: &RgbImage) -> Option<GrayImage> {
    let pixels = image.pixels().chunks_exact(3);
    let values = pixels.map(|p| (p[0] == p[1] && p[1] == p[2]).then_some(p[0]));
    let values = values.collect::<Option<Vec<u8>>>()?;
    GrayImage::from_pixels(image.width(), image.height(), values).ok()
}

/// Writes the file atomically; see [`encode_png_within`].
///
/// # Errors
///
/// As [`encode_png_within`] and [`write_atomically`].
pub fn write_png_within(path: &Path, image: &RgbImage, most_bytes: usize) -> Result<(), VizError> {
    write_atomically(path, &encode_png_within(image, most_bytes)?)
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
    use std::collections::HashSet;

    use super::*;
    use crate::charts::ClassScatter;
    use crate::colour_difference::{ciede2000, lab};
    use crate::{Figure, Image, class_colour, decode_png};

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
            // Weighted as differences are seen, in the mean by 1.
            for (a, b, seen) in [(r, r0, 2.0), (g, g0, 4.0), (b, b0, 3.0)] {
                let difference = f64::from(a) - f64::from(b);
                squares += seen / 3.0 * difference.powi(2) / (3.0 * 64.0 * 64.0);
            }
        }
        assert!(used.len() <= 64);
        // 64 boxes of equal sides in a cube of 256 have an error of 64/√12 = 18.
        assert!(squares.sqrt() < 20.0, "{}", squares.sqrt());
        assert_eq!(small.as_ref().get(62, 62), Rgb::WHITE);
    }

    /// Mean and 95 % quantile of CIEDE2000 over the pixels that are not white.
    fn differences(image: &RgbImage, bytes: &[u8]) -> [f64; 2] {
        let back = decode_png(bytes).unwrap();
        let mut all: Vec<f64> = (0..image.height())
            .flat_map(|y| (0..image.width()).map(move |x| (x, y)))
            .filter(|&(x, y)| image.get(x, y) != Rgb::WHITE)
            .map(|(x, y)| ciede2000(lab(image.get(x, y)), lab(back.as_ref().get(x, y))))
            .collect();
        all.sort_by(f64::total_cmp);
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        [mean, all[all.len() * 95 / 100]]
    }

    #[test]
    fn a_scatter_keeps_the_colours_of_its_classes() {
        let points: Vec<[f64; 2]> = (0..4000)
            .map(|i| [(f64::from(i) * 0.618) % 1.0, (f64::from(i) * 0.414) % 1.0])
            .collect();
        let classes: Vec<u32> = points
            .iter()
            .map(|p| (10.0 * (p[0] + 0.3 * p[1]) / 1.31) as u32)
            .collect();
        let names: Vec<String> = (0..10).map(|i| format!("{i}")).collect();
        let plot = ClassScatter {
            points: &points,
            classes: (&classes).into(),
            class_names: &names,
            ..ClassScatter::default()
        };
        let figure = Figure {
            scale: 1.0,
            ..Figure::of(plot.plot().unwrap())
        };
        let image = figure.render();
        for (colours, [mean, most]) in [(64, [3.6, 8.0]), (128, [2.4, 5.5]), (256, [1.6, 4.0])] {
            let bytes = encode_small_png(&image, colours).unwrap();
            let found = differences(&image, &bytes);
            assert!(found[0] < mean && found[1] < most, "{colours}: {found:?}");
            let back = decode_png(&bytes).unwrap();
            let pixels: HashSet<Rgb> = (0..image.width() * image.height())
                .map(|at| back.as_ref().get(at % image.width(), at / image.width()))
                .collect();
            // The legend's markers are their pure colours.
            for class in 0..10 {
                assert!(pixels.contains(&class_colour(class)), "{colours}: {class}");
            }
        }
    }

    #[test]
    fn a_grey_ramp_looks_the_same_within_any_size() {
        let mut image = RgbImage::new(256, 64, Rgb::WHITE);
        for at in 0..256 * 64usize {
            // Noise, which no filter makes small.
            let mixed = (at as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let grey = ((mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> 56) as u8;
            image.set(at % 256, at / 256, Rgb(grey, grey, grey));
        }
        let all = encode_png_within(&image, usize::MAX).unwrap();
        assert_eq!(
            decode_png(&all).unwrap().as_ref().to_image(),
            Image::Gray(grey(&image).unwrap())
        );
        let least = encode_png_within(&image, 0).unwrap();
        assert!(least.len() < all.len());
        let [mean, most] = differences(&image, &least);
        assert!(mean < 0.6 && most < 1.2, "{mean} {most}");
        let between = encode_png_within(&image, all.len() - 1).unwrap();
        assert!(between.len() < all.len() && between.len() > least.len());
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
