//! The future that waits at a barrier.
//!
//! Its states are the waiter's: Idle has not come, Waiting is in line, Granted has come last and
//! Dismissed was let go, so that both have to depart, Done has returned.
//!
//! Obligations of the wait list's contract: (a) the drop of the future takes the waiter out before the
//! waiter inside it is dropped; (b) the waiter is given to `barrier.line` and nothing else; (c) the
//! future borrows the `Barrier`, so that cannot move or go while the future can still be polled or
//! dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::round::{Arrival, Departure, Then};
use super::{Barrier, Broken, Turn};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::wait_list::{Identity, WaitState, Waiter};

/// Waits for the other parties of a barrier. See [`Barrier::wait`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct BarrierWait<'a> {
    barrier: &'a Barrier,
    /// From the books, once it has come.
    ticket: usize,
    waiter: Waiter,
}

impl<'a> BarrierWait<'a> {
    #[inline]
    pub(super) fn new(barrier: &'a Barrier) -> Self {
        Self {
            barrier,
            ticket: 0,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (&'a Barrier, &mut usize, Pin<&mut Waiter>) {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `BarrierWait` is
        // not `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        // The ticket beside it is not pinned, and nothing depends on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                this.barrier,
                &mut this.ticket,
                Pin::new_unchecked(&mut this.waiter),
            )
        }
    }
}

impl Future for BarrierWait<'_> {
    type Output = Result<Turn, Broken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (barrier, ticket, mut waiter) = self.project();
        loop {
            match waiter.state() {
                WaitState::Idle => match barrier.arrive(waiter.as_mut(), ticket, cx.waker()) {
                    Arrival::Waits(_) => return barrier.waiting_on(),
                    Arrival::Completes(_) => {} // Granted by now
                    Arrival::Refused => {
                        return budget::poll_spend(cx).map(|()| {
                            waiter.finish();
                            Err(Broken)
                        });
                    }
                },
                WaitState::Waiting => {
                    if waiter.as_mut().is_registered(cx.waker())
                        || barrier.change_waker(waiter.as_mut(), cx.waker())
                    {
                        return barrier.waiting_on();
                    }
                }
                WaitState::Granted | WaitState::Dismissed => break,
                WaitState::Done => completed(),
            }
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        waiter.finish(); // before a waker can panic
        Poll::Ready(barrier.depart(*ticket))
    }
}

impl Drop for BarrierWait<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.waiter.state() {
            WaitState::Idle | WaitState::Done => {}
            WaitState::Waiting | WaitState::Granted | WaitState::Dismissed => {
                // SAFETY: a future that is dropped is not moved any more.
                let (barrier, ticket, waiter) = unsafe { Pin::new_unchecked(self) }.project();
                barrier.abandon(*ticket, waiter);
            }
        }
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

#[cold]
fn completed() -> ! {
    panic!("a barrier's future was polled again after it had completed: await it once");
}

impl Barrier {
    /// Comes, and lines up unless it is the last one, which lets the others go.
    fn arrive(&self, waiter: Pin<&mut Waiter>, ticket: &mut usize, waker: &Waker) -> Arrival {
        struct LetGo<'a>(&'a Barrier);
        impl Drop for LetGo<'_> {
            fn drop(&mut self) {
                self.0.let_go();
            }
        }
        // What is dropped when this returns goes backwards: the line's lock, a waker that was not needed,
        // which may panic, and then the others go nevertheless.
        let mut _also_if_the_waker_panics = None;
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let arrival = line.round.arrive(self.parties);
        match arrival {
            Arrival::Waits(drawn) => {
                *ticket = drawn;
                // SAFETY: (a), (b) and (c) as the head of this file says.
                unsafe { line.waiters.enlist(waiter, drawn, identity, Some(waker)) };
                line.peak = line.peak.max(line.round.waiting());
            }
            Arrival::Completes(drawn) => {
                *ticket = drawn;
                waiter.secure();
                _also_if_the_waker_panics = Some(LetGo(self));
            }
            Arrival::Refused => {}
        }
        arrival
    }

    /// Goes on, or was let down. The last one of a round lets those go who have come late, if they
    /// are enough.
    fn depart(&self, ticket: usize) -> Result<Turn, Broken> {
        let mut line = self.line.lock();
        match line.round.depart(self.parties, ticket) {
            Departure::LetDown => Err(Broken),
            Departure::Goes(index, then) => {
                line.obey(then, self.parties);
                drop(line);
                if then == Then::Release {
                    self.let_go();
                }
                Ok(Turn {
                    index,
                    is_leader: index == 0,
                })
            }
        }
    }

    /// Waits on with another waker; false if the wait is over.
    fn change_waker(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let old = self
            .line
            .lock()
            .waiters
            .set_waker(waiter.as_mut(), identity, waker);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }

    fn waiting_on<T>(&self) -> Poll<T> {
        notes::waiting_on(
            WaitKind::Barrier,
            self,
            &self.name,
            Wants::Parties(self.parties),
        );
        Poll::Pending
    }

    /// Ends a wait that nobody wants any more (I7).
    #[cold]
    fn abandon(&self, ticket: usize, waiter: Pin<&mut Waiter>) {
        let mut line = self.line.lock();
        let left = line.waiters.leave(waiter);
        let is_counted = if line.round.is_told(ticket) {
            !planted!("barrier.dropped_turn_is_not_counted_out")
        } else {
            !planted!("barrier.leaver_still_counts")
        };
        if is_counted {
            let then = line.round.leave(self.parties, ticket);
            line.obey(then, self.parties);
        }
        drop(line);
        // What wakes others goes before what may panic.
        self.let_go();
        drop(left); // a waker
    }
}
