//! What a file with a graph tells: its layers, and what is done with their outputs.

use models::Standardisation;

use crate::arrangement::{Arrangement, Head};
use crate::error::ImportError;
use crate::layers::{Layer, Takes};
use crate::own_metadata::OwnMetadata;
use crate::tensor::Tensor;
use crate::trace::{Ending, Last, Made, Trace};

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
    pub(crate) metadata: OwnMetadata,
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
    /// What the graph makes of the scale of the posterior: where it samples that is
    /// what it samples with, elsewhere what it seems to compute besides.
    pub(crate) fn scale_use(&self, arrangement: &Arrangement) -> ScaleUse {
        let trace = &self.trace;
        if let Some((_, spread)) = self.sampled(arrangement) {
            return self
                .spread_use(spread, arrangement)
                .unwrap_or(ScaleUse::Unknown);
        }
        let noise = trace.noise(arrangement.first());
        let use_in = |value: usize| {
            let is_noise_times_exponential = || {
                let mut products = trace.pairs(value, "Mul").into_iter();
                products.any(|[of, by]| noise[by] && self.is_exponential(of, arrangement))
            };
            match self.sigma_use(value, arrangement) {
                // exp(s) alone may be a variance that is given back.
                Some(ScaleUse::LogSigma) => None,
                Some(found) => Some(found),
                // Of a divergence that is given back.
                None if self.is_scaled(value, 0.5, arrangement) => Some(ScaleUse::LogVariance),
                // 2·log σ is log σ².
                None if self.is_scaled(value, 2.0, arrangement) => Some(ScaleUse::LogSigma),
                None => is_noise_times_exponential().then_some(ScaleUse::LogSigma),
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

    /// The sum of a head and something random that the decoder takes, or of a decoder
    /// apart that the encoder gives: the layer of the head, and the other value.
    fn sampled(&self, arrangement: &Arrangement) -> Option<(usize, usize)> {
        let trace = &self.trace;
        let taken = trace.taken[*arrangement.decoder.first()?];
        let samples = match trace.made(taken) {
            Made::Input => trace.outputs.as_slice(),
            _ => &[taken],
        };
        let noise = trace.noise(arrangement.first());
        let mut sums = samples
            .iter()
            .flat_map(|&sample| trace.pairs(sample, "Add"));
        sums.find_map(|[one, other]| {
            let head = self.head_of(one, arrangement)?;
            (noise[other] && !noise[one]).then_some((head, other))
        })
    }

    /// What the graph takes for σ where it adds `spread` to the mean: nothing that a
    /// model has unless that is σ times noise, and neither is changed otherwise.
    fn spread_use(&self, spread: usize, arrangement: &Arrangement) -> Option<ScaleUse> {
        let noise = self.trace.noise(arrangement.first());
        let mut products = self.trace.pairs(spread, "Mul").into_iter();
        products.find_map(|[sigma, drawn]| {
            let found = self.sigma_use(sigma, arrangement)?;
            (noise[drawn] && self.is_drawn(drawn)).then_some(found)
        })
    }

    /// Whether a value is what was drawn: by 1 and with 0 added, as torch.normal writes
    /// it, or as it is.
    fn is_drawn(&self, value: usize) -> bool {
        let unchanged = |&value: &usize| {
            let of = |operator: &str, neutral: f32| {
                let mut pairs = self.trace.pairs(value, operator).into_iter();
                pairs.find_map(|[of, by]| self.is_number(by, neutral).then_some(of))
            };
            of("Mul", 1.0).or_else(|| of("Add", 0.0))
        };
        // One after the other: a file decides how many there are.
        std::iter::successors(Some(value), unchanged)
            .any(|value| matches!(self.trace.made(value), Made::Random | Made::Input))
    }

    /// What a value says of the scale if it is σ.
    fn sigma_use(&self, value: usize, arrangement: &Arrangement) -> Option<ScaleUse> {
        let trace = &self.trace;
        let is_root = match (trace.by(value, "Sqrt"), trace.by(value, "Pow")) {
            (Some(&[of]), _) => self.is_exponential(of, arrangement),
            (_, Some(&[of, by])) => self.is_exponential(of, arrangement) && self.is_number(by, 0.5),
            _ => false,
        };
        let of_exponential = match trace.by(value, "Exp") {
            Some(&[of]) => Some(of),
            _ => None,
        };
        if matches!(trace.by(value, "Softplus"), Some(&[of]) if self.is_scale(of, arrangement)) {
            Some(ScaleUse::Softplus)
        } else if is_root || of_exponential.is_some_and(|of| self.is_scaled(of, 0.5, arrangement)) {
            Some(ScaleUse::LogVariance)
        } else {
            let is_scale = |of| self.is_scale(of, arrangement);
            of_exponential
                .is_some_and(is_scale)
                .then_some(ScaleUse::LogSigma)
        }
    }

    fn is_scale(&self, value: usize, arrangement: &Arrangement) -> bool {
        match (self.trace.made(value), arrangement.head) {
            (Made::Layer(layer), Head::Two(_, scale)) => *layer == scale,
            (Made::Part(layer, [first, _]), Head::Shared(one)) => {
                *layer == one && *first == arrangement.latent
            }
            _ => false,
        }
    }

    fn is_number(&self, value: usize, number: f32) -> bool {
        self.trace.is_all(value, &[number])
    }

    fn is_exponential(&self, value: usize, arrangement: &Arrangement) -> bool {
        matches!(self.trace.by(value, "Exp"), Some(&[of]) if self.is_scale(of, arrangement))
    }

    /// Whether a value is the scale times `factor`.
    fn is_scaled(&self, value: usize, factor: f32, arrangement: &Arrangement) -> bool {
        let mut products = self.trace.pairs(value, "Mul").into_iter();
        let is_quotient = match self.trace.by(value, "Div") {
            Some(&[of, by]) => self.is_scale(of, arrangement) && self.is_number(by, 1.0 / factor),
            _ => false,
        };
        is_quotient
            || products.any(|[of, by]| self.is_scale(of, arrangement) && self.is_number(by, factor))
    }

    /// Which of the heads a value is, by its layer.
    fn head_of(&self, value: usize, arrangement: &Arrangement) -> Option<usize> {
        match (self.trace.made(value), arrangement.head) {
            (&Made::Layer(layer), Head::Two(mean, scale)) => {
                (layer == mean || layer == scale).then_some(layer)
            }
            (&Made::Layer(layer), Head::Single(one)) => (layer == one).then_some(layer),
            (&Made::Part(layer, range), Head::Shared(one)) => {
                (layer == one && range == [0, arrangement.latent]).then_some(layer)
            }
            _ => None,
        }
    }

    /// What follows the last layer of the decoder.
    ///
    /// # Errors
    /// What no likelihood of this program has there.
    pub(crate) fn ending(
        &self,
        arrangement: &Arrangement,
        layers: &[Layer],
    ) -> Result<Ending, ImportError> {
        let layer = arrangement.decoder.last().copied().unwrap_or_default();
        let last = Last {
            layer,
            inputs: arrangement.inputs,
            is_doubled: arrangement.is_doubled,
        };
        let ending = self.trace.end(last, self.standardisation.as_ref());
        ending.map_err(|operators| {
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
    /// Whether that tells which of two heads is the mean.
    ///
    /// # Errors
    /// What else it takes.
    pub(crate) fn check_code(
        &self,
        arrangement: &Arrangement,
        layers: &[Layer],
    ) -> Result<bool, ImportError> {
        let trace = &self.trace;
        let Some(&first) = arrangement.decoder.first() else {
            return Ok(false);
        };
        let name = |layer: usize| layers[layer].name.as_str();
        let head_of = |value: usize| self.head_of(value, arrangement);
        let taken = trace.taken[first];
        let is_apart = layers[first].takes == Some(Takes::Input);
        if is_apart && *trace.made(taken) != Made::Input {
            return Err(ImportError::Network(format!(
                "the decoder's first layer {} takes the code standardised; expected the code as it is",
                name(first)
            )));
        }
        let found = if is_apart {
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
            self.sampled(arrangement).map(|(head, _)| head)
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
                let is_mean = format!("the graph samples around the outputs of {}", name(layer));
                Err(ImportError::Undeclared(match is_said {
                    [false, false] => format!(
                        "{is_mean}, which is not the first of the heads; say with --map that it is mu: mu = \"{}\"",
                        name(layer)
                    ),
                    [true, _] => format!(
                        "--map says that mu is {}, but {is_mean}; expected mu = \"{}\" or no line for it",
                        name(mean),
                        name(layer)
                    ),
                    [false, true] => format!(
                        "--map says that log_var is {}, but {is_mean}; expected log_var = \"{}\" or no line for it",
                        name(layer),
                        name(mean)
                    ),
                }))
            }
            (Some(_), _) => {
                self.check_spread(arrangement, layers)?;
                Ok(!is_apart)
            }
        }
    }

    /// What is added to the mean has to be noise times what a model has as σ.
    fn check_spread(&self, arrangement: &Arrangement, layers: &[Layer]) -> Result<(), ImportError> {
        let Some((_, spread)) = self.sampled(arrangement) else {
            return Ok(());
        };
        if self.spread_use(spread, arrangement).is_some() {
            return Ok(());
        }
        let (Head::Two(_, scale) | Head::Shared(scale) | Head::Single(scale)) = arrangement.head;
        let operators = self.trace.operators_to(spread);
        let operators = match operators.as_slice() {
            [] => "noise alone".into(),
            several => format!("noise through {}", several.join(", ")),
        };
        Err(ImportError::Network(format!(
            "to the mean the graph adds {operators}; expected noise times σ, which is exp(s), exp(0.5·s) or the square root of exp(s) of the outputs s of {}; export it as it is when it encodes, with the mean as the code, where the sampling is of no matter",
            layers[scale].name
        )))
    }

    /// The graph of a second file behind this one, with names that begin with those
    /// of their files.
    ///
    /// # Errors
    /// When both are of this program, but of different runs.
    pub(crate) fn join(&mut self, mut other: Self) -> Result<(), ImportError> {
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
        self.metadata.join(other.metadata)
    }
}
