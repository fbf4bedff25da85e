//! Layers and losses in the panel layout, against the row-major operations.

mod data;

use autodiff::{Activation, Error, Layout, Tape, Var};
use data::{assert_close, assert_gradients, evaluate, normal, signed, uniform};
use ndarray::ArrayD;
use tensor_ops::panels::Panels;

const SIZES: [(usize, usize, usize); 7] = [
    (3, 4, 5),
    (1, 1, 1),
    (4, 17, 2),
    (5, 33, 40),
    (2, 16, 32),
    (0, 3, 2),
    (2, 3, 0),
];

fn layer(rows: usize, inputs: usize, outputs: usize) -> [ArrayD<f64>; 3] {
    [
        signed(&[rows, inputs], 71),
        uniform(&[inputs, outputs], -0.4, 0.4, 72),
        signed(&[1, outputs], 73),
    ]
}

fn linear_panels(
    tape: &mut Tape<'_, f64>,
    v: &[Var],
    activation: Activation,
) -> Result<Var, Error> {
    let x = tape.to_panels(v[0])?;
    let weight = tape.to_panels(v[1])?;
    let bias = tape.to_panels(v[2])?;
    let y = tape.linear_panels(x, weight, bias, activation)?;
    tape.from_panels(y)
}

#[test]
fn conversions_are_inverse_and_pass_gradients() {
    for extents in [[3, 4], [2, 16], [3, 35], [0, 5], [4, 0]] {
        let x = signed(&extents, 74);
        let there_and_back = |tape: &mut Tape<'_, f64>, v: &[Var]| {
            let panels = tape.to_panels(v[0])?;
            let a = tape.from_panels(panels)?;
            let b = tape.from_panels(panels)?;
            let panels = tape.to_panels(v[0])?;
            let c = tape.from_panels(panels)?;
            let product = tape.mul(a, b)?;
            tape.mul(product, c)
        };
        let y = evaluate(std::slice::from_ref(&x), there_and_back);
        assert_close(extents, y.view(), x.mapv(|x| x * x * x).view(), 1e-15);
        assert_gradients(extents, &[x], there_and_back);
    }
}

#[test]
fn layers_agree_with_row_major_products_and_finite_differences() {
    for activation in Activation::ALL {
        for (rows, inputs, outputs) in SIZES {
            let context = (activation, rows, inputs, outputs);
            let operands = layer(rows, inputs, outputs);
            let expected = evaluate(&operands, |tape, v| {
                let product = tape.matmul(v[0], v[1])?;
                let sum = tape.add(product, v[2])?;
                match activation {
                    Activation::Identity => Ok(sum),
                    Activation::Relu => tape.relu(sum),
                    Activation::Tanh => tape.tanh(sum),
                }
            });
            let actual = evaluate(&operands, |tape, v| linear_panels(tape, v, activation));
            assert_close(context, actual.view(), expected.view(), 1e-13);
            let sum = evaluate(&operands, |tape, v| {
                linear_panels(tape, v, Activation::Identity)
            });
            assert!(
                sum.iter().all(|x| x.abs() > 0.003),
                "{context:?}: too near the kink"
            );
            assert_gradients(context, &operands, |tape, v| {
                linear_panels(tape, v, activation)
            });
        }
    }
}

/// A chain, where every activation derivative is applied inside a product, and
/// a layer with several readers, where it cannot be.
#[test]
fn deep_layers_with_one_and_with_several_readers() {
    for activation in [Activation::Tanh, Activation::Identity] {
        let operands = [
            signed(&[3, 5], 75),
            uniform(&[5, 18], -0.4, 0.4, 76),
            signed(&[1, 18], 77),
            uniform(&[18, 18], -0.3, 0.3, 78),
            signed(&[1, 18], 79),
        ];
        for readers in 1..=3 {
            assert_gradients((activation, readers), &operands, |tape, v| {
                let p = v[1..]
                    .iter()
                    .map(|&v| tape.to_panels(v))
                    .collect::<Result<Vec<_>, _>>()?;
                let x = tape.to_panels(v[0])?;
                let a = tape.linear_panels(x, p[0], p[1], activation)?;
                let b = tape.linear_panels(a, p[2], p[3], activation)?;
                let mut y = tape.from_panels(b)?;
                if readers > 1 {
                    // The same weights again, on a layer that was read already.
                    let c = tape.linear_panels(a, p[2], p[3], Activation::Tanh)?;
                    let c = tape.from_panels(c)?;
                    y = tape.mul(y, c)?;
                }
                if readers > 2 {
                    let a = tape.from_panels(a)?;
                    y = tape.add(y, a)?;
                }
                Ok(y)
            });
        }
    }
}

#[test]
fn a_layer_may_use_one_value_as_weight_and_bias() {
    let operands = [signed(&[3, 1], 80), signed(&[1, 20], 81)];
    assert_gradients("shared", &operands, |tape, v| {
        let x = tape.to_panels(v[0])?;
        let weight = tape.to_panels(v[1])?;
        let y = tape.linear_panels(x, weight, weight, Activation::Tanh)?;
        tape.from_panels(y)
    });
}

#[test]
fn row_losses_agree_with_the_elementwise_loss() {
    for (rows, cols) in [(3, 5), (1, 1), (4, 16), (2, 50), (0, 3), (3, 0)] {
        let operands = [
            normal(&[rows, cols], 82),
            uniform(&[rows, cols], 0.0, 1.0, 83),
        ];
        let on_panels = |tape: &mut Tape<'_, f64>, v: &[Var]| {
            let logits = tape.to_panels(v[0])?;
            let targets = tape.to_panels(v[1])?;
            tape.bce_with_logits_panels(logits, targets)
        };
        let expected = evaluate(&operands, |tape, v| {
            let loss = tape.bce_with_logits(v[0], v[1])?;
            tape.sum_axes(loss, &[1])
        });
        let actual = evaluate(&operands, on_panels);
        assert_close((rows, cols), actual.view(), expected.view(), 1e-14);
        assert_gradients((rows, cols), &operands, on_panels);
    }
}

#[test]
fn logits_read_twice_collect_both_gradients() {
    let operands = [normal(&[3, 20], 84), uniform(&[3, 20], 0.0, 1.0, 85)];
    assert_gradients("twice", &operands, |tape, v| {
        let logits = tape.to_panels(v[0])?;
        let targets = tape.to_panels(v[1])?;
        let first = tape.bce_with_logits_panels(logits, targets)?;
        let second = tape.bce_with_logits_panels(logits, targets)?;
        let unpacked = tape.from_panels(logits)?;
        let sums = tape.sum_axes(unpacked, &[1])?;
        let product = tape.mul(first, sums)?;
        tape.add(product, second)
    });
}

#[test]
fn sparse_constants_change_no_bit() {
    let panels = Panels::new(6, 40);
    let mut x = uniform(&[6, 40], -1.0, 1.0, 86);
    x.mapv_inplace(|x| if x < 0.4 { 0.0 } else { x });
    let operands = layer(6, 40, 24);
    let run = |sparse: bool| {
        let mut tape = Tape::<f64>::new();
        let fill = |storage: &mut [f64]| panels.pack_row_major(x.as_slice().unwrap(), storage);
        let x = if sparse {
            tape.sparse_constant_panels(6, 40, fill)
        } else {
            tape.constant_panels(6, 40, fill)
        };
        let [weight, bias] = [1, 2].map(|i| tape.parameter(operands[i].view()).unwrap());
        let (w, b) = (
            tape.to_panels(weight).unwrap(),
            tape.to_panels(bias).unwrap(),
        );
        let y = tape.linear_panels(x, w, b, Activation::Tanh).unwrap();
        let y = tape.from_panels(y).unwrap();
        let y = tape.square(y).unwrap();
        let total = tape.sum(y).unwrap();
        tape.backward(total).unwrap();
        (
            tape.item(total).unwrap(),
            tape.gradient(weight).unwrap().to_owned(),
            tape.gradient(bias).unwrap().to_owned(),
        )
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn constants_in_panels_have_no_rubbish_in_their_padding() {
    let mut tape = Tape::<f32>::new();
    let x = tape.constant_panels(3, 20, |storage| storage.fill(f32::NAN));
    let value = tape.value(x).unwrap();
    assert_eq!(value.shape(), [2, 3, 16]);
    for ((panel, _, lane), &x) in value
        .into_dimensionality::<ndarray::Ix3>()
        .unwrap()
        .indexed_iter()
    {
        assert_eq!(x.is_nan(), panel * 16 + lane < 20);
    }
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let mut tape = Tape::<f64>::new();
    let mut panels = |rows, cols| tape.constant_panels(rows, cols, |storage| storage.fill(1.0));
    let (x, w, wrong_w) = (panels(2, 3), panels(3, 4), panels(4, 4));
    let (b, wrong_b, targets) = (panels(1, 4), panels(2, 4), panels(2, 4));
    let row_major = tape.scalar(1.0);
    let activation = Activation::Relu;
    for (error, message) in [
        (
            tape.linear_panels(x, wrong_w, b, activation),
            "linear_panels: shapes [2, 3] and [4, 4] do not fit: \
             x [rows, inputs] and weight [inputs, outputs] are expected",
        ),
        (
            tape.linear_panels(x, w, wrong_b, activation),
            "linear_panels: shapes [3, 4] and [2, 4] do not fit: \
             weight [inputs, outputs] and bias [1, outputs] are expected",
        ),
        (
            tape.linear_panels(x, row_major, b, activation),
            "linear_panels: the operand of shape [] is stored row-major, expected in panels; \
             convert it with to_panels or from_panels",
        ),
        (
            tape.bce_with_logits_panels(x, targets),
            "bce_with_logits_panels: shapes [2, 3] and [2, 4] do not fit: \
             logits and targets of the same shape are expected",
        ),
        (
            tape.to_panels(x),
            "to_panels: the operand of shape [2, 3] is stored in panels, expected row-major; \
             convert it with to_panels or from_panels",
        ),
        (
            tape.to_panels(row_major),
            "to_panels: shape [] has 0 axes, expected 2",
        ),
    ] {
        assert_eq!(error.unwrap_err().to_string(), message);
    }
    assert_eq!(tape.layout(x).unwrap(), Layout::Panels);
    assert_eq!(tape.layout(row_major).unwrap(), Layout::RowMajor);
}
