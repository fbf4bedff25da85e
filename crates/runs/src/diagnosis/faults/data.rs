//! Faults of the pixels, and of what is said about them.

use models::GaussianSigma;

use super::{Case, Evidence, Judgement, digits, percent};

/// Largest value of images that are nearly black: a byte of 64.
const NEARLY_BLACK: f32 = 0.25;

/// Values above 1 that are no rounding.
const BEYOND_ONE: f32 = 1.01;

const STANDARDISED: &str = "the values are standardised";

/// Pixels on another scale than [0, 1].
pub(super) fn pixel_scale(case: &Case<'_>) -> Judgement {
    let images = case.images()?;
    if images.is_standardised {
        return Err(STANDARDISED);
    }
    let [low, high] = images.range;
    let is_beyond = low >= 0.0 && high > BEYOND_ONE && images.is_whole;
    if is_beyond {
        let maximum = if high > 100.0 { 255.0 } else { high };
        return Ok(Some(Evidence {
            found: format!(
                "the values are whole numbers from {low} to {high}, where 0 to 1 is expected"
            ),
            number: high.into(),
            limit: 1.0,
            limit_from: "what initial weights and a σ that begins at 1 are made for",
            remedy: format!("train it again with --maximum {maximum}"),
            setting: Some("data.reading.maximum"),
        }));
    }
    let is_dim = low >= 0.0 && high > 0.0 && high < NEARLY_BLACK;
    Ok(match is_dim {
        false => None,
        true => Some(Evidence {
            found: format!(
                "the largest value is {}, of 1 for full ink",
                digits(high.into())
            ),
            number: high.into(),
            limit: NEARLY_BLACK.into(),
            limit_from: "as data inspect has it: photographs in the dark reach further",
            remedy: format!(
                "train it again with --maximum {}, if that stands for full ink",
                maximum_of(case, high)
            ),
            setting: Some("data.reading.maximum"),
        }),
    })
}

/// What full ink is in the units of the source, if `high` is full ink as read.
fn maximum_of(case: &Case<'_>, high: f32) -> String {
    let asked = case.configuration.data.reading.maximum;
    // Bytes count from 255 where nothing is said.
    match (asked > 0.0, (f64::from(high) * 255.0).round()) {
        (true, _) => digits(asked * f64::from(high)),
        (false, bytes) if bytes >= 1.0 => format!("{bytes:.0}"),
        (false, _) => digits(high.into()),
    }
}

/// Test images that the model knows when light and dark change places.
///
/// A model that is worse than the mean image on images as they are, and better
/// than it on their inverse, was trained on the inverse: both means cost the same.
pub(super) fn polarity(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    let found = symptoms.polarity;
    let limit = symptoms.test_mean_image_loss;
    if found.as_they_are <= limit || found.inverted >= limit {
        return Ok(None);
    }
    let remedy = if case.has_other_images {
        "read them the other way round: --invert (or --invert=false, where the run inverts)"
    } else {
        "bring training and test images to one polarity, then train again"
    };
    Ok(Some(Evidence {
        found: format!(
            "the images lose {} nats as they are and {} inverted, where their mean image loses {}: they are of the other polarity than the training images",
            digits(found.as_they_are),
            digits(found.inverted),
            digits(limit)
        ),
        number: found.as_they_are,
        limit,
        limit_from: "the loss of the mean image, the same of both polarities",
        remedy: remedy.into(),
        setting: Some("data.reading.invert"),
    }))
}

/// The fewest images that are held against their own mean.
const FEWEST_OTHERS: usize = 10;

/// Other images that a model which knows its own does not know.
pub(super) fn unfamiliar(case: &Case<'_>) -> Judgement {
    let (images, symptoms) = (case.images()?, case.measured()?);
    if !case.has_other_images {
        return Err("the test images are the run's own");
    }
    if symptoms.test_images < FEWEST_OTHERS {
        return Err("fewer than ten other images tell too little");
    }
    let (loss, limit) = (symptoms.test.reconstruction, symptoms.test_mean_image_loss);
    let knows_its_own = symptoms.train.reconstruction < images.mean_image_loss;
    let is_polarity = matches!(polarity(case), Ok(Some(_)));
    if loss <= limit || !knows_its_own || is_polarity {
        return Ok(None);
    }
    Ok(Some(Evidence {
        found: format!(
            "the images lose {} nats, where their mean image loses {} and the training images lose {}: they are not of the kind that the run knows",
            digits(loss),
            digits(limit),
            digits(symptoms.train.reconstruction)
        ),
        number: loss,
        limit,
        limit_from: "the loss of the images' own mean",
        remedy: "give it images of its own kind, or train a run on these".into(),
        setting: None,
    }))
}

/// Trained on dark images on a light ground.
pub(super) fn inverted(case: &Case<'_>) -> Judgement {
    let images = case.images()?;
    if images.is_standardised {
        return Err(STANDARDISED);
    }
    Ok(match images.is_dark_on_light {
        false => None,
        true => Some(Evidence {
            found: format!(
                "the training images are dark on a light background ({} of 1 on average)",
                digits(images.input_size / images.pixels as f64)
            ),
            number: images.input_size / images.pixels as f64,
            limit: 0.5,
            limit_from: "data sets of ink on nothing have their background at 0",
            remedy: format!(
                "if ink should be 1, train it again with {}",
                if case.configuration.data.reading.invert {
                    "--invert=false"
                } else {
                    "--invert"
                }
            ),
            setting: Some("data.reading.invert"),
        }),
    })
}

/// Share of the mean image's loss that no code can take away, above which a
/// Bernoulli hears nothing but its own noise.
const MOST_ENTROPY: f64 = 0.9;

/// Share of values that are 0 or 1 in images that are binary.
const BINARY: f64 = 0.99;

/// Share of values that a mean within [0, 1] never reaches.
const MOST_OUTSIDE: f64 = 0.01;

/// Residuals in units of σ beyond which σ is no deviation of these pixels.
const MOST_RESIDUAL: f64 = 3.0;

/// A distribution of pixels that these pixels cannot have.
pub(super) fn likelihood(case: &Case<'_>) -> Judgement {
    let images = case.images()?;
    let likelihood = case.spec.likelihood;
    let name = likelihood.name();
    let setting = Some("model.likelihood");
    let (outside, binary) = (images.outside_share, images.binary_share);
    if likelihood.is_density() && binary >= BINARY {
        return Ok(Some(Evidence {
            found: format!(
                "{} of the values are 0 or 1, but {name} is a density of values between: it rises without end the closer it comes to them",
                percent(binary)
            ),
            number: binary,
            limit: BINARY,
            limit_from: "binary images but for a hundredth",
            remedy: "train it again with --likelihood bernoulli".into(),
            setting,
        }));
    }
    let is_bounded = likelihood.scale_source().is_some() && !name.ends_with("-identity");
    if is_bounded && outside > MOST_OUTSIDE {
        let [low, high] = images.range;
        return Ok(Some(Evidence {
            found: format!(
                "{} of the values lie outside of [0, 1], from {} to {}, where the means of {name} never come",
                percent(outside),
                digits(low.into()),
                digits(high.into())
            ),
            number: outside,
            limit: MOST_OUTSIDE,
            limit_from: "the range of a sigmoid",
            remedy: format!("train it again with --likelihood {name}-identity"),
            setting,
        }));
    }
    if let Some(floor) = images.entropy_floor {
        let share = floor / images.mean_image_loss;
        return Ok(match share > MOST_ENTROPY {
            false => None,
            true => Some(Evidence {
                found: format!(
                    "of the {} nats that the mean image loses, {} are the entropy of grey values read as probabilities, which no code takes away",
                    digits(images.mean_image_loss),
                    digits(floor)
                ),
                number: share,
                limit: MOST_ENTROPY,
                limit_from: "this project's: a tenth is left for codes to explain",
                remedy: "train it again with --likelihood gaussian or continuous-bernoulli".into(),
                setting,
            }),
        });
    }
    let Some(GaussianSigma::Fixed(sigma)) = likelihood.scale_source() else {
        return Ok(None);
    };
    let setting = Some("model.sigma");
    let limit_from = "the best σ is the deviation of what is left of the pixels (Rybkin, Daniilidis & Levine 2021, eq. 5)";
    if sigma > images.deviation {
        return Ok(Some(Evidence {
            found: format!(
                "--sigma {sigma} is wider than the images vary at all ({} about their mean image), so that hardly anything of them is worth a code",
                digits(images.deviation)
            ),
            number: sigma,
            limit: images.deviation,
            limit_from,
            remedy: "train it again with --sigma scalar, which learns it".into(),
            setting,
        }));
    }
    let symptoms = case.measured()?;
    let ratio = symptoms.residual / sigma;
    Ok(match ratio > MOST_RESIDUAL {
        false => None,
        true => Some(Evidence {
            found: format!(
                "what is left of the pixels ({} root mean square) is {} times --sigma {sigma}",
                digits(symptoms.residual),
                digits(ratio)
            ),
            number: ratio,
            limit: MOST_RESIDUAL,
            limit_from,
            remedy: "train it again with --sigma scalar, which learns it".into(),
            setting,
        }),
    })
}
