//! What no file can say of the study of trajectories: the animations, and where
//! the codes have settled.

mod claims;
mod cloud;
mod courses;
mod moments;
mod region;

use datasets::Dataset;
use viz::number::decimal;
use viz::page::{Block, Cell, Column, Table, Text};

use super::study::Peculiar;
use super::{Drawing, TrainedRun};
use figures::course::Course;
use runs::Error;

pub(super) const PECULIAR: Peculiar = Peculiar {
    pieces: &[
        ("ten", |d| moments::ten(d, run(d)?, &course(d)?)),
        ("sixty", |d| moments::sixty(d, run(d)?, &course(d)?)),
        ("by-epoch", by_epoch),
        ("settled", |d| cloud::figure(d, run(d)?)),
        ("circles", |d| circles(d, run(d)?)),
    ],
    decisions: claims::DECISIONS,
};

/// The study's only model.
const KEY: &str = "vae";
/// Images of each class in the second animation.
const PER_CLASS: usize = 6;
/// Epochs that the two animations cover.
const FIRST_PERIOD: [f64; 2] = [0.0, 5.0];
const SECOND_PERIOD: [f64; 2] = [1.0, 10.0];

fn run<'a>(drawing: &Drawing<'a>) -> Result<&'a TrainedRun, Error> {
    let finished = drawing.run(KEY);
    finished.ok_or_else(|| Error::Undefined("every run of the VAE diverged".into()))
}

fn course(drawing: &Drawing<'_>) -> Result<Course, Error> {
    Course::read(run(drawing)?)
}

/// Curves and numbers of the recorded images.
fn by_epoch(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let (run, course) = (run(drawing)?, course(drawing)?);
    let mut blocks = vec![recorded(drawing.dataset, run, &course)?];
    blocks.extend(courses::figure(drawing, run, &course)?);
    blocks.push(ends_of_epochs(&course));
    Ok(blocks)
}

/// How many images were recorded, and how often.
fn recorded(dataset: &Dataset, run: &TrainedRun, course: &Course) -> Result<Block, Error> {
    let n = course.tracked.index.len();
    let classes = dataset.classes().max(1);
    let mut counts = vec![0; classes];
    for &label in course.tracked.labels() {
        counts[label as usize] += 1;
    }
    let each = if counts.iter().all(|&count| count * classes == n) {
        format!(" (the first {} of each class)", n / classes)
    } else if course.tracked.labels().is_empty() {
        " (the first of all)".to_owned()
    } else {
        " (the first of each class)".to_owned()
    };
    let training = &run.configuration.training;
    let trained_on = run.trained_on(dataset)?.len();
    let steps = trained_on.div_ceil(training.batch);
    let often = run.configuration.tracking.snapshots_per_epoch.min(steps);
    let times = if often == 1 {
        "once"
    } else {
        &format!("{often} times")
    };
    Ok(Block::paragraph(format!(
        "Measured on all {n} recorded images{each}, {times} an epoch."
    )))
}

fn circles(drawing: &mut Drawing<'_>, run: &TrainedRun) -> Result<Vec<Block>, Error> {
    let settled = cloud::measure(drawing, run)?;
    if !settled.cover.is_finite() {
        return Err(Error::Undefined("the means lie on a line".into()));
    }
    Ok(vec![Block::paragraph(format!(
        "Small, but not so small that they could lie side by side: the circles of the {} training \
         images (root mean square radius {}) have {} times the area of the ellipse of two \
         standard deviations of their means, so that a point of the plane lies in that many of \
         them on average.",
        decimal(settled.circles as f64, 0),
        decimal(settled.root_mean_square_radius, 3),
        decimal(settled.cover, 1),
    ))])
}

/// Radius, path and distance at the end of each epoch.
fn ends_of_epochs(course: &Course) -> Block {
    let number = |value: f64, decimals| Cell::Number { value, decimals };
    let rows = course
        .epochs()
        .into_iter()
        .map(|end| {
            vec![
                number(end.epoch as f64, 0),
                number(end.radius, 3),
                number(end.path_of_epoch, 2),
                number(end.path, 2),
                number(end.distance, 2),
            ]
        })
        .collect();
    Block::Table(Table {
        caption: Text::from(
            "At the end of each epoch, means over the recorded test images; epoch 0 is before \
             the first step.",
        ),
        columns: vec![
            Column::new("epoch", ""),
            Column::new("radius r", ""),
            Column::new("path of the epoch", ""),
            Column::new("path so far", ""),
            Column::new("‖μ‖", ""),
        ],
        rows,
    })
}
