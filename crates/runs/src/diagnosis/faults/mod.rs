//! The faults that a run can have, and which of them it has.
//!
//! A fault is a variant of [`Fault`] and a rule of [`RULES`]: a function that
//! looks at a case and says what shows the fault. Limits stand with the rules, each with
//! what it is taken from.

mod data;
mod optimisation;
mod posterior;

use serde::Serialize;

use super::{Case, Symptoms, TrainingImages};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The loss is no number any more.
    Diverged,
    /// Values reach 255, or hardly leave 0, where [0, 1] is meant.
    PixelScale,
    /// Test images are light where training images are dark.
    Polarity,
    /// Other images than the run's are of another kind.
    Unfamiliar,
    /// A distribution that cannot be that of these pixels.
    Likelihood,
    /// The optimiser leaps over what it seeks.
    StepSizeTooHigh,
    /// The optimiser has hardly moved.
    StepSizeTooLow,
    /// KL and reconstruction weighed by the number of pixels.
    KlWeight,
    /// Hidden units that nothing moves.
    DeadUnits,
    /// The second head is read as something else than it was trained as.
    PosteriorScale,
    /// A weight of the KL that nothing of the image survives.
    BetaTooStrong,
    /// The loss still falls.
    TooFewEpochs,
    /// Training images are known by heart.
    Memorisation,
    /// Latent variables that say nothing of the image.
    Collapse,
    /// Every reconstruction is the mean image.
    MeanImage,
    /// Places of the prior without codes.
    Holes,
    /// Trained on dark images on light ground.
    Inverted,
}

impl Fault {
    /// Every one, causes before what they cause.
    pub const ALL: [Self; 17] = [
        Self::PixelScale,
        Self::Likelihood,
        Self::Diverged,
        Self::Polarity,
        Self::Unfamiliar,
        Self::StepSizeTooHigh,
        Self::StepSizeTooLow,
        Self::KlWeight,
        // A weight that lets nothing through leaves units without a gradient too, and so
        // does a light background, which each first step adds to every sum.
        Self::BetaTooStrong,
        Self::Inverted,
        Self::Collapse,
        Self::DeadUnits,
        Self::PosteriorScale,
        Self::TooFewEpochs,
        Self::Memorisation,
        Self::MeanImage,
        Self::Holes,
    ];

    /// What the program calls it: `kl-weight`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Diverged => "diverged",
            Self::PixelScale => "pixel-scale",
            Self::Polarity => "polarity",
            Self::Unfamiliar => "unfamiliar",
            Self::Likelihood => "likelihood",
            Self::StepSizeTooHigh => "step-size-too-high",
            Self::StepSizeTooLow => "step-size-too-low",
            Self::PosteriorScale => "posterior-scale",
            Self::KlWeight => "kl-weight",
            Self::DeadUnits => "dead-units",
            Self::BetaTooStrong => "beta-too-strong",
            Self::TooFewEpochs => "too-few-epochs",
            Self::Memorisation => "memorisation",
            Self::Collapse => "collapse",
            Self::MeanImage => "mean-image",
            Self::Holes => "holes",
            Self::Inverted => "inverted",
        }
    }

    /// Whether a run has it.
    fn rule(self) -> fn(&Case<'_>) -> Judgement {
        match self {
            Self::Diverged => optimisation::diverged,
            Self::PixelScale => data::pixel_scale,
            Self::Polarity => data::polarity,
            Self::Unfamiliar => data::unfamiliar,
            Self::Likelihood => data::likelihood,
            Self::StepSizeTooHigh => optimisation::step_size_too_high,
            Self::StepSizeTooLow => optimisation::step_size_too_low,
            Self::PosteriorScale => posterior::scale,
            Self::KlWeight => posterior::kl_weight,
            Self::DeadUnits => optimisation::dead_units,
            Self::BetaTooStrong => posterior::beta_too_strong,
            Self::TooFewEpochs => optimisation::too_few_epochs,
            Self::Memorisation => optimisation::memorisation,
            Self::Collapse => posterior::collapse,
            Self::MeanImage => posterior::mean_image,
            Self::Holes => posterior::holes,
            Self::Inverted => data::inverted,
        }
    }
}

/// A fault that a run has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub fault: Fault,
    /// What the number shows, in a sentence without an end.
    pub found: String,
    /// The number.
    pub number: f64,
    /// What it would be within of a sound run.
    pub limit: f64,
    /// What the limit is taken from.
    pub limit_from: &'static str,
    /// What to change, in a sentence without an end.
    pub remedy: String,
    /// The key of the setting to change, where it is one.
    pub setting: Option<&'static str>,
}

impl Finding {
    /// All of it in a line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}; {}", self.fault.name(), self.found, self.remedy)
    }
}

/// A fault that was not looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotAsked {
    /// Which.
    pub fault: Fault,
    /// Why, as the second half of a sentence.
    pub why: &'static str,
}

/// What a rule says: nothing of a run without the fault, and why it cannot say
/// anything.
type Judgement = Result<Option<Evidence>, &'static str>;

/// A [`Finding`] but for the name of its fault.
#[derive(Debug)]
struct Evidence {
    found: String,
    number: f64,
    limit: f64,
    limit_from: &'static str,
    remedy: String,
    setting: Option<&'static str>,
}

/// Why nothing is asked of weights that are not there.
const NO_WEIGHTS: &str = "there are no weights that give finite numbers";

impl<'a> Case<'a> {
    /// What the training images show, or why nothing does.
    fn images(&self) -> Result<&'a TrainingImages, &'static str> {
        self.images
            .ok_or("there are no weights, and the images as they saw them are not at hand")
    }

    /// What was measured, or why nothing was.
    fn measured(&self) -> Result<&'a Symptoms, &'static str> {
        self.symptoms.ok_or(NO_WEIGHTS)
    }
}

/// Every fault that a run has, causes before what they cause, and those that were
/// not looked for.
pub(super) fn judge(case: &Case<'_>) -> (Vec<Finding>, Vec<NotAsked>) {
    let (mut findings, mut not_asked) = (Vec::new(), Vec::new());
    for fault in Fault::ALL {
        match fault.rule()(case) {
            Ok(None) => {}
            Err(why) => not_asked.push(NotAsked { fault, why }),
            Ok(Some(evidence)) => findings.push(Finding {
                fault,
                found: evidence.found,
                number: evidence.number,
                limit: evidence.limit,
                limit_from: evidence.limit_from,
                remedy: evidence.remedy,
                setting: evidence.setting,
            }),
        }
    }
    (findings, not_asked)
}

/// Three significant digits of a number.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.1e}"),
    }
}

/// A share in per cent.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_as_json_has_them() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            let json = serde_json::to_value(fault).expect("plain data");
            assert_eq!(json, fault.name());
            let first = Fault::ALL.iter().position(|&other| other == fault);
            assert_eq!(first, Some(index));
        }
    }

    #[test]
    fn numbers_have_three_digits() {
        for (value, text) in [
            (1234.6, "1235"),
            (206.35, "206"),
            (-20.63, "-20.6"),
            (1.0, "1.00"),
            (0.0734, "0.073"),
            (0.001_28, "1.3e-3"),
            (0.0, "0"),
            (7.8e8, "7.80e8"),
        ] {
            assert_eq!(digits(value), text);
        }
        assert_eq!(percent(0.256), "26 %");
    }
}
