//! The fixed order of sums over the columns of a matrix.
//!
//! Threads that own output panels of a layer each have a part of every sum over
//! its outputs: of an input gradient δ·Wᵀ, and of the loss of a row of pixels.
//! Such a sum is taken in eight chains, one over each of the [`eighths`] of the
//! panels in ascending order, and the chains are added as a balanced tree:
//!
//! ```text
//! ((c₀ + c₁) + (c₂ + c₃)) + ((c₄ + c₅) + (c₆ + c₇))
//! ```
//!
//! Of an eighth without panels nothing is added. One thread alone, and up to
//! eight that own consecutive eighths, then come to the same bits: each adds up
//! the whole [`branches`] of the tree that it has, and whoever needs the sum adds
//! those.

use std::ops::Range;

use crate::Float;
use crate::panels::LANES;

/// Chains of a sum.
pub const EIGHTHS: usize = 8;

/// The panels of `columns` columns in eight consecutive parts of nearly equal
/// size, some of them empty where there are fewer than eight panels.
///
/// ```
/// use tensor_ops::eighths::eighths;
///
/// assert_eq!(eighths(784)[6..], [36..42, 42..49]);
/// assert_eq!(eighths(4)[6..], [0..0, 0..1]);
/// ```
pub fn eighths(columns: usize) -> [Range<usize>; EIGHTHS] {
    std::array::from_fn(|eighth| panels_of(columns, &(eighth..eighth + 1)))
}

/// The panels of some consecutive [`eighths`].
pub const fn panels_of(columns: usize, of: &Range<usize>) -> Range<usize> {
    let panels = columns.div_ceil(LANES);
    of.start * panels / EIGHTHS..of.end * panels / EIGHTHS
}

/// The fewest whole branches of the tree that make up some consecutive
/// [`eighths`], in ascending order: at most four.
///
/// ```
/// use tensor_ops::eighths::branches;
///
/// assert!(branches(0..8).eq([0..8]));
/// assert!(branches(3..8).eq([3..4, 4..8]));
/// ```
pub fn branches(of: Range<usize>) -> impl Iterator<Item = Range<usize>> + Clone {
    let mut left = of;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let mut size = EIGHTHS;
        while !left.start.is_multiple_of(size) || left.start + size > left.end {
            size /= 2;
        }
        let branch = left.start..left.start + size;
        left.start = branch.end;
        Some(branch)
    })
}

/// How the parts of a sum are added, in the order of the parts: after part i
/// come `additions[i]` additions of the two latest sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    parts: [(u8, u8); EIGHTHS],
    additions: [u8; EIGHTHS],
    count: usize,
}

/// Sums of a [`Tree`] that wait for another one to be added to.
pub(crate) const WAITING: usize = 3;

impl Tree {
    /// The tree of a branch, of its eighths that have panels.
    pub(crate) fn of_branch(columns: usize, branch: &Range<usize>) -> Self {
        Self::new(columns, branch, |part| part.len() == 1)
    }

    /// The tree of all eighths, made of branches for which `is_part` is true;
    /// those without panels are none.
    fn new(columns: usize, branch: &Range<usize>, is_part: impl Fn(&Range<usize>) -> bool) -> Self {
        let mut tree = Self::default();
        tree.add(columns, branch, &is_part);
        tree
    }

    /// Adds what makes up `branch`; false if that has no panels.
    fn add(
        &mut self,
        columns: usize,
        branch: &Range<usize>,
        is_part: &impl Fn(&Range<usize>) -> bool,
    ) -> bool {
        if panels_of(columns, branch).is_empty() {
            return false;
        }
        if is_part(branch) || branch.len() == 1 {
            self.parts[self.count] = (branch.start as u8, branch.end as u8);
            self.count += 1;
            return true;
        }
        let middle = branch.start + branch.len() / 2;
        let first = self.add(columns, &(branch.start..middle), is_part);
        let second = self.add(columns, &(middle..branch.end), is_part);
        if first && second {
            self.additions[self.count - 1] += 1;
        }
        first || second
    }

    /// The parts, each with the additions that follow it.
    #[inline(always)]
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let parts = self.parts.iter().zip(self.additions).take(self.count);
        parts.map(|(part, additions)| (part.0.into()..part.1.into(), additions.into()))
    }
}

/// Parts of a sum over all columns of a matrix, from whoever had them: of some
/// [`branches`] that together are all [`eighths`].
#[derive(Clone, Copy, Debug)]
pub struct PartialSums<'a, T> {
    tree: Tree,
    slices: [&'a [T]; EIGHTHS],
}

impl<'a, T> PartialSums<'a, T> {
    /// Those of `columns` columns, in ascending order. Parts without panels may
    /// be left out or not; nothing is read of them.
    ///
    /// # Panics
    /// If the parts are not branches, or not all of them.
    pub fn new(columns: usize, parts: impl IntoIterator<Item = (Range<usize>, &'a [T])>) -> Self {
        let mut slices: [&[T]; EIGHTHS] = [&[]; EIGHTHS];
        let (mut branches, mut count) = ([const { 0..0 }; EIGHTHS], 0);
        for (branch, slice) in parts {
            if panels_of(columns, &branch).is_empty() {
                continue;
            }
            assert!(count < EIGHTHS, "PartialSums::new: more than eight parts");
            (branches[count], slices[count]) = (branch, slice);
            count += 1;
        }
        let tree = Tree::new(columns, &(0..EIGHTHS), |part| {
            branches[..count].contains(part)
        });
        assert!(
            tree.parts()
                .map(|(part, _)| part)
                .eq(branches[..count].iter().cloned()),
            "PartialSums::new: {:?} are not the branches of {columns} columns",
            &branches[..count]
        );
        Self { tree, slices }
    }

    /// The parts, each with the additions that follow it.
    #[inline(always)]
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'a [T], usize)> {
        let slices = self.slices.into_iter();
        slices
            .zip(self.tree.parts())
            .map(|(slice, (_, additions))| (slice, additions))
    }

    /// Every part has so many elements.
    pub(crate) fn have_len(&self, len: usize) -> bool {
        self.parts().all(|(slice, _)| slice.len() == len)
    }
}

impl<T: Float> PartialSums<'_, T> {
    /// The sums of the lines at a place of every part.
    #[inline(always)]
    pub(crate) fn line(&self, at: usize) -> [T; LANES] {
        let mut waiting = [[T::ZERO; LANES]; WAITING + 1];
        let mut depth = 0;
        for (slice, additions) in self.parts() {
            let mut sum = [T::ZERO; LANES];
            sum.copy_from_slice(&slice[at..at + LANES]);
            for _ in 0..additions {
                depth -= 1;
                for (sum, earlier) in sum.iter_mut().zip(waiting[depth]) {
                    *sum = earlier + *sum;
                }
            }
            waiting[depth] = sum;
            depth += 1;
        }
        waiting[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighths_cover_all_panels_in_order() {
        for columns in 0..400 {
            let mut next = 0;
            for eighth in eighths(columns) {
                assert_eq!(eighth.start, next);
                assert!(eighth.len() <= columns.div_ceil(LANES).div_ceil(EIGHTHS));
                next = eighth.end;
            }
            assert_eq!(next, columns.div_ceil(LANES));
        }
    }

    #[test]
    fn branches_are_aligned_and_cover() {
        for start in 0..=EIGHTHS {
            for end in start..=EIGHTHS {
                let mut next = start;
                for branch in branches(start..end) {
                    assert_eq!(branch.start, next);
                    assert!(branch.len().is_power_of_two());
                    assert!(branch.start.is_multiple_of(branch.len()));
                    next = branch.end;
                }
                assert_eq!(next, end);
                assert!(branches(start..end).count() <= 4);
            }
        }
    }

    /// Whoever owns what, the sum is that of the tree written out.
    #[test]
    fn every_division_among_owners_gives_the_same_bits() {
        // Values whose sum depends on its order.
        let chain = |eighth: usize| [1.0_f32, -3e7, 5e-4, 3e7, -0.25, 7e6, 1e-3, -7e6][eighth];
        for columns in [1, 16, 33, 50, 64, 100, 128, 200, 784] {
            let sum = |branch: Range<usize>| written_out(columns, branch, &chain);
            let Some(expected) = sum(0..EIGHTHS) else {
                panic!("no columns");
            };
            for owners in 1..=EIGHTHS {
                let of_owner =
                    |owner: usize| owner * EIGHTHS / owners..(owner + 1) * EIGHTHS / owners;
                let parts = (0..owners).flat_map(|owner| branches(of_owner(owner)));
                let lines: Vec<(Range<usize>, [f32; LANES])> = parts
                    .map(|branch| (branch.clone(), [sum(branch).unwrap_or(f32::NAN); LANES]))
                    .collect();
                let parts = lines
                    .iter()
                    .map(|(branch, line)| (branch.clone(), &line[..]));
                let found = PartialSums::new(columns, parts).line(0);
                assert_eq!(
                    found, [expected; LANES],
                    "{columns} columns, {owners} owners"
                );
            }
        }
    }

    fn written_out(
        columns: usize,
        branch: Range<usize>,
        chain: &impl Fn(usize) -> f32,
    ) -> Option<f32> {
        if panels_of(columns, &branch).is_empty() {
            return None;
        }
        if branch.len() == 1 {
            return Some(chain(branch.start));
        }
        let middle = branch.start + branch.len() / 2;
        let first = written_out(columns, branch.start..middle, chain);
        let second = written_out(columns, middle..branch.end, chain);
        match (first, second) {
            (Some(first), Some(second)) => Some(first + second),
            (first, second) => first.or(second),
        }
    }

    #[test]
    #[should_panic(expected = "are not the branches of 784 columns")]
    fn parts_that_are_not_all_are_refused() {
        let line = [0.0_f32; LANES];
        let _ = PartialSums::new(784, [(0..4, &line[..]), (4..6, &line[..])]);
    }
}
