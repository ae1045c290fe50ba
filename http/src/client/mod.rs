//! [`Client`]: requests over connections that are kept.
//!
//! | file | what |
//! |---|---|
//! | `target` | addresses |
//! | `pool` | connections, and how many of them |
//! | `request` | a request, over its redirects, to the head of its answer |
//! | `redirect` | where a request goes next |
//! | `response` | the answer, and its body |
//! | `error` | what went wrong |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};

pub use crate::client::error::{Error, ErrorKind};
pub use crate::client::request::{RequestBuilder, ResponseFuture};
pub use crate::client::response::Response;

use crate::TenterExecutor;
use crate::client::pool::Pool;
use crate::dial::CONNECT_TIMEOUT;

mod error;
mod pool;
mod redirect;
mod request;
mod response;
mod target;

/// Asks servers over HTTP/1.1, and keeps its connections for the next request to the same server.
///
/// It is cheap to clone, and clones share their connections; they are closed when the last clone is
/// dropped. A status such as 404 is an answer and not an error; see
/// [`Response::error_for_status`]. Redirects are followed. There is no TLS: `https` is an error that
/// says so.
///
/// # Cancel safety
///
/// Dropping a request or an answer that is not read to its end, as a deadline does, closes its
/// connection, so that nobody else gets the rest of it. No other request notices.
///
/// # Examples
///
/// ```no_run
/// use tenter_http::Client;
///
/// #[tenter::main]
/// async fn main() -> Result<(), tenter_http::Error> {
///     let client = Client::new();
///     let response = client.get("http://example.com/").await?;
///     println!("{}", response.status());
///     println!("{}", response.text().await?);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[doc(alias = "ClientSession")]
#[doc(alias = "reqwest")]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Arc<Pool>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    timeout: Duration,
    connect_timeout: Duration,
    redirects_max: usize,
    body_max: usize,
    headers: HeaderMap,
}

impl Client {
    /// A client with the defaults of [`ClientBuilder`], whose connections are served by the runtime
    /// that runs the caller.
    ///
    /// # Panics
    ///
    /// If no runtime does. There give [`ClientBuilder::executor`] one.
    #[track_caller]
    #[expect(
        clippy::new_without_default,
        reason = "it needs a runtime, which a default should not"
    )]
    pub fn new() -> Client {
        Client::builder().build()
    }

    /// A client to be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Asks for what is at an address; await it for the answer.
    ///
    /// # Errors
    ///
    /// Those of [`RequestBuilder`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(client: tenter_http::Client) -> Result<(), tenter_http::Error> {
    /// let text = client.get("http://example.com/").await?.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Sends something to an address: `client.post(url).body("text").await`.
    ///
    /// # Errors
    ///
    /// Those of [`RequestBuilder`].
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// A request of any method.
    ///
    /// # Errors
    ///
    /// Those of [`RequestBuilder`].
    pub fn request(&self, method: Method, url: impl Into<String>) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url.into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`Client`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_http::Client;
///
/// # tenter::run(async {
/// let client = Client::builder()
///     .timeout(Duration::from_secs(20))
///     .max_per_host(4)
///     .build();
/// # drop(client);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "nothing is built until `build`"]
#[doc(alias = "ClientTimeout")]
#[doc(alias = "TCPConnector")]
pub struct ClientBuilder {
    settings: Settings,
    executor: Option<TenterExecutor>,
    idle_timeout: Duration,
    places: Option<usize>,
}

impl ClientBuilder {
    fn new() -> ClientBuilder {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("tenter/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        ClientBuilder {
            settings: Settings {
                timeout: Duration::from_secs(300),
                connect_timeout: CONNECT_TIMEOUT,
                redirects_max: 10,
                body_max: 64 << 20,
                headers,
            },
            executor: None,
            idle_timeout: Duration::from_secs(15),
            places: None,
        }
    }

    /// How long the whole may take: waiting for a place, connecting, redirects, and reading the
    /// body to its end. Default: 300 s. `Duration::MAX` waits for ever. [`RequestBuilder::timeout`]
    /// sets it for one request.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.timeout = limit;
        self
    }

    /// How long looking up the host and connecting may take. Default: 10 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// How many requests there may be at a time to one host and port, from connecting to the end of
    /// the body; others wait their turn. There are no more connections than that either. Whoever
    /// holds answers unread while waiting for another from the same host can wait for ever. Default:
    /// no limit.
    ///
    /// # Panics
    ///
    /// If `count` is 0, which would let nobody through.
    #[track_caller]
    #[doc(alias = "limit_per_host")]
    pub fn max_per_host(mut self, count: usize) -> Self {
        assert!(
            count > 0,
            "no request would ever be sent with 0 places per host: give 1 or more"
        );
        self.places = Some(count);
        self
    }

    /// How long a connection is kept without a request. Default: 15 s. Zero keeps none.
    #[doc(alias = "keepalive_timeout")]
    pub fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// How many redirects are followed; one more is an error. 0 follows none, and returns the answer
    /// that redirects. Default: 10.
    pub fn max_redirects(mut self, count: usize) -> Self {
        self.settings.redirects_max = count;
        self
    }

    /// The most bytes of a body that [`Response::bytes`] and [`Response::text`] collect. Default: 64
    /// MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.settings.body_max = bytes;
        self
    }

    /// Headers of every request; those of a request go before. Default: `accept: */*` and a
    /// `user-agent`.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.settings.headers = headers;
        self
    }

    /// The runtime that serves the connections. Default: the one that runs the caller of `build`.
    pub fn executor(mut self, executor: TenterExecutor) -> Self {
        self.executor = Some(executor);
        self
    }

    /// The client.
    ///
    /// # Panics
    ///
    /// Outside a runtime, if none was given.
    #[track_caller]
    pub fn build(self) -> Client {
        let executor = match self.executor {
            Some(executor) => executor,
            None => TenterExecutor::current(),
        };
        let pool = Pool::new(executor, self.idle_timeout, self.places);
        Client {
            inner: Arc::new(Inner {
                pool: Arc::new(pool),
                settings: self.settings,
            }),
        }
    }
}
