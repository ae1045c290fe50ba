//! A place for an item that does not exist yet.
//!
//! A slot counts as an item against the capacity. As long as one is out the queue is held: all
//! operations go through the line's lock.
//!
//! Obligations of the wait list's contract: (a) `abandon_reserve` runs in the drop of the future; (b) the
//! waiter is given to `line.putters` and nothing else; (c) the future borrows the queue.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::core::{Attempt, Core};
use super::error::{ShutDown, TryReserveError};
use super::store::Store;
use super::{AnyQueue, Queue};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::wait_list::{Identity, Left, WaitState, Waiter};

/// Waits for a place. See [`Queue::reserve`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Reserve<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    waiter: Waiter,
    _items: PhantomData<fn() -> T>,
}

/// A place in a queue, kept for one item. See [`Queue::reserve`].
///
/// Dropping it gives the place to the next who waits for one. If that one's waker panics, so does the drop;
/// the place is given then.
///
/// # Examples
///
/// ```
/// let queue = tenter_sync::Queue::bounded(1);
/// let slot = queue.try_reserve().unwrap();
/// assert!(queue.try_put(1).is_err(), "the place is kept");
/// slot.put(2).unwrap();
/// assert_eq!(queue.try_get(), Ok(2));
/// ```
#[doc(alias = "Permit")]
#[must_use = "a slot that is dropped gives the place back"]
pub struct Slot<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    _items: PhantomData<fn() -> T>,
}

impl<'a, T, Q: AnyQueue<T>> Reserve<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            waiter: Waiter::new(),
            _items: PhantomData,
        }
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Reserve` is not
        // `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<'a, T, Q: AnyQueue<T>> Future for Reserve<'a, T, Q> {
    type Output = Result<Slot<'a, T, Q>, ShutDown>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        match queue.core().poll_reserve(self.waiter(), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(true) => Poll::Ready(Ok(Slot::new(queue))),
            Poll::Ready(false) => Poll::Ready(Err(ShutDown(()))),
        }
    }
}

impl<T, Q: AnyQueue<T>> Drop for Reserve<'_, T, Q> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.waiter.state(), WaitState::Idle | WaitState::Done) {
            let core = self.queue.core();
            // SAFETY: a future that is dropped is not moved any more.
            core.abandon_reserve(unsafe { Pin::new_unchecked(self) }.waiter());
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Reserve<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl<'a, T, Q: AnyQueue<T>> Slot<'a, T, Q> {
    /// Stands for a place that the caller has taken.
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            _items: PhantomData,
        }
    }

    /// Puts the item that the place is for, without waiting.
    ///
    /// # Errors
    ///
    /// [`ShutDown`] with the value if the queue was shut down meanwhile. There is always room.
    ///
    /// # Panics
    ///
    /// If the waker of the getter that is served panics; the item is put then.
    pub fn put(self, value: T) -> Result<(), ShutDown<T>> {
        let core = self.queue.core();
        core::mem::forget(self);
        core.put_reserved(value)
    }
}

impl<T, Q: AnyQueue<T>> Drop for Slot<'_, T, Q> {
    fn drop(&mut self) {
        self.queue.core().give_place_back();
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Slot<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<T, S: Store<T>> Core<T, S> {
    /// Takes a place without waiting.
    #[cold]
    pub(crate) fn try_reserve(&self) -> Result<(), TryReserveError> {
        let taken = TakenPlace::new(self);
        match self.act(|line, _| taken.is_taken(self.take_place(line))) {
            Attempt::Served => {
                core::mem::forget(taken);
                Ok(())
            }
            Attempt::Refused => Err(TryReserveError::Full),
            Attempt::Shut => Err(TryReserveError::ShutDown),
        }
    }

    /// Polls for a place. True: the caller has it; false: the queue is shut down.
    #[cold]
    fn poll_reserve(&self, mut waiter: Pin<&mut Waiter>, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match waiter.state() {
                WaitState::Idle => match self.line_up_reserve(waiter.as_mut(), cx.waker()) {
                    Attempt::Served => {}
                    Attempt::Refused => break,
                    Attempt::Shut => {
                        if budget::poll_spend(cx).is_pending() {
                            return Poll::Pending;
                        }
                        waiter.finish();
                        return Poll::Ready(false);
                    }
                },
                WaitState::Waiting => {
                    if self.change_waker(|line| &mut line.putters, waiter.as_mut(), cx.waker()) {
                        break;
                    }
                }
                WaitState::Granted => {
                    if budget::poll_spend(cx).is_pending() {
                        return Poll::Pending;
                    }
                    waiter.finish();
                    return Poll::Ready(true);
                }
                WaitState::Dismissed => waiter.as_mut().renew(),
                WaitState::Done => super::completed(),
            }
        }
        let places = self.store.capacity();
        notes::waiting_on(WaitKind::Queue, self, &self.name, Wants::Room(places));
        Poll::Pending
    }

    fn line_up_reserve(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Attempt {
        let mut registration = Some((Identity::of(waker), waker.clone()));
        self.act(|line, _| {
            let attempt = self.take_place(line);
            match (attempt, registration.take()) {
                (Attempt::Served, unused) => {
                    waiter.as_mut().secure();
                    registration = unused; // dropped outside the lock
                }
                // SAFETY: (a), (b) and (c) as the head of this file says; payload 0 says that there is
                // no value.
                (Attempt::Refused, Some(waker)) => unsafe {
                    line.enlist_for_room(waiter.as_mut(), 0, waker);
                },
                (_, unused) => registration = unused,
            }
            attempt
        })
    }

    fn put_reserved(&self, value: T) -> Result<(), ShutDown<T>> {
        let mut value = Some(value);
        self.act(|line, _| {
            line.reserved -= 1;
            if !line.is_shut {
                self.push_at_any_rate(&mut line.inner, &mut value);
            }
        });
        match value {
            None => Ok(()),
            Some(value) => Err(ShutDown(value)),
        }
    }

    /// Puts the item of a slot in, for which there is a place; but items that came back may stand in more
    /// places than there are. Those over it step aside for a moment.
    fn push_at_any_rate(&self, inner: &mut S::Inner, value: &mut Option<T>) {
        let mut aside = Aside {
            store: &self.store,
            inner,
            items: Vec::new(),
        };
        while self.store.push_held(aside.inner, value).is_err() {
            match self.store.pop_held(aside.inner) {
                Some(item) => aside.items.push(item),
                None => unreachable!("an empty store has a place"),
            }
        }
    }

    #[cold]
    fn give_place_back(&self) {
        self.act(|line, _| line.reserved -= 1);
    }

    /// Ends a wait that nobody wants any more.
    #[cold]
    fn abandon_reserve(&self, mut waiter: Pin<&mut Waiter>) {
        let mut left = Left::Gone;
        self.act(|line, _| {
            left = line.putters.leave(waiter.as_mut());
            if waiter.state() == WaitState::Granted && !planted!("queue.cancel_keeps_the_place") {
                line.reserved -= 1;
            }
        });
        drop(left); // a waker, outside the lock
    }
}

/// Items that stepped aside: they go back to where they stood, also when a comparison panics.
struct Aside<'a, T, S: Store<T>> {
    store: &'a S,
    inner: &'a mut S::Inner,
    items: Vec<(u64, T)>,
}

impl<T, S: Store<T>> Drop for Aside<'_, T, S> {
    fn drop(&mut self) {
        for (number, item) in self.items.drain(..) {
            self.store.put_back(self.inner, number, item);
        }
    }
}

/// A place that was taken and is not in a slot yet: a waker that panics gives it back.
struct TakenPlace<'a, T, S: Store<T>> {
    core: &'a Core<T, S>,
    taken: core::cell::Cell<bool>,
}

impl<'a, T, S: Store<T>> TakenPlace<'a, T, S> {
    fn new(core: &'a Core<T, S>) -> Self {
        Self {
            core,
            taken: core::cell::Cell::new(false),
        }
    }

    fn is_taken(&self, attempt: Attempt) -> Attempt {
        self.taken.set(attempt == Attempt::Served);
        attempt
    }
}

impl<T, S: Store<T>> Drop for TakenPlace<'_, T, S> {
    fn drop(&mut self) {
        if self.taken.get() {
            self.core.give_place_back();
        }
    }
}
