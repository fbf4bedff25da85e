//! GNU parallel over two hosts that are this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Sweep, shell, wait_for};
use crate::Report;
use crate::process::Program;

/// Parts of the plan.
const SHARDS: usize = 6;

/// The most that the script is called.
const CALLS: usize = 20;

/// What stands for ssh: the host is the first word without a dash.
const SSH: &str = r#"#!/bin/bash
while [ "${1#-}" != "$1" ]; do shift; done
shift
[ "$1" = -- ] && shift
exec bash -c "$*"
"#;

/// Runs the script of GNU parallel on two hosts; one process is asked to stop, one is
/// killed, and then parallel itself is, and the script run again. `script` is that of
/// the trial of Slurm, which fetches GNU parallel too.
///
/// # Errors
/// When the undisturbed sweep fails, or bash cannot be started.
pub fn parallel(program: &Program, script: &Path) -> anyhow::Result<Report> {
    let sweep = Sweep::new(program)?;
    let folder = sweep.folder();
    let tools = folder.join("slurm");
    let fetch = format!(
        "command -v parallel || {0} start {1} >/dev/null 2>&1 && {0} stop {1}",
        script.display(),
        tools.display()
    );
    shell(folder, &fetch)?;
    let path = format!("PATH={}/root/usr/bin:$PATH", tools.display());
    if !shell(folder, &format!("{path} command -v parallel"))?
        .status
        .success()
    {
        return Ok(Report::skipped(
            "there is no GNU parallel, and none can be fetched",
        ));
    }
    fs::write(folder.join("ssh"), SSH)?;
    shell(folder, "chmod +x ssh")?;
    let emitted = sweep.emit("parallel", SHARDS)?;
    let line = format!(
        "{path} PARALLEL_SSH={}/ssh HOSTS=1/one,1/two exec bash {}",
        folder.display(),
        emitted.display()
    );
    let mut report = Report {
        tried: 1,
        ..Report::default()
    };
    let mut first = Command::new("setsid")
        .args(["bash", "-c", &line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    for signal in ["TERM", "KILL"] {
        wait_for("a run", || Ok(!sweep.under_way().is_empty()))?;
        // The processes of this trial alone: they work on its plan in its folder.
        let kill = format!(
            "for process in $(pgrep -f 'sweep run plan.jsonl'); do \
             [ \"$(readlink /proc/$process/cwd)\" = {0} ] && \
             [ \"$(readlink /proc/$process/exe)\" = {1} ] && kill -{signal} $process && break; \
             done; true",
            folder.canonicalize()?.display(),
            program.path().display(),
        );
        shell(folder, &kill)?;
        std::thread::sleep(Duration::from_secs(2));
    }
    // All of it, as when the machine on which it was called goes.
    let group = format!("kill -KILL -- -{}", first.id());
    shell(folder, &group)?;
    first.wait()?;
    let mut calls = 1;
    while !sweep.is_complete()? {
        if calls == CALLS {
            report
                .findings
                .push(format!("after {CALLS} calls runs are missing"));
            return Ok(report);
        }
        // Processes may be left that know nothing of the end of parallel.
        std::thread::sleep(Duration::from_secs(2));
        let output = shell(folder, &line)?;
        calls += 1;
        report
            .notes
            .push(format!("call {calls} ended with {}", output.status));
    }
    report.findings.extend(sweep.differences()?);
    Ok(report)
}
