//! Kernels of [`super::draw`] and [`super::pack_drawn_indexed`].

use std::ops::Range;

use crate::panels::{LANES, Panels};
use crate::random::Stream;
use crate::random::deviates::group_words;
use crate::simd::{Line, Operation};

/// A draw of rows picked by index, into panels; lengths and indices have been
/// checked.
pub struct PackBinarised<'a> {
    pub shape: Panels,
    /// Panels to pack, which `panels` holds alone; the first is that of a group.
    pub of: Range<usize>,
    pub images: &'a [u8],
    pub indices: &'a [u32],
    pub stream: Stream,
    pub panels: &'a mut [f32],
}

/// A draw of all rows, as bytes 0 and 255; lengths have been checked.
pub struct BinariseBytes<'a> {
    pub images: &'a [u8],
    pub pixels: usize,
    /// Number of the first image.
    pub first: usize,
    pub stream: Stream,
    pub output: &'a mut [u8],
}

/// Pixels whose words are made together: four lines of a panel.
const GROUP: usize = super::PANELS_OF_A_DRAW * LANES;

/// Rows packed together, as in the packing of grey bytes.
const ROW_GROUP: usize = 8;

impl<T> Operation<T> for PackBinarised<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            of,
            images,
            indices,
            stream,
            panels,
        } = self;
        let Panels { rows, cols } = shape;
        let groups = cols.div_ceil(GROUP);
        let of_groups = of.start * LANES / GROUP..(of.end * LANES).div_ceil(GROUP);
        for first in (0..rows).step_by(ROW_GROUP) {
            for group in of_groups.clone() {
                let column = group * GROUP;
                let width = GROUP.min(cols.min(of.end * LANES) - column);
                let picked = indices.iter().enumerate();
                for (row, &image) in picked.skip(first).take(ROW_GROUP) {
                    let image = image as usize;
                    let bytes = &images[image * cols + column..][..width];
                    let ink = draw_group(bytes, stream, (image * groups + group) as u64);
                    for (line, ink) in ink[..width.div_ceil(LANES)].iter().enumerate() {
                        let panel = 4 * group + line - of.start;
                        let at = (panel * rows + row) * LANES;
                        for (value, &ink) in panels[at..at + LANES].iter_mut().zip(ink) {
                            *value = if ink { 1.0 } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}

impl<T> Operation<T> for BinariseBytes<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let groups = self.pixels.div_ceil(GROUP);
        let rows = self.images.chunks_exact(self.pixels);
        let targets = self.output.chunks_exact_mut(self.pixels);
        for (image, (row, target)) in (self.first..).zip(rows.zip(targets)) {
            let pieces = row.chunks(GROUP).zip(target.chunks_mut(GROUP));
            for (group, (bytes, target)) in pieces.enumerate() {
                let ink = draw_group(bytes, self.stream, (image * groups + group) as u64);
                for (value, &ink) in target.iter_mut().zip(ink.as_flattened()) {
                    *value = if ink { 255 } else { 0 };
                }
            }
        }
    }
}

/// Whether each of up to [`GROUP`] neighbouring pixels is ink; those beyond
/// `bytes` are not.
#[inline(always)]
fn draw_group(bytes: &[u8], stream: Stream, index: u64) -> [[bool; LANES]; 4] {
    let mut block = [0_u8; GROUP];
    if bytes.len() == GROUP {
        block.copy_from_slice(bytes);
    } else {
        block[..bytes.len()].copy_from_slice(bytes);
    }
    // Wrapping, 255 and 0 become 0 and 1, and nothing else does.
    let grey = block
        .iter()
        .fold(0, |any, byte| any | (byte.wrapping_add(1) & 0xFE));
    let words = if grey == 0 {
        [[0; LANES]; 4]
    } else {
        group_words(stream, index)
    };
    let mut ink = [[false; LANES]; 4];
    for (line, words) in words.iter().enumerate() {
        for lane in 0..LANES {
            let byte = block[line * LANES + lane];
            // byte·(2³² − 1)/255 is byte·2³²/255 rounded down, except for 255,
            // which is ink whatever the word.
            ink[line][lane] = (words[lane] < u32::from(byte) * 0x0101_0101) | (byte == u8::MAX);
        }
    }
    ink
}
