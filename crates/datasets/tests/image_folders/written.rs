//! Image files of every kind, as real encoders write them.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder, ImageFormat};

/// A PNG of one colour type and bit depth.
pub(crate) struct Png<'a> {
    pub(crate) size: (u32, u32),
    pub(crate) colour: png::ColorType,
    pub(crate) depth: png::BitDepth,
    pub(crate) palette: Option<&'a [u8]>,
    pub(crate) transparency: Option<&'a [u8]>,
    pub(crate) exif: Option<Vec<u8>>,
    /// Frames that follow the image.
    pub(crate) more_frames: u32,
}

impl Png<'_> {
    /// Width and height, colour type and bits of a value.
    pub(crate) fn new(size: (u32, u32), colour: png::ColorType, depth: png::BitDepth) -> Self {
        Self {
            size,
            colour,
            depth,
            palette: None,
            transparency: None,
            exif: None,
            more_frames: 0,
        }
    }

    pub(crate) fn bytes(&self, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut info = png::Info::with_size(self.size.0, self.size.1);
        info.color_type = self.colour;
        info.bit_depth = self.depth;
        info.palette = self.palette.map(|palette| palette.to_vec().into());
        info.trns = self.transparency.map(|values| values.to_vec().into());
        info.exif_metadata = self.exif.clone().map(Into::into);
        if self.more_frames > 0 {
            info.animation_control = Some(png::AnimationControl {
                num_frames: 1 + self.more_frames,
                num_plays: 0,
            });
            info.frame_control = Some(png::FrameControl {
                width: self.size.0,
                height: self.size.1,
                ..png::FrameControl::default()
            });
        }
        let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
        let mut writer = encoder.write_header().unwrap();
        for frame in 0..=self.more_frames {
            let data: Vec<u8> = data.iter().map(|&byte| byte ^ frame as u8).collect();
            writer.write_image_data(&data).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }
}

/// A grey PNG of 8 bits.
pub(crate) fn grey_png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    Png::new(
        (width, height),
        png::ColorType::Grayscale,
        png::BitDepth::Eight,
    )
    .bytes(pixels)
}

/// An image in `format`, as the image crate writes it.
pub(crate) fn encoded(
    format: ImageFormat,
    (width, height): (u32, u32),
    colour: ExtendedColorType,
    pixels: &[u8],
) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    match format {
        ImageFormat::Jpeg => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100)
            .write_image(pixels, width, height, colour)
            .unwrap(),
        format => {
            image::write_buffer_with_format(&mut bytes, pixels, width, height, colour, format)
                .unwrap();
        }
    }
    bytes.into_inner()
}

/// EXIF data that say how an image is to be turned.
pub(crate) fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A JPEG with EXIF data behind its start marker.
pub(crate) fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend(((exif.len() + 8) as u16).to_be_bytes());
    bytes.extend(b"Exif\0\0");
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// An animated WebP of frames that are lossless WebP files of one size.
pub(crate) fn animated_webp((width, height): (u32, u32), frames: &[Vec<u8>]) -> Vec<u8> {
    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut bytes = name.to_vec();
        bytes.extend((content.len() as u32).to_le_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }
    let less_one = |size: u32| (size - 1).to_le_bytes()[..3].to_vec();
    // Animation (2) and alpha (16).
    let mut extended = vec![2 | 16, 0, 0, 0];
    extended.extend(less_one(width));
    extended.extend(less_one(height));
    let mut content = b"WEBP".to_vec();
    content.extend(chunk(b"VP8X", &extended));
    content.extend(chunk(b"ANIM", &[0; 6]));
    for frame in frames {
        let mut body = vec![0; 6];
        body.extend(less_one(width));
        body.extend(less_one(height));
        // 100 ms; neither blended nor disposed of.
        body.extend([100, 0, 0, 2]);
        // Behind "RIFF", a length and "WEBP".
        body.extend(&frame[12..]);
        content.extend(chunk(b"ANMF", &body));
    }
    chunk(b"RIFF", &content)
}

/// Writes a file, with the folders above it.
pub(crate) fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A grey PNG of 3 × 2 pixels that differs from that of another `seed`.
pub(crate) fn small(seed: u8) -> Vec<u8> {
    grey_png(3, 2, &small_pixels(seed))
}

pub(crate) fn small_pixels(seed: u8) -> Vec<u8> {
    (0..6)
        .map(|index| seed.wrapping_mul(37).wrapping_add(index * 11))
        .collect()
}
