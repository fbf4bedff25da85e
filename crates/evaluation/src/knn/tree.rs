//! A k-d tree (Bentley 1975, *Communications of the ACM* 18:509), split at the
//! median of the widest axis: fast for the few dimensions codes have, correct for
//! any.

use std::ops::Range;

use ndarray::ArrayView2;

use super::{Neighbour, insert, squared_distance};

#[derive(Debug, Clone)]
pub(super) struct Tree {
    dimensions: usize,
    /// Coordinates, permuted so that every leaf owns a contiguous range.
    points: Vec<f64>,
    /// Original index of each permuted point.
    indices: Vec<u32>,
    root: Node,
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

impl Tree {
    /// Over at least one point of at least one dimension.
    pub(super) fn new(points: ArrayView2<'_, f32>) -> Self {
        let mut indices: Vec<u32> = (0..points.nrows() as u32).collect();
        let root = build(&points, &mut indices, 0);
        let permuted = indices.iter().flat_map(|&index| points.row(index as usize));
        Self {
            dimensions: points.ncols(),
            points: permuted.map(|&v| f64::from(v)).collect(),
            indices,
            root,
        }
    }

    pub(super) fn nearest(&self, query: &[f64], k: usize) -> Vec<Neighbour> {
        let mut found = Vec::with_capacity(k.min(self.indices.len()) + 1);
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
                    let candidate = Neighbour {
                        squared_distance: squared_distance(query, point.iter().copied()),
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
    use ndarray::Array2;

    use super::*;

    /// The axis and the value of a split, and its halves.
    fn split(node: &Node) -> (usize, f64, &[Node; 2]) {
        match node {
            Node::Split {
                axis,
                value,
                halves,
            } => (*axis, *value, &**halves),
            Node::Leaf(range) => panic!("a leaf of {range:?}"),
        }
    }

    fn leaf(node: &Node) -> Range<usize> {
        match node {
            Node::Leaf(range) => range.clone(),
            Node::Split { axis, value, .. } => panic!("a split of axis {axis} at {value}"),
        }
    }

    /// The first axis lies farther out and the second one, about 0, is the wider.
    #[test]
    fn the_widest_axis_is_split_at_its_median_down_to_full_leaves() {
        let points = Array2::from_shape_fn((33, 2), |(row, axis)| {
            let place = (row * 10 % 33) as f32;
            if axis == 0 {
                50.0 - 0.01 * place
            } else {
                place - 16.0
            }
        });
        let tree = Tree::new(points.view());
        let (axis, value, [below, above]) = split(&tree.root);
        assert_eq!((axis, value), (1, 0.0));
        // 16 points are a leaf, 17 are not.
        assert_eq!(leaf(below), 0..16);
        let (axis, value, halves) = split(above);
        assert_eq!((axis, value), (1, 8.0));
        assert_eq!(halves.each_ref().map(leaf), [16..24, 24..33]);
        for (place, &index) in tree.indices.iter().enumerate() {
            let point = points.row(index as usize);
            assert_eq!(tree.points[2 * place + 1], f64::from(point[1]));
            let is_above = place >= 16;
            assert_eq!(point[1] >= 0.0, is_above);
        }
    }

    #[test]
    fn equal_points_are_one_leaf_and_of_equally_wide_axes_the_first_is_split() {
        let equal = Tree::new(Array2::from_elem((40, 3), 0.5).view());
        assert_eq!(leaf(&equal.root), 0..40);
        let diagonal = Array2::from_shape_fn((20, 2), |(row, _)| row as f32);
        assert_eq!(split(&Tree::new(diagonal.view()).root).0, 0);
    }
}
