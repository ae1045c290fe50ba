//! A bound on how long a reader waits for an item.
//!
//! ```text
//!         waits for an item                the time is up: Elapsed
//!  Idle ────────────────────► Waiting ─────────────────────────────► Late (Once), Waiting (Repeating)
//!    ▲                           │ an item                            │
//!    └───────────────────────────┴────────────────────────────────────┘
//! ```
//!
//! The time begins when the reader asks for an item that is not there, so what the reader does with the one
//! before does not count.

use core::marker::PhantomData;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use futures_core::Stream;
use tenter_timer::{Elapsed, Instant, now, poll_deadline};

use super::helpers::{Parts, Timing};

/// What comes after the time was up.
pub trait After {
    /// The next deadline after this one; `None` if the wait goes on without.
    fn next(deadline: Instant, limit: Duration) -> Option<Instant>;
}

/// Nothing: one error, then the next item.
#[derive(Debug)]
pub enum Once {}

/// The same again.
#[derive(Debug)]
pub enum Repeating {}

impl After for Once {
    fn next(_: Instant, _: Duration) -> Option<Instant> {
        None
    }
}

impl After for Repeating {
    /// Those that would have passed already are left out.
    fn next(deadline: Instant, limit: Duration) -> Option<Instant> {
        let now = now();
        let next = deadline + limit;
        Some(if next > now { next } else { now + limit })
    }
}

/// The bound.
#[derive(Debug)]
pub struct Bound<A> {
    limit: Duration,
    phase: Phase,
    after: PhantomData<A>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Waiting,
    Late,
}

impl<A> Bound<A> {
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            phase: Phase::Idle,
            after: PhantomData,
        }
    }
}

impl<S: Stream, A: After> Timing<S> for Bound<A> {
    type Item = Result<S::Item, Elapsed>;

    fn poll(&mut self, parts: &mut Parts<'_, S>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(next) = parts.poll_stream(cx) {
            self.phase = Phase::Idle;
            return Poll::Ready(next.map(Ok));
        }
        if self.phase == Phase::Idle {
            parts.set_timer(now() + self.limit);
            self.phase = Phase::Waiting;
        }
        if self.phase == Phase::Late {
            return Poll::Pending;
        }
        ready!(poll_deadline(parts.timer(), cx));
        match A::next(parts.timer().deadline(), self.limit) {
            Some(deadline) => parts.set_timer(deadline),
            None => self.phase = Phase::Late,
        }
        Poll::Ready(Some(Err(Elapsed::after(self.limit))))
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        // Errors come in between, unless it has ended.
        (least, most.filter(|most| *most == 0))
    }
}
