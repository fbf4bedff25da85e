//! What every element type provides to the public functions.
//!
//! The public functions are generic over [`crate::Float`]; the kernels behind
//! them are compiled once here, for f32 and f64 on every path, so that no
//! crate above compiles them again.

use crate::adam;
use crate::binarise::kernel::{BinariseBytes, PackBinarised};
use crate::gemm::kernel::{PackTransposed, Product};
use crate::isa::Available;
use crate::linear::forward::Forward;
use crate::linear::input_gradient::{Completion, Contraction, InputGradient};
use crate::linear::weight_gradient::WeightGradient;
use crate::loss::continuous_bernoulli::{ContinuousBernoulli, Moments};
use crate::loss::kernel::Bce;
use crate::loss::location_scale::{PerColumn, PerElement};
use crate::loss::rows::{self, RowLosses};
use crate::panels::rows::PackRows;
use crate::panels::support::{List, Mark};
use crate::random::deviates::{Normal, Uniform};
use crate::simd::{Lines, dispatch};
use crate::vector::elementary::Elementary;
use crate::vector::map;

macro_rules! kernels {
    ($($(#[$doc:meta])* $name:ident: $operation:ty;)*) => {
        /// The kernels of an element type.
        pub trait Kernels: Lines + Elementary {
            $(
                $(#[$doc])*
                fn $name(isa: Available, operation: $operation);
            )*
        }
        kernels!(implement f32 $($name: $operation;)*);
        kernels!(implement f64 $($name: $operation;)*);
    };
    (implement $element:ident $($name:ident: $operation:ty;)*) => {
        impl Kernels for $element {
            $(
                fn $name(isa: Available, operation: $operation) {
                    dispatch::<Self, _>(isa, operation);
                }
            )*
        }
    };
}

kernels! {
    /// See [`crate::linear::forward`].
    forward: Forward<'_, Self>;
    /// See [`crate::linear::input_gradient`].
    input_gradient: InputGradient<'_, Self>;
    /// See [`crate::linear::input_gradient_branch`].
    contraction: Contraction<'_, Self>;
    /// See [`crate::linear::complete_input_gradient`].
    completion: Completion<'_, Self>;
    /// See [`crate::linear::weight_gradient`].
    weight_gradient: WeightGradient<'_, Self>;
    /// See [`crate::gemm`].
    product: Product<Self>;
    /// See [`crate::gemm::nt`].
    pack_transposed: PackTransposed<'_, Self>;
    /// See [`crate::panels::Panels::pack_bytes`].
    pack_bytes: PackRows<'_, u8>;
    /// See [`crate::panels::Panels::pack_values_indexed`].
    pack_values: PackRows<'_, f32>;
    /// See [`crate::binarise::pack_drawn_indexed`].
    pack_binarised: PackBinarised<'_>;
    /// See [`crate::binarise::draw`].
    binarise_bytes: BinariseBytes<'_>;
    /// See [`crate::random::fill_uniform`].
    uniform: Uniform<'_, Self>;
    /// See [`crate::random::fill_normal`].
    normal: Normal<'_, Self>;
    /// See [`crate::panels::Support::mark`].
    mark: Mark<'_, Self>;
    /// See [`crate::panels::Support::list`].
    list: List<'_>;
    /// See [`crate::loss`].
    bce: Bce<'_, Self>;
    /// See [`crate::loss::bernoulli`].
    bernoulli_rows: RowLosses<'_, Self, rows::Bernoulli>;
    /// See [`crate::loss::continuous_bernoulli::with_logits`].
    continuous_bernoulli_rows: RowLosses<'_, Self, ContinuousBernoulli>;
    /// See [`crate::loss::continuous_bernoulli::means_in_place`].
    continuous_bernoulli_moments: Moments<'_, Self>;
    /// See [`crate::loss::location_scale::per_column`].
    located_per_column: RowLosses<'_, Self, PerColumn<'_, Self>>;
    /// See [`crate::loss::location_scale::per_element`].
    located_per_element: RowLosses<'_, Self, PerElement<'_, Self>>;
    /// See [`crate::adam::update`].
    adam: adam::kernel::Update<'_, Self>;
    /// See [`crate::adam::descend`].
    descend: adam::kernel::Descent<'_, Self>;
    /// See [`crate::adam::flush`].
    flush: adam::kernel::Flush<'_, Self>;
    /// See [`crate::vector::exp`].
    map_exp: map::Exp<'_, Self>;
    /// See [`crate::vector::ln`].
    map_ln: map::Ln<'_, Self>;
    /// See [`crate::vector::log1p_unit`].
    map_log1p_unit: map::Log1pUnit<'_, Self>;
    /// See [`crate::vector::sigmoid`].
    map_sigmoid: map::Sigmoid<'_, Self>;
    /// See [`crate::vector::softplus`].
    map_softplus: map::Softplus<'_, Self>;
    /// See [`crate::vector::tanh`].
    map_tanh: map::Tanh<'_, Self>;
    /// See [`crate::vector::relu`].
    map_relu: map::Relu<'_, Self>;
}
