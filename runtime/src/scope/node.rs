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
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Mutex, thread};
use tenter_sync::wake_batch::{Progress, wake_in_batches};
use tenter_sync::{Notify, planted};
use tenter_timer::Instant;

use super::clean_up::CleanUp;
use super::deadline::RescheduleError;
use crate::task::{CancelKind, CancelReason};

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
    /// That of an ancestor, since a request from there was told here. For when the ancestor is out of reach.
    reached: Option<CancelReason>,
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
    /// The same, because requests of its ancestors end there, or no longer.
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
        inner.reached = None;
        if let Some(parent) = parent {
            inner.link(self, parent, counts);
        }
        drop(inner);
        drop(old);
        if !planted!("scope.settle_without_look") {
            // Whatever is inside came along.
            self.pass_on(&mut told);
        }
        told.let_go();
    }

    /// The scope has ended: no request reaches it any more, and it holds nothing.
    pub fn leave(self: &Arc<Self>) {
        let mut told = Told::default();
        if self.inner.lock().reached.is_none() && !planted!("scope.leave_untold") {
            // Whoever carries a request out may be quicker than whoever made it.
            self.pass_on(&mut told);
        }
        let mut inner = self.inner.lock();
        let counts = self.counts(&inner);
        inner.left = true;
        (inner.holds, inner.shield) = (false, false);
        let old = inner.unlink(counts, &mut told);
        let waker = inner.waker.take();
        let clean_ups = core::mem::take(&mut inner.clean_ups);
        drop(inner);
        drop((old, waker, clean_ups));
        told.let_go();
    }

    fn counts(&self, inner: &Inner) -> bool {
        // ORDERING: Relaxed. Written under the lock that the caller holds.
        inner.holds || inner.shield || self.held.load(Ordering::Relaxed) > 0
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
            Change::Holds(_) | Change::Shield(_) if inner.left => {} // N4
            Change::Holds(holds) => inner.holds = holds,
            Change::Shield(shield) => inner.shield = shield,
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
        self.cancel_if(reason, |_| true)
    }

    /// Cancels the scope if its deadline is not after `now`. From then on nobody can move it.
    pub fn expire(self: &Arc<Self>, now: Instant) -> bool {
        let reason = CancelReason::of(CancelKind::Deadline);
        self.cancel_if(&reason, |inner| inner.deadline.is_some_and(|it| it <= now))
    }

    fn cancel_if(
        self: &Arc<Self>,
        reason: &CancelReason,
        look: impl FnOnce(&Inner) -> bool,
    ) -> bool {
        let mut told = Told::default();
        if !self.cancel_one(reason, &mut told, look) {
            return false;
        }
        told.cancel_tokens(reason);
        told.let_go();
        true
    }

    fn cancel_one(
        self: &Arc<Self>,
        reason: &CancelReason,
        told: &mut Told,
        look: impl FnOnce(&Inner) -> bool,
    ) -> bool {
        if planted!("scope.tell_before_reason") {
            self.tell(reason, told);
        }
        {
            let mut inner = self.inner.lock();
            if inner.reason.is_some() || inner.left || !look(&inner) {
                return false;
            }
            inner.reason = Some(reason.clone()); // N1
        }
        if !planted!("scope.tell_before_reason") {
            self.tell(reason, told);
        }
        true
    }

    /// Tells what is inside of a request that reaches here, perhaps only now.
    fn pass_on(self: &Arc<Self>, told: &mut Told) {
        if let Some(reason) = self.reason() {
            self.tell(&reason, told);
            told.cancel_tokens(&reason);
        }
    }

    /// Collects who has to know that this node was reached.
    fn tell(self: &Arc<Self>, reason: &CancelReason, told: &mut Told) {
        let mut below = vec![Arc::clone(self)];
        while let Some(node) = below.pop() {
            let mut inner = node.inner.lock();
            if !inner.shield || Arc::ptr_eq(&node, self) {
                inner.tell(reason, told, &mut below);
                drop(inner);
                told.nodes.push(node);
            }
        }
    }

    /// Why the scope has to end: its own reason, or that of the nearest ancestor from which a request
    /// reaches here. After its end, why it ended.
    pub fn reason(&self) -> Option<CancelReason> {
        let mut above = {
            let inner = self.inner.lock();
            match &inner.reason {
                None if inner.left && !planted!("scope.reached_is_forgotten") => {
                    return inner.reached.clone();
                }
                None => inner.above(),
                reason => return reason.clone(),
            }
        };
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

    /// Waits until a request has reached the scope.
    pub async fn told(&self) -> CancelReason {
        loop {
            let told = self.reached.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            told.await;
        }
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
        let reason = self.reason();
        if let Some(reason) = reason.filter(|_| !planted!("scope.token_without_look")) {
            token.cancel(&reason);
        }
        token
    }

    /// Whether requests of ancestors end here.
    pub fn set_shield(self: &Arc<Self>, shield: bool) {
        let mut told = Told::default();
        self.change(&mut told, Change::Shield(shield));
        if !shield {
            self.pass_on(&mut told);
        }
        told.let_go();
    }

    /// Whether requests of ancestors end here.
    pub fn is_shield(&self) -> bool {
        self.inner.lock().shield
    }

    // ----- deadlines ----------------------------------------------------------------------------

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

    /// The same, unless the deadline has done its work or can do none any more.
    pub fn reschedule(&self, deadline: Option<Instant>) -> Result<(), RescheduleError> {
        let mut inner = self.inner.lock();
        let reason = inner.reason.as_ref();
        if reason.is_some_and(|it| it.kind() == CancelKind::Deadline) {
            return Err(RescheduleError::Expired);
        }
        if inner.left {
            return Err(RescheduleError::Ended);
        }
        inner.deadline = deadline;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
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
        self.inner.lock().above()
    }

    /// Whether a request has reached here and nothing keeps it from being carried out: whatever suspends
    /// in this scope now is dropped.
    pub fn ends_now(self: &Arc<Self>) -> bool {
        let mut below = None;
        let mut next = Some(Arc::clone(self));
        while let Some(node) = next {
            if let Some(ends) = node.ends_around(below.as_deref()) {
                return ends;
            }
            next = node.above();
            below = Some(node);
        }
        false
    }

    /// Whether the scope ends with what is in `below`, or is kept by something else in progress. `None`: that
    /// is for those around it to say.
    pub fn ends_around(&self, below: Option<&Self>) -> Option<bool> {
        let on_the_way = below.is_some_and(|below| below.counts(&below.inner.lock()));
        // ORDERING: as in `is_held`.
        if self.held.load(Ordering::Acquire) > usize::from(on_the_way) {
            return Some(false);
        }
        if self.is_cancelled() {
            return Some(true);
        }
        self.is_shield().then_some(false)
    }

    /// Whether a request has reached here. Scopes around it whose time is over are cancelled by this look.
    pub fn is_over(self: &Arc<Self>, now: Instant) -> bool {
        let mut next = Some(Arc::clone(self));
        while let Some(node) = next {
            node.expire(now);
            if node.is_cancelled() {
                return true;
            }
            next = node.above();
        }
        false
    }

    // ----- clean-ups ----------------------------------------------------------------------------

    /// Takes over what has to be done before the scope ends. Given back if it has ended.
    pub fn defer(&self, clean_up: CleanUp) -> Result<(), CleanUp> {
        let mut inner = self.inner.lock();
        if inner.left {
            return Err(clean_up);
        }
        inner.clean_ups.push_back(clean_up);
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
    pub fn abandon_clean_ups(&self, say: impl Fn(String)) {
        loop {
            // What is dropped may leave more.
            let Some(first) = self.inner.lock().clean_ups.pop_front() else {
                return;
            };
            if let Some(line) = first.undone() {
                say(line);
            }
        }
    }

    /// Gives what has to be done to whoever drops the scope.
    pub fn take_clean_ups(&self) -> VecDeque<CleanUp> {
        core::mem::take(&mut self.inner.lock().clean_ups)
    }
}

impl Inner {
    fn above(&self) -> Option<Arc<Node>> {
        let parent = self.parent.as_ref().filter(|_| !self.shield)?;
        Some(Arc::clone(&parent.node))
    }

    fn tell(&mut self, reason: &CancelReason, told: &mut Told, below: &mut Vec<Arc<Node>>) {
        self.reached.get_or_insert_with(|| reason.clone());
        told.wakers.extend(self.waker.take());
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
    fn cancel_tokens(&mut self, reason: &CancelReason) {
        while let Some(token) = self.tokens.pop() {
            token.cancel_one(reason, self, |_| true);
        }
    }

    /// Wakes all of them, and goes on with the first panic of a waker.
    fn let_go(self) {
        let mut wakers = self.wakers.into_iter();
        let woken = || {
            wake_in_batches(|batch| {
                while !batch.is_full() {
                    match wakers.next() {
                        Some(waker) => batch.push(waker),
                        None => return Progress::Finished,
                    }
                }
                Progress::More
            });
        };
        let mut first = catch_unwind(AssertUnwindSafe(woken));
        for node in self.nodes {
            let told = catch_unwind(AssertUnwindSafe(|| node.reached.notify_waiters()));
            first = first.and(told);
        }
        if let Err(payload) = first {
            if !thread::panicking() {
                resume_unwind(payload);
            }
        }
    }
}
