//! Kernel of [`super::update`].

use super::AdamStep;
use crate::Float;
use crate::simd::{Line, Operation};

/// One step over slices of one length.
pub struct Update<'a, T> {
    pub p: &'a mut [T],
    pub m: &'a mut [T],
    pub v: &'a mut [T],
    pub g: &'a [T],
    pub step: AdamStep<T>,
}

impl<T: Float> Operation<T> for Update<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self { p, m, v, g, step } = self;
        step_values::<T, L>(p, m, v, g, &step);
    }
}

/// The way of one step along moments as they are, over slices of one length.
pub struct Descent<'a, T> {
    pub p: &'a mut [T],
    pub m: &'a [T],
    pub v: &'a [T],
    pub step: AdamStep<T>,
}

impl<T: Float> Operation<T> for Descent<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self { p, m, v, step } = self;
        for ((p, &mean), &square) in p.iter_mut().zip(m).zip(v) {
            *p -= distance::<T, L>(mean, square, &step);
        }
    }
}

/// Values nearer to zero than `smallest` become zero.
pub struct Flush<'a, T> {
    pub values: &'a mut [T],
    pub smallest: T,
}

impl<T: Float> Operation<T> for Flush<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self { values, smallest } = self;
        for value in values {
            // Stored in any case: a store that depends on the comparison is
            // not vectorised.
            *value = if value.abs() < smallest {
                T::ZERO
            } else {
                *value
            };
        }
    }
}

/// One step over slices of one length, inside a kernel of the path of `L`.
///
/// A gradient of −0 gives the bits of +0, so that no caller need tell them
/// apart: g − m differs only where m is +0, to which it is then added, and g²
/// is +0.
#[inline(always)]
pub(crate) fn step_values<T: Float, L: Line<T>>(
    p: &mut [T],
    m: &mut [T],
    v: &mut [T],
    g: &[T],
    step: &AdamStep<T>,
) {
    for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
        let mean = multiply_add::<T, L>(g - *m, step.one_minus_beta1, *m);
        let square = multiply_add::<T, L>(g * g, step.one_minus_beta2, *v * step.beta2);
        *m = mean;
        *v = square;
        *p -= distance::<T, L>(mean, square, step);
    }
}

/// How far a step goes along these moments.
#[inline(always)]
fn distance<T: Float, L: Line<T>>(mean: T, square: T, step: &AdamStep<T>) -> T {
    let root = multiply_add::<T, L>(square.sqrt(), step.root_correction, step.epsilon);
    step.step_size * mean * T::fast_reciprocal::<L>(root)
}

#[inline(always)]
fn multiply_add<T: Float, L: Line<T>>(a: T, b: T, c: T) -> T {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}
