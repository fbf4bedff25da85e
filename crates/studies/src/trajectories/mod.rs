//! Document 003, first part: how the posteriors of single digits move and
//! shrink while a VAE is trained.
//!
//! Every run records the codes of some test images of each class many times
//! an epoch; the study chooses among these by a seed of its own.

mod claims;
mod cloud;
mod courses;
mod moments;

use datasets::Dataset;
use viz::number::decimal;
use viz::page::{Block, Cell, Column, Table, Text};

use super::{BuiltIn, Drawing, PlannedRun, Scale, TrainedRun};
use figures::absence::Measurement;
use figures::course::Course;
use figures::pictures::{Explained, Picture};
use figures::scene::Followed;
use figures::wording::said;
use runs::Error;
use runs::configuration::Configuration;

pub(super) const STUDY: BuiltIn = BuiltIn {
    name: "trajectories",
    title: "Posteriors on their way: radius and course of single digits",
    about: "ten and sixty test images while a VAE 784-256-2 is trained: position, radius, path",
    plan,
    draw,
    claims: claims::claims,
    answer: claims::answer,
};

/// The study's only model.
const KEY: &str = "vae";
/// Images of each class in the second animation.
const PER_CLASS: usize = 6;
/// Epochs that the two animations cover.
const FIRST_PERIOD: [f64; 2] = [0.0, 5.0];
const SECOND_PERIOD: [f64; 2] = [1.0, 10.0];

fn plan(scale: Scale) -> Vec<PlannedRun> {
    (0..scale.seeds)
        .map(|seed| {
            let mut configuration = Configuration::resolve(Some("vae-2d"), None, &[])
                .expect("presets are valid, as a test shows");
            configuration.training.seed = seed as u64;
            if scale.quick {
                configuration.training.epochs = 3;
            }
            PlannedRun::new(KEY, configuration)
        })
        .collect()
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let Some(run) = drawing.run(KEY) else {
        return Ok(Vec::new());
    };
    let mut blocks = vec![
        Block::paragraph(
            "A VAE with two latent variables gives every image a normal distribution in the \
             plane. Here is where test images lie while it is trained, and how wide they are: a \
             dot at the mean μ, and a circle of radius r, where r² is the geometric mean of the \
             two variances.",
        ),
        said(
            "003",
            "[…] the trajectories of ten, randomly chosen, digits from the MNIST dataset (one \
             for each kind) during the first five training epochs. […] the radius of the circle \
             is the variance computed by the VAE […]. Initially it is close to 1, but it rapidly \
             decreases.",
        ),
    ];
    let course = Measurement::of(Course::read(run))?;
    blocks.push(drawing.block("their course over the first epochs", |d| {
        let course = course.get()?;
        moments::ten(d, run, course, &Followed::of(d.dataset, course, 1))
    })?);
    blocks.push(said(
        "003",
        "All digits progressively distribute around the center, in a Gaussian-like distribution. \
         This overall distribution is better appreciated in the next video, similar to the \
         previous one but where we respectively trace six different digits per category.",
    ));
    blocks.push(drawing.block("the course of more of them", |d| {
        let course = course.get()?;
        moments::sixty(d, run, course, &Followed::of(d.dataset, course, PER_CLASS))
    })?);
    blocks.extend(drawing.blocks("radius, path and distance by epoch", |d| {
        let course = course.get()?;
        Ok(vec![
            recorded(d.dataset, run, course),
            courses::figure(d, run, course)?,
            by_epoch(course),
        ])
    })?);
    blocks.push(drawing.block("where the codes have settled", |d| {
        let settled = cloud::measure(d, run)?;
        cloud::figure(d, run, &settled)
    })?);
    blocks.push(said(
        "003",
        "Intuitively, the area inside the circle can be understood as the region of the plane \
         that gives rise to a reconstruction close to the input.",
    ));
    blocks.extend(drawing.blocks("codes that explain an image", |d| {
        Explained::default().draw(d, &[run], Explained::NAME)
    })?);
    blocks.push(said(
        "003",
        "Its radius must eventually be small, since we need to accommodate 60000 different \
         digits.",
    ));
    blocks.push(drawing.block("how much the circles cover", |d| circles(d, run))?);
    Ok(blocks)
}

/// How many images were recorded, and how often.
fn recorded(dataset: &Dataset, run: &TrainedRun, course: &Course) -> Block {
    let n = course.tracked.index.len();
    let classes = dataset.classes().max(1);
    let mut counts = vec![0; classes];
    for &label in course.tracked.labels() {
        counts[label as usize] += 1;
    }
    let each = if counts.iter().all(|&count| count * classes == n) {
        format!(" ({} of each class)", n / classes)
    } else {
        String::new()
    };
    let training = &run.configuration.training;
    let steps = dataset.train.len().div_ceil(training.batch);
    let often = run.configuration.tracking.snapshots_per_epoch.min(steps);
    let times = if often == 1 {
        "once"
    } else {
        &format!("{often} times")
    };
    Block::paragraph(format!(
        "Measured on all {n} recorded images{each}, {times} an epoch."
    ))
}

fn circles(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Block, Error> {
    let settled = cloud::measure(drawing, run)?;
    if !settled.cover.is_finite() {
        return Err(Error::Undefined("the means lie on a line".into()));
    }
    Ok(Block::paragraph(format!(
        "Small, but not so small that they could lie side by side: the circles of the {} training \
         images (root mean square radius {}) have {} times the area of the ellipse of two \
         standard deviations of their means, so that a point of the plane lies in that many of \
         them on average.",
        decimal(settled.circles as f64, 0),
        decimal(settled.root_mean_square_radius, 3),
        decimal(settled.cover, 1),
    )))
}

/// Radius, path and distance at the end of each epoch.
fn by_epoch(course: &Course) -> Block {
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
