//! What a map of 21 × 21 codes of a plane shows: kinds of object, change from
//! tile to tile, and how much of the images is on it.

use evaluation::explained::explained_variance;
use evaluation::map::{
    ClassMap, NeighbourChange, centre_change, change_field, class_map, neighbour_change,
};
use evaluation::patch::{PatchDifference, centre_difference};
use serde::{Deserialize, Serialize};

use super::in_plane;
use crate::{Drawing, TrainedRun};
use figures::absence::{Measurement, known};
use figures::pictures::{typical_distance, typical_distance_within};
use figures::plane_map::{PlaneMap, code_box, rounded};
use runs::Error;

/// Codes per side of the map, and the map's half-width: those of the exercise
/// that the study 'lab' is about.
pub(crate) const STEPS: usize = 21;
pub(crate) const RANGE: f64 = 4.0;
/// Share of the tiles that a class needs to count as a kind of object.
pub(crate) const MINIMUM_SHARE: f64 = 0.01;
/// Side of the centre patch, tiles.
pub(crate) const CENTRE: usize = 4;

/// What one map of 21 × 21 codes shows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MapNumbers {
    /// Ranges of both axes.
    pub ranges: [[f64; 2]; 2],
    /// What the classifier sees.
    pub classes: Measurement<ClassMap>,
    /// Change between neighbouring tiles, Euclidean.
    pub whole: NeighbourChange,
    /// The same in the 4 × 4 tiles of the centre.
    pub centre: NeighbourChange,
    /// How different those tiles are, all with all, Euclidean.
    pub differences: PatchDifference,
    /// Mean change of each tile to its neighbours.
    pub field: Vec<f64>,
    /// Share of the test images' variance that the nearest tile explains.
    pub explained: f64,
    /// Mean Euclidean distance of two random test images: the unit in which
    /// changes are told.
    pub typical_distance: f64,
    /// The same of two test images of one class: farther apart are images of
    /// different kinds.
    pub within_class: Measurement<f64>,
    /// Share of the test codes that lie in the ranges.
    pub codes_inside: f64,
}

impl MapNumbers {
    /// Mean change between neighbours, in units of the typical distance.
    pub(crate) fn mean_change(&self) -> f64 {
        self.whole.mean_distance / self.typical_distance
    }

    /// Largest change in the centre, in the same unit.
    pub(crate) fn largest_centre_change(&self) -> f64 {
        self.centre.largest_distance / self.typical_distance
    }

    /// Mean change in the centre, in the same unit.
    pub(crate) fn centre_change(&self) -> f64 {
        self.centre.mean_distance / self.typical_distance
    }

    /// Largest change between neighbours, in the same unit.
    pub(crate) fn largest_change(&self) -> f64 {
        self.whole.largest_distance / self.typical_distance
    }

    /// Largest over mean change: 1 for perfectly even transitions.
    pub(crate) fn unevenness(&self) -> f64 {
        self.whole.largest_distance / self.whole.mean_distance
    }

    /// Difference of the corners of the centre, bottom left to top right, over the
    /// typical distance of two images of one class.
    pub(crate) fn corners_in_classes(&self) -> Result<f64, Error> {
        Ok(self.differences.corners / self.within_class.get()?)
    }

    /// The largest difference of two tiles of the centre, in the same unit.
    pub(crate) fn centre_in_classes(&self) -> Result<f64, Error> {
        Ok(self.differences.largest / self.within_class.get()?)
    }

    /// Kinds of object; an error where there is no classifier.
    pub(crate) fn kinds(&self) -> Result<f64, Error> {
        Ok(self.classes.get()?.kinds as f64)
    }
}

/// The numbers of the exercise's own map, −4 … 4.
pub(crate) fn on_the_map(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<MapNumbers, Error> {
    in_plane(run)?;
    drawing.measure(
        run,
        "lab-map",
        "3: 21 × 21 over −4 … 4, minimum share 0.01",
        || map_numbers(drawing, run, [[-RANGE, RANGE]; 2]),
    )
}

/// The numbers of a map of as many tiles over the run's own codes.
pub(crate) fn on_own_codes(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<MapNumbers, Error> {
    in_plane(run)?;
    drawing.measure(
        run,
        "lab-own-map",
        "3: 21 × 21 over 99 % of the test codes",
        || {
            let codes = run.codes(&drawing.dataset.test)?.mean;
            map_numbers(drawing, run, code_box(codes.view())?)
        },
    )
}

fn map_numbers(
    drawing: &Drawing<'_>,
    run: &TrainedRun,
    ranges: [[f64; 2]; 2],
) -> Result<MapNumbers, Error> {
    let test = &drawing.dataset.test;
    let map = PlaneMap::stretched(run, STEPS, ranges);
    let shape = map.shape();
    let classes = drawing.classifier().and_then(|classifier| {
        let probabilities = classifier.probabilities(map.images.view())?;
        Ok(class_map(probabilities.view(), shape, MINIMUM_SHARE)?)
    });
    let test_images = test.to_floats();
    let within = drawing.test_labels().and_then(|labels| {
        let found = typical_distance_within(test_images.view(), labels);
        known(found, "no class has two test images")
    });
    let codes = run.codes(test)?.mean;
    let inside = codes
        .outer_iter()
        .filter(|code| {
            (0..2).all(|axis| {
                let value = f64::from(code[axis]);
                (ranges[axis][0]..=ranges[axis][1]).contains(&value)
            })
        })
        .count();
    Ok(MapNumbers {
        ranges,
        classes: Measurement::of(classes)?,
        whole: neighbour_change(map.images.view(), shape)?,
        centre: centre_change(map.images.view(), shape, CENTRE)?,
        differences: centre_difference(map.images.view(), shape, CENTRE)?,
        field: rounded(&change_field(map.images.view(), shape)?, 4),
        explained: explained_variance(test_images.view(), map.images.view()),
        typical_distance: typical_distance(test_images.view()),
        within_class: Measurement::of(within)?,
        codes_inside: inside as f64 / codes.nrows() as f64,
    })
}
