//! The schema of `config.toml` and the page of settings: that they are what the
//! program would write, and that the schema holds for what it writes.

use std::fs;
use std::path::Path;

use runs::configuration::{Configuration, Override, SETTINGS, schema, settings_page};
use runs::presets::PRESETS;
use serde_json::{Value, json};

fn kept(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).expect(name)
}

#[test]
fn the_page_of_settings_is_the_programs() {
    assert!(
        kept("SETTINGS.md") == settings_page(),
        "docs/SETTINGS.md is old; write it anew: latent-atlas schema --markdown docs/SETTINGS.md"
    );
}

/// What a value has that the schema does not allow: the part of JSON Schema
/// that is used here, and a panic where it uses more.
fn faults(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (rule, said) in schema.as_object().expect("a schema") {
        let number = |of: &Value| of.as_f64().expect("a number");
        let holds = match rule.as_str() {
            "$schema" | "title" | "description" | "default" => true,
            "type" => match said.as_str().expect("one type") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_u64() || value.is_i64(),
                "number" => value.is_number(),
                other => panic!("the type {other}"),
            },
            "enum" => said.as_array().expect("names").contains(value),
            "minimum" => !value.is_number() || number(value) >= number(said),
            "exclusiveMinimum" => !value.is_number() || number(value) > number(said),
            "maximum" => !value.is_number() || number(value) <= number(said),
            "exclusiveMaximum" => !value.is_number() || number(value) < number(said),
            // Of the decimal numbers alone.
            "pattern" => value
                .as_str()
                .is_none_or(|text| text.parse::<f64>().is_ok()),
            "anyOf" => {
                let mut ways = said.as_array().expect("schemas").iter();
                ways.any(|way| self::faults(way, value, place).is_empty())
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                items.for_each(|item| faults.extend(self::faults(said, item, place)));
                true
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = said.get(name) {
                        let place = format!("{place}/{name}");
                        faults.extend(self::faults(schema, inner, &place));
                    }
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(said, &json!(false));
                let mut names = value.as_object().into_iter().flatten();
                names.all(|(name, _)| schema["properties"].get(name).is_some())
            }
            other => panic!("{place} has the rule {other}"),
        };
        if !holds {
            faults.push(format!("{place}: {value} against {rule} {said}"));
        }
    }
    faults
}

fn document(configuration: &Configuration) -> Value {
    let text = configuration.to_toml().expect("plain data");
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("plain data")
}

fn resolved(preset: Option<&str>, sets: &[&str]) -> Configuration {
    let items = sets.iter().map(|text| Override::parse(text));
    let items: Vec<_> = items.collect::<Result<_, _>>().expect("KEY=VALUE");
    Configuration::resolve(preset, None, &items).expect("valid settings")
}

#[test]
fn what_the_program_writes_is_valid() {
    let schema = schema();
    let presets = PRESETS.iter();
    let mut configurations: Vec<_> = presets.map(|one| resolved(Some(one.name), &[])).collect();
    configurations.push(Configuration::default());
    for sets in [
        &["model.likelihood=gaussian", "model.sigma=0.1"][..],
        &["model.likelihood=gaussian", "model.sigma=1e-7"],
        &["model.likelihood=gaussian-identity", "model.sigma=decoder"],
        &[
            "model.hidden=none",
            "data.standardise=true",
            "data.shape=8x8x3",
        ],
        &["data.reading.invert=true", "data.reading.resize=32x32"],
    ] {
        configurations.push(resolved(None, sets));
    }
    for configuration in configurations {
        let document = document(&configuration);
        assert_eq!(faults(&schema, &document, ""), [""; 0], "{document}");
    }
}

#[test]
fn what_the_program_refuses_is_not() {
    let schema = schema();
    let written = document(&Configuration::default());
    for (section, name, wrong) in [
        ("model", "kind", json!("gan")),
        ("model", "latent", json!(0)),
        ("model", "latent", json!(2.5)),
        ("model", "hidden", json!([0])),
        ("model", "sigma", json!("wide")),
        ("model", "sigma", json!(-1)),
        ("model", "layers", json!(3)),
        ("training", "batch", json!("many")),
        ("training", "epochs", json!(1e10 as u64)),
        ("training", "learning_rate", json!(0)),
        ("training", "beta1", json!(1)),
        ("training", "shuffle", json!(1)),
        ("data", "reading", json!({"test_share": 1})),
        ("data", "reading", json!({"colour": "cmyk"})),
        ("data", "reading", json!({"color": "rgb"})),
        ("tracking", "images_per_class", json!(-1)),
    ] {
        let mut document = written.clone();
        document[section][name] = wrong;
        let found = faults(&schema, &document, "");
        assert_eq!(found.len(), 1, "{section}.{name}: {found:?}");
    }
    let mut document = written;
    document["two_layers"] = json!({});
    assert_eq!(faults(&schema, &document, "").len(), 1);
}

#[test]
fn the_schema_holds_every_setting_with_its_default() {
    let schema = schema();
    let mut flags: Vec<&str> = Vec::new();
    for setting in SETTINGS {
        let mut place = &schema;
        for part in setting.key.split('.') {
            place = &place["properties"][part];
        }
        assert!(place["description"].is_string(), "{}", setting.key);
        assert_eq!(faults(place, &place["default"], ""), [""; 0]);
        flags.extend(setting.flags);
    }
    let count = flags.len();
    flags.sort_unstable();
    flags.dedup();
    assert_eq!(flags.len(), count, "a flag sets two settings: {flags:?}");
}
