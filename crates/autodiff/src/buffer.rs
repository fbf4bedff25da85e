//! Recyclable, cache-line aligned storage.

use tensor_ops::Float;

/// Alignment in bytes: one cache line, which is one row of an f32 panel.
const ALIGNMENT: usize = 64;

/// A slice of values that keeps its memory when it is resized, so that
/// recording the same program again allocates nothing.
#[derive(Default)]
pub(crate) struct Buffer<T> {
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Float> Buffer<T> {
    /// Makes room for `len` values whose content is unspecified.
    pub(crate) fn prepare(&mut self, len: usize) -> &mut [T] {
        if self.start + len > self.storage.len() {
            let slack = ALIGNMENT / size_of::<T>();
            self.storage = vec![T::ZERO; len + slack];
            // A pointer that cannot be aligned (allowed by the documentation
            // of `align_offset`) costs speed, never correctness.
            self.start = match self.storage.as_ptr().align_offset(ALIGNMENT) {
                offset if offset <= slack => offset,
                _ => 0,
            };
        }
        self.len = len;
        self.as_mut_slice()
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_and_aligned() {
        let mut buffer = Buffer::<f32>::default();
        assert!(buffer.as_slice().is_empty());
        let first = buffer.prepare(1000).as_ptr();
        assert_eq!(first.align_offset(ALIGNMENT), 0);
        assert_eq!(buffer.prepare(10).len(), 10);
        assert_eq!(buffer.prepare(1000).as_ptr(), first);
    }
}
