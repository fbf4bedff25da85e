//! Posteriors q(z|x) of the test images over two latent variables.

use std::collections::BTreeSet;

use evaluation::aggregate_posterior::{AggregateMass, Lattice, PriorComparison, aggregate_mass};
use ndarray::{Array2, ArrayView2, Axis};
use runs::Error;
use serde::{Deserialize, Serialize};
use viz::Field;

use crate::plane::{Axes, Plane};
use crate::plane_map::{code_box_of, points, rounded};
use crate::{Drawing, TrainedRun};

/// χ² quantile of two degrees of freedom at 95 %.
const CHI_SQUARE_95: f64 = 5.991_464_547_107_98;
/// q(z)/p(z) below which the prior has a hole.
const HOLE: f64 = 0.1;
/// The prior has all but 0.01 % of its mass this near to the origin on both
/// axes: what a picture of q(z) shows at least.
const PRIOR_REACH: f64 = 4.0;

/// Half the side of a square about the origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HalfWidth {
    /// So that it holds the prior and 99 % of the codes on each axis.
    #[default]
    Automatic,
    /// This.
    #[serde(untagged)]
    Of(f64),
}

/// Posteriors of a model's test images.
#[derive(Clone, Debug)]
pub struct Posteriors {
    /// Their means.
    pub means: Vec<[f64; 2]>,
    /// Their standard deviations along both axes.
    pub deviations: Vec<[f64; 2]>,
    /// Which two latent variables.
    pub plane: Plane,
    log_variances: Array2<f32>,
}

/// q(z) on a lattice, cells row-major from the top left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Aggregate {
    /// Its density.
    pub density: Vec<f64>,
    /// log₁₀ q(z)/p(z), beyond ±20 that.
    pub log10_ratio: Vec<f64>,
}

impl Posteriors {
    /// Those of the test images of a run.
    ///
    /// # Errors
    /// [`Error::Undefined`] for an autoencoder, for fewer than two latent
    /// variables, and for a plane whose axes are no latent variables: over it
    /// posteriors have no standard deviations of their own.
    pub fn of(drawing: &Drawing<'_>, run: &TrainedRun, axes: Axes) -> Result<Self, Error> {
        let codes = run.codes(&drawing.dataset.test)?;
        let log_variance = run.log_variances(&codes)?;
        let plane = Plane::of(&codes, axes)?;
        let Some(variables) = plane.variables() else {
            return Err(Error::Undefined(
                "posteriors are shown over two latent variables, not over principal directions"
                    .into(),
            ));
        };
        let log_variances = log_variance.select(Axis(1), &variables);
        let deviations = log_variances.mapv(|value| (0.5 * value).exp());
        Ok(Self {
            means: plane.project(codes.mean.view()),
            deviations: points(ArrayView2::from(&deviations)),
            plane,
            log_variances,
        })
    }

    /// ln q(z|x) of image `index`.
    fn ln_density(&self, index: usize, z: [f64; 2]) -> f64 {
        let (mean, deviation) = (self.means[index], self.deviations[index]);
        -(0..2)
            .map(|axis| {
                let standardised = (z[axis] - mean[axis]) / deviation[axis];
                0.5 * standardised * standardised + deviation[axis].ln()
            })
            .sum::<f64>()
            - std::f64::consts::TAU.ln()
    }

    /// Images whose 95 % ellipse holds the origin.
    #[must_use]
    pub fn covering_origin(&self) -> Vec<usize> {
        (0..self.means.len())
            .filter(|&index| {
                let squares = (0..2)
                    .map(|axis| (self.means[index][axis] / self.deviations[index][axis]).powi(2));
                squares.sum::<f64>() <= CHI_SQUARE_95
            })
            .collect()
    }

    /// Of `among`, the image of each of `count` different classes (without
    /// labels, any images) whose posterior is densest at the origin, densest
    /// first.
    #[must_use]
    pub fn densest_at_origin(
        &self,
        among: impl IntoIterator<Item = usize>,
        labels: Option<&[u32]>,
        count: usize,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = among.into_iter().collect();
        order.sort_by(|&a, &b| {
            self.ln_density(b, [0.0; 2])
                .total_cmp(&self.ln_density(a, [0.0; 2]))
                .then(a.cmp(&b))
        });
        let mut seen = BTreeSet::new();
        order
            .into_iter()
            .filter(|&index| labels.is_none_or(|labels| seen.insert(labels[index])))
            .take(count)
            .collect()
    }

    /// Half the side of a square about the origin that shows three standard
    /// deviations of some posteriors, in tenths.
    #[must_use]
    pub fn reach(&self, images: &[usize]) -> f64 {
        let reaches = images.iter().flat_map(|&image| {
            let (mean, deviation) = (self.means[image], self.deviations[image]);
            [0, 1].map(|axis| mean[axis].abs() + 3.0 * deviation[axis])
        });
        (10.0 * reaches.fold(0.1, f64::max)).ceil() / 10.0
    }

    /// The mean density of some posteriors over a square about the origin.
    #[must_use]
    pub fn mixture(&self, images: &[usize], half_width: f64, steps: usize) -> Field {
        let range = [-half_width, half_width];
        Field::sample(steps, steps, range, range, |z| {
            images
                .iter()
                .map(|&image| self.ln_density(image, z).exp())
                .sum::<f64>()
                / images.len() as f64
        })
    }

    /// Half the side of the square that a picture of these shows.
    ///
    /// # Errors
    /// A width that cannot be drawn, or codes without any extent.
    pub fn half_width(&self, asked: HalfWidth) -> Result<f64, Error> {
        match asked {
            HalfWidth::Of(half) if half.is_finite() && half > 0.0 => Ok(half),
            HalfWidth::Of(half) => Err(Error::Configuration(format!(
                "a square of ±{half} cannot be drawn; expected a range above 0"
            ))),
            HalfWidth::Automatic => {
                let ends = code_box_of(&self.means)?;
                let farthest = ends.iter().flatten().map(|end| end.abs());
                Ok(farthest.fold(PRIOR_REACH, f64::max).ceil())
            }
        }
    }

    /// q(z) of a run's test images on a lattice, measured once for every epoch of
    /// the run.
    ///
    /// # Errors
    /// Posteriors that [`aggregate_mass`] cannot take, or a file that cannot be
    /// written.
    pub fn aggregate(
        &self,
        drawing: &Drawing<'_>,
        run: &TrainedRun,
        lattice: Lattice,
    ) -> Result<Aggregate, Error> {
        let name = format!("aggregate-posterior-{}", lattice.half_width);
        let version = format!("1: {} cells, {}", lattice.cells, self.version(run));
        drawing.measure(run, &name, &version, || {
            let mass = self.mass(lattice)?;
            let ratio = mass.ln_ratio_to_prior() / std::f64::consts::LN_10;
            let ratio = ratio.mapv(|ratio| ratio.clamp(-20.0, 20.0));
            Ok(Aggregate {
                density: rounded(&from_the_top_left(&mass.density()), 5),
                log10_ratio: rounded(&from_the_top_left(&ratio), 3),
            })
        })
    }

    /// q(z) of a run's test images held against the prior on the standard
    /// lattice, measured once for every epoch of the run.
    ///
    /// # Errors
    /// Those of [`Self::aggregate`].
    pub fn against_prior(
        &self,
        drawing: &Drawing<'_>,
        run: &TrainedRun,
    ) -> Result<PriorComparison, Error> {
        let version = format!("1: {}", self.version(run));
        drawing.measure(run, "aggregate-against-prior", &version, || {
            Ok(self.mass(Lattice::STANDARD)?.against_prior(HOLE))
        })
    }

    fn version(&self, run: &TrainedRun) -> String {
        format!(
            "{} test posteriors over {}, epoch {}",
            self.means.len(),
            self.plane.labels.join(" and "),
            run.metrics.len()
        )
    }

    fn mass(&self, lattice: Lattice) -> Result<AggregateMass, Error> {
        let means = Array2::from_shape_fn((self.means.len(), 2), |(row, axis)| {
            self.means[row][axis] as f32
        });
        Ok(aggregate_mass(
            means.view(),
            self.log_variances.view(),
            lattice,
        )?)
    }
}

/// Cells of a lattice, whose rows ascend, as they are drawn.
#[must_use]
pub fn from_the_top_left(cells: &Array2<f64>) -> Vec<f64> {
    let rows = cells.outer_iter().rev();
    rows.flat_map(|row| row.to_vec()).collect()
}

/// Values at the centres of a lattice's cells, which lie half a cell inside of
/// its edge.
///
/// # Errors
/// Values that are not one for each cell.
pub fn lattice_field(lattice: Lattice, values: Vec<f64>) -> Result<Field, Error> {
    let edge = lattice.half_width * (1.0 - 1.0 / lattice.cells as f64);
    let range = [-edge, edge];
    Ok(Field::new(
        lattice.cells,
        lattice.cells,
        range,
        range,
        values,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Posteriors {
        let deviations = vec![[1.0, 1.0], [0.1, 0.1], [0.5, 0.5], [0.1, 0.1]];
        Posteriors {
            means: vec![[0.0, 0.0], [0.2, 0.0], [3.0, 1.0], [0.1, 0.0]],
            log_variances: Array2::from_shape_fn((4, 2), |(row, axis)| {
                2.0 * (deviations[row] as [f64; 2])[axis].ln() as f32
            }),
            deviations,
            plane: Plane::whole(),
        }
    }

    #[test]
    fn the_origin_is_in_the_ellipses_of_near_or_wide_posteriors() {
        assert_eq!(three().covering_origin(), [0, 1, 3]);
    }

    #[test]
    fn the_densest_are_of_different_classes() {
        // Image 3 is denser at the origin than 1, of the same class.
        assert_eq!(
            three().densest_at_origin(0..4, Some(&[0, 1, 2, 1]), 2),
            [3, 0]
        );
        assert_eq!(three().densest_at_origin([1, 3, 2], None, 2), [3, 1]);
        assert!((three().reach(&[1, 3]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_mixture_of_a_standard_normal_has_its_peak() {
        let field = three().mixture(&[0], 1.0, 3);
        assert!((field.value(1, 1) - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
    }

    #[test]
    fn a_lattice_holds_the_mixture_at_the_centres_of_its_cells() {
        let lattice = Lattice {
            half_width: 4.0,
            cells: 161,
        };
        let posteriors = three();
        let density = posteriors.mass(lattice).unwrap().density();
        let field = lattice_field(lattice, from_the_top_left(&density)).unwrap();
        let mixture = posteriors.mixture(&[0, 1, 2, 3], field.x[1], 161);
        for (index, (found, expected)) in field.values.iter().zip(&mixture.values).enumerate() {
            // A cell's mean of the narrow posteriors differs from their centre's.
            assert!(
                (found - expected).abs() < 0.03 * mixture.limits()[1],
                "{index}"
            );
        }
        // The posterior at (3, 1) is on the right and above the middle.
        assert!(field.value(140, 60) > 10.0 * field.value(140, 100));
        assert!(field.value(140, 60) > 10.0 * field.value(20, 60));
    }

    #[test]
    fn a_square_holds_the_prior_and_the_codes() {
        let mut posteriors = three();
        assert_eq!(posteriors.half_width(HalfWidth::Automatic).unwrap(), 4.0);
        posteriors.means = (0..400).map(|i| [f64::from(i) / 40.0, 0.0]).collect();
        assert_eq!(posteriors.half_width(HalfWidth::Automatic).unwrap(), 10.0);
        assert_eq!(posteriors.half_width(HalfWidth::Of(2.5)).unwrap(), 2.5);
        for wrong in [0.0, -1.0, f64::NAN] {
            assert!(posteriors.half_width(HalfWidth::Of(wrong)).is_err());
        }
        let read = |text: &str| serde_json::from_str::<HalfWidth>(text).unwrap();
        assert_eq!(read("\"automatic\""), HalfWidth::Automatic);
        assert_eq!(read("3.5"), HalfWidth::Of(3.5));
    }
}
