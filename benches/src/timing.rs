//! Repeating a short operation until its time can be trusted.

use std::time::Instant;

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
    fn medians_and_bests() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(best(&[3.0, 1.0, 2.0]), 1.0);
    }
}
