//! Table 1 of Burda, Grosse & Salakhutdinov, *Importance Weighted
//! Autoencoders* (ICLR 2016), one stochastic layer or two.
//!
//! Recipe of the paper's text: 784-200-200-50, or 784-200-200-100 below 100-100-100-50,
//! tanh, Glorot weights, MNIST shuffled and binarised anew in every minibatch of 20, Adam
//! (0.9, 0.999, ε 1e-4) along the mean gradient, 3ⁱ epochs at 1e-3·10^(−i/7) for
//! i = 0 … 7; the output bias at the logit of the mean image is the published code's.
//! That code trains otherwise in eleven settings: the recipe as published. Their reasons
//! are in `document.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use models::{DataTreatment, Model, iwae_epochs};
use serde::{Deserialize, Serialize};

use super::measured::{self, ActiveUnits};
use super::{IWAE_TABLE_1, Planned, Request, Row, SEED, Workshop, read_row, write_row};
use crate::configuration::{Configuration, RESULT_FORMAT};
use crate::error::Error;
use crate::jobs::Share;
use crate::report::{self, SplitName};
use crate::run_folder::RunFolder;

/// Seed of the codes that runs are measured with.
pub(super) const EVALUATION_SEED: u64 = 0;

/// Stages of the whole schedule.
const STAGES: u32 = 8;

/// Test images of the published rows: all of MNIST.
const PUBLISHED_IMAGES: usize = 10_000;

/// The published row of a number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishedLikelihood {
    /// −log p(x) of the importance-weighted autoencoder, K = 5000.
    pub nll: f64,
    /// Its active units, all layers together.
    pub active_units: usize,
    /// −log p(x) of the autoencoder with as many samples of the plain bound.
    pub vae_nll: f64,
    /// Its active units.
    pub vae_active_units: usize,
    /// Both by layer, of two layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_units_by_layer: Option<[usize; 2]>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae_active_units_by_layer: Option<[usize; 2]>,
    /// Epochs both were trained for.
    pub epochs: usize,
}

/// One measured row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodRow {
    /// The recipe, a reproduction by its name.
    #[serde(default = "recipe_of_the_text")]
    pub recipe: String,
    /// Stochastic layers.
    #[serde(default = "one_layer")]
    pub layers: usize,
    /// Samples of the bound in training; 1 is the plain ELBO.
    pub k: usize,
    /// Epochs completed.
    pub epochs: usize,
    /// Optimiser steps made.
    pub steps: u64,
    /// K → −L_K, nats per image.
    pub nll: BTreeMap<usize, f64>,
    /// Standard error over images of the value with the most samples; `None`
    /// of a single image.
    pub standard_error: Option<f64>,
    /// Deviation of that value between draws of the same images' pixels; absent from rows
    /// measured before there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw_deviation: Option<f64>,
    /// Units whose posterior mean varies between images by more than 0.01, all
    /// layers together.
    pub active_units: usize,
    /// The same by layer, of two layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_units_by_layer: Option<[usize; 2]>,
    /// The same by the first training images, as the published code counts them; absent of
    /// two layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_training_images: Option<ActiveUnits>,
    /// −ELBO with one sample, nats per image.
    pub negative_elbo: f64,
    /// The published row; absent for other data or numbers of samples.
    pub published: Option<PublishedLikelihood>,
    /// The images: name of the set, and how many of its test images.
    pub dataset: String,
    /// How many of its test images: the first ones, where that is not all.
    pub images: usize,
    /// How many test images it has; absent in rows that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<usize>,
    /// What was done to them.
    pub data_treatment: DataTreatment,
    /// Seed of the draw that made them binary.
    pub data_seed: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Seconds of training, all calls together.
    pub training_seconds: f64,
    /// The version of the results it was measured by; empty in rows that do
    /// not say.
    #[serde(default)]
    pub result_format: String,
}

/// What rows written before there was another recipe are of.
fn recipe_of_the_text() -> String {
    IWAE_TABLE_1.into()
}

/// What rows written before there were two layers are of.
fn one_layer() -> usize {
    1
}

/// Refuses numbers that no data are needed for to refuse.
pub(super) fn check(request: &Request) -> Result<(), Error> {
    let refuse = |message| Err(Error::Configuration(message));
    let stages = request.stages;
    if !(1..=STAGES).contains(&stages) {
        return refuse(format!(
            "--stages is {stages}, but must lie between 1 and {STAGES}"
        ));
    }
    if request.nll_samples == 0 {
        return refuse("--nll-samples is 0, but must be at least 1".into());
    }
    Ok(())
}

/// The run of every number of samples and every seed asked for, below the folder of the
/// reproduction, with what it is called but for its seed.
pub(super) fn planned(workshop: &Workshop<'_>) -> Result<Vec<(String, Planned)>, Error> {
    let asked = asked(workshop, |_| None);
    let planned = asked.map(|asked| {
        let planned = Planned {
            row: asked.name(workshop.request),
            configuration: configuration(workshop, &asked)?,
            folder: RunFolder::at(workshop.folder.join(&asked.run)),
        };
        Ok((called(workshop.request, asked.k), planned))
    });
    planned.collect()
}

/// One row for every number of samples and every seed asked for.
pub(super) fn rows(workshop: &Workshop<'_>) -> Result<Vec<LikelihoodRow>, Error> {
    let request = workshop.request;
    let refuse = |message| Err(Error::Configuration(message));
    let available = workshop.dataset.test.len();
    let images = request.subset.unwrap_or(available);
    if !(1..=available).contains(&images) {
        return refuse(format!(
            "--subset is {images}, but must lie between 1 and the {available} test images of {}",
            workshop.dataset.name
        ));
    }
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    let mut planned = Vec::new();
    // A mistake in any of them is found before the first is trained.
    let former = |name: &str| {
        let former = RunFolder::at(workshop.folder.join(name)).configuration();
        former.ok().map(|found| found.training.seed)
    };
    for asked in asked(workshop, former) {
        let configuration = configuration(workshop, &asked)?;
        let path = asked.row_path(workshop, configuration.training.epochs, images);
        let kept = if request.trains {
            read_row(&path)?
        } else {
            None
        };
        let kept = kept.filter(|row| is_of(row, workshop, asked.seed));
        let folder = RunFolder::at(workshop.folder.join(&asked.run));
        if kept.is_none() {
            if !request.trains && !folder.exists() {
                return Err(Error::RunFolder(format!(
                    "{} is not there to be measured; train it without --no-training",
                    folder.path().display()
                )));
            }
            planned.push(Planned {
                row: asked.name(request),
                configuration,
                folder,
            });
            missing.push((rows.len(), asked));
        }
        rows.push(kept);
    }
    // All test images are held against all training images.
    let most = available.max(workshop.dataset.train.len());
    let measured = workshop.complete(&planned, most, |place, share| {
        let (planned, (_, asked)) = (&planned[place], &missing[place]);
        let row = measure(workshop, asked, planned, share)?;
        write_row(&asked.row_path(workshop, row.epochs, images), &row)?;
        Ok(row)
    })?;
    for ((place, _), row) in missing.iter().zip(measured) {
        rows[*place] = Some(row);
    }
    Ok(rows.into_iter().flatten().collect())
}

/// One row.
struct Asked {
    /// Samples in training.
    k: usize,
    seed: u64,
    /// Names the folder and the result files of its run.
    run: String,
}

/// The rows of a request; `former` gives the seed of a run that has a name already.
fn asked<'w>(
    workshop: &'w Workshop<'_>,
    former: impl Fn(&str) -> Option<u64> + 'w,
) -> impl Iterator<Item = Asked> + 'w {
    let request = workshop.request;
    let both = request
        .samples
        .iter()
        .flat_map(|&k| request.seeds.iter().map(move |&seed| (k, seed)));
    both.map(move |(k, seed)| Asked {
        k,
        seed,
        run: run_name(request, k, seed, &former),
    })
}

/// The runs of the seed that none names have short names, and so have those of
/// any seed that stand there since there was but one.
fn run_name(
    request: &Request,
    k: usize,
    seed: u64,
    former: impl Fn(&str) -> Option<u64>,
) -> String {
    let name = match request.layers {
        1 => format!("k{k}"),
        layers => format!("layers{layers}-k{k}"),
    };
    if seed == SEED || former(&name) == Some(seed) {
        name
    } else {
        format!("{name}-seed{seed}")
    }
}

/// What runs of so many samples are called.
fn called(request: &Request, k: usize) -> String {
    match request.layers {
        1 => format!("k = {k}"),
        layers => format!("{layers} layers, k = {k}"),
    }
}

impl Asked {
    fn name(&self, request: &Request) -> String {
        let name = called(request, self.k);
        match request.seeds.len() {
            1 => name,
            _ => format!("{name}, seed {}", self.seed),
        }
    }

    fn row_path(&self, workshop: &Workshop<'_>, epochs: usize, images: usize) -> PathBuf {
        let name = format!("{}-{epochs}-epochs-{images}-images.json", self.run);
        workshop.folder.join(name)
    }
}

fn configuration(workshop: &Workshop<'_>, asked: &Asked) -> Result<Configuration, Error> {
    let epochs = iwae_epochs(workshop.request.stages).to_string();
    let mut settings = vec![("training.epochs", epochs)];
    if asked.k != 1 {
        settings.push(("training.objective", "iwae".into()));
        settings.push(("training.samples", asked.k.to_string()));
    }
    let reproduction = workshop.request.reproduction;
    let of_two = reproduction
        .two_layers
        .filter(|_| workshop.request.layers == 2);
    let preset = of_two.unwrap_or(reproduction.name);
    workshop.configuration(preset, asked.seed, &settings)
}

/// Whether a stored row answers this request; its file name has the rest.
fn is_of(row: &LikelihoodRow, workshop: &Workshop<'_>, seed: u64) -> bool {
    let request = workshop.request;
    row.result_format == RESULT_FORMAT
        && row.seed == seed
        && row.dataset == workshop.dataset.name
        && row.nll.keys().next_back() == Some(&request.nll_samples)
}

fn measure(
    workshop: &Workshop<'_>,
    &Asked { k, seed, .. }: &Asked,
    Planned { row, folder, .. }: &Planned,
    share: &Share,
) -> Result<LikelihoodRow, Error> {
    let request = workshop.request;
    let (_, metadata) = Model::load_with_metadata(&folder.model())?;
    // Optimiser steps behind the weights.
    let steps = metadata.get("step").and_then(|steps| steps.parse().ok());
    let steps = steps.ok_or_else(|| {
        Error::RunFolder(format!(
            "{} does not say how many steps its weights have had; continue the run for a step, or choose another --out",
            folder.model().display()
        ))
    })?;
    let metrics = folder.read_metrics()?;
    let done = metrics.iter().take_while(|line| line.step <= steps);
    let observer = workshop.observer.measuring(row);
    let evaluated = report::Request {
        folder: folder.clone(),
        split: SplitName::Test,
        subset: request.subset,
        seed: EVALUATION_SEED,
        treatment: None,
        nll_samples: Some(request.nll_samples),
        threads: Some(share.threads()),
        location: request.lookup.clone().into(),
    };
    let report = report::write_of(&evaluated, workshop.dataset, observer.as_ref())?.0;
    let bounds = report.likelihood.expect("a likelihood was asked for");
    let measured = measured::measure(
        folder,
        workshop.dataset,
        report.evaluation.n,
        request.nll_samples,
        share.threads(),
    )?;
    let largest = bounds.nll.values().next_back();
    let nll = bounds.nll.iter();
    let published = published(request.layers, k);
    let evaluation = report.evaluation;
    let lower = evaluation.active_units_of_lower;
    Ok(LikelihoodRow {
        recipe: request.reproduction.name.into(),
        layers: request.layers,
        k,
        epochs: done.clone().count(),
        steps,
        standard_error: largest.and_then(|estimate| estimate.standard_error),
        draw_deviation: measured.draw_deviation,
        first_training_images: measured.first_training_images,
        nll: nll
            .map(|(&samples, estimate)| (samples, estimate.value))
            .collect(),
        active_units: evaluation.active_units + lower.unwrap_or(0),
        active_units_by_layer: lower.map(|lower| [lower, evaluation.active_units]),
        negative_elbo: evaluation.loss,
        published: published.filter(|_| workshop.dataset.name == "mnist"),
        dataset: workshop.dataset.name.clone(),
        images: evaluation.n,
        test_images: Some(report.rows_of_split),
        data_treatment: evaluation.data_treatment,
        data_seed: folder.configuration()?.data.test_seed,
        seed,
        training_seconds: done.map(|line| line.seconds).sum(),
        result_format: RESULT_FORMAT.to_owned(),
    })
}

/// Table 1.
pub(super) fn published(layers: usize, k: usize) -> Option<PublishedLikelihood> {
    // Of the importance-weighted and the plain bound: −log p(x), active units
    // of the lower and the upper layer.
    let (iwae, vae) = match (layers, k) {
        (1, 1) => ((86.76, [19, 0]), (86.76, [19, 0])),
        (1, 5) => ((85.54, [22, 0]), (86.47, [20, 0])),
        (1, 50) => ((84.78, [25, 0]), (86.35, [20, 0])),
        (2, 1) => ((85.33, [16, 5]), (85.33, [16, 5])),
        (2, 5) => ((83.89, [21, 5]), (85.01, [17, 5])),
        (2, 50) => ((82.90, [26, 7]), (84.78, [17, 5])),
        _ => return None,
    };
    let by_layer = |units| Some(units).filter(|_| layers == 2);
    Some(PublishedLikelihood {
        nll: iwae.0,
        active_units: iwae.1.iter().sum(),
        vae_nll: vae.0,
        vae_active_units: vae.1.iter().sum(),
        active_units_by_layer: by_layer(iwae.1),
        vae_active_units_by_layer: by_layer(vae.1),
        epochs: iwae_epochs(STAGES) as usize,
    })
}

/// `84.78 (25)`, or `82.90 (26+7)` of two layers.
fn with_units(nll: f64, units: usize, by_layer: Option<[usize; 2]>) -> String {
    format!("{nll:.2} ({})", active(units, by_layer))
}

/// `21`, or `16+5` of two layers.
fn active(units: usize, by_layer: Option<[usize; 2]>) -> String {
    by_layer.map_or_else(
        || units.to_string(),
        |[lower, upper]| format!("{lower}+{upper}"),
    )
}

impl LikelihoodRow {
    /// What may part the value from the published one besides the training: of the same
    /// images only the draw of their pixels, of fewer the choice of images.
    fn uncertainty(&self) -> String {
        let is_of_the_same = self.published.is_some() && self.images == PUBLISHED_IMAGES;
        let (deviation, of) = match is_of_the_same {
            true => (self.draw_deviation, "draw"),
            false => (self.standard_error, "images"),
        };
        deviation.map_or_else(
            || format!("{of}: not measured"),
            |deviation| format!("{of}: {deviation:.2}"),
        )
    }
}

impl Row for LikelihoodRow {
    const COLUMNS: &'static [&'static str] = &[
        "k",
        "epochs",
        "recipe",
        "−log p(x)",
        "uncertain by",
        "active",
        "active as published",
        "−ELBO",
        "test images",
        "published IWAE (active)",
        "published VAE (active)",
    ];

    fn cells(&self) -> Vec<String> {
        let largest = self.nll.last_key_value();
        let (samples, nll) = largest.map_or((0, f64::NAN), |(&samples, &nll)| (samples, nll));
        let version = match self.result_format == RESULT_FORMAT {
            true => "",
            false => ", measured by another version",
        };
        let published = self.published.as_ref();
        let [iwae, vae] = published.map_or(["–".into(), "–".into()], |of| {
            [
                with_units(of.nll, of.active_units, of.active_units_by_layer),
                with_units(
                    of.vae_nll,
                    of.vae_active_units,
                    of.vae_active_units_by_layer,
                ),
            ]
        });
        let counted = self.first_training_images.map_or_else(
            || "–".into(),
            |ActiveUnits { units, images }| format!("{units} (of {images} training images)"),
        );
        vec![
            self.k.to_string(),
            format!("{} of {}{version}", self.epochs, iwae_epochs(STAGES)),
            self.recipe.clone(),
            format!("{nll:.2} (K = {samples})"),
            self.uncertainty(),
            active(self.active_units, self.active_units_by_layer),
            counted,
            format!("{:.2}", self.negative_elbo),
            format!(
                "{}{} of {}, seed {}",
                if self.test_images.is_some_and(|all| self.images < all) {
                    "first "
                } else {
                    ""
                },
                self.images,
                self.dataset,
                self.seed
            ),
            iwae,
            vae,
        ]
    }

    fn place(&self) -> [u64; 4] {
        let [k, epochs, images] = [self.k, self.epochs, self.images].map(|number| number as u64);
        [k, epochs, images, self.seed]
    }
}
