//! Where decoded images change fast: between tiles, and infinitesimally.

use std::collections::BTreeMap;

use evaluation::map::change_field;
use evaluation::stretch::ImageMetric;
use models::Codes;
use ndarray::{ArrayView2, Axis};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::DensityMap;
use viz::page::Block;
use viz::{Aspect, Field, Figure, lattice_of, linspace};

use super::Picture;
use super::each_run::{
    beside_each_other, of_each, one_below_the_other, panel_side, with_one_bar_a_row,
};
use super::map::{Over, check_lattice, in_sentences};
use crate::choice::in_random_order;
use crate::plane::{Axes, Plane};
use crate::plane_map::{PlaneMap, rounded};
use crate::trained_run::values;
use crate::wording::{capitalised, seeds_and_epochs};
use crate::{Drawing, TrainedRun};

/// Areas that a decoder shrinks to less are all drawn as this.
const LEAST_STRETCH: f64 = 1e-12;

/// Change between neighbouring tiles of a map, and the stretch of area by the
/// decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Which codes; not the prior's quantiles, whose steps differ.
    pub over: Over,
    /// Tiles per side.
    pub steps: usize,
    /// Codes per side whose stretch is taken.
    pub stretch_steps: usize,
    /// Half the side of the square.
    pub range: f64,
    /// The plane of more than two latent variables.
    pub axes: Axes,
}

impl Default for Change {
    fn default() -> Self {
        Self {
            over: Over::Codes,
            steps: 21,
            stretch_steps: 41,
            range: 4.0,
            axes: Axes::Automatic,
        }
    }
}

/// Change and stretch over one plane.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeFields {
    /// Mean distance of each tile to its neighbours, per cent of the mean
    /// distance of two images.
    pub change: Field,
    /// log₁₀ of √det JᵀJ with the Jacobian J of the mean images.
    pub log10_stretch: Field,
    /// Names of both axes.
    pub labels: [String; 2],
}

impl ChangeFields {
    /// The figure of several runs, still without a caption, in panels with sides
    /// of at most `side` canvas units; colours mean the same in each row.
    #[must_use]
    pub fn figure(fields: &[(&TrainedRun, Self)], side: f64) -> Figure {
        let changes = fields.iter().map(|(_, fields)| fields.change.limits()[1]);
        let top = changes.fold(0.0, f64::max);
        let stretches = fields
            .iter()
            .map(|(_, fields)| fields.log10_stretch.limits());
        let stretch_limits = stretches.fold([f64::INFINITY, f64::NEG_INFINITY], |all, own| {
            [all[0].min(own[0]), all[1].max(own[1])]
        });
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for (run, fields) in fields {
            let labels = [fields.labels[0].as_str(), fields.labels[1].as_str()];
            let change = DensityMap {
                title: &run.title(),
                labels,
                value_label: "change to the neighbours, %",
                limits: Some([0.0, top]),
                contours: 0,
                smooth: false,
                ..DensityMap::new(&fields.change)
            };
            let stretch = DensityMap {
                labels,
                value_label: "log₁₀ of the stretch of area",
                limits: Some(stretch_limits),
                contours: 0,
                ..DensityMap::new(&fields.log10_stretch)
            };
            above.push(change.plot());
            below.push(stretch.plot());
        }
        for plot in above.iter_mut().chain(&mut below) {
            plot.size = [side; 2];
            // Codes with a collapsed variable would be a sliver at equal units.
            plot.aspect = Aspect::Free;
        }
        let (above, below) = (
            with_one_bar_a_row(above, fields.len()),
            with_one_bar_a_row(below, fields.len()),
        );
        Figure {
            title: Change::TITLE.into(),
            ..Figure::grid(one_below_the_other(above, below))
        }
    }

    /// The numbers of one run.
    #[must_use]
    pub fn data(&self, run: &TrainedRun) -> Value {
        json!({
            "model": run.key,
            "change_percent": rounded(&self.change.values, 3),
            "log10_stretch": self.log10_stretch.values,
        })
    }
}

/// Distances as per cent of the typical one; of images without any distance no
/// change is a share.
#[must_use]
pub fn in_percent(distances: &[f64], typical: f64) -> Vec<f64> {
    let percent =
        |distance: &f64| Some(100.0 * distance / typical).filter(|share| share.is_finite());
    distances
        .iter()
        .map(|distance| percent(distance).unwrap_or(f64::NAN))
        .collect()
}

/// Mean Euclidean distance of random pairs of different images; each image is in two
/// pairs. NaN of a single image.
#[must_use]
pub fn typical_distance(images: ArrayView2<'_, f32>) -> f64 {
    let n = images.nrows();
    if n < 2 {
        return f64::NAN;
    }
    // Neighbours in a random order. Rows at a fixed distance in the file are no random
    // pairs where it is ordered: of ten classes one after the other, half of the file
    // apart are never two of one class.
    let order = in_random_order(n, n);
    let sum: f64 = (0..n)
        .map(|i| {
            let (a, b) = (images.row(order[i]), images.row(order[(i + 1) % n]));
            let squares = a
                .iter()
                .zip(b)
                .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
            squares.sum::<f64>().sqrt()
        })
        .sum();
    sum / n as f64
}

/// The same of pairs of images of one class: classes of a single image have none.
/// `None` where no class has two.
#[must_use]
pub fn typical_distance_within(images: ArrayView2<'_, f32>, labels: &[u32]) -> Option<f64> {
    let mut by_class: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, label) in labels.iter().enumerate() {
        by_class.entry(*label).or_default().push(row);
    }
    let mut sums = (0.0, 0);
    for rows in by_class.values().filter(|rows| rows.len() > 1) {
        let of_class = images.select(Axis(0), rows);
        sums.0 += rows.len() as f64 * typical_distance(of_class.view());
        sums.1 += rows.len();
    }
    (sums.1 > 0).then(|| sums.0 / sums.1 as f64)
}

/// log₁₀ of the decoder's stretch of area, √det JᵀJ, on a lattice of a plane.
///
/// # Errors
/// A stretch that is not finite.
pub fn log10_stretch(
    run: &TrainedRun,
    plane: &Plane,
    first: &[f64],
    second: &[f64],
) -> Result<Vec<f64>, Error> {
    let points = lattice_of(first, second);
    let coordinates =
        ndarray::Array2::from_shape_fn((points.len(), 2), |(row, axis)| points[row][axis] as f32);
    let found = plane
        .decoder(&run.model)?
        .stretch(coordinates.view(), ImageMetric::MeanImages)?;
    let logs: Vec<f64> = found
        .iter()
        .map(|at| at.volume.max(LEAST_STRETCH).log10())
        .collect();
    Ok(rounded(&logs, 4))
}

impl Change {
    fn fields(
        &self,
        drawing: &Drawing<'_>,
        run: &TrainedRun,
    ) -> Result<(ChangeFields, Plane), Error> {
        let seen = run.seen(&drawing.dataset.test)?;
        let codes: Codes = run.model.encode(seen.images());
        let plane = Plane::of(&codes, self.axes)?;
        let [first, second] =
            self.over
                .coordinates(&plane, codes.mean.view(), self.steps, self.range)?;
        let ends = [&first, &second].map(|axis| [axis[0], axis[axis.len() - 1]]);
        let map = PlaneMap::on(&plane, run, first, second);
        let typical = typical_distance(run.brightness(values(seen.images())).view());
        let distances = change_field(map.images.view(), map.shape())?;
        let [first, second] = ends.map(|[low, high]| linspace(self.stretch_steps, low, high));
        let stretch = log10_stretch(run, &plane, &first, &second)?;
        let field = |steps, values| Field::new(steps, steps, ends[0], ends[1], values);
        let fields = ChangeFields {
            change: field(self.steps, in_percent(&distances, typical))?,
            log10_stretch: field(self.stretch_steps, stretch)?,
            labels: plane.labels.clone(),
        };
        Ok((fields, plane))
    }
}

impl Picture for Change {
    const NAME: &'static str = "change";
    const TITLE: &'static str = "How fast the images change";
    const ABOUT: &'static str =
        "change between neighbouring tiles, and stretch of area by the decoder";

    fn check(&self) -> Result<(), Error> {
        check_lattice(self.steps, self.range)?;
        check_lattice(self.stretch_steps, self.range)?;
        self.over.check_even_steps(Self::NAME)
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (found, left_out) = of_each(runs, |run| self.fields(drawing, run))?;
        let (mut shown, mut planes, mut data) = (Vec::new(), Vec::new(), Vec::new());
        let mut fields = Vec::new();
        for (run, (own, plane)) in found {
            let mut numbers = own.data(run);
            numbers["ranges"] = json!([own.change.x, own.change.y]);
            numbers["plane"] = plane.words.as_str().into();
            data.push(numbers);
            planes.push((run.title(), plane.words));
            shown.push(run);
            fields.push((run, own));
        }
        let standardised = if shown
            .iter()
            .any(|run| run.model.standardisation().is_some())
        {
            " of standardised values, where a run sees its data so"
        } else {
            ""
        };
        let caption = format!(
            "Change: mean distance between a tile and its neighbours, in per cent of the mean distance \
             between two test {noun}, on {}. Stretch, over the same codes: by how much the decoder \
             enlarges a small area of codes (the root of the determinant of the pulled-back metric \
             of mean {noun}{standardised}), as a power of ten. Colours mean the same in every panel \
             of a kind.{} {}.{left_out}",
            self.over.in_words(self.steps, self.range),
            in_sentences(&planes),
            capitalised(&seeds_and_epochs(&shown)),
            noun = drawing.shape().noun(),
        );
        let mut figure = ChangeFields::figure(&fields, panel_side(fields.len().max(2)));
        if fields.len() == 1 {
            figure.rows = beside_each_other(figure.rows);
        }
        let figure = Figure { caption, ..figure };
        let data = json!({
            "change_steps": self.steps,
            "stretch_steps": self.stretch_steps,
            "order": "row-major from the top left",
            "models": data,
        });
        drawing.chart(file, figure, &shown, data)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn typical_distance_of_two_images_and_of_one() {
        let images = array![[0.0f32, 0.0], [1.0, 1.0]];
        assert!((typical_distance(images.view()) - 2f64.sqrt()).abs() < 1e-12);
        assert!(typical_distance(array![[1.0f32]].view()).is_nan());
    }

    /// Two of n numbers 0, …, n − 1 are (n + 1)/3 apart on average, in whatever order
    /// they lie; at half of the file apart they would be n/2 apart where it is sorted.
    #[test]
    fn the_order_of_images_does_not_change_their_typical_distance() {
        let n = 6000;
        let sorted = ndarray::Array2::from_shape_fn((n, 1), |(row, _)| row as f32);
        let expected = (n + 1) as f64 / 3.0;
        // Of n pairs, each number in two of them: a standard deviation of about
        // n/√18 over √n, a little more for the overlap.
        let error = n as f64 / 18f64.sqrt() / (n as f64).sqrt() * 1.2;
        let found = typical_distance(sorted.view());
        assert!(
            (found - expected).abs() < 4.0 * error,
            "{found} {expected} ± {error}"
        );
        let order = evaluation::subset::in_random_order(n, n, evaluation::subset::numbers(9));
        let shuffled = sorted.select(ndarray::Axis(0), &order);
        let found = typical_distance(shuffled.view());
        assert!(
            (found - expected).abs() < 4.0 * error,
            "{found} {expected} ± {error}"
        );
    }

    #[test]
    fn distances_within_a_class_are_between_its_images() {
        // Class 0 at 0 and 3, class 1 at 10, 11 and 12, class 2 alone.
        let images = array![[0.0f32], [10.0], [3.0], [11.0], [12.0], [100.0]];
        let labels = [0, 1, 0, 1, 1, 2];
        // Two pairs of 3; of three images the pairs 1, 1 and 2.
        let found = typical_distance_within(images.view(), &labels).unwrap();
        assert!((found - (3.0 + 3.0 + 1.0 + 1.0 + 2.0) / 5.0).abs() < 1e-12);
        assert_eq!(
            typical_distance_within(images.view(), &[0, 1, 2, 3, 4, 5]),
            None
        );
    }

    #[test]
    fn no_share_of_no_distance() {
        assert_eq!(in_percent(&[1.0, 3.0], 2.0), [50.0, 150.0]);
        assert!(
            in_percent(&[0.0, 1.0], 0.0)
                .iter()
                .all(|share| share.is_nan())
        );
    }
}
