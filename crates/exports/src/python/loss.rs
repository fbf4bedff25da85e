//! What training minimised.

use models::{Bound, GaussianSigma, ModelKind};

use super::Described;

const HEAD: &str = r#"
    def loss(self, x):
        """What training minimises, the reconstruction and {penalty}:
        nats a row, means over the rows of the batch.{remark}"""
"#;

/// z = μ + σε, one sample for each row or SAMPLES.
const SAMPLED: &str = r#"        mu, log_var = self.posterior({input})
        noise = {noise}
        z = mu + torch.exp(0.5 * log_var) * noise
"#;

const ELBO: &str = r#"        reconstruction = self.negative_log_likelihood(self.decoder(z), {target}).mean()
        kl = 0.5 * (mu**2 + log_var.exp() - log_var - 1)
        penalty = {penalised}
        return reconstruction + BETA * penalty, reconstruction, kl.sum(-1).mean()
"#;

const IWAE: &str = r#"        losses = self.negative_log_likelihood(self.decoder(z), {target})
        # log p(z) − log q(z|x), in which the two ½ log 2π cancel.
        log_ratio = 0.5 * (noise**2 + log_var - z**2).sum(-1)
        bound = torch.logsumexp(log_ratio - losses, 0) - math.log(SAMPLES)
        kl = 0.5 * (mu**2 + log_var.exp() - log_var - 1)
        return -bound.mean(), losses.mean(), kl.sum(-1).mean()
"#;

const TWO_LAYERS: &str = r#"        mu_1, log_var_1 = self.lower_posterior({input})
        noise_1 = {noise_1}
        h1 = mu_1 + torch.exp(0.5 * log_var_1) * noise_1
        mu_2, log_var_2 = self.upper_posterior(h1)
        noise_2 = torch.randn_like(mu_2)
        h2 = mu_2 + torch.exp(0.5 * log_var_2) * noise_2
        losses = self.negative_log_likelihood(self.decoder(h1), {target})
        # log p(h1|h2) + log p(h2) − log q(h1|x) − log q(h2|h1), in which the
        # ½ log 2π cancel.
        prior_mu, prior_log_var = self.lower_prior(h2)
        of_prior = (h1 - prior_mu) ** 2 * torch.exp(-prior_log_var) + prior_log_var
        log_ratio = 0.5 * (
            (noise_1**2 + log_var_1).sum(-1) + (noise_2**2 + log_var_2).sum(-1) - of_prior.sum(-1) - (h2**2).sum(-1)
        )
"#;

const TWO_LAYERS_ELBO: &str = r#"        reconstruction, penalty = losses.mean(), -log_ratio.mean()
        return reconstruction + penalty, reconstruction, penalty
"#;

const TWO_LAYERS_IWAE: &str = r#"        bound = torch.logsumexp(log_ratio - losses, 0) - math.log(SAMPLES)
        return -bound.mean(), losses.mean(), -log_ratio.mean()
"#;

const DETERMINISTIC: &str = r#"        z = self.encode_seen({input})
        reconstruction = self.negative_log_likelihood(self.decoder(z), {target}).mean()
"#;

const WITHOUT_PENALTY: &str = r#"        penalty = torch.zeros_like(reconstruction)
        return reconstruction, reconstruction, penalty
"#;

const SQUARES: &str = r#"        penalty = {penalised}
        return reconstruction + BETA * penalty, reconstruction, 0.5 * (z**2).sum(-1).mean()
"#;

const DISCREPANCY: &str = r#"        penalty = discrepancy(z, torch.randn_like(z))
        return reconstruction + BETA * penalty, reconstruction, penalty
"#;

/// Outside the class, before it.
const DISCREPANCY_FUNCTION: &str = r#"def discrepancy(codes, draws):
    """MMD² of two samples under a sum of inverse multiquadratic kernels."""
    n = len(codes)
    if n < 2:
        return codes.sum() * 0

    def kernel(a, b):
        squares = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        scales = (2 * LATENT * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10))
        return sum(c / (c + squares) for c in scales)

    def of_pairs(a):
        values = kernel(a, a)
        return (values.sum() - values.diagonal().sum()) / (n * (n - 1))

    return of_pairs(codes) + of_pairs(draws) - 2 * kernel(codes, draws).mean()


"#;

impl Described<'_> {
    /// The constants that [`loss`](Self::loss) uses.
    pub(super) fn loss_constants(&self) -> String {
        let (spec, objective) = (self.model.spec(), self.objective);
        let mut constants = String::new();
        let mut constant = |name: &str, value: String, remark: &str| {
            constants += &format!("{name} = {value}  # {remark}\n");
        };
        if let Some(GaussianSigma::Fixed(sigma)) = spec.likelihood.scale_source() {
            constant("SIGMA", format!("{sigma:?}"), "of every value");
        }
        if self.has_weight() {
            constant(
                "BETA",
                format!("{:?}", objective.beta),
                "weight of the penalty",
            );
        }
        if objective.free_bits > 0.0 {
            let remark = "nats of each latent dimension that cost nothing";
            constant("FREE_BITS", format!("{:?}", objective.free_bits), remark);
        }
        if self.has_samples() {
            constant(
                "SAMPLES",
                objective.samples.to_string(),
                "of the code of each row",
            );
        }
        if objective.corruption > 0.0 {
            let remark = "share of the values that the input loses";
            constant("CORRUPTION", format!("{:?}", objective.corruption), remark);
        }
        constants
    }

    /// The method that computes the loss.
    pub(super) fn loss(&self) -> String {
        let (spec, objective) = (self.model.spec(), self.objective);
        let is_standardised = self.model.standardisation().is_some();
        let mut text = HEAD.to_owned();
        if is_standardised {
            text += "        x = self.as_seen(x)\n";
        }
        let mut input = "x";
        if objective.corruption > 0.0 {
            text += "        kept = torch.rand_like(x) >= CORRUPTION\n";
            input = "x * kept";
        }
        let is_importance = objective.bound == Bound::Iwae;
        text += &match (&spec.architecture.lower, spec.kind.is_variational()) {
            (Some(_), _) => {
                let rest = if is_importance {
                    TWO_LAYERS_IWAE
                } else {
                    TWO_LAYERS_ELBO
                };
                [TWO_LAYERS, rest].concat()
            }
            (None, true) => [SAMPLED, if is_importance { IWAE } else { ELBO }].concat(),
            (None, false) => {
                let rest = match (objective.bound, spec.kind) {
                    (Bound::Wae, _) => DISCREPANCY,
                    (_, ModelKind::AeL2) => SQUARES,
                    _ => WITHOUT_PENALTY,
                };
                [DETERMINISTIC, rest].concat()
            }
        };
        let terms = if spec.kind.is_variational() {
            "kl"
        } else {
            "(0.5 * z**2)"
        };
        let penalised = if objective.free_bits > 0.0 {
            format!("{terms}.mean(0).clamp(min=FREE_BITS).sum()")
        } else {
            format!("{terms}.sum(-1).mean()")
        };
        let noise = |of: &str| {
            if self.has_samples() {
                format!("torch.randn(SAMPLES, *{of}.shape, dtype={of}.dtype, device={of}.device)")
            } else {
                format!("torch.randn_like({of})")
            }
        };
        let penalty = match (objective.bound, spec.kind.penalty_name()) {
            (Bound::Wae, _) => "MMD²".to_owned(),
            (_, Some(name)) => format!("the {name}"),
            (_, None) => "0".to_owned(),
        };
        let remark = match (self.treatment.is_binary(), is_standardised) {
            (true, _) => format!(
                "\n\n        The run was trained on pixels that are 0 or 1 ({}), which x has to be.\n        ",
                self.treatment
            ),
            (_, true) => {
                "\n\n        Of standardised values, as the run's own losses are.\n        "
                    .to_owned()
            }
            _ => String::new(),
        };
        text.replace("{input}", input)
            .replace("{target}", "x")
            .replace("{noise}", &noise("mu"))
            .replace("{noise_1}", &noise("mu_1"))
            .replace("{penalised}", &penalised)
            .replace("{penalty}", &penalty)
            .replace("{remark}", &remark)
    }

    /// What stands before the class.
    pub(super) fn functions(&self) -> &'static str {
        match self.objective.bound {
            Bound::Wae => DISCREPANCY_FUNCTION,
            Bound::Elbo | Bound::Iwae => "",
        }
    }

    fn has_samples(&self) -> bool {
        self.model.spec().kind.is_variational()
            && (self.objective.samples > 1 || self.objective.bound == Bound::Iwae)
    }

    /// Whether β weighs a penalty.
    fn has_weight(&self) -> bool {
        let spec = self.model.spec();
        match self.objective.bound {
            Bound::Iwae => false,
            Bound::Wae => true,
            Bound::Elbo => {
                spec.architecture.lower.is_none()
                    && matches!(spec.kind, ModelKind::Vae | ModelKind::AeL2)
            }
        }
    }
}
