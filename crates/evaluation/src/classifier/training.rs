//! Training a classifier: softmax cross-entropy by hand-derived gradients.

use models::{AlignedBuffer, Images, PixelRows};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use tensor_ops::adam::{AdamConstants, AdamStep, Parameters};
use tensor_ops::linear::{LinearScratch, RowBlock, input_gradient, weight_gradient_adam};
use tensor_ops::panels::LANES;
use tensor_ops::random::StreamRng;

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

/// First and second moments of one layer's parameters.
struct Moments {
    weight: [AlignedBuffer<f32>; 2],
    bias: [AlignedBuffer<f32>; 2],
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
    let widths = [&[pixels], &options.hidden[..], &[class_count]].concat();
    let mut network = Network::new(&widths, options.seed);
    let zeros = |of: &AlignedBuffer<f32>| [0, 1].map(|_| AlignedBuffer::zeroed(of.len()));
    let layers = network.layers.iter().map(|layer| Moments {
        weight: zeros(&layer.weight),
        bias: zeros(&layer.bias),
    });
    let mut moments: Vec<Moments> = layers.collect();
    let batch = options.batch.min(n);
    let task = |_| Task {
        rows: 0,
        activations: network.buffers(TASK_ROWS),
        gradients: network.buffers(TASK_ROWS),
        scratch: LinearScratch::new(),
    };
    let mut tasks: Vec<Task> = (0..batch.div_ceil(TASK_ROWS)).map(task).collect();
    let total_steps = (options.epochs * n.div_ceil(batch)) as f64;
    let mut order: Vec<u32> = (0..n as u32).collect();
    let mut step = 0u64;
    for epoch in 0..options.epochs {
        order.shuffle(&mut order_rng(options.seed, epoch));
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

/// Generator of the order of an epoch's images.
fn order_rng(seed: u64, epoch: usize) -> StreamRng {
    permutation_rng(seed, 0x0100_0000 + epoch as u64)
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
    let (first, last) = (network.layers[0].shape(rows).x(), network.layers.len());
    images.pack_indexed(
        indices,
        first,
        0..first.panel_count(),
        &mut task.activations[0][..first.len()],
    );
    network.forward(last, rows, &mut task.activations);
    let output = network.layers[last - 1].shape(rows).y();
    let mut lines = vec![0.0; rows * output.cols];
    output.unpack_row_major(&task.activations[last][..output.len()], &mut lines);
    for (line, &image) in lines.chunks_exact_mut(output.cols).zip(indices) {
        softmax(line);
        line[labels[image as usize] as usize] -= 1.0;
    }
    output.pack_row_major(&lines, &mut task.gradients[last][..output.len()]);
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
        let blocks = tasks.iter().map(|task| {
            let shape = layer.shape(task.rows);
            RowBlock {
                rows: task.rows,
                x: &task.activations[index][..shape.x().len()],
                dy: &task.gradients[index + 1][..shape.y().len()],
                support: None,
            }
        });
        let blocks: Vec<RowBlock<'_, f32>> = blocks.collect();
        let weights = parts(
            &mut layer.weight,
            &mut moments.weight,
            TASK_PANELS * panels.panel_len(),
        );
        let biases = parts(&mut layer.bias, &mut moments.bias, TASK_PANELS * LANES);
        let parts = weights.zip(biases).enumerate();
        parts.for_each(|(part, (weight, bias))| {
            let first = part * TASK_PANELS;
            let range = first..(first + TASK_PANELS).min(panels.panel_count());
            weight_gradient_adam(inputs, outputs, range, &blocks, scale, weight, bias, adam);
        });
    }
}

/// Parameters and their moments in parts of one length.
fn parts<'a>(
    values: &'a mut [f32],
    [m, v]: &'a mut [AlignedBuffer<f32>; 2],
    length: usize,
) -> impl IndexedParallelIterator<Item = Parameters<'a, f32>> {
    let moments = m.par_chunks_mut(length).zip(v.par_chunks_mut(length));
    let parts = values.par_chunks_mut(length).zip(moments);
    parts.map(|(values, (m, v))| Parameters { values, m, v })
}

#[cfg(test)]
mod tests {
    use rand::RngCore;
    use tensor_ops::random::Stream;

    use super::*;

    /// The very order, so that a network can be trained again.
    #[test]
    fn the_order_of_an_epoch_has_its_address() {
        let words = |mut rng: StreamRng| [rng.next_u32(), rng.next_u32()];
        let expected = Stream::new(3, 0x4656_0007).rng(0);
        assert_eq!(words(order_rng(3, 5)), words(expected));
    }

    /// The sum over rows of what reaches a unit is the slope of the summed loss by its
    /// bias.
    #[test]
    fn gradients_are_those_of_finite_differences() {
        let pixels: Vec<u8> = (0..60).map(|i| (i * 83 % 256) as u8).collect();
        let labels: Vec<u32> = (0..20).map(|i| i * i % 4).collect();
        let images = PixelRows::Bytes(&pixels);
        let network = Network::new(&[3, 9, 6, 4], 2);
        let indices: Vec<u32> = (0..20).rev().collect();
        let mut task = Task {
            rows: 0,
            activations: network.buffers(TASK_ROWS),
            gradients: network.buffers(TASK_ROWS),
            scratch: LinearScratch::new(),
        };
        differentiate(&network, images, &labels, &indices, &mut task);
        assert_eq!(task.rows, 20);
        let loss = |network: &Network| -> f64 {
            let mut out = vec![0.0; 80];
            network.infer(images, 0, 3, &mut network.buffers(20), &mut out);
            let rows = out.chunks_exact(4).zip(&labels);
            rows.map(|(row, &label)| -f64::from(row[label as usize]).ln())
                .sum()
        };
        let mut largest = 0.0_f64;
        for (index, layer) in network.layers.iter().enumerate() {
            let outputs = layer.shape(20).y();
            let mut lines = vec![0.0; 20 * layer.outputs];
            let gradient = &task.gradients[index + 1][..outputs.len()];
            outputs.unpack_row_major(gradient, &mut lines);
            for unit in 0..layer.outputs {
                let found: f32 = lines.iter().skip(unit).step_by(layer.outputs).sum();
                let shifted = |h: f32| {
                    let mut moved = network.clone();
                    moved.layers[index].bias[unit] += h;
                    loss(&moved)
                };
                let slope = (shifted(1e-3) - shifted(-1e-3)) / 2e-3;
                let error = (f64::from(found) - slope).abs();
                assert!(error < 0.02, "layer {index}, unit {unit}: {found} {slope}");
                largest = largest.max(slope.abs());
            }
        }
        assert!(largest > 1.0, "{largest} tests nothing");
    }
}
