//! What a file of another tool says about the run it is from.

use runs::Error;

use crate::ExportedRun;

/// Keys and values, in a fixed order: what the model is, the shape of its rows,
/// the data set with the names of its classes as a JSON list where the name of the
/// set tells them, whether values are standardised inside, the treatment of the
/// data, epochs and the digest of the run once it is done.
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
