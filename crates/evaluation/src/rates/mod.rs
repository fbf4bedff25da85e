//! What the KL term is made of: information about the image, correlation
//! between dimensions, and distance of each dimension from the prior.

pub(crate) mod joint;
pub(crate) mod marginals;

use models::Codes;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE_OF_DENSITIES;
use crate::blocks::blocks;
use crate::elbo::{kl_per_dimension, sample_codes_of};
use crate::error::{EvaluationError, Result, require_posteriors};
use crate::subset::{Population, numbers, subset};

/// Most codes that q(z) is evaluated at, a random sample of more; all posteriors
/// enter q(z) itself.
pub const MOST_CODES: usize = 10_000;

/// Distance from log N, in nats, below which the mutual information is taken
/// as a lower bound: a code is then explained by fewer than e images on
/// (geometric) average, and more images would have raised the estimate.
pub const SATURATION: f64 = 1.0;

/// The rate of a variational autoencoder, taken apart, in nats.
///
/// mean KL = mutual information + marginal KL (Hoffman & Johnson 2016, *ELBO
/// surgery*), and marginal KL = total correlation + Σ_j KL(q(z_j) ‖ p(z_j))
/// (Chen et al. 2018, arXiv 1802.04942). The first holds to rounding with
/// the KL of all images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateDecomposition {
    /// I(x; z) between the index of an image and its code; at most log N.
    pub mutual_information: f64,
    /// Its standard error over codes; `None` for one code, which bounds nothing.
    pub mutual_information_standard_error: Option<f64>,
    /// log N, which no estimate from N images exceeds.
    pub mutual_information_cap: f64,
    /// Within [`SATURATION`] of the cap: read `mutual_information` as "at
    /// least", `marginal_kl` and `total_correlation` as "at most".
    pub mutual_information_saturated: bool,
    /// KL(q(z) ‖ p(z)) of the aggregate posterior.
    pub marginal_kl: f64,
    /// KL(q(z) ‖ Π_j q(z_j)): how far dimensions depend on each other.
    pub total_correlation: f64,
    /// KL(q(z_j) ‖ N(0, 1)) by dimension.
    pub marginal_kl_per_dimension: Vec<f64>,
    /// Codes at which q(z) was evaluated: all, or a random sample of
    /// [`MOST_CODES`].
    pub rate_codes: usize,
    /// Posteriors that q(z) is made of, one for each image.
    pub rate_posteriors: usize,
}

/// Takes the mean KL of `codes` apart with the aggregate posterior
/// q(z) = (1/N) Σ_n q(z|x_n) of all their N posteriors.
///
/// With one z_i ~ q(z|x_i) for each image, or for [`MOST_CODES`] of more, a simple
/// random sample that depends on the seed ([`subset`](crate::subset))
///
/// * I = mean of log q(z_i|x_i) − log q(z_i), and likewise I_j by dimension,
/// * KL(q(z) ‖ p(z)) = KL − I and KL(q(z_j) ‖ p(z_j)) = KL_j − I_j with the
///   KL that is known in closed form: the sampled log q(z) − log p(z)
///   corrected by log q(z|x) − log p(z), whose expectation is known,
/// * total correlation = Σ_j I_j − I, since q(z|x) is a product.
///
/// z_i's own posterior is part of q(z), so that no term exceeds log N and I
/// estimates the information about which of the N images it was: exact for
/// these images, and below that of the population when it comes near log N
/// (9.21 nats of 10,000 images). Posteriors must be all of a data set, never
/// a minibatch. Marginal terms may come out slightly below 0 by sampling.
///
/// Every posterior is in every q(z_i) and q(z_ij), to 1e-5 nats: the joint
/// densities are matrix products, the marginal ones are computed where one
/// dimension needs them and interpolated between (`rates/joint.rs`,
/// `rates/marginals.rs`). Time grows with N times the number of codes, memory
/// with each alone. Only the mean over codes is an estimate where there are more
/// images than [`MOST_CODES`]; its standard error and their number are in the
/// result. The result does not depend on the number of threads.
///
/// # Errors
/// Codes without σ, none at all, values that are not finite, or a posterior
/// narrower than e⁻⁴⁰ or wider than e⁴⁰.
pub fn rate_decomposition(codes: &Codes, seed: u64) -> Result<RateDecomposition> {
    decomposed(codes, seed, MOST_CODES)
}

/// [`rate_decomposition`] at no more than `most` codes.
fn decomposed(codes: &Codes, seed: u64, most: usize) -> Result<RateDecomposition> {
    let Some(log_variance) = &codes.log_variance else {
        return Err(EvaluationError::NotVariational);
    };
    let (mean, log_variance) = (codes.mean.view(), log_variance.view());
    require_posteriors(&mean, &log_variance, LARGEST_LOG_VARIANCE_OF_DENSITIES)?;
    let kl = kl_per_dimension(mean, log_variance)?;
    let (n, latent) = codes.mean.dim();
    let images = subset(Population::Rows(n), most, numbers(seed));
    let count = images.len();
    let z = sample_codes_of(codes, seed, &images);
    let average = |values: &[f64]| values.iter().sum::<f64>() / count as f64;

    let informations = joint::informations(mean, log_variance, &images, z.view());
    let information = average(&informations);
    let squares = informations
        .iter()
        .map(|value| (value - information).powi(2));
    let standard_error = (squares.sum::<f64>() / count as f64 / count as f64).sqrt();
    let of_dimension = |j: usize| {
        let (mean, log_variance) = (mean.column(j), log_variance.column(j));
        average(&marginals::informations(
            mean,
            log_variance,
            &images,
            z.column(j),
        ))
    };
    let mut marginal = Vec::with_capacity(latent);
    for dimensions in blocks(latent, DIMENSIONS_TOGETHER) {
        marginal.par_extend(dimensions.into_par_iter().map(of_dimension));
    }
    let cap = (n as f64).ln();
    Ok(RateDecomposition {
        mutual_information: information,
        mutual_information_standard_error: (count > 1).then_some(standard_error),
        mutual_information_cap: cap,
        mutual_information_saturated: is_saturated(information, cap),
        marginal_kl: kl.iter().sum::<f64>() - information,
        total_correlation: marginal.iter().sum::<f64>() - information,
        marginal_kl_per_dimension: kl.iter().zip(&marginal).map(|(kl, i)| kl - i).collect(),
        rate_codes: count,
        rate_posteriors: n,
    })
}

/// Whether an estimate is within [`SATURATION`] of its cap.
fn is_saturated(information: f64, cap: f64) -> bool {
    cap - information < SATURATION
}

/// Dimensions whose marginal densities are in memory at a time.
pub(crate) const DIMENSIONS_TOGETHER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate_posterior::{Lattice, aggregate_mass};
    use crate::draws::standard_normals;
    use crate::elbo::sample_codes;
    use ndarray::{Array1, Array2};

    /// n posteriors of widely differing place and width.
    fn posteriors(n: usize, latent: usize) -> Codes {
        let log_variance = standard_normals(7, n, latent).mapv(|x| 0.7 * x - 2.0);
        Codes {
            mean: standard_normals(3, n, latent).mapv(|x| 0.9 * x + 0.1),
            log_variance: Some(log_variance),
        }
    }

    fn total_kl(codes: &Codes) -> f64 {
        let log_variance = codes.log_variance.as_ref().unwrap();
        kl_per_dimension(codes.mean.view(), log_variance.view())
            .unwrap()
            .iter()
            .sum()
    }

    #[test]
    fn the_mixture_agrees_with_f64_arithmetic() {
        // More posteriors than a block, more codes than a pass.
        let (n, latent) = (531, 3);
        let codes = posteriors(n, latent);
        let log_variance = codes.log_variance.clone().unwrap();
        let z = sample_codes(&codes, 4);
        let ln_q = |i: usize, image: usize, j: usize| {
            let (mean, l) = (
                f64::from(codes.mean[[image, j]]),
                f64::from(log_variance[[image, j]]),
            );
            -0.5 * ((f64::from(z[[i, j]]) - mean).powi(2) / l.exp() + l)
        };
        let ln_mean = |term: &dyn Fn(usize) -> f64| {
            (0..n).map(|m| term(m).exp()).sum::<f64>().ln() - (n as f64).ln()
        };
        let (mut informations, mut by_dimension) = (Vec::new(), Array1::<f64>::zeros(latent));
        for i in 0..n {
            let of = |m: usize| (0..latent).map(|j| ln_q(i, m, j)).sum::<f64>();
            informations.push(of(i) - ln_mean(&of));
            for j in 0..latent {
                by_dimension[j] += (ln_q(i, i, j) - ln_mean(&|m| ln_q(i, m, j))) / n as f64;
            }
        }
        let joint = informations.iter().sum::<f64>() / n as f64;
        let squares: f64 = informations
            .iter()
            .map(|value| (value - joint).powi(2))
            .sum();
        let error = squares.sqrt() / n as f64;
        let found = rate_decomposition(&codes, 4).unwrap();
        let found_error = found.mutual_information_standard_error.unwrap();
        assert!(
            (found_error / error - 1.0).abs() < 1e-4,
            "{found_error} {error}"
        );
        assert!(
            (found.mutual_information - joint).abs() < 1e-5,
            "{found:?} {joint}"
        );
        assert!((found.total_correlation - (by_dimension.sum() - joint)).abs() < 1e-5);
        let kl = kl_per_dimension(codes.mean.view(), log_variance.view()).unwrap();
        for j in 0..latent {
            let expected = kl[j] - by_dimension[j];
            assert!((found.marginal_kl_per_dimension[j] - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn information_and_marginal_kl_make_up_the_kl() {
        for latent in [1, 2, 20] {
            let codes = posteriors(800, latent);
            let found = rate_decomposition(&codes, 1).unwrap();
            let kl = total_kl(&codes);
            assert!((found.mutual_information + found.marginal_kl - kl).abs() < 1e-12 * kl);
            let parts: f64 = found.marginal_kl_per_dimension.iter().sum();
            assert!((found.total_correlation + parts - found.marginal_kl).abs() < 1e-12 * kl);
        }
    }

    /// On the plane q(z) can be integrated over a lattice instead.
    #[test]
    fn the_marginal_kl_is_that_of_the_integrated_aggregate_posterior() {
        let codes = posteriors(2000, 2);
        let found = rate_decomposition(&codes, 9).unwrap();
        let log_variance = codes.log_variance.as_ref().unwrap();
        let mass = aggregate_mass(codes.mean.view(), log_variance.view(), Lattice::STANDARD);
        let exact = mass.unwrap().against_prior(0.1).kl_from_prior;
        let error = found.mutual_information_standard_error.unwrap();
        assert!(error < 0.05, "{error}");
        assert!(
            (found.marginal_kl - exact).abs() < 3.0 * error,
            "{found:?} {exact}"
        );
        assert!(!found.mutual_information_saturated);
    }

    /// Posteriors of one width around centres drawn from N(0, C − σ²I) make
    /// q(z) = N(0, C), whose total correlation is ½ (Σ log C_jj − log det C).
    #[test]
    fn total_correlation_of_a_gaussian_with_known_covariance() {
        let (n, variance) = (4000, 0.3_f64);
        // Centres: variance 0.7 in both dimensions, covariance 0.6.
        let draws = standard_normals(5, n, 3);
        let (common, single) = (0.6_f64.sqrt() as f32, 0.1_f64.sqrt() as f32);
        let mean = Array2::from_shape_fn((n, 2), |(i, j)| {
            common * draws[[i, 0]] + single * draws[[i, 1 + j]]
        });
        let log_variance = Array2::from_elem((n, 2), variance.ln() as f32);
        let codes = Codes {
            mean,
            log_variance: Some(log_variance),
        };
        let found = rate_decomposition(&codes, 2).unwrap();
        // C = [[1, 0.6], [0.6, 1]].
        let truth = -0.5 * (1.0 - 0.6_f64 * 0.6).ln();
        assert!(
            (found.total_correlation - truth).abs() < 0.03,
            "{found:?} {truth}"
        );
        // KL(N(0, C) ‖ N(0, I)) with unit variances is the total correlation.
        assert!((found.marginal_kl - truth).abs() < 0.05);
        // I = ½ log det C − ½ log det σ²I.
        let information = 0.5 * (0.64_f64.ln() - 2.0 * variance.ln());
        assert!((found.mutual_information - information).abs() < 0.05);
    }

    #[test]
    fn posteriors_alike_carry_no_information_and_posteriors_apart_all_there_can_be() {
        let alike = Codes {
            mean: Array2::zeros((300, 2)),
            log_variance: Some(Array2::zeros((300, 2))),
        };
        let found = rate_decomposition(&alike, 0).unwrap();
        assert!(found.mutual_information.abs() < 1e-6 && found.marginal_kl.abs() < 1e-6);
        assert!(found.total_correlation.abs() < 1e-6);
        let apart = Codes {
            mean: Array2::from_shape_fn((300, 2), |(i, _)| i as f32),
            log_variance: Some(Array2::from_elem((300, 2), -9.0)),
        };
        let found = rate_decomposition(&apart, 0).unwrap();
        assert!(
            (found.mutual_information - 300.0_f64.ln()).abs() < 1e-5,
            "{found:?}"
        );
        assert_eq!(found.mutual_information_cap, 300.0_f64.ln());
        assert!(found.mutual_information_saturated);
        // Each dimension says it all: Σ I_j − I = log N.
        assert!((found.total_correlation - 300.0_f64.ln()).abs() < 1e-5);
    }

    #[test]
    fn an_estimate_a_nat_below_its_cap_is_not_saturated() {
        assert!(!is_saturated(3.5, 4.5));
        assert!(is_saturated(3.501, 4.5) && is_saturated(4.5, 4.5) && is_saturated(0.0, 0.5));
        assert!(!is_saturated(0.5, 4.5) && !is_saturated(-2.0, 0.0));
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let codes = posteriors(700, 5);
        let run = |threads| {
            let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
            pool.install(|| rate_decomposition(&codes, 3).unwrap())
        };
        let expected = run(1);
        assert_eq!(run(2), expected);
        assert_eq!(run(3), expected);
    }

    /// Posteriors in the order of a file whose first part is hard: they are narrow
    /// there, and wide in the second.
    fn ordered_by_difficulty(n: usize) -> Codes {
        let mut codes = posteriors(n, 2);
        let log_variance = codes.log_variance.as_mut().expect("posteriors have it");
        for (i, mut row) in log_variance.rows_mut().into_iter().enumerate() {
            row.mapv_inplace(|l| 0.3 * l - if 2 * i < n { 5.0 } else { 1.0 });
        }
        codes
    }

    /// The order of the file says nothing: at a sample of the codes the terms are
    /// those of all within the error that is stated, in the file as it is and
    /// shuffled. The first as many would be wrong by ten of those errors.
    #[test]
    fn a_sample_of_the_codes_is_one_of_all_whatever_their_order() {
        let (n, most) = (4000, 400);
        let codes = ordered_by_difficulty(n);
        let order = crate::subset::in_random_order(n, n, numbers(77));
        let picked = |rows: &[usize]| Codes {
            mean: codes.mean.select(ndarray::Axis(0), rows),
            log_variance: codes
                .log_variance
                .as_ref()
                .map(|l| l.select(ndarray::Axis(0), rows)),
        };
        let all = rate_decomposition(&codes, 3).unwrap();
        assert_eq!((all.rate_codes, all.rate_posteriors), (n, n));
        for seed in 0..4 {
            for codes in [&codes, &picked(&order)] {
                let found = decomposed(codes, seed, most).unwrap();
                assert_eq!((found.rate_codes, found.rate_posteriors), (most, n));
                let error = found.mutual_information_standard_error.unwrap();
                let off = (found.mutual_information - all.mutual_information).abs();
                assert!(off < 4.0 * error, "seed {seed}: {off} ± {error}");
                assert_eq!(decomposed(codes, seed, most).unwrap(), found);
            }
        }
        // What the first ones would have said: of the narrow posteriors alone.
        let log_variance = codes.log_variance.as_ref().unwrap().view();
        let first: Vec<usize> = (0..most).collect();
        let z = sample_codes_of(&codes, 3, &first);
        let of_first = joint::informations(codes.mean.view(), log_variance, &first, z.view());
        let of_first = of_first.iter().sum::<f64>() / most as f64;
        let error =
            all.mutual_information_standard_error.unwrap() * (n as f64 / most as f64).sqrt();
        assert!(
            (of_first - all.mutual_information).abs() > 10.0 * error,
            "{of_first} {all:?} ± {error}"
        );
    }

    #[test]
    fn bad_input_is_an_error() {
        let plain = Codes {
            mean: Array2::zeros((3, 2)),
            log_variance: None,
        };
        assert!(rate_decomposition(&plain, 0).is_err());
        assert!(rate_decomposition(&posteriors(0, 2), 0).is_err());
        let mut broken = posteriors(5, 2);
        broken.mean[[3, 1]] = f32::NAN;
        assert!(rate_decomposition(&broken, 0).is_err());
    }
}
