//! Using a model: codes, images and reconstruction losses, in row blocks over
//! the threads of the current pool.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use tensor_ops::linear::{LinearShape, forward};
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::Panels;
use tensor_ops::vector;

use crate::aligned::AlignedBuffer;
use crate::images::{Images, RowMajorImages, contiguous, standard};
use crate::likelihood::{PixelLikelihood, output_panels, pixel_panels};
use crate::model::Model;
use crate::spec::PosteriorScale;

/// Rows taken through the network at a time: large enough for the products
/// to be efficient, small enough for a block's activations to stay in cache.
pub(crate) const BLOCK_ROWS: usize = 128;

/// q(z|x) of every image, or its code.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// μ of a VAE, the code of the others: `[n, latent]`.
    pub mean: Array2<f32>,
    /// log σ², `[n, latent]`; a VAE only.
    pub log_variance: Option<Array2<f32>>,
}

impl Model {
    /// Encodes images: μ and log σ² of q(z|x) for a VAE, the codes otherwise.
    ///
    /// Works in blocks of rows on the current rayon pool; a row's result does
    /// not depend on the blocks.
    ///
    /// # Panics
    /// If the images have not as many pixels as the model has inputs.
    pub fn encode<'a>(&self, images: impl Into<Images<'a>>) -> Codes {
        let images = images.into().row_major();
        let layout = self.parameters().layout();
        self.check_columns("encode", images.dim(), layout.inputs());
        let head = &layout.layers()[layout.head()];
        let outputs = self.map_rows(images.dim().0, head.outputs, |first, rows, buffers, out| {
            let pixels = Panels {
                rows,
                cols: layout.inputs(),
            };
            images
                .pixels()
                .pack(first, pixels, &mut buffers[0][..pixels.len()]);
            self.run_layers(0..layout.head() + 1, rows, buffers);
            let shape = Panels {
                rows,
                cols: head.outputs,
            };
            shape.unpack_row_major(&buffers[layout.head() + 1][..shape.len()], out);
        });
        if !self.spec().kind.is_variational() {
            return Codes {
                mean: outputs,
                log_variance: None,
            };
        }
        let (mean, scale) = outputs.view().split_at(Axis(1), layout.latent());
        let log_variance = match self.spec().posterior_scale {
            PosteriorScale::LogVariance => scale.to_owned(),
            PosteriorScale::LogSigma => scale.mapv(|log_sigma| 2.0 * log_sigma),
        };
        Codes {
            mean: mean.to_owned(),
            log_variance: Some(log_variance),
        }
    }

    /// Decodes codes `[n, latent]` into the decoder's outputs `[n, inputs]`:
    /// logits of a Bernoulli or continuous Bernoulli, what a Gaussian's means
    /// are made from (without its ln σ).
    ///
    /// # Panics
    /// If the codes have not the model's latent dimension.
    pub fn decode_logits(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        self.decode_rows("decode_logits", codes, |_| {})
    }

    /// Decodes codes `[n, latent]` into mean images `[n, inputs]`, the mean of
    /// every pixel under the likelihood: its probability for a Bernoulli.
    ///
    /// # Panics
    /// If the codes have not the model's latent dimension.
    pub fn decode(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        let likelihood = self.spec().likelihood;
        self.decode_rows("decode", codes, |outputs| {
            likelihood.means_in_place(outputs);
        })
    }

    /// Encodes images and decodes their means: mean images `[n, inputs]`.
    ///
    /// # Panics
    /// If the images have not as many pixels as the model has inputs.
    pub fn reconstruct<'a>(&self, images: impl Into<Images<'a>>) -> Array2<f32> {
        self.decode(self.encode(images).mean.view())
    }

    /// −log p(x|z) of each image under its code, in nats, without ever
    /// holding more than a block of logits.
    ///
    /// # Panics
    /// If codes and images differ in number, or either has the wrong width.
    pub fn reconstruction_losses<'a>(
        &self,
        codes: ArrayView2<'_, f32>,
        images: impl Into<Images<'a>>,
    ) -> Vec<f32> {
        self.losses_of_samples(
            "reconstruction_losses",
            codes,
            &images.into().row_major(),
            1,
        )
    }

    /// log p(x|z) of each image under `samples` codes each, in nats: `codes`
    /// are `[n · samples, latent]`, those of an image one after the other, and
    /// so are the results.
    ///
    /// A log-density under a continuous likelihood, and no log-probability of
    /// anything for grey images under a Bernoulli.
    ///
    /// # Panics
    /// If there are not `samples` codes for each image, or either has the
    /// wrong width.
    pub fn log_likelihoods<'a>(
        &self,
        codes: ArrayView2<'_, f32>,
        images: impl Into<Images<'a>>,
        samples: usize,
    ) -> Vec<f32> {
        let mut losses = self.losses_of_samples(
            "log_likelihoods",
            codes,
            &images.into().row_major(),
            samples,
        );
        for loss in &mut losses {
            *loss = -*loss;
        }
        losses
    }

    fn losses_of_samples(
        &self,
        operation: &str,
        codes: ArrayView2<'_, f32>,
        images: &RowMajorImages<'_>,
        samples: usize,
    ) -> Vec<f32> {
        let layout = self.parameters().layout();
        self.check_columns(operation, images.dim(), layout.inputs());
        self.check_columns(operation, codes.dim(), layout.latent());
        let count = codes.nrows();
        assert!(
            count == images.dim().0 * samples,
            "{operation}: {count} codes for {} images of {samples} samples",
            images.dim().0
        );
        let mut likelihood = PixelLikelihood::new(self.spec());
        likelihood.read(self.parameters());
        let codes = standard(codes);
        let losses = self.map_rows(count, 1, |first, rows, buffers, out| {
            let output = self.run_decoder(contiguous(&codes), first, rows, buffers);
            let shape = pixel_panels(layout, rows);
            let (before, after) = buffers.split_at_mut(output);
            let targets = &mut before[0][..shape.len()];
            images
                .pixels()
                .pack_repeated(first, samples, shape, targets);
            let outputs = output_panels(layout, rows).len();
            let rows = SampledRows { shape, samples: 1 };
            likelihood.losses(rows, &after[0][..outputs], targets, out);
        });
        losses.into_raw_vec_and_offset().0
    }

    fn decode_rows(
        &self,
        operation: &str,
        codes: ArrayView2<'_, f32>,
        link: impl Fn(&mut [f32]) + Sync,
    ) -> Array2<f32> {
        let layout = self.parameters().layout();
        self.check_columns(operation, codes.dim(), layout.latent());
        let count = codes.nrows();
        let codes = standard(codes);
        self.map_rows(count, layout.inputs(), |first, rows, buffers, out| {
            let output = self.run_decoder(contiguous(&codes), first, rows, buffers);
            let shape = pixel_panels(layout, rows);
            shape.unpack_row_major(&buffers[output][..shape.len()], out);
            link(out);
        })
    }

    /// Packs codes and runs the decoder; the index of the logits' buffer.
    fn run_decoder(
        &self,
        codes: &[f32],
        first: usize,
        rows: usize,
        buffers: &mut [AlignedBuffer<f32>],
    ) -> usize {
        let layout = self.parameters().layout();
        let Range { start, end } = layout.decoder();
        let shape = Panels {
            rows,
            cols: layout.latent(),
        };
        let range = first * shape.cols..(first + rows) * shape.cols;
        shape.pack_row_major(&codes[range], &mut buffers[start][..shape.len()]);
        self.run_layers(start..end, rows, buffers);
        end
    }

    /// Runs consecutive layers: layer l reads buffer l and writes buffer l + 1.
    fn run_layers(&self, layers: Range<usize>, rows: usize, buffers: &mut [AlignedBuffer<f32>]) {
        for index in layers {
            let layer = &self.parameters().layout().layers()[index];
            let shape = LinearShape {
                rows,
                inputs: layer.inputs,
                outputs: layer.outputs,
            };
            let (below, above) = buffers.split_at_mut(index + 1);
            forward(
                shape,
                &below[index][..shape.x().len()],
                self.parameters().weight(index),
                self.parameters().bias(index),
                layer.activation,
                &mut above[0][..shape.y().len()],
            );
        }
    }

    /// Fills [count, columns] block by block in parallel. `work` gets the
    /// block's first row and size, one buffer per layer input and one for the
    /// last output, and the block's rows of the result.
    fn map_rows(
        &self,
        count: usize,
        columns: usize,
        work: impl Fn(usize, usize, &mut [AlignedBuffer<f32>], &mut [f32]) + Sync,
    ) -> Array2<f32> {
        let layers = self.parameters().layout().layers();
        let block = BLOCK_ROWS.min(count.max(1));
        let buffers = || -> Vec<AlignedBuffer<f32>> {
            // The head's output and the decoder's first input share a buffer,
            // which must hold the wider of the two.
            let widths = (0..=layers.len()).map(|index| {
                let output = index
                    .checked_sub(1)
                    .map_or(0, |below| layers[below].outputs);
                layers
                    .get(index)
                    .map_or(0, |layer| layer.inputs)
                    .max(output)
            });
            widths
                .map(|cols| AlignedBuffer::zeroed(Panels { rows: block, cols }.len()))
                .collect()
        };
        let mut result = Array2::zeros((count, columns));
        if let Some(values) = result.as_slice_mut() {
            values
                .par_chunks_mut(block * columns)
                .enumerate()
                .for_each_init(buffers, |buffers, (index, out)| {
                    work(index * block, out.len() / columns, buffers, out);
                });
        }
        result
    }

    fn check_columns(&self, operation: &str, found: (usize, usize), expected: usize) {
        assert!(
            found.1 == expected,
            "{operation}: an array of shape {found:?} for a model {} that takes {expected} columns",
            self.spec().architecture
        );
    }
}

impl Codes {
    /// Number of codes.
    pub fn len(&self) -> usize {
        self.mean.nrows()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// z = μ + σ·ε for given ε `[n, latent]`; the codes themselves where there
    /// is no σ.
    ///
    /// # Panics
    /// If `noise` has another shape than the codes.
    pub fn sample(&self, noise: ArrayView2<'_, f32>) -> Array2<f32> {
        assert!(
            noise.dim() == self.mean.dim(),
            "sample: noise of shape {:?} for codes of shape {:?}",
            noise.dim(),
            self.mean.dim()
        );
        let Some(log_variance) = &self.log_variance else {
            return self.mean.clone();
        };
        let mut codes = log_variance.mapv(|l| 0.5 * l);
        if let Some(values) = codes.as_slice_mut() {
            vector::exp_in_place(values);
        }
        codes *= &noise;
        codes += &self.mean;
        codes
    }

    /// The codes of a range of images.
    pub fn slice(&self, range: Range<usize>) -> Codes {
        Codes {
            mean: self.mean.slice(s![range.clone(), ..]).to_owned(),
            log_variance: self
                .log_variance
                .as_ref()
                .map(|l| l.slice(s![range, ..]).to_owned()),
        }
    }
}
