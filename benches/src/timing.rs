//! Repeating a short operation until its time can be trusted.

use std::time::Instant;

use evaluation::statistics::sorted_quantile;
use serde::Serialize;

/// How often an operation is repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Samples, of which the shortest counts.
    pub samples: usize,
    /// Least seconds of one sample: many calls of a short operation.
    pub seconds: f64,
}

impl Sampling {
    /// For a first look.
    pub const QUICK: Self = Self {
        samples: 5,
        seconds: 0.001,
    };

    /// For figures to be quoted.
    pub const THOROUGH: Self = Self {
        samples: 25,
        seconds: 0.004,
    };

    /// Seconds of one call: the least over the samples of a sample's mean.
    pub fn seconds_per_call(self, mut operation: impl FnMut()) -> f64 {
        let mut time = |calls: usize| {
            let began = Instant::now();
            for _ in 0..calls {
                operation();
            }
            began.elapsed().as_secs_f64()
        };
        // The first call also warms the caches and faults the pages in.
        time(1);
        let mut calls = 1;
        while time(calls) < self.seconds {
            calls *= 2;
        }
        (0..self.samples)
            .map(|_| time(calls) / calls as f64)
            .fold(f64::INFINITY, f64::min)
    }
}

/// The middle value, or the mean of the middle two; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// Seconds of repeated epochs, and whether they can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// First quartile, median and third quartile of the seconds.
    pub quartiles: [f64; 3],
    /// The third quartile less the first, over the median.
    pub relative: f64,
    /// Whether that is above [`NOISY`](Self::NOISY), as when something else ran on
    /// the machine, or of a single epoch and says nothing: then no figure of these
    /// epochs is a result.
    pub is_noisy: bool,
}

impl Spread {
    /// The largest relative spread of epochs whose figures are results.
    pub const NOISY: f64 = 0.05;

    pub(crate) fn of(seconds: &[f64]) -> Self {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quartiles = [0.25, 0.5, 0.75].map(|q| sorted_quantile(&sorted, q));
        let relative = (quartiles[2] - quartiles[0]) / quartiles[1];
        Self {
            quartiles,
            relative,
            is_noisy: seconds.len() < 2 || relative.is_nan() || relative > Self::NOISY,
        }
    }
}

/// The smallest value; infinite of nothing.
pub(crate) fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_operation_is_called_until_samples_are_long_enough() {
        let mut calls = 0_u64;
        let sampling = Sampling {
            samples: 3,
            seconds: 1e-4,
        };
        let seconds = sampling.seconds_per_call(|| calls += std::hint::black_box(1));
        assert!(calls > 10, "{calls}");
        assert!(seconds > 0.0 && seconds < 1e-4, "{seconds}");
    }

    #[test]
    fn epochs_that_spread_are_no_result() {
        let calm = Spread::of(&[1.02, 1.0, 1.01, 1.04, 0.99]);
        assert_eq!(calm.quartiles, [1.0, 1.01, 1.02]);
        assert!((calm.relative - 0.02 / 1.01).abs() < 1e-12 && !calm.is_noisy);
        // One slow epoch of five moves no quartile; two do.
        assert!(!Spread::of(&[1.0, 1.0, 3.0, 1.0, 1.0]).is_noisy);
        assert!(Spread::of(&[1.0, 1.0, 3.0, 3.0, 1.0]).is_noisy);
        assert!(Spread::of(&[2.0]).is_noisy && !Spread::of(&[2.0, 2.0]).is_noisy);
    }

    #[test]
    fn medians_and_bests() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(best(&[3.0, 1.0, 2.0]), 1.0);
    }
}
