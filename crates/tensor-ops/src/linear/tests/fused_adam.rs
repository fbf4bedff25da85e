//! The update in the weight gradient's registers.

use super::*;

/// The fused update has the bits of the gradient followed by the update, few rows
/// or many, whether or not some inputs have never been set.
#[test]
fn fused_adam_is_the_gradient_then_the_update() {
    for rows in [21, 70] {
        for at_rest in [false, true] {
            for epsilon in [1e-8, 0.0] {
                fused_adam_is_the_update(rows, at_rest, epsilon);
            }
        }
    }
}

fn fused_adam_is_the_update(rows: usize, at_rest: bool, epsilon: f64) {
    let shape = LinearShape {
        rows,
        inputs: 37,
        outputs: 70,
    };
    let constants = crate::adam::AdamConstants {
        epsilon,
        ..crate::adam::AdamConstants::with_learning_rate(1e-2)
    };
    let step = AdamStep::new(&constants, 3);
    // Inputs that no row has, of whole register tiles and of parts of them: the first
    // eight still move by what their moments remember.
    let is_never_set = |input: usize| at_rest && (16..35).contains(&input);
    let has_no_moments = |input: usize| at_rest && (24..35).contains(&input);
    for isa in paths() {
        let (mut x, dy) = (
            panels::<f32>(shape.x(), 0, 6),
            panels::<f32>(shape.y(), 1, 0),
        );
        for input in (0..shape.inputs).filter(|&input| is_never_set(input)) {
            (0..rows).for_each(|row| x[shape.x().index(row, input)] = 0.0);
        }
        let mut support = Support::new();
        support.scan_for(isa, shape.x(), &x);
        let blocks = [RowBlock {
            rows: shape.rows,
            x: &x,
            dy: &dy,
            support: Some(&support),
        }];
        let range = 1..shape.y().panel_count();
        let (dw, db) = run_weight_gradient(isa, shape, range.clone(), &blocks, 0.25);
        let start = |len: usize, stream: u64| {
            let of = |stream| panels::<f32>(Panels::new(len / LANES, LANES), stream, 0);
            let v = of(stream + 2).iter().map(|x| x * x).collect::<Vec<_>>();
            (of(stream), of(stream + 1), v)
        };
        let (mut weight, mut bias) = (start(dw.len(), 10), start(db.len(), 20));
        for line in (0..dw.len() / LANES).filter(|line| has_no_moments(line % shape.inputs)) {
            let lanes = line * LANES..(line + 1) * LANES;
            weight.1[lanes.clone()].fill(0.0);
            weight.2[lanes].fill(0.0);
        }
        let (mut fused_weight, mut fused_bias) = (weight.clone(), bias.clone());
        for (of, g) in [(&mut weight, &dw), (&mut bias, &db)] {
            let (p, m, v) = (&mut of.0[..], &mut of.1[..], &mut of.2[..]);
            f32::adam(isa, crate::adam::kernel::Update { p, m, v, g, step });
        }
        fn parameters(of: &mut (Vec<f32>, Vec<f32>, Vec<f32>)) -> Parameters<'_, f32> {
            Parameters {
                values: &mut of.0,
                m: &mut of.1,
                v: &mut of.2,
            }
        }
        let target = Target::Adam {
            weight: parameters(&mut fused_weight),
            bias: parameters(&mut fused_bias),
            step,
        };
        let inputs = shape.inputs;
        let (panels, blocks) = (range, &blocks);
        f32::weight_gradient(
            isa,
            WeightGradient {
                inputs,
                panels,
                blocks,
                scale: 0.25,
                target,
            },
        );
        // NaN is made of ε = 0 alike.
        for (one, other) in [(weight, fused_weight), (bias, fused_bias)] {
            for (one, other) in [(one.0, other.0), (one.1, other.1), (one.2, other.2)] {
                let bits = |values: Vec<f32>| -> Vec<u32> {
                    values.into_iter().map(f32::to_bits).collect()
                };
                assert_eq!(
                    bits(one),
                    bits(other),
                    "{} {rows} {at_rest} {epsilon}",
                    isa.isa()
                );
            }
        }
    }
}

/// A gradient of −0, all of whose terms underflow, is stored as +0 and used as
/// −0 by the fused update: the bits are the same for moments of either sign.
#[test]
fn fused_adam_has_the_same_bits_where_a_gradient_underflows() {
    let shape = LinearShape {
        rows: 3,
        inputs: 2,
        outputs: 16,
    };
    let step = AdamStep::new(&crate::adam::AdamConstants::with_learning_rate(1e-2), 3);
    let x: Vec<f32> = (0..shape.x().len())
        .map(|i| if i % LANES < 2 { 1e-30 } else { 0.0 })
        .collect();
    let dy = vec![-1e-30_f32; shape.y().len()];
    for isa in paths() {
        for m in [0.0_f32, -0.0, 0.25, -0.25] {
            let blocks = [RowBlock {
                rows: shape.rows,
                x: &x,
                dy: &dy,
                support: None,
            }];
            let (dw, _) = run_weight_gradient(isa, shape, 0..1, &blocks, 0.25);
            assert!(dw.iter().all(|&g| g.to_bits() == 0), "not an underflow");
            let start = || {
                (
                    vec![0.5_f32; dw.len()],
                    vec![m; dw.len()],
                    vec![0.0_f32; dw.len()],
                )
            };
            let (mut p, mut first, mut second) = start();
            let stored = crate::adam::kernel::Update {
                p: &mut p,
                m: &mut first,
                v: &mut second,
                g: &dw,
                step,
            };
            f32::adam(isa, stored);
            let (mut fused, mut bias) = (start(), start());
            f32::weight_gradient(
                isa,
                WeightGradient {
                    inputs: shape.inputs,
                    panels: 0..1,
                    blocks: &blocks,
                    scale: 0.25,
                    target: Target::Adam {
                        weight: Parameters {
                            values: &mut fused.0,
                            m: &mut fused.1,
                            v: &mut fused.2,
                        },
                        bias: Parameters {
                            values: &mut bias.0[..LANES],
                            m: &mut bias.1[..LANES],
                            v: &mut bias.2[..LANES],
                        },
                        step,
                    },
                },
            );
            for (stored, fused) in [(&p, &fused.0), (&first, &fused.1), (&second, &fused.2)] {
                assert_eq!(bits(stored), bits(fused), "m = {m} on {}", isa.isa());
            }
        }
    }
}
