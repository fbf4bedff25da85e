use durable_files::seal::JSON_DOCUMENT;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{VizError, write_atomically};

/// What is written beside a figure.
#[derive(Clone, Debug, Default)]
pub struct Sidecar {
    /// What the figure shows, in one sentence; also stored in the PNG file.
    pub description: String,
    /// The configuration that made it: run, epoch, seed, revision.
    pub configuration: Value,
    /// The numbers that it draws.
    pub data: Value,
}

pub(crate) fn texts(sidecar: &Sidecar) -> Vec<(&str, &str)> {
    if sidecar.description.is_empty() {
        Vec::new()
    } else {
        vec![("Description", &sidecar.description)]
    }
}

/// Writes the data of the picture `path`, of a size in pixels, to the same name ending in `.json`.
pub(crate) fn write_sidecar(
    path: &Path,
    width: usize,
    height: usize,
    sidecar: &Sidecar,
) -> Result<(), VizError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let document = json!({
        "figure": name,
        "width": width,
        "height": height,
        "description": sidecar.description,
        "configuration": sidecar.configuration,
        "data": sidecar.data,
    });
    let mut text = String::new();
    write_value(&sorted(&document), 0, &mut text);
    text.push('\n');
    let mut bytes = text.into_bytes();
    JSON_DOCUMENT.close(&mut bytes);
    write_atomically(&path.with_extension("json"), &bytes)
}

/// Indented JSON with lists of plain values on one line: a list of a thousand codes takes a
/// thousand lines, not four thousand.
fn write_value(value: &Value, depth: usize, text: &mut String) {
    let plain = |value: &Value| !value.is_array() && !value.is_object();
    let entries: Vec<(Option<&String>, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (Some(key), value)).collect(),
        Value::Array(values) if !values.iter().all(plain) => {
            values.iter().map(|value| (None, value)).collect()
        }
        other => {
            text.push_str(&other.to_string());
            return;
        }
    };
    let brackets = if value.is_object() {
        ["{", "}"]
    } else {
        ["[", "]"]
    };
    text.push_str(brackets[0]);
    for (index, (key, value)) in entries.iter().enumerate() {
        text.push_str(if index > 0 { ",\n" } else { "\n" });
        text.push_str(&"  ".repeat(depth + 1));
        if let Some(key) = key {
            text.push_str(&Value::from(key.as_str()).to_string());
            text.push_str(": ");
        }
        write_value(value, depth + 1, text);
    }
    if !entries.is_empty() {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    }
    text.push_str(brackets[1]);
}

/// The same value with the keys of every object in order, whatever order its map keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let entries = entries.into_iter().map(|(key, v)| (key.clone(), sorted(v)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GrayImage, decode_png, write_figure};

    #[test]
    fn figure_and_data_are_written_with_ordered_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.png");
        let image = GrayImage::new(4, 2, 9);
        let sidecar = Sidecar {
            description: "a map".into(),
            configuration: json!({"seed": 3, "model": "vae"}),
            data: json!([1.5, null]),
        };
        write_figure(&path, &image, &sidecar).unwrap();
        let decoded = decode_png(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(decoded, image.into());
        let text = std::fs::read_to_string(folder.path().join("map.json")).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["configuration"]["seed"], 3);
        assert_eq!(value["width"], 4);
        let at = |key: &str| text.find(&format!("\"{key}\"")).unwrap();
        assert!(at("configuration") < at("model") && at("model") < at("seed"));
        assert!(at("seed") < at("data") && at("data") < at("description"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_unwritable_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/map.png");
        let error = write_figure(&path, &GrayImage::new(1, 1, 0), &Sidecar::default()).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }

    #[test]
    fn lists_of_plain_values_take_one_line() {
        let value = json!({"a \"b\"": [[1, 2.5], [null, "x"]], "c": [], "d": {}, "e": [{"f": 1}]});
        let mut text = String::new();
        write_value(&value, 0, &mut text);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(
            text.contains("\n    [1,2.5],\n    [null,\"x\"]\n"),
            "{text}"
        );
    }
}
