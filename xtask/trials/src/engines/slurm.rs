//! A job array of a Slurm that this machine runs for the trial.

use std::path::{Path, PathBuf};

use super::{Sweep, shell, shell_well, wait_for};
use crate::Report;
use crate::process::Program;

/// Tasks of the array: one for each run.
const TASKS: usize = 24;

/// The most that the script is submitted.
const SUBMISSIONS: usize = 4;

/// Runs the array: one task is requeued in the middle, one is killed, and the node's
/// daemon ends as in a crash and is started again. `script` starts such a Slurm.
///
/// # Errors
/// When the undisturbed sweep fails, or a command of Slurm does.
pub fn slurm(program: &Program, script: &Path) -> anyhow::Result<Report> {
    let sweep = Sweep::new(program)?;
    let node = Node::at(script, sweep.folder().join("slurm"));
    if let Err(error) = node.command("start") {
        return Ok(Report::skipped(format!(
            "no Slurm can be started here: {error}"
        )));
    }
    let tried = disturbed(&sweep, &node);
    // Whatever became of it, nothing is left running.
    let stopped = node.command("stop");
    let report = tried?;
    stopped?;
    Ok(report)
}

fn disturbed(sweep: &Sweep, node: &Node) -> anyhow::Result<Report> {
    let mut report = Report {
        tried: 1,
        ..Report::default()
    };
    let script = sweep.emit("slurm", TASKS)?;
    let submit = format!("bash {}", script.display());
    node.shell(sweep.folder(), &submit)?;
    wait_for("a run", || Ok(!sweep.under_way().is_empty()))?;
    let first = running(sweep, node)?;
    node.shell(sweep.folder(), &format!("scontrol requeue {first}"))?;
    wait_for("a second task", || {
        Ok(running(sweep, node).is_ok_and(|task| task != first) && !sweep.under_way().is_empty())
    })?;
    let second = running(sweep, node)?;
    node.shell(
        sweep.folder(),
        &format!("scancel --signal=KILL --full {second}"),
    )?;
    node.command("restart")?;
    let mut submissions = 1;
    loop {
        wait_for("the end of the array", || {
            Ok(node.shell(sweep.folder(), "squeue -h")?.trim().is_empty())
        })?;
        if submissions == 1 {
            // The requeue of one task is not that of the array.
            let again = "grep -l ' 0 trained now' sweep-plan-*.log | wc -l";
            let count = node.shell(sweep.folder(), again)?;
            if count.trim() != "0" {
                report.findings.push(format!(
                    "{} tasks were started again whose runs had ended",
                    count.trim()
                ));
            }
        }
        if sweep.is_complete()? {
            break;
        }
        if submissions == SUBMISSIONS {
            report.findings.push(format!(
                "after {SUBMISSIONS} submissions runs are missing: {} are under way",
                sweep.under_way().len()
            ));
            return Ok(report);
        }
        node.shell(sweep.folder(), &submit)?;
        submissions += 1;
    }
    report.notes.push(format!(
        "{first} was requeued, {second} killed; {submissions} submissions"
    ));
    report.findings.extend(sweep.differences()?);
    Ok(report)
}

/// A task that runs, as commands name it.
fn running(sweep: &Sweep, node: &Node) -> anyhow::Result<String> {
    let tasks = node.shell(sweep.folder(), "squeue -h --states=RUNNING -o '%F_%K'")?;
    let first = tasks.lines().next().unwrap_or_default().trim();
    anyhow::ensure!(!first.is_empty(), "no task runs");
    Ok(first.to_owned())
}

/// The Slurm of the trial.
struct Node {
    script: PathBuf,
    folder: PathBuf,
}

impl Node {
    fn at(script: &Path, folder: PathBuf) -> Self {
        Self {
            script: script.to_owned(),
            folder,
        }
    }

    fn command(&self, action: &str) -> anyhow::Result<()> {
        let line = format!(
            "{} {action} {}",
            self.script.display(),
            self.folder.display()
        );
        let output = shell(Path::new("/"), &line)?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "{}",
            said.trim().replace('\n', " | ")
        );
        Ok(())
    }

    /// A line of bash that finds the commands of this Slurm.
    fn shell(&self, folder: &Path, line: &str) -> anyhow::Result<String> {
        let environment = self.folder.join("environment");
        shell_well(
            folder,
            &format!("source {} && {line}", environment.display()),
        )
    }
}
