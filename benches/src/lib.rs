//! How fast this program is on this machine: what `latent-atlas bench` measures.
//!
//! Everything is set against the machine's own limit, the rate of
//! multiply-adds that touch registers alone ([`tensor_ops::peak`]). That
//! limit is measured again right before and right after every measurement,
//! for the clock of a laptop or a shared server moves, and the largest rate
//! seen is what shares are taken of: a share is never flattered by a slow
//! moment of the machine. For the same reason every figure is the best of
//! several repetitions; what else runs on the machine can only slow one down.
//!
//! Operations are counted as dense work, 2·m·k·n for a product of `[m, k]`
//! and `[k, n]`, and nothing else is counted. Work left out because a pixel is
//! zero counts as done, elementwise work and the optimiser do not count. Of
//! training epochs it is told besides what they really execute and how long
//! that takes at least ([`ElementwiseRates`]). Whatever is compared takes turns,
//! and epochs that spread too far are marked as no result ([`Spread`]).

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::Command;

use datasets::{Dataset, Lookup, Source};
use models::Gradients;
use serde::Serialize;

use runs::Error;
use runs::environment::{Environment, most_threads};

mod bound;
mod gemm;
mod likelihood;
mod machine;
mod peak;
mod peers;
pub mod scaling;
mod startup;
mod table;
mod timing;
mod training;
mod vector;
mod waits;

pub use bound::{ElementwiseRates, ExecutedWork};
pub use gemm::{Form, GemmRow, Layer, PRODUCTS, Product};
pub use likelihood::LikelihoodRow;
pub use machine::Machine;
pub use peak::PeakRates;
pub use peers::{PeerEpoch, PeerRow, Peers, Products, SCRIPTS, Script, Unavailable};
pub use startup::{Startup, probe};
pub use timing::{Sampling, Spread};
pub use training::{RECIPES, Recipe, TrainingRow, training_gflops};
pub use vector::VectorRow;
pub use waits::{Surroundings, WaitRow};

/// A part of the benchmark that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The three products of a linear layer.
    Gemm,
    /// Elementwise functions, the loss, the optimiser and normal deviates.
    Vector,
    /// Importance sampling of −log p(x).
    Likelihood,
    /// Whole training epochs, peak memory and the time to the first step.
    Training,
    /// Threads that train together where cores are short, against one.
    Waits,
}

impl Part {
    /// Every part, in the order they are measured.
    pub const ALL: [Self; 5] = [
        Self::Gemm,
        Self::Vector,
        Self::Likelihood,
        Self::Training,
        Self::Waits,
    ];
}

/// What to measure.
#[derive(Debug)]
pub struct Request {
    /// The parts.
    pub parts: Vec<Part>,
    /// Fewer repetitions, for a first look.
    pub quick: bool,
    /// Measure with one thread and with this many.
    pub threads: usize,
    /// Epochs of each training measurement, by default [`epochs`], and pairs of
    /// them of each of waits, by default 25, or 5 when quick.
    pub epochs: Option<usize>,
    /// Train only these of [`RECIPES`]; all when empty.
    pub architectures: Vec<String>,
    /// The data set to train on; by default MNIST where it is on disk, else
    /// the embedded one.
    pub dataset: Option<String>,
    /// Where data sets are looked up.
    pub lookup: Lookup,
    /// The other frameworks to train with, if any.
    pub peers: Option<Peers>,
    /// This program with the arguments under which it calls [`probe`]; those
    /// of `--dataset` and `--threads` are added to them.
    pub probe: Option<Command>,
}

/// Hears what is being measured.
pub trait Observer {
    /// The measurement of this begins.
    fn measuring(&mut self, _what: &str) {}
    /// A framework cannot be measured.
    fn unavailable(&mut self, _what: &Unavailable) {}
}

/// Hears nothing.
impl Observer for () {}

/// Epochs of each training measurement unless asked otherwise.
#[must_use]
pub fn epochs(quick: bool) -> usize {
    if quick { 2 } else { 5 }
}

/// Everything measured: the document of `bench --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: Machine,
    /// Peak multiply-add rate in GFLOP/s by number of threads.
    pub fma_peak_gflops: PeakRates,
    /// Products of linear layers.
    pub gemm: Vec<GemmRow>,
    /// Rates that the bound of training epochs is made of; absent without any.
    pub elementwise: Option<ElementwiseRates>,
    /// Training epochs of this program.
    pub training: Vec<TrainingRow>,
    /// Training epochs of other frameworks beside this program's.
    pub peers: Vec<PeerRow>,
    /// Frameworks that were asked for and cannot be measured.
    pub unavailable: Vec<Unavailable>,
    /// Elementwise work.
    pub vector: Vec<VectorRow>,
    /// Importance sampling of −log p(x).
    pub likelihood: Vec<LikelihoodRow>,
    /// Threads that train together where cores are short.
    pub waits: Vec<WaitRow>,
    /// The data set trained on.
    pub dataset: Option<String>,
    /// Its training images.
    pub images: Option<usize>,
    /// Most memory that a `train` of 784-256-2 held at a time, in 10⁶ bytes;
    /// absent where the system does not tell.
    pub peak_memory_mb: Option<f64>,
    /// Seconds from the start of a `train` of 784-256-2 to the end of its
    /// first step, reading the data included.
    pub seconds_to_first_step: Option<f64>,
    /// The program and the machine.
    pub environment: Environment,
}

/// Measures what `request` asks for.
///
/// # Errors
/// Wrong options or data. A framework that is not installed is part of the
/// report, not an error.
pub fn run(
    request: Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &mut dyn Observer,
) -> Result<Report, Error> {
    let recipes = selected(&request.architectures)?;
    check_threads(request.threads)?;
    let epochs = request.epochs.unwrap_or_else(|| epochs(request.quick));
    if epochs == 0 {
        return Err(Error::Configuration(
            "--epochs is 0, but must be at least 1".into(),
        ));
    }
    let sampling = if request.quick {
        Sampling::QUICK
    } else {
        Sampling::THOROUGH
    };
    let thread_counts = if request.threads == 1 {
        vec![1]
    } else {
        vec![1, request.threads]
    };
    let trains = request.parts.contains(&Part::Training);
    let dataset = if trains || request.peers.is_some() {
        Some(dataset(&request, download)?)
    } else {
        None
    };

    let machine = Machine::measure();
    let mut peaks = PeakRates::default();
    observer.measuring("FMA peak");
    for &threads in &thread_counts {
        peaks.measure(threads)?;
    }
    // Before anything else makes the machine busy.
    let startup = match (request.probe, &dataset) {
        (Some(mut probe), Some(dataset)) if trains => {
            observer.measuring("start of a run");
            probe.args(["--dataset", &dataset.name, "--threads"]);
            probe.arg(request.threads.to_string());
            startup::measure(probe)?
        }
        _ => Startup::default(),
    };
    let mut gemm = Vec::new();
    if request.parts.contains(&Part::Gemm) {
        observer.measuring("layer products");
        gemm = gemm::measure(&thread_counts, sampling, &mut peaks)?;
    }
    let mut vector = Vec::new();
    if request.parts.contains(&Part::Vector) {
        observer.measuring("elementwise functions");
        vector = vector::measure(sampling);
    }
    let mut likelihood = Vec::new();
    if request.parts.contains(&Part::Likelihood) {
        observer.measuring("importance sampling");
        let repetitions = if request.quick { 3 } else { 8 };
        likelihood = likelihood::measure(&thread_counts, repetitions, &mut peaks)?;
    }
    let mut training = Vec::new();
    let elementwise = trains.then(|| ElementwiseRates::measure(sampling, machine.clock_ghz));
    if let (true, Some(dataset)) = (trains, &dataset) {
        for recipe in &recipes {
            observer.measuring(&format!("training {recipe}"));
            training.extend(training::measure(
                recipe,
                dataset,
                &thread_counts,
                epochs,
                &mut peaks,
            )?);
        }
    }
    let mut waits = Vec::new();
    if request.parts.contains(&Part::Waits) {
        observer.measuring("waits where cores are short");
        // One thread waits for nobody; two do even where there is one core.
        let pairs = request.epochs.unwrap_or(if request.quick { 5 } else { 25 });
        waits = waits::measure(request.threads.max(2), pairs)?;
    }
    let (mut peer_rows, mut unavailable) = (Vec::new(), Vec::new());
    if let (Some(peers), Some(dataset)) = (&request.peers, &dataset) {
        let files = peers::Images::of(dataset, &request.lookup)?;
        let alternation = peers::Alternation {
            peers,
            dataset,
            images: files.folder(),
            threads: request.threads,
            epochs,
        };
        (peer_rows, unavailable) = alternation.measure(&recipes, observer)?;
    }
    let fingerprint = dataset.as_ref().map_or("", |dataset| &dataset.fingerprint);
    Ok(Report {
        gemm: gemm
            .into_iter()
            .map(|measured| GemmRow::new(measured, &peaks))
            .collect(),
        training: elementwise
            .as_ref()
            .map_or_else(Vec::new, |rates| training::rows(&training, &peaks, rates)),
        elementwise,
        machine,
        peers: peer_rows,
        unavailable,
        vector,
        waits,
        likelihood: likelihood
            .into_iter()
            .map(|measured| LikelihoodRow::new(measured, &peaks))
            .collect(),
        environment: Environment::describe(request.threads, fingerprint),
        images: dataset.as_ref().map(|dataset| dataset.train.len()),
        dataset: dataset.map(|dataset| dataset.name),
        peak_memory_mb: startup.peak_memory_mb,
        seconds_to_first_step: startup.seconds_to_first_step,
        fma_peak_gflops: peaks,
    })
}

/// The data set to train on.
fn dataset(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Dataset, Error> {
    let source: Source = match &request.dataset {
        Some(name) => name.parse()?,
        None => default_source(&request.lookup)?,
    };
    Ok(datasets::load_source(
        &source,
        &datasets::Reading::default(),
        &request.lookup,
        download,
    )?)
}

/// MNIST where its files are, else the embedded set.
fn default_source(lookup: &Lookup) -> Result<Source, Error> {
    let mnist: Source = "mnist".parse()?;
    if datasets::path(&mnist, lookup).is_ok() {
        Ok(mnist)
    } else {
        Ok(Source::Glyphs)
    }
}

fn selected(architectures: &[String]) -> Result<Vec<Recipe>, Error> {
    if architectures.is_empty() {
        return Ok(RECIPES.to_vec());
    }
    let find = |name: &String| {
        RECIPES
            .iter()
            .find(|recipe| recipe.architecture == name)
            .copied()
            .ok_or_else(|| {
                let known: Vec<_> = RECIPES.iter().map(|recipe| recipe.architecture).collect();
                Error::Configuration(format!(
                    "--architecture is '{name}', but expected one of {}",
                    known.join(", ")
                ))
            })
    };
    architectures.iter().map(find).collect()
}

fn check_threads(threads: usize) -> Result<(), Error> {
    let of_a_step = Gradients::Hand.most_threads();
    let most = most_threads().min(of_a_step);
    if threads == 0 || threads > most {
        return Err(Error::Configuration(format!(
            "--threads is {threads}, but this process can measure 1 to {most}: threads that share a processor say nothing about speed, and a step is spread over {of_a_step} at most"
        )));
    }
    Ok(())
}

/// Threads of the reference figures, or what the machine has.
#[must_use]
pub fn default_threads() -> usize {
    most_threads().min(2)
}

/// The folder with the peers' scripts inside the folder of the workspace.
#[must_use]
pub fn scripts_in(workspace: PathBuf) -> PathBuf {
    workspace.join("benches").join("peers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_architecture_is_refused_with_the_known_ones() {
        let error = selected(&["784-3".into()]).unwrap_err().to_string();
        assert!(
            error.contains("784-3") && error.contains("784-400-20"),
            "{error}"
        );
        assert_eq!(selected(&[]).unwrap().len(), RECIPES.len());
        let one = selected(&["784-512-2".into()]).unwrap();
        assert_eq!((one.len(), one[0].batch), (1, 256));
    }

    #[test]
    fn more_threads_than_processors_are_refused() {
        assert!(check_threads(1).is_ok());
        assert!(check_threads(0).is_err());
        assert!(check_threads(1 << 20).is_err());
        assert!(check_threads(default_threads()).is_ok());
    }

    #[test]
    fn without_mnist_on_disk_the_embedded_set_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let lookup = Lookup {
            default_dir: folder.path().into(),
            ..Lookup::default()
        };
        assert!(matches!(default_source(&lookup).unwrap(), Source::Glyphs));
    }
}
