//! An indexed job of Kubernetes, with the plan and the runs on a volume.

use std::path::{Component, Path, PathBuf};

use runs::Error;
use runs::shell::shown;

use super::{Request, Sheet, own_path};

/// Where containers have the volume.
pub(super) const VOLUME: &str = "/work";

pub(super) fn script(sheet: &Sheet<'_>) -> String {
    let request = sheet.request;
    let name = sheet.name();
    // No shell is between.
    let words = sheet.words(&format!("auto/{}", sheet.shards), |word| shown(word));
    let words = std::iter::once(shown(&request.program)).chain(words);
    // Kubernetes would put variables in the place of $(NAME).
    let command: Vec<String> = words.map(|word| json(&word.replace("$(", "$$("))).collect();
    let fetch = match (sheet.fetch(), &own_data(request)[..]) {
        (Some(fetch), _) => format!(
            "Once before: a pod that runs '{} {fetch}' there.",
            sheet.program()
        ),
        (None, []) => "The embedded data set needs nothing fetched.".to_owned(),
        (None, [first, ..]) => format!("It holds the data {first} too.", first = shown(first)),
    };
    format!(
        r#"# {about}.
# The volume claim {name} holds the plan, and gets the runs. {fetch}
# kubectl apply -f THIS-FILE, and again after kubectl delete job {name}: what is done is not
# done again. Then: {program} {merge}
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  completions: {shards}
  parallelism: {shards}
  completionMode: Indexed
  backoffLimitPerIndex: 3
  maxFailedIndexes: {shards}
  podFailurePolicy:
    rules:
      # Settings or data, and divergence: it would come again.
      - action: FailIndex
        onExitCodes: {{containerName: sweep, operator: In, values: [2, 3]}}
      # Stopped after a checkpoint, or taken off its node: it goes on.
      - action: Ignore
        onExitCodes: {{containerName: sweep, operator: In, values: [75]}}
      - action: Ignore
        onPodConditions: [{{type: DisruptionTarget, status: "True"}}]
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: sweep
          image: {image}
          workingDir: {VOLUME}
          command: [{command}]
          resources: {{requests: {{cpu: {cores}}}, limits: {{cpu: {cores}}}}}
          volumeMounts: [{{name: work, mountPath: {VOLUME}}}]
      volumes:
        - name: work
          persistentVolumeClaim: {{claimName: {name}}}
"#,
        about = sheet.about(),
        program = sheet.program(),
        merge = sheet.merge(),
        shards = sheet.shards,
        image = json(request.image),
        command = command.join(", "),
        cores = request.cores,
    )
}

/// Checks that what containers are to read and write is on the volume.
///
/// # Errors
/// When a path is elsewhere.
pub(super) fn require_on_volume(request: &Request<'_>) -> Result<(), Error> {
    for (what, path) in [("the plan", request.path), ("--runs", request.folder)]
        .into_iter()
        .chain(
            request
                .data_dir
                .iter()
                .map(|path| ("--data-dir", path.as_path())),
        )
    {
        if !is_on_volume(path) {
            return Err(Error::Configuration(format!(
                "{what} is {}, which containers do not have; they work in the volume {VOLUME}: name it as it is there",
                path.display()
            )));
        }
    }
    match own_data(request)
        .into_iter()
        .find(|path| !is_on_volume(path))
    {
        None => Ok(()),
        Some(path) => Err(Error::Configuration(format!(
            "the runs are of the data {}, which containers do not have; copy them to the volume {VOLUME} and say where they are there with --dataset",
            path.display()
        ))),
    }
}

/// Files and folders of data that nobody downloads.
fn own_data(request: &Request<'_>) -> Vec<PathBuf> {
    let names = request.datasets().into_iter();
    names.filter_map(own_path).collect()
}

/// Whether a path leads into the volume from where containers work.
fn is_on_volume(path: &Path) -> bool {
    let below = path.strip_prefix(VOLUME).unwrap_or(path);
    let mut parts = below.components();
    parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// A word of YAML, for which JSON is a part of it.
fn json(word: &str) -> String {
    serde_json::Value::from(word).to_string()
}
