//! Clocks: the real one, and one that only moves when it is told to.
//!
//! This file is the only one in the project that reads the system's clock.
//!
//! The real clock counts from the *anchor*, a moment that the process takes once, the first time
//! that it asks for the time; the anchor stands 2^60 ns (36 years) after the beginning of the time
//! line, so that moments before it are representable as well. The clock is the system's monotonic
//! one: it stands still while the machine is suspended where the system's does (Linux: yes).
//!
//! Invariants:
//! - I1: within a thread, the real clock never goes backwards, whatever the system's does. Across
//!   threads the arithmetic of [`Instant`] saturates, so a step back costs time and never a panic.
//! - I2: no clock shows [`Instant::MAX`].
//!
//! Rejected: one process-wide maximum instead of one per thread. Every reading on every core would
//! write the same cache line.
//!
//! Tests: below.

use core::cell::Cell;
use core::fmt;
use std::sync::{Arc, OnceLock};

use tenter_sync::shim::atomic::{AtomicU64, Ordering};
use tenter_sync::shim::{MODELLED, local};

use crate::instant::{self, Instant};

/// A source of the present time: cheap to clone, each clone shows the same time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::Clock;
///
/// let clock = Clock::virtual_from_zero();
/// let start = clock.now();
/// clock.advance_to(start + Duration::from_secs(3_600));
/// assert_eq!(clock.now() - start, Duration::from_secs(3_600));
/// ```
#[derive(Clone)]
pub struct Clock {
    /// The time that a virtual clock shows; `None` is the real clock.
    shown: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's monotonic clock.
    #[must_use]
    pub const fn real() -> Clock {
        Clock { shown: None }
    }

    /// A clock that shows zero until [`advance_to`](Clock::advance_to) moves it.
    #[must_use]
    pub fn virtual_from_zero() -> Clock {
        Clock {
            shown: Some(Arc::new(AtomicU64::new(0))),
        }
    }

    /// The present.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Instant {
        match &self.shown {
            None => real_now(),
            // ORDERING: Relaxed. The time is a number that publishes nothing; what happens at that
            // time is handed over by the lock of the wheel.
            Some(shown) => Instant::from_nanos(shown.load(Ordering::Relaxed)),
        }
    }

    /// Whether this clock moves only when it is told to.
    #[must_use]
    #[inline]
    pub fn is_virtual(&self) -> bool {
        self.shown.is_some()
    }

    /// Moves a virtual clock to `instant`. It never moves backwards, and stops one nanosecond
    /// before [`Instant::MAX`]. Timers do not fire by themselves: see [`Timers::fire_due`].
    ///
    /// # Panics
    ///
    /// If this is the real clock.
    ///
    /// [`Timers::fire_due`]: crate::Timers::fire_due
    #[track_caller]
    pub fn advance_to(&self, instant: Instant) {
        let Some(shown) = &self.shown else {
            panic!("the real clock cannot be moved; use `Clock::virtual_from_zero()` in tests");
        };
        // I2.
        let target = instant.min(Instant::LAST);
        // ORDERING: Relaxed. As in `now`; the maximum keeps the clock from going backwards.
        shown.fetch_max(target.as_nanos(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_virtual() { "virtual" } else { "real" };
        f.debug_struct("Clock")
            .field("kind", &kind)
            .field("now", &self.now())
            .finish()
    }
}

/// Where the anchor stands on the time line.
const ANCHOR_AT: Instant = Instant::from_nanos(1 << 60);

/// The moment that the process counts from. Two runtimes share it, and with it nothing that
/// changes.
static ANCHOR: OnceLock<std::time::Instant> = OnceLock::new();

fn anchor() -> std::time::Instant {
    *ANCHOR.get_or_init(std::time::Instant::now)
}

/// The present on the real clock.
#[inline]
pub(crate) fn real_now() -> Instant {
    local! {
        /// The latest time that this thread has seen.
        static LATEST: Cell<u64> = const { Cell::new(0) };
    }
    if MODELLED {
        // A model whose schedules depended on the time of day could not be explored: the clock stands.
        return ANCHOR_AT;
    }
    let shown = from_std(std::time::Instant::now());
    LATEST
        .try_with(|latest| monotone(latest, shown))
        .unwrap_or(shown)
}

/// The later of `shown` and all times before it, I1.
#[inline]
fn monotone(latest: &Cell<u64>, shown: Instant) -> Instant {
    let now = shown.as_nanos().max(latest.get());
    latest.set(now);
    Instant::from_nanos(now)
}

pub(crate) fn from_std(moment: std::time::Instant) -> Instant {
    let anchor = anchor();
    let instant = match moment.checked_duration_since(anchor) {
        Some(after) => ANCHOR_AT + after,
        None => ANCHOR_AT - anchor.duration_since(moment),
    };
    instant.min(Instant::LAST)
}

pub(crate) fn into_std(instant: Instant) -> std::time::Instant {
    let anchor = anchor();
    let (after, before) = (instant - ANCHOR_AT, ANCHOR_AT - instant);
    let mut distance = instant::nanos(after.max(before)).unwrap_or(u64::MAX);
    loop {
        let gap = core::time::Duration::from_nanos(distance);
        let moment = if before.is_zero() {
            anchor.checked_add(gap)
        } else {
            anchor.checked_sub(gap)
        };
        // Ends at the latest with a gap of zero, which every system can represent.
        if let Some(moment) = moment {
            return moment;
        }
        distance /= 2;
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Clock>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    /// Goal: a system clock that steps back never shows.
    /// Method: feed readings that go back and forth through the clamp.
    #[test]
    fn a_clock_that_goes_backwards_stands_still() {
        let latest = Cell::new(0);
        let shown: Vec<u64> = [5, 9, 3, 8, 10, 0]
            .map(|nanos| monotone(&latest, Instant::from_nanos(nanos)).as_nanos())
            .to_vec();
        assert_eq!(shown, [5, 9, 9, 9, 10, 10]);
    }

    #[test]
    fn the_real_clock_is_monotone_and_follows_the_system() {
        let clock = Clock::real();
        let before = std::time::Instant::now();
        let readings: Vec<Instant> = (0..1_000).map(|_| clock.now()).collect();
        let after = std::time::Instant::now();
        assert!(readings.is_sorted());
        assert!(readings[0] >= Instant::from_std(before));
        assert!(readings[999] <= Instant::from_std(after));
    }

    #[test]
    fn a_virtual_clock_moves_forward_only_and_never_to_the_end_of_time() {
        let clock = Clock::virtual_from_zero();
        let twin = clock.clone();
        assert_eq!(clock.now(), Instant::from_nanos(0));
        clock.advance_to(Instant::from_nanos(0) + Duration::from_secs(9));
        clock.advance_to(Instant::from_nanos(5));
        assert_eq!(twin.now(), Instant::from_nanos(9_000_000_000));
        twin.advance_to(Instant::MAX);
        assert_eq!(clock.now(), Instant::LAST);
    }

    #[test]
    #[should_panic(expected = "the real clock cannot be moved")]
    fn moving_the_real_clock_says_what_to_do() {
        Clock::real().advance_to(Instant::MAX);
    }
}
