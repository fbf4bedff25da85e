//! The row-major products of every available path against plain f64 loops.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::isa::Isa;
use crate::random::{Stream, fill_normal};

fn check_cases<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let cases = if cfg!(miri) { 4 } else { cases };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let result = TestRunner::new_with_rng(config, rng).run(strategy, |case| {
        property(case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn dimension() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0_usize..10, 3 => 10_usize..40, 1 => 40_usize..120]
}

fn shape() -> impl Strategy<Value = GemmShape> {
    (dimension(), dimension(), dimension()).prop_map(|(m, k, n)| GemmShape { m, k, n })
}

fn normal<T: Float>(len: usize, stream: u64) -> Vec<T> {
    let mut x = vec![T::ZERO; len];
    fill_normal(&mut x, Stream::new(21, stream), 0);
    x
}

#[derive(Clone, Copy, Debug)]
enum Product3 {
    Nn,
    Nt,
    Tn,
}

/// (strides of A, strides of B for the reference, form of B)
fn layout(form: Product3, shape: GemmShape) -> ((usize, usize), (usize, usize), Form) {
    let GemmShape { m, k, n } = shape;
    match form {
        Product3::Nn => ((k, 1), (n, 1), Form::Plain),
        Product3::Nt => ((k, 1), (1, k), Form::Transposed),
        Product3::Tn => ((1, m), (n, 1), Form::Plain),
    }
}

fn compute<T: Float>(
    isa: Available,
    threads: usize,
    form: Product3,
    shape: GemmShape,
    output: Output,
    old: &[T],
) -> Vec<T> {
    let (a, b) = (
        normal::<T>(shape.m * shape.k, 0),
        normal::<T>(shape.k * shape.n, 1),
    );
    let mut c = old.to_vec();
    let (a_strides, _, b_form) = layout(form, shape);
    let mut scratch = GemmScratch::new();
    scratch.panels = vec![T::NAN; 7];
    run(
        isa,
        threads,
        shape,
        &a,
        a_strides,
        &b,
        b_form,
        output,
        &mut c,
        &mut scratch,
    );
    c
}

fn property<T: Float>(isa: Available, form: Product3, shape: GemmShape) {
    let GemmShape { m, k, n } = shape;
    let overwritten = compute::<T>(isa, 1, form, shape, Output::Overwrite, &vec![T::NAN; m * n]);
    let old = normal::<T>(m * n, 2);
    let accumulated = compute::<T>(isa, 1, form, shape, Output::Accumulate, &old);

    let f64s = |x: &[T]| x.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let absolute = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let (a, b) = (f64s(&normal::<T>(m * k, 0)), f64s(&normal::<T>(k * n, 1)));
    let (a_strides, b_strides, _) = layout(form, shape);
    let reference = |a: &[f64], b: &[f64]| {
        let mut c = vec![f64::NAN; m * n];
        reference::strided(shape, a, a_strides, b, b_strides, Output::Overwrite, &mut c);
        c
    };
    let (exact, magnitude) = (reference(&a, &b), reference(&absolute(&a), &absolute(&b)));
    for i in 0..m * n {
        let bound = (k as f64 + 2.0) * T::EPSILON.to_f64() * magnitude[i];
        let error = (overwritten[i].to_f64() - exact[i]).abs();
        assert!(
            error <= bound,
            "{form:?} {shape:?} [{i}]: off by {error:e}, bound {bound:e}"
        );
        assert!(
            accumulated[i] == old[i] + overwritten[i],
            "{form:?} {shape:?} accumulated [{i}]"
        );
    }
    for threads in [2, 3] {
        let shared = compute::<T>(
            isa,
            threads,
            form,
            shape,
            Output::Overwrite,
            &vec![T::NAN; m * n],
        );
        assert!(
            shared == overwritten,
            "{form:?} {shape:?}: {threads} threads change the bits"
        );
    }
}

#[test]
fn products_are_within_the_error_bound_and_the_same_on_any_number_of_threads() {
    for isa in Isa::ALL.into_iter().filter_map(Available::new) {
        check_cases(60, &shape(), |shape| {
            for form in [Product3::Nn, Product3::Nt, Product3::Tn] {
                property::<f32>(isa, form, shape);
                property::<f64>(isa, form, shape);
            }
        });
    }
}

/// Up to k = 256 matrixmultiply computes an element as one chain too: where it
/// has fused multiply-add, the results agree to the last bit.
#[cfg(not(miri))]
#[test]
fn products_agree_with_matrixmultiply() {
    check_cases(60, &shape(), |shape| {
        let GemmShape { m, k, n } = shape;
        let (a, b) = (normal::<f32>(m * k, 0), normal::<f32>(k * n, 1));
        let isa = Available::current();
        for form in [Product3::Nn, Product3::Nt, Product3::Tn] {
            let ours = compute::<f32>(
                isa,
                1,
                form,
                shape,
                Output::Overwrite,
                &vec![f32::NAN; m * n],
            );
            let (a_strides, b_strides, _) = layout(form, shape);
            let mut theirs = vec![0.0_f32; m * n];
            // SAFETY: the strides are those of matrices of these shapes.
            unsafe {
                matrixmultiply::sgemm(
                    m,
                    k,
                    n,
                    1.0,
                    a.as_ptr(),
                    a_strides.0 as isize,
                    a_strides.1 as isize,
                    b.as_ptr(),
                    b_strides.0 as isize,
                    b_strides.1 as isize,
                    0.0,
                    theirs.as_mut_ptr(),
                    n as isize,
                    1,
                );
            }
            for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                let tolerance = 2.0 * (k as f32 + 2.0) * f32::EPSILON * k as f32 * 16.0;
                assert!(
                    (ours - theirs).abs() <= tolerance,
                    "{form:?} {shape:?} [{i}]"
                );
                if matches!(isa.isa(), Isa::Avx2 | Isa::Avx512) {
                    assert_eq!(ours, theirs, "{form:?} {shape:?} [{i}]");
                }
            }
        }
    });
}

#[test]
#[should_panic(expected = "gemm::nt: A 6, B 5, C 4 elements do not fit")]
fn a_wrong_length_is_named() {
    let shape = GemmShape { m: 2, k: 3, n: 2 };
    nt(
        shape,
        &[0.0; 6],
        &[0.0; 5],
        Output::Overwrite,
        &mut [0.0_f64; 4],
        &mut GemmScratch::new(),
    );
}
