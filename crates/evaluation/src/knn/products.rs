//! Exhaustive search in many dimensions, most of it by matrix products.
//!
//! ‖a − b‖² = ‖a‖² + ‖b‖² − 2ab, with ab from a product in f32 about the mean of
//! the points, is known to within a bound on its rounding. A point is looked at in
//! f64 only when it may be nearer than the k-th neighbour found so far: of n points
//! in any order about k·ln(n/k) are, so that nearly all of the time goes into the
//! product, and the result is that of looking at all of them.

use ndarray::ArrayView2;

use super::{Neighbour, insert, squared_distance};
use crate::codes::mean_of_codes;
use crate::tiles::TileBuffers;

#[derive(Debug, Clone)]
pub(super) struct Products {
    dimensions: usize,
    /// As given, row-major.
    points: Vec<f32>,
    centre: Vec<f32>,
    /// The points less the centre.
    centred: Vec<f32>,
    /// Of the centred points.
    squared_norms: Vec<f64>,
}

/// The largest squared norm whose products f32 holds with room to spare.
const LARGEST_SQUARED_NORM: f64 = 1e34;

/// u, the most that rounding to f32 moves a number, relatively.
const UNIT_ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

/// What a product of two numbers of f32 loses below its smallest, 2⁻¹⁴⁹, with
/// room for the sum of two.
const UNDERFLOW: f64 = 1e-44;

impl Products {
    /// Over at least one point of at least one dimension.
    pub(super) fn new(points: ArrayView2<'_, f32>) -> Self {
        let centre: Vec<f32> = mean_of_codes(&points).iter().map(|&m| m as f32).collect();
        let points: Vec<f32> = points.iter().copied().collect();
        let (centred, squared_norms) = centred(&points, &centre);
        Self {
            dimensions: centre.len(),
            points,
            centre,
            centred,
            squared_norms,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.squared_norms.len()
    }

    pub(super) fn nearest(&self, query: &[f64], k: usize) -> Vec<Neighbour> {
        let mut found = Vec::with_capacity(k.min(self.len()) + 1);
        if k > 0 {
            for index in 0..self.len() {
                self.look_at(query, index, k, &mut found);
            }
        }
        found
    }

    /// The neighbours of each of some queries, all of which go through the
    /// products together.
    pub(super) fn nearest_of(&self, queries: ArrayView2<'_, f32>, k: usize) -> Vec<Vec<Neighbour>> {
        let rows: Vec<f32> = queries.iter().copied().collect();
        let in_f64: Vec<f64> = rows.iter().map(|&v| f64::from(v)).collect();
        let in_f64 = in_f64.chunks_exact(self.dimensions);
        let (centred, squared_norms) = centred(&rows, &self.centre);
        let norms = self.squared_norms.iter().chain(&squared_norms);
        if norms.copied().fold(0.0, f64::max) > LARGEST_SQUARED_NORM {
            return in_f64.map(|query| self.nearest(query, k)).collect();
        }
        let mut found = vec![Vec::new(); squared_norms.len()];
        if k == 0 {
            return found;
        }
        let bound = Bound::of(self.dimensions);
        let mut buffers = TileBuffers::new();
        buffers.for_each(&centred, &self.centred, self.dimensions, |columns, tile| {
            let lines = tile.chunks_exact(columns.len()).zip(&squared_norms);
            for (((line, own), query), found) in lines.zip(in_f64.clone()).zip(&mut found) {
                let norms = &self.squared_norms[columns.clone()];
                let products = columns.clone().zip(norms.iter().zip(line));
                for (index, (other, &product)) in products {
                    let least = bound.least(*own, *other, product);
                    if found.len() < k || least <= found[k - 1].squared_distance {
                        self.look_at(query, index, k, found);
                    }
                }
            }
        });
        found
    }

    fn look_at(&self, query: &[f64], index: usize, k: usize, found: &mut Vec<Neighbour>) {
        let point = &self.points[index * self.dimensions..][..self.dimensions];
        let candidate = Neighbour {
            squared_distance: squared_distance(query, point.iter().map(|&v| f64::from(v))),
            index,
        };
        insert(found, k, candidate);
    }
}

/// A bound on the squared distance of two points from below.
///
/// With s = ‖a‖² + ‖b‖² of the centred points: centring moves a coordinate by u of
/// its size at most, the distance by u(‖a‖ + ‖b‖) and its square by 6us; a product of
/// d terms in f32 is off by d·u/(1 − d·u)·‖a‖‖b‖ (Higham, *Accuracy and Stability of
/// Numerical Algorithms*, §3.1), twice that by no more than d·u/(1 − d·u)·s. Both
/// together are below (d + 8)·u·s, of which twice as much is taken.
struct Bound {
    share: f64,
    underflow: f64,
}

impl Bound {
    fn of(dimensions: usize) -> Self {
        let d = dimensions as f64;
        Self {
            share: 1.0 - 2.0 * (d + 8.0) * UNIT_ROUNDOFF,
            underflow: d * UNDERFLOW,
        }
    }

    fn least(&self, own: f64, other: f64, product: f32) -> f64 {
        (own + other) * self.share - 2.0 * f64::from(product) - self.underflow
    }
}

/// Rows less the centre, and the squared norms of what is left.
fn centred(rows: &[f32], centre: &[f32]) -> (Vec<f32>, Vec<f64>) {
    let mut centred = Vec::with_capacity(rows.len());
    for row in rows.chunks_exact(centre.len()) {
        centred.extend(row.iter().zip(centre).map(|(v, centre)| v - centre));
    }
    let squared_norm = |row: &[f32]| row.iter().map(|&v| f64::from(v).powi(2)).sum();
    let squared_norms = centred.chunks_exact(centre.len()).map(squared_norm);
    let squared_norms = squared_norms.collect();
    (centred, squared_norms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;

    #[test]
    fn the_bound_is_the_one_derived() {
        // 2 (16 + 8) u with u = 2⁻²⁴.
        let bound = Bound::of(16);
        assert_eq!(bound.share, 1.0 - 48.0 / 16_777_216.0);
        assert!((bound.underflow / 1.6e-43 - 1.0).abs() < 1e-12);
        let bound = Bound {
            share: 0.75,
            underflow: 0.125,
        };
        assert_eq!(bound.least(3.0, 5.0, 1.5), 6.0 - 3.0 - 0.125);
    }

    #[test]
    fn rows_are_centred_and_have_their_norms() {
        let (rows, norms) = centred(&[1.0, 5.0, 3.0, 9.5], &[0.5, 2.0]);
        assert_eq!(rows, [0.5, 3.0, 2.5, 7.5]);
        assert_eq!(norms, [9.25, 62.5]);
    }

    /// Points all but alike, whose squared distance is below the rounding of its parts,
    /// and points apart.
    #[test]
    fn no_distance_is_below_its_bound_nor_far_above() {
        for (dimensions, spread) in [(1, 1.0), (16, 1.0), (50, 1e-4), (784, 1e-2)] {
            let centre = standard_normals(6, 1, dimensions);
            let points = spread * standard_normals(5, 40, dimensions) + &centre;
            let bound = Bound::of(dimensions);
            for (a, b) in points
                .rows()
                .into_iter()
                .zip(points.rows().into_iter().skip(1))
            {
                let [own, other] =
                    [a, b].map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>());
                let product = a.iter().zip(b).fold(0.0_f32, |sum, (a, b)| sum + a * b);
                let pairs = a.iter().zip(b);
                let exact: f64 = pairs
                    .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
                    .sum();
                let least = bound.least(own, other, product);
                let room = 4.0 * (dimensions as f64 + 8.0) * UNIT_ROUNDOFF * (own + other);
                assert!(least <= exact && exact <= least + room, "{least} {exact}");
            }
        }
    }
}
