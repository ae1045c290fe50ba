//! Channels: many send, many receive, each value is received once.
//!
//! A channel is a queue that is held by its ends. It closes by itself when one side is gone.
//!
//! ```text
//!   Sender  Sender  …                       Receiver  Receiver  …
//!      └──────┴──┬──── one allocation ────────┬───┘
//!                │  core: store, line         │            all senders gone: drain, then end
//!   WeakSender … │  closed: an event          │            all receivers gone: drop what is left
//!                │  counts: who is there      │
//! ```
//!
//! | file | what |
//! |---|---|
//! | `shared.rs` | the memory, the counts of both sides, and what happens when a side is gone |
//! | `sender.rs`, `receiver.rs` | the ends |
//! | `futures.rs` | what they wait with: the futures of the queue, with the channel's errors |
//! | `stream.rs` | the wait of a receiver that is polled as a stream |
//! | `error.rs` | the errors |
//!
//! Who is handed what and when is the queue's affair; its invariants and proofs are in `queue/mod.rs`. A
//! send or receive that need not wait is one exchange on the queue's store; there is no lock in it and no
//! allocation.
//!
//! # Invariants
//!
//! - C1: the core is shut down once a side is gone, and stays so.
//! - C2: `closed` is set after the core was shut down. So whoever waits for it finds nothing can be sent.
//! - C3: once all receivers are gone there is no value in the core. The last one shuts the core down and
//!   takes out what is in it under one lock: a send comes before, then its value is taken out, or after,
//!   then it is refused.
//! - C4: values and wakers are dropped and woken without a lock, and while the last end of the side still
//!   keeps the memory (`shared.rs`).
//!
//! # Differences
//!
//! From the memory channels of trio and anyio, which this follows:
//! - Closing is of the channel, not of one handle: a handle is closed by dropping it, and since a send
//!   borrows its sender, one that waits is cancelled before its handle can go. Sends through other clones go
//!   on. Whoever closes the channel with [`Sender::close`] or [`Receiver::close`] ends it for all. So there
//!   is no error for the use of a closed handle: it does not compile.
//! - `bounded(0)` panics; the channel without room is [`rendezvous`], and the one without a limit
//!   [`unbounded`], not a capacity of infinity.
//! - A value that was handed to a receive which is then cancelled goes to the next receiver, or back to the
//!   front. In a rendezvous channel it stands in the channel for the next one, although its sender has gone
//!   on.
//! - Sends and receives that need not wait do not let others run each time, but after
//!   [`PER_POLL`](crate::budget::PER_POLL) of them.
//! - Places can be kept ([`Sender::reserve`]), values sent and received in batches, and threads may wait.
//!
//! From tokio's `mpsc`:
//! - Both ends may be cloned, and are used by shared reference. A value goes to one receiver.
//! - A cancelled `send` that waited may have sent its value, if its place came between the last poll and the
//!   drop; it is never lost. A cancelled `recv` loses nothing there and here.
//! - After [`Receiver::close`] the slots that are out cannot be used any more; there they can.
//! - The last receiver drops what is in the channel at once, also what is sent at that moment.
//! - There is one type for all kinds, so an unbounded sender has `send`, which never waits, and `try_send`.
//! - There is a rendezvous. A slot borrows its sender; there is no owned one.
//!
//! Rejected: a value that is given back to the sender when its receiver is dropped. The sender may have
//! gone.
//! Rejected: closing per side, so that receivers can tell `close` from senders gone. They would do the same.
//!
//! Tests: `sync/tests/channel.rs`, `sync/tests/channel_hostile.rs`, `sync/tests/channel_oracle.rs`,
//! `sync/tests/channel_alloc.rs`, `sync/tests/attack_channels.rs`, `sync/tests/models/channel.rs` (stress: `sync/tests/channel.rs`, model: `loom-tests/tests/channel.rs`).

mod error;
#[expect(unsafe_code, reason = "pins the future inside the future")]
mod futures;
mod receiver;
mod sender;
#[expect(
    unsafe_code,
    reason = "one allocation shared by counted ends; contract in its head"
)]
mod shared;
mod stream;

use core::fmt;

pub use error::{RecvError, SendError, TryRecvError, TryReserveError, TrySendError};
pub use futures::{Recv, RecvMany, Reserve, SendMany, Sending, Slot, WaitClosed};
pub use receiver::Receiver;
pub use sender::{Sender, WeakSender};

use shared::{Receivers, Senders, Shared};

use crate::name::Name;
use crate::queue::AnyQueue;
use crate::queue::blocks::Blocks;
use crate::queue::core::Core;
use crate::queue::fifo::Fifo;
use crate::queue::rendezvous::Rendezvous;
use crate::queue::ring::Ring;
use crate::queue::store::{Returned, Store};

/// A channel with room for `capacity` values. Senders wait while it is full.
///
/// The memory for the values is allocated when the first one is sent.
///
/// # Panics
///
/// If `capacity` is 0: [`rendezvous`] is the channel without room.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::channel::bounded(16);
/// let other = sender.clone();
/// std::thread::spawn(move || sender.blocking_send(1));
/// std::thread::spawn(move || other.blocking_send(2));
/// assert_eq!(receiver.blocking_recv().unwrap() + receiver.blocking_recv().unwrap(), 3);
/// assert!(receiver.blocking_recv().is_err(), "both senders are gone");
/// ```
#[doc(alias = "channel")]
#[doc(alias = "mpsc")]
#[doc(alias = "mpmc")]
#[doc(alias = "open_memory_channel")]
#[doc(alias = "create_memory_object_stream")]
#[doc(alias = "async_channel")]
#[doc(alias = "flume")]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    Named(Name::None).bounded(capacity)
}

/// A channel with room for any number of values. Memory is the limit: senders never wait.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::channel::unbounded();
/// sender.try_send(1).unwrap();
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Ok(1));
/// assert_eq!(receiver.try_recv(), Err(tenter_sync::channel::TryRecvError::Ended));
/// ```
#[doc(alias = "unbounded_channel")]
#[doc(alias = "mpsc")]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    Named(Name::None).unbounded()
}

/// A channel without room: a value goes from hand to hand, when a sender and a receiver meet.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::channel::rendezvous();
/// assert!(sender.try_send(1).is_err(), "nobody waits for it");
/// std::thread::spawn(move || sender.blocking_send(2));
/// assert_eq!(receiver.blocking_recv(), Ok(2));
/// ```
#[doc(alias = "zero")]
#[doc(alias = "sync_channel")]
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    Named(Name::None).rendezvous()
}

/// A channel to be, with a name for reports.
///
/// # Examples
///
/// ```
/// use tenter_sync::channel;
///
/// let (sender, _receiver) = channel::named("jobs").bounded::<u32>(16);
/// assert_eq!(sender.stats().name.as_deref(), Some("jobs"));
/// ```
pub fn named(name: &'static str) -> Named {
    Named(Name::Static(name))
}

/// As [`named`], with a name that is made at run time.
pub fn named_dyn(name: impl Into<String>) -> Named {
    Named(Name::Dynamic(name.into().into_boxed_str()))
}

/// A channel to be. See [`named`].
#[must_use = "a name without a channel"]
#[derive(Clone)]
pub struct Named(Name);

impl Named {
    /// As [`bounded`].
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    #[track_caller]
    pub fn bounded<T>(self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        assert!(
            capacity > 0,
            "a channel with room for nothing: use a capacity of at least 1, or channel::rendezvous, \
             where a value goes from hand to hand"
        );
        self.open(Fifo::Bounded(Ring::new(capacity)))
    }

    /// As [`unbounded`].
    pub fn unbounded<T>(self) -> (Sender<T>, Receiver<T>) {
        self.open(Fifo::Unbounded(Blocks::new()))
    }

    /// As [`rendezvous`].
    pub fn rendezvous<T>(self) -> (Sender<T>, Receiver<T>) {
        self.open(Fifo::Rendezvous(Rendezvous::new()))
    }

    fn open<T>(self, store: Fifo<T>) -> (Sender<T>, Receiver<T>) {
        let mut core = Core::new(store, Returned::new());
        core.name = self.0;
        let (sender, receiver) = shared::pair(core);
        (Sender::new(sender), Receiver::new(receiver))
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.0.get()).finish()
    }
}

/// What a channel tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// The name given by [`named`].
    pub name: Option<String>,
    /// How many values are in it.
    #[doc(alias = "current_buffer_used")]
    pub len: usize,
    /// The most that ever were. See [`QueueStats::peak`](crate::QueueStats::peak) for how
    /// exact that is.
    #[doc(alias = "peak_buffer_used")]
    pub peak: usize,
    /// How many there may be; `None` of an unbounded channel, 0 of a rendezvous.
    #[doc(alias = "max_buffer_size")]
    pub capacity: Option<usize>,
    /// How many places slots stand for.
    pub reserved: usize,
    /// How many senders there are.
    #[doc(alias = "open_send_channels")]
    pub senders: usize,
    /// How many receivers there are.
    #[doc(alias = "open_receive_channels")]
    pub receivers: usize,
    /// How many wait for room.
    #[doc(alias = "tasks_waiting_send")]
    pub sending: usize,
    /// The most that ever did at once.
    pub sending_max: usize,
    /// How many wait for a value.
    #[doc(alias = "tasks_waiting_receive")]
    pub receiving: usize,
    /// The most that ever did at once.
    pub receiving_max: usize,
    /// Whether nothing can be sent any more.
    pub is_closed: bool,
}

fn stats<T>(shared: &Shared<T>) -> ChannelStats {
    let queue = shared.core().stats();
    ChannelStats {
        name: queue.name,
        len: queue.len,
        peak: queue.peak,
        capacity: queue.capacity,
        reserved: queue.reserved,
        senders: shared.count::<Senders>(),
        receivers: shared.count::<Receivers>(),
        sending: queue.putters,
        sending_max: queue.putters_max,
        receiving: queue.getters,
        receiving_max: queue.getters_max,
        is_closed: queue.is_shut_down,
    }
}

fn describe<T>(what: &str, shared: &Shared<T>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let core = shared.core();
    let mut out = f.debug_struct(what);
    core.name.describe(&mut out);
    out.field("len", &Store::<T>::len(&core.store));
    out.field("capacity", &Store::<T>::capacity(&core.store));
    out.field("senders", &shared.count::<Senders>());
    out.field("receivers", &shared.count::<Receivers>());
    out.field("is_closed", &shared.is_known_closed());
    match core.try_waiting() {
        Some((receiving, sending)) => out
            .field("receiving", &receiving)
            .field("sending", &sending),
        None => out.field("line", &format_args!("<locked>")),
    };
    out.finish()
}

/// What both ends can do.
macro_rules! each_end {
    ($end:ident, $close:literal) => {
        impl<T> $end<T> {
            /// Closes the channel for all: nothing can be sent any more, and whoever waits to send gets its
            /// value back. What is in it can still be received; after that the channel has ended.
            ///
            /// Closing again does nothing.
            ///
            /// # Panics
            ///
            /// If a waker panics, after all others have been woken. The channel is closed then.
            ///
            /// # Examples
            ///
            /// ```
            /// let (sender, receiver) = tenter_sync::channel::bounded(2);
            /// sender.try_send(1).unwrap();
            #[doc = $close]
            /// assert_eq!(sender.try_send(2).unwrap_err().into_inner(), 2);
            /// assert_eq!(receiver.try_recv(), Ok(1), "what is in it can be received");
            /// assert!(receiver.blocking_recv().is_err());
            /// ```
            #[doc(alias = "aclose")]
            pub fn close(&self) {
                self.end.shared().close();
            }

            /// Whether nothing can be sent any more: one side is gone, or somebody has closed the channel.
            pub fn is_closed(&self) -> bool {
                self.end.shared().is_closed()
            }

            /// How many values are in it, at some moment not long ago.
            pub fn len(&self) -> usize {
                $crate::queue::store::Store::<T>::len(&self.end.shared().core().store)
            }

            /// Whether there are none. Another thread may send one before the caller acts on it.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether there is no room, counting slots. Another thread may make some before the caller acts
            /// on it. A rendezvous channel is always full.
            pub fn is_full(&self) -> bool {
                self.end.shared().core().is_full()
            }

            /// How many values there may be; `None` of an unbounded channel, 0 of a rendezvous.
            #[doc(alias = "max_capacity")]
            pub fn capacity(&self) -> Option<usize> {
                $crate::queue::store::Store::<T>::capacity(&self.end.shared().core().store)
            }

            /// How many senders there are, at some moment not long ago.
            pub fn sender_count(&self) -> usize {
                self.end.shared().count::<Senders>()
            }

            /// How many receivers there are, at some moment not long ago.
            pub fn receiver_count(&self) -> usize {
                self.end.shared().count::<Receivers>()
            }

            /// Whether both are of one channel.
            pub fn same_channel(&self, other: &Self) -> bool {
                self.end.same_channel(&other.end)
            }

            /// How many values there are, who waits, and the like.
            #[doc(alias = "statistics")]
            pub fn stats(&self) -> ChannelStats {
                super::stats(self.end.shared())
            }
        }

        impl<T> fmt::Debug for $end<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                super::describe(stringify!($end), self.end.shared(), f)
            }
        }

        /// A panic with a value in hand leaves the channel whole.
        impl<T> UnwindSafe for $end<T> {}
        impl<T> RefUnwindSafe for $end<T> {}
    };
}

use each_end;

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn unpin<T: Unpin>() {}
    send_and_sync::<Sender<u8>>();
    send_and_sync::<Receiver<u8>>();
    send_and_sync::<WeakSender<u8>>();
    send_and_sync::<Sending<'static, u8>>();
    send_and_sync::<SendMany<'static, u8>>();
    send_and_sync::<Reserve<'static, u8>>();
    send_and_sync::<Slot<'static, u8>>();
    send_and_sync::<Recv<'static, u8>>();
    send_and_sync::<RecvMany<'static, u8>>();
    send_and_sync::<WaitClosed<'static>>();
    send_and_sync::<ChannelStats>();
    unpin::<Receiver<*const core::marker::PhantomPinned>>();
};
