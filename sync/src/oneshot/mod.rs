//! A channel for one value, from one task or thread to another.
//!
//! One allocation that both ends share, one atomic word, no lock. The steps of the word, its drawing
//! and its invariants are in `state.rs`, the memory and the contract of its pointer in `channel.rs`,
//! the ends in `sender.rs` and `receiver.rs`. Sending is one exchange, whether somebody waits or not;
//! receiving what has been sent is a load: the sender leaves with the step that sends, so the receiver
//! knows that it is alone.
//!
//! # Why value and wakers are safe
//!
//! There is one word, so there are no handshakes: each step finds what the other side's last step
//! left. The two designs that went wrong elsewhere are out by construction. A value that races with
//! `close` has one owner, because SENT is set in an exchange that finds CLOSED clear (I1). A side that
//! leaves settles both wakers in the very exchange that lets the other side free the channel (I4).
//!
//! Rejected: a reference count beside the state. It doubles the exchanges.
//! Rejected: claiming the other side's waker in a step of its own before leaving. A receiver that
//! came back with another waker in between could only spin.
//! Rejected: publishing the value first and taking the waker out of the slot after. The receiver may
//! have freed the channel by then.
//!
//! Tests: `state.rs`, `sync/tests/oneshot.rs`, `sync/tests/hostile_wakers.rs`,
//! `sync/tests/models/oneshot.rs` (stress: `sync/tests/stress.rs`, model:
//! `loom-tests/tests/oneshot.rs`).

#[expect(
    unsafe_code,
    reason = "one allocation shared by two ends; contract in its head"
)]
mod channel;
#[expect(unsafe_code, reason = "the receiver's right to the channel")]
mod receiver;
#[expect(unsafe_code, reason = "the sender's right to the channel")]
mod sender;
mod state;

use core::fmt;
use std::error::Error;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use receiver::Receiver;
pub use sender::{Sender, WaitClosed};

use channel::Handle;

/// A channel for one value.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::oneshot();
/// std::thread::spawn(move || sender.send("done"));
/// assert_eq!(receiver.blocking_recv(), Ok("done"));
/// ```
#[doc(alias = "channel")]
#[doc(alias = "create_future")]
pub fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = Handle::pair();
    (Sender::new(sender), Receiver::new(receiver))
}

/// The sender was dropped, or the channel closed, without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("oneshot closed without a value")
    }
}

impl Error for RecvError {}

/// No value without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// It may still come.
    Empty,
    /// It cannot come any more, or has been taken.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "oneshot empty",
            TryRecvError::Closed => "oneshot closed without a value",
        })
    }
}

impl Error for TryRecvError {}

/// Nothing in the channel is left half done by a panic.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn unpin<T: Unpin>() {}
    send_and_sync::<Sender<core::cell::Cell<u8>>>();
    send_and_sync::<Receiver<core::cell::Cell<u8>>>();
    send_and_sync::<WaitClosed<'static, core::cell::Cell<u8>>>();
    unpin::<Receiver<core::marker::PhantomPinned>>();
};
