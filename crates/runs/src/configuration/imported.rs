//! Settings of weights that another program trained.

use models::ModelSpec;

use super::Configuration;
use crate::error::Error;

/// Checks that only imported weights have had no epochs here.
///
/// # Errors
/// One sentence.
pub(super) fn check(configuration: &Configuration) -> Result<(), Error> {
    /// Hexadecimal digits of a SHA-256.
    const DIGITS: usize = 64;

    let imported = configuration.model.imported.as_str();
    let is_digest = imported.len() == DIGITS && imported.bytes().all(|it| it.is_ascii_hexdigit());
    if !imported.is_empty() && !is_digest {
        return Err(Error::Configuration(format!(
            "model.imported is '{imported}', but must be the SHA-256 of weights, which 'latent-atlas import' writes, or empty"
        )));
    }
    if imported.is_empty() && configuration.training.epochs == 0 {
        return Err(Error::Configuration(
            "training.epochs is 0, but must be at least 1".into(),
        ));
    }
    Ok(())
}

impl Configuration {
    /// The same of a model whose weights were imported: what `spec` says of it, and no
    /// epochs here. `sha256` is that of its weights.
    ///
    /// # Errors
    /// When settings of the training do not fit such a model.
    pub(crate) fn of_imported(mut self, spec: &ModelSpec, sha256: String) -> Result<Self, Error> {
        let model = &mut self.model;
        let architecture = &spec.architecture;
        let likelihood = spec.likelihood.to_string();
        let sigma = likelihood
            .split_once('/')
            .map(|(_, sigma)| sigma.to_owned());
        model.kind = spec.kind.to_string();
        model.hidden.clone_from(&architecture.hidden);
        model.latent = architecture.latent;
        model.lower_latent = architecture.lower.as_ref().map_or(0, |lower| lower.latent);
        model.upper_hidden = architecture
            .lower
            .as_ref()
            .map_or_else(Vec::new, |lower| lower.upper_hidden.clone());
        model.activation = architecture.activation.name().into();
        model.likelihood = spec.likelihood.name().into();
        model.sigma = sigma.unwrap_or_else(|| super::ModelConfiguration::default().sigma);
        model.posterior_scale = spec.posterior_scale.to_string();
        model.imported = sha256;
        self.training.epochs = 0;
        self.validated()
    }

    /// Whether the weights of the model were imported.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        !self.model.imported.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Override;

    fn resolve(sets: &[&str]) -> Result<Configuration, Error> {
        let sets: Vec<Override> = sets
            .iter()
            .map(|text| Override::parse(text).expect("has an equals sign"))
            .collect();
        Configuration::resolve(None, None, &sets)
    }

    #[test]
    fn only_imported_weights_have_no_epochs() {
        let message = resolve(&["training.epochs=0"]).unwrap_err().to_string();
        assert_eq!(message, "training.epochs is 0, but must be at least 1");
        let digest = format!("model.imported={}", "0f".repeat(32));
        assert!(resolve(&["training.epochs=0", &digest]).is_ok());
        let message = resolve(&["model.imported=abc"]).unwrap_err().to_string();
        assert!(message.contains("must be the SHA-256"), "{message}");
    }

    #[test]
    fn settings_are_those_of_the_model() {
        let plain = Configuration::default();
        let mut spec = plain.model_spec().expect("valid");
        spec.architecture.hidden = vec![7, 5];
        spec.likelihood = "gaussian-identity/0.25".parse().expect("a likelihood");
        let imported = plain
            .clone()
            .of_imported(&spec, "ab".repeat(32))
            .expect("valid");
        assert_eq!(imported.model_spec().expect("valid"), spec);
        assert_ne!(imported.digest("a"), plain.digest("a"));
        let text = imported.to_toml().expect("plain data");
        assert_eq!(Configuration::of_text(&text, "").expect("valid"), imported);
    }
}
