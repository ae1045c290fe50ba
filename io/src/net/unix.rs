//! What streams of Unix sockets have of their own: connecting, listening and credentials.
//!
//! The queue of a listener can be full. TCP waits then; a Unix socket that does not block is told to
//! try again, and the system never says when. So a connection attempt pauses, from 1 ms up to 64,
//! and asks again: as a blocking one it waits, and only for as long as its caller lets it.
//!
//! Tests: `io/tests/unix.rs`, `io/tests/cancel.rs`.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tenter_sync::budget;
use tenter_timer::{Sleep, sleep};

use crate::async_fd::Async;
use crate::error;
use crate::interest::{Direction, Directions};
use crate::limits::{LISTEN_BACKLOG, UNIX_PAUSE_MAX, UNIX_PAUSE_MIN};
use crate::net::credentials::Credentials;
use crate::net::listener::ListeningSocket;
use crate::net::stream::StreamSocket;
use crate::net::unix_address::{self, ToUnixAddr};
use crate::net::{socket_file, sys};
use crate::slot::Place;

/// A connection within this machine, by a Unix socket.
///
/// What it has in common with other streams is described at [`StreamSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::UnixStream;
/// use tenter_io::{AsyncReadExt, AsyncWriteExt};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut stream = UnixStream::connect("/run/some.socket").await?;
/// stream.write_all(b"hello").await?;
/// stream.read_exact(&mut [0; 5]).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "open_unix_connection")]
pub type UnixStream = StreamSocket<unix::UnixStream>;

/// A Unix socket that listens for connections.
///
/// What it has in common with other listeners is described at [`ListeningSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::UnixListener;
///
/// # async fn example() -> std::io::Result<()> {
/// let listener = UnixListener::bind("/run/some.socket")?;
/// loop {
///     let (stream, _) = listener.accept().await?;
///     println!("{:?}", stream.peer_cred()?);
/// }
/// # }
/// ```
#[doc(alias = "start_unix_server")]
pub type UnixListener = ListeningSocket<unix::UnixListener>;

impl StreamSocket<unix::UnixStream> {
    /// Connects to the socket of this name. If the queue of its listener is full, this waits until
    /// there is room.
    ///
    /// # Errors
    ///
    /// It is no name of a socket, or nobody listens there, or the process may not.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the attempt.
    pub fn connect<A: ToUnixAddr>(address: A) -> UnixConnect {
        UnixConnect(match address.unix_addr() {
            Ok(address) => State::Begin(address),
            Err(error) => State::Invalid(error),
        })
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system, or as [`Async::new`].
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, two) = unix::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(two)?))
    }

    /// Who is on the other side: as it was when it connected, or listened.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[cfg(target_os = "linux")]
    pub fn peer_cred(&self) -> io::Result<Credentials> {
        Credentials::of_peer(self)
    }
}

impl ListeningSocket<unix::UnixListener> {
    /// Listens at this name. A socket that a server which has ended left there is replaced; one that
    /// is in use is not, nor is any other file.
    ///
    /// Dropping the listener removes the file, if it is still its own;
    /// [`into_std`](Self::into_std) leaves it. The system completes up to 1024 connections before
    /// they are accepted. An abstract name, of which no file is left behind, is written with a zero
    /// byte in front; see [`ToUnixAddr`].
    ///
    /// # Errors
    ///
    /// It is no name of a socket, or is in use, or the process may not; or as [`Async::new`].
    #[doc(alias = "cleanup_socket")]
    pub fn bind<A: ToUnixAddr>(address: A) -> io::Result<UnixListener> {
        let (fd, file) = socket_file::bind(&address.unix_addr()?, SocketType::STREAM)?;
        rustix::net::listen(&fd, LISTEN_BACKLOG)?;
        let source = Async::new_nonblocking(fd.into())?;
        Ok(ListeningSocket::new(source, file))
    }
}

impl TryFrom<unix::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: unix::UnixStream) -> io::Result<UnixStream> {
        UnixStream::from_std(stream)
    }
}

impl From<UnixStream> for unix::UnixStream {
    fn from(stream: UnixStream) -> unix::UnixStream {
        stream.into_std()
    }
}

impl TryFrom<unix::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: unix::UnixListener) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }
}

impl From<UnixListener> for unix::UnixListener {
    fn from(listener: UnixListener) -> unix::UnixListener {
        listener.into_std()
    }
}

/// The future of [`UnixStream::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct UnixConnect(State);

#[derive(Debug)]
enum State {
    Begin(unix::SocketAddr),
    Invalid(io::Error),
    /// The queue is full.
    Pausing {
        address: unix::SocketAddr,
        socket: OwnedFd,
        sleep: Pin<Box<Sleep>>,
        length: Duration,
    },
    /// Where the system connects Unix sockets in the background.
    InProgress(unix::SocketAddr, Async<unix::UnixStream>),
    Done,
}

impl Future for UnixConnect {
    type Output = io::Result<UnixStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                State::Begin(_) => ready!(budget::poll_spend(cx)),
                State::Pausing { address, sleep, .. } => {
                    if !ready!(sleep.as_mut().poll_pause(cx)) {
                        return Poll::Ready(Err(refused(address, error::shut_down())));
                    }
                }
                State::InProgress(address, source) => {
                    ready!(poll_connected(source, cx)).map_err(|cause| refused(address, cause))?;
                }
                State::Invalid(_) | State::Done => {}
            }
            // What was waited for is there.
            let (address, socket, length) = match std::mem::replace(&mut self.0, State::Done) {
                State::Begin(address) => {
                    let socket = sys::new_socket(AddressFamily::UNIX, SocketType::STREAM)?;
                    (address, socket, Duration::ZERO)
                }
                State::Pausing {
                    address,
                    socket,
                    length,
                    ..
                } => (address, socket, length),
                State::InProgress(_, source) => {
                    return Poll::Ready(Ok(StreamSocket::from_source(source)));
                }
                State::Invalid(error) => return Poll::Ready(Err(error)),
                State::Done => panic!("a connection was polled after it was made"),
            };
            match advance(address, socket, length)? {
                Advance::Done(stream) => return Poll::Ready(Ok(stream)),
                Advance::Wait(state) => self.0 = state,
            }
        }
    }
}

fn poll_connected(source: &Async<unix::UnixStream>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    source.poll_io(Direction::Write, Place::Poller, cx, |socket| {
        // A readiness that turns out to be nothing is waited for again.
        sys::connected(socket).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    })
}

enum Advance {
    Done(UnixStream),
    Wait(State),
}

/// One try, after a pause of `length`.
fn advance(address: unix::SocketAddr, socket: OwnedFd, length: Duration) -> io::Result<Advance> {
    let name: SocketAddrUnix = unix_address::to_system(&address)?;
    match rustix::net::connect(&socket, &name) {
        Ok(()) => {
            let source = Async::new_nonblocking(socket.into())?;
            Ok(Advance::Done(StreamSocket::from_source(source)))
        }
        Err(Errno::AGAIN) => {
            let length = (length * 2).clamp(UNIX_PAUSE_MIN, UNIX_PAUSE_MAX);
            Ok(Advance::Wait(State::Pausing {
                address,
                socket,
                sleep: Box::pin(sleep(length)),
                length,
            }))
        }
        Err(Errno::INPROGRESS | Errno::INTR) => {
            let source = Async::register(socket.into(), Directions::NONE)?;
            Ok(Advance::Wait(State::InProgress(address, source)))
        }
        Err(cause) => Err(refused(&address, cause.into())),
    }
}

fn refused(address: &unix::SocketAddr, cause: io::Error) -> io::Error {
    let at = unix_address::name(address);
    error::explain(format!("cannot connect to the Unix socket {at}"), cause)
}
