//! Free bits: KL per dimension that costs nothing (Kingma et al. 2016, arXiv
//! 1606.04934, appendix C.8).

use std::ops::Range;

use autodiff::{Error, Tape, Var};
use tensor_ops::Float;
use tensor_ops::parallel::ThreadPool;

use super::{BatchPenalty, BatchValue, Objective};
use crate::network::pass::Networks;
use crate::step::block::Block;

/// Σ_j max(λ, mean KL_j) in the place of the mean KL.
#[derive(Debug)]
pub(super) struct FreeBits {
    /// λ in nats.
    nats: f64,
    /// KL of every dimension, summed over the batch.
    sums: Vec<f64>,
    images: usize,
}

impl FreeBits {
    /// Those of an objective, if it has any.
    pub(super) fn of(objective: &Objective, latent: usize) -> Option<Self> {
        (objective.free_bits > 0.0).then(|| Self {
            nats: objective.free_bits,
            sums: vec![0.0; latent],
            images: 0,
        })
    }
}

impl<T: Float> BatchPenalty<T> for FreeBits {
    fn begin(&mut self, images: usize) {
        self.images = images;
        self.sums.fill(0.0);
    }

    fn collect(&mut self, block: &Block<T>, networks: &dyn Networks<T>, _noise: &[T]) {
        let latent = block.latent();
        latent.add_penalty_by_dimension(block.rows(), networks, &mut self.sums);
    }

    /// The weight is 0 in every dimension that is free: there the derivative by
    /// the KL of any image is.
    fn finish(&mut self, _pool: &ThreadPool, weights: &mut [T]) -> BatchValue {
        let mut penalty = 0.0;
        for (sum, weight) in self.sums.iter().zip(weights) {
            let kl = sum / self.images as f64;
            if kl < self.nats {
                *weight = T::ZERO;
            }
            penalty += if kl.is_nan() { kl } else { kl.max(self.nats) };
        }
        BatchValue {
            penalty,
            is_all: false,
        }
    }

    fn by_codes(&self, _images: Range<usize>) -> &[T] {
        &[]
    }
}

/// The same on the tape, from the KL by image and dimension.
pub(super) fn record<T: Float>(
    tape: &mut Tape<'_, T>,
    by_dimension: Var,
    nats: f64,
) -> Result<Var, Error> {
    let mean = tape.mean_axes(by_dimension, &[0])?;
    let floored = tape.clamp(mean, T::from_f64(nats), T::INFINITY)?;
    tape.sum(floored)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivative of max(λ, K) by K is taken to be 1 where they are equal.
    #[test]
    fn a_kl_of_exactly_the_free_nats_counts_and_a_smaller_one_costs_them() {
        let mut penalty = FreeBits::of(
            &Objective {
                free_bits: 0.5,
                ..Objective::ELBO
            },
            4,
        )
        .unwrap();
        BatchPenalty::<f64>::begin(&mut penalty, 4);
        // Means over the images of 0.5, 0.25, 1.75 and 0.
        penalty.sums.copy_from_slice(&[2.0, 1.0, 7.0, 0.0]);
        let pool = ThreadPool::new(1).unwrap();
        let mut weights = [3.0, 5.0, 7.0, 11.0];
        let value = penalty.finish(&pool, &mut weights);
        assert_eq!(weights, [3.0, 0.0, 7.0, 0.0]);
        let expected = BatchValue {
            penalty: 0.5 + 0.5 + 1.75 + 0.5,
            is_all: false,
        };
        assert_eq!(value, expected);
        assert!(BatchPenalty::<f64>::by_codes(&penalty, 0..4).is_empty());
        assert!(FreeBits::of(&Objective::ELBO, 4).is_none());

        penalty.sums[1] = f64::NAN;
        let value = penalty.finish(&pool, &mut weights);
        assert!(value.penalty.is_nan());
        BatchPenalty::<f64>::begin(&mut penalty, 3);
        assert_eq!((penalty.images, penalty.sums), (3, vec![0.0; 4]));
    }
}
