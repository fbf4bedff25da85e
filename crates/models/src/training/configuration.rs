//! How a model is trained.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::named::{listed, named};
use crate::network::ownership::MAXIMUM_OWNERS;
use crate::objective::{Bound, Objective};
use crate::spec::ModelKind;
use crate::training::data_treatment::DataTreatment;
use crate::training::schedule::Schedule;

/// The most threads that may be asked for; see [`Gradients::most_threads`].
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

named! {
    Gradients, ConfigurationError, ConfigurationError::Gradients,
    Hand => "hand",
    Tape => "tape",
}

impl Gradients {
    /// The most threads one step is spread over: by hand one for each chain of a
    /// sum over outputs, on the tape as many as there are.
    #[must_use]
    pub const fn most_threads(self) -> usize {
        match self {
            Self::Hand => MAXIMUM_OWNERS,
            Self::Tape => MAXIMUM_THREADS,
        }
    }
}

/// Which root Adam's ε is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdamForm {
    /// √v̂ of the corrected moment: lr · m̂ / (√v̂ + ε) (Kingma & Ba 2015, algorithm 1).
    #[default]
    Corrected,
    /// √v of the moment as it is: lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε), the order of
    /// the end of §2 there. The ε of the other form is then ε / √(1 − β₂ᵗ), which is
    /// another only in the first 1/(1 − β₂) steps.
    Efficient,
}

named! {
    AdamForm, ConfigurationError, ConfigurationError::AdamForm,
    Corrected => "corrected",
    Efficient => "efficient",
}

/// The moments that a step of Adam goes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdamMoments {
    /// Those that the gradient of the step has entered.
    #[default]
    Current,
    /// Those of the steps before, so that the first step moves nothing: what code does
    /// that computes all updates from the values before any of them. The correction is
    /// that of the step's own number.
    Previous,
}

named! {
    AdamMoments, ConfigurationError, ConfigurationError::AdamMoments,
    Current => "current",
    Previous => "previous",
}

/// What becomes of the gradients of the images of a batch.
///
/// A sum is B times a mean. Adam's moments are then B and B² times those of the mean,
/// so that steps along the sum with ε and second moments that begin at v₀ are steps
/// along the mean with ε / B and v₀ / B²: the same but for rounding while all batches
/// have one size B.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchGradient {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

named! {
    BatchGradient, ConfigurationError, ConfigurationError::BatchGradient,
    Mean => "mean",
    Sum => "sum",
}

/// Constants of Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1), with
/// ε outside the root as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamConstants {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// What the second moments begin at. The correction 1 / (1 − β₂ᵗ) is that of a
    /// beginning at 0: one above it makes the first 1/(1 − β₂) steps short.
    #[serde(default)]
    pub second_moment_start: f64,
    /// Which root ε is added to.
    #[serde(default)]
    pub form: AdamForm,
    /// The moments that a step goes along.
    #[serde(default)]
    pub moments: AdamMoments,
}

impl AdamConstants {
    /// The constants of the paper and PyTorch's defaults: 0.9, 0.999, 1e-8.
    pub const STANDARD: AdamConstants = AdamConstants {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        second_moment_start: 0.0,
        form: AdamForm::Corrected,
        moments: AdamMoments::Current,
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
    /// What becomes of the gradients of a batch's images.
    #[serde(default)]
    pub batch_gradient: BatchGradient,
    /// What is minimised.
    pub objective: Objective,
    /// Draw a new order of the images each epoch, rather than keeping theirs.
    pub shuffle: bool,
    /// What is done to pixels before the likelihood sees them.
    pub treatment: DataTreatment,
    /// How the step size changes.
    pub schedule: Schedule,
    /// Epochs over which the step size first grows linearly from nothing, step
    /// by step, on top of the schedule; 0 for none.
    pub warm_up_epochs: f64,
    /// λ of AdamW (Loshchilov & Hutter 2019, algorithm 2): each step first
    /// multiplies every parameter, biases included as in PyTorch, by
    /// 1 − step size · λ.
    pub weight_decay: f64,
    /// The largest norm of the gradient of all parameters together, a mean or a sum as
    /// [`batch_gradient`](Self::batch_gradient) says; a longer one is shortened to it.
    pub clip_norm: Option<f64>,
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
            batch_gradient: BatchGradient::Mean,
            objective: Objective::ELBO,
            shuffle: true,
            treatment: DataTreatment::Grey,
            schedule: Schedule::Constant,
            warm_up_epochs: 0.0,
            weight_decay: 0.0,
            clip_norm: None,
        }
    }

    /// The step size of the step that begins after `epochs` epochs and
    /// `step_in_epoch` of the `steps_in_epoch` steps of the next one.
    pub fn learning_rate_at(
        &self,
        epochs: u64,
        step_in_epoch: usize,
        steps_in_epoch: usize,
    ) -> f64 {
        let epochs = epochs as f64;
        let done = epochs + step_in_epoch as f64 / steps_in_epoch as f64;
        let warmth = if done < self.warm_up_epochs {
            // The first step is not wasted on a step size of 0.
            let after = epochs + (step_in_epoch + 1) as f64 / steps_in_epoch as f64;
            (after / self.warm_up_epochs).min(1.0)
        } else {
            1.0
        };
        self.learning_rate * warmth * self.schedule.factor(done)
    }

    /// Checks every value's range; [`Objective::validate`] does the
    /// objective's, which depend on the model.
    ///
    /// # Errors
    /// The first value out of range, with the range.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        for (option, value, range) in [
            (
                "batch",
                self.batch as f64,
                self.objective.sizes_of_batches(),
            ),
            ("threads", self.threads as f64, &THREADS),
            ("learning rate", self.learning_rate, &NOT_NEGATIVE),
            ("Adam beta1", self.adam.beta1, &BELOW_1),
            ("Adam beta2", self.adam.beta2, &BELOW_1),
            ("Adam epsilon", self.adam.epsilon, &POSITIVE),
            (
                "Adam second moment start",
                self.adam.second_moment_start,
                &NOT_NEGATIVE,
            ),
            ("warm-up epochs", self.warm_up_epochs, &NOT_NEGATIVE),
            ("weight decay", self.weight_decay, &NOT_NEGATIVE),
            ("clip norm", self.clip_norm.unwrap_or(1.0), &POSITIVE),
        ] {
            require(option, value, range)?;
        }
        self.schedule.validate()
    }
}

/// Where a number has to lie, and how a message says so.
pub(crate) type Limits = (RangeInclusive<f64>, &'static str);

pub(crate) const AT_LEAST_1: Limits = (1.0..=f64::MAX, "at least 1");
pub(crate) const NOT_NEGATIVE: Limits = (0.0..=f64::MAX, "finite and not negative");
pub(crate) const BELOW_1: Limits = (0.0..=1_f64.next_down(), "at least 0 and below 1");
const POSITIVE: Limits = (f64::from_bits(1)..=f64::MAX, "finite and above 0");
const THREADS: Limits = (1.0..=MAXIMUM_THREADS as f64, "between 1 and 64");

/// Refuses a `value` of `option` that does not lie in its range.
pub(crate) fn require(
    option: &'static str,
    value: f64,
    (range, expected): &Limits,
) -> Result<(), ConfigurationError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigurationError::OutOfRange {
        option,
        found: value.to_string(),
        expected,
    })
}

/// A value training cannot run with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigurationError {
    /// Not the name of a way to compute gradients.
    #[error("gradients is {0:?}; expected hand or tape")]
    Gradients(String),
    /// Not the name of a form of Adam.
    #[error("the form of Adam is {0:?}; expected corrected or efficient")]
    AdamForm(String),
    /// Not the name of the moments of a step.
    #[error("the moments of a step are {0:?}; expected current or previous")]
    AdamMoments(String),
    /// Not the name of what becomes of the gradients of a batch.
    #[error("the gradient of a batch is {0:?}; expected mean or sum")]
    BatchGradient(String),
    /// Not the name of a data treatment.
    #[error(
        "the data treatment is {0:?}; expected grey, binarised-per-minibatch, \
         binarised-per-epoch, binarised-once or threshold"
    )]
    DataTreatment(String),
    /// A treatment that draws, of images that are not bytes.
    #[error(
        "the data treatment is {0}, which draws from bytes, and the images are stored as values; \
         expected grey or threshold"
    )]
    TreatmentOfValues(DataTreatment),
    /// Not the name of a bound.
    #[error("the objective is {0:?}; expected {names}", names = listed(Bound::ALL.map(Bound::name)))]
    Bound(String),
    /// An objective the model has not what it needs for.
    #[error("{what} does not fit the model {kind}: {reason}")]
    Objective {
        /// The setting.
        what: String,
        /// The model.
        kind: ModelKind,
        /// What is missing, and what is expected.
        reason: &'static str,
    },
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
    use crate::objective::Bound;

    #[test]
    fn values_out_of_range_are_named() {
        let refused = |change: fn(&mut TrainingConfig)| {
            let mut config = TrainingConfig::standard(0);
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(TrainingConfig::standard(0).validate(), Ok(()));
        assert_eq!(refused(|c| c.batch = 0), "batch is 0; expected at least 1");
        let of_one_code = refused(|c| (c.objective.bound, c.batch) = (Bound::Wae, 1));
        assert!(of_one_code.starts_with("batch is 1; expected at least 2 for"));
        assert_eq!(
            refused(|c| c.threads = 65),
            "threads is 65; expected between 1 and 64"
        );
        assert!(refused(|c| c.learning_rate = f64::NAN).starts_with("learning rate is NaN"));
        assert!(refused(|c| c.adam.beta1 = 1.0).starts_with("Adam beta1 is 1"));
        assert!(
            refused(|c| c.adam.second_moment_start = -1.0)
                .starts_with("Adam second moment start is -1")
        );
        assert!(refused(|c| c.adam.epsilon = 0.0).starts_with("Adam epsilon is 0"));
        assert!(refused(|c| c.weight_decay = -0.1).starts_with("weight decay is -0.1"));
        assert!(refused(|c| c.warm_up_epochs = f64::NAN).starts_with("warm-up epochs is NaN"));
        assert!(refused(|c| c.clip_norm = Some(0.0)).starts_with("clip norm is 0"));
    }

    #[test]
    fn warm_up_is_a_ramp_on_top_of_the_schedule() {
        let config = TrainingConfig {
            learning_rate: 8.0,
            warm_up_epochs: 2.0,
            schedule: Schedule::Step {
                epochs: 1,
                factor: 0.5,
            },
            ..TrainingConfig::standard(0)
        };
        let rates = [(0, 0), (0, 3), (1, 0), (1, 3), (2, 0)]
            .map(|(epoch, step)| config.learning_rate_at(epoch, step, 4));
        assert_eq!(rates, [1.0, 4.0, 2.5, 4.0, 2.0]);
    }
}
