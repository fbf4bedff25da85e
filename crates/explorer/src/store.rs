//! Contents as a manifest and sections of numbers.

use evaluation::codes::variance_of_codes;
use evaluation::elbo::{ACTIVE_VARIANCE, kl_per_dimension};
use models::{GaussianSigma, ModelKind};
use ndarray::Array2;
use viz::{Rgb, TileShape, class_colour};

use crate::codes::Quantised;
use crate::contents::{Contents, DataSet, Moments, PlaneKind, Run, Treatment, Weights};
use crate::distances::{quantiles, to_nearest_other};
use crate::layers::Part;
use crate::manifest::{
    FORMAT, Manifest, StoredData, StoredDensity, StoredEpoch, StoredLikelihood, StoredModel,
    StoredMoments, StoredPosterior, StoredPrecision, StoredPrincipal, StoredShape,
    StoredStandardisation, StoredThumbnails,
};
use crate::precision::{Chosen, Precision, Probes};
use crate::sections::{Section, Sections};
use crate::table::tables;
use crate::{Error, Result};

/// Contents as a payload has them.
pub(crate) struct Stored {
    pub(crate) manifest: Manifest,
    pub(crate) sections: Sections,
    pub(crate) precisions: Vec<Precision>,
    /// The same in words, as HTML.
    pub(crate) table: String,
}

/// Checks contents and stores them.
pub(crate) fn stored(contents: &Contents<'_>) -> Result<Stored> {
    if contents.runs.is_empty() {
        return Err(Error::Nothing("run"));
    }
    check_data(&contents.data)?;
    let mut sections = Sections::default();
    let data = store_data(&contents.data, &mut sections);
    let mut precisions = Vec::new();
    let mut models = Vec::new();
    let mut reconstructions = Vec::new();
    for run in &contents.runs {
        check_run(run, &contents.data)?;
        let chosen = levels_of(run, &contents.data, contents.weights);
        precisions.push(chosen.precision);
        let (model, reconstruction) = store_model(run, chosen, &mut sections)?;
        models.push(model);
        reconstructions.push(reconstruction);
    }
    let table = tables(&contents.data, &models, &reconstructions);
    let manifest = Manifest {
        format: FORMAT,
        program: contents.program.clone(),
        title: contents.title.clone(),
        data,
        models,
    };
    Ok(Stored {
        manifest,
        sections,
        precisions,
        table,
    })
}

fn check_data(data: &DataSet) -> Result<()> {
    if data.index.is_empty() {
        return Err(Error::Nothing("row"));
    }
    if data.classes.len() > usize::from(u16::MAX) + 1 {
        return Err(Error::Classes(data.classes.len()));
    }
    let expected = data.index.len();
    let counts = [
        ("the list of labels", data.labels.as_ref().map(Vec::len)),
        ("the list of names", data.names.as_ref().map(Vec::len)),
    ];
    for (what, found) in counts {
        if let Some(found) = found.filter(|&found| found != expected) {
            return Err(Error::Rows {
                title: data.name.clone(),
                what,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn check_run(run: &Run<'_>, data: &DataSet) -> Result<()> {
    let not_finite = |what: &str| Error::NotFinite {
        title: run.title.clone(),
        what: what.to_owned(),
    };
    if let Some(name) = run.model.parameters().first_non_finite() {
        return Err(not_finite(&format!("the tensor {name}")));
    }
    let expected = data.index.len();
    for (what, found) in [
        ("the array of images", run.images.nrows()),
        ("the array of codes", run.codes.len()),
    ] {
        if found != expected {
            return Err(Error::Rows {
                title: run.title.clone(),
                what,
                found,
                expected,
            });
        }
    }
    let is_finite = |values: &Array2<f32>| values.iter().all(|value| value.is_finite());
    if !is_finite(&run.codes.mean) {
        return Err(not_finite("the array of codes"));
    }
    if !run.codes.log_variance.as_ref().is_none_or(is_finite) {
        return Err(not_finite("the array of log variances"));
    }
    Ok(())
}

fn store_data(data: &DataSet, sections: &mut Sections) -> StoredData {
    let thumbnails = &data.thumbnails;
    StoredData {
        name: data.name.clone(),
        fingerprint: data.fingerprint.clone(),
        attribution: data.attribution.clone(),
        split: data.split.clone(),
        rows: data.rows,
        noun: match data.shape {
            TileShape::Line { .. } => "vector",
            _ => "image",
        },
        shape: stored_shape(data.shape),
        range: data.range,
        classes: data.classes.clone(),
        colours: (0..data.classes.len())
            .map(|class| {
                let Rgb(red, green, blue) = class_colour(class);
                format!("#{red:02x}{green:02x}{blue:02x}")
            })
            .collect(),
        images: data.index.len(),
        index: sections.add(data.index.iter().copied()),
        labels: stored_labels(data.labels.as_deref(), sections),
        names: data.names.clone(),
        thumbnails: StoredThumbnails {
            which: sections.add(thumbnails.which.iter().copied()),
            shape: stored_shape(thumbnails.shape),
            pixels: sections.add(thumbnails.pixels.iter().copied()),
        },
    }
}

fn stored_labels(labels: Option<&[u32]>, sections: &mut Sections) -> Option<Section> {
    labels.map(|labels| sections.add(labels.iter().map(|&label| label as u16)))
}

fn stored_shape(shape: TileShape) -> StoredShape {
    match shape {
        TileShape::Grey { height, width } => StoredShape::Image {
            height,
            width,
            channels: 1,
        },
        TileShape::Colour { height, width } => StoredShape::Image {
            height,
            width,
            channels: 3,
        },
        TileShape::Line { length } => StoredShape::Vector { length },
    }
}

/// Whether a latent variable tells images apart.
fn is_in_use(kind: ModelKind, variance: f64) -> bool {
    // An autoencoder has no prior whose scale would say what is little.
    !kind.is_variational() || variance > ACTIVE_VARIANCE
}

fn levels_of(run: &Run<'_>, data: &DataSet, weights: Weights) -> Chosen {
    let variance = variance_of_codes(run.codes.mean.view());
    let probes = Probes {
        model: run.model,
        images: run.images,
        codes: &run.codes,
        range: data.range,
        deviations: variance
            .into_iter()
            .map(|variance| {
                if is_in_use(run.model.spec().kind, variance) {
                    variance.sqrt()
                } else {
                    0.0
                }
            })
            .collect(),
    };
    probes.choose(weights.compact, !weights.without_encoder)
}

/// The model in the manifest, and its mean reconstruction loss.
fn store_model(
    run: &Run<'_>,
    chosen: Chosen,
    sections: &mut Sections,
) -> Result<(StoredModel, f64)> {
    let (model, spec) = (run.model, run.model.spec());
    let reconstruction = model.reconstruction_losses(run.codes.mean.view(), run.images);
    if reconstruction.iter().any(|loss| !loss.is_finite()) {
        return Err(Error::NotFinite {
            title: run.title.clone(),
            what: "the list of reconstruction losses".into(),
        });
    }
    let losses = reconstruction.iter().map(|&loss| f64::from(loss));
    let mean_loss = losses.sum::<f64>() / reconstruction.len() as f64;
    let kl = match &run.codes.log_variance {
        None => None,
        Some(log_variance) => Some(kl_per_dimension(
            run.codes.mean.view(),
            log_variance.view(),
        )?),
    };
    let variance = variance_of_codes(run.codes.mean.view());
    let codes = Quantised::of(run.codes.mean.view());
    let distances = quantiles(to_nearest_other(codes.values().view())?);
    let mut encoder = None;
    let mut head = None;
    let precision = chosen.precision;
    if let Some(levels) = chosen.encoder {
        let mut layers = chosen.layers.store(Part::Encoder, levels, sections);
        head = layers.pop();
        encoder = Some(layers);
    }
    let stored = StoredModel {
        key: run.key.clone(),
        title: run.title.clone(),
        about: run.about.clone(),
        kind: spec.kind.name(),
        latent: spec.architecture.latent,
        architecture: spec.architecture.to_string(),
        likelihood: stored_likelihood(run, sections),
        posterior_scale: spec.posterior_scale.name(),
        treatment: match run.treatment {
            Treatment::Grey => "grey",
            Treatment::Threshold => "threshold",
            Treatment::Binarised => "binarised",
        },
        standardisation: model
            .standardisation()
            .map(|standardisation| StoredStandardisation {
                mean: sections.add(standardisation.mean().iter().copied()),
                deviation: sections.add(standardisation.deviation().iter().copied()),
            }),
        encoder,
        head,
        decoder: chosen.layers.store(Part::Decoder, chosen.decoder, sections),
        precision: StoredPrecision {
            decoder_bits: precision.decoder_bits,
            encoder_bits: precision.encoder_bits,
            decoded_error: precision.decoded_error,
            encoded_error: precision.encoded_error,
        },
        codes: stored_posterior(codes, run.codes.log_variance.as_ref(), sections),
        reconstruction: sections.add(reconstruction),
        kl,
        active: variance
            .iter()
            .map(|&variance| is_in_use(run.model.spec().kind, variance))
            .collect(),
        variance,
        distances,
        principal: run.principal.as_ref().map(|principal| StoredPrincipal {
            mean: principal.mean.clone(),
            axes: principal.axes.clone(),
            share: principal.share,
        }),
        plane: match run.plane.kind {
            PlaneKind::Line => "line",
            PlaneKind::Whole => "whole",
            PlaneKind::Variables(_) => "variables",
            PlaneKind::Principal => "principal",
        },
        variables: match run.plane.kind {
            PlaneKind::Variables(variables) => variables,
            PlaneKind::Line => [0, 0],
            _ => [0, 1],
        },
        ranges: run.plane.ranges.clone(),
        trajectories: run
            .moments
            .as_ref()
            .map(|moments| stored_moments(moments, sections)),
        metrics: run
            .epochs
            .iter()
            .map(|epoch| StoredEpoch {
                epoch: epoch.epoch,
                train: epoch.train.into(),
                test: epoch.test.into(),
            })
            .collect(),
    };
    Ok((stored, mean_loss))
}

fn stored_likelihood(run: &Run<'_>, sections: &mut Sections) -> StoredLikelihood {
    let likelihood = run.model.spec().likelihood;
    let log_sigma = run.model.log_sigma();
    StoredLikelihood {
        name: likelihood.name(),
        sigma: likelihood.scale_source().map(GaussianSigma::name),
        log_sigma: log_sigma
            .map(|log_sigma| sections.add(log_sigma.into_iter().map(|value| value as f32))),
        density: likelihood.family().map(|family| StoredDensity {
            degree: family.degree(),
            factor: family.factor(),
            constant: family.constant(),
        }),
    }
}

fn stored_posterior(
    mean: Quantised,
    log_variance: Option<&Array2<f32>>,
    sections: &mut Sections,
) -> StoredPosterior {
    let mean = mean.store(sections);
    StoredPosterior {
        mean: mean.values,
        low: mean.low,
        high: mean.high,
        log_variance: log_variance
            .map(|log_variance| Quantised::of(log_variance.view()).store(sections)),
    }
}

fn stored_moments(moments: &Moments, sections: &mut Sections) -> StoredMoments {
    let log_variance = moments.log_variance.as_ref().map(Moments::rows);
    StoredMoments {
        epochs: moments.epochs.clone(),
        steps: moments.steps.clone(),
        index: sections.add(moments.index.iter().copied()),
        labels: stored_labels(moments.labels.as_deref(), sections),
        codes: stored_posterior(
            Quantised::of(Moments::rows(&moments.mean).view()),
            log_variance.as_ref(),
            sections,
        ),
    }
}
