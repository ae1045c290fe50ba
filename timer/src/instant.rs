//! A point in time: eight bytes, nanoseconds, saturating.
//!
//! An [`Instant`] counts nanoseconds on the time line of one clock. All arithmetic saturates at
//! both ends, so no duration that a program can name makes it panic or wrap. The upper end,
//! [`Instant::MAX`], is past everything that a clock can show (clocks stop one nanosecond before
//! it): a deadline there is *never* by arithmetic, and no value within time has a second meaning.
//!
//! Rejected: `Option<Instant>` for "never" in every signature. Every caller would have to map it,
//! and `deadline.min(other)` would need words.
//! Rejected: a time line of `std::time::Instant`, which has 16 bytes, panics at its edges and
//! cannot be set by a test.
//!
//! Tests: below; `wheel/tests.rs` and `tests/faults.rs` for deadlines at the edges.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

use crate::{ambient, clock};

/// A point in time on the clock of a runtime.
///
/// Eight bytes, exact to the nanosecond, `Copy`, totally ordered. Addition and subtraction
/// saturate: nothing here panics. The range is 584 years.
///
/// Instants are comparable within one clock. A virtual clock has a time line of its own that starts
/// at zero; comparing its instants with those of the real clock means nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::Instant;
///
/// let start = Instant::now();
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later - start, Duration::from_millis(5));
/// assert_eq!(start - later, Duration::ZERO);
/// assert_eq!(start + Duration::MAX, Instant::MAX);
/// ```
#[doc(alias = "time")]
#[doc(alias = "monotonic")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The end of time, which no clock ever shows: a deadline of `MAX` is never reached.
    pub const MAX: Instant = Instant(u64::MAX);

    /// The last instant that a clock can show.
    pub(crate) const LAST: Instant = Instant(u64::MAX - 1);

    /// The present, on the clock of the runtime that this thread is in, else on the real clock.
    #[must_use]
    #[inline]
    pub fn now() -> Instant {
        ambient::now()
    }

    /// The instant `nanos` nanoseconds after the beginning of the time line.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Nanoseconds since the beginning of the time line.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time that has passed since this instant, zero if it lies ahead.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self)
    }

    /// The time from `earlier` to here, zero if `earlier` is in fact later.
    #[doc(alias = "saturating_duration_since")]
    #[must_use]
    #[inline]
    pub const fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to here, `None` if `earlier` is in fact later.
    #[must_use]
    #[inline]
    pub const fn checked_duration_since(self, earlier: Instant) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// `self + duration`, or `None` where that would leave the time line.
    #[must_use]
    #[inline]
    pub const fn checked_add(self, duration: Duration) -> Option<Instant> {
        match nanos(duration) {
            Some(nanos) => match self.0.checked_add(nanos) {
                Some(sum) => Some(Instant(sum)),
                None => None,
            },
            None => None,
        }
    }

    /// `self - duration`, or `None` where that would leave the time line.
    #[must_use]
    #[inline]
    pub const fn checked_sub(self, duration: Duration) -> Option<Instant> {
        match nanos(duration) {
            Some(nanos) => match self.0.checked_sub(nanos) {
                Some(difference) => Some(Instant(difference)),
                None => None,
            },
            None => None,
        }
    }

    /// The same moment of the real clock as the standard library counts it, saturating.
    #[must_use]
    pub fn from_std(instant: std::time::Instant) -> Instant {
        clock::from_std(instant)
    }

    /// The same moment in the standard library's type, for an instant of the real clock. Where the
    /// system's own range is shorter, the nearest moment that a halving search finds in it.
    #[must_use]
    pub fn into_std(self) -> std::time::Instant {
        clock::into_std(self)
    }
}

/// The nanoseconds of a duration, `None` beyond 584 years.
#[inline]
pub(crate) const fn nanos(duration: Duration) -> Option<u64> {
    match duration.as_secs().checked_mul(1_000_000_000) {
        Some(whole) => whole.checked_add(duration.subsec_nanos() as u64),
        None => None,
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration).unwrap_or(Instant::MAX)
    }
}

impl AddAssign<Duration> for Instant {
    #[inline]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    #[inline]
    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).unwrap_or(Instant(0))
    }
}

impl SubAssign<Duration> for Instant {
    #[inline]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(instant: std::time::Instant) -> Instant {
        Instant::from_std(instant)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> std::time::Instant {
        instant.into_std()
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Instant::MAX {
            return f.write_str("Instant(never)");
        }
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

const _: () = assert!(size_of::<Instant>() == 8, "an instant is one word");

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around every edge that a duration or an instant has.
    const EDGES: [u64; 9] = [
        0,
        1,
        999_999_999,
        1_000_000_000,
        1 << 32,
        1 << 63,
        u64::MAX - 2,
        u64::MAX - 1,
        u64::MAX,
    ];

    #[test]
    fn arithmetic_agrees_with_128_bits_clamped_to_the_time_line() {
        for at in EDGES {
            for by in EDGES {
                let (instant, duration) = (Instant::from_nanos(at), Duration::from_nanos(by));
                let sum = (u128::from(at) + u128::from(by)).min(u128::from(u64::MAX));
                assert_eq!(u128::from((instant + duration).as_nanos()), sum);
                assert_eq!((instant - duration).as_nanos(), at.saturating_sub(by));
                let other = Instant::from_nanos(by);
                let gap = u128::from(at).saturating_sub(u128::from(by));
                assert_eq!((instant - other).as_nanos(), gap);
                assert_eq!(instant.checked_duration_since(other).is_none(), at < by);
                assert_eq!(
                    instant.checked_add(duration).is_none(),
                    at.checked_add(by).is_none()
                );
                assert_eq!(instant.checked_sub(duration).is_none(), at < by);
            }
        }
    }

    #[test]
    fn durations_longer_than_the_time_line_saturate() {
        let instant = Instant::from_nanos(5);
        for long in [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            Duration::from_secs(1 << 40),
        ] {
            assert_eq!(instant + long, Instant::MAX);
            assert_eq!(instant - long, Instant::from_nanos(0));
            assert_eq!(instant.checked_add(long), None);
            assert_eq!(instant.checked_sub(long), None);
        }
    }

    #[test]
    fn conversions_to_and_from_std_are_exact_inverses_within_range() {
        let std_now = std::time::Instant::now();
        let hour = Duration::from_secs(3_600);
        for moment in [std_now, std_now + hour, std_now + 1_000_000 * hour] {
            assert_eq!(Instant::from_std(moment).into_std(), moment);
        }
        // A moment before the anchor keeps its distance too.
        let early = Instant::from_std(std_now) - hour;
        assert_eq!(
            std_now.checked_sub(hour).map(Instant::from_std),
            Some(early)
        );
        let _ = (Instant::MAX.into_std(), Instant::from_nanos(0).into_std());
    }

    #[test]
    fn debug_prints_a_time_or_never() {
        let instant = Instant::from_nanos(1_500_000_000);
        assert_eq!(format!("{instant:?}"), "Instant(1.5s)");
        assert_eq!(format!("{:?}", Instant::MAX), "Instant(never)");
    }
}
