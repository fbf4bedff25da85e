//! Nearest neighbours of codes, and how well they tell classes apart.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, require, require_array, require_length};

/// A k-d tree over points [n, L]: exact nearest neighbours, fast for the few
/// dimensions codes have, correct for any.
///
/// Bentley 1975, split at the median of the widest axis. Distances are squared
/// Euclidean in f64, equal distances are ordered by index: the answer is that
/// of exhaustive search, bit for bit.
#[derive(Debug, Clone)]
pub struct NearestNeighbours {
    dimensions: usize,
    /// Coordinates, permuted so that every leaf owns a contiguous range.
    points: Vec<f64>,
    /// Original index of each permuted point.
    indices: Vec<u32>,
    root: Node,
}

/// A neighbour found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// Row of the point in the array the tree was built from.
    pub index: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Range<usize>),
    Split {
        axis: usize,
        value: f64,
        /// Below `value`, and not below it.
        halves: Box<[Node; 2]>,
    },
}

const LEAF: usize = 16;

impl NearestNeighbours {
    /// Builds the tree over points [n, L].
    ///
    /// # Errors
    /// No points or none of any dimension, or one that is not finite.
    pub fn new(points: ArrayView2<'_, f32>) -> Result<Self> {
        require_array("the array of reference codes", &points, 1, None)?;
        let mut indices: Vec<u32> = (0..points.nrows() as u32).collect();
        let root = build(&points, &mut indices, 0);
        let permuted = indices.iter().flat_map(|&index| points.row(index as usize));
        Ok(Self {
            dimensions: points.ncols(),
            points: permuted.map(|&v| f64::from(v)).collect(),
            indices,
            root,
        })
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether the tree is empty (it never is).
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The k nearest points to `query`, nearest first (fewer when there are
    /// fewer points).
    ///
    /// # Panics
    /// If the query has another number of coordinates than the points.
    pub fn nearest(&self, query: &[f64], k: usize) -> Vec<Neighbour> {
        assert_eq!(
            query.len(),
            self.dimensions,
            "nearest neighbours: query of {} coordinates, points of {}",
            query.len(),
            self.dimensions
        );
        let mut found = Vec::with_capacity(k + 1);
        if k > 0 {
            let mut offsets = vec![0.0; self.dimensions];
            self.descend(&self.root, query, k, 0.0, &mut offsets, &mut found);
        }
        found
    }

    /// `gap` is the squared distance of the query to the node's cell, the sum
    /// over axes of `offsets`.
    fn descend(
        &self,
        node: &Node,
        query: &[f64],
        k: usize,
        gap: f64,
        offsets: &mut [f64],
        found: &mut Vec<Neighbour>,
    ) {
        match node {
            Node::Leaf(range) => {
                let points = &self.points[range.start * self.dimensions..];
                let points = points.chunks_exact(self.dimensions);
                for (point, &index) in points.zip(&self.indices[range.clone()]) {
                    let differences = query.iter().zip(point).map(|(a, b)| a - b);
                    let candidate = Neighbour {
                        squared_distance: differences.map(|d| d * d).sum(),
                        index: index as usize,
                    };
                    insert(found, k, candidate);
                }
            }
            &Node::Split {
                axis,
                value,
                ref halves,
            } => {
                let offset = query[axis] - value;
                let is_upper = usize::from(offset >= 0.0);
                let (near, far) = (&halves[is_upper], &halves[1 - is_upper]);
                self.descend(near, query, k, gap, offsets, found);
                let previous = offsets[axis];
                let far_gap = gap - previous + offset * offset;
                // The margin keeps rounding in the running sum from cutting off
                // a point at exactly the k-th distance.
                let reachable =
                    found.len() < k || far_gap <= found[k - 1].squared_distance * (1.0 + 1e-12);
                if reachable {
                    offsets[axis] = offset * offset;
                    self.descend(far, query, k, far_gap, offsets, found);
                    offsets[axis] = previous;
                }
            }
        }
    }
}

/// Accuracy of classifying codes by their nearest neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NeighbourAccuracy {
    /// Neighbours that vote.
    pub k: usize,
    /// Share of queries given their own label.
    pub accuracy: f64,
    /// Its binomial standard error √(a(1−a)/n).
    pub standard_error: f64,
}

/// Accuracy of k-nearest-neighbour classification of codes: `reference` [n, L]
/// with its labels (the training set) votes on `queries` [m, L] (the test set),
/// for every k in `ks`.
///
/// The majority decides; among classes with equally many votes, the one whose
/// nearest voter is nearest. Euclidean distance favours the axes on which codes
/// spread widely: for an AE, whiten both sets with the reference's moments, or
/// say that it was not done. Put the majority-class share and the accuracy in
/// pixel space beside it.
///
/// # Errors
/// Arrays and labels that do not fit, codes that are not finite or of no
/// dimension, no codes, or a k of 0 or above n.
pub fn knn_accuracy(
    reference: ArrayView2<'_, f32>,
    reference_labels: &[u32],
    queries: ArrayView2<'_, f32>,
    query_labels: &[u32],
    ks: &[usize],
) -> Result<Vec<NeighbourAccuracy>> {
    for (what, labels, codes) in [
        ("the list of reference labels", reference_labels, &reference),
        ("the list of query labels", query_labels, &queries),
    ] {
        require_length(what, labels.len(), codes.nrows())?;
    }
    let columns = Some(reference.ncols());
    require_array("the array of query codes", &queries, 1, columns)?;
    for &k in ks {
        let expected = "at least 1 and at most the number of reference codes";
        let fits = (1..=reference.nrows()).contains(&k);
        require(fits, "k of the nearest neighbours", k, expected)?;
    }
    let largest = ks.iter().copied().max().unwrap_or(0);
    let tree = NearestNeighbours::new(reference)?;
    let correct: Vec<Vec<bool>> = (0..queries.nrows())
        .into_par_iter()
        .with_min_len(64)
        .map(|row| {
            let query: Vec<f64> = queries.row(row).iter().map(|&v| f64::from(v)).collect();
            let nearest = tree.nearest(&query, largest).into_iter();
            let classes: Vec<u32> = nearest.map(|found| reference_labels[found.index]).collect();
            let is_own = |&k: &usize| vote(&classes[..k]) == Some(query_labels[row]);
            ks.iter().map(is_own).collect()
        })
        .collect();
    let n = queries.nrows() as f64;
    let accuracy_of = |(i, &k): (usize, &usize)| {
        let accuracy = correct.iter().filter(|row| row[i]).count() as f64 / n;
        NeighbourAccuracy {
            k,
            accuracy,
            standard_error: (accuracy * (1.0 - accuracy) / n).sqrt(),
        }
    };
    Ok(ks.iter().enumerate().map(accuracy_of).collect())
}

/// Keeps the k smallest (distance, index) in ascending order.
fn insert(found: &mut Vec<Neighbour>, k: usize, candidate: Neighbour) {
    let before = |a: &Neighbour, b: &Neighbour| {
        (a.squared_distance, a.index) < (b.squared_distance, b.index)
    };
    if found.len() == k && !before(&candidate, &found[k - 1]) {
        return;
    }
    let place = found.partition_point(|neighbour| before(neighbour, &candidate));
    found.insert(place, candidate);
    found.truncate(k);
}

/// The class with most votes; of several, that of the nearest voter. `None` of
/// no voters.
fn vote(nearest_first: &[u32]) -> Option<u32> {
    let mut by_class = nearest_first.to_vec();
    by_class.sort_unstable();
    let runs = || by_class.chunk_by(|a, b| a == b);
    let most = runs().map(<[u32]>::len).max()?;
    let has_most = |class: u32| runs().any(|run| run[0] == class && run.len() == most);
    nearest_first.iter().copied().find(|&class| has_most(class))
}

/// Builds the node over `indices`, whose first element is point `start` of the
/// permutation.
fn build(points: &ArrayView2<'_, f32>, indices: &mut [u32], start: usize) -> Node {
    let at = |index: u32, axis: usize| f64::from(points[[index as usize, axis]]);
    let width = |axis: usize| {
        let values = indices.iter().map(|&index| at(index, axis));
        values.clone().fold(f64::MIN, f64::max) - values.fold(f64::MAX, f64::min)
    };
    // Of equally wide axes the first.
    let widths = (0..points.ncols()).rev().map(|axis| (width(axis), axis));
    let widest = widths.max_by(|a, b| a.0.total_cmp(&b.0));
    // Equal points are a leaf of any size: nothing separates them.
    let widest = widest.filter(|&(width, _)| width > 0.0 && indices.len() > LEAF);
    let Some((_, axis)) = widest else {
        return Node::Leaf(start..start + indices.len());
    };
    let middle = indices.len() / 2;
    indices.select_nth_unstable_by(middle, |&a, &b| {
        at(a, axis).total_cmp(&at(b, axis)).then(a.cmp(&b))
    });
    let value = at(indices[middle], axis);
    let (lower, upper) = indices.split_at_mut(middle);
    let upper_start = start + middle;
    Node::Split {
        axis,
        value,
        halves: Box::new([
            build(points, lower, start),
            build(points, upper, upper_start),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    fn exhaustive(points: &Array2<f32>, query: &[f64], k: usize) -> Vec<usize> {
        let mut all: Vec<(f64, usize)> = points
            .rows()
            .into_iter()
            .enumerate()
            .map(|(i, p)| {
                (
                    p.iter()
                        .zip(query)
                        .map(|(&a, b)| (f64::from(a) - b).powi(2))
                        .sum(),
                    i,
                )
            })
            .collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.iter().take(k).map(|(_, i)| *i).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_tree_answers_as_exhaustive_search(
            n in 1usize..300, dimensions in 1usize..6, k in 1usize..20, seed in 0u64..1000,
            rounded in any::<bool>(),
        ) {
            let mut points = standard_normals(seed, n, dimensions);
            if rounded { // many equal coordinates and equal distances
                points.mapv_inplace(f32::round);
            }
            let tree = NearestNeighbours::new(points.view()).unwrap();
            for row in [0, n / 2, n - 1] {
                let query: Vec<f64> = points.row(row).iter().map(|&v| f64::from(v) + 0.5).collect();
                let found: Vec<usize> = tree.nearest(&query, k).iter().map(|f| f.index).collect();
                prop_assert_eq!(found, exhaustive(&points, &query, k));
            }
        }
    }

    #[test]
    fn votes_and_ties() {
        assert_eq!(vote(&[3, 5, 5]), Some(5));
        assert_eq!(vote(&[3, 5, 5, 3]), Some(3));
        assert_eq!(vote(&[70_000, 2, u32::MAX, 2, 70_000]), Some(70_000));
        assert_eq!(vote(&[7]), Some(7));
        assert_eq!(vote(&[]), None);
    }

    #[test]
    fn separated_classes_are_told_apart_and_mixed_ones_are_not() {
        let codes = standard_normals(8, 2000, 2);
        let labels: Vec<u32> = (0..2000).map(|i| 300 * (i % 2)).collect();
        let mut apart = codes.clone();
        for (i, mut code) in apart.rows_mut().into_iter().enumerate() {
            code[0] += 20.0 * (i % 2) as f32;
        }
        let accuracy = |codes: &Array2<f32>| {
            let (train, test) = codes.view().split_at(ndarray::Axis(0), 1000);
            knn_accuracy(train, &labels[..1000], test, &labels[1000..], &[1, 5, 15]).unwrap()
        };
        assert!(accuracy(&apart).iter().all(|a| a.accuracy == 1.0));
        assert!(
            accuracy(&codes)
                .iter()
                .all(|a| (a.accuracy - 0.5).abs() < 0.06)
        );
    }

    #[test]
    fn bad_input_is_an_error() {
        let codes = array![[0.0f32, 1.0], [2.0, 3.0]];
        assert!(knn_accuracy(codes.view(), &[0, 1], codes.view(), &[0, 1], &[3]).is_err());
        assert!(knn_accuracy(codes.view(), &[0], codes.view(), &[0, 1], &[1]).is_err());
        let broken = array![[0.0f32, f32::NAN]];
        assert!(NearestNeighbours::new(broken.view()).is_err());
    }
}
