//! Faults of the optimisation: how far, how fast and for how long.

use evaluation::silent_units::SilentUnits;
use models::GaussianSigma;

use super::{Case, Evidence, Judgement, digits, percent};
use crate::diagnosis::symptoms::{MOST_SILENT, is_dead};
use crate::diagnosis::{Course, Ending, Symptoms, TrainingImages};

/// Step sizes that are ordinary, a factor of ten about Adam's default.
const ORDINARY_STEPS: [f64; 2] = [1e-4, 1e-2];
/// Adam's default.
const ADAM_STEP: f64 = 1e-3;
const FROM_ADAM: &str =
    "a factor of ten about Adam's default of 0.001 (Kingma & Ba 2015, algorithm 1)";

/// Change of a sum over an image by one step that is large, whatever the step
/// size: units that a step moves so far are switched on and off by it.
const LARGE_CHANGE: f64 = 5.0;

/// Share of the images' variance below which their reconstructions are the mean
/// image.
pub(super) const LEAST_EXPLAINED: f64 = 0.05;

/// The loss stopped being finite.
pub(super) fn diverged(case: &Case<'_>) -> Judgement {
    let Some(divergence) = &case.divergence else {
        return Ok(None);
    };
    let rate = case.configuration.training.learning_rate;
    Ok(Some(Evidence {
        found: divergence.clone(),
        number: rate,
        limit: ORDINARY_STEPS[1],
        limit_from: FROM_ADAM,
        remedy: steadier(case, rate),
        setting: Some("training.learning_rate"),
    }))
}

/// What to train a run with that has diverged.
fn steadier(case: &Case<'_>, rate: f64) -> String {
    let smaller = f64::min(ADAM_STEP, rate / 10.0);
    let own_sigma = matches!(
        case.spec.likelihood.scale_source(),
        Some(GaussianSigma::PerPixel | GaussianSigma::Decoder)
    );
    if own_sigma {
        // A density has no end where a pixel never varies.
        "train it again with --sigma scalar: a σ of its own goes to 0 for a pixel that is the same in all images".into()
    } else if case.configuration.training.clip_norm > 0.0 {
        format!("train it again with --lr {smaller}")
    } else {
        format!("train it again with --lr {smaller}, or with --set training.clip_norm=1")
    }
}

/// What a run has in common whose steps were too large, or too small: it does
/// not know the images.
fn ignorance(case: &Case<'_>, symptoms: &Symptoms) -> Option<String> {
    let loss = symptoms.train.loss(case.weight());
    let of_mean = case.images.map(|images| images.mean_image_loss);
    if let Some(of_mean) = of_mean.filter(|&of_mean| loss > of_mean) {
        return Some(format!(
            "the training images lose {} nats, their mean image {}",
            digits(loss),
            digits(of_mean)
        ));
    }
    let explained = symptoms
        .explained
        .filter(|&share| share < LEAST_EXPLAINED)?;
    Some(in_words(explained))
}

/// What reconstructions explain of the images' variance, none or little of it.
pub(super) fn in_words(explained: f64) -> String {
    if explained < -LEAST_EXPLAINED {
        return "reconstructions are farther from the images than their mean image is".into();
    }
    format!(
        "reconstructions explain {} of the images' variance: each is the mean image",
        percent(explained.max(0.0))
    )
}

/// A step size that leaps over what is sought: much larger than is usual, with
/// nothing learned or most units dead.
pub(super) fn step_size_too_high(case: &Case<'_>) -> Judgement {
    let (images, symptoms) = (case.images()?, case.measured()?);
    let rate = case.learning_rate();
    let change = rate * images.input_size;
    if rate < ORDINARY_STEPS[1] && change < LARGE_CHANGE {
        return Ok(None);
    }
    let harm = ignorance(case, symptoms).or_else(|| dead_layer(case, symptoms).map(silence));
    Ok(harm.map(|harm| Evidence {
        found: format!(
            "--lr {rate} changes the sums that units take of an image by up to {} in a step, and {harm}",
            digits(change)
        ),
        number: rate,
        limit: ORDINARY_STEPS[1].min(LARGE_CHANGE / images.input_size),
        limit_from: FROM_ADAM,
        remedy: format!("train it again with --lr {}", usual(images)),
        setting: Some("training.learning_rate"),
    }))
}

/// A step size to begin with again: Adam's default, or less where that changes the
/// sum of an image by more than 1.
fn usual(images: &TrainingImages) -> String {
    format!("{:.0e}", f64::min(ADAM_STEP, 1.0 / images.input_size))
}

/// A step size with which weights have hardly left where they began.
pub(super) fn step_size_too_low(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    let rate = case.learning_rate();
    if rate >= ORDINARY_STEPS[0] {
        return Ok(None);
    }
    let falling = falling(case, symptoms)?;
    let harm = ignorance(case, symptoms).or_else(|| falling.map(|fall| fall.said));
    Ok(harm.map(|harm| Evidence {
        found: format!("--lr {rate} is small for Adam, and {harm}"),
        number: rate,
        limit: ORDINARY_STEPS[0],
        limit_from: FROM_ADAM,
        remedy: format!("train it again with --lr {ADAM_STEP:e}"),
        setting: Some("training.learning_rate"),
    }))
}

/// Share of what a model knows of the images that the last doubling of the
/// epochs brought, from which on training has not ended.
const MOST_FALL: f64 = 0.2;

/// Share of the mean image's loss that is the least to be called known.
const LEAST_KNOWN: f64 = 0.05;

/// Share of the whole fall that is no noise.
const LEAST_FALL: f64 = 0.05;

struct Fall {
    share: f64,
    said: String,
}

/// How the loss still falls, if it does.
fn falling(case: &Case<'_>, symptoms: &Symptoms) -> Result<Option<Fall>, &'static str> {
    if case.has_other_images {
        return Err("the losses of the epochs are of other images");
    }
    let course: &Course = case.course.ok_or("there is no epoch yet")?;
    let fall = course.fall;
    if fall < LEAST_FALL * (course.first - course.last).abs() {
        return Ok(None);
    }
    // A model that has not reached the mean image learned what it did just now; what
    // is less than a twentieth of that loss is nothing, however little is known.
    let of_mean = symptoms.test_mean_image_loss;
    let known = (of_mean - course.last).max(fall).max(LEAST_KNOWN * of_mean);
    let share = fall / known;
    Ok((fall > 0.0 && share > MOST_FALL).then(|| Fall {
        share,
        said: match course.epochs {
            1 => "there was one epoch, which does not tell where training ends".into(),
            epochs => format!(
                "the loss still falls: by {} nats while the epochs doubled to {epochs}, {} of all that is known of the images",
                digits(fall),
                percent(share)
            ),
        },
    }))
}

/// Training that ended while the loss still fell.
pub(super) fn too_few_epochs(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    if case.ending == Ending::Unfinished {
        return Err("training has not ended");
    }
    let falling = falling(case, symptoms)?;
    Ok(falling.map(|fall| Evidence {
        found: fall.said,
        number: fall.share,
        limit: MOST_FALL,
        limit_from: "losses fall with the logarithm of time at best, so that as many epochs again bring no more",
        remedy: format!(
            "go on with: latent-atlas train --resume {} --epochs {}",
            case.run,
            4 * case.configuration.training.epochs
        ),
        setting: Some("training.epochs"),
    }))
}

fn silence(layer: &SilentUnits) -> String {
    format!(
        "{} of the {} units of {} are 0 for every image",
        layer.silent, layer.units, layer.layer
    )
}

/// The layer most of whose units never fire, if there is one and it does harm.
///
/// In the layer that sees the images the first steps of Adam silence many units, up
/// to nine tenths of them where the background is light, and the rest do their work:
/// it counts where codes explain less than straight lines through the images would.
pub(super) fn dead_layer<'a>(case: &Case<'_>, symptoms: &'a Symptoms) -> Option<&'a SilentUnits> {
    let latent = case.spec.architecture.latent;
    let is_harmed = symptoms
        .explained
        .is_some_and(|share| share < symptoms.linear_share(latent));
    let layers = symptoms.silent_units.iter().enumerate();
    layers
        .filter(|&(place, layer)| is_dead(layer) && (place > 0 || is_harmed))
        .map(|(_, layer)| layer)
        .max_by(|a, b| a.share().total_cmp(&b.share()))
}

/// Layers most of whose units never fire.
pub(super) fn dead_units(case: &Case<'_>) -> Judgement {
    let symptoms = case.measured()?;
    if symptoms.silent_units.is_empty() {
        return Err("there are no hidden layers of rectified units");
    }
    Ok(dead_layer(case, symptoms).map(|layer| Evidence {
        found: silence(layer),
        number: layer.share(),
        limit: MOST_SILENT,
        limit_from: "a rectified unit that no image moves gets no gradient (Maas, Hannun & Ng 2013, §2)",
        remedy: "train it again with a smaller --lr, or with --activation tanh".into(),
        setting: Some("training.learning_rate"),
    }))
}

/// Share of what is known of training images that test images lack: whole data sets
/// leave it at a twentieth.
const MOST_GAP: f64 = 0.1;

/// Standard errors that a difference of means has to have.
const ERRORS: f64 = 3.0;

/// Training images that are known much better than others.
pub(super) fn memorisation(case: &Case<'_>) -> Judgement {
    let (images, symptoms) = (case.images()?, case.measured()?);
    if case.has_other_images {
        return Err("the test images are no draw of what was trained on");
    }
    let (train, test) = (symptoms.train, symptoms.test);
    let weight = case.weight();
    let gap = test.loss(weight) - train.loss(weight);
    let known = images.mean_image_loss - train.loss(weight);
    let error = train.standard_error.hypot(test.standard_error);
    let share = gap / known;
    let is_certain = gap > ERRORS * error && known > 0.0;
    Ok((is_certain && share > MOST_GAP).then(|| Evidence {
        found: format!(
            "test images lose {} nats more than training images, {} of what is known of these",
            digits(gap),
            percent(share)
        ),
        number: share,
        limit: MOST_GAP,
        limit_from: "this project's; no published limit exists",
        remedy: "train on more images, a smaller --hidden, or stop early: --set data.validation=N --set training.patience=5".into(),
        setting: Some("training.patience"),
    }))
}
