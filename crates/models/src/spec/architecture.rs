//! The widths of a model.

use std::fmt;
use std::str::FromStr;

use tensor_ops::Activation;

use super::SpecError;

/// The widest layer accepted: beyond it a typing error is far likelier than
/// a model.
pub const MAXIMUM_WIDTH: usize = 1 << 16;

/// Widths of the encoder and the nonlinearity; the decoder mirrors it.
///
/// Written as the literature does, from the image down to the code, and for two
/// stochastic layers h₁ and h₂ from the image to h₁ and from h₁ to h₂:
///
/// ```
/// use models::{Activation, Architecture};
///
/// let architecture: Architecture = "784-256-32-8-2".parse()?;
/// assert_eq!(architecture.hidden, [256, 32, 8]);
/// assert_eq!(architecture.latent, 2);
/// assert_eq!(architecture.activation, Activation::Relu);
/// assert_eq!(architecture.to_string(), "784-256-32-8-2");
///
/// let architecture: Architecture = "784-200-200-100/100-64-50".parse()?;
/// assert_eq!(architecture.hidden, [200, 200]);
/// assert_eq!(architecture.lower.unwrap().latent, 100);
/// assert_eq!(architecture.latent, 50);
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Values per image: 784 for MNIST.
    pub inputs: usize,
    /// Widths of the encoder's hidden layers, first to last; may be empty.
    pub hidden: Vec<usize>,
    /// The lower of two stochastic layers, between those layers and the code.
    pub lower: Option<LowerLayer>,
    /// Dimensions of the code z; of two stochastic layers the upper one's, h₂.
    pub latent: usize,
    /// Nonlinearity after every hidden layer, in encoder and decoder.
    pub activation: Activation,
}

/// The lower of two stochastic layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerLayer {
    /// Its dimensions, those of h₁.
    pub latent: usize,
    /// Widths of the hidden layers from it to the code, which the network back
    /// mirrors; may be empty.
    pub upper_hidden: Vec<usize>,
}

impl Architecture {
    /// Checks every width and the nonlinearity.
    ///
    /// # Errors
    /// A width of zero or above [`MAXIMUM_WIDTH`], or an activation that is
    /// not relu or tanh.
    pub fn validate(&self) -> Result<(), SpecError> {
        let mut widths = vec![self.inputs, self.latent];
        widths.extend(&self.hidden);
        if let Some(lower) = &self.lower {
            widths.push(lower.latent);
            widths.extend(&lower.upper_hidden);
        }
        let range = 1..=MAXIMUM_WIDTH;
        if let Some(width) = widths.into_iter().find(|width| !range.contains(width)) {
            let architecture = self.to_string();
            return Err(SpecError::Width {
                architecture,
                width,
            });
        }
        if self.activation == Activation::Identity {
            return Err(SpecError::Activation(self.activation.name().to_owned()));
        }
        Ok(())
    }

    /// Dimensions of the stochastic layer next to the image, which the decoder
    /// takes: those of the code, or of h₁ of two.
    pub fn decoded(&self) -> usize {
        self.lower
            .as_ref()
            .map_or(self.latent, |lower| lower.latent)
    }

    /// Deviates of one sample: h₁'s, if there are two stochastic layers, then
    /// the code's.
    pub fn noise_width(&self) -> usize {
        self.lower.as_ref().map_or(0, |lower| lower.latent) + self.latent
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        for width in &self.hidden {
            write!(f, "-{width}")?;
        }
        if let Some(lower) = &self.lower {
            write!(f, "-{latent}/{latent}", latent = lower.latent)?;
            for width in &lower.upper_hidden {
                write!(f, "-{width}")?;
            }
        }
        write!(f, "-{}", self.latent)
    }
}

impl FromStr for Architecture {
    type Err = SpecError;

    /// Reads `784-256-2`; the activation is relu and can be set afterwards.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (below, above) = match text.split_once('/') {
            Some((below, above)) => (below, Some(above)),
            None => (text, None),
        };
        let wrong = || match above {
            Some(_) => SpecError::TwoLayers(text.to_owned()),
            None => SpecError::Architecture(text.to_owned()),
        };
        let (inputs, hidden, latent) = widths(below).ok_or_else(wrong)?;
        let mut architecture = Self {
            inputs,
            hidden,
            lower: None,
            latent,
            activation: Activation::Relu,
        };
        if let Some(above) = above {
            let halves = widths(above).filter(|(from, ..)| *from == latent);
            let (_, upper_hidden, upper) = halves.ok_or_else(wrong)?;
            architecture.latent = upper;
            architecture.lower = Some(LowerLayer {
                latent,
                upper_hidden,
            });
        }
        architecture.validate()?;
        Ok(architecture)
    }
}

/// The first, the inner and the last of at least two widths joined by hyphens.
fn widths(text: &str) -> Option<(usize, Vec<usize>, usize)> {
    let widths: Option<Vec<usize>> = text.split('-').map(|width| width.parse().ok()).collect();
    let widths = widths?;
    let [first, inner @ .., last] = widths.as_slice() else {
        return None;
    };
    Some((*first, inner.to_vec(), *last))
}
