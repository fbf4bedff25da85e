//! Two stochastic layers, as in the second half of Table 1 of Burda, Grosse &
//! Salakhutdinov (2016, arXiv 1509.00519): x ← h₁ ← h₂.
//!
//! ```text
//! q(h₁|x)  = N(μ₁(x), diag σ₁²(x))       p(h₂)    = N(0, I)
//! q(h₂|h₁) = N(μ₂(h₁), diag σ₂²(h₁))     p(h₁|h₂) = N(m(h₂), diag s²(h₂))
//!                                        p(x|h₁)
//! ```
//!
//! Four networks, each linear layers with one activation between them. The
//! model stands beside the one-layer [`Model`](crate::Model) and shares its
//! parts — parameters, weight gradients, Adam, schedules, data treatments,
//! importance weights, checkpoints — but none of its code knows of a second
//! layer. Its gradient is derived by hand, at the row block's `backward`.

mod chain;
mod gaussian;
mod model;
mod row_block;
mod sampler;
mod spec;
mod state;
mod trainer;
mod workspace;

pub use model::TwoLayerModel;
pub use sampler::TwoLayerSampler;
pub use spec::{StochasticNetworks, TwoLayerSpec};
pub use trainer::TwoLayerTrainer;
pub use workspace::TwoLayerWorkspace;
pub(crate) use workspace::images_of_block;
