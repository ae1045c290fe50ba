//! `TcpSocket`: a socket whose options are set before it connects or listens.
//!
//! Tests: `io/tests/socket.rs`.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use socket2::SockRef;

use crate::async_fd::Async;
use crate::error;
use crate::net::connect::Connect;
use crate::net::family::Family;
use crate::net::keepalive::Keepalive;
use crate::net::listener::ListeningSocket;
use crate::net::tcp::TcpListener;
use crate::net::{options, sys};

/// A TCP socket that neither connects nor listens yet, so that its options can be set first.
///
/// It is registered with the driver only by [`connect`](Self::connect) and
/// [`listen`](Self::listen), and may be made anywhere.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpSocket;
///
/// # fn example() -> std::io::Result<()> {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuse_address(true)?;
/// socket.set_reuse_port(true)?;
/// socket.bind(([127, 0, 0, 1], 8080).into())?;
/// let listener = socket.listen(1024)?;
/// # drop(listener);
/// # Ok(())
/// # }
/// ```
pub struct TcpSocket {
    fd: OwnedFd,
}

/// Options that take a value as it is.
macro_rules! option {
    ($(#[$get_meta:meta])* $get:ident, $(#[$set_meta:meta])* $set:ident($value:ident: $type:ty)) => {
        $(#[$get_meta])*
        ///
        /// # Errors
        ///
        /// Those of the operating system.
        pub fn $get(&self) -> io::Result<$type> {
            self.options().$get()
        }

        $(#[$set_meta])*
        ///
        /// # Errors
        ///
        /// Those of the operating system.
        pub fn $set(&self, $value: $type) -> io::Result<()> {
            self.options().$set($value)
        }
    };
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(AddressFamily::INET)
    }

    /// A socket for IPv6, and for IPv4 too unless [`set_only_v6`](Self::set_only_v6) says
    /// otherwise, as the system is set up.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(AddressFamily::INET6)
    }

    /// A socket of the family of `address`.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn new_for(address: SocketAddr) -> io::Result<TcpSocket> {
        TcpSocket::new(sys::family_of(&address))
    }

    fn new(family: AddressFamily) -> io::Result<TcpSocket> {
        let fd = sys::new_socket(family, SocketType::STREAM)?;
        Ok(TcpSocket { fd })
    }

    /// Takes over a stream of the standard library, which should not be connected yet: one that was
    /// made by another library to be set up there. It becomes non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn from_std_stream(stream: net::TcpStream) -> io::Result<TcpSocket> {
        stream.set_nonblocking(true)?;
        Ok(TcpSocket { fd: stream.into() })
    }

    /// Gives the socket an address of this side. Port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// The address is in use, or none of this machine, or of the other family.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        rustix::net::bind(&self.fd, &address).map_err(|cause| {
            error::explain(format!("cannot bind a socket to {address}"), cause.into())
        })
    }

    /// Connects to `address`, with this socket.
    ///
    /// # Errors
    ///
    /// The connection is refused or cannot be made, or the driver cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    pub fn connect(self, address: SocketAddr) -> Connect {
        Connect::with_socket(self.fd, address)
    }

    /// Listens for connections. The system completes up to `backlog` of them before they are
    /// accepted, and no more than it is set up for.
    ///
    /// # Errors
    ///
    /// Those of the operating system, or the driver cannot be started.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        rustix::net::listen(&self.fd, backlog)?;
        let source = Async::new_nonblocking(self.fd.into())?;
        Ok(ListeningSocket::new(source, None))
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        sys::local_addr(self)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sys::take_error(self)
    }

    fn options(&self) -> SockRef<'_> {
        options::of(self)
    }

    option! {
        /// Whether the address may be bound while connections of an earlier socket time out
        /// (`SO_REUSEADDR`).
        reuse_address,
        /// Allows to bind the address while connections of an earlier socket time out. Set it
        /// before [`bind`](Self::bind).
        set_reuse_address(reuse: bool)
    }

    option! {
        /// Whether several sockets may be bound to the same address (`SO_REUSEPORT`).
        reuse_port,
        /// Allows several sockets to be bound to the same address; the system spreads connections
        /// over those that listen. All of them set it, before [`bind`](Self::bind).
        set_reuse_port(reuse: bool)
    }

    /// How long closing goes on sending in the background (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.options().linger()
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

    option! {
        /// The size of the buffer for what is sent, in bytes, as the system counts it: Linux gives
        /// twice what was asked for (`SO_SNDBUF`).
        send_buffer_size,
        /// Asks for a buffer for what is sent, in bytes, and ends its adaptation to the connection.
        set_send_buffer_size(bytes: usize)
    }

    option! {
        /// The size of the buffer for what is received, in bytes, as the system counts it: Linux
        /// gives twice what was asked for (`SO_RCVBUF`).
        recv_buffer_size,
        /// Asks for a buffer for what is received, in bytes, and ends its adaptation to the
        /// connection. A listener hands it on to its connections.
        set_recv_buffer_size(bytes: usize)
    }

    option! {
        /// Whether a socket for IPv6 takes no IPv4 (`IPV6_V6ONLY`).
        only_v6,
        /// Says whether a socket for IPv6 takes no IPv4. Set it before [`bind`](Self::bind).
        set_only_v6(only_v6: bool)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.options().tcp_nodelay()
    }

    /// Sends small writes at once, or collects them.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.options().set_tcp_nodelay(nodelay)
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
    /// Those of the operating system, with what it takes.
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

    /// The type of service of outgoing packets; the traffic class on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn tos(&self) -> io::Result<u32> {
        options::tos(self)
    }

    /// Sets the type of service of outgoing packets; the traffic class on IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        options::set_tos(self, tos)
    }

    /// The network interface that the socket is bound to (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[cfg(target_os = "linux")]
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.options().device()
    }

    /// Sends and receives by this network interface alone, such as `b"eth0"`; `None` for any.
    ///
    /// # Errors
    ///
    /// There is no such interface, or the process may not.
    #[cfg(target_os = "linux")]
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.options().bind_device(interface).map_err(|cause| {
            let name = interface.unwrap_or_default().escape_ascii();
            error::explain(
                format!("cannot bind a socket to the network interface `{name}`"),
                cause,
            )
        })
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Refuses what is no TCP socket. It becomes non-blocking.
impl TryFrom<OwnedFd> for TcpSocket {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<TcpSocket> {
        TcpSocket::from_std_stream(net::TcpStream::from_fd(fd)?)
    }
}

impl From<TcpSocket> for OwnedFd {
    fn from(socket: TcpSocket) -> OwnedFd {
        socket.fd
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket")
            .field("fd", &self.fd.as_raw_fd())
            .field("local_addr", &self.local_addr().ok())
            .finish()
    }
}
