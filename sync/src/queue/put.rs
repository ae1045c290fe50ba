//! The futures that put items in.
//!
//! The states are the waiter's: Idle tries the fast way and lines up, Waiting has its value in its
//! place, where the holder of the list takes it from, Granted has put it, Dismissed looks again.
//!
//! Obligations of the wait list's contract: (a) `abandon_putter` runs in the drop of the futures,
//! before the node inside them is dropped; (b) the node is given to `line.putters` and nothing else;
//! (c) the future borrows the queue, so that cannot move or go while the future can still be polled or
//! dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use super::core::{Attempt, Core};
use super::error::{ShutDown, TryPutError};
use super::node::Node;
use super::store::Store;
use super::{AnyQueue, Queue};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::wait_list::{Identity, Left, WaitState};

/// Waits for room, and puts an item. See [`Queue::put`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Put<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    node: Node<T>,
}

/// Waits for room as often as it takes to put all items. See [`Queue::put_many`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct PutMany<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    /// Those behind the one in the node's place.
    rest: VecDeque<T>,
    node: Node<T>,
}

impl<'a, T, Q: AnyQueue<T>> Put<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q, value: T) -> Self {
        Self {
            queue,
            node: Node::new(Some(value)),
        }
    }

    #[inline]
    fn parts(self: Pin<&mut Self>) -> (&'a Q, Pin<&mut Node<T>>) {
        let queue = self.queue;
        // SAFETY: the node is pinned with its future: it is never moved out, and `Put` is not `Unpin`
        // because `Node` is not. Were it moved, the list would point to where it was.
        (queue, unsafe {
            self.map_unchecked_mut(|future| &mut future.node)
        })
    }
}

impl<T, Q: AnyQueue<T>> Future for Put<'_, T, Q> {
    type Output = Result<(), ShutDown<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (queue, mut node) = self.parts();
        let core = queue.core();
        if let Some(mut idle) = node.as_mut().idle() {
            // Its place has the value: nobody has looked at it yet.
            let put = idle.with_place(|place| match place.take() {
                None => false,
                Some(value) => match budget::spend_on(value, |value| core.store.push(value)) {
                    Ok(()) => true,
                    Err(value) => {
                        *place = Some(value);
                        false
                    }
                },
            });
            if put {
                idle.finish();
                return Poll::Ready(Ok(()));
            }
        }
        match core.poll_put(node.as_mut(), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(true) => Poll::Ready(Ok(())),
            Poll::Ready(false) => match node.with_place(Option::take) {
                Some(value) => Poll::Ready(Err(ShutDown(value))),
                None => super::completed(),
            },
        }
    }
}

impl<T, Q: AnyQueue<T>> Drop for Put<'_, T, Q> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.node.state(), WaitState::Waiting | WaitState::Dismissed) {
            // SAFETY: a future that is dropped is not moved any more.
            let (queue, node) = unsafe { Pin::new_unchecked(self) }.parts();
            queue.core().abandon_putter(node);
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Put<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("state", &self.node.state())
            .finish_non_exhaustive()
    }
}

impl<'a, T, Q: AnyQueue<T>> PutMany<'a, T, Q> {
    pub(crate) fn new(queue: &'a Q, rest: VecDeque<T>) -> Self {
        Self {
            queue,
            rest,
            node: Node::new(None),
        }
    }

    fn project(self: Pin<&mut Self>) -> (&'a Q, &mut VecDeque<T>, Pin<&mut Node<T>>) {
        // SAFETY: as in `Put::parts` for the node; the values beside it are not pinned.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                this.queue,
                &mut this.rest,
                Pin::new_unchecked(&mut this.node),
            )
        }
    }
}

impl<T, Q: AnyQueue<T>> Future for PutMany<'_, T, Q> {
    type Output = Result<(), ShutDown<Vec<T>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (queue, rest, mut node) = self.project();
        let core = queue.core();
        loop {
            if node.state() == WaitState::Idle {
                core.put_some(rest, node.as_mut());
                if node.as_mut().with_place(|place| place.is_none()) {
                    // All are in: what remains is to say so.
                    node.as_mut().waiter().secure();
                }
            }
            match core.poll_put(node.as_mut(), cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(true) if rest.is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(true) => node.set(Node::new(None)),
                Poll::Ready(false) => {
                    let first = node.with_place(Option::take);
                    let left = first.into_iter().chain(rest.drain(..)).collect();
                    return Poll::Ready(Err(ShutDown(left)));
                }
            }
        }
    }
}

impl<T, Q: AnyQueue<T>> Drop for PutMany<'_, T, Q> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.node.state(), WaitState::Waiting | WaitState::Dismissed) {
            // SAFETY: a future that is dropped is not moved any more.
            let (queue, _, node) = unsafe { Pin::new_unchecked(self) }.project();
            queue.core().abandon_putter(node);
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for PutMany<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutMany")
            .field("state", &self.node.state())
            .field("rest", &self.rest.len())
            .finish_non_exhaustive()
    }
}

impl<T, S: Store<T>> Core<T, S> {
    /// Puts a value without waiting.
    #[inline]
    pub(crate) fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
        match self.store.push(value) {
            Ok(()) => Ok(()),
            Err(value) => self.try_put_slow(value),
        }
    }

    #[cold]
    fn try_put_slow(&self, value: T) -> Result<(), TryPutError<T>> {
        let mut value = Some(value);
        let attempt = self.act(|line, batch| self.admit(line, &mut value, batch));
        match (attempt, value) {
            (Attempt::Served, _) | (_, None) => Ok(()),
            (Attempt::Refused, Some(value)) => Err(TryPutError::Full(value)),
            (Attempt::Shut, Some(value)) => Err(TryPutError::ShutDown(value)),
        }
    }

    /// Puts as many as there is room for, and the next one into the node's place.
    fn put_some(&self, rest: &mut VecDeque<T>, mut node: Pin<&mut Node<T>>) {
        if let Some(value) = node.as_mut().with_place(Option::take) {
            rest.push_front(value); // of an earlier poll
        }
        while !rest.is_empty() && self.store.push_many(rest) > 0 {}
        if rest.is_empty() {
            return;
        }
        let mut value = rest.pop_front();
        self.act(|line, batch| {
            while self.admit(line, &mut value, batch) == Attempt::Served {
                value = rest.pop_front();
                if value.is_none() {
                    break;
                }
            }
            // Before anybody is woken, which may panic.
            node.as_mut().with_place(|place| *place = value.take());
        });
    }

    /// Polls for the value in the node's place to be put. True: it was; false: it is still there, and
    /// the queue is shut down.
    #[cold]
    pub(super) fn poll_put(&self, mut node: Pin<&mut Node<T>>, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match node.state() {
                WaitState::Idle if self.put_held(node.as_mut()) => {}
                WaitState::Idle => match self.line_up_putter(node.as_mut(), cx.waker()) {
                    Attempt::Served => {}
                    Attempt::Refused => break,
                    Attempt::Shut => {
                        if budget::poll_spend(cx).is_pending() {
                            return Poll::Pending;
                        }
                        node.waiter().finish();
                        return Poll::Ready(false);
                    }
                },
                WaitState::Waiting => {
                    let waiter = node.as_mut().waiter();
                    if self.change_waker(|line| &mut line.putters, waiter, cx.waker()) {
                        break;
                    }
                }
                WaitState::Granted => {
                    if budget::poll_spend(cx).is_pending() {
                        return Poll::Pending;
                    }
                    node.waiter().finish();
                    return Poll::Ready(true);
                }
                WaitState::Dismissed => node.as_mut().waiter().renew(),
                WaitState::Done => super::completed(),
            }
        }
        let places = self.store.capacity();
        notes::waiting_on(WaitKind::Queue, self, &self.name, Wants::Room(places));
        Poll::Pending
    }

    /// Puts the value of the node by the lock, if there seems to be room, or nothing at all: then somebody
    /// waits for it. It needs no waker then; else it is going to need one, and the lock twice.
    #[inline]
    fn put_held(&self, mut node: Pin<&mut Node<T>>) -> bool {
        if !self.store.seems_to_have_room() {
            return false;
        }
        // In this frame, as in `line_up_putter`.
        let mut value = node.as_mut().with_place(Option::take);
        if value.is_none() {
            super::completed(); // by a panic
        }
        let attempt = self.act(|line, batch| {
            let attempt = self.admit(line, &mut value, batch);
            match attempt {
                Attempt::Served => node.as_mut().waiter().secure(),
                // Before others are woken: their wakers may panic.
                Attempt::Refused | Attempt::Shut => {
                    node.as_mut().with_place(|place| *place = value.take());
                }
            }
            attempt
        });
        attempt == Attempt::Served
    }

    /// Puts the value of the node after all, or puts the node at the end of the line.
    fn line_up_putter(&self, mut node: Pin<&mut Node<T>>, waker: &Waker) -> Attempt {
        let mut kept = Some(waker.clone());
        // In this frame, so that a comparison that panics lets it go when the lock is free again.
        let mut value = node.as_mut().with_place(Option::take);
        if value.is_none() {
            super::completed(); // by a panic
        }
        self.act(|line, batch| {
            let attempt = self.admit(line, &mut value, batch);
            match attempt {
                Attempt::Served => node.as_mut().waiter().secure(),
                Attempt::Refused => {
                    node.as_mut().with_place(|place| *place = value.take());
                    if let Some(kept) = kept.take() {
                        // SAFETY: (a), (b) and (c) as the head of this file says.
                        unsafe { line.enlist_putter(node.as_mut(), (Identity::of(waker), kept)) };
                    }
                }
                Attempt::Shut => node.as_mut().with_place(|place| *place = value.take()),
            }
            attempt
        })
    }

    /// Ends a wait that nobody wants any more. The value stays in the node, and goes with it.
    #[cold]
    fn abandon_putter(&self, mut node: Pin<&mut Node<T>>) {
        let mut left = Left::Gone;
        self.act(|line, _| left = line.putters.leave(node.as_mut().waiter()));
        drop(left); // a waker, outside the lock
    }
}
