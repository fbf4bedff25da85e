//! The mean of every value and −log p(x|z), of the decoder's outputs.

use models::{Family, GaussianMean, GaussianSigma, Likelihood, Model};

const BERNOULLI: &str = r#"
    def mean(self, outputs):
        """E[x] of logits."""
        return torch.sigmoid(outputs)

    def negative_log_likelihood(self, outputs, x):
        """−log p(x|z) of each row in nats; of grey values the cross-entropy."""
        losses = F.binary_cross_entropy_with_logits(outputs, x.expand_as(outputs), reduction="none")
        return losses.sum(-1)
"#;

const CONTINUOUS_BERNOULLI: &str = r#"
    # A(a) = ln((e^a − 1)/a) and its derivative lose their digits around a = 0,
    # where they are summed as series in the Bernoulli numbers.
    COEFFICIENTS = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)

    def mean(self, outputs):
        """E[x] = 1/(1 − e^−a) − 1/a of logits a."""
        near = outputs.clamp(-1, 1)
        series = 0.5 + sum(c * near ** (2 * n + 1) for n, c in enumerate(self.COEFFICIENTS))
        far = outputs.abs().clamp(min=1)
        lower = 1 / far - torch.exp(-far) / -torch.expm1(-far)
        return torch.where(outputs.abs() < 1, series, torch.where(outputs > 0, 1 - lower, lower))

    def negative_log_likelihood(self, outputs, x):
        """−log p(x|z) of each row in nats: A(a) − a·x."""
        near = outputs.clamp(-1, 1)
        terms = (c / (2 * n + 2) * near ** (2 * n + 2) for n, c in enumerate(self.COEFFICIENTS))
        series = near / 2 + sum(terms)
        far = outputs.abs().clamp(min=1)
        partition = outputs.clamp(min=0) + torch.log(-torch.expm1(-far) / far)
        partition = torch.where(outputs.abs() < 1, series, partition)
        return (partition - outputs * x).sum(-1)
"#;

const LOCATION_SCALE: &str = r#"
    def mean(self, outputs):
        """E[x] of the decoder's outputs."""
        return {mean}

    def log_scale(self, outputs):
        """ln σ of every value{seen}."""
        return {log_sigma}

    def negative_log_likelihood(self, outputs, x):
        """−log p(x|z) of each row in nats."""
        log_sigma = self.log_scale(outputs)
        difference = self.mean(outputs) - x
        losses = {term} + log_sigma + {constant}
        return losses.sum(-1)
"#;

/// The methods of a likelihood.
pub(super) fn methods(model: &Model) -> String {
    let (mean, sigma, family) = match model.spec().likelihood {
        Likelihood::Bernoulli => return BERNOULLI.to_owned(),
        Likelihood::ContinuousBernoulli => return CONTINUOUS_BERNOULLI.to_owned(),
        Likelihood::Gaussian { mean, sigma } => (mean, sigma, Family::Gaussian),
        Likelihood::Laplace { mean, sigma } => (mean, sigma, Family::Laplace),
    };
    let means = match sigma {
        GaussianSigma::Decoder => "outputs[..., :INPUTS]",
        _ => "outputs",
    };
    let mean = match mean {
        GaussianMean::Sigmoid => format!("torch.sigmoid({means})"),
        GaussianMean::Identity => means.to_owned(),
    };
    let log_sigma = match sigma {
        GaussianSigma::Fixed(_) => "torch.full_like(outputs, math.log(SIGMA))",
        GaussianSigma::Scalar | GaussianSigma::PerPixel => {
            "self.likelihood.log_sigma.expand_as(outputs)"
        }
        GaussianSigma::Decoder => "outputs[..., INPUTS:]",
    };
    let (term, constant) = match family {
        Family::Gaussian => (
            "0.5 * (difference * torch.exp(-log_sigma)) ** 2",
            "0.5 * math.log(2 * math.pi)",
        ),
        Family::Laplace => (
            "math.sqrt(2) * difference.abs() * torch.exp(-log_sigma)",
            "0.5 * math.log(2)",
        ),
    };
    let seen = match model.standardisation() {
        Some(_) => ", of standardised values",
        None => "",
    };
    LOCATION_SCALE
        .replace("{mean}", &mean)
        .replace("{seen}", seen)
        .replace("{log_sigma}", log_sigma)
        .replace("{term}", term)
        .replace("{constant}", constant)
}
