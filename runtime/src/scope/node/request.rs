//! Requests: who is told of one, and who asks for it.

use core::task::Waker;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

use tenter_sync::planted;
use tenter_sync::shim::thread;
use tenter_sync::wake_batch::{Progress, wake_in_batches};
use tenter_timer::Instant;

use super::{Inner, Node, Told};
use crate::task::{CancelKind, CancelReason};

impl Node {
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
        if planted!("scope.cancel_answers_late") {
            return !self.inner.lock().left;
        }
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
    pub(super) fn pass_on(self: &Arc<Self>, told: &mut Told) {
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
}

impl Inner {
    fn tell(&mut self, reason: &CancelReason, told: &mut Told, below: &mut Vec<Arc<Node>>) {
        self.reached.get_or_insert_with(|| reason.clone());
        told.wakers.extend(self.waker.take());
        below.extend(self.children.iter().flatten().filter_map(Weak::upgrade));
        told.tokens
            .extend(self.tokens.iter().filter_map(Weak::upgrade));
    }
}

impl Told {
    fn cancel_tokens(&mut self, reason: &CancelReason) {
        while let Some(token) = self.tokens.pop() {
            token.cancel_one(reason, self, |_| true);
        }
    }

    /// Wakes all of them, and goes on with the first panic of a waker.
    pub(super) fn let_go(self) {
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
