//! How many threads a step is worth, found out while training goes on.
//!
//! Threads wait for each other several times a step. Where another program has
//! one of their cores, or the network is tiny, all wait for the slowest, and fewer
//! are faster. No bit depends on their number, so it may change at any step.

use std::time::Duration;

/// Steps that are timed together, after some that are not: threads that have slept
/// wake slowly at first, and find nothing in their caches.
const STEPS: u32 = 16;
const WARM_UP: u32 = 8;

/// Timed steps after which a trial that is much slower ends.
const FEWEST: u32 = 4;

/// Another number must take less than this share of the time to be kept.
const GAIN: f64 = 0.95;

/// Windows in a row that take so much longer than the best of late ask at once
/// whether another number is better now. One or two alone are noise.
const JUMP: f64 = 1.3;
const SUSTAINED: u32 = 6;

/// Other numbers that are then tried.
const URGENT: u32 = 3;

/// What the best of late is forgotten by from window to window.
const FORGETTING: f64 = 1.01;

/// Windows between trials: at first, and at most after trials in vain.
const FIRST_REST: u32 = 16;
const LONGEST_REST: u32 = 256;

/// The number of threads in use: the most there are, and now and then another one for
/// a window of steps, kept if that was faster than the windows before and after.
#[derive(Clone, Debug)]
pub(crate) struct PayingThreads {
    most: usize,
    kept: usize,
    trial: Trial,
    /// Which other number was tried last.
    turn: usize,
    steps: u32,
    time: Duration,
    /// Seconds that a step of the last window took with those kept; none before the
    /// first, which finds nothing in the caches.
    usual: Option<f64>,
    /// The least of them of late, and windows in a row that took much longer.
    best: f64,
    slow: u32,
    /// Trials that follow each other at once when windows have become slow: of all
    /// other numbers.
    urgent: u32,
    rest: u32,
    longest_rest: u32,
}

/// Where a comparison with another number of threads is.
#[derive(Clone, Copy, Debug)]
enum Trial {
    None,
    /// So many are in use.
    Running(usize),
    /// With so many a step took so many seconds; those kept are timed once more.
    Checked(usize, f64),
}

impl PayingThreads {
    /// Begins with all of `most` threads.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            kept: most,
            trial: Trial::None,
            turn: 3,
            steps: 0,
            time: Duration::ZERO,
            usual: None,
            best: f64::INFINITY,
            slow: 0,
            urgent: 0,
            rest: FIRST_REST,
            longest_rest: FIRST_REST,
        }
    }

    /// Threads for the next step.
    pub(crate) fn number(&self) -> usize {
        match self.trial {
            Trial::Running(tried) => tried,
            Trial::None | Trial::Checked(..) => self.kept,
        }
    }

    /// Takes the time of a step with as many.
    pub(crate) fn learn(&mut self, step: Duration) {
        if self.most == 1 {
            return;
        }
        self.steps += 1;
        if self.steps > WARM_UP {
            self.time += step;
        }
        let timed = self.steps.saturating_sub(WARM_UP);
        let seconds = self.time.as_secs_f64() / f64::from(timed.max(1));
        if timed < STEPS && !self.is_in_vain(timed, seconds) {
            return;
        }
        (self.steps, self.time) = (0, Duration::ZERO);
        match self.trial {
            Trial::Running(tried) => self.trial = Trial::Checked(tried, seconds),
            Trial::Checked(tried, of_trial) => {
                self.trial = Trial::None;
                (self.best, self.slow) = (f64::INFINITY, 0);
                let usual = self.usual.map_or(seconds, |before| before.min(seconds));
                if of_trial < GAIN * usual {
                    self.kept = tried;
                    self.usual = Some(of_trial);
                    (self.rest, self.longest_rest) = (1, FIRST_REST);
                    self.urgent = 0;
                } else if self.urgent > 1 {
                    self.usual = Some(seconds);
                    (self.rest, self.urgent) = (0, self.urgent - 1);
                } else {
                    self.usual = Some(seconds);
                    self.urgent = 0;
                    self.longest_rest = (2 * self.longest_rest).min(LONGEST_REST);
                    self.rest = self.longest_rest;
                }
            }
            Trial::None => {
                self.best = seconds.min(FORGETTING * self.best);
                self.slow = if seconds > JUMP * self.best {
                    self.slow + 1
                } else {
                    0
                };
                if self.slow == SUSTAINED {
                    (self.rest, self.urgent) = (0, URGENT);
                }
                self.usual = Some(seconds);
                if self.rest == 0 {
                    self.trial = Trial::Running(self.other());
                } else {
                    self.rest -= 1;
                }
            }
        }
    }

    /// A trial is so much slower that it need not go on.
    fn is_in_vain(&self, timed: u32, seconds: f64) -> bool {
        matches!(self.trial, Trial::Running(_))
            && timed >= FEWEST
            && self.usual.is_some_and(|usual| seconds > JUMP * usual)
    }

    /// Another number than those kept: half as many, one alone, twice as many or
    /// all, in turn.
    fn other(&mut self) -> usize {
        loop {
            self.turn = (self.turn + 1) % 4;
            let other = match self.turn {
                0 => self.kept / 2,
                1 => 1,
                2 => (2 * self.kept).min(self.most),
                _ => self.most,
            };
            if other > 0 && other != self.kept {
                return other;
            }
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
        assert!(found[1] > 0.7, "{found:?}");
        let found = shares(&mut threads, 20_000, quiet);
        assert!(found[4] > 0.75, "{found:?}");
    }

    #[test]
    fn one_thread_is_never_another_number() {
        let mut threads = PayingThreads::new(1);
        let found = shares(&mut threads, 1_000, |_, step| noise(step));
        assert!(found[0] == 0.0 && found[1] > 0.999, "{found:?}");
    }

    /// Steps of a window.
    const WINDOW: u32 = WARM_UP + STEPS;

    /// Asserts which numbers are used for how many steps one after the other, given
    /// the seconds of a step by the number, the step, and the step of its window.
    fn assert_runs(
        most: usize,
        expected: &[(usize, u32)],
        seconds: impl Fn(usize, u32, u32) -> u64,
    ) {
        let mut threads = PayingThreads::new(most);
        let mut found: Vec<(usize, u32)> = Vec::new();
        let steps = expected.iter().map(|&(_, steps)| steps).sum();
        for step in 0..steps {
            let number = threads.number();
            match found.last_mut() {
                Some((last, run)) if *last == number => *run += 1,
                _ => found.push((number, 1)),
            }
            let in_window = (found[found.len() - 1].1 - 1) % WINDOW;
            threads.learn(Duration::from_secs(seconds(number, step, in_window)));
        }
        assert_eq!(found, expected);
    }

    /// The seconds of some numbers, which are all that may be tried.
    fn of_number(seconds: &[(usize, u64)], number: usize) -> u64 {
        let known = seconds.iter().find(|(known, _)| *known == number);
        known.unwrap_or_else(|| panic!("{number} threads")).1
    }

    #[test]
    fn trials_in_vain_become_rare_and_take_turns() {
        let windows = |count| count * WINDOW;
        // Sixteen windows of rest and one to compare with; after a trial one to compare
        // with, a rest of twice the length, and again one.
        let expected = [
            (4, windows(17)),
            (2, windows(1)),
            (4, windows(1 + 32 + 1)),
            (1, windows(1)),
            (4, windows(1 + 64 + 1)),
            (2, windows(1)),
            (4, windows(1 + 128 + 1)),
            (1, windows(1)),
            (4, windows(1 + 256 + 1)),
            (2, windows(1)),
            (4, windows(1 + 256 + 1)),
            (1, windows(1)),
            (4, windows(1)),
        ];
        assert_runs(4, &expected, |_, _, _| 20);
        // On the two borders: 5 % less is not enough, 30 % more not too much.
        for other in [19, 26] {
            let expected = [
                (2, windows(17)),
                (1, windows(1)),
                (2, windows(34)),
                (1, windows(1)),
                (2, windows(1)),
            ];
            let seconds = [(2, 20), (1, other)];
            assert_runs(2, &expected, |number, _, _| of_number(&seconds, number));
        }
    }

    #[test]
    fn a_faster_number_is_kept_and_soon_compared_with_others() {
        let windows = |count| count * WINDOW;
        let in_vain = WARM_UP + FEWEST;
        let seconds = [(8, 20), (4, 18), (2, 10), (1, 27)];
        let expected = [
            (8, windows(17)),
            (4, windows(1)),
            (8, windows(1)),
            (4, windows(2)),
            (1, in_vain),
            (4, windows(1 + 32 + 1)),
            // Twice as many, and then all there are: the same.
            (8, windows(1)),
            (4, windows(1 + 64 + 1)),
            (8, windows(1)),
            (4, windows(1 + 128 + 1)),
            (2, windows(1)),
            (4, windows(1)),
            (2, windows(2)),
            (1, in_vain),
            (2, windows(1 + 32 + 1)),
            (4, in_vain),
            (2, windows(1 + 64 + 1)),
            (8, in_vain),
            (2, windows(1 + 128 + 1)),
            (1, in_vain),
        ];
        assert_runs(8, &expected, |number, _, _| of_number(&seconds, number));
        // Half of one is no number.
        let seconds = [(2, 20), (1, 10)];
        let expected = [
            (2, windows(17)),
            (1, windows(1)),
            (2, windows(1)),
            (1, windows(2)),
            (2, in_vain),
            (1, windows(34)),
            (2, in_vain),
            (1, windows(66)),
            (2, in_vain),
        ];
        assert_runs(2, &expected, |number, _, _| of_number(&seconds, number));
    }

    #[test]
    fn the_first_steps_of_a_window_are_not_timed() {
        let windows = |count| count * WINDOW;
        let seconds = [(4, 20), (2, 18), (1, 30)];
        let expected = [
            (4, windows(17)),
            (2, windows(1)),
            (4, windows(1)),
            (2, windows(2)),
            (1, WARM_UP + FEWEST),
            (2, windows(34)),
        ];
        assert_runs(4, &expected, |number, _, in_window| {
            let is_timed = in_window >= WARM_UP;
            if is_timed {
                of_number(&seconds, number)
            } else {
                1000
            }
        });
    }

    #[test]
    fn six_slow_windows_ask_for_three_trials_at_once() {
        let windows = |count| count * WINDOW;
        let expected = [
            (4, windows(5 + 6)),
            (2, windows(1)),
            (4, windows(2)),
            (1, windows(1)),
            (4, windows(2)),
            (2, windows(1)),
            (4, windows(1 + 32 + 1)),
            (1, windows(1)),
        ];
        assert_runs(
            4,
            &expected,
            |_, step, _| {
                if step < windows(5) { 20 } else { 2000 }
            },
        );
        // Five are not enough, nor is one that takes just 1.3 times the best, of which
        // a hundredth has been forgotten, and five more.
        let usual = [(4, windows(17)), (2, windows(1)), (4, windows(1))];
        for sixth in [1000, 1313] {
            assert_runs(4, &usual, |_, step, _| match step / WINDOW {
                4 => sixth,
                5..10 => 20_000,
                _ => 1000,
            });
        }
        assert_runs(
            4,
            &[(4, windows(10)), (2, windows(1))],
            |_, step, _| match step / WINDOW {
                4 => 1314,
                5.. => 20_000,
                _ => 1000,
            },
        );
    }
}
