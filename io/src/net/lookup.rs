//! Looking up a host name: the system's own lookup blocks, so it gets a short-lived thread.
//!
//! Dropping the future leaves the thread to itself; it ends when the system answers.
//!
//! Tests: `io/tests/lookup.rs`.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tenter_sync::oneshot;
use tenter_sync::shim::thread;

use crate::error;
use crate::net::address::{self, Target};

/// Looks up the addresses of a host, in the order in which the system gives them. A numeric address
/// is its own answer, at once.
///
/// The system is asked as it is set up to be asked, on a short-lived thread named `tenter-lookup`,
/// so a slow answer holds up nothing else.
///
/// # Errors
///
/// The argument cannot be understood, or the host cannot be found.
///
/// # Cancel safety
///
/// Dropping the future gives up the answer. The thread ends when the system has answered.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// for address in tenter_io::net::lookup_host(("localhost", 8080)).await? {
///     println!("{address}");
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "getaddrinfo")]
pub fn lookup_host<A: address::ToSocketAddrs>(host: A) -> LookupHost {
    LookupHost(host.target())
}

/// The future of [`lookup_host`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LookupHost(Target);

impl Future for LookupHost {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_addresses(cx).map_ok(Iterator::collect)
    }
}

type Answer = io::Result<Vec<SocketAddr>>;

/// A lookup that starts when it is first polled.
pub struct Lookup {
    host: String,
    port: u16,
    answer: Option<oneshot::Receiver<Answer>>,
}

impl Lookup {
    /// Of this host.
    pub fn new(host: String, port: u16) -> Self {
        Lookup {
            host,
            port,
            answer: None,
        }
    }

    /// The host, for messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn start(&self) -> io::Result<oneshot::Receiver<Answer>> {
        let (sender, receiver) = oneshot::oneshot();
        let (host, port) = (self.host.clone(), self.port);
        let job = move || {
            let addresses = (host.as_str(), port).to_socket_addrs();
            // Nobody to tell: the future was dropped.
            let _ = sender.send(addresses.map(Iterator::collect));
        };
        thread::spawn_named("tenter-lookup", job).map_err(|cause| {
            error::explain(
                format!("cannot start a thread to look up `{}`", self.host),
                cause,
            )
        })?;
        Ok(receiver)
    }
}

impl Future for Lookup {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        if self.answer.is_none() {
            self.answer = Some(self.start()?);
        }
        let Some(answer) = &mut self.answer else {
            unreachable!("it has just been filled");
        };
        let answer = match ready!(Pin::new(answer).poll(cx)) {
            Ok(answer) => answer,
            Err(_) => Err(error::plain(
                io::ErrorKind::Other,
                "the lookup panicked".to_owned(),
            )),
        };
        let failed = |cause| error::explain(format!("cannot look up host `{}`", self.host), cause);
        let addresses = answer.map_err(failed)?;
        if addresses.is_empty() {
            return Poll::Ready(Err(error::plain(
                io::ErrorKind::NotFound,
                format!("host `{}` has no address", self.host),
            )));
        }
        Poll::Ready(Ok(addresses))
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lookup").field(&self.host).finish()
    }
}
