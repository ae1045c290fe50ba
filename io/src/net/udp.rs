//! What UDP has of its own: addresses to bind and send to, broadcast and multicast.
//!
//! Tests: `io/tests/udp.rs`, `io/tests/cancel.rs`.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::SocketType;

use crate::async_fd::Waiting;
use crate::error;
use crate::interest::{Direction, Interest};
use crate::net::address::{Addresses, Target, ToSocketAddrs};
use crate::net::datagram::DatagramSocket;
use crate::net::{options, sys};
use crate::slot::Place;

/// A UDP socket.
///
/// What it has in common with other datagram sockets is described at [`DatagramSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::UdpSocket;
///
/// # async fn example() -> std::io::Result<()> {
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// socket.send_to(b"ping", "127.0.0.1:9000").await?;
/// let mut buffer = [0; 1500];
/// let (count, from) = socket.recv_from(&mut buffer).await?;
/// # drop((count, from));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "create_datagram_endpoint")]
pub type UdpSocket = DatagramSocket<net::UdpSocket>;

/// Options that take a value as it is.
macro_rules! option {
    ($(#[$meta:meta])* $get:ident, $set:ident: $type:ty) => {
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// Those of the operating system.
        pub fn $get(&self) -> io::Result<$type> {
            options::of(self).$get()
        }

        #[doc = concat!("Sets what [`", stringify!($get), "`](Self::", stringify!($get), ") tells.")]
        ///
        /// # Errors
        ///
        /// Those of the operating system.
        pub fn $set(&self, value: $type) -> io::Result<()> {
            options::of(self).$set(value)
        }
    };
}

impl DatagramSocket<net::UdpSocket> {
    /// Opens a socket at `address`: at the first one that works, if there are several. Port 0 lets
    /// the system choose one, which [`local_addr`](Self::local_addr) tells.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or none can be bound, with the reason for each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was opened.
    pub fn bind<A: ToSocketAddrs>(address: A) -> UdpBind {
        UdpBind(address.target())
    }

    /// Sends to `address` from now on, and receives from there alone: from the first one that works,
    /// if there are several. Nothing is sent by this.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or there is no way to any, with the reason for
    /// each.
    ///
    /// # Cancel safety
    ///
    /// Nothing has changed when the future is dropped before it is ready.
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> UdpConnect<'_> {
        UdpConnect {
            socket: self,
            target: address.target(),
        }
    }

    /// Sends a message to `address`: to the first one of this socket's family, if there are several.
    /// Returned is its length.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or there is no way to it, or the message is too
    /// long; or what a message before this one has met.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped before it is ready.
    #[doc(alias = "sock_sendto")]
    pub fn send_to<'a, A: ToSocketAddrs>(&'a self, message: &'a [u8], address: A) -> SendTo<'a> {
        SendTo {
            socket: self,
            waiting: self.source().waiting(),
            message,
            to: match address.target() {
                Target::One(address) => To::Known(address),
                target => To::Unknown(target),
            },
        }
    }

    /// As [`send_to`](Self::send_to), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        message: &[u8],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.source()
            .poll_io(Direction::Write, Place::Poller, cx, |socket| {
                sys::send_to(socket, message, &address)
            })
    }

    /// Sends a message to `address`, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; else as
    /// [`send_to`](Self::send_to).
    pub fn try_send_to(&self, message: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, || sys::send_to(self, message, &address))
    }

    option! {
        /// Whether messages may be sent to all on the local network.
        broadcast, set_broadcast: bool
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

    option! {
        /// The size of the buffer for what is sent, in bytes, as the system counts it: Linux gives
        /// twice what was asked for.
        send_buffer_size, set_send_buffer_size: usize
    }

    option! {
        /// The size of the buffer for what is received, in bytes, as the system counts it: Linux
        /// gives twice what was asked for. What does not fit is lost.
        recv_buffer_size, set_recv_buffer_size: usize
    }

    option! {
        /// Whether multicast messages of this machine come back to it, with IPv4.
        multicast_loop_v4, set_multicast_loop_v4: bool
    }

    option! {
        /// Whether multicast messages of this machine come back to it, with IPv6.
        multicast_loop_v6, set_multicast_loop_v6: bool
    }

    option! {
        /// The time to live of outgoing multicast packets, with IPv4: 1 stays in the local network.
        multicast_ttl_v4, set_multicast_ttl_v4: u32
    }

    option! {
        /// The hop limit of outgoing multicast packets, with IPv6: 1 stays in the local network.
        multicast_hops_v6, set_multicast_hops_v6: u32
    }

    /// The address of the interface that multicast messages leave by, with IPv4.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn multicast_if_v4(&self) -> io::Result<Ipv4Addr> {
        options::of(self).multicast_if_v4()
    }

    /// Sets the interface that multicast messages leave by, with IPv4.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_multicast_if_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        options::of(self).set_multicast_if_v4(&interface)
    }

    option! {
        /// The index of the interface that multicast messages leave by, with IPv6; 0 for any.
        multicast_if_v6, set_multicast_if_v6: u32
    }

    /// Receives what is sent to `group`, by the interface with this address; the unspecified address
    /// lets the system choose.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::of(self).join_multicast_v4(&group, &interface)
    }

    /// Ends what [`join_multicast_v4`](Self::join_multicast_v4) began.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::of(self).leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to `group`, by the interface with this index; 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::of(self).join_multicast_v6(&group, interface)
    }

    /// Ends what [`join_multicast_v6`](Self::join_multicast_v6) began.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::of(self).leave_multicast_v6(&group, interface)
    }
}

impl TryFrom<net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }
}

impl From<UdpSocket> for net::UdpSocket {
    fn from(socket: UdpSocket) -> net::UdpSocket {
        socket.into_std()
    }
}

/// The future of [`UdpSocket::bind`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct UdpBind(Target);

impl Future for UdpBind {
    type Output = io::Result<UdpSocket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addresses = ready!(self.0.poll_addresses(cx))?;
        Poll::Ready(first_that_works(
            "bind a UDP socket to",
            addresses,
            |address| {
                let socket = sys::new_socket(sys::family_of(&address), SocketType::DGRAM)?;
                rustix::net::bind(&socket, &address)?;
                UdpSocket::new(socket, None)
            },
        ))
    }
}

/// The future of [`UdpSocket::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct UdpConnect<'a> {
    socket: &'a UdpSocket,
    target: Target,
}

impl Future for UdpConnect<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addresses = ready!(self.target.poll_addresses(cx))?;
        let socket = self.socket;
        Poll::Ready(first_that_works(
            "connect a UDP socket to",
            addresses,
            |address| Ok(rustix::net::connect(socket, &address)?),
        ))
    }
}

fn first_that_works<R>(
    what: &'static str,
    addresses: Addresses,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut failures = Vec::new();
    for address in addresses {
        match attempt(address) {
            Ok(result) => return Ok(result),
            Err(error) => failures.push((address, error)),
        }
    }
    Err(error::all_failed(what, failures))
}

/// The future of [`UdpSocket::send_to`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendTo<'a> {
    socket: &'a UdpSocket,
    waiting: Waiting<'a>,
    message: &'a [u8],
    to: To,
}

#[derive(Debug)]
enum To {
    Known(SocketAddr),
    Unknown(Target),
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let address = match &mut this.to {
            To::Known(address) => *address,
            To::Unknown(target) => {
                let addresses = ready!(target.poll_addresses(cx))?;
                let address = choose(this.socket, addresses)?;
                this.to = To::Known(address);
                address
            }
        };
        let place = this.waiting.place();
        let source = this.socket.source();
        source.poll_io(Direction::Write, place, cx, |socket| {
            sys::send_to(socket, this.message, &address)
        })
    }
}

/// The first address that this socket may be able to send to.
fn choose(socket: &UdpSocket, addresses: Addresses) -> io::Result<SocketAddr> {
    let mut addresses = addresses.peekable();
    let first = addresses.peek().copied();
    let is_v6 = options::is_v6(socket)?;
    let same_family = addresses.find(|address| address.is_ipv6() == is_v6);
    same_family
        .or(first)
        .ok_or_else(|| error::all_failed("send to", Vec::new()))
}
