//! How long a folder of small PNGs takes to load: decoded, kept while it is
//! decoded, and from what was kept.
//!
//! `cargo run --release -p datasets --example folder_times -- FOLDER [COUNT]`
//!
//! Makes COUNT (60000) glyphs of 28 × 28 in ten class folders below
//! FOLDER/images where that folder is missing.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use datasets::{Lookup, Reading, Source, glyphs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder")?);
    let count = arguments.next().map_or(Ok(60_000), |text| text.parse())?;
    let images = folder.join("images");
    if !images.exists() {
        write_images(&images, count)?;
    }
    let cache = folder.join("cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    let kept = Reading {
        cache: Some(cache),
        ..Reading::default()
    };
    for (what, reading) in [
        ("decoded", &Reading::default()),
        ("decoded and kept", &kept),
        ("from what was kept", &kept),
        ("from what was kept, again", &kept),
    ] {
        let begin = Instant::now();
        let source = Source::Path(images.clone());
        let dataset = datasets::load_source(&source, reading, &Lookup::default(), &mut |_| {})?;
        println!(
            "{what}: {:.2} s, {} + {} images, {}, fingerprint {}",
            begin.elapsed().as_secs_f64(),
            dataset.train.len(),
            dataset.test.len(),
            dataset.train.shape(),
            dataset.fingerprint
        );
        for remark in &dataset.remarks {
            println!("  {remark}");
        }
    }
    Ok(())
}

fn write_images(folder: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let split = glyphs::split(0..count);
    let pixels = split.bytes().ok_or("glyphs are bytes")?;
    let labels = split.labels().ok_or("glyphs have labels")?;
    for class in 0..10 {
        fs::create_dir_all(folder.join(class.to_string()))?;
    }
    for (index, (image, label)) in pixels.outer_iter().zip(labels).enumerate() {
        image::save_buffer(
            folder.join(format!("{label}/{index:05}.png")),
            &image.to_vec(),
            28,
            28,
            image::ExtendedColorType::L8,
        )?;
    }
    Ok(())
}
