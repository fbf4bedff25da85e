//! Writes contact sheets of the embedded set, a 20 × 20 montage of the first
//! images and one with twenty of each class, and tells how the ink is spread.
//!
//! `cargo run -p datasets --example glyph_sheet -- FOLDER [idx:DIR|mnist|…]`
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use datasets::{Dataset, Lookup, Split};
use ndarray::ArrayView2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder for the sheets")?);
    let name = arguments.next().unwrap_or_else(|| "glyphs".to_owned());
    let begin = Instant::now();
    let dataset = datasets::load(&name, &Lookup::from_environment(), &mut |_| {})?;
    println!(
        "{name}: {:.2} s, fingerprint {}",
        begin.elapsed().as_secs_f64(),
        dataset.fingerprint
    );

    std::fs::create_dir_all(&folder)?;
    let first: Vec<usize> = (0..400).collect();
    write_sheet(&folder.join("first.png"), &dataset.train, &first, 20)?;
    let mut by_class = Vec::new();
    for class in 0..dataset.classes() {
        let of_class = |index: &usize| labels(&dataset.train)[*index] as usize == class;
        by_class.extend((0..dataset.train.len()).filter(of_class).take(40));
    }
    write_sheet(&folder.join("by-class.png"), &dataset.train, &by_class, 20)?;
    describe(&dataset);
    Ok(())
}

fn bytes(split: &Split) -> ArrayView2<'_, u8> {
    split.bytes().expect("glyphs are bytes")
}

fn labels(split: &Split) -> &[u32] {
    split.labels().expect("glyphs have labels")
}

fn describe(dataset: &Dataset) {
    for (name, split) in [("train", &dataset.train), ("test", &dataset.test)] {
        let images = bytes(split);
        let mean = images.iter().map(|&p| f64::from(p)).sum::<f64>() / images.len() as f64 / 255.0;
        let zeros = images.iter().filter(|&&p| p == 0).count() as f64 / images.len() as f64;
        println!(
            "{name}: {} images, mean {mean:.4}, zeros {:.1} %, grey entropy {:.2} nats, classes {:?}, centroid accuracy {:.1} %",
            split.len(),
            100.0 * zeros,
            split.grey_entropy().unwrap_or(f64::NAN),
            split.class_counts(dataset.classes()).unwrap_or_default(),
            100.0 * centroid_accuracy(dataset, split),
        );
    }
}

/// How many images lie closest to the mean image of their own class.
fn centroid_accuracy(dataset: &Dataset, split: &Split) -> f64 {
    let mut centroids = vec![vec![0f32; split.shape().len()]; dataset.classes()];
    let counts = dataset
        .train
        .class_counts(dataset.classes())
        .unwrap_or_default();
    for (image, &label) in bytes(&dataset.train)
        .outer_iter()
        .zip(labels(&dataset.train))
    {
        for (sum, &pixel) in centroids[label as usize].iter_mut().zip(image) {
            *sum += f32::from(pixel);
        }
    }
    for (centroid, count) in centroids.iter_mut().zip(counts) {
        centroid
            .iter_mut()
            .for_each(|sum| *sum /= count.max(1) as f32);
    }
    let right = (0..split.len()).filter(|&index| {
        let distance = |centroid: &Vec<f32>| -> f32 {
            let images = bytes(split);
            let image = images.row(index);
            centroid
                .iter()
                .zip(image)
                .map(|(&c, &p)| (c - f32::from(p)).powi(2))
                .sum()
        };
        let distances: Vec<f32> = centroids.iter().map(distance).collect();
        let nearest = (0..distances.len()).min_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        nearest == Some(labels(split)[index] as usize)
    });
    right.count() as f64 / split.len() as f64
}

fn write_sheet(
    path: &Path,
    split: &Split,
    indices: &[usize],
    across: usize,
) -> Result<(), Box<dyn Error>> {
    let (rows, columns) = split.shape().size().ok_or("no images")?;
    let images = bytes(split);
    let width = across * columns;
    let height = indices.len().div_ceil(across) * rows;
    let mut sheet = vec![0u8; width * height];
    for (place, &index) in indices.iter().enumerate() {
        let (top, left) = (place / across * rows, place % across * columns);
        for (row, line) in images.row(index).to_vec().chunks_exact(columns).enumerate() {
            let start = (top + row) * width + left;
            sheet[start..start + columns].copy_from_slice(line);
        }
    }
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&sheet)?;
    writer.finish()?;
    Ok(())
}
