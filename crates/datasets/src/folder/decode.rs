//! One image file: its bytes, its header, its pixels.

use std::error::Error;
use std::io::{self, Cursor, Read};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits};

use crate::error::DataError;
use crate::folder::problem::ImageProblem;
use crate::shape::Shape;

/// Bytes of a decoded image at most, before it is brought to its size: 8192
/// pixels square in colour and more.
pub(super) const MAX_DECODED_BYTES: u64 = 256 << 20;

/// Bytes of an image file at most: one that stores a decoded image as it is.
pub(super) const MAX_FILE_BYTES: u64 = 2 * MAX_DECODED_BYTES;

/// Bytes that hold the header of nearly every image.
const HEADER_BYTES: usize = 1 << 16;

/// What is known of an image before it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Rows of pixels, as the image is to be seen.
    pub(crate) height: u32,
    /// Pixels in a row.
    pub(crate) width: u32,
    /// 1 (grey), 2 (grey and alpha), 3 (colour) or 4 (colour and alpha).
    pub(crate) channels: u8,
    /// Whether it has frames of which only the first is read.
    pub(crate) is_animated: bool,
}

/// The pixels of an image as it is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// 1 to 4, as in a [`Header`].
    pub(crate) channels: usize,
    /// Row by row, the channels of a pixel side by side.
    pub(crate) values: Vec<u8>,
}

impl Pixels {
    pub(crate) fn shape(&self) -> Shape {
        Shape::Image {
            height: self.height,
            width: self.width,
            channels: self.channels,
        }
    }
}

/// Reads a file whole into `buffer`.
pub(super) fn read_file(path: &Path, buffer: &mut Vec<u8>) -> Result<(), DataError> {
    read_up_to(path, usize::MAX, buffer).map(|_| ())
}

/// The header of the image in `path`; `buffer` is for its bytes.
pub(super) fn read_header(path: &Path, buffer: &mut Vec<u8>) -> Result<Header, DataError> {
    let size = read_up_to(path, HEADER_BYTES, buffer)?;
    if buffer.len() as u64 == size {
        return header(buffer, size).map_err(|problem| in_file(path, problem));
    }
    // Beyond the first bytes are long comments, or nothing good.
    header(buffer, size).or_else(|_| {
        read_file(path, buffer)?;
        header(buffer, size).map_err(|problem| in_file(path, problem))
    })
}

pub(super) fn in_file(path: &Path, problem: ImageProblem) -> DataError {
    DataError::Image {
        path: path.to_owned(),
        problem,
    }
}

/// Reads the first `limit` bytes of a file; gives its size.
fn read_up_to(path: &Path, limit: usize, buffer: &mut Vec<u8>) -> Result<u64, DataError> {
    let unreadable = |source| DataError::Read {
        path: path.to_owned(),
        source,
    };
    buffer.clear();
    let (mut file, size) = input_files::open_sized(path).map_err(unreadable)?;
    if size > MAX_FILE_BYTES {
        return Err(in_file(path, ImageProblem::LargeFile { bytes: size }));
    }
    let count = size.min(limit as u64) as usize;
    buffer.resize(count, 0);
    match file.read_exact(buffer) {
        Ok(()) => Ok(size),
        // It became shorter since its size was asked for.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(in_file(path, ImageProblem::Changed))
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Whether a file begins as one of the formats.
pub(crate) fn begins_as_image(bytes: &[u8]) -> bool {
    format_of(bytes).is_ok()
}

/// The header of an image from its first `bytes`, or all of its `size`.
pub(crate) fn header(bytes: &[u8], size: u64) -> Result<Header, ImageProblem> {
    let format = format_of(bytes)?;
    let mut opened = Opened::new(format, bytes, size)?;
    let orientation = opened.orientation()?;
    let (width, height) = opened.decoder.dimensions();
    let (width, height) = if is_turned(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    Ok(Header {
        height,
        width,
        channels: opened.decoder.color_type().channel_count(),
        is_animated: opened.is_animated,
    })
}

/// The pixels of an image from all of its bytes: of the first frame, turned
/// as its EXIF data say, 16 bits rounded to 8.
pub(crate) fn decode(bytes: &[u8]) -> Result<Pixels, ImageProblem> {
    let size = bytes.len() as u64;
    let format = format_of(bytes)?;
    let mut opened = Opened::new(format, bytes, size)?;
    let orientation = opened.orientation()?;
    let mut image = DynamicImage::from_decoder(opened.decoder)
        .map_err(|error| problem_of(&error, format, size))?;
    image.apply_orientation(orientation);
    let (height, width) = (image.height() as usize, image.width() as usize);
    let channels = usize::from(image.color().channel_count());
    let values = match image {
        DynamicImage::ImageLuma8(image) => image.into_raw(),
        DynamicImage::ImageLumaA8(image) => image.into_raw(),
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => image.into_raw(),
        DynamicImage::ImageLuma16(image) => to_bytes(&image),
        DynamicImage::ImageLumaA16(image) => to_bytes(&image),
        DynamicImage::ImageRgb16(image) => to_bytes(&image),
        DynamicImage::ImageRgba16(image) => to_bytes(&image),
        other => {
            return Err(ImageProblem::Unsupported {
                format: name(format),
                detail: format!("pixels of type {:?}", other.color()),
            });
        }
    };
    Ok(Pixels {
        height,
        width,
        channels,
        values,
    })
}

/// The nearest of 256 levels: 65535 = 257 · 255.
fn to_bytes(values: &[u16]) -> Vec<u8> {
    values
        .iter()
        .map(|&value| ((u32::from(value) + 128) / 257) as u8)
        .collect()
}

fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// A decoder whose size has been found acceptable.
struct Opened<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    format: ImageFormat,
    size: u64,
    is_animated: bool,
}

impl<'a> Opened<'a> {
    /// Of `bytes`, the first of a file of `size`.
    fn new(format: ImageFormat, bytes: &'a [u8], size: u64) -> Result<Self, ImageProblem> {
        let damaged = |error| problem_of(&error, format, size);
        if format == ImageFormat::Png {
            check_png(bytes, size)?;
        }
        if is_cut_short(format, bytes, size) {
            return Err(ImageProblem::Truncated {
                format: name(format),
                bytes: size,
            });
        }
        let reader = Cursor::new(bytes);
        let (decoder, is_animated): (Box<dyn ImageDecoder + 'a>, bool) = match format {
            ImageFormat::Png => {
                let mut limits = Limits::no_limits();
                limits.max_alloc = Some(MAX_DECODED_BYTES);
                let decoder = PngDecoder::with_limits(reader, limits).map_err(damaged)?;
                let is_animated = decoder.is_apng().map_err(damaged)?;
                (Box::new(decoder), is_animated)
            }
            ImageFormat::Jpeg => (Box::new(JpegDecoder::new(reader).map_err(damaged)?), false),
            ImageFormat::WebP => {
                let decoder = WebPDecoder::new(reader).map_err(damaged)?;
                let is_animated = decoder.has_animation();
                (Box::new(decoder), is_animated)
            }
            _ => (Box::new(BmpDecoder::new(reader).map_err(damaged)?), false),
        };
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(ImageProblem::Damaged {
                format: name(format),
                detail: format!("it claims {width}x{height} pixels"),
            });
        }
        if decoder.total_bytes() > MAX_DECODED_BYTES {
            return Err(ImageProblem::TooLarge { width, height });
        }
        let pixels = u64::from(width) * u64::from(height);
        let is_plausible = match format {
            // A block of 8 × 8 pixels takes one bit at least, and stands for
            // 4 × 4 as many where the first component is subsampled most.
            ImageFormat::Jpeg => pixels <= 8 * 64 * 16 * size,
            // One colour takes no bits at all; past 4096 × 4096 pixels of it, a
            // damaged header is likelier.
            ImageFormat::WebP => pixels <= (1 << 24) + (size << 16),
            ImageFormat::Bmp => bmp_pixels(bytes, size).is_none_or(|most| pixels <= most),
            _ => true,
        };
        if !is_plausible {
            return Err(ImageProblem::Implausible {
                format: name(format),
                width,
                height,
                bytes: size,
            });
        }
        Ok(Self {
            decoder,
            format,
            size,
            is_animated,
        })
    }

    fn orientation(&mut self) -> Result<Orientation, ImageProblem> {
        self.decoder
            .orientation()
            .map_err(|error| problem_of(&error, self.format, self.size))
    }
}

/// Refuses a PNG with more pixels than its bytes can hold: DEFLATE packs 258
/// bytes into two bits at best, 1032 into one byte.
fn check_png(bytes: &[u8], size: u64) -> Result<(), ImageProblem> {
    // Signature, length, "IHDR", width, height, bits, colour type.
    let Some(header) = bytes.get(16..26) else {
        return Err(ImageProblem::Truncated {
            format: name(ImageFormat::Png),
            bytes: size,
        });
    };
    let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|index| header[at + index]));
    let (width, height) = (number(0), number(4));
    let channels = match header[9] {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let row_bits = u64::from(width) * channels * u64::from(header[8]);
    if (row_bits / 8).saturating_mul(u64::from(height)) > size.saturating_mul(1032) {
        return Err(ImageProblem::Implausible {
            format: name(ImageFormat::Png),
            width,
            height,
            bytes: size,
        });
    }
    Ok(())
}

/// How many pixels a BMP of this size holds at most; none where it is
/// compressed, which may leave out any number of them.
fn bmp_pixels(bytes: &[u8], size: u64) -> Option<u64> {
    let number = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    // The file header of 14 bytes, then that of OS/2 (12 bytes) or of Windows.
    let (bits, compression) = match number(14)? {
        12 => (number(24)?, 0),
        _ => (number(28)?, number(30)?),
    };
    // 0 is plain, 3 and 6 are plain with masks.
    (matches!(compression, 0 | 3 | 6) && bits > 0).then(|| 8 * size / u64::from(bits))
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Bmp),
        ) => Ok(format),
        _ => Err(ImageProblem::NotImage {
            found: beginning(bytes),
        }),
    }
}

/// The first bytes of a file, as text where they are text.
fn beginning(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(12)];
    if first.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        format!("\"{}\"", String::from_utf8_lossy(first))
    } else {
        let hexadecimal: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("bytes {}", hexadecimal.join(" "))
    }
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        _ => "BMP",
    }
}

fn problem_of(error: &ImageError, format: ImageFormat, bytes: u64) -> ImageProblem {
    // The innermost cause; what is around it repeats it.
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let detail = cause.to_string().replace(['\n', '\r'], " ");
    let detail = detail.trim_end_matches('.').to_owned();
    let ends_early = [Some(cause), Some(error as &dyn Error)]
        .into_iter()
        .flatten()
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::UnexpectedEof)
        || matches!(error, ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof);
    let format = name(format);
    match error {
        _ if ends_early => ImageProblem::Truncated { format, bytes },
        ImageError::Unsupported(_) => ImageProblem::Unsupported { format, detail },
        _ => ImageProblem::Damaged { format, detail },
    }
}

/// Whether a file lacks its end, as far as that is seen from outside: decoders
/// fill what is missing with grey, or take it for damage.
fn is_cut_short(format: ImageFormat, bytes: &[u8], size: u64) -> bool {
    match format {
        // The content has the length of the file, less eight bytes.
        ImageFormat::WebP => bytes.get(4..8).is_none_or(|length| {
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            size < u64::from(length) + 8
        }),
        ImageFormat::Jpeg => bytes.len() as u64 == size && !has_end_marker(bytes),
        _ => false,
    }
}

/// Whether the segments of a JPEG lead to its end marker: a thumbnail within
/// has one too. ITU-T T.81, annex B.1.1.
fn has_end_marker(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // A marker is FF, any number of times, and a byte that is not 00 or FF.
        let Some(offset) = bytes.get(at..).and_then(|rest| {
            rest.windows(2)
                .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))
        }) else {
            return false;
        };
        let marker = bytes[at + offset + 1];
        at += offset + 2;
        match marker {
            0xd9 => return true,
            // Without content: restarts, start, TEM. Behind the header of a
            // scan come its bits, in which FF is followed by 00.
            0xd0..=0xd8 | 0x01 => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_jpeg_is_not_that_of_a_thumbnail_or_of_its_bits() {
        let start = [0xff, 0xd8];
        let thumbnail = [0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let scan = [0xff, 0xda, 0, 3, 1, 0xff, 0, 0xd9, 0xff, 0xd0, 7];
        let whole = [&start[..], &thumbnail, &scan, &[0xff, 0xff, 0xd9]].concat();
        assert!(has_end_marker(&whole));
        assert!(has_end_marker(&[&whole[..], b"padding"].concat()));
        for length in 0..whole.len() {
            assert!(!has_end_marker(&whole[..length]), "{length}");
        }
        // A segment that is longer than the file.
        assert!(!has_end_marker(&[
            0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 0xff, 0xd9
        ]));
    }

    #[test]
    fn headers_are_found_behind_long_comments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.jpg");
        let mut jpeg = Cursor::new(Vec::new());
        image::GrayImage::from_pixel(9, 5, image::Luma([7]))
            .write_to(&mut jpeg, ImageFormat::Jpeg)
            .unwrap();
        let jpeg = jpeg.into_inner();
        let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[b'x'; 0xfffd]].concat();
        std::fs::write(&path, [&jpeg[..2], &comment, &comment, &jpeg[2..]].concat()).unwrap();
        let mut buffer = Vec::new();
        let header = read_header(&path, &mut buffer).unwrap();
        assert_eq!((header.height, header.width, header.channels), (5, 9, 1));
        assert!(buffer.len() > HEADER_BYTES);
    }

    #[test]
    fn every_pair_of_bytes_is_rounded_to_the_nearest() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        for (value, byte) in all.iter().zip(to_bytes(&all)) {
            assert_eq!(f64::from(byte), (f64::from(*value) / 257.0).round());
        }
    }
}
