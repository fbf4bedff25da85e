//! How a source is to be read: everything that may be done to rows on the way
//! in. Nothing of it happens unless it is asked for.

use std::path::PathBuf;

use crate::error::DataError;
use crate::shape::Shape;

/// How a source is read.
///
/// ```
/// use datasets::Reading;
/// let reading = Reading { resize: Some((32, 32)), ..Reading::default() };
/// reading.validate()?;
/// # Ok::<(), datasets::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The share of rows taken as test set where the source has none.
    pub test_share: f64,
    /// What a row of this many values is, where the file does not say.
    pub shape: Option<Shape>,
    /// Height and width that images are brought to.
    pub resize: Option<(usize, usize)>,
    /// Whether images are grey or of three channels.
    pub colour: Colour,
    /// What transparent pixels are composed on: red, green, blue.
    pub background: [u8; 3],
    /// The value that stands for 1; by default 255 for bytes and 1 for floats.
    pub maximum: Option<f64>,
    /// Whether values are taken from 1: black on white becomes white on black.
    pub invert: bool,
    /// Whether rows and columns of an image change places, as the files of
    /// EMNIST need it.
    pub transposed: bool,
    /// Where the labels of a table are.
    pub labels: LabelColumn,
    /// Where decoded folders are kept; none to decode them each time.
    pub cache: Option<PathBuf>,
}

/// The share of rows taken as test set where nothing else is asked for.
pub const TEST_SHARE: f64 = 0.15;

impl Default for Reading {
    fn default() -> Self {
        Self {
            test_share: TEST_SHARE,
            shape: None,
            resize: None,
            colour: Colour::Automatic,
            background: [0; 3],
            maximum: None,
            invert: false,
            transposed: false,
            labels: LabelColumn::Automatic,
            cache: None,
        }
    }
}

/// Whether images are grey or coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Grey when all images of a source are, otherwise of three channels.
    #[default]
    Automatic,
    /// One channel: the luma of ITU-R BT.601.
    Grey,
    /// Three channels.
    Rgb,
}

/// Where the labels of a table (CSV) are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelColumn {
    /// As the header or the number of columns says.
    #[default]
    Automatic,
    /// In the first column.
    First,
    /// Nowhere: all columns are values.
    None,
}

impl Colour {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Automatic, Self::Grey, Self::Rgb];

    /// The name used on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Grey => "grey",
            Self::Rgb => "rgb",
        }
    }
}

impl LabelColumn {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Automatic, Self::First, Self::None];

    /// The name used on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::First => "first",
            Self::None => "none",
        }
    }
}

impl Reading {
    /// Checks every option against its range.
    ///
    /// # Errors
    /// [`DataError::Reading`] with the option, its value and what is expected.
    pub fn validate(&self) -> Result<(), DataError> {
        let wrong = |option: &'static str, found: String, expected: &'static str| {
            Err(DataError::Reading {
                option,
                found,
                expected,
            })
        };
        if !(self.test_share > 0.0 && self.test_share < 1.0) {
            return wrong(
                "--test-share",
                self.test_share.to_string(),
                "a number between 0 and 1, such as 0.15",
            );
        }
        if let Some(maximum) = self.maximum
            && !(maximum.is_finite() && maximum > 0.0)
        {
            return wrong(
                "--maximum",
                maximum.to_string(),
                "a positive number, the value that stands for full ink",
            );
        }
        if let Some((height, width)) = self.resize
            && (height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE)
        {
            return wrong(
                "--resize",
                format!("{height}x{width}"),
                "a height and a width between 1 and 4096, such as 32x32",
            );
        }
        Ok(())
    }
}

/// The longest side that images are resized to.
const MAX_SIDE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let base = Reading::default;
        assert!(base().validate().is_ok());
        for (reading, option) in [
            (
                Reading {
                    test_share: 0.0,
                    ..base()
                },
                "--test-share",
            ),
            (
                Reading {
                    test_share: f64::NAN,
                    ..base()
                },
                "--test-share",
            ),
            (
                Reading {
                    maximum: Some(-1.0),
                    ..base()
                },
                "--maximum",
            ),
            (
                Reading {
                    resize: Some((0, 8)),
                    ..base()
                },
                "--resize",
            ),
        ] {
            let message = reading.validate().unwrap_err().to_string();
            assert!(message.starts_with(option), "{message}");
        }
    }
}
