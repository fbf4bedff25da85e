//! A step recorded again allocates nothing.

mod data;

use std::ops::Range;

use allocation_meter::Meter;
use autodiff::{Activation, BlockTapes, Error, Tape, Var};
use data::objectives::{SAMPLES, images, negative_elbo, negative_iwae_bound, noise, parameters};
use tensor_ops::panels::Panels;
use tensor_ops::parallel::ThreadPool;

#[global_allocator]
static METER: Meter = Meter::new();

/// Allocations of the process while `operation` runs.
fn allocations(operation: impl FnOnce()) -> usize {
    METER.allocations_during(operation).1
}

/// Both parts are one test: a second one in parallel would be counted too.
#[test]
fn steps_after_the_first_allocate_nothing() {
    assert!(
        allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))) > 0,
        "the allocator counts"
    );
    one_tape();
    row_blocks();
}

fn one_tape() {
    let (p, x) = (parameters(), images());
    let (one, many) = (noise(1), noise(SAMPLES));
    let mut tape = Tape::<f64>::new();
    let mut step = || -> Result<(), Error> {
        tape.reset();
        let mut variables: [Option<Var>; 8] = [None; 8];
        for (variable, p) in variables.iter_mut().zip(&p) {
            *variable = Some(tape.parameter(p.view())?);
        }
        let p = variables.map(|variable| variable.expect("there are eight parameters"));
        let x = tape.constant(x.view())?;
        let one = tape.constant(one.view())?;
        let many = tape.constant(many.view())?;
        let elbo = negative_elbo(&mut tape, &p, x, one, Activation::Relu)?;
        let bound = negative_iwae_bound(&mut tape, &p, x, many, SAMPLES, Activation::Tanh)?;
        let parts = [elbo, bound].map(|part| tape.insert_axis(part, 0));
        let [elbo, bound] = parts;
        let both = tape.concatenate(&[elbo?, bound?], 0)?;
        let total = tape.sum(both)?;
        tape.backward(total)
    };
    step().unwrap();
    for _ in 0..3 {
        assert_eq!(allocations(|| step().unwrap()), 0);
    }
}

fn row_blocks() {
    const SIZES: [(usize, usize); 3] = [(40, 50), (50, 3), (3, 40)];
    let mut ranges: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut len = 0;
    let mut place = |rows, cols| {
        let start = len;
        len += Panels::new(rows, cols).len();
        start..len
    };
    for (inputs, outputs) in SIZES {
        ranges.push((place(inputs, outputs), place(1, outputs)));
    }
    let (flat, mut gradients) = (vec![0.0_f32; len], vec![0.0; len]);
    for threads in [1, 2] {
        let pool = ThreadPool::new(threads).unwrap();
        // What a thread sets up when it takes its first task is no part of a step;
        // one that is late has none in the first.
        pool.together(&mut vec![(); threads], |_, (), barrier| barrier.wait());
        let mut blocks = BlockTapes::new([12, 12]);
        let mut step = || -> Result<(), Error> {
            blocks.record(&pool, &flat, |tape, &mut rows| {
                let x = tape.sparse_constant_panels(rows, 40, |storage| storage.fill(0.25));
                let mut y = x;
                for (layer, (inputs, outputs)) in ranges.iter().zip(SIZES) {
                    let weight = tape.bound_panels(layer.0.clone(), inputs, outputs)?;
                    let bias = tape.bound_panels(layer.1.clone(), 1, outputs)?;
                    y = tape.linear_panels(y, weight, bias, Activation::Tanh)?;
                }
                let loss = tape.bce_with_logits_panels(y, x)?;
                tape.sum(loss)
            })?;
            blocks.gradients(1.0 / 24.0, &mut gradients)
        };
        pool.install(|| {
            step().unwrap();
            for _ in 0..3 {
                assert_eq!(allocations(|| step().unwrap()), 0, "{threads} threads");
            }
        });
    }
}
