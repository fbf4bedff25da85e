//! Other frameworks training the same model on the same images, epoch by epoch
//! in turn with this program.
//!
//! The scripts are those of `benches/peers`, whose README says what they train
//! and how. All of them stay loaded while one architecture is measured; only
//! one trains at a time.

use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::{Dataset, Lookup, Source, idx};
use models::Gradients;
use serde::Serialize;
use tempfile::TempDir;

use super::Observer;
use super::timing::{Spread, best, median};
use super::training::{Recipe, epoch_seconds};
use runs::Error;

mod process;

pub use process::PeerEpoch;
use process::{Process, StartError};

/// How a peer multiplies matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Products {
    /// In f32 throughout, as this program does.
    StrictF32,
    /// A fast mode: factors rounded to bfloat16, added up in f32.
    Bf16,
}

impl Products {
    /// What the scripts take for `--precision`.
    fn precision(self) -> &'static str {
        match self {
            Self::StrictF32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::StrictF32 => "strict f32",
            Self::Bf16 => "fast mode",
        })
    }
}

/// One script of `benches/peers`, with how it multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The name it gives itself.
    pub name: &'static str,
    /// Its file.
    pub file: &'static str,
    /// In what its products are.
    pub products: Products,
}

const fn script(name: &'static str, file: &'static str, products: Products) -> Script {
    Script {
        name,
        file,
        products,
    }
}

/// Every script measured.
pub const SCRIPTS: [Script; 6] = [
    script("pytorch-eager", "pytorch_eager.py", Products::StrictF32),
    script("pytorch-compile", "pytorch_compile.py", Products::StrictF32),
    script("jax-scan", "jax_scan.py", Products::StrictF32),
    script("pytorch-eager-bf16", "pytorch_eager.py", Products::Bf16),
    script("pytorch-compile-bf16", "pytorch_compile.py", Products::Bf16),
    script("jax-scan-bf16", "jax_scan.py", Products::Bf16),
];

/// After a peer's epoch its threads spin for a while before they sleep; ours
/// waits until they have.
const PAUSE: Duration = Duration::from_millis(300);

/// How to run the scripts.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The Python interpreter.
    pub python: PathBuf,
    /// The folder of the scripts.
    pub scripts: PathBuf,
}

/// A framework that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unavailable {
    /// The peer, or `python` for all of them.
    pub name: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// One peer's speed on one recipe, beside ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerRow {
    /// The peer.
    pub name: String,
    /// Version of its framework.
    pub version: String,
    /// In what its products are; ours are in strict f32.
    pub products: Products,
    /// Widths of the encoder and of the code.
    pub architecture: &'static str,
    /// Images per step.
    pub batch: usize,
    /// Threads of both.
    pub threads: usize,
    /// Seconds of the peer's fastest epoch.
    pub seconds_per_epoch: f64,
    /// The peer's seconds over ours, best against best: how many times faster
    /// this program is.
    pub ratio: f64,
    /// Nonlinearity of the hidden layers.
    pub activation: &'static str,
    /// Epochs measured of each, compilation and first allocations excluded.
    pub epochs: usize,
    /// Seconds of our fastest epoch in the same rounds.
    pub our_seconds_per_epoch: f64,
    /// Seconds of the peer's median epoch.
    pub median_seconds_per_epoch: f64,
    /// Seconds of our median epoch.
    pub our_median_seconds_per_epoch: f64,
    /// The ratio of the medians.
    pub ratio_of_medians: f64,
    /// How far the peer's epochs lie apart; where they or ours are noisy, no ratio
    /// is a result.
    pub spread: Spread,
    /// How far ours do.
    pub our_spread: Spread,
}

impl PeerRow {
    fn new(
        recipe: &Recipe,
        threads: usize,
        version: String,
        script: Script,
        times: &Times,
    ) -> Self {
        let Times { ours, theirs } = times;
        let (our_best, their_best) = (best(ours), best(theirs));
        let (our_median, their_median) = (median(ours), median(theirs));
        Self {
            name: script.name.into(),
            version,
            products: script.products,
            architecture: recipe.architecture,
            batch: recipe.batch,
            threads,
            seconds_per_epoch: their_best,
            ratio: their_best / our_best,
            activation: recipe.activation.name(),
            epochs: theirs.len(),
            our_seconds_per_epoch: our_best,
            median_seconds_per_epoch: their_median,
            our_median_seconds_per_epoch: our_median,
            ratio_of_medians: their_median / our_median,
            spread: Spread::of(theirs),
            our_spread: Spread::of(ours),
        }
    }
}

/// Seconds of the epochs of the same rounds.
struct Times {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// The training images as the scripts read them: a folder of IDX files.
#[derive(Debug)]
pub(super) enum Images {
    /// Those the data set was read from.
    Stored(PathBuf),
    /// Those of the embedded set, written out for the scripts.
    Written(TempDir),
}

impl Images {
    pub(super) fn of(dataset: &Dataset, lookup: &Lookup) -> Result<Self, Error> {
        let source: Source = dataset.name.parse()?;
        if let Some(folder) = datasets::path(&source, lookup)?.folder {
            return Ok(Self::Stored(folder));
        }
        let unwritable = |path: PathBuf| move |source| Error::Write { path, source };
        let folder = tempfile::tempdir().map_err(unwritable(std::env::temp_dir()))?;
        let path = folder.path().join(datasets::FILE_NAMES[0]);
        let train = &dataset.train;
        let (Some(pixels), Some((height, width))) = (train.bytes(), train.shape().size()) else {
            return Err(Error::Benchmark(format!(
                "the peers train on grey byte images, but {} holds {} of {}",
                dataset.name,
                train.kind().noun(),
                train.shape()
            )));
        };
        let file = File::create(&path).map_err(unwritable(path.clone()))?;
        idx::write(
            BufWriter::new(file),
            &[train.len(), height, width],
            pixels.as_slice().unwrap_or_default(),
        )
        .map_err(unwritable(path))?;
        Ok(Self::Written(folder))
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Stored(folder) => folder,
            Self::Written(folder) => folder.path(),
        }
    }
}

/// This program and its peers, taking turns.
pub(super) struct Alternation<'a> {
    pub(super) peers: &'a Peers,
    pub(super) dataset: &'a Dataset,
    /// The folder the scripts read.
    pub(super) images: &'a Path,
    pub(super) threads: usize,
    /// Epochs measured of each.
    pub(super) epochs: usize,
}

/// A peer at work.
struct Running {
    script: Script,
    process: Process,
    version: String,
    times: Times,
}

impl Alternation<'_> {
    /// Measures every recipe with every script. A peer that fails is not tried
    /// again.
    pub(super) fn measure(
        &self,
        recipes: &[Recipe],
        observer: &mut dyn Observer,
    ) -> Result<(Vec<PeerRow>, Vec<Unavailable>), Error> {
        let mut unavailable = Vec::new();
        if let Some(reason) = self.missing_scripts() {
            note(&mut unavailable, observer, "python", reason);
            return Ok((Vec::new(), unavailable));
        }
        let mut scripts = SCRIPTS.to_vec();
        let mut rows = Vec::new();
        for recipe in recipes {
            let mut running = Vec::new();
            for script in scripts.clone() {
                observer.measuring(&format!("starting {} for {recipe}", script.name));
                match self.start(script, recipe) {
                    Ok(peer) => running.push(peer),
                    Err(StartError::Python(reason)) => {
                        note(&mut unavailable, observer, "python", reason);
                        return Ok((rows, unavailable));
                    }
                    Err(StartError::Peer(reason)) => {
                        scripts.retain(|other| *other != script);
                        note(&mut unavailable, observer, script.name, reason);
                    }
                }
            }
            if running.is_empty() {
                break;
            }
            observer.measuring(&format!("{recipe} in turn with {} peers", running.len()));
            for (script, reason) in self.take_turns(recipe, &mut running)? {
                scripts.retain(|other| *other != script);
                note(&mut unavailable, observer, script.name, reason);
            }
            rows.extend(running.into_iter().map(|peer| {
                PeerRow::new(recipe, self.threads, peer.version, peer.script, &peer.times)
            }));
        }
        Ok((rows, unavailable))
    }

    fn missing_scripts(&self) -> Option<String> {
        let folder = &self.peers.scripts;
        let missing = SCRIPTS
            .iter()
            .find(|script| !folder.join(script.file).is_file())?;
        Some(format!("{} is not in {}", missing.file, folder.display()))
    }

    /// Starts a script and lets it train its first epoch, which compiles.
    fn start(&self, script: Script, recipe: &Recipe) -> Result<Running, StartError> {
        let threads = self.threads.to_string();
        let batch = recipe.batch.to_string();
        let epochs = (self.epochs + 1).to_string();
        let images = self.images.display().to_string();
        let mut process = Process::start(
            &self.peers.python,
            &self.peers.scripts.join(script.file),
            &[
                ("--data", &images),
                ("--architecture", recipe.architecture),
                ("--activation", recipe.activation.name()),
                ("--batch", &batch),
                ("--threads", &threads),
                ("--epochs", &epochs),
                ("--precision", script.products.precision()),
            ],
        )?;
        let first = process.epoch().map_err(StartError::Peer)?;
        self.check(&first, recipe, script)
            .map_err(StartError::Peer)?;
        Ok(Running {
            script,
            process,
            version: first.version,
            times: Times {
                ours: Vec::new(),
                theirs: Vec::new(),
            },
        })
    }

    /// Trains round after round; peers that fail are taken out and returned.
    fn take_turns(
        &self,
        recipe: &Recipe,
        running: &mut Vec<Running>,
    ) -> Result<Vec<(Script, String)>, Error> {
        let mut failed = Vec::new();
        let mut trainer = recipe.trainer(&self.dataset.train, self.threads, Gradients::Hand)?;
        // The peers' first epochs do not count, and neither does ours.
        epoch_seconds(&mut trainer)?;
        for _ in 0..self.epochs {
            std::thread::sleep(PAUSE);
            let ours = epoch_seconds(&mut trainer)?;
            running.retain_mut(|peer| {
                std::thread::sleep(PAUSE);
                let epoch = peer.process.epoch();
                match epoch
                    .and_then(|epoch| self.check(&epoch, recipe, peer.script).map(|()| epoch))
                {
                    Ok(epoch) => {
                        peer.times.ours.push(ours);
                        peer.times.theirs.push(epoch.seconds);
                        true
                    }
                    Err(reason) => {
                        failed.push((peer.script, reason));
                        false
                    }
                }
            });
        }
        Ok(failed)
    }

    /// A peer must have trained what it was asked to.
    fn check(&self, epoch: &PeerEpoch, recipe: &Recipe, script: Script) -> Result<(), String> {
        if epoch.name != script.name {
            return Err(format!(
                "it calls itself {} where {} was asked for",
                epoch.name, script.name
            ));
        }
        let found = (epoch.architecture.as_str(), epoch.batch, epoch.threads);
        let asked = (recipe.architecture, recipe.batch, self.threads);
        if found == asked && epoch.activation == recipe.activation.name() {
            Ok(())
        } else {
            Err(format!(
                "it trained {}, {}, batch {} on {} threads where {recipe} on {} was asked for",
                epoch.architecture, epoch.activation, epoch.batch, epoch.threads, self.threads
            ))
        }
    }
}

fn note(
    unavailable: &mut Vec<Unavailable>,
    observer: &mut dyn Observer,
    name: &str,
    reason: String,
) {
    let name = name.into();
    let entry = Unavailable { name, reason };
    observer.unavailable(&entry);
    unavailable.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RECIPES;

    #[test]
    fn a_ratio_says_how_many_times_faster_we_are() {
        let times = Times {
            ours: vec![1.0, 2.0, 1.5],
            theirs: vec![4.5, 3.0, 6.0],
        };
        let row = PeerRow::new(&RECIPES[0], 2, "1.2".into(), SCRIPTS[2], &times);
        assert_eq!((row.ratio, row.ratio_of_medians), (3.0, 3.0));
        assert_eq!(
            (row.seconds_per_epoch, row.our_seconds_per_epoch),
            (3.0, 1.0)
        );
        assert_eq!(row.epochs, 3);
    }

    #[test]
    fn the_scripts_of_this_repository_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for script in SCRIPTS {
            let path = crate::scripts_in(root.clone()).join(script.file);
            let text = std::fs::read_to_string(path).unwrap();
            // The fast mode adds its suffix.
            let name = script.name.trim_end_matches("-bf16");
            assert!(text.contains(&format!("\"{name}\"")), "{script:?}");
            assert_eq!(script.products == Products::Bf16, name != script.name);
        }
    }
}
