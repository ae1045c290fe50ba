//! A primitive of synchronisation as the benchmarks see it: a trait for each kind, and who has one.
//!
//! Like [`Peer`](crate::peer::Peer) the traits cost nothing at run time. They know no executor: a
//! row about primitives names both, so that each is asked at home and as a guest, and a [`PeerId`]
//! says which is meant. A *kind* is a list of makers with their types; it yields the peers of a row, a
//! macro that finds the type by the peer, and those among them that *barge*: that let a newcomer pass
//! those who wait. One that barges need not wake anybody to go on, so it wins rows of contention; what
//! it is judged beside says which of the two it is.

pub mod async_channel;
pub mod async_lock;
pub mod crossfire;
pub mod event_listener;
pub mod flume;
pub mod futures;
pub mod kanal;
pub mod tachyonix;
pub mod tenter;
pub mod tokio;

use std::future::Future;
use std::ops::{Deref, DerefMut};

use crate::peer::{Host, Maker, PeerId};

/// Lets one in at a time.
pub trait Lock: Send + Sync + 'static {
    /// Lets the next in when it is dropped.
    type Guard<'a>: DerefMut<Target = u64> + Send
    where
        Self: 'a;

    /// One that nobody holds, around nought.
    fn new() -> Self;
    /// Waits until nobody else is in.
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send;
}

/// Lets readers in together.
pub trait ReadLock: Send + Sync + 'static {
    /// Reads.
    type Guard<'a>: Deref<Target = u64> + Send
    where
        Self: 'a;

    /// One that nobody holds, around nought.
    fn new() -> Self;
    /// Waits until no writer is in.
    fn read(&self) -> impl Future<Output = Self::Guard<'_>> + Send;
}

/// Lets so many in at a time.
pub trait Semaphore: Send + Sync + 'static {
    /// Goes back when it is dropped.
    type Permit<'a>: Send
    where
        Self: 'a;

    /// One with so many permits.
    fn new(permits: usize) -> Self;
    /// Waits for a permit.
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> + Send;
}

/// Tells those who wait that something has happened.
pub trait Event: Send + Sync + 'static {
    /// One that has not happened.
    fn new() -> Self;
    /// Tells everybody who waits.
    fn set(&self);
    /// Waits to be told.
    fn wait(&self) -> impl Future<Output = ()> + Send;

    /// Tells the only one that waits, now or later.
    fn signal(&self);
    /// Waits to be told, and forgets it: the next signal is another one.
    fn signalled(&self) -> impl Future<Output = ()> + Send;
}

/// A lock, a number in it, and a condition for which of two has its turn.
pub trait Turns: Send + Sync + 'static {
    /// It is the turn of `false`.
    fn new() -> Self;
    /// Waits for its turn, and gives it to the other.
    fn turn(&self, mine: bool) -> impl Future<Output = ()> + Send;
}

/// A queue of numbers between tasks.
pub trait Channel: 'static {
    /// Puts in.
    type Sender: Clone + Send + 'static;
    /// Takes out. Where it can be cloned there may be many consumers.
    type Receiver: Send + 'static;

    /// Waits for room, if the channel has bounds.
    fn send(sender: &mut Self::Sender, value: u64) -> impl Future<Output = ()> + Send;
    /// Waits for a number.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

/// A channel that holds so many at most.
pub trait Bounded: Channel {
    /// Both ends.
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver);
}

/// A channel that holds as many as there are.
pub trait Unbounded: Channel {
    /// Both ends.
    fn new() -> (Self::Sender, Self::Receiver);
}

/// A channel for one number.
pub trait Oneshot: 'static {
    /// Sends it.
    type Sender: Send + 'static;
    /// Receives it.
    type Receiver: Send + 'static;

    /// Both ends.
    fn new() -> (Self::Sender, Self::Receiver);
    /// Sends the one number.
    fn send(sender: Self::Sender, value: u64);
    /// Waits for it.
    fn receive(receiver: Self::Receiver) -> impl Future<Output = u64> + Send;
}

/// Where each receiver sees each number.
pub trait Broadcast: 'static {
    /// Sends to all.
    type Sender: Send + 'static;
    /// Sees what is sent from now on.
    type Receiver: Send + 'static;

    /// One that keeps so many for those who are late.
    fn new(capacity: usize) -> Self::Sender;
    /// Another receiver.
    fn subscribe(sender: &Self::Sender) -> Self::Receiver;
    /// Sends to all.
    fn send(sender: &Self::Sender, value: u64);
    /// Waits for the next.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

/// Where a receiver sees the newest number.
pub trait Watch: 'static {
    /// Replaces the number.
    type Sender: Send + 'static;
    /// Sees the newest.
    type Receiver: Send + 'static;

    /// Both ends, around nought.
    fn new() -> (Self::Sender, Self::Receiver);
    /// Replaces the number.
    fn send(sender: &Self::Sender, value: u64);
    /// Waits for a number that it has not seen.
    fn changed(receiver: &mut Self::Receiver) -> impl Future<Output = u64> + Send;
}

/// Declares a kind of primitive: its peers, those of them that barge, and a macro that finds the type.
macro_rules! kind {
    ($d:tt $with:ident, $peers:ident, $barging:ident:
     in_line { $($maker:ident $type:ident::$name:ident),+ $(,)? }
     barging { $($free:ident $free_type:ident::$free_name:ident),* $(,)? }) => {
        #[doc = concat!("Who takes part where `", stringify!($with), "!` finds the primitive.")]
        pub const $peers: &[PeerId] = &[
            $(PeerId::at(Maker::$maker, Host::Tenter), PeerId::at(Maker::$maker, Host::Tokio),)+
            $(PeerId::at(Maker::$free, Host::Tenter), PeerId::at(Maker::$free, Host::Tokio),)*
        ];

        #[doc = concat!("Those of [`", stringify!($peers), "`] that let a newcomer pass.")]
        pub const $barging: &[PeerId] = &[
            $(PeerId::at(Maker::$free, Host::Tenter), PeerId::at(Maker::$free, Host::Tokio),)*
        ];

        #[doc = "Evaluates an expression with a type alias for the primitive of a peer."]
        #[macro_export]
        macro_rules! $with {
            ($d id:expr, $d Primitive:ident => $d body:expr) => {
                match $d id.maker() {
                    $(Some($crate::peer::Maker::$maker) => {
                        type $d Primitive = $crate::primitive::$type::$name;
                        $d body
                    })+
                    $(Some($crate::peer::Maker::$free) => {
                        type $d Primitive = $crate::primitive::$free_type::$free_name;
                        $d body
                    })*
                    _ => panic!("{} has no such primitive", $d id),
                }
            };
        }
    };
}

kind!($ with_lock, LOCKS, BARGING_LOCKS:
    in_line { Tenter tenter::Lock, Tokio tokio::Lock }
    barging { AsyncLock async_lock::Lock, Futures futures::Lock });

kind!($ with_unfair_lock, UNFAIR_LOCKS, BARGING_UNFAIR_LOCKS:
    in_line { Tenter tenter::UnfairLock, Tokio tokio::Lock }
    barging { AsyncLock async_lock::Lock, Futures futures::Lock });

kind!($ with_read_lock, READ_LOCKS, BARGING_READ_LOCKS:
    in_line { Tenter tenter::ReadLock, Tokio tokio::ReadLock }
    barging { AsyncLock async_lock::ReadLock });

kind!($ with_semaphore, SEMAPHORES, BARGING_SEMAPHORES:
    in_line { Tenter tenter::Semaphore, Tokio tokio::Semaphore }
    barging { AsyncLock async_lock::Semaphore });

kind!($ with_event, EVENTS, BARGING_EVENTS:
    in_line {
        Tenter tenter::Event,
        Tokio tokio::Event,
        EventListener event_listener::Event,
    }
    barging {});

kind!($ with_turns, TURNS, BARGING_TURNS:
    in_line { Tenter tenter::Turns, Tokio tokio::Turns }
    barging { EventListener event_listener::Turns });

kind!($ with_bounded, BOUNDED, BARGING_BOUNDED:
in_line {
    Tenter tenter::Bounded,
    Tokio tokio::Bounded,
    Futures futures::Bounded,
    Flume flume::Bounded,
    Kanal kanal::Bounded,
}
barging {
    AsyncChannel async_channel::Bounded,
    Crossfire crossfire::Bounded,
    Tachyonix tachyonix::Bounded,
});

// Without futures, where whoever puts for the first time never waits, and without flume, where to drop one
// of 100 000 that wait takes a walk past all the others.
kind!($ with_waiting_bounded, WAITING_BOUNDED, BARGING_WAITING_BOUNDED:
in_line {
    Tenter tenter::Bounded,
    Tokio tokio::Bounded,
    Kanal kanal::Bounded,
}
barging {
    AsyncChannel async_channel::Bounded,
    Crossfire crossfire::Bounded,
    Tachyonix tachyonix::Bounded,
});

kind!($ with_many, MANY, BARGING_MANY:
in_line {
    Tenter tenter::Bounded,
    Flume flume::Bounded,
    Kanal kanal::Bounded,
}
barging {
    AsyncChannel async_channel::Bounded,
    Crossfire crossfire::Many,
});

kind!($ with_unbounded, UNBOUNDED, BARGING_UNBOUNDED:
in_line {
    Tenter tenter::Unbounded,
    Tokio tokio::Unbounded,
    Futures futures::Unbounded,
    Flume flume::Unbounded,
    Kanal kanal::Unbounded,
}
barging {
    AsyncChannel async_channel::Unbounded,
    Crossfire crossfire::Unbounded,
});

kind!($ with_oneshot, ONESHOTS, BARGING_ONESHOTS:
    in_line {
        Tenter tenter::Oneshot,
        Tokio tokio::Oneshot,
        Futures futures::Oneshot,
        Crossfire crossfire::Oneshot,
    }
    barging {});

kind!($ with_broadcast, BROADCASTS, BARGING_BROADCASTS:
    in_line { Tenter tenter::Broadcast, Tokio tokio::Broadcast }
    barging {});

kind!($ with_watch, WATCHES, BARGING_WATCHES:
    in_line { Tenter tenter::Watch, Tokio tokio::Watch }
    barging {});

/// Evaluates an expression with a type alias for the executor with two workers that a peer's primitives
/// run on.
///
/// # Panics
///
/// For those that are not asked about primitives.
#[macro_export]
macro_rules! with_host {
    ($id:expr, $Peer:ident => $body:expr) => {
        match $id.host() {
            Some($crate::peer::Host::Tenter) => {
                type $Peer = $crate::peer::Tenter<{ $crate::peer::WORKERS }>;
                $body
            }
            Some($crate::peer::Host::Tokio) => {
                type $Peer = $crate::peer::Tokio<{ $crate::peer::WORKERS }>;
                $body
            }
            None => panic!("{} is not asked about primitives", $id),
        }
    };
}

// Below the kinds, whose macros it uses.
pub mod bytes;
