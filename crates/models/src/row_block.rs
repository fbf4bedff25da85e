//! One row block of a training step: forward, loss and activation gradients.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, forward, forward_sparse, input_gradient, weight_gradient,
    weight_gradient_adam,
};
use tensor_ops::panels::{Panels, Support};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::{Activation, Float, loss};

use crate::aligned::AlignedBuffer;
use crate::batch::BatchSource;
use crate::configuration::MAXIMUM_THREADS;
use crate::gradient::block_rows;
use crate::latent::{LatentShape, code_and_penalty, head_gradient};
use crate::layout::{Layout, LinearLayer};
use crate::optimiser::OptimiserStep;
use crate::panel_groups::LayerGradients;
use crate::parameters::Parameters;
use crate::spec::ModelKind;

/// The row blocks of a batch: the hand-derived gradient.
#[derive(Debug)]
pub(crate) struct RowBlocks<T: Float> {
    layout: Arc<Layout>,
    blocks: Vec<RowBlockWorkspace<T>>,
}

impl<T: Float> RowBlocks<T> {
    /// `blocks` blocks of up to `capacity` rows each.
    pub(crate) fn new(
        kind: ModelKind,
        layout: Arc<Layout>,
        blocks: usize,
        capacity: usize,
    ) -> Self {
        let blocks = (0..blocks)
            .map(|_| RowBlockWorkspace::new(kind, &layout, capacity))
            .collect();
        Self { layout, blocks }
    }

    /// Forward pass, losses and activation gradients of a batch.
    pub(crate) fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
    ) {
        let count = self.blocks.len();
        pool.for_each(&mut self.blocks, |index, block| {
            block.run(parameters, batch, block_rows(batch.rows(), count, index));
        });
    }

    /// Calls `each` with the reconstruction loss and the penalty of every
    /// image, in order.
    pub(crate) fn for_each_image(&self, mut each: impl FnMut(T, T)) {
        for block in &self.blocks {
            for (&reconstruction, &penalty) in block.reconstruction().iter().zip(block.penalty()) {
                each(reconstruction, penalty);
            }
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    pub(crate) fn first_non_finite_output(&self) -> Option<usize> {
        self.blocks
            .iter()
            .filter_map(|block| block.first_non_finite_output(&self.layout))
            .min()
    }
}

impl<T: Float> RowBlocks<T> {
    /// Calls `work` with what the gradient of a layer is contracted from, in
    /// ascending order of rows.
    fn with_gradient_terms(&self, layer: usize, work: impl FnOnce(&[RowBlock<'_, T>])) {
        let mut terms = [RowBlock {
            rows: 0,
            x: &[],
            dy: &[],
            support: None,
        }; MAXIMUM_THREADS];
        let mut count = 0;
        for block in self.blocks.iter().filter(|block| block.rows > 0) {
            terms[count] = block.gradient_terms(&self.layout, layer);
            count += 1;
        }
        work(&terms[..count]);
    }
}

impl<T: Float> LayerGradients<T> for RowBlocks<T> {
    /// ∂L/∂W = Σ h ᵀδ over the rows of all blocks in ascending order.
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        let LinearLayer {
            inputs, outputs, ..
        } = self.layout.layers()[layer];
        self.with_gradient_terms(layer, |terms| {
            weight_gradient(inputs, outputs, panels, terms, scale, dw, db);
        });
    }

    /// The same, with Adam applied to each tile of the gradient while it is in
    /// registers.
    fn layer_step(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        mut target: [PanelParameters<'_, T>; 2],
        step: &OptimiserStep<T>,
        _scratch: [&mut [T]; 2],
    ) {
        let LinearLayer {
            inputs, outputs, ..
        } = self.layout.layers()[layer];
        let [weight, bias] = target.each_mut().map(|part| PanelParameters {
            values: &mut *part.values,
            m: &mut *part.m,
            v: &mut *part.v,
        });
        self.with_gradient_terms(layer, |terms| {
            let adam = step.adam();
            weight_gradient_adam(inputs, outputs, panels, terms, scale, weight, bias, adam);
        });
        for part in &mut target {
            step.flush(part.m, part.v);
        }
    }
}

/// Buffers of one contiguous block of batch rows, allocated once for the
/// largest block and used with as many rows as a batch gives it.
///
/// All matrices are in panel layout with `rows` lines per panel.
#[derive(Debug)]
struct RowBlockWorkspace<T: Float> {
    kind: ModelKind,
    rows: usize,
    /// The input of each layer in forward order: x, h₁, …, z, d₁, …
    inputs: Vec<AlignedBuffer<T>>,
    /// The gradient by each layer's pre-activation output. The last holds the
    /// logits until the loss turns them into their gradient.
    output_gradients: Vec<AlignedBuffer<T>>,
    head: AlignedBuffer<T>,
    code_gradient: AlignedBuffer<T>,
    noise: Vec<T>,
    sigma: Vec<T>,
    reconstruction: Vec<T>,
    penalty: Vec<T>,
    support: Support,
    scratch: LinearScratch<T>,
}

impl<T: Float> RowBlockWorkspace<T> {
    /// Buffers for up to `capacity` rows.
    fn new(kind: ModelKind, layout: &Layout, capacity: usize) -> Self {
        let buffer = |cols| {
            AlignedBuffer::zeroed(
                Panels {
                    rows: capacity,
                    cols,
                }
                .len(),
            )
        };
        let layers = layout.layers();
        let mut scratch = LinearScratch::new();
        for layer in &layers[1..] {
            scratch.reserve(shape_of(layer.inputs, layer.outputs, capacity));
        }
        let mut support = Support::new();
        // Scanning the empty buffer once at full size is what makes later
        // scans free of allocation.
        let pixels = Panels {
            rows: capacity,
            cols: layout.inputs(),
        };
        let inputs: Vec<AlignedBuffer<T>> =
            layers.iter().map(|layer| buffer(layer.inputs)).collect();
        support.scan(pixels, &inputs[0]);
        let noise = if kind.is_variational() {
            capacity * layout.latent()
        } else {
            0
        };
        Self {
            kind,
            rows: 0,
            inputs,
            output_gradients: layers.iter().map(|layer| buffer(layer.outputs)).collect(),
            head: buffer(layers[layout.head()].outputs),
            code_gradient: buffer(layout.latent()),
            noise: vec![T::ZERO; noise],
            sigma: vec![T::ZERO; noise],
            reconstruction: vec![T::ZERO; capacity],
            penalty: vec![T::ZERO; capacity],
            support,
            scratch,
        }
    }

    /// Forward pass, losses and activation gradients of the batch's `rows`.
    ///
    /// With a_l the pre-activation output of layer l, h_l = act(a_l) and
    /// δ_l = ∂L_i/∂a_l for the image's own loss L_i = R + penalty:
    ///
    /// * output layer: R = Σ softplus(a) − t·a, so δ = σ(a) − t;
    /// * each layer below: ∂L_i/∂h_{l−1} = δ_l·W_lᵀ and
    ///   δ_{l−1} = (δ_l·W_lᵀ) ⊙ act'(h_{l−1});
    /// * code and head: see [`head_gradient`].
    ///
    /// The weight gradients Σ_i h_{l−1}ᵀ δ_l are left to the caller, which
    /// has all blocks.
    fn run(&mut self, parameters: &Parameters<T>, batch: &impl BatchSource<T>, rows: Range<usize>) {
        self.rows = rows.len();
        if rows.is_empty() {
            return;
        }
        self.encode(parameters, batch, rows);
        self.decode(parameters);
        self.backward(parameters);
    }

    /// Reconstruction loss of each row, in nats.
    fn reconstruction(&self) -> &[T] {
        &self.reconstruction[..self.rows]
    }

    /// Penalty of each row (the KL of a VAE), in nats.
    fn penalty(&self) -> &[T] {
        &self.penalty[..self.rows]
    }

    /// Inputs and output gradients of a layer, for its weight gradient.
    fn gradient_terms(&self, layout: &Layout, layer: usize) -> RowBlock<'_, T> {
        let shape = layer_shape(layout, layer, self.rows);
        RowBlock {
            rows: self.rows,
            x: &self.inputs[layer][..shape.x().len()],
            dy: &self.output_gradients[layer][..shape.y().len()],
            support: (layer == 0).then_some(&self.support),
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    fn first_non_finite_output(&self, layout: &Layout) -> Option<usize> {
        (0..layout.layers().len()).find(|&layer| {
            let shape = layer_shape(layout, layer, self.rows).y();
            let output = if layer == layout.head() {
                &self.head
            } else if let Some(next) = self.inputs.get(layer + 1) {
                next
            } else {
                &self.output_gradients[layer]
            };
            output[..shape.len()].iter().any(|value| !value.is_finite())
        })
    }

    fn latent_shape(&self, layout: &Layout) -> LatentShape {
        LatentShape {
            kind: self.kind,
            rows: self.rows,
            latent: layout.latent(),
        }
    }

    fn encode(
        &mut self,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        rows: Range<usize>,
    ) {
        let layout = parameters.layout().as_ref();
        let pixels = Panels {
            rows: self.rows,
            cols: layout.inputs(),
        };
        let x = &mut self.inputs[0][..pixels.len()];
        batch.pack_pixels(rows.clone(), pixels, x);
        self.support.scan(pixels, x);

        for layer in 0..=layout.head() {
            let shape = layer_shape(layout, layer, self.rows);
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

        let latent = self.latent_shape(layout);
        let (noise, sigma) = if self.kind.is_variational() {
            let len = self.rows * layout.latent();
            batch.fill_noise(rows, layout.latent(), &mut self.noise[..len]);
            (&self.noise[..len], &mut self.sigma[..len])
        } else {
            (&[][..], &mut [][..])
        };
        code_and_penalty(
            latent,
            &self.head[..latent.head().len()],
            noise,
            sigma,
            &mut self.inputs[layout.head() + 1][..latent.code().len()],
            &mut self.penalty[..self.rows],
        );
    }

    fn decode(&mut self, parameters: &Parameters<T>) {
        let layout = parameters.layout().as_ref();
        let last = layout.layers().len() - 1;
        for layer in layout.head() + 1..=last {
            let shape = layer_shape(layout, layer, self.rows);
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
        let pixels = Panels {
            rows: self.rows,
            cols: layout.inputs(),
        };
        loss::bce_with_logits(
            pixels,
            &mut self.output_gradients[last][..pixels.len()],
            &self.inputs[0][..pixels.len()],
            &mut self.reconstruction[..self.rows],
        );
    }

    fn backward(&mut self, parameters: &Parameters<T>) {
        let layout = parameters.layout().as_ref();
        let head = layout.head();
        for layer in (1..layout.layers().len()).rev() {
            if layer == head {
                self.backward_through_code(layout);
            }
            let shape = layer_shape(layout, layer, self.rows);
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
            self.backward_through_code(layout);
        }
    }

    fn backward_through_code(&mut self, layout: &Layout) {
        let latent = self.latent_shape(layout);
        let len = if self.kind.is_variational() {
            self.rows * layout.latent()
        } else {
            0
        };
        head_gradient(
            latent,
            &self.head[..latent.head().len()],
            &self.noise[..len],
            &self.sigma[..len],
            &self.code_gradient[..latent.code().len()],
            &mut self.output_gradients[layout.head()][..latent.head().len()],
        );
    }
}

fn shape_of(inputs: usize, outputs: usize, rows: usize) -> LinearShape {
    LinearShape {
        rows,
        inputs,
        outputs,
    }
}

fn layer_shape(layout: &Layout, layer: usize, rows: usize) -> LinearShape {
    let layer = &layout.layers()[layer];
    shape_of(layer.inputs, layer.outputs, rows)
}
