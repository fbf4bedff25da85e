//! The embedded data set: the ten digits, drawn from strokes.
//!
//! Each image takes one of several skeletons of its digit (a seven with or
//! without a bar, an open or a closed four, a two with or without a loop, …),
//! moves its control points, bends it by a smooth random displacement, slants,
//! turns and stretches it, and draws it with a pen of random width and
//! pressure into 28×28 grey pixels, framed as the digits of MNIST are: the
//! longer side about 20 pixels, the centre of mass in the middle. How careless
//! the writer is differs from image to image, so that some digits are clean
//! and a few could be another one.
//!
//! Image `i` of the set (training images first) depends on [`SEED`] and `i`
//! alone, through its own ChaCha8 stream. All arithmetic is addition,
//! subtraction, multiplication, division and square root of f32 in a fixed
//! order, which IEEE 754 defines to the bit and Rust never contracts or
//! reassociates; no transcendental function is called. So the images are the
//! same for any number of threads and on any machine whose f32 is IEEE 754
//! (every Rust target of 64 bits; the x87 unit of old 32-bit PCs is not).

mod deform;
mod raster;
mod skeleton;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::dataset::{Dataset, Split, TestOrigin};
use crate::error::DataError;
use crate::fingerprint::{fingerprint, split_digests};
use crate::part::{Opened, Part, Parts, ReadRows, RowsInto};
use crate::registry;
use crate::shape::Shape;
use crate::values::{Kind, ValuesMut};

/// The name on the command line.
pub const NAME: &str = "glyphs";
/// Licence of the images.
pub const LICENCE: &str = "CC0 1.0";
/// Whom to name beside pictures of them.
pub const ATTRIBUTION: &str = "Glyphs: made by Latent Atlas from strokes, CC0 1.0";
/// The seed of the set.
pub const SEED: u64 = 0x676c_7970_6873;
/// Rows and columns of an image.
pub const SIDE: usize = 28;
/// Pixels of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// Training images.
pub const TRAIN: usize = 60_000;
/// Test images.
pub const TEST: usize = 10_000;
/// The fingerprint of the set this version of the program makes; see
/// [`fingerprint`].
pub const FINGERPRINT: &str = "c1836988a6b156560416d6ac80f2cada55325d3113d4cc4c3c63c641c2679767";

/// Makes the whole set, on the threads of the current rayon pool.
#[must_use]
pub fn dataset() -> Dataset {
    let train = split(0..TRAIN);
    let test = split(TRAIN..TRAIN + TEST);
    let (train_digests, test_digests) = rayon::join(|| digests(&train), || digests(&test));
    let ([a, b], [c, d]) = (&train_digests, &test_digests);
    Dataset {
        name: NAME.to_owned(),
        class_names: registry::digit_names(),
        attribution: ATTRIBUTION.to_owned(),
        test_origin: TestOrigin::Own,
        remarks: Vec::new(),
        fingerprint: fingerprint([a, b, c, d]),
        train,
        test,
    }
}

/// The set as parts to be drawn row by row.
pub(crate) fn open() -> Opened {
    let part = |name: &str, indices: Range<usize>| Part {
        path: name.into(),
        count: indices.len(),
        shape: Shape::grey(SIDE, SIDE),
        kind: Kind::Bytes,
        is_labelled: true,
        is_named: false,
        rows: Box::new(Drawn {
            next: indices.start as u64,
        }),
    };
    Opened {
        parts: Parts::TrainAndTest(
            part("glyphs (training)", 0..TRAIN),
            part("glyphs (test)", TRAIN..TRAIN + TEST),
        ),
        class_names: (0i64..).zip(registry::digit_names()).collect(),
        attribution: ATTRIBUTION.to_owned(),
        is_transposed: false,
        listed_in: None,
        remarks: Vec::new(),
    }
}

/// Images drawn one after another.
struct Drawn {
    next: u64,
}

impl ReadRows for Drawn {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let ValuesMut::Bytes(values) = &mut into.values else {
            unreachable!("glyphs are bytes")
        };
        let mut labels = vec![0; values.len() / PIXELS];
        draw_all(self.next, values, &mut labels);
        self.next += labels.len() as u64;
        into.labels
            .extend(labels.iter().map(|&label| i64::from(label)));
        Ok(())
    }
}

/// The images with these indices; the training images are `0..TRAIN`, the
/// test images `TRAIN..TRAIN + TEST`, and there are more behind them.
#[must_use]
pub fn split(indices: Range<usize>) -> Split {
    let mut images: Arc<[u8]> = std::iter::repeat_n(0u8, indices.len() * PIXELS).collect();
    let mut labels = vec![0u32; indices.len()];
    let target = Arc::get_mut(&mut images).expect("a new buffer has one owner");
    draw_all(indices.start as u64, target, &mut labels);
    Split::grey(images, labels, SIDE, SIDE)
}

/// Draws consecutive images on the threads of the current rayon pool.
fn draw_all(first: u64, pixels: &mut [u8], labels: &mut [u32]) {
    pixels
        .par_chunks_exact_mut(PIXELS)
        .zip(labels.par_iter_mut())
        .enumerate()
        .with_min_len(256)
        .for_each(|(offset, (pixels, label))| {
            *label = u32::from(draw(first + offset as u64, pixels));
        });
}

/// Draws image `index` into `pixels` and returns its label.
///
/// # Panics
/// When `pixels` has not [`PIXELS`] bytes.
pub fn draw(index: u64, pixels: &mut [u8]) -> u8 {
    assert_eq!(
        pixels.len(),
        PIXELS,
        "glyphs::draw: {} bytes for an image",
        pixels.len()
    );
    let mut draws = deform::Draws::new(SEED, index);
    let label = draws.below(10);
    let ink = deform::write(label, &mut draws);
    raster::render(&ink, pixels);
    label as u8
}

fn digests(split: &Split) -> [String; 2] {
    let (values, rows) = split.shared();
    let labels: Option<Vec<i64>> = split
        .labels()
        .map(|labels| labels.iter().map(|&label| i64::from(label)).collect());
    split_digests(values, rows, split.shape(), labels.as_deref())
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView2;

    use super::*;
    use crate::digest;

    fn bytes(split: &Split) -> ArrayView2<'_, u8> {
        split.bytes().unwrap()
    }

    /// SHA-256 of the pixels of the first thousand images. It holds wherever
    /// f32 addition, subtraction, multiplication, division, square root and
    /// conversion are those of IEEE 754 without contraction; see the module's
    /// documentation. A change of it is a change of the data set: every
    /// number measured on `glyphs` is void then.
    const FIRST_THOUSAND: &str = "a8034d9070aa3f040070f63a4c151603ca0a85f0884b4e124896d652ace786fa";

    #[test]
    fn the_first_thousand_images_are_the_agreed_ones() {
        let split = split(0..1000);
        let pixels = bytes(&split).to_slice().unwrap();
        assert_eq!(digest::sha256_hex(pixels), FIRST_THOUSAND);
        assert_eq!(
            split.labels().unwrap()[..12],
            [2, 3, 4, 3, 5, 1, 3, 2, 9, 1, 5, 5]
        );
    }

    #[test]
    fn the_whole_set_has_its_fingerprint_and_resembles_handwritten_digits() {
        let dataset = dataset();
        assert_eq!(dataset.fingerprint, FINGERPRINT);
        assert_eq!((dataset.train.len(), dataset.test.len()), (TRAIN, TEST));
        assert_eq!(
            dataset.class_names,
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        );
        for split in [&dataset.train, &dataset.test] {
            let images = bytes(split);
            let mean =
                images.iter().map(|&p| f64::from(p)).sum::<f64>() / (255.0 * images.len() as f64);
            let zeros = images.iter().filter(|&&p| p == 0).count() as f64 / images.len() as f64;
            // MNIST: 0.1307, 0.809, 45.8.
            assert!((mean - 0.1307).abs() < 0.002, "mean {mean}");
            assert!((zeros - 0.809).abs() < 0.005, "zeros {zeros}");
            assert!(
                (split.grey_entropy().unwrap() - 47.6).abs() < 0.5,
                "{}",
                split.grey_entropy().unwrap()
            );
            for count in split.class_counts(10).unwrap() {
                let share = count as f64 / split.len() as f64;
                // Five standard deviations of a share of the test images.
                assert!((share - 0.1).abs() < 0.015, "share {share}");
            }
        }
    }

    #[test]
    fn images_depend_on_their_index_alone() {
        let whole = split(0..3000);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| split(0..3000)), whole);
        assert_eq!(
            split(1234..1240),
            whole.select(&[1234, 1235, 1236, 1237, 1238, 1239])
        );
        let mut pixels = [0u8; PIXELS];
        assert_eq!(
            Some(u32::from(draw(2999, &mut pixels))),
            whole.labels().map(|labels| labels[2999])
        );
        assert_eq!(pixels[..], *bytes(&whole).row(2999).as_slice().unwrap());
    }

    #[test]
    fn every_image_is_framed_like_the_others_and_different_from_them() {
        let split = split(0..5000);
        let mut seen = std::collections::HashSet::new();
        for image in bytes(&split).outer_iter() {
            let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
            let (mut low, mut high) = ([SIDE; 2], [0; 2]);
            for (index, &pixel) in image.iter().enumerate() {
                let place = [index / SIDE, index % SIDE];
                let ink = f64::from(pixel);
                mass += ink;
                y += ink * (place[0] as f64 + 0.5);
                x += ink * (place[1] as f64 + 0.5);
                if pixel > 127 {
                    low = [low[0].min(place[0]), low[1].min(place[1])];
                    high = [high[0].max(place[0]), high[1].max(place[1])];
                }
            }
            let longer = (high[0] + 1 - low[0]).max(high[1] + 1 - low[1]);
            assert!((17..=22).contains(&longer), "box of {longer} pixels");
            // Overlapping strokes count twice in the frame's own centre.
            assert!((x / mass - 14.0).abs() < 3.0 && (y / mass - 14.0).abs() < 3.0);
            assert!(seen.insert(image.to_vec()), "an image occurs twice");
        }
    }

    #[test]
    fn skeletons_have_several_styles_inside_their_box() {
        for digit in 0..10 {
            let styles = skeleton::styles(digit);
            assert!(styles.len() >= 4, "digit {digit}");
            for style in styles {
                assert!(style.weight > 0);
                for stroke in style.strokes {
                    assert!(stroke.len() >= 2);
                    for node in *stroke {
                        assert!(
                            (-0.05..=1.05).contains(&node.x) && (-0.05..=1.05).contains(&node.y)
                        );
                    }
                }
            }
        }
    }
}
