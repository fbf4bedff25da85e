//! What a study draws with: the data, the runs, the classifier, cached
//! measurements, and where figures go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datasets::{Dataset, Shape};
use evaluation::Classifier;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use viz::page::{Block, FigureLink, Text};
use viz::{Animation, Figure, FigureOutput, FigureScale, ImageRef, RgbImage, Sidecar};

use crate::Measured;
use crate::absence::{reason, unlabelled};
use crate::classifier::SharedClassifier;
use crate::shown::{collapsed, collapses, typical};
use crate::wording::{listed, name_of, test_origin, unbroken};
use crate::{DivergedRun, TrainedRun};
use runs::Error;
use runs::atomic_file::create_folder;
use runs::sealed_json;

/// The data and runs of one study, and the folder of its figures.
#[derive(Debug)]
pub struct Drawing<'a> {
    /// The data set.
    pub dataset: &'a Dataset,
    /// The finished runs, in the order they were planned.
    pub runs: &'a [TrainedRun],
    /// The runs that diverged: reported, never averaged in.
    pub diverged: &'a [DivergedRun],
    /// How much work was allowed.
    pub scale: Scale,
    runs_folder: &'a Path,
    folder: &'a Path,
    output: FigureOutput,
    classifier: Arc<SharedClassifier>,
    is_of_one_run: bool,
    /// Runs that no number over seeds counts, and why.
    apart: BTreeMap<RunOfModel, &'static str>,
    /// Keys of the models of which numbers over seeds were asked for.
    asked: Mutex<BTreeSet<String>>,
    written: Vec<PathBuf>,
}

/// The key of a model and the seed of one of its runs.
pub type RunOfModel = (String, u64);

/// Which run of which model `run` is.
#[must_use]
pub fn run_of_model(run: &TrainedRun) -> RunOfModel {
    (run.key.clone(), run.configuration.training.seed)
}

/// How much work a study may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Fewer epochs, for a first look.
    pub quick: bool,
    /// The first seed of each model.
    pub first_seed: u64,
    /// Seeds per model.
    pub seeds: usize,
    /// Whether models whose statements were decided before have fewer.
    pub until_decided: bool,
}

impl Scale {
    /// The seeds of each model.
    #[must_use]
    pub fn seeds_of_a_model(&self) -> std::ops::Range<u64> {
        self.first_seed..self.first_seed + self.seeds as u64
    }
}

/// What goes with a figure.
#[derive(Debug)]
pub struct Described<'a> {
    /// The caption on the page.
    pub caption: &'a str,
    /// The runs it shows.
    pub runs: &'a [&'a TrainedRun],
    /// The numbers it draws.
    pub data: Value,
    /// Whether it is a picture without axes, shown at its own size.
    pub bare: bool,
}

impl<'a> Drawing<'a> {
    /// Draws `runs` and `diverged` of `dataset` into `folder`; the classifier is
    /// kept in `runs_folder`.
    #[must_use]
    pub fn new(
        dataset: &'a Dataset,
        runs: &'a [TrainedRun],
        diverged: &'a [DivergedRun],
        scale: Scale,
        runs_folder: &'a Path,
        folder: &'a Path,
    ) -> Self {
        Self {
            dataset,
            runs,
            diverged,
            scale,
            runs_folder,
            folder,
            output: FigureOutput::default(),
            classifier: Arc::default(),
            is_of_one_run: false,
            apart: BTreeMap::new(),
            asked: Mutex::default(),
            written: Vec::new(),
        }
    }

    /// The same drawing, whose numbers over seeds leave out these runs too: they are a
    /// category of their own, and `reason` says which where nothing else is left. What
    /// is compared seed by seed leaves out their seeds.
    #[must_use]
    pub fn apart_from(&self, runs: &BTreeSet<RunOfModel>, reason: &'static str) -> Self {
        let mut apart = self.apart.clone();
        apart.extend(runs.iter().map(|run| (run.clone(), reason)));
        Self {
            output: self.output.clone(),
            classifier: Arc::clone(&self.classifier),
            is_of_one_run: self.is_of_one_run,
            apart,
            ..Self::new(
                self.dataset,
                self.runs,
                self.diverged,
                self.scale,
                self.runs_folder,
                self.folder,
            )
        }
    }

    /// Writes figures also in these formats, sizes or without words.
    #[must_use]
    pub fn with_output(self, output: FigureOutput) -> Self {
        Self { output, ..self }
    }

    /// Shares the classifier with other drawings of the data set.
    #[must_use]
    pub fn with_classifier(self, classifier: Arc<SharedClassifier>) -> Self {
        Self { classifier, ..self }
    }

    /// Of one run among several, whose numbers alone are asked for: what no run
    /// changes is not measured.
    #[must_use]
    pub fn of_one_run(self) -> Self {
        Self {
            is_of_one_run: true,
            ..self
        }
    }

    /// Whether it is that.
    #[must_use]
    pub fn is_of_one_run(&self) -> bool {
        self.is_of_one_run
    }

    /// The run of the model called `key` that figures show, the [`typical`] one
    /// of those that did not diverge; none when all diverged.
    #[must_use]
    pub fn run(&self, key: &str) -> Option<&'a TrainedRun> {
        typical(self.runs.iter().filter(|run| run.key == key))
    }

    /// The run to show of each of some models, those left out of which every
    /// run diverged.
    #[must_use]
    pub fn shown(&self, keys: &[&str]) -> Vec<&'a TrainedRun> {
        keys.iter().filter_map(|key| self.run(key)).collect()
    }

    /// `VAE 784-512-2`: the model called `key`, whether its runs finished or
    /// diverged.
    #[must_use]
    pub fn title(&self, key: &str) -> String {
        let diverged = self.diverged.iter().find(|run| run.key == key);
        self.run(key).map_or_else(
            || diverged.map_or_else(|| key.to_string(), |run| run.title.clone()),
            TrainedRun::title,
        )
    }

    /// `784-512-2`: the layers of the model called `key`.
    #[must_use]
    pub fn architecture(&self, key: &str) -> String {
        match self.run(key) {
            Some(run) => run.model.spec().architecture.to_string(),
            // Of a model without a finished run, what its title ends with.
            None => self
                .title(key)
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .into(),
        }
    }

    /// What stands in the place of something that cannot be drawn because all
    /// runs of a model diverged: what it is, and which of the models it needs
    /// are missing.
    #[must_use]
    pub fn left_out(&self, what: &str, needed: &[&str]) -> Block {
        let missing: Vec<String> = needed
            .iter()
            .filter(|key| self.run(key).is_none())
            .map(|key| self.title(key))
            .collect();
        Block::paragraph(format!(
            "Left out: {what}, because every run of {} diverged.",
            listed(&missing)
        ))
    }

    /// A number for every finished seed of the model called `key`, or why a seed
    /// does not have it; none of runs that this drawing sets apart.
    ///
    /// # Errors
    /// Those of `measure` that are about anything else than this number.
    pub fn over_seeds(
        &self,
        key: &str,
        name: &str,
        mut measure: impl FnMut(&TrainedRun) -> Result<f64, Error>,
    ) -> Result<Measured, Error> {
        self.models_asked(|keys| keys.insert(key.to_owned()));
        let mut by_seed = BTreeMap::new();
        let mut missing = BTreeMap::new();
        let runs = || self.runs.iter().filter(|run| run.key == key);
        let apart = |run: &TrainedRun| self.apart.get(&run_of_model(run));
        if runs().all(|run| apart(run).is_some()) {
            // Nothing is left to count, and a dash needs its reason.
            let reasons = runs().filter_map(|run| {
                Some((run.configuration.training.seed, (*apart(run)?).to_owned()))
            });
            missing.extend(reasons);
        }
        for run in runs().filter(|run| apart(run).is_none()) {
            let seed = run.configuration.training.seed;
            match measure(run) {
                Ok(value) => {
                    by_seed.insert(seed, value);
                }
                Err(error) => {
                    missing.insert(seed, reason(error)?);
                }
            }
        }
        let diverged = self.diverged.iter().filter(|run| run.key == key);
        let measured = Measured::new(name, by_seed, diverged.map(|run| run.seed).collect());
        Ok(measured.without(missing))
    }

    /// The keys of the models of which [`Drawing::over_seeds`] was asked: those that a
    /// statement is about, if nothing else was asked of this drawing.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.models_asked(|keys| keys.clone())
    }

    fn models_asked<T>(&self, of: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        of(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The result of `compute` for a run, kept in the run's folder as
    /// `measures/<name>.json`, so that drawing again does not measure again.
    ///
    /// `version` names how it is computed and with which settings: a kept
    /// result of another version, or of another epoch, is computed anew.
    ///
    /// # Errors
    /// Those of `compute`, or when the file cannot be written.
    pub fn measure<T: Serialize + DeserializeOwned>(
        &self,
        run: &TrainedRun,
        name: &str,
        version: &str,
        compute: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let folder = run.folder.path().join("measures");
        let path = folder.join(format!("{name}.json"));
        let version = format!("{version}, after {} epochs", run.metrics.len());
        // What is damaged is measured again.
        let kept = sealed_json::read::<Value>(&path, "")
            .unwrap_or_default()
            .filter(|kept| kept["version"] == version.as_str())
            .and_then(|mut kept| serde_json::from_value(kept["value"].take()).ok());
        if let Some(value) = kept {
            return Ok(value);
        }
        let value = compute()?;
        create_folder(&folder)?;
        sealed_json::write(&path, &json!({"version": version, "value": value}))?;
        Ok(value)
    }

    /// What a row of the data is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.dataset.shape()
    }

    /// The labels of the test images.
    ///
    /// # Errors
    /// [`Error::Undefined`] when the data set has none.
    pub fn test_labels(&self) -> Result<&'a [u32], Error> {
        self.dataset.test.labels().ok_or_else(unlabelled)
    }

    /// The classifier of this data set, trained once and kept beside the runs.
    ///
    /// # Errors
    /// [`Error::Undefined`] when the data set has no labels; when its file
    /// cannot be read or written.
    pub fn classifier(&self) -> Result<&Classifier, Error> {
        self.classifier.get(self.dataset, self.runs_folder)
    }

    /// That classifier and those of other seeds,
    /// [`CLASSIFIER_SEEDS`](crate::classifier::CLASSIFIER_SEEDS) in all.
    ///
    /// # Errors
    /// As [`Drawing::classifier`].
    pub fn classifiers(&self) -> Result<Vec<&Classifier>, Error> {
        self.classifier.of_all_seeds(self.dataset, self.runs_folder)
    }

    /// Writes a chart with its data beside it, a block of the page. Its title
    /// gets the name of the data set, and its caption is that of the page too.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn chart(
        &mut self,
        name: &str,
        figure: Figure,
        runs: &[&TrainedRun],
        data: Value,
    ) -> Result<Vec<Block>, Error> {
        let link = self.chart_link(name, figure, runs, data)?;
        Ok(vec![Block::figure(link)])
    }

    /// As [`Drawing::chart`], for a block of several figures.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn chart_link(
        &mut self,
        name: &str,
        figure: Figure,
        runs: &[&TrainedRun],
        data: Value,
    ) -> Result<FigureLink, Error> {
        let caption = format!(
            "{}{}{}",
            figure.caption,
            collapses(self.dataset, runs, |run| {
                self.measure(run, "collapsed", "1", || collapsed(self.dataset, run))
            })?,
            test_origin(self.dataset)
        );
        let figure = Figure {
            title: format!("{}, {}", figure.title, name_of(self.dataset)),
            caption: unbroken(&caption),
            ..figure
        };
        let described = Described {
            caption: &caption,
            runs,
            data,
            bare: false,
        };
        self.write_figure(name, &figure, described)
    }

    /// Writes a figure as the page shows it, and in the formats and the variant
    /// that were asked for; a variant has a folder of its own.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn write_figure(
        &mut self,
        name: &str,
        figure: &Figure,
        described: Described<'_>,
    ) -> Result<FigureLink, Error> {
        let path = self.folder.join(format!("{name}.png"));
        let sidecar = self.sidecar(&described, None);
        let variant = variant(&self.output);
        let beside = FigureOutput {
            formats: if variant.is_none() {
                self.output.formats.clone()
            } else {
                Vec::new()
            },
            ..FigureOutput::default()
        };
        let mut files = viz::write_figure_as(&path, figure, &sidecar, &beside)?;
        if let Some(variant) = variant {
            let folder = self.folder.join(variant);
            create_folder(&folder)?;
            let path = folder.join(format!("{name}.png"));
            files.extend(viz::write_figure_as(&path, figure, &sidecar, &self.output)?);
        }
        // The first one is the page's, and is counted with its link.
        self.written.extend(files.into_iter().skip(1));
        Ok(self.link(path, figure.size_above_caption(), &described))
    }

    /// Writes one figure with its data beside it, and returns the link for the
    /// page. Bare pictures are shown at their size, charts at half of it.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn write<'i>(
        &mut self,
        name: &str,
        image: impl Into<ImageRef<'i>>,
        figure: Described<'_>,
    ) -> Result<FigureLink, Error> {
        let image = image.into();
        let size = (image.width(), image.height());
        let path = self.folder.join(format!("{name}.png"));
        let output = FigureOutput {
            formats: self.output.formats.clone(),
            ..FigureOutput::default()
        };
        let files = viz::write_figure_as(&path, image, &self.sidecar(&figure, None), &output)?;
        self.written.extend(files.into_iter().skip(1));
        Ok(self.link(path, size, &figure))
    }

    /// Writes an animation with its data beside it, unless the one that is
    /// there was made from the same data by the same `version` of its drawing.
    /// `frames` are only drawn when they are needed.
    ///
    /// # Errors
    /// Those of `frames`, or when the files cannot be written.
    pub fn animate(
        &mut self,
        name: &str,
        version: &str,
        figure: Described<'_>,
        frames: impl FnOnce() -> Result<Animated, Error>,
    ) -> Result<FigureLink, Error> {
        let path = self.folder.join(format!("{name}.png"));
        let mut hasher = Sha256::new();
        let configuration = configuration_of(self.dataset, figure.runs);
        for part in [&json!(version), &figure.data, &configuration] {
            hasher.update(part.to_string());
        }
        let key: String = hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // What is damaged is drawn again.
        let kept = sealed_json::read::<Value>(&path.with_extension("json"), "")
            .unwrap_or_default()
            .filter(|_| path.exists())
            .filter(|sidecar| sidecar["configuration"]["key"] == key.as_str())
            .and_then(|sidecar| {
                let side = |name: &str| sidecar[name].as_u64().map(|side| side as usize);
                Some((side("width")?, side("height")?))
            });
        let size = match kept {
            Some(size) => size,
            None => {
                let animated = frames()?;
                let first = animated.frames.first();
                let size = first.map_or((0, 0), |frame| (frame.width(), frame.height()));
                let animation = Animation {
                    hold: animated.hold,
                    ..Animation::new(&animated.frames, animated.milliseconds)
                };
                animation.write(&path, &self.sidecar(&figure, Some(&key)))?;
                size
            }
        };
        Ok(self.link(path, size, &figure))
    }

    /// The pictures written so far.
    #[must_use]
    pub fn written(self) -> Vec<PathBuf> {
        self.written
    }

    fn sidecar(&self, figure: &Described<'_>, key: Option<&str>) -> Sidecar {
        let mut configuration = configuration_of(self.dataset, figure.runs);
        if let Some(key) = key {
            configuration["key"] = key.into();
        }
        Sidecar {
            description: figure.caption.into(),
            configuration,
            data: figure.data.clone(),
        }
    }

    fn link(&mut self, path: PathBuf, size: (usize, usize), figure: &Described<'_>) -> FigureLink {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let source = name.into_owned();
        self.written.push(path);
        let shrink = if figure.bare { 1 } else { 2 };
        FigureLink {
            source,
            size: (size.0 / shrink, size.1 / shrink),
            alternative: figure.caption.into(),
            caption: Text::from(unbroken(figure.caption)),
            bare: figure.bare,
            with_axes: None,
        }
    }
}

/// The frames of an animation.
#[derive(Debug)]
pub struct Animated {
    /// Frames of one size.
    pub frames: Vec<RgbImage>,
    /// How long each is shown.
    pub milliseconds: u16,
    /// How long the last one is shown.
    pub hold: u16,
}

/// The folder of figures that are sized or worded otherwise than the page's:
/// `slide`, `paper`, `bare`, `slide-bare`; none of the page's own.
fn variant(output: &FigureOutput) -> Option<String> {
    match (output.scale, output.bare) {
        (FigureScale::Screen, false) => None,
        (FigureScale::Screen, true) => Some("bare".into()),
        (scale, false) => Some(scale.to_string()),
        (scale, true) => Some(format!("{scale}-bare")),
    }
}

fn configuration_of(dataset: &Dataset, runs: &[&TrainedRun]) -> Value {
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "model": run.key,
                "configuration": run.configuration,
                "epochs": run.metrics.len(),
            })
        })
        .collect();
    json!({
        "dataset": dataset.name,
        "dataset_sha256": dataset.fingerprint,
        "runs": runs,
    })
}
