//! Where the core of a scheduler is while nobody drives, and who waits for it.
//!
//! ```text
//!   take ──► one thread drives ──► put_back ───► free: whoever waits may take it
//!                            └───► hand_over ──► reserved for one thread that waits
//! ```
//!
//! The thread that drives hands over when a task that belongs to a waiting thread is ready: nobody
//! else may run it, and its owner, being in `block_on`, must.
//!
//! Invariants:
//! - T1: the core is here or with the one thread that took it.
//! - T2: a core is reserved only for a thread in the line; if that thread leaves the line without the
//!   core, everybody else in it is woken.
//!
//! # Nobody waits in vain
//!
//! A thread joins the line, or takes the core, under the lock under which the core is put back: either
//! it finds the core, or whoever puts it back finds the thread. Having joined, it interrupts the thread
//! that drives, which looks at the line before each sleep if it has set tasks aside. The interruption is
//! a token: a look that came too early is followed by a sleep that ends at once, and by another look.
//!
//! Tests: `tests/tests/owners.rs`, `tests/tests/block_on.rs`; `loom-tests/tests/current_thread.rs`.

use std::sync::Arc as StdArc;

use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::thread::{self, ThreadId};

use super::current_thread::Core;
use super::parking::ThreadParker;

/// The seat of the thread that drives.
pub struct Seat(Mutex<State>);

struct State {
    core: Option<Box<Core>>,
    reserved: Option<ThreadId>,
    line: Vec<(ThreadId, StdArc<ThreadParker>)>,
}

/// What a thread that wants to drive gets.
#[must_use]
pub enum Taken {
    /// The core. The thread is in the line no more.
    Core(Box<Core>),
    /// A place in the line. The thread that drives has to be interrupted.
    Joined,
    /// Nothing new: it was in the line already.
    Waiting,
}

impl Seat {
    /// A seat with the core in it.
    pub fn new(core: Box<Core>) -> Self {
        Self(Mutex::new(State {
            core: Some(core),
            reserved: None,
            line: Vec::new(),
        }))
    }

    /// Takes the core, if it is free.
    pub fn take(&self) -> Option<Box<Core>> {
        self.0.lock().take(thread::current_id())
    }

    /// Takes the core, or joins the line: then `parker` is woken when it is worth trying again.
    pub fn take_or_join(&self, parker: &StdArc<ThreadParker>) -> Taken {
        let me = thread::current_id();
        let mut state = self.0.lock();
        if let Some(core) = state.take(me) {
            return Taken::Core(core);
        }
        if state.line.iter().any(|(thread, _)| *thread == me) {
            return Taken::Waiting;
        }
        state.line.push((me, StdArc::clone(parker)));
        Taken::Joined
    }

    /// Leaves the line, if this thread is in it.
    pub fn leave_line(&self) {
        let me = thread::current_id();
        let mut state = self.0.lock();
        state.line.retain(|(thread, _)| *thread != me);
        if state.reserved == Some(me) {
            state.reserved = None; // T2
            state.wake_line();
        }
    }

    /// Shows the core, if it is free. `look` runs no user code: it is called under the lock.
    pub fn look(&self, look: impl FnOnce(&Core)) -> bool {
        let state = self.0.lock();
        match &state.core {
            Some(core) => {
                look(core);
                true
            }
            None => false,
        }
    }

    /// Puts the core back for anybody.
    pub fn put_back(&self, core: Box<Core>) {
        let mut state = self.0.lock();
        state.core = Some(core);
        if !planted!("current_thread.no_wake_after_put_core") {
            state.wake_line();
        }
    }

    /// Puts the core back for the thread `to`, if it is still in the line.
    pub fn hand_over(&self, core: Box<Core>, to: ThreadId) {
        let mut state = self.0.lock();
        state.core = Some(core);
        let waiting = state.line.iter().find(|(thread, _)| *thread == to);
        match waiting {
            Some((_, parker)) => parker.unpark(),
            None => return state.wake_line(),
        }
        state.reserved = Some(to);
    }

    /// The first of `owners` that is in the line.
    pub fn first_waiting(&self, mut owners: impl Iterator<Item = ThreadId>) -> Option<ThreadId> {
        let state = self.0.lock();
        owners.find(|owner| state.line.iter().any(|(thread, _)| thread == owner))
    }
}

impl State {
    fn take(&mut self, me: ThreadId) -> Option<Box<Core>> {
        if self.reserved.is_some_and(|thread| thread != me) {
            return None;
        }
        let core = self.core.take()?;
        self.reserved = None;
        self.line.retain(|(thread, _)| *thread != me);
        Some(core)
    }

    /// Wakes everybody in the line. A parker of ours runs no user code, so this is safe under the lock.
    fn wake_line(&self) {
        for (_, parker) in &self.line {
            parker.unpark();
        }
    }
}
