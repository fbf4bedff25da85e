//! Functions of one value.

mod data;

use autodiff::{Error, Layout, Tape, Var};
use data::{assert_close, assert_gradients, evaluate, signed, uniform};
use ndarray::{ArrayD, arr1};

type Function = fn(&mut Tape<'_, f64>, Var) -> Result<Var, Error>;
type Case = (&'static str, Function, ArrayD<f64>, fn(f64) -> f64);

/// Each function with data it is smooth on, and its definition.
fn functions(extents: &[usize]) -> Vec<Case> {
    let any = signed(extents, 11);
    let positive = uniform(extents, 0.3, 3.0, 12);
    vec![
        ("neg", |t, x| t.neg(x), any.clone(), |x| -x),
        ("scale", |t, x| t.scale(x, -2.5), any.clone(), |x| -2.5 * x),
        ("offset", |t, x| t.offset(x, 0.7), any.clone(), |x| x + 0.7),
        ("relu", |t, x| t.relu(x), any.clone(), |x| x.max(0.0)),
        ("tanh", |t, x| t.tanh(x), any.clone(), f64::tanh),
        (
            "sigmoid",
            |t, x| t.sigmoid(x),
            any.clone(),
            |x| 1.0 / (1.0 + (-x).exp()),
        ),
        (
            "softplus",
            |t, x| t.softplus(x),
            any.clone(),
            |x| x.exp().ln_1p(),
        ),
        ("exp", |t, x| t.exp(x), any.clone(), f64::exp),
        ("log", |t, x| t.log(x), positive.clone(), f64::ln),
        ("square", |t, x| t.square(x), any.clone(), |x| x * x),
        ("sqrt", |t, x| t.sqrt(x), positive, f64::sqrt),
        (
            "continuous_bernoulli_log_partition",
            |t, x| t.continuous_bernoulli_log_partition(x),
            any.clone(),
            |x| (x.exp_m1() / x).ln(),
        ),
        // No datum within 0.002 of ±0.61: see `clamp_data_avoid_the_kinks`.
        (
            "clamp",
            |t, x| t.clamp(x, -0.61, 0.61),
            any,
            |x| x.clamp(-0.61, 0.61),
        ),
    ]
}

#[test]
fn values_follow_the_definitions() {
    for (name, function, x, definition) in functions(&[3, 5]) {
        let y = evaluate(std::slice::from_ref(&x), |tape, inputs| {
            function(tape, inputs[0])
        });
        assert_close(name, y.view(), x.mapv(definition).view(), 1e-14);
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    for (name, function, x, _) in functions(&[3, 5]) {
        assert_gradients(name, &[x], |tape, inputs| function(tape, inputs[0]));
    }
}

#[test]
fn clamp_data_avoid_the_kinks() {
    let x = signed(&[3, 5], 11);
    assert!(x.iter().all(|x| (x.abs() - 0.61).abs() > 0.01));
    assert!(x.iter().any(|x| x.abs() > 0.61) && x.iter().any(|x| x.abs() < 0.61));
}

#[test]
fn a_value_used_twice_collects_both_gradients() {
    assert_gradients("both", &[signed(&[4], 13)], |tape, inputs| {
        let a = tape.tanh(inputs[0])?;
        let b = tape.exp(inputs[0])?;
        let c = tape.mul(a, b)?;
        let d = tape.add(c, a)?;
        tape.mul(d, d)
    });
}

#[test]
fn empty_and_scalar_values() {
    for extents in [&[0][..], &[2, 0, 3], &[], &[1, 1]] {
        for (name, function, x, _) in functions(extents) {
            if name != "clamp" {
                assert_gradients(name, &[x], |tape, inputs| function(tape, inputs[0]));
            }
        }
    }
}

#[test]
fn extreme_arguments_stay_finite_where_the_function_is() {
    let x = arr1(&[-1e4, -800.0, -40.0, 40.0, 800.0, 1e4]).into_dyn();
    let mut tape = Tape::<f64>::new();
    let p = tape.parameter(x.view()).unwrap();
    let sigmoid = tape.sigmoid(p).unwrap();
    let softplus = tape.softplus(p).unwrap();
    let tanh = tape.tanh(p).unwrap();
    let parts = [sigmoid, softplus, tanh];
    let all = tape.concatenate(&parts, 0).unwrap();
    let total = tape.sum(all).unwrap();
    tape.backward(total).unwrap();
    assert!(tape.value(all).unwrap().iter().all(|y| y.is_finite()));
    let gradient = tape.gradient(p).unwrap();
    assert!(gradient.iter().all(|g| g.is_finite()));
    // σ(−40) = e⁻⁴⁰ to its last digit, in the derivative of softplus and, by
    // σ(1 − σ), of the sigmoid.
    assert!((gradient[2] / (2.0 * (-40.0_f64).exp()) - 1.0).abs() < 1e-14);
    assert_eq!(gradient[4], 1.0);
}

#[test]
fn relu_has_gradient_zero_at_zero_and_clamp_at_its_limits() {
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(arr1(&[-1.0, 0.0, 1.0]).view()).unwrap();
    let relu = tape.relu(x).unwrap();
    let clamp = tape.clamp(x, -1.0, 1.0).unwrap();
    let clamp = tape.scale(clamp, 10.0).unwrap();
    let both = tape.add(relu, clamp).unwrap();
    let total = tape.sum(both).unwrap();
    tape.backward(total).unwrap();
    assert_eq!(
        tape.gradient(x).unwrap(),
        arr1(&[0.0, 10.0, 1.0]).into_dyn()
    );
}

#[test]
fn not_a_number_passes_through() {
    for (name, function, x, _) in functions(&[1]) {
        let y = evaluate(&[x.mapv(|_| f64::NAN)], |tape, inputs| {
            function(tape, inputs[0])
        });
        assert!(y[0].is_nan(), "{name}");
    }
}

#[test]
fn stop_gradient_keeps_the_value_and_stops_the_gradient() {
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(arr1(&[2.0, 3.0]).view()).unwrap();
    let square = tape.square(x).unwrap();
    let stopped = tape.stop_gradient(square).unwrap();
    let y = tape.mul(stopped, x).unwrap();
    let total = tape.sum(y).unwrap();
    tape.backward(total).unwrap();
    assert_eq!(tape.value(stopped).unwrap(), arr1(&[4.0, 9.0]).into_dyn());
    assert_eq!(tape.gradient(x).unwrap(), arr1(&[4.0, 9.0]).into_dyn());
}

#[test]
fn panels_are_refused_by_name() {
    let mut tape = Tape::<f64>::new();
    let x = tape.constant_panels(2, 3, |storage| storage.fill(1.0));
    assert_eq!(
        tape.exp(x).unwrap_err(),
        Error::LayoutMismatch {
            op: "exp",
            shape: tape.shape(x).unwrap(),
            found: Layout::Panels,
            expected: Layout::RowMajor,
        }
    );
    let message = tape.exp(x).unwrap_err().to_string();
    assert!(
        message.starts_with("exp: the operand of shape [2, 3] is stored in panels"),
        "{message}"
    );
}
