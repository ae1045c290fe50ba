//! Which member is polled next: each combinator has one of these.
//!
//! ```text
//!  first round: member 0, 1, 2, …        with a waker that makes the list when it is cloned
//!  each later round: what was woken until it began, in the order of the wakes
//!  end of a round: watch ──► something was woken meanwhile? wake the own task: another round, in its turn
//! ```
//!
//! So a member that wakes itself in its poll, or that another member wakes, has its turn after the other
//! tasks that are ready have had theirs, as if it were a task. And a member is polled no more often than
//! once and its wakes.
//!
//! Invariants:
//! - Y1: without a list no waker of a member exists, and so nobody can wake one.
//! - Y2: `in_poll` is set only during the poll of a member; if it is found set, that poll panicked.
//!
//! # The budget
//!
//! In the first round every member is polled, so that every one of them has begun to wait, and stands in
//! whatever line it has to. Later rounds end when the budget of the task is spent: a member would only be
//! told to come back. A round in which a member completed, but nothing was spent, costs one operation
//! ([`Ready::pay`]), so that a loop around a combinator lets go of its worker as one around a leaf does.
//!
//! Tests: `tests/tests/combine`, model: `loom-tests/tests/combine.rs`.

use core::ops::ControlFlow;
use core::task::{Context, Poll};

use tenter_sync::{budget, current};

use super::lazy::Lazy;
use super::list::NONE;

/// The order of the polls, and what has been woken.
pub struct Ready {
    list: Lazy,
    /// The members that have not been polled begin here.
    fresh: u32,
    /// How many of them may be.
    begun: u32,
    members: u32,
    /// Those that are not over.
    left: u32,
    /// A chain of the list: what is still to be polled in this round.
    batch: u32,
    in_poll: bool,
    /// The output has been returned.
    ended: bool,
    /// What was left of the budget when this poll began.
    purse: Option<u8>,
}

impl Ready {
    /// For so many members.
    ///
    /// # Panics
    ///
    /// If there are more than 2^32 - 2.
    pub fn new(members: usize) -> Self {
        let count = u32::try_from(members).ok().filter(|count| *count < NONE);
        let members = count.unwrap_or_else(|| {
            panic!(
                "{members} futures at once are too many: at most {} can be told apart",
                NONE - 1
            )
        });
        Self {
            list: Lazy::new(members),
            fresh: 0,
            begun: members,
            members,
            left: members,
            batch: NONE,
            in_poll: false,
            ended: false,
            purse: None,
        }
    }

    /// How many members are not over.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// A poll of the combinator begins.
    ///
    /// # Panics
    ///
    /// If [`set_ended`](Self::set_ended) was called before, or a member panicked.
    pub fn open(&mut self) {
        assert!(
            !self.ended,
            "a combinator of tenter was polled again after it had ended"
        );
        assert!(
            !self.in_poll,
            "a combinator of tenter was polled again after one of its futures had panicked"
        );
        self.purse = current::budget();
    }

    /// The combinator returns its output now.
    pub fn set_ended(&mut self) {
        self.ended = true;
    }

    /// How many members there are.
    pub fn members(&self) -> u32 {
        self.members
    }

    /// How many members have been polled.
    pub fn polled(&self) -> u32 {
        self.fresh
    }

    /// Only the first so many members are to be polled.
    pub fn limit(&mut self, begun: u32) {
        self.begun = begun.min(self.members);
    }

    /// Polls what is to be polled, with its own waker. `poll` says `Ready` once for a member, when that is
    /// over, and may end the round with it.
    pub fn round(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(u32, &mut Context<'_>) -> Poll<ControlFlow<()>>,
    ) {
        self.begin();
        loop {
            let index = match self.next() {
                Ok(Some(index)) => index,
                Ok(None) => break,
                // The rest of the round comes with the next budget.
                Err(Spent) => return cx.waker().wake_by_ref(),
            };
            if let Poll::Ready(flow) = self.poll(index, |cx| poll(index, cx)) {
                self.retire(index);
                if flow.is_break() {
                    return;
                }
            }
        }
        self.end(cx);
    }

    /// Polls what is to be polled, with its own waker, until one says that it is enough. What was left of
    /// the last poll comes first, and then, once, what has been woken.
    pub fn serve(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(u32, &mut Context<'_>) -> Served,
    ) {
        let mut again = self.has_batch();
        self.begin();
        loop {
            let index = match self.next() {
                Ok(Some(index)) => index,
                Ok(None) if again => {
                    again = false;
                    self.begin();
                    continue;
                }
                Ok(None) => break,
                // The rest comes with the next budget.
                Err(Spent) => return cx.waker().wake_by_ref(),
            };
            match self.poll(index, |cx| poll(index, cx)) {
                Served::Waits => {}
                Served::Over => self.retire(index),
                Served::Enough => return,
            }
        }
        self.end(cx);
    }

    /// A round begins: with what has been woken, unless something is left of the last one.
    pub fn begin(&mut self) {
        if self.batch == NONE {
            self.batch = self.list.get().map_or(NONE, |list| list.take());
        }
    }

    /// The member that is polled next.
    fn next(&mut self) -> Result<Option<u32>, Spent> {
        if self.fresh < self.begun {
            self.fresh += 1;
            return Ok(Some(self.fresh - 1));
        }
        while self.batch != NONE {
            if current::budget() == Some(0) {
                return Err(Spent);
            }
            if let Some(index) = self.pop() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Takes the first of the batch, if it is one to be polled.
    pub fn pop(&mut self) -> Option<u32> {
        let index = self.batch;
        let list = self.list.get()?;
        let (rest, live) = list.begin(index);
        self.batch = rest;
        live.then_some(index)
    }

    /// Whether something is left of the round.
    pub fn has_batch(&self) -> bool {
        self.batch != NONE
    }

    /// Polls a member with its own waker.
    pub fn poll<R>(&mut self, index: u32, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        self.in_poll = true;
        let polled = self
            .list
            .lend(index, |waker| poll(&mut Context::from_waker(waker)));
        self.in_poll = false;
        polled
    }

    /// A member is over.
    pub fn retire(&mut self, index: u32) {
        self.left -= 1;
        if let Some(list) = self.list.get() {
            list.retire(index);
        }
    }

    /// The round is over: whoever is woken from now on, or was meanwhile, has the task polled.
    pub fn end(&mut self, cx: &mut Context<'_>) {
        // Without a list nobody can wake a member (Y1).
        let Some(list) = self.list.get() else { return };
        if self.left > 0 && !list.watch(cx.waker()) {
            cx.waker().wake_by_ref();
        }
    }

    /// The combinator has something to return: it costs an operation, if this poll cost none yet. `Pending`:
    /// keep it, the task comes back.
    pub fn pay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.purse != current::budget() {
            return Poll::Ready(());
        }
        budget::poll_spend(cx)
    }
}

/// What became of a member that was polled by [`Ready::serve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It waits.
    Waits,
    /// It is over.
    Over,
    /// It gave something, and wants to be polled again: that is enough for this poll.
    Enough,
}

/// The budget is spent.
#[derive(Debug)]
struct Spent;

impl core::fmt::Debug for Ready {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ready")
            .field("members", &self.members)
            .field("polled", &self.fresh)
            .field("left", &self.left)
            .finish()
    }
}
