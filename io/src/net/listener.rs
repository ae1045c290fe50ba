//! `TcpListener`: taking connections, and what to do when the system cannot give one.
//!
//! | `accept` says                            | it is about            | here                   |
//! |------------------------------------------|------------------------|------------------------|
//! | `EAGAIN`                                 | –                      | wait                   |
//! | `EINTR`                                  | –                      | try again              |
//! | `ECONNABORTED`, `EPROTO`, network errors | one connection, gone   | try again, count       |
//! | `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`  | this process or system | tell the caller, pause |
//! | anything else                            | the listener           | tell the caller        |
//!
//! The pause belongs to the listener, not to a loop around it: whoever calls `accept` again at once
//! waits 5 ms, then 10, and so on up to 500 ms, until a connection could be taken. The descriptor
//! stays readable meanwhile, so a loop that only logs the error would otherwise spin.
//!
//! Tests: `io/tests/listener.rs`, `io/tests/faults.rs`, `io/tests/others.rs`.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};
use tenter_timer::{Instant, Sleep, sleep_until};

use crate::async_fd::{Async, Waiting};
use crate::error;
use crate::interest::Direction;
use crate::limits::{ACCEPT_PAUSE_MAX, ACCEPT_PAUSE_MIN};
use crate::net::address::{Target, ToSocketAddrs};
use crate::net::incoming::Incoming;
use crate::net::stream::TcpStream;
use crate::net::sys;

/// A TCP socket that listens for connections.
///
/// Any number of tasks may accept from one listener.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpListener;
///
/// # async fn example() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (stream, peer) = listener.accept().await?;
///     # drop((stream, peer));
/// }
/// # }
/// ```
#[doc(alias = "start_server")]
pub struct TcpListener {
    source: Async<net::TcpListener>,
    pause: Mutex<Pause>,
    aborted: AtomicU64,
}

impl TcpListener {
    /// Listens at `address`: at the first one that works, if there are several. Port 0 lets the
    /// system choose one, which [`local_addr`](Self::local_addr) tells.
    ///
    /// On Unix the address may be bound again while connections of an earlier listener still time
    /// out. The system completes up to 1024 connections before they are accepted.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or none can be bound, with the reason for each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was opened.
    pub fn bind<A: ToSocketAddrs>(address: A) -> Bind {
        Bind(address.target())
    }

    /// Takes over a listener of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        Async::new(listener).map(TcpListener::new)
    }

    /// Gives the listener to the standard library. It stays non-blocking.
    pub fn into_std(self) -> net::TcpListener {
        self.source.into_inner()
    }

    fn new(source: Async<net::TcpListener>) -> TcpListener {
        TcpListener {
            source,
            pause: Mutex::new(Pause::default()),
            aborted: AtomicU64::new(0),
        }
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// The process or the system is out of file descriptors or memory: the error says so, and the
    /// next call pauses before it tries again, from 5 up to 500 ms, so that a loop which only logs
    /// it does not spin. Connections that were reset before they could be accepted are no errors;
    /// they are [counted](Self::aborted_count).
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    #[doc(alias = "sock_accept")]
    pub fn accept(&self) -> Accept<'_> {
        Accept {
            listener: self,
            waiting: self.source.waiting(),
            pause: None,
        }
    }

    /// All connections, one after another, for as long as they are asked for.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self)
    }

    /// The address that this listens at.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// The time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get_ref().ttl()
    }

    /// Sets the time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.source.get_ref().set_ttl(hops)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.source.get_ref().take_error()
    }

    /// How many connections were gone before they could be accepted.
    pub fn aborted_count(&self) -> u64 {
        // ORDERING: Relaxed. A statistic.
        self.aborted.load(Ordering::Relaxed)
    }

    /// One try: an error to try again after is told as `Interrupted`.
    fn try_accept(&self, listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
        let result = sys::accept(listener);
        let errno = match &result {
            Ok(_) => {
                self.pause.lock().end();
                return result;
            }
            Err(error) => error.raw_os_error().map(Errno::from_raw_os_error),
        };
        match errno {
            Some(errno) if is_about_one_connection(errno) => {
                // ORDERING: Relaxed. A statistic.
                self.aborted.fetch_add(1, Ordering::Relaxed);
                Err(io::ErrorKind::Interrupted.into())
            }
            Some(errno) if is_exhaustion(errno) => {
                let pause = self.pause.lock().begin(tenter_timer::now());
                result.map_err(|cause| exhausted(self, pause, cause))
            }
            _ => result,
        }
    }
}

/// The connection that would have been accepted is gone, the listener is well.
fn is_about_one_connection(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::CONNABORTED
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
    )
}

/// There is no room for another connection in this process or system.
fn is_exhaustion(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
    )
}

#[cold]
fn exhausted(listener: &TcpListener, pause: Duration, cause: io::Error) -> io::Error {
    let at = match listener.local_addr() {
        Ok(address) => address.to_string(),
        Err(_) => "an unknown address".to_owned(),
    };
    error::explain(
        format!(
            "cannot accept a connection at {at}: the process or the system has no room for \
             another; raise the limit (`ulimit -n`) or close connections; the next try is in \
             {pause:?}"
        ),
        cause,
    )
}

/// How long `accept` waits before it tries again after the system had no room.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    length: Duration,
}

impl Pause {
    fn begin(&mut self, now: Instant) -> Duration {
        self.length = (self.length * 2).clamp(ACCEPT_PAUSE_MIN, ACCEPT_PAUSE_MAX);
        self.until = Some(now + self.length);
        self.length
    }

    fn end(&mut self) {
        *self = Pause::default();
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}

impl TryFrom<net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl From<TcpListener> for net::TcpListener {
    fn from(listener: TcpListener) -> net::TcpListener {
        listener.into_std()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// The future of [`TcpListener::accept`].
#[must_use = "futures do nothing unless awaited"]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    waiting: Waiting<'a>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.pause.is_none() {
            let until = this.listener.pause.lock().until;
            this.pause = until.map(|until| Box::pin(sleep_until(until)));
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
        }
        let listener = this.listener;
        let place = this.waiting.place();
        let accepted = listener
            .source
            .poll_io(Direction::Read, place, cx, |socket| {
                listener.try_accept(socket)
            });
        let (stream, peer) = ready!(accepted)?;
        Poll::Ready(TcpStream::accepted(stream).map(|stream| (stream, peer)))
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("listener", self.listener)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

/// The future of [`TcpListener::bind`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Bind(Target);

impl Future for Bind {
    type Output = io::Result<TcpListener>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addresses = ready!(self.0.poll_addresses(cx))?;
        let mut failures = Vec::new();
        for address in addresses {
            let bound = sys::listen(address).and_then(Async::new_nonblocking);
            match bound {
                Ok(source) => return Poll::Ready(Ok(TcpListener::new(source))),
                Err(error) => failures.push((address, error)),
            }
        }
        Poll::Ready(Err(error::all_failed("listen at", failures)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault 26: what is wrong with one connection does not end the loop; what is wrong with the
    /// listener does.
    #[test]
    fn errors_are_told_apart() {
        let retried = [
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::NETDOWN,
            Errno::HOSTUNREACH,
        ];
        let paused = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        let told = [
            Errno::BADF,
            Errno::INVAL,
            Errno::NOTSOCK,
            Errno::OPNOTSUPP,
            Errno::PERM,
        ];
        assert!(retried.into_iter().all(is_about_one_connection));
        assert!(paused.into_iter().all(is_exhaustion));
        for errno in told {
            assert!(!is_about_one_connection(errno) && !is_exhaustion(errno));
        }
        assert!(!retried.into_iter().any(is_exhaustion));
    }

    #[test]
    fn pauses_double_up_to_half_a_second_and_start_again() {
        let mut pause = Pause::default();
        let now = Instant::from_nanos(0);
        let lengths: Vec<_> = (0..9).map(|_| pause.begin(now).as_millis()).collect();
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(pause.until, Some(now + ACCEPT_PAUSE_MAX));
        pause.end();
        assert_eq!(pause.until, None);
        assert_eq!(pause.begin(now), ACCEPT_PAUSE_MIN);
    }
}
