//! log p(x|z) of one image under very many codes.

use std::ops::Range;

use tensor_ops::linear::{LinearShape, forward};
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::Panels;

use crate::aligned::AlignedBuffer;
use crate::images::Images;
use crate::likelihood::{PixelLikelihood, output_panels, pixel_panels};
use crate::model::Model;

/// Decodes blocks of codes of one image at a time and gives log p(x|z) of
/// each, on the calling thread and in memory allocated once.
///
/// Importance sampling decodes thousands of codes per image, so that nothing
/// but the codes may change from block to block: the image is converted once
/// ([`ImageDecoder::set_image`]), codes are written where the first layer
/// reads them ([`ImageDecoder::codes_mut`]), and the loss of the last layer
/// is taken while its outputs are in cache. The bits of a row depend on the
/// code and the image alone.
///
/// ```
/// use models::{ImageDecoder, Initialisation, Likelihood, Model, ModelKind, ModelSpec};
///
/// let spec = ModelSpec {
///     kind: ModelKind::Vae,
///     architecture: "16-8-2".parse()?,
///     likelihood: Likelihood::Bernoulli,
///     posterior_scale: Default::default(),
/// };
/// let model = Model::new(spec, Initialisation::PyTorchUniform, 7)?;
/// let mut decoder = ImageDecoder::new(&model, 128);
/// decoder.set_image(&ndarray::Array2::from_elem((1, 16), 255_u8));
/// let codes = decoder.codes_mut(3); // three codes, here the prior's mean
/// codes.fill(0.0);
/// let mut log_likelihoods = [0.0; 3];
/// decoder.log_likelihoods(&mut log_likelihoods);
/// assert!(log_likelihoods[0] < 0.0 && log_likelihoods[0] == log_likelihoods[2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImageDecoder<'a> {
    model: &'a Model,
    decoder: Range<usize>,
    likelihood: PixelLikelihood<f32>,
    block: usize,
    target: AlignedBuffer<f32>,
    /// The input of every layer of the decoder, then the output of the last.
    activations: Vec<AlignedBuffer<f32>>,
}

impl<'a> ImageDecoder<'a> {
    /// A decoder of at most `block` codes at a time.
    pub fn new(model: &'a Model, block: usize) -> Self {
        let layout = model.parameters().layout();
        let decoder = layout.decoder();
        let mut likelihood = PixelLikelihood::new(model.spec());
        likelihood.read(model.parameters());
        let layers = &layout.layers()[decoder.clone()];
        let widths = layers.iter().map(|layer| layer.inputs);
        let outputs = layers.last().map(|layer| layer.outputs);
        let panels = |rows, cols| AlignedBuffer::zeroed(Panels { rows, cols }.len());
        Self {
            model,
            decoder,
            likelihood,
            block,
            target: panels(1, layout.inputs()),
            activations: widths
                .chain(outputs)
                .map(|cols| panels(block, cols))
                .collect(),
        }
    }

    /// The image whose likelihood is asked for, the only one of `image`.
    ///
    /// # Panics
    /// If that is not one image, or it has not as many pixels as the model.
    pub fn set_image<'b>(&mut self, image: impl Into<Images<'b>>) {
        let image = image.into();
        let shape = Panels {
            rows: 1,
            cols: self.model.parameters().layout().inputs(),
        };
        assert!(
            image.dim() == (shape.rows, shape.cols),
            "set_image: images of shape {:?} for a model {} that takes one of {}",
            image.dim(),
            self.model.spec().architecture,
            shape.cols
        );
        image.row_major().pixels().pack(0, shape, &mut self.target);
    }

    /// Room for `rows` codes `[rows, latent]` in panel layout; padding lanes
    /// are never read.
    ///
    /// # Panics
    /// If `rows` is more than the block given at the start.
    pub fn codes_mut(&mut self, rows: usize) -> &mut [f32] {
        assert!(
            rows <= self.block,
            "codes_mut: {rows} rows in a block of {}",
            self.block
        );
        let shape = Panels {
            rows,
            cols: self.model.parameters().layout().latent(),
        };
        &mut self.activations[0][..shape.len()]
    }

    /// log p(x|z) in nats of the image under each of the first codes, as many
    /// as `out` has room for: those last written by a
    /// [`codes_mut`](Self::codes_mut) of as many rows.
    ///
    /// # Panics
    /// If `out` is longer than the block given at the start.
    pub fn log_likelihoods(&mut self, out: &mut [f32]) {
        let rows = out.len();
        assert!(
            rows <= self.block,
            "log_likelihoods: {rows} rows in a block of {}",
            self.block
        );
        let parameters = self.model.parameters();
        for (position, index) in self.decoder.clone().enumerate() {
            let layer = &parameters.layout().layers()[index];
            let shape = LinearShape {
                rows,
                inputs: layer.inputs,
                outputs: layer.outputs,
            };
            let (below, above) = self.activations.split_at_mut(position + 1);
            forward(
                shape,
                &below[position][..shape.x().len()],
                parameters.weight(index),
                parameters.bias(index),
                layer.activation,
                &mut above[0][..shape.y().len()],
            );
        }
        let shape = pixel_panels(parameters.layout(), rows);
        let outputs = output_panels(parameters.layout(), rows).len();
        let outputs = &self.activations[self.decoder.len()][..outputs];
        let rows = SampledRows {
            shape,
            samples: rows.max(1),
        };
        self.likelihood.losses(rows, outputs, &self.target, out);
        for value in out {
            *value = -*value;
        }
    }
}
