use std::io::Cursor;

use crate::{Rgb, RgbImage, VizError};

/// What an animation's file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// The pictures as they are seen.
    pub images: Vec<RgbImage>,
    /// How long each is shown.
    pub milliseconds: Vec<u16>,
    /// How often they are played, 0 for ever.
    pub plays: u32,
}

/// The frames of an APNG file as they are seen, composed as the format prescribes.
///
/// # Errors
///
/// [`VizError::Decode`] for a file that is not an animation of 8-bit grey, RGB or palette pixels.
pub fn decode_apng(bytes: &[u8]) -> Result<Frames, VizError> {
    let failed = |error: png::DecodingError| VizError::Decode {
        reason: error.to_string(),
    };
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let Some(control) = reader.info().animation_control().copied() else {
        return Err(VizError::Decode {
            reason: "found a still image, expected an animation".to_string(),
        });
    };
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| VizError::Decode {
            reason: "its size does not fit the memory".to_string(),
        })?;
    let mut buffer = vec![0; size];
    let mut shown = RgbImage::new(width, height, Rgb::BLACK);
    let mut frames = Frames {
        images: Vec::new(),
        milliseconds: Vec::new(),
        plays: control.num_plays,
    };
    for _ in 0..control.num_frames {
        let output = reader.next_frame(&mut buffer).map_err(failed)?;
        let Some(region) = reader.info().frame_control().copied() else {
            return Err(VizError::Decode {
                reason: "found a frame without its control chunk".to_string(),
            });
        };
        let samples = output.color_type.samples();
        for (at, pixel) in buffer[..output.buffer_size()]
            .chunks_exact(samples)
            .enumerate()
        {
            let x = region.x_offset as usize + at % region.width as usize;
            let y = region.y_offset as usize + at / region.width as usize;
            let (colour, alpha) = match *pixel {
                [v] => (Rgb(v, v, v), 255),
                [v, a] => (Rgb(v, v, v), a),
                [r, g, b] => (Rgb(r, g, b), 255),
                [r, g, b, a] => (Rgb(r, g, b), a),
                _ => (Rgb::BLACK, 0),
            };
            if alpha == 255 {
                shown.set(x, y, colour);
            }
        }
        frames.images.push(shown.clone());
        let denominator = match region.delay_den {
            0 => 100,
            other => u32::from(other),
        };
        let milliseconds = u32::from(region.delay_num) * 1000 / denominator;
        frames
            .milliseconds
            .push(u16::try_from(milliseconds).unwrap_or(u16::MAX));
    }
    Ok(frames)
}
