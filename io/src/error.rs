//! Every error that this crate makes itself: what happened, where, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use rustix::io::Errno;

/// An error with a sentence of ours before the system's own, which stays its source.
struct Explained {
    sentence: String,
    cause: Option<io::Error>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// Programs end with the `Debug` of an error more often than with its `Display`.
impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl std::error::Error for Explained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_ref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// `sentence` before what the system said.
pub fn explain(sentence: String, cause: io::Error) -> io::Error {
    let kind = cause.kind();
    let cause = Some(cause);
    io::Error::new(kind, Explained { sentence, cause })
}

/// An error of our own.
pub fn plain(kind: io::ErrorKind, sentence: String) -> io::Error {
    let cause = None;
    io::Error::new(kind, Explained { sentence, cause })
}

/// Nobody turns the driver any more.
pub fn shut_down() -> io::Error {
    plain(
        io::ErrorKind::Other,
        "the runtime of this socket has shut down, so nothing waits for its events any more; keep \
         the runtime alive for as long as its sockets are used, or open the socket again in \
         another one"
            .to_owned(),
    )
}

/// The poller could not be opened.
pub fn cannot_start(cause: io::Error) -> io::Error {
    explain(
        "cannot start the I/O driver, which needs five file descriptors (see `ulimit -n`)"
            .to_owned(),
        cause,
    )
}

/// The thread of the fallback driver was refused.
pub fn no_fallback_thread(cause: io::Error) -> io::Error {
    explain(
        "cannot start the thread `tenter-io`, which serves sockets outside of a tenter runtime; \
         lower the number of threads, or open the socket inside a runtime"
            .to_owned(),
        cause,
    )
}

/// A descriptor was refused by the poller.
pub fn cannot_register(fd: RawFd, cause: io::Error) -> io::Error {
    let errno = match cause.kind() {
        // A poller that keeps its own list says so without a number of the system's.
        io::ErrorKind::AlreadyExists => Some(Errno::EXIST),
        _ => cause.raw_os_error().map(Errno::from_raw_os_error),
    };
    let hint = match errno {
        Some(Errno::PERM) => {
            "the system does not report readiness for this kind of file (a regular file or a \
             directory is always ready); read and write it on a blocking thread instead"
        }
        Some(Errno::EXIST) => {
            "it is registered already; share the one `Async` by reference or in an `Arc`, or \
             register a duplicate of the descriptor"
        }
        Some(Errno::NOSPC) => {
            "the limit for watched descriptors is reached (see /proc/sys/fs/epoll/max_user_watches)"
        }
        Some(Errno::NOMEM) => "the system is out of memory",
        Some(Errno::BADF) => "the descriptor is not open",
        _ => "the poller refused it",
    };
    explain(
        format!("cannot wait for file descriptor {fd}: {hint}"),
        cause,
    )
}

/// All slots are taken.
pub fn too_many_sources(fd: RawFd) -> io::Error {
    plain(
        io::ErrorKind::OutOfMemory,
        format!(
            "cannot wait for file descriptor {fd}: this driver has no slot left; close sockets"
        ),
    )
}

/// Why a poller broke, kept to be told to everybody who comes.
#[derive(Debug)]
pub struct Failure {
    kind: io::ErrorKind,
    text: String,
}

impl Failure {
    /// Keeps what can be kept of an error that is not `Clone`.
    pub fn new(error: io::Error) -> Self {
        Failure {
            kind: error.kind(),
            text: error.to_string(),
        }
    }

    /// For one of those who come.
    pub fn to_error(&self) -> io::Error {
        plain(
            self.kind,
            format!(
                "the I/O driver of this socket has failed and does not report events any more; \
                 close the socket and open it again in a new runtime: {}",
                self.text
            ),
        )
    }
}

/// Every address was tried in vain. Named is each of them with its reason; the kind is the last
/// one's.
pub fn all_failed(what: &'static str, attempts: Vec<(SocketAddr, io::Error)>) -> io::Error {
    let kind = attempts
        .last()
        .map_or(io::ErrorKind::InvalidInput, |(_, error)| error.kind());
    io::Error::new(kind, AttemptErrors { what, attempts })
}

/// Every address that was tried, and what became of it: inside the error of
/// [`TcpStream::connect`](crate::net::TcpStream::connect) and of the functions that bind.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::{AttemptErrors, TcpStream};
///
/// # async fn example() {
/// if let Err(error) = TcpStream::connect("localhost:1").await {
///     let inside = error.get_ref().and_then(|inner| inner.downcast_ref::<AttemptErrors>());
///     for (address, cause) in inside.map_or(&[][..], AttemptErrors::attempts) {
///         println!("{address}: {cause}");
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[doc(alias = "all_errors")]
pub struct AttemptErrors {
    what: &'static str,
    attempts: Vec<(SocketAddr, io::Error)>,
}

impl AttemptErrors {
    /// The addresses with their errors, in the order in which they failed. Empty if there was no
    /// address.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }
}

impl fmt::Display for AttemptErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match &self.attempts[..] {
            [] => write!(
                f,
                "cannot {what} any of the addresses: no address was given"
            ),
            [(address, cause)] => write!(f, "cannot {what} {address}: {cause}"),
            [(address, cause), others @ ..] => {
                write!(f, "cannot {what} any of the addresses: {address}: {cause}")?;
                others
                    .iter()
                    .try_for_each(|(address, cause)| write!(f, "; {address}: {cause}"))
            }
        }
    }
}

impl std::error::Error for AttemptErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (_, cause) = self.attempts.last()?;
        Some(cause)
    }
}
