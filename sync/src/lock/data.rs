//! The one place where the data of a lock is reached.
//!
//! Contract: whoever calls [`Data::lend`] or [`Data::lend_mut`] holds the lock until the reference is
//! gone. The guards do: each is made by one who has just taken the lock, and its drop frees it; the
//! references that they hand out borrow the guard. One who forgets a guard leaves the lock held for ever.
//!
//! Rejected: guards with a pointer to the data instead of a borrow of the lock, which would spare the
//! type of the mapped guard. A `Condition` frees the lock in between and comes back with the guard that
//! it was given; a pointer into the data may dangle by then.

use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::core::Core;
use super::guard::{LockGuard, OwnedLockGuard};
use crate::shim::UnsafeCell;

/// What a lock guards.
pub(super) struct Data<T: ?Sized>(UnsafeCell<T>);

// SAFETY: sharing a lock lends its data to one thread at a time, as `&mut T`, which is as good as
// sending it there and back. `T: Sync` is not needed, because no two threads have it at once; without
// `T: Send` data that belongs to a thread, an `Rc` for one, would be used from two.
unsafe impl<T: ?Sized + Send> Sync for Data<T> {}
// SAFETY: sending the lock sends the data. (In production the compiler would say the same; the cell of
// the model checker does not.)
unsafe impl<T: ?Sized + Send> Send for Data<T> {}

impl<T> Data<T> {
    crate::const_fn! {
        pub(super) const fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Data<T> {
    /// # Safety
    ///
    /// The caller holds the lock, or has it to itself, until the reference is gone.
    #[inline]
    unsafe fn lend(&self) -> &T {
        self.0.with(|data| {
            // SAFETY: nobody writes, because the caller holds the lock. Without it this would be a
            // race with the holder.
            unsafe { &*data }
        })
    }

    /// # Safety
    ///
    /// The caller holds the lock, or has it to itself, and lends it to nobody else until the reference is
    /// gone.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the lock stands for the unique borrow")]
    unsafe fn lend_mut(&self) -> &mut T {
        self.0.with_mut(|data| {
            // SAFETY: nobody else has a reference, because the caller holds the lock. Without it there
            // would be two.
            unsafe { &mut *data }
        })
    }

    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` says that no guard is left: guards borrow the lock or own a share of it.
        // (A guard that was forgotten is never used again.)
        unsafe { self.lend_mut() }
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, and the reference borrows the guard.
        unsafe { self.data().lend() }
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and the reference borrows the guard alone.
        unsafe { self.data().lend_mut() }
    }
}

impl<T: ?Sized> Deref for OwnedLockGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: as for the borrowed guard.
        unsafe { self.data().lend() }
    }
}

impl<T: ?Sized> DerefMut for OwnedLockGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for the borrowed guard.
        unsafe { self.data().lend_mut() }
    }
}

/// The turn of a [`Lock`](super::Lock), with a part of what it guards. Dropping it frees the lock.
///
/// Made by [`LockGuard::map`]. A [`Condition`](crate::Condition) cannot wait with it: while it waited
/// the part could go away.
#[doc(alias = "MappedMutexGuard")]
#[must_use = "the lock is free again at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct MappedLockGuard<'a, U: ?Sized> {
    pub(super) core: &'a Core,
    part: NonNull<U>,
    _lends: PhantomData<&'a mut U>,
}

// SAFETY: the guard is a `&mut U` and a share of the lock, and both may be sent where `U` may.
unsafe impl<U: ?Sized + Send> Send for MappedLockGuard<'_, U> {}
// SAFETY: through a shared guard there is only `&U`.
unsafe impl<U: ?Sized + Sync> Sync for MappedLockGuard<'_, U> {}

impl<'a, U: ?Sized> MappedLockGuard<'a, U> {
    pub(super) fn of<T: ?Sized>(
        mut guard: LockGuard<'a, T>,
        pick: impl FnOnce(&mut T) -> &mut U,
    ) -> Self {
        // The pointer is taken before the guard is taken apart, so that a panic of `pick` frees the lock.
        let part = NonNull::from(pick(&mut guard));
        let core = guard.core();
        mem::forget(guard); // the turn goes on in the new guard
        Self {
            core,
            part,
            _lends: PhantomData,
        }
    }

    /// Narrows the guard further. See [`LockGuard::map`].
    pub fn map<V: ?Sized>(
        mut guard: Self,
        pick: impl FnOnce(&mut U) -> &mut V,
    ) -> MappedLockGuard<'a, V> {
        let part = NonNull::from(pick(&mut guard));
        let core = guard.core;
        mem::forget(guard);
        MappedLockGuard {
            core,
            part,
            _lends: PhantomData,
        }
    }
}

impl<U: ?Sized> Deref for MappedLockGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: `part` came from a `&mut` borrow of the data, which the guard has had to itself ever
        // since because it holds the lock; the data lives as long as the lock, which is borrowed.
        unsafe { self.part.as_ref() }
    }
}

impl<U: ?Sized> DerefMut for MappedLockGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as for `deref`, and the reference borrows the guard alone.
        unsafe { self.part.as_mut() }
    }
}
