//! What every public type may be moved to, shared with and unpinned from: checked by the compiler.

use std::fmt::Debug;
use std::net;
use std::os::fd::{AsFd, AsRawFd};

use tenter_io::net::{
    Accept, Bind, Connect, ConnectTimeout, Incoming, Next, OwnedReadHalf, OwnedWriteHalf, Peek,
    ReadHalf, TcpListener, TcpStream, UnsplitError, WriteHalf,
};
use tenter_io::{
    Async, AsyncRead, AsyncWrite, Driver, EnterGuard, Handle, Interest, ReadWith, Readable,
    Writable, WriteWith, ext,
};

fn everywhere<T: Send + Sync + Unpin + Debug>() {}
fn sent<T: Send + Debug>() {}
fn future<T: Future + Send + Sync + Unpin + Debug>() {}
fn stream<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static>() {}

/// Fails to compile when `T` is `Send`: both of its implementations apply then.
trait NotSend<A> {
    fn holds() {}
}
struct IsSend;
impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<IsSend> for T {}

type Op = fn(&net::TcpStream) -> std::io::Result<usize>;

#[test]
fn table() {
    sent::<Driver>();
    everywhere::<Handle>();
    everywhere::<Interest>();
    everywhere::<Async<net::TcpStream>>();
    everywhere::<TcpListener>();
    everywhere::<TcpStream>();
    everywhere::<ReadHalf<'_>>();
    everywhere::<WriteHalf<'_>>();
    everywhere::<OwnedReadHalf>();
    everywhere::<OwnedWriteHalf>();
    everywhere::<UnsplitError>();
    everywhere::<Incoming<'_>>();
    <EnterGuard as NotSend<_>>::holds();

    future::<Readable<'_>>();
    future::<Writable<'_>>();
    future::<ReadWith<'_, net::TcpStream, Op>>();
    future::<WriteWith<'_, net::TcpStream, Op>>();
    future::<Accept<'_>>();
    future::<Bind>();
    future::<Connect>();
    future::<ConnectTimeout>();
    future::<Next<'_, '_>>();
    future::<Peek<'_>>();
    future::<ext::Read<'_, TcpStream>>();
    future::<ext::ReadExact<'_, TcpStream>>();
    future::<ext::ReadToEnd<'_, TcpStream>>();
    future::<ext::Write<'_, TcpStream>>();
    future::<ext::WriteAll<'_, TcpStream>>();
    future::<ext::Flush<'_, TcpStream>>();
    future::<ext::Close<'_, TcpStream>>();

    stream::<TcpStream>();
    stream::<&'static TcpStream>();
    fn reads<T: AsyncRead + Unpin>() {}
    fn writes<T: AsyncWrite + Unpin>() {}
    reads::<ReadHalf<'_>>();
    writes::<WriteHalf<'_>>();
    reads::<OwnedReadHalf>();
    writes::<OwnedWriteHalf>();

    fn descriptor<T: AsFd + AsRawFd>() {}
    descriptor::<TcpListener>();
    descriptor::<TcpStream>();
    descriptor::<Async<net::TcpStream>>();
    fn from_std<S, T: TryFrom<S, Error = std::io::Error> + Into<S>>() {}
    from_std::<net::TcpListener, TcpListener>();
    from_std::<net::TcpStream, TcpStream>();

    // A source that cannot be moved to another thread keeps its `Async` here; the driver does not
    // mind.
    <Async<std::rc::Rc<net::TcpStream>> as NotSend<_>>::holds();
}
