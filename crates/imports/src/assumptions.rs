//! What a file does not tell: taken from what was declared, or assumed and said, or
//! asked for.

use models::{Activation, GaussianMean, GaussianSigma, Likelihood, PosteriorScale};

use crate::arrangement::Arrangement;
use crate::assembly::LOG_SIGMA;
use crate::declared::Declared;
use crate::error::ImportError;
use crate::graph::ScaleUse;
use crate::tensor::{Tensor, shown};
use crate::trace::End;
use crate::words::{self, ScaleName};

/// The nonlinearity, as declared or `told` by a graph.
pub(crate) fn assumed_activation(
    declared: &Declared,
    told: Option<Activation>,
    assumed: &mut Vec<String>,
) -> Activation {
    declared.activation.or(told).unwrap_or_else(|| {
        assumed
            .push("--activation was not given: relu is assumed behind every hidden layer".into());
        Activation::Relu
    })
}

/// The likelihood, as declared.
pub(crate) fn assumed_likelihood(declared: &Declared, assumed: &mut Vec<String>) -> Likelihood {
    declared.likelihood.unwrap_or_else(|| {
        assumed.push(
            "--likelihood was not given: bernoulli is assumed, a sigmoid behind the last layer and cross-entropy as the loss".into(),
        );
        Likelihood::Bernoulli
    })
}

/// What a likelihood with a location makes of the decoder's outputs.
pub(crate) fn mean_of(likelihood: Likelihood) -> Option<GaussianMean> {
    match likelihood {
        Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => None,
        Likelihood::Gaussian { mean, .. } | Likelihood::Laplace { mean, .. } => Some(mean),
    }
}

/// What follows the last layer in a graph has to be what the likelihood has there.
pub(crate) fn check_output(
    end: Option<End>,
    likelihood: Likelihood,
    declared: &Declared,
    assumed: &mut Vec<String>,
) -> Result<(), ImportError> {
    match (end, mean_of(likelihood)) {
        (Some(End::ContinuousBernoulli), _) if likelihood != Likelihood::ContinuousBernoulli => {
            let given = match declared.likelihood {
                Some(_) => format!("--likelihood is {}", likelihood.name()),
                None => "--likelihood was not given".into(),
            };
            Err(ImportError::Undeclared(format!(
                "{given}, but the graph ends in the mean of a continuous Bernoulli; expected --likelihood continuous-bernoulli"
            )))
        }
        (Some(End::Sigmoid), Some(GaussianMean::Identity)) => {
            Err(ImportError::Undeclared(format!(
                "--likelihood is {}, whose mean is the output itself, but the graph ends in a sigmoid; expected bernoulli, continuous-bernoulli, gaussian or laplace",
                likelihood.name()
            )))
        }
        (Some(End::Identity), Some(GaussianMean::Sigmoid)) => {
            Err(ImportError::Undeclared(format!(
                "--likelihood is {}, whose mean is the sigmoid of the output, but nothing follows the last layer of the graph; expected {}-identity",
                likelihood.name(),
                likelihood.name()
            )))
        }
        (Some(End::Identity), None) if declared.likelihood.is_none() => {
            assumed.push(
                "nothing follows the last layer of the graph: its outputs are taken for logits; of a model of squared errors say --likelihood gaussian-identity --sigma 1".into(),
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Where σ comes from has to be in the file.
pub(crate) fn check_sigma(
    arrangement: &Arrangement,
    likelihood: Likelihood,
    log_sigma: Option<&Tensor>,
) -> Result<(), ImportError> {
    let source = likelihood.scale_source();
    let inputs = arrangement.inputs;
    if arrangement.is_doubled != (source == Some(GaussianSigma::Decoder)) {
        return Err(ImportError::Undeclared(match arrangement.is_doubled {
            true => format!(
                "the decoder has {} outputs, two for each of {inputs} values; where they are means and then ln σ, say --sigma decoder with --likelihood gaussian, whose mean goes through a sigmoid, or gaussian-identity",
                2 * inputs
            ),
            false => format!(
                "--sigma is decoder, but the decoder has one output for each of {inputs} values; expected means and then ln σ"
            ),
        }));
    }
    let expected = match source {
        Some(GaussianSigma::Scalar) => Some(1),
        Some(GaussianSigma::PerPixel) => Some(inputs),
        Some(GaussianSigma::Fixed(_) | GaussianSigma::Decoder) | None => None,
    };
    let found = log_sigma.map(|tensor| tensor.values.as_ref().map_or(0, Vec::len));
    if found == expected {
        return Ok(());
    }
    Err(ImportError::Undeclared(match (log_sigma, expected) {
        (Some(tensor), None) => format!(
            "{} holds a learned ln σ, which {likelihood} has not; say --likelihood gaussian or the like with --sigma scalar or per-pixel, or ignore it in --map",
            tensor.name
        ),
        (Some(tensor), Some(expected)) => format!(
            "{} is {}, but --likelihood {likelihood} has {expected} ln σ; expected as many",
            tensor.name,
            shown(&tensor.shape)
        ),
        (None, _) => format!(
            "--likelihood {likelihood} has a learned σ, which the file has not; give --sigma a number (squared errors summed over values are those of --sigma 0.7071067811865476), or name the tensor of ln σ in --map: \"{LOG_SIGMA}\" = \"…\""
        ),
    }))
}

/// What the second head computes.
pub(crate) fn scale_of(
    declared: &Declared,
    named: Option<PosteriorScale>,
    used: ScaleUse,
    name: &str,
    assumed: &mut Vec<String>,
) -> Result<PosteriorScale, ImportError> {
    if let Some(said) = declared.posterior_scale.or(named) {
        return Ok(said);
    }
    match (used, words::scale(name)) {
        (ScaleUse::LogVariance, ScaleName::Logarithm(PosteriorScale::LogSigma)) => {
            return Err(contradicts(name, "exp(½·s)", "log-sigma"));
        }
        (
            ScaleUse::LogSigma,
            ScaleName::Logarithm(PosteriorScale::LogVariance) | ScaleName::Variance,
        ) => {
            return Err(contradicts(name, "exp(s)", "log-variance"));
        }
        (ScaleUse::LogVariance, _) => return Ok(PosteriorScale::LogVariance),
        (ScaleUse::LogSigma, _) => return Ok(PosteriorScale::LogSigma),
        (ScaleUse::Softplus, _) => {}
        (ScaleUse::Unknown, ScaleName::Logarithm(scale)) => return Ok(scale),
        (ScaleUse::Unknown, ScaleName::Variance) => {
            assumed.push(format!(
                "the layer {name} is called a variance and is taken for its logarithm, log σ² (log-variance), as in most programs; where it is another, say --posterior-scale"
            ));
            return Ok(PosteriorScale::LogVariance);
        }
        (ScaleUse::Unknown, ScaleName::Plain) => {}
        (ScaleUse::Unknown, ScaleName::Silent) => {
            assumed.push(
                "--posterior-scale was not given: the scale of the posterior is assumed to be log σ² (log-variance)".into(),
            );
            return Ok(PosteriorScale::LogVariance);
        }
    }
    Err(ImportError::Undeclared(format!(
        "the layer {name} seems to compute σ itself, or its softplus, which this program's models do not; where it is a logarithm, say --posterior-scale log-sigma or log-variance"
    )))
}

fn contradicts(name: &str, sigma: &str, named: &str) -> ImportError {
    ImportError::Undeclared(format!(
        "the graph takes {sigma} of the layer {name} for σ, but its name says {named}; say with --posterior-scale log-sigma or log-variance which of both it is"
    ))
}

#[cfg(test)]
mod tests;
