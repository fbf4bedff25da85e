//! From values to codes and back.

use models::PosteriorScale;

use super::Described;

const STANDARDISED: &str = r#"
    def as_seen(self, x):
        """Values as the network takes them."""
        return (x - self.standardisation.mean) / self.standardisation.deviation

    def in_units(self, values):
        """Values in the units of the rows."""
        return values * self.standardisation.deviation + self.standardisation.mean
"#;

const VARIATIONAL: &str = r#"
    def posterior(self, seen):
        """μ and log σ² of q(z|x), of values as the network takes them."""
        hidden = self.encoder(seen)
        return self.mu(hidden), {twice}self.{scale}(hidden)

    def encode(self, x):
        """μ and log σ² of q(z|x), [n, LATENT] each."""
        return self.posterior({seen})

    def decode(self, z):
        """The mean of every value under p(x|z), [n, INPUTS]."""
        return {decoded}

    def reconstruct(self, x):
        """The mean of every value at the mean of q(z|x)."""
        return self.decode(self.encode(x)[0])
"#;

const DETERMINISTIC: &str = r#"
    def encode_seen(self, seen):
        """The codes of values as the network takes them."""
        return self.code(self.encoder(seen))

    def encode(self, x):
        """The codes, [n, LATENT]."""
        return self.encode_seen({seen})

    def decode(self, z):
        """The mean of every value under p(x|z), [n, INPUTS]."""
        return {decoded}

    def reconstruct(self, x):
        """The mean of every value at its code."""
        return self.decode(self.encode(x))
"#;

const TWO_LAYERS: &str = r#"
    def lower_posterior(self, seen):
        """Mean and log σ² of q(h1|x), of values as the network takes them."""
        hidden = self.encoder_1(seen)
        return self.mu_1(hidden), {twice}self.{scale}_1(hidden)

    def upper_posterior(self, h1):
        """Mean and log σ² of q(h2|h1)."""
        hidden = self.encoder_2(h1)
        return self.mu_2(hidden), {twice}self.{scale}_2(hidden)

    def lower_prior(self, h2):
        """Mean and log σ² of p(h1|h2)."""
        hidden = self.prior(h2)
        return self.prior_mu(hidden), {twice}self.prior_{scale}(hidden)

    def encode(self, x):
        """Mean and log σ² of q(h2|h1) at the mean of q(h1|x), [n, LATENT] each."""
        return self.upper_posterior(self.lower_posterior({seen})[0])

    def decode_lower(self, h1):
        """The mean of every value under p(x|h1), [n, INPUTS]."""
        return {decoded_lower}

    def decode(self, h2):
        """The mean of every value at the mean of p(h1|h2), [n, INPUTS]."""
        return self.decode_lower(self.lower_prior(h2)[0])

    def reconstruct(self, x):
        """The mean of every value at the mean of q(h1|x)."""
        return self.decode_lower(self.lower_posterior({seen})[0])
"#;

impl Described<'_> {
    /// The methods that encode and decode.
    pub(super) fn coding(&self) -> String {
        let spec = self.model.spec();
        let is_standardised = self.model.standardisation().is_some();
        let in_units = |values: &str| {
            if is_standardised {
                format!("self.in_units({values})")
            } else {
                values.to_owned()
            }
        };
        let (scale, twice) = match spec.posterior_scale {
            PosteriorScale::LogVariance => ("log_var", ""),
            PosteriorScale::LogSigma => ("log_sigma", "2 * "),
        };
        let methods = match (&spec.architecture.lower, spec.kind.is_variational()) {
            (Some(_), _) => TWO_LAYERS,
            (None, true) => VARIATIONAL,
            (None, false) => DETERMINISTIC,
        };
        let methods = methods
            .replace("{scale}", scale)
            .replace("{twice}", twice)
            .replace("{seen}", self.seen())
            .replace("{decoded_lower}", &in_units("self.mean(self.decoder(h1))"))
            .replace("{decoded}", &in_units("self.mean(self.decoder(z))"));
        if is_standardised {
            [STANDARDISED, &methods].concat()
        } else {
            methods
        }
    }

    /// Values x as the network takes them.
    pub(super) fn seen(&self) -> &'static str {
        match self.model.standardisation() {
            Some(_) => "self.as_seen(x)",
            None => "x",
        }
    }
}
