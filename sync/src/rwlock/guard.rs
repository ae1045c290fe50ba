//! The guards: what is open while they live. Dropping one puts its share back.

use core::fmt;
use core::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::RwLock;
use super::data::{Shared, Sole};
use super::line::Raw;

/// Reads what an [`RwLock`] guards, beside other readers.
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized>(pub(super) Shared<&'a Raw, T>);

/// Writes what an [`RwLock`] guards, alone.
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized>(pub(super) Sole<&'a Raw, T>);

/// Writes a part of what an [`RwLock`] guards. See [`RwLockWriteGuard::map`].
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct RwLockMappedWriteGuard<'a, U: ?Sized>(Sole<&'a Raw, U>);

/// Reads what an [`RwLock`] guards, or a part of it, and keeps the lock alive.
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockReadGuard<T: ?Sized, U: ?Sized = T>(pub(super) Shared<Arc<RwLock<T>>, U>);

/// Writes what an [`RwLock`] guards, alone, and keeps the lock alive.
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockWriteGuard<T: ?Sized>(pub(super) Sole<Arc<RwLock<T>>, T>);

/// Writes a part of what an [`RwLock`] guards, and keeps the lock alive. See
/// [`OwnedRwLockWriteGuard::map`].
#[must_use = "the lock is put back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockMappedWriteGuard<T: ?Sized, U: ?Sized>(Sole<Arc<RwLock<T>>, U>);

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The same guard, for a part of the data.
    ///
    /// An associated function, so that it hides no method of the data. If `part` panics, the lock is
    /// put back.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        RwLockReadGuard(guard.0.map(part))
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The same guard, for a part of the data. It cannot be downgraded any more.
    ///
    /// An associated function, so that it hides no method of the data. If `part` panics, the lock is
    /// put back.
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> RwLockMappedWriteGuard<'a, U> {
        RwLockMappedWriteGuard(guard.0.map(part))
    }

    /// Goes on reading what was written, and lets those readers in whose turn it is. No writer comes
    /// in between; one that waits keeps its place before the readers behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer = 2;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard(guard.0.downgrade())
    }
}

impl<'a, U: ?Sized> RwLockMappedWriteGuard<'a, U> {
    /// The same guard, for a smaller part. See [`RwLockWriteGuard::map`].
    pub fn map<V: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut U) -> &mut V,
    ) -> RwLockMappedWriteGuard<'a, V> {
        RwLockMappedWriteGuard(guard.0.map(part))
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockReadGuard<T, U> {
    /// The same guard, for a part of the data. See [`RwLockReadGuard::map`].
    pub fn map<V: ?Sized>(guard: Self, part: impl FnOnce(&U) -> &V) -> OwnedRwLockReadGuard<T, V> {
        OwnedRwLockReadGuard(guard.0.map(part))
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The same guard, for a part of the data. See [`RwLockWriteGuard::map`].
    pub fn map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedRwLockMappedWriteGuard<T, U> {
        OwnedRwLockMappedWriteGuard(guard.0.map(part))
    }

    /// Goes on reading. See [`RwLockWriteGuard::downgrade`].
    pub fn downgrade(guard: Self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard(guard.0.downgrade())
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockMappedWriteGuard<T, U> {
    /// The same guard, for a smaller part. See [`RwLockWriteGuard::map`].
    pub fn map<V: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedRwLockMappedWriteGuard<T, V> {
        OwnedRwLockMappedWriteGuard(guard.0.map(part))
    }
}

macro_rules! opens {
    ($(($($generics:tt)*) $guard:ty => $target:ident;)*) => {$(
        impl<$($generics)*> Deref for $guard {
            type Target = $target;

            #[inline]
            fn deref(&self) -> &$target {
                &self.0
            }
        }

        impl<$($generics)* + fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }

        impl<$($generics)* + fmt::Display> fmt::Display for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }
    )*};
}

macro_rules! opens_mut {
    ($(($($generics:tt)*) $guard:ty => $target:ident;)*) => {
        opens! { $(($($generics)*) $guard => $target;)* }

        $(
            impl<$($generics)*> DerefMut for $guard {
                #[inline]
                fn deref_mut(&mut self) -> &mut $target {
                    &mut self.0
                }
            }
        )*
    };
}

opens! {
    (T: ?Sized) RwLockReadGuard<'_, T> => T;
    (T: ?Sized, U: ?Sized) OwnedRwLockReadGuard<T, U> => U;
}

opens_mut! {
    (T: ?Sized) RwLockWriteGuard<'_, T> => T;
    (U: ?Sized) RwLockMappedWriteGuard<'_, U> => U;
    (T: ?Sized) OwnedRwLockWriteGuard<T> => T;
    (T: ?Sized, U: ?Sized) OwnedRwLockMappedWriteGuard<T, U> => U;
}
