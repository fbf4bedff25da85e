//! `--checkpoint-every` of the commands that train.

use std::time::Duration;

use clap::Args;
use runs::training::CHECKPOINT_EVERY;

/// How long training goes on without a checkpoint.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CheckpointOption {
    /// The longest that training goes on without a checkpoint, which is what a
    /// kill or a power cut costs at most: 60s, 500ms, 10m or 1h; 0s for one
    /// after every step. Never changes the result. [default: 60s]
    #[arg(id = "checkpoint_every", long = "checkpoint-every", value_name = "TIME", value_parser = time)]
    every: Option<Duration>,
}

impl CheckpointOption {
    pub(crate) fn every(self) -> Duration {
        self.every.unwrap_or(CHECKPOINT_EVERY)
    }
}

/// A number with a unit; seconds without one.
fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let number: f64 = digits.trim_end().parse().unwrap_or(f64::NAN);
    Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| "expected a number of seconds, or one with a unit: 500ms, 60s, 10m, 1h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("60s", 60_000),
            ("60", 60_000),
            ("0s", 0),
            ("500ms", 500),
            ("1.5 s", 1500),
            ("10m", 600_000),
            ("2min", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                time(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "s", "-1s", "nan", "1d", "1e400", "60 seconds", "é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
