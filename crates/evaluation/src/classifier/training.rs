//! Training a classifier: softmax cross-entropy by hand-derived gradients.

use models::{AlignedBuffer, Images, PixelRows};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use tensor_ops::adam::{AdamConstants, AdamStep, update};
use tensor_ops::linear::{LinearScratch, RowBlock, input_gradient, weight_gradient};
use tensor_ops::panels::{LANES, Panels};

use super::ClassifierOptions;
use super::network::{Buffers, Network, softmax};
use crate::draws::permutation_rng;

/// Rows of a batch that one task takes through the network. Fixed, so that
/// nothing depends on the number of threads.
const TASK_ROWS: usize = 32;

/// Panels of a weight that one task differentiates and updates.
const TASK_PANELS: usize = 4;

/// Activations and gradients of one block of a batch.
struct Task {
    rows: usize,
    activations: Buffers,
    /// Gradient by each layer's pre-activation.
    gradients: Buffers,
    scratch: LinearScratch<f32>,
}

/// First and second moments and the gradient of one layer.
struct Moments {
    weight: [AlignedBuffer<f32>; 3],
    bias: [AlignedBuffer<f32>; 3],
}

/// Trains a network; inputs have been checked.
pub(super) fn train(
    images: Images<'_>,
    labels: &[u32],
    class_count: usize,
    options: &ClassifierOptions,
) -> Network {
    let (n, pixels) = images.dim();
    let row_major = images.row_major();
    let images = row_major.pixels();
    let widths: Vec<usize> = [pixels]
        .into_iter()
        .chain(options.hidden.iter().copied())
        .chain([class_count])
        .collect();
    let mut network = Network::new(&widths, options.seed);
    let mut moments: Vec<Moments> = network
        .layers
        .iter()
        .map(|layer| Moments {
            weight: std::array::from_fn(|_| AlignedBuffer::zeroed(layer.weight.len())),
            bias: std::array::from_fn(|_| AlignedBuffer::zeroed(layer.bias.len())),
        })
        .collect();
    let batch = options.batch.min(n);
    let mut tasks: Vec<Task> = (0..batch.div_ceil(TASK_ROWS))
        .map(|_| Task {
            rows: 0,
            activations: network.buffers(TASK_ROWS),
            gradients: network.buffers(TASK_ROWS),
            scratch: LinearScratch::new(),
        })
        .collect();
    let total_steps = (options.epochs * n.div_ceil(batch)) as f64;
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut step = 0u64;
    for epoch in 0..options.epochs {
        order.shuffle(&mut permutation_rng(
            options.seed,
            0x0100_0000 + epoch as u64,
        ));
        for indices in order.chunks(batch) {
            let used = indices.len().div_ceil(TASK_ROWS);
            tasks[..used]
                .par_iter_mut()
                .zip(indices.par_chunks(TASK_ROWS))
                .for_each(|(task, indices)| differentiate(&network, images, labels, indices, task));
            let remaining = 1.0 - step as f64 / total_steps;
            step += 1;
            let constants = AdamConstants::with_learning_rate(options.learning_rate * remaining);
            let adam = AdamStep::new(&constants, step);
            let scale = 1.0 / indices.len() as f32;
            apply(&mut network, &mut moments, &tasks[..used], scale, &adam);
        }
    }
    network
}

/// Forward and backward pass of one block of rows.
///
/// With logits l and label y the loss of a row is log Σ exp l − l_y; its gradient
/// by the logits is softmax(l) − one-hot(y), and below it that of
/// [`input_gradient`].
fn differentiate(
    network: &Network,
    images: PixelRows<'_>,
    labels: &[u32],
    indices: &[u32],
    task: &mut Task,
) {
    let rows = indices.len();
    task.rows = rows;
    let input = Panels {
        rows,
        cols: network.inputs(),
    };
    images.pack_indexed(indices, input, &mut task.activations[0][..input.len()]);
    network.forward(network.layers.len(), rows, &mut task.activations);
    let last = network.layers.len();
    let output = Panels {
        rows,
        cols: network.outputs(),
    };
    let logits = &task.activations[last][..output.len()];
    let gradient = &mut task.gradients[last][..output.len()];
    gradient.fill(0.0);
    let mut line = vec![0.0; output.cols];
    for (row, &image) in indices.iter().enumerate() {
        for (class, value) in line.iter_mut().enumerate() {
            *value = logits[output.index(row, class)];
        }
        softmax(&mut line);
        line[labels[image as usize] as usize] -= 1.0;
        for (class, &value) in line.iter().enumerate() {
            gradient[output.index(row, class)] = value;
        }
    }
    for index in (1..last).rev() {
        let layer = &network.layers[index];
        let shape = layer.shape(rows);
        let (below, above) = task.gradients.split_at_mut(index + 1);
        input_gradient(
            shape,
            &above[0][..shape.y().len()],
            &layer.weight,
            &task.activations[index][..shape.x().len()],
            network.layers[index - 1].activation,
            &mut below[index][..shape.x().len()],
            &mut task.scratch,
        );
    }
}

/// Weight gradients over all blocks and the Adam step, by groups of panels.
fn apply(
    network: &mut Network,
    moments: &mut [Moments],
    tasks: &[Task],
    scale: f32,
    adam: &AdamStep<f32>,
) {
    for (index, (layer, moments)) in network.layers.iter_mut().zip(moments).enumerate() {
        let (inputs, outputs, panels) = (layer.inputs, layer.outputs, layer.panels());
        let blocks: Vec<RowBlock<'_, f32>> = tasks
            .iter()
            .map(|task| {
                let x = Panels {
                    rows: task.rows,
                    cols: inputs,
                }
                .len();
                let dy = Panels {
                    rows: task.rows,
                    cols: outputs,
                }
                .len();
                RowBlock {
                    rows: task.rows,
                    x: &task.activations[index][..x],
                    dy: &task.gradients[index + 1][..dy],
                    support: None,
                }
            })
            .collect();
        let group = TASK_PANELS * inputs * LANES;
        let lanes = TASK_PANELS * LANES;
        let [m, v, g] = &mut moments.weight;
        let [bias_m, bias_v, bias_g] = &mut moments.bias;
        let weights = layer
            .weight
            .par_chunks_mut(group)
            .zip(m.par_chunks_mut(group));
        let weights = weights
            .zip(v.par_chunks_mut(group))
            .zip(g.par_chunks_mut(group));
        let biases = layer
            .bias
            .par_chunks_mut(lanes)
            .zip(bias_m.par_chunks_mut(lanes));
        let biases = biases
            .zip(bias_v.par_chunks_mut(lanes))
            .zip(bias_g.par_chunks_mut(lanes));
        weights.zip(biases).enumerate().for_each(
            |(part, ((((p, m), v), g), (((bp, bm), bv), bg)))| {
                let first = part * TASK_PANELS;
                let range = first..(first + TASK_PANELS).min(panels.panel_count());
                weight_gradient(inputs, outputs, range, &blocks, scale, g, bg);
                update(p, m, v, g, adam);
                update(bp, bm, bv, bg, adam);
            },
        );
    }
}
