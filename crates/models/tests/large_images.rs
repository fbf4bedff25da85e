//! Images of more than 4 GiB together. Their pages are never written but for
//! those of the last image, so that they take no memory.

#![cfg(all(target_pointer_width = "64", target_os = "linux"))]

use models::{BatchPixels, BatchSource, IndexedBatch, PixelRows};
use tensor_ops::panels::Panels;
use tensor_ops::random::Stream;

const PIXELS: usize = 49_152;

/// So many that the last image begins behind 4 GiB.
const COUNT: usize = (u32::MAX as usize).div_ceil(PIXELS) + 2;

fn packed(pixels: BatchPixels<'_>, image: usize) -> Vec<f32> {
    let indices = [image as u32];
    let batch = IndexedBatch {
        pixels,
        indices: &indices,
        noise: Stream::new(0, 0),
        noise_offset: 0,
        corruption: (Stream::new(0, 1), 0),
    };
    let shape = Panels::new(1, PIXELS);
    let (mut panels, mut row) = (vec![0.0; shape.len()], vec![0.0; PIXELS]);
    batch.pack_pixels(0..1, shape, 0..shape.panel_count(), &mut panels);
    shape.unpack_row_major(&panels, &mut row);
    row
}

#[test]
fn the_last_image_is_packed_as_it_is_thresholded_and_drawn() {
    let last = COUNT - 1;
    let mut images = vec![0_u8; COUNT * PIXELS];
    let pixels: Vec<u8> = (0..PIXELS).map(|at| (at * 7 % 256) as u8).collect();
    images[last * PIXELS..].copy_from_slice(&pixels);
    assert!(last * PIXELS > u32::MAX as usize);
    let stored = PixelRows::Bytes(&images);
    let expected: Vec<f32> = pixels.iter().map(|&b| f32::from(b) / 255.0).collect();
    assert_eq!(packed(BatchPixels::AsStored(stored), last), expected);
    let thresholded: Vec<f32> = expected.iter().map(|v| f32::from(*v >= 0.5)).collect();
    assert_eq!(packed(BatchPixels::Thresholded(stored), last), thresholded);
    // A draw is addressed by the number of the image, whatever lies before it.
    let stream = Stream::new(7, 9);
    let mut drawn = vec![0; PIXELS];
    tensor_ops::binarise::draw_from(last, &pixels, PIXELS, stream, &mut drawn);
    let drawn: Vec<f32> = drawn.iter().map(|&b| f32::from(b) / 255.0).collect();
    assert_eq!(packed(BatchPixels::Drawn(&images, stream), last), drawn);
    assert_eq!(packed(BatchPixels::AsStored(stored), 5), vec![0.0; PIXELS]);
}
