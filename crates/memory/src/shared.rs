//! Values of one allocation that several owners share, ours or somebody else's.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Values that are never changed, shared without a copy.
///
/// They are our own, or [lent](SharedSlice::lent) by whoever has them already,
/// such as an array of another language.
///
/// ```
/// use memory::SharedSlice;
///
/// let own: SharedSlice<u8> = vec![1, 2, 3].into();
/// let lent = SharedSlice::lent(vec![1u8, 2, 3]);
/// assert_eq!(own[..], lent[..]);
/// assert!(lent.is_same(&lent.clone()) && !own.is_same(&lent));
/// ```
pub struct SharedSlice<T>(Owner<T>);

enum Owner<T> {
    Own(Arc<[T]>),
    Lent(Arc<dyn AsRef<[T]> + Send + Sync>),
}

impl<T> SharedSlice<T> {
    /// The values of `owner`, which is dropped with the last of those that share
    /// them.
    #[must_use]
    pub fn lent(owner: impl AsRef<[T]> + Send + Sync + 'static) -> Self {
        Self(Owner::Lent(Arc::new(owner)))
    }

    /// Whether both are one allocation, of the same length.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq::<[T]>(&**self, &**other)
    }

    /// The values for writing, where they are our own and nothing shares them.
    pub fn get_mut(&mut self) -> Option<&mut [T]> {
        match &mut self.0 {
            Owner::Own(values) => Arc::get_mut(values),
            Owner::Lent(_) => None,
        }
    }
}

impl<T> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Owner::Own(values) => values,
            Owner::Lent(owner) => (**owner).as_ref(),
        }
    }
}

impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Owner::Own(values) => Owner::Own(Arc::clone(values)),
            Owner::Lent(owner) => Owner::Lent(Arc::clone(owner)),
        })
    }
}

impl<T> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = match &self.0 {
            Owner::Own(_) => "own",
            Owner::Lent(_) => "lent",
        };
        write!(formatter, "SharedSlice({} values, {owner})", self.len())
    }
}

impl<T> From<Arc<[T]>> for SharedSlice<T> {
    fn from(values: Arc<[T]>) -> Self {
        Self(Owner::Own(values))
    }
}

impl<T> From<Vec<T>> for SharedSlice<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Owner::Own(values.into()))
    }
}

impl<T> FromIterator<T> for SharedSlice<T> {
    /// In place where the iterator knows its exact length, as `Arc<[T]>`.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(Owner::Own(values.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Owner(Vec<f32>, Arc<AtomicBool>);

    impl AsRef<[f32]> for Owner {
        fn as_ref(&self) -> &[f32] {
            &self.0
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.1.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_owner_that_lends_is_kept_and_dropped_last() {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let values = vec![1.0, 2.0];
        let place = values.as_ptr();
        let mut lent = SharedSlice::lent(Owner(values, is_dropped.clone()));
        assert_eq!(lent.as_ptr(), place);
        assert!(lent.get_mut().is_none());
        let other = lent.clone();
        drop(lent);
        assert_eq!(other[..], [1.0, 2.0]);
        assert!(!is_dropped.load(Ordering::Relaxed));
        drop(other);
        assert!(is_dropped.load(Ordering::Relaxed));
    }

    #[test]
    fn own_values_are_written_until_they_are_shared() {
        let mut own: SharedSlice<u8> = (0..4).collect();
        own.get_mut().expect("one owner")[0] = 9;
        let other = own.clone();
        assert!(own.get_mut().is_none() && own.is_same(&other));
        assert_eq!(other[..], [9, 1, 2, 3]);
        assert!(!own.is_same(&own[..].to_vec().into()));
    }
}
