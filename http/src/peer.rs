//! [`Peer`]: the address at the other end, on every request.

use std::fmt;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

/// The address of the peer that sent a request. [`serve`](crate::serve()) puts it into the
/// extensions of every request; with axum it is extracted as `Extension<Peer>`.
///
/// Behind a proxy this is the proxy.
///
/// # Examples
///
/// ```
/// # use tenter_http::Peer;
/// fn greet<B>(request: &http::Request<B>) -> String {
///     match request.extensions().get::<Peer>() {
///         Some(peer) => format!("hello {peer}"),
///         None => "hello".into(),
///     }
/// }
/// # assert_eq!(greet(&http::Request::new(())), "hello");
/// ```
#[doc(alias = "ConnectInfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A service that adds the peer's address to what it passes on.
#[derive(Clone, Debug)]
pub(crate) struct AddPeer<S> {
    pub(crate) service: S,
    pub(crate) peer: Peer,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for AddPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }
}
