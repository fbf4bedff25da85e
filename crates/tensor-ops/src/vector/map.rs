//! The slice kernels of [`super`]: one loop that the compiler vectorises.

use crate::Float;
use crate::simd::{Line, Operation};

/// Where the values come from and go to.
pub enum Slices<'a, T> {
    /// Values of the first slice go to the second, of the same length.
    To(&'a [T], &'a mut [T]),
    /// Values are replaced.
    InPlace(&'a mut [T]),
}

macro_rules! maps {
    ($($operation:ident $function:ident)*) => {
        $(
            /// The function over slices.
            pub struct $operation<'a, T>(pub Slices<'a, T>);

            impl<T: Float> Operation<T> for $operation<'_, T> {
                type Result = ();

                #[inline(always)]
                unsafe fn run<L: Line<T>>(self) {
                    match self.0 {
                        Slices::To(x, out) => {
                            for (out, &x) in out.iter_mut().zip(x) {
                                *out = T::$function::<L>(x);
                            }
                        }
                        Slices::InPlace(x) => {
                            for x in x {
                                *x = T::$function::<L>(*x);
                            }
                        }
                    }
                }
            }
        )*
    };
}

maps! {
    Exp fast_exp
    Ln fast_ln
    Log1pUnit fast_log1p_unit
    Sigmoid fast_sigmoid
    Softplus fast_softplus
    Tanh fast_tanh
    Relu fast_relu
}
