//! What is done to a row on its way in: transparency, colour, orientation,
//! size, range, in this order.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Pixel, Rgb};
use rayon::prelude::*;

use crate::error::DataError;
use crate::needs;
use crate::part::{Part, ReadRows, RowsInto};
use crate::reading::{Colour, Reading};
use crate::shape::Shape;
use crate::values::{Kind, Values, ValuesMut};

/// Raw values that are prepared at a time, in bytes.
const CHUNK_BYTES: usize = 8 << 20;

/// Puts what `reading` asks for between a part and its reader; the part as it
/// is where nothing has to be done.
pub(crate) fn prepared(part: Part, reading: &Reading) -> Result<Part, DataError> {
    let raw = Raw {
        shape: declared(&part, reading)?,
        kind: part.kind,
    };
    needs::check_row(&part)?;
    let preparation = Preparation::new(&part, raw, reading)?;
    // Rows of another shape are another data set, which the digests that some
    // readers have do not know: they are prepared all the same.
    if preparation.is_identity() && raw.shape == part.shape {
        return Ok(part);
    }
    Ok(Part {
        shape: preparation.shape,
        kind: preparation.kind,
        rows: Box::new(PreparedRows {
            inner: part.rows,
            buffer: Values::zeros(raw.kind, 0),
            preparation,
        }),
        ..part
    })
}

/// Brings one image of bytes to the height, width and channels (1 or 3) of
/// `to`: transparency, colour and size, the rest is for [`prepared`].
///
/// # Panics
/// When a length is not that of its shape, or `to` is no such image.
pub(crate) fn fit_image(raw: &[u8], from: Shape, to: Shape, background: [u8; 3], out: &mut [u8]) {
    if from == to {
        out.copy_from_slice(raw);
        return;
    }
    assert_eq!(raw.len(), from.len(), "fit_image: length of the image");
    Preparation {
        raw: Raw {
            shape: from,
            kind: Kind::Bytes,
        },
        shape: to,
        kind: Kind::Bytes,
        channels: to.channels(),
        background,
        transposed: false,
        resize: to.size().filter(|_| to.size() != from.size()),
        divisor: None,
        invert: false,
    }
    .bytes(raw, out);
}

/// The shape of a part, as `--shape` says where it says something.
fn declared(part: &Part, reading: &Reading) -> Result<Shape, DataError> {
    match reading.shape {
        // Images have a shape of their own; a declared one is for vectors, or
        // makes vectors of images.
        Some(shape)
            if part.shape.len() != shape.len()
                || (part.shape.is_image() && shape.is_image() && part.shape != shape) =>
        {
            Err(DataError::DeclaredShape {
                path: part.path.clone(),
                found: part.shape,
                declared: shape,
            })
        }
        Some(shape) => Ok(shape),
        // Rows without values cannot be counted from their bytes.
        None if part.shape.len() == 0 => Err(DataError::NoValues {
            path: part.path.clone(),
        }),
        None => Ok(part.shape),
    }
}

/// A row as it is stored in the source.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Raw {
    shape: Shape,
    kind: Kind,
}

/// From rows of one shape and kind to rows of another.
#[derive(Clone, Debug)]
struct Preparation {
    raw: Raw,
    shape: Shape,
    kind: Kind,
    /// Channels after transparency and colour have been dealt with.
    channels: usize,
    background: [u8; 3],
    transposed: bool,
    /// Height and width to bring images to.
    resize: Option<(usize, usize)>,
    /// What values are divided by, where that changes them.
    divisor: Option<f64>,
    invert: bool,
}

impl Preparation {
    fn new(part: &Part, raw: Raw, reading: &Reading) -> Result<Self, DataError> {
        let (shape, channels) = match raw.shape {
            Shape::Vector { length } => {
                if reading.resize.is_some() || reading.transposed {
                    return Err(DataError::Reading {
                        option: if reading.transposed {
                            "--transposed"
                        } else {
                            "--resize"
                        },
                        found: format!("given for vectors of {length} values"),
                        expected: "images; name their shape with --shape, such as 28x28",
                    });
                }
                (raw.shape, 1)
            }
            Shape::Image {
                height,
                width,
                channels,
            } => {
                if !(1..=4).contains(&channels) {
                    return Err(DataError::Channels {
                        path: part.path.clone(),
                        channels,
                    });
                }
                let is_grey = match reading.colour {
                    Colour::Automatic => channels <= 2,
                    Colour::Grey => true,
                    Colour::Rgb => false,
                };
                let turned = if reading.transposed {
                    (width, height)
                } else {
                    (height, width)
                };
                let (height, width) = reading.resize.unwrap_or(turned);
                let channels = if is_grey { 1 } else { 3 };
                let shape = Shape::Image {
                    height,
                    width,
                    channels,
                };
                (shape, channels)
            }
        };
        let full = match raw.kind {
            Kind::Bytes => 255.0,
            Kind::Floats => 1.0,
        };
        let divisor = reading.maximum.filter(|&maximum| maximum != full);
        let resize = reading.resize.filter(|&size| match raw.shape {
            Shape::Image { height, width, .. } if reading.transposed => size != (width, height),
            Shape::Image { height, width, .. } => size != (height, width),
            Shape::Vector { .. } => false,
        });
        Ok(Self {
            raw,
            shape,
            kind: if divisor.is_some() {
                Kind::Floats
            } else {
                raw.kind
            },
            channels,
            background: reading.background,
            transposed: reading.transposed,
            resize,
            divisor,
            invert: reading.invert,
        })
    }

    fn is_identity(&self) -> bool {
        self.shape == self.raw.shape
            && self.kind == self.raw.kind
            && !self.transposed
            && !self.invert
            && self.resize.is_none()
            && self.divisor.is_none()
    }

    /// The row that `raw` becomes, bytes to bytes.
    fn bytes(&self, raw: &[u8], out: &mut [u8]) {
        let stored = |value: f32| (255.0 * value).round() as u8;
        let (row, size) = self.arranged(raw, |byte| f32::from(byte) / 255.0, stored);
        let row = match self.resize {
            None => row,
            Some(to) if self.channels == 1 => resized::<Luma<u8>>(&row, size, to),
            Some(to) => resized::<Rgb<u8>>(&row, size, to),
        };
        for (out, value) in out.iter_mut().zip(row) {
            *out = if self.invert { 255 - value } else { value };
        }
    }

    /// Bytes to the floats they stand for.
    fn scaled_bytes(&self, raw: &[u8], out: &mut [f32]) {
        let divisor = self.divisor.unwrap_or(255.0);
        let scaled: Vec<f32> = raw
            .iter()
            .enumerate()
            .map(|(at, &byte)| {
                // Alpha is a share of its own full scale, not ink.
                let full = if self.is_alpha(at) { 255.0 } else { divisor };
                (f64::from(byte) / full) as f32
            })
            .collect();
        self.arranged_floats(&scaled, out);
    }

    fn floats(&self, raw: &[f32], out: &mut [f32]) {
        let Some(divisor) = self.divisor else {
            return self.arranged_floats(raw, out);
        };
        let scaled: Vec<f32> = raw
            .iter()
            .map(|&value| (f64::from(value) / divisor) as f32)
            .collect();
        self.arranged_floats(&scaled, out);
    }

    /// Whether a place of a raw row holds transparency.
    fn is_alpha(&self, at: usize) -> bool {
        let channels = self.raw.shape.channels();
        self.raw.shape.is_image() && channels.is_multiple_of(2) && (at + 1).is_multiple_of(channels)
    }

    fn arranged_floats(&self, scaled: &[f32], out: &mut [f32]) {
        let (row, size) = self.arranged(scaled, |value| value, |value| value);
        let row = match self.resize {
            None => row,
            Some(to) if self.channels == 1 => resized_floats::<Luma<f32>>(&row, size, to),
            Some(to) => resized_floats::<Rgb<f32>>(&row, size, to),
        };
        for (out, value) in out.iter_mut().zip(row) {
            *out = if self.invert { 1.0 - value } else { value };
        }
    }

    /// Transparency, colour and orientation; the height and width afterwards.
    fn arranged<V: Copy>(
        &self,
        raw: &[V],
        value: impl Fn(V) -> f32,
        stored: impl Fn(f32) -> V,
    ) -> (Vec<V>, (usize, usize)) {
        let Shape::Image {
            height,
            width,
            channels,
        } = self.raw.shape
        else {
            return (raw.to_vec(), (1, raw.len()));
        };
        let row = if channels == self.channels {
            raw.to_vec()
        } else {
            self.composed(raw, channels, value, stored)
        };
        if self.transposed {
            (
                transposed(&row, height, width, self.channels),
                (width, height),
            )
        } else {
            (row, (height, width))
        }
    }

    /// Pixels of `channels` values as pixels of the wanted number: alpha is
    /// composed on the background, colours become luma (ITU-R BT.601), grey
    /// becomes three equal values.
    fn composed<V: Copy>(
        &self,
        raw: &[V],
        channels: usize,
        value: impl Fn(V) -> f32,
        stored: impl Fn(f32) -> V,
    ) -> Vec<V> {
        let background = self.background.map(|byte| f32::from(byte) / 255.0);
        let mut row = Vec::with_capacity(raw.len() / channels * self.channels);
        for pixel in raw.chunks_exact(channels) {
            let mut colour = if channels <= 2 {
                [value(pixel[0]); 3]
            } else {
                [value(pixel[0]), value(pixel[1]), value(pixel[2])]
            };
            if channels.is_multiple_of(2) {
                let alpha = value(pixel[channels - 1]);
                for (colour, background) in colour.iter_mut().zip(background) {
                    *colour = alpha * *colour + (1.0 - alpha) * background;
                }
            }
            if self.channels == 3 {
                row.extend(colour.map(&stored));
            } else if colour[0] == colour[1] && colour[1] == colour[2] {
                // A grey pixel keeps its value to the bit.
                row.push(stored(colour[0]));
            } else {
                let [red, green, blue] = colour;
                row.push(stored(0.299 * red + 0.587 * green + 0.114 * blue));
            }
        }
        row
    }
}

fn transposed<V: Copy>(row: &[V], height: usize, width: usize, channels: usize) -> Vec<V> {
    let mut turned = Vec::with_capacity(row.len());
    for x in 0..width {
        for y in 0..height {
            let at = (y * width + x) * channels;
            turned.extend_from_slice(&row[at..at + channels]);
        }
    }
    turned
}

/// Bilinear interpolation, over the area of a pixel where the image becomes
/// smaller: no ringing, so values keep their range.
fn resized<P>(row: &[P::Subpixel], from: (usize, usize), to: (usize, usize)) -> Vec<P::Subpixel>
where
    P: Pixel + 'static,
    P::Subpixel: 'static,
{
    let image = ImageBuffer::<P, _>::from_raw(from.1 as u32, from.0 as u32, row)
        .expect("the shape was checked when the source was opened");
    imageops::resize(&image, to.1 as u32, to.0 as u32, FilterType::Triangle).into_raw()
}

/// The same for floats of any range: the resizing clips to [0, 1], so values
/// beyond are brought there and back, which a weighted mean allows.
fn resized_floats<P>(row: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32>
where
    P: Pixel<Subpixel = f32> + 'static,
{
    let low = row.iter().copied().fold(0.0f32, f32::min);
    let high = row.iter().copied().fold(1.0f32, f32::max);
    if low == 0.0 && high == 1.0 {
        return resized::<P>(row, from, to);
    }
    let span = high - low;
    let inside: Vec<f32> = row.iter().map(|&value| (value - low) / span).collect();
    let mut resized = resized::<P>(&inside, from, to);
    for value in &mut resized {
        *value = *value * span + low;
    }
    resized
}

/// Rows of a part on their way through a [`Preparation`].
struct PreparedRows {
    inner: Box<dyn ReadRows>,
    preparation: Preparation,
    /// Raw rows of one read.
    buffer: Values,
}

impl ReadRows for PreparedRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let (raw, row) = (
            self.preparation.raw.shape.len(),
            self.preparation.shape.len(),
        );
        let raw_bytes = raw * self.preparation.raw.kind.bytes();
        // Raw rows may be far larger than what becomes of them.
        let at_once = (CHUNK_BYTES / raw_bytes).max(1);
        let mut left = into.values.len() / row;
        let mut rest = into.values.reborrow();
        while left > 0 {
            let rows = left.min(at_once);
            let (now, later) = rest.split_at(rows * row);
            self.read_rows(rows, now, into.labels, into.names)?;
            rest = later;
            left -= rows;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        // The digests are those of the rows before they were prepared.
        self.inner.finish().map(|_| None)
    }
}

impl PreparedRows {
    /// Reads and prepares so many rows.
    fn read_rows(
        &mut self,
        rows: usize,
        out: ValuesMut<'_>,
        labels: &mut Vec<i64>,
        names: &mut Vec<String>,
    ) -> Result<(), DataError> {
        let preparation = &self.preparation;
        let (raw, row) = (preparation.raw.shape.len(), preparation.shape.len());
        if self.buffer.len() != rows * raw {
            self.buffer = Values::zeros(preparation.raw.kind, rows * raw);
        }
        self.inner.read(&mut RowsInto {
            values: self.buffer.as_mut(),
            labels,
            names,
        })?;
        match (&self.buffer, out) {
            (Values::Bytes(rows), ValuesMut::Bytes(out)) => rows
                .par_chunks_exact(raw)
                .zip(out.par_chunks_exact_mut(row))
                .for_each(|(raw, out)| preparation.bytes(raw, out)),
            (Values::Bytes(rows), ValuesMut::Floats(out)) => rows
                .par_chunks_exact(raw)
                .zip(out.par_chunks_exact_mut(row))
                .for_each(|(raw, out)| preparation.scaled_bytes(raw, out)),
            (Values::Floats(rows), ValuesMut::Floats(out)) => rows
                .par_chunks_exact(raw)
                .zip(out.par_chunks_exact_mut(row))
                .for_each(|(raw, out)| preparation.floats(raw, out)),
            (Values::Floats(_), ValuesMut::Bytes(_)) => {
                unreachable!("a preparation never makes bytes of floats")
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preparation(shape: Shape, kind: Kind, reading: &Reading) -> Preparation {
        struct Nothing;
        impl ReadRows for Nothing {
            fn read(&mut self, _: &mut RowsInto<'_>) -> Result<(), DataError> {
                Ok(())
            }
        }
        let part = Part {
            path: "images".into(),
            count: 1,
            shape,
            kind,
            is_labelled: false,
            is_named: false,
            rows: Box::new(Nothing),
        };
        Preparation::new(&part, Raw { shape, kind }, reading).unwrap()
    }

    fn image(height: usize, width: usize, channels: usize) -> Shape {
        Shape::Image {
            height,
            width,
            channels,
        }
    }

    fn bytes(shape: Shape, reading: &Reading, raw: &[u8]) -> Vec<u8> {
        let preparation = preparation(shape, Kind::Bytes, reading);
        let mut out = vec![0; preparation.shape.len()];
        preparation.bytes(raw, &mut out);
        out
    }

    #[test]
    fn alpha_is_composed_on_the_background() {
        let raw = [200, 100, 0, 255, 200, 100, 0, 0, 200, 100, 0, 51];
        let black = bytes(image(1, 3, 4), &Reading::default(), &raw);
        assert_eq!(black, [200, 100, 0, 0, 0, 0, 40, 20, 0]);
        let white = Reading {
            background: [255; 3],
            ..Reading::default()
        };
        let white = bytes(image(1, 3, 4), &white, &raw);
        assert_eq!(white, [200, 100, 0, 255, 255, 255, 244, 224, 204]);
        // Grey with alpha stays grey.
        assert_eq!(bytes(image(1, 1, 2), &Reading::default(), &[100, 51]), [20]);
    }

    #[test]
    fn grey_is_luma_and_grey_pixels_keep_their_value() {
        let grey = Reading {
            colour: Colour::Grey,
            ..Reading::default()
        };
        let raw = [255, 0, 0, 0, 255, 0, 0, 0, 255, 17, 17, 17];
        assert_eq!(bytes(image(2, 2, 3), &grey, &raw), [76, 150, 29, 17]);
        let every: Vec<u8> = (0..=255u8).flat_map(|byte| [byte; 3]).collect();
        let kept = bytes(image(16, 16, 3), &grey, &every);
        assert!(kept.iter().copied().eq(0..=255));
        let rgb = Reading {
            colour: Colour::Rgb,
            ..Reading::default()
        };
        assert_eq!(bytes(image(1, 1, 1), &rgb, &[9]), [9, 9, 9]);
    }

    #[test]
    fn transposing_twice_is_nothing() {
        let reading = Reading {
            transposed: true,
            ..Reading::default()
        };
        let raw: Vec<u8> = (0..18).collect();
        let once = bytes(image(2, 3, 3), &reading, &raw);
        assert_eq!(once[..6], [0, 1, 2, 9, 10, 11]);
        assert_eq!(bytes(image(3, 2, 3), &reading, &once), raw);
    }

    #[test]
    fn resizing_keeps_means_and_constants() {
        let reading = Reading {
            resize: Some((2, 2)),
            ..Reading::default()
        };
        let raw = [0, 100, 0, 100, 200, 200, 200, 200];
        assert_eq!(bytes(image(1, 8, 1), &reading, &[7; 8]), [7; 4]);
        let small = bytes(image(2, 4, 1), &reading, &raw);
        assert_eq!(small.len(), 4);
        assert!(
            small[0] > 20 && small[0] < 80 && small[2] == 200,
            "{small:?}"
        );
        // Floats beyond [0, 1] are not clipped.
        let preparation = preparation(image(1, 4, 1), Kind::Floats, &reading);
        let mut out = [0.0; 4];
        preparation.floats(&[-5.0, -5.0, -5.0, -5.0], &mut out);
        assert!(
            out.iter().all(|value| (value + 5.0).abs() < 1e-5),
            "{out:?}"
        );
    }

    #[test]
    fn the_maximum_is_what_stands_for_one() {
        let reading = Reading {
            maximum: Some(16.0),
            ..Reading::default()
        };
        let scaled = preparation(Shape::grey(1, 3), Kind::Bytes, &reading);
        assert_eq!(scaled.kind, Kind::Floats);
        let mut out = [0.0; 3];
        scaled.scaled_bytes(&[0, 4, 16], &mut out);
        assert_eq!(out, [0.0, 0.25, 1.0]);
        let inverted = Reading {
            invert: true,
            ..reading
        };
        let scaled = preparation(Shape::grey(1, 3), Kind::Bytes, &inverted);
        scaled.scaled_bytes(&[0, 4, 16], &mut out);
        assert_eq!(out, [1.0, 0.75, 0.0]);
        let inverted = Reading {
            invert: true,
            ..Reading::default()
        };
        assert_eq!(bytes(Shape::grey(1, 2), &inverted, &[0, 200]), [255, 55]);
    }

    #[test]
    fn alpha_has_a_scale_of_its_own() {
        let reading = Reading {
            maximum: Some(16.0),
            background: [255; 3],
            ..Reading::default()
        };
        let scaled = preparation(image(1, 2, 4), Kind::Bytes, &reading);
        let mut out = [9.0; 6];
        scaled.scaled_bytes(&[16, 8, 0, 255, 16, 8, 0, 0], &mut out);
        assert_eq!(out, [1.0, 0.5, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn nothing_asked_for_is_nothing_done() {
        for shape in [image(3, 4, 1), image(3, 4, 3), Shape::Vector { length: 5 }] {
            for kind in [Kind::Bytes, Kind::Floats] {
                assert!(preparation(shape, kind, &Reading::default()).is_identity());
            }
        }
        let same_size = Reading {
            resize: Some((3, 4)),
            maximum: Some(255.0),
            ..Reading::default()
        };
        assert!(preparation(image(3, 4, 1), Kind::Bytes, &same_size).is_identity());
        assert!(!preparation(image(3, 4, 4), Kind::Bytes, &same_size).is_identity());
        // A divisor changes floats as it changes bytes.
        let scaled = Reading {
            maximum: Some(16.0),
            ..Reading::default()
        };
        for kind in [Kind::Bytes, Kind::Floats] {
            assert!(!preparation(image(3, 4, 1), kind, &scaled).is_identity());
        }
        let halved = preparation(image(1, 2, 1), Kind::Floats, &scaled);
        let mut out = [0.0; 2];
        halved.floats(&[8.0, 16.0], &mut out);
        assert_eq!(out, [0.5, 1.0]);
    }
}
