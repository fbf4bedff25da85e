//! The command line of Latent Atlas.
//!
//! Everything a command does lives in `runs`, `figures` and `studies`; here are only the
//! options, the progress shown while it works and what it prints at the end.
//! This file holds the one error policy: an error is one sentence on stderr,
//! and the exit code says whether trying again can help.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod checkpoints;
mod command;
mod jobs;
mod output;
mod portable;
mod progress;
mod tensorboard;
mod threads;
mod version;

use std::ffi::OsString;
use std::io::Write as _;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, Subcommand};
use runs::interrupt::Interrupt;
use runs::shell::quoted;

pub use crate::output::Output;
pub use crate::version::version;

/// What the help says about exit codes.
pub const EXIT_CODES: &str = "\
Exit codes: 0 done (or already done), 1 unexpected, 2 bad usage, configuration or data,
3 diverged (non-finite loss), 4 runs of a sweep have not ended, 75 stopped by a signal or left
to other processes (what is done is kept; try again).";

/// The program's name.
pub const PROGRAM: &str = "latent-atlas";

/// Train autoencoders and variational autoencoders, and draw the atlas of what
/// they learned.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    bin_name = PROGRAM,
    version = version(),
    max_term_width = 100,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Where results and messages go.
    #[command(flatten)]
    pub output: Output,
}

/// What the user typed to get here.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What stands before a command: `latent-atlas`, or an alias of it.
    pub program: &'static str,
    /// The whole of it, as a shell takes it.
    pub command: String,
}

/// Every command of the program.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "each is described where its options are")]
pub enum Command {
    Train(Box<command::train::Train>),
    Eval(Box<command::eval::Eval>),
    Diagnose(Box<command::diagnose::Diagnose>),
    Encode(Box<command::encode::Encode>),
    Reconstruct(Box<command::reconstruct::Reconstruct>),
    Decode(Box<command::decode::Decode>),
    Sample(Box<command::sample::Sample>),
    Interpolate(Box<command::interpolate::Interpolate>),
    Import(Box<command::import::Import>),
    Export(Box<command::export::Export>),
    Figures(Box<command::figures::Figures>),
    Explore(Box<command::explore::Explore>),
    Study(Box<command::study::Study>),
    Runs(Box<command::runs::Runs>),
    Reproduce(Box<command::reproduce::Reproduce>),
    Sweep(Box<command::sweep::Sweep>),
    Verify(Box<command::verify::Verify>),
    Data(Box<command::data::Data>),
    Bench(Box<command::bench::Bench>),
    Schema(command::schema::Schema),
    Completions(command::completions::Completions),
    Man(command::man::Man),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, an [`runs::Error`] inside where it is an expected kind.
    pub fn run(&self, output: &Output, invocation: &Invocation) -> anyhow::Result<()> {
        let typed = invocation.command.as_str();
        match self {
            Self::Train(train) => train.run(output, invocation),
            Self::Eval(eval) => eval.run(output),
            Self::Diagnose(diagnose) => diagnose.run(output),
            Self::Encode(encode) => encode.run(output),
            Self::Reconstruct(reconstruct) => reconstruct.run(output),
            Self::Decode(decode) => decode.run(output),
            Self::Sample(sample) => sample.run(output),
            Self::Interpolate(interpolate) => interpolate.run(output),
            Self::Import(import) => import.run(output, invocation),
            Self::Export(export) => export.run(output),
            Self::Figures(figures) => figures.run(output, typed),
            Self::Explore(explore) => explore.run(output),
            Self::Study(study) => study.run(output, invocation),
            Self::Runs(runs) => runs.run(output),
            Self::Reproduce(reproduce) => reproduce.run(output, typed),
            Self::Sweep(sweep) => sweep.run(output, invocation),
            Self::Verify(verify) => verify.run(output, typed),
            Self::Data(data) => data.run(output),
            Self::Bench(bench) => bench.run(output),
            Self::Schema(schema) => schema.run(output),
            Self::Completions(completions) => completions.run(output),
            Self::Man(man) => man.run(output),
        }
    }
}

/// Parses the arguments of this process, runs what they ask for and reports
/// how it ended. `program` is what the user typed before them.
pub fn main_of<C: Parser>(
    program: &'static str,
    run: impl FnOnce(&C, &Invocation) -> anyhow::Result<()>,
) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command_line = match parsed::<C>(&arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            let sentence = match error.kind() {
                ErrorKind::InvalidUtf8 => Some(no_text(&arguments)),
                ErrorKind::ValueValidation => no_number(&error),
                _ => None,
            };
            // Help and version go to stdout with code 0, wrong usage to stderr with
            // code 2.
            let sentence = sentence.unwrap_or_else(|| error.exit());
            complain(&sentence);
            return ExitCode::from(2);
        }
    };
    let invocation = Invocation {
        program,
        command: typed_command(program, &arguments),
    };
    runs::environment::name_revision(version::REVISION);
    // Without it a limit on files ends the process, as it did before.
    let _ = runs::interrupt::survive_file_limits();
    // The kernels would panic at a wrong pin.
    let done = version::instruction_set()
        .map_err(anyhow::Error::from)
        .and_then(|_| run(&command_line, &invocation));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Prints the error and chooses the exit code.
fn fail(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        // The reader of our output (such as `head`) has seen enough.
        return ExitCode::SUCCESS;
    }
    let typed = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<runs::Error>());
    match typed {
        // Its sentence holds the cause already.
        Some(typed) => complain(&typed.to_string()),
        None => complain(&sentence(error)),
    }
    ExitCode::from(typed.map_or(1, runs::Error::exit_code))
}

/// An error with its causes, each said once: some sentences hold theirs.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

/// Hears signals from now on; what ends the process in the middle of something
/// is reported as an error is.
pub(crate) fn interrupt() -> Result<Interrupt, runs::Error> {
    Interrupt::install(|error| complain(&error.to_string()))
        .map_err(|error| runs::Error::Undefined(format!("signals cannot be handled: {error}")))
}

/// Says what went wrong, as far as anybody listens.
fn complain(sentence: &str) {
    // Names of files may hold line breaks and a terminal's own commands.
    let sentence = input_files::on_one_line(sentence);
    let _ = writeln!(std::io::stderr(), "error: {sentence}");
}

/// The arguments, where a number below zero is the value of the option before it: what
/// is wrong with it is then said of that option.
fn parsed<C: Parser>(arguments: &[OsString]) -> Result<C, clap::Error> {
    let mut command = with_negative_numbers(C::command());
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let has_value = !argument.is_positional() && argument.get_action().takes_values();
            argument.allow_negative_numbers(has_value)
        })
        .mut_subcommands(with_negative_numbers)
}

/// That the value of an option is not the number that it has to be, where only its
/// digits are wrong; `None` where its own parser has said what it expects.
fn no_number(error: &clap::Error) -> Option<String> {
    let cause = std::error::Error::source(error)?;
    let text = |kind| error.get(kind).map(ToString::to_string);
    let (option, found) = (
        text(ContextKind::InvalidArg)?,
        text(ContextKind::InvalidValue)?,
    );
    let option = option.split(' ').next().unwrap_or_default();
    let expected = if let Some(cause) = cause.downcast_ref::<ParseIntError>() {
        match cause.kind() {
            IntErrorKind::Zero => "a whole number of at least 1",
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "a smaller whole number",
            _ => "a non-negative whole number",
        }
    } else if cause.is::<ParseFloatError>() {
        "a number"
    } else {
        return None;
    };
    Some(format!("{option} is '{found}', but must be {expected}"))
}

/// That an argument which has to be text is none; files and folders that have
/// an option of their own may have any name.
fn no_text(arguments: &[OsString]) -> String {
    let found: Vec<String> = arguments
        .iter()
        .filter(|argument| argument.to_str().is_none())
        .map(quoted)
        .collect();
    format!(
        "{} is not UTF-8 text, as names, settings and sources of data must be; rename it, or \
         make a link to it with another name",
        found.join(" or ")
    )
}

/// The command as the user typed it.
fn typed_command(program: &str, arguments: &[OsString]) -> String {
    let rest: Vec<String> = arguments.iter().skip(1).map(quoted).collect();
    format!("{program} {}", rest.join(" "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::other("the disk is full");
        let silent = anyhow::Error::new(cause()).context("a cannot be written");
        assert_eq!(sentence(&silent), "a cannot be written: the disk is full");
        let telling = anyhow::Error::new(cause()).context("a cannot be written: the disk is full");
        assert_eq!(sentence(&telling), "a cannot be written: the disk is full");
    }

    #[test]
    fn a_typed_command_can_be_pasted_into_a_shell() {
        let arguments = [
            "latent-atlas",
            "train",
            "--out",
            "it's here",
            "--set",
            "a=[1, 2]",
        ];
        assert_eq!(
            typed_command("latent-atlas", &arguments.map(OsString::from)),
            r"latent-atlas train --out 'it'\''s here' --set 'a=[1, 2]'"
        );
    }
}
