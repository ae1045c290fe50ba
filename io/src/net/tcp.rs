//! What TCP has of its own: connecting, listening and options.
//!
//! Tests: `io/tests/stream.rs`, `io/tests/listener.rs`, `io/tests/connect.rs`,
//! `io/tests/socket.rs`.

use std::io;
use std::net;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::async_fd::Async;
use crate::error;
use crate::limits::LISTEN_BACKLOG;
use crate::net::address::{Target, ToSocketAddrs};
use crate::net::connect::{Connect, ConnectTimeout};
use crate::net::keepalive::Keepalive;
use crate::net::listener::ListeningSocket;
use crate::net::options;
use crate::net::stream::StreamSocket;
use crate::net::sys;

/// A TCP connection.
///
/// What it has in common with other streams is described at [`StreamSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpStream;
/// use tenter_io::{AsyncReadExt, AsyncWriteExt};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut stream = TcpStream::connect("localhost:8080").await?;
/// stream.write_all(b"hello").await?;
/// let mut answer = Vec::new();
/// stream.read_to_end(&mut answer).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "open_connection")]
#[doc(alias = "StreamReader")]
#[doc(alias = "StreamWriter")]
pub type TcpStream = StreamSocket<net::TcpStream>;

/// A TCP socket that listens for connections.
///
/// What it has in common with other listeners is described at [`ListeningSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpListener;
///
/// # async fn example() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     # drop((stream, peer));
/// }
/// # }
/// ```
#[doc(alias = "start_server")]
pub type TcpListener = ListeningSocket<net::TcpListener>;

impl StreamSocket<net::TcpStream> {
    /// Connects to `address`: to the one that answers first, if there are several.
    ///
    /// Several addresses are raced, as RFC 8305 ("Happy Eyeballs") says: the next one is tried as
    /// soon as one has failed, or has not answered for 250 ms, while those before it go on. The
    /// first that succeeds wins, the others are closed. The addresses of a host name are tried with
    /// IPv6 and IPv4 in turns, those of a slice in its order. Where a timeout or another scope of
    /// `tenter` around it, or [`connect_timeout`](Self::connect_timeout), leaves less than 250 ms for
    /// each address that is left, each has an equal share of it, and at least 10 ms.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or none can be connected to: every attempt is
    /// named with its reason. [`AttemptErrors`](crate::net::AttemptErrors) is inside the error, if
    /// a program wants to look at them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all attempts.
    #[doc(alias = "create_connection")]
    #[doc(alias = "open_connection")]
    #[doc(alias = "happy_eyeballs_delay")]
    pub fn connect<A: ToSocketAddrs>(address: A) -> Connect {
        Connect::new(address)
    }

    /// Connects to `address` within `limit`, the lookup of a name and all addresses together.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`TimedOut`](io::ErrorKind::TimedOut) when the time is up,
    /// which names the attempts that had not been answered, those that had failed, and how many
    /// addresses were not tried. A scope whose time is up at the same moment says so itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all attempts.
    #[track_caller]
    pub fn connect_timeout<A: ToSocketAddrs>(address: A, limit: Duration) -> ConnectTimeout {
        ConnectTimeout::new(address, limit)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().nodelay()
    }

    /// Sends small writes at once, or collects them.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_nodelay(nodelay)
    }

    /// How long closing goes on sending in the background (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        options::of(self).linger()
    }

    /// Sets how long closing goes on sending, in seconds, of which a part counts as one. Zero makes
    /// closing a reset; more makes the drop of the stream block its thread for so long.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        options::set_linger(self, linger)
    }

    /// How an idle connection is probed; `None` if it is not.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        options::keepalive(self)
    }

    /// Probes an idle connection, or not, so that a peer that has vanished is noticed.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        options::set_keepalive(self, keepalive)
    }

    /// The time to live of outgoing packets; the hop limit on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn ttl(&self) -> io::Result<u32> {
        options::ttl(self)
    }

    /// Sets the time to live of outgoing packets; the hop limit on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        options::set_ttl(self, hops)
    }
}

impl ListeningSocket<net::TcpListener> {
    /// Listens at `address`: at the first one that works, if there are several. Port 0 lets the
    /// system choose one, which [`local_addr`](Self::local_addr) tells.
    ///
    /// On Unix the address may be bound again while connections of an earlier listener still time
    /// out. The system completes up to 1024 connections before they are accepted.
    /// [`TcpSocket`](crate::net::TcpSocket) listens with other settings.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or none can be bound, with the reason for each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was opened.
    pub fn bind<A: ToSocketAddrs>(address: A) -> Bind {
        Bind(address.target())
    }

    /// The time to live of outgoing packets; the hop limit on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn ttl(&self) -> io::Result<u32> {
        options::ttl(self)
    }

    /// Sets the time to live of outgoing packets; the hop limit on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        options::set_ttl(self, hops)
    }
}

/// The future of [`TcpListener::bind`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Bind(Target);

impl Future for Bind {
    type Output = io::Result<TcpListener>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addresses = ready!(self.0.poll_addresses(cx))?;
        let mut failures = Vec::new();
        for address in addresses {
            let bound = sys::listen(address, LISTEN_BACKLOG)
                .and_then(|fd| Async::new_nonblocking(fd.into()));
            match bound {
                Ok(source) => return Poll::Ready(Ok(ListeningSocket::new(source, None))),
                Err(error) => failures.push((address, error)),
            }
        }
        Poll::Ready(Err(error::all_failed("listen at", failures)))
    }
}

impl TryFrom<net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl From<TcpStream> for net::TcpStream {
    fn from(stream: TcpStream) -> net::TcpStream {
        stream.into_std()
    }
}

impl TryFrom<net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl From<TcpListener> for net::TcpListener {
    fn from(listener: TcpListener) -> net::TcpListener {
        listener.into_std()
    }
}
