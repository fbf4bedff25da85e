//! Numbers about a decoded lattice: what an own classifier sees on it, how
//! fast neighbouring tiles change, and how its classes hang together.
//!
//! A lattice is given row by row, as it is drawn: tile `r·columns + c` is row
//! `r` from the top, column `c` from the left. Only neighbourhood matters here,
//! not where the codes lie, so linear lattices and lattices at the prior's
//! quantiles are measured alike; the meaning of a share differs (a linear
//! lattice weighs every piece of the plane alike, a quantile lattice weighs by
//! the prior), so state which it was.
//!
//! Pitfall of everything here that uses a classifier: it was trained on images
//! of the data set, and is over-confident about decoded images that resemble
//! none. Put q(z)/p(z) beside the confidence before reading it as quality.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::classifier::likeliest;
use crate::error::{Result, require, require_finite, require_labels, require_rows, require_shape};

/// Rows and columns of a lattice of decoded images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatticeShape {
    /// Rows, counted from the top.
    pub rows: usize,
    /// Columns, counted from the left.
    pub columns: usize,
}

impl LatticeShape {
    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether there is no tile.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a classifier sees on a lattice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMap {
    /// The lattice.
    pub shape: LatticeShape,
    /// Most probable class of each tile; the smaller class on a tie.
    pub classes: Vec<u32>,
    /// Its probability.
    pub confidence: Vec<f32>,
    /// Share of tiles of each class; sums to 1. Times the area of the window
    /// drawn it is a second definition of "the area of a class", from what the
    /// decoder draws instead of where codes lie.
    pub class_share: Vec<f64>,
    /// Share a class needs to count as a kind of object on the map.
    pub minimum_share: f64,
    /// Classes whose share reaches it.
    pub kinds: usize,
    /// Entropy of `class_share` in bits: 0 for one class, log₂ 10 = 3.32 for
    /// ten equal ones.
    pub class_entropy: f64,
    /// Mean over tiles of the entropy of the classifier's answer, in bits: how
    /// undecided it is about single tiles.
    pub conditional_entropy: f64,
    /// Mean over tiles of the probability of the most probable class.
    pub mean_confidence: f64,
    /// exp(mean KL(p(y|x) ‖ p(y))), between 1 and the number of classes: the
    /// Inception Score (Salimans et al. 2016) with an own classifier.
    pub inception_score: f64,
    /// Connected regions of each class; tiles touch by an edge.
    pub regions: Vec<usize>,
    /// Share of neighbouring pairs of tiles whose classes differ; `None` of a
    /// lattice of one tile.
    pub boundary_share: Option<f64>,
}

/// Reads a lattice through a classifier.
///
/// `probabilities` is [tiles, classes], one row per tile. A class counts as a
/// kind when at least `minimum_share` of the tiles show it; 0.01 asks for 5 of
/// 441 tiles, so that one misread tile makes no kind.
///
/// # Errors
/// An array that does not fit the lattice, an empty lattice, a probability that
/// is not finite, or a share outside [0, 1].
pub fn class_map(
    probabilities: ArrayView2<'_, f32>,
    shape: LatticeShape,
    minimum_share: f64,
) -> Result<ClassMap> {
    let what = "the array of class probabilities";
    require_tiles(what, &probabilities, shape)?;
    require(
        (0.0..=1.0).contains(&minimum_share),
        "the minimum share of a kind",
        minimum_share,
        "a number from 0 to 1",
    )?;
    let class_count = probabilities.ncols();
    let width = format_args!("{class_count} classes wide");
    require_shape(class_count > 0, what, width, "at least one class")?;
    let n = shape.len() as f64;
    let mut classes = Vec::with_capacity(shape.len());
    let mut confidence = Vec::with_capacity(shape.len());
    let mut marginal = vec![0.0f64; class_count];
    let mut conditional_entropy = 0.0;
    for row in probabilities.rows() {
        let best = likeliest(row);
        for (share, &p) in marginal.iter_mut().zip(row) {
            *share += f64::from(p) / n;
        }
        conditional_entropy += entropy_bits(row.iter().map(|&p| f64::from(p))) / n;
        classes.push(best as u32);
        confidence.push(row[best]);
    }
    let counts = class_counts(&classes, class_count);
    let class_share: Vec<f64> = counts.iter().map(|&c| c as f64 / n).collect();
    let shown = class_share.iter().copied().filter(|share| *share > 0.0);
    // E KL(p(y|x) ‖ p(y)) = H(y) − E H(y|x), with p(y) the mean answer.
    let information = entropy_bits(marginal.iter().copied()) - conditional_entropy;
    Ok(ClassMap {
        shape,
        kinds: shown.filter(|share| *share >= minimum_share).count(),
        minimum_share,
        class_entropy: entropy_bits(class_share.iter().copied()),
        conditional_entropy,
        mean_confidence: confidence.iter().map(|&c| f64::from(c)).sum::<f64>() / n,
        inception_score: (information * std::f64::consts::LN_2).exp(),
        regions: connected_regions(&classes, shape, class_count)?,
        boundary_share: boundary_share(&classes, shape),
        classes,
        confidence,
        class_share,
    })
}

/// Number of connected regions of each class on a lattice of classes; tiles of
/// one class are connected when they share an edge.
///
/// # Errors
/// A list that does not fit the lattice, or a class ≥ `class_count`.
pub fn connected_regions(
    classes: &[u32],
    shape: LatticeShape,
    class_count: usize,
) -> Result<Vec<usize>> {
    require_labels("the list of classes", classes, shape.len(), class_count)?;
    let mut regions = class_counts(classes, class_count);
    // Every tile is a region until it is joined to a neighbour's: a forest of
    // disjoint sets, each named by the tile at its root.
    let mut parents: Vec<usize> = (0..classes.len()).collect();
    let root = |parents: &mut [usize], mut tile: usize| {
        while parents[tile] != tile {
            parents[tile] = parents[parents[tile]];
            tile = parents[tile];
        }
        tile
    };
    for (a, b) in neighbour_pairs(shape).filter(|&(a, b)| classes[a] == classes[b]) {
        let roots = (root(&mut parents, a), root(&mut parents, b));
        regions[classes[a] as usize] -= usize::from(roots.0 != roots.1);
        parents[roots.1] = roots.0;
    }
    Ok(regions)
}

/// How much decoded images change from tile to neighbouring tile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NeighbourChange {
    /// Neighbouring pairs (left–right and above–below).
    pub pairs: usize,
    /// Mean over pairs of the Euclidean distance √Σ(a−b)² of the two images,
    /// pixels in [0, 1].
    pub mean_distance: f64,
    /// Largest such distance: a map with cliffs has a large one whatever its
    /// mean.
    pub largest_distance: f64,
    /// Mean over pairs and pixels of |a−b|, in grey levels of [0, 1].
    pub mean_absolute_change: f64,
    /// Largest over pairs of the mean |a−b| over pixels.
    pub largest_absolute_change: f64,
}

/// Change between neighbouring tiles of a whole lattice; `images` is
/// [tiles, pixels] in [0, 1].
///
/// The number belongs to the lattice's step: halving the step about halves it.
/// Compare models on the same lattice only, and remember that a model whose
/// codes fill a wider range is sampled finer by it.
///
/// # Errors
/// An array that does not fit the lattice, a lattice without neighbours, or a
/// pixel that is not finite.
pub fn neighbour_change(
    images: ArrayView2<'_, f32>,
    shape: LatticeShape,
) -> Result<NeighbourChange> {
    require_tiles("the array of decoded images", &images, shape)?;
    change_of(images, shape)
}

/// The tiles of the patch of `side` × `side` in the middle of a lattice, row by
/// row (one tile nearer to the top left when it cannot be centred).
pub(crate) fn centre_tiles(shape: LatticeShape, side: usize) -> Result<Vec<usize>> {
    let fits = side <= shape.rows.min(shape.columns);
    let expected = "at most the lattice's smaller side";
    require(fits, "the side of the centre patch", side, expected)?;
    let (top, left) = ((shape.rows - side) / 2, (shape.columns - side) / 2);
    let rows = top..top + side;
    let tiles = rows.flat_map(|row| (0..side).map(move |i| row * shape.columns + left + i));
    Ok(tiles.collect())
}

/// Change between neighbouring tiles of the patch of `side` × `side` tiles in
/// the middle of the lattice (one tile nearer to the top left when it cannot be
/// centred).
///
/// # Errors
/// Those of [`neighbour_change`], or a patch larger than the lattice.
pub fn centre_change(
    images: ArrayView2<'_, f32>,
    shape: LatticeShape,
    side: usize,
) -> Result<NeighbourChange> {
    require_tiles("the array of decoded images", &images, shape)?;
    let patch = images.select(Axis(0), &centre_tiles(shape, side)?);
    let (rows, columns) = (side, side);
    change_of(patch.view(), LatticeShape { rows, columns })
}

/// Mean distance of each tile to its neighbours, in the lattice's order: the
/// map of where a decoder changes fast. Same conditions as
/// [`neighbour_change`].
///
/// # Errors
/// Those of [`neighbour_change`].
pub fn change_field(images: ArrayView2<'_, f32>, shape: LatticeShape) -> Result<Vec<f64>> {
    require_tiles("the array of decoded images", &images, shape)?;
    require_rows("the lattice", shape.len(), 2)?;
    let mut sums = vec![(0.0f64, 0usize); shape.len()];
    for (a, b) in neighbour_pairs(shape) {
        let (distance, _) = image_difference(&images, a, b);
        for tile in [a, b] {
            sums[tile].0 += distance;
            sums[tile].1 += 1;
        }
    }
    let means = sums.into_iter().map(|(sum, count)| sum / count as f64);
    Ok(means.collect())
}

/// Entropy in bits of a distribution that sums to one: log₂ n of n equal shares.
pub fn entropy_bits(probabilities: impl Iterator<Item = f64>) -> f64 {
    let positive = probabilities.filter(|p| *p > 0.0);
    let sum: f64 = positive.map(|p| p * p.log2()).sum();
    // −0 and rounding below zero both print badly.
    (-sum).max(0.0)
}

/// Number of tiles of each class.
fn class_counts(classes: &[u32], class_count: usize) -> Vec<usize> {
    let mut counts = vec![0; class_count];
    for &class in classes {
        counts[class as usize] += 1;
    }
    counts
}

fn change_of(images: ArrayView2<'_, f32>, shape: LatticeShape) -> Result<NeighbourChange> {
    require_rows("the lattice", shape.len(), 2)?;
    let changes = neighbour_pairs(shape).map(|(a, b)| image_difference(&images, a, b));
    let (distances, absolute): (Vec<f64>, Vec<f64>) = changes.unzip();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    Ok(NeighbourChange {
        pairs: distances.len(),
        mean_distance: mean(&distances),
        largest_distance: largest(&distances),
        mean_absolute_change: mean(&absolute),
        largest_absolute_change: largest(&absolute),
    })
}

fn neighbour_pairs(shape: LatticeShape) -> impl Iterator<Item = (usize, usize)> {
    (0..shape.len()).flat_map(move |tile| {
        let (row, column) = (tile / shape.columns, tile % shape.columns);
        let right = (column + 1 < shape.columns).then_some((tile, tile + 1));
        let below = (row + 1 < shape.rows).then_some((tile, tile + shape.columns));
        right.into_iter().chain(below)
    })
}

fn image_difference(images: &ArrayView2<'_, f32>, a: usize, b: usize) -> (f64, f64) {
    let (mut squares, mut absolute) = (0.0f64, 0.0f64);
    for (x, y) in images.row(a).iter().zip(images.row(b)) {
        let difference = f64::from(*x) - f64::from(*y);
        squares += difference * difference;
        absolute += difference.abs();
    }
    (squares.sqrt(), absolute / images.ncols().max(1) as f64)
}

/// Euclidean distance of two rows.
pub(crate) fn image_distance(images: &ArrayView2<'_, f32>, a: usize, b: usize) -> f64 {
    image_difference(images, a, b).0
}

fn boundary_share(classes: &[u32], shape: LatticeShape) -> Option<f64> {
    let pairs = neighbour_pairs(shape).count();
    let differing = neighbour_pairs(shape).filter(|&(a, b)| classes[a] != classes[b]);
    (pairs > 0).then(|| differing.count() as f64 / pairs as f64)
}

pub(crate) fn require_tiles(
    what: &str,
    array: &ArrayView2<'_, f32>,
    shape: LatticeShape,
) -> Result<()> {
    let (n, LatticeShape { rows, columns }) = (array.nrows(), shape);
    let found = format!("[{n}, {}]", array.ncols());
    let expected = format!("one row for each of the {rows} × {columns} tiles");
    require_shape(n == shape.len() && n > 0, what, found, expected)?;
    require_finite(what, array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    const SHAPE: LatticeShape = LatticeShape {
        rows: 3,
        columns: 4,
    };

    fn one_hot(classes: &[usize], count: usize) -> Array2<f32> {
        Array2::from_shape_fn((classes.len(), count), |(i, c)| {
            f32::from(u8::from(classes[i] == c))
        })
    }

    #[test]
    fn kinds_entropy_and_regions_of_a_drawn_map() {
        // 0 0 1 1
        // 0 2 2 1
        // 1 0 2 2     class 0: two regions; 1: two; 2: one
        let classes = [0, 0, 1, 1, 0, 2, 2, 1, 1, 0, 2, 2];
        let map = class_map(one_hot(&classes, 5).view(), SHAPE, 0.0).unwrap();
        assert_eq!(map.kinds, 3);
        assert!((map.class_entropy - 3.0_f64.log2()).abs() < 1e-12);
        assert_eq!(map.conditional_entropy, 0.0);
        assert_eq!(map.mean_confidence, 1.0);
        assert!((map.inception_score - 3.0).abs() < 1e-6);
        assert_eq!(map.regions, vec![2, 2, 1, 0, 0]);
        // Of 17 pairs, 7 join equal classes.
        assert!((map.boundary_share.unwrap() - 10.0 / 17.0).abs() < 1e-12);
    }

    #[test]
    fn the_shares_of_classes_count_tiles() {
        let shape = LatticeShape {
            rows: 2,
            columns: 2,
        };
        let map = class_map(one_hot(&[0, 1, 1, 1], 3).view(), shape, 0.0).unwrap();
        let areas: Vec<f64> = map.class_share.iter().map(|share| 0.64 * share).collect();
        assert!((areas[1] - 0.48).abs() < 1e-12);
        assert_eq!(areas[2], 0.0);
    }

    #[test]
    fn a_kind_needs_its_share() {
        let mut classes = vec![0; 12];
        classes[5] = 3;
        let probabilities = one_hot(&classes, 4);
        let kinds = |share| class_map(probabilities.view(), SHAPE, share).unwrap().kinds;
        assert_eq!(kinds(0.08), 2);
        assert_eq!(kinds(0.09), 1);
    }

    #[test]
    fn an_undecided_classifier_gains_nothing_from_the_map() {
        let probabilities = Array2::from_elem((12, 4), 0.25f32);
        let map = class_map(probabilities.view(), SHAPE, 0.01).unwrap();
        assert!((map.conditional_entropy - 2.0).abs() < 1e-12);
        assert!((map.inception_score - 1.0).abs() < 1e-12);
        assert_eq!(map.kinds, 1);
    }

    #[test]
    fn change_of_a_ramp_is_its_step() {
        // Image value = 0.1·column: right neighbours differ by 0.1 in each of
        // 9 pixels (distance 0.3), lower neighbours not at all.
        let images = Array2::from_shape_fn((12, 9), |(i, _)| 0.1 * (i % 4) as f32);
        let change = neighbour_change(images.view(), SHAPE).unwrap();
        assert_eq!(change.pairs, 17);
        assert!((change.largest_distance - 0.3).abs() < 1e-6);
        assert!((change.mean_distance - 0.3 * 9.0 / 17.0).abs() < 1e-6);
        assert!((change.mean_absolute_change - 0.1 * 9.0 / 17.0).abs() < 1e-7);
        let field = change_field(images.view(), SHAPE).unwrap();
        assert!((field[0] - 0.15).abs() < 1e-6);
    }

    #[test]
    fn the_centre_patch_sees_only_the_centre() {
        let shape = LatticeShape {
            rows: 6,
            columns: 6,
        };
        let mut images = Array2::<f32>::zeros((36, 2));
        images[[0, 0]] = 1.0;
        let centre = centre_change(images.view(), shape, 4).unwrap();
        assert_eq!((centre.pairs, centre.largest_distance), (24, 0.0));
        images[[7, 0]] = 0.5;
        let centre = centre_change(images.view(), shape, 4).unwrap();
        assert!((centre.largest_distance - 0.5).abs() < 1e-7);
        assert!(centre_change(images.view(), shape, 7).is_err());
        assert!(centre_change(images.view(), shape, 1).is_err());
    }

    #[test]
    fn the_centre_of_a_lattice_is_nearer_to_the_top_left() {
        // Three rows above and below; one column on the left, two on the right.
        let shape = LatticeShape {
            rows: 8,
            columns: 5,
        };
        assert_eq!(centre_tiles(shape, 2).unwrap(), [16, 17, 21, 22]);
        let whole: Vec<usize> = (5..30).collect();
        assert_eq!(centre_tiles(shape, 5).unwrap(), whole);
    }

    #[test]
    fn every_tile_changes_by_the_mean_of_its_neighbours() {
        // 0 3 3
        // 4 0 1     in the first pixel, 0 in the second
        let shape = LatticeShape {
            rows: 2,
            columns: 3,
        };
        let mut images = Array2::<f32>::zeros((6, 2));
        let values = [0.0, 3.0, 3.0, 4.0, 0.0, 1.0];
        images.column_mut(0).assign(&ndarray::arr1(&values));
        let field = change_field(images.view(), shape).unwrap();
        let expected = [3.5, 2.0, 1.0, 4.0, 8.0 / 3.0, 1.5];
        let mut pairs = field.iter().zip(expected);
        assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-12), "{field:?}");
        let change = neighbour_change(images.view(), shape).unwrap();
        // 3, 4, 0, 3, 2, 4 and 1.
        assert!((change.mean_distance - 17.0 / 7.0).abs() < 1e-12);
        assert_eq!(change.largest_absolute_change, 2.0);
    }

    #[test]
    fn a_lattice_without_rows_is_empty() {
        assert!(!SHAPE.is_empty());
        let none = LatticeShape {
            rows: 0,
            columns: 4,
        };
        assert!(none.is_empty());
        let message = class_map(Array2::zeros((0, 3)).view(), none, 0.01)
            .unwrap_err()
            .to_string();
        assert!(message.contains("0 × 4 tiles"), "{message}");
    }

    #[test]
    fn wrong_arrays_are_errors() {
        let few = Array2::<f32>::zeros((11, 3));
        assert!(neighbour_change(few.view(), SHAPE).is_err());
        assert!(change_field(few.view(), SHAPE).is_err());
        assert!(class_map(Array2::zeros((11, 3)).view(), SHAPE, 0.01).is_err());
        assert!(class_map(Array2::zeros((12, 3)).view(), SHAPE, 1.5).is_err());
        assert!(
            connected_regions(
                &[0, 9, 0, 0],
                LatticeShape {
                    rows: 2,
                    columns: 2
                },
                3
            )
            .is_err()
        );
        let mut images = Array2::<f32>::zeros((12, 2));
        images[[4, 1]] = f32::NAN;
        let message = neighbour_change(images.view(), SHAPE)
            .unwrap_err()
            .to_string();
        assert!(message.contains("row 4"), "{message}");
    }
}
