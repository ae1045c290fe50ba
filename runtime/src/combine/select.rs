//! Which branch of a `select!` is polled next, and which has been chosen.
//!
//! ```text
//!  branch: on ──► completes, pattern matches ──► chosen
//!          │  └─► completes, pattern does not match, or was over before ──► off
//!          └ precondition is false ──► off
//!  no branch is on: `else`, or `complete` if one was on at the beginning
//! ```
//!
//! Who is polled, and when, is as in [`Ready`]: all branches in the first round, then those that were
//! woken. In each poll, the round begins at a branch that chance decides, and goes round; a biased one
//! goes through them as they are written.
//!
//! Tests: `tests/tests/combine/select.rs`.

use core::task::{Context, Poll};

use futures_core::FusedFuture;
use tenter_sync::current;

use super::random;
use super::ready::Ready;

/// The branches of one `select!`. `O` is the output of the chosen one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Select<O> {
    ready: Ready,
    biased: bool,
    /// Those whose precondition holds.
    wanted: u64,
    /// Those that may still be chosen.
    on: u64,
    /// Those that are still to be polled in this round.
    todo: u64,
    /// Where this round begins.
    start: u32,
    first: bool,
    /// The chosen output, which is not paid for.
    held: Option<O>,
}

/// Why no branch was chosen.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// None was on.
    Else,
    /// All have completed.
    Complete,
}

impl<O> Select<O> {
    /// Branches with these preconditions.
    pub fn new(biased: bool, wanted: &[bool]) -> Self {
        let bits = wanted.iter().enumerate();
        let wanted_bits = bits.fold(0, |bits, (index, on)| bits | (u64::from(*on) << index));
        Self {
            ready: Ready::new(wanted.len()),
            biased,
            wanted: wanted_bits,
            on: wanted_bits,
            todo: wanted_bits,
            start: 0,
            first: true,
            held: None,
        }
    }

    /// A branch cannot be chosen any more.
    pub fn off(&mut self, index: u32) {
        self.on &= !(1 << index);
        self.todo &= self.on;
    }

    /// A poll begins. What was chosen in the last one, if it was not paid for.
    pub fn open(&mut self, cx: &mut Context<'_>) -> Option<Poll<O>> {
        self.ready.open();
        if let Some(output) = self.held.take() {
            return Some(self.choose(cx, output));
        }
        if self.todo == 0 {
            self.ready.begin();
            while self.ready.has_batch() {
                self.todo |= self.ready.pop().map_or(0, |index| 1 << index);
            }
            self.todo &= self.on;
        }
        if !self.biased && self.todo & self.todo.wrapping_sub(1) != 0 {
            self.start = random::below(self.ready.members());
        }
        None
    }

    /// The branch that is polled next in this round.
    pub fn turn(&mut self) -> Option<u32> {
        if self.todo == 0 || (!self.first && current::budget() == Some(0)) {
            return None;
        }
        let behind = self.todo & (u64::MAX << self.start);
        let index = if behind == 0 { self.todo } else { behind }.trailing_zeros();
        self.todo &= !(1 << index);
        Some(index)
    }

    /// Polls a branch with a waker of its own.
    pub fn poll<T>(
        &mut self,
        index: u32,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = self.ready.poll(index, poll);
        if polled.is_ready() {
            self.ready.retire(index);
        }
        polled
    }

    /// A branch has completed, and its pattern matches.
    pub fn choose(&mut self, cx: &mut Context<'_>, output: O) -> Poll<O> {
        if self.ready.pay(cx).is_ready() {
            self.ready.set_ended();
            return Poll::Ready(output);
        }
        self.held = Some(output);
        Poll::Pending
    }

    /// The round is over. `Some` if no branch can ever be chosen.
    pub fn end(&mut self, cx: &mut Context<'_>) -> Option<Over> {
        self.first = false;
        if self.on == 0 {
            self.ready.set_ended();
            return Some(if self.wanted == 0 {
                Over::Else
            } else {
                Over::Complete
            });
        }
        if self.todo == 0 {
            self.ready.end(cx);
        } else {
            cx.waker().wake_by_ref();
        }
        None
    }
}

/// Asks whether a branch is over already: true only for futures that know.
#[doc(hidden)]
#[derive(Debug)]
pub struct Ask<'a, F>(pub &'a F);

/// The answer of those that know.
#[doc(hidden)]
pub trait Fused {
    /// Whether it is.
    fn is_over(&self) -> bool;
}

impl<F: FusedFuture> Fused for Ask<'_, F> {
    fn is_over(&self) -> bool {
        self.0.is_terminated()
    }
}

/// The answer of all others: they are found one reference further, and so come second.
#[doc(hidden)]
pub trait NotFused {
    /// Nobody knows.
    fn is_over(&self) -> bool {
        false
    }
}

impl<F> NotFused for &Ask<'_, F> {}
