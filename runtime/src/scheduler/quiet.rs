//! Who waits for all other tasks to be blocked, and how a run loop with nothing to do finds out that they are.
//!
//! ```text
//!  nothing ready ──► somebody waits for that? ──no──► sleep, or jump the clock
//!                              │ yes
//!                              ▼
//!       sockets and due timers have woken a task? ──yes──► run it
//!                              │ no
//!                              ▼
//!       the shortest cushion has passed, in real time, and nothing came? ──no──► run what came
//!                              │ yes
//!                              ▼
//!       wake everybody who waits with that cushion
//! ```
//!
//! Invariants:
//! - Q1: whoever is in the line has not been told; who has been told has left it.
//! - Q2: no waker is woken, cloned or dropped under the lock of the line.
//! - Q3: the clock does not jump while somebody is in the line whose cushion has not been waited for.
//!
//! Tests: `tests/tests/testing.rs`.

use core::task::Waker;
use core::time::Duration;

use tenter_sync::shim::Mutex;
use tenter_sync::shim::diagnostic::{AtomicUsize, Ordering};
use tenter_timer::Clock;

use super::current_thread::{Core, Scheduler};

/// The line of those who wait.
#[derive(Debug, Default)]
pub struct Quiet {
    /// How many are in the line: spares a run loop that goes to sleep the lock.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    last: u64,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    key: u64,
    cushion: Duration,
    waker: Waker,
}

impl Quiet {
    /// Joins the line. The number is the place in it.
    pub fn join(&self, cushion: Duration, waker: Waker) -> u64 {
        let mut line = self.line.lock();
        line.last += 1;
        let key = line.last;
        line.waiters.push(Waiter {
            key,
            cushion,
            waker,
        });
        self.count(&line);
        key
    }

    /// Waits on, with this waker. False: all tasks were blocked.
    pub fn waits(&self, key: u64, waker: &Waker) -> bool {
        let fresh = waker.clone();
        let mut line = self.line.lock();
        let found = line.waiters.iter_mut().find(|waiter| waiter.key == key);
        let (is_waiting, unused) = match found {
            Some(waiter) => (true, core::mem::replace(&mut waiter.waker, fresh)),
            None => (false, fresh),
        };
        drop(line);
        drop(unused); // Q2
        is_waiting
    }

    /// Leaves the line, if it is still in it.
    pub fn leave(&self, key: u64) {
        let mut line = self.line.lock();
        let place = line.waiters.iter().position(|waiter| waiter.key == key);
        let left = place.map(|place| line.waiters.remove(place));
        self.count(&line);
        drop(line);
        drop(left); // Q2
    }

    /// Whether anybody is in the line.
    pub fn is_awaited(&self) -> bool {
        // ORDERING: Relaxed. The driving thread wrote it, or a thread that interrupted it afterwards.
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// The shortest time that somebody wants it to be quiet for.
    fn shortest(&self) -> Option<Duration> {
        if !self.is_awaited() {
            return None;
        }
        let line = self.line.lock();
        line.waiters.iter().map(|waiter| waiter.cushion).min()
    }

    /// Takes everybody off the line who waits with this cushion, first come first.
    fn take(&self, cushion: Duration) -> Vec<Waker> {
        let mut line = self.line.lock();
        let all = core::mem::take(&mut line.waiters);
        let (told, rest) = all
            .into_iter()
            .partition::<Vec<_>, _>(|waiter| waiter.cushion <= cushion);
        line.waiters = rest;
        self.count(&line);
        told.into_iter().map(|waiter| waiter.waker).collect()
    }

    fn count(&self, line: &Line) {
        // ORDERING: Relaxed. As in `is_awaited`.
        self.waiting.store(line.waiters.len(), Ordering::Relaxed);
    }
}

impl Scheduler {
    /// Nothing is ready: tells those who wait for that. True: something is ready now, or somebody still
    /// waits (Q3), and the run loop has to look again.
    pub fn tell_quiet(&self, core: &Core) -> bool {
        let Some(cushion) = self.quiet.shortest() else {
            return false;
        };
        self.poll_io(core, Some(Duration::ZERO));
        if self.stays_quiet(core, cushion) {
            for waker in self.quiet.take(cushion) {
                self.config.guarded(&self.counters, || waker.wake());
            }
        }
        self.is_something_ready(core) || self.quiet.is_awaited()
    }

    /// Waits for so much of real time. False: a task is ready, or a timer is due.
    fn stays_quiet(&self, core: &Core, cushion: Duration) -> bool {
        let real = Clock::real();
        let end = real.now() + cushion;
        loop {
            if self.is_something_ready(core) {
                return false;
            }
            let deadline = self.timers.begin_park();
            let now = self.timers.clock().now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.timers.end_park();
                self.fire_timers(now);
                return false;
            }
            let mut left = end.duration_since(real.now());
            if left.is_zero() {
                self.timers.end_park();
                return true;
            }
            if !self.config.is_virtual() {
                let until_due = deadline.map(|deadline| deadline.duration_since(now));
                left = until_due.map_or(left, |due| left.min(due));
            }
            self.sleep(core, Some(left));
            self.timers.end_park();
        }
    }
}
