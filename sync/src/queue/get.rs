//! The futures that take items out.
//!
//! The states are the waiter's: Idle tries the fast way and lines up, Waiting has nothing to do,
//! Granted has an item in its place, which the drop gives back, Dismissed looks again.
//!
//! Obligations of the wait list's contract: (a) `abandon_getter` runs in the drop of the futures,
//! before the node inside them is dropped; (b) the node is given to `line.getters` and nothing else;
//! (c) the future borrows the queue, so that cannot move or go while the future can still be polled or
//! dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::core::{Attempt, Core};
use super::error::{ShutDown, TryGetError};
use super::line::Line;
use super::node::Node;
use super::store::Store;
use super::{AnyQueue, Queue};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::wait_list::{Identity, Left, WaitState};
use crate::wake_batch::WakeBatch;

/// An item with its number.
type Numbered<T> = (u64, T);

/// Waits for an item. See [`Queue::get`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Get<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    node: Node<Numbered<T>>,
}

/// Waits for an item, and takes those that are there then. See [`Queue::get_many`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct GetMany<'a, T, Q: AnyQueue<T> = Queue<T>> {
    get: Get<'a, T, Q>,
    into: &'a mut Vec<T>,
    max: usize,
}

impl<'a, T, Q: AnyQueue<T>> Get<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            node: Node::new(None),
        }
    }

    #[inline]
    fn parts(self: Pin<&mut Self>) -> (&'a Q, Pin<&mut Node<Numbered<T>>>) {
        let queue = self.queue;
        // SAFETY: the node is pinned with its future: it is never moved out, and `Get` is not `Unpin`
        // because `Node` is not. Were it moved, the list would point to where it was.
        (queue, unsafe {
            self.map_unchecked_mut(|future| &mut future.node)
        })
    }

    /// Whether it has not begun to wait.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.node.state() == WaitState::Idle
    }
}

impl<T, Q: AnyQueue<T>> Future for Get<'_, T, Q> {
    type Output = Result<T, ShutDown>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (queue, mut node) = self.parts();
        let core = queue.core();
        if let Some(idle) = node.as_mut().idle() {
            if let Some(item) = core.get_fast() {
                idle.finish();
                return Poll::Ready(Ok(item));
            }
        }
        core.poll_get(node.as_mut(), cx)
    }
}

impl<T, Q: AnyQueue<T>> Drop for Get<'_, T, Q> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.node.state(), WaitState::Idle | WaitState::Done) {
            // SAFETY: a future that is dropped is not moved any more.
            let (queue, node) = unsafe { Pin::new_unchecked(self) }.parts();
            queue.core().abandon_getter(node);
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Get<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("state", &self.node.state())
            .finish_non_exhaustive()
    }
}

impl<'a, T, Q: AnyQueue<T>> GetMany<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q, into: &'a mut Vec<T>, max: usize) -> Self {
        Self {
            get: Get::new(queue),
            into,
            max,
        }
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut Get<'a, T, Q>>, &mut Vec<T>, usize) {
        // SAFETY: the inner future is pinned with this one; the rest is not pinned, and nothing depends
        // on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.get), this.into, this.max)
        }
    }
}

impl<T, Q: AnyQueue<T>> Future for GetMany<'_, T, Q> {
    type Output = Result<usize, ShutDown>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (get, into, max) = self.project();
        let (queue, mut node) = get.parts();
        let core = queue.core();
        if max == 0 {
            return Poll::Ready(Ok(0));
        }
        if node.state() == WaitState::Idle {
            if let Ok(count) = budget::spend_on((), |()| match core.pop_many(into, max) {
                0 => Err(()),
                count => Ok(count),
            }) {
                node.waiter().finish();
                return Poll::Ready(Ok(count));
            }
        }
        match core.poll_get(node.as_mut(), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(shut)) => Poll::Ready(Err(shut)),
            Poll::Ready(Ok(item)) => {
                into.push(item);
                Poll::Ready(Ok(1 + core.take_more(into, max - 1)))
            }
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for GetMany<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany")
            .field("state", &self.get.node.state())
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

/// An item in the hands of one who does not wait: a panic on the way brings it home.
struct Carried<'a, T, S: Store<T>> {
    core: &'a Core<T, S>,
    item: Option<Numbered<T>>,
}

impl<T, S: Store<T>> Drop for Carried<'_, T, S> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.core.give_back(item);
        }
    }
}

impl<T, S: Store<T>> Core<T, S> {
    /// Takes an item if it can be had at once and this poll may still do something.
    ///
    /// What it refuses goes the slow way, where the item is secured before the budget is asked.
    #[inline]
    pub(crate) fn get_fast(&self) -> Option<T> {
        budget::spend_on((), |()| self.store.pop().ok_or(())).ok()
    }

    /// Takes an item without waiting.
    #[inline]
    pub(crate) fn try_get(&self) -> Result<T, TryGetError> {
        match self.store.pop() {
            Some(item) => Ok(item),
            None => self.try_get_slow(),
        }
    }

    #[cold]
    fn try_get_slow(&self) -> Result<T, TryGetError> {
        let mut carried = Carried {
            core: self,
            item: None,
        };
        let is_shut = self.act(|line, batch| {
            carried.item = self.take(line, batch);
            // As long as getters wait there may be items for those behind them.
            line.is_shut && line.getters.is_empty()
        });
        match carried.item.take() {
            Some((_, item)) => Ok(item),
            None if is_shut => Err(TryGetError::ShutDown),
            None => Err(TryGetError::Empty),
        }
    }

    /// Takes what the fast way gives, at most `max`: one claim may reach to the end of the memory only.
    /// What others put meanwhile stays, so that this has an end.
    fn pop_many(&self, into: &mut Vec<T>, max: usize) -> usize {
        let max = max.min(self.store.len());
        let mut count = 0;
        while count < max {
            match self.store.pop_many(into, max - count) {
                0 => break,
                more => count += more,
            }
        }
        count
    }

    /// Takes what is there, at most `max`.
    fn take_more(&self, into: &mut Vec<T>, max: usize) -> usize {
        if max == 0 {
            return 0;
        }
        match self.pop_many(into, max) {
            0 => self.take_more_slow(into, max),
            count => count,
        }
    }

    /// The items go to the caller's vector at once, so that no panic loses them.
    #[cold]
    fn take_more_slow(&self, into: &mut Vec<T>, max: usize) -> usize {
        let mut count = 0;
        self.act(|line, _| {
            while count < max && line.getters.is_empty() {
                let Some((_, item)) = self.store.pop_held(&mut line.inner) else {
                    break;
                };
                into.push(item);
                count += 1;
            }
        });
        count
    }

    /// Polls for an item when the fast way has refused.
    #[cold]
    pub(crate) fn poll_get(
        &self,
        mut node: Pin<&mut Node<Numbered<T>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, ShutDown>> {
        loop {
            match node.state() {
                WaitState::Idle if self.get_held(node.as_mut()) => {}
                WaitState::Idle => match self.line_up_getter(node.as_mut(), cx.waker()) {
                    Attempt::Served => {}
                    Attempt::Refused => break,
                    Attempt::Shut => {
                        if budget::poll_spend(cx).is_pending() {
                            return Poll::Pending;
                        }
                        node.waiter().finish();
                        return Poll::Ready(Err(ShutDown(())));
                    }
                },
                WaitState::Waiting => {
                    let waiter = node.as_mut().waiter();
                    if self.change_waker(|line| &mut line.getters, waiter, cx.waker()) {
                        break;
                    }
                }
                WaitState::Granted => {
                    if budget::poll_spend(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let item = node.as_mut().with_place(Option::take);
                    node.as_mut().waiter().finish();
                    match item {
                        Some((_, item)) => return Poll::Ready(Ok(item)),
                        None => unreachable!("a granted getter has an item"),
                    }
                }
                WaitState::Dismissed => node.as_mut().waiter().renew(),
                WaitState::Done => super::completed(),
            }
        }
        notes::waiting_on(WaitKind::Queue, self, &self.name, Wants::Item);
        Poll::Pending
    }

    /// Takes an item into the node by the lock, if there seems to be one. It needs no waker then; else it
    /// is going to need one, and the lock twice.
    #[inline]
    fn get_held(&self, mut node: Pin<&mut Node<Numbered<T>>>) -> bool {
        if !self.store.seems_to_have_items() {
            return false;
        }
        self.act(|line, batch| self.take_into(node.as_mut(), line, batch))
    }

    /// Takes an item into the node, if there is one that nobody comes before it for.
    #[inline(always)]
    fn take_into(
        &self,
        mut node: Pin<&mut Node<Numbered<T>>>,
        line: &mut Line<S::Inner>,
        batch: &mut WakeBatch,
    ) -> bool {
        let Some(item) = self.take(line, batch) else {
            return false;
        };
        let before = node.as_mut().with_place(|place| place.replace(item));
        debug_assert!(before.is_none());
        node.as_mut().waiter().secure();
        true
    }

    /// Takes an item into the node after all, or puts the node at the end of the line.
    fn line_up_getter(&self, mut node: Pin<&mut Node<Numbered<T>>>, waker: &Waker) -> Attempt {
        let mut kept = Some(waker.clone());
        self.act(|line, batch| {
            if self.take_into(node.as_mut(), line, batch) {
                return Attempt::Served;
            }
            if line.is_shut && line.getters.is_empty() {
                return Attempt::Shut;
            }
            if let Some(kept) = kept.take() {
                // SAFETY: (a), (b) and (c) as the head of this file says.
                unsafe { line.enlist_getter(node.as_mut(), (Identity::of(waker), kept)) };
            }
            Attempt::Refused
        })
    }

    /// Ends a wait that nobody wants any more.
    #[cold]
    fn abandon_getter(&self, node: Pin<&mut Node<Numbered<T>>>) {
        drop(self.withdraw_getter(node)); // a waker, outside the lock
    }

    /// Ends a wait, and gives back what was handed to it. Returns the waker if it still waited.
    #[cold]
    pub(crate) fn withdraw_getter(&self, mut node: Pin<&mut Node<Numbered<T>>>) -> Option<Waker> {
        let mut left = Left::Gone;
        self.act(|line, _| {
            left = line.getters.leave(node.as_mut().waiter());
            if node.state() == WaitState::Granted && !planted!("queue.cancel_swallows_item") {
                if let Some((number, item)) = node.as_mut().with_place(Option::take) {
                    self.store.put_back(&mut line.inner, number, item);
                }
            }
        });
        if node.state() != WaitState::Done {
            node.waiter().finish();
        }
        match left {
            Left::Waiting(waker) => waker,
            Left::Gone => None,
        }
    }
}
