//! What a page is to hold, as it is handed over: nothing of files and folders.

use models::{Codes, Images, Model};
use ndarray::{Array2, Array3};
use viz::TileShape;

use crate::thumbnails::Thumbnails;

/// Everything on one page.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// Program and version.
    pub program: String,
    /// Heading of the page.
    pub title: String,
    /// What the models have seen.
    pub data: DataSet,
    /// The models, at least one.
    pub runs: Vec<Run<'a>>,
    /// The picture that is seen without scripts.
    pub still: Still,
    /// How weights are kept.
    pub weights: Weights,
}

/// How weights are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// 8 bits each, whatever error that makes.
    pub compact: bool,
    /// Nothing of the encoder: no images of one's own can be encoded then.
    pub without_encoder: bool,
}

/// The images (or vectors) whose codes are shown.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// Its name in prose.
    pub name: String,
    /// Identifies its content.
    pub fingerprint: String,
    /// Who made it, under which licence.
    pub attribution: String,
    /// Which rows of it: `test images`.
    pub split: String,
    /// How many there are of them, shown or not.
    pub rows: usize,
    /// What a row is.
    pub shape: TileShape,
    /// The values that are shown from black to white, or from the lower edge
    /// of a line to the upper one.
    pub range: [f32; 2],
    /// Names of the classes; none without labels.
    pub classes: Vec<String>,
    /// Which rows are shown, ascending.
    pub index: Vec<u32>,
    /// Their classes, where there are labels.
    pub labels: Option<Vec<u32>>,
    /// Their names, where rows were files.
    pub names: Option<Vec<String>>,
    /// Small pictures of some of them.
    pub thumbnails: Thumbnails,
}

/// A model with the codes of the images.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// A short name, unlike those of the others.
    pub key: String,
    /// What the page calls it.
    pub title: String,
    /// How it was trained, in a line.
    pub about: String,
    /// Its weights.
    pub model: &'a Model,
    /// What is done to a row before it is encoded.
    pub treatment: Treatment,
    /// The images as its network sees them.
    pub images: Images<'a>,
    /// Their codes.
    pub codes: Codes,
    /// The principal plane of the codes; none of a single latent variable.
    pub principal: Option<Principal>,
    /// The plane that is shown first.
    pub plane: Plane,
    /// Codes while training went on, where they were kept.
    pub moments: Option<Moments>,
    /// Losses of its epochs.
    pub epochs: Vec<EpochLosses>,
}

/// What is done to the values of a row before they are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing.
    Grey,
    /// 1 from one half on, else 0.
    Threshold,
    /// A Bernoulli draw of each.
    Binarised,
}

/// Two principal directions.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Mean of the codes.
    pub mean: Vec<f64>,
    /// The directions, orthonormal.
    pub axes: [Vec<f64>; 2],
    /// Share of the variance of the codes that lies along them.
    pub share: f64,
}

/// A plane of latent space.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Which one.
    pub kind: PlaneKind,
    /// The box that holds 99 % of the codes on each of its axes.
    pub ranges: Vec<[f64; 2]>,
}

/// Which plane of latent space is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaneKind {
    /// The one latent variable there is.
    Line,
    /// Both latent variables.
    Whole,
    /// Two of more, counted from 0.
    Variables([usize; 2]),
    /// The principal directions of the codes.
    Principal,
}

/// Codes of some images at many moments of training.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Epochs done at each moment.
    pub epochs: Vec<f64>,
    /// Optimiser steps done.
    pub steps: Vec<u64>,
    /// Which rows of the split.
    pub index: Vec<u32>,
    /// Their classes.
    pub labels: Option<Vec<u32>>,
    /// μ or the codes `[moments, n, L]`.
    pub mean: Array3<f32>,
    /// log σ² of a VAE.
    pub log_variance: Option<Array3<f32>>,
}

/// Losses of one epoch in nats per image.
#[derive(Clone, Copy, Debug)]
pub struct EpochLosses {
    /// Epochs done.
    pub epoch: usize,
    /// Over the training images while it went on.
    pub train: Losses,
    /// Over the test images after it.
    pub test: Losses,
}

/// Mean losses in nats per image.
#[derive(Clone, Copy, Debug)]
pub struct Losses {
    /// What is minimised.
    pub loss: f64,
    /// −log p(x|z).
    pub reconstruction: f64,
    /// KL or the penalty.
    pub kl: f64,
}

/// A picture of a page whose scripts do not run.
#[derive(Clone, Debug)]
pub struct Still {
    /// A PNG file.
    pub png: Vec<u8>,
    /// Width and height in pixels.
    pub size: (usize, usize),
    /// What it shows, in words.
    pub alternative: String,
}

impl Moments {
    /// Values `[moments, n, L]` one moment below the other.
    pub(crate) fn rows(values: &Array3<f32>) -> Array2<f32> {
        let (moments, n, latent) = values.dim();
        let values = values.iter().copied().collect();
        Array2::from_shape_vec((moments * n, latent), values).unwrap_or_default()
    }
}
