//! Scripts that have engines train a plan: in shards, each a process that is started
//! again when it was stopped after a checkpoint, and never when it would end the same
//! way.

mod kubernetes;
mod parallel;
mod slurm;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use datasets::Source;
use runs::Error;
use runs::shell::{no_option, quoted, quoted_path};
use sha2::{Digest as _, Sha256};

use crate::keep::Keep;
use crate::plan::{Plan, counted};

/// Lines that a script has at most.
pub const MOST_LINES: usize = 40;

/// Minutes that a shard takes at least: what an engine needs to begin one is little
/// beside that.
pub const FEWEST_MINUTES: f64 = 10.0;

/// Tasks of a job array that a Slurm has which says nothing else.
pub const MOST_TASKS: usize = 1001;

/// What starts many processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A job array of Slurm.
    Slurm,
    /// GNU parallel, on one machine or several.
    Parallel,
    /// An indexed job of Kubernetes.
    Kubernetes,
}

impl Engine {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Slurm, Self::Parallel, Self::Kubernetes];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Parallel => "parallel",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// By what.
    pub engine: Engine,
    /// The plan.
    pub plan: &'a Plan,
    /// Its file.
    pub path: &'a Path,
    /// The folder of its runs.
    pub folder: &'a Path,
    /// Where both are, and the processes work.
    pub working_folder: &'a Path,
    /// The program: a name or a file.
    pub program: PathBuf,
    /// Processes; `None` for as many as take [`minutes`](Self::minutes) each.
    pub shards: Option<usize>,
    /// Minutes that a process is to take.
    pub minutes: f64,
    /// The most processes.
    pub most: usize,
    /// Cores of each.
    pub cores: usize,
    /// What is kept of a run that has ended.
    pub keep: Keep,
    /// Whether each is evaluated too.
    pub evaluates: bool,
    /// Importance samples of that; `None` for no −log p(x).
    pub nll_samples: Option<usize>,
    /// Where the data of the plan are for the processes, if not where it says.
    pub dataset: Option<&'a str>,
    /// Whether all machines are to give the same bits.
    pub portable: bool,
    /// Where named data sets are looked up.
    pub data_dir: Option<PathBuf>,
    /// The image of containers.
    pub image: &'a str,
}

/// A script.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// Processes that it starts.
    pub shards: usize,
    /// Minutes that each is expected to take.
    pub minutes: f64,
}

/// Writes the script.
///
/// # Errors
/// No or more shards than there are runs or tasks, a shard that is too short to be
/// worth a process, files that containers do not have.
pub fn emit(request: &Request<'_>) -> Result<Script, Error> {
    if request.engine == Engine::Kubernetes {
        kubernetes::require_on_volume(request)?;
    }
    let shards = shards(request)?;
    let seconds = request.plan.seconds() / (shards * request.cores) as f64;
    let sheet = Sheet {
        request,
        shards,
        minutes: seconds / 60.0,
    };
    let text = match request.engine {
        Engine::Slurm => slurm::script(&sheet),
        Engine::Parallel => parallel::script(&sheet),
        Engine::Kubernetes => kubernetes::script(&sheet),
    };
    debug_assert!(text.lines().count() <= MOST_LINES, "a script is too long");
    Ok(Script {
        text,
        shards,
        minutes: sheet.minutes,
    })
}

/// How many processes there are to be.
fn shards(request: &Request<'_>) -> Result<usize, Error> {
    let runs = request.plan.runs.len();
    let most = runs.min(request.most).max(1);
    if let Some(shards) = request.shards {
        if (1..=most).contains(&shards) {
            return Ok(shards);
        }
        return Err(Error::Configuration(format!(
            "--shards is {shards}, but must lie between 1 and {most}, the fewer of the plan's {runs} runs and the {} tasks that there can be",
            request.most
        )));
    }
    if !(request.minutes >= FEWEST_MINUTES && request.minutes.is_finite()) {
        return Err(Error::Configuration(format!(
            "--minutes is {}, but must be at least {FEWEST_MINUTES}: shorter processes are not worth their start (--shards N asks for a number all the same)",
            request.minutes
        )));
    }
    let seconds = request.plan.seconds() / request.cores as f64;
    // Rounded down: none is shorter than was asked for.
    let wanted = (seconds / (60.0 * request.minutes)).floor();
    Ok((wanted as usize).clamp(1, most))
}

/// What scripts are filled with.
struct Sheet<'a> {
    request: &'a Request<'a>,
    shards: usize,
    minutes: f64,
}

impl Sheet<'_> {
    /// What it is, in a line.
    fn about(&self) -> String {
        let processes = match self.shards {
            1 => "1 process".into(),
            shards => format!("{shards} processes"),
        };
        let cores = match self.request.cores {
            1 => "1 core".into(),
            cores => format!("{cores} cores"),
        };
        format!(
            "{} of {} in {processes} of about {} on {cores} each",
            counted(self.request.plan.runs.len()),
            quoted_path(self.request.path),
            duration(self.minutes),
        )
    }

    /// The name of jobs and files of the script.
    fn name(&self) -> String {
        /// What Kubernetes takes, with room for what it adds.
        const LONGEST: usize = 40;
        let stem = self.request.path.file_stem().unwrap_or_default();
        let kept = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '-',
        };
        let name: String = stem
            .to_string_lossy()
            .chars()
            .map(kept)
            .take(LONGEST)
            .collect();
        match name.trim_matches('-') {
            "" => "sweep".into(),
            name => format!("sweep-{name}"),
        }
    }

    /// The same for files that tell what has been done: of this plan, with these options,
    /// in these shards.
    fn name_of_content(&self) -> String {
        let mut hasher = Sha256::new();
        for run in &self.request.plan.runs {
            hasher.update(run.id.as_bytes());
        }
        hasher.update(self.arguments("").as_bytes());
        let digest = hasher.finalize();
        let digits: String = digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{digits}-{}", self.name(), self.shards)
    }

    /// The index of the last process.
    fn last(&self) -> usize {
        self.shards - 1
    }

    /// The program, as a shell takes it.
    fn program(&self) -> String {
        quoted_path(&self.request.program)
    }

    /// The arguments behind the program that train `shard`, which is a word as it stands,
    /// as a shell takes them.
    fn arguments(&self, shard: &str) -> String {
        self.words(shard, |word| quoted(word)).join(" ")
    }

    /// The same as words, with those that may be anything as `word` writes them.
    fn words(&self, shard: &str, word: impl Fn(&OsStr) -> String) -> Vec<String> {
        let request = self.request;
        let path = |path: &Path| word(no_option(path).as_os_str());
        let mut words: Vec<String> = ["sweep", "run"].map(str::to_owned).into();
        words.push(path(request.path));
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        option("--runs", path(request.folder));
        option("--shard", shard.to_owned());
        option("--threads", request.cores.to_string());
        option("--keep", request.keep.to_string());
        if let Some(dataset) = request.dataset {
            option("--dataset", path(Path::new(dataset)));
        }
        if let Some(folder) = &request.data_dir {
            option("--data-dir", path(folder));
        }
        if let Some(samples) = request.nll_samples {
            option("--nll-samples", samples.to_string());
        }
        for (is_asked, name) in [
            (request.evaluates, "--eval"),
            (request.portable, "--portable"),
        ] {
            if is_asked {
                words.push(name.to_owned());
            }
        }
        // Many processes that find nothing would all fetch it.
        words.push("--offline".to_owned());
        words
    }

    /// The arguments behind the program that fetch the data sets which are downloaded;
    /// none where the plan needs no such.
    fn fetch(&self) -> Option<String> {
        let names = self.request.datasets().into_iter();
        let fetched: Vec<&str> = names
            .filter(|name| matches!(name.parse(), Ok(Source::Named(_))))
            .collect();
        let folder = self.request.data_dir.as_ref();
        let folder = folder.map_or_else(String::new, |dir| {
            format!(" --data-dir {}", quoted_path(dir))
        });
        (!fetched.is_empty()).then(|| format!("data fetch {}{folder}", fetched.join(" ")))
    }

    /// The arguments that merge what the runs came to.
    fn merge(&self) -> String {
        format!(
            "sweep merge {} -o {}.csv",
            self.plan_and_runs(),
            self.name()
        )
    }

    /// The arguments of commands that look at all runs.
    fn plan_and_runs(&self) -> String {
        let request = self.request;
        let (plan, folder) = (quoted_path(request.path), quoted_path(request.folder));
        format!("{plan} --runs {folder}")
    }
}

impl<'a> Request<'a> {
    /// The data that processes read, as they name them.
    fn datasets(&self) -> Vec<&'a str> {
        match self.dataset {
            Some(dataset) => vec![dataset],
            None => self.plan.datasets(),
        }
    }
}

/// The file or folder of data that are not known by name; it need not be here.
fn own_path(dataset: &str) -> Option<PathBuf> {
    match dataset.parse::<Source>() {
        Ok(source) => source.path().map(Path::to_owned),
        Err(_) => Some(dataset.into()),
    }
}

/// Minutes in words.
fn duration(minutes: f64) -> String {
    match minutes {
        ..0.95 => "less than a minute".into(),
        ..90.0 => format!("{} minutes", minutes.round().max(1.0)),
        _ => format!("{:.1} hours", minutes / 60.0),
    }
}

#[cfg(test)]
mod tests;
