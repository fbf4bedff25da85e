//! The program `latent-atlas`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use latent_atlas::{Cli, PROGRAM};

fn main() -> ExitCode {
    latent_atlas::main_of(PROGRAM, |cli: &Cli, invocation| {
        cli.command.run(&cli.output, invocation)
    })
}
