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

/// Threads to use: as asked, else `SLURM_CPUS_PER_TASK`, else all cores this
/// process may run on.
#[must_use]
pub fn threads(asked: Option<usize>) -> usize {
    asked
        .or_else(|| std::env::var("SLURM_CPUS_PER_TASK").ok()?.parse().ok())
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1)
        .max(1)
}
