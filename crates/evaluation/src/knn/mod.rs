//! Nearest neighbours of codes, and how well they tell classes apart.

mod products;
mod tree;

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::blocks::blocks;
use crate::error::{Result, require, require_array, require_length};
use crate::tiles::TILE_ROWS;
use products::Products;
use tree::Tree;

/// Exact nearest neighbours among points [n, L].
///
/// Up to 15 dimensions by a k-d tree, beyond, where a tree visits nearly all of
/// its leaves, by walking over all points; many queries at once then go through
/// blocked matrix products that leave few distances to be computed. Distances are
/// squared Euclidean in f64, equal distances are ordered by index: the answer is
/// that of exhaustive search, bit for bit, whichever way it is found.
#[derive(Debug, Clone)]
pub struct NearestNeighbours {
    dimensions: usize,
    search: Search,
}

/// A neighbour found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// Row of the point in the array the search was built from.
    pub index: usize,
}

#[derive(Debug, Clone)]
enum Search {
    Tree(Tree),
    Products(Products),
}

/// Dimensions up to which a tree is built.
const MOST_OF_TREE: usize = 15;

impl NearestNeighbours {
    /// Prepares the search among points [n, L].
    ///
    /// # Errors
    /// No points or none of any dimension, or one that is not finite; more points
    /// than 32 bits number.
    pub fn new(points: ArrayView2<'_, f32>) -> Result<Self> {
        require_array("the array of reference codes", &points, 1, None)?;
        require(
            u32::try_from(points.nrows()).is_ok(),
            "the number of reference codes",
            points.nrows(),
            "at most 4294967295; search among fewer",
        )?;
        Ok(Self {
            dimensions: points.ncols(),
            search: if points.ncols() <= MOST_OF_TREE {
                Search::Tree(Tree::new(points))
            } else {
                Search::Products(Products::new(points))
            },
        })
    }

    /// The k nearest points to `query`, nearest first (fewer when there are
    /// fewer points).
    ///
    /// # Panics
    /// If the query has another number of coordinates than the points.
    pub fn nearest(&self, query: &[f64], k: usize) -> Vec<Neighbour> {
        self.check("nearest neighbours", query.len());
        match &self.search {
            Search::Tree(tree) => tree.nearest(query, k),
            Search::Products(products) => products.nearest(query, k),
        }
    }

    /// [`nearest`](Self::nearest) of every row of `queries` [m, L], on the
    /// threads of the current pool: what `of_query` makes of the number of the
    /// row and its neighbours.
    ///
    /// # Panics
    /// If the queries have another number of coordinates than the points.
    pub fn map_nearest<T: Send>(
        &self,
        queries: ArrayView2<'_, f32>,
        k: usize,
        of_query: impl Fn(usize, &[Neighbour]) -> T + Sync,
    ) -> Vec<T> {
        self.check("nearest neighbours of rows", queries.ncols());
        let of_block = |rows: std::ops::Range<usize>| -> Vec<T> {
            let block = queries.slice_axis(Axis(0), rows.clone().into());
            let found = match &self.search {
                Search::Products(products) => products.nearest_of(block, k),
                Search::Tree(tree) => {
                    let query = |row: ndarray::ArrayView1<'_, f32>| {
                        let query: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
                        tree.nearest(&query, k)
                    };
                    block.rows().into_iter().map(query).collect()
                }
            };
            rows.zip(found)
                .map(|(row, found)| of_query(row, &found))
                .collect()
        };
        let blocks = blocks(queries.nrows(), TILE_ROWS).into_par_iter();
        blocks.flat_map_iter(of_block).collect()
    }

    fn check(&self, operation: &str, found: usize) {
        assert_eq!(
            found, self.dimensions,
            "{operation}: query of {found} coordinates, points of {}",
            self.dimensions
        );
    }
}

/// ‖a − b‖² in f64, coordinate after coordinate.
fn squared_distance(query: &[f64], point: impl Iterator<Item = f64>) -> f64 {
    let differences = query.iter().zip(point).map(|(a, b)| a - b);
    differences.map(|d| d * d).sum()
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
    /// Codes whose labels vote, all that were given.
    pub references: usize,
    /// Codes that were classified, all that were given.
    pub queries: usize,
}

/// Accuracy of k-nearest-neighbour classification of codes: `reference` [n, L]
/// with its labels (the training set) votes on `queries` [m, L] (the test set),
/// for every k in `ks`.
///
/// The majority decides; among classes with equally many votes, the one whose
/// nearest voter is nearest; of voters equally far, the one with the lower index in
/// `reference` is the nearer, also where only some of them are among the k. Euclidean distance favours the axes on which codes
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
    let neighbours = NearestNeighbours::new(reference)?;
    let correct: Vec<Vec<bool>> = neighbours.map_nearest(queries, largest, |row, nearest| {
        let classes = nearest.iter().map(|found| reference_labels[found.index]);
        let classes: Vec<u32> = classes.collect();
        let is_own = |&k: &usize| vote(&classes[..k]) == Some(query_labels[row]);
        ks.iter().map(is_own).collect()
    });
    let n = queries.nrows() as f64;
    let accuracy_of = |(i, &k): (usize, &usize)| {
        let accuracy = correct.iter().filter(|row| row[i]).count() as f64 / n;
        NeighbourAccuracy {
            k,
            accuracy,
            standard_error: (accuracy * (1.0 - accuracy) / n).sqrt(),
            references: reference.nrows(),
            queries: queries.nrows(),
        }
    };
    Ok(ks.iter().enumerate().map(accuracy_of).collect())
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
        fn the_search_answers_as_exhaustive_search(
            n in 1usize..300, dimensions in 1usize..40, k in 0usize..20, seed in 0u64..1000,
            rounded in any::<bool>(), scale in 0usize..5,
        ) {
            // Beyond the range of squares in f32, and so far from the origin that
            // products cancel.
            let (size, place) = [(1.0, 0.0), (1.0, 5e3), (1e-25, 0.0), (1e25, 0.0), (1.0, 3.0)][scale];
            let mut points = standard_normals(seed, n, dimensions);
            if rounded { // many equal coordinates and equal distances
                points.mapv_inplace(f32::round);
            }
            points.mapv_inplace(|v| size * v + place);
            let search = NearestNeighbours::new(points.view()).unwrap();
            let queries = points.mapv(|v| v + 0.5 * size);
            let all = search.map_nearest(queries.view(), k, |_, found| found.to_vec());
            prop_assert_eq!(all.len(), n);
            for row in [0, n / 2, n - 1] {
                let query: Vec<f64> = queries.row(row).iter().map(|&v| f64::from(v)).collect();
                let found = search.nearest(&query, k);
                let indices: Vec<usize> = found.iter().map(|f| f.index).collect();
                prop_assert_eq!(indices, exhaustive(&points, &query, k));
                prop_assert_eq!(&all[row], &found);
            }
        }
    }

    /// So many neighbours that they lie in several leaves, of queries inside the points
    /// and far outside of them: what is cut off depends on the offsets along every axis,
    /// above and below 1.
    #[test]
    fn no_neighbour_is_cut_off_with_the_cell_it_lies_in() {
        for dimensions in 1..4 {
            for scale in [1e-3, 1.0, 1e3] {
                let points = standard_normals(11, 400, dimensions).mapv(|v| scale * v);
                let queries = standard_normals(12, 40, dimensions).mapv(|v| 2.5 * scale * v);
                let search = NearestNeighbours::new(points.view()).unwrap();
                for query in queries.rows() {
                    let query: Vec<f64> = query.iter().map(|&v| f64::from(v)).collect();
                    for k in [1, 5, 60] {
                        let found = search.nearest(&query, k).into_iter();
                        let indices: Vec<usize> = found.map(|found| found.index).collect();
                        let expected = exhaustive(&points, &query, k);
                        assert_eq!(indices, expected, "{dimensions} dimensions of {scale}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_neighbours_are_none() {
        for dimensions in [2, 16] {
            let points = standard_normals(3, 40, dimensions);
            let search = NearestNeighbours::new(points.view()).unwrap();
            assert_eq!(search.nearest(&vec![0.0; dimensions], 0), []);
            let of_rows = search.map_nearest(points.view(), 0, |row, found| (row, found.len()));
            assert_eq!(of_rows, (0..40).map(|row| (row, 0)).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "nearest neighbours: query of 3 coordinates, points of 2")]
    fn a_query_of_another_space_is_refused() {
        let points = array![[0.0f32, 1.0], [2.0, 3.0]];
        let search = NearestNeighbours::new(points.view()).unwrap();
        search.nearest(&[0.0, 1.0, 2.0], 1);
    }

    #[test]
    #[should_panic(expected = "nearest neighbours of rows: query of 1 coordinates, points of 2")]
    fn rows_of_another_space_are_refused() {
        let points = array![[0.0f32, 1.0], [2.0, 3.0]];
        let search = NearestNeighbours::new(points.view()).unwrap();
        search.map_nearest(array![[0.0f32]].view(), 1, |_, found| found.len());
    }

    #[test]
    fn accuracy_and_its_error_are_those_counted_by_hand() {
        let reference = array![[0.0f32], [10.0], [20.0]];
        let queries = array![[2.0f32], [12.0], [21.0], [-3.0], [11.0]];
        let labels = [5, 6, 6];
        let found = knn_accuracy(
            reference.view(),
            &labels,
            queries.view(),
            &[5, 6, 5, 6, 6],
            &[1, 3],
        )
        .unwrap();
        // One nearest says 5, 6, 6, 5, 6; of all three the majority is 6.
        for (found, k) in found.iter().zip([1, 3]) {
            assert_eq!((found.k, found.references, found.queries), (k, 3, 5));
            assert_eq!(found.accuracy, 0.6);
            // √(0.6 · 0.4 / 5).
            assert!((found.standard_error - 0.219_089_023).abs() < 1e-9);
        }
    }

    /// More points than a tile has columns, more queries than it has rows, and
    /// neighbours in every tile.
    #[test]
    fn products_answer_as_exhaustive_search_whatever_the_threads() {
        for (n, m, dimensions, k) in [
            (2500, 300, 16, 15),
            (1025, 129, 50, 3),
            (1030, 5, 784, 1030),
        ] {
            let points = standard_normals(7, n, dimensions).mapv(|v| v.max(0.0) + 0.3);
            let queries = standard_normals(8, m, dimensions).mapv(|v| v.max(0.0) + 0.3);
            let search = NearestNeighbours::new(points.view()).unwrap();
            let run = |threads| {
                let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
                pool.install(|| search.map_nearest(queries.view(), k, |_, found| found.to_vec()))
            };
            let found = run(1);
            assert_eq!(run(3), found);
            for (row, found) in found.iter().enumerate().step_by(37) {
                let query: Vec<f64> = queries.row(row).iter().map(|&v| f64::from(v)).collect();
                let indices: Vec<usize> = found.iter().map(|f| f.index).collect();
                assert_eq!(indices, exhaustive(&points, &query, k), "row {row}");
                for neighbour in found {
                    let point = points.row(neighbour.index);
                    let expected = squared_distance(&query, point.iter().map(|&v| f64::from(v)));
                    assert_eq!(neighbour.squared_distance, expected);
                }
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

    /// Equally far neighbours are ordered by index, in the tree and in the products:
    /// which of them are among the k, and who is nearest where classes have equally
    /// many votes.
    #[test]
    fn ties_of_distance_are_decided_by_index() {
        for dimensions in [1, 15, 16, 40] {
            // 50 rows at distance 1 of the origin, by turns on both sides, with
            // farther ones before and behind them.
            let points = Array2::from_shape_fn((70, dimensions), |(row, axis)| match (row, axis) {
                (10..60, 0) => [1.0, -1.0][row % 2],
                (_, 0) => 3.0,
                _ => 0.0f32,
            });
            let search = NearestNeighbours::new(points.view()).unwrap();
            let query = Array2::<f32>::zeros((1, dimensions));
            for k in [1, 2, 7, 50] {
                let expected: Vec<usize> = (10..10 + k).collect();
                let alone = search.nearest(&vec![0.0; dimensions], k);
                let indices: Vec<usize> = alone.iter().map(|found| found.index).collect();
                assert_eq!(indices, expected, "{dimensions} dimensions, k = {k}");
                let together = search.map_nearest(query.view(), k, |_, found| found.to_vec());
                assert_eq!(together, [alone]);
            }
            // One vote each: the class of the lower index, on whichever side it lies.
            for (first, second) in [(4, 9), (9, 4)] {
                let labels: Vec<u32> = (0..70)
                    .map(|row| if row % 2 == 0 { first } else { second })
                    .collect();
                for (k, winner) in [(1, first), (2, first), (3, first), (50, first)] {
                    let found = knn_accuracy(points.view(), &labels, query.view(), &[winner], &[k])
                        .unwrap();
                    assert_eq!(found[0].accuracy, 1.0, "{dimensions} dimensions, k = {k}");
                    assert_eq!((found[0].references, found[0].queries), (70, 1));
                }
            }
        }
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
            let (train, test) = codes.view().split_at(Axis(0), 1000);
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
