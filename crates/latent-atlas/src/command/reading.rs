//! Options that say how a source is read: the flags of `[data.reading]`.

use clap::Args;
use runs::configuration::{Override, ReadingConfiguration};

use super::train::toml_string;

/// How images, vectors or tables are read; nothing is done to them unasked.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "How a source is read")]
pub(crate) struct ReadingOptions {
    /// The share of images that become the test set of a source without one,
    /// chosen by a hash of their content: 0.15 by default.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    test_share: Option<f64>,

    /// What one row of a table is, such as 28x28, 64x64x3 or 512.
    #[arg(long, value_name = "SHAPE")]
    shape: Option<String>,

    /// Bring images to this height and width.
    #[arg(long, value_name = "HxW")]
    resize: Option<String>,

    /// automatic (grey when every image is), grey or rgb.
    #[arg(long, alias = "color", value_name = "C")]
    colour: Option<String>,

    /// What transparent pixels are composed on: black, white or '#rrggbb'.
    #[arg(long, value_name = "COLOUR")]
    background: Option<String>,

    /// The value that stands for full ink: values are divided by it.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    maximum: Option<f64>,

    /// Take every value from 1: dark on light becomes light on dark;
    /// --invert=false where a run does and this source needs none.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    invert: Option<bool>,

    /// Exchange rows and columns of every image, or not (--transposed=false).
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    transposed: Option<bool>,

    /// Where a table without a telling header has its labels: automatic,
    /// first or none.
    #[arg(long, value_name = "COLUMN")]
    labels: Option<String>,
}

impl ReadingOptions {
    /// The keys of `config.toml` that were given.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let number = |value: &Option<f64>| value.map(|value| format!("{value:?}"));
        let text = |value: &Option<String>| value.as_ref().map(|text| toml_string(text));
        let flag = |value: Option<bool>| value.map(|value| value.to_string());
        [
            ("--test-share", "test_share", number(&self.test_share)),
            ("--shape", "shape", text(&self.shape)),
            ("--resize", "resize", text(&self.resize)),
            ("--colour", "colour", text(&self.colour)),
            ("--background", "background", text(&self.background)),
            ("--maximum", "maximum", number(&self.maximum)),
            ("--invert", "invert", flag(self.invert)),
            ("--transposed", "transposed", flag(self.transposed)),
            ("--labels", "labels", text(&self.labels)),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| {
            Some(Override {
                key: format!("data.reading.{key}"),
                value: value?,
                origin: flag.into(),
            })
        })
        .collect()
    }

    /// These options over `base`.
    pub(crate) fn over(&self, base: ReadingConfiguration) -> ReadingConfiguration {
        let text = |given: &Option<String>, base: String| given.clone().unwrap_or(base);
        ReadingConfiguration {
            test_share: self.test_share.unwrap_or(base.test_share),
            shape: text(&self.shape, base.shape),
            resize: text(&self.resize, base.resize),
            colour: text(&self.colour, base.colour),
            background: text(&self.background, base.background),
            maximum: self.maximum.unwrap_or(base.maximum),
            invert: self.invert.unwrap_or(base.invert),
            transposed: self.transposed.unwrap_or(base.transposed),
            labels: text(&self.labels, base.labels),
        }
    }
}
