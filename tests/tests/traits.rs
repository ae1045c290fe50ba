//! What every public type may be moved to, shared with, unpinned from and carried through a panic:
//! checked by the compiler. That no type is missing is checked in `tests/tests/traits_complete.rs`.
//!
//! A wrong `Send` or `Sync` is the bug of others that comes back most often: tokio's RUSTSEC-2025-0023 (a
//! broadcast that cloned a value on two threads though it was not `Sync`), RUSTSEC-2023-0005 (pinned
//! data moved by a type that was `Unpin` by mistake), and RUSTSEC-2020-0059, -0062, -0070 and -0072 in
//! guards and collections of futures.
//!
//! The columns are `Send Sync Unpin`, and where it matters `UnwindSafe`.

use std::cell::Cell;
use std::future::Ready;
use std::marker::PhantomPinned;
use std::net as std_net;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tenter::io::ext;
use tenter::task::{Shield, Unconstrained, YieldNow};
use tenter::{fs, io, net, process, signal, sync, testing, time};

#[macro_use]
#[path = "traits_table/macros.rs"]
mod macros;
#[path = "traits_table/runtime.rs"]
mod runtime;
#[path = "traits_table/streams.rs"]
mod streams;

type Source = std_net::TcpStream;
type Op = fn(&Source) -> std::io::Result<usize>;

/// A future that must not move.
struct NotUnpin(PhantomPinned);

impl Future for NotUnpin {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let _pinned = &self.0;
        Poll::Pending
    }
}

/// The table is awake: it tells what has a trait from what has not.
const _: () = {
    expect!(u8, Send, +);
    expect!(Rc<u8>, Send, -);
    expect!(Cell<u8>, Sync, -);
    expect!(PhantomPinned, Unpin, -);
    expect!(&mut u8, std::panic::UnwindSafe, -);
};

// Futures that wrap another one are what that one is.
table! {
    Shield<Ready<u8>> => + + +;
    Shield<Ready<Rc<u8>>> => - - +;
    Shield<NotUnpin> => + + -;
    Unconstrained<Ready<u8>> => + + +;
    Unconstrained<Ready<Rc<u8>>> => - - +;
    Unconstrained<NotUnpin> => + + -;
    YieldNow => + + +;

    testing::AllTasksBlocked => + + +;
    testing::AssertCheckpoints<NotUnpin> => + + +;
    testing::AssertCheckpoints<Ready<Rc<u8>>> => - - +;
    testing::AssertNoCheckpoints<NotUnpin> => + + +;
    testing::AssertNoCheckpoints<Ready<Rc<u8>>> => - - +;
    testing::Sequencer => + + +;
    testing::Step<'static> => + + +;
    testing::Turn<'static> => + + +;
    time::Timeout<Ready<u8>> => + + -;
    time::Timeout<Ready<Rc<u8>>> => - - -;
}

// Several futures in one task are what each of them is; those in a row of their own may be moved.
table! {
    tenter::Gather<Ready<u8>> => + + +;
    tenter::Gather<Ready<Rc<u8>>> => - - +;
    tenter::Gather<NotUnpin> => + + +;
    tenter::TryGather<Ready<Result<u8, u8>>> => + + +;
    tenter::TryGather<Ready<Result<Rc<u8>, u8>>> => - - +;
    tenter::GatherTuple<(Ready<u8>, Ready<()>)> => + + +;
    tenter::GatherTuple<(Ready<u8>, Ready<Rc<u8>>)> => - - +;
    tenter::GatherTuple<(Ready<u8>, NotUnpin)> => + + -;
    tenter::TryGatherTuple<(Ready<Result<u8, u8>>,)> => + + +;
    tenter::TryGatherTuple<(Ready<Result<u8, Rc<u8>>>,)> => - - +;
    tenter::Race<Ready<u8>> => + + +;
    tenter::Race<Ready<Rc<u8>>> => - - +;
    tenter::RaceOk<Ready<Result<u8, u8>>> => + + +;
    tenter::RaceOk<Ready<Result<u8, Rc<u8>>>> => - - +;
    tenter::Staggered<Ready<Result<u8, u8>>> => + + +;
    tenter::Staggered<Ready<Result<u8, Rc<u8>>>> => - - +;
    tenter::AsCompleted<Ready<u8>> => + + +;
    tenter::AsCompleted<Ready<Rc<u8>>> => - - +;
    tenter::AsCompletedTimeout<Ready<u8>> => + + +;
    tenter::AsCompletedTimeout<Ready<Rc<u8>>> => - - +;
    tenter::NextCompleted<'static, tenter::AsCompleted<Ready<u8>>> => + + +;
    tenter::NextCompleted<'static, tenter::AsCompleted<Ready<Rc<u8>>>> => - - +;
    tenter::MapConcurrent<std::ops::Range<u8>, fn(u8) -> Ready<u8>, Ready<u8>> => + + +;
    tenter::MapConcurrent<std::ops::Range<u8>, fn(u8) -> Ready<Rc<u8>>, Ready<Rc<u8>>> => - - +;
    tenter::MapConcurrent<std::ops::Range<u8>, fn(u8) -> NotUnpin, NotUnpin> => + + +;
}

// Time.
table! {
    time::Instant => + + +;
    time::Clock => + + +;
    time::Timers => + + +;
    time::EnterGuard => - - +;
    time::Sleep => + + -;
    time::Interval => + + +;
    time::Tick<'static> => + + +;
    time::MissedTick => + + +;
    time::Elapsed => + + +;
    time::Advance => + + +;
}

// Synchronisation.
table! {
    sync::Barrier => + + +, +;
    sync::BarrierStats => + + +, +;
    sync::BarrierWait<'static> => + + -, -;
    sync::Broken => + + +, +;
    sync::Turn => + + +, +;
    sync::Condition => + + +, +;
    sync::ConditionStats => + + +, +;
    sync::Wait<'static, u8> => + + -, -;
    sync::WaitFor<'static, u8, fn(&mut u8) -> Option<u8>> => + + -, -;
    sync::Event => + + +, +;
    sync::EventStats => + + +, +;
    sync::EventWait<'static> => + + -, -;
    sync::Lock<u8> => + + +, -;
    sync::Lock<Cell<u8>> => + + +, -;
    sync::Lock<Rc<u8>> => - - +, -;
    sync::LockGuard<'static, u8> => + + +, -;
    sync::LockGuard<'static, Cell<u8>> => + - +, -;
    sync::LockStats => + + +, +;
    sync::Locking<'static, u8> => + + -, -;
    sync::LockingOwned<u8> => + + -, -;
    sync::MappedLockGuard<'static, u8> => + + +, -;
    sync::OwnedLockGuard<u8> => + + +, -;
    sync::TryLockError => + + +, +;
    sync::OnceCell<u8> => + + +, +;
    sync::OnceCell<Cell<u8>> => + - +, +;
    sync::OnceCellStats => + + +, +;
    sync::GetOrInit<'static, u8, fn() -> Ready<u8>, Ready<u8>> => + + -, -;
    sync::GetOrTryInit<'static, u8, fn() -> Ready<Result<u8, u8>>, Ready<Result<u8, u8>>> => + + -, -;
    sync::SetError<u8> => + + +, +;
    sync::Queue<u8> => + + +, +;
    sync::Queue<Cell<u8>> => + + +, +;
    sync::Queue<Rc<u8>> => - - +, +;
    sync::LifoQueue<Cell<u8>> => + + +, +;
    sync::LifoQueue<Rc<u8>> => - - +, +;
    sync::PriorityQueue<Cell<u8>> => + + +, +;
    sync::PriorityQueue<Rc<u8>> => - - +, +;
    sync::QueueStats => + + +, +;
    sync::Get<'static, u8> => + + -, -;
    sync::Get<'static, Cell<u8>> => + + -, -;
    sync::Get<'static, Rc<u8>> => - - -, -;
    sync::GetMany<'static, u8> => + + -, -;
    sync::GetMany<'static, Rc<u8>> => - - -, -;
    sync::Put<'static, Cell<u8>> => + + -, -;
    sync::Put<'static, Rc<u8>> => - - -, -;
    sync::PutMany<'static, u8> => + + -, -;
    sync::PutMany<'static, Rc<u8>> => - - -, -;
    sync::Reserve<'static, Cell<u8>> => + + -, -;
    sync::Reserve<'static, Rc<u8>> => - - -, -;
    sync::Slot<'static, Cell<u8>> => + + +, +;
    sync::Slot<'static, Rc<u8>> => - - +, +;
    sync::NextJob<'static, u8> => + + -, -;
    sync::Job<'static, u8> => + + +, +;
    sync::Job<'static, Cell<u8>> => + - +, +;
    sync::Job<'static, Rc<u8>> => - - +, +;
    sync::Join<'static, Cell<u8>> => + + -, -;
    sync::Items<'static, Cell<u8>> => + + +, -;
    sync::Items<'static, Rc<u8>> => - - +, -;
    sync::ShutDown<u8> => + + +, +;
    sync::TryPutError<u8> => + + +, +;
    sync::TryGetError => + + +, +;
    sync::TryReserveError => + + +, +;
    sync::TooMany => + + +, +;
    sync::RwLock<u8> => + + +, +;
    sync::RwLock<Cell<u8>> => + - +, +;
    sync::RwLock<Rc<u8>> => - - +, +;
    sync::RwLockStats => + + +, +;
    sync::RwLockRead<'static, u8> => + + -, -;
    sync::RwLockReadOwned<u8> => + + -, -;
    sync::RwLockReadGuard<'static, u8> => + + +, -;
    sync::RwLockReadGuard<'static, Cell<u8>> => - - +, -;
    sync::RwLockWrite<'static, u8> => + + -, -;
    sync::RwLockWriteOwned<u8> => + + -, -;
    sync::RwLockWriteGuard<'static, u8> => + + +, -;
    sync::RwLockMappedWriteGuard<'static, u8> => + + +, -;
    sync::OwnedRwLockReadGuard<u8> => + + +, +;
    sync::OwnedRwLockWriteGuard<u8> => + + +, +;
    sync::OwnedRwLockMappedWriteGuard<u8, u8> => + + +, +;
    sync::Semaphore => + + +, +;
    sync::SemaphoreStats => + + +, +;
    sync::Acquire<'static> => + + -, -;
    sync::AcquireOwned => + + -, -;
    sync::Permit<'static> => + + +, +;
    sync::OwnedPermit => + + +, +;
    sync::Closed => + + +, +;
    sync::OverRelease => + + +, +;
    sync::TryAcquireError => + + +, +;
    sync::CapacityLimiter => + + +, +;
    sync::LimiterStats => + + +, +;
    sync::Borrower => + + +, +;
    sync::Borrowing<'static> => + + -, -;
    sync::BorrowingOwned => + + -, -;
    sync::Token<'static> => + + +, +;
    sync::OwnedToken => + + +, +;
    sync::AlreadyBorrowing => + + +, +;
    sync::TryBorrowError => + + +, +;
    sync::Notify => + + +, +;
    sync::NotifyStats => + + +, +;
    sync::Notified<'static> => + + -, -;
    sync::NotifiedOwned => + + -, -;
    sync::channel::Sender<u8> => + + +, +;
    sync::channel::Sender<Cell<u8>> => + + +, +;
    sync::channel::Sender<Rc<u8>> => - - +, +;
    sync::channel::WeakSender<Cell<u8>> => + + +, +;
    sync::channel::WeakSender<Rc<u8>> => - - +, +;
    sync::channel::Receiver<u8> => + + +, +;
    sync::channel::Receiver<Cell<u8>> => + + +, +;
    sync::channel::Receiver<Rc<u8>> => - - +, +;
    sync::channel::Sending<'static, Cell<u8>> => + + -, -;
    sync::channel::Sending<'static, Rc<u8>> => - - -, -;
    sync::channel::SendMany<'static, u8> => + + -, -;
    sync::channel::SendMany<'static, Cell<u8>> => + - -, -;
    sync::channel::SendMany<'static, Rc<u8>> => - - -, -;
    sync::channel::Reserve<'static, Cell<u8>> => + + -, -;
    sync::channel::Reserve<'static, Rc<u8>> => - - -, -;
    sync::channel::Slot<'static, Cell<u8>> => + + +, +;
    sync::channel::Slot<'static, Rc<u8>> => - - +, +;
    sync::channel::Recv<'static, Cell<u8>> => + + -, -;
    sync::channel::Recv<'static, Rc<u8>> => - - -, -;
    sync::channel::RecvMany<'static, u8> => + + -, -;
    sync::channel::RecvMany<'static, Cell<u8>> => + - -, -;
    sync::channel::RecvMany<'static, Rc<u8>> => - - -, -;
    sync::channel::WaitClosed<'static> => + + -, -;
    sync::channel::Named => + + +, +;
    sync::channel::ChannelStats => + + +, +;
    sync::channel::SendError<u8> => + + +, +;
    sync::channel::TrySendError<u8> => + + +, +;
    sync::channel::TryReserveError => + + +, +;
    sync::channel::RecvError => + + +, +;
    sync::channel::TryRecvError => + + +, +;
    sync::oneshot::Sender<u8> => + + +, +;
    sync::oneshot::Sender<Cell<u8>> => + + +, +;
    sync::oneshot::Sender<Rc<u8>> => - - +, +;
    sync::oneshot::Receiver<u8> => + + +, +;
    sync::oneshot::Receiver<Cell<u8>> => + + +, +;
    sync::oneshot::Receiver<Rc<u8>> => - - +, +;
    sync::oneshot::WaitClosed<'static, u8> => + + +, -;
    sync::oneshot::WaitClosed<'static, Rc<u8>> => - - +, -;
    sync::oneshot::RecvError => + + +, +;
    sync::oneshot::TryRecvError => + + +, +;
    sync::watch::Sender<u8> => + + +, +;
    sync::watch::Sender<Cell<u8>> => - - +, +;
    sync::watch::Sender<Rc<u8>> => - - +, +;
    sync::watch::Receiver<u8> => + + +, +;
    sync::watch::Receiver<Cell<u8>> => - - +, +;
    sync::watch::Receiver<Rc<u8>> => - - +, +;
    sync::watch::Ref<'static, u8> => - - +, -;
    sync::watch::Changed<'static, u8> => + + -, -;
    sync::watch::Changed<'static, Cell<u8>> => - - -, -;
    sync::watch::WaitFor<'static, u8, fn(&u8) -> bool> => + + -, -;
    sync::watch::WaitClosed<'static, u8> => + + -, -;
    sync::watch::Values<u8> => + + +, -;
    sync::watch::Values<Rc<u8>> => - - +, -;
    sync::watch::WatchStats => + + +, +;
    sync::watch::SendError<u8> => + + +, +;
    sync::watch::RecvError => + + +, +;
    sync::Shared<Ready<u8>> => + + +, +;
    sync::Shared<Ready<Cell<u8>>> => - - +, +;
    sync::Shared<NotUnpin> => + + +, +;
    sync::SharedWait<'static, Ready<u8>> => + + -, -;
    sync::SharedWait<'static, Ready<Rc<u8>>> => - - -, -;
    sync::WeakShared<Ready<u8>> => + + +, +;
    sync::WeakShared<Ready<Rc<u8>>> => - - +, +;
    sync::SharedStats => + + +, +;
}

// A broadcast channel clones values on several threads at once: they have to be `Sync` too.
table! {
    sync::broadcast::Sender<u8> => + + +, +;
    sync::broadcast::Sender<Cell<u8>> => - - +, +;
    sync::broadcast::Sender<Rc<u8>> => - - +, +;
    sync::broadcast::WeakSender<u8> => + + +, +;
    sync::broadcast::WeakSender<Cell<u8>> => - - +, +;
    sync::broadcast::Receiver<u8> => + + +, +;
    sync::broadcast::Receiver<Cell<u8>> => - - +, +;
    sync::broadcast::Receiver<Rc<u8>> => - - +, +;
    sync::broadcast::Recv<'static, u8> => + + -, -;
    sync::broadcast::Recv<'static, Cell<u8>> => - - -, -;
    sync::broadcast::WaitClosed<'static, u8> => + + -, -;
    sync::broadcast::WaitClosed<'static, Cell<u8>> => - - -, -;
    sync::broadcast::BroadcastStats => + + +, +;
    sync::broadcast::Lagged => + + +, +;
    sync::broadcast::RecvError => + + +, +;
    sync::broadcast::SendError<u8> => + + +, +;
    sync::broadcast::TryRecvError => + + +, +;
}

// Signals.
table! {
    signal::SignalKind => + + +;
    signal::Signals => + + +;
    signal::Recv<'static> => + + +;
    signal::CtrlC => + + +;
}

// Drivers and descriptors.
table! {
    io::Driver => + - +;
    io::Handle => + + +;
    io::EnterGuard => - - +;
    io::Interest => + + +;
    io::Backend => + + +;
    io::Async<Source> => + + +;
    io::Async<Rc<Source>> => - - +;
    io::Readable<'static> => + + +;
    io::Writable<'static> => + + +;
    io::ReadWith<'static, Source, Op> => + + +;
    io::WriteWith<'static, Source, Op> => + + +;
}

// Sockets.
table! {
    net::TcpListener => + + +;
    net::TcpSocket => + + +;
    net::TcpStream => + + +;
    net::UdpSocket => + + +;
    net::UnixDatagram => + + +;
    net::UnixListener => + + +;
    net::UnixStream => + + +;
    net::DatagramSocket<std_net::UdpSocket> => + + +;
    net::ListeningSocket<std_net::TcpListener> => + + +;
    net::StreamSocket<std_net::TcpStream> => + + +;
    net::AttemptErrors => + + +;
    net::Credentials => + + +;
    net::DatagramBatch => + + +;
    net::Keepalive => + + +;
    net::Accept<'static> => + + +;
    net::Bind => + + +;
    net::Connect => + + +;
    net::ConnectTimeout => + + +;
    net::Incoming<'static> => + + +;
    net::LookupHost => + + +;
    net::Next<'static, 'static> => + + +;
    net::Peek<'static> => + + +;
    net::Recv<'static> => + + +;
    net::RecvFrom<'static> => + + +;
    net::RecvMany<'static> => + + +;
    net::SendMany<'static> => + + +;
    net::SendOne<'static> => + + +;
    net::SendTo<'static> => + + +;
    net::UdpBind => + + +;
    net::UdpConnect<'static> => + + +;
    net::UnixConnect => + + +;
    net::UnixSendTo<'static> => + + +;
    net::ReadHalf<'static> => + + +;
    net::WriteHalf<'static> => + + +;
    net::OwnedReadHalf => + + +;
    net::OwnedWriteHalf => + + +;
    net::UnsplitError => + + +;
}

// Servers. Handlers move between workers, and what tells them to close is asked from anywhere.
table! {
    net::Server => + - +;
    net::ServerHandle => + + +;
    net::ServeOptions => + + +, -;
    net::ServeReport => + + +, +;
    net::ServeError => + + +, -;
    net::StuckConnection => + + +, +;
    net::Closing => + + +;
    net::Connection<net::TcpStream, std_net::SocketAddr> => + + +;
    net::Connection<Rc<u8>, u8> => - - +;
}

// Reading and writing: what wraps a stream is what the stream is.
table! {
    io::BufReader<net::TcpStream> => + + +;
    io::BufReader<Rc<u8>> => - - +;
    io::BufReader<NotUnpin> => + + -;
    io::BufWriter<net::TcpStream> => + + +;
    io::BufWriter<Rc<u8>> => - - +;
    io::BufWriter<NotUnpin> => + + -;
    io::BufStream<net::TcpStream> => + + +;
    io::Lines<io::BufReader<net::TcpStream>> => + + +;
    io::Lines<Rc<u8>> => - - +;
    io::Split<io::BufReader<net::TcpStream>, u8> => + + +;
    io::Split<Rc<u8>, u8> => - - +;
    io::Cursor<Vec<u8>> => + + +;
    io::Cursor<Rc<u8>> => - - +;
    io::DuplexStream => + + +;
    io::ReadHalf<net::TcpStream> => + + +;
    io::ReadHalf<Cell<u8>> => + + +;
    io::ReadHalf<Rc<u8>> => - - +;
    io::WriteHalf<net::TcpStream> => + + +;
    io::WriteHalf<Cell<u8>> => + + +;
    io::WriteHalf<Rc<u8>> => - - +;
    ext::UnsplitError<net::TcpStream> => + + +;
    ext::IntoInnerError<net::TcpStream> => + + +;
    ext::IncompleteRead => + + +, +;
    ext::LimitOverrun => + + +, +;
    ext::NotUtf8 => + + +, +;
    ext::Chain<net::TcpStream, net::TcpStream> => + + +;
    ext::Chain<net::TcpStream, Rc<u8>> => - - +;
    ext::Empty => + + +, +;
    ext::Repeat => + + +, +;
    ext::Sink => + + +, +;
    ext::Join<net::TcpStream, net::TcpStream> => + + +;
    ext::Join<net::TcpStream, Rc<u8>> => - - +;
    ext::Take<net::TcpStream> => + + +;
    ext::Take<Rc<u8>> => - - +;
    ext::Copy<'static, net::TcpStream, net::TcpStream> => + + +;
    ext::Copy<'static, net::TcpStream, Rc<u8>> => - - +;
    ext::CopyBuf<'static, net::TcpStream, net::TcpStream> => + + +;
    ext::CopyBidirectional<'static, net::TcpStream, net::TcpStream> => + + +;
    ext::CopyBidirectional<'static, net::TcpStream, Rc<u8>> => - - +;
    ext::CopyError => + + +, -;
    ext::Direction => + + +, +;
    ext::AtEof<'static, net::TcpStream> => + + +;
    ext::FillBuf<'static, net::TcpStream> => + + +;
    ext::NextLine<'static, net::TcpStream> => + + +;
    ext::NextSegment<'static, net::TcpStream, u8> => + + +;
    ext::Read<'static, net::TcpStream> => + + +;
    ext::Read<'static, Rc<u8>> => - - +;
    ext::ReadExact<'static, net::TcpStream> => + + +;
    ext::ReadLine<'static, net::TcpStream> => + + +;
    ext::ReadToEnd<'static, net::TcpStream> => + + +;
    ext::ReadToString<'static, net::TcpStream> => + + +;
    ext::ReadUntil<'static, net::TcpStream, u8> => + + +;
    ext::ReadVectored<'static, 'static, net::TcpStream> => + + +;
    ext::Seek<'static, net::TcpStream> => + + +;
    ext::Write<'static, net::TcpStream> => + + +;
    ext::WriteAll<'static, net::TcpStream> => + + +;
    ext::WriteAllBuf<'static, 'static, net::TcpStream> => + + +;
    ext::WriteAllVectored<'static, 'static, net::TcpStream> => + + +;
    ext::WriteVectored<'static, net::TcpStream> => + + +;
    ext::Flush<'static, net::TcpStream> => + + +;
    ext::Close<'static, net::TcpStream> => + + +;
}

// Scopes and groups.
table! {
    tenter::CancelScope => + + +;
    tenter::CancelHandle => + + +;
    tenter::Outcome<u8> => + + +, +;
    tenter::InScope<Ready<u8>> => + + -;
    tenter::InScope<Ready<Rc<u8>>> => - - -;
    tenter::InScope<NotUnpin> => + + -;
    tenter::Deadline => + + +;
    tenter::DeferGuard => + - +;
    tenter::RescheduleError => + + +, +;
    tenter::TaskGroup<u8> => + + +;
    tenter::TaskGroup<Cell<u8>> => + + +;
    tenter::GroupHandle<u8> => + + +;
    tenter::NamedChild<'static, u8> => + + +;
    tenter::GroupError<u8> => + + +;
    tenter::GroupError<Rc<u8>> => - - +;
    tenter::Failure<u8> => + + +;
    tenter::Panic => + + +;
    tenter::StartError<u8> => + + +;
    tenter::Started<u8> => + + +;
    tenter::TaskOutcome => + + +, +;
    tenter::Ended => + + +, +;
    time::Timeout<Ready<u8>> => + + -;
    time::Timeout<NotUnpin> => + + -;
}

// Files, and the standard streams.
table! {
    fs::File => + + +;
    fs::OpenOptions => + + +, +;
    fs::Operation<u8> => + - +;
    fs::DirBuilder => + + +, +;
    fs::DirEntry => + + +, +;
    fs::ReadDir => + + +;
    fs::NextEntry<'static> => + + +;
    io::Stdin => + + +;
    io::Stdout => + + +;
    io::Stderr => + + +;
}

// Child processes.
table! {
    process::Command => + + +;
    process::Child => + + +;
    process::ChildStdin => + + +;
    process::ChildStdout => + + +;
    process::ChildStderr => + + +;
    process::Communicate<'static> => + + +;
    process::OnDrop => + + +, +;
    process::Wait<'static> => + + +;
}

/// Futures of `async fn` have no name to put into a table. A task that awaits one may change workers.
#[test]
fn futures_of_async_functions_can_be_sent() {
    fn sent<T: Send>(_: impl FnOnce(T)) {}
    fn future<T: Future + Send>(_: T) {}

    sent(|(server, closing): (net::ServerHandle, net::Closing)| {
        future(server.closed());
        future(closing.requested());
    });
    sent(|(mut child, other): (process::Child, process::Child)| {
        future(child.end());
        future(other.wait_with_output());
    });
    sent(|(mut file, other): (fs::File, fs::File)| {
        future(file.read_at(&mut [0], 0));
        future(file.write_at(&[0], 0));
        future(file.sync_all());
        future(file.sync_data());
        future(file.set_len(0));
        future(file.metadata());
        future(file.try_clone());
        future(other.into_std());
    });
}
