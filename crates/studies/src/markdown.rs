//! The article as a Markdown file for a code host, with small copies of its
//! pictures beside it.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use viz::page::{Block, FigureLink};
use viz::{Image, Rgb, RgbImage, VizError, decode_apng, decode_png, write_small_png};

use crate::page;
use runs::Error;

/// Folder of the pictures, beside the Markdown file.
const IMAGES: &str = "images";
/// Copies are at most this wide: code hosts show text in columns of about
/// this width and shrink what is wider.
const WIDEST: usize = 900;
/// Colours of a copy, at most: one of 16 takes half a byte a pixel, and few see
/// the difference in grey digits. Plots mix ten colours with each other: with
/// 64 of them classes can no longer be told apart, 256 take a tenth more bytes.
const GREYS: usize = 16;
const COLOURS: usize = 128;
/// Difference of a pixel's channels up to which it counts as grey.
const INK: u8 = 40;

/// Writes the article of the sections found below `figures` to `path`, and
/// its pictures, shrunk, into `images/` beside it.
///
/// Animations become a still of their last frame. Returns the pictures.
///
/// # Errors
/// When a section or picture cannot be read or a file cannot be written.
pub fn write(figures: &Path, path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut article = page::read_article(figures)?;
    let images = path.parent().unwrap_or(Path::new("")).join(IMAGES);
    create(&images)?;
    let mut links: Vec<&mut FigureLink> = article
        .sections
        .iter_mut()
        .flat_map(|section| &mut section.blocks)
        .filter_map(|block| match block {
            Block::Figures(links) => Some(links),
            _ => None,
        })
        .flatten()
        .collect();
    let copies = links
        .par_iter_mut()
        .map(|link| {
            // `mnist/lab/maps.png` becomes `mnist-lab-maps.png`.
            let name = link.source.replace('/', "-");
            let copy = images.join(&name);
            // As large as on the page, where charts stand at half of their pixels.
            let width = link.size.0.min(WIDEST);
            let image = shrunk(&still(&figures.join(&link.source))?, width);
            let colours = if is_grey(&image) { GREYS } else { COLOURS };
            link.size = (image.width(), image.height());
            link.source = format!("{IMAGES}/{name}");
            write_small_png(&copy, &image, colours)?;
            Ok(copy)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let text = article.to_markdown()?;
    viz::write_atomically(path, text.as_bytes())?;
    Ok(copies)
}

fn create(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.into(),
        source,
    })
}

/// The picture of a file, or the last one of an animation.
fn still(path: &Path) -> Result<Image, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    let damaged = |error: VizError| {
        Error::RunFolder(format!(
            "{} is no picture of the atlas ({error}); delete it and draw its study again",
            path.display()
        ))
    };
    // An animation says so in a chunk of its own, before any pixel.
    let head = &bytes[..bytes.len().min(4096)];
    if head.windows(4).any(|name| name == b"acTL") {
        let frames = decode_apng(&bytes).map_err(damaged)?;
        if let Some(last) = frames.images.into_iter().next_back() {
            return Ok(last.into());
        }
    }
    decode_png(&bytes).map_err(damaged)
}

/// The image at no more than `width`, every pixel the mean of the area it covers.
fn shrunk(image: &Image, width: usize) -> RgbImage {
    let image = image.as_ref();
    let width = width.clamp(1, image.width().max(1));
    let height = (image.height() * width)
        .div_ceil(image.width().max(1))
        .max(1);
    let columns = shares(image.width(), width);
    let rows = shares(image.height(), height);
    let mut small = RgbImage::new(width, height, Rgb::WHITE);
    for (y, row) in rows.iter().enumerate() {
        for (x, column) in columns.iter().enumerate() {
            let mut sum = [0.0; 3];
            for &(from_y, share_y) in row {
                for &(from_x, share_x) in column {
                    let Rgb(r, g, b) = image.get(from_x, from_y);
                    for (total, value) in sum.iter_mut().zip([r, g, b]) {
                        *total += share_y * share_x * f64::from(value);
                    }
                }
            }
            let [r, g, b] = sum.map(|value| value.round() as u8);
            small.set(x, y, Rgb(r, g, b));
        }
    }
    small
}

/// Whether nothing has a colour; the bluish ink of titles and captions is none.
fn is_grey(image: &RgbImage) -> bool {
    image.pixels().chunks_exact(3).all(|pixel| {
        let (low, high) = (pixel.iter().min(), pixel.iter().max());
        low.zip(high).is_none_or(|(low, high)| high - low <= INK)
    })
}

/// For each of `to` equal parts of `from` pixels: the pixels it covers, with
/// weights that sum to one.
fn shares(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let size = from as f64 / to as f64;
    (0..to)
        .map(|part| {
            let (start, end) = (part as f64 * size, (part + 1) as f64 * size);
            (start as usize..(end.ceil() as usize).min(from))
                .map(|pixel| {
                    let covered = end.min((pixel + 1) as f64) - start.max(pixel as f64);
                    (pixel, covered.max(0.0) / size)
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for (from, to) in [(10, 10), (10, 5), (10, 3), (7, 4), (1, 1)] {
            let shares = shares(from, to);
            assert_eq!(shares.len(), to);
            let mut covered = vec![0.0; from];
            for part in &shares {
                let sum: f64 = part.iter().map(|(_, share)| share).sum();
                assert!((sum - 1.0).abs() < 1e-12, "{from} to {to}: {part:?}");
                for (pixel, share) in part {
                    covered[*pixel] += share;
                }
            }
            for share in covered {
                assert!(
                    (share - to as f64 / from as f64).abs() < 1e-12,
                    "{from} to {to}"
                );
            }
        }
    }

    #[test]
    fn shrinking_averages_and_never_enlarges() {
        let mut image = RgbImage::new(4, 2, Rgb(10, 10, 10));
        image.set(0, 0, Rgb(50, 50, 50));
        let small = shrunk(&image.clone().into(), 2);
        assert_eq!((small.width(), small.height()), (2, 1));
        assert_eq!(small.get(0, 0), Rgb(20, 20, 20));
        assert!(is_grey(&small));
        image.set(3, 1, Rgb(10, 10, 110));
        let small = shrunk(&image.clone().into(), 2);
        assert_eq!(small.get(1, 0), Rgb(10, 10, 35));
        assert!(is_grey(&small) && !is_grey(&image));
        assert_eq!(shrunk(&image.clone().into(), 100), image);
    }
}
