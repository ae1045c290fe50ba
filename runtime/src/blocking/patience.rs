//! How long an idle thread looks for a call before it sleeps.
//!
//! Two processors that take turns pay for waking each other more than for all else in a blocking call.
//! So a thread whose last sleep was short looks for a while before it sleeps again: a caller that finds
//! it awake makes no system call, and the job begins at once. To the pool it is idle all the same.
//!
//! Looking in vain is what it must not do often: after each time it sleeps at once for twice as many
//! turns as before.
//!
//! Tests: below.

use core::hint::spin_loop;
use core::time::Duration;

use tenter_sync::parker::{Parker, Unparked};
use tenter_sync::shim::MODELLED;
use tenter_timer::{Clock, Instant};

/// A sleep that was shorter than this, its wake-up included, might have been spared.
const SHORT: Duration = Duration::from_micros(60);
/// How long a thread looks: somewhat longer than it takes to wake whoever has joined the last job.
const LOOK: Duration = Duration::from_micros(25);
/// Looks between two looks at the clock.
const LOOKS: u32 = 16;
/// The most turns without looking.
const DOUBT_MAX: u32 = 64;

/// What a thread has learnt from its last sleeps.
#[derive(Debug, Default)]
pub struct Patience {
    last_was_short: bool,
    /// Turns to sleep at once.
    skip: u32,
    /// How many of them there were after the last time in vain.
    doubt: u32,
}

impl Patience {
    /// Waits for a call, at most for `keep_alive`.
    pub fn sleep(&mut self, parker: &Parker, keep_alive: Duration) -> Unparked {
        if keep_alive.is_zero() && !parker.has_token() {
            return Unparked::TimedOut;
        }
        if MODELLED {
            return parker.park(Some(keep_alive));
        }
        let clock = Clock::real();
        let began = clock.now();
        if self.wants_to_look() {
            let seen = look(&clock, began, parker);
            self.looked(seen);
        }
        let how = parker.park(Some(keep_alive));
        self.slept(clock.now().duration_since(began));
        how
    }

    fn wants_to_look(&mut self) -> bool {
        if !self.last_was_short {
            return false;
        }
        let wants = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        wants
    }

    fn looked(&mut self, seen: bool) {
        self.doubt = if seen {
            0
        } else {
            (self.doubt * 2 + 1).min(DOUBT_MAX)
        };
        self.skip = self.doubt;
    }

    fn slept(&mut self, time: Duration) {
        self.last_was_short = time < SHORT;
    }
}

/// True: a call came.
fn look(clock: &Clock, began: Instant, parker: &Parker) -> bool {
    let until = began + LOOK;
    loop {
        for _ in 0..LOOKS {
            if parker.has_token() {
                return true;
            }
            spin_loop();
        }
        if clock.now() >= until {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_in_vain_gets_rarer_and_a_call_restores_it() {
        let mut patience = Patience::default();
        assert!(!patience.wants_to_look(), "nothing is known");
        let mut turns = Vec::new();
        for _ in 0..4 {
            let mut sleeps = 1;
            patience.slept(SHORT / 2);
            while !patience.wants_to_look() {
                sleeps += 1;
            }
            patience.looked(false);
            turns.push(sleeps);
        }
        assert_eq!(turns, [1, 2, 4, 8]);
        patience.looked(true);
        assert!(patience.wants_to_look());
        patience.slept(SHORT);
        assert!(!patience.wants_to_look(), "a long sleep was worth it");
    }
}
