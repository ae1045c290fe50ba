//! One connection, as a task.
//!
//! It ends when the peer closes it, when it fails, when the server drains and the request in hand
//! is answered, or at the latest when the server cancels what is left.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use tenter::net::{Connection, TcpStream};
use tower_service::Service;

use crate::peer::{AddPeer, Peer};
use crate::{BoxError, TenterIo, TenterTimer};

/// Called with the errors that end connections.
pub(crate) type OnError = Arc<dyn Fn(Peer, &hyper::Error) + Send + Sync>;

/// What all connections of a server have in common.
pub(crate) struct Settings {
    pub(crate) header_read_timeout: Duration,
    pub(crate) half_close: bool,
    pub(crate) on_error: Option<OnError>,
}

/// Serves one connection to its end.
pub(crate) async fn run<S, B>(
    accepted: Connection<TcpStream, SocketAddr>,
    service: S,
    settings: Arc<Settings>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let closing = accepted.closing;
    let peer = Peer(accepted.peer);
    let service = TowerToHyperService::new(AddPeer { service, peer });
    let connection = http1::Builder::new()
        .timer(TenterTimer::new())
        .header_read_timeout(settings.header_read_timeout)
        .half_close(settings.half_close)
        .serve_connection(TenterIo::new(accepted.stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = match unless(connection.as_mut(), pin!(closing.requested())).await {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let (Err(error), Some(on_error)) = (result, &settings.on_error) {
        on_error(peer, &error);
    }
}

/// What `work` returns, or `None` if `end` comes first. `work` goes first: it is what is woken
/// most, and what is ready is used.
async fn unless<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    mut end: Pin<&mut impl Future<Output = ()>>,
) -> Option<T> {
    poll_fn(|cx: &mut Context<'_>| match work.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => end.as_mut().poll(cx).map(|()| None),
    })
    .await
}
