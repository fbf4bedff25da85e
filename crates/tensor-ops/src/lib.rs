//! Dense f32 and f64 kernels: GEMM, layer products, vector math, reductions, random deviates.
//!
//! Everything here works on slices and allocates nothing per call; scratch
//! memory belongs to the caller. Three ideas carry the crate:
//!
//! * **Panel layout** ([`panels`]). A matrix is cut into column panels of 16
//!   lanes, so that one panel row of f32 is one 64-byte cache line. Weights,
//!   gradients, optimiser moments and activations all live in it, and the
//!   layer products of [`linear`] never repack anything.
//! * **One chain per element.** Every element of every product is a single
//!   chain of (fused) multiply-adds in ascending contraction index, starting
//!   from +0, or a fixed tree of eight ([`eighths`]); bias and activation come
//!   last. The bits of a result therefore
//!   do not depend on tiles, row blocks or threads, only on the
//!   instruction-set path ([`isa`]).
//! * **One source.** A kernel is written once, generically, and instantiated
//!   for a path without features, AVX2+FMA and AVX-512; the path is chosen once per
//!   process at run time.
//!
//! Shape mistakes are bugs of the caller: they panic with the operation's
//! name and the shapes involved.

pub mod activation;
pub mod adam;
mod aligned;
pub mod binarise;
pub mod eighths;
mod float;
pub mod gemm;
pub mod isa;
mod kernels;
pub mod library;
pub mod linear;
pub mod loss;
pub mod panels;
pub mod parallel;
pub mod peak;
pub mod random;
pub mod reduce;
mod simd;
mod tile;
pub mod vector;

pub use activation::Activation;
pub use aligned::AlignedBuffer;
pub use float::Float;
