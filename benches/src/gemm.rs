//! The three products of a linear layer on packed panels.

use std::fmt;
use std::ops::Range;

use models::{AlignedBuffer, TrainerError};
use serde::Serialize;
use tensor_ops::Activation;
use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, forward, input_gradient, weight_gradient,
};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::{Stream, fill_normal};

use super::{PeakRates, Sampling};
use runs::Error;

/// A layer applied to a batch: `m` rows, `k` inputs, `n` outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Batch rows.
    pub m: usize,
    /// Inputs of the layer.
    pub k: usize,
    /// Outputs of the layer.
    pub n: usize,
}

const fn product(m: usize, k: usize, n: usize) -> Product {
    Product { m, k, n }
}

/// The layers of the reference architectures, wide and skinny.
pub const PRODUCTS: [Product; 12] = [
    product(128, 784, 256),
    product(128, 256, 784),
    product(128, 256, 4),
    product(128, 2, 256),
    product(256, 784, 512),
    product(256, 512, 784),
    product(128, 784, 400),
    product(128, 400, 784),
    product(128, 400, 20),
    product(20, 784, 200),
    product(20, 200, 784),
    product(20, 200, 50),
];

impl Product {
    /// Operations of each form: a multiplication and an addition per term.
    #[must_use]
    pub fn flops(self) -> u64 {
        2 * (self.m * self.k * self.n) as u64
    }
}

/// Which of a layer's products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// y = act(x·W + b), contracted over the inputs.
    Forward,
    /// dx = (dy·Wᵀ) ⊙ act', contracted over the outputs.
    InputGradient,
    /// dW = xᵀ·dy, contracted over the batch.
    WeightGradient,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Forward, Self::InputGradient, Self::WeightGradient];
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Forward => "forward",
            Self::InputGradient => "input-gradient",
            Self::WeightGradient => "weight-gradient",
        })
    }
}

/// One product's speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GemmRow {
    /// Batch rows.
    pub m: usize,
    /// Inputs of the layer.
    pub k: usize,
    /// Outputs of the layer.
    pub n: usize,
    /// Which of the layer's products.
    pub form: Form,
    /// Threads it was split among.
    pub threads: usize,
    /// 10⁹ operations a second.
    pub gflops: f64,
    /// The same as a share of the multiply-add peak of as many threads.
    pub share_of_peak: f64,
    /// Seconds of one product.
    pub seconds: f64,
}

/// Times that every product is measured.
const ROUNDS: usize = 4;

/// One product's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    product: Product,
    form: Form,
    threads: usize,
    seconds: f64,
}

impl GemmRow {
    pub(super) fn new(measured: Measured, peaks: &PeakRates) -> Self {
        let Measured {
            product,
            form,
            threads,
            seconds,
        } = measured;
        let gflops = product.flops() as f64 / seconds / 1e9;
        Self {
            m: product.m,
            k: product.k,
            n: product.n,
            form,
            threads,
            gflops,
            share_of_peak: peaks.share(threads, gflops),
            seconds,
        }
    }
}

/// Times every product in every form with every number of threads: the best of
/// several rounds over all of them, since a machine that slows down for a
/// second would otherwise do so for one product alone.
pub(super) fn measure(
    thread_counts: &[usize],
    sampling: Sampling,
    peaks: &mut PeakRates,
) -> Result<Vec<Measured>, Error> {
    let mut rows = Vec::new();
    for &threads in thread_counts {
        let pool = ThreadPool::new(threads).map_err(TrainerError::from)?;
        let first = rows.len();
        for product in PRODUCTS {
            rows.extend(Form::ALL.map(|form| Measured {
                product,
                form,
                threads,
                seconds: f64::INFINITY,
            }));
        }
        for _ in 0..ROUNDS {
            for rows in rows[first..].chunks_mut(Form::ALL.len()) {
                let mut layer = Layer::new(rows[0].product, threads);
                for row in rows {
                    peaks.measure(threads)?;
                    let seconds = sampling.seconds_per_call(|| layer.compute(row.form, &pool));
                    row.seconds = row.seconds.min(seconds);
                }
            }
            peaks.measure(threads)?;
        }
    }
    Ok(rows)
}

/// A layer with a batch, split as a step of the tape splits it: the rows into
/// one block per thread for the products over activations, the output panels
/// into one range per thread for the weight gradient. A step by hand splits the
/// outputs of all three; whole epochs (`training`) say what that takes.
#[derive(Debug)]
pub struct Layer {
    shape: Product,
    weight: AlignedBuffer<f32>,
    bias: AlignedBuffer<f32>,
    blocks: Vec<Block>,
    ranges: Vec<PanelRange>,
}

#[derive(Debug)]
struct Block {
    shape: LinearShape,
    x: AlignedBuffer<f32>,
    y: AlignedBuffer<f32>,
    dy: AlignedBuffer<f32>,
    dx: AlignedBuffer<f32>,
    scratch: LinearScratch<f32>,
}

#[derive(Debug)]
struct PanelRange {
    panels: Range<usize>,
    dw: AlignedBuffer<f32>,
    db: AlignedBuffer<f32>,
}

impl Layer {
    /// A layer of this size on standard normal values.
    #[must_use]
    pub fn new(product: Product, threads: usize) -> Self {
        let Product { m, k, n } = product;
        let blocks = parts(m, threads).map(|rows| {
            let shape = LinearShape {
                rows: rows.len(),
                inputs: k,
                outputs: n,
            };
            Block {
                shape,
                x: normal_panels(shape.x(), 1),
                dy: normal_panels(shape.y(), 2),
                y: AlignedBuffer::zeroed(shape.y().len()),
                dx: AlignedBuffer::zeroed(shape.x().len()),
                scratch: LinearScratch::new(),
            }
        });
        let weight = Panels::new(k, n);
        let ranges = parts(weight.panel_count(), threads).map(|panels| PanelRange {
            dw: AlignedBuffer::zeroed(panels.len() * weight.panel_len()),
            db: AlignedBuffer::zeroed(panels.len() * LANES),
            panels,
        });
        Self {
            shape: product,
            weight: normal_panels(weight, 3),
            bias: normal_panels(Panels::new(1, n), 4),
            blocks: blocks.collect(),
            ranges: ranges.collect(),
        }
    }

    /// One product, each part on a thread of the pool.
    pub fn compute(&mut self, form: Form, pool: &ThreadPool) {
        let Self {
            shape: Product { m, k, n },
            weight,
            bias,
            blocks,
            ranges,
        } = self;
        match form {
            Form::Forward => pool.for_each(blocks, |_, block| {
                let Block { shape, x, y, .. } = block;
                forward(*shape, x, weight, bias, Activation::Relu, y);
            }),
            Form::InputGradient => pool.for_each(blocks, |_, block| {
                let Block {
                    shape,
                    x,
                    dy,
                    dx,
                    scratch,
                    ..
                } = block;
                input_gradient(*shape, dy, weight, x, Activation::Relu, dx, scratch);
            }),
            Form::WeightGradient => {
                let terms = blocks.iter().map(|block| RowBlock {
                    rows: block.shape.rows,
                    x: &block.x,
                    dy: &block.dy,
                    support: None,
                });
                let terms: Vec<_> = terms.collect();
                let scale = 1.0 / *m as f32;
                pool.for_each(ranges, |_, range| {
                    let PanelRange { panels, dw, db } = range;
                    weight_gradient(*k, *n, panels.clone(), &terms, scale, dw, db);
                });
            }
        }
    }
}

/// `0..len` in as many contiguous parts, the first ones not smaller than the
/// last ones; empty parts are left out.
fn parts(len: usize, count: usize) -> impl Iterator<Item = Range<usize>> {
    let size = len.div_ceil(count);
    (0..count)
        .map(move |part| (part * size).min(len)..((part + 1) * size).min(len))
        .filter(|range| !range.is_empty())
}

/// Standard normal values in panel layout, the padding zero.
fn normal_panels(shape: Panels, stream: u64) -> AlignedBuffer<f32> {
    let mut values = vec![0.0; shape.rows * shape.cols];
    fill_normal(&mut values, Stream::new(0, stream), 0);
    let mut panels = AlignedBuffer::zeroed(shape.len());
    shape.pack_row_major(&values, &mut panels);
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_shares_of_a_hand_computed_product() {
        let product = product(128, 784, 256);
        // 2 · 128 · 784 · 256
        assert_eq!(product.flops(), 51_380_224);
        let mut peaks = PeakRates::default();
        peaks.record(2, 200.0);
        let row = GemmRow::new(
            Measured {
                product,
                form: Form::Forward,
                threads: 2,
                seconds: 51_380_224.0 / 100e9,
            },
            &peaks,
        );
        assert!((row.gflops - 100.0).abs() < 1e-9, "{row:?}");
        assert!((row.share_of_peak - 0.5).abs() < 1e-12, "{row:?}");
    }

    #[test]
    fn parts_cover_everything_once() {
        let ranges: Vec<_> = parts(20, 3).collect();
        assert_eq!(ranges, [0..7, 7..14, 14..20]);
        assert_eq!(parts(1, 2).collect::<Vec<_>>(), vec![0..1; 1]);
    }

    /// The first rows of the batch are the same values however it is split,
    /// and so must be their outputs; the ranges must cover every panel.
    #[test]
    fn the_split_covers_the_layer_and_changes_no_output() {
        for product in [product(5, 19, 33), product(1, 2, 3)] {
            let [whole, split] = [1, 2].map(|threads| {
                let pool = ThreadPool::new(threads).unwrap();
                let mut layer = Layer::new(product, threads);
                for form in Form::ALL {
                    layer.compute(form, &pool);
                }
                let rows: usize = layer.blocks.iter().map(|block| block.shape.rows).sum();
                assert_eq!(rows, product.m);
                let panels: usize = layer.ranges.iter().map(|range| range.panels.len()).sum();
                assert_eq!(panels, product.n.div_ceil(LANES));
                let first = &layer.blocks[0];
                let mut y = vec![0.0; first.shape.rows * product.n];
                first.shape.y().unpack_row_major(&first.y, &mut y);
                y
            });
            assert!(whole.iter().any(|&value| value != 0.0));
            assert_eq!(whole[..split.len()], split[..]);
        }
    }
}
