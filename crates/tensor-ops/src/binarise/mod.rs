//! Grey images to binary ones.
//!
//! A grey value x = byte / 255 is either compared with ½ or read as the
//! probability of ink, of which a Bernoulli(x) draw is made.
//!
//! A draw depends on (stream, image, pixel) alone, never on the batch, the
//! order of the images or the thread. Pixel p of image i, in images of P
//! pixels, is ink when w < x·2³², exact to 2⁻³², with w a word of the
//! counter-based [`Stream`]:
//!
//! ```text
//! w = word ⌊p / 16⌋ mod 4 of block 16 (i ⌈P / 64⌉ + ⌊p / 64⌋) + p mod 16
//! ```
//!
//! Sixteen blocks side by side are thus the words of four neighbouring panel
//! lines. Pixels that are 0 or 255 need no word, and 64 neighbours without
//! any other value draw none: on MNIST, where four fifths of the pixels are 0,
//! drawing costs little more than the conversion it replaces.

pub(crate) mod kernel;

use std::ops::Range;

use kernel::{BinariseBytes, PackBinarised};

use crate::isa::Available;
use crate::kernels::Kernels;
use crate::panels::Panels;
use crate::random::Stream;

/// Ink where byte / 255 ≥ ½, that is from 128 on: 255 there, 0 elsewhere.
///
/// # Panics
/// If the slices differ in length.
pub fn threshold(pixels: &[u8], output: &mut [u8]) {
    assert!(
        pixels.len() == output.len(),
        "binarise::threshold: {} pixels into {} elements",
        pixels.len(),
        output.len()
    );
    for (target, &pixel) in output.iter_mut().zip(pixels) {
        *target = if pixel >= 128 { 255 } else { 0 };
    }
}

/// One Bernoulli draw of every pixel of the row-major byte matrix `images`,
/// `pixels` wide, whose rows are images 0, 1, …: 255 for ink, 0 elsewhere.
///
/// # Panics
/// If `images` is no whole number of rows, or `output` has another length.
///
/// ```
/// use tensor_ops::{binarise, random::Stream};
///
/// let mut drawn = [9; 4];
/// binarise::draw(&[0, 255, 0, 255], 2, Stream::new(1, 0), &mut drawn);
/// assert_eq!(drawn, [0, 255, 0, 255]); // certain whatever the draw
/// ```
pub fn draw(images: &[u8], pixels: usize, stream: Stream, output: &mut [u8]) {
    draw_from(0, images, pixels, stream, output);
}

/// [`draw`] of rows that are images `first`, `first + 1`, …: a part of what
/// all images together give.
///
/// # Panics
/// As [`draw`].
///
/// ```
/// use tensor_ops::{binarise, random::Stream};
///
/// let images: Vec<u8> = (0..=255).collect();
/// let (mut whole, mut part) = ([0; 256], [0; 64]);
/// binarise::draw(&images, 32, Stream::new(1, 0), &mut whole);
/// binarise::draw_from(3, &images[96..160], 32, Stream::new(1, 0), &mut part);
/// assert_eq!(part, whole[96..160]);
/// ```
pub fn draw_from(first: usize, images: &[u8], pixels: usize, stream: Stream, output: &mut [u8]) {
    assert!(
        pixels > 0 && images.len().is_multiple_of(pixels) && images.len() == output.len(),
        "binarise::draw: {} bytes in rows of {pixels} into {} elements",
        images.len(),
        output.len()
    );
    f32::binarise_bytes(
        Available::current(),
        BinariseBytes {
            images,
            pixels,
            first,
            stream,
            output,
        },
    );
}

/// Neighbouring panels whose words are made together.
pub const PANELS_OF_A_DRAW: usize = 4;

/// Packs a Bernoulli draw, 0 or 1, of the panels `of` of the rows `indices` of
/// the row-major byte matrix `images` (`shape.cols` wide): what
/// [`Panels::pack_bytes_indexed`] would make of the bytes [`draw`] gives.
///
/// # Panics
/// If there are not `shape.rows` indices, one is out of range, `panels` has
/// another length than those panels, or the first of them is no multiple of
/// [`PANELS_OF_A_DRAW`].
pub fn pack_drawn_indexed(
    shape: Panels,
    images: &[u8],
    indices: &[u32],
    stream: Stream,
    of: Range<usize>,
    panels: &mut [f32],
) {
    let operation = "binarise::pack_drawn_indexed";
    assert!(
        of.start.is_multiple_of(PANELS_OF_A_DRAW),
        "{operation}: panels {of:?} do not begin with a multiple of {PANELS_OF_A_DRAW}"
    );
    shape.check_indices(operation, images.len(), indices, &of, panels.len());
    f32::pack_binarised(
        Available::current(),
        PackBinarised {
            shape,
            of,
            images,
            indices,
            stream,
            panels,
        },
    );
}

#[cfg(test)]
mod tests;
