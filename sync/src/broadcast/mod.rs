//! A channel whose every receiver gets every value.
//!
//! ```text
//!   places     ┌───┬───┬───┬───┐
//!   of the     │ • │ • │ • │ • │   tail: the position of the next value
//!   positions  └─┼─┴─┼─┴─┼─┴─┼─┘
//!                ▼   ▼   ▼   ▼
//!   cells      word, position, value        spare cells, in the line
//!                ▲       ▲
//!     receiver: next   receiver: next       line (lock): who waits, how many receivers there are
//! ```
//!
//! The word of a cell and its steps are in `state.rs`, the cell in `cell.rs`, the places, the line and
//! sending in `ring.rs`, receiving in `claim.rs`, waiting in `recv.rs`, the ends in `sender.rs` and
//! `receiver.rs`.
//!
//! # No user code under a lock
//!
//! A value is cloned with nothing but a claim on its cell, one exchange to get it and one to give it
//! back. So a clone may panic, block, send to the same channel or drop its ends. A sender that comes round to a cell
//! that is being read does not wait: it leaves the cell to the readers and puts another one in its place.
//! Values are dropped by the last reader, or by the sender that replaces them, after unlocking.
//!
//! # No value is missed
//!
//! A receiver lines up under the lock that a sender holds while it publishes a value and moves the tail;
//! so either it finds the tail past its position, or the sender finds it in line. The same with the last
//! sender, which counts itself out before it locks. Whether the channel is closed for receivers (no
//! sender) and for senders (no receiver) are two counts that are looked at, not flags that are kept, so
//! a channel that loses its receivers and gets new ones is as it was.
//!
//! Nobody has to take the lock to find a value, because there is nothing to find out: a claim compares
//! the word that publishes the value.
//!
//! Rejected: a lock per place. A clone would run under it, and block the sender.
//! Rejected: a count of readers in the place and not in the cell. The sender could only wait for them.
//! Rejected: an allocation per value, counted. Sending would allocate.
//! Rejected: each receiver says in a word of its own what it reads. The sender would have to look at all
//! of them before it replaces a value.
//! Rejected: values that are sent but not shared between threads (`Send` and not `Sync`). Clones would
//! have to take turns.
//!
//! Tests: `state.rs`, `sync/tests/broadcast.rs`, `sync/tests/broadcast_property.rs`,
//! `sync/tests/models/broadcast.rs` (model: `loom-tests/tests/broadcast.rs`).

#[expect(unsafe_code, reason = "a value that the word beside it guards")]
mod cell;
#[expect(unsafe_code, reason = "uses what it has claimed")]
mod claim;
mod receiver;
#[expect(
    unsafe_code,
    reason = "pins the waiters inside the futures, and enlists them"
)]
mod recv;
#[expect(unsafe_code, reason = "owns cells that places point to")]
mod ring;
mod sender;
mod state;

use core::fmt;
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

pub use receiver::Receiver;
pub use recv::{Recv, WaitClosed};
pub use sender::{Sender, WeakSender};

use ring::Ring;

/// A channel that keeps the last `capacity` values for receivers that are slow.
///
/// Every receiver gets every value that is sent after it subscribed, in order. A sender never waits; a
/// receiver that falls behind by more than `capacity` loses the oldest values and is told so. Values go
/// between threads if they are `Send + Sync`, because several receivers may clone one at once.
///
/// All memory is allocated here, but for what is needed when a sender comes round to values that are
/// being cloned at that moment, which is kept and used again.
///
/// # Panics
///
/// If the capacity is 0, or more than 8 388 608.
///
/// # Examples
///
/// ```
/// let (sender, mut first) = tenter_sync::broadcast(16);
/// let mut second = sender.subscribe();
/// std::thread::spawn(move || assert_eq!(sender.send("news"), Ok(2)));
/// assert_eq!(first.blocking_recv(), Ok("news"));
/// assert_eq!(second.blocking_recv(), Ok("news"));
/// ```
#[doc(alias = "channel")]
#[doc(alias = "publish")]
#[track_caller]
pub fn broadcast<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let ring = Arc::new(Ring::new(capacity, 1));
    let receiver = Receiver::new(Arc::clone(&ring), 0);
    (Sender { ring }, receiver)
}

/// There is no receiver. The value comes back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcast without a receiver")
    }
}

impl<T> Error for SendError<T> {}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecvError {
    /// All senders are gone, and everything has been received.
    Closed,
    /// The receiver fell behind, and so many values were lost. It goes on with the oldest that is kept.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TryRecvError::from(*self).fmt(f)
    }
}

impl Error for RecvError {}

/// Why there is no value without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// It may still come.
    Empty,
    /// All senders are gone, and everything has been received.
    Closed,
    /// The receiver fell behind, and so many values were lost. It goes on with the oldest that is kept.
    Lagged(u64),
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed => TryRecvError::Closed,
            RecvError::Lagged(lost) => TryRecvError::Lagged(lost),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("broadcast empty"),
            TryRecvError::Closed => f.write_str("broadcast closed"),
            TryRecvError::Lagged(lost) => Lagged(*lost).fmt(f),
        }
    }
}

impl Error for TryRecvError {}

/// The receiver fell behind, and so many values were lost: the error item of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lagged(pub u64);

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broadcast receiver fell behind by {} values", self.0)
    }
}

impl Error for Lagged {}

/// What a channel tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BroadcastStats {
    /// The name given by [`Sender::named`].
    pub name: Option<String>,
    /// How many values it keeps at most.
    pub capacity: usize,
    /// How many values it keeps that some receiver has not had.
    pub len: usize,
    /// How many values have been sent.
    pub sent: u64,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many receivers wait.
    pub waiting: usize,
    /// The most receivers that ever waited at once.
    pub waiting_max: usize,
    /// How many places for a value were added because senders came round to values that were being
    /// cloned.
    pub cells_added: usize,
}

impl BroadcastStats {
    fn of<T>(ring: &Ring<T>) -> Self {
        let line = ring.line();
        Self {
            name: line.name.get().map(str::to_owned),
            capacity: ring.capacity(),
            len: ring.kept(),
            sent: ring.tail(),
            senders: ring.senders(),
            receivers: line.receivers,
            waiting: line.waiters.len(),
            waiting_max: line.peak,
            cells_added: line.added(),
        }
    }
}

impl<T> Ring<T> {
    fn describe(&self, out: &mut fmt::DebugStruct<'_, '_>) -> fmt::Result {
        match self.try_line() {
            Some(line) => {
                line.name.describe(out);
                out.field("receivers", &line.receivers)
                    .field("waiting", &line.waiters.len())
            }
            None => out.field("line", &format_args!("<locked>")),
        };
        out.field("senders", &self.senders()).finish()
    }
}

/// Nothing in the channel is left half done by a panic.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
impl<T> UnwindSafe for WeakSender<T> {}
impl<T> RefUnwindSafe for WeakSender<T> {}
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn unpin<T: Unpin>() {}
    send_and_sync::<Sender<u8>>();
    send_and_sync::<WeakSender<u8>>();
    send_and_sync::<Receiver<u8>>();
    send_and_sync::<Recv<'static, u8>>();
    send_and_sync::<WaitClosed<'static, u8>>();
    unpin::<Receiver<core::marker::PhantomPinned>>();
};
