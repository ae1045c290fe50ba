//! The futures that wait for their turn.
//!
//! Both hold a waiter and share one way to poll and one way to end. The states are the waiter's: Idle
//! tries the fast path and lines up, Waiting looks for its turn at each poll, Granted holds the lock, for
//! as long as it takes to return it, and the drop frees it. One whose budget is spent does not hold it:
//! it waits in line.
//!
//! Obligations of the wait list's contract: (a) `abandon` runs in the drop of both futures, before the
//! waiter inside them is dropped; (b) the waiter is given to the line of its lock and nothing else;
//! (c) the future borrows or owns the lock, so the lock cannot move or go while the future can still be
//! polled or dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::Lock;
use super::core::Core;
use super::guard::{LockGuard, OwnedLockGuard};
use crate::current::{self, WaitKind};
use crate::notes::{self, Wants};
use crate::wait_list::{WaitState, Waiter};

/// Waits for the turn of a borrowed lock. See [`Lock::lock`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Locking<'a, T: ?Sized> {
    lock: &'a Lock<T>,
    waiter: Waiter,
}

/// Waits for the turn of a shared lock. See [`Lock::lock_owned`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct LockingOwned<T: ?Sized> {
    /// `None` when it has moved into the guard.
    lock: Option<Arc<Lock<T>>>,
    waiter: Waiter,
}

impl<'a, T: ?Sized> Locking<'a, T> {
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>) -> Self {
        Self {
            lock,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Locking` is not
        // `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<'a, T: ?Sized> Future for Locking<'a, T> {
    type Output = LockGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lock = self.lock;
        // SAFETY: (a), (b) and (c) as the head of this file says.
        match unsafe { lock.core.poll_lock(self.waiter(), cx) } {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(LockGuard::new(lock)),
        }
    }
}

impl<T: ?Sized> Drop for Locking<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let this = unsafe { Pin::new_unchecked(self) };
        let lock = this.lock;
        lock.core.abandon(this.waiter());
    }
}

impl<T: ?Sized> fmt::Debug for Locking<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locking")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized> LockingOwned<T> {
    #[inline]
    pub(super) fn new(lock: Arc<Lock<T>>) -> Self {
        Self {
            lock: Some(lock),
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (&mut Option<Arc<Lock<T>>>, Pin<&mut Waiter>) {
        // SAFETY: as in `Locking::waiter` for the waiter; the `Arc` beside it is not pinned, and nothing
        // depends on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.lock, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl<T: ?Sized> Future for LockingOwned<T> {
    type Output = OwnedLockGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (place, waiter) = self.project();
        let Some(lock) = place else { completed() };
        // SAFETY: (a), (b) and (c) as the head of this file says.
        match unsafe { lock.core.poll_lock(waiter, cx) } {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => match place.take() {
                Some(lock) => Poll::Ready(OwnedLockGuard::new(lock)),
                None => completed(),
            },
        }
    }
}

impl<T: ?Sized> Drop for LockingOwned<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let (lock, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        if let Some(lock) = lock {
            lock.core.abandon(waiter);
        }
    }
}

impl<T: ?Sized> fmt::Debug for LockingOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockingOwned")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

#[cold]
fn completed() -> ! {
    panic!("a future that waits for a Lock was polled again after it had completed: await it once");
}

impl Core {
    /// Polls for the lock. After `Ready` the caller holds it.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the wait list's contract; the list is that of this lock.
    #[inline]
    unsafe fn poll_lock(&self, mut waiter: Pin<&mut Waiter>, cx: &mut Context<'_>) -> Poll<()> {
        if waiter.state() != WaitState::Idle {
            return self.poll_waiter(waiter, cx);
        }
        // SAFETY: by the contract of this function.
        if self.take() || unsafe { self.line_up(waiter.as_mut(), cx.waker()) } {
            if let Some(task) = current::spend_as() {
                self.own(task);
                waiter.finish();
                return Poll::Ready(());
            }
            // SAFETY: by the contract of this function.
            unsafe { self.postpone(waiter, cx.waker()) };
        }
        notes::waiting_on(WaitKind::Lock, self, &self.name, Wants::It);
        Poll::Pending
    }

    /// Polls a wait that has begun.
    pub(crate) fn poll_waiter(
        &self,
        mut waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match waiter.state() {
            WaitState::Waiting => {
                if self.poll_turn(waiter.as_mut(), cx.waker()).is_pending() {
                    notes::waiting_on(WaitKind::Lock, self, &self.name, Wants::It);
                    return Poll::Pending;
                }
            }
            WaitState::Granted => {} // an old waker panicked when it was dropped
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => completed(),
        }
        waiter.finish();
        Poll::Ready(())
    }

    /// Ends a wait that nobody wants any more.
    #[inline]
    pub(crate) fn abandon(&self, waiter: Pin<&mut Waiter>) {
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => {}
            WaitState::Waiting => self.leave_line(waiter),
            WaitState::Granted => self.release(),
        }
    }
}
