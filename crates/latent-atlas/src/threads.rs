//! `--threads` of every command.

use clap::Args;
use runs::environment::most_threads;

use crate::output::Output;

/// How many threads a command uses.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ThreadsOption {
    /// Threads to use; all cores by default, and never more than those. Never
    /// changes the result.
    #[arg(id = "threads", long = "threads", value_name = "N", value_parser = count)]
    count: Option<usize>,
}

impl ThreadsOption {
    /// What was asked for; a note says when fewer are going to be used.
    pub(crate) fn asked(self, output: &Output) -> Option<usize> {
        let most = most_threads();
        if let Some(asked) = self.count.filter(|asked| *asked > most) {
            output.note(&format!(
                "--threads is {asked}, more than the {most} that pay here; using {most}"
            ));
        }
        self.count
    }
}

/// A number of threads.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(0) => Err(
            "no work is done on 0 threads; expected at least 1, or no --threads for all cores"
                .into(),
        ),
        Ok(count) => Ok(count),
        Err(_) => Err("expected a whole number of at least 1".into()),
    }
}
