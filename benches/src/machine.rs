//! Which machine figures are of.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use runs::environment::processor;
use serde::Serialize;

/// A machine, as far as it tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// The processor's name; absent where the system does not tell.
    pub processor: Option<String>,
    /// Processors that this process may use.
    pub cores: usize,
    /// Clock of one core at work, in GHz: of a chain of integer operations of a
    /// cycle each, the fastest of several runs.
    pub clock_ghz: f64,
}

impl Machine {
    pub(super) fn measure() -> Self {
        Self {
            processor: processor(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            clock_ghz: clock_ghz(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.processor.as_deref().unwrap_or("unnamed processor");
        let noun = if self.cores == 1 { "core" } else { "cores" };
        let Self {
            cores, clock_ghz, ..
        } = self;
        write!(f, "{name}, {cores} {noun}, {clock_ghz:.2} GHz")
    }
}

/// Each round is an exclusive or and a rotation, which wait for each other and
/// take a cycle each on every processor of the last decades.
fn clock_ghz() -> f64 {
    const RUNS: usize = 20;
    const ROUNDS: u32 = 200_000;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let began = Instant::now();
        let mut value = black_box(1_u64);
        let mask = black_box(0x9e37_79b9_7f4a_7c15_u64);
        for _ in 0..ROUNDS {
            value = (value ^ mask).rotate_left(7);
        }
        black_box(value);
        best = best.min(began.elapsed().as_secs_f64());
    }
    2.0 * f64::from(ROUNDS) / best / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_name_is_told() {
        let machine = Machine {
            processor: None,
            cores: 1,
            clock_ghz: 2.0,
        };
        assert_eq!(machine.to_string(), "unnamed processor, 1 core, 2.00 GHz");
    }

    #[test]
    fn the_clock_is_one_of_a_processor() {
        let clock = clock_ghz();
        assert!((0.05..10.0).contains(&clock), "{clock}");
    }
}
