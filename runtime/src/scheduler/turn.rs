//! The run loop in two parts, for a loop of another kind around it: what is ready is run in a *turn*, and the wait for
//! more is another thread's.
//!
//! ```text
//!   run_turn ──► take_news ──► the run loop, until nothing is ready or `done` ──┐
//!      ▲                                                                        ▼
//!      └──────────── whoever has the core next ◄──────────── wait_for_news, on any thread
//! ```
//!
//! The wait takes what the poller reports and wakes nobody: all wakes are those of the turn, on the thread that runs
//! the tasks. The core goes from one to the other, so there is one of both at a time (C1).
//!
//! Tests: `tests/tests/guest/main.rs`; `loom-tests/tests/guest.rs`.

use core::time::Duration;

use tenter_sync::book;
use tenter_timer::Instant;

use super::current_thread::{Core, RunEnded, Scheduler};
use crate::context::Driving;

impl Scheduler {
    /// Runs tasks until `done`, or until nothing is ready. Before the next turn comes
    /// [`wait_for_news`](Self::wait_for_news), on whatever thread. Not on a virtual clock.
    pub fn run_turn(
        &self,
        driving: &Driving<'_>,
        core: &Core,
        done: impl Fn() -> bool,
    ) -> RunEnded {
        self.take_news(core);
        let more = || self.is_something_ready(core) || self.tell_quiet(core);
        book::lend(self.book.as_ref(), || {
            self.run_loop(driving, core, done, more)
        })
    }

    /// The idle part of a turn, on a thread that runs no tasks: returns when the one that does has something
    /// to do, or when `recalled`, which is asked again after each wake-up. Wakes nobody.
    pub fn wait_for_news(&self, core: &Core, recalled: impl Fn() -> bool) {
        loop {
            let deadline = self.timers.begin_park();
            let left = |until: Instant| until.duration_since(self.timers.clock().now());
            let timeout = deadline.map(left);
            if timeout != Some(Duration::ZERO) && !recalled() {
                self.sleep_only(core, timeout);
            }
            self.timers.end_park();
            let is_due = deadline.is_some_and(|deadline| left(deadline).is_zero());
            let came = is_due || !self.inbox.is_empty() || core.poller.borrow().has_events();
            if came || self.quiet.is_awaited() || recalled() {
                return;
            }
        }
    }

    /// What came while this thread was elsewhere is ready.
    fn take_news(&self, core: &Core) {
        // If the poller was waited in, this dispatches what it has found.
        self.poll_io(core, Some(Duration::ZERO));
        let now = self.timers.clock().now();
        core.last_check.set(now);
        self.fire_timers(now);
        self.take_inbox(core);
    }
}
