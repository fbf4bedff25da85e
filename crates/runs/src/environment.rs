//! Where a run was made: what `environment.json` records.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

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
    /// Threads the run uses.
    pub threads: usize,
    /// SHA-256 over the data set's decompressed content.
    pub dataset_sha256: String,
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
            threads,
            dataset_sha256: dataset_sha256.into(),
        }
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

/// Names the git revision of this process, once: a program that knows its own
/// says it before its first run.
pub fn name_revision(revision: &'static str) {
    REVISION.get_or_init(|| revision);
}

/// Threads to use: as asked, else `SLURM_CPUS_PER_TASK`, else all cores, and
/// never more than pay. Threads that share a core wait for each other.
#[must_use]
pub fn threads(asked: Option<usize>) -> usize {
    let by_scheduler = || std::env::var("SLURM_CPUS_PER_TASK").ok()?.parse().ok();
    let most = most_threads();
    asked
        .or_else(by_scheduler)
        .map_or(most, |count| count.clamp(1, most))
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
    fn threads_are_at_least_one_and_no_more_than_pay() {
        let most = most_threads();
        assert_eq!(threads(Some(0)), 1);
        assert_eq!(threads(Some(1)), 1);
        assert_eq!(threads(Some(most)), most);
        assert_eq!(threads(Some(usize::MAX)), most);
        assert!((1..=models::MAXIMUM_THREADS).contains(&threads(None)));
    }
}
