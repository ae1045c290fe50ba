//! How a worker gets work from elsewhere: from inboxes, from the queues of the others, from one that is
//! stuck.
//!
//! ```text
//!   search: of each worker, from anywhere on: inbox (all) ─► backlog (half) ─► deque (half)
//!   glance: who has been in one poll for long? its LIFO slot and its due timers
//! ```
//!
//! Tests: `tests/tests/stuck.rs`, `tests/tests/stress_workers.rs`; `loom-tests/tests/multi_thread.rs`.

use tenter_sync::shim::{MODELLED, size};
use tenter_timer::Instant;

use super::idle::SearchEnded;
use super::remote::Remote;
use super::watch::PERIOD_BUSY;
use super::worker::{BATCH, Worker};
use crate::scheduler::inbox::Chain;
use crate::scheduler::run_queue::RunQueue;
use crate::task::Runnable;

/// How often a searching worker goes round while it sees work that it cannot get hold of.
const TRIES: usize = size(16, 1);

impl Worker<'_> {
    /// Takes everything from an inbox. True: there was something.
    pub fn take_inbox(&self, of: &Remote) -> bool {
        if of.inbox.is_empty() {
            return false;
        }
        let count = self.take_chain(of.inbox.take());
        if count > 1 {
            self.work_is_there();
        }
        count > 0
    }

    fn take_chain(&self, chain: Chain) -> usize {
        let tasks = RunQueue::default();
        let mut fresh = 0;
        for task in chain {
            // A task that has never run comes through an inbox only when another thread spawned it.
            let word = task.header().state.load();
            if word.is_fresh() {
                fresh += 1;
                self.enlist_if_named(&task);
            } else if word.list().is_none() {
                self.enlist_late(&task);
            }
            tasks.push(task);
        }
        let count = tasks.len();
        self.remote.counters.spawned.add(fresh);
        self.remote.counters.remote_spawned.add(fresh);
        if self.remote.backlog.is_empty() {
            self.push_all(&tasks);
        } else {
            self.remote.backlog.append(&tasks);
        }
        count
    }

    /// Looks for work among the others. True: there is some here now.
    pub fn search(&self) -> bool {
        if !self.core.searching.get() {
            if !self.scheduler.crew.idle.begin_search() {
                return false;
            }
            self.core.searching.set(true);
        }
        for _ in 0..TRIES {
            if self.steal() {
                self.end_search();
                return true;
            }
            // Others were faster, or are about to put something back: to sleep and to be woken costs more
            // than to look again.
            if !self.scheduler.crew.has_stealable() {
                break;
            }
            core::hint::spin_loop();
        }
        false
    }

    /// There is work here: searches no more.
    pub fn end_search(&self) {
        if self.core.owes_guard.take() {
            if let Some(nudge) = self.scheduler.crew.idle.guard() {
                self.scheduler.nudge(self.shared, nudge);
            }
        }
        if !self.core.searching.take() {
            return;
        }
        let idle = &self.scheduler.crew.idle;
        if idle.end_search() == SearchEnded::Last && self.scheduler.crew.has_stealable() {
            self.work_is_there();
        }
    }

    /// Whether this worker is counted as searching.
    pub fn is_searching(&self) -> bool {
        self.core.searching.get()
    }

    /// Whether it has to see to a guard before it runs a task.
    pub fn set_owes_guard(&self, owes: bool) {
        self.core.owes_guard.set(owes);
    }

    fn steal(&self) -> bool {
        let crew = &self.scheduler.crew;
        let first = if MODELLED { self.index } else { self.random() };
        for victim in crew.remotes_from(first) {
            if self.take_inbox(victim) {
                return true;
            }
            if core::ptr::eq(victim, self.remote) {
                continue;
            }
            let tasks = RunQueue::default();
            victim.backlog.steal(BATCH, &tasks);
            let from_backlog = tasks.len() as u64;
            self.push_all(&tasks);
            if from_backlog > 0 || victim.stealer.steal(&self.core.deque) {
                self.remote.counters.steals.add(1);
                let stolen = from_backlog.max(self.core.deque.len() as u64);
                self.remote.counters.stolen.add(stolen);
                return true;
            }
        }
        false
    }

    /// A number to begin a round with.
    fn random(&self) -> usize {
        // Marsaglia's xorshift, "Xorshift RNGs", 2003.
        let mut random = self.core.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.core.random.set(random);
        (random >> 32) as usize
    }

    /// Takes what a stuck worker alone could run: the task in its LIFO slot, and its due timers.
    pub fn rescue(&self, stuck: &Remote, now: Instant) {
        if core::ptr::eq(stuck, self.remote) {
            return;
        }
        if let Some(task) = stuck.lifo.take() {
            self.remote.counters.rescues.add(1);
            self.push(task);
        }
        if stuck.timers.armed() > 0 {
            self.batch(|| stuck.timers.fire_due(now));
        }
    }

    /// Takes from all queues of a worker, when the runtime ends. True: there was something.
    pub fn take_everything(&self, of: &Remote) -> bool {
        let mut found = self.take_inbox(of);
        if let Some(task) = of.lifo.take() {
            self.remote.backlog.push(task);
            found = true;
        }
        if core::ptr::eq(of, self.remote) {
            return found;
        }
        let tasks = RunQueue::default();
        of.backlog.take(usize::MAX, &tasks);
        found |= !tasks.is_empty();
        self.remote.backlog.append(&tasks);
        found | (self.core.deque.is_empty() && of.stealer.steal(&self.core.deque))
    }

    /// The next task to be ended, when the runtime ends.
    pub fn next_to_end(&self) -> Option<Runnable> {
        self.remote
            .lifo
            .take()
            .or_else(|| self.core.deque.pop())
            .or_else(|| {
                let tasks = RunQueue::default();
                self.remote.backlog.take(1, &tasks);
                tasks.pop()
            })
    }

    /// Takes what the others cannot get to, if they have been in one poll for long.
    pub fn glance_at_others(&self, now: Instant) {
        let mut watch = self.core.watch.borrow_mut();
        if watch.is_due(now, PERIOD_BUSY) {
            let others = self.scheduler.crew.remotes();
            let _ = watch.look(now, others, |stuck| self.rescue(stuck, now));
        }
    }
}
