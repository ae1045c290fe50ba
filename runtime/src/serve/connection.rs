//! What a handler is given: [`Connection`].

use core::fmt;
use std::sync::Arc;

use super::shared::Shared;

/// A connection that was accepted, as the handler of a server gets it.
///
/// # Examples
///
/// ```
/// # use tenter::net::{Connection, TcpStream};
/// # use std::net::SocketAddr;
/// async fn handle(connection: Connection<TcpStream, SocketAddr>) {
///     let Connection { stream, peer, .. } = connection;
///     println!("{peer} has connected");
///     drop(stream);
/// }
/// # drop(handle);
/// ```
#[non_exhaustive]
pub struct Connection<S, A> {
    /// The stream.
    pub stream: S,
    /// The address at its other end.
    pub peer: A,
    /// Tells when the server wants the connection to finish.
    pub closing: Closing,
}

impl<S, A> Connection<S, A> {
    pub(super) fn new(stream: S, peer: A, server: Arc<Shared>) -> Connection<S, A> {
        Connection {
            stream,
            peer,
            closing: Closing(server),
        }
    }
}

impl<S: fmt::Debug, A: fmt::Debug> fmt::Debug for Connection<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("stream", &self.stream)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Tells a connection that its server is closing, so that it can say goodbye before the drain
/// timeout is over. See [`Connection::closing`].
///
/// # Examples
///
/// The next line, or the end of the server, whichever comes first. Without this, a client that says
/// nothing keeps a closing server for the whole of the drain timeout.
///
/// ```
/// use std::future::{Future, poll_fn};
/// use std::net::SocketAddr;
/// use std::pin::{Pin, pin};
/// use std::task::Poll;
///
/// use tenter::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
/// use tenter::net::{Connection, TcpStream};
///
/// async fn echo(connection: Connection<TcpStream, SocketAddr>) -> std::io::Result<()> {
///     let Connection { stream, closing, .. } = connection;
///     let (reader, mut writer) = stream.into_split();
///     let mut lines = BufReader::new(reader).lines();
///     let mut end = pin!(closing.requested());
///     loop {
///         let next = poll_fn(|cx| match end.as_mut().poll(cx) {
///             Poll::Ready(()) => Poll::Ready(Ok(None)),
///             Poll::Pending => Pin::new(&mut lines).poll_next_line(cx),
///         });
///         let Some(line) = next.await? else { break };
///         writer.write_all(format!("{line}\n").as_bytes()).await?;
///     }
///     writer.write_all(b"goodbye\n").await
/// }
/// # drop(echo);
/// ```
#[derive(Clone)]
pub struct Closing(Arc<Shared>);

impl Closing {
    /// Waits until the server is asked to close, or has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn requested(&self) {
        self.0.closing.wait().await;
    }

    /// Whether the server was asked to close, or has ended.
    pub fn is_requested(&self) -> bool {
        self.0.closing.is_open()
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing")
            .field("is_requested", &self.is_requested())
            .finish()
    }
}
