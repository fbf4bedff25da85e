//! The sprite image of the embedding projector: all rows as small pictures in one.

use runs::Error;
use viz::{GrayImage, Image, ImageRef, RgbImage};

/// Sides of a sprite image that browsers load, pixels.
pub(super) const MOST_PIXELS: usize = 8192;

/// Longer side of one picture in it; larger images are reduced.
const LONGER_SIDE: usize = 64;

/// How pictures lie in a sprite image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpriteLayout {
    /// Size of one picture, pixels.
    pub(super) height: usize,
    pub(super) width: usize,
    columns: usize,
    rows: usize,
}

impl SpriteLayout {
    /// How many pictures of images of this size fit.
    pub(super) fn capacity(height: usize, width: usize) -> usize {
        let [height, width] = reduced(height, width);
        (MOST_PIXELS / height) * (MOST_PIXELS / width)
    }

    /// That of `count` pictures of images of this size, no more than fit: in rows,
    /// as many columns as rows where that fits.
    pub(super) fn of(count: usize, height: usize, width: usize) -> Self {
        let [height, width] = reduced(height, width);
        let side = (1..).find(|side| side * side >= count).unwrap_or(1);
        let columns = side
            .min(MOST_PIXELS / width)
            .max(count.div_ceil(MOST_PIXELS / height))
            .max(1);
        Self {
            height,
            width,
            columns,
            rows: count.div_ceil(columns).max(1),
        }
    }

    /// The sprite image of pictures of one size, in order.
    ///
    /// # Errors
    /// The first of the pictures'.
    pub(super) fn image(
        &self,
        pictures: impl Iterator<Item = Result<Image, Error>>,
        is_grey: bool,
    ) -> Result<Image, Error> {
        let (width, height) = (self.columns * self.width, self.rows * self.height);
        let channels = if is_grey { 1 } else { 3 };
        let mut pixels = vec![0; width * height * channels];
        for (at, picture) in pictures.enumerate() {
            let picture = picture?;
            let picture = picture.as_ref();
            let is_reduced = picture.width() != self.width || picture.height() != self.height;
            let small = is_reduced.then(|| picture.reduced(self.width, self.height));
            let small = small.as_ref().map_or(picture, Image::as_ref);
            let (left, top) = (
                at % self.columns * self.width,
                at / self.columns * self.height,
            );
            let line = self.width * channels;
            let lines = bytes(small).chunks_exact(line);
            for (y, source) in lines.enumerate() {
                let start = ((top + y) * width + left) * channels;
                pixels[start..start + line].copy_from_slice(source);
            }
        }
        Ok(if is_grey {
            GrayImage::from_pixels(width, height, pixels)?.into()
        } else {
            RgbImage::from_pixels(width, height, pixels)?.into()
        })
    }
}

fn bytes(image: ImageRef<'_>) -> &[u8] {
    match image {
        ImageRef::Gray(image) => image.pixels(),
        ImageRef::Rgb(image) => image.pixels(),
    }
}

/// Height and width of an image in a sprite image.
fn reduced(height: usize, width: usize) -> [usize; 2] {
    let longer = height.max(width).max(1);
    let scale = (LONGER_SIDE as f64 / longer as f64).min(1.0);
    [height, width].map(|side| ((side as f64 * scale).round() as usize).max(1))
}

#[cfg(test)]
mod tests {
    use viz::Rgb;

    use super::*;

    #[test]
    fn sprites_stay_within_what_browsers_load() {
        for (height, width) in [
            (28, 28),
            (14, 56),
            (56, 14),
            (1, 1),
            (64, 64),
            (500, 300),
            (1, 4000),
        ] {
            let capacity = SpriteLayout::capacity(height, width);
            for count in [1, 2, 99, 10_000, 70_000, capacity] {
                let count = count.min(capacity);
                let layout = SpriteLayout::of(count, height, width);
                let sides = [layout.columns * layout.width, layout.rows * layout.height];
                assert!(sides.iter().all(|&side| side <= MOST_PIXELS), "{layout:?}");
                assert!(
                    layout.columns * layout.rows >= count,
                    "{layout:?} of {count}"
                );
            }
        }
        // 70 000 digits are a square of 265.
        let layout = SpriteLayout::of(70_000, 28, 28);
        assert_eq!((layout.columns, layout.rows), (265, 265));
        assert_eq!(SpriteLayout::capacity(28, 28), 292 * 292);
    }

    #[test]
    fn pictures_lie_row_by_row() {
        let layout = SpriteLayout::of(3, 2, 3);
        let picture = |value: u8| Ok(GrayImage::new(3, 2, value).into());
        let image = layout.image((1..=3).map(picture), true).unwrap();
        let at = |x, y| image.as_ref().get(x, y);
        assert_eq!((image.as_ref().width(), image.as_ref().height()), (6, 4));
        let grey = |value| Rgb(value, value, value);
        assert_eq!(
            [at(0, 0), at(3, 1), at(2, 3), at(5, 3)],
            [1, 2, 3, 0].map(grey)
        );
        let layout = SpriteLayout::of(1, 200, 100);
        let colour = |_| Ok(RgbImage::new(100, 200, Rgb(1, 2, 3)).into());
        let image = layout.image((0..1).map(colour), false).unwrap();
        assert_eq!((image.as_ref().width(), image.as_ref().height()), (32, 64));
        assert_eq!(image.as_ref().get(31, 63), Rgb(1, 2, 3));
    }
}
