use crate::tile::area_mean;
use crate::{Rgb, VizError};

/// An 8-bit grey image, rows from the top, 0 black.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// An 8-bit RGB image, rows from the top, three bytes a pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// A grey or an RGB image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// One byte a pixel.
    Gray(GrayImage),
    /// Three bytes a pixel.
    Rgb(RgbImage),
}

/// A borrowed grey or RGB image: what the writers take.
#[derive(Clone, Copy, Debug)]
pub enum ImageRef<'a> {
    /// One byte a pixel.
    Gray(&'a GrayImage),
    /// Three bytes a pixel.
    Rgb(&'a RgbImage),
}

impl GrayImage {
    /// An image of one value.
    pub fn new(width: usize, height: usize, value: u8) -> GrayImage {
        GrayImage {
            width,
            height,
            pixels: vec![value; width * height],
        }
    }

    /// An image of the given pixels, row-major from the top left.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when there are not `width × height` pixels.
    pub fn from_pixels(
        width: usize,
        height: usize,
        pixels: Vec<u8>,
    ) -> Result<GrayImage, VizError> {
        if pixels.len() != width * height {
            return Err(VizError::shape(
                "pixels of a grey image",
                pixels.len(),
                format!("{width} × {height}"),
            ));
        }
        Ok(GrayImage {
            width,
            height,
            pixels,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row-major from the top left.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The value at column `x`, row `y`.
    pub fn get(&self, x: usize, y: usize) -> u8 {
        self.pixels[y * self.width + x]
    }

    /// Sets the value at column `x`, row `y`.
    pub fn set(&mut self, x: usize, y: usize, value: u8) {
        self.pixels[y * self.width + x] = value;
    }

    /// Every pixel as a `factor × factor` square.
    pub fn scaled(&self, factor: usize) -> GrayImage {
        let mut scaled = GrayImage::new(self.width * factor, self.height * factor, 0);
        for y in 0..scaled.height {
            for x in 0..scaled.width {
                scaled.set(x, y, self.get(x / factor, y / factor));
            }
        }
        scaled
    }

    /// The `width × height` part whose top left pixel is (`x`, `y`).
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when the part reaches outside of the image.
    pub fn crop(
        &self,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
    ) -> Result<GrayImage, VizError> {
        if x + width > self.width || y + height > self.height {
            return Err(VizError::shape(
                "part of an image",
                format!("{width} × {height} at ({x}, {y})"),
                format!("a part of {} × {}", self.width, self.height),
            ));
        }
        let pixels = (y..y + height)
            .flat_map(|row| &self.pixels[row * self.width + x..][..width])
            .copied()
            .collect();
        Ok(GrayImage {
            width,
            height,
            pixels,
        })
    }

    /// The same picture with three equal channels.
    pub fn to_rgb(&self) -> RgbImage {
        RgbImage {
            width: self.width,
            height: self.height,
            pixels: self.pixels.iter().flat_map(|&v| [v, v, v]).collect(),
        }
    }
}

impl RgbImage {
    /// An image of one colour.
    pub fn new(width: usize, height: usize, colour: Rgb) -> RgbImage {
        RgbImage {
            width,
            height,
            pixels: [colour.0, colour.1, colour.2].repeat(width * height),
        }
    }

    /// An image of the given bytes, row-major from the top left, three a pixel.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when there are not `3 × width × height` bytes.
    pub fn from_pixels(width: usize, height: usize, pixels: Vec<u8>) -> Result<RgbImage, VizError> {
        if pixels.len() != 3 * width * height {
            return Err(VizError::shape(
                "bytes of an RGB image",
                pixels.len(),
                format!("3 × {width} × {height}"),
            ));
        }
        Ok(RgbImage {
            width,
            height,
            pixels,
        })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, row-major from the top left, three a pixel.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The colour at column `x`, row `y`.
    pub fn get(&self, x: usize, y: usize) -> Rgb {
        let at = 3 * (y * self.width + x);
        Rgb(self.pixels[at], self.pixels[at + 1], self.pixels[at + 2])
    }

    /// Sets the colour at column `x`, row `y`.
    pub fn set(&mut self, x: usize, y: usize, colour: Rgb) {
        let at = 3 * (y * self.width + x);
        self.pixels[at..at + 3].copy_from_slice(&[colour.0, colour.1, colour.2]);
    }

    /// Every pixel as a `factor × factor` square.
    pub fn scaled(&self, factor: usize) -> RgbImage {
        let mut scaled = RgbImage::new(self.width * factor, self.height * factor, Rgb::WHITE);
        for y in 0..scaled.height {
            for x in 0..scaled.width {
                scaled.set(x, y, self.get(x / factor, y / factor));
            }
        }
        scaled
    }
}

impl ImageRef<'_> {
    /// Pixels in a row.
    pub fn width(self) -> usize {
        match self {
            ImageRef::Gray(image) => image.width,
            ImageRef::Rgb(image) => image.width,
        }
    }

    /// Number of rows.
    pub fn height(self) -> usize {
        match self {
            ImageRef::Gray(image) => image.height,
            ImageRef::Rgb(image) => image.height,
        }
    }

    /// The colour at column `x`, row `y`.
    pub fn get(self, x: usize, y: usize) -> Rgb {
        match self {
            ImageRef::Gray(image) => {
                let value = image.get(x, y);
                Rgb(value, value, value)
            }
            ImageRef::Rgb(image) => image.get(x, y),
        }
    }

    /// The image at no more than `width` × `height` pixels, each the mean of the area that it covers;
    /// a side that is shorter already stays. At least one pixel of each side remains.
    ///
    /// ```
    /// use viz::{GrayImage, ImageRef};
    /// let image = GrayImage::from_pixels(4, 1, vec![0, 100, 200, 0])?;
    /// let small = ImageRef::from(&image).reduced(2, 9);
    /// assert_eq!(small, GrayImage::from_pixels(2, 1, vec![50, 100])?.into());
    /// # Ok::<(), viz::VizError>(())
    /// ```
    pub fn reduced(self, width: usize, height: usize) -> Image {
        let from = [self.height(), self.width()];
        let to = [
            height.clamp(1, from[0].max(1)),
            width.clamp(1, from[1].max(1)),
        ];
        if from.contains(&0) || from == to {
            return self.to_image();
        }
        let bytes = self.bytes();
        let mean = |channels: usize| -> Vec<u8> {
            area_mean(&|at| f32::from(bytes[at]), from, to, channels)
                .into_iter()
                .map(|value| value.round() as u8)
                .collect()
        };
        let [height, width] = to;
        match self {
            ImageRef::Gray(_) => Image::Gray(GrayImage {
                width,
                height,
                pixels: mean(1),
            }),
            ImageRef::Rgb(_) => Image::Rgb(RgbImage {
                width,
                height,
                pixels: mean(3),
            }),
        }
    }

    /// A copy of the image.
    pub fn to_image(self) -> Image {
        match self {
            ImageRef::Gray(image) => Image::Gray(image.clone()),
            ImageRef::Rgb(image) => Image::Rgb(image.clone()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            ImageRef::Gray(image) => &image.pixels,
            ImageRef::Rgb(image) => &image.pixels,
        }
    }
}

impl Image {
    /// The image borrowed.
    pub fn as_ref(&self) -> ImageRef<'_> {
        match self {
            Image::Gray(image) => ImageRef::Gray(image),
            Image::Rgb(image) => ImageRef::Rgb(image),
        }
    }
}

impl From<GrayImage> for Image {
    fn from(image: GrayImage) -> Image {
        Image::Gray(image)
    }
}

impl From<RgbImage> for Image {
    fn from(image: RgbImage) -> Image {
        Image::Rgb(image)
    }
}

impl<'a> From<&'a GrayImage> for ImageRef<'a> {
    fn from(image: &'a GrayImage) -> ImageRef<'a> {
        ImageRef::Gray(image)
    }
}

impl<'a> From<&'a RgbImage> for ImageRef<'a> {
    fn from(image: &'a RgbImage) -> ImageRef<'a> {
        ImageRef::Rgb(image)
    }
}

impl<'a> From<&'a Image> for ImageRef<'a> {
    fn from(image: &'a Image) -> ImageRef<'a> {
        image.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_of_another_size_are_refused() {
        let error = GrayImage::from_pixels(3, 2, vec![0; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pixels of a grey image: found 5, expected 3 × 2"
        );
        assert!(RgbImage::from_pixels(2, 2, vec![0; 4]).is_err());
    }

    #[test]
    fn reducing_keeps_the_mean_and_undoes_scaling() {
        let pixels: Vec<u8> = (0..3 * 35).map(|at| (at * 73 % 251) as u8).collect();
        let image = RgbImage::from_pixels(7, 5, pixels).unwrap();
        let large = image.scaled(3);
        assert_eq!(ImageRef::from(&large).reduced(7, 5), image.clone().into());
        assert_eq!(ImageRef::from(&image).reduced(100, 5), image.clone().into());
        let Image::Rgb(one) = ImageRef::from(&image).reduced(0, 0) else {
            panic!("colours stay");
        };
        let sum: usize = image
            .pixels()
            .iter()
            .step_by(3)
            .map(|&v| usize::from(v))
            .sum();
        assert_eq!(
            usize::from(one.get(0, 0).0),
            (sum as f64 / 35.0).round() as usize
        );
        let empty = GrayImage::new(0, 4, 0);
        assert_eq!(ImageRef::from(&empty).reduced(2, 2), empty.clone().into());
    }

    #[test]
    fn scaling_repeats_and_cropping_cuts() {
        let image = GrayImage::from_pixels(2, 2, vec![1, 2, 3, 4]).unwrap();
        let scaled = image.scaled(2);
        assert_eq!(
            scaled.pixels(),
            [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
        );
        assert_eq!(scaled.crop(2, 1, 2, 2).unwrap().pixels(), [2, 2, 4, 4]);
        assert!(scaled.crop(3, 0, 2, 1).is_err());
        assert_eq!(image.to_rgb().scaled(2).get(3, 0), Rgb(2, 2, 2));
    }
}
