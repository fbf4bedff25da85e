//! How many seeds a study's models are trained with.

use std::fmt;
use std::str::FromStr;

use evaluation::statistics::sequential::{FIRST, Look, USUAL_MOST, looks};
use runs::Error;
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The most seeds of a model: with more, names of runs alone fill the memory.
pub const MOST_SEEDS: usize = 10_000;

const UNTIL_DECIDED: &str = "until-decided";

/// Seeds per model, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// So many of each.
    Each(usize),
    /// So many as it takes to decide the statements about it, in steps, and no
    /// more than this.
    UntilDecided(usize),
}

impl Seeds {
    /// The most that a model has.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::Each(seeds) | Self::UntilDecided(seeds) => seeds,
        }
    }

    /// After how many seeds statements are looked at, and what part of the level
    /// each look may spend.
    #[must_use]
    pub fn looks(self) -> Vec<Look> {
        match self {
            Self::Each(seeds) => vec![Look::only(seeds)],
            Self::UntilDecided(most) => looks(most),
        }
    }

    /// At least one, or as many as the first look has, and at most [`MOST_SEEDS`]; `name` is what they are called
    /// where they were asked for.
    ///
    /// # Errors
    /// [`Error::Configuration`] for others.
    pub fn check(self, name: &str) -> Result<(), Error> {
        let (what, fewest) = match self {
            Self::Each(_) => ("", 1),
            Self::UntilDecided(_) => ("its most seeds ", FIRST),
        };
        let bound = match self.most() {
            most if most < fewest => format!("at least {fewest}"),
            most if most > MOST_SEEDS => format!("at most {MOST_SEEDS}"),
            _ => return Ok(()),
        };
        Err(Error::Configuration(format!(
            "{name} is {self}, but {what}must be {bound}"
        )))
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each(seeds) => write!(f, "{seeds}"),
            Self::UntilDecided(most) => write!(f, "{UNTIL_DECIDED}:{most}"),
        }
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || {
            format!(
                "'{text}' is no number of seeds; expected one such as 5, {UNTIL_DECIDED}, or {UNTIL_DECIDED}:MAX with the most seeds"
            )
        };
        match text.strip_prefix(UNTIL_DECIDED) {
            Some("") => Ok(Self::UntilDecided(USUAL_MOST)),
            Some(rest) => {
                let most = rest.strip_prefix(':').and_then(|most| most.parse().ok());
                most.map(Self::UntilDecided).ok_or_else(expected)
            }
            None => text.parse().map(Self::Each).map_err(|_| expected()),
        }
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = Seeds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "a number of seeds, \"{UNTIL_DECIDED}\" or \"{UNTIL_DECIDED}:MAX\""
                )
            }

            fn visit_i64<E: de::Error>(self, seeds: i64) -> Result<Seeds, E> {
                let seeds = usize::try_from(seeds);
                seeds
                    .map(Seeds::Each)
                    .map_err(|_| E::custom("seeds is below 0, but must be at least 1"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seeds, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_until_decided() {
        let of = |text: &str| text.parse::<Seeds>();
        assert_eq!(of("5"), Ok(Seeds::Each(5)));
        assert_eq!(of("until-decided"), Ok(Seeds::UntilDecided(40)));
        assert_eq!(of("until-decided:80"), Ok(Seeds::UntilDecided(80)));
        for wrong in [
            "",
            "-1",
            "until",
            "until-decided:",
            "until-decided:x",
            "1.5",
        ] {
            let message = of(wrong).unwrap_err();
            assert!(message.contains("until-decided:MAX"), "{message}");
        }
        for (seeds, expected) in [
            (Seeds::Each(0), "--seeds is 0, but must be at least 1"),
            (
                Seeds::UntilDecided(20_000),
                "--seeds is until-decided:20000, but its most seeds must be at most 10000",
            ),
            (
                Seeds::UntilDecided(4),
                "--seeds is until-decided:4, but its most seeds must be at least 5",
            ),
        ] {
            let message = seeds.check("--seeds").unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(Seeds::Each(7).looks(), [Look::only(7)]);
        assert_eq!(Seeds::UntilDecided(40).looks().len(), 4);
        let written = Seeds::UntilDecided(30);
        assert_eq!(of(&written.to_string()), Ok(written));
    }
}
