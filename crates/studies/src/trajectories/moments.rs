//! The animations and their stills: where the chosen digits are, and how wide
//! their posteriors are.

use datasets::Dataset;
use rayon::prelude::*;
use viz::page::Block;
use viz::{Figure, LegendEntry, Panel, RgbImage};

use super::{FIRST_PERIOD, PER_CLASS, SECOND_PERIOD};
use crate::{Drawing, TrainedRun};
use figures::course::Course;
use figures::plane::Plane;
use figures::scene::{Followed, Scene, within};
use figures::wording::{name_of, unbroken};
use figures::{Animated, Described};
use runs::Error;

/// Changes when the drawing of the frames does.
const FRAMES_VERSION: &str = "3";
/// Every so many recorded moments make a frame of the second animation, whose
/// images move slowly.
const EVERY_OF_SECOND: usize = 2;

/// One image of each class: animation and stills.
pub(super) fn ten(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
) -> Result<Vec<Block>, Error> {
    let dataset = drawing.dataset;
    let followed = &Followed::of(dataset, course, 1);
    let scene = scene(dataset, course, followed, FIRST_PERIOD, 1);
    let title = followed.title.as_str();
    let explained = format!(
        "{}, seed {}. Dot: posterior mean μ; circle: radius r, r² the geometric mean of the two \
         variances; trail: the way so far. Dashed: one and two standard deviations of the prior.",
        run.title(),
        run.configuration.training.seed
    );
    let frame = |moment: usize| -> Result<RgbImage, Error> {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plane = scene.plane(moment, &format!("epoch {epoch}"), usize::MAX, true)?;
        let legend = std::mem::take(&mut plane.legend);
        let panels = vec![plane.into(), scene.radius_so_far(moment).into()];
        Ok(frame_of(dataset, title, &explained, legend, panels))
    };
    let animation = animate(drawing, run, "ten", &scene, &explained, 70, frame)?;
    let last = scene.epochs.last().copied().unwrap_or(0.0);
    let moments = scene.nearest(&[0.0, 0.08, 0.25, 1.0, 0.5 * last, last]);
    let stills = stills(
        drawing,
        run,
        "ten-stills",
        &scene,
        title,
        &explained,
        &moments,
        usize::MAX,
    )?;
    Ok(vec![Block::Figures(vec![animation, stills])])
}

/// Six images of each class: animation and stills.
pub(super) fn sixty(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    course: &Course,
) -> Result<Vec<Block>, Error> {
    let dataset = drawing.dataset;
    let followed = &Followed::of(dataset, course, PER_CLASS);
    let scene = scene(dataset, course, followed, SECOND_PERIOD, EVERY_OF_SECOND);
    let title = followed.title.as_str();
    // A whole path of sixty images is a tangle: the last epoch of it is shown.
    let tail = run.configuration.tracking.snapshots_per_epoch / EVERY_OF_SECOND;
    let explained = format!(
        "{}, seed {}. Dot: posterior mean μ; circle: radius r, r² the geometric mean of the two \
         variances; trail: the way of the last epoch. Dashed: one and two standard deviations of \
         the prior.",
        run.title(),
        run.configuration.training.seed
    );
    let frame = |moment: usize| -> Result<RgbImage, Error> {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plane = scene.plane(moment, &format!("epoch {epoch}"), tail, false)?;
        plane.size = [500.0, 500.0];
        let legend = std::mem::take(&mut plane.legend);
        Ok(frame_of(
            dataset,
            title,
            &explained,
            legend,
            vec![plane.into()],
        ))
    };
    let animation = animate(drawing, run, "sixty", &scene, &explained, 90, frame)?;
    let [first, last] =
        [scene.epochs.first(), scene.epochs.last()].map(|epoch| epoch.copied().unwrap_or(0.0));
    let wanted: Vec<f64> = (0..6)
        .map(|at| first + (last - first) * f64::from(at) / 5.0)
        .collect();
    let moments = scene.nearest(&wanted);
    let stills = stills(
        drawing,
        run,
        "sixty-stills",
        &scene,
        title,
        &explained,
        &moments,
        tail,
    )?;
    Ok(vec![Block::Figures(vec![animation, stills])])
}

/// Every so many of the recorded moments of a period.
fn scene<'a>(
    dataset: &'a Dataset,
    course: &Course,
    followed: &Followed,
    period: [f64; 2],
    every: usize,
) -> Scene<'a> {
    let moments = within(&course.tracked.snapshots, period).step_by(every);
    Scene::new(
        course,
        &Plane::whole(),
        &followed.images,
        &moments.collect::<Vec<_>>(),
        &dataset.class_names,
    )
}

fn frame_of(
    dataset: &Dataset,
    title: &str,
    caption: &str,
    legend: Vec<LegendEntry>,
    panels: Vec<Panel>,
) -> RgbImage {
    Figure {
        title: format!("{title}, {}", name_of(dataset)),
        caption: unbroken(caption),
        legend,
        scale: 1.5,
        ..Figure::row(panels)
    }
    .render()
}

fn animate(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    name: &str,
    scene: &Scene<'_>,
    explained: &str,
    milliseconds: u16,
    frame: impl Fn(usize) -> Result<RgbImage, Error> + Sync,
) -> Result<viz::page::FigureLink, Error> {
    let moments: Vec<usize> = (0..scene.epochs.len()).collect();
    let caption = format!(
        "Animation, {} moments from {}. {explained}",
        moments.len(),
        period(scene)
    );
    drawing.animate(
        name,
        FRAMES_VERSION,
        Described {
            caption: &caption,
            runs: &[run],
            data: scene.data(&moments),
            bare: false,
        },
        || {
            Ok(Animated {
                frames: moments
                    .par_iter()
                    .map(|&moment| frame(moment))
                    .collect::<Result<_, _>>()?,
                milliseconds,
                hold: 2500,
            })
        },
    )
}

fn period(scene: &Scene<'_>) -> String {
    let [first, last] = [scene.epochs.first(), scene.epochs.last()]
        .map(|epoch| viz::number::decimal(epoch.copied().unwrap_or(0.0), 0));
    format!("epoch {first} to {last}")
}

#[expect(
    clippy::too_many_arguments,
    reason = "the texts and choices of one figure"
)]
fn stills(
    drawing: &mut Drawing<'_>,
    run: &TrainedRun,
    name: &str,
    scene: &Scene<'_>,
    title: &str,
    explained: &str,
    moments: &[usize],
    tail: usize,
) -> Result<viz::page::FigureLink, Error> {
    let mut legend = Vec::new();
    let mut panels: Vec<Panel> = Vec::new();
    for &moment in moments {
        let epoch = viz::number::decimal(scene.epochs[moment], 2);
        let mut plot = scene.plane(moment, &format!("epoch {epoch}"), tail, false)?;
        plot.size = [270.0, 270.0];
        legend = std::mem::take(&mut plot.legend);
        panels.push(plot.into());
    }
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    while !panels.is_empty() {
        let rest = panels.split_off(panels.len().min(3));
        rows.push(std::mem::replace(&mut panels, rest));
    }
    let caption = format!(
        "{} moments from {}. {explained}",
        moments.len(),
        period(scene)
    );
    let figure = Figure {
        title: title.into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    drawing.chart_link(name, figure, &[run], scene.data(moments))
}
