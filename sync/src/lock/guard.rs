//! A turn that has been taken. Dropping the guard ends it.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;

use super::Lock;
use super::core::Core;
use super::data::{Data, MappedLockGuard};

/// The turn of a [`Lock`], with what it guards. Dropping it frees the lock.
///
/// It may be kept across an `await`, and sent to another thread.
///
/// A guard is only as shareable as what it guards:
///
/// ```compile_fail
/// fn assert_sync<T: Sync>() {}
/// assert_sync::<tenter_sync::LockGuard<'static, std::cell::Cell<u8>>>();
/// ```
#[doc(alias = "release")]
#[doc(alias = "MutexGuard")]
#[must_use = "the lock is free again at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct LockGuard<'a, T: ?Sized> {
    lock: &'a Lock<T>,
    /// Without it a shared guard would lend `&T` to several threads though `T` is only `Send`.
    _lends: PhantomData<&'a mut T>,
}

/// The turn of a [`Lock`] that it keeps alive, with what it guards. Dropping it frees the lock.
///
/// ```compile_fail
/// fn assert_sync<T: Sync>() {}
/// assert_sync::<tenter_sync::OwnedLockGuard<std::cell::Cell<u8>>>();
/// ```
#[doc(alias = "OwnedMutexGuard")]
#[must_use = "the lock is free again at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedLockGuard<T: ?Sized> {
    lock: Arc<Lock<T>>,
    /// As in [`LockGuard`].
    _lends: PhantomData<T>,
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// For one who has just taken the lock.
    #[inline]
    pub(crate) fn new(lock: &'a Lock<T>) -> Self {
        Self {
            lock,
            _lends: PhantomData,
        }
    }

    #[inline]
    pub(super) fn data(&self) -> &Data<T> {
        &self.lock.data
    }

    pub(super) fn core(&self) -> &'a Core {
        &self.lock.core
    }

    pub(crate) fn lock(&self) -> &'a Lock<T> {
        self.lock
    }

    /// Narrows the guard to a part of what it guards. The lock stays held.
    ///
    /// An associated function, so that it does not hide a method of the data: `LockGuard::map(guard, …)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{Lock, LockGuard};
    ///
    /// let lock = Lock::new((1, "one"));
    /// let mut number = LockGuard::map(lock.try_lock().unwrap(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(lock.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        pick: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedLockGuard<'a, U> {
        MappedLockGuard::of(guard, pick)
    }
}

impl<T: ?Sized> OwnedLockGuard<T> {
    /// For one who has just taken the lock.
    #[inline]
    pub(super) fn new(lock: Arc<Lock<T>>) -> Self {
        Self {
            lock,
            _lends: PhantomData,
        }
    }

    #[inline]
    pub(super) fn data(&self) -> &Data<T> {
        &self.lock.data
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.core.release();
    }
}

impl<T: ?Sized> Drop for OwnedLockGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.core.release();
    }
}

impl<U: ?Sized> Drop for MappedLockGuard<'_, U> {
    #[inline]
    fn drop(&mut self) {
        self.core.release();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for MappedLockGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Display> fmt::Display for MappedLockGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
