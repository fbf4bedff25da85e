//! What a file with a graph tells: its layers, and what is done with their outputs.

use models::Standardisation;

use crate::arrangement::{Arrangement, Head};
use crate::error::ImportError;
use crate::layers::{Layer, Takes};
use crate::tensor::Tensor;
use crate::trace::{End, Last, Made, Trace};

/// The layers of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// In the order of the file.
    pub(crate) layers: Vec<Layer>,
    /// What its input is standardised by before the first layer takes it.
    pub(crate) standardisation: Option<Standardisation>,
    /// A learned ln σ under this program's name.
    pub(crate) log_sigma: Option<Tensor>,
    /// What is done with the outputs of its layers.
    pub(crate) trace: Trace,
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
    /// What the graph makes of the scale of the posterior.
    pub(crate) fn scale_use(&self, arrangement: &Arrangement) -> ScaleUse {
        let trace = &self.trace;
        let is_scale = |value: usize| match (trace.made(value), arrangement.head) {
            (Made::Layer(layer), Head::Two(_, scale)) => *layer == scale,
            (Made::Part(layer, [first, _]), Head::Shared(one)) => {
                *layer == one && *first == arrangement.latent
            }
            _ => false,
        };
        let is_number =
            |value: usize, number: f32| *trace.made(value) == Made::Constant(vec![number]);
        let is_exponential =
            |value: usize| matches!(trace.by(value, "Exp"), Some(&[of]) if is_scale(of));
        let noise = trace.noise(arrangement.first());
        let use_in = |value: usize| {
            let products = trace.pairs(value, "Mul");
            let quotient = match trace.by(value, "Div") {
                Some(&[of, by]) => Some([of, by]),
                _ => None,
            };
            let is_scaled = |factor: f32| {
                let mut products = products.iter();
                products.any(|&[of, by]| is_scale(of) && is_number(by, factor))
                    || quotient.is_some_and(|[of, by]| is_scale(of) && is_number(by, 1.0 / factor))
            };
            let is_root = match (trace.by(value, "Sqrt"), trace.by(value, "Pow")) {
                (Some(&[of]), _) => is_exponential(of),
                (_, Some(&[of, by])) => is_exponential(of) && is_number(by, 0.5),
                _ => false,
            };
            if matches!(trace.by(value, "Softplus"), Some(&[of]) if is_scale(of)) {
                Some(ScaleUse::Softplus)
            } else if is_scaled(0.5) || is_root {
                Some(ScaleUse::LogVariance)
            } else if is_scaled(2.0) {
                // 2·log σ is log σ².
                Some(ScaleUse::LogSigma)
            } else {
                // exp(s) alone may be a variance that is given back.
                let mut products = products.iter();
                products
                    .any(|&[of, by]| is_exponential(of) && noise[by])
                    .then_some(ScaleUse::LogSigma)
            }
        };
        let uses: Vec<ScaleUse> = (0..trace.len()).filter_map(use_in).collect();
        [
            ScaleUse::Softplus,
            ScaleUse::LogVariance,
            ScaleUse::LogSigma,
        ]
        .into_iter()
        .find(|use_| uses.contains(use_))
        .unwrap_or(ScaleUse::Unknown)
    }

    /// What follows the last layer of the decoder.
    ///
    /// # Errors
    /// What no likelihood of this program has there.
    pub(crate) fn end(
        &self,
        arrangement: &Arrangement,
        layers: &[Layer],
    ) -> Result<End, ImportError> {
        let layer = arrangement.decoder.last().copied().unwrap_or_default();
        let last = Last {
            layer,
            inputs: arrangement.inputs,
            is_doubled: arrangement.is_doubled,
        };
        let end = self.trace.end(last, self.standardisation.as_ref());
        end.map_err(|operators| {
            let name = &layers[layer].name;
            ImportError::Network(if operators.is_empty() {
                format!(
                    "no output of the graph comes of its last layer {name}; expected the decoder's outputs among them"
                )
            } else {
                format!(
                    "behind the last layer {name} the graph has {}, which no likelihood of this program has there; expected nothing, a sigmoid, or the inverse of what its input is standardised by; export it without them where they are no part of the model",
                    operators.join(", ")
                )
            })
        })
    }

    /// The decoder has to take the code: a head's outputs themselves, or with a
    /// posterior the sum of the mean and something random.
    ///
    /// # Errors
    /// What else it takes.
    pub(crate) fn check_code(
        &self,
        arrangement: &Arrangement,
        layers: &[Layer],
    ) -> Result<(), ImportError> {
        let trace = &self.trace;
        let Some(&first) = arrangement.decoder.first() else {
            return Ok(());
        };
        let name = |layer: usize| layers[layer].name.as_str();
        // Which of the heads a value is, by its layer.
        let head_of = |value: usize| match (trace.made(value), arrangement.head) {
            (&Made::Layer(layer), Head::Two(mean, scale)) => {
                (layer == mean || layer == scale).then_some(layer)
            }
            (&Made::Layer(layer), Head::Single(one)) => (layer == one).then_some(layer),
            (&Made::Part(layer, range), Head::Shared(one)) => {
                (layer == one && range == [0, arrangement.latent]).then_some(layer)
            }
            _ => None,
        };
        let taken = trace.taken[first];
        let found = if layers[first].takes == Some(Takes::Input) {
            // Of a graph of its own, so that the other one has to give the code.
            let mean = match arrangement.head {
                Head::Two(mean, _) | Head::Single(mean) | Head::Shared(mean) => mean,
            };
            let is_other = |value: usize| match (trace.made(value), arrangement.head) {
                (&Made::Layer(layer), _) => layer != mean,
                (&Made::Part(_, [first, _]), Head::Shared(_)) => first >= arrangement.latent,
                (made, _) => *made == Made::Random,
            };
            let others = trace.made_of(|index, _| is_other(index));
            let of_mean = trace.made_of(|_, made| match *made {
                Made::Layer(layer) => layer == mean,
                Made::Part(layer, range) => layer == mean && range == [0, arrangement.latent],
                _ => false,
            });
            let mut outputs = trace.outputs.iter().copied();
            let changed = outputs.find(|&output| {
                let is_whole = *trace.made(output) == Made::Layer(mean);
                of_mean[output] && !others[output] && !is_whole && head_of(output).is_none()
            });
            match changed {
                None => Some(mean),
                Some(_) => {
                    return Err(ImportError::Network(format!(
                        "the graph of the encoder gives something computed of {}; expected its outputs themselves, as the decoder takes them",
                        name(mean)
                    )));
                }
            }
        } else if let Some(layer) = head_of(taken) {
            Some(layer)
        } else if matches!(arrangement.head, Head::Single(_)) {
            None
        } else {
            let noise = trace.noise(arrangement.first());
            let mut sums = trace.pairs(taken, "Add").into_iter();
            sums.find_map(|[one, other]| head_of(one).filter(|_| noise[other] && !noise[one]))
        };
        match (found, arrangement.head) {
            (None, head) => Err(ImportError::Network(format!(
                "between the code and the decoder's first layer {} the graph computes something else than {}; expected that alone",
                name(first),
                match head {
                    Head::Single(one) => format!("the outputs of {}", name(one)),
                    Head::Two(..) | Head::Shared(_) =>
                        "mu, or mu and a random multiple of σ".into(),
                }
            ))),
            (Some(layer), Head::Two(mean, scale)) if layer == scale => {
                let is_said = [mean, scale].map(|head| layers[head].place.is_some());
                Err(ImportError::Undeclared(if is_said == [false; 2] {
                    format!(
                        "the graph samples around the outputs of {0}, which is not the first of the heads; say with --map that it is mu: mu = \"{0}\"",
                        name(layer)
                    )
                } else {
                    format!(
                        "--map says that mu is {1}, but the graph samples around the outputs of {0}; expected mu = \"{0}\" or no line for it",
                        name(layer),
                        name(mean)
                    )
                }))
            }
            _ => Ok(()),
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
        self.layers.append(&mut other.layers);
        self.trace.join(other.trace, offset);
        self.standardisation = self.standardisation.take().or(other.standardisation);
        self.log_sigma = self.log_sigma.take().or(other.log_sigma);
    }
}
