//! How much memory an evaluation takes, told before any is taken.

use models::ModelSpec;
use models::footprint::pass_bytes;

use crate::rates::MOST_CODES;

/// Bytes of [`evaluate`](crate::evaluate) and, of a variational model,
/// [`rate_decomposition`](crate::rates::rate_decomposition) of `rows` rows on
/// `threads` threads, one after the other.
///
/// The first is a pass of all rows. The second holds six numbers for each
/// latent variable of a row: μ and log σ², z, and of the mixture that z is
/// measured against the mean, half the precision and the offset; and two doubles,
/// one in the pieces of the threads and one joined, for each variable of the codes
/// that are measured.
#[must_use]
pub fn evaluation_bytes(spec: &ModelSpec, rows: usize, threads: usize) -> u64 {
    let pass = pass_bytes(spec, rows, threads);
    if !spec.kind.is_variational() {
        return pass;
    }
    let latent = spec.architecture.latent as f64;
    let number = size_of::<f32>() as f64 * rows as f64 * latent;
    let mixture = 6.0 * number;
    let measured = 2.0 * size_of::<f64>() as f64 * rows.min(MOST_CODES) as f64 * (latent + 1.0);
    // A conversion to integers saturates.
    pass.max((mixture + measured) as u64)
}
