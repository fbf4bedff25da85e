//! Shapes of up to four axes, and the broadcasting rule.

use std::fmt;

use crate::error::Error;

/// Largest number of axes of a value (importance samples × images × rows × columns).
pub const MAX_AXES: usize = 4;

/// Extents of a value along its axes, first axis slowest. No axis at all is a scalar.
///
/// A fixed-size array, so that recording a node never allocates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    extents: [usize; MAX_AXES],
    axes: u8,
}

impl Shape {
    /// The shape of a single number.
    pub const SCALAR: Self = Self {
        extents: [1; MAX_AXES],
        axes: 0,
    };

    /// A shape with these extents.
    ///
    /// # Errors
    /// [`Error::TooManyAxes`] beyond [`MAX_AXES`].
    pub fn new(extents: &[usize]) -> Result<Self, Error> {
        Self::for_op("shape", extents)
    }

    pub(crate) fn for_op(op: &'static str, extents: &[usize]) -> Result<Self, Error> {
        if extents.len() > MAX_AXES {
            return Err(Error::TooManyAxes {
                op,
                axes: extents.len(),
            });
        }
        let mut shape = Self::SCALAR;
        shape.extents[..extents.len()].copy_from_slice(extents);
        shape.axes = extents.len() as u8;
        Ok(shape)
    }

    pub(crate) fn vector(len: usize) -> Self {
        Self {
            extents: [len, 1, 1, 1],
            axes: 1,
        }
    }

    pub(crate) fn matrix(rows: usize, cols: usize) -> Self {
        Self {
            extents: [rows, cols, 1, 1],
            axes: 2,
        }
    }

    /// Extents, first axis first.
    #[must_use]
    pub fn extents(&self) -> &[usize] {
        &self.extents[..usize::from(self.axes)]
    }

    /// Number of axes.
    #[must_use]
    pub fn axes(&self) -> usize {
        usize::from(self.axes)
    }

    /// Number of elements: the product of the extents, 1 for a scalar.
    #[must_use]
    pub fn len(&self) -> usize {
        self.extents().iter().product()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape two operands share after broadcasting (NumPy's rule): aligned
    /// at the last axis, extents equal or one of them 1. `None` if there is none.
    #[must_use]
    pub fn broadcast(self, other: Self) -> Option<Self> {
        let axes = self.axes().max(other.axes());
        let mut extents = [1; MAX_AXES];
        for (axis, extent) in extents.iter_mut().enumerate().take(axes) {
            *extent = match (
                self.aligned_extent(axis, axes),
                other.aligned_extent(axis, axes),
            ) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(Self {
            extents,
            axes: axes as u8,
        })
    }

    /// Whether broadcasting to `target` is possible and changes nothing in `target`.
    #[must_use]
    pub fn broadcasts_to(self, target: Self) -> bool {
        self.broadcast(target) == Some(target)
    }

    pub(crate) fn with_extent(mut self, axis: usize, extent: usize) -> Self {
        self.extents[axis] = extent;
        self
    }

    /// Drops the axes whose bit is set.
    pub(crate) fn without(self, mask: AxisMask) -> Self {
        let mut kept = Self::SCALAR;
        for (axis, &extent) in self.extents().iter().enumerate() {
            if !mask.contains(axis) {
                kept.extents[kept.axes()] = extent;
                kept.axes += 1;
            }
        }
        kept
    }

    /// Extents before, along and after `axis`, multiplied up.
    pub(crate) fn around(&self, axis: usize) -> (usize, usize, usize) {
        let extents = self.extents();
        (
            extents[..axis].iter().product(),
            extents[axis],
            extents[axis + 1..].iter().product(),
        )
    }

    /// Row-major strides of this shape seen as `target`: 0 along broadcast axes.
    pub(crate) fn strides_in(&self, target: &Self) -> [usize; MAX_AXES] {
        let axes = target.axes();
        let mut strides = [0; MAX_AXES];
        let mut step = 1;
        for axis in (0..axes).rev() {
            let extent = self.aligned_extent(axis, axes);
            if extent != 1 {
                strides[axis] = step;
                step *= extent;
            }
        }
        strides
    }

    /// Strides of the result of reducing the axes in `mask`, seen from this
    /// shape: 0 along reduced axes.
    pub(crate) fn reduced_strides(&self, mask: AxisMask) -> [usize; MAX_AXES] {
        let mut strides = [0; MAX_AXES];
        let mut step = 1;
        for axis in (0..self.axes()).rev() {
            if !mask.contains(axis) {
                strides[axis] = step;
                step *= self.extents[axis];
            }
        }
        strides
    }

    /// Extent at `axis` of a shape of `axes` axes aligned with this one at the end.
    fn aligned_extent(&self, axis: usize, axes: usize) -> usize {
        let missing = axes - self.axes();
        if axis < missing {
            1
        } else {
            self.extents[axis - missing]
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.extents(), formatter)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A set of axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AxisMask(u8);

impl AxisMask {
    pub(crate) fn all(shape: &Shape) -> Self {
        Self((1 << shape.axes()) - 1)
    }

    pub(crate) fn of(op: &'static str, shape: &Shape, axes: &[usize]) -> Result<Self, Error> {
        let mut mask = Self(0);
        for &axis in axes {
            if axis >= shape.axes() || mask.contains(axis) {
                return Err(Error::Axis {
                    op,
                    axis,
                    shape: *shape,
                });
            }
            mask.0 |= 1 << axis;
        }
        Ok(mask)
    }

    pub(crate) fn contains(self, axis: usize) -> bool {
        self.0 & (1 << axis) != 0
    }
}

/// A nest of loops over a shape walking `N` operands at once, with axes merged
/// wherever every operand allows it. The innermost stride of each operand is 0
/// or 1, so the body works on contiguous runs.
pub(crate) struct LoopNest<const N: usize> {
    extents: [usize; MAX_AXES],
    strides: [[usize; MAX_AXES]; N],
    depth: usize,
    is_empty: bool,
}

impl<const N: usize> LoopNest<N> {
    pub(crate) fn new(shape: &Shape, strides: [[usize; MAX_AXES]; N]) -> Self {
        // Innermost loop first.
        let mut nest = Self {
            extents: [1; MAX_AXES],
            strides: [[0; MAX_AXES]; N],
            depth: 0,
            is_empty: shape.is_empty(),
        };
        for axis in (0..shape.axes()).rev() {
            let extent = shape.extents()[axis];
            if extent == 1 {
                continue;
            }
            let merges = nest.depth > 0 && {
                let inner = nest.depth - 1;
                (0..N).all(|operand| {
                    strides[operand][axis] == nest.strides[operand][inner] * nest.extents[inner]
                })
            };
            if merges {
                nest.extents[nest.depth - 1] *= extent;
            } else {
                nest.extents[nest.depth] = extent;
                for (own, given) in nest.strides.iter_mut().zip(&strides) {
                    own[nest.depth] = given[axis];
                }
                nest.depth += 1;
            }
        }
        nest
    }

    /// Calls `body(offsets, length, innermost strides)` for every innermost run,
    /// in row-major order.
    pub(crate) fn for_each_run(&self, mut body: impl FnMut([usize; N], usize, [usize; N])) {
        if self.is_empty {
            return;
        }
        let inner_strides = std::array::from_fn(|operand| self.strides[operand][0]);
        let mut counter = [0; MAX_AXES];
        let mut offsets = [0; N];
        loop {
            body(offsets, self.extents[0], inner_strides);
            let mut level = 1;
            loop {
                if level >= self.depth {
                    return;
                }
                counter[level] += 1;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset += strides[level];
                }
                if counter[level] < self.extents[level] {
                    break;
                }
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset -= strides[level] * self.extents[level];
                }
                counter[level] = 0;
                level += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(extents: &[usize]) -> Shape {
        Shape::new(extents).unwrap()
    }

    #[test]
    fn broadcasting_follows_the_trailing_axes() {
        type Extents<'a> = &'a [usize];
        let cases: [(Extents, Extents, Option<Extents>); 7] = [
            (&[2, 3], &[3], Some(&[2, 3])),
            (&[2, 1], &[1, 3], Some(&[2, 3])),
            (&[], &[4], Some(&[4])),
            (&[0, 3], &[1, 3], Some(&[0, 3])),
            (&[0], &[1], Some(&[0])),
            (&[2, 3], &[2], None),
            (&[0], &[2], None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(
                shape(a).broadcast(shape(b)),
                expected.map(shape),
                "{a:?} {b:?}"
            );
            assert_eq!(
                shape(b).broadcast(shape(a)),
                expected.map(shape),
                "{b:?} {a:?}"
            );
        }
    }

    #[test]
    fn runs_visit_every_element_in_row_major_order() {
        let target = shape(&[2, 3, 1, 4]);
        for (operand, merged_runs) in [
            (shape(&[2, 3, 1, 4]), 1),
            (shape(&[4]), 6),
            (shape(&[2, 1, 1, 1]), 2),
            (shape(&[3, 1, 1]), 6),
        ] {
            let strides = operand.strides_in(&target);
            let nest = LoopNest::new(&target, [strides]);
            let (mut visited, mut runs) = (Vec::new(), 0);
            nest.for_each_run(|[offset], length, [stride]| {
                runs += 1;
                visited.extend((0..length).map(|i| offset + i * stride));
            });
            let mut expected = Vec::new();
            for i in 0..2 {
                for j in 0..3 {
                    for l in 0..4 {
                        expected.push(i * strides[0] + j * strides[1] + l * strides[3]);
                    }
                }
            }
            assert_eq!(visited, expected, "{operand}");
            assert_eq!(runs, merged_runs, "{operand}");
        }
    }
}
