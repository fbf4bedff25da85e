//! `--threads` of every command.

use clap::Args;

/// How many threads a command uses.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ThreadsOption {
    /// Threads to use; all cores by default. Never changes the result.
    #[arg(id = "threads", long = "threads", value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(crate) count: Option<usize>,
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
