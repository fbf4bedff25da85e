//! The program `latent-atlas`.

use std::process::ExitCode;

use clap::Parser;
use latent_atlas::{Command, EXIT_CODES, Output};

/// Train autoencoders and variational autoencoders, and draw the atlas of what
/// they learned.
#[derive(Debug, Parser)]
#[command(
    name = "latent-atlas",
    bin_name = "latent-atlas",
    version,
    max_term_width = 100,
    after_help = EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    output: Output,
}

fn main() -> ExitCode {
    latent_atlas::main_of("latent-atlas", |cli: &Cli, typed| {
        cli.command.run(&cli.output, typed)
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
