//! Numbers about a run that a study in a file can name.

mod codes;
pub(crate) mod map;
pub(crate) mod plane;
pub(crate) mod quality;
pub(crate) mod shape;

use evaluation::elbo::{Evaluation, EvaluationOptions, evaluate};
use evaluation::likelihood::likelihood_bounds;
use evaluation::rates::{RateDecomposition, rate_decomposition};
use evaluation::statistics::Scale;
use figures::absence::known;
use figures::image_quality::{ImageQuality, Source, image_quality};
use figures::{Drawing, Measured, TrainedRun};
use models::DataTreatment;
use runs::Error;
use runs::run_folder::EpochMetrics;

use self::codes::codes;
use self::map::on_the_map;
use self::plane::code_numbers;
use self::shape::{UNVARYING, shape};

/// A number about a run.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// What a study calls it.
    pub name: &'static str,
    /// What tables and axes call it.
    pub label: &'static str,
    /// Its unit; empty for none.
    pub unit: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Decimals in tables.
    pub decimals: usize,
    /// What kind of number it is, for intervals and verdicts.
    pub scale: Scale,
    value: fn(&Drawing<'_>, &TrainedRun) -> Result<f64, Error>,
}

impl Measure {
    /// Its value for a run, measured once and kept beside it.
    ///
    /// # Errors
    /// [`Error::Undefined`] and the errors of evaluation where the run or its
    /// data do not have it; a file that cannot be written.
    pub fn of(&self, drawing: &Drawing<'_>, run: &TrainedRun) -> Result<f64, Error> {
        (self.value)(drawing, run)
    }

    /// Its value for every finished seed of the model called `key`.
    ///
    /// # Errors
    /// Those of [`Drawing::over_seeds`].
    pub fn over_seeds(
        &self,
        drawing: &Drawing<'_>,
        key: &str,
        name: &str,
    ) -> Result<Measured, Error> {
        let measured = drawing.over_seeds(key, name, |run| self.of(drawing, run))?;
        Ok(measured.on(self.scale))
    }
}

/// The measure called `name`.
///
/// # Errors
/// An unknown name, with the nearest known one.
pub fn measure(name: &str) -> Result<&'static Measure, Error> {
    names::choose("measure", name, MEASURES, |measure| measure.name).map_err(Error::Configuration)
}

/// Every measure, by subject.
pub const MEASURES: &[Measure] = &[
    // The loss and its terms.
    Measure {
        name: "loss",
        label: "loss",
        unit: "nats",
        about: "reconstruction plus KL or penalty on the test images, z sampled",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(evaluation(d, r)?.loss),
    },
    Measure {
        name: "reconstruction",
        label: "reconstruction",
        unit: "nats",
        about: "−log p(x|z) of the test images, z sampled",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(evaluation(d, r)?.reconstruction),
    },
    Measure {
        name: "reconstruction-at-mean",
        label: "reconstruction at z = μ",
        unit: "nats",
        about: "−log p(x|z) of the test images at z = mean of the posterior",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(evaluation(d, r)?.at_mean.reconstruction),
    },
    Measure {
        name: "kl",
        label: "KL",
        unit: "nats",
        about: "KL of the posterior from the prior; of ae-l2 the penalty",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| {
            let kl = evaluation(d, r)?.kl;
            kl.ok_or_else(|| Error::Undefined("an autoencoder has no KL".into()))
        },
    },
    Measure {
        name: "elbo",
        label: "ELBO",
        unit: "nats",
        about: "the evidence lower bound, −(reconstruction + KL)",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| evaluation(d, r)?.elbo.ok_or_else(no_posterior),
    },
    Measure {
        name: "nll",
        label: "−log p(x)",
        unit: "nats",
        about: "−log p(x) of the test images, bounded with 100 importance samples",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| nll(d, r),
    },
    Measure {
        name: "excess-over-floor",
        label: "excess over the floor",
        unit: "nats",
        about: "reconstruction above the lowest that a Bernoulli allows for grey images",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| {
            let excess = evaluation(d, r)?.excess_over_floor;
            excess.ok_or_else(|| Error::Undefined("a density has no such floor".into()))
        },
    },
    Measure {
        name: "train-loss",
        label: "training loss",
        unit: "nats",
        about: "what the last epoch minimised, its mean over batches while the weights change",
        decimals: 2,
        scale: Scale::Real,
        value: |_, r| Ok(last(r)?.train.loss),
    },
    Measure {
        name: "generalisation-gap",
        label: "generalisation gap",
        unit: "nats",
        about: "reconstruction plus KL or penalty of the last epoch, test minus training",
        decimals: 2,
        scale: Scale::Real,
        value: |_, r| {
            // The training loss itself has β, free bits or several samples in it.
            let [test, train] = [&last(r)?.test, &last(r)?.train];
            Ok(test.reconstruction + test.kl - train.reconstruction - train.kl)
        },
    },
    Measure {
        name: "epochs",
        label: "epochs",
        unit: "",
        about: "epochs trained",
        decimals: 0,
        scale: Scale::Count,
        value: |_, r| Ok(r.metrics.len() as f64),
    },
    // Latent variables.
    Measure {
        name: "active-units",
        label: "active units",
        unit: "",
        about: "latent variables whose mean varies by more than 0.01 over test images",
        decimals: 1,
        scale: Scale::Count,
        value: |d, r| Ok(evaluation(d, r)?.active_units as f64),
    },
    Measure {
        name: "active-share",
        label: "share of active units",
        unit: "",
        about: "active units divided by the latent size",
        decimals: 2,
        scale: Scale::Bounded {
            low: 0.0,
            high: 1.0,
        },
        value: |d, r| {
            let found = evaluation(d, r)?;
            Ok(found.active_units as f64 / found.variance_of_mu.len() as f64)
        },
    },
    Measure {
        name: "largest-kl",
        label: "largest KL",
        unit: "nats",
        about: "KL of the latent variable with most",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| {
            let all = evaluation(d, r)?
                .kl_per_dimension
                .ok_or_else(no_posterior)?;
            Ok(all.into_iter().fold(0.0, f64::max))
        },
    },
    Measure {
        name: "mutual-information",
        label: "mutual information",
        unit: "nats",
        about: "between image and code, from the rate decomposition (Hoffman & Johnson 2016)",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(rates(d, r)?.mutual_information),
    },
    Measure {
        name: "total-correlation",
        label: "total correlation",
        unit: "nats",
        about: "dependence between latent variables in the aggregate posterior",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(rates(d, r)?.total_correlation),
    },
    Measure {
        name: "marginal-kl",
        label: "marginal KL",
        unit: "nats",
        about: "KL of the aggregate posterior from the prior",
        decimals: 2,
        scale: Scale::Real,
        value: |d, r| Ok(rates(d, r)?.marginal_kl),
    },
    // Where codes lie.
    Measure {
        name: "largest-radius",
        label: "largest radius",
        unit: "",
        about: "distance of the farthest test code from the origin",
        decimals: 1,
        scale: Scale::Ratio,
        value: |d, r| Ok(codes(d, r)?.largest_radius),
    },
    Measure {
        name: "outside-prior",
        label: "outside the prior",
        unit: "",
        about: "share of the test codes outside the ball that holds 95 % of the prior",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| Ok(codes(d, r)?.outside_prior),
    },
    Measure {
        name: "prior-discrepancy",
        label: "discrepancy from the prior",
        unit: "",
        about: "MMD between sampled codes of 2000 random test images and the prior, over its 95 % quantile under the null",
        decimals: 1,
        scale: Scale::Real,
        value: |d, r| Ok(*codes(d, r)?.prior_discrepancy.get()?),
    },
    Measure {
        name: "eigenvalue-ratio",
        label: "eigenvalue ratio",
        unit: "",
        about: "smallest over largest variance of the codes along principal directions",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| Ok(*codes(d, r)?.eigenvalue_ratio.get()?),
    },
    Measure {
        name: "gaps",
        label: "gaps",
        unit: "",
        about: "share of empty cells within the region of the codes (two latent variables)",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| Ok(*codes(d, r)?.gaps.get()?),
    },
    Measure {
        name: "knn-accuracy",
        label: "kNN accuracy",
        unit: "",
        about: "share of test images whose class 15 nearest training codes tell",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| Ok(*codes(d, r)?.knn_accuracy.get()?),
    },
    // In a plane: the map over −4 … 4, and where the codes lie on it.
    Measure {
        name: "map-kinds",
        label: "kinds on the map",
        unit: "",
        about: "classes with at least 1 % of the tiles of a 21 × 21 map over −4 … 4",
        decimals: 0,
        scale: Scale::Count,
        value: |d, r| on_the_map(d, r)?.kinds(),
    },
    Measure {
        name: "map-change",
        label: "change on the map",
        unit: "%",
        about: "mean distance of neighbouring tiles over that of two test images",
        decimals: 1,
        scale: Scale::Ratio,
        value: |d, r| Ok(100.0 * on_the_map(d, r)?.mean_change()),
    },
    Measure {
        name: "map-unevenness",
        label: "unevenness of the map",
        unit: "",
        about: "largest over mean distance of neighbouring tiles, 1 for even transitions",
        decimals: 1,
        scale: Scale::Ratio,
        value: |d, r| Ok(on_the_map(d, r)?.unevenness()),
    },
    Measure {
        name: "map-explained",
        label: "explained by the map",
        unit: "%",
        about: "share of the test images' variance that is gone when each is its nearest tile",
        decimals: 1,
        scale: Scale::Real,
        value: |d, r| Ok(100.0 * on_the_map(d, r)?.explained),
    },
    Measure {
        name: "outside-map",
        label: "outside of the map",
        unit: "%",
        about: "test codes of which a variable lies outside of −4 … 4",
        decimals: 1,
        scale: Scale::Percent,
        value: |d, r| Ok(100.0 * code_numbers(d, r)?.extent.share_outside_map),
    },
    Measure {
        name: "asymmetry",
        label: "asymmetry",
        unit: "",
        about: "Butler's asymmetry of the test codes about 0, the larger of both axes",
        decimals: 3,
        scale: Scale::Real,
        value: |d, r| Ok(code_numbers(d, r)?.asymmetry()),
    },
    Measure {
        name: "area-ratio",
        label: "ratio of areas",
        unit: "",
        about: "largest over smallest area of a class in the plane of the codes",
        decimals: 1,
        scale: Scale::Ratio,
        value: |d, r| code_numbers(d, r)?.area_ratio(),
    },
    Measure {
        name: "excess-gaps",
        label: "gaps above normal",
        unit: "%",
        about: "empty cells between the test codes less those of as many normal codes",
        decimals: 1,
        scale: Scale::Real,
        value: |d, r| Ok(100.0 * code_numbers(d, r)?.excess_gaps()?),
    },
    Measure {
        name: "radius-distance",
        label: "distance of the radius",
        unit: "",
        about: "Kolmogorov–Smirnov distance of ‖z‖, scaled, to that of a normal distribution",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| known(shape(d, r)?.radius_distance, UNVARYING),
    },
    Measure {
        name: "directions",
        label: "Bingham's statistic",
        unit: "",
        about: "preferred directions of the test codes, 0 without any",
        decimals: 3,
        scale: Scale::Real,
        value: |d, r| known(shape(d, r)?.bingham, UNVARYING),
    },
    // Images decoded from the prior.
    Measure {
        name: "frechet",
        label: "Fréchet distance",
        unit: "",
        about: "Fréchet distance of samples from half of the test images on the classifier's features",
        decimals: 1,
        scale: Scale::Ratio,
        value: |d, r| quality(d, r, |quality| quality.frechet),
    },
    Measure {
        name: "precision",
        label: "precision",
        unit: "",
        about: "share of samples among real images",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| quality(d, r, |quality| quality.precision),
    },
    Measure {
        name: "recall",
        label: "recall",
        unit: "",
        about: "share of real images among samples",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| quality(d, r, |quality| quality.recall),
    },
    Measure {
        name: "density",
        label: "density",
        unit: "",
        about: "precision that counts how many real images are near",
        decimals: 3,
        scale: Scale::Real,
        value: |d, r| quality(d, r, |quality| quality.density),
    },
    Measure {
        name: "coverage",
        label: "coverage",
        unit: "",
        about: "share of real images with a sample nearby",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| quality(d, r, |quality| quality.coverage),
    },
    Measure {
        name: "confidence",
        label: "confidence",
        unit: "",
        about: "mean probability of the classifier's most probable class of samples",
        decimals: 3,
        scale: Scale::Share,
        value: |d, r| quality(d, r, |quality| quality.confidence),
    },
];

/// Whether a run has a plane of codes.
fn in_plane(run: &TrainedRun) -> Result<(), Error> {
    match run.latent() {
        2 => Ok(()),
        latent => Err(Error::Undefined(format!(
            "it is measured in two latent variables, not in {latent}"
        ))),
    }
}

fn no_posterior() -> Error {
    Error::Undefined("its codes are not distributions".into())
}

fn last(run: &TrainedRun) -> Result<&EpochMetrics, Error> {
    run.last()
        .ok_or_else(|| Error::Undefined("no epoch was finished".into()))
}

/// The numbers of `eval.json` on the test images, kept with the run.
///
/// # Errors
/// Those of the evaluation.
pub fn evaluation(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Evaluation, Error> {
    drawing.measure(run, "evaluation", "1 test seed=0", || {
        let options = EvaluationOptions {
            data_treatment: treatment(run)?,
            ..EvaluationOptions::default()
        };
        let seen = run.seen(&drawing.dataset.test)?;
        Ok(evaluate(&run.model, seen.images(), &options)?)
    })
}

fn treatment(run: &TrainedRun) -> Result<DataTreatment, Error> {
    runs::run_images::evaluated_treatment(&run.configuration, None)
}

fn nll(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<f64, Error> {
    const SAMPLES: usize = 100;
    if !run.is_variational() {
        return Err(no_posterior());
    }
    if !treatment(run)?.is_binary() && !run.model.spec().likelihood.is_density() {
        return Err(Error::Undefined(
            "a Bernoulli is a likelihood of binary images only".into(),
        ));
    }
    drawing.measure(run, "nll", "1 test, 100 samples, seed 0", || {
        let seen = run.seen(&drawing.dataset.test)?;
        let found = likelihood_bounds(&run.model, seen.images(), SAMPLES, 0, &|| {})?;
        Ok(found.nll[&SAMPLES].value)
    })
}

fn rates(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<RateDecomposition, Error> {
    if !run.is_variational() {
        return Err(no_posterior());
    }
    drawing.measure(
        run,
        "rates",
        "2 test, seed 0, codes of 10000 at random",
        || Ok(rate_decomposition(&run.codes(&drawing.dataset.test)?, 0)?),
    )
}

fn quality(
    drawing: &Drawing<'_>,
    run: &TrainedRun,
    number: fn(&ImageQuality) -> f64,
) -> Result<f64, Error> {
    Ok(number(&image_quality(drawing, run, Source::Prior)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        for (index, one) in MEASURES.iter().enumerate() {
            assert!(MEASURES[..index].iter().all(|other| other.name != one.name));
            assert_eq!(measure(one.name).unwrap().name, one.name);
        }
        let message = measure("knn_acuracy").unwrap_err().to_string();
        assert!(message.contains("did you mean 'knn-accuracy'"), "{message}");
    }
}
