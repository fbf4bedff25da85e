//! Codes in three dimensions, seen from an angle and along each axis, and what
//! is decoded from slices of their space.

use datasets::Dataset;
use evaluation::frechet::FeatureMoments;
use ndarray::{Array2, Axis};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use viz::charts::{Camera, ClassScatter, Scatter3d};
use viz::number::decimal;
use viz::page::Block;
use viz::{Figure, Layer, Panel, Plot, TilePanel};

use super::Picture;
use super::each_run::{for_the_vaes, in_rows, of_each};
use super::map::in_sentences;
use crate::choice::drawn;
use crate::figure_data::rounded;
use crate::plane::{Axes, Subspace};
use crate::plane_map::prior_quantiles;
use crate::tiles::{Layout, nested};
use crate::wording::{capitalised, codes_title, seeds_and_epochs, some_test_images, spelled};
use crate::{Drawing, TrainedRun};

/// More points hide each other.
const MOST_POINTS: usize = 5000;
/// Axes of the three sides.
const SIDES: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 2]];
/// Sides of the cube and of its three views, of one run and of several, canvas
/// units.
const SIDES_OF_ONE: [f64; 2] = [360.0; 2];
const SIDES_OF_MANY: [f64; 2] = [300.0, 200.0];

/// Codes of the test images in three dimensions, and the decoded images of
/// horizontal slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cloud {
    /// The space of more than three latent variables.
    pub axes: Axes<[usize; 3]>,
    /// Degrees about the vertical axis.
    pub azimuth: f64,
    /// Degrees above the horizontal plane.
    pub elevation: f64,
    /// Slices, and images a side of each; 0 for none.
    pub steps: usize,
}

impl Default for Cloud {
    fn default() -> Self {
        let camera = Camera::default();
        Self {
            axes: Axes::Automatic,
            azimuth: camera.azimuth,
            elevation: camera.elevation,
            steps: 5,
        }
    }
}

impl Picture for Cloud {
    const NAME: &'static str = "cloud";
    const TITLE: &'static str = "Three dimensions";
    const ABOUT: &'static str = "codes in three dimensions and decoded images of its slices";

    fn check(&self) -> Result<(), Error> {
        let is_drawable =
            self.azimuth.is_finite() && (-90.0..=90.0).contains(&self.elevation) && self.steps < 16;
        if !is_drawable {
            return Err(Error::Configuration(format!(
                "the figure '{}' from {}° about and {}° above with {} slices cannot be drawn; expected an angle, one from -90 to 90 and at most 15 slices",
                Self::NAME,
                self.azimuth,
                self.elevation,
                self.steps
            )));
        }
        Ok(())
    }

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let (clouds, left_out) = of_each(runs, |run| {
            let cloud = PointCloud::of(drawing.dataset, run, self.axes, MOST_POINTS)?;
            Ok(if run.is_variational() {
                cloud
            } else {
                cloud.about_its_middle()
            })
        })?;
        let shown: Vec<&TrainedRun> = clouds.iter().map(|&(run, _)| run).collect();
        let spaces: Vec<(String, String)> = clouds
            .iter()
            .map(|(run, cloud)| (run.title(), cloud.space.words_of_projection().to_owned()))
            .collect();
        let mut blocks = Vec::new();
        let (figure, data) = self.codes(drawing.dataset, &clouds, &spaces, &left_out)?;
        blocks.extend(drawing.chart(file, figure, &shown, data)?);
        if self.steps > 0 {
            let (figure, data) = self.slices(drawing.dataset, &clouds, &left_out)?;
            blocks.extend(drawing.chart(&format!("{file}-slices"), figure, &shown, data)?);
        }
        Ok(blocks)
    }
}

impl Cloud {
    fn codes(
        &self,
        dataset: &Dataset,
        clouds: &[(&TrainedRun, PointCloud)],
        spaces: &[(String, String)],
        left_out: &str,
    ) -> Result<(Figure, Value), Error> {
        let camera = Camera {
            azimuth: self.azimuth,
            elevation: self.elevation,
        };
        let names = &dataset.class_names;
        let [cube, side] = if clouds.len() == 1 {
            SIDES_OF_ONE
        } else {
            SIDES_OF_MANY
        };
        let mut legend = Vec::new();
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        let mut data = Vec::new();
        for (run, cloud) in clouds {
            let mut plot = cloud.seen_by(camera, names)?.with_size([cube; 2]);
            legend = std::mem::take(&mut plot.legend);
            let mut row = vec![Panel::from(plot)];
            for mut plot in cloud.sides(side, names)? {
                // The name stands above the first panel of the row.
                plot.title.clear();
                plot.legend.clear();
                row.push(plot.into());
            }
            rows.push(row);
            let mut numbers = cloud.data(run);
            if !cloud.space.words.is_empty() {
                numbers["space"] = cloud.space.words_of_projection().into();
            }
            data.push(numbers);
        }
        let shown: Vec<&TrainedRun> = clouds.iter().map(|&(run, _)| run).collect();
        let posteriors = match for_the_vaes(&shown) {
            Some(vaes) => format!(
                "; {vaes} the posterior means, from the sides with the prior's circles of one and \
                 two standard deviations"
            ),
            None => String::new(),
        };
        let drawn = clouds.first().map_or(0, |(_, cloud)| cloud.points.len());
        let of_all = some_test_images(dataset, drawn);
        let caption = format!(
            "Codes of {of_all} in a cube, where far points are paler, and along each of its \
             axes{posteriors}. {}.{}{left_out}",
            capitalised(&seeds_and_epochs(&shown)),
            in_sentences(spaces),
        );
        let rows = if rows.len() == 1 {
            in_rows(rows.remove(0))
        } else {
            rows
        };
        let figure = Figure {
            title: format!("{} in three dimensions", codes_title(dataset)),
            caption,
            legend,
            ..Figure::grid(rows)
        };
        Ok((figure, json!({"split": "test", "models": data})))
    }

    fn slices(
        &self,
        dataset: &Dataset,
        clouds: &[(&TrainedRun, PointCloud)],
        left_out: &str,
    ) -> Result<(Figure, Value), Error> {
        let quantiles = prior_quantiles(self.steps);
        let mut rows = Vec::new();
        let mut data = Vec::new();
        let mut spaces = Vec::new();
        let mut is_fitted = Vec::new();
        for (run, cloud) in clouds {
            let along: [Vec<f64>; 3] = if run.is_variational() {
                std::array::from_fn(|_| quantiles.clone())
            } else {
                cloud.normal_quantiles(&quantiles)?
            };
            is_fitted.push(!run.is_variational());
            let points: Vec<[f64; 3]> = along[2]
                .iter()
                .flat_map(|&height| slice([&along[0], &along[1]], height))
                .collect();
            let codes = cloud.space.embed(&points);
            let mut tiles = blocks_of(run, &codes, self.steps)?;
            let name = &cloud.space.labels[2];
            let head = |&height: &f64| format!("{name} = {}", decimal(height, 2));
            tiles.column_heads = along[2].iter().map(head).collect();
            rows.push(vec![Panel::from(tiles)]);
            data.push(json!({
                "model": run.key,
                "coordinates": along.map(|axis| axis.into_iter().map(rounded).collect::<Vec<_>>()),
            }));
            spaces.push((run.title(), cloud.space.words.clone()));
        }
        let shown: Vec<&TrainedRun> = clouds.iter().map(|&(run, _)| run).collect();
        let parts = spelled(self.steps);
        let prior = format!("the middles of {parts} equally probable parts of N(0, 1)");
        let own = format!(
            "of the normal distribution with the mean and variance of the codes of {}",
            some_test_images(
                dataset,
                clouds.first().map_or(0, |(_, cloud)| cloud.points.len())
            )
        );
        let which = match (is_fitted.contains(&false), is_fitted.contains(&true)) {
            (true, false) => prior,
            (true, true) => format!("{prior}; of an autoencoder, {own}"),
            (false, _) => format!("the middles of {parts} equally probable parts {own}"),
        };
        let caption = format!(
            "Mean images of {parts} slices of the space, one for each value of its third axis; in \
             a slice the first axis goes to the right and the second upwards. Coordinates along \
             each axis are {which}. {}.{}{left_out}",
            capitalised(&seeds_and_epochs(&shown)),
            in_sentences(&spaces),
        );
        let figure = Figure {
            title: "Slices of three dimensions".into(),
            caption,
            ..Figure::grid(rows)
        };
        let order = "slices by the third axis, each row-major from the top left over the first \
                     (right) and the second (up)";
        Ok((figure, json!({"order": order, "models": data})))
    }
}

/// Some of a run's codes in a cube.
#[derive(Clone, Debug)]
pub struct PointCloud {
    /// Which of the test images they are of, ascending.
    pub rows: Vec<usize>,
    /// Where in latent space.
    pub space: Subspace<3>,
    /// Their coordinates.
    pub points: Vec<[f64; 3]>,
    /// Their classes, where there are labels.
    pub labels: Option<Vec<u32>>,
    title: String,
    ranges: [[f64; 2]; 3],
    has_prior: bool,
}

impl PointCloud {
    /// At most so many of the test codes, a random sample in which every class has its
    /// share, in a cube about the origin.
    ///
    /// # Errors
    /// [`Error::Undefined`] with fewer than three latent variables.
    pub fn of(
        dataset: &Dataset,
        run: &TrainedRun,
        axes: Axes<[usize; 3]>,
        most: usize,
    ) -> Result<Self, Error> {
        let codes = run.codes(&dataset.test)?;
        let rows = drawn(&dataset.test, most);
        let space = Subspace::of(&codes, axes)?;
        let points: Vec<[f64; 3]> = space
            .project(codes.mean.select(Axis(0), &rows).view())
            .into_iter()
            .map(|point| point.map(rounded))
            .collect();
        let reach = points
            .iter()
            .flatten()
            .fold(0.0f64, |reach, z| reach.max(z.abs()));
        let labels = dataset.test.labels();
        Ok(Self {
            space,
            labels: labels.map(|labels| rows.iter().map(|&row| labels[row]).collect()),
            ranges: [cube_side(0.0, reach); 3],
            points,
            rows,
            title: run.title(),
            has_prior: run.is_variational(),
        })
    }

    /// The same codes in the cube about the middle of their extent.
    #[must_use]
    pub fn about_its_middle(self) -> Self {
        let extents: [[f64; 2]; 3] = std::array::from_fn(|axis| {
            let coordinates = self.points.iter().map(|point| point[axis]);
            coordinates.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], z| {
                [low.min(z), high.max(z)]
            })
        });
        let half = extents
            .iter()
            .fold(0.0f64, |half, [low, high]| half.max((high - low) / 2.0));
        let ranges = extents.map(|[low, high]| cube_side((low + high) / 2.0, half));
        Self { ranges, ..self }
    }

    /// The cube seen by a camera.
    ///
    /// # Errors
    /// Those of the chart.
    pub fn seen_by(&self, camera: Camera, class_names: &[String]) -> Result<Plot, Error> {
        Ok(Scatter3d {
            title: &self.title,
            points: &self.points,
            classes: self.labels.as_deref().into(),
            class_names,
            labels: std::array::from_fn(|axis| self.space.labels[axis].as_str()),
            ranges: Some(self.ranges),
            camera,
            ..Scatter3d::default()
        }
        .plot()?)
    }

    /// The codes along each axis, in squares of `side` canvas units.
    ///
    /// # Errors
    /// Those of the chart.
    pub fn sides(&self, side: f64, class_names: &[String]) -> Result<Vec<Plot>, Error> {
        let prior_mean = self.space.prior_mean();
        let mut plots = Vec::new();
        for axes in SIDES {
            let flat: Vec<[f64; 2]> = self
                .points
                .iter()
                .map(|point| axes.map(|axis| point[axis]))
                .collect();
            let mut plot = ClassScatter {
                title: &self.title,
                points: &flat,
                classes: self.labels.as_deref().into(),
                class_names,
                labels: axes.map(|axis| self.space.labels[axis].as_str()),
                ranges: Some(axes.map(|axis| self.ranges[axis])),
                prior: self.has_prior,
                radius: 1.5,
                ..ClassScatter::default()
            }
            .plot()?
            .with_size([side; 2]);
            for layer in &mut plot.layers {
                if let Layer::Ellipses(prior) = layer {
                    for circle in &mut prior.ellipses {
                        circle.centre = axes.map(|axis| prior_mean[axis]);
                    }
                }
            }
            plots.push(plot);
        }
        Ok(plots)
    }

    /// What its figures draw.
    #[must_use]
    pub fn data(&self, run: &TrainedRun) -> Value {
        json!({"model": run.key, "index": self.rows, "labels": self.labels, "codes": self.points})
    }

    /// Quantiles of N(0, 1) as those of the normal distribution along each axis.
    fn normal_quantiles(&self, standard: &[f64]) -> Result<[Vec<f64>; 3], Error> {
        let points = Array2::from_shape_fn((self.points.len(), 3), |(row, axis)| {
            self.points[row][axis] as f32
        });
        let moments = FeatureMoments::new(points.view())?;
        Ok(std::array::from_fn(|axis| {
            let deviation = moments.covariance[[axis, axis]].sqrt();
            standard
                .iter()
                .map(|quantile| moments.mean[axis] + deviation * quantile)
                .collect()
        }))
    }
}

/// The points of a horizontal slice, row-major from the top left.
#[must_use]
pub fn slice(along: [&[f64]; 2], height: f64) -> Vec<[f64; 3]> {
    viz::lattice_of(along[0], along[1])
        .into_iter()
        .map(|[first, second]| [first, second, height])
        .collect()
}

/// A margin of 2 % about `middle`; a side of one unit where there is no extent.
fn cube_side(middle: f64, half: f64) -> [f64; 2] {
    let half = if half > 0.0 { 1.02 * half } else { 1.0 };
    [middle - half, middle + half]
}

/// Decoded codes in blocks of `steps` × `steps`, side by side.
fn blocks_of(run: &TrainedRun, codes: &Array2<f32>, steps: usize) -> Result<TilePanel, Error> {
    let inner = Layout {
        pixel: 1.0,
        ..Layout::map(steps, steps)
    };
    let outer = Layout {
        rows: 1,
        columns: steps,
        gutter: 8,
        background: 255,
        ..inner
    };
    let images = run.decoded(codes.view());
    let (image, grid, pixel) = nested(run.shape, images.view(), inner, outer)?;
    Ok(TilePanel {
        title: run.title(),
        image,
        grid,
        row_heads: Vec::new(),
        column_heads: Vec::new(),
        pixel,
    })
}

#[cfg(test)]
mod tests {
    use models::Codes;
    use ndarray::array;

    use super::*;

    fn cloud(points: Vec<[f64; 3]>) -> PointCloud {
        let codes = Codes {
            mean: array![[0.0_f32, 0.0, 0.0]],
            log_variance: None,
        };
        PointCloud {
            rows: (0..points.len()).collect(),
            space: Subspace::of(&codes, Axes::Automatic).unwrap(),
            points,
            labels: None,
            title: String::new(),
            ranges: [cube_side(0.0, 1.0); 3],
            has_prior: false,
        }
    }

    #[test]
    fn a_slice_is_read_like_a_map() {
        let axis = prior_quantiles(5);
        assert!(axis[2].abs() < 1e-12 && (axis[0] + axis[4]).abs() < 1e-12);
        let points = slice([&axis, &axis], axis[4]);
        assert_eq!(points.len(), 25);
        assert_eq!(points[0], [axis[0], axis[4], axis[4]]);
        assert_eq!(points[24], [axis[4], axis[0], axis[4]]);
    }

    #[test]
    fn the_cube_about_the_middle_holds_the_codes() {
        let cloud = cloud(vec![[10.0, 0.0, -5.0], [14.0, 1.0, -5.0]]).about_its_middle();
        for (range, middle) in cloud.ranges.iter().zip([12.0, 0.5, -5.0]) {
            assert!((range[0] + range[1] - 2.0 * middle).abs() < 1e-12);
            assert!((range[1] - range[0] - 4.08).abs() < 1e-12);
        }
        // A single code has some cube.
        let point = self::cloud(vec![[3.0; 3]]).about_its_middle();
        assert_eq!(point.ranges, [[2.0, 4.0]; 3]);
        assert!(point.seen_by(Camera::default(), &[]).is_ok());
    }

    #[test]
    fn quantiles_are_those_of_the_codes() {
        let cloud = cloud(vec![[1.0, 5.0, 0.0], [3.0, 5.0, 0.0], [5.0, 5.0, 3.0]]);
        let [first, second, third] = cloud.normal_quantiles(&[-1.0, 0.0, 1.0]).unwrap();
        assert!((first[1] - 3.0).abs() < 1e-12 && (first[2] - 5.0).abs() < 1e-12);
        assert_eq!(second, [5.0; 3]);
        assert!((third[2] - third[0] - 2.0 * 3f64.sqrt()).abs() < 1e-12);
    }
}
