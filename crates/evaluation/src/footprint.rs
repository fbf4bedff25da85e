//! How much memory an evaluation takes, told before any is taken.

use models::ModelSpec;
use models::footprint::pass_bytes;

use crate::rates::joint::POSTERIORS_TOGETHER;
use crate::rates::marginals::POSTERIOR_BYTES;
use crate::rates::{DIMENSIONS_TOGETHER, MOST_CODES};
use crate::tiles::TILE_ROWS;

/// Bytes of [`evaluate`](crate::evaluate) and, of a variational model,
/// [`rate_decomposition`](crate::rates::rate_decomposition) of `rows` rows on
/// `threads` threads, one after the other.
///
/// The first is a pass of all rows. The second holds μ and log σ² of each latent
/// variable of a row and, of the codes that are measured, z. First there are
/// 2L + 1 factors of f64 of each such code and of a block of posteriors, and for
/// every thread a tile of densities and the block in the order of its products.
/// Then, of a few dimensions at a time, there are three numbers of each posterior,
/// and of each code its place in the order and some sums.
#[must_use]
pub fn evaluation_bytes(spec: &ModelSpec, rows: usize, threads: usize) -> u64 {
    let pass = pass_bytes(spec, rows, threads);
    if !spec.kind.is_variational() {
        return pass;
    }
    let (single, double) = (size_of::<f32>() as f64, size_of::<f64>() as f64);
    let latent = spec.architecture.latent as f64;
    let (all, codes) = (rows as f64, rows.min(MOST_CODES) as f64);
    let held = single * latent * (2.0 * all + codes);
    let (width, block) = (2.0 * latent + 1.0, rows.min(POSTERIORS_TOGETHER) as f64);
    let threads = threads.min(rows.min(MOST_CODES).div_ceil(TILE_ROWS)) as f64;
    let tile = codes.min(TILE_ROWS as f64) * block;
    let joint = double * (width * (codes + block) + threads * (tile + width * block));
    let dimensions = latent.min(DIMENSIONS_TOGETHER as f64);
    let marginal = dimensions * (POSTERIOR_BYTES as f64 * all + 8.0 * double * codes);
    // A conversion to integers saturates.
    pass.max((held + joint.max(marginal)) as u64)
}
