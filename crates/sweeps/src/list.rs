//! Lists of configurations: a file with a line of JSON for each, or files of settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use runs::Error;
use runs::configuration::{Configuration, Override};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use studies::study::in_words;

/// A configuration of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    /// What it is called, but for its seed.
    pub(crate) model: String,
    pub(crate) configuration: Configuration,
    /// Whether the list says its seed.
    pub(crate) has_seed: bool,
    /// The line of a list that says its data set.
    pub(crate) dataset_of: Option<String>,
}

/// The setting that tells runs of one model apart.
const SEED: &str = "training.seed";

/// The setting that an option takes the place of.
const DATASET: &str = "data.dataset";

/// Keys of a line that are no settings.
const NAME: &str = "name";
const PRESET: &str = "preset";

/// The configurations of a file: each line is an object of settings, by dotted names
/// (`{"training.beta": 4}`) or in sections (`{"training": {"beta": 4}}`), over the
/// defaults or a `preset`; `name` says what they are called.
///
/// # Errors
/// A line that is no such object, with its number; settings that cannot be.
pub(crate) fn read(path: &Path) -> Result<Vec<Listed>, Error> {
    let text = text(path)?;
    // Lines that differ in their seed alone are checked once.
    let mut known: BTreeMap<String, Configuration> = BTreeMap::new();
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let listed = lines.map(|(index, line)| {
        let origin = format!("line {} of {}", index + 1, path.display());
        let mut line = Line::read(line, &origin)?;
        let seed = line.take_seed(&origin)?;
        let key = format!("{:?} {:?}", line.preset, line.settings);
        let mut configuration = match known.get(&key) {
            Some(configuration) => configuration.clone(),
            None => {
                let configuration = line.resolve(&origin)?;
                known.insert(key, configuration.clone());
                configuration
            }
        };
        if let Some(seed) = seed {
            configuration.training.seed = seed;
        }
        Ok(Listed {
            model: line.model(),
            configuration,
            has_seed: seed.is_some(),
            dataset_of: line.has(DATASET).then_some(origin),
        })
    });
    let listed = listed.collect::<Result<Vec<_>, Error>>()?;
    if listed.is_empty() {
        return Err(Error::Configuration(format!(
            "{} holds no configuration; expected an object of settings in each line, such as {{\"training.beta\": 4}}",
            path.display()
        )));
    }
    Ok(listed)
}

/// The configuration in a file of settings, such as the `config.toml` of a run; none
/// where the file is a study.
///
/// # Errors
/// When it cannot be read, or its settings cannot be.
pub(crate) fn read_configuration(path: &Path) -> Result<Option<Listed>, Error> {
    // What is no TOML is refused by whoever reads it as a study.
    let Ok(table) = text(path)?.parse::<toml::Table>() else {
        return Ok(None);
    };
    let has_title = table.contains_key("title");
    let sections = ["data", "model", "training", "tracking"];
    if has_title || !sections.iter().any(|section| table.contains_key(*section)) {
        return Ok(None);
    }
    let is_of_run = path.file_name().is_some_and(|name| name == "config.toml");
    let folder = path.parent().and_then(Path::file_name);
    let name = folder.filter(|_| is_of_run).or(path.file_stem());
    let training = table.get("training").and_then(toml::Value::as_table);
    Ok(Some(Listed {
        model: name.unwrap_or_default().to_string_lossy().into_owned(),
        configuration: Configuration::resolve(None, Some(path), &[])?,
        has_seed: training.is_some_and(|training| training.contains_key("seed")),
        dataset_of: None,
    }))
}

fn text(path: &Path) -> Result<String, Error> {
    let text = input_files::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    // As editors of Windows put before UTF-8.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// A line as it is written.
struct Line {
    name: Option<String>,
    preset: Option<String>,
    /// By dotted names.
    settings: Vec<(String, toml::Value)>,
}

impl Line {
    fn read(line: &str, origin: &str) -> Result<Self, Error> {
        let wrong = |reason: String| {
            Error::Configuration(format!(
                "{origin} is no configuration ({reason}); expected an object of settings, such as {{\"training.beta\": 4}}"
            ))
        };
        let entries: Entries =
            serde_json::from_str(line).map_err(|error| wrong(without_place(&error)))?;
        let mut read = Self {
            name: None,
            preset: None,
            settings: Vec::new(),
        };
        for (key, entry) in entries.0 {
            let place = match key.as_str() {
                NAME => &mut read.name,
                PRESET => &mut read.preset,
                _ => {
                    flatten(&key, entry, &mut read.settings).map_err(wrong)?;
                    continue;
                }
            };
            let Entry::Value(Value::String(text)) = entry else {
                return Err(wrong(format!("{key} is no text")));
            };
            if place.replace(text).is_some() {
                return Err(wrong(format!("{key} stands there twice")));
            }
        }
        // Whatever order the file has them in, they are the same settings.
        read.settings.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = read.settings.windows(2).find(|pair| pair[0].0 == pair[1].0);
        match twice {
            Some(pair) => Err(wrong(format!("{} stands there twice", pair[0].0))),
            None => Ok(read),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.settings.iter().any(|(known, _)| known == key)
    }

    /// The seed, which is no part of the model.
    fn take_seed(&mut self, origin: &str) -> Result<Option<u64>, Error> {
        let place = self.settings.iter().position(|(key, _)| key == SEED);
        let Some((_, value)) = place.map(|place| self.settings.remove(place)) else {
            return Ok(None);
        };
        let seed = value.as_integer().and_then(|seed| u64::try_from(seed).ok());
        seed.map(Some).ok_or_else(|| {
            Error::Configuration(format!(
                "{origin} sets {SEED} to {value}, but expects a non-negative whole number"
            ))
        })
    }

    fn resolve(&self, origin: &str) -> Result<Configuration, Error> {
        let settings = self.settings.iter().map(|(key, value)| Override {
            key: key.clone(),
            value: value.clone(),
            origin: origin.to_owned(),
        });
        let settings: Vec<Override> = settings.collect();
        Configuration::resolve(self.preset.as_deref(), None, &settings).map_err(|error| {
            let reason = error.to_string();
            match reason.contains(origin) {
                true => error,
                false => Error::Configuration(format!("{origin}: {reason}")),
            }
        })
    }

    fn model(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let words = in_words(&self.settings);
        match (&self.preset, words.is_empty()) {
            (Some(preset), true) => preset.clone(),
            (Some(preset), false) => format!("{preset}, {words}"),
            (None, true) => "default".into(),
            (None, false) => words,
        }
    }
}

/// Entries of an object as they are written: [`serde_json::Map`] would keep the last of
/// several with one key.
struct Entries(Vec<(String, Entry)>);

/// What stands behind a key.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Section(Entries),
    Value(Value),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;

        impl<'de> Visitor<'de> for OfMap {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(OfMap)
    }
}

/// What is wrong with a text of one line, without its place in that.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Adds the settings of an entry by their dotted names.
fn flatten(
    key: &str,
    entry: Entry,
    settings: &mut Vec<(String, toml::Value)>,
) -> Result<(), String> {
    match entry {
        Entry::Section(Entries(entries)) => entries
            .into_iter()
            .try_for_each(|(name, entry)| flatten(&format!("{key}.{name}"), entry, settings)),
        Entry::Value(value) => {
            let value = toml::Value::try_from(&value).map_err(|_| format!("{key} is {value}"))?;
            settings.push((key.to_owned(), value));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<Listed>, Error> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("list.jsonl");
        std::fs::write(&path, text).expect("writable");
        read(&path)
    }

    #[test]
    fn a_mark_of_byte_order_is_no_part_of_a_list() {
        let listed = list("\u{feff}{\"name\": \"plain\"}\n").expect("settings");
        assert_eq!(listed[0].model, "plain");
    }

    #[test]
    fn lines_are_settings_by_dotted_names_or_in_sections() {
        let listed = list(
            r#"{"training.beta": 4, "model": {"hidden": [32, 8], "latent": 3}, "training.seed": 7}

{"preset": "vae-2d", "training": {"beta": 4.0}}
{"name": "plain"}
{"preset": "vae-2d"}
"#,
        )
        .expect("settings");
        let names: Vec<&str> = listed.iter().map(|one| one.model.as_str()).collect();
        let expected = [
            "hidden 32-8, latent 3, beta 4",
            "vae-2d, beta 4",
            "plain",
            "vae-2d",
        ];
        assert_eq!(names, expected);
        let first = &listed[0];
        assert_eq!(first.configuration.model.hidden, [32, 8]);
        assert_eq!(
            (first.configuration.training.seed, first.has_seed),
            (7, true)
        );
        assert!(!listed[1].has_seed);
        assert_eq!(listed[2].configuration, Configuration::default());
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, expected) in [
            ("", "holds no configuration"),
            ("{}\n[1]", "line 2 of "),
            ("{\"training.bta\": 4}", "'training.beta'"),
            ("{\"training.beta\": null}", "training.beta is null"),
            ("{\"name\": 4}", "name is no text"),
            ("{\"training.seed\": -1}", "non-negative"),
            ("{\"model.kind\": \"gan\"}", "'vae'"),
            ("{\"preset\": \"vae-3d\"}", "line 1 of "),
            ("{\"model.latent\": 0}", "line 1 of "),
            ("[4]", "an object"),
            (
                "{\"training.beta\": 4, \"training.beta\": 5}",
                "stands there twice",
            ),
            (
                "{\"training\": {\"beta\": 4}, \"training.beta\": 4}",
                "training.beta stands there twice",
            ),
            (
                "{\"name\": \"a\", \"name\": \"b\"}",
                "name stands there twice",
            ),
        ] {
            let message = list(text).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn a_file_of_settings_is_told_from_a_study() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("mine");
        std::fs::create_dir(&run).expect("writable");
        let path = run.join("config.toml");
        let text = Configuration::default().to_toml().expect("plain data");
        std::fs::write(&path, text).expect("writable");
        let found = read_configuration(&path)
            .expect("readable")
            .expect("settings");
        assert_eq!((found.model.as_str(), found.has_seed), ("mine", true));
        let study = folder.path().join("study.toml");
        for text in ["title = \"x\"\n[base]\n", "no TOML"] {
            std::fs::write(&study, text).expect("writable");
            assert_eq!(read_configuration(&study).expect("readable"), None);
        }
    }
}
