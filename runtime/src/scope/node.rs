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

use core::task::Waker;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::{Notify, planted};
use tenter_timer::Instant;

use super::clean_up::CleanUp;
use crate::group::core::Look;
use crate::task::CancelReason;

mod end;
mod request;

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
    /// The group that this is, until it has ended: for who looks at the tasks.
    group: Option<Weak<dyn Look>>,
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
        let group = inner.group.take();
        drop(inner);
        drop((old, waker, clean_ups, group));
        told.let_go();
    }

    /// This is the scope of a group.
    pub fn set_group(&self, group: Weak<dyn Look>) {
        self.inner.lock().group = Some(group);
    }

    /// The group that this is, if it is one that has not ended, and the scopes right below.
    pub fn look_below(&self) -> (Option<Weak<dyn Look>>, Vec<Arc<Self>>) {
        let inner = self.inner.lock();
        let children = inner.children.iter().flatten();
        (
            inner.group.clone(),
            children.filter_map(Weak::upgrade).collect(),
        )
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

    /// The parent, if its requests reach here.
    fn above(&self) -> Option<Arc<Self>> {
        self.inner.lock().above()
    }
}

impl Inner {
    fn above(&self) -> Option<Arc<Node>> {
        let parent = self.parent.as_ref().filter(|_| !self.shield)?;
        Some(Arc::clone(&parent.node))
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

#[cfg(test)]
mod tests;
