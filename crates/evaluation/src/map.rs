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

use ndarray::{ArrayView2, s};
use serde::{Deserialize, Serialize};

use crate::classifier::likeliest;
use crate::error::{EvaluationError, Result, require_finite, require_length, require_rows};

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
    /// Share of tiles of each class; sums to 1.
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
    require_tiles("the array of class probabilities", &probabilities, shape)?;
    if !(0.0..=1.0).contains(&minimum_share) {
        return Err(EvaluationError::Parameter {
            what: "the minimum share of a kind",
            found: minimum_share.to_string(),
            expected: "a number from 0 to 1",
        });
    }
    let class_count = probabilities.ncols();
    if class_count == 0 {
        return Err(EvaluationError::Shape {
            what: "the array of class probabilities",
            found: format!("{class_count} classes wide"),
            expected: "at least one class".to_owned(),
        });
    }
    let n = shape.len() as f64;
    let mut classes = Vec::with_capacity(shape.len());
    let mut confidence = Vec::with_capacity(shape.len());
    let mut counts = vec![0usize; class_count];
    let mut marginal = vec![0.0f64; class_count];
    let mut conditional_entropy = 0.0;
    for row in probabilities.rows() {
        let best = likeliest(row);
        for (share, &p) in marginal.iter_mut().zip(row) {
            *share += f64::from(p) / n;
        }
        conditional_entropy += entropy_bits(row.iter().map(|&p| f64::from(p))) / n;
        counts[best] += 1;
        classes.push(best as u32);
        confidence.push(row[best]);
    }
    let class_share: Vec<f64> = counts.iter().map(|&c| c as f64 / n).collect();
    // E KL(p(y|x) ‖ p(y)) = H(y) − E H(y|x), with p(y) the mean answer.
    let information = entropy_bits(marginal.iter().copied()) - conditional_entropy;
    Ok(ClassMap {
        shape,
        kinds: class_share
            .iter()
            .filter(|&&share| share > 0.0 && share >= minimum_share)
            .count(),
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
    require_length("the list of classes", classes.len(), shape.len())?;
    require_classes(classes, class_count)?;
    let mut regions = vec![0usize; class_count];
    let mut seen = vec![false; classes.len()];
    let mut pending = Vec::new();
    for start in 0..classes.len() {
        if seen[start] {
            continue;
        }
        let class = classes[start];
        regions[class as usize] += 1;
        seen[start] = true;
        pending.push(start);
        while let Some(tile) = pending.pop() {
            let (row, column) = (tile / shape.columns, tile % shape.columns);
            let neighbours = [
                (row > 0).then(|| tile - shape.columns),
                (row + 1 < shape.rows).then(|| tile + shape.columns),
                (column > 0).then(|| tile - 1),
                (column + 1 < shape.columns).then(|| tile + 1),
            ];
            for next in neighbours.into_iter().flatten() {
                if !seen[next] && classes[next] == class {
                    seen[next] = true;
                    pending.push(next);
                }
            }
        }
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
    patch_change(images, shape, (0, 0), shape)
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
    if side > shape.rows.min(shape.columns) {
        return Err(EvaluationError::Parameter {
            what: "the side of the centre patch",
            found: side.to_string(),
            expected: "at most the lattice's smaller side",
        });
    }
    let corner = ((shape.rows - side) / 2, (shape.columns - side) / 2);
    let patch = LatticeShape {
        rows: side,
        columns: side,
    };
    patch_change(images, shape, corner, patch)
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
    Ok(sums
        .into_iter()
        .map(|(sum, count)| sum / count as f64)
        .collect())
}

/// Entropy in bits of a distribution that sums to one.
pub(crate) fn entropy_bits(probabilities: impl Iterator<Item = f64>) -> f64 {
    let sum: f64 = probabilities
        .filter(|p| *p > 0.0)
        .map(|p| p * p.log2())
        .sum();
    // −0 and rounding below zero both print badly.
    (-sum).max(0.0)
}

pub(crate) fn require_classes(classes: &[u32], class_count: usize) -> Result<()> {
    match classes.iter().find(|&&c| c as usize >= class_count) {
        Some(class) => Err(EvaluationError::Shape {
            what: "the list of classes",
            found: format!("holding class {class}"),
            expected: format!("classes below {class_count}"),
        }),
        None => Ok(()),
    }
}

fn patch_change(
    images: ArrayView2<'_, f32>,
    shape: LatticeShape,
    corner: (usize, usize),
    patch: LatticeShape,
) -> Result<NeighbourChange> {
    let mut change = NeighbourChange {
        pairs: 0,
        mean_distance: 0.0,
        largest_distance: 0.0,
        mean_absolute_change: 0.0,
        largest_absolute_change: 0.0,
    };
    let place = |tile: usize| {
        let (row, column) = (tile / patch.columns, tile % patch.columns);
        (corner.0 + row) * shape.columns + corner.1 + column
    };
    for (a, b) in neighbour_pairs(patch) {
        let (distance, absolute) = image_difference(&images, place(a), place(b));
        change.pairs += 1;
        change.mean_distance += distance;
        change.mean_absolute_change += absolute;
        change.largest_distance = change.largest_distance.max(distance);
        change.largest_absolute_change = change.largest_absolute_change.max(absolute);
    }
    if change.pairs == 0 {
        return Err(EvaluationError::TooFew {
            what: "the lattice",
            found: patch.len(),
            needed: 2,
        });
    }
    change.mean_distance /= change.pairs as f64;
    change.mean_absolute_change /= change.pairs as f64;
    Ok(change)
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
    for (x, y) in images.slice(s![a, ..]).iter().zip(images.slice(s![b, ..])) {
        let difference = f64::from(*x) - f64::from(*y);
        squares += difference * difference;
        absolute += difference.abs();
    }
    (squares.sqrt(), absolute / images.ncols().max(1) as f64)
}

fn boundary_share(classes: &[u32], shape: LatticeShape) -> Option<f64> {
    let (mut pairs, mut differing) = (0usize, 0usize);
    for (a, b) in neighbour_pairs(shape) {
        pairs += 1;
        differing += usize::from(classes[a] != classes[b]);
    }
    (pairs > 0).then(|| differing as f64 / pairs as f64)
}

fn require_tiles(
    what: &'static str,
    array: &ArrayView2<'_, f32>,
    shape: LatticeShape,
) -> Result<()> {
    if array.nrows() != shape.len() || shape.is_empty() {
        return Err(EvaluationError::Shape {
            what,
            found: format!("[{}, {}]", array.nrows(), array.ncols()),
            expected: format!(
                "one row for each of the {} × {} tiles",
                shape.rows, shape.columns
            ),
        });
    }
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
    fn wrong_arrays_are_errors() {
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
