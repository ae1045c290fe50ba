//! A posted turn, and how it finds its guest on the host's thread.
//!
//! ```text
//!   helper, host ──► poster(turn) ──► the host's loop ──► run ──► the guest in the list of this thread
//!                                          └────────────► dropped: the guest stands still  (relay.rs: Lost)
//! ```
//!
//! Everything of a guest that is not `Send` is in a list of the host's thread; a turn has only what is shared.
//! So a turn that comes too late, or to another thread, finds nothing.
//!
//! Tests: `tests/tests/guest/main.rs`.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc as StdArc;

use tenter_sync::shim::thread::{self, ThreadId};
use tenter_sync::shim::{Mutex, local};

use super::relay::Relay;
use crate::scheduler::current_thread::{Core, Scheduler};
use crate::scheduler::shared::{Kind, SchedulerRef};
use crate::scheduler::shutdown::ShutdownReport;

/// What gives a turn to the host's loop.
pub type Poster = StdArc<dyn Fn(Turn) + Send + Sync>;

/// What the host's thread and the helper pass to and fro.
pub enum Baton {
    /// The right to run tasks, or to wait until there are some to run.
    Core(Box<Core>),
    /// Every task has ended. Blocking jobs have so long to do so.
    Jobs(Duration),
    /// They were waited for.
    Ended(ShutdownReport),
}

/// What both sides of a guest know.
pub struct Shared {
    pub relay: Relay<Baton>,
    pub scheduler: SchedulerRef,
    /// The host's thread.
    home: ThreadId,
    /// Where the guest was started.
    pub at: &'static Location<'static>,
    /// Taken away at the end: what it holds may hold a turn, which holds this.
    poster: Mutex<Option<Poster>>,
}

impl Shared {
    /// For a guest on this thread, which has the baton.
    pub fn new(scheduler: SchedulerRef, poster: Poster, at: &'static Location<'static>) -> Self {
        Self {
            relay: Relay::default(),
            scheduler,
            home: thread::current_id(),
            at,
            poster: Mutex::new(Some(poster)),
        }
    }

    /// The scheduler as that of one thread.
    pub fn one_thread(&self) -> &Scheduler {
        match &self.scheduler.kind {
            Kind::CurrentThread(scheduler) => scheduler,
            Kind::MultiThread(_) => unreachable!("refused when the guest was started"),
        }
    }

    /// Gives the host its next turn. Only by who has brought the baton to Posted (G2).
    ///
    /// # Panics
    ///
    /// With the poster.
    pub fn post(self: &StdArc<Self>) {
        let poster = self.poster.lock().clone();
        if let Some(poster) = poster {
            poster(Turn {
                shared: Some(StdArc::clone(self)),
            });
        }
    }

    /// The guest has ended: nothing is posted any more.
    pub fn forget_poster(&self) {
        let poster = self.poster.lock().take();
        // Code of the program.
        drop(poster);
    }
}

/// The host's side of a guest, whatever its types.
pub trait Visit {
    /// Whether a turn is in progress, or is being posted.
    fn is_busy(&self) -> bool;
    /// Runs a turn.
    fn turn(&self);
    /// Posts a turn in place of one that was dropped. False: none was.
    fn resume(&self) -> bool;
    /// Ends it now, or as soon as the turn is over that this is called in.
    fn end(&self);
    /// Ends it gracefully, on this thread.
    fn close(&self) -> ShutdownReport;
}

/// A turn in progress, or one that is being posted: also when the poster or the `done` function unwinds, it
/// is over.
pub struct Busy<'a>(&'a Cell<bool>, bool);

impl<'a> Busy<'a> {
    /// Sets the flag until it is dropped.
    pub fn set(flag: &'a Cell<bool>) -> Self {
        Self(flag, flag.replace(true))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

type Guests = Vec<(StdArc<Shared>, Rc<dyn Visit>)>;

local! {
    /// The guests of this thread. What is left in it when the thread ends is dropped: they end.
    static GUESTS: RefCell<Guests> = const { RefCell::new(Vec::new()) };
}

/// A guest comes.
pub fn enlist(shared: &StdArc<Shared>, visit: Rc<dyn Visit>) {
    GUESTS.with(|guests| guests.borrow_mut().push((StdArc::clone(shared), visit)));
}

/// Its place, if it has not ended. A thread that is ending has ended its guests.
fn with_place<R>(shared: &StdArc<Shared>, body: impl FnOnce(&mut Guests, usize) -> R) -> Option<R> {
    let found = GUESTS.try_with(|guests| {
        let mut guests = guests.borrow_mut();
        let place = guests
            .iter()
            .position(|(other, _)| StdArc::ptr_eq(other, shared))?;
        Some(body(&mut guests, place))
    });
    found.ok().flatten()
}

/// The guest, if it has not ended.
pub fn find(shared: &StdArc<Shared>) -> Option<Rc<dyn Visit>> {
    with_place(shared, |guests, place| Rc::clone(&guests[place].1))
}

/// A guest has ended. It is dropped by the caller, outside the borrow.
pub fn delist(shared: &StdArc<Shared>) -> Option<Rc<dyn Visit>> {
    with_place(shared, |guests, place| guests.swap_remove(place).1)
}

/// A guest's turn to run its tasks, made for the host's loop: [`run`](Self::run) is to be called soon, once, on
/// the thread on which the guest was started.
///
/// A turn that is dropped stops the guest, which is not lost by that: see [`Guest`](crate::Guest).
#[must_use = "a turn that is dropped stops the guest: give it to the host's loop, which runs it"]
pub struct Turn {
    /// Taken away by `run`.
    shared: Option<StdArc<Shared>>,
}

impl Turn {
    /// Runs what is ready, for about as long as [`GuestBuilder::turn_limit`](crate::GuestBuilder::turn_limit)
    /// says. Without effect when the guest has ended.
    ///
    /// # Panics
    ///
    /// On another thread than that of the guest, and inside the poster; the guest then stands still, as if the
    /// turn had been dropped. Also with the poster, if it panics when it is given the next turn, and with
    /// the `done` function.
    #[track_caller]
    pub fn run(mut self) {
        let shared = self.shared.as_ref().expect("taken only below");
        assert!(
            shared.home == thread::current_id(),
            "Turn::run was called at {} on another thread than the one on which the guest was started, \
             at {}: the poster has to give turns to the loop of that thread",
            Location::caller(),
            shared.at
        );
        if let Some(visit) = find(shared) {
            assert!(
                !visit.is_busy(),
                "Turn::run was called at {} inside the poster of the guest started at {}: the poster has \
                 to leave the turn to the host's loop, and to return",
                Location::caller(),
                shared.at
            );
            // From here on it is run: the next one may be posted before this returns.
            self.shared = None;
            visit.turn();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.relay.lose();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.shared.as_ref().map(|shared| shared.at);
        f.debug_struct("Turn")
            .field("guest", &at.map(|at| at.to_string()))
            .finish()
    }
}
