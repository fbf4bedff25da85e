//! log q(z_j|x) − log q(z_j) of one dimension, with q(z_j) over all posteriors.
//!
//! In one dimension densities need not be computed at every code. Posteriors are
//! taken by octaves of σ. A sum of densities none of which is narrower than σ is a
//! smooth function on an interval as long as σ: where more codes than
//! [`NODES`] lie in such an interval it is computed at as many Chebyshev points of
//! it and interpolated (Berrut & Trefethen 2004, *SIAM Review* 46:501), elsewhere at
//! the codes themselves. A density counts up to [`REACH`] σ from its mean. Where
//! what is left out might be a part of more than [`TOLERANCE`] of what was found,
//! which only codes far from everything but their own posterior see, the sum is
//! taken over everything, in f64.

use std::ops::Range;

use ndarray::ArrayView1;
use rayon::prelude::*;
use tensor_ops::vector;

/// Points that stand for an interval. With σ as long as the interval or up to twice
/// as long, the error is 2·(¼)¹⁶/16!·|He₁₆(t)| of the density at t σ: below 2e-8 up
/// to [`REACH`].
const NODES: usize = 16;

/// How far a density reaches, in σ: beyond it is below e^(−40.5) of its largest.
const REACH: f64 = 9.0;

/// The relative error that what is left out may cause.
const TOLERANCE: f64 = 1e-6;

/// Most partial sums that a sum over posteriors is cut into, and fewest posteriors
/// of each: a function of their number alone.
const MOST_PARTS: usize = 16;
const FEWEST_OF_PART: usize = 4096;

/// log q(z|x_i) − log q(z) of the codes `z` that were drawn for `images`, among
/// posteriors of μ and log σ², all of one dimension.
pub(super) fn informations(
    mean: ArrayView1<'_, f32>,
    log_variance: ArrayView1<'_, f32>,
    images: &[usize],
    z: ArrayView1<'_, f32>,
) -> Vec<f64> {
    let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
    let sums = log_sums(mean, log_variance, &z);
    let log_n = (mean.len() as f64).ln();
    let codes = images.iter().zip(z).zip(sums);
    let information = |((&image, z), sum): ((&usize, f64), f64)| {
        let own = log_density(mean[image], log_variance[image], z);
        // The own density is one of those in the sum.
        (own - (sum - log_n)).min(log_n)
    };
    codes.map(information).collect()
}

/// log N(z; μ, σ²) + ½ log 2π.
fn log_density(mean: f32, log_variance: f32, z: f64) -> f64 {
    let (distance, l) = (z - f64::from(mean), f64::from(log_variance));
    -0.5 * (distance * distance * (-l).exp() + l)
}

/// log Σ_n N(z; μ_n, σ_n²) + ½ log 2π at every z.
fn log_sums(mean: ArrayView1<'_, f32>, log_variance: ArrayView1<'_, f32>, z: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|&a, &b| z[a].total_cmp(&z[b]));
    let sorted: Vec<f64> = order.iter().map(|&code| z[code]).collect();
    let (mut sums, mut left_out) = (vec![0.0; z.len()], 0.0);
    for octave in Octave::of_all(mean, log_variance) {
        octave.add_to(&sorted, &mut sums);
        left_out += octave.left_out();
    }
    let of_all = |code: usize| {
        let densities = mean.iter().zip(log_variance);
        let densities = densities.map(|(&mean, &l)| log_density(mean, l, z[code]));
        let largest = densities.clone().fold(f64::NEG_INFINITY, f64::max);
        largest
            + densities
                .map(|density| (density - largest).exp())
                .sum::<f64>()
                .ln()
    };
    let found = order.par_iter().zip(&sums).map(|(&code, &sum)| {
        let is_whole = left_out <= TOLERANCE * sum;
        (code, if is_whole { sum.ln() } else { of_all(code) })
    });
    let mut logarithms = vec![0.0; z.len()];
    for (code, logarithm) in found.collect::<Vec<_>>() {
        logarithms[code] = logarithm;
    }
    logarithms
}

/// Posteriors whose σ lies between a power of two and the next.
struct Octave {
    /// The power of two.
    least: f64,
    posteriors: Vec<Posterior>,
}

struct Posterior {
    mean: f32,
    /// log(least/σ).
    log_share: f32,
    /// 1/σ.
    inverse: f64,
}

/// Bytes that are held of each posterior.
pub(crate) const POSTERIOR_BYTES: usize = size_of::<Posterior>();

/// Neighbouring codes, and the places where their sum is computed.
struct Interval {
    codes: Range<usize>,
    places: Range<usize>,
    /// Where it begins, if the places are its Chebyshev points.
    interpolated_from: Option<f64>,
}

impl Octave {
    /// All posteriors, by octaves from the narrowest on.
    fn of_all(mean: ArrayView1<'_, f32>, log_variance: ArrayView1<'_, f32>) -> Vec<Self> {
        let exponent = |l: f32| (0.5 * f64::from(l) / std::f64::consts::LN_2).floor() as i32;
        let exponents = log_variance.iter().map(|&l| exponent(l));
        let bounds = exponents.fold((i32::MAX, i32::MIN), |(low, high), exponent| {
            (low.min(exponent), high.max(exponent))
        });
        let mut octaves: Vec<Self> = (bounds.0..=bounds.1)
            .map(|exponent| Self {
                least: 2.0_f64.powi(exponent),
                posteriors: Vec::new(),
            })
            .collect();
        for (&mean, &l) in mean.iter().zip(log_variance) {
            let octave = &mut octaves[(exponent(l) - bounds.0) as usize];
            let inverse = (-0.5 * f64::from(l)).exp();
            octave.posteriors.push(Posterior {
                mean,
                log_share: (octave.least * inverse).ln() as f32,
                inverse,
            });
        }
        octaves.retain(|octave| !octave.posteriors.is_empty());
        octaves
    }

    /// More than all densities beyond their reach together.
    fn left_out(&self) -> f64 {
        self.posteriors.len() as f64 / self.least * (-0.5 * REACH * REACH).exp()
    }

    /// Adds the densities at `codes`, which ascend.
    fn add_to(&self, codes: &[f64], sums: &mut [f64]) {
        let (intervals, places) = self.intervals(codes);
        let found = self.sums_at(&places);
        for interval in intervals {
            let found = &found[interval.places];
            let of_codes = sums[interval.codes.clone()].iter_mut();
            match interval.interpolated_from {
                None => {
                    for (sum, found) in of_codes.zip(found) {
                        *sum += found / self.least;
                    }
                }
                Some(start) => {
                    for (sum, &code) in of_codes.zip(&codes[interval.codes]) {
                        let at = 2.0 * (code - start) / self.least - 1.0;
                        *sum += interpolated(found, at).max(0.0) / self.least;
                    }
                }
            }
        }
    }

    fn intervals(&self, codes: &[f64]) -> (Vec<Interval>, Vec<f64>) {
        let (Some(&first), Some(&last)) = (codes.first(), codes.last()) else {
            return Default::default();
        };
        // Points of an interval must be told apart where it lies.
        let is_resolved = self.least > 1e-9 * first.abs().max(last.abs());
        let number = |code: f64| ((code - first) / self.least).floor();
        let (mut intervals, mut places) = (Vec::new(), Vec::new());
        let mut begin = 0;
        for together in codes.chunk_by(|&a, &b| number(a) == number(b)) {
            let first_place = places.len();
            let start = first + number(together[0]) * self.least;
            let is_interpolated = is_resolved && together.len() > NODES;
            if is_interpolated {
                places.extend((0..NODES).map(|k| start + 0.5 * self.least * (1.0 + node(k))));
            } else {
                places.extend(together);
            }
            intervals.push(Interval {
                codes: begin..begin + together.len(),
                places: first_place..places.len(),
                interpolated_from: is_interpolated.then_some(start),
            });
            begin += together.len();
        }
        (intervals, places)
    }

    /// Σ least·N(place; μ, σ²)·√2π at places that ascend: parts of the posteriors
    /// in fixed order.
    fn sums_at(&self, places: &[f64]) -> Vec<f64> {
        let together = self
            .posteriors
            .len()
            .div_ceil(MOST_PARTS)
            .max(FEWEST_OF_PART);
        let parts = self.posteriors.par_chunks(together).map(|posteriors| {
            let (mut sums, mut terms) = (vec![0.0; places.len()], Vec::new());
            for posterior in posteriors {
                let (mean, share) = (f64::from(posterior.mean), posterior.log_share);
                let inverse = posterior.inverse;
                let reach = REACH / inverse;
                let from = places.partition_point(|&place| place < mean - reach);
                let count = places[from..].partition_point(|&place| place <= mean + reach);
                let reached = from..from + count;
                terms.clear();
                terms.extend(places[reached.clone()].iter().map(|place| {
                    let distance = ((place - mean) * inverse) as f32;
                    share - 0.5 * distance * distance
                }));
                vector::exp_in_place(&mut terms);
                for (sum, &term) in sums[reached].iter_mut().zip(&terms) {
                    *sum += f64::from(term);
                }
            }
            sums
        });
        let mut total = vec![0.0; places.len()];
        for part in parts.collect::<Vec<_>>() {
            for (total, sum) in total.iter_mut().zip(part) {
                *total += sum;
            }
        }
        total
    }
}

/// Chebyshev points of the second kind in [−1, 1], ascending.
fn node(k: usize) -> f64 {
    -(std::f64::consts::PI * k as f64 / (NODES - 1) as f64).cos()
}

/// The polynomial through `values` at the Chebyshev points, at a point of [−1, 1]:
/// the second barycentric formula, whose weights alternate and are halved at the
/// ends.
fn interpolated(values: &[f64], at: f64) -> f64 {
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for (k, &value) in values.iter().enumerate() {
        let distance = at - node(k);
        if distance == 0.0 {
            return value;
        }
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        let is_end = k == 0 || k == NODES - 1;
        let weight = sign * if is_end { 0.5 } else { 1.0 } / distance;
        numerator += weight * value;
        denominator += weight;
    }
    numerator / denominator
}

#[cfg(test)]
mod tests;
