//! The data set that every trial trains on: a part of the embedded one.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use datasets::{glyphs, idx};

/// Training and test images.
const PARTS: [(&str, Range<usize>); 2] = [("train", 0..400), ("t10k", 400..460)];

/// Writes the images as IDX files into the folder `images` of `folder`, and
/// returns what the program calls them.
///
/// # Errors
/// When the files cannot be written.
pub(crate) fn write(folder: &Path) -> io::Result<String> {
    let place = folder.join("images");
    fs::create_dir_all(&place)?;
    for (part, range) in PARTS {
        let count = range.len();
        let split = glyphs::split(range);
        let rows = split.bytes().expect("the embedded images are bytes");
        let pixels: Vec<u8> = rows.iter().copied().collect();
        let labels = split.labels().expect("the embedded images have labels");
        let labels: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
        for (kind, dimensions, data) in [
            ("images-idx3", &[count, 28, 28][..], pixels),
            ("labels-idx1", &[count][..], labels),
        ] {
            let file = File::create(place.join(format!("{part}-{kind}-ubyte")))?;
            idx::write(file, dimensions, &data)?;
        }
    }
    Ok(format!("idx:{}", place.display()))
}
