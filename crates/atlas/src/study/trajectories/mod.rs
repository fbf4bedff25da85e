//! Document 003, first part: how the posteriors of single digits move and
//! shrink while a VAE is trained.
//!
//! Every run records the codes of some test images of each class many times
//! an epoch; the study chooses among these by a seed of its own.

mod claims;
mod cloud;
mod courses;
mod moments;

use tensor_ops::random::{Stream, fill_uniform};
use viz::number::decimal;
use viz::page::{Block, Cell, Column, Table, Text};

use self::courses::Course;
use super::wording::said;
use super::{Drawing, PlannedRun, Scale, Study};
use crate::configuration::Configuration;
use crate::error::Error;

pub(super) const STUDY: Study = Study {
    name: "trajectories",
    title: "Posteriors on their way: radius and course of single digits",
    about: "ten and sixty test images while a VAE 784-256-2 is trained: position, radius, path",
    plan,
    draw,
    claims: claims::claims,
};

/// The study's only model.
const KEY: &str = "vae";
/// Seed of the choice of images.
const CHOICE_SEED: u64 = 3;
/// Images of each class in the second animation, "six" in its texts.
const PER_CLASS: usize = 6;
/// Epochs that the two animations cover.
const FIRST_PERIOD: [f64; 2] = [0.0, 5.0];
const SECOND_PERIOD: [f64; 2] = [1.0, 10.0];

fn plan(dataset: &datasets::Dataset, scale: Scale) -> Vec<PlannedRun> {
    (0..scale.seeds)
        .map(|seed| {
            let mut configuration = Configuration::resolve(Some("vae-2d"), None, &[])
                .expect("presets are valid, as a test shows");
            configuration.data.dataset.clone_from(&dataset.name);
            configuration.training.seed = seed as u64;
            if scale.quick {
                configuration.training.epochs = 3;
            }
            PlannedRun {
                key: KEY,
                configuration,
            }
        })
        .collect()
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let Some(run) = drawing.run(KEY) else {
        return Ok(Vec::new());
    };
    let course = Course::read(run)?;
    let classes = drawing.dataset.classes();
    let chosen = choose(course.tracked.labels(), classes, PER_CLASS, CHOICE_SEED);
    let ten: Vec<usize> = chosen.iter().step_by(PER_CLASS).copied().collect();

    let mut blocks = vec![
        Block::paragraph(
            "A VAE with two latent variables gives every image a normal distribution in the \
             plane. Here is where test images lie while it is trained, and how wide they are: a \
             dot at the mean μ, and a circle of radius r, where r² is the geometric mean of the \
             two variances.",
        ),
        said(
            "003",
            "Ten randomly chosen digits, one of each kind, over the first five epochs. The \
             radius is initially close to 1, but it rapidly decreases.",
        ),
    ];
    blocks.push(moments::ten(drawing, run, &course, &ten)?);
    blocks.push(said(
        "003",
        "All digits progressively distribute around the centre, in a Gaussian-like \
         distribution; better seen with six digits of each kind, from the second epoch to the \
         end of the tenth.",
    ));
    blocks.push(moments::sixty(drawing, run, &course, &chosen)?);
    blocks.push(Block::paragraph(format!(
        "Measured on all {} recorded images ({} of each class), {} times an epoch.",
        course.tracked.index.len(),
        course.tracked.index.len() / classes,
        run.configuration.tracking.snapshots_per_epoch,
    )));
    blocks.push(courses::figure(drawing, run, &course)?);
    blocks.push(by_epoch(&course));
    let settled = cloud::measure(drawing, run)?;
    blocks.push(cloud::figure(drawing, run, &settled)?);
    blocks.push(said(
        "003",
        "The radius must eventually be small, since 60000 different digits have to be \
         accommodated.",
    ));
    blocks.push(Block::paragraph(format!(
        "Small, but not so small that they could lie side by side: the circles of the {} training \
         images (root mean square radius {}) have {} times the area of the ellipse of two \
         standard deviations of their means, so that a point of the plane lies in that many of \
         them on average.",
        decimal(settled.circles as f64, 0),
        decimal(settled.root_mean_square_radius, 3),
        decimal(settled.cover, 1),
    )));
    Ok(blocks)
}

/// Positions of `per_class` tracked images of every class, class by class, in
/// the order of a random number that belongs to each image; so a smaller
/// choice is contained in a larger one.
fn choose(labels: &[u32], classes: usize, per_class: usize, seed: u64) -> Vec<usize> {
    let mut keys = vec![0.0f64; labels.len()];
    fill_uniform(&mut keys, Stream::new(seed, 0), 0);
    (0..classes)
        .flat_map(|class| {
            let mut members: Vec<usize> = (0..labels.len())
                .filter(|&image| labels[image] as usize == class)
                .collect();
            members.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
            members.truncate(per_class);
            members
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_every_class_and_grows() {
        let labels: Vec<u32> = (0..200).map(|image| image / 20).collect();
        let six = choose(&labels, 10, 6, CHOICE_SEED);
        let one = choose(&labels, 10, 1, CHOICE_SEED);
        assert_eq!(one, six.iter().step_by(6).copied().collect::<Vec<_>>());
        for (at, &image) in six.iter().enumerate() {
            assert_eq!(labels[image] as usize, at / 6);
        }
        let distinct: std::collections::BTreeSet<_> = six.iter().collect();
        assert_eq!(distinct.len(), 60);
        assert_ne!(six, choose(&labels, 10, 6, CHOICE_SEED + 1));
    }
}
