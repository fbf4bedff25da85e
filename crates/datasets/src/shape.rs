//! What one row of a data set is: an image or a plain vector.

use std::fmt;
use std::str::FromStr;

use crate::error::DataError;
use crate::table::square_side;

/// The shape of every row of a data set.
///
/// Written `28x28`, `64x64x3` or `512`, which is also how it is parsed:
///
/// ```
/// use datasets::Shape;
/// assert_eq!("64x48x3".parse::<Shape>()?, Shape::colour(64, 48));
/// assert_eq!(Shape::grey(28, 28).len(), 784);
/// assert_eq!(Shape::Vector { length: 512 }.to_string(), "512");
/// # Ok::<(), datasets::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// An image, stored row by row from the top, the channels of a pixel side
    /// by side.
    Image {
        /// Rows of pixels.
        height: usize,
        /// Pixels in a row.
        width: usize,
        /// 1 for grey, 3 for red, green and blue.
        channels: usize,
    },
    /// Numbers without a place in the plane: an embedding, a spectrum, a row
    /// of a table.
    Vector {
        /// How many numbers.
        length: usize,
    },
}

impl Shape {
    /// A grey image.
    #[must_use]
    pub const fn grey(height: usize, width: usize) -> Self {
        Self::Image {
            height,
            width,
            channels: 1,
        }
    }

    /// An image of red, green and blue.
    #[must_use]
    pub const fn colour(height: usize, width: usize) -> Self {
        Self::Image {
            height,
            width,
            channels: 3,
        }
    }

    /// What a row of `length` bytes is where nothing else is said: a square image where
    /// their number is a square, else a vector.
    #[must_use]
    pub fn of_bytes(length: usize) -> Self {
        match square_side(length) {
            Some(side) => Self::grey(side, side),
            None => Self::Vector { length },
        }
    }

    /// Values in a row.
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a shape of no values is refused where data is read"
    )]
    pub const fn len(self) -> usize {
        match self {
            Self::Image {
                height,
                width,
                channels,
            } => height * width * channels,
            Self::Vector { length } => length,
        }
    }

    /// Whether rows are images.
    #[must_use]
    pub const fn is_image(self) -> bool {
        matches!(self, Self::Image { .. })
    }

    /// Height and width of an image.
    #[must_use]
    pub const fn size(self) -> Option<(usize, usize)> {
        match self {
            Self::Image { height, width, .. } => Some((height, width)),
            Self::Vector { .. } => None,
        }
    }

    /// Values that stand for one pixel; 1 for a vector.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Image { channels, .. } => channels,
            Self::Vector { .. } => 1,
        }
    }

    /// What the rows are, in words.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Image { .. } => "images",
            Self::Vector { .. } => "vectors",
        }
    }

    /// The sizes of an array of `count` such rows, slowest first.
    pub(crate) fn dimensions(self, count: usize) -> Vec<usize> {
        match self {
            Self::Image {
                height,
                width,
                channels: 1,
            } => vec![count, height, width],
            Self::Image {
                height,
                width,
                channels,
            } => vec![count, height, width, channels],
            Self::Vector { length } => vec![count, length],
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Image {
                height,
                width,
                channels: 1,
            } => format!("{height}x{width}"),
            Self::Image {
                height,
                width,
                channels,
            } => format!("{height}x{width}x{channels}"),
            Self::Vector { length } => length.to_string(),
        };
        formatter.pad(&text)
    }
}

impl FromStr for Shape {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let wrong = || DataError::Shape {
            text: text.to_owned(),
        };
        let sizes = text
            .split(['x', 'X', '×'])
            .map(|size| size.trim().parse::<usize>().ok().filter(|&size| size > 0))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(wrong)?;
        sizes
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size))
            .ok_or_else(wrong)?;
        match sizes[..] {
            [length] => Ok(Self::Vector { length }),
            [height, width] => Ok(Self::grey(height, width)),
            [height, width, channels @ (1 | 3)] => Ok(Self::Image {
                height,
                width,
                channels,
            }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for shape in [
            Shape::grey(1, 1),
            Shape::grey(14, 56),
            Shape::colour(64, 48),
            Shape::Vector { length: 512 },
        ] {
            assert_eq!(shape.to_string().parse::<Shape>().unwrap(), shape);
            assert_eq!(
                shape.dimensions(7).iter().product::<usize>(),
                7 * shape.len()
            );
        }
        assert_eq!("28×28".parse::<Shape>().unwrap(), Shape::grey(28, 28));
        assert_eq!("8x8x1".parse::<Shape>().unwrap(), Shape::grey(8, 8));
    }

    #[test]
    fn bytes_in_a_square_are_an_image() {
        assert_eq!(Shape::of_bytes(784), Shape::grey(28, 28));
        assert_eq!(Shape::of_bytes(783), Shape::Vector { length: 783 });
    }

    #[test]
    fn nonsense_is_named() {
        for text in [
            "",
            "x",
            "0",
            "28x",
            "28x0",
            "28x28x2",
            "1x1x1x1",
            "-3x4",
            "4294967296x4294967296",
            "99999999999999999999",
        ] {
            let message = text.parse::<Shape>().unwrap_err().to_string();
            assert!(message.contains(&format!("\"{text}\"")), "{message}");
        }
    }
}
