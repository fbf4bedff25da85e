//! `--jobs` of the commands that train several runs.

use clap::Args;
use runs::jobs::Limits;

use crate::output::Output;
use crate::threads::ThreadsOption;

/// How many runs a command trains at once, on how many threads.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JobsOption {
    /// Runs trained at once, among which the threads are divided: auto for one on
    /// each thread, 1 for one after the other on all of them. The last ones have
    /// more threads each; where memory does not suffice, fewer run at once. Never
    /// changes the result.
    #[arg(id = "jobs", long = "jobs", value_name = "N|auto", default_value = "auto", value_parser = jobs)]
    count: Count,

    #[command(flatten)]
    threads: ThreadsOption,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Auto,
    Of(usize),
}

impl JobsOption {
    /// What all runs may use; a note says when fewer run at once than was asked.
    pub(crate) fn limits(self, output: &Output) -> Limits {
        let asked = match self.count {
            Count::Auto => None,
            Count::Of(jobs) => Some(jobs),
        };
        let limits = Limits::of(self.threads.asked(output), asked);
        if let Some(asked) = asked.filter(|asked| *asked > limits.jobs) {
            output.note(&format!(
                "--jobs is {asked}, but every run needs one of the {} threads; training {} at once",
                limits.threads, limits.jobs
            ));
        }
        limits
    }

    /// The threads alone, where nothing is trained.
    pub(crate) fn threads(self) -> ThreadsOption {
        self.threads
    }
}

fn jobs(text: &str) -> Result<Count, String> {
    match text.trim() {
        "auto" => Ok(Count::Auto),
        text => match text.parse() {
            Ok(0) | Err(_) => Err("expected a whole number of at least 1, or auto".into()),
            Ok(count) => Ok(Count::Of(count)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_a_number_or_auto() {
        assert_eq!(jobs("auto"), Ok(Count::Auto));
        assert_eq!(jobs(" 3 "), Ok(Count::Of(3)));
        for text in ["", "0", "-1", "1.5", "all", "two"] {
            assert!(jobs(text).is_err(), "{text}");
        }
    }
}
