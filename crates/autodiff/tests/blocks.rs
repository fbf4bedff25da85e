//! Training steps on one tape per block of rows.

mod data;

use std::ops::Range;

use autodiff::check;
use autodiff::{Activation, BlockTapes, Error, Float, PanelLayer, Tape, Var};
use data::{normal, uniform};
use ndarray::{Array2, Ix2};
use tensor_ops::panels::Panels;
use tensor_ops::parallel::ThreadPool;

const IMAGES: usize = 9;
const PIXELS: usize = 21;
const HIDDEN: usize = 18;
const LATENT: usize = 2;

const LAYERS: [(usize, usize); 4] = [
    (PIXELS, HIDDEN),
    (HIDDEN, 2 * LATENT),
    (LATENT, HIDDEN),
    (HIDDEN, PIXELS),
];

/// Panel layers one after the other in a flat buffer, and one more number: a
/// log-scale of the codes, which no layer holds.
struct Model<T> {
    layers: Vec<PanelLayer>,
    flat: Vec<T>,
}

fn model<T: Float>() -> Model<T> {
    let (mut layers, mut flat) = (Vec::new(), Vec::new());
    for (i, (inputs, outputs)) in LAYERS.into_iter().enumerate() {
        let mut place = |rows: usize, seed| -> Range<usize> {
            let bound = 1.0 / (inputs as f64).sqrt();
            let dense = uniform(&[rows, outputs], -bound, bound, seed).mapv(T::from_f64);
            let panels = Panels::new(rows, outputs);
            let start = flat.len();
            flat.resize(start + panels.len(), T::ZERO);
            panels.pack_row_major(dense.as_slice().unwrap(), &mut flat[start..]);
            start..flat.len()
        };
        layers.push(PanelLayer {
            weight: place(inputs, 200 + 2 * i as u64),
            bias: place(1, 201 + 2 * i as u64),
            inputs,
            outputs,
        });
    }
    flat.push(T::from_f64(0.1));
    Model { layers, flat }
}

fn rows_of<T: Float>(x: &Array2<f64>, rows: &Range<usize>) -> Vec<T> {
    rows.clone()
        .flat_map(|row| x.row(row).to_vec())
        .map(T::from_f64)
        .collect()
}

/// What the program adds to the plain objective.
#[derive(Clone, Copy, PartialEq)]
enum Extra {
    Nothing,
    /// ½‖W‖² of the first layer, from the block that holds the first row.
    WeightPenalty,
    /// The first layer's weights once more with the bias of another layer.
    OtherBias,
}

/// The sum over the rows of reconstruction and KL.
fn objective<T: Float>(
    tape: &mut Tape<'_, T>,
    layers: &[PanelLayer],
    rows: &Range<usize>,
    extra: Extra,
) -> Result<Var, Error> {
    let images = uniform(&[IMAGES, PIXELS], 0.0, 1.0, 220)
        .mapv(|x| if x < 0.5 { 0.0 } else { x })
        .into_dimensionality::<Ix2>()
        .unwrap();
    let noise = normal(&[IMAGES, LATENT], 221)
        .into_dimensionality::<Ix2>()
        .unwrap();
    let mut parameters = Vec::new();
    for layer in layers {
        parameters.push((
            tape.bound_panels(layer.weight.clone(), layer.inputs, layer.outputs)?,
            tape.bound_panels(layer.bias.clone(), 1, layer.outputs)?,
        ));
    }
    let last = layers[3].bias.end;
    let log_scale = tape.bound_parameter(last..last + 1, &[])?;
    let x = tape.sparse_constant_panels(rows.len(), PIXELS, |storage| {
        Panels::new(rows.len(), PIXELS).pack_row_major(&rows_of(&images, rows), storage);
    });
    let noise = tape.constant_with(&[rows.len(), LATENT], |values| {
        values.copy_from_slice(&rows_of(&noise, rows));
    })?;
    let layer = |tape: &mut Tape<'_, T>, x, i: usize, activation| {
        let (weight, bias): (Var, Var) = parameters[i];
        tape.linear_panels(x, weight, bias, activation)
    };
    let hidden = layer(tape, x, 0, Activation::Relu)?;
    let heads = layer(tape, hidden, 1, Activation::Identity)?;
    let heads = tape.from_panels(heads)?;
    let mean = tape.slice(heads, 1, 0..LATENT)?;
    let log_variance = tape.slice(heads, 1, LATENT..2 * LATENT)?;
    let deviation = tape.scale(log_variance, T::from_f64(0.5))?;
    let deviation = tape.exp(deviation)?;
    let z = tape.mul(deviation, noise)?;
    let z = tape.add(mean, z)?;
    let scale = tape.exp(log_scale)?;
    let z = tape.mul(z, scale)?;
    let z = tape.to_panels(z)?;
    let hidden = layer(tape, z, 2, Activation::Tanh)?;
    let logits = layer(tape, hidden, 3, Activation::Identity)?;
    let reconstruction = tape.bce_with_logits_panels(logits, x)?;
    let variance = tape.exp(log_variance)?;
    let square = tape.square(mean)?;
    let kl = tape.add(square, variance)?;
    let kl = tape.sub(kl, log_variance)?;
    let kl = tape.scale(kl, T::from_f64(0.5))?;
    let kl = tape.sum_axes(kl, &[1])?;
    let loss = tape.add(reconstruction, kl)?;
    let mut loss = tape.sum(loss)?;
    match extra {
        Extra::WeightPenalty if rows.start == 0 => {
            let weight = tape.from_panels(parameters[0].0)?;
            let square = tape.square(weight)?;
            let penalty = tape.sum(square)?;
            let penalty = tape.scale(penalty, T::from_f64(0.5))?;
            loss = tape.add(loss, penalty)?;
        }
        Extra::OtherBias => {
            let other =
                tape.linear_panels(x, parameters[0].0, parameters[2].1, Activation::Tanh)?;
            let other = tape.from_panels(other)?;
            let other = tape.sum(other)?;
            loss = tape.add(loss, other)?;
        }
        Extra::Nothing | Extra::WeightPenalty => {}
    }
    Ok(loss)
}

/// The whole gradient with the rows cut at `cuts`, and the losses' sum.
fn block_gradients<T: Float>(cuts: &[usize], threads: usize, extra: Extra) -> (f64, Vec<T>) {
    let Model { layers, flat } = model::<T>();
    let pool = ThreadPool::new(threads).unwrap();
    let mut blocks = BlockTapes::<T, (Range<usize>, Option<Var>)>::new(
        cuts.windows(2).map(|cut| (cut[0]..cut[1], None)),
    );
    let mut gradients = vec![T::NAN; flat.len()];
    for _ in 0..2 {
        pool.install(|| {
            blocks
                .record(&pool, &flat, |tape, (rows, loss)| {
                    let output = objective(tape, &layers, rows, extra)?;
                    *loss = Some(output);
                    Ok(output)
                })
                .unwrap();
            let scale = T::ONE / T::from_usize(IMAGES);
            blocks.gradients(scale, &mut gradients).unwrap();
        });
    }
    let loss = blocks
        .iter()
        .map(|(tape, (_, loss))| tape.item(loss.unwrap()).unwrap().to_f64())
        .sum();
    (loss, gradients)
}

#[test]
fn layer_gradients_do_not_depend_on_blocks_or_threads() {
    fn assert_bits<T: Float>() {
        let scale_at = model::<T>().flat.len() - 1;
        let (_, whole) = block_gradients::<T>(&[0, 9], 1, Extra::Nothing);
        for cuts in [
            &[0, 5, 9][..],
            &[0, 1, 2, 9],
            &[0, 3, 3, 6, 9],
            &[0, 8, 9, 9],
        ] {
            for threads in [1, 2] {
                let (_, parts) = block_gradients::<T>(cuts, threads, Extra::Nothing);
                assert_eq!(parts[..scale_at], whole[..scale_at], "{cuts:?} {threads}");
                // A parameter outside the layers is a sum of block sums.
                let (part, whole) = (parts[scale_at].to_f64(), whole[scale_at].to_f64());
                assert!((part - whole).abs() <= 8.0 * T::EPSILON.to_f64() * whole.abs());
            }
        }
    }
    assert_bits::<f32>();
    assert_bits::<f64>();
}

#[test]
fn blocks_agree_with_one_whole_backward_and_with_finite_differences() {
    for extra in [Extra::Nothing, Extra::WeightPenalty, Extra::OtherBias] {
        let Model { layers, flat } = model::<f64>();
        let loss_at = |flat: &[f64]| {
            let mut tape = Tape::new().bind(flat);
            let loss = objective(&mut tape, &layers, &(0..IMAGES), extra).unwrap();
            tape.item(loss).unwrap() / IMAGES as f64
        };
        let mut tape = Tape::new().bind(&flat);
        let loss = objective(&mut tape, &layers, &(0..IMAGES), extra).unwrap();
        tape.backward(loss).unwrap();
        let mut whole = vec![0.0; flat.len()];
        tape.add_bound_gradients(&mut whole).unwrap();
        whole.iter_mut().for_each(|g| *g /= IMAGES as f64);

        let (block_loss, blocks) = block_gradients::<f64>(&[0, 4, 9], 2, extra);
        assert!((block_loss / IMAGES as f64 - loss_at(&flat)).abs() < 1e-12);
        for (b, w) in blocks.iter().zip(&whole) {
            assert!((b - w).abs() <= 1e-13 * w.abs().max(1.0), "{b} {w}");
        }
        // Every parameter but the padding, which gets no gradient.
        let mut sample = vec![flat.len() - 1];
        for layer in &layers {
            for (range, rows) in [(&layer.weight, layer.inputs), (&layer.bias, 1)] {
                let panels = Panels::new(rows, layer.outputs);
                let mut used = vec![false; panels.len()];
                for row in 0..rows {
                    for col in 0..layer.outputs {
                        used[panels.index(row, col)] = true;
                        if (row + col) % 5 == 0 {
                            sample.push(range.start + panels.index(row, col));
                        }
                    }
                }
                for (i, used) in used.into_iter().enumerate() {
                    assert!(used || blocks[range.start + i] == 0.0);
                }
            }
        }
        let analytic: Vec<f64> = sample.iter().map(|&i| blocks[i]).collect();
        let numeric: Vec<f64> = sample
            .iter()
            .map(|&i| check::numeric_partial(loss_at, &flat, i, 1e-4))
            .collect();
        let comparison = check::compare(&analytic, &numeric);
        assert!(comparison.relative_error <= data::TOLERANCE, "{comparison}");
    }
}

#[test]
fn layers_are_listed_once_and_contracted_panel_by_panel() {
    let Model { layers, flat } = model::<f32>();
    let pool = ThreadPool::new(2).unwrap();
    let mut blocks = BlockTapes::new([0..4, 4..9]);
    pool.install(|| {
        blocks.record(&pool, &flat, |tape, rows| {
            objective(tape, &layers, rows, Extra::WeightPenalty)
        })
    })
    .unwrap();
    assert_eq!(blocks.layers().collect::<Vec<_>>(), layers);
    let mut whole = vec![0.0; flat.len()];
    blocks.gradients(2.0, &mut whole).unwrap();
    for layer in &layers {
        for panel in 0..layer.panel_count() {
            let (mut dw, mut db) = (vec![f32::NAN; layer.inputs * 16], [f32::NAN; 16]);
            let panels = panel..panel + 1;
            blocks
                .layer_gradient(layer, panels, 2.0, &mut dw, &mut db)
                .unwrap();
            let at = layer.weight.start + panel * layer.inputs * 16;
            assert_eq!(dw, whole[at..at + dw.len()]);
            let at = layer.bias.start + panel * 16;
            assert_eq!(db, whole[at..at + 16]);
        }
        let too_far = layer.panel_count() + 1;
        assert!(matches!(
            blocks.layer_gradient(layer, 0..too_far, 1.0, &mut [], &mut []),
            Err(Error::BufferLength { .. })
        ));
        assert!(matches!(
            blocks.layer_gradient(layer, 0..1, 1.0, &mut [0.0; 3], &mut [0.0; 16]),
            Err(Error::BufferLength { found: 3, .. })
        ));
    }
    // The parameters' own gradients are incomplete and say so.
    let (tape, _) = blocks.iter().next().unwrap();
    assert!(matches!(
        tape.add_bound_gradients(&mut whole),
        Err(Error::NoGradient { .. })
    ));
}

#[test]
fn the_first_error_of_a_block_is_returned() {
    let pool = ThreadPool::new(1).unwrap();
    let mut blocks = BlockTapes::<f64, usize>::new(0..3);
    let error = pool
        .install(|| {
            blocks.record(&pool, &[1.0], |tape, block| {
                let x = tape.bound_parameter(0..1, &[1])?;
                if *block > 0 {
                    tape.reshape(x, &[*block + 1])
                } else {
                    tape.sum(x)
                }
            })
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "reshape: shapes [1] and [2] do not fit: the number of elements must stay the same"
    );
}
