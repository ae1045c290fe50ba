//! Which workers sleep, which look for work, and whom to wake.
//!
//! ```text
//!                 claim (by whoever has published work)
//!        ┌──────────────────────────────────────────────────┐
//!        │                                                  ▼
//!     Asleep ◄──── park ──── Searching ◄── begin_search ── Active ◄─┐
//!        │                       └────────── end_search ────▲       │
//!        └───── leave (time-out, poller, nudge) ────────────────────┘
//! ```
//!
//! One word says how many are asleep and how many search, so that whoever publishes work decides with
//! one load whether anybody has to be woken; who it is, is decided under a lock, at the price of a sleep.
//!
//! # No work is left while a worker sleeps
//!
//! Publisher: I1 push, I2 `SeqCst` fence, I3 look at the word. Worker: W1 [`Idle::park`] counts it asleep
//! and no longer searching, W2 `SeqCst` fence, W3 look at every queue.
//! If I2 comes first, W3 sees the push. Else I3 sees W1: the worker is asleep, and is woken, unless
//! somebody searches. Whoever searches ends it by W1, and then looks at every queue as above; or by
//! [`Idle::end_search`] with work in hand, and then the last of them looks at every queue after a fence
//! too, and wakes the next (E1 count down, E2 fence, E3 look: if I3 saw the search, E2 comes after I2).
//!
//! A worker that pushes to its own deque leaves I2 out: it may overlook a worker that is just going to
//! sleep. Nothing is lost, for it runs the task itself; and a guard (below) comes by, should it get stuck.
//!
//! # A stuck poll strands nothing
//!
//! A sleeper is *bounded* if it wakes after a period to see whether the others get on. After a period
//! in which nobody was active it goes on without bound: from then on idle is idle. Bounded are the one
//! who leads the poller, and one more, the *guard*.
//!
//! - D1: while a worker is in a poll and another sleeps, one of the sleepers is bounded, or somebody is on
//!   the way out of [`Idle::leave`] who sees to it. Whoever makes this untrue, by waking or by leaving,
//!   appoints another one and wakes it ([`Nudge`]); who gets up only to look for work does so when it has
//!   found some ([`Idle::guard`]), and becomes the guard again if it has not.
//!
//! Invariants:
//! - D2: the number in the upper half of the word is how many workers may be woken or started: so many
//!   that as many are active as there are to be, beside those that are blocked on purpose. A worker without
//!   a thread is asleep.
//! - D3: a worker that is claimed is counted as searching by whoever claims it.
//!
//! Rejected: a set of bits without a lock. A worker that wakes by itself has to be told from one that is
//! being claimed, and the two counts come apart.
//!
//! Tests: below; `loom-tests/tests/idle.rs`; the liveness of both protocols with four workers in
//! `docs/models/idle.pml`.

use core::fmt;

use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicU32, Ordering, fence};
use tenter_sync::shim::{Guess, Mutex};

// | 31 … 16 | 15 … 0    |
// | asleep  | searching |
const SEARCHING: u32 = 1;
const ASLEEP: u32 = 1 << 16;

/// The most workers that the word can count.
pub const WORKERS_MAX: usize = (1 << 14) - 1;

/// See the module's first lines.
pub struct Idle {
    word: AtomicU32,
    /// How many are to be active at most.
    workers: u32,
    line: Mutex<Line>,
}

/// Who sleeps, and how.
#[derive(Debug)]
struct Line {
    /// The last to fall asleep is the last, and is woken first: its cache is warm.
    asleep: Vec<u16>,
    guard: Option<u16>,
    leader: Option<Leader>,
    /// The workers from this one on have no thread yet.
    started: u16,
    /// Those before it that have none either, because the system refused it.
    refused: Vec<u16>,
    /// How many may have one: more than are to be active, for those that stand in for blocked ones.
    slots: u16,
    /// How many have said that they block.
    blocked: u16,
    /// No threads are started for a while, because the system refused one.
    held_back: bool,
}

#[derive(Clone, Copy, Debug)]
struct Leader {
    worker: u16,
    bounded: bool,
}

/// A worker to be woken, or started if it has no thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Nudge {
    /// Its thread sleeps.
    Wake(usize),
    /// It has none.
    Start(usize),
}

/// What whoever has published work must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// Nothing: somebody searches, or nobody sleeps.
    Nobody,
    /// Wake this one, which is now searching; and the other one to guard (D1).
    Worker(Nudge, Option<Nudge>),
}

/// How a worker sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sleep {
    /// Until it is woken.
    Unbounded,
    /// For a period at most.
    Bounded,
    /// It has been claimed, and sleeps no more.
    Claimed,
}

/// How a worker that ends its sleep by itself finds things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Left {
    /// It was claimed meanwhile, and is searching.
    Claimed,
    /// It is active. The other one has to be woken to guard (D1).
    Active(Option<Nudge>),
}

/// Whether anybody else searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum SearchEnded {
    /// This was the last one: look at every queue, and wake somebody if there is work (E3).
    Last,
    /// Others do.
    NotLast,
}

impl Idle {
    /// All asleep but the first one, which has a thread and is active. With `spares` that can stand in for
    /// blocked ones.
    pub fn new(workers: usize, spares: usize) -> Self {
        assert!((1..=WORKERS_MAX).contains(&workers), "{workers} workers");
        Self {
            word: AtomicU32::new((workers as u32 - 1) * ASLEEP),
            workers: workers as u32,
            line: Mutex::new(Line {
                asleep: Vec::with_capacity(workers),
                guard: None,
                leader: None,
                started: 1,
                refused: Vec::new(),
                slots: (workers + spares).min(WORKERS_MAX) as u16,
                blocked: 0,
                held_back: false,
            }),
        }
    }

    /// Whether a worker is neither asleep, nor without a thread, nor blocked on purpose.
    pub fn is_any_active(&self) -> bool {
        self.line.lock().is_any_active()
    }

    /// Calls `body`, if every worker that has a thread is asleep, and lets none get up meanwhile.
    pub fn while_all_asleep<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        let line = self.line.lock();
        (line.active() == 0).then(body)
    }

    /// A worker is about to block, and has left nothing that only it could run: another one may be active
    /// in its place.
    pub fn block(&self) {
        let mut line = self.line.lock();
        line.blocked += 1;
        self.count(&line);
    }

    /// It blocks no more.
    pub fn unblock(&self) {
        let mut line = self.line.lock();
        line.blocked -= 1;
        self.count(&line);
    }

    /// How many workers search.
    pub fn searching(&self) -> u32 {
        // ORDERING: Relaxed. In W3 the fence W2 orders it; else a hint.
        self.word.load(Ordering::Relaxed) % ASLEEP
    }

    /// Work was published: whom to wake. After a `SeqCst` fence (I2), unless it is on the caller's deque.
    #[inline]
    pub fn claim(&self) -> Claim {
        // ORDERING: Relaxed. This is I3, which I2 orders after the push.
        let word = self.word.load(Ordering::Relaxed);
        if word % ASLEEP != 0 || word < ASLEEP {
            return Claim::Nobody;
        }
        self.claim_one()
    }

    #[cold]
    fn claim_one(&self) -> Claim {
        let mut line = self.line.lock();
        // ORDERING: Relaxed. Sleepers change under the lock; for searchers the argument is that of I3.
        let word = self.word.load(Ordering::Relaxed);
        if word % ASLEEP != 0 || word < ASLEEP {
            return Claim::Nobody;
        }
        let Some(claimed) = line.pick(self.workers) else {
            return Claim::Nobody;
        };
        // ORDERING: Relaxed. The worker that is claimed learns it under the lock (D3).
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
        let nudge = if planted!("idle.claim_without_guard") {
            None
        } else {
            line.appoint(self.workers)
        };
        self.count(&line);
        Claim::Worker(claimed, nudge)
    }

    /// A worker wants to search. False: enough others do.
    pub fn begin_search(&self) -> bool {
        let mut word = self.word.guess();
        loop {
            if 2 * (word % ASLEEP) >= self.workers {
                return false;
            }
            // ORDERING: Relaxed. The count orders nothing; see E1 for its end.
            let began = self.word.compare_exchange_weak(
                word,
                word + SEARCHING,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match began {
                Ok(_) => return true,
                Err(actual) => word = actual,
            }
        }
    }

    /// A worker has found work (E1).
    pub fn end_search(&self) -> SearchEnded {
        // ORDERING: Relaxed. The fence below orders it before E3.
        let before = self.word.fetch_sub(SEARCHING, Ordering::Relaxed);
        debug_assert!(before % ASLEEP > 0, "D3: nobody searched");
        if before % ASLEEP != 1 || planted!("idle.last_searcher_does_not_look") {
            return SearchEnded::NotLast;
        }
        if !planted!("idle.no_fence_after_search") {
            // E2, pairs with I2.
            fence(Ordering::SeqCst);
        }
        SearchEnded::Last
    }

    /// A worker goes to sleep (W1, W2). Afterwards it looks at every queue (W3).
    pub fn park(&self, worker: usize, searching: bool, leads: bool) -> Sleep {
        let sleep = {
            let mut line = self.line.lock();
            let sleep = line.lie_down(worker as u16, leads);
            if searching {
                // ORDERING: Relaxed. Ordered before W3 by the fence W2.
                self.word.fetch_sub(SEARCHING, Ordering::Relaxed);
            }
            self.count(&line);
            sleep
        };
        if !planted!("idle.no_fence_after_park") {
            // W2, pairs with I2.
            fence(Ordering::SeqCst);
        }
        sleep
    }

    /// How a sleeper that has woken up is to go on.
    pub fn look(&self, worker: usize) -> Sleep {
        self.line.lock().look(worker as u16)
    }

    /// A sleeper leads the poller from now on.
    pub fn lead(&self, worker: usize) {
        self.line.lock().lead(worker as u16);
    }

    /// A bounded sleeper has seen no activity for a period. It stays if there is some now: who was claimed
    /// since then relies on it (D1).
    pub fn resign(&self, worker: usize) {
        let mut line = self.line.lock();
        if !line.is_any_active() || planted!("idle.resign_without_look") {
            line.resign(worker as u16);
        }
    }

    /// A sleeper gets up. `active`: it has work, so somebody has to guard (D1).
    pub fn leave(&self, worker: usize, active: bool) -> Left {
        let mut line = self.line.lock();
        if !line.get_up(worker as u16) && !planted!("idle.leave_forgets_the_claim") {
            return Left::Claimed;
        }
        let nudge = if active && !planted!("idle.leave_without_guard") {
            line.appoint(self.workers)
        } else {
            None
        };
        self.count(&line);
        Left::Active(nudge)
    }

    /// A worker that got up to look for work has found some: who has to be woken to guard (D1).
    pub fn guard(&self) -> Option<Nudge> {
        let mut line = self.line.lock();
        let nudge = line.appoint(self.workers);
        self.count(&line);
        nudge
    }

    /// The system refused the thread of a worker, which was searching if it was `claimed`.
    pub fn refused(&self, worker: usize, claimed: bool) {
        let mut line = self.line.lock();
        line.refused.push(worker as u16);
        line.held_back = true;
        if claimed {
            // ORDERING: Relaxed. As in `end_search`; the caller looks for another worker.
            self.word.fetch_sub(SEARCHING, Ordering::Relaxed);
        }
        self.count(&line);
    }

    /// It is worth trying again to start threads.
    pub fn retry_starts(&self) {
        let mut line = self.line.lock();
        line.held_back = false;
        self.count(&line);
    }

    /// A started worker that sleeps, to be interrupted.
    pub fn any_sleeper(&self) -> Option<usize> {
        self.line
            .lock()
            .asleep
            .last()
            .map(|worker| usize::from(*worker))
    }

    /// D2, under the lock: only its holders change the upper half.
    fn count(&self, line: &Line) {
        let asleep = line.claimable(self.workers);
        let before = self.word.guess() / ASLEEP;
        let change = asleep.wrapping_sub(before).wrapping_mul(ASLEEP);
        // ORDERING: Relaxed. Ordered before W3 by the fence W2, in `park`; elsewhere it only falls.
        self.word.fetch_add(change, Ordering::Relaxed);
    }
}

impl Line {
    fn with_thread(&self) -> u32 {
        u32::from(self.started) - self.refused.len() as u32
    }

    fn active(&self) -> u32 {
        self.with_thread() - self.asleep.len() as u32
    }

    fn is_any_active(&self) -> bool {
        self.active() > u32::from(self.blocked)
    }

    fn startable(&self, workers: u32) -> u32 {
        let wanted = (workers + u32::from(self.blocked)).min(u32::from(self.slots));
        if self.held_back {
            0
        } else {
            wanted.saturating_sub(self.with_thread())
        }
    }

    /// D2.
    fn claimable(&self, workers: u32) -> u32 {
        let wanted = workers + u32::from(self.blocked);
        let there = self.asleep.len() as u32 + self.startable(workers);
        wanted.saturating_sub(self.active()).min(there)
    }

    fn is_leader(&self, worker: u16) -> bool {
        self.leader.is_some_and(|leader| leader.worker == worker)
    }

    /// The sleeper whose waking costs least: neither the guard nor the leader, whom to interrupt takes
    /// two system calls.
    fn cheapest(&self) -> Option<u16> {
        let plain = |worker: &&u16| Some(**worker) != self.guard && !self.is_leader(**worker);
        let other = self.asleep.iter().rev().find(plain).copied();
        other
            .or(self.guard)
            .or(self.leader.map(|leader| leader.worker))
    }

    fn pick(&mut self, workers: u32) -> Option<Nudge> {
        if let Some(worker) = self.cheapest() {
            self.get_up(worker);
            return Some(Nudge::Wake(usize::from(worker)));
        }
        self.start(workers)
    }

    fn start(&mut self, workers: u32) -> Option<Nudge> {
        (self.startable(workers) > 0).then(|| {
            let worker = self.refused.pop().unwrap_or_else(|| {
                self.started += 1;
                self.started - 1
            });
            Nudge::Start(usize::from(worker))
        })
    }

    /// Somebody is active: sees to it that somebody is bounded (D1).
    fn appoint(&mut self, workers: u32) -> Option<Nudge> {
        if self.guard.is_some() || self.leader.is_some_and(|leader| leader.bounded) {
            return None;
        }
        let Some(worker) = self.cheapest() else {
            // It will be bounded when it goes to sleep.
            return self.start(workers);
        };
        match &mut self.leader {
            Some(leader) if leader.worker == worker => leader.bounded = true,
            _ => self.guard = Some(worker),
        }
        Some(Nudge::Wake(usize::from(worker)))
    }

    fn lie_down(&mut self, worker: u16, leads: bool) -> Sleep {
        debug_assert!(
            !self.asleep.contains(&worker),
            "worker {worker} sleeps already"
        );
        self.asleep.push(worker);
        if leads {
            self.leader = Some(Leader {
                worker,
                bounded: true,
            });
        } else if self.guard.is_none() {
            self.guard = Some(worker);
        }
        self.look(worker)
    }

    fn look(&self, worker: u16) -> Sleep {
        if !self.asleep.contains(&worker) {
            Sleep::Claimed
        } else if self.guard == Some(worker)
            || self
                .leader
                .is_some_and(|leader| leader.worker == worker && leader.bounded)
        {
            Sleep::Bounded
        } else {
            Sleep::Unbounded
        }
    }

    fn lead(&mut self, worker: u16) {
        if self.asleep.contains(&worker) {
            let bounded = self.look(worker) == Sleep::Bounded;
            self.leader = Some(Leader { worker, bounded });
            if self.guard == Some(worker) {
                self.guard = None;
            }
        }
    }

    fn resign(&mut self, worker: u16) {
        if self.guard == Some(worker) {
            self.guard = None;
        }
        if let Some(leader) = &mut self.leader {
            leader.bounded &= leader.worker != worker;
        }
    }

    /// False: it was not asleep.
    fn get_up(&mut self, worker: u16) -> bool {
        let Some(place) = self.asleep.iter().rposition(|other| *other == worker) else {
            return false;
        };
        self.asleep.remove(place);
        if self.guard == Some(worker) {
            self.guard = None;
        }
        if self.is_leader(worker) {
            self.leader = None;
        }
        true
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle")
            .field("line", &self.line.try_lock().as_deref())
            .field("searching", &self.searching())
            .finish()
    }
}

#[cfg(test)]
mod tests;
