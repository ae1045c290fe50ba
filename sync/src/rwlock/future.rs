//! The four futures: to read or to write, with the lock borrowed or owned. Each is a [`Wait`] and
//! the lock that it waits for.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::RwLock;
use super::guard::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
use super::state::Kind;
use super::wait::Wait;

macro_rules! borrowed {
    ($(#[$meta:meta])* $name:ident, $kind:expr, $guard:ident, $open:ident) => {
        $(#[$meta])*
        #[must_use = "futures do nothing unless they are awaited or polled"]
        pub struct $name<'a, T: ?Sized> {
            lock: &'a RwLock<T>,
            wait: Wait,
        }

        impl<'a, T: ?Sized> $name<'a, T> {
            #[inline]
            pub(super) fn new(lock: &'a RwLock<T>) -> Self {
                Self { lock, wait: Wait::new($kind) }
            }

            #[inline]
            fn wait(self: Pin<&mut Self>) -> Pin<&mut Wait> {
                // SAFETY: the wait is pinned with its future: it is never moved out, and the future
                // is not `Unpin` because `Wait` is not.
                unsafe { self.map_unchecked_mut(|future| &mut future.wait) }
            }
        }

        impl<'a, T: ?Sized> Future for $name<'a, T> {
            type Output = $guard<'a, T>;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let lock = self.lock;
                if self.wait().poll_take(&lock.raw, cx).is_pending() {
                    return Poll::Pending;
                }
                // SAFETY: `Ready` says that the share is this future's, which gives it away here.
                Poll::Ready($guard(unsafe { lock.$open() }))
            }
        }

        impl<T: ?Sized> Drop for $name<'_, T> {
            #[inline]
            fn drop(&mut self) {
                let lock = self.lock;
                // SAFETY: a future that is dropped is not moved any more.
                unsafe { Pin::new_unchecked(self) }.wait().abandon(&lock.raw);
            }
        }

        impl<T: ?Sized> fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                describe(stringify!($name), &self.wait, f)
            }
        }
    };
}

macro_rules! owned {
    ($(#[$meta:meta])* $name:ident, $kind:expr, $guard:ident, $open:ident) => {
        $(#[$meta])*
        #[must_use = "futures do nothing unless they are awaited or polled"]
        pub struct $name<T: ?Sized> {
            /// `None` when it has moved into the guard.
            lock: Option<Arc<RwLock<T>>>,
            wait: Wait,
        }

        impl<T: ?Sized> $name<T> {
            #[inline]
            pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
                Self { lock: Some(lock), wait: Wait::new($kind) }
            }

            #[inline]
            fn project(self: Pin<&mut Self>) -> (&mut Option<Arc<RwLock<T>>>, Pin<&mut Wait>) {
                // SAFETY: the wait is pinned with its future, as above; the `Arc` beside it is not
                // pinned, and nothing depends on where it is.
                unsafe {
                    let this = self.get_unchecked_mut();
                    (&mut this.lock, Pin::new_unchecked(&mut this.wait))
                }
            }
        }

        impl<T: ?Sized> Future for $name<T> {
            type Output = $guard<T>;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let (place, wait) = self.project();
                let Some(lock) = place else { super::wait::completed() };
                if wait.poll_take(&lock.raw, cx).is_pending() {
                    return Poll::Pending;
                }
                let Some(lock) = place.take() else { super::wait::completed() };
                // SAFETY: `Ready` says that the share is this future's, which gives it away here.
                Poll::Ready($guard(unsafe { lock.$open() }))
            }
        }

        impl<T: ?Sized> Drop for $name<T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: a future that is dropped is not moved any more.
                let (lock, wait) = unsafe { Pin::new_unchecked(self) }.project();
                if let Some(lock) = lock {
                    wait.abandon(&lock.raw);
                }
            }
        }

        impl<T: ?Sized> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                describe(stringify!($name), &self.wait, f)
            }
        }
    };
}

borrowed!(
    /// Waits to read. See [`RwLock::read`].
    RwLockRead, Kind::Read, RwLockReadGuard, opened
);
borrowed!(
    /// Waits to write. See [`RwLock::write`].
    RwLockWrite, Kind::Write, RwLockWriteGuard, opened_mut
);
owned!(
    /// Waits to read, and keeps the lock alive. See [`RwLock::read_owned`].
    RwLockReadOwned, Kind::Read, OwnedRwLockReadGuard, opened_owned
);
owned!(
    /// Waits to write, and keeps the lock alive. See [`RwLock::write_owned`].
    RwLockWriteOwned, Kind::Write, OwnedRwLockWriteGuard, opened_mut_owned
);

fn describe(what: &str, wait: &Wait, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(what)
        .field("state", wait)
        .finish_non_exhaustive()
}
