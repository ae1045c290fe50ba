//! [`serve()`]: a tower service on a listener.
//!
//! ```text
//!  accepting ──signal──► draining ──all gone──────────────► report
//!      │                    └──timeout──► dropping ──gone──► report
//!      └── the listener itself fails ──► dropping ──gone──► error
//! ```
//!
//! 1. A failing accept ends nothing: the listener waits a little and goes on (a process that is
//!    out of file descriptors serves the connections that it has).
//! 2. No connection outlives the server: whichever way the future ends, also by being dropped, its
//!    connections finish or are dropped.
//! 3. Every connection has a limit on the time it may take to send a head, so that a client that
//!    trickles bytes holds a place for a bounded time.
//!
//! Tests: `tests/tests/http/main.rs`.

use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tenter::net::TcpListener;
use tenter::sync::Semaphore;
use tenter::time::{sleep, timeout};
use tower_service::Service;

use crate::connection::{self, OnError, Settings};
use crate::gate::Gate;
use crate::{BoxError, Peer};

/// Long enough for an ordinary head over a bad line, short enough that slow clients do not pile up.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

/// What service managers wait between asking a process to end and killing it is 30 s or more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long dropped connections may take to be gone. They need one poll; more means a thread is
/// stuck in user code, and the report must not wait for that.
const DROP_GRACE: Duration = Duration::from_secs(1);

/// How long to wait after an accept failed for a reason that nobody foresaw.
const UNFORESEEN_PAUSE: Duration = Duration::from_millis(100);

/// How many of those in a row mean that the listener is no longer one.
const UNFORESEEN_MAX: u32 = 20;

/// More than any system has sockets.
const CONNECTIONS_UNLIMITED: usize = Semaphore::MAX_PERMITS;

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
/// Dropping the future closes the listener and drops every connection.
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
        header_read_timeout: HEADER_READ_TIMEOUT,
        drain_timeout: DRAIN_TIMEOUT,
        connections_max: CONNECTIONS_UNLIMITED,
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
    header_read_timeout: Duration,
    drain_timeout: Duration,
    connections_max: usize,
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
            header_read_timeout: self.header_read_timeout,
            drain_timeout: self.drain_timeout,
            connections_max: self.connections_max,
            nodelay: self.nodelay,
            half_close: self.half_close,
            on_error: self.on_error,
        }
    }

    /// How long a graceful shutdown waits for requests in hand; then the connections that are left
    /// are dropped, and the report counts them. Default: 30 s. `Duration::MAX` waits for ever.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain_timeout = limit;
        self
    }

    /// How long a client may take to send the head of a request, and how long a connection may be
    /// idle between requests. Default: 30 s. There is always such a limit: without it a client that
    /// never finishes its head holds the connection for ever.
    pub fn header_read_timeout(mut self, limit: Duration) -> Self {
        self.header_read_timeout = limit;
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
        assert!(
            count > 0,
            "max_connections(0) would serve nobody: allow at least one"
        );
        self.connections_max = count.min(CONNECTIONS_UNLIMITED);
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
            .field("drain_timeout", &self.drain_timeout)
            .field("connections_max", &self.connections_max)
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

/// Drops the connections of a server whose future is dropped (invariant 2).
struct DropAll(Arc<Gate>);

impl Drop for DropAll {
    fn drop(&mut self) {
        self.0.drop_all();
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
        drain_timeout,
        nodelay,
        ..
    } = serve;
    let settings = Settings {
        gate: Arc::new(Gate::new(serve.connections_max)),
        header_read_timeout: serve.header_read_timeout,
        half_close: serve.half_close,
        on_error: serve.on_error,
    };
    let _guard = DropAll(Arc::clone(&settings.gate));
    let mut report = ServeReport::default();
    let mut signal = pin!(signal);
    let mut unforeseen = 0;
    loop {
        let Some(place) = until(signal.as_mut(), settings.gate.place()).await else {
            break;
        };
        let Some(accepted) = until(signal.as_mut(), listener.accept()).await else {
            break;
        };
        let (stream, address) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                report.accept_errors += 1;
                let pause = after_failure(error, &mut unforeseen)?;
                match until(signal.as_mut(), sleep(pause)).await {
                    Some(()) => continue,
                    None => break,
                }
            }
        };
        unforeseen = 0;
        report.accepted += 1;
        // A peer that has already reset the connection makes this fail; serving it shows that.
        let _ = stream.set_nodelay(nodelay);
        let service = service.clone();
        let (peer, settings) = (Peer(address), settings.clone());
        drop(tenter::spawn(connection::run(
            stream, peer, service, settings, place,
        )));
    }
    // From here on clients are refused; those in the backlog learn it now.
    drop(listener);
    drain(&settings.gate, drain_timeout, &mut report).await;
    Ok(report)
}

/// How long to wait after a failed accept, or the error if there is no point in going on.
fn after_failure(error: io::Error, unforeseen: &mut u32) -> io::Result<Duration> {
    let explained = error
        .get_ref()
        .is_some_and(|inner| inner.source().is_some());
    if explained {
        // No room for another connection: the listener says so, and the next accept pauses.
        return Ok(Duration::ZERO);
    }
    *unforeseen += 1;
    // Without an error of the system it is the driver that has failed or was shut down.
    if error.raw_os_error().is_some() && *unforeseen < UNFORESEEN_MAX {
        return Ok(UNFORESEEN_PAUSE);
    }
    Err(error)
}

/// Lets the connections finish, and drops those that have not when the time is over.
async fn drain(gate: &Gate, limit: Duration, report: &mut ServeReport) {
    let live = gate.live();
    gate.drain();
    if timeout(limit, gate.empty()).await.is_err() {
        report.dropped = gate.live();
        gate.drop_all();
        // If the time runs out here, a connection's thread is stuck in user code; it is counted.
        let _ = timeout(DROP_GRACE, gate.empty()).await;
    }
    report.drained = live.saturating_sub(report.dropped);
}

/// What `work` returns, or `None` if `signal` comes first. The signal goes first: under a flood of
/// clients there is always work.
async fn until<T>(
    mut signal: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx: &mut Context<'_>| match signal.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
