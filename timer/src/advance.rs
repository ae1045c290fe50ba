//! Moving a virtual clock from within the program under test.
//!
//! Time passes *through* every deadline on the way: the clock stops at each, fires what is due, and
//! gives the woken tasks a turn before it goes on. So a task that is woken reads the very time that
//! it slept until, and an interval ticks as often as it would have done.
//!
//! Rejected: one jump to the target. All tasks on the way would wake at the same, wrong, moment.
//!
//! Tests: `tests/advance.rs`.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::ambient;
use crate::instant::Instant;
use crate::timers::Timers;

/// Moves the virtual clock of the current runtime by `duration`, deadline by deadline.
///
/// Ready when every task that was woken by a timer on the way has had a turn. A task that needs
/// several turns to arm its next timer arms it late, as it would on a real clock that runs this
/// fast.
///
/// # Cancel safety
///
/// Dropping the future leaves the clock where it has got to.
///
/// # Panics
///
/// If this thread is in no runtime, or in one on the real clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{advance, now};
///
/// # tenter_timer::on_virtual_time(async {
/// let start = now();
/// advance(Duration::from_secs(60)).await;
/// assert_eq!(now() - start, Duration::from_secs(60));
/// # });
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> Advance {
    let timers = ambient::entered().filter(|timers| timers.clock().is_virtual());
    let Some(timers) = timers else {
        panic!(
            "`advance` moves a virtual clock, and this thread is in no runtime that has one; use a \
             deterministic runtime, or build one with `virtual_clock()`"
        );
    };
    Advance {
        timers,
        stage: Stage::New(duration),
    }
}

/// The future of [`advance`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Advance {
    timers: Timers,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    New(Duration),
    /// On the way to this time.
    To(Instant),
    Arrived,
}

impl Future for Advance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.timers.clock();
        let target = match self.stage {
            Stage::New(duration) => clock.now() + duration,
            Stage::To(target) => target,
            Stage::Arrived => return Poll::Ready(()),
        };
        let stop = self
            .timers
            .next_deadline()
            .filter(|deadline| *deadline <= target);
        clock.advance_to(stop.unwrap_or(target));
        self.timers.fire_due(clock.now());
        self.stage = if stop.is_some() {
            Stage::To(target)
        } else {
            Stage::Arrived
        };
        // Behind the tasks that have just been woken.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

const _: () = {
    const fn send_sync_unpin<T: Send + Sync + Unpin>() {}
    send_sync_unpin::<Advance>();
};
