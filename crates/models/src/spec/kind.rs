//! Which autoencoder a model is.

use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::named::{listed, named};

/// Which autoencoder: what is sampled and what is penalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Deterministic autoencoder: z = c(x), no penalty on the code.
    Ae,
    /// Variational autoencoder: z = μ + σ·ε, penalised by KL(q(z|x) ‖ N(0, I)).
    Vae,
    /// The ablation between the two: z = c(x) as in [`ModelKind::Ae`], with
    /// the quadratic part ½‖z‖² of the KL kept.
    AeL2,
    /// Deterministic autoencoder whose input loses values that it has to give
    /// back (Vincent et al. 2008, *Extracting and composing robust features with
    /// denoising autoencoders*).
    Denoising,
}

named! {
    ModelKind, SpecError, SpecError::Kind,
    Ae => "ae",
    Vae => "vae",
    AeL2 => "ae-l2",
    Denoising => "denoising",
}

impl ModelKind {
    /// All names, as a message lists them: `ae, vae, ae-l2 or denoising`.
    pub(crate) fn names() -> String {
        listed(ModelKind::ALL.map(ModelKind::name))
    }

    /// Whether q(z|x) is a distribution that is sampled from.
    pub fn is_variational(self) -> bool {
        self == ModelKind::Vae
    }
}

impl ModelKind {
    /// What texts call it: `AE-L2`.
    pub fn title(self) -> &'static str {
        match self {
            ModelKind::Ae => "AE",
            ModelKind::Vae => "VAE",
            ModelKind::AeL2 => "AE-L2",
            ModelKind::Denoising => "DAE",
        }
    }

    /// What its loss has besides the reconstruction, if anything.
    pub fn penalty_name(self) -> Option<&'static str> {
        match self {
            ModelKind::Ae | ModelKind::Denoising => None,
            ModelKind::Vae => Some("KL"),
            ModelKind::AeL2 => Some("½‖z‖²"),
        }
    }

    /// Share of the values that its input loses while it is trained, unless it
    /// is told another; 0 of a kind whose input loses none.
    pub fn corruption(self) -> f64 {
        match self {
            ModelKind::Ae | ModelKind::Vae | ModelKind::AeL2 => 0.0,
            ModelKind::Denoising => 0.25,
        }
    }

    /// The penalty in nats of a coordinate of a code that is not sampled; `None`
    /// for a kind without one and for one whose penalty is the KL of a posterior.
    pub fn penalty_of_coordinate(self) -> Option<fn(f64) -> f64> {
        match self {
            ModelKind::Ae | ModelKind::Vae | ModelKind::Denoising => None,
            ModelKind::AeL2 => Some(|z| 0.5 * z.powi(2)),
        }
    }
}
