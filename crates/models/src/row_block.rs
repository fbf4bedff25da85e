//! One row block of a training step: forward, loss and activation gradients.

use std::ops::Range;

use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, forward, forward_sparse, input_gradient,
};
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::{Panels, Support};
use tensor_ops::{Activation, Float, reduce};

use crate::aligned::AlignedBuffer;
use crate::batch::BatchSource;
use crate::gradient::ImageLosses;
use crate::importance::{importance_head_gradient, importance_weights};
use crate::latent::{LatentShape, add_kl_by_dimension, code_and_penalty, head_gradient};
use crate::layout::Layout;
use crate::likelihood::{PixelLikelihood, pixel_panels};
use crate::objective::{Bound, Objective};
use crate::parameters::Parameters;
use crate::spec::ModelSpec;

/// Buffers of one contiguous block of images, allocated once for the largest
/// block and used with as many images as a batch gives it.
///
/// All matrices are in panel layout. Up to the head their rows are images;
/// from the codes on each image has a row for every sample, one after the
/// other.
#[derive(Debug)]
pub(crate) struct RowBlockWorkspace<T: Float> {
    /// The latent pass of the batch in hand.
    latent: LatentShape,
    bound: Bound,
    likelihood: PixelLikelihood<T>,
    /// The input of each layer in forward order: x, h₁, …, z, d₁, …
    inputs: Vec<AlignedBuffer<T>>,
    /// The gradient by each layer's pre-activation output. The decoder's last
    /// holds the outputs until the loss turns them into their gradient.
    output_gradients: Vec<AlignedBuffer<T>>,
    head: AlignedBuffer<T>,
    code_gradient: AlignedBuffer<T>,
    noise: Vec<T>,
    sigma: Vec<T>,
    /// −log p(x|z) of every code.
    reconstruction: Vec<T>,
    penalty: Vec<T>,
    samples: SampleWeights<T>,
    support: Support,
    scratch: LinearScratch<T>,
}

/// What the samples of an image count for. Empty where one sample counts
/// fully.
#[derive(Debug)]
struct SampleWeights<T> {
    /// Factor of every code's reconstruction in the loss: 1/k, or w̃.
    weights: Vec<T>,
    /// Room for the weights of one image's codes.
    relative_weights: Vec<f64>,
    /// −bound of every image.
    negative_bounds: Vec<T>,
}

impl<T: Float> SampleWeights<T> {
    fn new(objective: &Objective, capacity: usize) -> Self {
        let importance = objective.bound == Bound::Iwae;
        let only_if = |condition, len| if condition { len } else { 0 };
        let codes = only_if(
            importance || objective.samples > 1,
            capacity * objective.samples,
        );
        Self {
            weights: vec![T::from_f64(1.0 / objective.samples as f64); codes],
            relative_weights: vec![0.0; only_if(importance, objective.samples)],
            negative_bounds: vec![T::ZERO; only_if(importance, capacity)],
        }
    }
}

impl<T: Float> RowBlockWorkspace<T> {
    /// Buffers for up to `capacity` images.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: &Layout,
        capacity: usize,
    ) -> Self {
        let latent = LatentShape::new(spec, capacity, objective.samples);
        let rows_of = |layer| rows_of(layout, layer, latent);
        let buffer = |rows, cols| AlignedBuffer::zeroed(Panels { rows, cols }.len());
        let layers = layout.layers();
        let mut scratch = LinearScratch::new();
        for (index, layer) in layers.iter().enumerate().skip(1) {
            scratch.reserve(shape_of(layer.inputs, layer.outputs, rows_of(index)));
        }
        let mut support = Support::new();
        // Scanning the empty buffer once at full size is what makes later
        // scans free of allocation.
        let pixels = Panels {
            rows: capacity,
            cols: layout.inputs(),
        };
        let inputs: Vec<AlignedBuffer<T>> = layers
            .iter()
            .enumerate()
            .map(|(index, layer)| buffer(rows_of(index), layer.inputs))
            .collect();
        support.scan(pixels, &inputs[0]);
        let output_gradients = layers
            .iter()
            .enumerate()
            .map(|(index, layer)| buffer(rows_of(index), layer.outputs))
            .collect();
        Self {
            bound: objective.bound,
            likelihood: PixelLikelihood::new(spec),
            inputs,
            output_gradients,
            head: AlignedBuffer::zeroed(latent.head().len()),
            code_gradient: AlignedBuffer::zeroed(latent.code().len()),
            noise: vec![T::ZERO; latent.noise_len()],
            sigma: vec![T::ZERO; latent.sigma_len()],
            reconstruction: vec![T::ZERO; latent.code().rows],
            penalty: vec![T::ZERO; capacity],
            samples: SampleWeights::new(objective, capacity),
            support,
            scratch,
            latent: LatentShape {
                images: 0,
                ..latent
            },
        }
    }

    /// Whether the batch in hand has no image for this block.
    pub(crate) fn is_empty(&self) -> bool {
        self.latent.images == 0
    }

    /// Forward pass and losses of the batch's `images`.
    pub(crate) fn forward(
        &mut self,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        images: Range<usize>,
    ) {
        self.latent.images = images.len();
        if self.is_empty() {
            return;
        }
        self.encode(parameters, batch, images);
        self.decode(parameters);
    }

    /// Activation gradients of the images given to
    /// [`forward`](Self::forward), with `kl_weights` the weight of the KL by
    /// latent dimension.
    ///
    /// With a_l the pre-activation output of layer l, h_l = act(a_l) and
    /// δ_l = ∂L_i/∂a_l for the image's own loss L_i:
    ///
    /// * output layer: δ = v_s·∂R_s/∂a, for the Bernoulli R = Σ softplus(a) − t·a
    ///   and ∂R/∂a = σ(a) − t, with v_s = ∂L_i/∂R_s of the sample: 1 of one
    ///   sample, 1/k of k, w̃_s under importance weights; a learned ln σ is the
    ///   bias of a layer without inputs, with a δ of its own;
    /// * each layer below: ∂L_i/∂h_{l−1} = δ_l·W_lᵀ and
    ///   δ_{l−1} = (δ_l·W_lᵀ) ⊙ act'(h_{l−1});
    /// * codes and head: see [`head_gradient`] and
    ///   [`importance_head_gradient`].
    ///
    /// The weight gradients Σ_i h_{l−1}ᵀ δ_l are left to the caller, which
    /// has all blocks.
    pub(crate) fn backward(&mut self, parameters: &Parameters<T>, kl_weights: &[T]) {
        if self.is_empty() {
            return;
        }
        let layout = parameters.layout().as_ref();
        let head = layout.head();
        for layer in (1..layout.decoder().end).rev() {
            if layer == head {
                self.backward_through_codes(layout, kl_weights);
            }
            let shape = layer_shape(layout, layer, self.latent);
            let (below, above) = self.output_gradients.split_at_mut(layer);
            // The decoder's first input is the code, which no activation made.
            let (activation, dx) = if layer == head + 1 {
                (Activation::Identity, &mut self.code_gradient)
            } else {
                (layout.layers()[layer - 1].activation, &mut below[layer - 1])
            };
            input_gradient(
                shape,
                &above[0][..shape.y().len()],
                parameters.weight(layer),
                &self.inputs[layer][..shape.x().len()],
                activation,
                &mut dx[..shape.x().len()],
                &mut self.scratch,
            );
        }
        if head == 0 {
            self.backward_through_codes(layout, kl_weights);
        }
    }

    /// Calls `each` with the losses of every image, in nats and in order.
    pub(crate) fn for_each_image(&self, each: &mut impl FnMut(ImageLosses<T>)) {
        let LatentShape {
            images, samples, ..
        } = self.latent;
        let share = T::from_f64(1.0 / samples as f64);
        for image in 0..images {
            let losses = &self.reconstruction[image * samples..][..samples];
            each(ImageLosses {
                reconstruction: match losses {
                    &[one] => one,
                    several => reduce::sum(several) * share,
                },
                penalty: self.penalty[image],
                negative_bound: self.samples.negative_bounds.get(image).copied(),
            });
        }
    }

    /// Adds the KL of every latent dimension, image by image, to `sums`.
    pub(crate) fn add_kl_by_dimension(&self, sums: &mut [f64]) {
        let latent = self.latent;
        let head = &self.head[..latent.head().len()];
        add_kl_by_dimension(latent, head, &self.sigma[..latent.sigma_len()], sums);
    }

    /// Inputs and output gradients of a layer, for its weight gradient.
    pub(crate) fn gradient_terms(&self, layout: &Layout, layer: usize) -> RowBlock<'_, T> {
        let shape = layer_shape(layout, layer, self.latent);
        RowBlock {
            rows: shape.rows,
            x: &self.inputs[layer][..shape.x().len()],
            dy: &self.output_gradients[layer][..shape.y().len()],
            support: (layer == 0).then_some(&self.support),
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    pub(crate) fn first_non_finite_output(&self, layout: &Layout) -> Option<usize> {
        let decoder = layout.decoder();
        (0..decoder.end).find(|&layer| {
            let shape = layer_shape(layout, layer, self.latent).y();
            let output = if layer == layout.head() {
                &self.head
            } else if layer + 1 == decoder.end {
                &self.output_gradients[layer]
            } else {
                &self.inputs[layer + 1]
            };
            output[..shape.len()].iter().any(|value| !value.is_finite())
        })
    }

    fn encode(
        &mut self,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        images: Range<usize>,
    ) {
        let layout = parameters.layout().as_ref();
        let pixels = Panels {
            rows: images.len(),
            cols: layout.inputs(),
        };
        let x = &mut self.inputs[0][..pixels.len()];
        batch.pack_pixels(images.clone(), pixels, x);
        self.support.scan(pixels, x);

        for layer in 0..=layout.head() {
            let shape = layer_shape(layout, layer, self.latent);
            let (below, above) = self.inputs.split_at_mut(layer + 1);
            let x = &below[layer][..shape.x().len()];
            let y = if layer == layout.head() {
                &mut self.head
            } else {
                &mut above[0]
            };
            let y = &mut y[..shape.y().len()];
            let (weight, bias) = (parameters.weight(layer), parameters.bias(layer));
            let activation = layout.layers()[layer].activation;
            if layer == 0 {
                forward_sparse(shape, x, &self.support, weight, bias, activation, y);
            } else {
                forward(shape, x, weight, bias, activation, y);
            }
        }

        let latent = self.latent;
        let noise = &mut self.noise[..latent.noise_len()];
        if !noise.is_empty() {
            let codes = images.start * latent.samples..images.end * latent.samples;
            batch.fill_noise(codes, latent.latent, noise);
        }
        code_and_penalty(
            latent,
            &self.head[..latent.head().len()],
            noise,
            &mut self.sigma[..latent.sigma_len()],
            &mut self.inputs[layout.head() + 1][..latent.code().len()],
            &mut self.penalty[..latent.images],
        );
    }

    fn decode(&mut self, parameters: &Parameters<T>) {
        let layout = parameters.layout().as_ref();
        let decoder = layout.decoder();
        let last = decoder.end - 1;
        for layer in decoder {
            let shape = layer_shape(layout, layer, self.latent);
            let (below, above) = self.inputs.split_at_mut(layer + 1);
            let x = &below[layer][..shape.x().len()];
            let y = if layer == last {
                &mut self.output_gradients[last]
            } else {
                &mut above[0]
            };
            let activation = layout.layers()[layer].activation;
            forward(
                shape,
                x,
                parameters.weight(layer),
                parameters.bias(layer),
                activation,
                &mut y[..shape.y().len()],
            );
        }
        let codes = self.latent.code().rows;
        let rows = SampledRows {
            shape: pixel_panels(layout, codes),
            samples: self.latent.samples,
        };
        let outputs = layer_shape(layout, last, self.latent).y().len();
        let (decoder, rest) = self.output_gradients.split_at_mut(last + 1);
        let log_sigma_gradient = match (layout.log_sigma(), rest) {
            (Some(layer), [gradient, ..]) => {
                &mut gradient[..layer_shape(layout, layer, self.latent).y().len()]
            }
            _ => &mut [],
        };
        self.likelihood.read(parameters);
        self.likelihood.losses_and_gradients(
            rows,
            &mut decoder[last][..outputs],
            log_sigma_gradient,
            &self.inputs[0][..rows.targets().len()],
            &mut self.reconstruction[..codes],
        );
        self.weigh_samples(layout);
    }

    /// Weighs the reconstruction of every code, in the gradients that
    /// [`decode`](Self::decode) has left by the outputs and by ln σ.
    fn weigh_samples(&mut self, layout: &Layout) {
        let latent = self.latent;
        let codes = latent.code().rows;
        let samples = &mut self.samples;
        if self.bound == Bound::Iwae {
            importance_weights(
                latent,
                &self.head[..latent.head().len()],
                &self.noise[..latent.noise_len()],
                &self.inputs[layout.head() + 1][..latent.code().len()],
                &self.reconstruction[..codes],
                &mut samples.relative_weights,
                &mut samples.weights[..codes],
                &mut samples.negative_bounds[..latent.images],
            );
        }
        if !samples.weights.is_empty() {
            for layer in layout.decoder().end - 1..layout.layers().len() {
                let outputs = layer_shape(layout, layer, latent).y();
                let gradient = &mut self.output_gradients[layer][..outputs.len()];
                outputs.scale_rows(&samples.weights[..codes], gradient);
            }
        }
    }

    fn backward_through_codes(&mut self, layout: &Layout, kl_weights: &[T]) {
        let latent = self.latent;
        let noise = &self.noise[..latent.noise_len()];
        let sigma = &self.sigma[..latent.sigma_len()];
        let code_gradient = &self.code_gradient[..latent.code().len()];
        let gradient = &mut self.output_gradients[layout.head()][..latent.head().len()];
        match self.bound {
            Bound::Elbo => {
                let head = &self.head[..latent.head().len()];
                head_gradient(
                    latent,
                    kl_weights,
                    head,
                    noise,
                    sigma,
                    code_gradient,
                    gradient,
                );
            }
            Bound::Iwae => {
                let code = &self.inputs[layout.head() + 1][..latent.code().len()];
                let weights = &self.samples.weights[..latent.code().rows];
                importance_head_gradient(
                    latent,
                    weights,
                    noise,
                    sigma,
                    code,
                    code_gradient,
                    gradient,
                );
            }
        }
    }
}

fn shape_of(inputs: usize, outputs: usize, rows: usize) -> LinearShape {
    LinearShape {
        rows,
        inputs,
        outputs,
    }
}

/// Rows of a layer: images up to the head, codes after it.
fn rows_of(layout: &Layout, layer: usize, latent: LatentShape) -> usize {
    if layer > layout.head() {
        latent.code().rows
    } else {
        latent.images
    }
}

fn layer_shape(layout: &Layout, layer: usize, latent: LatentShape) -> LinearShape {
    let rows = rows_of(layout, layer, latent);
    let layer = &layout.layers()[layer];
    shape_of(layer.inputs, layer.outputs, rows)
}
