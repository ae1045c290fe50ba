//! A channel that holds one value, the latest: senders replace or change it, receivers see it and wait
//! for the next.
//!
//! ```text
//!               send: the next value         ┌──────────────────────┐   borrow: join, then leave
//!   Sender ────────────────────────────────► │ current node  (lock) │ ◄─────────────────────── Receiver
//!               takes the old one's place,   │ retired nodes        │                             │
//!               or goes to another node if   │ spare node           │      changed: version ≠ seen│
//!               the old one is being read    │ version │ CLOSED     │ ◄───────────────────────────┤
//!               send_modify: in place,       │ who waits            │      or line up (lock)      │
//!               when nobody reads            └──────────────────────┘ ─ wakes in batches ────────►┘
//! ```
//!
//! The words and their steps are in `state.rs`, a value and its readers in `node.rs`, what is shared in
//! `channel.rs`, the futures in `wait.rs`, what a thread knows of itself in `held.rs`.
//!
//! Invariants, besides I1 to I5 of `state.rs` and `node.rs`:
//! - I6: versions in the line of receivers never fall from front to back (counted from the oldest);
//!   those in front that are not the channel's belong to receivers that wait to be let go.
//! - I7: a wait that is over reserves nothing, so a dropped one has nothing to pass on. What a receiver
//!   has seen moves on only in the poll that returns `Ready`.
//! - I8: no user code runs under the lock. A value that is replaced while it is read is dropped by its
//!   last reader, any other by the sender after it has unlocked.
//!
//! # No value is missed
//!
//! The version moves with the lock in hand, and a receiver looks at it again with the lock in hand before
//! it lines up. So either it sees the new version, or it is in the line that the sender goes through
//! after.
//!
//! # Who waits for whom
//!
//! A `Ref` keeps nobody from sending: `send` leaves the old value to those who read it. Changes in place
//! wait, with their thread, for readers and for one another; and readers and `send` wait for a change
//! that is under way, that is, for a closure. A thread that would wait for itself panics instead, which
//! can be told because neither a `Ref` nor that closure leaves its thread. Readers let a change that
//! waits go first, but not two in a row; and a thread that reads already is let in at once, because the
//! change waits for it.
//!
//! Rejected: a lock around the value that readers hold (what others do). A `Ref` across an await stops
//! the senders and every later reader, and on one thread for ever.
//! Rejected: a reference count for each value. It allocates for each, and `send_modify` of a value that
//! is not `Clone` has to wait all the same.
//! Rejected: several wait lists to spread the lock. A send touches the lock once; the wakes cost more.
//!
//! Tests: `state.rs`, `sync/tests/watch.rs`, `sync/tests/watch_property.rs`,
//! `sync/tests/models/watch.rs` (model: `loom-tests/tests/watch.rs`).

#[expect(unsafe_code, reason = "the nodes behind its pointers")]
mod channel;
mod error;
mod held;
#[expect(unsafe_code, reason = "a value that is lent to those who have joined")]
mod node;
#[expect(unsafe_code, reason = "a reader's right to the value")]
mod reading;
mod receiver;
mod sender;
mod state;
mod stream;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod wait;

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

pub use error::{RecvError, SendError};
pub use reading::Ref;
pub use receiver::Receiver;
pub use sender::{Sender, WatchStats};
pub use stream::Values;
pub use wait::{Changed, WaitClosed, WaitFor};

use channel::Channel;

/// A channel that holds the latest value.
///
/// The receiver has seen `init`: it waits for the next one.
///
/// # Examples
///
/// ```
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = pin!(f);
/// #     loop {
/// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
/// #     }
/// # }
/// let (level, mut seen) = tenter_sync::watch("info");
///
/// level.send("warn")?;
/// level.send("debug")?;
/// # block_on(async {
/// seen.changed().await?;
/// assert_eq!(*seen.borrow_and_update(), "debug"); // the latest only
///
/// drop(level);
/// assert!(seen.changed().await.is_err());
/// # Ok::<(), tenter_sync::watch::RecvError>(())
/// # }).unwrap();
/// # Ok::<(), tenter_sync::watch::SendError<&str>>(())
/// ```
#[doc(alias = "channel")]
pub fn watch<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(init, 1));
    (
        Sender::from_channel(Arc::clone(&channel)),
        Receiver::from_channel(channel, 0),
    )
}

/// A panic leaves the channel whole; only a value whose change panicked may be half changed.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn unpin<T: Unpin>() {}
    send_and_sync::<Sender<u8>>();
    send_and_sync::<Receiver<u8>>();
    send_and_sync::<Changed<'static, u8>>();
    send_and_sync::<WaitFor<'static, u8, fn(&u8) -> bool>>();
    send_and_sync::<WaitClosed<'static, u8>>();
    send_and_sync::<Values<u8>>();
    send_and_sync::<WatchStats>();
    unpin::<Values<core::marker::PhantomPinned>>();
};
