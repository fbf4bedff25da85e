//! `cargo xtask <command>`: the program `latent-atlas` built from this
//! repository, and the checks that only developers need.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ci;
mod scaling;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use latent_atlas::Output;

/// Train autoencoders and variational autoencoders, and draw the atlas of what
/// they learned.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version = latent_atlas::version(),
    max_term_width = 100,
    after_help = latent_atlas::EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Program(latent_atlas::Command),
    Ci(ci::Ci),
    Scaling(scaling::Scaling),
}

fn main() -> ExitCode {
    latent_atlas::main_of("cargo xtask", |cli: &Cli, invocation| match &cli.command {
        Command::Program(command) => command.run(&cli.output, invocation),
        Command::Ci(ci) => ci.run(&cli.output),
        Command::Scaling(scaling) => scaling.run(&cli.output),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
