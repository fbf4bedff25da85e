//! Data with fixed seeds, and the assertions every test file makes.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod objectives;

use std::fmt::Debug;

use autodiff::check;
use autodiff::{Error, Tape, Var};
use ndarray::{ArrayD, ArrayViewD};
use tensor_ops::random::{self, Stream};

/// The relative error gradients are held to.
pub(crate) const TOLERANCE: f64 = 1e-7;

/// Uniform values in [low, high).
pub(crate) fn uniform(extents: &[usize], low: f64, high: f64, seed: u64) -> ArrayD<f64> {
    let mut values = ArrayD::zeros(extents);
    random::fill_uniform(values.as_slice_mut().unwrap(), Stream::new(seed, 1), 0);
    values.mapv(|u: f64| low + (high - low) * u)
}

/// Values of either sign with sizes in [0.2, 1.5): away from the kinks at 0.
pub(crate) fn signed(extents: &[usize], seed: u64) -> ArrayD<f64> {
    uniform(extents, -1.3, 1.3, seed).mapv(|x| x + 0.2_f64.copysign(x))
}

/// Standard normal values.
pub(crate) fn normal(extents: &[usize], seed: u64) -> ArrayD<f64> {
    let mut values = ArrayD::zeros(extents);
    random::fill_normal(values.as_slice_mut().unwrap(), Stream::new(seed, 2), 0);
    values
}

/// Checks the program's gradients by all inputs against finite differences.
#[track_caller]
pub(crate) fn assert_gradients(
    context: impl Debug,
    inputs: &[ArrayD<f64>],
    program: impl Fn(&mut Tape<'_, f64>, &[Var]) -> Result<Var, Error>,
) {
    let comparison = check::gradients(inputs, program).expect("the program records");
    let elements: usize = inputs.iter().map(ArrayD::len).sum();
    assert_eq!(
        comparison.elements, elements,
        "{context:?}: every element is compared"
    );
    assert!(
        comparison.relative_error <= TOLERANCE,
        "{context:?}: {comparison}"
    );
}

/// Runs a program on constants and returns its value.
#[track_caller]
pub(crate) fn evaluate(
    inputs: &[ArrayD<f64>],
    program: impl Fn(&mut Tape<'_, f64>, &[Var]) -> Result<Var, Error>,
) -> ArrayD<f64> {
    let mut tape = Tape::new();
    let variables: Vec<Var> = inputs
        .iter()
        .map(|input| tape.constant(input.view()).unwrap())
        .collect();
    let output = program(&mut tape, &variables).unwrap();
    tape.value(output).unwrap().to_owned()
}

/// Runs a program on constants and returns its error.
#[track_caller]
pub(crate) fn error_of(
    inputs: &[&[usize]],
    program: impl Fn(&mut Tape<'_, f64>, &[Var]) -> Result<Var, Error>,
) -> Error {
    let mut tape = Tape::new();
    let variables: Vec<Var> = inputs
        .iter()
        .map(|extents| tape.constant(ArrayD::zeros(*extents).view()).unwrap())
        .collect();
    program(&mut tape, &variables).expect_err("the program is wrong")
}

/// Asserts equality up to a relative error of `tolerance`.
#[track_caller]
pub(crate) fn assert_close(
    context: impl Debug,
    actual: ArrayViewD<'_, f64>,
    expected: ArrayViewD<'_, f64>,
    tolerance: f64,
) {
    assert_eq!(actual.shape(), expected.shape(), "{context:?}");
    for (a, e) in actual.iter().zip(expected.iter()) {
        assert!(
            (a - e).abs() <= tolerance * e.abs().max(1.0),
            "{context:?}: {a} differs from {e}"
        );
    }
}
