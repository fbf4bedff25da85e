//! How the loss of a run went on from epoch to epoch.

use models::{Bound, ModelSpec, Objective};
use serde::Serialize;

use crate::run_folder::{EpochMetrics, Losses};

/// The losses of a run, nats per image, with the weight of the KL that it was
/// trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Course {
    /// Epochs that are done.
    pub epochs: usize,
    /// Mean over the training batches of the first one.
    pub first: f64,
    /// Of the test images when half of the epochs were done; of a single one the
    /// mean over its training batches.
    pub halfway: f64,
    /// Of the test images at the end.
    pub last: f64,
    /// By how much the loss fell while the number of epochs doubled last. Losses
    /// fall with the logarithm of time at best, so that as many epochs again are
    /// worth as much or less.
    pub fall: f64,
    /// Largest step size of an epoch's end.
    pub largest_learning_rate: Option<f64>,
}

impl Course {
    /// The course of some epochs; `None` without any.
    pub(super) fn of(
        metrics: &[EpochMetrics],
        spec: &ModelSpec,
        objective: &Objective,
    ) -> Option<Self> {
        let (first, last) = (metrics.first()?, metrics.last()?);
        let is_weighed = objective.bound == Bound::Elbo && spec.kind.penalty_name().is_some();
        let weight = if is_weighed { objective.beta } else { 1.0 };
        let loss = |losses: &Losses| losses.reconstruction + weight * losses.kl;
        let epochs = metrics.len();
        let half = epochs.div_ceil(2);
        let (halfway, doublings) = match epochs {
            1 => (loss(&first.train), 1.0),
            _ => (
                loss(&metrics[half - 1].test),
                (epochs as f64 / half as f64).log2(),
            ),
        };
        let last = loss(&last.test);
        let rates = metrics.iter().filter_map(|epoch| epoch.learning_rate);
        Some(Self {
            epochs,
            first: loss(&first.train),
            halfway,
            last,
            fall: (halfway - last) / doublings,
            largest_learning_rate: rates.max_by(f64::total_cmp),
        })
    }
}

#[cfg(test)]
mod tests {
    use models::DataTreatment;

    use super::*;

    fn metrics(train: f64, test: f64, kl: f64) -> EpochMetrics {
        let losses = |reconstruction| Losses {
            loss: reconstruction + kl,
            reconstruction,
            kl,
        };
        EpochMetrics {
            epoch: 1,
            step: 1,
            train: losses(train),
            test: losses(test),
            validation: None,
            data_treatment: DataTreatment::Grey,
            learning_rate: Some(1e-3),
            seconds: 1.0,
            images_per_second: 1.0,
        }
    }

    fn course(epochs: &[EpochMetrics], beta: f64) -> Course {
        let configuration = crate::configuration::Configuration::default();
        let objective = Objective {
            beta,
            ..Objective::ELBO
        };
        let spec = configuration.model_spec().expect("the default is a model");
        Course::of(epochs, &spec, &objective).expect("there are epochs")
    }

    #[test]
    fn the_fall_is_that_of_the_last_doubling() {
        let one = course(&[metrics(200.0, 180.0, 4.0)], 1.0);
        assert_eq!((one.first, one.last, one.fall), (204.0, 184.0, 20.0));
        let four: Vec<_> = [180.0, 170.0, 165.0, 162.0]
            .map(|test| metrics(200.0, test, 4.0))
            .into();
        assert_eq!(course(&four, 1.0).fall, 8.0);
        // From the second to the third epoch is less than a doubling.
        let fall = course(&four[..3], 1.0).fall;
        assert!((fall - 5.0 / 1.5_f64.log2()).abs() < 1e-12, "{fall}");
        // The weight of the KL is the run's.
        assert_eq!(course(&four, 10.0).last, 202.0);
        let configuration = crate::configuration::Configuration::default();
        let spec = configuration.model_spec().expect("the default is a model");
        assert_eq!(Course::of(&[], &spec, &Objective::ELBO), None);
    }
}
