//! The JSON schema of `config.toml`, as editors and other programs read it.

use std::ops::Bound;

use serde_json::{Value, json};

use super::{Kind, SETTINGS, Setting};

/// The schema of `config.toml` (JSON Schema, draft 2020-12): every setting with
/// what it does, what it can be and its default.
///
/// Names stand there in the spelling that the program writes; it reads others.
#[must_use]
pub fn schema() -> Value {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.toml",
        "description": "The settings of a run of Latent Atlas",
    });
    for setting in SETTINGS {
        let mut place = &mut root;
        for part in setting.key.split('.') {
            place["type"] = json!("object");
            place["additionalProperties"] = json!(false);
            place = &mut place["properties"][part];
        }
        *place = possible(setting);
        place["description"] = json!(setting.help());
        place["default"] = json!((setting.default)());
    }
    root
}

/// What a setting can be.
fn possible(setting: &Setting) -> Value {
    match setting.kind {
        Kind::Whole(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Number(from, below) => {
            let mut number = json!({"type": "number"});
            match from {
                Bound::Included(least) => number["minimum"] = json!(least),
                Bound::Excluded(least) => number["exclusiveMinimum"] = json!(least),
                Bound::Unbounded => {}
            }
            if below.is_finite() {
                number["exclusiveMaximum"] = json!(below);
            }
            number
        }
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Name(names) => json!({"type": "string", "enum": names()}),
        // Numbers are written as texts, and read as either.
        Kind::NameOrPositive(names) => json!({"anyOf": [
            {"type": "string", "enum": names()},
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": "^[0-9.]+(e[+-]?[0-9]+)?$"},
        ]}),
        Kind::Widths(widest) => json!({"anyOf": [
            {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": widest}},
            {"type": "integer", "minimum": 1, "maximum": widest},
            {"type": "string"},
        ]}),
        Kind::Source | Kind::Text(_) => json!({"type": "string"}),
    }
}
