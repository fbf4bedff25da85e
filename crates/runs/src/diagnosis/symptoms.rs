//! The numbers that faults are seen in.

use evaluation::aggregate_posterior::{Lattice, PriorComparison, aggregate_mass};
use evaluation::codes::variance_of_codes;
use evaluation::elbo::{ACTIVE_VARIANCE, kl_per_dimension, sample_codes, sampled_losses};
use evaluation::explained::explained_by_reconstructions;
use evaluation::mean_image::mean_image;
use evaluation::polarity::{Polarity, polarity};
use evaluation::posterior_scale::{PosteriorScales, posterior_scales};
use evaluation::principal_shares::principal_shares;
use evaluation::silent_units::{SilentUnits, silent_units};
use evaluation::variance_law::variance_law;
use models::{Codes, Model};
use ndarray::{Array2, ArrayView2, s};
use serde::Serialize;

use super::Sample;

/// Rows whose principal directions are looked for: their number's cube is time.
const PRINCIPAL_ROWS: usize = 256;

/// Principal directions that are told.
const PRINCIPAL_DIRECTIONS: usize = 8;

/// KL below which a variable tells nothing, nats: where the variance law holds, the
/// KL is −ln σ, and posteriors are then over nine tenths as wide as the prior.
const LEAST_TOLD: f64 = 0.1;

/// Share of a layer's units that may be silent: random weights make few.
pub(super) const MOST_SILENT: f64 = 0.75;

/// Whether hardly any unit of a layer ever fires.
pub(super) fn is_dead(layer: &SilentUnits) -> bool {
    layer.share() > MOST_SILENT
}

/// q(z)/p(z) below which the prior has a hole, as in `evaluation`.
const HOLE: f64 = 0.1;

/// Counter of the draw of codes, apart from those of epochs.
const DRAW: u64 = 0x6469_6167;

/// What a sample of a run's images shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Symptoms {
    /// Test images in the sample.
    pub test_images: usize,
    /// Loss of the test images' own mean, for them; nats per image.
    pub test_mean_image_loss: f64,
    /// Of the training images.
    pub train: Terms,
    /// Of the test images.
    pub test: Terms,
    /// Share of the test images' variance that reconstructions explain; absent of
    /// images that are all alike.
    pub explained: Option<f64>,
    /// Root mean square of a value's distance from its reconstruction, training
    /// images.
    pub residual: f64,
    /// The test images' losses as they are and inverted.
    pub polarity: Polarity,
    /// Hidden units that no training image moves, layer by layer.
    pub silent_units: Vec<SilentUnits>,
    /// Shares of the training images' variance along their first principal
    /// directions; empty where nothing asked for them.
    pub principal_shares: Vec<f64>,
    /// Of a model with posteriors.
    pub posterior: Option<Posterior>,
}

impl Symptoms {
    /// Share of the images' variance that a projection on so many straight lines
    /// explains at best, as far as principal directions were looked for.
    pub(super) fn linear_share(&self, lines: usize) -> f64 {
        self.principal_shares.iter().take(lines).sum()
    }
}

/// Terms of the loss with one z per image, nats per image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Terms {
    /// −log p(x|z).
    pub reconstruction: f64,
    /// The KL, or what the model has in its place; 0 without any.
    pub kl: f64,
    /// Standard error of the reconstruction at the mean of the code.
    pub standard_error: f64,
}

impl Terms {
    /// Their sum with a weight of the KL.
    #[must_use]
    pub fn loss(&self, beta: f64) -> f64 {
        self.reconstruction + beta * self.kl
    }
}

/// Of the posteriors of the training images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Posterior {
    /// Latent variables whose mean varies between images by more than 0.01.
    pub active_units: usize,
    /// Variance of each mean over images; of two stochastic layers along the mean
    /// of the lower one.
    pub variance_of_mu: Vec<f64>,
    /// KL by latent variable, where it has a closed form.
    pub kl_per_dimension: Option<Vec<f64>>,
    /// Var(μ_j) + E σ_j², 1 under the prior; where there is a σ.
    pub variance_law: Option<Vec<f64>>,
    /// The scale of σ, as it is and as it might be.
    pub scales: Option<PosteriorScales>,
    /// The aggregate posterior beside the prior, in the plane of the two latent
    /// variables with most KL; absent in a brief diagnosis.
    pub aggregate: Option<Aggregate>,
}

impl Posterior {
    /// Latent variables that tell something of the image: active ones with a KL of
    /// over a tenth of a nat, where there is one in closed form.
    pub(super) fn informative(&self) -> usize {
        let tells = |(variable, &variance): (usize, &f64)| {
            let kl = self.kl_per_dimension.as_ref().map(|kl| kl[variable]);
            variance > ACTIVE_VARIANCE && kl.is_none_or(|kl| kl > LEAST_TOLD)
        };
        let variables = self.variance_of_mu.iter().enumerate();
        variables.filter(|&variable| tells(variable)).count()
    }
}

/// The aggregate posterior in a plane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aggregate {
    /// The latent variables, counted from 1; one of a model that has no more.
    pub variables: Vec<usize>,
    /// How it differs from the prior.
    pub comparison: PriorComparison,
}

impl Symptoms {
    /// Measures a sample, whose values are in `range`. `is_whole` is a diagnosis that may take its time: it
    /// looks for holes too, and for principal directions whether or not they are
    /// needed.
    ///
    /// # Errors
    /// Values that are not finite, as of a model that has diverged.
    pub(super) fn of(
        model: &Model,
        sample: &Sample,
        range: [f32; 2],
        seed: u64,
        is_whole: bool,
    ) -> evaluation::Result<Self> {
        let (train, test) = (&sample.train, &sample.test);
        let likelihood = model.spec().likelihood;
        let codes = model.encode(train);
        let terms = |images: &Array2<f32>| terms(model, images, seed);
        let (of_train, of_test) = (terms(train)?, terms(test)?);
        let z = sample_codes(&codes, seed);
        let reconstructions = model.reconstruct(train);
        let squares = train.iter().zip(&reconstructions);
        let squares = squares.map(|(&value, &found)| f64::from(value - found).powi(2));
        let residual = (squares.sum::<f64>() / train.len() as f64).sqrt();
        let posterior = codes
            .log_variance
            .is_some()
            .then(|| Posterior::of(model, train, &codes, seed, is_whole))
            .transpose()?;
        let silent_units = silent_units(model, train, z.view())?;
        let is_suspicious = silent_units.iter().any(is_dead)
            || posterior.as_ref().is_some_and(|posterior| {
                posterior.informative() < posterior.variance_of_mu.len().min(2)
            });
        let shares = (is_whole || is_suspicious).then(|| {
            let rows = train.nrows().min(PRINCIPAL_ROWS);
            principal_shares(train.slice(s![..rows, ..]))
        });
        let mut shares = shares.transpose()?.unwrap_or_default();
        shares.truncate(PRINCIPAL_DIRECTIONS);
        Ok(Self {
            test_images: test.nrows(),
            test_mean_image_loss: mean_image(test, likelihood)?.loss,
            train: of_train,
            test: of_test,
            explained: explained_by_reconstructions(test, model.reconstruct(test).view())?,
            residual,
            polarity: polarity(model, test, range)?,
            silent_units,
            principal_shares: shares,
            posterior,
        })
    }
}

impl Posterior {
    fn of(
        model: &Model,
        images: &Array2<f32>,
        codes: &Codes,
        seed: u64,
        is_whole: bool,
    ) -> evaluation::Result<Self> {
        let means = codes.mean.view();
        let variance_of_mu = variance_of_codes(means);
        let is_gaussian = model.spec().architecture.lower.is_none();
        let log_variances = codes.log_variance.as_ref().filter(|_| is_gaussian);
        let log_variances = log_variances.map(|values| values.view());
        let kl = log_variances.map(|values| kl_per_dimension(means, values));
        let kl = kl.transpose()?;
        let law = log_variances.map(|values| variance_law(means, values));
        let aggregate = match (log_variances, &kl) {
            (Some(values), Some(kl)) if is_whole => aggregate(means, values, kl)?,
            _ => None,
        };
        Ok(Self {
            active_units: variance_of_mu
                .iter()
                .filter(|&&variance| variance > ACTIVE_VARIANCE)
                .count(),
            variance_of_mu,
            kl_per_dimension: kl,
            variance_law: law.transpose()?.map(|law| law.total),
            scales: posterior_scales(model, images, codes, seed)?,
            aggregate,
        })
    }
}

/// The aggregate posterior in the plane of the variables with most KL; of a
/// single variable with another that is as the prior beside it, which leaves
/// every ratio as it is.
fn aggregate(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
    kl: &[f64],
) -> evaluation::Result<Option<Aggregate>> {
    let mut order: Vec<usize> = (0..kl.len()).collect();
    order.sort_by(|&a, &b| kl[b].total_cmp(&kl[a]));
    order.truncate(2);
    order.sort_unstable();
    let plane = |values: ArrayView2<'_, f32>| {
        let mut plane = Array2::zeros((values.nrows(), 2));
        for (column, &variable) in order.iter().enumerate() {
            plane.column_mut(column).assign(&values.column(variable));
        }
        plane
    };
    let (means, log_variances) = (plane(means), plane(log_variances));
    let mass = match aggregate_mass(means.view(), log_variances.view(), Lattice::STANDARD) {
        Ok(mass) => mass,
        // Posteriors that are points to a lattice: there is nothing to compare.
        Err(evaluation::EvaluationError::Diverged(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Aggregate {
        variables: order.iter().map(|variable| variable + 1).collect(),
        comparison: mass.against_prior(HOLE),
    }))
}

fn terms(model: &Model, images: &Array2<f32>, seed: u64) -> evaluation::Result<Terms> {
    let (reconstruction, kl) = sampled_losses(model, images, seed, DRAW)?;
    let losses = model.losses_at_mean(images);
    let n = losses.len() as f64;
    let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / n;
    let squares = losses.iter().map(|&loss| (f64::from(loss) - mean).powi(2));
    let standard_error = (squares.sum::<f64>() / (n * (n - 1.0).max(1.0))).sqrt();
    if !(reconstruction + kl + standard_error).is_finite() {
        return Err(evaluation::EvaluationError::Diverged(format!(
            "the loss of the last weights is {}, expected a finite number; the run has diverged",
            reconstruction + kl
        )));
    }
    Ok(Terms {
        reconstruction,
        kl,
        standard_error,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Of three variables the two with most KL make the plane; the one that is
    /// far from the prior leaves a hole there.
    #[test]
    fn the_plane_is_that_of_the_variables_with_most_kl() {
        let n = 400;
        let means = Array2::from_shape_fn((n, 3), |(i, j)| match j {
            0 => 0.0,
            1 => 3.0 + 0.01 * (i % 7) as f32,
            _ => 0.5 * ((i % 5) as f32 - 2.0),
        });
        let log_variances = Array2::from_elem((n, 3), -4.0);
        let found = aggregate(means.view(), log_variances.view(), &[0.0, 5.0, 1.0]);
        let found = found.expect("finite").expect("wide enough");
        assert_eq!(found.variables, [2, 3]);
        assert!(found.comparison.hole_mass > 0.9, "{found:?}");
        let one = aggregate(
            means.slice(s![.., 1..2]),
            log_variances.slice(s![.., 1..2]),
            &[5.0],
        );
        let one = one.expect("finite").expect("wide enough");
        assert_eq!(one.variables, [2 - 1]);
        assert!(one.comparison.hole_mass > 0.9);
        // A point has no density.
        let points = array![[-90.0_f32, -90.0]];
        let origin = array![[0.0_f32, 0.0]];
        let none = aggregate(origin.view(), points.view(), &[1.0, 1.0]);
        assert_eq!(none.expect("no error"), None);
    }

    #[test]
    fn a_variable_that_tells_a_tenth_of_a_nat_is_informative() {
        let posterior = |variance_of_mu: &[f64], kl: Option<&[f64]>| Posterior {
            active_units: 0,
            variance_of_mu: variance_of_mu.to_vec(),
            kl_per_dimension: kl.map(<[f64]>::to_vec),
            variance_law: None,
            scales: None,
            aggregate: None,
        };
        let count = |variances: &[f64], kl| posterior(variances, kl).informative();
        assert_eq!(count(&[1.3, 0.067, 0.005], None), 2);
        assert_eq!(count(&[1.3, 0.067, 0.005], Some(&[2.5, 0.065, 0.2])), 1);
    }
}
