//! What is declared of a setting, and what follows from it: which values it
//! takes, what is said of the others, and how it is found by other names.

use std::ops::{Bound, RangeBounds as _};
use std::sync::LazyLock;

use datasets::Source;
use serde::Serialize;

use super::{Configuration, Override, internal, widths};
use crate::error::Error;

/// Settings with their values, in the order of `config.toml`.
pub(super) type Values = Vec<(&'static Setting, toml::Value)>;

/// A setting of `config.toml` as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its section and its name there, such as `training.batch`.
    pub key: &'static str,
    /// What its section is about, in a word or two.
    pub heading: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// The flag that sets it, if there is one, without its dashes.
    pub flag: Option<&'static str>,
    /// What stands for its value behind the flag.
    pub takes: &'static str,
    /// Other names of the flag.
    pub flag_aliases: &'static [&'static str],
    /// Whether its flag goes with the resuming of a run.
    pub is_for_resuming: bool,
    pub(super) help: &'static str,
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
    /// A number between two, finite unless there are no bounds.
    Number(Bound<f64>, Bound<f64>),
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

/// Every setting, in the order of `config.toml`.
pub fn declared() -> impl Iterator<Item = &'static Setting> {
    defaults().iter().map(|(setting, _)| *setting)
}

/// Every setting with its default.
pub(super) fn defaults() -> &'static Values {
    static DEFAULTS: LazyLock<Values> = LazyLock::new(|| {
        let values = Configuration::default().values();
        values.expect("defaults are plain data")
    });
    &DEFAULTS
}

pub(super) fn value_of(value: &impl Serialize) -> Result<toml::Value, Error> {
    toml::Value::try_from(value).map_err(internal)
}

impl Setting {
    /// One that decides a result, is always written, and has no flag.
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            key: "",
            heading: "",
            kind,
            flag: None,
            takes: "",
            flag_aliases: &[],
            is_for_resuming: false,
            help: "",
            called: &[],
            meanings: &[],
            decides: true,
            is_always_written: true,
        }
    }

    /// The setting of this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        declared().find(|setting| setting.key == key)
    }

    /// What it does, in a sentence or two.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help.trim_start()
    }

    /// `training` and `batch` of `training.batch`.
    pub(super) fn section_and_name(&self) -> (&'static str, &'static str) {
        let parts = self.key.rsplit_once('.');
        parts.expect("every setting is declared in a section")
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
        let mut defaults = defaults().iter();
        match defaults.find(|(setting, _)| setting.key == self.key) {
            Some((_, toml::Value::String(text))) => text.clone(),
            Some((_, toml::Value::Array(widths))) => {
                let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
                widths.join(",")
            }
            // 1 rather than 1.0, and 1e-8 rather than all its zeros.
            Some((_, toml::Value::Float(number))) => {
                format!("{number:?}").trim_end_matches(".0").into()
            }
            Some((_, value)) => value.to_string(),
            None => String::new(),
        }
    }

    /// The layer of what its flag was given.
    #[must_use]
    pub fn given(&self, text: &str) -> Override {
        // A TOML basic string, so that a value such as `3` stays a text.
        let quoted = || text.replace('\\', "\\\\").replace('"', "\\\"");
        let value = match self.kind {
            Kind::Whole(..) | Kind::Number(..) | Kind::Switch => text.to_owned(),
            _ => format!("\"{}\"", quoted()),
        };
        Override {
            key: self.key.into(),
            value,
            origin: format!("--{}", self.flag.unwrap_or(self.key)),
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
            | (Kind::Widths(_), value @ (Array(_) | String(_))) => return Ok(value),
            (Kind::Number(..), Integer(integer)) => return Ok(Float(integer as f64)),
            // Some architectures are dates to TOML.
            (Kind::Widths(_), Datetime(date)) => return Ok(String(date.to_string())),
            (Kind::Widths(_), Integer(width)) => return Ok(String(width.to_string())),
            (Kind::Whole(..), value) => (
                "a non-negative whole number of at most 9223372036854775807",
                value,
            ),
            (Kind::Number(..), value) => ("a number", value),
            (Kind::Switch, value) => ("true or false", value),
            (Kind::Widths(_), value) => {
                ("a list of whole numbers, such as [256, 32, 8]", value)
            }
            (_, String(text)) => return Ok(String(self.spelled(text))),
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
            (Kind::Number(from, to), Float(found)) if !is_between(*found, from, to) => {
                format!("{found}, but must {}", between(from, to))
            }
            (Kind::Name(names), String(found)) if !names().contains(&found.as_str()) => {
                return Err(self.unknown_name(found));
            }
            (Kind::Widths(widest), Array(found)) => return widths::check(self.key, found, widest),
            _ => return Ok(()),
        };
        Err(Error::Configuration(format!("{} is {refused}", self.key)))
    }

    /// That it has no name `found`.
    pub(super) fn unknown_name(&self, found: &str) -> Error {
        let hint = match names::nearest(found, self.names(), self.meanings) {
            Some(name) => format!("; did you mean '{name}'?"),
            None => String::new(),
        };
        Error::Configuration(format!(
            "{} is '{found}', but must be {}{hint}",
            self.key,
            names::list(self.names())
        ))
    }
}

/// That nothing is set by `key`, with the setting that is meant.
pub(super) fn unknown_key(key: &str, origin: &str) -> Error {
    let meanings = |setting: &'static Setting| {
        let called = setting.called.iter();
        called.map(move |word| (*word, setting.key))
    };
    let meanings: Vec<_> = declared().flat_map(meanings).collect();
    let hint = names::hint(key, declared().map(|setting| setting.key), &meanings);
    Error::Configuration(format!("{origin} has the unknown key '{key}'; {hint}"))
}

fn is_between(number: f64, from: Bound<f64>, to: Bound<f64>) -> bool {
    let has_bounds = (from, to) != (Bound::Unbounded, Bound::Unbounded);
    (from, to).contains(&number) && (number.is_finite() || !has_bounds)
}

/// What a number between these must.
pub(super) fn between(from: Bound<f64>, to: Bound<f64>) -> String {
    let (opening, least) = match from {
        Bound::Included(least) => ('[', least),
        Bound::Excluded(least) => ('(', least),
        Bound::Unbounded => ('(', f64::NEG_INFINITY),
    };
    let (most, closing) = match to {
        Bound::Included(most) => (most, ']'),
        Bound::Excluded(most) => (most, ')'),
        Bound::Unbounded if opening == '[' => {
            return format!("be a finite number of at least {least}");
        }
        Bound::Unbounded if least == 0.0 => return "be a positive finite number".into(),
        Bound::Unbounded => (f64::INFINITY, ')'),
    };
    format!("lie in {opening}{least}, {most}{closing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Configuration, Error> {
        let item = Override::parse(text).expect("has an equals sign");
        Configuration::resolve(None, None, &[item])
    }

    #[test]
    fn every_name_is_accepted_and_every_other_word_stands_for_one() {
        let gaussian = "model.likelihood=gaussian";
        for setting in declared() {
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

    #[test]
    fn every_default_is_what_the_setting_can_be() {
        for (setting, value) in defaults() {
            assert!(setting.check(value).is_ok(), "{}", setting.key);
            let names = setting.names();
            let default = setting.default();
            assert!(names.is_empty() || names.contains(&default.as_str()));
        }
    }
}
