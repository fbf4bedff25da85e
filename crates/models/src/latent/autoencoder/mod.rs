//! The deterministic autoencoders: z = c(x), with or without the penalty ½‖z‖².

pub(crate) mod program;

use tensor_ops::panels::{LANES, Panels};
use tensor_ops::{AlignedBuffer, Float};

use super::{BlockRows, Factors, LatentPass};
use crate::network::layout::Role;
use crate::network::pass::Networks;
use crate::spec::ModelSpec;

/// The encoder's output is the code.
#[derive(Debug)]
pub(super) struct Autoencoder<T> {
    latent: usize,
    /// Whether the quadratic part of the KL is kept.
    is_penalised: bool,
    code: AlignedBuffer<T>,
    penalties: Vec<T>,
    images: usize,
}

impl<T: Float> Autoencoder<T> {
    pub(super) fn new(spec: &ModelSpec, rows: BlockRows) -> Self {
        let latent = spec.architecture.latent;
        Self {
            latent,
            is_penalised: spec.kind.penalty_name().is_some(),
            code: AlignedBuffer::zeroed(Panels::new(rows.images, latent).len()),
            penalties: vec![T::ZERO; rows.images],
            images: 0,
        }
    }

    fn panels(&self, rows: BlockRows) -> Panels {
        Panels::new(rows.images, self.latent)
    }
}

impl<T: Float> LatentPass<T> for Autoencoder<T> {
    fn sample(&mut self, rows: BlockRows, networks: &mut dyn Networks<T>, _noise: &[T]) {
        let panels = self.panels(rows);
        self.images = rows.images;
        let code = &mut self.code[..panels.len()];
        code.copy_from_slice(&networks.output(Role::Encoder)[..panels.len()]);
        if !self.is_penalised {
            return;
        }
        let half = T::from_f64(0.5);
        for (row, penalty) in self.penalties[..rows.images].iter_mut().enumerate() {
            let mut square = T::ZERO;
            for j in 0..self.latent {
                let z = code[panels.index(row, j)];
                square += z * z;
            }
            *penalty = half * square;
        }
    }

    fn source(&self, _network: Role) -> &[T] {
        &self.code
    }

    fn penalties(&self) -> Option<&[T]> {
        Some(&self.penalties[..self.images])
    }

    /// None: no objective of these models asks for it.
    fn log_ratios(
        &mut self,
        _rows: BlockRows,
        _networks: &mut dyn Networks<T>,
        _noise: &[T],
        _log_ratios: &mut [f64],
    ) {
    }

    /// ½ z_j² of `ae-l2`.
    fn add_penalty_by_dimension(
        &self,
        rows: BlockRows,
        _networks: &dyn Networks<T>,
        sums: &mut [f64],
    ) {
        let panels = self.panels(rows);
        for row in 0..if self.is_penalised { rows.images } else { 0 } {
            for (j, sum) in sums.iter_mut().enumerate() {
                let z = self.code[panels.index(row, j)].to_f64();
                *sum += 0.5 * z * z;
            }
        }
    }

    /// With g = ∂R/∂z: ∂L/∂z = g + β z of `ae-l2`, g of the others.
    fn backward(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        _noise: &[T],
        factors: Factors<'_, T>,
        by_code: &mut [T],
    ) {
        let panels = self.panels(rows);
        let is_penalised = self.is_penalised;
        networks.differentiate(Role::Encoder, rows.images, &mut |code, gradient| {
            gradient.copy_from_slice(&by_code[..panels.len()]);
            if !is_penalised {
                return;
            }
            let lines = gradient.as_chunks_mut::<LANES>().0.iter_mut();
            let codes = code.as_chunks::<LANES>().0;
            for (index, (line, code)) in lines.zip(codes).enumerate() {
                let first = index / panels.rows * LANES;
                for ((g, &z), &beta) in line.iter_mut().zip(code).zip(&factors.penalty[first..]) {
                    *g += beta * z;
                }
            }
        });
    }

    fn posterior_means(
        &self,
        _layer: usize,
        rows: BlockRows,
        _networks: &dyn Networks<T>,
        means: &mut [T],
    ) {
        let panels = self.panels(rows);
        panels.unpack_row_major(&self.code[..panels.len()], means);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::pass::tests::Computed;
    use crate::spec::ModelKind;

    #[test]
    fn the_quadratic_penalty_is_half_the_squared_norm() {
        let (images, samples) = (1, 1);
        let rows = BlockRows { images, samples };
        for (kind, expected) in [(ModelKind::AeL2, 12.5), (ModelKind::Ae, 0.0)] {
            let spec = ModelSpec {
                kind,
                architecture: "784-2".parse().unwrap(),
                likelihood: "bernoulli".parse().unwrap(),
                posterior_scale: Default::default(),
            };
            let mut pass = Autoencoder::<f64>::new(&spec, rows);
            let mut networks = Computed(vec![0.0; 16]);
            networks.0[..2].copy_from_slice(&[3.0, -4.0]);
            pass.sample(rows, &mut networks, &[]);
            let code = pass.source(Role::Decoder);
            assert_eq!(
                (pass.penalties(), code[0], code[1]),
                (Some(&[expected][..]), 3.0, -4.0)
            );
            let mut sums = [0.0; 2];
            pass.add_penalty_by_dimension(rows, &networks, &mut sums);
            assert_eq!(sums.iter().sum::<f64>(), expected);
        }
    }
}
