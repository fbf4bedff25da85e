//! Distribution, addressing and agreement of the two forms.

use super::*;
use crate::isa::Isa;

/// The definition in the module's documentation, pixel by pixel.
fn by_definition(images: &[u8], pixels: usize, stream: Stream) -> Vec<u8> {
    let ink = |(at, &byte): (usize, &u8)| {
        let (image, p) = (at / pixels, at % pixels);
        let block = 16 * (image * pixels.div_ceil(64) + p / 64) + p % 16;
        let word = stream.block(block as u64)[p / 16 % 4];
        let threshold = f64::from(byte) / 255.0 * 4_294_967_296.0;
        if f64::from(word) < threshold.floor() {
            255
        } else {
            0
        }
    };
    images.iter().enumerate().map(ink).collect()
}

/// Mostly black, with grey patches and white ones, like handwriting.
fn images(count: usize, pixels: usize) -> Vec<u8> {
    let stream = Stream::new(17, 3);
    let value = |at: usize| {
        let word = stream.word(at as u64);
        match (at / 90 + word as usize % 2) % 4 {
            0 => word as u8,
            1 => 255,
            _ => 0,
        }
    };
    (0..count * pixels).map(value).collect()
}

fn paths() -> impl Iterator<Item = Available> {
    Isa::ALL.into_iter().filter_map(Available::new)
}

#[test]
fn both_forms_are_the_definition_on_every_path() {
    for pixels in [1, 16, 63, 64, 65, 144, 784] {
        let images = images(19, pixels);
        let stream = Stream::new(5, 1 << 40);
        let expected = by_definition(&images, pixels, stream);
        let indices = [7, 0, 18, 7, 3, 4, 5, 6, 8, 9, 11_u32];
        let shape = Panels::new(indices.len(), pixels);
        for isa in paths() {
            let mut output = vec![9; images.len()];
            f32::binarise_bytes(
                isa,
                BinariseBytes {
                    images: &images,
                    pixels,
                    first: 0,
                    stream,
                    output: &mut output,
                },
            );
            assert_eq!(output, expected, "{pixels} pixels");
            let mut panels = vec![f32::NAN; shape.len()];
            let middle = shape.panel_count() / 2 / PANELS_OF_A_DRAW * PANELS_OF_A_DRAW;
            let (first, second) = panels.split_at_mut(middle * shape.panel_len());
            let parts = [(0..middle, first), (middle..shape.panel_count(), second)];
            for (of, panels) in parts {
                f32::pack_binarised(
                    isa,
                    PackBinarised {
                        shape,
                        of,
                        images: &images,
                        indices: &indices,
                        stream,
                        panels,
                    },
                );
            }
            let mut same = vec![f32::NAN; shape.len()];
            shape.pack_bytes_indexed(&expected, &indices, 0..shape.panel_count(), &mut same);
            assert_eq!(panels, same, "{pixels} pixels");
        }
    }
}

#[cfg(not(miri))]
#[test]
fn draws_have_the_mean_of_bernoulli() {
    let count = 200_000;
    for value in [0_u8, 1, 26, 128, 200, 254, 255] {
        let mut output = vec![9; count];
        draw(&vec![value; count], 100, Stream::new(11, 5), &mut output);
        let p = f64::from(value) / 255.0;
        let ink = output.iter().filter(|&&x| x == 255).count() as f64;
        let spread = (count as f64 * p * (1.0 - p)).sqrt();
        assert!(
            (ink - count as f64 * p).abs() <= 4.0 * spread,
            "value {value}: {ink} of {count}"
        );
    }
}

#[cfg(not(miri))]
#[test]
fn draws_are_uncorrelated_across_pixels_images_and_streams() {
    let (count, pixels) = (100_096, 782);
    let sample = |seed, stream| {
        let mut output = vec![9; count];
        draw(
            &vec![127; count],
            pixels,
            Stream::new(seed, stream),
            &mut output,
        );
        output
            .iter()
            .map(|&x| if x == 255 { 1.0 } else { -1.0 })
            .collect::<Vec<f64>>()
    };
    let base = sample(1, 0);
    let correlation =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / a.len() as f64;
    let bound = 4.0 / (count as f64).sqrt();
    for (seed, stream) in [(2, 0), (1, 1), (1, 1 << 48)] {
        assert!(correlation(&base, &sample(seed, stream)).abs() < bound);
    }
    for lag in [1, 2, 16, 64, pixels] {
        assert!(
            correlation(&base[lag..], &base[..count - lag]).abs() < bound,
            "lag {lag}"
        );
    }
}

#[test]
fn threshold_is_at_one_half() {
    let mut output = [9; 4];
    threshold(&[0, 127, 128, 255], &mut output);
    assert_eq!(output, [0, 0, 255, 255]);
}

#[test]
#[should_panic(expected = "binarise::draw: 3 bytes in rows of 2 into 3 elements")]
fn rows_must_be_whole() {
    draw(&[1, 2, 3], 2, Stream::new(0, 0), &mut [0; 3]);
}
