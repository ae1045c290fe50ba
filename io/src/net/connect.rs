//! Connecting: addresses race, and the first that answers wins (RFC 8305, "Happy Eyeballs").
//!
//! ```text
//!   target ─► (lookup, families in turns) ─► next address ─► socket, connect ─┬─ done: won
//!                                               ▲                             │
//!                       one failed, or 250 ms ──┤                             ▼
//!                       without an answer       └─────────────── attempts in progress ─► one done:
//!                                                                                        won
//! ```
//!
//! A connection on this machine is usually complete when the system call returns although it says
//! "in progress", so it is looked at once before the poller is asked. A single address arms no
//! timer, and allocates only if it has to wait.
//!
//! Invariants:
//! - I1: while there are addresses left and no attempt has won, an attempt is in progress with the
//!   delay armed, or the next attempt is due.
//! - I2: the winner is taken out and all others are closed in the same poll.
//! - I3: the budget is spent before an attempt begins: nothing is lost when it is used up.
//!
//! Where the time is limited, by [`ConnectTimeout`] or by the scopes around, the delay is an equal share
//! of it for each address that is left, if that is shorter: no address that is silent takes the time of
//! those after it.
//!
//! RFC 8305 also begins to connect to one family while the lookup of the other goes on. The system's
//! lookup answers both at once, so there is nothing to begin with.
//!
//! Rejected: families in turns also for a slice of addresses. Whoever gives one has an order.
//!
//! Tests: `io/tests/connect.rs`, `io/tests/stream.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::SocketType;
use tenter_sync::budget;
use tenter_sync::current::{self, WaitKind};
use tenter_timer::{Elapsed, Instant, Sleep, Timeout, now, sleep, timeout};

use crate::async_fd::Async;
use crate::error;
use crate::interest::{Direction, Directions};
use crate::limits::{CONNECT_ATTEMPT_DELAY, CONNECT_ATTEMPT_DELAY_MIN};
use crate::net::address::{Addresses, Target, ToSocketAddrs};
use crate::net::around;
use crate::net::stream::StreamSocket;
use crate::net::sys;
use crate::net::tcp::TcpStream;
use crate::slot::Place;

/// The future of [`TcpStream::connect`] and [`TcpSocket::connect`](crate::net::TcpSocket::connect).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Connect {
    state: State,
    /// When its time is over, unless the scopes around end before.
    by: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Resolving(Target),
    Racing(Race),
}

impl Connect {
    pub(crate) fn new(address: impl ToSocketAddrs) -> Self {
        Connect {
            state: State::Resolving(address.target()),
            by: None,
        }
    }

    /// With a socket of the caller's own.
    pub(crate) fn with_socket(socket: OwnedFd, address: SocketAddr) -> Self {
        let mut race = Race::new(address.into());
        race.socket = Some(socket);
        Connect {
            state: State::Racing(race),
            by: None,
        }
    }

    /// What is still in progress, for the error of a timeout.
    fn progress(&self) -> String {
        match &self.state {
            State::Resolving(Target::Host(lookup)) => {
                format!("the lookup of host `{}` is not answered", lookup.host())
            }
            State::Resolving(_) => "nothing was tried".to_owned(),
            State::Racing(race) => race.progress(),
        }
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let by = self.by;
            match &mut self.state {
                State::Racing(race) => return race.poll(by, cx),
                State::Resolving(target) => {
                    let is_host = matches!(target, Target::Host(_));
                    let mut addresses = ready!(target.poll_addresses(cx))?;
                    if is_host {
                        addresses = addresses.interleaved();
                    }
                    self.state = State::Racing(Race::new(addresses));
                }
            }
        }
    }
}

/// Attempts side by side.
#[derive(Debug)]
struct Race {
    left: Addresses,
    /// For the first address, if the caller has prepared one.
    socket: Option<OwnedFd>,
    /// The earliest first.
    attempts: Vec<Attempt>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// The next address is to be tried now.
    is_due: bool,
    /// When it is due otherwise. Armed while an address is left.
    delay: Option<Pin<Box<Sleep>>>,
}

/// One address that is being tried. Its socket is ready for nothing until the system says so.
#[derive(Debug)]
struct Attempt {
    address: SocketAddr,
    source: Async<net::TcpStream>,
}

impl Attempt {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source
            .poll_io(Direction::Write, Place::Poller, cx, |socket| {
                // A readiness that turns out to be nothing is waited for again.
                sys::connected(socket).unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
            })
    }
}

impl Race {
    fn new(addresses: Addresses) -> Self {
        Race {
            left: addresses,
            socket: None,
            attempts: Vec::new(),
            failures: Vec::new(),
            is_due: true,
            delay: None,
        }
    }

    fn poll(&mut self, by: Option<Instant>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Some(source) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(self.won(StreamSocket::from_source(source))));
            }
            if !self.is_due {
                ready!(self.poll_delay(cx));
                self.is_due = true;
            }
            if self.left.len() == 0 {
                if !self.attempts.is_empty() {
                    return Poll::Pending;
                }
                let failures = std::mem::take(&mut self.failures);
                return Poll::Ready(Err(error::all_failed("connect to", failures)));
            }
            ready!(budget::poll_spend(cx)); // I3
            if let Some(stream) = self.begin_next(by) {
                return Poll::Ready(Ok(self.won(stream)));
            }
        }
    }

    /// Looks at all attempts; those that have failed are noted, and make the next one due.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Async<net::TcpStream>> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            match attempt.poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(())) => return Some(self.attempts.remove(index).source),
                Poll::Ready(Err(error)) => {
                    let attempt = self.attempts.remove(index);
                    self.failures.push((attempt.address, error));
                    self.is_due = true;
                }
            }
        }
        None
    }

    fn poll_delay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(delay) = &mut self.delay else {
            return Poll::Pending;
        };
        // The next address is also due where the runtime has ended.
        let due = delay.as_mut().poll_pause(cx).map(drop);
        if due.is_pending() {
            // For a diagnosis the task waits for the connection, not for the clock.
            current::waiting_on(WaitKind::Writable, &raw const *self);
        }
        due
    }

    /// Tries the next address. The answer is there if it is connected already.
    fn begin_next(&mut self, by: Option<Instant>) -> Option<TcpStream> {
        let address = self.left.next()?;
        match begin(self.socket.take(), address) {
            Ok(Begun::Connected(stream)) => return Some(stream),
            Ok(Begun::InProgress(source)) => {
                self.attempts.push(Attempt { address, source });
                self.is_due = false;
                let left = self.left.len();
                self.delay = (left > 0).then(|| Box::pin(sleep(delay(by, left))));
            }
            Err(error) => self.failures.push((address, error)),
        }
        None
    }

    /// Closes all attempts but this one. I2.
    fn won(&mut self, winner: TcpStream) -> TcpStream {
        self.attempts.clear();
        self.delay = None;
        winner
    }

    fn progress(&self) -> String {
        let mut parts = Vec::new();
        for attempt in &self.attempts {
            parts.push(format!("{} has not answered", attempt.address));
        }
        for (address, error) in &self.failures {
            parts.push(format!("{address}: {error}"));
        }
        match self.left.len() {
            0 => {}
            1 => parts.push("one more address was not tried".to_owned()),
            count => parts.push(format!("{count} more addresses were not tried")),
        }
        parts.join("; ")
    }
}

/// How long an attempt goes on alone, with so many addresses left.
fn delay(by: Option<Instant>, left: usize) -> Duration {
    let Some(by) = by.into_iter().chain(around::deadline()).min() else {
        return CONNECT_ATTEMPT_DELAY;
    };
    let attempts = u32::try_from(left + 1).unwrap_or(u32::MAX);
    let share = by.duration_since(now()) / attempts;
    share.clamp(CONNECT_ATTEMPT_DELAY_MIN, CONNECT_ATTEMPT_DELAY)
}

enum Begun {
    Connected(TcpStream),
    InProgress(Async<net::TcpStream>),
}

fn begin(socket: Option<OwnedFd>, address: SocketAddr) -> io::Result<Begun> {
    let socket = match socket {
        Some(socket) => socket,
        None => sys::new_socket(sys::family_of(&address), SocketType::STREAM)?,
    };
    sys::connect(&socket, &address)?;
    match sys::connected(&socket) {
        Some(outcome) => {
            outcome?;
            let source = Async::register(socket.into(), Directions::BOTH)?;
            Ok(Begun::Connected(StreamSocket::from_source(source)))
        }
        // The poller reports what has happened before the registration too.
        None => Async::register(socket.into(), Directions::NONE).map(Begun::InProgress),
    }
}

/// The future of [`TcpStream::connect_timeout`].
#[must_use = "futures do nothing unless awaited"]
pub struct ConnectTimeout {
    connecting: Pin<Box<Timeout<Connect>>>,
    elapsed: Option<Elapsed>,
}

impl ConnectTimeout {
    #[track_caller]
    pub(crate) fn new(address: impl ToSocketAddrs, limit: Duration) -> Self {
        let mut connect = Connect::new(address);
        connect.by = Some(now() + limit);
        ConnectTimeout {
            connecting: Box::pin(timeout(limit, connect)),
            elapsed: None,
        }
    }
}

impl Future for ConnectTimeout {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let elapsed = match self.elapsed {
            Some(elapsed) => elapsed,
            None => match ready!(self.connecting.as_mut().poll(cx)) {
                Ok(outcome) => return Poll::Ready(outcome),
                Err(elapsed) => elapsed,
            },
        };
        self.elapsed = Some(elapsed);
        if around::ends(now()) {
            // The scope says that its time is over.
            return Poll::Pending;
        }
        let progress = self.connecting.get_ref().progress();
        let sentence = format!("cannot connect: {progress}");
        Poll::Ready(Err(error::explain(sentence, elapsed.into())))
    }
}

impl fmt::Debug for ConnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectTimeout")
            .field(self.connecting.get_ref())
            .finish()
    }
}
