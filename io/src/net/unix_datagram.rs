//! What datagrams of Unix sockets have of their own.
//!
//! A message is refused for the time being because this socket has no room, which the poller reports
//! when it has changed; or because the receiver has none. The latter is reported if the two are
//! connected. If they are not, the system says nothing, ever: `send_to` then pauses, from 1 ms up to
//! 64, and asks again. Which of the two it is tells one look at this socket: writable, and yet
//! refused.
//!
//! Rejected: a poll function for `send_to`. It has no place for the pause, and would hang.
//!
//! Tests: `io/tests/unix_datagram.rs`, `io/tests/cancel.rs`.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net as unix;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tenter_timer::{Sleep, sleep};

use crate::async_fd::Waiting;
use crate::error;
use crate::interest::{Direction, Interest};
use crate::limits::{UNIX_PAUSE_MAX, UNIX_PAUSE_MIN};
use crate::net::datagram::DatagramSocket;
use crate::net::unix_address::{self, ToUnixAddr};
use crate::net::{socket_file, sys};

/// A datagram socket within this machine. Nothing is lost and nothing overtakes: who sends waits
/// while the receiver has no room.
///
/// What it has in common with other datagram sockets is described at [`DatagramSocket`].
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::UnixDatagram;
///
/// # async fn example() -> std::io::Result<()> {
/// let (one, two) = UnixDatagram::pair()?;
/// one.send(b"hello").await?;
/// let mut buffer = [0; 64];
/// let count = two.recv(&mut buffer).await?;
/// # drop(count);
/// # Ok(())
/// # }
/// ```
pub type UnixDatagram = DatagramSocket<unix::UnixDatagram>;

impl DatagramSocket<unix::UnixDatagram> {
    /// Opens a socket of this name. A socket that a process which has ended left there is replaced;
    /// one that is in use is not, nor is any other file. Dropping the socket removes the file, if it
    /// is still its own; [`into_std`](Self::into_std) leaves it.
    ///
    /// # Errors
    ///
    /// It is no name of a socket, or is in use, or the process may not; or as
    /// [`Async::new`](crate::Async::new).
    pub fn bind<A: ToUnixAddr>(address: A) -> io::Result<UnixDatagram> {
        let (fd, file) = socket_file::bind(&address.unix_addr()?, SocketType::DGRAM)?;
        UnixDatagram::new(fd, file)
    }

    /// Opens a socket without a name, which can send and not be answered.
    ///
    /// # Errors
    ///
    /// Those of the operating system, or as [`Async::new`](crate::Async::new).
    pub fn unbound() -> io::Result<UnixDatagram> {
        let fd = sys::new_socket(AddressFamily::UNIX, SocketType::DGRAM)?;
        UnixDatagram::new(fd, None)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system, or as [`Async::new`](crate::Async::new).
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, two) = unix::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(two)?))
    }

    /// Sends to the socket of this name from now on, and receives from it alone.
    ///
    /// # Errors
    ///
    /// It is no name of a socket, or nobody receives there, or the process may not.
    pub fn connect<A: ToUnixAddr>(&self, address: A) -> io::Result<()> {
        let address = address.unix_addr()?;
        let name = unix_address::to_system(&address)?;
        rustix::net::connect(self, &name).map_err(|cause| {
            let at = unix_address::name(&address);
            error::explain(
                format!("cannot connect a Unix datagram socket to {at}"),
                cause.into(),
            )
        })
    }

    /// Sends a message to the socket of this name. Returned is its length.
    ///
    /// # Errors
    ///
    /// It is no name of a socket, or nobody receives there, or the message is too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped before it is ready.
    pub fn send_to<'a, A: ToUnixAddr>(&'a self, message: &'a [u8], address: A) -> UnixSendTo<'a> {
        UnixSendTo {
            socket: self,
            waiting: self.source().waiting(),
            message,
            name: to_system(address).map_err(Some),
            pause: None,
        }
    }

    /// Sends a message to the socket of this name, without waiting. That the receiver has no room is
    /// not told by [`writable`](DatagramSocket::writable); [`send_to`](Self::send_to) waits for it.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; else as
    /// [`send_to`](Self::send_to).
    pub fn try_send_to<A: ToUnixAddr>(&self, message: &[u8], address: A) -> io::Result<usize> {
        let name = to_system(address)?;
        let sent = self.try_io(Interest::WRITABLE, || try_send(self, message, &name))?;
        sent.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Says that nothing more will be sent, or received, or both.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        sys::shutdown(self, how)
    }
}

fn to_system(address: impl ToUnixAddr) -> io::Result<SocketAddrUnix> {
    unix_address::to_system(&address.unix_addr()?)
}

impl TryFrom<unix::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    fn try_from(socket: unix::UnixDatagram) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(socket)
    }
}

impl From<UnixDatagram> for unix::UnixDatagram {
    fn from(socket: UnixDatagram) -> unix::UnixDatagram {
        socket.into_std()
    }
}

/// The future of [`UnixDatagram::send_to`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct UnixSendTo<'a> {
    socket: &'a UnixDatagram,
    waiting: Waiting<'a>,
    message: &'a [u8],
    /// Where to; or why it is nowhere, until that has been told.
    name: Result<SocketAddrUnix, Option<io::Error>>,
    /// While the receiver has no room.
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    sleep: Pin<Box<Sleep>>,
    length: Duration,
}

impl Pause {
    fn after(previous: Option<Pause>) -> Pause {
        let length = previous.map_or(Duration::ZERO, |pause| pause.length * 2);
        let length = length.clamp(UNIX_PAUSE_MIN, UNIX_PAUSE_MAX);
        Pause {
            sleep: Box::pin(sleep(length)),
            length,
        }
    }
}

impl Future for UnixSendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let name = match &mut this.name {
            Ok(name) => &*name,
            Err(error) => {
                let told = || io::ErrorKind::InvalidInput.into();
                return Poll::Ready(Err(error.take().unwrap_or_else(told)));
            }
        };
        loop {
            if let Some(pause) = &mut this.pause {
                if !ready!(pause.sleep.as_mut().poll_pause(cx)) {
                    return Poll::Ready(Err(error::shut_down()));
                }
            }
            let place = this.waiting.place();
            let source = this.socket.source();
            let sent = ready!(source.poll_io(Direction::Write, place, cx, |socket| {
                try_send(socket, this.message, name)
            }))?;
            match sent {
                Some(count) => return Poll::Ready(Ok(count)),
                None => this.pause = Some(Pause::after(this.pause.take())),
            }
        }
    }
}

/// Sends; or `None` if it is the receiver that has no room. If it is this socket, it would block.
fn try_send(socket: impl AsFd, message: &[u8], name: &SocketAddrUnix) -> io::Result<Option<usize>> {
    match sys::send_to(&socket, message, name) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && sys::is_writable(&socket)? => {
            Ok(None)
        }
        sent => sent.map(Some),
    }
}
