//! Where a run was made: what `environment.json` records.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::imported::Provenance;

static REVISION: OnceLock<&str> = OnceLock::new();

/// The surroundings of a run. None of it changes a result, except that
/// another instruction-set path may round differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of this program.
    pub version: String,
    /// Git revision it was built from, or `unknown`.
    pub revision: String,
    /// Instruction-set path of the kernels.
    pub instruction_set: String,
    /// CPU features of the machine that the kernels look at.
    pub cpu_features: Vec<String>,
    /// Operating system and kind of processor; empty in files of older versions.
    #[serde(default)]
    pub platform: String,
    /// Tells mathematical libraries apart, see [`tensor_ops::library::fingerprint`];
    /// empty in files of older versions.
    #[serde(default)]
    pub library: String,
    /// Threads the run uses.
    pub threads: usize,
    /// SHA-256 over the data set's decompressed content.
    pub dataset_sha256: String,
    /// Other instruction-set paths that the run went on with: its bits are then
    /// those of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continued_on: Vec<String>,
    /// Where the weights are from, if another program trained them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Provenance>,
    /// Other mathematical libraries that it went on with, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continued_with: Vec<String>,
}

impl Environment {
    /// Describes this process running on `threads` threads.
    #[must_use]
    pub fn describe(threads: usize, dataset_sha256: &str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: REVISION.get().copied().unwrap_or("unknown").into(),
            instruction_set: tensor_ops::isa::isa().to_string(),
            cpu_features: cpu_features(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            library: format!("{:016x}", tensor_ops::library::fingerprint()),
            threads,
            dataset_sha256: dataset_sha256.into(),
            continued_on: Vec::new(),
            imported: None,
            continued_with: Vec::new(),
        }
    }

    /// Notes that the run goes on in the process that `here` describes. A sentence where
    /// that rounds as none before it has.
    pub(crate) fn go_on(&mut self, here: &Self) -> Option<String> {
        let is_new = |first: &str, others: &[String], now: &String| {
            !first.is_empty() && first != now && !others.contains(now)
        };
        let has_other_path = is_new(
            &self.instruction_set,
            &self.continued_on,
            &here.instruction_set,
        );
        let has_other_library = is_new(&self.library, &self.continued_with, &here.library);
        if has_other_library {
            self.continued_with.push(here.library.clone());
        }
        if has_other_path {
            self.continued_on.push(here.instruction_set.clone());
            return Some(format!(
                "the run began with the instruction set {} and goes on with {}, which rounds \
                 otherwise: its bits will be those of neither",
                self.instruction_set, here.instruction_set
            ));
        }
        has_other_library.then(|| {
            "the run began with another mathematical library than this machine's, which \
             computes other last digits: its bits will be those of neither"
                .into()
        })
    }
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<String> {
    let features = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ("avx512dq", std::arch::is_x86_feature_detected!("avx512dq")),
        ("avx512vl", std::arch::is_x86_feature_detected!("avx512vl")),
        ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
    ];
    features
        .into_iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_features() -> Vec<String> {
    vec![std::env::consts::ARCH.to_owned()]
}

/// The processor's name; none where the system does not tell.
#[must_use]
pub fn processor() -> Option<String> {
    named_processor(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

/// The first `model name` of proc(5)'s cpuinfo.
fn named_processor(information: &str) -> Option<String> {
    let mut fields = information.lines().filter_map(|line| line.split_once(':'));
    let (_, name) = fields.find(|(key, _)| key.trim() == "model name")?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Names the git revision of this process, once: a program that knows its own
/// says it before its first run.
pub fn name_revision(revision: &'static str) {
    REVISION.get_or_init(|| revision);
}

/// Threads to use: as asked, else what a scheduler has given this process, else all
/// cores, and never more than pay. Threads that share a core wait for each other.
#[must_use]
pub fn threads(asked: Option<usize>) -> usize {
    let most = most_threads();
    asked
        .or_else(|| given(|name| std::env::var(name).ok()))
        .map_or(most, |count| count.clamp(1, most))
}

/// Cores that a scheduler has given this process, as its variables say: where it does
/// not confine the process to them, nothing else does. Slurm says them by task where
/// that was asked for, and else by node; SGE and PBS by job.
fn given(variable: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
    let is_one_task = || number("SLURM_NTASKS").is_none_or(|tasks| tasks == 1);
    number("SLURM_CPUS_PER_TASK")
        .or_else(|| number("SLURM_CPUS_ON_NODE").filter(|_| is_one_task()))
        // Other programs have variables of these names.
        .or_else(|| variable("SGE_TASK_ID").and_then(|_| number("NSLOTS")))
        .or_else(|| variable("PBS_JOBID").and_then(|_| number("NCPUS")))
}

/// The most threads that may be used: the cores that affinity and the quota of the
/// control group leave this process. A step by hand is spread over fewer
/// ([`models::Gradients::most_threads`]), evaluation and several runs over all.
#[must_use]
pub fn most_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    cores.min(models::MAXIMUM_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_where_the_system_does() {
        let information =
            "processor\t: 0\nmodel name\t: Intel(R) Xeon(R): x\nmodel name\t: other\n";
        let name = named_processor(information);
        assert_eq!(name.as_deref(), Some("Intel(R) Xeon(R): x"));
        assert_eq!(named_processor("processor : 0\nmodel name :\n"), None);
    }

    #[test]
    fn a_scheduler_says_how_many_cores_it_has_given() {
        let of = |variables: &[(&str, &str)]| {
            given(|name| {
                let mut found = variables.iter().filter(|(known, _)| *known == name);
                found.next().map(|(_, value)| (*value).to_owned())
            })
        };
        let per_task = ("SLURM_CPUS_PER_TASK", "3");
        let on_node = ("SLURM_CPUS_ON_NODE", "8");
        assert_eq!(of(&[per_task, on_node]), Some(3));
        assert_eq!(of(&[on_node]), Some(8));
        // Several tasks of the node share them.
        assert_eq!(of(&[on_node, ("SLURM_NTASKS", "4")]), None);
        assert_eq!(
            of(&[("SGE_TASK_ID", "undefined"), ("NSLOTS", "4")]),
            Some(4)
        );
        assert_eq!(of(&[("PBS_JOBID", "7.x"), ("NCPUS", "2")]), Some(2));
        assert_eq!(of(&[("NSLOTS", "4"), ("NCPUS", "2")]), None);
        assert_eq!(of(&[("SLURM_CPUS_PER_TASK", "many")]), None);
    }

    #[test]
    fn threads_are_at_least_one_and_no_more_than_pay() {
        let most = most_threads();
        assert_eq!(threads(Some(0)), 1);
        assert_eq!(threads(Some(1)), 1);
        assert_eq!(threads(Some(most)), most);
        assert_eq!(threads(Some(usize::MAX)), most);
        assert!((1..=models::MAXIMUM_THREADS).contains(&threads(None)));
    }
}
