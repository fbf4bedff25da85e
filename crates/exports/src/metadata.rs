//! What a file of another tool says about the run it is from.

use runs::Error;
use runs::configuration::Configuration;
use runs::shell::quoted;
use serde_json::json;

use crate::ExportedRun;

/// Keys and values, in a fixed order: what the model is, the shape of its rows,
/// the data set with the names of its classes as a JSON list where the name of the
/// set tells them, the treatment of the data, how else they were made ready where they
/// were, whether values are standardised inside, epochs and the digest of the run once
/// it is done.
///
/// # Errors
/// When `result.json` of the run cannot be read.
pub fn of_run(run: &ExportedRun) -> Result<Vec<(&'static str, String)>, Error> {
    let spec = run.model().spec();
    let data = &run.configuration().identity().data;
    let mut entries = vec![
        ("kind", spec.kind.to_string()),
        ("architecture", spec.architecture.to_string()),
        ("activation", spec.architecture.activation.to_string()),
        ("likelihood", spec.likelihood.to_string()),
    ];
    if spec.kind.is_variational() {
        entries.push(("posterior_scale", spec.posterior_scale.to_string()));
    }
    entries.push(("shape", run.shape().to_string()));
    entries.push(("dataset", data.dataset.clone()));
    if let Some(names) = class_names(&data.dataset) {
        entries.push(("class_names", serde_json::Value::from(names).to_string()));
    }
    entries.push(("treatment", data.treatment.clone()));
    let preparation = preparation(run.configuration());
    if !preparation.is_empty() {
        entries.push(("preparation", preparation.trim_start().to_owned()));
    }
    let is_standardised = run.model().standardisation().is_some();
    entries.push(("standardised", is_standardised.to_string()));
    if let Some(result) = run.folder().read_result()? {
        entries.push(("epochs", result.epochs.to_string()));
        entries.push(("run", result.digest));
    }
    Ok(entries)
}

/// The names of the classes of a data set that is known by name.
pub(crate) fn class_names(dataset: &str) -> Option<Vec<&'static str>> {
    let mut sets = datasets::information().into_iter();
    let set = sets.find(|set| set.name == dataset)?;
    Some(set.class_names)
}

/// What `import` has to be told of how rows are made ready: the settings of data that
/// are not those of a new run, and that no file of weights tells; each behind a space.
#[must_use]
pub fn preparation(configuration: &Configuration) -> String {
    /// Names the data, describes them, or is in the file.
    const TOLD: [&str; 3] = ["dataset", "shape", "standardise"];

    let usual = Configuration::default();
    let sections = [
        ("data", json!(configuration.data), json!(usual.data)),
        (
            "data.reading",
            json!(configuration.data.reading),
            json!(usual.data.reading),
        ),
    ];
    let mut options = String::new();
    for (section, settings, usual) in sections {
        for (key, value) in settings.as_object().into_iter().flatten() {
            let is_told = section == "data" && TOLD.contains(&key.as_str());
            if is_told || value.is_object() || usual.get(key) == Some(value) {
                continue;
            }
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let setting = quoted(format!("{section}.{key}={text}"));
            options += &format!(" --set {setting}");
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_is_told_how_rows_are_made_ready() {
        let of = |settings: &[&str]| {
            let overrides: Vec<_> = settings
                .iter()
                .map(|text| runs::configuration::Override::parse(text).unwrap())
                .collect();
            preparation(&Configuration::resolve(None, None, &overrides).unwrap())
        };
        assert_eq!(of(&[]), "");
        // What the file of the weights says.
        assert_eq!(
            of(&["data.standardise=true", "model.likelihood=laplace"]),
            ""
        );
        assert_eq!(
            of(&[
                "data.treatment=threshold",
                "data.validation=50",
                "data.reading.invert=true",
                "data.reading.background=#ffffff",
            ]),
            " --set data.treatment=threshold --set data.validation=50 --set 'data.reading.background=#ffffff' --set data.reading.invert=true"
        );
    }
}
