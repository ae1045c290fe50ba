//! Whether to look a few more times before going to sleep.
//!
//! A processor that sleeps takes tens of microseconds to wake, more than a peer on the same machine or in the
//! same rack takes to answer. Who looks again for as long as that saves both sides the sleep, and spends less
//! than the sleep and the wake would have cost. Where the next event is far away it is lost time, so it has to
//! be earned:
//!
//! ```text
//!              a sleep that an event ended soon: one more
//!            ┌────┐
//!            │    ▼      as many as needed
//!   ──► earning n ────────────────────────► spinning ──┐ an event came: go on, and half as
//!            ▲                                  │   ▲──┘ many are needed next time
//!            └──────────────────────────────────┘
//!              nothing came: begin anew, and twice as many are needed
//! ```
//!
//! Timers earn nothing: when they ring is known, and a sleep until then is exact.
//!
//! Invariants:
//! - I1: an idle thread spins once at most, then sleeps: idle is idle.
//! - I2: what is spun in vain is at most [`SPIN`] in each [`NEEDED_MAX`] short sleeps, in the long run.

use std::time::Duration;

/// How long to look before going to sleep. A peer whose processor has to be woken first answers within it.
pub const SPIN: Duration = Duration::from_micros(40);

/// A sleep of this length has been a short one: with the way to sleep and back it is what [`SPIN`] is
/// without.
const SHORT: Duration = Duration::from_micros(100);

/// How many short sleeps in a row earn the right to spin, at first and at least.
const NEEDED_MIN: u32 = 4;
/// And at most.
const NEEDED_MAX: u32 = 256;

/// See the module's first lines.
#[derive(Debug)]
pub struct Spin {
    earned: u32,
    needed: u32,
}

impl Spin {
    /// Nothing earned.
    pub const fn new() -> Self {
        Spin {
            earned: 0,
            needed: NEEDED_MIN,
        }
    }

    /// Whether to spin before this sleep.
    pub fn is_due(&self) -> bool {
        self.earned >= self.needed
    }

    /// An event came while the thread was spinning.
    pub fn caught(&mut self) {
        self.needed = (self.needed / 2).max(NEEDED_MIN);
        self.earned = self.needed;
    }

    /// Nothing came while the thread was spinning.
    pub fn missed(&mut self) {
        self.earned = 0;
        self.needed = (self.needed * 2).min(NEEDED_MAX);
    }

    /// A sleep has ended: by an event, or by a timer.
    pub fn slept(&mut self, length: Duration, by_event: bool) {
        if by_event && length <= SHORT {
            self.earned = (self.earned + 1).min(NEEDED_MAX);
        } else {
            self.earned = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earn(spin: &mut Spin) -> u32 {
        let mut sleeps = 0;
        while !spin.is_due() {
            spin.slept(SHORT, true);
            sleeps += 1;
        }
        sleeps
    }

    #[test]
    fn short_sleeps_in_a_row_earn_it() {
        let mut spin = Spin::new();
        assert!(!spin.is_due());
        assert_eq!(earn(&mut spin), NEEDED_MIN);
        spin.slept(SHORT + Duration::from_nanos(1), true);
        assert!(!spin.is_due(), "a long one takes it away");
        assert_eq!(earn(&mut spin), NEEDED_MIN);
        spin.slept(Duration::ZERO, false);
        assert!(!spin.is_due(), "so does a timer");
    }

    #[test]
    fn an_idle_thread_spins_once() {
        let mut spin = Spin::new();
        earn(&mut spin);
        spin.missed();
        assert!(!spin.is_due());
        spin.slept(Duration::from_secs(1), true);
        assert!(!spin.is_due());
    }

    #[test]
    fn what_is_in_vain_becomes_rare_and_what_pays_common() {
        let mut spin = Spin::new();
        let mut sleeps = Vec::new();
        for _ in 0..8 {
            sleeps.push(earn(&mut spin));
            spin.missed();
        }
        assert_eq!(sleeps, [4, 8, 16, 32, 64, 128, 256, 256]);
        earn(&mut spin);
        for _ in 0..6 {
            assert!(spin.is_due());
            spin.caught();
        }
        spin.missed();
        assert_eq!(earn(&mut spin), 2 * NEEDED_MIN);
    }
}
