//! Trainings that failed as a whole: every latent variable collapsed, and the
//! decoder makes one image of every code, the mean of the data.
//!
//! Such a training is a category of its own. It says nothing about the codes or the
//! samples of a model that learned, and its loss, far from all others, would be most of
//! any spread that it is part of: how often it happens is one number, and what the
//! others are like another.

use std::collections::BTreeSet;

use evaluation::Evaluation;
use evaluation::statistics::proportion_interval;
use figures::absence::Measurement;
use figures::drawing::{RunOfModel, run_of_model};
use figures::measured::LEVEL;
use figures::{Drawing, Measured};
use runs::Error;

use crate::measures;

/// Why they are in no number.
pub(crate) const REASON: &str = "every latent variable collapsed";

/// The runs of a drawing of which no latent variable is active: none has a Var(μ) over
/// the test images of more than 0.01 (Burda et al. 2016).
///
/// None of models without a KL or a penalty, whose codes have no scale to be small on.
///
/// # Errors
/// Those of the evaluation, other than that a run has none.
pub(crate) fn trainings(drawing: &Drawing<'_>) -> Result<BTreeSet<RunOfModel>, Error> {
    let mut found = BTreeSet::new();
    for run in drawing.runs {
        let evaluated = Measurement::of(measures::evaluation(drawing, run))?;
        let is_collapsed = |of: &Evaluation| of.kl.is_some() && of.active_units == 0;
        if evaluated.get().is_ok_and(is_collapsed) {
            found.insert(run_of_model(run));
        }
    }
    Ok(found)
}

/// Of the finished trainings of the model called `key`, the share that are among
/// `collapsed`, with its exact interval.
pub(crate) fn share(
    drawing: &Drawing<'_>,
    key: &str,
    collapsed: &BTreeSet<RunOfModel>,
) -> Measured {
    let all = drawing.runs.iter().filter(|run| run.key == key).count();
    let count = collapsed.iter().filter(|(model, _)| model == key).count();
    let name = format!(
        "share of trainings with every variable collapsed, {}",
        drawing.title(key)
    );
    Measured::together(name, proportion_interval(count, all, LEVEL).ok())
}

/// The drawing whose numbers over seeds leave them out, and a sentence for the end of a
/// caption that names them: ` Apart, …: VAE 784-256-32-8-4 seed 10.`, empty of none.
///
/// # Errors
/// Those of [`trainings`].
pub(crate) fn apart<'a>(drawing: &Drawing<'a>) -> Result<(Drawing<'a>, String), Error> {
    let collapsed = trainings(drawing)?;
    let named = collapsed
        .iter()
        .map(|(key, seed)| format!("{} seed {seed}", drawing.title(key)));
    let named: Vec<String> = named.collect();
    let sentence = if named.is_empty() {
        String::new()
    } else {
        format!(
            " Apart, in no mean, interval or test, as {REASON}: {}.",
            named.join(", ")
        )
    };
    Ok((drawing.apart_from(&collapsed, REASON), sentence))
}
