//! Who has ended so far, of the tasks that somebody waits for.
//!
//! Shared by the waiting future and by the wakers that are registered with the tasks. A registered waker is
//! woken at most once, so wakes can be counted.
//!
//! ```text
//!  Goal::Ended(n): one waker for all ── n-th wake ──► wakes whoever waits, once
//!  Goal::Each(n):  a waker for each ─── any wake ───► notes who, and wakes
//! ```
//!
//! Invariants:
//! - Y1: of each task the end is counted once: by its waker, or at the registration if that came too late.
//! - Y2: no waker is woken, cloned or dropped under the lock.
//!
//! Tests: `tests/tests/wait.rs`.

use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use tenter_sync::shim::Mutex;

use crate::task::JoinHandle;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// That so many have ended.
    Ended(usize),
    /// Each end is looked at; it is over when so many have ended.
    Each(usize),
}

/// The count.
pub struct Tally {
    state: Mutex<State>,
    /// Whether it has to be known who has ended.
    each: bool,
}

struct State {
    /// How many ends are still to come.
    left: usize,
    /// Who has ended and was not looked at yet. Room for all is there from the beginning.
    ended: Vec<usize>,
    /// Who waits; nobody any more, once the goal is reached or the wait was given up.
    waiter: Option<Waker>,
}

impl Tally {
    /// Nobody has ended.
    pub fn new(goal: Goal) -> Self {
        let (left, each) = match goal {
            Goal::Ended(count) => (count, false),
            Goal::Each(count) => (count, true),
        };
        Self {
            state: Mutex::new(State {
                left,
                ended: Vec::with_capacity(if each { left } else { 0 }),
                waiter: None,
            }),
            each,
        }
    }

    /// Whoever waits now is woken from now on.
    pub fn listen(&self, waiter: &Waker) {
        let old = self.state.lock().waiter.take();
        let new = match old {
            Some(old) if old.will_wake(waiter) => old,
            // Y2: clones and drops happen here. What ends meanwhile is seen by the look that follows.
            _ => waiter.clone(),
        };
        self.state.lock().waiter = Some(new);
    }

    /// Nobody waits any more.
    pub fn forget(&self) {
        let waiter = self.state.lock().waiter.take();
        drop(waiter);
    }

    /// Whether so many have ended.
    pub fn is_reached(&self) -> bool {
        self.state.lock().left == 0
    }

    /// Those that have ended and were not looked at yet.
    pub fn take_ended(&self) -> Vec<usize> {
        if !self.each {
            return Vec::new();
        }
        self.state.lock().ended.drain(..).collect()
    }

    fn note(&self, index: usize) -> Option<Waker> {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(1);
        if self.each {
            state.ended.push(index);
        }
        if self.each || state.left == 0 {
            state.waiter.take()
        } else {
            None
        }
    }

    /// Y1.
    fn ended(&self, index: usize) {
        if let Some(waiter) = self.note(index) {
            waiter.wake();
        }
    }
}

impl Wake for Tally {
    fn wake(self: Arc<Self>) {
        self.ended(0);
    }
}

/// One of those whose ends are told apart.
struct Member {
    tally: Arc<Tally>,
    index: usize,
}

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.tally.ended(self.index);
    }
}

/// Registers with each task once. Nobody listens yet.
pub fn register<T>(tally: &Arc<Tally>, handles: &mut [JoinHandle<T>]) {
    let all = Waker::from(Arc::clone(tally));
    for (index, handle) in handles.iter_mut().enumerate() {
        let waker = if tally.each && !handle.is_finished() {
            let tally = Arc::clone(tally);
            &Waker::from(Arc::new(Member { tally, index }))
        } else {
            &all
        };
        if handle.is_complete_or_register(&mut Context::from_waker(waker)) {
            tally.ended(index);
        }
    }
}
