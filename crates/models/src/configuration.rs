//! How a model is trained.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most threads one training step is spread over.
pub const MAXIMUM_THREADS: usize = 64;

/// What computes the gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gradients {
    /// The hand-derived gradient, fused with the optimiser.
    #[default]
    Hand,
    /// Reverse-mode differentiation of the same objective on a tape.
    Tape,
}

impl Gradients {
    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Gradients::Hand => "hand",
            Gradients::Tape => "tape",
        }
    }
}

impl fmt::Display for Gradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Gradients {
    type Err = ConfigurationError;

    fn from_str(text: &str) -> Result<Self, ConfigurationError> {
        match text {
            "hand" => Ok(Gradients::Hand),
            "tape" => Ok(Gradients::Tape),
            _ => Err(ConfigurationError::Gradients(text.to_owned())),
        }
    }
}

/// Constants of Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1), with
/// ε outside the root as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamConstants {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub epsilon: f64,
}

impl AdamConstants {
    /// The constants of the paper and PyTorch's defaults: 0.9, 0.999, 1e-8.
    pub const STANDARD: AdamConstants = AdamConstants {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
    };
}

/// Everything that decides how training runs, besides the model and the data.
///
/// `threads` and `gradients` change speed only: `threads` leaves every byte
/// of the result as it is, `gradients` the last digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingConfig {
    /// Images per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Adam's other constants.
    pub adam: AdamConstants,
    /// Seed of every random stream.
    pub seed: u64,
    /// Threads one step is spread over.
    pub threads: usize,
    /// What computes the gradient.
    pub gradients: Gradients,
    /// Draw a new order of the images each epoch, rather than keeping theirs.
    pub shuffle: bool,
}

impl TrainingConfig {
    /// The recipe of the tutorials: batch 128, Adam at 1e-3 with its standard
    /// constants, shuffled, one thread.
    pub fn standard(seed: u64) -> Self {
        Self {
            batch: 128,
            learning_rate: 1e-3,
            adam: AdamConstants::STANDARD,
            seed,
            threads: 1,
            gradients: Gradients::Hand,
            shuffle: true,
        }
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// The first value out of range, with the range.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let out_of_range = |option, found: String, expected| {
            Err(ConfigurationError::OutOfRange {
                option,
                found,
                expected,
            })
        };
        if self.batch == 0 {
            return out_of_range("batch", self.batch.to_string(), "at least 1");
        }
        if self.threads == 0 || self.threads > MAXIMUM_THREADS {
            return out_of_range("threads", self.threads.to_string(), "between 1 and 64");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate >= 0.0) {
            return out_of_range(
                "learning rate",
                self.learning_rate.to_string(),
                "finite and not negative",
            );
        }
        for (option, beta) in [
            ("Adam beta1", self.adam.beta1),
            ("Adam beta2", self.adam.beta2),
        ] {
            if !(0.0..1.0).contains(&beta) {
                return out_of_range(option, beta.to_string(), "at least 0 and below 1");
            }
        }
        if !(self.adam.epsilon.is_finite() && self.adam.epsilon > 0.0) {
            return out_of_range(
                "Adam epsilon",
                self.adam.epsilon.to_string(),
                "finite and above 0",
            );
        }
        Ok(())
    }
}

/// A value training cannot run with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigurationError {
    /// Not the name of a way to compute gradients.
    #[error("gradients is {0:?}; expected hand or tape")]
    Gradients(String),
    /// A number out of its range.
    #[error("{option} is {found}; expected {expected}")]
    OutOfRange {
        /// Which value.
        option: &'static str,
        /// The value found.
        found: String,
        /// Its range.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        let refused = |change: fn(&mut TrainingConfig)| {
            let mut config = TrainingConfig::standard(0);
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(TrainingConfig::standard(0).validate(), Ok(()));
        assert_eq!(refused(|c| c.batch = 0), "batch is 0; expected at least 1");
        assert_eq!(
            refused(|c| c.threads = 65),
            "threads is 65; expected between 1 and 64"
        );
        assert!(refused(|c| c.learning_rate = f64::NAN).starts_with("learning rate is NaN"));
        assert!(refused(|c| c.adam.beta1 = 1.0).starts_with("Adam beta1 is 1"));
        assert!(refused(|c| c.adam.epsilon = 0.0).starts_with("Adam epsilon is 0"));
    }
}
