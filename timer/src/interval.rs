//! Ticks at a fixed period.
//!
//! The first tick of [`interval`] is ready at once, each later one a period after the one before,
//! counted from when that was due and not from when it was taken: the ticks do not drift. If a tick
//! is taken so late that it counts as missed (by more than 5 ms, or by more than the period if that
//! is shorter), [`MissedTick`] decides when the next one is due.
//!
//! An interval keeps its timer in a box of its own, the only allocation in this crate besides the
//! timers themselves, so that it can be moved, and ticked through a plain `&mut`.
//!
//! Tests: `tests/interval.rs`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use crate::ambient;
use crate::entry::State;
use crate::instant::Instant;
use crate::limits::TICK_TOLERANCE;
use crate::sleep::Sleep;

/// Ticks every `period`; the first tick is ready at once.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{interval, now};
///
/// # tenter_timer::on_virtual_time(async {
/// let start = now();
/// let mut ticks = interval(Duration::from_secs(10));
/// for _ in 0..3 {
///     ticks.tick().await;
/// }
/// assert_eq!(now() - start, Duration::from_secs(20));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let timers = ambient::timers();
    let start = timers.clock().now();
    Interval::new(period, |period| {
        (Sleep::new(timers, start, State::Fired), period)
    })
}

/// Ticks every `period`; the first tick is due at `start`.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{interval_at, now};
///
/// # tenter_timer::on_virtual_time(async {
/// let start = now() + Duration::from_secs(1);
/// let mut ticks = interval_at(start, Duration::from_secs(10));
/// assert_eq!(ticks.tick().await, start);
/// assert_eq!(ticks.tick().await, start + Duration::from_secs(10));
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    let timers = ambient::timers();
    Interval::new(period, |period| {
        (Sleep::new(timers, start, State::Set), period)
    })
}

/// What happens to the ticks that come after a missed one.
///
/// With a period of 10 s, a tick that is due at 20 s and taken at 45 s:
///
/// | behaviour | the next ticks are due at              |
/// |-----------|----------------------------------------|
/// | `Burst`   | 30 and 40 s (so both at once), 50 s, … |
/// | `Delay`   | 55 s, 65 s, …                          |
/// | `Skip`    | 50 s, 60 s, …                          |
#[doc(alias = "MissedTickBehavior")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTick {
    /// As if nothing had happened: the missed ticks follow one another at once. Their number is
    /// right.
    #[default]
    Burst,
    /// A period after the late tick was taken, and so on. Their distance is right.
    Delay,
    /// At the next multiple of the period. Their moments are right.
    Skip,
}

impl MissedTick {
    /// When the tick after the one that was due at `due`, and is taken `now`, is due.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let late = now - due;
        if late <= period.min(Duration::from_nanos(TICK_TOLERANCE)) {
            return due + period;
        }
        match self {
            MissedTick::Burst => due + period,
            MissedTick::Delay => now + period,
            MissedTick::Skip => {
                let into_period = late.as_nanos() % period.as_nanos();
                // Less than `late`, which is a difference of two instants, so it fits a word.
                now - Duration::from_nanos(into_period as u64) + period
            }
        }
    }
}

/// Ticks at a fixed period: the result of [`interval`] and [`interval_at`].
pub struct Interval {
    sleep: Pin<Box<Sleep>>,
    period: Duration,
    missed: MissedTick,
}

impl Interval {
    #[track_caller]
    fn new(period: Duration, sleep: impl FnOnce(Duration) -> (Sleep, Duration)) -> Interval {
        assert!(
            !period.is_zero(),
            "an interval needs a period greater than zero; to run as often as possible, yield \
             in a loop"
        );
        let (sleep, period) = sleep(period);
        Interval {
            sleep: Box::pin(sleep),
            period,
            missed: MissedTick::default(),
        }
    }

    /// Waits for the next tick; returns when it was due.
    ///
    /// # Cancel safety
    ///
    /// A tick is taken only when the future is ready: dropping it before loses none.
    ///
    /// # Panics
    ///
    /// The future panics when it has to wait after its runtime was shut down.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Polls for the next tick; ready with the moment at which it was due.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.as_mut().poll(cx));
        let due = self.sleep.deadline();
        let now = self.sleep.timers().clock().now();
        let next = self.missed.next(due, now, self.period);
        self.sleep.as_mut().reset(next);
        Poll::Ready(due)
    }

    /// Begins anew: the next tick is due a period from now.
    pub fn reset(&mut self) {
        let next = self.sleep.timers().clock().now() + self.period;
        self.sleep.as_mut().reset(next);
    }

    /// The distance of two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens after a missed tick.
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTick {
        self.missed
    }

    /// Says what happens after a missed tick. Default: [`MissedTick::Burst`].
    pub fn set_missed_tick_behavior(&mut self, missed: MissedTick) {
        self.missed = missed;
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period)
            .field("missed", &self.missed)
            .field("sleep", &self.sleep)
            .finish()
    }
}

/// The future of [`Interval::tick`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}

const _: () = {
    const fn send_sync_unpin<T: Send + Sync + Unpin>() {}
    send_sync_unpin::<Interval>();
    send_sync_unpin::<Tick<'static>>();
    send_sync_unpin::<MissedTick>();
};

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    /// Goal: the table in the documentation of `MissedTick`.
    #[test]
    fn missed_ticks_follow_the_table() {
        let ten = Duration::from_secs(10);
        let next = |missed: MissedTick| missed.next(at(20), at(45), ten);
        assert_eq!(next(MissedTick::Burst), at(30));
        assert_eq!(next(MissedTick::Delay), at(55));
        assert_eq!(next(MissedTick::Skip), at(50));
    }

    #[test]
    fn a_tick_within_the_tolerance_is_not_missed() {
        let ten = Duration::from_secs(10);
        for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
            let late = at(20) + Duration::from_millis(5);
            assert_eq!(missed.next(at(20), late, ten), at(30));
            assert_eq!(missed.next(at(20), at(20), ten), at(30));
        }
        // The tolerance is never more than a period.
        let (milli, late) = (Duration::from_millis(1), at(20) + Duration::from_millis(3));
        assert_eq!(MissedTick::Delay.next(at(20), late, milli), late + milli);
    }

    #[test]
    fn ticks_at_the_end_of_time_are_never() {
        for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
            assert_eq!(missed.next(at(1), at(9), Duration::MAX), Instant::MAX);
            assert_eq!(
                missed.next(Instant::LAST, Instant::LAST, Duration::from_secs(1)),
                Instant::MAX
            );
        }
    }
}
