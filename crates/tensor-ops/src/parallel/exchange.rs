//! Memory that the threads of one region write in parts and then all read.

use std::cell::UnsafeCell;
use std::ops::Range;

/// One cache line.
const ALIGNMENT: usize = 64;

/// A fixed-length buffer, starting on a cache line, that several threads share
/// in phases: in one, each writes a part of its own; after a barrier, in the
/// next, all read.
pub struct Exchange<T> {
    cells: Vec<UnsafeCell<T>>,
    start: usize,
    len: usize,
}

// SAFETY: the cells are reached through `part`, `read` and the pointer of `start`.
// Callers of the first promise that nothing else refers to what they write, of the
// others that no thread writes what they read.
unsafe impl<T: Send + Sync> Sync for Exchange<T> {}

impl<T> std::fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({} elements)", self.len)
    }
}

impl<T: Copy + Default> Default for Exchange<T> {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl<T: Copy + Default> Exchange<T> {
    /// `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        const { assert!(size_of::<T>() > 0, "nothing to share") };
        let slack = ALIGNMENT / size_of::<T>();
        let cells: Vec<_> = (0..len + slack)
            .map(|_| UnsafeCell::new(T::default()))
            .collect();
        // `align_offset` may decline (under Miri); alignment is a matter of
        // speed alone.
        let start = cells.as_ptr().align_offset(ALIGNMENT);
        let start = if start > slack { 0 } else { start };
        Self { cells, start, len }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All elements: nobody shares them while they are borrowed so.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the exclusive borrow.
        unsafe { self.part(0..self.len) }
    }

    /// Where the elements begin; what holds for [`read`](Self::read) holds for
    /// whoever reads through it.
    pub fn start(&self) -> *const T {
        UnsafeCell::raw_get(self.cells(0..self.len).as_ptr())
    }

    fn cells(&self, range: Range<usize>) -> &[UnsafeCell<T>] {
        &self.cells[self.start..self.start + self.len][range]
    }

    /// A part, to write.
    ///
    /// # Safety
    /// While the result is used, nothing else refers to any element of
    /// `range`.
    #[allow(clippy::mut_from_ref)] // that is what the promise is about
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        let cells = self.cells(range);
        // SAFETY: UnsafeCell<T> has T's layout; the caller promises that the
        // elements are not aliased.
        unsafe { std::slice::from_raw_parts_mut(UnsafeCell::raw_get(cells.as_ptr()), cells.len()) }
    }

    /// A part, to read.
    ///
    /// # Safety
    /// While the result is used, no thread writes any of its elements.
    pub unsafe fn read(&self, range: Range<usize>) -> &[T] {
        let cells = self.cells(range);
        // SAFETY: UnsafeCell<T> has T's layout; the caller promises that the
        // elements are not written.
        unsafe { std::slice::from_raw_parts(UnsafeCell::raw_get(cells.as_ptr()), cells.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::ThreadPool;

    #[test]
    fn what_one_thread_writes_the_others_read_after_the_barrier() {
        let threads = 3;
        let pool = ThreadPool::new(threads).unwrap();
        let shared = Exchange::<u32>::zeroed(3 * 40);
        pool.together(&mut [(); 3], |index, (), barrier| {
            for round in 0..20 {
                let range = index * 40..(index + 1) * 40;
                // SAFETY: the ranges of the threads are disjoint, and nobody
                // reads before the barrier.
                unsafe { shared.part(range) }.fill(round * 10 + index as u32);
                barrier.wait();
                // SAFETY: nobody writes before the next barrier.
                let all = unsafe { shared.read(0..120) };
                assert!(
                    all.iter()
                        .enumerate()
                        .all(|(i, &v)| v == round * 10 + i as u32 / 40)
                );
                barrier.wait();
            }
        });
    }
}
