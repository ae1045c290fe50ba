//! TCP.
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

pub use crate::net::address::ToSocketAddrs;
pub use crate::net::connect::{Connect, ConnectTimeout};
pub use crate::net::incoming::{Incoming, Next};
pub use crate::net::listener::{Accept, Bind, TcpListener};
pub use crate::net::split::{ReadHalf, WriteHalf};
pub use crate::net::split_owned::{OwnedReadHalf, OwnedWriteHalf, UnsplitError};
pub use crate::net::stream::{Peek, TcpStream};

mod address;
mod connect;
mod incoming;
mod listener;
mod lookup;
mod split;
mod split_owned;
mod stream;
mod sys;
mod through;
