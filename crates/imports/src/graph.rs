//! What a file with a graph tells: its layers, and what is done with their outputs.

use std::collections::BTreeSet;

use models::Standardisation;

use crate::layers::{Layer, Takes};
use crate::tensor::Tensor;

/// The layers of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// In the order of the file.
    pub(crate) layers: Vec<Layer>,
    /// Layers whose outputs go through a sigmoid, by their index.
    pub(crate) with_sigmoid: BTreeSet<usize>,
    /// What its input is standardised by before the first layer takes it.
    pub(crate) standardisation: Option<Standardisation>,
    /// A learned ln σ under this program's name.
    pub(crate) log_sigma: Option<Tensor>,
    /// What is done with the outputs of layers that may be scales.
    pub(crate) scales: Scales,
}

/// What the graph does with outputs, by the index of their layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scales {
    pub(crate) halved: BTreeSet<usize>,
    pub(crate) doubled: BTreeSet<usize>,
    pub(crate) exponentiated: BTreeSet<usize>,
    pub(crate) softplus: BTreeSet<usize>,
    pub(crate) has_root: bool,
}

/// What a graph makes of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScaleUse {
    /// exp(½·s) is σ.
    LogVariance,
    /// exp(s) is σ.
    LogSigma,
    /// softplus(s) is σ.
    Softplus,
    /// It does not tell.
    Unknown,
}

impl Graph {
    /// What the graph makes of a layer's outputs.
    pub(crate) fn scale_use(&self, layer: usize) -> ScaleUse {
        let scales = &self.scales;
        if scales.softplus.contains(&layer) {
            ScaleUse::Softplus
        } else if scales.halved.contains(&layer) {
            ScaleUse::LogVariance
        } else if scales.doubled.contains(&layer) {
            // 2·log σ is log σ².
            ScaleUse::LogSigma
        } else if scales.exponentiated.contains(&layer) && !scales.has_root {
            ScaleUse::LogSigma
        } else {
            ScaleUse::Unknown
        }
    }

    /// The graph of a second file behind this one, with names that begin with those
    /// of their files.
    pub(crate) fn join(&mut self, mut other: Self) {
        let offset = self.layers.len();
        for layer in &mut other.layers {
            if let Some(Takes::Layer(before, _)) = &mut layer.takes {
                *before += offset;
            }
        }
        let moved = |set: BTreeSet<usize>| set.into_iter().map(move |layer| layer + offset);
        self.layers.append(&mut other.layers);
        self.with_sigmoid.extend(moved(other.with_sigmoid));
        self.scales.doubled.extend(moved(other.scales.doubled));
        self.scales.halved.extend(moved(other.scales.halved));
        self.scales
            .exponentiated
            .extend(moved(other.scales.exponentiated));
        self.scales.softplus.extend(moved(other.scales.softplus));
        self.scales.has_root |= other.scales.has_root;
        self.standardisation = self.standardisation.take().or(other.standardisation);
        self.log_sigma = self.log_sigma.take().or(other.log_sigma);
    }
}
