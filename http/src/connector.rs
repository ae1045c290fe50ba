//! [`Connector`]: connections of tenter for the pooled client of hyper-util.
//!
//! Tests: `tests/tests/http/connector.rs`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use http_body::Body;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client};
use tenter::net::TcpStream;
use tower_service::Service;

use crate::dial::{CONNECT_TIMEOUT, dial};
use crate::{ConnectError, Peer, TenterExecutor, TenterIo, TenterTimer};

/// The pooled client of hyper-util on the runtime that runs the caller, with a [`Connector`].
///
/// Connections are kept for 90 s without a request. Other settings:
/// `hyper_util::client::legacy::Client::builder(TenterExecutor::current())`, with
/// `.pool_timer(TenterTimer::new())`. For programs of one's own, [`Client`](crate::Client) is less
/// work.
///
/// # Panics
///
/// If no runtime runs the caller.
///
/// # Examples
///
/// ```no_run
/// use http_body_util::{BodyExt, Empty};
/// use tenter_http::Bytes;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = tenter_http::client::<Empty<Bytes>>();
/// let response = client.get("http://example.com/".parse()?).await?;
/// let body = response.into_body().collect().await?.to_bytes();
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn client<B>() -> Client<Connector, B>
where
    B: Body + Send,
    B::Data: Send,
{
    legacy::Builder::new(TenterExecutor::current())
        .timer(TenterTimer::new())
        .pool_timer(TenterTimer::new())
        .build(Connector::new())
}

/// Connects for hyper-util's clients, and for what else takes a tower service from an address to a
/// stream.
///
/// The addresses of a host race (RFC 8305); the error lists what became of each. A response tells
/// who sent it by the extension [`Peer`].
#[derive(Clone, Debug)]
#[doc(alias = "HttpConnector")]
pub struct Connector {
    connect_timeout: Duration,
    nodelay: bool,
    enforce_http: bool,
}

impl Connector {
    /// A connector for `http` that gives up after 10 s.
    pub fn new() -> Connector {
        Connector {
            connect_timeout: CONNECT_TIMEOUT,
            nodelay: true,
            enforce_http: true,
        }
    }

    /// How long looking up the host and connecting may take. Default: 10 s. `Duration::MAX` waits
    /// as long as the system does.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Whether small packets leave at once (`TCP_NODELAY`). Default: yes.
    pub fn nodelay(mut self, yes: bool) -> Self {
        self.nodelay = yes;
        self
    }

    /// Whether every scheme but `http` is refused. Default: yes, because what this connects is not
    /// encrypted. A connector that puts TLS around this one needs `false`.
    pub fn enforce_http(mut self, yes: bool) -> Self {
        self.enforce_http = yes;
        self
    }

    async fn connect(self, uri: Uri) -> Result<TenterIo<TcpStream>, ConnectError> {
        let target = match uri.authority() {
            Some(authority) => {
                let authority = authority.as_str();
                let host = authority.rsplit('@').next().unwrap_or(authority);
                format!("{}://{host}", uri.scheme_str().unwrap_or("http"))
            }
            None => format!("`{uri}`"),
        };
        let stream = self.stream(&uri).await;
        stream
            .map(TenterIo::new)
            .map_err(|cause| ConnectError::new(target, cause))
    }

    async fn stream(self, uri: &Uri) -> io::Result<TcpStream> {
        let refused = |sentence| Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
        let Some(host) = uri.host() else {
            return refused("the address has no host");
        };
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        if self.enforce_http && uri.scheme() != Some(&Scheme::HTTP) {
            return refused(
                "this connector speaks only http: put a TLS connector around it, and tell it \
                 `enforce_http(false)`",
            );
        }
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = dial(host, port, self.connect_timeout).await?;
        if self.nodelay {
            // A peer that has already reset the connection makes this fail; using it shows that.
            let _ = stream.set_nodelay(true);
        }
        Ok(stream)
    }
}

impl Default for Connector {
    fn default() -> Self {
        Connector::new()
    }
}

impl Service<Uri> for Connector {
    type Response = TenterIo<TcpStream>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        Connecting {
            future: Box::pin(self.clone().connect(uri)),
        }
    }
}

/// The future of a [`Connector`]. Dropping it gives the connection up.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Connecting {
    future: Pin<Box<dyn Future<Output = Result<TenterIo<TcpStream>, ConnectError>> + Send>>,
}

impl Future for Connecting {
    type Output = Result<TenterIo<TcpStream>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").finish_non_exhaustive()
    }
}

impl Connection for TenterIo<TcpStream> {
    fn connected(&self) -> Connected {
        match self.get_ref().peer_addr() {
            Ok(peer) => Connected::new().extra(Peer(peer)),
            Err(_) => Connected::new(),
        }
    }
}
