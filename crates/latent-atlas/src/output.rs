//! Where results and messages go.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

/// Options every command has.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// Show no progress, only the result and errors.
    #[arg(long, short, global = true)]
    quiet: bool,

    /// Print one machine-readable document on stdout and everything else on
    /// stderr.
    #[arg(long, global = true)]
    json: bool,
}

impl Output {
    /// Whether one JSON document was asked for.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether to show how far long work has come.
    pub fn shows_progress(&self) -> bool {
        !self.quiet
    }

    /// Whether progress may be drawn over, as on a terminal.
    pub fn is_interactive(&self) -> bool {
        self.shows_progress() && std::io::stderr().is_terminal()
    }

    /// A line about the work itself: to stderr, silenced by `--quiet`.
    pub fn note(&self, line: &str) {
        if self.shows_progress() {
            // Nobody need listen: work goes on when stderr is closed or full.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// A line about something that was asked for and will be missing: to stderr, also with
    /// `--quiet`.
    pub fn warn(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// The command's result: the document with `--json`, else the text.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn result(&self, document: &impl Serialize, text: &str) -> anyhow::Result<()> {
        let mut text = if self.json {
            serde_json::to_string_pretty(document)?
        } else {
            text.to_owned()
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let mut stdout = std::io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        written.context("the work is done, but its result cannot be written to stdout")
    }
}
