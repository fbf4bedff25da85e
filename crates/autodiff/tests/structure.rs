//! Slices, concatenations, reshapes and explicit broadcasts.

mod data;

use autodiff::{Error, Tape};
use data::{assert_gradients, error_of, evaluate, signed};
use ndarray::{ArrayD, Axis, Slice, arr1, concatenate};

#[test]
fn slices_along_every_axis() {
    for extents in [&[5][..], &[3, 4], &[2, 3, 4], &[2, 2, 3, 2]] {
        let x = signed(extents, 41);
        for (axis, &extent) in extents.iter().enumerate() {
            for start in 0..=extent {
                for end in start..=extent {
                    let inputs = std::slice::from_ref(&x);
                    let part = evaluate(inputs, |tape, v| tape.slice(v[0], axis, start..end));
                    assert_eq!(
                        part,
                        x.slice_axis(Axis(axis), Slice::from(start..end)),
                        "{extents:?} {axis} {start}..{end}"
                    );
                    assert_gradients((extents, axis, start, end), inputs, |tape, v| {
                        tape.slice(v[0], axis, start..end)
                    });
                }
            }
        }
    }
}

#[test]
fn overlapping_slices_add_their_gradients() {
    assert_gradients("overlap", &[signed(&[3, 5], 42)], |tape, v| {
        let a = tape.slice(v[0], 1, 0..3)?;
        let b = tape.slice(v[0], 1, 2..5)?;
        tape.mul(a, b)
    });
}

#[test]
fn concatenations_along_every_axis() {
    let extents = [2, 3, 2];
    for axis in 0..3 {
        let parts: Vec<ArrayD<f64>> = [2, 0, 1, 3]
            .into_iter()
            .enumerate()
            .map(|(i, extent)| {
                let mut extents = extents;
                extents[axis] = extent;
                signed(&extents, 43 + i as u64)
            })
            .collect();
        let joined = evaluate(&parts, |tape, v| tape.concatenate(v, axis));
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        assert_eq!(joined, concatenate(Axis(axis), &views).unwrap());
        assert_gradients(axis, &parts, |tape, v| tape.concatenate(v, axis));
    }
}

#[test]
fn one_value_may_be_concatenated_with_itself() {
    assert_gradients("twice", &[signed(&[2, 3], 47)], |tape, v| {
        let square = tape.square(v[0])?;
        tape.concatenate(&[square, v[0], square], 1)
    });
}

#[test]
fn reshapes_share_values_and_gradients() {
    assert_gradients("reshape", &[signed(&[2, 6], 48)], |tape, v| {
        let a = tape.reshape(v[0], &[3, 4])?;
        let b = tape.reshape(a, &[4, 3])?;
        let c = tape.exp(a)?;
        let c = tape.reshape(c, &[12])?;
        let d = tape.reshape(b, &[12])?;
        let e = tape.mul(c, d)?;
        let f = tape.reshape(v[0], &[12, 1])?;
        tape.mul(e, f)
    });
    let mut tape = Tape::<f64>::new();
    let x = tape.parameter(signed(&[2, 3], 49).view()).unwrap();
    let y = tape.reshape(x, &[3, 2]).unwrap();
    assert_eq!(
        tape.slice_of(x).unwrap().as_ptr(),
        tape.slice_of(y).unwrap().as_ptr()
    );
    // The output itself may be a reshaped value.
    let total = tape.sum(y).unwrap();
    let total = tape.reshape(total, &[1, 1, 1]).unwrap();
    tape.backward(total).unwrap();
    assert!(tape.gradient(x).unwrap().iter().all(|&g| g == 1.0));
}

#[test]
fn an_axis_inserted_at_every_place() {
    for axis in 0..=3 {
        let x = signed(&[2, 3, 2], 50);
        let y = evaluate(std::slice::from_ref(&x), |tape, v| {
            tape.insert_axis(v[0], axis)
        });
        assert_eq!(y, x.clone().insert_axis(Axis(axis)));
        assert_gradients(axis, &[x], |tape, v| tape.insert_axis(v[0], axis));
    }
    let error = error_of(&[&[2, 3]], |tape, v| tape.insert_axis(v[0], 3));
    assert!(matches!(
        error,
        Error::Axis {
            op: "insert_axis",
            axis: 3,
            ..
        }
    ));
    let error = error_of(&[&[1, 1, 1, 1]], |tape, v| tape.insert_axis(v[0], 0));
    assert_eq!(
        error.to_string(),
        "insert_axis: 5 axes asked for, at most 4 are supported"
    );
}

#[test]
fn explicit_broadcasts() {
    let target = [2, 3, 4];
    for extents in [
        &[][..],
        &[1],
        &[4],
        &[3, 1],
        &[3, 4],
        &[1, 4],
        &[2, 1, 1],
        &[1, 3, 1],
        &[2, 1, 4],
        &[2, 3, 4],
    ] {
        let x = signed(extents, 51);
        let y = evaluate(std::slice::from_ref(&x), |tape, v| {
            tape.broadcast_to(v[0], &target)
        });
        assert_eq!(y, x.broadcast(&target[..]).unwrap());
        assert_gradients(extents, &[x], |tape, v| tape.broadcast_to(v[0], &target));
    }
    for (from, to) in [(&[1, 3][..], &[0, 3][..]), (&[0], &[2, 0]), (&[1], &[0])] {
        assert_gradients((from, to), &[signed(from, 52)], |tape, v| {
            tape.broadcast_to(v[0], to)
        });
    }
}

#[test]
fn empty_values() {
    assert_gradients("empty", &[signed(&[0, 3], 53)], |tape, v| {
        let a = tape.slice(v[0], 1, 1..2)?;
        let b = tape.reshape(a, &[0])?;
        tape.concatenate(&[b, b], 0)
    });
}

#[test]
fn wrong_shapes_are_named() {
    let cases: [(Error, &str); 6] = [
        (
            error_of(&[&[2, 3]], |tape, v| tape.slice(v[0], 1, 2..4)),
            "slice: range 2..4 leaves axis 1 of shape [2, 3]",
        ),
        (
            error_of(&[&[2, 3]], |tape, v| tape.slice(v[0], 2, 0..1)),
            "slice: axis 2 of shape [2, 3] does not exist or is named twice",
        ),
        (
            error_of(&[&[2, 3], &[3, 3]], |tape, v| tape.concatenate(v, 1)),
            "concatenate: shapes [2, 3] and [3, 3] do not fit: \
             all extents but that of the axis joined must be equal",
        ),
        (
            error_of(&[&[2, 3], &[2]], |tape, v| tape.concatenate(v, 0)),
            "concatenate: shapes [2, 3] and [2] do not fit: \
             all extents but that of the axis joined must be equal",
        ),
        (
            error_of(&[&[2, 3]], |tape, v| tape.reshape(v[0], &[7])),
            "reshape: shapes [2, 3] and [7] do not fit: the number of elements must stay the same",
        ),
        (
            error_of(&[&[2, 3]], |tape, v| tape.broadcast_to(v[0], &[2, 1])),
            "broadcast_to: shapes [2, 3] and [2, 1] do not fit: \
             extents aligned at the last axis must be equal, or 1 in the first shape",
        ),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(
        error_of(&[], |tape, _| tape.concatenate(&[], 0)).to_string(),
        "concatenate: no operand given, at least one is expected"
    );
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    let error = error_of(&[&[4]], |tape, v| tape.slice(v[0], 0, 3..1));
    assert!(matches!(
        error,
        Error::Range {
            start: 3,
            end: 1,
            ..
        }
    ));
    let mut tape = Tape::<f64>::new();
    let deep = ArrayD::<f64>::zeros(vec![1; 5]);
    assert_eq!(
        tape.parameter(deep.view()).unwrap_err(),
        Error::TooManyAxes {
            op: "parameter",
            axes: 5
        }
    );
    assert!(tape.constant(arr1(&[1.0]).view()).is_ok());
}
