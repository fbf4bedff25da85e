//! An indexed job of Kubernetes, with the plan and the runs on a volume.

use runs::shell::shown;

use super::Sheet;

/// Where containers have the volume.
const VOLUME: &str = "/work";

pub(super) fn script(sheet: &Sheet<'_>) -> String {
    let request = sheet.request;
    let name = sheet.name();
    // No shell is between.
    let words = sheet.words(&format!("auto/{}", sheet.shards), |path| shown(path));
    let words = std::iter::once(shown(&request.program)).chain(words);
    let command: Vec<String> = words.map(|word| json(&word)).collect();
    let fetch = sheet.fetch().map_or_else(
        || "The embedded data set needs nothing fetched.".to_owned(),
        |fetch| {
            format!(
                "Once before: a pod that runs '{} {fetch}' there.",
                sheet.program()
            )
        },
    );
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

/// A word of YAML, for which JSON is a part of it.
fn json(word: &str) -> String {
    serde_json::Value::from(word).to_string()
}
