//! The article as a Markdown file for a code host, with small copies of its
//! pictures beside it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use viz::page::{Block, FigureLink};
use viz::{
    Animation, Image, ImageRef, Rgb, RgbImage, VizError, decode_apng, decode_png, encode_png_within,
};

use crate::page;
use runs::Error;
use runs::atomic_file::create_folder;

/// Folder of the pictures, beside the Markdown file.
const IMAGES: &str = "images";
/// Copies are at most this wide: code hosts show text in columns of about
/// this width and shrink what is wider.
const WIDEST: usize = 900;
/// Bytes of a copy, about: a smaller palette is chosen for a larger one.
const MOST_BYTES: usize = 150_000;
/// Bytes of an animation, at most.
const MOST_BYTES_MOVING: usize = 1_500_000;

/// Writes the article of the sections found below `figures` to `path`, and
/// its pictures, shrunk, into `images/` beside it.
///
/// Animations stay animations. What stands below the picture on the page, its
/// caption, is cut off the copy. Returns the pictures.
///
/// # Errors
/// When a section or picture cannot be read or a file cannot be written.
pub fn write(figures: &Path, path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut article = page::read_article(figures)?;
    let images = path.parent().unwrap_or(Path::new("")).join(IMAGES);
    create_folder(&images)?;
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
            let picture = read_picture(&figures.join(&link.source))?;
            let copies: Vec<RgbImage> = picture
                .images
                .iter()
                .map(|image| shrunk(image, link.size, width))
                .collect();
            link.size = copies
                .first()
                .map_or((0, 0), |copy| (copy.width(), copy.height()));
            link.source = format!("{IMAGES}/{name}");
            // The article shows all maps with their axes side by side; only those have a copy.
            link.with_axes = None;
            let bytes = match (&copies[..], picture.milliseconds) {
                ([only], None) => encode_png_within(only, MOST_BYTES)?,
                (frames, milliseconds) => {
                    let milliseconds = milliseconds.unwrap_or_default();
                    Animation {
                        hold: milliseconds.last().copied().unwrap_or(0),
                        milliseconds,
                        most_bytes: Some(MOST_BYTES_MOVING),
                        ..Animation::new(frames, 0)
                    }
                    .encode(&[])?
                }
            };
            viz::write_atomically(&copy, &bytes)?;
            Ok(copy)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let text = article.to_markdown()?;
    viz::write_atomically(path, text.as_bytes())?;
    Ok(copies)
}

/// A picture as it was read: one image, or the frames of an animation with how
/// long each is shown.
struct ReadPicture {
    images: Vec<Image>,
    milliseconds: Option<Vec<u16>>,
}

fn read_picture(path: &Path) -> Result<ReadPicture, Error> {
    let bytes = input_files::read(path).map_err(|source| Error::Read {
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
        return Ok(ReadPicture {
            images: frames.images.into_iter().map(Image::from).collect(),
            milliseconds: Some(frames.milliseconds),
        });
    }
    Ok(ReadPicture {
        images: vec![decode_png(&bytes).map_err(damaged)?],
        milliseconds: None,
    })
}

/// What the page shows of an image, `shown` in any unit, at no more than
/// `width`: every pixel the mean of the area it covers.
fn shrunk(image: &Image, shown: (usize, usize), width: usize) -> RgbImage {
    let image = image.as_ref();
    let height = match shown {
        (0, _) | (_, 0) => image.height(),
        (across, down) => (image.width() * down / across).clamp(1, image.height()),
    };
    let mut cut = RgbImage::new(image.width(), height, Rgb::WHITE);
    for y in 0..height {
        for x in 0..image.width() {
            cut.set(x, y, image.get(x, y));
        }
    }
    let width = width.clamp(1, cut.width().max(1));
    let height = (cut.height() * width).div_ceil(cut.width().max(1)).max(1);
    match ImageRef::from(&cut).reduced(width, height) {
        Image::Rgb(small) => small,
        Image::Gray(small) => small.to_rgb(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_averages_cuts_the_caption_off_and_never_enlarges() {
        let mut image = RgbImage::new(4, 3, Rgb(10, 10, 10));
        image.set(0, 0, Rgb(50, 50, 50));
        let whole = Image::from(image.clone());
        let small = shrunk(&whole, (4, 2), 2);
        assert_eq!((small.width(), small.height()), (2, 1));
        assert_eq!(small.get(0, 0), Rgb(20, 20, 20));
        assert_eq!(shrunk(&whole, (4, 3), 100), image);
        assert_eq!(shrunk(&whole, (2, 1), 100).height(), 2);
    }
}
