//! Functions of two values, in every broadcasting pattern.

mod data;

use autodiff::{Error, Shape, Tape, Var};
use data::{TOLERANCE, assert_close, assert_gradients, error_of, evaluate, signed, uniform};
use ndarray::{ArrayD, arr0, arr1};

type Function = fn(&mut Tape<'_, f64>, Var, Var) -> Result<Var, Error>;
type Case = (&'static str, Function, fn(f64, f64) -> f64);

fn functions() -> [Case; 5] {
    [
        ("add", |t, a, b| t.add(a, b), |a, b| a + b),
        ("sub", |t, a, b| t.sub(a, b), |a, b| a - b),
        ("mul", |t, a, b| t.mul(a, b), |a, b| a * b),
        ("div", |t, a, b| t.div(a, b), |a, b| a / b),
        (
            "bce_with_logits",
            |t, a, b| t.bce_with_logits(a, b),
            |l, t| {
                let p = 1.0 / (1.0 + (-l).exp());
                -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())
            },
        ),
    ]
}

/// All pairs of shapes that share `[2, 3, 4]` or a part of it, and some with
/// extents of 0 and 1, four axes and none.
fn broadcast_pairs() -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut shapes = vec![vec![]];
    for extents in [vec![4], vec![3, 4], vec![2, 3, 4]] {
        for mask in 0..1 << extents.len() {
            let repeated = |(axis, &extent): (usize, &usize)| {
                if mask & (1 << axis) == 0 { extent } else { 1 }
            };
            shapes.push(extents.iter().enumerate().map(repeated).collect());
        }
    }
    let mut pairs = Vec::new();
    for a in &shapes {
        for b in &shapes {
            pairs.push((a.clone(), b.clone()));
        }
    }
    for (a, b) in [
        (vec![2, 1, 3, 1], vec![2, 1, 4]),
        (vec![2, 2, 1, 2], vec![1, 2, 3, 1]),
        (vec![0], vec![1]),
        (vec![0, 3], vec![3]),
        (vec![3, 0], vec![3, 1]),
        (vec![2, 0, 3], vec![]),
        (vec![1, 0], vec![2, 1]),
    ] {
        pairs.push((b.clone(), a.clone()));
        pairs.push((a, b));
    }
    pairs
}

fn operands(a: &[usize], b: &[usize]) -> [ArrayD<f64>; 2] {
    [signed(a, 21), uniform(b, 0.4, 0.9, 22)]
}

#[test]
fn values_follow_ndarray_broadcasting_in_every_pattern() {
    for (name, function, definition) in functions() {
        for (a_shape, b_shape) in broadcast_pairs() {
            let [a, b] = operands(&a_shape, &b_shape);
            let shape = Shape::new(&a_shape)
                .unwrap()
                .broadcast(Shape::new(&b_shape).unwrap())
                .unwrap();
            let (wide_a, wide_b) = (
                a.broadcast(shape.extents()).unwrap(),
                b.broadcast(shape.extents()).unwrap(),
            );
            let expected = ndarray::Zip::from(wide_a)
                .and(wide_b)
                .map_collect(|&a, &b| definition(a, b));
            let actual = evaluate(&[a.clone(), b.clone()], |tape, inputs| {
                function(tape, inputs[0], inputs[1])
            });
            assert_close(
                (name, &a_shape, &b_shape),
                actual.view(),
                expected.view(),
                1e-14,
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences_in_every_pattern() {
    for (name, function, _) in functions() {
        for (a_shape, b_shape) in broadcast_pairs() {
            assert_gradients(
                (name, &a_shape, &b_shape),
                &operands(&a_shape, &b_shape),
                |tape, inputs| function(tape, inputs[0], inputs[1]),
            );
        }
    }
}

#[test]
fn both_operands_may_be_the_same_value() {
    for (name, function, _) in functions() {
        let program = |tape: &mut Tape<'_, f64>, inputs: &[Var]| {
            let y = function(tape, inputs[0], inputs[0])?;
            let x = tape.square(inputs[0])?;
            tape.add(x, y)
        };
        assert_gradients(name, &[uniform(&[2, 3], 0.3, 0.9, 23)], program);
    }
}

#[test]
fn constants_get_no_gradient_and_cost_none() {
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(arr1(&[1.0, 2.0]).view()).unwrap();
    let c = tape.constant(arr1(&[3.0, 4.0]).view()).unwrap();
    let s = tape.scalar(2.0);
    let d = tape.mul(c, s).unwrap();
    let y = tape.mul(x, d).unwrap();
    let total = tape.sum(y).unwrap();
    tape.backward(total).unwrap();
    assert_eq!(tape.gradient(x).unwrap(), arr1(&[6.0, 8.0]).into_dyn());
    for constant in [c, s, d] {
        assert!(matches!(
            tape.gradient(constant),
            Err(Error::NoGradient { .. })
        ));
    }
    assert!(matches!(
        {
            let unrelated = tape.sum(d).unwrap();
            tape.backward(unrelated)
        },
        Err(Error::NoGradient { .. })
    ));
}

#[test]
fn bce_with_logits_neither_overflows_nor_cancels() {
    let logits = [-1e4, -800.0, -40.0, -1e-9, 0.0, 40.0, 800.0, 1e4];
    for target in [0.0, 0.3, 1.0] {
        let mut tape = Tape::<f64>::new();
        let l = tape.parameter(arr1(&logits).view()).unwrap();
        let t = tape.constant(arr0(target).view()).unwrap();
        let loss = tape.bce_with_logits(l, t).unwrap();
        let total = tape.sum(loss).unwrap();
        tape.backward(total).unwrap();
        let (loss, gradient) = (tape.value(loss).unwrap(), tape.gradient(l).unwrap());
        for (i, &logit) in logits.iter().enumerate() {
            let e = (-logit.abs()).exp();
            let expected = if logit > 0.0 {
                (1.0 - target) * logit + e.ln_1p()
            } else {
                -target * logit + e.ln_1p()
            };
            assert!((loss[i] - expected).abs() <= 1e-13 * expected.max(f64::MIN_POSITIVE));
            let sigma = if logit > 0.0 { 1.0 } else { e } / (1.0 + e);
            assert!((gradient[i] - (sigma - target)).abs() <= 1e-15);
        }
    }
    // The loss of a confident right answer is e⁻⁴⁰, not 0.
    let right = evaluate(
        &[arr1(&[-40.0]).into_dyn(), arr1(&[0.0]).into_dyn()],
        |tape, v| tape.bce_with_logits(v[0], v[1]),
    );
    assert!((right[0] / (-40.0_f64).exp() - 1.0).abs() < TOLERANCE);
}

#[test]
fn shapes_that_do_not_broadcast_are_named() {
    for (name, function, _) in functions() {
        for (a, b) in [
            (&[2, 3][..], &[2][..]),
            (&[3], &[4]),
            (&[0], &[2]),
            (&[2, 1, 3], &[2, 2]),
        ] {
            let error = error_of(&[a, b], |tape, v| function(tape, v[0], v[1]));
            assert_eq!(
                error.to_string(),
                format!(
                    "{name}: shapes {a:?} and {b:?} do not fit: \
                     extents aligned at the last axis must be equal or 1"
                )
            );
        }
    }
}
