//! How many threads a step is worth, found out while training goes on.
//!
//! Threads wait for each other several times a step. Where another program has
//! one of their cores, or the network is tiny, all wait for the slowest, and fewer
//! are faster. No bit depends on their number, so it may change at any step.

use std::time::Duration;

/// Steps that are timed together.
const STEPS: u32 = 16;

/// Another number must take less than this share of the time to be kept.
const GAIN: f64 = 0.95;

/// A window that takes so much longer than the one before asks at once whether
/// another number is better now.
const JUMP: f64 = 1.3;

/// Windows between trials: at first, and at most after trials in vain.
const FIRST_REST: u32 = 4;
const LONGEST_REST: u32 = 256;

/// The number of threads in use: the most there are, and now and then half or twice
/// as many as now for a window of steps, kept if that was faster.
#[derive(Clone, Debug)]
pub(crate) struct PayingThreads {
    most: usize,
    kept: usize,
    /// In the window that is being timed instead of those kept.
    tried: Option<usize>,
    /// Tries fewer next, where there is a choice.
    is_down_next: bool,
    steps: u32,
    time: Duration,
    /// Seconds of the last window with those kept; none before the first, which
    /// finds nothing in the caches.
    usual: Option<f64>,
    rest: u32,
    longest_rest: u32,
}

impl PayingThreads {
    /// Begins with all of `most` threads.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            kept: most,
            tried: None,
            is_down_next: true,
            steps: 0,
            time: Duration::ZERO,
            usual: None,
            rest: FIRST_REST,
            longest_rest: FIRST_REST,
        }
    }

    /// Threads for the next step.
    pub(crate) fn number(&self) -> usize {
        self.tried.unwrap_or(self.kept)
    }

    /// Takes the time of a step with as many.
    pub(crate) fn learn(&mut self, step: Duration) {
        if self.most == 1 {
            return;
        }
        self.steps += 1;
        self.time += step;
        if self.steps < STEPS {
            return;
        }
        let seconds = self.time.as_secs_f64();
        (self.steps, self.time) = (0, Duration::ZERO);
        match (self.tried.take(), self.usual) {
            (Some(tried), Some(usual)) if seconds < GAIN * usual => {
                self.kept = tried;
                self.usual = Some(seconds);
                (self.rest, self.longest_rest) = (1, FIRST_REST);
            }
            (Some(_), _) => {
                self.longest_rest = (2 * self.longest_rest).min(LONGEST_REST);
                self.rest = self.longest_rest;
            }
            (None, usual) => {
                if usual.is_some_and(|usual| seconds > JUMP * usual) {
                    (self.rest, self.longest_rest) = (0, FIRST_REST);
                }
                self.usual = Some(seconds);
                if self.rest == 0 {
                    self.tried = Some(self.other());
                } else {
                    self.rest -= 1;
                }
            }
        }
    }

    /// Half or twice as many as those kept.
    fn other(&mut self) -> usize {
        let is_down = self.kept == self.most || (self.kept > 1 && self.is_down_next);
        self.is_down_next = !is_down;
        if is_down {
            self.kept / 2
        } else {
            (2 * self.kept).min(self.most)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of steps taken by each number of threads, given the microseconds
    /// that a step takes with it.
    fn shares(
        threads: &mut PayingThreads,
        steps: u32,
        microseconds: impl Fn(usize, u32) -> f64,
    ) -> Vec<f64> {
        let mut shares = vec![0.0; threads.most + 1];
        for step in 0..steps {
            let number = threads.number();
            shares[number] += 1.0 / f64::from(steps);
            threads.learn(Duration::from_secs_f64(1e-6 * microseconds(number, step)));
        }
        shares
    }

    /// A factor between 0.8 and 1.2 without a pattern.
    fn noise(step: u32) -> f64 {
        let mixed = (u64::from(step) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        0.8 + 0.4 * mixed as f64 / (1_u64 << 24) as f64
    }

    #[test]
    fn threads_that_pay_are_kept_and_trials_cost_little() {
        for most in [2, 3, 4, 8] {
            let mut threads = PayingThreads::new(most);
            let found = shares(&mut threads, 40_000, |number, step| {
                noise(step) * 800.0 / number as f64
            });
            assert!(found[most] > 0.98, "{most}: {found:?}");
        }
    }

    #[test]
    fn fewer_go_on_where_several_wait_for_each_other() {
        for most in [2, 4, 8] {
            let mut threads = PayingThreads::new(most);
            let found = shares(&mut threads, 4_000, |number, step| {
                noise(step)
                    * if number == 1 {
                        100.0
                    } else {
                        200.0 * number as f64
                    }
            });
            assert!(found[1] > 0.8, "{most}: {found:?}");
        }
    }

    #[test]
    fn they_come_back_when_the_machine_is_quiet_again() {
        let mut threads = PayingThreads::new(4);
        let quiet = |number: usize, _| 800.0 / number as f64;
        let busy = |number: usize, _| if number == 1 { 900.0 } else { 5000.0 };
        shares(&mut threads, 2_000, quiet);
        let found = shares(&mut threads, 2_000, busy);
        assert!(found[1] > 0.8, "{found:?}");
        let found = shares(&mut threads, 20_000, quiet);
        assert!(found[4] > 0.75, "{found:?}");
    }

    #[test]
    fn one_thread_is_never_another_number() {
        let mut threads = PayingThreads::new(1);
        let found = shares(&mut threads, 1_000, |_, step| noise(step));
        assert!(found[0] == 0.0 && found[1] > 0.999, "{found:?}");
    }
}
