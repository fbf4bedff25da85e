//! How different the images of a patch of a lattice are, all with all.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::{Result, require_rows};
use crate::map::{LatticeShape, centre_tiles, image_distance, require_tiles};

/// Differences of the images of a square patch, Euclidean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PatchDifference {
    /// Of the tile at the bottom left and that at the top right.
    pub corners: f64,
    /// Of the two tiles that differ most.
    pub largest: f64,
    /// Mean over all pairs of tiles.
    pub mean: f64,
}

/// How different the images of the centre patch of `side` × `side` tiles are;
/// `images` is [tiles, pixels].
///
/// A patch may change little from tile to tile and yet from end to end: this is
/// about the latter, [`neighbour_change`](crate::map::neighbour_change) about the
/// former.
///
/// # Errors
/// An array that does not fit the lattice, a patch larger than it or of fewer
/// than two tiles, or a pixel that is not finite.
pub fn centre_difference(
    images: ArrayView2<'_, f32>,
    shape: LatticeShape,
    side: usize,
) -> Result<PatchDifference> {
    require_tiles("the array of decoded images", &images, shape)?;
    let tiles = centre_tiles(shape, side)?;
    require_rows("the centre patch", tiles.len(), 2)?;
    let patch = images.select(Axis(0), &tiles);
    let pairs = (0..tiles.len()).flat_map(|a| (a + 1..tiles.len()).map(move |b| (a, b)));
    let distances: Vec<f64> = pairs
        .map(|(a, b)| image_distance(&patch.view(), a, b))
        .collect();
    Ok(PatchDifference {
        corners: image_distance(&patch.view(), (side - 1) * side, side - 1),
        largest: distances.iter().copied().fold(0.0, f64::max),
        mean: distances.iter().sum::<f64>() / distances.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    const SHAPE: LatticeShape = LatticeShape {
        rows: 4,
        columns: 5,
    };

    /// One pixel that is 1 a row and 10 a column: differences are sums of both.
    fn slope() -> Array2<f32> {
        Array2::from_shape_fn((SHAPE.len(), 1), |(tile, _)| {
            (tile / 5) as f32 + 10.0 * (tile % 5) as f32
        })
    }

    #[test]
    fn corners_are_those_of_the_patch() {
        // Rows 1 and 2, columns 1 and 2: values 11, 21, 12, 22.
        let found = centre_difference(slope().view(), SHAPE, 2).unwrap();
        // Bottom left 12, top right 21.
        assert_eq!(found.corners, 9.0);
        assert_eq!(found.largest, 11.0);
        // |11−21|, |11−12|, |11−22|, |21−12|, |21−22|, |12−22|.
        assert!((found.mean - (10.0 + 1.0 + 11.0 + 9.0 + 1.0 + 10.0) / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_patch_fits_and_has_two_tiles() {
        assert!(centre_difference(slope().view(), SHAPE, 5).is_err());
        assert!(centre_difference(slope().view(), SHAPE, 1).is_err());
        assert!(centre_difference(slope().view(), SHAPE, 4).is_ok());
    }
}
