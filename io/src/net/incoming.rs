//! The connections of a listener, one after another.
//!
//! Tests: `io/tests/listener.rs`, `io/tests/unix.rs`.

use std::io;
use std::net;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::net::family::StdListener;
use crate::net::listener::{Accept, ListeningSocket};
use crate::net::stream::StreamSocket;

/// The connections of a listener. See [`ListeningSocket::incoming`].
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
pub struct Incoming<'a, S = net::TcpListener> {
    listener: &'a ListeningSocket<S>,
    accept: Accept<'a, S>,
}

impl<'a, S: StdListener> Incoming<'a, S> {
    pub(crate) fn new(listener: &'a ListeningSocket<S>) -> Self {
        Incoming {
            listener,
            accept: listener.accept(),
        }
    }

    /// Waits for the next connection; there is always another. Errors and pauses are those of
    /// [`ListeningSocket::accept`].
    ///
    /// # Errors
    ///
    /// As [`ListeningSocket::accept`].
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "it returns a future, as a stream's `next` does"
    )]
    pub fn next(&mut self) -> Next<'_, 'a, S> {
        Next(self)
    }

    /// The next connection, or the task is woken when there is one.
    ///
    /// # Errors
    ///
    /// As [`ListeningSocket::accept`].
    pub fn poll_next_connection(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<StreamSocket<S::Stream>>> {
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
pub struct Next<'i, 'a, S = net::TcpListener>(&'i mut Incoming<'a, S>);

impl<S: StdListener> Future for Next<'_, '_, S> {
    type Output = io::Result<StreamSocket<S::Stream>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next_connection(cx)
    }
}
