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

#[cfg(test)]
mod tests {
    use models::{Likelihood, ModelKind};

    use super::*;

    fn spec(kind: ModelKind, architecture: &str) -> ModelSpec {
        ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        }
    }

    /// Array by array: f32 and f64 of 4 and 8 bytes, blocks of 1024 posteriors, tiles of
    /// 128 codes, 10,000 codes at most.
    #[test]
    fn the_arrays_of_a_rate_are_counted_one_by_one() {
        for (architecture, rows, threads, expected) in [
            // Of 300 variables what is joint is more than the margins.
            (
                "12-300",
                20_000,
                3,
                // μ, log σ² and z.
                4 * 300 * (20_000 + 20_000 + 10_000)
                    // 601 factors of codes and posteriors; the tile and 601 factors
                    // of a block on each thread.
                    + 8 * 601 * (10_000 + 1024)
                    + 3 * 8 * (128 * 1024 + 601 * 1024),
            ),
            // Of many rows of two variables the margins are more: mean and share in
            // f32 and 1/σ in f64 of each posterior, 64 bytes of a code.
            (
                "12-2",
                100_000,
                1,
                4 * 2 * (100_000 + 100_000 + 10_000) + 2 * ((4 + 4 + 8) * 100_000 + 64 * 10_000),
            ),
            // Of five variables four are in memory at a time.
            (
                "12-5",
                100_000,
                1,
                4 * 5 * (100_000 + 100_000 + 10_000) + 4 * ((4 + 4 + 8) * 100_000 + 64 * 10_000),
            ),
            // Fewer rows than a tile or a block has, and work for one thread alone.
            (
                "12-50",
                100,
                7,
                4 * 50 * (100 + 100 + 100) + 8 * 101 * (100 + 100) + 8 * (100 * 100 + 101 * 100),
            ),
            // 200 codes are two tiles.
            (
                "12-50",
                200,
                7,
                4 * 50 * (200 + 200 + 200)
                    + 8 * 101 * (200 + 200)
                    + 2 * 8 * (128 * 200 + 101 * 200),
            ),
        ] {
            let spec = spec(ModelKind::Vae, architecture);
            assert!(pass_bytes(&spec, rows, threads) < expected);
            let found = evaluation_bytes(&spec, rows, threads);
            assert_eq!(found, expected, "{architecture}, {rows} rows");
        }
    }

    #[test]
    fn a_pass_is_all_of_an_autoencoder_and_of_wide_layers() {
        for (kind, architecture) in [(ModelKind::Ae, "12-300"), (ModelKind::Vae, "100-7000-2")] {
            let spec = spec(kind, architecture);
            let pass = pass_bytes(&spec, 600, 2);
            assert!(pass > 100_000);
            assert_eq!(evaluation_bytes(&spec, 600, 2), pass);
        }
    }
}
