//! The names that settings can be set to, and what settings and those names
//! are called elsewhere.

use datasets::Source;

use crate::error::Error;

/// What a setting that takes a name can be.
struct Choice {
    key: &'static str,
    names: &'static [&'static str],
    /// Other words and the name each stands for.
    meanings: &'static [(&'static str, &'static str)],
}

const CHOICES: &[Choice] = &[
    Choice {
        key: "data.treatment",
        names: &[
            "grey",
            "binarised-per-minibatch",
            "binarised-per-epoch",
            "binarised-once",
            "threshold",
        ],
        meanings: &[("gray", "grey"), ("none", "grey")],
    },
    Choice {
        key: "data.reading.colour",
        names: &["automatic", "grey", "rgb"],
        meanings: &[("gray", "grey"), ("greyscale", "grey"), ("color", "rgb")],
    },
    Choice {
        key: "data.reading.labels",
        names: &["automatic", "first", "none"],
        meanings: &[("0", "first")],
    },
    Choice {
        key: "model.kind",
        names: &["ae", "vae", "ae-l2"],
        meanings: &[
            ("autoencoder", "ae"),
            ("variational-autoencoder", "vae"),
            ("variational", "vae"),
            ("beta-vae", "vae"),
        ],
    },
    Choice {
        key: "model.activation",
        names: &["relu", "tanh"],
        meanings: &[],
    },
    Choice {
        key: "model.likelihood",
        names: &[
            "bernoulli",
            "continuous-bernoulli",
            "gaussian",
            "gaussian-identity",
        ],
        meanings: &[
            ("bce", "bernoulli"),
            ("cb", "continuous-bernoulli"),
            ("mse", "gaussian"),
            ("l2", "gaussian"),
            ("normal", "gaussian"),
        ],
    },
    Choice {
        key: "model.sigma",
        names: &["scalar", "per-pixel", "decoder"],
        meanings: &[("learned", "scalar")],
    },
    Choice {
        key: "model.posterior_scale",
        names: &["log-variance", "log-sigma"],
        meanings: &[("log-var", "log-variance"), ("log-std", "log-sigma")],
    },
    Choice {
        key: "model.initialisation",
        names: &["pytorch", "glorot"],
        meanings: &[("torch", "pytorch"), ("xavier", "glorot")],
    },
    Choice {
        key: "model.output_bias",
        names: &["initialisation", "train-mean"],
        meanings: &[],
    },
    Choice {
        key: "training.objective",
        names: &["elbo", "iwae"],
        meanings: &[("importance-weighted", "iwae"), ("vae", "elbo")],
    },
    Choice {
        key: "training.schedule",
        names: &["constant", "iwae", "step", "cosine"],
        meanings: &[("none", "constant")],
    },
    Choice {
        key: "training.gradients",
        names: &["hand", "tape"],
        meanings: &[("automatic", "tape"), ("autodiff", "tape")],
    },
];

/// What settings are called elsewhere.
const SETTINGS: &[(&str, &str)] = &[
    ("binarise", "data.treatment"),
    ("holdout", "data.validation"),
    ("normalise", "data.standardise"),
    ("normalize", "data.standardise"),
    ("val", "data.validation"),
    ("act", "model.activation"),
    ("nonlinearity", "model.activation"),
    ("architecture", "model.hidden"),
    ("layers", "model.hidden"),
    ("units", "model.hidden"),
    ("widths", "model.hidden"),
    ("bottleneck", "model.latent"),
    ("code", "model.latent"),
    ("z", "model.latent"),
    ("init", "model.initialisation"),
    ("model-type", "model.kind"),
    ("std", "model.sigma"),
    ("bs", "training.batch"),
    ("minibatch", "training.batch"),
    ("kl-weight", "training.beta"),
    ("kld-weight", "training.beta"),
    ("annealing", "training.beta_warm_up_epochs"),
    ("kl-warm-up", "training.beta_warm_up_epochs"),
    ("clip", "training.clip_norm"),
    ("gradient-clipping", "training.clip_norm"),
    ("max-norm", "training.clip_norm"),
    ("eps", "training.epsilon"),
    ("autodiff", "training.gradients"),
    ("alpha", "training.learning_rate"),
    ("lr", "training.learning_rate"),
    ("step-size", "training.learning_rate"),
    ("loss", "training.objective"),
    ("early-stopping", "training.patience"),
    ("k", "training.samples"),
    ("lr-schedule", "training.schedule"),
    ("scheduler", "training.schedule"),
    ("random-state", "training.seed"),
    ("l2", "training.weight_decay"),
    ("wd", "training.weight_decay"),
    ("warm-up", "training.warm_up_epochs"),
];

/// `text` as `key` spells it, where it is one of its names in another case or
/// with other dashes; the configuration holds one spelling of a name.
pub(super) fn spelled(key: &str, text: String) -> String {
    if key == "data.dataset" {
        let named = |source: &Source| source.path().is_none();
        let source = text.parse::<Source>().ok().filter(named);
        return source.map_or(text, |source| source.name());
    }
    choice(key)
        .and_then(|choice| names::find(&text, choice.names.iter().copied()))
        .map_or(text, str::to_owned)
}

/// That `key` has no name `found`.
pub(super) fn unknown_name(key: &str, found: &str) -> Error {
    let (known, meanings) =
        choice(key).map_or((&[][..], &[][..]), |choice| (choice.names, choice.meanings));
    let known = || known.iter().copied();
    let hint = match names::nearest(found, known(), meanings) {
        Some(name) => format!("; did you mean '{name}'?"),
        None => String::new(),
    };
    Error::Configuration(format!(
        "{key} is '{found}', but must be {}{hint}",
        names::list(known())
    ))
}

/// That nothing is set by `key`, with the one of `known` that is meant.
pub(super) fn unknown_key(key: &str, origin: &str, known: &[String]) -> Error {
    let hint = names::hint(key, known.iter().map(String::as_str), SETTINGS);
    Error::Configuration(format!("{origin} has the unknown key '{key}'; {hint}"))
}

fn choice(key: &str) -> Option<&'static Choice> {
    CHOICES.iter().find(|choice| choice.key == key)
}

#[cfg(test)]
mod tests {
    use super::super::{Configuration, Override};
    use super::*;

    fn resolve(text: &str) -> Result<Configuration, Error> {
        let item = Override::parse(text).expect("has an equals sign");
        Configuration::resolve(None, None, &[item])
    }

    #[test]
    fn every_name_is_accepted_and_every_other_word_stands_for_one() {
        let gaussian = "model.likelihood=gaussian";
        for choice in CHOICES {
            for name in choice.names {
                let item = |text: &str| Override::parse(text).expect("has an equals sign");
                let mut items = vec![item(&format!("{}={name}", choice.key))];
                match choice.key {
                    "model.sigma" => items.push(item(gaussian)),
                    "training.schedule" => items.push(item("training.schedule_epochs=1")),
                    _ => {}
                }
                Configuration::resolve(None, None, &items)
                    .unwrap_or_else(|error| panic!("{}={name}: {error}", choice.key));
            }
            for (word, name) in choice.meanings {
                assert!(choice.names.contains(name), "{}: {word}", choice.key);
            }
        }
        let known = super::super::layers::known_keys();
        for (word, key) in SETTINGS {
            assert!(known.contains(&(*key).to_owned()), "{word}: {key}");
            let message = resolve(&format!("{word}=1")).unwrap_err().to_string();
            assert!(
                message.ends_with(&format!("did you mean '{key}'?")),
                "{message}"
            );
        }
    }

    #[test]
    fn settings_are_found_by_what_they_are_called_elsewhere() {
        for (typed, key) in [
            ("lr", "training.learning_rate"),
            ("training.lr", "training.learning_rate"),
            ("Learning-Rate", "training.learning_rate"),
            ("batch_size", "training.batch"),
            ("latent_dim", "model.latent"),
            ("hidden_layers", "model.hidden"),
            ("beta", "training.beta"),
            ("num_epochs", "training.epochs"),
            ("random_seed", "training.seed"),
            ("data.color", "data.reading.colour"),
        ] {
            let message = resolve(&format!("{typed}=1")).unwrap_err().to_string();
            let expected =
                format!("--set {typed} has the unknown key '{typed}'; did you mean '{key}'?");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn names_are_kept_in_one_spelling() {
        let plain = Configuration::default();
        for text in [
            "model.kind=VAE",
            "data.dataset=Glyphs",
            "training.objective=ELBO",
        ] {
            let configuration = resolve(text).expect("a known name");
            assert_eq!(configuration, plain, "{text}");
            assert_eq!(configuration.digest("a"), plain.digest("a"), "{text}");
        }
        let set = resolve("data.dataset=fashion_mnist").expect("a known name");
        assert_eq!(set.data.dataset, "fashion-mnist");
        let mean = resolve("model.output_bias=Train_Mean").expect("a known name");
        assert_eq!(mean.model.output_bias, "train-mean");
    }

    #[test]
    fn unknown_names_are_told_what_is_meant() {
        for (text, hint) in [
            ("model.kind=gan", "'ae', 'vae' or 'ae-l2'"),
            ("model.kind=autoencoder", "did you mean 'ae'?"),
            ("model.likelihood=BCE", "did you mean 'bernoulli'?"),
            ("model.activation=tahn", "did you mean 'tanh'?"),
            ("training.schedule=cosin", "did you mean 'cosine'?"),
            (
                "data.treatment=binarized-once",
                "did you mean 'binarised-once'?",
            ),
        ] {
            let message = resolve(text).unwrap_err().to_string();
            assert!(message.ends_with(hint), "{message}");
        }
    }
}
