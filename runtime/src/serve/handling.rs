//! The task of a connection.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::roster::{Key, Leaving};
use super::shared::Shared;

/// A connection's place in the roster, which it leaves when this is dropped.
#[derive(Debug)]
pub struct Seat {
    server: Arc<Shared>,
    key: Key,
    /// Of which listener the connection is: a server has at most [`SHARDS_MAX`].
    shard: u16,
    /// What it was if it is dropped now.
    leaving: Leaving,
}

/// As many shards as a number of one can tell apart.
pub const SHARDS_MAX: usize = u16::MAX as usize;

impl Seat {
    /// For a connection that was entered.
    pub fn new(server: Arc<Shared>, key: Key, shard: u16) -> Seat {
        let leaving = Leaving::Cancelled;
        Seat {
            server,
            key,
            shard,
            leaving,
        }
    }

    /// The task of a connection whose handler panicked before there was a future.
    pub async fn panic(mut self, payload: Box<dyn Any + Send>) {
        self.leaving = Leaving::Panicked;
        resume_unwind(payload);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.left(self.key, self.shard.into(), self.leaving);
    }
}

/// A handler's future and its seat. The seat is dropped last: an empty one means that nothing of
/// the connection is left.
#[derive(Debug)]
pub struct Handling<F> {
    future: F,
    seat: Seat,
}

impl<F> Handling<F> {
    /// A connection that is handled by this future.
    pub fn new(future: F, seat: Seat) -> Handling<F> {
        Handling { future, seat }
    }
}

impl<F: Future<Output = ()>> Future for Handling<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the future is pinned with the struct: it is only reached through the pin below,
        // never moved out, and there is no `Drop` or `Unpin` that could. The seat is not pinned. A
        // future that was moved between polls could point into its old place.
        let (future, seat) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.seat)
        };
        // If the poll unwinds, this stays.
        seat.leaving = Leaving::Panicked;
        let polled = future.poll(cx);
        seat.leaving = match polled {
            Poll::Ready(()) => Leaving::Completed,
            Poll::Pending => Leaving::Cancelled,
        };
        polled
    }
}
