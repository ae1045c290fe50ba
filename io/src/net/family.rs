//! What the sockets of the standard library have in common, and what tells them apart.
//!
//! The sockets of this module are three generic types over those of the standard library:
//!
//! ```text
//!   StreamSocket<S>      net::TcpStream      unix::UnixStream
//!   ListeningSocket<S>   net::TcpListener    unix::UnixListener
//!   DatagramSocket<S>    net::UdpSocket      unix::UnixDatagram
//! ```
//!
//! What all have is written once, on the generic type; what one has alone, on its alias.
//!
//! Rejected: one macro that writes the methods of each type. Their documentation would be written
//! nowhere, and errors would point into the macro.

use std::fmt;
use std::io;
use std::net;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net as unix;

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketType};

use crate::error;
use crate::net::unix_address;

/// A stream of the standard library: that of TCP, or of a Unix socket.
///
/// This trait is sealed: it cannot be implemented outside of this crate.
pub trait StdStream: Family {}

/// A listener of the standard library: that of TCP, or of a Unix socket.
///
/// This trait is sealed: it cannot be implemented outside of this crate.
pub trait StdListener: Family {
    /// What it accepts.
    type Stream: StdStream;
}

/// A datagram socket of the standard library: that of UDP, or of Unix.
///
/// This trait is sealed: it cannot be implemented outside of this crate.
pub trait StdDatagram: Family {}

/// A socket of the standard library.
pub trait Family: AsFd + AsRawFd + fmt::Debug + From<OwnedFd> + Into<OwnedFd> + Unpin {
    /// Where it stands.
    type Address: FromSystem;

    /// Stream or datagram.
    const KIND: SocketType;

    /// Whether a peer can send descriptors along. A read ends where one comes, too; so one that
    /// fills less than its buffer need not have taken all there was, and what is behind would wait
    /// for an event that has already been.
    const CARRIES_DESCRIPTORS: bool;

    /// Refuses a descriptor of another kind.
    fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let number = fd.as_raw_fd();
        let refuse = |cause| {
            error::explain(
                format!(
                    "file descriptor {number} is no socket of the kind `{}`",
                    std::any::type_name::<Self>()
                ),
                cause,
            )
        };
        let kind = rustix::net::sockopt::socket_type(&fd).map_err(|cause| refuse(cause.into()))?;
        let address = rustix::net::getsockname(&fd).map_err(|cause| refuse(cause.into()))?;
        Self::Address::from_system(Some(address)).map_err(refuse)?;
        if kind != Self::KIND {
            return Err(refuse(Errno::PROTOTYPE.into()));
        }
        Ok(fd.into())
    }
}

/// An address, as the system tells it.
pub trait FromSystem: fmt::Debug + Sized {
    /// Converts it; the system tells `None` of a sender without a name.
    fn from_system(address: Option<SocketAddrAny>) -> io::Result<Self>;

    /// For messages.
    fn name(&self) -> String;
}

impl FromSystem for net::SocketAddr {
    #[inline]
    fn from_system(address: Option<SocketAddrAny>) -> io::Result<Self> {
        Ok(address.ok_or(Errno::AFNOSUPPORT)?.try_into()?)
    }

    fn name(&self) -> String {
        self.to_string()
    }
}

impl FromSystem for unix::SocketAddr {
    fn from_system(address: Option<SocketAddrAny>) -> io::Result<Self> {
        match address {
            Some(address) => unix_address::from_any(address),
            None => unix_address::unnamed(),
        }
    }

    fn name(&self) -> String {
        unix_address::name(self)
    }
}

impl Family for net::TcpStream {
    type Address = net::SocketAddr;
    const KIND: SocketType = SocketType::STREAM;
    const CARRIES_DESCRIPTORS: bool = false;
}

impl StdStream for net::TcpStream {}

impl Family for net::TcpListener {
    type Address = net::SocketAddr;
    const KIND: SocketType = SocketType::STREAM;
    const CARRIES_DESCRIPTORS: bool = false;
}

impl StdListener for net::TcpListener {
    type Stream = net::TcpStream;
}

impl Family for net::UdpSocket {
    type Address = net::SocketAddr;
    const KIND: SocketType = SocketType::DGRAM;
    const CARRIES_DESCRIPTORS: bool = false;
}

impl StdDatagram for net::UdpSocket {}

impl Family for unix::UnixStream {
    type Address = unix::SocketAddr;
    const KIND: SocketType = SocketType::STREAM;
    const CARRIES_DESCRIPTORS: bool = true;
}

impl StdStream for unix::UnixStream {}

impl Family for unix::UnixListener {
    type Address = unix::SocketAddr;
    const KIND: SocketType = SocketType::STREAM;
    const CARRIES_DESCRIPTORS: bool = true;
}

impl StdListener for unix::UnixListener {
    type Stream = unix::UnixStream;
}

impl Family for unix::UnixDatagram {
    type Address = unix::SocketAddr;
    const KIND: SocketType = SocketType::DGRAM;
    const CARRIES_DESCRIPTORS: bool = true;
}

impl StdDatagram for unix::UnixDatagram {}
