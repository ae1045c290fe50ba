//! Waiting for a point in time.
//!
//! A [`Sleep`] carries its timer within itself: creating, polling, resetting and dropping it
//! allocate nothing. It is armed by its first poll, so a sleep that is never polled costs a reading
//! of the clock and no lock. Arming reads the clock at most once in all: `sleep(d)` at its
//! creation, which it counts from, `sleep_until(t)` at its first poll, to see whether `t` has
//! passed. A virtual clock costs one load, so there the first poll always looks.
//!
//! What the owner does, by the state that it finds (`entry.rs`):
//!
//! | state      | poll                                   | reset                      | drop    |
//! |------------|----------------------------------------|----------------------------|---------|
//! | Set        | passed: ready. Else arm                | write the deadline         | –       |
//! | Ahead      | arm                                    | write the deadline         | –       |
//! | Armed      | lock; still armed: renew the waker     | lock; move, wake driver    | unlink  |
//! | Fired      | ready                                  | write the deadline         | –       |
//!
//! Invariants:
//! - I1: an entry is only ever armed in `self.timers`, through a pinned `Sleep`; and `drop` cancels
//!   it.
//! - I2: a deadline of [`Instant::MAX`] is never armed.
//!
//! Tests: `tests/sleep.rs`, `tests/faults.rs`, `tests/others.rs`; `loom-tests/tests/timer.rs`.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use tenter_sync::budget;
use tenter_sync::current::{self, WaitKind};
use tenter_sync::shim::{MODELLED, planted};

use crate::ambient;
use crate::arming::{Armed, Found};
use crate::entry::{Entry, Event, State};
use crate::instant::Instant;
use crate::timers::Timers;

/// Waits until `duration` has passed, counted from this call.
///
/// Exact to the nanosecond of the clock: never early, and late only by what it takes to wake the
/// task. A zero duration is ready at the first poll. [`Duration::MAX`] is never.
///
/// # Fairness
///
/// Sleeps with the same deadline end in the order of their first polls.
///
/// # Cancel safety
///
/// Dropping the future cancels the timer; nothing is lost.
///
/// # Panics
///
/// The future panics when it is polled after its runtime was shut down.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{now, sleep};
///
/// # tenter_timer::on_virtual_time(async {
/// let start = now();
/// sleep(Duration::from_millis(250)).await;
/// assert_eq!(now() - start, Duration::from_millis(250));
/// # });
/// ```
#[doc(alias = "delay_for")]
#[doc(alias = "call_later")]
#[track_caller]
#[inline(always)]
pub fn sleep(duration: Duration) -> Sleep {
    let timers = ambient::timers();
    let deadline = timers.clock().now() + duration;
    let state = if duration.is_zero() {
        State::Fired
    } else {
        State::Ahead
    };
    Sleep::new(timers, deadline, state)
}

/// Waits until `deadline`.
///
/// A deadline that has passed is ready at the first poll; [`Instant::MAX`] is never. Fairness,
/// cancel safety and panics are those of [`sleep`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{now, sleep_until};
///
/// # tenter_timer::on_virtual_time(async {
/// let deadline = now() + Duration::from_secs(5);
/// sleep_until(deadline).await;
/// assert_eq!(now(), deadline);
/// # });
/// ```
#[doc(alias = "delay_until")]
#[doc(alias = "call_at")]
#[track_caller]
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(ambient::timers(), deadline, State::Set)
}

/// The future of [`sleep`] and [`sleep_until`]. Once ready it stays ready, until it is reset.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    timers: Timers,
    created: &'static Location<'static>,
    entry: Entry,
}

impl Sleep {
    #[track_caller]
    #[inline(always)]
    pub(crate) fn new(timers: Timers, deadline: Instant, state: State) -> Sleep {
        Sleep {
            timers,
            created: Location::caller(),
            entry: Entry::new(deadline, state),
        }
    }

    /// The timers that this sleep belongs to.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// When this sleep ends; [`Instant::MAX`] if never.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        // SAFETY: whoever can name the sleep is its owner here: a reset needs the only reference to
        // it. A shared reference on another thread only reads, too.
        unsafe { self.entry.deadline() }
    }

    /// Whether the deadline has passed. The clock decides, polled or not.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.entry.state() == State::Fired || self.timers.clock().now() >= self.deadline()
    }

    /// Moves the deadline, in place: a later or an earlier one, before or after the old one has
    /// passed.
    ///
    /// A task that waits for this sleep is woken at the new deadline instead of the old one. If the
    /// sleep had ended, or was never polled, or its new deadline is never, it waits from its next
    /// poll on.
    ///
    /// # Examples
    ///
    /// One timer for a whole connection:
    ///
    /// ```
    /// use std::{pin::pin, time::Duration};
    /// use tenter_timer::{now, sleep};
    ///
    /// # tenter_timer::on_virtual_time(async {
    /// let idle = Duration::from_secs(30);
    /// let mut timer = pin!(sleep(idle));
    /// for _request in 0..3 {
    ///     timer.as_mut().reset(now() + idle);
    /// }
    /// timer.await;
    /// # });
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.into_ref().get_ref();
        // A later deadline needs no clock: if it has passed, so has the old one, which the driver
        // is about to find.
        let earlier = deadline < this.deadline();
        let now = earlier.then(|| this.timers.clock().now());
        let mut state = this.entry.state();
        if state == State::Armed {
            // SAFETY: `Pin<&mut Self>` makes us the owner; armed only in `self.timers`, I1.
            let found = unsafe { this.timers.reset(this.node(), deadline, now) };
            if found == Found::Armed || planted!("timer.reset_of_fired_ignored") {
                return;
            }
            state = this.entry.state();
        }
        let event = match now {
            Some(now) if now < deadline => Event::SetAhead,
            _ => Event::Set,
        };
        // SAFETY: the owner again; Armed has ended, and only we could begin it anew.
        unsafe { this.entry.set(state, deadline, event) };
    }

    /// Whether the deadline had been found passed before this call. No clock, no lock.
    pub(crate) fn has_fired(&self) -> bool {
        self.entry.state() == State::Fired
    }

    /// Waits for the deadline, whatever is left of the budget. Once ready it stays so.
    pub(crate) fn poll_passed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_or(cx, |sleep| sleep.refuse())
    }

    /// Waits for the deadline (`true`) or the end of the runtime (`false`), whichever comes first, and
    /// spends no budget: for a pause inside an operation that has an error for that end.
    #[doc(hidden)]
    pub fn poll_pause(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let address: *const Sleep = &*self;
        let has_ended = Cell::new(false);
        let polled = self.poll_or(cx, |_| has_ended.set(true));
        if polled.is_pending() {
            current::waiting_on(WaitKind::Sleep, address);
        }
        polled.map(|()| !has_ended.get())
    }

    /// `shut_down`: what is done where the runtime has ended, before it is ready.
    #[inline]
    fn poll_or(self: Pin<&mut Self>, cx: &mut Context<'_>, shut_down: impl Fn(&Sleep)) -> Poll<()> {
        let this = self.into_ref().get_ref();
        loop {
            let state = this.entry.state();
            match state {
                State::Fired => return Poll::Ready(()),
                // SAFETY: `Pin<&mut Self>` makes us the owner; armed only in `self.timers`, I1.
                State::Armed => match unsafe { this.timers.refresh(this.node(), cx.waker()) } {
                    Found::Armed => return Poll::Pending,
                    // Fired meanwhile, or shut down: the state says which, and is ours now.
                    Found::Ended => {}
                },
                State::Set | State::Ahead => return this.poll_unarmed(state, cx, shut_down),
            }
        }
    }

    fn poll_unarmed(
        &self,
        state: State,
        cx: &mut Context<'_>,
        shut_down: impl Fn(&Sleep),
    ) -> Poll<()> {
        let deadline = self.deadline();
        if deadline == Instant::MAX {
            return Poll::Pending; // I2
        }
        let clock = self.timers.clock();
        let look = state == State::Set || clock.is_virtual();
        if look && clock.now() >= deadline {
            self.entry.pass(state);
            return Poll::Ready(());
        }
        // SAFETY: we are called by `poll_or` alone, the owner, who has seen that the entry is
        // not armed. The sleep is pinned there; it holds its timers, and cancels when it is
        // dropped, I1.
        match unsafe { self.timers.arm(self.node(), state, cx.waker().clone()) } {
            Armed::Yes => Poll::Pending,
            Armed::Due => {
                self.entry.pass(state);
                Poll::Ready(())
            }
            Armed::ShutDown => {
                shut_down(self);
                Poll::Ready(())
            }
        }
    }

    #[cold]
    fn refuse(&self) -> ! {
        panic!(
            "the timer created at {} was polled after its runtime had been shut down, so nobody is \
             left to fire it; keep the runtime until its timers are done, or create the timer in \
             the runtime (or the thread) that polls it",
            self.created
        );
    }

    #[inline]
    fn node(&self) -> NonNull<Entry> {
        NonNull::from(&self.entry)
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.as_mut().poll_passed(cx).is_pending() {
            let address: *const Sleep = &*self;
            current::waiting_on(WaitKind::Sleep, address);
            return Poll::Pending;
        }
        // The result is secure: Fired stays Fired.
        ready!(budget::poll_spend(cx));
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        // The state is ours unless it is Armed; a fired entry needs no lock.
        if self.entry.state() == State::Armed {
            // SAFETY: `&mut self` makes us the owner; armed only in `self.timers`, I1. Without this
            // the wheel would keep a pointer to a freed future.
            unsafe { self.timers.cancel(self.node()) };
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("state", &self.entry.state())
            .field("created", &format_args!("{}", self.created))
            .finish()
    }
}

// SAFETY: an entry is used through its atomic state, under the lock of its wheel, or by its owner,
// as the table in `entry.rs` says; a waker in it is `Send` and `Sync`. Were the links touched by an
// owner without the lock, sending the owner to another thread would race with the driver.
unsafe impl Send for Sleep {}
// SAFETY: through a shared reference one can only read the deadline, which is written through the
// only one, and the state, which is atomic.
unsafe impl Sync for Sleep {}

const _: () = {
    const fn send_sync_static<T: Send + Sync + 'static>() {}
    send_sync_static::<Sleep>();
    assert!(
        MODELLED || size_of::<Sleep>() == 64,
        "a sleep fits one cache line"
    );
};
