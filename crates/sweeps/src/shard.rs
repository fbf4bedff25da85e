//! Which runs of a plan belong to which of several processes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use runs::Error;

use crate::plan::Plan;

/// One of several parts, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

/// What `--shard` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This one.
    Of(Shard),
    /// What the engine says that has started this process, of so many parts where that
    /// is said.
    Auto(Option<usize>),
}

impl Plan {
    /// The places of the runs of a shard, ascending.
    ///
    /// Every run belongs to one shard. The longest runs are dealt first, each to the
    /// shard that has least so far, so that all take about the same time: a function of
    /// the plan alone, which all processes compute alike.
    #[must_use]
    pub fn shard(&self, shard: Shard) -> Vec<usize> {
        let mut longest: Vec<usize> = (0..self.runs.len()).collect();
        longest.sort_by(|&a, &b| self.runs[b].seconds.total_cmp(&self.runs[a].seconds));
        // Bits of numbers that are not negative are ordered as the numbers are.
        let mut loads: BinaryHeap<Reverse<(u64, usize)>> =
            (0..shard.count).map(|index| Reverse((0, index))).collect();
        let mut own = Vec::new();
        for place in longest {
            let Some(Reverse((load, index))) = loads.pop() else {
                break;
            };
            if index == shard.index {
                own.push(place);
            }
            let load = f64::from_bits(load) + self.runs[place].seconds.max(0.0);
            loads.push(Reverse((load.to_bits(), index)));
        }
        own.sort_unstable();
        own
    }
}

impl Shard {
    /// The one of so many that is called `index`.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(index: usize, count: usize) -> Result<Self, Error> {
        if index < count {
            return Ok(Self { index, count });
        }
        Err(Error::Configuration(format!(
            "--shard asks for part {index} of {count}; parts are counted from 0, so that the last of {count} is {}",
            count.saturating_sub(1)
        )))
    }

    /// The one that the engine says which has started this process: a job array of
    /// Slurm, PBS, SGE or AWS Batch, or an indexed job of Kubernetes, by the variables
    /// that `environment` gives. Of `count` parts where that is given; otherwise of as
    /// many as the array has, which PBS and Kubernetes do not say.
    ///
    /// # Errors
    /// When no engine or several say an index, it is beyond the parts, or their number
    /// is not known.
    pub fn of_engine(
        count: Option<usize>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let number = |name: &str| environment(name)?.trim().parse::<usize>().ok();
        let mut found = ENGINES.iter().filter_map(|engine| {
            let index = engine.index.iter().find_map(|name| number(name))?;
            Some((engine, index))
        });
        let (engine, index) = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (None, _) => {
                let names: Vec<&str> = ENGINES
                    .iter()
                    .flat_map(|engine| engine.index)
                    .copied()
                    .collect();
                return Err(Error::Configuration(format!(
                    "--shard is auto, but no engine has set one of {} to a number; name a part as I/N, or leave --shard out for all runs",
                    names.join(", ")
                )));
            }
            (Some((one, _)), Some((other, _))) => {
                return Err(Error::Configuration(format!(
                    "--shard is auto, but both {} and {} say an index; name a part as I/N",
                    one.name, other.name
                )));
            }
        };
        if let Some(count) = count {
            let index = index
                .checked_sub(engine.first)
                .filter(|index| *index < count);
            return index.map(|index| Self { index, count }).ok_or_else(|| {
                let (first, last) = (engine.first, engine.first + count.saturating_sub(1));
                Error::Configuration(format!(
                    "--shard is auto/{count}, but the index of {} is none of {first} to {last}; make the array {first}-{last}",
                    engine.name
                ))
            });
        }
        engine.array(index, number)
    }
}

/// What sets a variable with an index in each of many processes.
struct Engine {
    name: &'static str,
    /// The index, by its names.
    index: &'static [&'static str],
    /// What the first of an array is by custom.
    first: usize,
    /// Lowest and highest index and the step between them.
    range: Option<[&'static str; 3]>,
    /// How many there are.
    size: Option<&'static str>,
}

const ENGINES: [Engine; 5] = [
    Engine {
        name: "Slurm",
        index: &["SLURM_ARRAY_TASK_ID"],
        first: 0,
        range: Some([
            "SLURM_ARRAY_TASK_MIN",
            "SLURM_ARRAY_TASK_MAX",
            "SLURM_ARRAY_TASK_STEP",
        ]),
        size: Some("SLURM_ARRAY_TASK_COUNT"),
    },
    Engine {
        name: "PBS",
        index: &["PBS_ARRAY_INDEX", "PBS_ARRAYID"],
        first: 0,
        range: None,
        size: None,
    },
    // Outside of arrays the index is the word "undefined".
    Engine {
        name: "SGE",
        index: &["SGE_TASK_ID"],
        first: 1,
        range: Some(["SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"]),
        size: None,
    },
    Engine {
        name: "Kubernetes",
        index: &["JOB_COMPLETION_INDEX"],
        first: 0,
        range: None,
        size: None,
    },
    Engine {
        name: "AWS Batch",
        index: &["AWS_BATCH_JOB_ARRAY_INDEX"],
        first: 0,
        range: None,
        size: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
];

impl Engine {
    /// The part that an index is of a whole array.
    fn array(&self, index: usize, number: impl Fn(&str) -> Option<usize>) -> Result<Shard, Error> {
        let size = self.size.and_then(&number);
        if let Some(range) = self.range
            && let [Some(first), Some(last), Some(step)] = range.map(&number)
            && step > 0
            && (first..=last).contains(&index)
        {
            let count = (last - first) / step + 1;
            let is_whole = size.is_none_or(|size| size == count);
            if is_whole && (index - first).is_multiple_of(step) {
                return Shard::new((index - first) / step, count);
            }
            return Err(Error::Configuration(format!(
                "--shard is auto, but the array of {} from {first} to {last} has gaps, which hide how many parts there are; say it with auto/N",
                self.name
            )));
        }
        match (self.range, size) {
            (None, Some(count)) => Shard::new(index, count),
            _ => Err(Error::Configuration(format!(
                "--shard is auto, but {} does not say of how many parts; say it with auto/N",
                self.name
            ))),
        }
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            || format!("'{text}' is no part; expected I/N with I from 0 to N−1, auto, or auto/N");
        let count = |text: &str| text.parse().ok().filter(|count| *count > 0);
        match text.trim().split_once('/') {
            None if text.trim() == "auto" => Ok(Self::Auto(None)),
            None => Err(expected()),
            Some((index, of)) => {
                let of = count(of).ok_or_else(expected)?;
                if index == "auto" {
                    return Ok(Self::Auto(Some(of)));
                }
                let index: usize = index.parse().map_err(|_| expected())?;
                let shard = Shard::new(index, of).map_err(|error| error.to_string())?;
                Ok(Self::Of(shard))
            }
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::PlannedRun;
    use runs::configuration::Configuration;

    fn plan(seconds: &[f64]) -> Plan {
        let run = |(place, &seconds): (usize, &f64)| PlannedRun {
            id: format!("{place:012}"),
            run: format!("run-{place}"),
            model: "m".into(),
            seed: place as u64,
            digest: String::new(),
            dataset_sha256: String::new(),
            seconds,
            configuration: Configuration::default(),
        };
        Plan {
            runs: seconds.iter().enumerate().map(run).collect(),
        }
    }

    #[test]
    fn every_run_is_in_one_shard_and_all_take_about_as_long() {
        let seconds: Vec<f64> = (0..200).map(|i| [1.0, 40.0, 3.0, 7.0][i % 4]).collect();
        let plan = plan(&seconds);
        for count in [1, 2, 3, 7, 16, 300] {
            let shards: Vec<Vec<usize>> = (0..count)
                .map(|index| plan.shard(Shard { index, count }))
                .collect();
            let mut all: Vec<usize> = shards.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..200), "{count}");
            let took = |shard: &Vec<usize>| shard.iter().map(|&place| seconds[place]).sum::<f64>();
            let times: Vec<f64> = shards.iter().map(took).collect();
            let (least, most) = times
                .iter()
                .fold((f64::MAX, 0.0_f64), |(least, most), &time| {
                    (least.min(time), most.max(time))
                });
            // Never more than the longest run apart.
            assert!(most - least <= 40.0, "{count}: {least} to {most}");
        }
    }

    #[test]
    fn parts_are_written_as_people_write_them() {
        let of = |text: &str| text.parse::<Asked>();
        assert_eq!(of("2/3"), Ok(Asked::Of(Shard { index: 2, count: 3 })));
        assert_eq!(of("auto"), Ok(Asked::Auto(None)));
        assert_eq!(of("auto/12"), Ok(Asked::Auto(Some(12))));
        for wrong in [
            "", "3", "3/", "/3", "a/3", "-1/3", "1/0", "auto/0", "auto/x",
        ] {
            assert!(
                of(wrong).expect_err(wrong).contains("expected I/N"),
                "{wrong}"
            );
        }
        assert!(of("3/3").expect_err("beyond").contains("counted from 0"));
    }

    #[test]
    fn engines_say_which_part_this_is() {
        let of = |count: Option<usize>, variables: &[(&str, &str)]| {
            let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
            Shard::of_engine(count, |name| variables.get(name).map(ToString::to_string))
                .map(|shard| shard.to_string())
                .map_err(|error| error.to_string())
        };
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_MAX", "9"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "5"),
        ];
        assert_eq!(of(None, &slurm), Ok("3/5".into()));
        // One task of twelve that was submitted again is still that part.
        assert_eq!(of(Some(12), &slurm), Ok("7/12".into()));
        assert!(
            of(Some(7), &slurm)
                .expect_err("beyond")
                .contains("make the array 0-6")
        );
        let mut gaps = slurm;
        gaps[4].1 = "3";
        assert!(of(None, &gaps).expect_err("gaps").contains("has gaps"));
        let sge = [
            ("SGE_TASK_ID", "3"),
            ("SGE_TASK_FIRST", "1"),
            ("SGE_TASK_LAST", "4"),
            ("SGE_TASK_STEPSIZE", "1"),
        ];
        assert_eq!(of(None, &sge), Ok("2/4".into()));
        assert_eq!(of(Some(4), &sge), Ok("2/4".into()));
        let aws = [
            ("AWS_BATCH_JOB_ARRAY_INDEX", "1"),
            ("AWS_BATCH_JOB_ARRAY_SIZE", "8"),
        ];
        assert_eq!(of(None, &aws), Ok("1/8".into()));
        for name in ["PBS_ARRAY_INDEX", "PBS_ARRAYID", "JOB_COMPLETION_INDEX"] {
            assert_eq!(of(Some(8), &[(name, "5")]), Ok("5/8".into()));
            let message = of(None, &[(name, "5")]).expect_err("of how many");
            assert!(message.contains("auto/N"), "{message}");
        }
        for outside in [&[][..], &[("SGE_TASK_ID", "undefined")]] {
            let message = of(Some(3), outside).expect_err("no engine");
            assert!(message.contains("no engine has set one of"), "{message}");
        }
        let message = of(Some(3), &[slurm[0], ("PBS_ARRAYID", "1")]).expect_err("two");
        assert!(message.contains("both Slurm and PBS"), "{message}");
    }
}
