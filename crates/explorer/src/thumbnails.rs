//! Small pictures of some images, of each class as many.

use std::collections::BTreeMap;

use evaluation::subset::in_random_order;
use models::streams::{Purpose, stream};
use viz::{GrayImage, ImageRef, RgbImage, TileShape};

use crate::Result;

/// The longest side of a small picture.
pub const LONGEST_SIDE: usize = 32;

/// Index of the stream that chooses images; fixed, so that pages of the same
/// data show the same ones.
const CHOICE: u64 = 0x7061_6765;

/// Small pictures of some of the images of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnails {
    /// Positions among the images, ascending.
    pub which: Vec<u32>,
    /// What each is: an image of at most 32 pixels a side, or the vector.
    pub shape: TileShape,
    /// Brightness, one picture after the other.
    pub pixels: Vec<u8>,
}

impl Thumbnails {
    /// Pictures of rows of `shape`, whose bytes `brightness` gives: 0 for the
    /// lowest value that is shown, 255 for the highest.
    ///
    /// # Errors
    /// Rows of another length than the shape's.
    pub fn new(
        which: Vec<u32>,
        shape: TileShape,
        brightness: impl Fn(usize) -> Vec<u8>,
    ) -> Result<Self> {
        let small = reduced(shape);
        let mut pixels = Vec::with_capacity(which.len() * small.values());
        for &position in &which {
            let row = brightness(position as usize);
            let [height, width] = shape.size();
            let [to_height, to_width] = small.size();
            match shape {
                TileShape::Grey { .. } if small != shape => {
                    let image = GrayImage::from_pixels(width, height, row)?;
                    let image = ImageRef::from(&image).reduced(to_width, to_height);
                    pixels.extend_from_slice(bytes(image.as_ref()));
                }
                TileShape::Colour { .. } if small != shape => {
                    let image = RgbImage::from_pixels(width, height, row)?;
                    let image = ImageRef::from(&image).reduced(to_width, to_height);
                    pixels.extend_from_slice(bytes(image.as_ref()));
                }
                _ => pixels.extend_from_slice(&row),
            }
        }
        Ok(Self {
            which,
            shape: small,
            pixels,
        })
    }
}

/// Examples: at most `count` of the positions 0, …, n − 1, ascending, at random but of
/// each class as many as there are, or as all have that have more. Fewer are a part of
/// more. They are no sample of the data where its classes differ in size: what is
/// measured is so on a [`subset`](evaluation::subset).
#[must_use]
pub fn balanced(n: usize, labels: Option<&[u32]>, count: usize) -> Vec<u32> {
    let mut order = in_random_order(n, n, stream(0, Purpose::Sampling, CHOICE));
    if let Some(labels) = labels {
        let mut taken = BTreeMap::<u32, usize>::new();
        // The round in which the class of each gives it.
        let mut rounds: Vec<(usize, usize)> = order
            .iter()
            .map(|&position| {
                let round = taken.entry(labels[position]).or_default();
                *round += 1;
                (*round, position)
            })
            .collect();
        rounds.sort_by_key(|&(round, _)| round);
        order = rounds.into_iter().map(|(_, position)| position).collect();
    }
    let mut chosen: Vec<u32> = order
        .into_iter()
        .take(count)
        .map(|position| position as u32)
        .collect();
    chosen.sort_unstable();
    chosen
}

fn reduced(shape: TileShape) -> TileShape {
    let [height, width] = shape.size();
    let longer = height.max(width);
    if longer <= LONGEST_SIDE {
        return shape;
    }
    let side = |side: usize| {
        let side = (side * LONGEST_SIDE + longer / 2) / longer;
        side.max(1)
    };
    let (height, width) = (side(height), side(width));
    match shape {
        TileShape::Grey { .. } => TileShape::Grey { height, width },
        TileShape::Colour { .. } => TileShape::Colour { height, width },
        line => line,
    }
}

fn bytes(image: ImageRef<'_>) -> &[u8] {
    match image {
        ImageRef::Gray(image) => image.pixels(),
        ImageRef::Rgb(image) => image.pixels(),
    }
}
