//! How fast an epoch could be at most: the work that is really executed, each
//! part at the rate that was measured of it alone.

use datasets::Split;
use models::Layout;
use serde::Serialize;
use tensor_ops::panels::{LANES, Panels, Support};

use super::timing::Sampling;
use super::vector::{self, VectorRow};

/// Work of one training epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExecutedWork {
    /// Multiply-adds of all products: those of the first layer that its zeros do
    /// not spare, and of every layer the lanes of whole panels. Lanes are outputs,
    /// in the input gradient rows.
    pub multiply_adds: u64,
    /// Parameters updated, all steps together, padding included and those that the
    /// update leaves as they are.
    pub updates: u64,
    /// Pixels whose loss and gradient are taken.
    pub pixels: u64,
}

impl ExecutedWork {
    /// Of one epoch over `images`, in batches in their order: shuffled batches
    /// have other zeros, and on average as many.
    ///
    /// Where a large batch is taken in blocks of rows, tiles at the cuts are
    /// smaller; that is not counted.
    pub(super) fn of_epoch(layout: &Layout, images: &Split, batch: usize) -> Self {
        let (count, inputs) = (images.len(), layout.inputs());
        let mut support = Support::new();
        let mut panels = Vec::new();
        let mut multiply_adds = 0;
        let others = &layout.layers()[1..];
        for first in (0..count).step_by(batch) {
            let rows = images.slice(first..count.min(first + batch)).to_floats();
            let shape = Panels::new(rows.nrows(), inputs);
            panels.resize(shape.len(), 0.0);
            shape.pack_row_major(rows.as_slice().unwrap_or_default(), &mut panels);
            support.scan(shape, &panels);
            let first = support.executed(layout.layers()[0].outputs);
            multiply_adds += first.forward + first.weight_gradient;
            for layer in others {
                let (inputs, outputs) = (layer.inputs, layer.outputs);
                let forward_and_weights = 2 * shape.rows * inputs * padded(outputs);
                let input_gradient = padded(shape.rows) * inputs * outputs;
                multiply_adds += (forward_and_weights + input_gradient) as u64;
            }
        }
        Self {
            multiply_adds,
            updates: (count.div_ceil(batch) * layout.len()) as u64,
            pixels: (count * inputs) as u64,
        }
    }
}

fn padded(columns: usize) -> usize {
    columns.div_ceil(LANES) * LANES
}

/// Rates of what is no product, on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ElementwiseRates {
    /// Nanoseconds of Adam's update of a parameter.
    pub adam_nanoseconds: f64,
    /// The same in cycles of a line of 16.
    pub adam_cycles_per_line: f64,
    /// Nanoseconds of the loss and the gradient of a pixel.
    pub loss_nanoseconds: f64,
}

impl ElementwiseRates {
    /// Measures them from buffers of the second-level cache.
    pub(super) fn measure(sampling: Sampling, clock_ghz: f64) -> Self {
        let (adam, loss) = (vector::adam(sampling), vector::loss(sampling));
        Self::of(&adam, &loss, clock_ghz)
    }

    fn of(adam: &VectorRow, loss: &VectorRow, clock_ghz: f64) -> Self {
        let adam_nanoseconds = adam.nanoseconds_per_element;
        Self {
            adam_nanoseconds,
            adam_cycles_per_line: adam_nanoseconds * clock_ghz * LANES as f64,
            loss_nanoseconds: loss.nanoseconds_per_element,
        }
    }

    /// The least seconds of `work` on `threads` threads that do `peak` 10⁹
    /// operations a second together: products, updates and losses one after the
    /// other, each evenly on all threads, and nothing else.
    pub(super) fn least_seconds(&self, work: &ExecutedWork, threads: usize, peak: f64) -> f64 {
        let products = 2.0 * work.multiply_adds as f64 / peak;
        let updates = work.updates as f64 * self.adam_nanoseconds;
        let losses = work.pixels as f64 * self.loss_nanoseconds;
        1e-9 * (products + (updates + losses) / threads as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RECIPES;

    #[test]
    fn work_behind_the_first_layer_is_dense_in_whole_panels() {
        let layout = Layout::new(&RECIPES[0].spec().expect("a model"));
        let glyphs = datasets::glyphs::split(0..300);
        let found = ExecutedWork::of_epoch(&layout, &glyphs, 128);
        // 784-256-4(16), 2-256-784: forward and weight gradient; input gradient, the
        // last 44 of 300 rows in lanes of 48.
        let dense_others = 300 * (2 * 256 * 16 + 2 * 2 * 256 + 2 * 256 * 784)
            + 304 * (256 * 4 + 2 * 256 + 256 * 784);
        let first = found.multiply_adds - dense_others;
        let of_first = 2 * 300 * 784 * 256;
        // Digits are mostly zero, and not all.
        assert!(
            first > of_first / 10 && first < of_first * 9 / 10,
            "{first}"
        );
        assert_eq!(found.updates, 3 * layout.len() as u64);
        assert_eq!(found.pixels, 300 * 784);
    }

    #[test]
    fn the_bound_is_the_sum_of_its_parts() {
        let row = |nanoseconds| VectorRow {
            function: "x",
            elements: 1,
            nanoseconds_per_element: nanoseconds,
            elements_per_second: 1e9 / nanoseconds,
        };
        let rates = ElementwiseRates::of(&row(0.5), &row(2.0), 3.0);
        assert_eq!(rates.adam_cycles_per_line, 24.0);
        let work = ExecutedWork {
            multiply_adds: 50_000_000_000,
            updates: 2_000_000_000,
            pixels: 500_000_000,
        };
        // 10¹¹ operations at 10¹¹ a second; 1 s and 1 s over two threads.
        let seconds = rates.least_seconds(&work, 2, 100.0);
        assert!((seconds - 2.0).abs() < 1e-12, "{seconds}");
    }
}
