//! `cargo xtask eval`: the numbers of a finished run.

use clap::Args;

use crate::output::Output;

/// Evaluate a run: writes RUN/eval.json and prints the table.
#[derive(Debug, Args)]
pub(crate) struct Eval {}

impl Eval {
    pub(crate) fn run(&self, _output: &Output) -> anyhow::Result<()> {
        anyhow::bail!("not yet")
    }
}
