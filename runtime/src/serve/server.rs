//! [`serve()`], and [`Server`], the future that it spawns.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tenter_sync::Semaphore;
use tenter_timer::timeout;

use super::accept::Acceptor;
use super::connection::Connection;
use super::cut_off;
use super::handle::ServerHandle;
use super::listener::Listener;
use super::options::ServeOptions;
use super::report::ServeError;
use super::shared::{Outcome, Shared, until};
use crate::handle::Handle;
use crate::task::CancelOnDrop;

/// Serves every connection of `listener` with `handler`, each in a task of its own.
///
/// The server is a task of the runtime. The handle closes it and waits for its end; dropping the
/// handle detaches the server, which then serves until the runtime ends. To tie it to a piece of
/// code instead, await a [`Server`] there.
///
/// The accept loop calls `handler` for each connection, so whatever takes time belongs into the
/// future that it returns. A panic, of the handler or of its future, ends that connection only and
/// is reported like the panic of any task.
///
/// The future has no output: whether an error of a connection is worth a line is for the handler to
/// say. Around a function that returns a `Result` it is an `async` closure:
///
/// ```
/// # use std::net::SocketAddr;
/// # use tenter::net::{Connection, ServeOptions, TcpListener, TcpStream, serve};
/// # async fn talk(_: Connection<TcpStream, SocketAddr>) -> std::io::Result<()> { Ok(()) }
/// # async fn example(listener: TcpListener) {
/// let handler = async |connection: Connection<TcpStream, SocketAddr>| {
///     let peer = connection.peer;
///     if let Err(error) = talk(connection).await {
///         eprintln!("{peer}: {error}");
///     }
/// };
/// let server = serve(listener, handler, ServeOptions::new());
/// # server.close();
/// # }
/// ```
///
/// # Fairness
///
/// Connections are accepted in the order of the listener's backlog. With a
/// [limit](ServeOptions::max_connections) a free place goes to the connection that has waited
/// longest.
///
/// # Panics
///
/// Outside a runtime. In a runtime that has ended the server is dropped at once, and
/// [`closed`](ServerHandle::closed) says so.
///
/// # Examples
///
/// ```
/// use tenter::io::{AsyncReadExt, AsyncWriteExt};
/// use tenter::net::{ServeOptions, TcpListener, TcpStream, serve};
///
/// # #[tenter::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let greet = |mut connection: tenter::net::Connection<TcpStream, _>| async move {
///     // A client that has gone does not want to be greeted.
///     let _ = connection.stream.write_all(b"hello").await;
/// };
/// let server = serve(listener, greet, ServeOptions::new().max_connections(100));
///
/// let mut text = String::new();
/// TcpStream::connect(address).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
///
/// server.close();
/// let report = server.closed().await?;
/// assert_eq!((report.accepted, report.completed), (1, 1));
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[doc(alias = "start_server")]
#[doc(alias = "start_unix_server")]
pub fn serve<L, H, F>(listener: L, handler: H, options: ServeOptions) -> ServerHandle
where
    L: Listener,
    H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Handle::current_for("tenter::net::serve");
    let handlers = vec![(listener, handler)];
    detach(start(handlers, &options, runtime, Location::caller()))
}

/// Spawns a server.
pub fn detach(serving: Serving) -> ServerHandle {
    let handle = ServerHandle::new(Arc::clone(&serving.end.0));
    let (runtime, at) = (serving.runtime.clone(), serving.served_at);
    let served = async move { drop(serving.await) };
    drop(runtime.spawn_with(served, None, at));
    handle
}

/// A server as a future: it serves in the task that awaits it, until its [handle](Self::handle)
/// closes it.
///
/// # Errors
///
/// The future returns an error if the listener can accept no more; its connections were drained
/// before.
///
/// # Cancel safety
///
/// A scope that is cancelled while it serves, or whose time is over, closes the server and waits for its
/// end, as for every [clean-up](crate::defer_async): it accepts nobody any more, asks its connections to
/// finish, gives them the [drain timeout](ServeOptions::drain_timeout), and cancels those that are left. So
/// the scope returns when all of them have ended, after the drain timeout and the
/// [grace](ServeOptions::cancel_grace) at the latest; a deadline further out does not shorten that, but
/// [`abort`](ServerHandle::abort) does. Connections that are stuck then are told of.
///
/// A future that is dropped otherwise, as by a `select!` that has another winner, closes the listener at once
/// and cancels every connection without a drain. The scope around, if it ends, waits until they are gone, for
/// the grace at the longest.
///
/// # Examples
///
/// ```
/// # use tenter::net::{Connection, ServeError, ServeOptions, Server, TcpListener, TcpStream};
/// # use std::net::SocketAddr;
/// # async fn example(listener: TcpListener) -> Result<(), ServeError> {
/// async fn handle(connection: Connection<TcpStream, SocketAddr>) {
///     drop(connection);
/// }
/// let server = Server::new(listener, handle, ServeOptions::new());
/// let stop = server.handle();
/// tenter::spawn(async move {
///     if tenter::signal::ctrl_c().await.is_ok() {
///         stop.close();
///     }
/// });
/// let report = server.await?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
#[must_use = "a Server does nothing unless you `.await` it; `serve` starts one as a task"]
#[doc(alias = "serve_forever")]
pub struct Server {
    /// Until it is dropped.
    serving: Option<Serving>,
    handle: Arc<Shared>,
}

impl Server {
    /// A server that begins to serve when it is polled. Its connections are tasks of the runtime
    /// that the caller is in.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn new<L, H, F>(listener: L, handler: H, options: ServeOptions) -> Server
    where
        L: Listener,
        H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Handle::current_for("tenter::net::Server::new");
        let handlers = vec![(listener, handler)];
        let serving = start(handlers, &options, runtime, Location::caller());
        serving.end.0.observe();
        Server {
            handle: Arc::clone(&serving.end.0),
            serving: Some(serving),
        }
    }

    /// What closes the server, and waits for its end, from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.handle))
    }
}

impl Future for Server {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let serving = self.serving.as_mut().expect("it is there until the drop");
        Pin::new(serving).poll(cx)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            cut_off::leave(serving);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

/// A server that runs. The listener, in the future, is closed before the end is told.
pub struct Serving {
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    pub(super) end: EndOnDrop,
    /// It has begun, and has not ended.
    pub(super) is_running: bool,
    pub(super) cancel_grace: Duration,
    runtime: Handle,
    served_at: &'static Location<'static>,
}

/// Tells those who wait that a server was dropped before it had ended.
pub struct EndOnDrop(pub(super) Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.dropped();
    }
}

impl Future for Serving {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.is_running = true;
        let outcome = core::task::ready!(self.future.as_mut().poll(cx));
        self.is_running = false;
        self.end.0.end(outcome.clone());
        Poll::Ready(outcome)
    }
}

/// A server of one or more listeners.
pub fn start<L, H, F>(
    handlers: Vec<(L, H)>,
    options: &ServeOptions,
    runtime: Handle,
    served_at: &'static Location<'static>,
) -> Serving
where
    L: Listener,
    H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let at = handlers[0].0.place();
    let places = places(options.max_connections, handlers.len());
    let server = Arc::new(Shared::new(at, places));
    let acceptor = |(shard, (listener, handler)): (usize, (L, H))| Acceptor {
        server: Arc::clone(&server),
        listener,
        handler,
        shard: u16::try_from(shard).expect("the number of shards was checked"),
        on_error: options.on_accept_error.clone(),
        runtime: runtime.clone(),
        served_at,
    };
    let acceptors = handlers.into_iter().enumerate().map(acceptor).collect();
    let limits = (options.drain_timeout, options.cancel_grace);
    Serving {
        future: Box::pin(run(Arc::clone(&server), acceptors, limits)),
        end: EndOnDrop(server),
        is_running: false,
        cancel_grace: options.cancel_grace,
        runtime,
        served_at,
    }
}

/// The whole life of a server.
async fn run<L, H, F>(
    server: Arc<Shared>,
    mut acceptors: Vec<Acceptor<L, H>>,
    (drain_timeout, cancel_grace): (Duration, Duration),
) -> Outcome
where
    L: Listener,
    H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let own = acceptors.swap_remove(0);
    let others: Vec<_> = acceptors.into_iter().map(spawn).collect();
    let mut failure = own.run().await.err();
    // One listener that fails ends them all.
    server.drain();
    for other in others {
        let result = other.await.unwrap_or_else(|stopped| Err(stopped.into()));
        failure = failure.or(result.err());
    }
    let mut cancelling = pin!(server.cancelling.wait());
    let drained = until(cancelling.as_mut(), timeout(drain_timeout, server.empty())).await;
    if !matches!(drained, Some(Ok(()))) {
        server.cancel_all();
        // Who is left when this is over is reported as stuck.
        let _ = timeout(cancel_grace, server.empty()).await;
    }
    let report = server.last_report();
    match failure {
        None => Ok(report),
        Some(error) => Err(ServeError::listener(server.at().to_owned(), error, report)),
    }
}

/// Runs the accept loop of a further shard, which ends with the server.
fn spawn<L, H, F>(acceptor: Acceptor<L, H>) -> CancelOnDrop<io::Result<()>>
where
    L: Listener,
    H: FnMut(Connection<L::Stream, L::Address>) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (runtime, at) = (acceptor.runtime.clone(), acceptor.served_at);
    let task = async move {
        let server = Arc::clone(&acceptor.server);
        let result = acceptor.run().await;
        server.closing.open();
        result
    };
    runtime.spawn_with(task, None, at).cancel_on_drop()
}

/// The limit, dealt out to the listeners.
fn places(limit: Option<usize>, listeners: usize) -> Box<[Semaphore]> {
    let Some(limit) = limit else {
        return Box::default();
    };
    let share = |shard| limit / listeners + usize::from(shard < limit % listeners);
    let places = |shard| Semaphore::new(share(shard)).named("connections of the server");
    (0..listeners).map(places).collect()
}
