//! Clocks, sleeping, timeouts and intervals for any executor.
//!
//! Deadlines are exact to the nanosecond: a timer never fires early, and is never rounded up. The
//! timer lies inside the future that waits for it, so waiting allocates nothing. In a tenter
//! runtime the workers drive the timers; on any other executor a background thread does, which
//! starts when it is first needed. On a virtual clock ([`Clock::virtual_from_zero`]) tests of an
//! hour take no time.
//!
//! ```
//! use std::time::Duration;
//! use tenter_timer::{sleep, timeout};
//!
//! # tenter_timer::on_virtual_time(async {
//! let slow = sleep(Duration::from_secs(60));
//! let outcome = timeout(Duration::from_secs(1), slow).await;
//! assert!(outcome.is_err());
//! # });
//! ```
#![deny(unsafe_code)]

pub use crate::advance::{Advance, advance};
pub use crate::ambient::EnterGuard;
pub use crate::clock::Clock;
pub use crate::instant::Instant;
pub use crate::interval::{Interval, MissedTick, Tick, interval, interval_at};
pub use crate::sleep::{Sleep, sleep, sleep_until};
#[doc(hidden)]
pub use crate::timeout::poll_deadline;
pub use crate::timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use crate::timers::Timers;
#[doc(hidden)]
pub use crate::virtual_time::on_virtual_time;

mod advance;
mod ambient;
#[expect(
    unsafe_code,
    reason = "the owner's side of the entries, under the lock"
)]
mod arming;
mod clock;
#[expect(
    unsafe_code,
    reason = "fields guarded by the lock of the wheel, table in its header"
)]
mod entry;
mod fallback;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod instant;
mod interval;
mod limits;
#[expect(
    unsafe_code,
    reason = "hands pinned entries to the wheel, and cancels them on drop"
)]
mod sleep;
#[expect(unsafe_code, reason = "pins its two fields along with itself")]
mod timeout;
#[expect(
    unsafe_code,
    reason = "takes the lock that guards the entries in the wheel"
)]
mod timers;
mod virtual_time;
#[expect(
    unsafe_code,
    reason = "intrusive lists of entries, contract in wheel/list.rs"
)]
mod wheel;

/// The present, on the clock of the runtime that this thread is in, else on the real clock.
///
/// # Examples
///
/// ```
/// use tenter_timer::now;
///
/// let start = now();
/// assert!(now() >= start);
/// ```
#[must_use]
#[inline]
pub fn now() -> Instant {
    ambient::now()
}
