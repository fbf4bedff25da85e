//! The maximum mean discrepancy between the codes of a batch and the prior
//! (Tolstikhin et al. 2018, arXiv 1711.01558, algorithm 2).

use std::ops::Range;
use std::slice::ChunksExact;

use autodiff::{Error, Tape, Var};
use tensor_ops::Float;
use tensor_ops::panels::Panels;
use tensor_ops::parallel::ThreadPool;

use super::{BatchPenalty, BatchValue};
use crate::network::layout::Role;
use crate::network::pass::Networks;
use crate::step::block::Block;
use crate::step::program::{Latent, Recorder};
use crate::training::configuration::Gradients;

/// Scales of the kernel, in units of 2L: the mean squared distance of two draws
/// of the prior.
const SCALES: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// What MMD² is at most: twice the kernel of two points that are one.
pub(super) const MAXIMUM: usize = 2 * SCALES.len();

/// Pairs whose kernel is computed together.
const LANES: usize = 8;

/// Codes of a task: the same for any number of threads.
const ROWS_AT_ONCE: usize = 8;

/// MMD² between the n codes z of a batch and as many draws p of N(0, I), in L
/// dimensions, with the kernel k summed over seven scales C = 2L·s:
///
/// ```text
/// MMD²    = Σ_{i≠j} k(z_i, z_j)/n(n−1) + Σ_{i≠j} k(p_i, p_j)/n(n−1)
///           − 2 Σ_{i,j} k(z_i, p_j)/n²
/// k(a, b) = Σ_C C/(C + ‖a−b‖²)
/// ```
///
/// The gradient by a code follows from ∂k/∂a = −2 (a−b) κ(a, b), where
/// κ = Σ_C C/(C + ‖a−b‖²)². In the sum over i ≠ j the code z_i is in n − 1 pairs
/// as the first and in as many as the second, and k is symmetric: the sum counts
/// each twice. Of n·β·MMD², n being the factor of every image's loss in the sum
/// over the batch,
///
/// ```text
/// ∂/∂z_i = nβ [ 2/n(n−1) Σ_{j≠i} ∂k(z_i, z_j)/∂z_i − 2/n² Σ_j ∂k(z_i, p_j)/∂z_i ]
///        = 4β [ 1/n Σ_j (z_i − p_j) κ(z_i, p_j) − 1/(n−1) Σ_{j≠i} (z_i − z_j) κ(z_i, z_j) ]
/// ```
///
/// A batch of one image has no pair of codes: its MMD² is defined as 0, and so
/// is the gradient.
///
/// Everything is summed in f64. The codes are shared out over the threads in
/// tasks of a fixed size, and what these found is added in their order.
#[derive(Debug)]
pub(super) struct Discrepancy<T> {
    codes: Sample,
    draws: Sample,
    tasks: Vec<Task>,
    by_codes: Vec<T>,
    latent: usize,
    images: usize,
    collected: usize,
}

impl<T: Float> Discrepancy<T> {
    /// Room for batches of up to `capacity` images.
    pub(super) fn new(latent: usize, capacity: usize) -> Self {
        let task = |_| Task::new(latent);
        Self {
            codes: Sample::new(latent, capacity),
            draws: Sample::new(latent, capacity),
            tasks: (0..capacity.div_ceil(ROWS_AT_ONCE)).map(task).collect(),
            by_codes: vec![T::ZERO; capacity * latent],
            latent,
            images: 0,
            collected: 0,
        }
    }

    /// Takes the next codes, in panels, and as many draws, row-major.
    fn take(&mut self, panels: Panels, codes: &[T], draws: &[T]) {
        for row in 0..panels.rows {
            let image = self.collected + row;
            for j in 0..self.latent {
                self.codes.set(image, j, codes[panels.index(row, j)]);
                self.draws.set(image, j, draws[row * self.latent + j]);
            }
        }
        self.collected += panels.rows;
    }
}

impl<T: Float> BatchPenalty<T> for Discrepancy<T> {
    fn begin(&mut self, images: usize) {
        self.images = images;
        self.collected = 0;
    }

    fn collect(&mut self, block: &Block<T>, _networks: &dyn Networks<T>, noise: &[T]) {
        let panels = Panels::new(block.rows().codes(), self.latent);
        self.take(panels, block.latent().source(Role::Decoder), noise);
    }

    fn finish(&mut self, pool: &ThreadPool, weights: &mut [T]) -> BatchValue {
        let images = self.images;
        let by_codes = &mut self.by_codes[..images * self.latent];
        let mut value = BatchValue {
            penalty: 0.0,
            is_all: true,
        };
        if images < 2 {
            by_codes.fill(T::ZERO);
            return value;
        }
        let (codes, draws) = (&self.codes, &self.draws);
        let tasks = &mut self.tasks[..images.div_ceil(ROWS_AT_ONCE)];
        pool.for_each(tasks, |index, task| {
            let first = index * ROWS_AT_ONCE;
            let rows = first..(first + ROWS_AT_ONCE).min(images);
            task.run(rows, images, codes, draws);
        });
        for task in &*tasks {
            value.penalty += task.share;
        }
        let of_rows = by_codes.chunks_mut(ROWS_AT_ONCE * self.latent);
        for (by_codes, task) in of_rows.zip(tasks) {
            let weights = weights.iter().cycle();
            for ((by_code, &gradient), weight) in
                by_codes.iter_mut().zip(&task.gradient).zip(weights)
            {
                *by_code = T::from_f64(weight.to_f64() * gradient);
            }
        }
        value
    }

    fn by_codes(&self, images: Range<usize>) -> &[T] {
        &self.by_codes[images.start * self.latent..images.end * self.latent]
    }
}

/// Points of a sample, axis by axis: neighbours in memory are compared together.
#[derive(Debug)]
struct Sample {
    stride: usize,
    coordinates: Vec<f64>,
}

impl Sample {
    fn new(latent: usize, capacity: usize) -> Self {
        let stride = capacity.next_multiple_of(LANES);
        Self {
            stride,
            coordinates: vec![0.0; latent * stride],
        }
    }

    fn set<T: Float>(&mut self, row: usize, j: usize, value: T) {
        self.coordinates[j * self.stride + row] = value.to_f64();
    }

    /// The axes, in order.
    fn axes(&self) -> ChunksExact<'_, f64> {
        self.coordinates.chunks_exact(self.stride.max(1))
    }
}

/// Some consecutive codes, compared with all others and all draws.
#[derive(Debug)]
struct Task {
    /// Their part of MMD², and that of as many draws.
    share: f64,
    /// The gradient of n·MMD² by them, row-major.
    gradient: Vec<f64>,
    /// Σ_j (z − z_j) κ(z, z_j) and Σ_j (z − p_j) κ(z, p_j) of one of them.
    pulls: [Vec<f64>; 2],
}

impl Task {
    fn new(latent: usize) -> Self {
        Self {
            share: 0.0,
            gradient: vec![0.0; ROWS_AT_ONCE * latent],
            pulls: [vec![0.0; latent], vec![0.0; latent]],
        }
    }

    fn run(&mut self, rows: Range<usize>, images: usize, codes: &Sample, draws: &Sample) {
        let (n, latent) = (images as f64, self.pulls[0].len());
        let [within, between] = &mut self.pulls;
        self.share = 0.0;
        for (row, gradient) in rows.zip(self.gradient.chunks_exact_mut(latent)) {
            let of_codes = compare(codes, row, codes, 0..images, Some(row), within);
            let to_draws = compare(codes, row, draws, 0..images, None, between);
            let of_draws = compare(draws, row, draws, row + 1..images, None, &mut []);
            self.share += (of_codes + 2.0 * of_draws) / (n * (n - 1.0)) - 2.0 * to_draws / (n * n);
            for ((gradient, within), between) in gradient.iter_mut().zip(&*within).zip(&*between) {
                *gradient = 4.0 * (between / n - within / (n - 1.0));
            }
        }
    }
}

/// Σ_j k(a, b_j) of point `row` of a sample and those of `others` that are in
/// `range` and not `left_out`; Σ_j (a − b_j) κ(a, b_j) goes to `pull`, on as many
/// axes as that has.
fn compare(
    sample: &Sample,
    row: usize,
    others: &Sample,
    range: Range<usize>,
    left_out: Option<usize>,
    pull: &mut [f64],
) -> f64 {
    pull.fill(0.0);
    let latent = sample.axes().len();
    let mut sum = 0.0;
    for first in (range.start / LANES * LANES..range.end).step_by(LANES) {
        let differences = sample.axes().zip(others.axes()).map(|(axis, others)| {
            let mut differences = [axis[row]; LANES];
            for (difference, other) in differences.iter_mut().zip(&others[first..first + LANES]) {
                *difference -= other;
            }
            differences
        });
        let mut squared = [0.0; LANES];
        for difference in differences.clone() {
            for (squared, difference) in squared.iter_mut().zip(difference) {
                *squared += difference * difference;
            }
        }
        let (mut values, mut slopes) = kernel(squared, latent);
        for lane in 0..LANES {
            let other = first + lane;
            if !range.contains(&other) || left_out == Some(other) {
                (values[lane], slopes[lane]) = (0.0, 0.0);
            }
        }
        sum += total(values);
        for (pull, mut differences) in pull.iter_mut().zip(differences) {
            for (difference, slope) in differences.iter_mut().zip(slopes) {
                *difference *= slope;
            }
            *pull += total(differences);
        }
    }
    sum
}

/// k and κ of squared distances in `latent` dimensions.
fn kernel(squared: [f64; LANES], latent: usize) -> ([f64; LANES], [f64; LANES]) {
    let (mut values, mut slopes) = ([0.0; LANES], [0.0; LANES]);
    for c in widths(latent) {
        for lane in 0..LANES {
            let inverse = 1.0 / (c + squared[lane]);
            let value = c * inverse;
            values[lane] += value;
            slopes[lane] += value * inverse;
        }
    }
    (values, slopes)
}

/// Every C of the kernel.
fn widths(latent: usize) -> [f64; SCALES.len()] {
    SCALES.map(|scale| scale * 2.0 * latent as f64)
}

fn total([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// MMD² on the tape, from all pairwise differences.
pub(super) fn record<T: Float>(
    recorder: &mut Recorder<'_, '_, T>,
    latent: &Latent,
) -> Result<Var, Error> {
    let (images, width) = (recorder.images.len(), recorder.spec.architecture.latent);
    if images < 2 {
        return Ok(recorder.tape.scalar(T::ZERO));
    }
    let draws = recorder.noise()?;
    let tape = &mut *recorder.tape;
    let draws = tape.reshape(draws, &[images, width])?;
    let n = images as f64;
    let within = T::from_f64(1.0 / (n * (n - 1.0)));
    // A point's kernel with itself is 1 at every scale, whatever the point.
    let own = T::from_f64(-n * SCALES.len() as f64);
    let mut of_samples = [latent.codes, draws];
    for sample in &mut of_samples {
        let sum = record_kernel(tape, *sample, *sample, [images, width])?;
        let sum = tape.offset(sum, own)?;
        *sample = tape.scale(sum, within)?;
    }
    let between = record_kernel(tape, latent.codes, draws, [images, width])?;
    let between = tape.scale(between, T::from_f64(2.0 / (n * n)))?;
    let within = tape.add(of_samples[0], of_samples[1])?;
    tape.sub(within, between)
}

/// Σ k over all pairs of two samples of one shape.
fn record_kernel<T: Float>(
    tape: &mut Tape<'_, T>,
    a: Var,
    b: Var,
    [images, width]: [usize; 2],
) -> Result<Var, Error> {
    let a = tape.reshape(a, &[images, 1, width])?;
    let b = tape.reshape(b, &[1, images, width])?;
    let difference = tape.sub(a, b)?;
    let square = tape.square(difference)?;
    let squared = tape.sum_axes(square, &[2])?;
    let mut sum = None;
    for c in widths(width).map(T::from_f64) {
        let distance = tape.offset(squared, c)?;
        let c = tape.scalar(c);
        let value = tape.div(c, distance)?;
        sum = Some(match sum {
            Some(sum) => tape.add(sum, value)?,
            None => value,
        });
    }
    tape.sum(sum.unwrap_or(squared))
}

/// Values of the network that it takes room for: coordinates and gradients of
/// twice their size, or what the tape records of n² pairs, of codes and draws with
/// the gradients by it.
pub(super) fn values(gradients: Gradients, latent: usize, capacity: usize) -> f64 {
    let (n, latent, scales) = (capacity as f64, latent as f64, SCALES.len() as f64);
    match gradients {
        Gradients::Hand => 8.0 * n * latent,
        Gradients::Tape => 5.0 * n * n * (2.0 * latent + 3.0 * scales),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor_ops::AlignedBuffer;
    use tensor_ops::random::{Stream, fill_normal};

    /// MMD² and the gradient of n·MMD² by the codes, row-major.
    fn found(
        discrepancy: &mut Discrepancy<f64>,
        [codes, draws]: [&[f64]; 2],
        threads: usize,
    ) -> (f64, Vec<f64>) {
        let latent = discrepancy.latent;
        let images = codes.len() / latent;
        let pool = ThreadPool::new(threads).unwrap();
        discrepancy.begin(images);
        // In two blocks.
        for rows in [0..images / 2, images / 2..images] {
            let (rows, panels) = (
                rows.start * latent..rows.end * latent,
                Panels::new(rows.len(), latent),
            );
            let mut packed = AlignedBuffer::<f64>::zeroed(panels.len());
            panels.pack_row_major(&codes[rows.clone()], &mut packed);
            discrepancy.take(panels, &packed, &draws[rows]);
        }
        // A weight of its own for each dimension, which division takes out exactly.
        let weight = |at: usize| ((at % latent) as f64 + 1.0).exp2();
        let mut weights: Vec<f64> = (0..latent).map(weight).collect();
        let value = discrepancy.finish(&pool, &mut weights);
        assert!(value.is_all);
        let weighed = discrepancy.by_codes(0..images);
        assert_eq!(discrepancy.by_codes(1..images), &weighed[latent..]);
        let weighed = weighed.iter().enumerate();
        let gradient = weighed.map(|(at, by_code)| by_code / weight(at)).collect();
        (value.penalty, gradient)
    }

    #[test]
    fn two_points_by_hand() {
        let k = |d: f64| -> f64 { SCALES.iter().map(|s| 2.0 * s / (2.0 * s + d * d)).sum() };
        let slope = |d: f64| -> f64 {
            let term = |s: &f64| 2.0 * s / (2.0 * s + d * d).powi(2);
            -2.0 * d * SCALES.iter().map(term).sum::<f64>()
        };
        let mut discrepancy = Discrepancy::new(1, 2);
        let (value, gradient) = found(&mut discrepancy, [&[0.0, 1.0], &[3.0, 5.0]], 1);
        let between = (k(3.0) + k(5.0) + k(2.0) + k(4.0)) / 4.0;
        assert!((value - (k(1.0) + k(2.0) - 2.0 * between)).abs() < 1e-14);
        let expected = [
            2.0 * slope(-1.0) - (slope(-3.0) + slope(-5.0)),
            2.0 * slope(1.0) - (slope(-2.0) + slope(-4.0)),
        ];
        for (found, expected) in gradient.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
    }

    #[test]
    fn one_code_has_no_discrepancy() {
        let mut discrepancy = Discrepancy::new(2, 3);
        found(&mut discrepancy, [&[1.0; 6], &[2.0; 6]], 1);
        let (value, gradient) = found(&mut discrepancy, [&[3.0, 4.0], &[0.1, 0.2]], 1);
        assert_eq!((value, gradient), (0.0, vec![0.0; 2]));
    }

    #[test]
    fn any_size_of_batch_and_number_of_threads_gives_the_same_sums() {
        let latent = 3;
        let mut values = vec![0.0; 2 * 70 * latent];
        fill_normal(&mut values, Stream::new(1, 2), 0);
        let mut discrepancy = Discrepancy::new(latent, 70);
        let sizes = [37, 2, 9, 16, 24, 37, 70];
        for &images in &sizes[if cfg!(miri) { 1..3 } else { 0..7 }] {
            let (codes, draws) = values.split_at(values.len() / 2);
            let samples = [codes, draws].map(|sample| &sample[..images * latent]);
            let (value, gradient) = found(&mut discrepancy, samples, 1);
            assert!((value - plain(samples, latent)).abs() < 1e-13, "{images}");
            for threads in [2, 3] {
                let again = found(&mut discrepancy, samples, threads);
                assert_eq!(
                    (value, &gradient),
                    (again.0, &again.1),
                    "{images} {threads}"
                );
            }
            let mut codes = samples[0].to_vec();
            for at in [0, images * latent / 2, images * latent - 1] {
                let mut moved = |by: f64| {
                    codes[at] = samples[0][at] + by;
                    images as f64 * plain([&codes, samples[1]], latent)
                };
                // Of fourth order: a step that is small enough for the second has more
                // rounding of these sums than the error allowed.
                let mut slope = |by: f64| (moved(by) - moved(-by)) / (2.0 * by);
                let numeric = (4.0 * slope(1e-3) - slope(2e-3)) / 3.0;
                moved(0.0);
                assert!(
                    (gradient[at] - numeric).abs() < 1e-8,
                    "{images} {at}: {} {numeric}",
                    gradient[at]
                );
            }
        }
    }

    fn plain([codes, draws]: [&[f64]; 2], latent: usize) -> f64 {
        let n = (codes.len() / latent) as f64;
        let sum = |a: &[f64], b: &[f64], same: bool| {
            let mut sum = 0.0;
            for (i, a) in a.chunks(latent).enumerate() {
                for (j, b) in b.chunks(latent).enumerate() {
                    let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                    if !(same && i == j) {
                        sum += SCALES
                            .map(|s| 1.0 / (1.0 + squared / (2.0 * latent as f64 * s)))
                            .iter()
                            .sum::<f64>();
                    }
                }
            }
            sum
        };
        (sum(codes, codes, true) + sum(draws, draws, true)) / (n * (n - 1.0))
            - 2.0 * sum(codes, draws, false) / (n * n)
    }

    #[test]
    fn the_room_told_is_that_of_every_array() {
        let (latent, images) = (24, 64);
        let Discrepancy {
            codes,
            draws,
            tasks,
            by_codes,
            ..
        } = Discrepancy::<f32>::new(latent, images);
        let of_task = |task: &Task| task.gradient.len() + 2 * task.pulls[0].len();
        let doubles = codes.coordinates.len()
            + draws.coordinates.len()
            + tasks.iter().map(of_task).sum::<usize>();
        let taken = (2 * doubles + by_codes.len()) as f64;
        let told = values(Gradients::Hand, latent, images);
        assert!((1.0..1.1).contains(&(told / taken)), "{told} {taken}");
        // Of a pair of points in three dimensions: differences, squares and their
        // sum; at seven scales offset and quotient, and their sum. Three kernels'
        // values, and the gradients by the two that codes are in.
        let of_pair = 3 + 3 + 1 + 7 + 7 + 6;
        let told = values(Gradients::Tape, 3, 10);
        assert_eq!(told, f64::from((3 + 2) * 10 * 10 * of_pair));
    }
}
