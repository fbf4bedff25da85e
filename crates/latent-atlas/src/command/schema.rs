//! `latent-atlas schema`: what the settings of a run can be, for programs.

use std::path::PathBuf;

use clap::Args;
use runs::configuration::{schema, settings_page};

use crate::output::Output;

/// Print the JSON schema of config.toml, by which editors complete and check
/// settings.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  latent-atlas schema > config.schema.json
  latent-atlas schema --markdown SETTINGS.md")]
pub struct Schema {
    /// Also write the page of all settings to this file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Schema {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        if let Some(path) = &self.markdown {
            runs::atomic_file::write(path, settings_page().as_bytes())?;
            output.note(&format!("wrote {}", path.display()));
        }
        let schema = schema();
        output.result(&schema, &serde_json::to_string_pretty(&schema)?)
    }
}
