//! Kernel of [`super::Panels::pack_bytes`] and of
//! [`super::Panels::pack_values_indexed`].

use std::ops::Range;

use super::{LANES, Panels};
use crate::simd::{Line, Operation, prefetch};

/// A pixel as images are stored.
pub(crate) trait Pixel: Copy {
    const ZERO: Self;

    /// The value it stands for.
    fn value(self, fma: bool) -> f32;
}

/// b / 255.
impl Pixel for u8 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn value(self, fma: bool) -> f32 {
        unit_from_byte(self, fma)
    }
}

impl Pixel for f32 {
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn value(self, _: bool) -> f32 {
        self
    }
}

/// The values of rows of pixels; lengths and indices have been checked.
pub struct PackRows<'a, P> {
    pub shape: Panels,
    /// Panels to pack, which `panels` holds alone.
    pub of: Range<usize>,
    pub images: &'a [P],
    /// Rows to take; all in order if `None`.
    pub indices: Option<&'a [u32]>,
    pub panels: &'a mut [f32],
}

/// Rows packed together: their lines of one panel are neighbours, while whole
/// rows one by one would write to addresses that share few cache sets.
const ROW_GROUP: usize = 8;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

impl<T, P: Pixel> Operation<T> for PackRows<'_, P> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            of,
            images,
            indices,
            panels,
        } = self;
        let Panels { rows, cols: pixels } = shape;
        let of = of.start * LANES..pixels.min(of.end * LANES);
        let cols = of.len();
        let image_of = |row: usize| {
            let image = indices.map_or(row, |indices| indices[row] as usize);
            &images[image * pixels..][..pixels][of.clone()]
        };
        let lines = panels.as_chunks_mut::<LANES>().0;
        for first in (0..rows).step_by(ROW_GROUP) {
            // Rows picked at random are in no cache, and no pattern tells the
            // processor which come next.
            for row in rows.min(first + ROW_GROUP)..rows.min(first + 2 * ROW_GROUP) {
                for pixel in image_of(row).iter().step_by(LINE_BYTES / size_of::<P>()) {
                    prefetch(pixel);
                }
            }
            let group = ROW_GROUP.min(rows - first);
            let mut whole = [[].as_slice(); ROW_GROUP];
            let mut rest = [[].as_slice(); ROW_GROUP];
            for row in 0..group {
                (whole[row], rest[row]) = image_of(first + row).as_chunks::<LANES>();
            }
            for panel in 0..cols / LANES {
                let lines = &mut lines[panel * rows + first..][..group];
                for (line, image) in lines.iter_mut().zip(&whole) {
                    write_line(line, image[panel], L::FMA);
                }
            }
            if !cols.is_multiple_of(LANES) {
                let lines = &mut lines[cols / LANES * rows + first..][..group];
                for (line, rest) in lines.iter_mut().zip(rest) {
                    let mut pixels = [P::ZERO; LANES];
                    pixels[..rest.len()].copy_from_slice(rest);
                    write_line(line, pixels, L::FMA);
                }
            }
        }
    }
}

/// A line of values, of pixels that are a copy: the compiler can then tell that
/// they do not overlap with the line.
#[inline(always)]
fn write_line<P: Pixel>(line: &mut [f32; LANES], pixels: [P; LANES], fma: bool) {
    for (value, pixel) in line.iter_mut().zip(pixels) {
        *value = pixel.value(fma);
    }
}

/// b / 255, rounded to nearest. With fused multiply-add, one correction of
/// the product by the reciprocal replaces the division; all 256 values agree.
#[inline(always)]
fn unit_from_byte(byte: u8, fma: bool) -> f32 {
    let byte = f32::from(byte);
    if fma {
        let quotient = byte * (1.0 / 255.0);
        let remainder = quotient.mul_add(-255.0, byte);
        remainder.mul_add(1.0 / 255.0, quotient)
    } else {
        byte / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Available, Isa};
    use crate::kernels::Kernels;

    #[test]
    fn bytes_lie_where_the_layout_says_and_padding_is_zero() {
        let images: Vec<u8> = (0..20 * 784_usize).map(|i| (i * 7 % 256) as u8).collect();
        let value = |byte: u8| f32::from(byte) / 255.0;
        assert_packed(&images, value, |isa, pack| {
            <f32 as Kernels>::pack_bytes(isa, pack);
        });
    }

    #[test]
    fn values_lie_where_the_layout_says_and_padding_is_zero() {
        let images: Vec<f32> = (0..20 * 784_usize)
            .map(|i| (i * 7 % 501) as f32 * 0.37 - 90.0)
            .collect();
        assert_packed(
            &images,
            |value| value,
            |isa, pack| {
                <f32 as Kernels>::pack_values(isa, pack);
            },
        );
    }

    fn assert_packed<P: Pixel>(
        images: &[P],
        value: impl Fn(P) -> f32,
        run: impl Fn(Available, PackRows<'_, P>),
    ) {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            for rows in [0, 1, 7, 8, 9, 16, 17] {
                for cols in [1, 15, 16, 17, 37, 784] {
                    let picked: Vec<u32> = (0..rows as u32)
                        .map(|row| (rows as u32 - row) / 2)
                        .collect();
                    for indices in [None, Some(&picked[..])] {
                        let shape = Panels::new(rows, cols);
                        let mut panels = vec![f32::NAN; shape.len()];
                        let middle = shape.panel_count() / 3;
                        let (first, second) = panels.split_at_mut(middle * shape.panel_len());
                        let parts = [(0..middle, first), (middle..shape.panel_count(), second)];
                        for (of, panels) in parts {
                            let pack = PackRows {
                                shape,
                                of,
                                images,
                                indices,
                                panels,
                            };
                            run(isa, pack);
                        }
                        for row in 0..rows {
                            let image = indices.map_or(row, |indices| indices[row] as usize);
                            for col in 0..shape.padded_cols() {
                                let expected = match col < cols {
                                    true => value(images[image * cols + col]),
                                    false => 0.0,
                                };
                                assert_eq!(panels[shape.index(row, col)], expected, "{shape:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_is_the_rounded_quotient() {
        for byte in 0..=u8::MAX {
            for fma in [false, true] {
                assert_eq!(unit_from_byte(byte, fma), f32::from(byte) / 255.0);
            }
        }
    }
}
