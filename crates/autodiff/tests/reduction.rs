//! Sums, means and log-sum-exp.

mod data;

use autodiff::{Error, Tape};
use data::{assert_close, assert_gradients, error_of, evaluate, signed};
use ndarray::{ArrayD, Axis, arr1, arr2};

const SHAPES: [&[usize]; 8] = [
    &[],
    &[5],
    &[3, 4],
    &[2, 3, 4],
    &[2, 1, 3, 2],
    &[1, 1],
    &[1, 4],
    &[4, 1],
];

/// All sets of axes of a shape.
fn axis_sets(axes: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << axes).map(move |mask| (0..axes).filter(|axis| mask & (1 << axis) != 0).collect())
}

fn sum_over(x: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
    axes.iter()
        .rev()
        .fold(x.clone(), |x, &axis| x.sum_axis(Axis(axis)))
}

#[test]
fn sums_and_means_over_every_set_of_axes() {
    for extents in SHAPES {
        let x = signed(extents, 31);
        for axes in axis_sets(extents.len()) {
            let inputs = std::slice::from_ref(&x);
            let expected = sum_over(&x, &axes);
            let sum = evaluate(inputs, |tape, v| tape.sum_axes(v[0], &axes));
            assert_close((extents, &axes), sum.view(), expected.view(), 1e-14);
            let mean = evaluate(inputs, |tape, v| tape.mean_axes(v[0], &axes));
            let count = (x.len() / expected.len()) as f64;
            assert_close(
                (extents, &axes),
                mean.view(),
                (expected / count).view(),
                1e-14,
            );
            assert_gradients((extents, &axes), inputs, |tape, v| {
                tape.sum_axes(v[0], &axes)
            });
            assert_gradients((extents, &axes), inputs, |tape, v| {
                tape.mean_axes(v[0], &axes)
            });
        }
        assert_gradients(extents, std::slice::from_ref(&x), |tape, v| tape.sum(v[0]));
        assert_gradients(extents, std::slice::from_ref(&x), |tape, v| tape.mean(v[0]));
    }
}

#[test]
fn a_reduced_value_broadcasts_back() {
    assert_gradients("variance", &[signed(&[3, 4], 32)], |tape, v| {
        let mean = tape.mean_axes(v[0], &[1])?;
        let mean = tape.insert_axis(mean, 1)?;
        let centred = tape.sub(v[0], mean)?;
        let square = tape.square(centred)?;
        tape.sum_axes(square, &[1])
    });
}

#[test]
fn logsumexp_over_every_axis() {
    for extents in SHAPES.into_iter().filter(|extents| !extents.is_empty()) {
        for axis in 0..extents.len() {
            let x = signed(extents, 33);
            let y = evaluate(std::slice::from_ref(&x), |tape, v| {
                tape.logsumexp(v[0], axis)
            });
            let expected = x.mapv(f64::exp).sum_axis(Axis(axis)).mapv(f64::ln);
            assert_close((extents, axis), y.view(), expected.view(), 1e-14);
            assert_gradients((extents, axis), &[x], |tape, v| tape.logsumexp(v[0], axis));
        }
    }
}

#[test]
fn logsumexp_of_huge_values_is_exact() {
    for shift in [-1e300, -1e5, -800.0, 800.0, 1e5] {
        let x = arr2(&[[0.0, 1.0], [2.0, -3.0], [1.0, 0.5]]);
        let mut tape = Tape::<f64>::new();
        let p = tape.parameter((&x + shift).view()).unwrap();
        let y = tape.logsumexp(p, 0).unwrap();
        let total = tape.sum(y).unwrap();
        tape.backward(total).unwrap();
        let expected = x.mapv(f64::exp).sum_axis(Axis(0)).mapv(f64::ln);
        let y = tape.value(y).unwrap();
        for (y, e) in y.iter().zip(&expected) {
            assert!((y - (e + shift)).abs() <= 4.0 * f64::EPSILON * shift.abs());
        }
        let columns = tape.gradient(p).unwrap().sum_axis(Axis(0));
        // At −1e300 all differences are rounded away and the value is the
        // largest one, so that each of the three weights is 1.
        let weight = if shift == -1e300 { 3.0 } else { 1.0 };
        for sum in &columns {
            assert!((sum - weight).abs() < 1e-9, "{columns}");
        }
    }
}

#[test]
fn logsumexp_of_infinite_values() {
    let minus = f64::NEG_INFINITY;
    let x = arr2(&[
        [minus, minus, f64::INFINITY, f64::NAN],
        [minus, 1.5, 0.0, minus],
    ]);
    let mut tape = Tape::<f64>::new();
    let p = tape.parameter(x.view()).unwrap();
    let y = tape.logsumexp(p, 0).unwrap();
    let finite = tape.slice(y, 0, 0..2).unwrap();
    tape.backward_with(finite, arr1(&[1.0, 2.0]).view())
        .unwrap();
    let y = tape.value(y).unwrap();
    assert_eq!((y[0], y[1], y[2]), (minus, 1.5, f64::INFINITY));
    assert!(y[3].is_nan());
    let gradient = tape.gradient(p).unwrap();
    assert_eq!(
        gradient.slice(ndarray::s![.., ..2]),
        arr2(&[[0.0, 0.0], [0.0, 2.0]])
    );
}

#[test]
fn empty_axes() {
    for extents in [&[0][..], &[0, 3], &[3, 0], &[2, 0, 3]] {
        let x = ArrayD::<f64>::zeros(extents);
        let inputs = std::slice::from_ref(&x);
        assert_eq!(evaluate(inputs, |tape, v| tape.sum(v[0]))[[]], 0.0);
        assert_gradients(extents, inputs, |tape, v| tape.sum(v[0]));
        for axes in axis_sets(extents.len()) {
            let sum = evaluate(inputs, |tape, v| tape.sum_axes(v[0], &axes));
            assert_eq!(sum, sum_over(&x, &axes));
            assert_gradients((extents, &axes), inputs, |tape, v| {
                tape.sum_axes(v[0], &axes)
            });
        }
        for axis in 0..extents.len() {
            let y = evaluate(inputs, |tape, v| tape.logsumexp(v[0], axis));
            assert!(y.iter().all(|&y| y == f64::NEG_INFINITY));
            assert_gradients(extents, inputs, |tape, v| tape.logsumexp(v[0], axis));
        }
        let error = error_of(&[extents], |tape, v| tape.mean(v[0]));
        assert_eq!(
            error.to_string(),
            format!("mean: the axes reduced in shape {extents:?} hold no element")
        );
    }
    let error = error_of(&[&[3, 0]], |tape, v| tape.mean_axes(v[0], &[1]));
    assert!(matches!(
        error,
        Error::EmptyMean {
            op: "mean_axes",
            ..
        }
    ));
    // Nothing is divided by nothing where the result is empty too.
    assert_gradients("empty", &[ArrayD::zeros(vec![0, 3])], |tape, v| {
        tape.mean_axes(v[0], &[1])
    });
}

#[test]
fn wrong_axes_are_named() {
    for axes in [&[2][..], &[0, 0], &[1, 7]] {
        let error = error_of(&[&[2, 3]], |tape, v| tape.sum_axes(v[0], axes));
        let axis = axes[axes.len() - 1];
        assert_eq!(
            error.to_string(),
            format!("sum_axes: axis {axis} of shape [2, 3] does not exist or is named twice")
        );
    }
    let error = error_of(&[&[]], |tape, v| tape.logsumexp(v[0], 0));
    assert!(matches!(
        error,
        Error::Axis {
            op: "logsumexp",
            axis: 0,
            ..
        }
    ));
}

#[test]
fn long_f32_sums_keep_their_digits() {
    let mut tape = Tape::<f32>::new();
    let x = tape
        .constant_with(&[1_000_000], |values| values.fill(0.1))
        .unwrap();
    let sum = tape.sum(x).unwrap();
    let exact = 1e6 * f64::from(0.1_f32);
    assert!((f64::from(tape.item(sum).unwrap()) / exact - 1.0).abs() < 1e-6);
}
