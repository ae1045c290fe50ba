//! How a scope ends: its deadline, what keeps it, and what is to be done before.

use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::Arc;

use tenter_sync::planted;
use tenter_sync::shim::atomic::Ordering;
use tenter_timer::Instant;

use super::Node;
use crate::scope::clean_up::CleanUp;
use crate::scope::deadline::RescheduleError;
use crate::task::CancelKind;

impl Node {
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
        if planted!("scope.reschedule_looks_before") {
            drop(inner);
            inner = self.inner.lock();
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

    /// Does it, in the order in which it was handed over; the runtime's own side by side, before their turn.
    pub fn poll_clean_ups(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Behind the last one that was found unfinished.
        let mut from = 0;
        while let Some((place, mut next)) = self.next_clean_up(from) {
            if next.poll(cx).is_pending() {
                // What was deferred meanwhile is behind it.
                self.inner.lock().clean_ups.insert(place, next);
                from = place + 1;
            }
        }
        if from == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes the first one, or the first of the runtime's own from that place on.
    fn next_clean_up(&self, from: usize) -> Option<(usize, CleanUp)> {
        let clean_ups = &mut self.inner.lock().clean_ups;
        let place = match from {
            0 => 0,
            _ => (from..clean_ups.len()).find(|&place| clean_ups[place].is_own())?,
        };
        Some((place, clean_ups.remove(place)?))
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
