//! Waiting for the output, and polling the future meanwhile.
//!
//! Obligations of the wait list's contract: (a) the drop of what waits takes the waiter out before the
//! waiter is dropped; (b) the waiter is given to the line of one bell; (c) the bell is behind an `Arc`
//! that the cell keeps, and the cell is kept by what waits.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::Shared;
use super::bell::Bell;
use super::cell::Cell;
use super::state::Claim;
use crate::budget;
use crate::current::{self, WaitKind};
use crate::wait_list::Waiter;

/// Waits for the output of a [`Shared`] without another handle. See [`Shared::wait`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct SharedWait<'a, F: Future> {
    shared: &'a Shared<F>,
    waiter: Waiter,
}

impl<'a, F: Future> SharedWait<'a, F> {
    pub(super) fn new(shared: &'a Shared<F>) -> Self {
        Self {
            shared,
            waiter: Waiter::new(),
        }
    }

    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future, which is not `Unpin` and never moves it out.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<F: Future> Future for SharedWait<'_, F>
where
    F::Output: Clone,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.shared.cell().poll(&mut self.waiter(), cx)
    }
}

impl<F: Future> Drop for SharedWait<'_, F> {
    fn drop(&mut self) {
        let bell = &self.shared.cell().bell;
        // SAFETY: a future that is dropped is not moved any more.
        bell.abandon(unsafe { Pin::new_unchecked(&mut self.waiter) });
    }
}

impl<F: Future> fmt::Debug for SharedWait<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWait")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

/// Where what waits keeps its waiter.
pub(super) trait Place {
    /// The waiter, if there is one already.
    fn known(&mut self) -> Option<Pin<&mut Waiter>>;
    /// The waiter.
    fn waiter(&mut self) -> Pin<&mut Waiter>;
}

impl Place for Pin<&mut Waiter> {
    fn known(&mut self) -> Option<Pin<&mut Waiter>> {
        Some(self.as_mut())
    }

    fn waiter(&mut self) -> Pin<&mut Waiter> {
        self.as_mut()
    }
}

/// Made when it is first needed, and kept.
impl Place for Option<Pin<Box<Waiter>>> {
    fn known(&mut self) -> Option<Pin<&mut Waiter>> {
        self.as_mut().map(Pin::as_mut)
    }

    fn waiter(&mut self) -> Pin<&mut Waiter> {
        self.get_or_insert_with(|| Box::pin(Waiter::new())).as_mut()
    }
}

/// The right to poll, until it is dropped: also when a waker panics in the middle.
struct Turn<'a>(&'a Bell);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<F: Future> Cell<F> {
    /// Polls the future if it is this one's turn; returns the output if it is there.
    ///
    /// # Panics
    ///
    /// If the future panics or has panicked, and if it waits for itself.
    pub(super) fn poll(&self, place: &mut impl Place, cx: &mut Context<'_>) -> Poll<F::Output>
    where
        F::Output: Clone,
    {
        let bell = &*self.bell;
        loop {
            match bell.claim() {
                Claim::Done => {
                    leave(bell, place);
                    ready!(budget::poll_spend(cx)); // the output stays where it is
                    // SAFETY: DONE was seen.
                    return Poll::Ready(unsafe { self.output() }.clone());
                }
                Claim::Panicked => {
                    leave(bell, place);
                    // SAFETY: PANICKED was seen.
                    panicked(unsafe { self.last_words() });
                }
                Claim::Yours(_) => {
                    // SAFETY: claimed just now.
                    if unsafe { self.run() }.is_ready() {
                        continue;
                    }
                    let turn = Turn(bell);
                    bell.line_up(place.waiter(), cx.waker()); // before a wake is told
                    drop(turn);
                }
                Claim::Wait => {
                    assert!(
                        !self.is_inside(cx.waker()),
                        "the future of a `Shared` waits for that very `Shared`, which would never end: \
                         let it use what it makes itself, or split it in two"
                    );
                    if !bell.line_up_to_wait(place.waiter(), cx.waker()) {
                        continue;
                    }
                }
            }
            current::waiting_on(WaitKind::Shared, self.address());
            return Poll::Pending;
        }
    }
}

fn leave(bell: &Bell, place: &mut impl Place) {
    if let Some(waiter) = place.known() {
        bell.abandon(waiter);
    }
}

#[cold]
fn panicked(words: &str) -> ! {
    panic!("the future of a `Shared` panicked while another task polled it: {words}");
}
