//! [`serve()`]: a tower service on a listener.
//!
//! The accept loop, its limit, its drain and its end are those of [`tenter::net::Server`]; what is
//! here makes each connection speak HTTP.
//!
//! 1. A failing accept ends nothing (a process that is out of file descriptors serves the
//!    connections that it has).
//! 2. No connection outlives the server: whichever way the future ends, also by being dropped, its
//!    connections finish or are dropped.
//! 3. Every connection has a limit on the time it may take to send a head, so that a client that
//!    trickles bytes holds a place for a bounded time.
//!
//! Tests: `tests/tests/http/main.rs`.

use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tenter::net::{self, Connection, ServeOptions, Server, TcpListener, TcpStream};
use tower_service::Service;

use crate::connection::{self, OnError, Settings};
use crate::{BoxError, Peer};

/// Long enough for an ordinary head over a bad line, short enough that slow clients do not pile up.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A hundred years: what hyper adds to the time of day must be one, too.
const HEADER_READ_TIMEOUT_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Serves HTTP/1.1 on `listener` with a tower service: an axum `Router`, or anything that takes
/// `Request<Incoming>`.
///
/// Nothing happens until the result is awaited or spawned. Each connection is a task of its own on
/// the runtime that runs the server, with `TCP_NODELAY` set and the peer's address in the
/// extensions of its requests, as [`Peer`]. Upgraded connections (WebSocket) belong to whoever
/// upgraded them, and are not waited for.
///
/// Without [`with_graceful_shutdown`](Serve::with_graceful_shutdown) it serves until it is dropped.
///
/// # Errors
///
/// The future returns an error only if the listener can accept no more at all: its runtime has shut
/// down, or its descriptor is no longer that of a listener. Failures of single accepts (too many
/// open files, a peer that gave up) are counted and survived, with a pause.
///
/// # Panics
///
/// The future panics when it is polled outside a runtime of tenter, which it needs for its tasks.
/// A panic of the service ends that connection and is reported as the panic of its task.
///
/// # Cancel safety
///
/// Dropping the future closes the listener and drops every connection. If it is dropped because the task or
/// the scope around it is cancelled, the requests in progress are finished first, within the
/// [drain timeout](Serve::drain_timeout): the scope waits for it.
///
/// # Examples
///
/// The [front page](crate) has one.
#[doc(alias = "start_server")]
#[doc(alias = "run_app")]
pub fn serve<S>(listener: TcpListener, service: S) -> Serve<S> {
    Serve {
        listener,
        service,
        signal: pending(),
        options: ServeOptions::new(),
        header_read_timeout: HEADER_READ_TIMEOUT,
        nodelay: true,
        half_close: true,
        on_error: None,
    }
}

/// A server that is being set up; made by [`serve()`].
#[must_use = "a server does nothing unless you `.await` or spawn it"]
pub struct Serve<S, F = Pending<()>> {
    listener: TcpListener,
    service: S,
    signal: F,
    options: ServeOptions,
    header_read_timeout: Duration,
    nodelay: bool,
    half_close: bool,
    on_error: Option<OnError>,
}

impl<S, F> Serve<S, F> {
    /// Stops when `signal` completes: closes the listener, lets each connection answer the request
    /// it has in hand, closes idle ones, and then returns.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<S, G>
    where
        G: Future<Output = ()>,
    {
        Serve {
            listener: self.listener,
            service: self.service,
            signal,
            options: self.options,
            header_read_timeout: self.header_read_timeout,
            nodelay: self.nodelay,
            half_close: self.half_close,
            on_error: self.on_error,
        }
    }

    /// How long a graceful shutdown waits for requests in hand; then the connections that are left
    /// are dropped, and the report counts them. Default: 30 s. `Duration::MAX` waits for ever.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.options = self.options.drain_timeout(limit);
        self
    }

    /// How long a client may take to send the head of a request, and how long a connection may be
    /// idle between requests. Default: 30 s. There is always such a limit: without it a client that
    /// never finishes its head holds the connection for ever.
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        self.header_read_timeout = limit.min(HEADER_READ_TIMEOUT_MAX);
        self
    }

    /// How many connections there may be at a time; further clients wait in the backlog of the
    /// listener. Default: as many as the system gives.
    ///
    /// # Panics
    ///
    /// If `count` is 0, which would serve nobody.
    #[track_caller]
    pub fn max_connections(mut self, count: usize) -> Self {
        self.options = self.options.max_connections(count);
        self
    }

    /// Whether small packets leave at once (`TCP_NODELAY`). Default: yes.
    pub fn nodelay(mut self, yes: bool) -> Self {
        self.nodelay = yes;
        self
    }

    /// What becomes of a request in hand when its client has closed its sending side. The server
    /// cannot tell a client that waits for the answer from one that has left. `true`, the default:
    /// the request is answered, as it is when the client waits. `false`: its future is dropped,
    /// which saves the work for clients that leave.
    pub fn half_close(mut self, yes: bool) -> Self {
        self.half_close = yes;
        self
    }

    /// Calls `report` with every error that ends a connection: a reset, a malformed request, a head
    /// that took too long. Default: such errors are the client's affair, and are dropped.
    pub fn on_connection_error(
        mut self,
        report: impl Fn(Peer, &hyper::Error) + Send + Sync + 'static,
    ) -> Self {
        self.on_error = Some(Arc::new(report));
        self
    }
}

impl<S, F> fmt::Debug for Serve<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("header_read_timeout", &self.header_read_timeout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<S, F, B> IntoFuture for Serve<S, F>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    F: Future<Output = ()> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<ServeReport>;
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        ServeFuture {
            future: Box::pin(run(self)),
        }
    }
}

/// The future of a server; made by awaiting [`Serve`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ServeFuture {
    future: Pin<Box<dyn Future<Output = io::Result<ServeReport>> + Send>>,
}

impl Future for ServeFuture {
    type Output = io::Result<ServeReport>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<ServeReport>> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for ServeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture").finish_non_exhaustive()
    }
}

/// What a server did, returned when it has shut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeReport {
    /// Connections accepted in all.
    pub accepted: u64,
    /// Accepts that failed and were survived.
    pub accept_errors: u64,
    /// Connections that were open when the shutdown began and finished by themselves.
    pub drained: usize,
    /// Connections that had to be dropped, because they were still busy after the drain timeout.
    pub dropped: usize,
}

impl fmt::Display for ServeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServeReport {
            accepted,
            accept_errors,
            drained,
            dropped,
        } = self;
        write!(
            f,
            "accepted {accepted} connections, drained {drained}, dropped {dropped}"
        )?;
        match accept_errors {
            0 => Ok(()),
            count => write!(f, ", survived {count} failed accepts"),
        }
    }
}

impl From<net::ServeReport> for ServeReport {
    fn from(report: net::ServeReport) -> ServeReport {
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        ServeReport {
            accepted: report.accepted,
            accept_errors: report.accept_errors,
            drained: count(report.drained),
            dropped: count(report.cancelled).saturating_add(report.stuck),
        }
    }
}

/// The whole life of a server.
async fn run<S, F, B>(serve: Serve<S, F>) -> io::Result<ServeReport>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    F: Future<Output = ()>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Serve {
        listener,
        service,
        signal,
        nodelay,
        options,
        ..
    } = serve;
    let settings = Arc::new(Settings {
        header_read_timeout: serve.header_read_timeout,
        half_close: serve.half_close,
        on_error: serve.on_error,
    });
    let handler = move |connection: Connection<TcpStream, SocketAddr>| {
        // A peer that has already reset the connection makes this fail; serving it shows that.
        let _ = connection.stream.set_nodelay(nodelay);
        connection::run(connection, service.clone(), Arc::clone(&settings))
    };
    let mut server = Server::new(listener, handler, options);
    let handle = server.handle();
    let mut signal = pin!(signal);
    // The signal goes first: under a flood of clients there is always work.
    let report = poll_fn(|cx: &mut Context<'_>| {
        if !handle.is_closing() && signal.as_mut().poll(cx).is_ready() {
            handle.close();
        }
        Pin::new(&mut server).poll(cx)
    });
    Ok(report.await?.into())
}
