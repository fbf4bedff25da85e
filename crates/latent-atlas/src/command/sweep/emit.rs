//! `latent-atlas sweep emit`: scripts for engines that exist.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};
use runs::shell::shown;
use serde_json::json;
use sweeps::emit::{Engine, FEWEST_MINUTES, MOST_TASKS, Request, emit};
use sweeps::{Keep, Plan};

use crate::output::Output;

/// Write a script by which an engine trains a plan in shards.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The script is printed, or written with -o; nothing is started. Its processes are started again when
they were stopped after a checkpoint (exit code 75) and never after wrong settings or data (2) or
divergence (3), which would come again. Data that have to be downloaded are fetched once before.

Examples:
  latent-atlas sweep emit slurm plan.jsonl -o sweep.sh && bash sweep.sh
  latent-atlas sweep emit slurm plan.jsonl --cores 4 --minutes 60 --portable
  latent-atlas sweep emit parallel plan.jsonl --shards 16 -o sweep.sh
  latent-atlas sweep emit kubernetes plan.jsonl --image registry/latent-atlas:1 | kubectl apply -f -")]
pub(crate) struct Emit {
    /// The engine.
    #[arg(value_enum)]
    engine: Name,

    /// The plan.
    plan: PathBuf,

    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,

    /// Processes to start, whatever time each takes.
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    shards: Option<usize>,

    /// Minutes that a process is to take at least.
    #[arg(long, value_name = "M", default_value_t = 30.0)]
    minutes: f64,

    /// Cores of each process.
    #[arg(long, value_name = "C", default_value_t = CORES)]
    cores: NonZeroUsize,

    /// The most tasks of an array: of Slurm its MaxArraySize, which is asked for where
    /// there is a Slurm, or else 1001.
    #[arg(long, value_name = "N")]
    most: Option<NonZeroUsize>,

    /// What is kept of a run that has ended; see 'sweep run'.
    #[arg(long, value_name = "results|weights|all", default_value_t = Keep::Weights)]
    keep: Keep,

    /// Evaluate each run too.
    #[arg(long)]
    eval: bool,

    /// Importance samples per image to bound −log p(x) with.
    #[arg(long, value_name = "K", requires = "eval")]
    nll_samples: Option<NonZeroUsize>,

    /// Where the data of the plan are for the processes, if not where it says.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    /// Let all machines give the same bits; see 'sweep run'.
    #[arg(long)]
    portable: bool,

    /// The program, as the script finds it: by default this one, and in containers
    /// latent-atlas.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Folder that holds one folder per data set.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Image of the containers, of Kubernetes alone [default: latent-atlas].
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,

    /// Write the script to this file instead of printing it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Cores that a process has if nothing is said.
const CORES: NonZeroUsize = NonZeroUsize::new(2).expect("more than 0");

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Slurm,
    Parallel,
    Kubernetes,
}

impl From<Name> for Engine {
    fn from(name: Name) -> Self {
        match name {
            Name::Slurm => Self::Slurm,
            Name::Parallel => Self::Parallel,
            Name::Kubernetes => Self::Kubernetes,
        }
    }
}

impl Emit {
    pub(super) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let engine = Engine::from(self.engine);
        if self.image.is_some() && engine != Engine::Kubernetes {
            return Err(changes_nothing("--image", engine).into());
        }
        if self.most.is_some() && engine != Engine::Slurm {
            return Err(changes_nothing("--most", engine).into());
        }
        if let Some(path) = &self.output {
            runs::atomic_file::check_own_file(path, "script of 'sweep emit'", is_script)?;
        }
        let plan = Plan::read(&self.plan)?;
        let unreadable = |source| runs::Error::Read {
            path: ".".into(),
            source,
        };
        let working_folder = std::env::current_dir().map_err(unreadable)?;
        let most = self
            .most
            .map(NonZeroUsize::get)
            .unwrap_or_else(|| match engine {
                Engine::Slurm => largest_array().unwrap_or(MOST_TASKS),
                Engine::Parallel | Engine::Kubernetes => plan.runs.len(),
            });
        let request = Request {
            engine,
            plan: &plan,
            path: &self.plan,
            folder: &self.runs,
            working_folder: &working_folder,
            program: self.program(engine)?,
            shards: self.shards,
            minutes: self.minutes,
            most,
            cores: self.cores.get(),
            keep: self.keep,
            evaluates: self.eval,
            nll_samples: self.nll_samples.map(NonZeroUsize::get),
            dataset: self.dataset.as_deref(),
            portable: self.portable,
            data_dir: self.data_dir.clone(),
            image: self.image.as_deref().unwrap_or(crate::PROGRAM),
        };
        let script = emit(&request)?;
        if script.minutes < FEWEST_MINUTES && script.shards > 1 {
            output.note(&format!(
                "each of the {} processes takes about {:.1} minutes; an engine is meant for such of {FEWEST_MINUTES} or more",
                script.shards, script.minutes
            ));
        }
        let document = json!({
            "script": script.text,
            "file": self.output.as_ref().map(shown),
            "shards": script.shards,
            "minutes": script.minutes,
        });
        match &self.output {
            None => output.result(&document, &script.text),
            Some(path) => {
                runs::atomic_file::write(path, script.text.as_bytes())?;
                output.result(&document, &format!("{}\n", path.display()))
            }
        }
    }

    /// The program as the engine finds it.
    fn program(&self, engine: Engine) -> Result<PathBuf, runs::Error> {
        if let Some(program) = &self.program {
            return Ok(program.clone());
        }
        if engine == Engine::Kubernetes {
            return Ok(crate::PROGRAM.into());
        }
        std::env::current_exe().map_err(|source| runs::Error::Read {
            path: crate::PROGRAM.into(),
            source,
        })
    }
}

fn changes_nothing(option: &str, engine: Engine) -> runs::Error {
    runs::Error::Configuration(format!(
        "{option} changes nothing about a script for {}; leave it out",
        engine.name()
    ))
}

/// Whether a file begins as scripts do, which say in a comment what they start.
fn is_script(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let mut comments = head.lines().filter(|line| line.starts_with("# "));
    comments.any(|line| line.contains(" of about ") && line.ends_with(" each."))
}

/// The most tasks of an array of the Slurm that this machine belongs to, if there is one.
fn largest_array() -> Option<usize> {
    let output = Command::new("scontrol")
        .args(["show", "config"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    array_size(&String::from_utf8_lossy(&output.stdout))
}

/// What scontrol(1) says of `MaxArraySize`, one more than the highest index.
fn array_size(text: &str) -> Option<usize> {
    let mut fields = text.lines().filter_map(|line| line.split_once('='));
    let (_, size) = fields.find(|(key, _)| key.trim() == "MaxArraySize")?;
    size.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_arrays_is_read() {
        let text = "MailProg = /bin/mail\nMaxArraySize            = 1001\nMaxDBDMsgs = 20008\n";
        assert_eq!(array_size(text), Some(1001));
        assert_eq!(array_size("x"), None);
    }
}
