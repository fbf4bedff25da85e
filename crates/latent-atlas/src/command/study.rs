//! `latent-atlas study`: begin a study in a file, and what it can name.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use figures::pictures::KIT;
use runs::shell::{quoted_path, shown};
use serde_json::{Value, json};
use studies::measures::MEASURES;
use studies::study::EXAMPLE;

use crate::Invocation;
use crate::output::Output;

/// Begin a study in a file, or list what it can name.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A study is a question: models or a grid over settings, seeds, figures, measures and statements
with rules. The file that 'study new' writes explains all of it.

Examples:
  latent-atlas study new beta.toml
  latent-atlas figures --study beta.toml
  latent-atlas study measures")]
pub struct Study {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a commented example to FILE, which must not exist.
    New {
        /// The file; its name without .toml names the study.
        file: PathBuf,
    },
    /// List the numbers a study can measure.
    Measures,
    /// List the figures a study can draw, with their options.
    Figures,
    /// Hold the verdicts of two folders of figures against each other.
    #[command(after_long_help = "\
The folders are what 'figures --out' wrote for two ranges of seeds without a common one (of each
data set only its claims.json is read):

  latent-atlas figures --study beta.toml --seeds 20 --out first
  latent-atlas figures --study beta.toml --seeds 20 --first-seed 20 --out second
  latent-atlas study compare first second")]
    Compare {
        /// Folder of figures.
        first: PathBuf,
        /// Folder of figures of other seeds.
        second: PathBuf,
        /// Also write the table of all statements to this file
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
    },
}

impl Study {
    pub(crate) fn run(&self, output: &Output, invocation: &Invocation) -> anyhow::Result<()> {
        match &self.action {
            Action::New { file } => new(file, output, invocation.program),
            Action::Measures => measures(output),
            Action::Figures => figures(output),
            Action::Compare {
                first,
                second,
                markdown,
            } => compare(first, second, markdown.as_deref(), output),
        }
    }
}

fn new(file: &Path, output: &Output, program: &str) -> anyhow::Result<()> {
    if file.extension().is_none_or(|end| end != "toml") {
        return Err(runs::Error::Configuration(format!(
            "{} does not end in .toml, by which 'figures --study' tells a file from a name",
            file.display()
        ))
        .into());
    }
    let unwritable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => runs::Error::Configuration(format!(
            "{} is there already, and is not written over; choose another name",
            file.display()
        )),
        _ => runs::Error::Write {
            path: file.into(),
            source,
        },
    };
    let mut created = std::fs::File::create_new(file).map_err(unwritable)?;
    created.write_all(EXAMPLE.as_bytes()).map_err(unwritable)?;
    output.result(
        &json!({"file": shown(file)}),
        &format!(
            "wrote {}\nnext: {program} figures --study {}\n",
            file.display(),
            quoted_path(file)
        ),
    )
}

fn compare(
    first: &Path,
    second: &Path,
    markdown: Option<&Path>,
    output: &Output,
) -> anyhow::Result<()> {
    let found = studies::replication::compare(first, second)?;
    if let Some(path) = markdown {
        viz::write_atomically(path, found.to_markdown()?.as_bytes())?;
    }
    let of_data = found.of_data.iter();
    let text: String = of_data
        .map(|of| format!("{}: {}\n", of.dataset, of.in_words()))
        .collect();
    output.result(&found.of_data, &text)
}

fn measures(output: &Output) -> anyhow::Result<()> {
    let widest = MEASURES.iter().map(|measure| measure.name.len()).max();
    let width = widest.unwrap_or(0);
    let text: String = MEASURES
        .iter()
        .map(|measure| {
            let unit = match measure.unit {
                "" => String::new(),
                unit => format!(" ({unit})"),
            };
            format!("{:width$}  {}{unit}\n", measure.name, measure.about)
        })
        .collect();
    let all: Vec<Value> = MEASURES
        .iter()
        .map(|one| json!({"name": one.name, "unit": one.unit, "about": one.about}))
        .collect();
    output.result(&json!(all), &text)
}

fn figures(output: &Output) -> anyhow::Result<()> {
    let mut text = String::new();
    let mut all = Vec::new();
    for kind in KIT {
        text.push_str(&format!("{:<20} {}\n", kind.name, kind.about));
        for (name, value) in kind.options() {
            text.push_str(&format!("    {name} = {value}\n"));
        }
        all.push(json!({"name": kind.name, "about": kind.about, "options": kind.options()}));
    }
    output.result(&json!(all), &text)
}
