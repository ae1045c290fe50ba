//! A runtime as the benchmarks see it.
//!
//! Every peer spells the same thing in its own way and uses its own primitives ("at home"). Where a
//! runtime has no such primitive the nearest crate of its family stands in, named in its module.
//! All calls are generic and inlined: the trait costs nothing at run time.
//!
//! Each runtime comes in two kinds under one [`PeerId`]: on one thread (`with_peer!`) and with two
//! workers (`with_workers!`); a row says which kind it asks. Go takes part as a program of its own
//! ([`go`](crate::go)) and is behind no trait.

mod id;
mod smol;
mod tenter;
mod tokio;

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

pub use self::id::{Host, Maker, PeerId, unknown};
pub use self::smol::{Local, Pool, Smol, StaticPool};
pub use self::tenter::Tenter;
pub use self::tokio::Tokio;

/// How many workers the runtimes of `with_workers!` have.
pub const WORKERS: usize = 2;

/// One runtime.
///
/// Associated functions without `self` are called from inside [`Peer::block_on`].
pub trait Peer: Sized + 'static {
    /// The sending half of a channel for one value.
    type Sender: Send + 'static;
    /// The receiving half of a channel for one value.
    type Receiver: Send + 'static;
    /// Counted permits.
    type Semaphore: Send + Sync + 'static;
    /// A signal that stores one notification.
    type Signal: Send + Sync + 'static;
    /// A listening socket.
    type Listener: Send + Sync + 'static;
    /// A connected socket.
    type Stream: Send + 'static;

    /// A runtime with timers and I/O.
    fn new() -> Self;
    /// The same on a clock that stands still while there is work, where the runtime has one: what it
    /// does then does not depend on how fast the machine is, so that it can be counted.
    fn on_standing_clock() -> Self {
        Self::new()
    }
    /// Runs `future` and whatever was spawned until `future` is ready.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Starts a task; the future returned waits for its output.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send + Unpin
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
    /// Starts a task that nobody waits for.
    fn spawn_detached<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static;
    /// Lets the other tasks run.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Waits.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;
    /// Waits for `future`, but not longer than `duration`.
    fn timeout<F>(duration: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send;

    /// Runs `count` children that each do `child`, and waits until all have ended, in the way that the
    /// runtime has for it; where it has none, by awaiting one task after the other.
    fn children<F>(count: usize, child: impl Fn() -> F + Send) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = ()> + Send + 'static,
    {
        async move {
            let tasks: Vec<_> = (0..count).map(|_| Self::spawn(child())).collect();
            for task in tasks {
                task.await;
            }
        }
    }
    /// Waits for all of `futures` in the calling task; where the runtime has nothing for it, by
    /// `join_all` of `futures`.
    fn gather<F>(futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        futures_util::future::join_all(futures)
    }

    /// A channel for one value.
    fn oneshot() -> (Self::Sender, Self::Receiver);
    /// Sends the one value.
    fn send(sender: Self::Sender, value: u64);
    /// Waits for the one value.
    fn receive(receiver: Self::Receiver) -> impl Future<Output = u64> + Send;

    /// A semaphore with this many permits.
    fn semaphore(permits: usize) -> Self::Semaphore;
    /// Takes a permit and gives it back.
    fn take_permit(semaphore: &Self::Semaphore) -> impl Future<Output = ()> + Send;

    /// A signal that nobody gave yet.
    fn signal() -> Self::Signal;
    /// Gives the signal to one waiter, or stores it for the next.
    fn notify(signal: &Self::Signal);
    /// Waits for the signal and takes it.
    fn notified(signal: &Self::Signal) -> impl Future<Output = ()> + Send;

    /// Adopts a listening socket that is already non-blocking.
    fn listener(socket: TcpListener) -> Self::Listener;
    /// The next connection.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// Adopts a connected socket that is already non-blocking.
    fn stream(socket: TcpStream) -> Self::Stream;
    /// Reads what is there; 0 at the end.
    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;
    /// Writes all of `bytes`.
    fn write(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
    /// Serves HTTP/1 on one connection by hyper until it ends.
    fn http(stream: Self::Stream) -> impl Future<Output = ()> + Send;
}

/// A runtime whose tasks run on threads of their own, and which others can reach.
pub trait Workers: Peer {
    /// What another thread needs to spawn a task.
    type Remote: Clone + Send + Sync + 'static;
    /// A task that can be cancelled.
    type Task: Send + 'static;
    /// A connected UDP socket.
    type Datagram: Send + 'static;
    /// A Unix stream.
    type Unix: Send + 'static;

    /// For threads that are not the runtime's.
    fn remote(&self) -> Self::Remote;
    /// Starts a task that nobody waits for, from any thread.
    fn spawn_from<F>(remote: &Self::Remote, future: F)
    where
        F: Future<Output = ()> + Send + 'static;
    /// Starts a task that can be cancelled.
    fn spawn_kept<F>(future: F) -> Self::Task
    where
        F: Future<Output = ()> + Send + 'static;
    /// Asks a task to end, and does not wait until it has.
    fn cancel(task: Self::Task);
    /// Runs `work` on a thread that may block; the future returned waits for its end.
    fn spawn_blocking<F>(work: F) -> impl Future<Output = ()> + Send + Unpin
    where
        F: FnOnce() + Send + 'static;

    /// Adopts a connected socket that is already non-blocking.
    fn datagram(socket: UdpSocket) -> Self::Datagram;
    /// Sends one.
    fn send_datagram(socket: &Self::Datagram, bytes: &[u8]) -> impl Future<Output = ()> + Send;
    /// Receives one.
    fn receive_datagram(
        socket: &Self::Datagram,
        buffer: &mut [u8],
    ) -> impl Future<Output = usize> + Send;
    /// Adopts a socket that is already non-blocking.
    fn unix(socket: UnixStream) -> Self::Unix;
    /// Reads what is there; 0 at the end.
    fn read_unix(
        stream: &mut Self::Unix,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;
    /// Writes all of `bytes`.
    fn write_unix(
        stream: &mut Self::Unix,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
    /// Reads a whole file.
    fn read_file(path: PathBuf) -> impl Future<Output = io::Result<Vec<u8>>> + Send;
    /// Copies a file through a reader and a writer.
    fn copy_file(from: PathBuf, to: PathBuf) -> impl Future<Output = io::Result<u64>> + Send;
}

/// Evaluates an expression with a type alias for the runtime on one thread that a [`PeerId`] names.
///
/// # Panics
///
/// For a peer that is not in [`PeerId::ON_ONE_THREAD`].
#[macro_export]
macro_rules! with_peer {
    ($id:expr, $Peer:ident => $body:expr) => {
        match $id {
            $crate::peer::PeerId::Tenter => {
                type $Peer = $crate::peer::Tenter<0>;
                $body
            }
            $crate::peer::PeerId::Tokio => {
                type $Peer = $crate::peer::Tokio<0>;
                $body
            }
            $crate::peer::PeerId::Smol => {
                type $Peer = $crate::peer::Smol<$crate::peer::Local>;
                $body
            }
            other => panic!("{other} takes part with two workers alone"),
        }
    };
}

/// Evaluates an expression with a type alias for the runtime with two workers that a [`PeerId`]
/// names.
///
/// # Panics
///
/// For those that are a program of their own.
#[macro_export]
macro_rules! with_workers {
    ($id:expr, $Peer:ident => $body:expr) => {
        match $id {
            $crate::peer::PeerId::Tenter => {
                type $Peer = $crate::peer::Tenter<{ $crate::peer::WORKERS }>;
                $body
            }
            $crate::peer::PeerId::Tokio => {
                type $Peer = $crate::peer::Tokio<{ $crate::peer::WORKERS }>;
                $body
            }
            $crate::peer::PeerId::Smol => {
                type $Peer = $crate::peer::Smol<$crate::peer::Pool>;
                $body
            }
            $crate::peer::PeerId::AsyncExecutor => {
                type $Peer = $crate::peer::Smol<$crate::peer::StaticPool>;
                $body
            }
            other => panic!("{other} is a program of its own"),
        }
    };
}

/// As `with_workers!` with one worker, where the runtime can have one: then what happens depends
/// little on who is faster.
///
/// # Panics
///
/// For those that are a program of their own.
#[macro_export]
macro_rules! with_one_worker {
    ($id:expr, $Peer:ident => $body:expr) => {
        match $id {
            $crate::peer::PeerId::Tenter => {
                type $Peer = $crate::peer::Tenter<1>;
                $body
            }
            $crate::peer::PeerId::Tokio => {
                type $Peer = $crate::peer::Tokio<1>;
                $body
            }
            other => $crate::with_workers!(other, $Peer => $body),
        }
    };
}
