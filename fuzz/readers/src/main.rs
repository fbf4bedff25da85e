//! Changed files for every reader, and what goes with that: `readers mutate`,
//! `readers replay`, `readers corpus`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod supervisor;
mod worker;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use allocation_meter::Meter;
use clap::{Parser, Subcommand};
use readers::{READERS, Reader, place};

#[global_allocator]
static METER: Meter = Meter::new();

/// Every reader of bytes that the project has, with changed files.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Mutate(supervisor::Mutate),
    /// Read one file as a reader does, and print what it ended in.
    Replay {
        /// The reader.
        #[arg(value_parser = reader)]
        reader: &'static Reader,
        /// The file.
        file: PathBuf,
    },
    /// Write the good files of every reader into a folder for each, for
    /// cargo-fuzz to begin with.
    Corpus {
        /// The folder of the folders.
        folder: PathBuf,
    },
    #[command(hide = true)]
    Work(worker::Work),
}

/// The reader that an option names.
fn reader(name: &str) -> Result<&'static Reader, String> {
    Reader::named(name).ok_or_else(|| {
        let names: Vec<&str> = READERS.iter().map(|reader| reader.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> std::io::Result<bool> {
    match command {
        Command::Mutate(mutate) => return mutate.run(),
        Command::Work(work) => work.run(),
        Command::Replay { reader, file } => {
            let bytes = fs::read(file)?;
            let place = place();
            let mut opened = reader.open(place.path());
            let (outcome, peak) = METER.peak_during(|| opened.read(&bytes));
            println!(
                "{outcome:?}, {peak} bytes of memory for a file of {}",
                bytes.len()
            );
        }
        Command::Corpus { folder } => {
            for reader in READERS {
                let place = place();
                let folder = folder.join(reader.name);
                fs::create_dir_all(&folder)?;
                for (number, file) in reader.open(place.path()).files.iter().enumerate() {
                    fs::write(folder.join(number.to_string()), file)?;
                }
            }
        }
    }
    Ok(true)
}
