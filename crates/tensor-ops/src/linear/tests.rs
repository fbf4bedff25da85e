//! The layer products of every available path against plain f64 loops.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::eighths::{EIGHTHS, branches};
use crate::isa::Isa;
use crate::kernels::Kernels;
use crate::random::{Stream, fill_normal};

mod fused_adam;

/// Runs `property` on generated cases from a fixed seed.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(strategy, |case| {
        property(case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn dimension() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0_usize..12, 4 => 12_usize..40, 1 => 40_usize..130]
}

fn shape() -> impl Strategy<Value = LinearShape> {
    (dimension(), dimension(), dimension()).prop_map(|(rows, inputs, outputs)| LinearShape {
        rows,
        inputs,
        outputs,
    })
}

/// Normal values in panels, `zeros` of ten of them zero, padding zero.
fn panels<T: Float>(layout: Panels, stream: u64, zeros: u64) -> Vec<T> {
    let mut dense = vec![T::ZERO; layout.rows * layout.cols];
    fill_normal(&mut dense, Stream::new(11, stream), 0);
    for (i, value) in dense.iter_mut().enumerate() {
        if u64::from(Stream::new(12, stream).word(i as u64)) % 10 < zeros {
            *value = T::ZERO;
        }
    }
    let mut packed = vec![T::NAN; layout.len()];
    layout.pack_row_major(&dense, &mut packed);
    packed
}

fn to_f64<T: Float>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

/// |computed − exact| ≤ (k + 4) ε Σ|a||b| elementwise, padding exactly zero.
fn assert_bounded<T: Float>(
    what: &str,
    computed: &[T],
    exact: &[f64],
    magnitude: &[f64],
    k: usize,
) {
    for (i, ((&c, &e), &magnitude)) in computed.iter().zip(exact).zip(magnitude).enumerate() {
        let bound = (k as f64 + 4.0) * T::EPSILON.to_f64() * magnitude;
        assert!(
            (c.to_f64() - e).abs() <= bound,
            "{what}[{i}]: {c} is not {e} ± {bound:e}"
        );
    }
}

fn absolute(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

fn paths() -> impl Iterator<Item = Available> {
    Isa::ALL.into_iter().filter_map(Available::new)
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::Identity),
        Just(Activation::Relu),
        Just(Activation::Tanh)
    ]
}

fn run_forward<T: Float>(
    isa: Available,
    shape: LinearShape,
    x: &[T],
    sparse: bool,
    weight: &[T],
    bias: &[T],
    activation: Activation,
) -> Vec<T> {
    let mut y = vec![T::NAN; shape.y().len()];
    let mut support = Support::new();
    support.scan_for(isa, shape.x(), x);
    let support = sparse.then_some(&support);
    T::forward(
        isa,
        Forward {
            shape,
            x,
            support,
            weight,
            bias,
            activation,
            y: &mut y,
        },
    );
    y
}

fn forward_property<T: Float>(
    isa: Available,
    shape: LinearShape,
    activation: Activation,
    zeros: u64,
) {
    let x = panels::<T>(shape.x(), 0, zeros);
    let weight = panels::<T>(shape.weight(), 1, 0);
    let bias = panels::<T>(Panels::new(1, shape.outputs), 2, 0);
    let y = run_forward(isa, shape, &x, false, &weight, &bias, activation);
    let sparse = run_forward(isa, shape, &x, true, &weight, &bias, activation);
    assert_eq!(bits(&y), bits(&sparse), "skipping zeros changed a result");

    let (x, weight, bias) = (to_f64(&x), to_f64(&weight), to_f64(&bias));
    let mut exact = vec![f64::NAN; y.len()];
    let mut magnitude = exact.clone();
    reference::forward(shape, &x, &weight, &bias, activation, &mut exact);
    let identity = Activation::Identity;
    let (x, weight, bias) = (absolute(&x), absolute(&weight), absolute(&bias));
    reference::forward(shape, &x, &weight, &bias, identity, &mut magnitude);
    assert_bounded("y", &y, &exact, &magnitude, shape.inputs);
}

fn bits<T: Float>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.to_f64().to_bits()).collect()
}

/// The same by the parts that several threads call, each contracting over the
/// eighths of the outputs that it owns and completing some panels of inputs.
fn input_gradient_by_owners<T: Float>(
    isa: Available,
    shape: LinearShape,
    (dy, weight, h): (&[T], &[T], &[T]),
    activation: Activation,
    owners: usize,
) -> Vec<T> {
    fn of(panels: &Range<usize>, layout: Panels) -> Range<usize> {
        panels.start * layout.panel_len()..panels.end * layout.panel_len()
    }
    let owned = |owner: usize| owner * EIGHTHS / owners..(owner + 1) * EIGHTHS / owners;
    let mut partials = Vec::new();
    for branch in (0..owners).flat_map(|owner| branches(owned(owner))) {
        let own = branch_shape(shape, &branch);
        if own.outputs == 0 {
            continue;
        }
        let panels = panels_of(shape.outputs, &branch);
        let mut partial = vec![T::NAN; input_gradient_partial_len(shape)];
        T::contraction(
            isa,
            Contraction {
                shape,
                branch: branch.clone(),
                dy: &dy[of(&panels, shape.y())],
                weight: &weight[of(&panels, shape.weight())],
                partial: &mut partial,
                transposed_dy: &mut vec![T::NAN; transposed_dy(own).len()],
            },
        );
        partials.push((branch, partial));
    }
    let partials = partials
        .iter()
        .map(|(branch, partial)| (branch.clone(), &partial[..]));
    let partials = PartialSums::new(shape.outputs, partials);
    let mut dx = vec![T::NAN; shape.x().len()];
    for owner in 0..owners {
        let panels = panels_of(shape.inputs, &owned(owner));
        let own = of(&panels, shape.x());
        T::completion(
            isa,
            Completion {
                shape,
                panels,
                partials,
                h: &h[own.clone()],
                activation,
                dx: &mut dx[own],
            },
        );
    }
    dx
}

fn input_gradient_property<T: Float>(isa: Available, shape: LinearShape, activation: Activation) {
    let dy = panels::<T>(shape.y(), 3, 0);
    let weight = panels::<T>(shape.weight(), 4, 0);
    let h: Vec<T> = panels::<T>(shape.x(), 5, 2)
        .into_iter()
        .map(|x| activation.apply(x))
        .collect();
    let mut dx = vec![T::NAN; shape.x().len()];
    let mut scratch = LinearScratch::new();
    scratch.buffer = vec![T::NAN; transposed_dy(shape).len() + transposed_dx(shape).len()];
    let given = (&dy[..], &weight[..], &h[..]);
    run_input_gradient(isa, shape, given, activation, &mut dx, &mut scratch);
    for owners in [1, 2, 3, 5, 8] {
        assert_eq!(
            bits(&dx),
            bits(&input_gradient_by_owners(
                isa, shape, given, activation, owners
            )),
            "{owners} owners do not come to the whole"
        );
    }

    let (dy, weight, h) = (to_f64(&dy), to_f64(&weight), to_f64(&h));
    let mut exact = vec![f64::NAN; dx.len()];
    let mut magnitude = exact.clone();
    reference::input_gradient(shape, &dy, &weight, &h, activation, &mut exact);
    let (dy, weight) = (absolute(&dy), absolute(&weight));
    reference::input_gradient(
        shape,
        &dy,
        &weight,
        &h,
        Activation::Identity,
        &mut magnitude,
    );
    assert_bounded("dx", &dx, &exact, &magnitude, shape.outputs);
}

fn weight_gradient_property<T: Float>(
    isa: Available,
    shape: LinearShape,
    split: usize,
    zeros: u64,
) {
    let scale = T::from_f64(0.125);
    let (x, dy) = (
        panels::<T>(shape.x(), 6, zeros),
        panels::<T>(shape.y(), 7, 0),
    );
    let whole = [RowBlock {
        rows: shape.rows,
        x: &x,
        dy: &dy,
        support: None,
    }];
    let (dw, db) = run_weight_gradient(isa, shape, 0..shape.y().panel_count(), &whole, scale);

    // Any cut of the rows, with and without skipping zeros, and any cut of
    // the panels gives the same bits.
    let cut = split.min(shape.rows);
    let parts: Vec<_> = [(0, cut), (cut, shape.rows - cut)]
        .map(|(first, rows)| {
            let rows_of = |layout: Panels, source: &[T]| {
                let mut part = Vec::new();
                for panel in 0..layout.panel_count() {
                    part.extend_from_slice(
                        &source[(panel * layout.rows + first) * LANES..][..rows * LANES],
                    );
                }
                part
            };
            let (x, dy) = (rows_of(shape.x(), &x), rows_of(shape.y(), &dy));
            let mut support = Support::new();
            support.scan_for(isa, Panels::new(rows, shape.inputs), &x);
            (rows, x, dy, support)
        })
        .into();
    for sparse in [false, true] {
        let blocks: Vec<_> = parts
            .iter()
            .map(|(rows, x, dy, support)| RowBlock {
                rows: *rows,
                x,
                dy,
                support: sparse.then_some(support),
            })
            .collect();
        let middle = shape.y().panel_count() / 2;
        let mut joined = (Vec::new(), Vec::new());
        for range in [0..middle, middle..shape.y().panel_count()] {
            let part = run_weight_gradient(isa, shape, range, &blocks, scale);
            joined.0.extend(part.0);
            joined.1.extend(part.1);
        }
        assert_eq!(bits(&dw), bits(&joined.0));
        assert_eq!(bits(&db), bits(&joined.1));
    }

    let (x, dy) = (to_f64(&x), to_f64(&dy));
    let layer = |x: &[f64], dy: &[f64]| {
        let block = [RowBlock {
            rows: shape.rows,
            x,
            dy,
            support: None,
        }];
        let mut gradient = (vec![f64::NAN; dw.len()], vec![f64::NAN; db.len()]);
        let panels = 0..shape.y().panel_count();
        let (dw, db) = (&mut gradient.0, &mut gradient.1);
        reference::weight_gradient(shape.inputs, panels, &block, 0.125, dw, db);
        gradient
    };
    let (exact, magnitude) = (layer(&x, &dy), layer(&absolute(&x), &absolute(&dy)));
    assert_bounded("dw", &dw, &exact.0, &magnitude.0, shape.rows);
    assert_bounded("db", &db, &exact.1, &magnitude.1, shape.rows);
}

fn run_weight_gradient<T: Float>(
    isa: Available,
    shape: LinearShape,
    panels: Range<usize>,
    blocks: &[RowBlock<'_, T>],
    scale: T,
) -> (Vec<T>, Vec<T>) {
    let mut dw = vec![T::NAN; panels.len() * shape.inputs * LANES];
    let mut db = vec![T::NAN; panels.len() * LANES];
    let inputs = shape.inputs;
    T::weight_gradient(
        isa,
        WeightGradient {
            inputs,
            panels,
            blocks,
            scale,
            target: Target::Store {
                dw: &mut dw,
                db: &mut db,
            },
        },
    );
    (dw, db)
}

#[test]
fn forward_is_within_the_error_bound_and_skips_exactly() {
    for isa in paths() {
        check(
            60,
            &(shape(), activations(), 0_u64..11),
            |(shape, activation, zeros)| {
                forward_property::<f32>(isa, shape, activation, zeros);
                forward_property::<f64>(isa, shape, activation, zeros);
            },
        );
    }
}

#[test]
fn input_gradient_is_within_the_error_bound() {
    for isa in paths() {
        check(60, &(shape(), activations()), |(shape, activation)| {
            input_gradient_property::<f32>(isa, shape, activation);
            input_gradient_property::<f64>(isa, shape, activation);
        });
    }
}

#[test]
fn weight_gradient_is_within_the_error_bound_for_any_cut() {
    for isa in paths() {
        check(
            60,
            &(shape(), 0_usize..130, 0_u64..11),
            |(shape, split, zeros)| {
                weight_gradient_property::<f32>(isa, shape, split, zeros);
                weight_gradient_property::<f64>(isa, shape, split, zeros);
            },
        );
    }
}

/// The bits of a row do not depend on the block it is computed in.
#[test]
fn rows_have_the_same_bits_in_any_block() {
    let whole = LinearShape {
        rows: 37,
        inputs: 53,
        outputs: 70,
    };
    for isa in paths() {
        let x = panels::<f32>(whole.x(), 0, 5);
        let dy = panels::<f32>(whole.y(), 1, 0);
        let weight = panels::<f32>(whole.weight(), 2, 0);
        let bias = panels::<f32>(Panels::new(1, whole.outputs), 3, 0);
        let of_block = |first: usize, rows: usize| {
            let cut = |layout: Panels, source: &[f32]| -> Vec<f32> {
                let part = Panels::new(rows, layout.cols);
                let mut dense = vec![0.0; layout.rows * layout.cols];
                layout.unpack_row_major(source, &mut dense);
                let mut packed = vec![f32::NAN; part.len()];
                part.pack_row_major(
                    &dense[first * layout.cols..][..rows * layout.cols],
                    &mut packed,
                );
                packed
            };
            let shape = LinearShape { rows, ..whole };
            let (x, dy) = (cut(whole.x(), &x), cut(whole.y(), &dy));
            let y = run_forward(isa, shape, &x, false, &weight, &bias, Activation::Tanh);
            let mut dx = vec![f32::NAN; shape.x().len()];
            let given = (&dy[..], &weight[..], &x[..]);
            let mut scratch = LinearScratch::new();
            run_input_gradient(isa, shape, given, Activation::Tanh, &mut dx, &mut scratch);
            let dense = |layout: Panels, packed: &[f32]| {
                let mut dense = vec![0.0; layout.rows * layout.cols];
                layout.unpack_row_major(packed, &mut dense);
                bits(&dense)
            };
            (dense(shape.y(), &y), dense(shape.x(), &dx))
        };
        let expected = of_block(0, whole.rows);
        for cuts in [
            vec![0, 1, 9, 37],
            vec![0, 18, 37],
            vec![0, 5, 10, 26, 29, 37],
        ] {
            let mut joined = (Vec::new(), Vec::new());
            for pair in cuts.windows(2) {
                let part = of_block(pair[0], pair[1] - pair[0]);
                joined.0.extend(part.0);
                joined.1.extend(part.1);
            }
            assert_eq!(expected, joined, "rows cut at {cuts:?} on {}", isa.isa());
        }
    }
}

#[test]
#[should_panic(expected = "linear::forward: x 16, weight 32, bias 16, y 15 elements do not fit")]
fn a_wrong_length_is_named() {
    let shape = LinearShape {
        rows: 1,
        inputs: 2,
        outputs: 1,
    };
    forward(
        shape,
        &[0.0; 16],
        &[0.0; 32],
        &[0.0; 16],
        Activation::Relu,
        &mut [0.0_f32; 15],
    );
}

#[test]
#[should_panic(expected = "the support was scanned from None")]
fn a_foreign_support_is_refused() {
    let shape = LinearShape {
        rows: 1,
        inputs: 2,
        outputs: 1,
    };
    let (x, weight, bias) = ([0.0_f32; 16], [0.0; 32], [0.0; 16]);
    forward_sparse(
        shape,
        &x,
        &Support::new(),
        &weight,
        &bias,
        Activation::Relu,
        &mut [0.0; 16],
    );
}
