//! Connecting: one address after another, until one answers.
//!
//! ```text
//!   target ─► (lookup) ─► next address ─► socket, connect ─┬─ done ─────────► registered stream
//!                             ▲                            └─ in progress ─► wait until writable
//!                             └───── failed: noted ◄───────────────────────────────┘
//! ```
//!
//! A connection on this machine is usually complete when the system call returns although it says
//! "in progress", so it is looked at once before the poller is asked.
//!
//! Tests: `io/tests/stream.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use tenter_timer::{Timeout, timeout};

use crate::async_fd::Async;
use crate::error;
use crate::interest::{Direction, Directions};
use crate::net::address::{Target, ToSocketAddrs};
use crate::net::stream::TcpStream;
use crate::net::sys;
use crate::slot::Place;

/// The future of [`TcpStream::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Connect(State);

#[derive(Debug)]
enum State {
    Resolving(Target),
    Trying(Tries),
}

#[derive(Debug)]
struct Tries {
    left: vec::IntoIter<SocketAddr>,
    /// The address that is being tried. Its socket is ready for nothing until the system says so.
    attempt: Option<(SocketAddr, Async<net::TcpStream>)>,
    failures: Vec<(SocketAddr, io::Error)>,
}

impl Connect {
    pub(crate) fn new(address: impl ToSocketAddrs) -> Self {
        Connect(State::Resolving(address.target()))
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                State::Trying(tries) => return tries.poll(cx),
                State::Resolving(target) => {
                    let addresses = ready!(target.poll_addresses(cx))?;
                    self.0 = State::Trying(Tries {
                        left: addresses.into_iter(),
                        attempt: None,
                        failures: Vec::new(),
                    });
                }
            }
        }
    }
}

impl Tries {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Some((address, source)) = &self.attempt {
                let address = *address;
                let outcome = ready!(source.poll_io(
                    Direction::Write,
                    Place::Poller,
                    cx,
                    // A readiness that turns out to be nothing is waited for again.
                    |socket| {
                        sys::connected(socket)
                            .unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
                    },
                ));
                let attempt = self.attempt.take();
                match (outcome, attempt) {
                    (Ok(()), Some((_, source))) => {
                        return Poll::Ready(Ok(TcpStream::from_source(source)));
                    }
                    (Err(error), _) => self.failures.push((address, error)),
                    (Ok(()), None) => unreachable!("the attempt was there a moment ago"),
                }
            }
            let Some(address) = self.left.next() else {
                let failures = std::mem::take(&mut self.failures);
                return Poll::Ready(Err(error::all_failed("connect to", failures)));
            };
            match begin(address) {
                Ok(Begun::Connected(stream)) => return Poll::Ready(Ok(stream)),
                Ok(Begun::InProgress(source)) => self.attempt = Some((address, source)),
                Err(error) => self.failures.push((address, error)),
            }
        }
    }
}

enum Begun {
    Connected(TcpStream),
    InProgress(Async<net::TcpStream>),
}

fn begin(address: SocketAddr) -> io::Result<Begun> {
    let socket = sys::connect(address)?;
    match sys::connected(&socket) {
        Some(outcome) => {
            outcome?;
            let source = Async::register(socket, Directions::BOTH)?;
            Ok(Begun::Connected(TcpStream::from_source(source)))
        }
        // The poller reports what has happened before the registration too.
        None => Async::register(socket, Directions::NONE).map(Begun::InProgress),
    }
}

/// The future of [`TcpStream::connect_timeout`].
#[must_use = "futures do nothing unless awaited"]
pub struct ConnectTimeout(Pin<Box<Timeout<Connect>>>);

impl ConnectTimeout {
    #[track_caller]
    pub(crate) fn new(address: impl ToSocketAddrs, limit: Duration) -> Self {
        ConnectTimeout(Box::pin(timeout(limit, Connect::new(address))))
    }
}

impl Future for ConnectTimeout {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.0.as_mut().poll(cx)) {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(error::explain("cannot connect".to_owned(), elapsed.into())),
        })
    }
}

impl fmt::Debug for ConnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectTimeout")
            .field(self.0.get_ref())
            .finish()
    }
}
