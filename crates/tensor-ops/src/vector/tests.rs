//! Accuracy of the elementary functions against f64, on every available path.

use super::elementary::Elementary;
use super::map::{self, Slices};
use super::*;
use crate::isa::Isa;
use crate::kernels::Kernels;

/// Distance from one f32 to the next at the magnitude of `x`.
fn unit_in_last_place(x: f64) -> f64 {
    let exponent = if x == 0.0 {
        -149
    } else {
        x.abs().log2().floor() as i32 - 23
    };
    2.0_f64.powi(exponent.max(-149))
}

struct Function {
    name: &'static str,
    run: fn(Available, &[f32], &mut [f32]),
    exact: fn(f64) -> f64,
    domain: fn(f32) -> bool,
    /// Largest error in units in the last place.
    bound: f64,
}

const FUNCTIONS: [Function; 6] = [
    Function {
        name: "exp",
        run: |isa, x, out| f32::map_exp(isa, map::Exp(Slices::To(x, out))),
        exact: f64::exp,
        domain: |_| true,
        bound: 1.0,
    },
    Function {
        name: "ln",
        run: |isa, x, out| f32::map_ln(isa, map::Ln(Slices::To(x, out))),
        exact: f64::ln,
        domain: |_| true,
        bound: 1.0,
    },
    Function {
        name: "log1p_unit",
        run: |isa, x, out| f32::map_log1p_unit(isa, map::Log1pUnit(Slices::To(x, out))),
        exact: f64::ln_1p,
        domain: |x| (0.0..=1.0).contains(&x) || x.is_nan(),
        bound: 3.0,
    },
    Function {
        name: "sigmoid",
        run: |isa, x, out| f32::map_sigmoid(isa, map::Sigmoid(Slices::To(x, out))),
        exact: |x| 1.0 / (1.0 + (-x).exp()),
        domain: |_| true,
        bound: 3.0,
    },
    Function {
        name: "softplus",
        run: |isa, x, out| f32::map_softplus(isa, map::Softplus(Slices::To(x, out))),
        exact: |x| {
            x.max(0.0)
                + if x.is_nan() {
                    x
                } else {
                    (-x.abs()).exp().ln_1p()
                }
        },
        domain: |_| true,
        bound: 3.0,
    },
    Function {
        name: "tanh",
        run: |isa, x, out| f32::map_tanh(isa, map::Tanh(Slices::To(x, out))),
        exact: f64::tanh,
        domain: |_| true,
        bound: 3.0,
    },
];

/// Largest error over every `stride`-th f32; panics at the first beyond the bound.
fn largest_error(function: &Function, isa: Available, stride: usize) -> f64 {
    let mut worst = 0.0_f64;
    let bits: Vec<u32> = (0..=u32::MAX).step_by(stride << 12).collect();
    for first in bits {
        let x: Vec<f32> = (0..1_usize << 12)
            .filter_map(|i| first.checked_add(u32::try_from(i * stride).ok()?))
            .map(f32::from_bits)
            .filter(|&x| (function.domain)(x))
            .collect();
        let mut y = vec![0.0; x.len()];
        (function.run)(isa, &x, &mut y);
        for (&x, &y) in x.iter().zip(&y) {
            let exact = (function.exact)(f64::from(x));
            if exact.is_nan() || (exact as f32).is_infinite() {
                let same = if exact.is_nan() {
                    y.is_nan()
                } else {
                    y == exact as f32
                };
                assert!(same, "{} of {x:e} is {y:e}, not {exact:e}", function.name);
                continue;
            }
            let error = (f64::from(y) - exact).abs() / unit_in_last_place(exact);
            assert!(
                error <= function.bound,
                "{} of {x:e} on {} is {y:e}, not {exact:e}: {error:.3} ULP",
                function.name,
                isa.isa()
            );
            worst = worst.max(error);
        }
    }
    worst
}

fn check_all(stride: usize) -> Vec<(String, f64)> {
    let mut table = Vec::new();
    for function in &FUNCTIONS {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            let worst = largest_error(function, isa, stride);
            table.push((format!("{} {}", function.name, isa.isa()), worst));
        }
    }
    table
}

#[test]
fn errors_stay_within_their_bounds() {
    let stride = if cfg!(miri) { 50_000_017 } else { 4_001 };
    let table = check_all(stride);
    // A bound that no value comes near would not be a test of this function.
    assert!(
        table.iter().all(|(_, worst)| *worst > 0.4 || cfg!(miri)),
        "{table:?}"
    );
}

#[test]
#[ignore = "visits all 2^32 values of every function and path: several minutes"]
fn errors_stay_within_their_bounds_for_every_f32() {
    check_all(1);
}

#[test]
fn special_values_are_those_of_std() {
    let special = [
        0.0,
        -0.0,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        -f32::from_bits(1),
        1.0,
        -1.0,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for isa in Isa::ALL.into_iter().filter_map(Available::new) {
        for function in &FUNCTIONS {
            for x in special.into_iter().filter(|&x| (function.domain)(x)) {
                let mut y = [0.0];
                (function.run)(isa, &[x], &mut y);
                let exact = (function.exact)(f64::from(x)) as f32;
                let close = (y[0] - exact).abs() <= 3.0 * f32::EPSILON * exact.abs();
                let same = y[0] == exact || (y[0].is_nan() && exact.is_nan()) || close;
                assert!(
                    same,
                    "{} of {x:e} is {:e}, not {exact:e}",
                    function.name, y[0]
                );
                if exact == 0.0 {
                    assert_eq!(
                        y[0].to_bits(),
                        exact.to_bits(),
                        "{} of {x:e}",
                        function.name
                    );
                }
            }
        }
        let mut y = [f32::NAN, -0.0, -1.0, 2.0];
        f32::map_relu(isa, map::Relu(Slices::InPlace(&mut y)));
        assert!(y[0].is_nan());
        assert_eq!(
            y[1..].iter().map(|y| y.to_bits()).collect::<Vec<_>>(),
            [0, 0, 2.0_f32.to_bits()]
        );
    }
}

#[test]
fn body_tail_and_single_values_have_the_same_bits() {
    let x: Vec<f32> = (0..103).map(|i| (i as f32 - 51.0) * 0.37).collect();
    let mut whole = vec![0.0; x.len()];
    tanh(&x, &mut whole);
    for start in 0..20 {
        let mut part = x[start..].to_vec();
        tanh_in_place(&mut part);
        assert_eq!(part, whole[start..]);
    }
    let mut exponentials = x.clone();
    exp_in_place(&mut exponentials);
    for (&x, &y) in x.iter().zip(&exponentials) {
        assert_eq!(scalar::exp(x), y);
    }
}

#[test]
fn reciprocal_is_within_two_units() {
    struct Reciprocal<'a>(&'a mut [f32]);
    impl crate::simd::Operation<f32> for Reciprocal<'_> {
        type Result = ();
        #[inline(always)]
        unsafe fn run<L: Line<f32>>(self) {
            for x in self.0 {
                *x = f32::fast_reciprocal::<L>(*x);
            }
        }
    }
    for isa in Isa::ALL.into_iter().filter_map(Available::new) {
        let x: Vec<f32> = (0x0100_0000..0x7e00_0000_u32)
            .step_by(65_537)
            .map(f32::from_bits)
            .collect();
        let mut y = x.clone();
        crate::simd::dispatch::<f32, _>(isa, Reciprocal(&mut y));
        for (&x, &y) in x.iter().zip(&y) {
            let exact = 1.0 / f64::from(x);
            let error = (f64::from(y) - exact).abs() / unit_in_last_place(exact);
            assert!(
                error <= 2.0,
                "1 / {x:e} on {} is off by {error} ULP",
                isa.isa()
            );
        }
    }
}

#[test]
fn f64_agrees_with_std() {
    let x: Vec<f64> = (0..200).map(|i| (f64::from(i) - 100.0) * 0.7).collect();
    let mut y = vec![0.0; x.len()];
    softplus(&x, &mut y);
    for (&x, &y) in x.iter().zip(&y) {
        let exact = if x > 0.0 {
            x + (-x).exp().ln_1p()
        } else {
            x.exp().ln_1p()
        };
        assert!((y - exact).abs() <= 1e-15 * exact.max(1e-300));
    }
    sigmoid(&x, &mut y);
    for (&x, &y) in x.iter().zip(&y) {
        assert!((y - 1.0 / (1.0 + (-x).exp())).abs() <= 1e-15 * y);
    }
}

#[test]
#[should_panic(expected = "vector::exp: x has 2 elements, out has 3")]
fn a_wrong_length_is_named() {
    exp(&[0.0_f32; 2], &mut [0.0; 3]);
}
