//! What every public type may be moved to, shared with and unpinned from: checked by the compiler.

use std::fmt::Debug;
use std::net;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net as unix;

use tenter_io::net::{
    Accept, Bind, Connect, ConnectTimeout, Incoming, LookupHost, Next, OwnedReadHalf,
    OwnedWriteHalf, Peek, ReadHalf, Recv, RecvFrom, RecvMany, SendMany, SendOne, SendTo,
    TcpListener, TcpSocket, TcpStream, UdpBind, UdpConnect, UdpSocket, UnixConnect, UnixDatagram,
    UnixListener, UnixSendTo, UnixStream, UnsplitError, WriteHalf,
};
use tenter_io::{
    Async, AsyncBufRead, AsyncRead, AsyncWrite, BufReader, BufStream, BufWriter, Cursor, Driver,
    DuplexStream, EnterGuard, Handle, Interest, Lines, ReadWith, Readable, Split, Writable,
    WriteWith, ext,
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
    everywhere::<TcpSocket>();
    everywhere::<TcpStream>();
    everywhere::<UdpSocket>();
    everywhere::<UnixDatagram>();
    everywhere::<UnixListener>();
    everywhere::<UnixStream>();
    everywhere::<BufReader<TcpStream>>();
    everywhere::<BufWriter<TcpStream>>();
    everywhere::<Lines<BufReader<TcpStream>>>();
    everywhere::<Split<BufReader<TcpStream>, u8>>();
    everywhere::<Cursor<Vec<u8>>>();
    everywhere::<DuplexStream>();
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
    future::<Accept<'_, unix::UnixListener>>();
    future::<Peek<'_, unix::UnixStream>>();
    future::<LookupHost>();
    future::<UnixConnect>();
    future::<UdpBind>();
    future::<UdpConnect<'_>>();
    future::<Recv<'_>>();
    future::<RecvFrom<'_>>();
    future::<SendOne<'_>>();
    future::<SendTo<'_>>();
    future::<RecvMany<'_>>();
    future::<SendMany<'_>>();
    future::<UnixSendTo<'_>>();
    future::<ext::Read<'_, TcpStream>>();
    future::<ext::ReadExact<'_, TcpStream>>();
    future::<ext::ReadToEnd<'_, TcpStream>>();
    future::<ext::Write<'_, TcpStream>>();
    future::<ext::WriteAll<'_, TcpStream>>();
    future::<ext::Flush<'_, TcpStream>>();
    future::<ext::Close<'_, TcpStream>>();
    future::<ext::ReadLine<'_, BufReader<TcpStream>>>();
    future::<ext::ReadUntil<'_, BufReader<TcpStream>, &[u8]>>();
    future::<ext::NextLine<'_, BufReader<TcpStream>>>();
    future::<ext::Copy<'_, TcpStream, UnixStream>>();
    future::<ext::CopyBuf<'_, BufReader<TcpStream>, UnixStream>>();
    future::<ext::CopyBidirectional<'_, TcpStream, UnixStream>>();

    stream::<TcpStream>();
    stream::<&'static TcpStream>();
    stream::<UnixStream>();
    stream::<&'static UnixStream>();
    stream::<BufStream<TcpStream>>();
    stream::<DuplexStream>();
    fn reads<T: AsyncRead + Unpin>() {}
    fn writes<T: AsyncWrite + Unpin>() {}
    reads::<ReadHalf<'_>>();
    writes::<WriteHalf<'_>>();
    reads::<OwnedReadHalf>();
    writes::<OwnedWriteHalf>();
    fn reads_buffered<T: AsyncBufRead + Unpin>() {}
    reads_buffered::<BufReader<TcpStream>>();
    // One buffer in front of the other: what is read through a writer's buffer is buffered.
    reads_buffered::<BufWriter<BufReader<TcpStream>>>();

    fn descriptor<T: AsFd + AsRawFd>() {}
    descriptor::<TcpListener>();
    descriptor::<TcpSocket>();
    descriptor::<TcpStream>();
    descriptor::<UdpSocket>();
    descriptor::<UnixDatagram>();
    descriptor::<UnixListener>();
    descriptor::<UnixStream>();
    descriptor::<Async<net::TcpStream>>();
    fn from_std<S, T: TryFrom<S, Error = std::io::Error> + Into<S>>() {}
    from_std::<net::TcpListener, TcpListener>();
    from_std::<net::TcpStream, TcpStream>();
    from_std::<net::UdpSocket, UdpSocket>();
    from_std::<unix::UnixDatagram, UnixDatagram>();
    from_std::<unix::UnixListener, UnixListener>();
    from_std::<unix::UnixStream, UnixStream>();

    // A source that cannot be moved to another thread keeps its `Async` here; the driver does not
    // mind.
    <Async<std::rc::Rc<net::TcpStream>> as NotSend<_>>::holds();
}

/// Goal: a stream in `Compat` is tokio's, one of tokio's in it is ours, and both move freely.
#[cfg(feature = "tokio-io")]
#[test]
fn compat() {
    use tenter_io::Compat;

    everywhere::<Compat<TcpStream>>();
    fn tokios<T: tokio::io::AsyncRead + tokio::io::AsyncWrite>() {}
    tokios::<TcpStream>();
    tokios::<Compat<TcpStream>>();
    <Compat<std::rc::Rc<u8>> as NotSend<_>>::holds();
}
