//! What the name of a layer says about its place in a model.

use models::PosteriorScale;

use crate::layers::Place;

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Part of the encoder.
    Encoder,
    /// μ.
    Mean,
    /// The scale of the posterior.
    Scale,
    /// The code.
    Code,
    /// Part of the decoder.
    Decoder,
    /// Nothing.
    Unknown,
}

/// What the name of a scale says it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScaleName {
    /// log σ² or log σ.
    Logarithm(PosteriorScale),
    /// σ², which is log σ² in most programs.
    Variance,
    /// σ itself, as it seems.
    Plain,
    /// Nothing.
    Silent,
}

const DECODER: &[&str] = &["decoder", "dec", "decode", "generator", "generative", "px"];
const ENCODER: &[&str] = &["encoder", "enc", "encode", "inference", "recognition", "qz"];
const MEAN: &[&str] = &["mu", "mus", "mean", "means", "loc"];
const CODE: &[&str] = &["code", "bottleneck"];
const VARIANCE: &[&str] = &["var", "variance"];
const SIGMA: &[&str] = &["sigma", "std", "stddev", "sd", "stdv", "scale"];
const LOG_VARIANCE: &[&str] = &["logvar", "logvars", "logvariance", "lv", "lnvar"];
const LOG_SIGMA: &[&str] = &["logsigma", "logstd", "logsd", "logscale", "lnsigma"];

/// The place that a name speaks of.
pub(crate) fn kind(name: &str) -> Kind {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    if has(DECODER) && !has(ENCODER) {
        Kind::Decoder
    } else if scale_of(&words) != ScaleName::Silent {
        Kind::Scale
    } else if has(MEAN) {
        Kind::Mean
    } else if has(ENCODER) {
        Kind::Encoder
    } else if has(CODE) {
        Kind::Code
    } else {
        Kind::Unknown
    }
}

/// What the name of a scale says it computes.
pub(crate) fn scale(name: &str) -> ScaleName {
    scale_of(&words(name))
}

fn scale_of(words: &[String]) -> ScaleName {
    use PosteriorScale::{LogSigma, LogVariance};
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let is_log = has(&["log", "ln"]);
    if has(LOG_VARIANCE) || is_log && has(VARIANCE) {
        ScaleName::Logarithm(LogVariance)
    } else if has(VARIANCE) {
        ScaleName::Variance
    } else if has(LOG_SIGMA) || is_log && has(SIGMA) {
        ScaleName::Logarithm(LogSigma)
    } else if has(SIGMA) {
        ScaleName::Plain
    } else {
        ScaleName::Silent
    }
}

impl Kind {
    /// Whether a layer of such a name can be at a place.
    pub(crate) fn can_be(self, place: Place) -> bool {
        match self {
            Kind::Unknown => true,
            Kind::Decoder => matches!(place, Place::Decoder(_)),
            Kind::Mean => matches!(place, Place::Mean | Place::Code),
            Kind::Scale => place == Place::Scale,
            Kind::Code => matches!(place, Place::Code | Place::Shared),
            Kind::Encoder => !matches!(place, Place::Decoder(_)),
        }
    }
}

/// The words of a name in small letters, without their numbers: `encoder.fcMu1` is
/// encoder, fc, mu.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if c.is_ascii_alphabetic() {
            if c.is_ascii_uppercase() && was_small {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c.to_ascii_lowercase());
            }
            was_small = c.is_ascii_lowercase();
        } else {
            words.push(String::new());
            was_small = false;
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_programs_are_understood() {
        use PosteriorScale::{LogSigma, LogVariance};
        for (name, expected) in [
            ("fc1", Kind::Unknown),
            ("dense_3", Kind::Unknown),
            ("encoder.0", Kind::Encoder),
            ("encoder.fc_mu", Kind::Mean),
            ("mean_layer", Kind::Mean),
            ("linear_means", Kind::Mean),
            ("vae/z_mean", Kind::Mean),
            ("z_log_var", Kind::Scale),
            ("fc_logvar", Kind::Scale),
            ("fcLogVar", Kind::Scale),
            ("fc_var", Kind::Scale),
            ("encoder.log_sigma", Kind::Scale),
            ("decoder.mean", Kind::Decoder),
            ("decoder_input", Kind::Decoder),
            ("dec3", Kind::Decoder),
            ("module.code", Kind::Code),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        for (name, expected) in [
            ("log_var", ScaleName::Logarithm(LogVariance)),
            ("z_log_var", ScaleName::Logarithm(LogVariance)),
            ("fc_var", ScaleName::Variance),
            ("variance", ScaleName::Variance),
            ("logStd", ScaleName::Logarithm(LogSigma)),
            ("log_sigma", ScaleName::Logarithm(LogSigma)),
            ("fc_sigma", ScaleName::Plain),
            ("fc22", ScaleName::Silent),
        ] {
            assert_eq!(scale(name), expected, "{name}");
        }
    }
}
