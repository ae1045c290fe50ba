//! A meeting point: tasks wait there until enough have come, and then all go on. Again and again.
//!
//! ```text
//!                    the last one comes
//!    ┌── Filling ─────────────────────────► Draining ──┐   late comers wait for the next round
//!    │      ▲  ▲                               │       │
//!    │      │  └───────────────────────────────┘       │
//!    │      │     the last one has gone on, or reset   │
//!    │      │ reset                                    │
//!    └──► Broken ◄─────────────────────────────────────┘
//!   abort                                          abort
//! ```
//!
//! Everything happens under one lock. The steps are in `round.rs`, with its invariants I1 to I5 and the
//! tickets; the waiting future is in `wait.rs`. A waiter's payload in the list is its ticket.
//!
//! Invariants:
//! - I6: the tickets in the line rise from front to back. Those in front that the round has told belong
//!   to waiters that wait to be let go; whoever tells any lets go until no such one is in front.
//! - I7: a waiter that has been told but has not departed is counted in `left`, linked or not, polled or
//!   not, until it departs or is dropped; or it has been let down, and is counted nowhere.
//!
//! The outcome of a wait is looked up when the future completes and not written when it is let go, so
//! that a `reset` in the middle of a round reaches those who have not gone on yet.
//!
//! The index is given out in the order of going on and not of coming. So a task that is cancelled after
//! the release leaves no gap, and the leader, who is the first to go on, is never among the cancelled:
//! if anybody goes on, somebody leads.
//!
//! Rejected: letting the next round fill while the last one drains. A fast task would go round twice
//! before a slow one has gone on once, and `reset` would not know which of them to let down.
//! Rejected: waking late comers to line up again. Each would be woken twice, and their order lost.
//!
//! Tests: `round.rs`, `sync/tests/barrier.rs`, `sync/tests/models/barrier.rs` (model:
//! `loom-tests/tests/barrier.rs`).

mod round;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod wait;

use core::error::Error;
use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use wait::BarrierWait;

use crate::name::Name;
use crate::planted;
use crate::shim::Mutex;
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, WakeBatch, wake_in_batches};
use round::{Round, Then};

/// Lets a number of tasks wait for one another.
///
/// [`wait`](Self::wait) returns when as many tasks as there are [`parties`](Self::parties) have called
/// it. Then the next round begins, for the same tasks or others. Those that come while a round is still
/// going on wait until everybody in it has gone on.
///
/// # Fairness
///
/// When more come than fit into a round, they take part in the order in which they came, counted from
/// the first poll.
///
/// # Examples
///
/// ```
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// use tenter_sync::Barrier;
///
/// static BOTH: Barrier = Barrier::new(2);
///
/// async fn part() -> bool {
///     // … the first half of the work …
///     BOTH.wait().await.expect("nobody resets it").is_leader
/// }
/// # let cx = &mut Context::from_waker(Waker::noop());
/// # let (mut one, mut other) = (pin!(part()), pin!(part()));
/// # assert_eq!(one.as_mut().poll(cx), Poll::Pending);
/// # assert_eq!(other.as_mut().poll(cx), Poll::Ready(true));
/// # assert_eq!(one.as_mut().poll(cx), Poll::Ready(false));
/// ```
#[doc(alias = "CyclicBarrier")]
pub struct Barrier {
    parties: usize,
    line: Mutex<Line>,
    name: Name,
}

/// What the lock guards.
struct Line {
    waiters: WaitList,
    round: Round,
    /// The most that ever waited at once.
    peak: usize,
}

/// One task's part in a round: see [`Barrier::wait`].
#[doc(alias = "BarrierWaitResult")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// How many of the round have gone on before: from 0 to [`Barrier::parties`] − 1, each once.
    pub index: usize,
    /// Whether this is the first one to go on. If anybody does, somebody leads.
    pub is_leader: bool,
}

/// The barrier was [reset](Barrier::reset) or [aborted](Barrier::abort) during the wait, or is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "BrokenBarrierError")]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was reset or aborted")
    }
}

impl Error for Broken {}

/// What a [`Barrier`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BarrierStats {
    /// The name given by [`Barrier::named`].
    pub name: Option<String>,
    /// How many it takes to go on.
    pub parties: usize,
    /// How many wait for others to come.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
    /// How many of the present round may go on and have not yet.
    pub going: usize,
    /// Whether it is aborted.
    pub is_broken: bool,
}

impl Barrier {
    crate::const_fn! {
        /// A barrier for so many tasks.
        ///
        /// # Panics
        ///
        /// If `parties` is zero: nobody could come, and nobody would ever go on. In a `static` it is an
        /// error of the compiler.
        #[track_caller]
        pub const fn new(parties: usize) -> Self {
            assert!(
                parties > 0,
                "a Barrier needs at least one party: give Barrier::new the number of tasks that wait"
            );
            Self {
                parties,
                line: Mutex::new(Line { waiters: WaitList::new(), round: Round::new(), peak: 0 }),
                name: Name::None,
            }
        }
    }

    /// Gives it a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name.set_static(name);
        self
    }

    /// Gives it a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// Waits until enough tasks wait; the last one does not suspend.
    ///
    /// What every task of the round did before is visible to all of them after. The [`Turn`] tells
    /// each task its number in the order of going on; the first one is the leader.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the barrier is aborted, or is [reset](Self::reset) or [aborted](Self::abort) before
    /// this task has gone on.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled after it has returned.
    ///
    /// # Cancel safety
    ///
    /// A task that is dropped while it waits for others does not count any more; the barrier is not
    /// broken. One that is dropped when the round has begun counts as gone on, but takes no index.
    ///
    /// A future that is kept, neither polled nor dropped, keeps its place: a round ends when all of its
    /// futures have returned or are gone, and later comers wait for that (or for a [`reset`](Self::reset)).
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// use tenter_sync::{Barrier, Broken};
    ///
    /// async fn part(both: &Barrier) -> Result<(), Broken> {
    ///     let turn = both.wait().await?;
    ///     if turn.is_leader {
    ///         // … what one of the two does for both …
    ///     }
    ///     Ok(())
    /// }
    /// # let (both, cx) = (Barrier::new(2), &mut Context::from_waker(Waker::noop()));
    /// # let (mut one, mut other) = (pin!(part(&both)), pin!(part(&both)));
    /// # assert!(one.as_mut().poll(cx).is_pending());
    /// # assert_eq!(other.as_mut().poll(cx), Poll::Ready(Ok(())));
    /// # assert_eq!(one.as_mut().poll(cx), Poll::Ready(Ok(())));
    /// ```
    #[inline]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait::new(self)
    }

    /// Lets down those who wait, and begins anew. Also ends what [`abort`](Self::abort) began.
    ///
    /// While a round is going on, those of it who have not gone on yet get [`Broken`], and those who
    /// came late stay and fill the next one.
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken.
    pub fn reset(&self) {
        let mut line = self.line.lock();
        let then = line.round.reset(self.parties);
        line.obey(then, self.parties);
        drop(line);
        self.let_go();
    }

    /// Lets down all who wait, late comers too, and all who come from now on, until it is
    /// [reset](Self::reset).
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// use tenter_sync::{Barrier, Broken};
    ///
    /// let barrier = Barrier::new(2);
    /// let mut wait = pin!(barrier.wait());
    /// # let cx = &mut Context::from_waker(Waker::noop());
    /// assert!(wait.as_mut().poll(cx).is_pending());
    /// barrier.abort();
    /// assert_eq!(wait.as_mut().poll(cx), Poll::Ready(Err(Broken)));
    /// assert!(barrier.is_broken());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn abort(&self) {
        self.line.lock().round.abort();
        self.let_go();
    }

    /// How many wait for others to come, for this round or, while one is going on, for the next.
    #[doc(alias = "n_waiting")]
    pub fn waiting(&self) -> usize {
        self.line.lock().round.waiting()
    }

    /// How many it takes to go on.
    pub const fn parties(&self) -> usize {
        self.parties
    }

    /// Whether it is aborted.
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.line.lock().round.is_broken()
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> BarrierStats {
        let line = self.line.lock();
        BarrierStats {
            name: self.name.get().map(str::to_owned),
            parties: self.parties,
            waiting: line.round.waiting(),
            waiting_max: line.peak,
            going: line.round.going(),
            is_broken: line.round.is_broken(),
        }
    }

    /// Lets those go who have been told (I6), and wakes them without the lock.
    fn let_go(&self) {
        if planted!("barrier.who_was_told_sleeps_on") {
            return;
        }
        wake_in_batches(|batch| self.line.lock().let_go(batch));
    }
}

impl Line {
    /// Does what the books ask for.
    fn obey(&mut self, then: Then, parties: usize) {
        match then {
            Then::Release if !planted!("barrier.late_comers_stay") => {
                // Those in front of the waiting ones have been told, and are not let go yet (I6).
                let told = self.waiters.len() - self.round.waiting();
                if let Some(last) = self.waiters.payload_at(told + parties - 1) {
                    self.round.release(parties, last);
                }
            }
            Then::Release | Then::Nothing => {}
        }
    }

    fn let_go(&mut self, batch: &mut WakeBatch) -> Progress {
        while self
            .waiters
            .front_payload()
            .is_some_and(|ticket| self.round.is_told(ticket))
        {
            if batch.is_full() {
                return Progress::More;
            }
            if let Some(waker) = self.waiters.dismiss_front().flatten() {
                batch.push(waker);
            }
        }
        Progress::Finished
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Barrier");
        self.name.describe(&mut out);
        out.field("parties", &self.parties);
        match self.line.try_lock() {
            Some(line) => {
                let (waiting, is_broken) = (line.round.waiting(), line.round.is_broken());
                drop(line); // writing is user code
                out.field("waiting", &waiting)
                    .field("is_broken", &is_broken);
            }
            None => {
                out.field("waiting", &format_args!("<locked>"));
            }
        }
        out.finish()
    }
}

/// Nothing is left half done by a panic of a waiting task.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Barrier>();
    send_and_sync::<BarrierWait<'static>>();
    send_and_sync::<BarrierStats>();
    send_and_sync::<Turn>();
    send_and_sync::<Broken>();
};
