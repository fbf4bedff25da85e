//! A fixed-length buffer whose first element starts a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// One cache line, and the width of the widest vector register.
const ALIGNMENT: usize = 64;

/// A zero-initialised slice of fixed length that starts on a 64-byte
/// boundary, so that a panel row of sixteen `f32` is exactly one cache line
/// and no vector load straddles two.
///
/// The storage is a `Vec` a little longer than needed; the slice begins at
/// its first aligned element, which keeps this type free of unsafe code.
pub struct AlignedBuffer<T> {
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> AlignedBuffer<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let slack = ALIGNMENT / size_of::<T>();
        let storage = vec![T::default(); len + slack];
        // `align_offset` may decline (under Miri); alignment is a matter of
        // speed alone, so the slice then starts where the storage does.
        let start = storage.as_ptr().align_offset(ALIGNMENT);
        let start = if start > slack { 0 } else { start };
        Self {
            storage,
            start,
            len,
        }
    }

    /// A copy of `values`.
    pub fn from_slice(values: &[T]) -> Self {
        let mut buffer = Self::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T> Deref for AlignedBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for AlignedBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

impl<T: Copy + Default> Clone for AlignedBuffer<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: PartialEq> PartialEq for AlignedBuffer<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for AlignedBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_and_its_clone_start_on_a_cache_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = AlignedBuffer::<f32>::zeroed(len);
            assert_eq!(buffer.len(), len);
            buffer.fill(1.5);
            let copy = buffer.clone();
            assert_eq!(copy, buffer);
            if !cfg!(miri) {
                assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
                assert_eq!(copy.as_ptr() as usize % ALIGNMENT, 0);
                assert_eq!(
                    AlignedBuffer::<f64>::zeroed(len).as_ptr() as usize % ALIGNMENT,
                    0
                );
            }
        }
    }
}
