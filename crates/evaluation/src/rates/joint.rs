//! log q(z|x) − log q(z) of codes, with q(z) over all posteriors.
//!
//! log q(z|x_n) + ½L log 2π = Σ_j −½p_j z_j² + p_j μ_j z_j − ½p_j μ_j² + ½log p_j, with
//! p = 1/σ², is the inner product of 2L + 1 numbers of the code and as many of the
//! posterior: blocks of both make a matrix product in f64. The squares cancel;
//! what that may cost is bounded for each block, and the blocks of posteriors so
//! narrow that it is too much are computed difference by difference.

use std::ops::Range;

use ndarray::{ArrayView2, s};
use rayon::prelude::*;
use tensor_ops::{reduce, vector};

use crate::blocks::blocks;
use crate::codes::mean_of_codes;
use crate::tiles::{TILE_COLUMNS, TILE_ROWS, TileBuffers};

/// Most that cancellation may cost a density, in nats.
const TOLERANCE: f64 = 1e-5;

/// Posteriors whose densities are summed together: their numbers are made once and
/// are then in a cache for all codes.
pub(crate) const POSTERIORS_TOGETHER: usize = TILE_COLUMNS;

/// Blocks whose largest density is so many nats below the largest so far are left
/// out: 10⁹ posteriors would add less than 1e-10.
const NEGLIGIBLE: f64 = 45.0;

/// log q(z|x_i) − log q(z) of the codes `z` [count, L] that were drawn for
/// `images`, among posteriors of μ and log σ² [n, L].
pub(super) fn informations(
    mean: ArrayView2<'_, f32>,
    log_variance: ArrayView2<'_, f32>,
    images: &[usize],
    z: ArrayView2<'_, f32>,
) -> Vec<f64> {
    let centre = mean_of_codes(&mean).to_vec();
    let codes = Codes::new(z, &centre);
    let mut sums = vec![Mixture::EMPTY; images.len()];
    for rows in blocks(mean.nrows(), POSTERIORS_TOGETHER) {
        let posteriors = Posteriors::new(
            mean.slice(s![rows.clone(), ..]),
            log_variance.slice(s![rows.clone(), ..]),
            &centre,
            &codes,
        );
        let chunks = sums.par_chunks_mut(TILE_ROWS).enumerate();
        chunks.for_each_init(Buffers::new, |buffers, (chunk, sums)| {
            let first = chunk * TILE_ROWS;
            let of_chunk = first..first + sums.len();
            posteriors.densities(&codes, of_chunk.clone(), buffers, |densities, terms| {
                let lines = densities.chunks_exact(rows.len());
                let images = &images[of_chunk.clone()];
                for ((sum, line), &image) in sums.iter_mut().zip(lines).zip(images) {
                    if rows.contains(&image) {
                        sum.own = line[image - rows.start];
                    }
                    sum.absorb(line, terms);
                }
            });
        });
    }
    let log_n = (mean.nrows() as f64).ln();
    // The own density is one of those in the sum.
    let information = |sum: &Mixture| (sum.own - (sum.log() - log_n)).min(log_n);
    sums.iter().map(information).collect()
}

/// What codes contribute to the products: z² and z of each dimension about the
/// centre, and 1.
struct Codes<'a> {
    z: ArrayView2<'a, f32>,
    factors: Vec<f64>,
    width: usize,
    /// The largest |z| of each dimension about the centre.
    reach: Vec<f64>,
}

impl<'a> Codes<'a> {
    fn new(z: ArrayView2<'a, f32>, centre: &[f64]) -> Self {
        let width = 2 * centre.len() + 1;
        let mut factors = Vec::with_capacity(z.nrows() * width);
        let mut reach = vec![0.0_f64; centre.len()];
        for row in z.rows() {
            for ((&value, centre), reach) in row.iter().zip(centre).zip(&mut reach) {
                let value = f64::from(value) - centre;
                factors.extend([value * value, value]);
                *reach = reach.max(value.abs());
            }
            factors.push(1.0);
        }
        Self {
            z,
            factors,
            width,
            reach,
        }
    }
}

/// A block of posteriors.
struct Posteriors<'a> {
    mean: ArrayView2<'a, f32>,
    log_variance: ArrayView2<'a, f32>,
    /// −½p and pμ of each dimension, and what does not depend on the code.
    factors: Vec<f64>,
    /// Whether products are as good as differences.
    is_exact: bool,
}

struct Buffers {
    tiles: TileBuffers<f64>,
    terms: Vec<f32>,
    densities: Vec<f64>,
}

impl Buffers {
    fn new() -> Self {
        Self {
            tiles: TileBuffers::new(),
            terms: Vec::new(),
            densities: Vec::new(),
        }
    }
}

impl<'a> Posteriors<'a> {
    fn new(
        mean: ArrayView2<'a, f32>,
        log_variance: ArrayView2<'a, f32>,
        centre: &[f64],
        codes: &Codes<'_>,
    ) -> Self {
        let width = codes.width;
        let mut factors = vec![0.0; mean.nrows() * width];
        let rows = factors.par_chunks_exact_mut(width).enumerate();
        let magnitudes = rows.map(|(row, factors)| {
            let (mut constant, mut magnitude) = (0.0, 0.0);
            let moments = mean.row(row).into_iter().zip(log_variance.row(row));
            let dimensions = moments.zip(centre.iter().zip(&codes.reach));
            let pairs = factors.chunks_exact_mut(2);
            for (pair, ((&mean, &l), (centre, reach))) in pairs.zip(dimensions) {
                let (mean, l) = (f64::from(mean) - centre, f64::from(l));
                let half_precision = 0.5 * (-l).exp();
                pair[0] = -half_precision;
                pair[1] = 2.0 * half_precision * mean;
                constant -= half_precision * mean * mean + 0.5 * l;
                magnitude += half_precision * (reach + mean.abs()).powi(2) + 0.5 * l.abs();
            }
            factors[width - 1] = constant;
            magnitude
        });
        let largest = magnitudes.reduce(|| 0.0, f64::max);
        // A sum of w products is off by less than w·ε/2 of the sum of their sizes
        // (Higham, §3.1), and each factor is rounded a few times.
        let bound = (width + 4) as f64 * f64::EPSILON * largest;
        Self {
            mean,
            log_variance,
            factors,
            is_exact: bound <= TOLERANCE,
        }
    }

    /// Log densities of some codes under every posterior of the block, row by
    /// row, with ½L log 2π left out, and room for the terms of a row.
    fn densities(
        &self,
        codes: &Codes<'_>,
        chunk: Range<usize>,
        buffers: &mut Buffers,
        mut of_densities: impl FnMut(&[f64], &mut Vec<f32>),
    ) {
        let (width, terms) = (codes.width, &mut buffers.terms);
        if self.is_exact {
            let rows = &codes.factors[chunk.start * width..chunk.end * width];
            let tiles = &mut buffers.tiles;
            tiles.for_each(rows, &self.factors, width, |_, tile| {
                of_densities(tile, terms)
            });
            return;
        }
        let densities = &mut buffers.densities;
        densities.clear();
        for code in chunk {
            for (mean, l) in self.mean.rows().into_iter().zip(self.log_variance.rows()) {
                let dimensions = mean.iter().zip(l).zip(codes.z.row(code));
                let terms = dimensions.map(|((&mean, &l), &z)| {
                    let (distance, l) = (f64::from(z) - f64::from(mean), f64::from(l));
                    -0.5 * (distance * distance * (-l).exp() + l)
                });
                densities.push(terms.sum());
            }
        }
        of_densities(densities, terms);
    }
}

/// Σ of densities given by their logarithms, scaled by the largest so far.
#[derive(Clone, Copy)]
struct Mixture {
    largest: f64,
    sum: f64,
    /// log q(z|x) of the image that the code was drawn for.
    own: f64,
}

impl Mixture {
    const EMPTY: Self = Self {
        largest: f64::NEG_INFINITY,
        sum: 0.0,
        own: f64::NEG_INFINITY,
    };

    /// Adds densities; `terms` is room for them in f32, where the exponential is
    /// vectorised and within 1 ULP.
    fn absorb(&mut self, log_densities: &[f64], terms: &mut Vec<f32>) {
        let largest = largest(log_densities);
        if largest < self.largest - NEGLIGIBLE || largest == f64::NEG_INFINITY {
            return;
        }
        terms.clear();
        terms.extend(log_densities.iter().map(|value| (value - largest) as f32));
        vector::exp_in_place(terms);
        let sum = f64::from(reduce::sum(terms));
        if largest > self.largest {
            self.sum = self.sum * (self.largest - largest).exp() + sum;
            self.largest = largest;
        } else {
            self.sum += sum * (largest - self.largest).exp();
        }
    }

    fn log(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}

/// The largest value, in lanes side by side.
fn largest(values: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; 8];
    let (whole, rest) = values.as_chunks::<8>();
    for chunk in whole {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use ndarray::Array2;

    /// log q(z|x) − log q(z) by plain loops in f64.
    fn plain(mean: &Array2<f32>, log_variance: &Array2<f32>, image: usize, z: &[f32]) -> f64 {
        let density = |n: usize| -> f64 {
            let dimensions = mean.row(n).into_iter().zip(log_variance.row(n)).zip(z);
            let terms = dimensions.map(|((&mean, &l), &z)| {
                let (distance, l) = (f64::from(z) - f64::from(mean), f64::from(l));
                -0.5 * (distance * distance / l.exp() + l)
            });
            terms.sum()
        };
        let densities: Vec<f64> = (0..mean.nrows()).map(density).collect();
        let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = densities.iter().map(|d| (d - largest).exp()).sum();
        densities[image] - (largest + sum.ln() - (mean.nrows() as f64).ln())
    }

    #[test]
    fn the_largest_is_found_wherever_it_is() {
        for count in [1, 3, 8, 9, 21] {
            for place in 0..count {
                let mut values: Vec<f64> = (0..count).map(|i| -7.5 - (i % 5) as f64).collect();
                values[place] = -3.25;
                assert_eq!(largest(&values), -3.25, "{place} of {count}");
            }
        }
        assert_eq!(largest(&[]), f64::NEG_INFINITY);
    }

    /// Log densities of thousands, whose exponentials are beyond numbers, and blocks
    /// that are above and below those so far.
    #[test]
    fn densities_are_summed_whatever_their_size_and_order() {
        let of = |blocks: &[&[f64]]| {
            let (mut mixture, mut terms) = (Mixture::EMPTY, Vec::new());
            for block in blocks {
                mixture.absorb(block, &mut terms);
            }
            mixture.log()
        };
        // log(1 + 3e⁻¹ + 2e⁻²) (Python).
        let expected = 0.864_706_401_450_273_9;
        let (high, low): (&[f64], &[f64]) = (&[0.0, -1.0, -2.0], &[-1.0, -2.0, -1.0]);
        for shift in [5000.0, 0.0, -5000.0] {
            let [high, low] = [high, low]
                .map(|block| -> Vec<f64> { block.iter().map(|value| value + shift).collect() });
            for blocks in [[&high[..], &low[..]], [&low[..], &high[..]]] {
                let found = of(&blocks) - shift;
                assert!((found - expected).abs() < 1e-6, "{found} at {shift}");
            }
        }
        let nothing = [f64::NEG_INFINITY; 2];
        assert_eq!(of(&[&nothing, &[2.0], &nothing]), 2.0);
        assert_eq!(of(&[&nothing]), f64::NEG_INFINITY);
        // 45 nats below the largest are counted, more are not: 10⁵ of them are seen.
        let at_border = of(&[&[0.0], &[-45.0; 100_000]]);
        assert!((at_border / 2.862_518_580_549_394e-15 - 1.0).abs() < 0.2);
        assert_eq!(of(&[&[0.0], &[-45.001; 100_000]]), 0.0);
    }

    /// More posteriors than a block and more codes than a tile has rows; widths at
    /// which products are exact enough, at which no block is, and both beside each
    /// other; posteriors far from the origin.
    #[test]
    fn products_and_differences_give_what_plain_loops_do() {
        for (n, latent, width, narrow, place) in [
            (1, 1, -2.0, 0.0, 0.0),
            (1500, 3, -2.0, 0.0, 0.0),
            (1100, 2, -30.0, 0.0, 0.0),
            (1300, 2, -4.0, -28.0, 0.0),
            (1100, 20, -5.0, 0.0, 300.0),
        ] {
            let mean = standard_normals(n as u64, n, latent).mapv(|x| place + 0.9 * x);
            let mut log_variance = standard_normals(7, n, latent).mapv(|x| 0.7 * x + width);
            // Those of the second block.
            for n in POSTERIORS_TOGETHER..n {
                log_variance.row_mut(n).mapv_inplace(|l| l + narrow);
            }
            let images: Vec<usize> = (0..n).step_by(1 + n / 300).collect();
            let noise = standard_normals(5, images.len(), latent);
            let z = Array2::from_shape_fn((images.len(), latent), |(i, j)| {
                let image = images[i];
                mean[[image, j]] + (0.5 * log_variance[[image, j]]).exp() * noise[[i, j]]
            });
            let found = informations(mean.view(), log_variance.view(), &images, z.view());
            for (i, &image) in images.iter().enumerate().step_by(29) {
                let z = z.row(i).to_vec();
                let expected = plain(&mean, &log_variance, image, &z);
                let error = (found[i] - expected).abs();
                assert!(
                    error < 1e-5,
                    "{n} posteriors, code {i}: {} {expected}",
                    found[i]
                );
            }
        }
    }
}
