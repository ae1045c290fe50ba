//! Whether the driver's thread is blocked in the poller, and whether it has been told to return.
//!
//! ```text
//!            begin_wait                    notify (kicks the poller)
//!   Idle ───────────────────► Waiting ─────────────────────────────► Notified
//!    │ ▲                         │                                    │  │  ▲
//!    │ └──────── end_wait ───────┘                                    │  │  │ notify
//!    │ └──────── end_wait, begin_wait, pass ──────────────────────────┘  └──┘ (nothing)
//!    └─────────────────── notify (nothing to kick) ──────────────────► Notified
//! ```
//!
//! | from     | event                   | to       | the caller then                 |
//! |----------|-------------------------|----------|---------------------------------|
//! | Idle     | [`Phase::begin_wait`]   | Waiting  | blocks in the poller            |
//! | Notified | [`Phase::begin_wait`]   | Idle     | looks at the poller, and returns |
//! | any      | [`Phase::end_wait`]     | Idle     | returns to its caller           |
//! | Notified | [`Phase::pass`]         | Idle     | goes on                         |
//! | Waiting  | [`Phase::notify`]       | Notified | kicks the poller                |
//! | Idle     | [`Phase::notify`]       | Notified | nothing: the next wait sees it  |
//! | Notified | [`Phase::notify`]       | Notified | nothing: it is coalesced        |
//!
//! # No notification is lost
//!
//! `begin_wait` and `notify` are read-modify-writes of one word: of two at the same time, `notify`
//! finds Waiting and kicks, or `begin_wait` finds Notified and does not block. A kick is sticky in
//! the poller, so it also ends a wait that has not reached the kernel yet.
//!
//! The coalesced `notify` writes nothing, so a read-modify-write cannot order it. Notifier: N1
//! publish work, N2 fence, N3 read the word. Driver: D1 leave Notified, D2 fence, D3 its caller
//! looks for work. The fences have one order. N2 before D2: D3 sees N1. D2 before N2: N3 does not
//! see Notified any more, and goes on to the exchange.
//!
//! Tests: below; `loom-tests/tests/io.rs`: `notify_vs_wait`.

use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicU32, Ordering, fence};

const IDLE: u32 = 0;
const WAITING: u32 = 1;
const NOTIFIED: u32 = 2;

/// What [`Phase::begin_wait`] allows.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginWait {
    /// To block.
    Block,
    /// To look without blocking.
    Poll,
}

/// What [`Phase::notify`] asks for.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterNotify {
    /// Nothing.
    Nothing,
    /// Kick the poller.
    Kick,
}

/// See the module's first lines.
#[derive(Debug)]
pub struct Phase(AtomicU32);

impl Phase {
    /// Nobody waits, nobody has notified.
    pub fn new() -> Self {
        Phase(AtomicU32::new(IDLE))
    }

    /// The driver wants to block.
    pub fn begin_wait(&self) -> BeginWait {
        // ORDERING: AcqRel. Acquire pairs with the exchange in `notify`: the work it announces is
        // visible. Release is for the next `notify`, which takes over from this step.
        let entered = self
            .0
            .compare_exchange(IDLE, WAITING, Ordering::AcqRel, Ordering::Relaxed);
        match entered {
            Ok(_) => BeginWait::Block,
            Err(_) if planted!("io.wait_though_notified") => BeginWait::Block,
            Err(_) => {
                self.end_wait();
                BeginWait::Poll
            }
        }
    }

    /// The driver does not block any more.
    pub fn end_wait(&self) {
        // ORDERING: AcqRel, as in `begin_wait`. D1.
        self.0.swap(IDLE, Ordering::AcqRel);
        if !planted!("io.end_wait_without_fence") {
            fence(Ordering::SeqCst); // D2, pairs with N2 in `notify`
        }
    }

    /// The driver looks without blocking: that counts as the return that a notification asks for.
    pub fn pass(&self) {
        // ORDERING: Relaxed. A stale answer leaves the notification for the next turn.
        if self.0.load(Ordering::Relaxed) != IDLE {
            self.end_wait();
        }
    }

    /// The current wait, or else the next, must not block.
    pub fn notify(&self) -> AfterNotify {
        if !planted!("io.notify_without_fence") {
            fence(Ordering::SeqCst); // N2, pairs with D2 in `end_wait`
        }
        // ORDERING: Relaxed. N3; ordered after the work by N2.
        if self.0.load(Ordering::Relaxed) == NOTIFIED {
            return AfterNotify::Nothing;
        }
        // ORDERING: AcqRel. Release pairs with the exchange in `begin_wait` and `end_wait`; Acquire
        // keeps the chain for what an earlier notifier published.
        match self.0.swap(NOTIFIED, Ordering::AcqRel) {
            WAITING => AfterNotify::Kick,
            _ => AfterNotify::Nothing,
        }
    }
}

#[cfg(all(test, not(tenter_loom)))]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let phase = Phase::new();
        assert_eq!(phase.begin_wait(), BeginWait::Block);
        assert_eq!(phase.notify(), AfterNotify::Kick);
        assert_eq!(phase.notify(), AfterNotify::Nothing, "coalesced");
        phase.end_wait();
        assert_eq!(phase.notify(), AfterNotify::Nothing, "nobody waits");
        assert_eq!(
            phase.begin_wait(),
            BeginWait::Poll,
            "kept for the next wait"
        );
        assert_eq!(phase.begin_wait(), BeginWait::Block, "used up");
        phase.end_wait();
        assert_eq!(phase.notify(), AfterNotify::Nothing);
        phase.pass();
        assert_eq!(phase.begin_wait(), BeginWait::Block, "passing used it up");
    }
}
