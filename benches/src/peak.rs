//! The machine's limit, measured again and again.

use std::collections::BTreeMap;

use models::TrainerError;
use serde::Serialize;

use runs::Error;

/// Runs of 0.4 ms per measurement: short enough that some of them meet an
/// otherwise idle machine.
const RUNS: usize = 40;

/// The largest multiply-add rate seen, in GFLOP/s, by number of threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PeakRates {
    by_threads: BTreeMap<usize, f64>,
}

impl PeakRates {
    /// Measures the rate of `threads` threads once more, keeps the larger and
    /// gives the new one.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn measure(&mut self, threads: usize) -> Result<f64, Error> {
        let rate = tensor_ops::peak::fma_peak_gflops(threads, RUNS).map_err(TrainerError::from)?;
        self.record(threads, rate);
        Ok(rate)
    }

    /// The largest rate of `threads` threads; 0 when never measured.
    #[must_use]
    pub fn gflops(&self, threads: usize) -> f64 {
        self.by_threads.get(&threads).copied().unwrap_or(0.0)
    }

    /// `gflops` as a share of the rate of as many threads.
    #[must_use]
    pub fn share(&self, threads: usize, gflops: f64) -> f64 {
        gflops / self.gflops(threads)
    }

    /// Every thread count with its rate, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.by_threads
            .iter()
            .map(|(&threads, &rate)| (threads, rate))
    }

    pub(crate) fn record(&mut self, threads: usize, rate: f64) {
        let best = self.by_threads.entry(threads).or_insert(rate);
        *best = best.max(rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_rate_counts_and_shares_are_taken_of_it() {
        let mut peaks = PeakRates::default();
        for rate in [80.0, 100.0, 90.0] {
            peaks.record(1, rate);
        }
        peaks.record(2, 200.0);
        assert_eq!(peaks.share(1, 50.0), 0.5);
        assert_eq!(peaks.share(2, 50.0), 0.25);
        assert_eq!(
            serde_json::to_string(&peaks).unwrap(),
            r#"{"1":100.0,"2":200.0}"#
        );
    }
}
