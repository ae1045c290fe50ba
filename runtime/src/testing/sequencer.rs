//! [`Sequencer`]: steps of several tasks, in one order.
//!
//! ```text
//!  step n:  claimed ──► waiting ──(turn n)──► in its turn ──(drop)──► turn n + 1
//!              │           │ dropped before its turn
//!              │ dropped   ▼
//!              └──────►  broken: every step that waits, and every later one, panics
//! ```
//!
//! Invariants:
//! - N1: a step is claimed at most once, when it is made; a claim is never given back.
//! - N2: exactly one step is in its turn, or none has come to it yet: that of the number `now`.
//! - N3: a step that is dropped before its turn breaks the order, because no step after it could ever begin.
//!
//! Wakers are woken and dropped outside the lock.
//!
//! Tests: `tests/tests/testing.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, BTreeSet};

use tenter_sync::current::WaitKind;
use tenter_sync::notes;
use tenter_sync::shim::Mutex;

/// An order between steps of several tasks, for tests: step 0, then step 1, and so on.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tenter::testing::Sequencer;
///
/// # let runtime = tenter::Builder::deterministic(0).build().expect("no thread is needed");
/// # runtime.block_on(async {
/// let order = Arc::new(Sequencer::new());
/// let task = tenter::spawn({
///     let order = Arc::clone(&order);
///     async move {
///         drop(order.step(0).await); // the first to go
///         let _turn = order.step(2).await; // from here to its drop
///     }
/// });
/// {
///     let _turn = order.step(1).await; // between the two
/// }
/// task.await.expect("no panic");
/// # });
/// ```
#[derive(Default)]
pub struct Sequencer {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: usize,
    claimed: BTreeSet<usize>,
    waiting: BTreeMap<usize, Waker>,
    /// The step that was dropped before its turn, and where it was made.
    broken: Option<(usize, &'static Location<'static>)>,
}

impl Sequencer {
    /// An order in which step 0 is next.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the turn of step `number`. The turn lasts until its guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// A step that is dropped before its turn can never be taken: every step that waits, and every later
    /// one, panics, and says so.
    ///
    /// # Panics
    ///
    /// If the step was made before. When polled, if another step was dropped before its turn.
    #[track_caller]
    pub fn step(&self, number: usize) -> Step<'_> {
        let made_at = Location::caller();
        let is_new = self.state.lock().claimed.insert(number);
        assert!(
            is_new,
            "step {number} of a Sequencer is made a second time, at {made_at}: each number is one step"
        );
        Step {
            sequencer: self,
            number,
            made_at,
            is_over: false,
        }
    }

    fn end_turn(&self) {
        let mut state = self.state.lock();
        state.now += 1;
        let now = state.now;
        let next = state.waiting.remove(&now);
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    fn break_at(&self, number: usize, made_at: &'static Location<'static>) {
        let mut state = self.state.lock();
        state.broken.get_or_insert((number, made_at));
        let told = core::mem::take(&mut state.waiting);
        drop(state);
        for waker in told.into_values() {
            waker.wake();
        }
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let waiting: Vec<usize> = state.waiting.keys().copied().collect();
        f.debug_struct("Sequencer")
            .field("now", &state.now)
            .field("waiting", &waiting)
            .field("broken", &state.broken.map(|(number, _)| number))
            .finish()
    }
}

/// The future of [`Sequencer::step`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Step<'a> {
    sequencer: &'a Sequencer,
    number: usize,
    made_at: &'static Location<'static>,
    is_over: bool,
}

impl<'a> Future for Step<'a> {
    type Output = Turn<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a>> {
        let waker = cx.waker().clone();
        let mut state = self.sequencer.state.lock();
        if let Some((number, made_at)) = state.broken {
            drop(state);
            self.is_over = true;
            panic!(
                "step {} of a Sequencer, made at {}, can never begin: step {number}, made at {made_at}, was \
                 dropped before its turn",
                self.number, self.made_at
            );
        }
        if state.now == self.number {
            let old = state.waiting.remove(&self.number);
            drop(state);
            drop((old, waker));
            self.is_over = true;
            return Poll::Ready(Turn {
                sequencer: self.sequencer,
                number: self.number,
            });
        }
        let old = state.waiting.insert(self.number, waker);
        drop(state);
        drop(old);
        notes::waiting_for(WaitKind::Event, self.sequencer, || {
            format!("its turn, step {} of a Sequencer", self.number).into()
        });
        Poll::Pending
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.sequencer.break_at(self.number, self.made_at);
        }
    }
}

/// A turn of a [`Sequencer`]: the next step begins when it is dropped.
#[must_use = "the turn ends when this is dropped"]
#[derive(Debug)]
pub struct Turn<'a> {
    sequencer: &'a Sequencer,
    number: usize,
}

impl Turn<'_> {
    /// The number of the step.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.sequencer.end_turn();
    }
}
