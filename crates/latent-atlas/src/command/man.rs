//! `latent-atlas man`: the manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;
use runs::shell::shown;
use serde_json::json;

use crate::Cli;
use crate::output::Output;

/// Print the manual page, or write those of all commands into a folder.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  latent-atlas man | man -l -
  latent-atlas man -o ~/.local/share/man/man1")]
pub struct Man {
    /// Write a page for every command into this folder.
    #[arg(long, short, value_name = "DIR", alias = "out")]
    output: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let mut command = Cli::command().disable_help_subcommand(true);
        // Names of subcommands are only then those of the whole command.
        command.build();
        let Some(folder) = &self.output else {
            let (_, page) = rendered(&command)?;
            return output.result(&json!({"page": page}), &page);
        };
        runs::atomic_file::create_folder(folder)?;
        let mut written = Vec::new();
        write_all(&command, folder, &mut written)?;
        let pages: Vec<_> = written.iter().map(shown).collect();
        let text = format!("wrote {} pages into {}\n", written.len(), folder.display());
        output.result(&json!({"pages": pages}), &text)
    }
}

/// Writes the page of a command and of all below it.
fn write_all(command: &Command, folder: &Path, written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let (name, page) = rendered(command)?;
    let path = folder.join(name);
    runs::atomic_file::write(&path, page.as_bytes())?;
    written.push(path);
    for below in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        write_all(below, folder, written)?;
    }
    Ok(())
}

/// The name of a command's page and its text.
fn rendered(command: &Command) -> anyhow::Result<(String, String)> {
    let page = Page::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok((page.get_filename(), String::from_utf8(text)?))
}
