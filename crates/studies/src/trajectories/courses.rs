//! Radius, path and distance of the recorded images as curves over training.

use viz::Figure;
use viz::page::Block;

use crate::{Drawing, TrainedRun};
use figures::course::{Course, curves};
use runs::Error;

/// Three charts over training time.
pub(super) fn figure(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
) -> Result<Vec<Block>, Error> {
    let panels = curves(&[(run.title(), course)]);
    let caption = format!(
        "{}, seed {}, {}. Left: mean radius, with the band from the 10 % to the 90 % \
         quantile. Middle: mean length of the way travelled in each epoch. Right: mean distance \
         of μ from the origin; dashed, that of the prior, √(π/2).",
        run.title(),
        run.configuration.training.seed,
        course.images_in_words(drawing.dataset),
    );
    let figure = Figure {
        title: "Radius, path and distance by epoch".into(),
        caption,
        ..Figure::row(panels.into_iter().map(Into::into).collect())
    };
    drawing.chart("by-epoch", figure, &[run], course.data())
}
