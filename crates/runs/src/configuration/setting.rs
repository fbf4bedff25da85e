//! What is declared of a setting, and what follows from it: which values it
//! takes, what is said of the others, and how it is found by other names.

use std::ops::{Bound, RangeBounds as _};

use datasets::Source;

use super::{Override, SETTINGS, layers, widths};
use crate::error::Error;

/// A setting of `config.toml` as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its section and its name there, such as `training.batch`.
    pub key: &'static str,
    /// What its section is about, in a word or two.
    pub heading: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// The flag that sets it, if there is one, and its other names, without
    /// their dashes.
    pub flags: &'static [&'static str],
    /// What stands for its value behind the flag.
    pub takes: &'static str,
    /// Whether its flag goes with the resuming of a run.
    pub is_for_resuming: bool,
    pub(super) help: &'static str,
    /// Its value where nothing sets it.
    pub(super) default: fn() -> toml::Value,
    /// What it is called elsewhere.
    pub(super) called: &'static [&'static str],
    /// Other words for its names, and the name each stands for.
    pub(super) meanings: &'static [(&'static str, &'static str)],
    /// Whether two runs that differ in it alone may have different results.
    pub(super) decides: bool,
    /// Whether it is written where it is its default.
    pub(super) is_always_written: bool,
}

/// What a setting can be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number from the first to the last.
    Whole(i64, i64),
    /// A number that the first bounds from below, and that is less than the
    /// second, so that it is finite; any number where the first is no bound.
    Number(Bound<f64>, f64),
    /// `true` or `false`.
    Switch,
    /// One of these names.
    Name(Names),
    /// One of these names, or a positive number.
    NameOrPositive(Names),
    /// The widths of layers, none wider than this.
    Widths(usize),
    /// The name of a data set, or the path of a folder or file.
    Source,
    /// A text, described by these words.
    Text(&'static str),
}

/// The names of a type, in its order.
pub type Names = fn() -> Vec<&'static str>;

/// What TOML has whole numbers for, beside those below 0.
const WHOLE: &str = "a non-negative whole number of at most 9223372036854775807";

impl Setting {
    /// One that decides a result, is always written, and has no flag.
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            key: "",
            heading: "",
            kind,
            flags: &[],
            takes: "",
            is_for_resuming: false,
            help: "",
            default: || "".into(),
            called: &[],
            meanings: &[],
            decides: true,
            is_always_written: true,
        }
    }

    /// The setting of this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// What it does, in a sentence or two.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help.trim_start()
    }

    /// The names it can be, if it takes names.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Name(names) | Kind::NameOrPositive(names) => names(),
            _ => Vec::new(),
        }
    }

    /// The default as people write it; empty where nothing is written for it.
    #[must_use]
    pub fn default(&self) -> String {
        match (self.default)() {
            toml::Value::String(text) => text,
            // 1 rather than 1.0, and 1e-8 rather than all its zeros.
            toml::Value::Float(number) => format!("{number:?}").trim_end_matches(".0").into(),
            // Widths without the brackets around them.
            value => value.to_string().replace(['[', ']', ' '], ""),
        }
    }

    /// The layer of what its flag was given.
    #[must_use]
    pub fn given(&self, text: &str) -> Override {
        Override {
            key: self.key.into(),
            value: match self.kind {
                Kind::Whole(..) | Kind::Number(..) | Kind::Switch => layers::parse_value(text),
                // A value such as `3` stays a text.
                _ => text.into(),
            },
            origin: format!("--{}", self.flags.first().unwrap_or(&self.key)),
        }
    }

    /// `value` where it is of the type of the setting: integers may stand for
    /// floating-point numbers, and numbers for a text, which then has to make
    /// sense of them.
    ///
    /// # Errors
    /// That `origin` sets it to something else.
    pub(super) fn fit(&self, value: toml::Value, origin: &str) -> Result<toml::Value, Error> {
        use toml::Value::{Array, Boolean, Datetime, Float, Integer, String};
        let (expected, value) = match (self.kind, value) {
            (Kind::Whole(..), value @ Integer(0..))
            | (Kind::Number(..), value @ Float(_))
            | (Kind::Switch, value @ Boolean(_))
            // A text for now, read when all layers are in place.
            | (Kind::Widths(_), value @ String(_)) => return Ok(value),
            (Kind::Widths(_), Array(widths))
                if widths.iter().all(|width| matches!(width, Integer(0..))) =>
            {
                return Ok(Array(widths));
            }
            (Kind::Number(..), Integer(integer)) => return Ok(Float(integer as f64)),
            (Kind::Whole(..), value) => (WHOLE, value),
            (Kind::Number(..), value) => ("a number", value),
            (Kind::Switch, value) => ("true or false", value),
            (_, String(text)) => return Ok(String(self.spelled(text))),
            // Some architectures are dates to TOML.
            (Kind::Widths(_), value @ (Datetime(_) | Integer(_))) => {
                return Ok(String(value.to_string()));
            }
            (Kind::Widths(_), value) => ("a list of whole numbers, such as [256, 32, 8]", value),
            (_, value @ (Integer(_) | Float(_))) => return Ok(String(value.to_string())),
            (_, value) => ("a text", value),
        };
        Err(Error::Configuration(format!(
            "{origin} sets {} to {value}, but expects {expected}",
            self.key
        )))
    }

    /// `text` in the one spelling that the configuration holds, where it is a
    /// name in another case or with other dashes.
    fn spelled(&self, text: String) -> String {
        if matches!(self.kind, Kind::Source) {
            let named = |source: &Source| source.path().is_none();
            let source = text.parse::<Source>().ok().filter(named);
            return source.map_or(text, |source| source.name());
        }
        names::find(&text, self.names()).map_or(text, str::to_owned)
    }

    /// Checks a value against the range or the names.
    ///
    /// # Errors
    /// One sentence naming the key, what was found and what is expected.
    pub(super) fn check(&self, value: &toml::Value) -> Result<(), Error> {
        use toml::Value::{Array, Float, Integer, String};
        let refused = match (self.kind, value) {
            (Kind::Whole(least, _), Integer(found)) if *found < least => {
                format!("{found}, but must be at least {least}")
            }
            (Kind::Whole(_, most), Integer(found)) if *found > most => {
                format!("{found}, but must be at most {most}")
            }
            (Kind::Number(from, below), Float(found))
                if from != Bound::Unbounded && !(from, Bound::Excluded(below)).contains(found) =>
            {
                format!("{found}, but must {}", between(from, below))
            }
            (Kind::Name(names), String(found)) if !names().contains(&found.as_str()) => {
                return Err(self.unknown_name(found));
            }
            (Kind::Widths(widest), Array(found)) => return widths::check(self, found, widest),
            _ => return Ok(()),
        };
        Err(Error::Configuration(format!("{} is {refused}", self.key)))
    }

    /// That it has no name `found`.
    pub(super) fn unknown_name(&self, found: &str) -> Error {
        let hint = names::nearest(found, self.names(), self.meanings)
            .map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
        self.refuse(found, &format!("{}{hint}", names::list(self.names())))
    }

    /// That it cannot be `found`.
    pub(super) fn refuse(&self, found: &str, expected: &str) -> Error {
        Error::Configuration(format!("{} is '{found}', but must be {expected}", self.key))
    }
}

/// That nothing is set by `key`, with the setting that is meant.
pub(super) fn unknown_key(key: &str, origin: &str) -> Error {
    let words = SETTINGS.iter().map(|setting| (setting.called, setting.key));
    let meanings: Vec<_> = words
        .flat_map(|(called, key)| called.iter().map(move |&word| (word, key)))
        .collect();
    let hint = names::hint(key, SETTINGS.iter().map(|setting| setting.key), &meanings);
    Error::Configuration(format!("{origin} has the unknown key '{key}'; {hint}"))
}

/// What a number between these must.
pub(super) fn between(from: Bound<f64>, below: f64) -> String {
    match from {
        Bound::Included(least) if below.is_finite() => format!("lie in [{least}, {below})"),
        Bound::Excluded(least) if below.is_finite() => format!("lie in ({least}, {below})"),
        Bound::Included(least) => format!("be a finite number of at least {least}"),
        Bound::Excluded(0.0) => "be a positive finite number".into(),
        Bound::Excluded(least) => format!("be a finite number of more than {least}"),
        Bound::Unbounded => "be a number".into(),
    }
}

#[cfg(test)]
mod tests {
    use models::ModelKind;

    use super::super::Configuration;
    use super::*;

    fn resolve(text: &str) -> Result<Configuration, Error> {
        let item = Override::parse(text).expect("has an equals sign");
        Configuration::resolve(None, None, &[item])
    }

    #[test]
    fn every_name_is_accepted_and_every_other_word_stands_for_one() {
        let gaussian = "model.likelihood=gaussian";
        for setting in SETTINGS {
            let key = setting.key;
            for name in setting.names() {
                let item = |text: &str| Override::parse(text).expect("has an equals sign");
                let mut items = vec![item(&format!("{key}={name}"))];
                match key {
                    "model.sigma" => items.push(item(gaussian)),
                    "training.schedule" => items.push(item("training.schedule_epochs=1")),
                    "training.objective" => {
                        let models = ["vae", "ae"].map(|kind| format!("model.kind={kind}"));
                        let fits = |model: &&String| {
                            let items = [item(&format!("{key}={name}")), item(model)];
                            Configuration::resolve(None, None, &items).is_ok()
                        };
                        items.extend(models.iter().find(fits).map(|model| item(model)));
                    }
                    _ => {}
                }
                Configuration::resolve(None, None, &items)
                    .unwrap_or_else(|error| panic!("{key}={name}: {error}"));
            }
            for (word, name) in setting.meanings {
                assert!(setting.names().contains(name), "{key}: {word}");
            }
            for word in setting.called {
                let message = resolve(&format!("{word}=1")).unwrap_err().to_string();
                assert!(
                    message.ends_with(&format!("did you mean '{key}'?")),
                    "{message}"
                );
            }
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
        let message = resolve("model.kind=gan").unwrap_err().to_string();
        for kind in ModelKind::ALL {
            assert!(message.contains(&format!("'{kind}'")), "{message}");
        }
    }

    #[test]
    fn every_default_is_what_the_setting_can_be() {
        for setting in SETTINGS {
            let value = (setting.default)();
            assert!(setting.check(&value).is_ok(), "{}", setting.key);
            let names = setting.names();
            let default = setting.default();
            assert!(names.is_empty() || names.contains(&default.as_str()));
        }
    }
}
