//! The connections of a listener, one after another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::net::listener::{Accept, TcpListener};
use crate::net::stream::TcpStream;

/// The connections of a listener. See [`TcpListener::incoming`].
///
/// ```no_run
/// # async fn example(listener: tenter_io::net::TcpListener) -> std::io::Result<()> {
/// let mut incoming = listener.incoming();
/// loop {
///     match incoming.next().await {
///         Ok(stream) => drop(stream),
///         // Out of file descriptors, say. The next call pauses by itself.
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    accept: Accept<'a>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(listener: &'a TcpListener) -> Self {
        Incoming {
            listener,
            accept: listener.accept(),
        }
    }

    /// Waits for the next connection; there is always another. Errors and pauses are those of
    /// [`TcpListener::accept`].
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`].
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "it returns a future, as a stream's `next` does"
    )]
    pub fn next(&mut self) -> Next<'_, 'a> {
        Next(self)
    }

    /// The next connection, or the task is woken when there is one.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`].
    pub fn poll_next_connection(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let accepted = Pin::new(&mut self.accept).poll(cx);
        if accepted.is_ready() {
            self.accept = self.listener.accept();
        }
        accepted.map_ok(|(stream, _peer)| stream)
    }
}

/// The future of [`Incoming::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'i, 'a>(&'i mut Incoming<'a>);

impl Future for Next<'_, '_> {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next_connection(cx)
    }
}
