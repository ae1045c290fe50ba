//! What a scope shares with those who may cancel it, and with what is in progress inside it.
//!
//! ```text
//!   root (task, main)            a request at A reaches B, C and D, but not E and F:
//!    └─ A ◄── cancel(reason)     each is told that it has been reached, and its owner is woken
//!       ├─ B ── C
//!       ├─ D ── token T          T is cancelled together with D
//!       └─ E (shield) ── F
//! ```
//!
//! A node is made when something needs it: a handle, a shield, a group, a clean-up. It hangs where its
//! future was polled last, because futures are moved between two polls.
//!
//! Invariants:
//! - N1: `reason` is written once. Cancellation is level-triggered: nothing takes it back.
//! - N2: a node counts as one in its parent's `held` exactly while it holds itself (a shield, a group, a
//!   clean-up in progress) or its own `held` is not zero. Changed under the locks of both, child before
//!   parent, which is the only order in which two of these locks are held.
//! - N3: a node is in its parent's `children` exactly while `parent` says so.
//! - N4: after [`leave`](Node::leave) a node has no parent, no waker and no clean-ups.
//!
//! # No request is missed
//!
//! The owner puts its waker down, then looks for a reason, up to the root; whoever cancels puts the reason
//! down, then takes the wakers, down to the leaves. Both do it node by node under the node's lock. At the
//! node that is cancelled either the one or the other comes first: the owner finds the reason, or the
//! canceller finds the way down to the owner's node, for the links were made before the owner looked.
//!
//! No waker is cloned, dropped or woken, and no clean-up polled or dropped, under a lock.
//!
//! Tests: `scope/node/tests.rs`, `tests/tests/scopes`; `loom-tests/tests/scope.rs`.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::wake_batch::{Progress, wake_in_batches};
use tenter_sync::{Notify, planted};
use tenter_timer::Instant;

use super::clean_up::CleanUp;
use crate::task::CancelReason;

/// The shared part of a scope.
pub struct Node {
    /// How much in progress inside defers the end of the scope (N2). Written under the lock.
    held: AtomicUsize,
    /// For those who wait to be told, besides the owner.
    reached: Notify,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    reason: Option<CancelReason>,
    parent: Option<Link>,
    /// Free places are `None`, and in `free`.
    children: Vec<Option<Weak<Node>>>,
    free: Vec<usize>,
    /// Cancelled together with this one, wherever they run.
    tokens: Vec<Weak<Node>>,
    /// Counts as in progress in the parent, whatever is inside.
    holds: bool,
    /// A request of an ancestor ends here.
    shield: bool,
    left: bool,
    /// The task itself: it is woken by its own word, and only what ends inside needs the waker.
    root: bool,
    deadline: Option<Instant>,
    /// The owner's.
    waker: Option<Waker>,
    clean_ups: VecDeque<CleanUp>,
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Node")
            .field("held", &self.is_held())
            .finish_non_exhaustive()
    }
}

struct Link {
    node: Arc<Node>,
    place: usize,
}

/// A change of what a node holds.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// It counts by itself, or no longer.
    Holds(bool),
    /// The same, and requests of its ancestors end there, or no longer.
    Shield(bool),
    /// One more thing inside.
    Raise,
    /// One thing less inside.
    Lower,
}

/// What was collected under locks and is let go without them.
#[derive(Default)]
struct Told {
    wakers: Vec<Waker>,
    nodes: Vec<Arc<Node>>,
    /// To be cancelled too.
    tokens: Vec<Arc<Node>>,
}

impl Node {
    /// A node that hangs nowhere.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            held: AtomicUsize::new(0),
            reached: Notify::new(),
            inner: Mutex::new(Inner::default()),
        })
    }

    /// The node of a task.
    pub fn root() -> Arc<Self> {
        let node = Self::new();
        node.inner.lock().root = true;
        node
    }

    /// Whether something inside must not be dropped yet. For the owner, in or after its poll; what ends
    /// elsewhere wakes it.
    #[inline]
    pub fn is_held(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `count`: what ended inside did so before.
        self.held.load(Ordering::Acquire) > 0
    }

    // ----- where it hangs -----------------------------------------------------------------------

    /// Hangs the node where its future is polled now.
    pub fn settle(self: &Arc<Self>, parent: Option<&Arc<Self>>) {
        let mut inner = self.inner.lock();
        let old = inner.parent.as_ref().map(|link| Arc::as_ptr(&link.node));
        if old == parent.map(Arc::as_ptr) || inner.left {
            return;
        }
        let mut told = Told::default();
        let counts = self.counts(&inner);
        let old = inner.unlink(counts, &mut told);
        if let Some(parent) = parent {
            inner.link(self, parent, counts);
        }
        drop(inner);
        drop(old);
        if self.reason().is_some() {
            // Whatever is inside came along, and has to be told.
            self.tell(&mut told);
        }
        told.let_go();
    }

    /// The scope has ended: no request reaches it any more, and it holds nothing.
    pub fn leave(&self) {
        let mut told = Told::default();
        let mut inner = self.inner.lock();
        let counts = self.counts(&inner);
        inner.left = true;
        inner.holds = false;
        let old = inner.unlink(counts, &mut told);
        let waker = inner.waker.take();
        let clean_ups = core::mem::take(&mut inner.clean_ups);
        drop(inner);
        drop((old, waker, clean_ups));
        told.let_go();
    }

    fn counts(&self, inner: &Inner) -> bool {
        // ORDERING: Relaxed. Written under the lock that the caller holds.
        inner.holds || self.held.load(Ordering::Relaxed) > 0
    }

    /// Makes the node count in its parent, whatever is inside, or no longer.
    pub fn set_holds(&self, holds: bool) {
        let mut told = Told::default();
        self.change(&mut told, Change::Holds(holds));
        told.let_go();
    }

    /// One more thing inside must not be dropped.
    pub fn raise(&self) {
        let mut told = Told::default();
        self.change(&mut told, Change::Raise);
        told.let_go();
    }

    /// One thing less inside must not be dropped.
    pub fn lower(&self) {
        let mut told = Told::default();
        self.change(&mut told, Change::Lower);
        told.let_go();
    }

    /// Changes what the node holds, and what that means for its ancestors (N2).
    fn change(&self, told: &mut Told, change: Change) {
        let mut inner = self.inner.lock();
        let before = self.counts(&inner);
        match change {
            Change::Holds(holds) => inner.holds = holds,
            Change::Shield(shield) => {
                inner.shield = shield;
                inner.holds = shield;
            }
            // ORDERING: Release pairs with the Acquire in `is_held`. Written under the lock.
            Change::Raise => {
                self.held.fetch_add(1, Ordering::Release);
            }
            Change::Lower => {
                // ORDERING: as above.
                let held = self.held.fetch_sub(1, Ordering::Release);
                debug_assert!(held > 0, "N2: lowered more often than raised");
                let waits = held == 1 && inner.reason.is_some();
                if waits && !planted!("scope.lower_without_wake") {
                    // The owner waited for this to end.
                    told.wakers.extend(inner.waker.take());
                }
            }
        }
        let after = self.counts(&inner);
        if before != after {
            if let Some(link) = &inner.parent {
                let change = if after { Change::Raise } else { Change::Lower };
                link.node.change(told, change);
            }
        }
    }

    // ----- cancellation -------------------------------------------------------------------------

    /// Cancels the scope, and what is in it. True: this was the first request.
    pub fn cancel(self: &Arc<Self>, reason: &CancelReason) -> bool {
        let mut told = Told::default();
        if !self.cancel_one(reason, &mut told) {
            return false;
        }
        while let Some(token) = told.tokens.pop() {
            token.cancel_one(reason, &mut told);
        }
        told.let_go();
        true
    }

    fn cancel_one(self: &Arc<Self>, reason: &CancelReason, told: &mut Told) -> bool {
        {
            let mut inner = self.inner.lock();
            if inner.reason.is_some() || inner.left {
                return false;
            }
            inner.reason = Some(reason.clone()); // N1
        }
        self.tell(told);
        true
    }

    /// Collects who has to know that this node was reached.
    fn tell(self: &Arc<Self>, told: &mut Told) {
        let mut below = vec![Arc::clone(self)];
        while let Some(node) = below.pop() {
            let mut inner = node.inner.lock();
            if !inner.shield || Arc::ptr_eq(&node, self) {
                inner.tell(told, &mut below);
                drop(inner);
                told.nodes.push(node);
            }
        }
    }

    /// Why the scope has to end: its own reason, or that of the nearest ancestor from which a request
    /// reaches here.
    pub fn reason(&self) -> Option<CancelReason> {
        if let Some(reason) = self.own_reason() {
            return Some(reason);
        }
        let mut above = self.above();
        while let Some(node) = above {
            if let Some(reason) = node.own_reason() {
                return Some(reason);
            }
            above = node.above();
        }
        None
    }

    /// The scope's own reason.
    pub fn own_reason(&self) -> Option<CancelReason> {
        self.inner.lock().reason.clone()
    }

    /// Whether the scope itself was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.inner.lock().reason.is_some()
    }

    /// For those who wait to be told that a request has reached the scope.
    pub fn reached(&self) -> &Notify {
        &self.reached
    }

    /// Where the owner wants to be woken when it is reached, or no longer held.
    pub fn register(&self, waker: &Waker) {
        let known = |inner: &Inner| {
            let old = inner.waker.as_ref();
            inner.left || old.is_some_and(|old| old.will_wake(waker))
        };
        if known(&self.inner.lock()) {
            return;
        }
        let new = waker.clone();
        let mut inner = self.inner.lock();
        let old = if inner.left {
            Some(new)
        } else {
            inner.waker.replace(new)
        };
        drop(inner);
        drop(old);
    }

    /// A node that is cancelled when this one is, or reached by a request, wherever it runs.
    pub fn token(&self) -> Arc<Self> {
        let token = Self::new();
        let mut inner = self.inner.lock();
        inner.tokens.retain(|token| token.strong_count() > 0);
        inner.tokens.push(Arc::downgrade(&token));
        drop(inner);
        if let Some(reason) = self.reason() {
            token.cancel(&reason);
        }
        token
    }

    /// Whether requests of ancestors end here.
    pub fn set_shield(self: &Arc<Self>, shield: bool) {
        let mut told = Told::default();
        self.change(&mut told, Change::Shield(shield));
        if !shield && self.reason().is_some() {
            self.tell(&mut told);
        }
        told.let_go();
    }

    /// Whether requests of ancestors end here.
    pub fn is_shield(&self) -> bool {
        self.inner.lock().shield
    }

    // ----- deadlines ----------------------------------------------------------------------------

    /// Whether the scope has ended.
    pub fn has_left(&self) -> bool {
        self.inner.lock().left
    }

    /// The scope's own deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.lock().deadline
    }

    /// Sets the deadline, and has the owner look at it.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        let mut inner = self.inner.lock();
        inner.deadline = deadline;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The scope's own deadline; `now`, if it was cancelled.
    pub fn own_deadline(&self, now: Instant) -> Option<Instant> {
        let inner = self.inner.lock();
        inner.reason.as_ref().map_or(inner.deadline, |_| Some(now))
    }

    /// The nearest deadline of the scope and its ancestors; `now`, if one of them is cancelled.
    pub fn nearest_deadline(&self, now: Instant) -> Option<Instant> {
        let mut nearest = self.own_deadline(now);
        let mut above = self.above();
        while let Some(node) = above {
            nearest = nearest.into_iter().chain(node.own_deadline(now)).min();
            above = node.above();
        }
        nearest
    }

    /// The parent, if its requests reach here.
    fn above(&self) -> Option<Arc<Self>> {
        let inner = self.inner.lock();
        let parent = inner.parent.as_ref().filter(|_| !inner.shield)?;
        Some(Arc::clone(&parent.node))
    }

    /// Whether a request has reached here and nothing keeps it from being carried out: whatever suspends
    /// in this scope now is dropped.
    pub fn ends_now(&self) -> bool {
        if self.is_held() {
            return false;
        }
        if self.is_cancelled() {
            return true;
        }
        let mut above = self.above();
        while let Some(node) = above {
            if node.is_held() {
                return false;
            }
            if node.is_cancelled() {
                return true;
            }
            above = node.above();
        }
        false
    }

    // ----- clean-ups ----------------------------------------------------------------------------

    /// Takes over what has to be done before the scope ends: before the value that waits for the rest, if
    /// there is one. Given back if the scope has ended.
    pub fn defer(&self, clean_up: CleanUp) -> Result<(), CleanUp> {
        let mut inner = self.inner.lock();
        if inner.left {
            return Err(clean_up);
        }
        let last = inner.clean_ups.back().is_some_and(CleanUp::is_value);
        let place = inner.clean_ups.len() - usize::from(last);
        inner.clean_ups.insert(place, clean_up);
        Ok(())
    }

    /// Whether there is something to be done before the scope ends.
    #[inline]
    pub fn has_clean_ups(&self) -> bool {
        !self.inner.lock().clean_ups.is_empty()
    }

    /// Does it, in the order in which it was handed over.
    pub fn poll_clean_ups(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(mut first) = self.inner.lock().clean_ups.pop_front() else {
                return Poll::Ready(());
            };
            if first.poll(cx).is_pending() {
                self.inner.lock().clean_ups.push_front(first);
                return Poll::Pending;
            }
        }
    }

    /// What was handed over while the scope goes on: the runtime does it, now.
    #[inline]
    pub fn reap(&self) {
        if self.has_clean_ups() {
            self.reap_all();
        }
    }

    #[cold]
    fn reap_all(&self) {
        let clean_ups = core::mem::take(&mut self.inner.lock().clean_ups);
        let kept: VecDeque<_> = clean_ups
            .into_iter()
            .filter_map(|it| it.reap().err())
            .collect();
        let mut inner = self.inner.lock();
        for clean_up in kept.into_iter().rev() {
            inner.clean_ups.push_front(clean_up);
        }
    }

    /// Drops what will never be done, and says so.
    pub fn abandon_clean_ups(&self) {
        let clean_ups = core::mem::take(&mut self.inner.lock().clean_ups);
        for clean_up in clean_ups {
            clean_up.abandon();
        }
    }

    /// Gives what has to be done to whoever drops the scope.
    pub fn take_clean_ups(&self) -> VecDeque<CleanUp> {
        core::mem::take(&mut self.inner.lock().clean_ups)
    }
}

impl Inner {
    fn tell(&mut self, told: &mut Told, below: &mut Vec<Arc<Node>>) {
        if !self.root {
            told.wakers.extend(self.waker.take());
        }
        below.extend(self.children.iter().flatten().filter_map(Weak::upgrade));
        told.tokens
            .extend(self.tokens.iter().filter_map(Weak::upgrade));
    }

    /// N3, N2.
    fn link(&mut self, own: &Arc<Node>, parent: &Arc<Node>, counts: bool) {
        let mut above = parent.inner.lock();
        let child = Some(Arc::downgrade(own));
        let place = match above.free.pop() {
            Some(place) => {
                above.children[place] = child;
                place
            }
            None => {
                above.children.push(child);
                above.children.len() - 1
            }
        };
        drop(above);
        if counts {
            let mut told = Told::default();
            parent.change(&mut told, Change::Raise);
            debug_assert!(told.wakers.is_empty(), "N2: nobody waits for more to begin");
        }
        self.parent = Some(Link {
            node: Arc::clone(parent),
            place,
        });
    }

    /// N3, N2. The caller drops what it gets without the lock.
    fn unlink(&mut self, counts: bool, told: &mut Told) -> Option<Arc<Node>> {
        let Link { node, place } = self.parent.take()?;
        {
            let mut above = node.inner.lock();
            above.children[place] = None;
            above.free.push(place);
        }
        if counts {
            node.change(told, Change::Lower);
        }
        Some(node)
    }
}

impl Told {
    fn let_go(self) {
        struct Notified(Vec<Arc<Node>>);
        impl Drop for Notified {
            fn drop(&mut self) {
                for node in &self.0 {
                    node.reached.notify_waiters();
                }
            }
        }
        // Also if a waker panics.
        let _notified = Notified(self.nodes);
        let mut wakers = self.wakers.into_iter();
        wake_in_batches(|batch| {
            while !batch.is_full() {
                match wakers.next() {
                    Some(waker) => batch.push(waker),
                    None => return Progress::Finished,
                }
            }
            Progress::More
        });
    }
}
