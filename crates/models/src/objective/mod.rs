//! What is minimised: the bound on log p(x), its samples, and the weight of
//! the KL.

mod discrepancy;
mod free_bits;
pub(crate) mod importance;

use std::fmt;
use std::ops::Range;

use autodiff::Var;

use serde::{Deserialize, Serialize};
use tensor_ops::Float;
use tensor_ops::parallel::ThreadPool;

use discrepancy::Discrepancy;
use free_bits::FreeBits;

use crate::named::named;
use crate::network::pass::Networks;
use crate::spec::ModelSpec;
use crate::step::block::Block;
use crate::step::program::{Latent, Recorder};
use crate::training::configuration::{
    AT_LEAST_1, BELOW_1, ConfigurationError, Gradients, Limits, NOT_NEGATIVE, require,
};

/// The most samples of z per image: beyond it a typing error is far likelier
/// than an objective.
pub const MAXIMUM_SAMPLES: usize = 1 << 16;

const SAMPLES: Limits = (1.0..=MAXIMUM_SAMPLES as f64, "between 1 and 65536");

/// Which lower bound of log p(x) is raised, or what takes its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// E_q\[log p(x|z)\] − KL(q(z|x) ‖ p(z)), the expectation over k samples and
    /// the KL in closed form (Kingma & Welling 2014, arXiv 1312.6114, eq. 7).
    #[default]
    Elbo,
    /// log (1/k) Σ_s p(x, z_s) / q(z_s|x) (Burda, Grosse & Salakhutdinov 2016,
    /// arXiv 1509.00519, eq. 8).
    Iwae,
    /// No bound: the reconstruction of a deterministic autoencoder and the
    /// maximum mean discrepancy between the codes of a batch and draws of the
    /// prior (Tolstikhin et al. 2018, arXiv 1711.01558).
    Wae,
}

named! {
    Bound, ConfigurationError, ConfigurationError::Bound,
    Elbo => "elbo",
    Iwae => "iwae",
    Wae => "wae",
}

/// The function of a batch that training minimises.
///
/// With the ELBO, and means over the images of the batch,
///
/// ```text
/// L = mean reconstruction + β · Σ_j max(λ, mean KL_j)
/// ```
///
/// where λ are the free bits of every latent dimension j (Kingma et al. 2016,
/// arXiv 1606.04934, appendix C.8) and β weighs the KL (Higgins et al. 2017).
/// With λ = 0 the sum is the mean KL. For `ae-l2` the KL is its penalty
/// ½‖z‖², for `ae` there is none. The importance-weighted bound has neither
/// β nor λ: its KL is no term of its own. The Wasserstein autoencoder is the
/// model `ae` with
///
/// ```text
/// L = mean reconstruction + β · MMD²(codes of the batch, as many draws of N(0, I))
/// ```
///
/// where MMD² is an unbiased estimate within each sample (see `discrepancy.rs`),
/// and 0 for a batch of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which bound.
    pub bound: Bound,
    /// Samples of z per image, k.
    pub samples: usize,
    /// Weight of the KL, or of MMD².
    pub beta: f64,
    /// Epochs over which the weight rises linearly from 0 to `beta`, a little
    /// with every step; 0 for none.
    pub beta_warm_up_epochs: usize,
    /// λ: nats of KL per latent dimension that cost nothing.
    pub free_bits: f64,
    /// Share of the values that the input of the encoder loses, while the
    /// reconstruction is that of the whole input.
    #[serde(default)]
    pub corruption: f64,
}

impl Objective {
    /// The ELBO with one sample and the KL as it stands.
    pub const ELBO: Objective = Objective {
        bound: Bound::Elbo,
        samples: 1,
        beta: 1.0,
        beta_warm_up_epochs: 0,
        free_bits: 0.0,
        corruption: 0.0,
    };

    /// The importance-weighted bound with `samples` samples.
    pub const fn iwae(samples: usize) -> Self {
        Objective {
            bound: Bound::Iwae,
            samples,
            ..Objective::ELBO
        }
    }

    /// Checks every value, and that the model has what the objective needs.
    ///
    /// # Errors
    /// The first value out of range, with the range; importance weights,
    /// several samples or free bits without a posterior to sample from; β
    /// where there is nothing for it to weigh; a discrepancy of codes that are
    /// sampled or penalised already; β or free bits of two stochastic layers.
    pub fn validate(&self, spec: &ModelSpec) -> Result<(), ConfigurationError> {
        let kind = spec.kind;
        require("samples", self.samples as f64, &SAMPLES)?;
        require("beta", self.beta, &NOT_NEGATIVE)?;
        require("free bits", self.free_bits, &NOT_NEGATIVE)?;
        require("corruption", self.corruption, &BELOW_1)?;
        let unsuitable =
            |what: String, reason| Err(ConfigurationError::Objective { what, kind, reason });
        let weighs_kl = self.beta != 1.0 || self.beta_warm_up_epochs > 0;
        if self.bound == Bound::Wae {
            if kind.is_variational() || kind.penalty_name().is_some() {
                return unsuitable(
                    "the objective wae".to_owned(),
                    "it compares codes that are neither sampled nor penalised with the prior; expected a model of such codes, like ae",
                );
            }
            if self.samples > 1 || self.free_bits > 0.0 {
                return unsuitable(
                    format!(
                        "the objective wae with {} samples and free bits {}",
                        self.samples, self.free_bits
                    ),
                    "an image has one code and no KL; expected 1 sample and no free bits",
                );
            }
            return Ok(());
        }
        if !kind.is_variational() {
            let no_posterior = "it samples no z; expected the model vae";
            if self.bound == Bound::Iwae {
                return unsuitable("the objective iwae".to_owned(), no_posterior);
            }
            if self.samples > 1 {
                return unsuitable(format!("samples = {}", self.samples), no_posterior);
            }
            if self.free_bits > 0.0 {
                return unsuitable(format!("free bits of {}", self.free_bits), no_posterior);
            }
            if kind.penalty_name().is_none() && weighs_kl {
                return unsuitable(
                    format!("beta {} or its warm-up", self.beta),
                    "it has no KL to weigh; expected beta 1 without warm-up",
                );
            }
        }
        if !spec.has_closed_form_penalty() && (weighs_kl || self.free_bits > 0.0) {
            return unsuitable(
                format!("the objective {self}"),
                "the KL of two stochastic layers has no closed form; expected beta 1, no warm-up and no free bits",
            );
        }
        if self.bound == Bound::Iwae && (weighs_kl || self.free_bits > 0.0) {
            return unsuitable(
                format!(
                    "the objective iwae with beta {}, {} epochs of warm-up and free bits {}",
                    self.beta, self.beta_warm_up_epochs, self.free_bits
                ),
                "the importance-weighted bound has no KL term; expected beta 1, no warm-up and no free bits",
            );
        }
        Ok(())
    }

    /// One sentence that says how the KL and the reconstruction are weighed
    /// against each other. Summing one of them and averaging the other is the
    /// commonest mistake in published code, and shows as an effective β of
    /// hundreds or thousandths.
    pub fn statement(&self, spec: &ModelSpec) -> String {
        let lost = if self.corruption > 0.0 {
            format!("; a share of {} of the input was lost", self.corruption)
        } else {
            String::new()
        };
        self.weights(spec) + &lost
    }

    fn weights(&self, spec: &ModelSpec) -> String {
        let pixels = spec.architecture.inputs;
        let of_samples = match self.samples {
            1 => String::new(),
            samples => format!(" (mean of {samples} samples)"),
        };
        let summed = format!("reconstruction{of_samples} summed over {pixels} pixels");
        match (self.bound, spec.kind.penalty_name()) {
            (Bound::Iwae, _) => format!(
                "importance-weighted bound of {} samples, log p(x|z) summed over {pixels} pixels: effective beta = 1 per image",
                self.samples
            ),
            (Bound::Wae, _) => format!(
                "MMD² between the codes of a batch and as many draws of N(0, I), weight {} against \
                 {summed}{}; MMD² is at most {}, so that a weight of the order of the \
                 reconstruction (hundreds) matters; the loss of whole sets leaves it out",
                self.beta,
                self.warm_up_statement(),
                discrepancy::MAXIMUM
            ),
            (Bound::Elbo, None) => format!("no KL term; {summed}"),
            (Bound::Elbo, Some(_)) => {
                let term = if spec.kind.is_variational() {
                    "KL weight"
                } else {
                    "weight of the penalty"
                };
                let mut text = format!(
                    "{term} {beta} against {summed}: effective beta = {beta} per image",
                    beta = self.beta
                );
                text += &self.warm_up_statement();
                if self.free_bits > 0.0 {
                    text += &format!(
                        "; {} nats of KL per latent dimension are free",
                        self.free_bits
                    );
                }
                text
            }
        }
    }

    fn warm_up_statement(&self) -> String {
        match self.beta_warm_up_epochs {
            0 => String::new(),
            epochs => format!(", reached from 0 after {epochs} epochs"),
        }
    }

    /// The weight of the KL in the step after `step` others: a function of
    /// the counters alone, so that a resumed run goes on as if never stopped.
    pub fn beta_at(&self, step: u64, steps_in_epoch: usize) -> f64 {
        let total = self.beta_warm_up_epochs as f64 * steps_in_epoch as f64;
        if (step as f64) < total {
            self.beta * (step as f64 / total)
        } else {
            self.beta
        }
    }
}

/// A penalty that is a function of the whole batch rather than a sum over its
/// images: worked out between forward and backward pass.
pub(crate) trait BatchPenalty<T: Float>: fmt::Debug + Send + Sync {
    /// Begins a batch of so many images.
    fn begin(&mut self, images: usize);

    /// Takes what a block has computed of its images, in their order, and the
    /// deviates that were drawn for them, row-major.
    fn collect(&mut self, block: &Block<T>, networks: &dyn Networks<T>, noise: &[T]);

    /// The penalty of the batch, before β; `weights`, which are β for the
    /// penalty of each latent dimension, change where they are others in the
    /// gradient. The threads of `pool` are free.
    fn finish(&mut self, pool: &ThreadPool, weights: &mut [T]) -> BatchValue;

    /// The gradient of `images` · β · penalty by the codes of some images,
    /// row-major; empty where the penalty is no function of the codes alone.
    fn by_codes(&self, images: Range<usize>) -> &[T];
}

/// The penalty of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BatchValue {
    /// What is weighed with β in the loss.
    pub(crate) penalty: f64,
    /// Whether it is the only penalty there is, rather than another function of
    /// those of the images.
    pub(crate) is_all: bool,
}

/// The penalty of an objective that is one of the batch, for batches of up to
/// `capacity` images.
pub(crate) fn batch_penalty<T: Float>(
    objective: &Objective,
    spec: &ModelSpec,
    capacity: usize,
) -> Option<Box<dyn BatchPenalty<T>>> {
    let latent = spec.architecture.latent;
    if objective.bound == Bound::Wae {
        return Some(Box::new(Discrepancy::new(latent, capacity)));
    }
    let free_bits = FreeBits::of(objective, latent);
    free_bits.map(|penalty| Box::new(penalty) as Box<dyn BatchPenalty<T>>)
}

impl Objective {
    /// Deviates of one sample that an objective takes of a model.
    pub(crate) fn noise_width(&self, spec: &ModelSpec) -> usize {
        match self.bound {
            Bound::Wae => spec.architecture.latent,
            Bound::Elbo | Bound::Iwae => spec.noise_width(),
        }
    }

    /// How many images a batch may have.
    pub(crate) fn sizes_of_batches(&self) -> &'static Limits {
        const OF_CODES: Limits = (
            2.0..=f64::MAX,
            "at least 2 for the objective wae, which compares the codes of a batch",
        );
        match self.bound {
            Bound::Elbo | Bound::Iwae => &AT_LEAST_1,
            Bound::Wae => &OF_CODES,
        }
    }

    /// Whether the penalty is one of the whole batch.
    pub(crate) fn is_of_batch(&self) -> bool {
        self.free_bits > 0.0 || self.bound == Bound::Wae
    }

    /// Values of the network that such a penalty takes room for, whatever the
    /// number of threads, besides what a batch takes without it.
    pub(crate) fn batch_penalty_values(
        &self,
        spec: &ModelSpec,
        gradients: Gradients,
        capacity: usize,
    ) -> f64 {
        let latent = spec.architecture.latent;
        if self.bound == Bound::Wae {
            discrepancy::values(gradients, latent, capacity)
        } else if self.free_bits > 0.0 {
            2.0 * latent as f64
        } else {
            0.0
        }
    }

    /// Records such a penalty.
    pub(crate) fn record_batch_penalty<T: Float>(
        &self,
        recorder: &mut Recorder<'_, '_, T>,
        latent: &Latent,
    ) -> Result<Option<Var>, autodiff::Error> {
        match latent.penalty {
            _ if self.bound == Bound::Wae => discrepancy::record(recorder, latent).map(Some),
            Some(by_dimension) if self.free_bits > 0.0 => {
                free_bits::record(recorder.tape, by_dimension, self.free_bits).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Display for Objective {
    /// Every value: `elbo, samples 1, beta 1, warm-up 0 epochs, free bits 0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, samples {}, beta {}, warm-up {} epochs, free bits {}",
            self.bound, self.samples, self.beta, self.beta_warm_up_epochs, self.free_bits
        )?;
        // States from before there was any do not name it.
        if self.corruption > 0.0 {
            write!(f, ", corruption {}", self.corruption)?;
        }
        Ok(())
    }
}

impl Default for Objective {
    fn default() -> Self {
        Self::ELBO
    }
}

#[cfg(test)]
mod tests;
