//! The step size over the course of training.

use serde::{Deserialize, Serialize};
use tensor_ops::library;

use crate::training::configuration::{AT_LEAST_1, ConfigurationError, require};

/// How the step size changes: a factor on the configured one, a function of
/// how far training is and of nothing else, so that a resumed run goes on with
/// the same values.
///
/// ```
/// use models::Schedule;
///
/// // Stages of 1, 3, 9, … epochs.
/// assert_eq!(Schedule::Iwae.factor(0.5), 1.0);
/// assert_eq!(Schedule::Iwae.factor(3.9), 10_f64.powf(-1.0 / 7.0));
/// assert_eq!(Schedule::Iwae.factor(3279.9), 0.1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always the configured step size.
    #[default]
    Constant,
    /// Stage i = 0 … 7 lasts 3ⁱ epochs with the factor 10^(−i/7) (Burda et al.
    /// 2016, §5): 3280 epochs in all; later ones keep the last factor.
    Iwae,
    /// The same stages with the factors as the published code rounds them: 1, 0.72, 0.52,
    /// 0.37, 0.27, 0.19, 0.14, 0.1.
    IwaeRounded,
    /// The factor is multiplied by `factor` every `epochs` epochs.
    Step {
        /// Epochs between two changes.
        epochs: u64,
        /// What each change multiplies by.
        factor: f64,
    },
    /// Half a cosine from 1 down to `last` over `epochs` epochs, step by step
    /// (Loshchilov & Hutter 2017, eq. 5, without restarts).
    Cosine {
        /// Epochs of the descent; later ones keep the last factor.
        epochs: u64,
        /// The factor at its end.
        last: f64,
    },
}

/// Stages of the IWAE schedule.
const IWAE_STAGES: u32 = 8;

impl Schedule {
    /// Every schedule, those with constants over one epoch and without effect.
    pub const ALL: [Schedule; 5] = [
        Schedule::Constant,
        Schedule::Iwae,
        Schedule::IwaeRounded,
        Schedule::Step {
            epochs: 1,
            factor: 1.0,
        },
        Schedule::Cosine {
            epochs: 1,
            last: 1.0,
        },
    ];

    /// The name used on the command line and in files, without constants.
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Constant => "constant",
            Schedule::Iwae => "iwae",
            Schedule::IwaeRounded => "iwae-rounded",
            Schedule::Step { .. } => "step",
            Schedule::Cosine { .. } => "cosine",
        }
    }

    /// The factor after `epochs` epochs, the fraction of the one in progress
    /// included.
    pub fn factor(&self, epochs: f64) -> f64 {
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Iwae => library::power_of_ten(-f64::from(iwae_stage(epochs)) / 7.0),
            // In hundredths, whose quotient is the nearest number to the published one.
            Schedule::IwaeRounded => {
                let factor = library::power_of_ten(-f64::from(iwae_stage(epochs)) / 7.0);
                (100.0 * factor).round() / 100.0
            }
            Schedule::Step {
                epochs: every,
                factor,
            } => library::pow(factor, (epochs / every as f64).floor()),
            Schedule::Cosine { epochs: end, last } => {
                let share = (epochs / end as f64).min(1.0);
                last + (1.0 - last) * 0.5 * (1.0 + library::cos(std::f64::consts::PI * share))
            }
        }
    }

    /// Checks the constants.
    ///
    /// # Errors
    /// The first value out of range, with the range.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let (epochs, factor) = match *self {
            Schedule::Constant | Schedule::Iwae | Schedule::IwaeRounded => return Ok(()),
            Schedule::Step { epochs, factor } => (epochs, factor),
            Schedule::Cosine { epochs, last } => (epochs, last),
        };
        require("schedule epochs", epochs as f64, &AT_LEAST_1)?;
        require("schedule factor", factor, &(0.0..=1.0, "between 0 and 1"))
    }
}

/// The stage of the IWAE schedule after so many epochs, counted from 0.
fn iwae_stage(epochs: f64) -> u32 {
    (1..IWAE_STAGES)
        .take_while(|&stages| epochs >= iwae_epochs(stages) as f64)
        .count() as u32
}

/// Epochs of the first `stages` stages of the IWAE schedule: Σ 3ⁱ = (3ⁿ − 1)/2.
///
/// ```
/// assert_eq!([1, 4, 8].map(models::iwae_epochs), [1, 40, 3280]);
/// ```
pub fn iwae_epochs(stages: u32) -> u64 {
    (3_u64.saturating_pow(stages) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_iwae_schedule_has_the_published_stages() {
        // Of the published code, rounded there to a hundredth of the first.
        let published = [1e-3, 7.2e-4, 5.2e-4, 3.7e-4, 2.7e-4, 1.9e-4, 1.4e-4, 1e-4];
        let mut first = 0;
        for (stage, rate) in published.into_iter().enumerate() {
            let last = first + 3_u64.pow(stage as u32) - 1;
            for epochs in [first as f64, last as f64 + 0.999] {
                let found = 1e-3 * Schedule::Iwae.factor(epochs);
                assert!((found / rate - 1.0).abs() < 0.03, "epoch {epochs}: {found}");
                let rounded = 1e-3 * Schedule::IwaeRounded.factor(epochs);
                assert!((rounded / rate - 1.0).abs() < 1e-12, "epoch {epochs}");
            }
            first = last + 1;
        }
        assert_eq!(first, 3280);
        for epochs in [3280.0, 9841.0, 1e6] {
            assert_eq!(Schedule::Iwae.factor(epochs), 0.1);
            assert_eq!(Schedule::IwaeRounded.factor(epochs), 0.1);
        }
    }

    #[test]
    fn steps_and_cosine_go_where_they_should() {
        let step = Schedule::Step {
            epochs: 10,
            factor: 0.5,
        };
        assert_eq!(
            [0.0, 9.99, 10.0, 25.0].map(|epochs| step.factor(epochs)),
            [1.0, 1.0, 0.5, 0.25]
        );
        let cosine = Schedule::Cosine {
            epochs: 20,
            last: 0.1,
        };
        assert_eq!([0.0, 30.0].map(|epochs| cosine.factor(epochs)), [1.0, 0.1]);
        assert!((cosine.factor(10.0) - 0.55).abs() < 1e-15);
        assert!((cosine.factor(5.0) - (0.1 + 0.45 * (1.0 + 0.5_f64.sqrt()))).abs() < 1e-15);
    }

    #[test]
    fn every_schedule_has_a_name_of_its_own() {
        assert_eq!(
            Schedule::ALL.map(Schedule::name),
            ["constant", "iwae", "iwae-rounded", "step", "cosine"]
        );
        // Those with constants have no effect.
        for without in [Schedule::ALL[0], Schedule::ALL[3], Schedule::ALL[4]] {
            assert_eq!(without.validate(), Ok(()));
            for epochs in [0.0, 0.3, 7.7] {
                assert_eq!(without.factor(epochs), 1.0, "{without:?}");
            }
        }
    }

    #[test]
    fn constants_out_of_range_are_named() {
        let message = |schedule: Schedule| schedule.validate().unwrap_err().to_string();
        let (epochs, factor) = (0, 0.5);
        assert_eq!(
            message(Schedule::Step { epochs, factor }),
            "schedule epochs is 0; expected at least 1"
        );
        let (epochs, last) = (1, -0.5);
        assert_eq!(
            message(Schedule::Cosine { epochs, last }),
            "schedule factor is -0.5; expected between 0 and 1"
        );
        assert_eq!(Schedule::Iwae.validate(), Ok(()));
        for factor in [0.0, 1.0] {
            assert_eq!(Schedule::Step { epochs: 1, factor }.validate(), Ok(()));
        }
        let factor = 1.0_f64.next_up();
        assert!(Schedule::Step { epochs: 1, factor }.validate().is_err());
    }
}
