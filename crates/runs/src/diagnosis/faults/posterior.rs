//! Faults of the posteriors and of what they are held against.

use evaluation::posterior_scale::{PosteriorScales, ReadingLoss};
use models::Bound;

use super::optimisation::{LEAST_EXPLAINED, dead_layer, in_words};
use super::{Case, Evidence, Judgement, digits, percent};
use crate::diagnosis::{Posterior, Symptoms};

const NO_POSTERIOR: &str = "the model has no posteriors";
const NO_CLOSED_FORM: &str = "two stochastic layers have no KL in closed form";

fn posterior(symptoms: &Symptoms) -> Result<&Posterior, &'static str> {
    symptoms.posterior.as_ref().ok_or(NO_POSTERIOR)
}

/// The scale of posteriors that one sample of the ELBO was raised with.
fn scales<'a>(
    case: &Case<'_>,
    symptoms: &'a Symptoms,
) -> Result<&'a PosteriorScales, &'static str> {
    if case.objective.bound != Bound::Elbo {
        return Err("the bound of several samples wants wider posteriors than the KL says");
    }
    let scales = posterior(symptoms)?.scales.as_ref();
    scales.ok_or(NO_CLOSED_FORM)
}

/// Share of the KL under the better reading that it has to spare.
const MOST_SPARED: f64 = 0.2;

/// Nats that a posterior has to be worth for its scale to tell anything, and for a
/// variable to be of use: one is a spread of e posteriors' widths.
const LEAST_KL: f64 = 1.0;

/// Variance of a mean over images from which on codes are not held by the prior.
const WIDE_SPREAD: f64 = 4.0;

/// Whether codes lie far outside of the prior, as under a KL of hardly any weight:
/// narrow posteriors alone could as well be wide ones that are read wrongly.
fn is_spread(symptoms: &Symptoms) -> bool {
    symptoms.posterior.as_ref().is_some_and(|posterior| {
        let variances = posterior.variance_of_mu.iter();
        variances.copied().fold(0.0, f64::max) > WIDE_SPREAD
    })
}

/// A second head that is read as something else than it was trained as.
pub(super) fn scale(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    let scales = scales(case, symptoms)?;
    let weight = case.weight();
    let loss = |reading: &ReadingLoss| reading.reconstruction + weight * reading.kl;
    let otherwise = scales.otherwise.iter();
    let Some(best) = otherwise.min_by(|a, b| loss(a).total_cmp(&loss(b))) else {
        return Ok(None);
    };
    let spared = loss(&scales.as_read) - loss(best);
    let limit = MOST_SPARED * weight * best.kl;
    let is_wider = best.kl < scales.as_read.kl;
    if spared <= limit || best.kl < LEAST_KL || (is_wider && is_spread(symptoms)) {
        return Ok(None);
    }
    let (read, meant) = (scales.as_read.reading, best.reading);
    let remedy = match case.spec.posterior_scale.name() {
        "log-variance" if meant.symbol() == "log σ" => {
            "bring the weights in with model.posterior_scale=log-sigma".to_owned()
        }
        "log-sigma" if meant.symbol() == "log σ²" => {
            "bring the weights in with model.posterior_scale=log-variance".to_owned()
        }
        _ => format!(
            "have the second head compute {} before its weights are brought in: it seems to compute {}",
            read.symbol(),
            meant.symbol()
        ),
    };
    Ok(Some(Evidence {
        found: format!(
            "read as {} the posteriors' scale costs {} nats, read as {} {}",
            read.symbol(),
            digits(loss(&scales.as_read)),
            meant.symbol(),
            digits(loss(best))
        ),
        number: spared,
        limit,
        limit_from: "the reading that was trained is the cheapest; a fifth of the KL is left to training that has not ended",
        remedy,
        setting: Some("model.posterior_scale"),
    }))
}

/// Pixels from which on their number is no ordinary weight.
const FEWEST_PIXELS: usize = 64;

/// How far a weight may be from the number of pixels, or its reciprocal.
const PIXEL_FACTOR: f64 = 4.0;

/// A weight of the KL that is the number of pixels, or one over it: the
/// reconstruction, or the KL, was averaged over them.
pub(super) fn kl_weight(case: &Case<'_>) -> Judgement {
    let (images, symptoms) = (case.images()?, case.measured()?);
    if case.objective.bound != Bound::Elbo || case.spec.kind.penalty_name().is_none() {
        return Err("there is no weight of a KL");
    }
    if images.pixels < FEWEST_PIXELS {
        return Err("there are too few pixels to take their number for a weight");
    }
    let pixels = images.pixels as f64;
    let asked = case.objective.beta;
    let is_odd = |beta: f64| beta >= pixels / PIXEL_FACTOR || beta <= PIXEL_FACTOR / pixels;
    // Of weights from elsewhere, the settings do not tell.
    let implied = symptoms
        .posterior
        .as_ref()
        .filter(|_| case.objective.free_bits == 0.0 && dead_layer(case, symptoms).is_none())
        .and_then(|posterior| posterior.scales.as_ref()?.implied_beta);
    let (beta, origin) = match implied {
        _ if is_odd(asked) => (asked, format!("--beta is {asked}")),
        Some(implied) if is_odd(implied) && (implied > 1.0 || is_spread(symptoms)) => (
            implied,
            format!(
                "the posteriors' σ is the best for a KL weight of {} (--beta is {asked})",
                digits(implied)
            ),
        ),
        _ => return Ok(None),
    };
    let (relation, cause, limit) = if beta > 1.0 {
        (
            "",
            "averaged over pixels, not summed",
            pixels / PIXEL_FACTOR,
        )
    } else {
        ("1/", "divided by the pixels", PIXEL_FACTOR / pixels)
    };
    let what = if beta > 1.0 { "reconstruction" } else { "KL" };
    Ok(Some(Evidence {
        found: format!(
            "{origin}, of the order of {relation}{} pixels: as if the {what} were {cause}",
            images.pixels
        ),
        number: beta,
        limit,
        limit_from: "both terms are sums of nats, with weights of the order of 1 (Kingma & Welling 2014, eq. 10)",
        remedy: "train it again with --beta 1: the reconstruction is summed over pixels here"
            .into(),
        setting: Some("training.beta"),
    }))
}

/// Share of the variance that makes a principal direction worth a code.
const WORTH_A_CODE: f64 = 0.05;

/// How many of so many latent variables the images call for at least: one for
/// each principal direction with a twentieth of their variance.
fn called_for(symptoms: &Symptoms, latent: usize) -> usize {
    let shares = symptoms.principal_shares.iter();
    let directions = shares.filter(|&&share| share > WORTH_A_CODE).count();
    latent.min(directions)
}

const FROM_DIRECTIONS: &str = "principal directions of the images with over a twentieth of their variance, as far as there are latent variables";

/// Weight of the KL from which on it may be too strong.
const STRONG_BETA: f64 = 2.0;

/// A weight of the KL under which codes say less than the images call for.
pub(super) fn beta_too_strong(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    if case.objective.bound != Bound::Elbo || case.spec.kind.penalty_name().is_none() {
        return Err("there is no weight of a KL");
    }
    let beta = case.objective.beta;
    if beta < STRONG_BETA {
        return Ok(None);
    }
    let latent = case.spec.architecture.latent;
    let informative = symptoms.posterior.as_ref().map(Posterior::informative);
    let called_for = called_for(symptoms, latent.min(2));
    let explained = symptoms.explained.unwrap_or(1.0);
    let least = symptoms.principal_shares.first().copied().unwrap_or(0.0);
    let kl = symptoms.train.kl;
    let harm = match informative {
        Some(informative) if informative < called_for => {
            format!("{informative} of {latent} latent variables say anything of the image")
        }
        Some(_) if kl < LEAST_KL * called_for as f64 => format!(
            "codes hold {} nats of an image, less than one for each of the {called_for} directions that the images call for",
            digits(kl)
        ),
        _ if explained < least => format!(
            "reconstructions explain {} of the images' variance, less than a straight line through them ({})",
            percent(explained.max(0.0)),
            percent(least)
        ),
        _ => return Ok(None),
    };
    Ok(Some(Evidence {
        found: format!("with --beta {beta}, {harm}"),
        number: beta,
        limit: STRONG_BETA,
        limit_from: "1 makes the loss a bound of −log p(x)",
        remedy: "train it again with --beta 1".into(),
        setting: Some("training.beta"),
    }))
}

/// Latent variables that are the prior whatever the image.
pub(super) fn collapse(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    let posterior = posterior(symptoms)?;
    let latent = posterior.variance_of_mu.len();
    let called_for = called_for(symptoms, latent.min(2));
    let informative = posterior.informative();
    if symptoms
        .silent_units
        .iter()
        .any(|layer| layer.silent == layer.units)
    {
        return Err("a layer in which no unit fires leaves codes nothing to say");
    }
    let kl = digits(symptoms.train.kl);
    // Without a closed form the KL cannot be weighed.
    let (remedy, setting) = match posterior.kl_per_dimension {
        Some(_) => (
            "train it again with --beta-warm-up 5, --free-bits 0.25 or another --seed",
            "training.beta_warm_up_epochs",
        ),
        None => (
            "train it again with --objective iwae --samples 5, a smaller --batch or another --seed",
            "training.objective",
        ),
    };
    Ok((informative < called_for).then(|| Evidence {
        found: format!(
            "{informative} of {latent} latent variables tell anything of the image (a mean that varies by more than 0.01 between images, a KL of more than 0.1 nats); all together {kl} nats"
        ),
        number: informative as f64,
        limit: called_for as f64,
        limit_from: FROM_DIRECTIONS,
        remedy: remedy.into(),
        setting: Some(setting),
    }))
}

/// Reconstructions that are the mean image, whatever the image.
pub(super) fn mean_image(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    if case.has_other_images {
        return Err("the images are others than the model was trained for");
    }
    let explained = symptoms.explained.ok_or("all test images are alike")?;
    let decay = case.configuration.training.weight_decay;
    let (remedy, setting) = if decay > 0.0 {
        (
            format!(
                "train it again without the weight decay of {decay}: --set training.weight_decay=0"
            ),
            "training.weight_decay",
        )
    } else {
        (
            "look at the weights between image and code, and train it again with another --lr or --hidden".into(),
            "training.learning_rate",
        )
    };
    Ok((explained < LEAST_EXPLAINED).then(|| Evidence {
        found: in_words(explained),
        number: explained,
        limit: LEAST_EXPLAINED,
        limit_from: "this project's: the mean image explains 0 of the variance about it",
        remedy,
        setting: Some(setting),
    }))
}

/// Mass of the prior in holes.
const MOST_HOLES: f64 = 0.5;

/// Places of the prior that no posterior reaches.
pub(super) fn holes(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    let posterior = posterior(symptoms)?;
    let aggregate = posterior.aggregate.as_ref();
    let aggregate = aggregate.ok_or(match posterior.scales {
        None => NO_CLOSED_FORM,
        Some(_) => "a brief diagnosis, and one of posteriors that are points, looks for no holes",
    })?;
    let mass = aggregate.comparison.hole_mass;
    let variables: Vec<String> = aggregate
        .variables
        .iter()
        .map(|variable| format!("z{variable}"))
        .collect();
    let beta = case.objective.beta;
    let remedy = if beta < 1.0 {
        format!("train it again with a --beta above {beta}, up to 1")
    } else {
        "take samples from the codes' own distribution: sample --fitted".to_owned()
    };
    Ok((mass > MOST_HOLES).then(|| Evidence {
        found: format!(
            "{} of the prior's mass (in {}) has hardly any code: q(z) is below a tenth of p(z) there",
            percent(mass),
            variables.join(" and ")
        ),
        number: mass,
        limit: MOST_HOLES,
        limit_from: "this project's; no published limit exists",
        remedy,
        setting: Some("training.beta"),
    }))
}
