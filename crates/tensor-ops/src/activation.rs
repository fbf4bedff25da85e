//! Elementwise activation functions of a layer.

use std::fmt;
use std::str::FromStr;

use crate::Float;

/// The activation applied to a layer's output.
///
/// ```
/// use tensor_ops::Activation;
///
/// let activation: Activation = "tanh".parse()?;
/// assert_eq!(activation, Activation::Tanh);
/// assert_eq!(activation.derivative_from_output(0.5_f64), 0.75);
/// # Ok::<(), tensor_ops::activation::UnknownActivation>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0), with derivative 0 at 0.
    Relu,
    /// tanh(x).
    Tanh,
}

/// A name that is no [`Activation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown activation `{0}`: expected `identity`, `relu` or `tanh`")]
pub struct UnknownActivation(pub String);

impl Activation {
    /// All activations, in the order of the enum.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Relu, Self::Tanh];

    /// The name used in configurations: `identity`, `relu`, `tanh`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::Tanh => "tanh",
        }
    }

    /// The activation's value at `x`, by the standard library's functions.
    #[inline(always)]
    pub fn apply<T: Float>(self, x: T) -> T {
        match self {
            Self::Identity => x,
            Self::Relu => {
                if x > T::ZERO {
                    x
                } else if x.is_nan() {
                    T::NAN
                } else {
                    T::ZERO
                }
            }
            Self::Tanh => x.tanh(),
        }
    }

    /// The derivative at the point whose *output* is `y`: 1, \[y > 0\] or 1 − y².
    #[inline(always)]
    pub fn derivative_from_output<T: Float>(self, y: T) -> T {
        match self {
            Self::Identity => T::ONE,
            Self::Relu => {
                if y > T::ZERO {
                    T::ONE
                } else {
                    T::ZERO
                }
            }
            Self::Tanh => T::ONE - y * y,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|activation| activation.name() == s)
            .ok_or_else(|| UnknownActivation(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for activation in Activation::ALL {
            assert_eq!(activation.to_string().parse(), Ok(activation));
        }
        let error = "gelu".parse::<Activation>().unwrap_err();
        assert!(error.to_string().contains("`gelu`"));
    }

    #[test]
    fn derivative_agrees_with_central_differences() {
        let h = 1e-6;
        for activation in Activation::ALL {
            for x in [-2.0_f64, -0.3, 0.4, 1.7] {
                let numeric = (activation.apply(x + h) - activation.apply(x - h)) / (2.0 * h);
                let exact = activation.derivative_from_output(activation.apply(x));
                assert!((numeric - exact).abs() < 1e-9, "{activation} at {x}");
            }
        }
    }
}
