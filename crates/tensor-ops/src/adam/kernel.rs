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

/// One step over slices of one length, inside a kernel of the path of `L`.
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
        let root = multiply_add::<T, L>(square.sqrt(), step.root_correction, step.epsilon);
        *m = mean;
        *v = square;
        *p -= step.step_size * mean * T::fast_reciprocal::<L>(root);
    }
}

#[inline(always)]
fn multiply_add<T: Float, L: Line<T>>(a: T, b: T, c: T) -> T {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}
