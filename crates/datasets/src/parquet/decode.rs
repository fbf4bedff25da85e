//! Image files that stand in a column.

use std::io::Cursor;

use image::{ImageDecoder, ImageReader};

use super::FREE_VALUES;
use crate::reading::Colour;
use crate::shape::Shape;
use crate::table::MAX_RATIO;

/// What an image is, by the header of its file; with `colour` asked for, as
/// colour and alpha, from which what is asked for is made later.
///
/// # Errors
/// What was found instead, and what was expected.
pub(super) fn shape_of(file: &[u8], colour: Colour) -> Result<Shape, (String, String)> {
    let decoder = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|error| undecoded(&error))?
        .into_decoder()
        .map_err(|error| undecoded(&error))?;
    let (width, height) = decoder.dimensions();
    let channels = match colour {
        Colour::Automatic => usize::from(decoder.color_type().channel_count()),
        Colour::Grey | Colour::Rgb => 4,
    };
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    let limit = (file.len() as u64)
        .saturating_mul(MAX_RATIO)
        .max(FREE_VALUES);
    if pixels == 0 || pixels > limit {
        return Err((
            format!(
                "an image of {} bytes that claims {height}x{width}",
                file.len()
            ),
            "a size that its bytes can hold".to_owned(),
        ));
    }
    Ok(Shape::Image {
        height: height as usize,
        width: width as usize,
        channels,
    })
}

/// Decodes an image to the bytes of `shape`.
///
/// # Errors
/// As for [`shape_of`], and when the image has another size or would lose
/// colour or transparency.
pub(super) fn decode_image(
    file: &[u8],
    colour: Colour,
    shape: Shape,
    into: &mut [u8],
) -> Result<(), (String, String)> {
    let found = shape_of(file, colour)?;
    if found.size() != shape.size() {
        return Err((
            format!("an image of {}", size(found)),
            format!(
                "{} as the first one has; bring all to one size",
                size(shape)
            ),
        ));
    }
    let has_alpha = |shape: Shape| shape.channels().is_multiple_of(2);
    let loses =
        (found.channels() > 2 && shape.channels() <= 2) || (has_alpha(found) && !has_alpha(shape));
    if loses {
        return Err((
            format!("an image of {} channels", found.channels()),
            format!(
                "{} as the first one has; choose with --colour grey or --colour rgb",
                shape.channels()
            ),
        ));
    }
    let image = image::load_from_memory(file).map_err(|error| undecoded(&error))?;
    let bytes = match shape.channels() {
        1 => image.into_luma8().into_raw(),
        2 => image.into_luma_alpha8().into_raw(),
        3 => image.into_rgb8().into_raw(),
        _ => image.into_rgba8().into_raw(),
    };
    if bytes.len() != into.len() {
        return Err((
            "an image of another size than its header says".to_owned(),
            FILE.to_owned(),
        ));
    }
    into.copy_from_slice(&bytes);
    Ok(())
}

const FILE: &str = "a PNG, JPEG, WebP or BMP file";

fn undecoded(error: &dyn std::error::Error) -> (String, String) {
    let mut text = error.to_string().replace('\n', " ");
    text.truncate(
        text.char_indices()
            .nth(160)
            .map_or(text.len(), |(at, _)| at),
    );
    (format!("bytes that are no image ({text})"), FILE.to_owned())
}

fn size(shape: Shape) -> String {
    shape
        .size()
        .map_or_else(String::new, |(height, width)| format!("{height}x{width}"))
}
