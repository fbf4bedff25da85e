//! The manifest of a payload: what the page's script reads by these names.

use serde::{Serialize, Serializer};

use crate::contents::Losses;
use crate::sections::Section;

/// The version of the payload; raised when the script cannot read former ones.
pub const FORMAT: u32 = 1;

#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) program: String,
    pub(crate) title: String,
    pub(crate) data: StoredData,
    pub(crate) models: Vec<StoredModel>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredData {
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) attribution: String,
    pub(crate) split: String,
    pub(crate) rows: usize,
    pub(crate) noun: &'static str,
    pub(crate) shape: StoredShape,
    pub(crate) range: [f32; 2],
    pub(crate) classes: Vec<String>,
    pub(crate) colours: Vec<String>,
    pub(crate) images: usize,
    pub(crate) index: Section,
    pub(crate) labels: Option<Section>,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) thumbnails: StoredThumbnails,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum StoredShape {
    Image {
        height: usize,
        width: usize,
        channels: usize,
    },
    Vector {
        length: usize,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredThumbnails {
    pub(crate) which: Section,
    pub(crate) shape: StoredShape,
    pub(crate) pixels: Section,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredModel {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) kind: &'static str,
    pub(crate) latent: usize,
    pub(crate) architecture: String,
    pub(crate) likelihood: StoredLikelihood,
    pub(crate) posterior_scale: &'static str,
    pub(crate) treatment: &'static str,
    pub(crate) standardisation: Option<StoredStandardisation>,
    pub(crate) encoder: Option<Vec<StoredLayer>>,
    pub(crate) head: Option<StoredLayer>,
    pub(crate) decoder: Vec<StoredLayer>,
    pub(crate) precision: StoredPrecision,
    pub(crate) codes: StoredPosterior,
    pub(crate) reconstruction: Section,
    pub(crate) kl: Option<Vec<f64>>,
    pub(crate) variance: Vec<f64>,
    pub(crate) active: Vec<bool>,
    pub(crate) distances: Vec<f64>,
    pub(crate) principal: Option<StoredPrincipal>,
    pub(crate) plane: &'static str,
    pub(crate) variables: [usize; 2],
    #[serde(rename = "box")]
    pub(crate) ranges: Vec<[f64; 2]>,
    pub(crate) trajectories: Option<StoredMoments>,
    pub(crate) metrics: Vec<StoredEpoch>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredLikelihood {
    pub(crate) name: &'static str,
    pub(crate) sigma: Option<&'static str>,
    pub(crate) log_sigma: Option<Section>,
    /// Of a likelihood with a σ.
    pub(crate) density: Option<StoredDensity>,
}

/// −ln p = factor·(|m − x|/σ)^degree + ln σ + constant.
#[derive(Debug, Serialize)]
pub(crate) struct StoredDensity {
    pub(crate) degree: f64,
    pub(crate) factor: f64,
    pub(crate) constant: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredStandardisation {
    pub(crate) mean: Section,
    pub(crate) deviation: Section,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredLayer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) activation: &'static str,
    pub(crate) weight: StoredWeight,
    pub(crate) bias: Section,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredWeight {
    pub(crate) bits: u32,
    pub(crate) step: Section,
    pub(crate) low: Section,
    /// Apart from the lower bytes, which are noise, so that deflate finds what
    /// these have in common.
    pub(crate) high: Option<Section>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredPrecision {
    pub(crate) decoder_bits: u32,
    pub(crate) encoder_bits: Option<u32>,
    pub(crate) decoded_error: f64,
    pub(crate) encoded_error: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredCodes {
    pub(crate) values: Section,
    pub(crate) low: Vec<f64>,
    pub(crate) high: Vec<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredPosterior {
    pub(crate) mean: Section,
    pub(crate) low: Vec<f64>,
    pub(crate) high: Vec<f64>,
    pub(crate) log_variance: Option<StoredCodes>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredPrincipal {
    pub(crate) mean: Vec<f64>,
    pub(crate) axes: [Vec<f64>; 2],
    pub(crate) share: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredMoments {
    pub(crate) epochs: Vec<f64>,
    pub(crate) steps: Vec<u64>,
    pub(crate) index: Section,
    pub(crate) labels: Option<Section>,
    #[serde(flatten)]
    pub(crate) codes: StoredPosterior,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredEpoch {
    pub(crate) epoch: usize,
    pub(crate) train: StoredLosses,
    pub(crate) test: StoredLosses,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoredLosses {
    #[serde(serialize_with = "four_digits")]
    pub(crate) loss: f64,
    #[serde(serialize_with = "four_digits")]
    pub(crate) reconstruction: f64,
    #[serde(serialize_with = "four_digits")]
    pub(crate) kl: f64,
}

impl From<Losses> for StoredLosses {
    fn from(losses: Losses) -> Self {
        Self {
            loss: losses.loss,
            reconstruction: losses.reconstruction,
            kl: losses.kl,
        }
    }
}

/// A loss to a ten thousandth; null where there is none.
fn four_digits<S: Serializer>(loss: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let rounded = (loss * 1e4).round() / 1e4;
    serializer.serialize_f64(rounded)
}
