//! Row-major products and the fused row-major layer.

mod data;

use autodiff::{Activation, Error, Tape, Var};
use data::{assert_close, assert_gradients, error_of, evaluate, signed, uniform};
use ndarray::{Array2, ArrayD, Ix2};

type Product = fn(&mut Tape<'_, f64>, Var, Var) -> Result<Var, Error>;

const FORMS: [(&str, Product); 3] = [
    ("matmul", |t, a, b| t.matmul(a, b)),
    ("matmul_nt", |t, a, b| t.matmul_nt(a, b)),
    ("matmul_tn", |t, a, b| t.matmul_tn(a, b)),
];

const SIZES: [[usize; 3]; 10] = [
    [1, 1, 1],
    [2, 3, 4],
    [5, 1, 3],
    [1, 6, 1],
    [7, 5, 17],
    [3, 18, 2],
    [0, 3, 2],
    [2, 0, 3],
    [2, 3, 0],
    [0, 0, 0],
];

fn operands(form: &str, [m, k, n]: [usize; 3]) -> [ArrayD<f64>; 2] {
    let (a, b) = match form {
        "matmul" => ([m, k], [k, n]),
        "matmul_nt" => ([m, k], [n, k]),
        _ => ([k, m], [k, n]),
    };
    [signed(&a, 61), signed(&b, 62)]
}

fn matrix(x: &ArrayD<f64>) -> Array2<f64> {
    x.clone().into_dimensionality::<Ix2>().unwrap()
}

#[test]
fn values_and_gradients_of_all_forms_and_sizes() {
    for (form, product) in FORMS {
        for size in SIZES {
            let inputs = operands(form, size);
            let (a, b) = (matrix(&inputs[0]), matrix(&inputs[1]));
            let expected = match form {
                "matmul" => a.dot(&b),
                "matmul_nt" => a.dot(&b.t()),
                _ => a.t().dot(&b),
            };
            let c = evaluate(&inputs, |tape, v| product(tape, v[0], v[1]));
            assert_close((form, size), c.view(), expected.into_dyn().view(), 1e-13);
            assert_gradients((form, size), &inputs, |tape, v| product(tape, v[0], v[1]));
        }
    }
}

#[test]
fn one_matrix_on_both_sides() {
    for (form, product) in FORMS {
        assert_gradients(form, &[signed(&[4, 4], 63)], |tape, v| {
            let square = product(tape, v[0], v[0])?;
            let cube = product(tape, square, v[0])?;
            tape.add(cube, v[0])
        });
    }
}

#[test]
fn products_that_do_not_fit_are_named() {
    for ((form, product), (a, b, expected)) in FORMS.into_iter().zip([
        (&[2, 3][..], &[4, 5][..], "[m, k] and [k, n] are expected"),
        (&[2, 3], &[3, 4], "[m, k] and [n, k] are expected"),
        (&[2, 3], &[3, 3], "[k, m] and [k, n] are expected"),
    ]) {
        let error = error_of(&[a, b], |tape, v| product(tape, v[0], v[1]));
        assert_eq!(
            error.to_string(),
            format!("{form}: shapes {a:?} and {b:?} do not fit: {expected}")
        );
        let error = error_of(&[&[2, 3, 4], &[4, 5]], |tape, v| product(tape, v[0], v[1]));
        assert_eq!(
            error.to_string(),
            format!("{form}: shape [2, 3, 4] has 3 axes, expected 2")
        );
    }
}

#[test]
fn layers_of_every_activation_and_size() {
    for activation in Activation::ALL {
        for (rows, inputs, outputs) in [
            (3, 4, 5),
            (1, 1, 1),
            (4, 17, 2),
            (2, 3, 33),
            (0, 3, 2),
            (2, 0, 3),
            (2, 3, 0),
        ] {
            let operands = [
                signed(&[rows, inputs], 64),
                uniform(&[outputs, inputs], -0.5, 0.5, 65),
                signed(&[outputs], 66),
            ];
            let composed = |tape: &mut Tape<'_, f64>, v: &[Var]| {
                let product = tape.matmul_nt(v[0], v[1])?;
                let sum = tape.add(product, v[2])?;
                match activation {
                    Activation::Identity => Ok(sum),
                    Activation::Relu => tape.relu(sum),
                    Activation::Tanh => tape.tanh(sum),
                }
            };
            let fused =
                |tape: &mut Tape<'_, f64>, v: &[Var]| tape.linear(v[0], v[1], v[2], activation);
            let context = (activation, rows, inputs, outputs);
            assert_eq!(
                evaluate(&operands, fused),
                evaluate(&operands, composed),
                "{context:?}"
            );
            let sum = evaluate(&operands, |tape, v| {
                tape.linear(v[0], v[1], v[2], Activation::Identity)
            });
            assert!(
                sum.iter().all(|x| x.abs() > 0.005),
                "{context:?}: too near the kink"
            );
            assert_gradients(context, &operands, fused);
        }
    }
}

#[test]
fn layers_share_weights_and_inputs() {
    let operands = [
        signed(&[3, 4], 67),
        uniform(&[4, 4], -0.5, 0.5, 68),
        signed(&[4], 69),
    ];
    assert_gradients("shared", &operands, |tape, v| {
        let a = tape.linear(v[0], v[1], v[2], Activation::Tanh)?;
        let b = tape.linear(a, v[1], v[2], Activation::Tanh)?;
        let c = tape.linear(a, v[1], v[2], Activation::Identity)?;
        tape.mul(b, c)
    });
}

#[test]
fn layers_that_do_not_fit_are_named() {
    let run = |shapes: &[&[usize]]| {
        error_of(shapes, |tape, v| {
            tape.linear(v[0], v[1], v[2], Activation::Relu)
        })
        .to_string()
    };
    assert_eq!(
        run(&[&[2, 3], &[3, 4], &[3]]),
        "linear: shapes [2, 3] and [3, 4] do not fit: \
         x [rows, inputs] and weight [outputs, inputs] are expected"
    );
    assert_eq!(
        run(&[&[2, 3], &[4, 3], &[1, 4]]),
        "linear: shapes [4, 3] and [1, 4] do not fit: \
         weight [outputs, inputs] and bias [outputs] are expected"
    );
    assert_eq!(
        run(&[&[3], &[4, 3], &[4]]),
        "linear: shape [3] has 1 axes, expected 2"
    );
}
