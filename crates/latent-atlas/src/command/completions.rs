//! `latent-atlas completions`: what a shell needs to complete commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use crate::output::Output;
use crate::{Cli, PROGRAM};

/// Print a script that lets a shell complete commands and options.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  latent-atlas completions bash > ~/.local/share/bash-completion/completions/latent-atlas
  latent-atlas completions zsh > ~/.zfunc/_latent-atlas
  latent-atlas completions fish > ~/.config/fish/completions/latent-atlas.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), PROGRAM, &mut script);
        let script = String::from_utf8(script)?;
        let document = json!({"shell": self.shell.to_string(), "script": script});
        output.result(&document, &script)
    }
}
