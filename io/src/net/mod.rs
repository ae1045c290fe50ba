//! Sockets: TCP, UDP, and those of Unix.
//!
//! ```no_run
//! use tenter_io::net::TcpListener;
//! use tenter_io::{AsyncReadExt, AsyncWriteExt};
//!
//! # async fn example() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let (mut stream, peer) = listener.accept().await?;
//! let mut buffer = [0; 1024];
//! let count = stream.read(&mut buffer).await?;
//! stream.write_all(&buffer[..count]).await?;
//! # drop(peer);
//! # Ok(())
//! # }
//! ```

pub use crate::error::AttemptErrors;
pub use crate::net::address::ToSocketAddrs;
#[doc(hidden)]
pub use crate::net::around::{Around, set_around};
pub use crate::net::connect::{Connect, ConnectTimeout};
pub use crate::net::credentials::Credentials;
pub use crate::net::datagram::{DatagramSocket, Recv, RecvFrom, SendOne};
pub use crate::net::family::{StdDatagram, StdListener, StdStream};
pub use crate::net::incoming::{Incoming, Next};
pub use crate::net::keepalive::Keepalive;
pub use crate::net::listener::{Accept, ListeningSocket};
pub use crate::net::lookup::{LookupHost, lookup_host};
pub use crate::net::socket::TcpSocket;
pub use crate::net::split::{ReadHalf, WriteHalf};
pub use crate::net::split_owned::{OwnedReadHalf, OwnedWriteHalf, UnsplitError};
pub use crate::net::stream::{Peek, StreamSocket};
pub use crate::net::tcp::{Bind, TcpListener, TcpStream};
pub use crate::net::udp::{SendTo, UdpBind, UdpConnect, UdpSocket};
pub use crate::net::udp_batch::{DatagramBatch, RecvMany, SendMany};
pub use crate::net::unix::{UnixConnect, UnixListener, UnixStream};
pub use crate::net::unix_address::ToUnixAddr;
pub use crate::net::unix_datagram::{UnixDatagram, UnixSendTo};

mod address;
mod around;
mod connect;
mod credentials;
mod datagram;
mod family;
mod incoming;
mod keepalive;
mod listener;
mod lookup;
mod options;
mod pause;
mod socket;
mod socket_file;
mod split;
mod split_owned;
mod stream;
mod sys;
mod tcp;
mod through;
mod udp;
mod udp_batch;
mod unix;
mod unix_address;
mod unix_datagram;
