//! [`Listener`]: what a server can accept connections from.

use core::fmt::Debug;
use core::future::Future;
use std::io;
use std::net::SocketAddr;

use tenter_io::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that listens: a [`TcpListener`] or a [`UnixListener`].
///
/// Sealed: whatever else yields connections has a loop of its own.
pub trait Listener: sealed::Sealed + Send + Sync + 'static {
    /// What a handler talks through.
    type Stream: Send + 'static;

    /// Who is at the other end.
    type Address: Debug + Send + 'static;

    /// Waits for a connection. After an error that says that the system has no room, the next call
    /// pauses. Dropping the future loses no connection.
    #[doc(hidden)]
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Address)>> + Send;

    /// Where it listens, for messages.
    #[doc(hidden)]
    fn place(&self) -> String;

    /// What stands for the peer in a report.
    #[doc(hidden)]
    fn peer(address: &Self::Address) -> Option<SocketAddr>;
}

pub mod sealed {
    /// Who may be a listener.
    pub trait Sealed {}
}

impl sealed::Sealed for TcpListener {}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn next(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        self.accept()
    }

    fn place(&self) -> String {
        match self.local_addr() {
            Ok(address) => address.to_string(),
            Err(_) => "an unknown address".to_owned(),
        }
    }

    fn peer(address: &SocketAddr) -> Option<SocketAddr> {
        Some(*address)
    }
}

impl sealed::Sealed for UnixListener {}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Address = std::os::unix::net::SocketAddr;

    fn next(&self) -> impl Future<Output = io::Result<(UnixStream, Self::Address)>> + Send {
        self.accept()
    }

    fn place(&self) -> String {
        let address = self.local_addr();
        let path = address
            .as_ref()
            .ok()
            .and_then(|address| address.as_pathname());
        match path {
            Some(path) => path.display().to_string(),
            None => "a socket without a path".to_owned(),
        }
    }

    /// Hardly any client of a Unix socket has a name.
    fn peer(_: &Self::Address) -> Option<SocketAddr> {
        None
    }
}
