//! `ListeningSocket`: taking connections, and what to do when the system cannot give one.
//!
//! Which error of `accept` means what is in [`pause`](crate::net::pause). The pause belongs to the
//! listener, not to a loop around it: whoever calls `accept` again at once waits 5 ms, then 10, and
//! so on up to 500 ms, until a connection could be taken. The descriptor stays readable meanwhile,
//! so a loop that only logs the error would otherwise spin.
//!
//! Tests: `io/tests/listener.rs`, `io/tests/unix.rs`, `io/tests/faults.rs`, `io/tests/others.rs`.

use std::fmt;
use std::io;
use std::net;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tenter_sync::shim::Mutex;
use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};
use tenter_timer::{Sleep, sleep_until};

use crate::async_fd::{Async, Waiting};
use crate::error;
use crate::interest::Direction;
use crate::net::family::{FromSystem, StdListener};
use crate::net::incoming::Incoming;
use crate::net::pause::{Blame, Pause, blame};
use crate::net::socket_file::SocketFile;
use crate::net::stream::StreamSocket;
use crate::net::sys;
use crate::slot::Place;

/// A socket that listens for connections: [`TcpListener`](crate::net::TcpListener) or
/// [`UnixListener`](crate::net::UnixListener).
///
/// Any number of tasks may accept from one listener.
pub struct ListeningSocket<S> {
    /// Removed when the listener is dropped: before the socket is closed, so that nobody finds a
    /// dead socket there and puts another in its place, which would be removed then.
    file: Option<SocketFile>,
    source: Async<S>,
    pause: Mutex<Pause>,
    aborted: AtomicU64,
}

impl<S: StdListener> ListeningSocket<S> {
    /// Takes over a listener of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from_std(listener: S) -> io::Result<Self> {
        let source = Async::new(listener)?;
        Ok(ListeningSocket::new(source, None))
    }

    /// Gives the listener to the standard library. It stays non-blocking, and the path of a Unix
    /// socket stays where it is.
    pub fn into_std(self) -> S {
        if let Some(file) = self.file {
            file.keep();
        }
        self.source.into_inner()
    }

    pub(crate) fn new(source: Async<S>, file: Option<SocketFile>) -> Self {
        ListeningSocket {
            file,
            source,
            pause: Mutex::new(Pause::default()),
            aborted: AtomicU64::new(0),
        }
    }

    pub(crate) fn socket(&self) -> &S {
        self.source.get_ref()
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
    pub fn accept(&self) -> Accept<'_, S> {
        Accept {
            listener: self,
            waiting: self.source.waiting(),
            pause: None,
        }
    }

    /// All connections, one after another, for as long as they are asked for.
    pub fn incoming(&self) -> Incoming<'_, S> {
        Incoming::new(self)
    }

    /// Takes a connection that is there, without waiting. It does not heed the pause after an
    /// error.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; else as
    /// [`accept`](Self::accept).
    pub fn try_accept(&self) -> io::Result<(StreamSocket<S::Stream>, S::Address)> {
        loop {
            let accepted = self
                .source
                .try_io(crate::Interest::READABLE, || self.accept_one(self.socket()));
            match accepted {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                accepted => {
                    let (stream, peer) = accepted?;
                    return Ok((StreamSocket::accepted(stream)?, peer));
                }
            }
        }
    }

    /// The address that this listens at.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<S::Address> {
        sys::local_addr(self)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sys::take_error(self)
    }

    /// How many connections were gone before they could be accepted.
    pub fn aborted_count(&self) -> u64 {
        // ORDERING: Relaxed. A statistic.
        self.aborted.load(Ordering::Relaxed)
    }

    /// One try: an error to try again after is told as `Interrupted`.
    fn accept_one(&self, listener: &S) -> io::Result<(S::Stream, S::Address)> {
        let cause = match sys::accept(listener) {
            Ok(accepted) => {
                self.pause.lock().end();
                return Ok(accepted);
            }
            Err(cause) => cause,
        };
        match blame(&cause) {
            Blame::Connection => {
                // ORDERING: Relaxed. A statistic.
                self.aborted.fetch_add(1, Ordering::Relaxed);
                Err(io::ErrorKind::Interrupted.into())
            }
            Blame::Exhaustion => {
                let pause = self.pause.lock().begin(tenter_timer::now());
                Err(self.exhausted(pause, cause))
            }
            Blame::Listener => Err(cause),
        }
    }

    #[cold]
    fn exhausted(&self, pause: Duration, cause: io::Error) -> io::Error {
        let at = match self.local_addr() {
            Ok(address) => address.name(),
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
}

impl<S: AsFd> AsFd for ListeningSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl<S: AsRawFd> AsRawFd for ListeningSocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}

/// Refuses what is no socket of this kind. Whether it listens is not asked: `accept` says so.
impl<S: StdListener> TryFrom<OwnedFd> for ListeningSocket<S> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        ListeningSocket::from_std(S::from_fd(fd)?)
    }
}

impl<S: StdListener> From<ListeningSocket<S>> for OwnedFd {
    fn from(listener: ListeningSocket<S>) -> OwnedFd {
        listener.into_std().into()
    }
}

impl<S: fmt::Debug> fmt::Debug for ListeningSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// The future of [`ListeningSocket::accept`].
#[must_use = "futures do nothing unless awaited"]
pub struct Accept<'a, S = net::TcpListener> {
    listener: &'a ListeningSocket<S>,
    waiting: Waiting<'a>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S: StdListener> Future for Accept<'_, S> {
    type Output = io::Result<(StreamSocket<S::Stream>, S::Address)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let listener = this.listener;
        ready!(listener.poll_pause(&mut this.pause, cx));
        let place = this.waiting.place();
        let (stream, peer) = ready!(listener.poll_accept_at(place, cx))?;
        Poll::Ready(StreamSocket::accepted(stream).map(|stream| (stream, peer)))
    }
}

impl<S: StdListener> ListeningSocket<S> {
    /// Sits out the pause, if there is one.
    fn poll_pause(&self, pause: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
        if pause.is_none() {
            let until = self.pause.lock().until();
            *pause = until.map(|until| Box::pin(sleep_until(until)));
        }
        match pause {
            // If the runtime has ended, what comes next finds out.
            Some(pause) => pause.as_mut().poll_pause(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    fn poll_accept_at(
        &self,
        place: Place<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(S::Stream, S::Address)>> {
        self.source
            .poll_io(Direction::Read, place, cx, |socket| self.accept_one(socket))
    }
}

impl<S: fmt::Debug> fmt::Debug for Accept<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("listener", self.listener)
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}
