//! The rules of axe-core (<https://github.com/dequelabs/axe-core>) over a page.
//! They are fetched when they are asked for, and are no part of the project.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::page::Page;

/// axe-core.
#[derive(Clone, Debug)]
pub struct AccessibilityRules {
    script: String,
}

/// The success criteria of WCAG 2.2, levels A and AA.
const CRITERIA: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

impl AccessibilityRules {
    /// Fetches version 4 from the npm registry.
    ///
    /// # Errors
    /// When npm or tar is not installed, or the registry does not answer.
    pub fn fetch() -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        run(
            place.path(),
            "npm",
            &["pack", "axe-core@4", "--silent", "--fetch-retries=1"],
        )?;
        let archives = fs::read_dir(place.path())?.filter_map(Result::ok);
        let mut archives = archives.filter_map(|entry| entry.file_name().into_string().ok());
        let archive = archives.find(|name| name.ends_with(".tgz"));
        let archive = archive.context("npm pack left no archive of axe-core")?;
        let script = "package/axe.min.js";
        run(place.path(), "tar", &["-xzf", &archive, script])?;
        let script = fs::read_to_string(place.path().join(script))?;
        Ok(Self { script })
    }
}

impl Page<'_> {
    /// A sentence for each success criterion of WCAG 2.2, levels A and AA, that it
    /// does not meet as it stands, as far as axe-core can tell.
    ///
    /// # Errors
    /// When the rules cannot be run.
    pub fn barriers(&self, rules: &AccessibilityRules) -> anyhow::Result<Vec<String>> {
        // What is evaluated from outside is not under the page's policy.
        self.evaluate(&format!("{};0", rules.script))?;
        // Targets that are too small are not looked for of its own accord.
        let options = json!({
            "runOnly": {"type": "tag", "values": CRITERIA},
            "rules": {"target-size": {"enabled": true}},
        });
        let found = self.evaluate(&format!(
            "axe.run(document, {options}).then(found => ({{passes: found.passes.length,
              violations: found.violations.map(rule => [rule.id, rule.help,
                rule.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary)])}}))"
        ))?;
        if found["passes"].as_u64().unwrap_or_default() == 0 {
            bail!("axe-core found nothing that it has a rule for");
        }
        let broken = found["violations"].as_array();
        let broken = broken.context("axe-core gave no list of violations")?;
        Ok(broken.iter().map(sentence).collect())
    }
}

fn sentence(rule: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().replace('\n', " ");
    let nodes = rule[2].as_array().map_or(&[][..], Vec::as_slice);
    let some: Vec<String> = nodes.iter().take(3).map(word).collect();
    let more = nodes.len() - some.len();
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!(
        "{}: {} ({}{more})",
        word(&rule[0]),
        word(&rule[1]),
        some.join("; ")
    )
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let said = folder.join("said");
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said)?)
        .spawn()
        .with_context(|| format!("{program} could not be started"))?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            bail!("{program} did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        let said = fs::read_to_string(&said).unwrap_or_default();
        bail!("{program} failed: {}", said.trim().replace('\n', " | "));
    }
    Ok(())
}
