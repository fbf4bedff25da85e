//! The tape itself: leaves, binding, resetting, and misuse.

mod data;

use autodiff::{Activation, Error, Shape, Tape};
use data::signed;
use ndarray::{Array2, ArrayD, arr0, arr1, arr2};

#[test]
fn leaves_take_any_memory_order() {
    let mut tape = Tape::<f64>::new();
    let matrix = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as f64);
    let transposed = tape.parameter(matrix.t()).unwrap();
    assert_eq!(
        tape.value(transposed).unwrap(),
        matrix.t().to_owned().into_dyn()
    );
    assert_eq!(
        tape.shape(transposed).unwrap(),
        Shape::new(&[4, 3]).unwrap()
    );
    let filled = tape
        .constant_with(&[2, 2], |values| {
            values.copy_from_slice(&[1.0, 2.0, 3.0, 4.0])
        })
        .unwrap();
    assert_eq!(
        tape.value(filled).unwrap(),
        arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn()
    );
    let scalar = tape.scalar(7.0);
    assert_eq!(tape.value(scalar).unwrap(), arr0(7.0).into_dyn());
    assert_eq!(tape.item(scalar).unwrap(), 7.0);
    assert!(matches!(tape.item(filled), Err(Error::NotScalar { .. })));
    assert_eq!(tape.len(), 3);
    assert!(format!("{tape:?}").contains("Leaf"));
}

#[test]
fn bound_parameters_are_read_in_place_and_their_gradients_gathered() {
    let flat = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut tape = Tape::new().bind(&flat);
    let w = tape.bound_parameter(0..4, &[2, 2]).unwrap();
    let b = tape.bound_parameter(4..6, &[2]).unwrap();
    let unused = tape.bound_parameter(5..6, &[1]).unwrap();
    assert_eq!(tape.slice_of(w).unwrap().as_ptr(), flat.as_ptr());
    let x = tape.constant(arr2(&[[1.0, -1.0]]).view()).unwrap();
    let y = tape.linear(x, w, b, Activation::Identity).unwrap();
    let y = tape.square(y).unwrap();
    let total = tape.sum(y).unwrap();
    let mut gradient = [100.0; 6];
    assert!(matches!(
        tape.add_bound_gradients(&mut gradient),
        Err(Error::NoGradient { .. })
    ));
    tape.backward(total).unwrap();
    assert_eq!(tape.gradient(unused).unwrap(), arr1(&[0.0]).into_dyn());
    tape.add_bound_gradients(&mut gradient).unwrap();
    // y = (4, 5), 2 y = (8, 10).
    assert_eq!(gradient, [108.0, 92.0, 110.0, 90.0, 108.0, 110.0]);
    assert!(matches!(
        tape.add_bound_gradients(&mut gradient[..5]),
        Err(Error::BufferLength {
            found: 5,
            expected: 6,
            ..
        })
    ));
    // Results outlive the borrow of the parameters; the parameters do not.
    let mut tape = tape.unbind();
    assert_eq!(tape.item(total).unwrap(), 41.0);
    assert_eq!(tape.gradient(b).unwrap(), arr1(&[8.0, 10.0]).into_dyn());
    assert!(matches!(tape.value(w), Err(Error::StaleVariable { .. })));
    assert!(matches!(
        tape.neg(w),
        Err(Error::StaleVariable { op: "neg" })
    ));
    assert!(matches!(
        tape.backward(total),
        Err(Error::NoGradient { .. })
    ));
    let moved = [0.5; 6];
    let mut tape = tape.bind(&moved);
    assert!(tape.is_empty());
    let w = tape.bound_parameter(1..3, &[2]).unwrap();
    assert_eq!(tape.value(w).unwrap(), arr1(&[0.5, 0.5]).into_dyn());
}

#[test]
fn bound_ranges_that_do_not_fit_are_named() {
    let flat = [0.0_f32; 40];
    let mut tape = Tape::new().bind(&flat);
    assert_eq!(
        tape.bound_parameter(2..7, &[2, 3]).unwrap_err().to_string(),
        "bound_parameter: range 2..7 of the bound parameters (40 values) cannot hold shape \
         [2, 3], which needs 6 values"
    );
    assert_eq!(
        tape.bound_panels(16..48, 2, 5).unwrap_err().to_string(),
        "bound_panels: range 16..48 of the bound parameters (40 values) cannot hold shape \
         [2, 5], which needs 32 values"
    );
    assert!(tape.bound_panels(8..40, 2, 5).is_ok());
    assert!(tape.bound_parameter(40..40, &[0, 3]).is_ok());
}

#[test]
fn variables_of_other_recordings_are_refused() {
    let mut tape = Tape::<f64>::new();
    let mut other = Tape::<f64>::new();
    let x = tape.parameter(arr1(&[1.0]).view()).unwrap();
    let y = other.parameter(arr1(&[1.0]).view()).unwrap();
    assert_eq!(
        tape.add(x, y).unwrap_err().to_string(),
        "add: the variable belongs to another tape or to a recording before the last reset"
    );
    tape.reset();
    assert_eq!(tape.exp(x), Err(Error::StaleVariable { op: "exp" }));
    assert_eq!(
        tape.backward(x),
        Err(Error::StaleVariable { op: "backward" })
    );
    assert!(tape.value(x).is_err() && tape.gradient(x).is_err() && tape.shape(x).is_err());
}

#[test]
fn outputs_and_gradients_that_do_not_exist_are_refused() {
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(arr1(&[1.0, 2.0]).view()).unwrap();
    let y = tape.square(x).unwrap();
    assert_eq!(
        tape.backward(y).unwrap_err().to_string(),
        "backward: the output has shape [2], expected a single value"
    );
    assert!(matches!(tape.gradient(x), Err(Error::NoGradient { .. })));
    assert!(matches!(
        tape.backward_with(y, arr1(&[1.0, 2.0, 3.0]).view()),
        Err(Error::ShapeMismatch {
            op: "backward_with",
            ..
        })
    ));
    tape.backward_with(y, arr1(&[1.0, 10.0]).view()).unwrap();
    assert_eq!(tape.gradient(x).unwrap(), arr1(&[2.0, 40.0]).into_dyn());
    assert!(matches!(tape.gradient(y), Err(Error::NoGradient { .. })));
    // What is recorded later has no gradient yet, and takes the others away.
    let z = tape.sum(y).unwrap();
    assert!(tape.gradient(x).is_err());
    tape.backward(z).unwrap();
    assert_eq!(tape.gradient(x).unwrap(), arr1(&[2.0, 4.0]).into_dyn());
}

#[test]
fn backward_may_run_again_and_from_another_output() {
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(signed(&[3], 91).view()).unwrap();
    let weight = tape.parameter(signed(&[3, 3], 92).view()).unwrap();
    let bias = tape.parameter(signed(&[3], 93).view()).unwrap();
    let row = tape.reshape(x, &[1, 3]).unwrap();
    let hidden = tape.linear(row, weight, bias, Activation::Tanh).unwrap();
    let first = tape.sum(hidden).unwrap();
    let second = tape.mean(x).unwrap();
    tape.backward(first).unwrap();
    let once: ArrayD<f64> = tape.gradient(weight).unwrap().to_owned();
    tape.backward(second).unwrap();
    assert!(tape.gradient(weight).unwrap().iter().all(|&g| g == 0.0));
    assert!(
        tape.gradient(x)
            .unwrap()
            .iter()
            .all(|&g| (g - 1.0 / 3.0).abs() < 1e-15)
    );
    tape.backward(first).unwrap();
    assert_eq!(tape.gradient(weight).unwrap(), once);
}
