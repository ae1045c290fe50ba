//! Puts one thread to sleep; any thread may wake it.
//!
//! A parker belongs to one thread, its owner, and holds at most one token. [`Parker::unpark`] leaves
//! a token; the owner consumes it and goes on. The owner may sleep on the parker's own futex, or
//! *elsewhere*, in a place that only its owner knows how to interrupt, such as an I/O poller.
//!
//! ```text
//!              prepare_park                  unpark: Kick::Woken
//!   ┌──► EMPTY ────────────► PARKED ───────────────────────────┐
//!   │      │ begin_elsewhere        unpark: Kick::Elsewhere    ▼
//!   │      ├───────────────► ELSEWHERE ─────────────────► NOTIFIED ◄─┐
//!   │      │ unpark: Kick::Nothing                             ▲  │  │ unpark: Kick::Nothing
//!   │      └───────────────────────────────────────────────────┘  └──┘
//!   └─ commit_park, cancel_park, end_elsewhere, and a begin that finds the token: from any state
//! ```
//!
//! Invariants:
//! - I1: only the owner leaves EMPTY for PARKED or ELSEWHERE, and only the owner returns to EMPTY.
//! - I2: NOTIFIED is one token. Further tokens join it, and what was written before any of the
//!   `unpark` calls is visible to the owner once it has consumed the one token.
//! - I3: a token that meets a sleeper's time-out is consumed by that park or kept for the next;
//!   it is never lost and never handed out twice.
//!
//! # No wake-up is lost
//!
//! Producer: publish the work, `unpark`. Owner: `prepare_park`, look for work once more,
//! `commit_park`. Both calls are read-modify-writes of one word, so one comes first. If `unpark`
//! does, `prepare_park` finds the token and acquires the work. If `prepare_park` does, `unpark` finds
//! PARKED and wakes. This holds without a fence because `unpark` is unconditional. A caller that
//! first asks some other word whether anybody sleeps needs `fence(SeqCst)` on both sides, and has it
//! where that word is.
//!
//! Rejected: a plain store of NOTIFIED, or of EMPTY. It breaks the chain of read-modify-writes, and
//! with it I2: a later token vanishes, or its publication does.
//! Rejected: skipping the swap when NOTIFIED is already there. The owner would consume the earlier
//! token without acquiring what came before the later one.
//! Rejected: counting down the rest of a time-out after an early return of the futex. This crate
//! reads no clock; [`Unparked::TimedOut`] sends the owner to its own.
//!
//! Tests: below, `sync/tests/models/parker.rs` (stress: `sync/tests/stress.rs`, model:
//! `loom-tests/tests/parker.rs`).

use core::fmt;
use core::time::Duration;

use crate::planted;
use crate::shim::Futex;
use crate::shim::atomic::Ordering;

/// Nobody sleeps, no token.
const EMPTY: u32 = 0;
/// The owner sleeps on the futex, or is about to.
const PARKED: u32 = 1;
/// The owner sleeps in a place of its own, or is about to.
const ELSEWHERE: u32 = 2;
/// A token is there.
const NOTIFIED: u32 = 3;

/// Why a park ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Unparked {
    /// The token was there, or came.
    Notified,
    /// The time is up, or the system cut a timed sleep short: look at the clock.
    TimedOut,
}

/// Whom [`Parker::unpark`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an owner that sleeps elsewhere has to be interrupted by the caller"]
pub enum Kick {
    /// Nobody asleep; the token waits.
    Nothing,
    /// The owner slept on the futex and has been woken.
    Woken,
    /// The owner sleeps elsewhere: interrupt it there.
    Elsewhere,
}

impl Kick {
    /// What a token means to an owner in state `seen`. A second token joins the first.
    const fn after(seen: u32) -> Self {
        match seen {
            PARKED => Kick::Woken,
            ELSEWHERE => Kick::Elsewhere,
            _ => Kick::Nothing,
        }
    }
}

/// One sleeping place, with room for one token.
pub struct Parker {
    futex: Futex,
}

impl Parker {
    crate::const_fn! {
        /// A parker without a token.
        pub const fn new() -> Self {
            Self { futex: Futex::new(EMPTY) }
        }
    }

    /// Sleeps until a token comes, and consumes it. A token that is there ends the park at once.
    ///
    /// With a timeout, returns [`Unparked::TimedOut`] when it has passed, or earlier when the
    /// system interrupts the sleep. Without one, returns with a token only.
    ///
    /// # Panics
    ///
    /// If another thread is parked on it.
    pub fn park(&self, timeout: Option<Duration>) -> Unparked {
        if self.prepare_park() {
            self.commit_park(timeout)
        } else {
            Unparked::Notified
        }
    }

    /// Announces that the owner is about to sleep on the futex. False if a token was there; it is
    /// consumed, and the owner stays awake. After true comes [`commit_park`](Self::commit_park) or
    /// [`cancel_park`](Self::cancel_park).
    ///
    /// # Panics
    ///
    /// If another thread is parked on it.
    #[must_use = "false means that the token is consumed and nothing has been announced"]
    pub fn prepare_park(&self) -> bool {
        self.begin(PARKED)
    }

    /// Sleeps after [`prepare_park`](Self::prepare_park).
    pub fn commit_park(&self, timeout: Option<Duration>) -> Unparked {
        loop {
            // Whether the time is up or something woke us, the word tells what to do.
            let _ = self.futex.wait(PARKED, timeout);
            // ORDERING: Relaxed. Tells an early return from a token; the token's own writes are
            // acquired by `settle`.
            if self.futex.word().load(Ordering::Relaxed) == NOTIFIED {
                let _token = self.settle();
                return Unparked::Notified;
            }
            if timeout.is_some() {
                // I3: a token that came since the load above counts.
                return if self.settle() {
                    Unparked::Notified
                } else {
                    Unparked::TimedOut
                };
            }
        }
    }

    /// Stays awake after [`prepare_park`](Self::prepare_park). True if a token came meanwhile; it is
    /// consumed.
    pub fn cancel_park(&self) -> bool {
        self.settle()
    }

    /// Announces that the owner is about to sleep in a place of its own. False if a token was
    /// there; it is consumed, and the owner must not sleep. After true comes
    /// [`end_elsewhere`](Self::end_elsewhere).
    ///
    /// # Panics
    ///
    /// If another thread is parked on it.
    #[must_use = "false means that the token is consumed and nothing has been announced"]
    pub fn begin_elsewhere(&self) -> bool {
        self.begin(ELSEWHERE)
    }

    /// The owner is back from its own place. True if a token came meanwhile; it is consumed.
    pub fn end_elsewhere(&self) -> bool {
        if planted!("parker.end_by_store") {
            self.futex.word().store(EMPTY, Ordering::Relaxed);
            return false;
        }
        self.settle()
    }

    /// Leaves a token and wakes the owner if it sleeps on the futex.
    ///
    /// All that the caller wrote before is visible to the owner when it has consumed the token.
    #[inline]
    pub fn unpark(&self) -> Kick {
        if planted!("parker.store_instead_of_swap") {
            let seen = self.futex.word().load(Ordering::Relaxed);
            self.futex.word().store(NOTIFIED, Ordering::Release);
            if seen == PARKED {
                self.futex.wake_one();
            }
            return Kick::after(seen);
        }
        // ORDERING: Release publishes the caller's work to the Acquire in `settle`. A swap and
        // not a store: it reads the newest state (see "No wake-up is lost") and carries on the
        // release sequence of an earlier token (I2).
        let seen = self.futex.word().swap(NOTIFIED, Ordering::Release);
        let kick = Kick::after(seen);
        if kick == Kick::Woken {
            self.futex.wake_one();
        }
        kick
    }

    /// Whether the owner sleeps, or is about to, on the futex or elsewhere.
    ///
    /// For a caller who has published work and then issued a `SeqCst` fence: the owner announces
    /// itself, issues such a fence and looks for work again, so one of the two sees the other.
    #[inline]
    pub fn is_parked(&self) -> bool {
        // ORDERING: Relaxed. Ordered after the caller's publication by the caller's fence, whose
        // partner is the fence between the owner's announcement and its last look.
        matches!(
            self.futex.word().load(Ordering::Relaxed),
            PARKED | ELSEWHERE
        )
    }

    /// Whether a token is there: the next park will not sleep.
    ///
    /// A hint for the owner, who may look for a while before it goes to sleep; the park acquires.
    #[inline]
    pub fn has_token(&self) -> bool {
        // ORDERING: Relaxed. Only a hint.
        self.futex.word().load(Ordering::Relaxed) == NOTIFIED
    }

    /// The futex underneath, so that a test can end a sleep early.
    #[doc(hidden)]
    pub fn futex(&self) -> &Futex {
        &self.futex
    }

    /// EMPTY to `asleep`, or consumes the token.
    fn begin(&self, asleep: u32) -> bool {
        let word = self.futex.word();
        // ORDERING: Relaxed. The owner publishes nothing by falling asleep, and on failure the
        // token is acquired by `settle`.
        match word.compare_exchange(EMPTY, asleep, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(NOTIFIED) => {
                if planted!("parker.consume_by_store") {
                    word.store(EMPTY, Ordering::Relaxed);
                    return false;
                }
                let _token = self.settle();
                false
            }
            Err(_) => panic!(
                "two threads park on one Parker: it belongs to the thread that parked first, \
                 give each thread its own"
            ),
        }
    }

    /// Any state to EMPTY. True if a token is consumed.
    fn settle(&self) -> bool {
        if planted!("parker.timeout_forgets_token") {
            let seen = self.futex.word().load(Ordering::Acquire);
            self.futex.word().store(EMPTY, Ordering::Relaxed);
            return seen == NOTIFIED;
        }
        // ORDERING: Acquire pairs with the Release swaps of every `unpark` that joined this token.
        // A swap and not a store: a token that comes at this moment is either consumed here or
        // stays for the next park (I3).
        self.futex.word().swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: Relaxed. A snapshot for people.
        let state = match self.futex.word().load(Ordering::Relaxed) {
            EMPTY => "awake",
            PARKED => "parked",
            ELSEWHERE => "elsewhere",
            _ => "notified",
        };
        f.debug_struct("Parker").field("state", &state).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parker_in(state: u32) -> Parker {
        let parker = Parker::new();
        parker.futex.word().store(state, Ordering::Relaxed);
        parker
    }

    fn state(parker: &Parker) -> u32 {
        parker.futex.word().load(Ordering::Relaxed)
    }

    #[test]
    fn every_state_takes_a_token() {
        for (before, kick) in [
            (EMPTY, Kick::Nothing),
            (PARKED, Kick::Woken),
            (ELSEWHERE, Kick::Elsewhere),
            (NOTIFIED, Kick::Nothing),
        ] {
            let parker = parker_in(before);
            assert_eq!(parker.unpark(), kick, "from {before}");
            assert_eq!(state(&parker), NOTIFIED, "from {before}");
        }
    }

    #[test]
    fn every_end_of_a_sleep_leaves_it_empty_and_reports_the_token() {
        for end in [Parker::cancel_park, Parker::end_elsewhere] {
            for (before, token) in [(PARKED, false), (ELSEWHERE, false), (NOTIFIED, true)] {
                let parker = parker_in(before);
                assert_eq!(end(&parker), token, "from {before}");
                assert_eq!(state(&parker), EMPTY, "from {before}");
            }
        }
    }

    #[test]
    fn every_beginning_consumes_a_token_or_announces_the_sleep() {
        for (begin, asleep) in [
            (Parker::prepare_park as fn(&Parker) -> bool, PARKED),
            (Parker::begin_elsewhere, ELSEWHERE),
        ] {
            let parker = parker_in(EMPTY);
            assert!(begin(&parker));
            assert_eq!(state(&parker), asleep);
            let parker = parker_in(NOTIFIED);
            assert!(!begin(&parker));
            assert_eq!(state(&parker), EMPTY);
        }
    }

    #[test]
    fn two_tokens_are_one() {
        let parker = Parker::new();
        assert_eq!(parker.unpark(), Kick::Nothing);
        assert_eq!(parker.unpark(), Kick::Nothing);
        assert_eq!(parker.park(None), Unparked::Notified);
        assert_eq!(parker.park(Some(Duration::ZERO)), Unparked::TimedOut);
    }

    #[test]
    #[should_panic(expected = "two threads park on one Parker")]
    fn a_second_owner_is_refused() {
        let parker = parker_in(PARKED);
        let _ = parker.park(None);
    }
}
