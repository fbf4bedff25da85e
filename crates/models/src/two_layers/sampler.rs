//! Log weights of one image under very many samples.

use tensor_ops::random::Stream;

use super::model::TwoLayerModel;
use super::row_block::StochasticBlock;
use crate::batch::{BatchPixels, IndexedBatch};
use crate::images::PixelRows;

/// Draws samples of both layers for one image and gives the log of their
/// importance weights, on the calling thread and in memory allocated once.
///
/// ```
/// use models::Initialisation;
/// use models::streams::{Purpose, stream};
/// use models::two_layers::{TwoLayerModel, TwoLayerSampler};
///
/// let spec = "16-8-4/4-6-2".parse()?;
/// let model = TwoLayerModel::new(spec, Initialisation::Glorot, 1)?;
/// let mut sampler = TwoLayerSampler::new(&model, 32);
/// let mut log_weights = [0.0; 5];
/// sampler.log_weights(&[255; 16], stream(1, Purpose::Sampling, 0), 0, &mut log_weights);
/// assert!(log_weights.iter().all(|w| w.is_finite()));
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Debug)]
pub struct TwoLayerSampler<'a> {
    model: &'a TwoLayerModel,
    block: StochasticBlock<f32>,
    capacity: usize,
}

impl<'a> TwoLayerSampler<'a> {
    /// A sampler of at most `block` samples at a time.
    pub fn new(model: &'a TwoLayerModel, block: usize) -> Self {
        let layout = model.parameters().layout();
        Self {
            model,
            block: StochasticBlock::new(model.spec(), layout, 1, block),
            capacity: block,
        }
    }

    /// log w in nats of as many samples as `out` has room for, from number
    /// `first` on: sample s has its ε at s·[noise
    /// width](super::TwoLayerSpec::noise_width) of the stream, whatever the
    /// block. `pixels` are bytes that stand for b / 255.
    ///
    /// # Panics
    /// If `out` is longer than the block given at the start, or the pixels are
    /// not the model's.
    pub fn log_weights(&mut self, pixels: &[u8], noise: Stream, first: usize, out: &mut [f64]) {
        let (spec, parameters) = (self.model.spec(), self.model.parameters());
        assert!(
            out.len() <= self.capacity && pixels.len() == spec.lower.inputs,
            "log_weights: {} samples of {} pixels in a block of {} for a model {spec}",
            out.len(),
            pixels.len(),
            self.capacity,
        );
        if out.is_empty() {
            return;
        }
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Bytes(pixels)),
            indices: &[0],
            noise,
            noise_offset: (first * spec.noise_width()) as u64,
        };
        self.block.encode(parameters, &batch, 0..1, out.len());
        self.block.decode_alone(parameters);
        for (out, log_weight) in out.iter_mut().zip(self.block.log_weights()) {
            *out = log_weight;
        }
    }
}
