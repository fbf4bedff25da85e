//! What `[data.reading]` means: how a source is read.

use datasets::{Reading, Shape};

use super::{Configuration, Override, ReadingConfiguration};
use crate::error::Error;

impl ReadingConfiguration {
    /// These settings with `overrides` in place of their own.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn with(&self, overrides: &[Override]) -> Result<Self, Error> {
        let mut whole = Configuration::default();
        whole.data.reading = self.clone();
        Ok(Configuration::of_values(whole.values()?, overrides)?
            .data
            .reading)
    }

    /// What the settings mean; `cache` is left out.
    ///
    /// # Errors
    /// One sentence naming the key, what was found and what is expected.
    pub fn reading(&self) -> Result<Reading, Error> {
        let shape = Some(&self.shape).filter(|text| !text.is_empty());
        let resize = match self.resize.as_str() {
            "" | "none" => None,
            text => match text.parse::<Shape>().ok() {
                Some(Shape::Image {
                    height,
                    width,
                    channels: 1,
                }) => Some((height, width)),
                _ => {
                    let expected = "a height and a width, such as 32x32";
                    return Err(Self::resize.refuse(text, expected));
                }
            },
        };
        let background = colour_of(&self.background).ok_or_else(|| {
            let expected = "'black', 'white' or six hexadecimal digits such as '#ffcc00'";
            Self::background.refuse(&self.background, expected)
        })?;
        let reading = Reading {
            test_share: self.test_share,
            shape: shape.map(|text| text.parse()).transpose()?,
            resize,
            colour: Self::colour.named(&self.colour)?,
            background,
            maximum: Some(self.maximum).filter(|&maximum| maximum != 0.0),
            invert: self.invert,
            transposed: self.transposed,
            labels: Self::labels.named(&self.labels)?,
            cache: None,
        };
        reading.validate()?;
        Ok(reading)
    }
}

fn colour_of(text: &str) -> Option<[u8; 3]> {
    let digits = match text {
        "black" => "000000",
        "white" => "ffffff",
        text => text.strip_prefix('#')?,
    };
    let is_hexadecimal = digits.len() == 6 && digits.bytes().all(|one| one.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16)
        .ok()
        .filter(|_| is_hexadecimal)?;
    let [_, colour @ ..] = number.to_be_bytes();
    Some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_what_they_say() {
        let settings = ReadingConfiguration {
            resize: "32x24".into(),
            colour: "grey".into(),
            background: "#ff8000".into(),
            maximum: 16.0,
            ..ReadingConfiguration::default()
        };
        let reading = settings.reading().expect("valid");
        assert_eq!(reading.resize, Some((32, 24)));
        assert_eq!(reading.background, [255, 128, 0]);
        assert_eq!(reading.maximum, Some(16.0));
        let default = ReadingConfiguration::default().reading().expect("valid");
        assert_eq!(default, Reading::default());
    }

    #[test]
    fn nonsense_is_named() {
        let base = ReadingConfiguration::default;
        for (settings, expected) in [
            (
                ReadingConfiguration {
                    resize: "32".into(),
                    ..base()
                },
                "data.reading.resize is '32'",
            ),
            (
                ReadingConfiguration {
                    colour: "cmyk".into(),
                    ..base()
                },
                "'rgb'",
            ),
            (
                ReadingConfiguration {
                    background: "#12345é".into(),
                    ..base()
                },
                "six hexadecimal digits",
            ),
            (
                ReadingConfiguration {
                    test_share: 1.5,
                    ..base()
                },
                "--test-share is 1.5",
            ),
            (
                ReadingConfiguration {
                    shape: "28 by 28".into(),
                    ..base()
                },
                "is no shape",
            ),
        ] {
            let message = settings.reading().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
