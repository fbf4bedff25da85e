//! The command line of Latent Atlas: `cargo xtask <command>`.
//!
//! Everything a command does lives in the `atlas` crate; here are only the
//! options, the progress shown while it works and what it prints at the end.
//! This file holds the one error policy: an error is one sentence on stderr,
//! and the exit code says whether trying again can help.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod output;
mod progress;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::output::Output;

/// Train autoencoders and variational autoencoders, and draw the atlas of what
/// they learned.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done (or already done), 1 unexpected, 2 bad usage, configuration or data,\n\
                  3 diverged (non-finite loss), 75 stopped by a signal after a checkpoint."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<command::train::Train>),
    Eval(command::eval::Eval),
    Encode(Box<command::encode::Encode>),
    Reconstruct(Box<command::reconstruct::Reconstruct>),
    Decode(command::decode::Decode),
    Sample(Box<command::sample::Sample>),
    Interpolate(Box<command::interpolate::Interpolate>),
    Figures(command::figures::Figures),
    Reproduce(command::reproduce::Reproduce),
    Data(command::data::Data),
    Bench(command::bench::Bench),
    Ci(command::ci::Ci),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let cli = match Cli::command()
        .try_get_matches_from(std::env::args_os())
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        // Help and version go to stdout with code 0, wrong usage to stderr
        // with code 2.
        Err(error) => error.exit(),
    };
    let typed = typed_command(&arguments);
    match run(&cli, &typed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(cli: &Cli, typed: &str) -> anyhow::Result<()> {
    match &cli.command {
        Command::Train(train) => train.run(&cli.output, typed),
        Command::Eval(eval) => eval.run(&cli.output),
        Command::Encode(encode) => encode.run(&cli.output),
        Command::Reconstruct(reconstruct) => reconstruct.run(&cli.output),
        Command::Decode(decode) => decode.run(&cli.output),
        Command::Sample(sample) => sample.run(&cli.output),
        Command::Interpolate(interpolate) => interpolate.run(&cli.output),
        Command::Figures(figures) => figures.run(&cli.output, typed),
        Command::Reproduce(reproduce) => reproduce.run(&cli.output, typed),
        Command::Data(data) => data.run(&cli.output),
        Command::Bench(bench) => bench.run(&cli.output),
        Command::Ci(ci) => ci.run(&cli.output),
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
        .find_map(|cause| cause.downcast_ref::<atlas::Error>());
    match typed {
        // Its sentence holds the cause already.
        Some(typed) => eprintln!("error: {typed}"),
        None => eprintln!("error: {error:#}"),
    }
    ExitCode::from(typed.map_or(1, atlas::Error::exit_code))
}

/// The command as the user typed it after `cargo`.
fn typed_command(arguments: &[String]) -> String {
    let quote = |argument: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    };
    let rest: Vec<String> = arguments.iter().skip(1).map(quote).collect();
    format!("cargo xtask {}", rest.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_typed_command_can_be_pasted_into_a_shell() {
        let arguments = ["xtask", "train", "--out", "it's here", "--set", "a=[1, 2]"];
        assert_eq!(
            typed_command(&arguments.map(String::from)),
            r"cargo xtask train --out 'it'\''s here' --set 'a=[1, 2]'"
        );
    }
}
