//! The futures that wait for a notification, and how it reaches them.
//!
//! ```text
//!   guard ── first poll ──► in the condition's line ── moved ──► in the lock's line ──► guard
//!   (Idle)                  (Waiting)                            (Waiting, Granted)     (Done)
//! ```
//!
//! Obligations of the wait list's contract: (a) the drop of [`Wait`] takes its waiter out of whichever
//! line it is in; (b) the waiter is given to the condition's line, and after `holds` has said, under the
//! condition's line, that it is not there any more, to the line of its lock and nothing else; (c) the
//! future borrows the condition and the lock, so neither can move or go while the future can still be
//! polled or dropped.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::{Condition, two_locks};
use crate::current::WaitKind;
use crate::lock::core::Core;
use crate::lock::core::payload;
use crate::lock::{Lock, LockGuard};
use crate::notes::{self, Wants};
use crate::planted;
use crate::wait_list::{Identity, Left, WaitState, Waiter};

/// Waits for a notification, and for the lock. See [`Condition::wait`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Wait<'a, T: ?Sized> {
    condition: &'a Condition,
    lock: &'a Lock<T>,
    /// Until the first poll.
    guard: Option<LockGuard<'a, T>>,
    /// The broadcasts that there had been when it lined up.
    born: usize,
    /// It has seen that it was moved to the lock's line.
    moved: bool,
    place: &'static Location<'static>,
    waiter: Waiter,
}

/// Waits until there is something to come back for. See [`Condition::wait_for`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitFor<'a, T: ?Sized, F> {
    wait: Wait<'a, T>,
    look: F,
}

/// What a wait has beside its waiter.
struct Rest<'p, 'a, T: ?Sized> {
    condition: &'a Condition,
    lock: &'a Lock<T>,
    guard: &'p mut Option<LockGuard<'a, T>>,
    born: &'p mut usize,
    moved: &'p mut bool,
    place: &'static Location<'static>,
}

impl<'a, T: ?Sized> Wait<'a, T> {
    #[inline]
    pub(super) fn new(
        condition: &'a Condition,
        guard: LockGuard<'a, T>,
        place: &'static Location<'static>,
    ) -> Self {
        Self {
            condition,
            lock: guard.lock(),
            guard: Some(guard),
            born: 0,
            moved: false,
            place,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (Rest<'_, 'a, T>, Pin<&mut Waiter>) {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Wait` is not `Unpin`
        // because `Waiter` is not. Were it moved, the list would point to where it was. The rest is not
        // pinned: nothing depends on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            let rest = Rest {
                condition: this.condition,
                lock: this.lock,
                guard: &mut this.guard,
                born: &mut this.born,
                moved: &mut this.moved,
                place: this.place,
            };
            (rest, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl<'a, T: ?Sized> Future for Wait<'a, T> {
    type Output = LockGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (rest, mut waiter) = self.project();
        let (condition, core) = (rest.condition, rest.lock.core());
        if let Some(guard) = rest.guard.as_ref() {
            debug_assert!(core::ptr::eq(guard.lock(), rest.lock));
            if planted!("condition.free_before_lining_up") {
                *rest.guard = None;
            }
            // SAFETY: (a), (b) and (c) as the head of this file says.
            *rest.born = unsafe { condition.line_up(waiter, core, cx, rest.place) };
            *rest.guard = None; // the lock is freed after the wait is in the line
            notes::waiting_on(
                WaitKind::Condition,
                condition,
                &condition.name,
                Wants::Notified,
            );
            return Poll::Pending;
        }
        if waiter.state() == WaitState::Waiting && !*rest.moved {
            if condition.waits_on(waiter.as_mut(), cx) {
                notes::waiting_on(
                    WaitKind::Condition,
                    condition,
                    &condition.name,
                    Wants::Notified,
                );
                return Poll::Pending;
            }
            *rest.moved = true;
        }
        match core.poll_waiter(waiter, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(LockGuard::new(rest.lock)),
        }
    }
}

impl<T: ?Sized> Drop for Wait<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.waiter.state(), WaitState::Waiting | WaitState::Granted) {
            // SAFETY: a future that is dropped is not moved any more.
            let (rest, waiter) = unsafe { Pin::new_unchecked(self) }.project();
            rest.condition.abandon(waiter, rest.lock.core(), *rest.born);
        }
    }
}

impl<T: ?Sized> fmt::Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl<'a, T: ?Sized, F> WaitFor<'a, T, F> {
    #[inline]
    pub(super) fn new(wait: Wait<'a, T>, look: F) -> Self {
        Self { wait, look }
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut Wait<'a, T>>, &mut F) {
        // SAFETY: the wait is pinned with its future: it is only ever replaced in place, by `Pin::set`;
        // the closure is not pinned, and `WaitFor` is not `Unpin` because `Wait` is not.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.wait), &mut this.look)
        }
    }
}

impl<'a, T, R, F> Future for WaitFor<'a, T, F>
where
    T: ?Sized,
    F: FnMut(&mut T) -> Option<R>,
{
    type Output = (LockGuard<'a, T>, R);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut wait, look) = self.project();
        let (condition, place) = (wait.condition, wait.place);
        let begun = wait.as_mut().project().0.guard.take();
        let mut guard = match begun {
            Some(guard) => guard, // the first poll
            None => match wait.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(guard) => guard,
            },
        };
        if let Some(found) = look(&mut guard) {
            return Poll::Ready((guard, found));
        }
        wait.set(Wait::new(condition, guard, place));
        wait.poll(cx)
            .map(|_| unreachable!("a wait that begins is pending"))
    }
}

impl<T: ?Sized, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor")
            .field("state", &self.wait.waiter.state())
            .finish_non_exhaustive()
    }
}

impl Condition {
    /// Puts a waiter at the end of the line. Returns the number of broadcasts so far.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the wait list's contract, for the line of the condition and then that of `core`.
    unsafe fn line_up(
        &self,
        waiter: Pin<&mut Waiter>,
        core: &Core,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> usize {
        let (waker, identity) = (cx.waker().clone(), Identity::of(cx.waker()));
        let payload = payload(&waker);
        let lock = core::ptr::from_ref(core).addr();
        let mut line = self.line.lock();
        if let Some(since) = line.stranger(lock) {
            drop(line);
            drop(waker); // user code, outside the line's lock
            two_locks(self, "a wait", place, since);
        }
        line.lock.get_or_insert((lock, place));
        // SAFETY: (a), (b) and (c) by the contract of this function.
        unsafe { line.waiters.enlist(waiter, payload, identity, Some(waker)) };
        line.peak = line.peak.max(line.waiters.len());
        self.count(&mut line);
        line.broadcasts
    }

    /// Whether a waiter is still in the condition's line; then it waits with this waker.
    fn waits_on(&self, mut waiter: Pin<&mut Waiter>, cx: &mut Context<'_>) -> bool {
        let identity = Identity::of(cx.waker());
        {
            let line = self.line.lock();
            if !line.waiters.holds(waiter.as_mut()) {
                return false;
            }
            if line
                .waiters
                .has_waker(waiter.as_mut(), cx.waker(), &identity)
            {
                return true;
            }
        }
        let waker = cx.waker().clone();
        let payload = payload(&waker);
        let mut line = self.line.lock();
        if !line.waiters.holds(waiter.as_mut()) {
            drop(line); // moved meanwhile; the waker goes after
            return false;
        }
        line.waiters.set_payload(waiter.as_mut(), payload);
        let old = line.waiters.set_waker(waiter, identity, waker);
        drop(line);
        drop(old); // user code, outside the line's lock
        true
    }

    /// Moves waiters to the line of the lock, whose guard is there.
    #[cold]
    pub(super) fn move_to_lock<T: ?Sized>(
        &self,
        guard: &LockGuard<'_, T>,
        count: usize,
        here: &'static Location<'static>,
    ) {
        let core = guard.lock().core();
        let mut line = self.line.lock();
        if let Some(since) = line.stranger(core::ptr::from_ref(core).addr()) {
            drop(line);
            two_locks(self, "a notification", here, since);
        }
        // SAFETY: all in the line wait with this lock (I1), which their futures borrow, and their owners
        // look as (b) says; the guard holds the lock (I3).
        let moved = unsafe { core.append(&mut line.waiters, count) };
        if moved > 0 && count == usize::MAX {
            line.broadcasts = line.broadcasts.wrapping_add(1);
        }
        self.count(&mut line);
    }

    /// Ends a wait that nobody wants any more, in whichever line it is.
    #[cold]
    fn abandon(&self, mut waiter: Pin<&mut Waiter>, core: &Core, born: usize) {
        let mut line = self.line.lock();
        if line.waiters.holds(waiter.as_mut()) {
            let left: Left = line.waiters.leave(waiter);
            self.count(&mut line);
            drop(line);
            drop(left); // a waker, outside the line's lock
            return;
        }
        // It was notified. What `notify` gave it goes to the next who waits; what `notify_all` gave it
        // all the others have.
        let lock = core::ptr::from_ref(core).addr();
        if line.broadcasts == born
            && line.stranger(lock).is_none()
            && !planted!("condition.cancel_swallows_notification")
        {
            // SAFETY: as in `move_to_lock`; the waiter is in the lock's line or holds the lock (I3).
            unsafe { core.append(&mut line.waiters, 1) };
            self.count(&mut line);
        }
        drop(line);
        core.abandon(waiter);
    }
}
