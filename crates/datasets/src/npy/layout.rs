//! What the rows of an array are, by its sizes and types.

use super::array::Array;
use crate::error::DataError;
use crate::reading::Reading;
use crate::shape::Shape;
use crate::table::byte_rows;

/// What a row is, and how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) shape: Shape,
    /// Whether a row holds one channel after another.
    pub(super) channels_first: bool,
}

impl Layout {
    /// The layout of an array of images or vectors, and what was decided.
    pub(super) fn of(
        array: &Array,
        reading: &Reading,
    ) -> Result<(Self, Option<String>), DataError> {
        let wrong = |found: &str, expected: &str| {
            Err(array.place().wrong(
                format!("{found} of the shape {}", array.shape_text()),
                expected,
            ))
        };
        if array.dtype().is_text() {
            return wrong("names", "numbers for images or vectors");
        }
        if array.shape().iter().skip(1).any(|&size| size == 0) {
            return wrong("an array without values", "rows of at least one value");
        }
        let plain = |shape| Self {
            shape,
            channels_first: false,
        };
        match array.shape()[..] {
            [] | [_] => wrong(
                "an array",
                "images [n, height, width] or vectors [n, length]; one value per row is no data, use reshape(-1, length)",
            ),
            [_, length] if array.dtype().is_bytes() => {
                let (shape, remark) = byte_rows(length, reading);
                Ok((plain(shape), remark))
            }
            [_, length] => Ok((plain(Shape::Vector { length }), None)),
            [_, height, width] => Ok((plain(Shape::grey(height, width)), None)),
            [_, a, b, c] => match channels([a, b, c], reading.shape) {
                Some(layout) => Ok((
                    layout,
                    layout.channels_first.then(|| {
                        format!(
                            "the images of {} have the channels first: brought to {}",
                            array.place().path.display(),
                            layout.shape
                        )
                    }),
                )),
                None if [1, 3].contains(&a) => wrong(
                    "an array",
                    "channels first or last, and here both can be; name the shape of an image with --shape, such as 28x28x3",
                ),
                None => wrong(
                    "an array",
                    "images [n, height, width, channels] or [n, channels, height, width] with 1 or 3 channels",
                ),
            },
            _ => wrong(
                "an array",
                "two to four dimensions: [n, length], [n, height, width] or [n, height, width, channels]",
            ),
        }
    }
}

/// Which of three sizes are the channels; none where that cannot be told.
fn channels([a, b, c]: [usize; 3], declared: Option<Shape>) -> Option<Layout> {
    let image = |height, width, channels| Shape::Image {
        height,
        width,
        channels,
    };
    let last = Layout {
        shape: image(a, b, c),
        channels_first: false,
    };
    let first = Layout {
        shape: image(b, c, a),
        channels_first: true,
    };
    if let Some(layout) = [last, first]
        .into_iter()
        .find(|layout| declared == Some(layout.shape))
    {
        return Some(layout);
    }
    match ([1, 3].contains(&a), [1, 3].contains(&c)) {
        (true, false) => Some(first),
        (false, true) => Some(last),
        // Transparency, which is always last.
        (false, false) if [2, 4].contains(&c) => Some(last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_told_where_they_can_be() {
        let of = |sizes, declared| channels(sizes, declared).map(|l| (l.shape, l.channels_first));
        assert_eq!(of([8, 9, 3], None), Some((Shape::colour(8, 9), false)));
        assert_eq!(of([8, 9, 1], None), Some((Shape::grey(8, 9), false)));
        assert_eq!(of([3, 8, 9], None), Some((Shape::colour(8, 9), true)));
        assert_eq!(of([1, 8, 9], None), Some((Shape::grey(8, 9), true)));
        assert_eq!(of([8, 9, 4], None).map(|(_, first)| first), Some(false));
        assert_eq!(of([3, 8, 4], None), Some((Shape::colour(8, 4), true)));
        assert_eq!(of([3, 8, 3], None), None);
        assert_eq!(of([5, 8, 9], None), None);
        let declared = Some(Shape::colour(8, 3));
        assert_eq!(of([3, 8, 3], declared), Some((Shape::colour(8, 3), true)));
        let declared = Some(Shape::colour(3, 8));
        assert_eq!(of([3, 8, 3], declared), Some((Shape::colour(3, 8), false)));
    }
}
