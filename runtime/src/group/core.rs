//! Who is in a group, and what became of them: the part that all its children share.
//!
//! ```text
//!  a seat:   admit, before the child's first poll ──► its task is a member ──► the future is gone, its
//!            clean-ups are done: given up
//!
//!  Open ── a failure, a cancellation ──► Ending ── body gone, nobody live ──► Closed
//!    └──────────────── body gone, nobody live ────────────────────────────────►┘
//! ```
//!
//! Invariants:
//! - G1: `seats.live()` is the number of seats that exist. A seat exists from before its child is polled
//!   until after the child's future is dropped and its clean-ups are done, and so does the child's task.
//! - G2: nobody is admitted unless the group is Open, and it is closed only with nobody live, in one step
//!   under the lock. So a child that is alive can always admit a sibling, and the group waits for it.
//! - G3: a failure is in `failures` before its child gives up its seat, and never after Closed. Whoever takes
//!   it from there returns it or reports it.
//! - G4: once the group is Ending, every member is cancelled, by who ended it: none is admitted any more.
//!
//! No waker, no canceller and no failure is dropped or woken under the lock. A waker that panics harms
//! nobody: its panic is reported.
//!
//! Tests: `tests/tests/groups`, `tests/tests/trees.rs`; `loom-tests/tests/group.rs`.

use core::mem;
use core::panic::Location;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, OnceLock};

use tenter_sync::shim::Mutex;
use tenter_sync::{Notify, Semaphore, planted};

use super::ends::Ends;
use super::error::Failure;
use super::lost;
use super::outcome::{Ended, TaskOutcome};
use super::seat::Seat;
use super::seats::Seats;
use crate::handle::Handle;
use crate::scope::node::Node;
use crate::task::cell::Header;
use crate::task::{CancelKind, CancelReason, Canceller, TaskId};

/// The shared part of a group.
#[allow(missing_debug_implementations, reason = "the errors are the program's")]
pub struct Core<E> {
    /// The group as a scope. Always set.
    node: OnceLock<Arc<Node>>,
    /// The runtime that it was made in.
    pub handle: Option<Handle>,
    /// Where it was made.
    opened_at: &'static Location<'static>,
    /// Told when a child has ended.
    ended: Notify,
    state: Mutex<State<E>>,
}

struct State<E> {
    phase: Phase,
    /// Why it is not Open any more, unless it simply returned.
    reason: Option<CancelReason>,
    cut: Option<CancelReason>,
    /// Why the group as a whole was cancelled.
    cancelled: Option<CancelReason>,
    seats: Seats,
    /// With the tasks that failed, to be reported of if nobody gets to see it.
    failures: Vec<(Failure<E>, Canceller)>,
    ends: Ends,
    limit: Option<Arc<Semaphore>>,
    /// The owner's, while it waits for the last child.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Ending,
    Closed,
}

/// A child's seat, and what it has to wait for before it runs.
pub type Admitted<E> = (Seat<E>, Option<Arc<Semaphore>>);

impl<E> Core<E> {
    /// An open group with nobody in it.
    pub fn new(
        node: Arc<Node>,
        handle: Option<Handle>,
        opened_at: &'static Location<'static>,
    ) -> Arc<Self> {
        Arc::new(Self {
            node: OnceLock::from(node),
            handle,
            opened_at,
            ended: Notify::new(),
            state: Mutex::new(State {
                phase: Phase::Open,
                reason: None,
                cut: None,
                cancelled: None,
                seats: Seats::new(),
                failures: Vec::new(),
                ends: Ends::new(),
                limit: None,
                waker: None,
            }),
        })
    }

    /// The group as a scope.
    pub fn node(&self) -> &Arc<Node> {
        self.node.get().expect("set when the group was made")
    }

    /// The place of the group's node, for a frame.
    pub fn node_place(&self) -> &OnceLock<Arc<Node>> {
        &self.node
    }

    /// How many children have not ended.
    pub fn live(&self) -> usize {
        self.state.lock().seats.live()
    }

    /// How many children may run at a time, from the next one on.
    pub fn set_limit(&self, limit: Arc<Semaphore>) {
        let old = self.state.lock().limit.replace(limit);
        drop(old);
    }

    /// A place for one more child, and what it has to wait for first. The child's task is not polled before
    /// it has the seat, and lives as long as that. `None`: nobody is admitted any more.
    #[inline]
    pub fn admit(self: &Arc<Self>, task: NonNull<Header>) -> Option<Admitted<E>> {
        let mut state = self.state.lock();
        if state.phase != Phase::Open && !planted!("group.admit_when_ending") {
            state.refuse();
            return None; // G2
        }
        if planted!("group.admit_in_two_steps") {
            drop(state);
            state = self.state.lock();
        }
        let place = state.seats.take(task);
        let limit = state.limit.clone();
        drop(state);
        let seat = Seat {
            core: Some(Arc::clone(self)),
            place,
        };
        Some((seat, limit))
    }

    /// A reference to the task of a child.
    pub(super) fn member(&self, place: usize) -> Option<Canceller> {
        self.state.lock().seats.member(place)
    }

    /// Why nobody is admitted any more. `None`: the group has returned.
    pub fn refusal(&self) -> Option<CancelReason> {
        self.state.lock().reason.clone()
    }

    /// A child has failed: it is kept, and the group ends. Given back if nobody would see it.
    pub fn fail(&self, failure: Failure<E>, task: Canceller) -> Result<(), Failure<E>> {
        let reason = CancelReason::of(CancelKind::GroupFailed);
        let mut state = self.state.lock();
        if state.phase == Phase::Closed && !planted!("group.fail_when_closed") {
            drop(state);
            drop(task);
            return Err(failure);
        }
        state.failures.push((failure, task)); // G3
        let members = state.end(&reason);
        drop(state);
        cancel_all(members, &reason);
        self.node().cancel(&reason);
        Ok(())
    }

    /// Nobody is admitted any more, and all children are cancelled.
    pub fn cancel_members(&self, reason: &CancelReason) {
        let members = self.state.lock().end(reason);
        cancel_all(members, reason);
    }

    /// The group as a whole is cancelled. If that ends children, it ends the group.
    pub fn cancel(&self, reason: &CancelReason) {
        let told = match reason.kind() {
            CancelKind::GroupFailed => reason.clone(),
            _ => reason.passed_on(),
        };
        let mut state = self.state.lock();
        if state.cancelled.is_none() {
            state.cancelled = Some(reason.clone());
        }
        if state.seats.live() > 0 && state.cut.is_none() {
            state.cut = Some(reason.clone());
        }
        let members = state.end(&told);
        drop(state);
        cancel_all(members, &told);
    }

    /// Why it was cancelled while children lived, or were yet to be spawned. What the body made then would
    /// say that they had done their work.
    pub fn cut(&self) -> Option<CancelReason> {
        self.state.lock().cut.clone()
    }

    /// The group's future was dropped: what its children do now nobody will see.
    pub fn abandon(&self, reason: &CancelReason) {
        let mut state = self.state.lock();
        let members = state.end(reason);
        state.phase = Phase::Closed;
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        cancel_all(members, reason);
        self.ended.notify_waiters();
        self.report_failures();
    }

    /// Closes the group as soon as nobody is live (G2).
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let wants = |state: &mut State<E>| {
            if state.seats.live() == 0 {
                state.phase = Phase::Closed;
                return Some(false);
            }
            let known = state
                .waker
                .as_ref()
                .is_some_and(|it| it.will_wake(cx.waker()));
            (!known).then_some(true)
        };
        let clone = match wants(&mut self.state.lock()) {
            Some(false) => return self.closed(),
            Some(true) => cx.waker().clone(),
            None => return Poll::Pending,
        };
        let mut state = self.state.lock();
        if state.seats.live() == 0 && !planted!("group.wait_without_look") {
            state.phase = Phase::Closed;
            drop(state);
            drop(clone);
            return self.closed();
        }
        let old = state.waker.replace(clone);
        drop(state);
        drop(old);
        Poll::Pending
    }

    fn closed(&self) -> Poll<()> {
        self.ended.notify_waiters();
        Poll::Ready(())
    }

    /// Nobody will ask what has failed.
    pub fn report_failures(&self) {
        let failures = mem::take(&mut self.state.lock().failures);
        for (failure, task) in failures {
            lost::report(failure, task.task());
        }
    }

    /// What has failed, once the group is closed.
    pub fn take_failures(&self) -> Vec<Failure<E>> {
        let failures = mem::take(&mut self.state.lock().failures);
        failures.into_iter().map(|(failure, _)| failure).collect()
    }

    /// A seat is given up by a child without a name.
    pub(super) fn vacate_unnamed(&self, place: usize, id: TaskId, ended: Ended) {
        let mut state = self.state.lock();
        if state.ends.is_asked() || state.ends.is_full() || state.seats.live() == 1 {
            drop(state);
            return self.vacate(place, Some(TaskOutcome::new(id, None, ended)));
        }
        state.seats.free(place); // G1
        state.ends.push(id, ended);
    }

    /// A seat is given up. `outcome` is for `join_next`.
    #[cold]
    pub(super) fn vacate(&self, place: usize, outcome: Option<TaskOutcome>) {
        let mut state = self.state.lock();
        state.seats.free(place); // G1
        let forgotten = outcome.and_then(|it| state.ends.push_outcome(it));
        let last = state.seats.live() == 0;
        let waker = if last { state.waker.take() } else { None };
        let told = state.ends.is_asked() || last;
        drop(state);
        drop(forgotten);
        if told {
            lost::guarded(|| self.ended.notify_waiters());
        }
        if let Some(waker) = waker {
            lost::guarded(|| waker.wake());
        }
    }

    /// Waits for one more child to end. `None`: none is left.
    pub async fn join_next(&self) -> Option<TaskOutcome> {
        loop {
            let listens = !planted!("group.look_before_listening");
            let told = listens.then(|| self.ended.notified());
            match self.next_outcome() {
                Ok(outcome) => return Some(outcome),
                Err(false) => return None,
                Err(true) => told.unwrap_or_else(|| self.ended.notified()).await,
            }
        }
    }

    /// The next end of a child. `Err`: none yet, or none to come (false).
    fn next_outcome(&self) -> Result<TaskOutcome, bool> {
        let mut state = self.state.lock();
        let live = state.seats.live() > 0;
        state.ends.ask().ok_or(live)
    }
}

fn cancel_all(members: Vec<Canceller>, reason: &CancelReason) {
    for member in members {
        member.cancel_with(reason.clone());
    }
}

/// A group of whatever kind, for who looks at it from outside.
pub trait Look: Send + Sync {
    /// Where it was made.
    fn opened_at(&self) -> &'static Location<'static>;
    /// References to its children that have not ended.
    fn members(&self) -> Vec<Canceller>;
}

impl<E: Send> Look for Core<E> {
    fn opened_at(&self) -> &'static Location<'static> {
        self.opened_at
    }

    fn members(&self) -> Vec<Canceller> {
        self.state.lock().seats.members()
    }
}

impl<E> State<E> {
    /// Nobody is admitted: what a child would have done is not done.
    #[cold]
    fn refuse(&mut self) {
        if self.cut.is_none() {
            self.cut.clone_from(&self.cancelled);
        }
    }

    /// G4: the members, the first time.
    fn end(&mut self, reason: &CancelReason) -> Vec<Canceller> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        self.phase = Phase::Ending;
        self.reason = Some(reason.clone());
        self.seats.members()
    }
}
