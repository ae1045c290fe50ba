//! [`RequestBuilder`]: a request, over its redirects, to the head of its answer.
//!
//! A request that was sent on a connection that had answered before, and that ends without a byte
//! of an answer, has most likely met the server closing it. It is then sent once more, on a new
//! connection, if it changes nothing or if nothing of it had been sent.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use tenter::time::{self, Instant};

use crate::ConnectError;
use crate::client::error::{Asked, Error, ErrorKind, Stage};
use crate::client::pool::{Lease, Link, LinkError, Place};
use crate::client::redirect::Ask;
use crate::client::response::Response;
use crate::client::target::{Target, without_user};
use crate::client::{Client, Settings};
use crate::dial::dial;

/// The body of a redirect up to which its connection is kept.
const REDIRECT_BODY_MAX: usize = 16 << 10;

/// A request that is being set up; made by [`Client::get`] and its like. Await it for the answer.
///
/// # Errors
///
/// The address cannot be asked for; nobody can be connected to; the exchange breaks; the time is up;
/// there are too many redirects. A status is not an error.
///
/// # Cancel safety
///
/// Dropping the future gives up the request and closes its connection.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: tenter_http::Client) -> Result<(), tenter_http::Error> {
/// let response = client
///     .post("http://127.0.0.1:8080/items")
///     .header("content-type", "text/plain")
///     .body("a new one")
///     .await?
///     .error_for_status()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a request is not sent unless you `.await` it"]
#[derive(Debug)]
pub struct RequestBuilder {
    client: Client,
    asked: Asked,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    /// What was wrong with a header.
    wrong: Option<String>,
}

impl RequestBuilder {
    pub(crate) fn new(client: Client, method: Method, url: String) -> RequestBuilder {
        let settings = &client.inner.settings;
        RequestBuilder {
            headers: settings.headers.clone(),
            timeout: settings.timeout,
            asked: Asked {
                method,
                url: without_user(url.trim()),
            },
            client,
            url,
            body: Bytes::new(),
            wrong: None,
        }
    }

    /// Sets a header. One that cannot be sent is an error of the request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            (Err(error), _) => self.wrong = Some(format!("the header `{name}`: {error}")),
            (_, Err(error)) => self.wrong = Some(format!("the value of `{name}`: {error}")),
        }
        self
    }

    /// What is sent with it.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// How long the whole may take, the body of the answer too. Default: that of the client.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    async fn run(self) -> Result<Response, Error> {
        let mut limits = Limits {
            asked: self.asked,
            timeout: self.timeout,
            deadline: time::now() + self.timeout,
        };
        if let Some(wrong) = self.wrong {
            return Err(limits.asked.refused(ErrorKind::Request, wrong));
        }
        let target = Target::parse(&self.url).map_err(|refusal| {
            let why = format!("the address cannot be asked for: {refusal}");
            limits.asked.refused(refusal.kind(), why)
        })?;
        let mut ask = Ask {
            method: limits.asked.method.clone(),
            target,
            headers: self.headers,
            body: self.body,
        };
        let settings = &self.client.inner.settings;
        for hops in 0.. {
            let response = exchange(&self.client, &ask, &limits).await?;
            if settings.redirects_max == 0 {
                return Ok(response);
            }
            let next = match ask.redirected(response.status(), response.headers()) {
                Ok(None) => return Ok(response),
                Ok(Some(next)) => next,
                Err((location, refusal)) => {
                    let location = without_user(&location);
                    let why = format!("it redirects to `{location}`: {refusal}");
                    return Err(limits.asked.refused(refusal.kind(), why));
                }
            };
            if hops >= settings.redirects_max {
                let most = settings.redirects_max;
                let why = format!("more than {most} redirects, the last to {}", next.target);
                return Err(limits.asked.refused(ErrorKind::Redirects, why));
            }
            // Read, so that its connection can be used again; what is too long is not worth it.
            response.discard(REDIRECT_BODY_MAX).await;
            limits.asked = Asked {
                method: next.method.clone(),
                url: next.target.to_string(),
            };
            ask = next;
        }
        unreachable!("the redirects are bounded")
    }
}

impl IntoFuture for RequestBuilder {
    type Output = Result<Response, Error>;
    type IntoFuture = ResponseFuture;

    fn into_future(self) -> ResponseFuture {
        ResponseFuture {
            future: Box::pin(self.run()),
        }
    }
}

/// The future of a request; made by awaiting a [`RequestBuilder`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ResponseFuture {
    future: Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>,
}

impl Future for ResponseFuture {
    type Output = Result<Response, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// What bounds a request, and what its errors are about.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) asked: Asked,
    timeout: Duration,
    deadline: Instant,
}

impl Limits {
    /// Waits for `step`, until the time for the whole is up.
    pub(crate) async fn step<F: Future>(
        &self,
        step: F,
        stage: impl FnOnce() -> Stage,
    ) -> Result<F::Output, Error> {
        if self.timeout == Duration::MAX {
            return Ok(step.await);
        }
        let done = time::timeout_at(self.deadline, step).await;
        done.map_err(|_| self.asked.timed_out(self.timeout, &stage()))
    }
}

/// One request and the head of its answer.
async fn exchange(client: &Client, ask: &Ask, limits: &Limits) -> Result<Response, Error> {
    let Client { inner } = client;
    let origin = ask.target.origin();
    let place = Arc::clone(&inner.pool).place(origin.clone());
    let waiting = || Stage::Place {
        of: origin.to_string(),
        count: inner.pool.places(),
    };
    let place = limits.step(place, waiting).await?;
    let mut may_reuse = true;
    loop {
        let idle = match may_reuse {
            true => place.take_idle().await,
            false => None,
        };
        let mut link = match idle {
            Some(link) => link,
            None => connect(&place, ask, &inner.settings, limits).await?,
        };
        let peer = link.peer;
        let answer = link.sender.try_send_request(request(ask));
        let answer = limits.step(answer, || Stage::Answer { peer }).await?;
        let mut error = match answer {
            Ok(answer) => {
                let lease = Lease { link, place };
                let limits = limits.clone();
                return Ok(Response::new(answer, lease, limits, inner.settings.body_max).await);
            }
            Err(error) => error,
        };
        let was_sent = error.take_message().is_none();
        let error = error.into_error();
        let is_stale = link.is_used && (!was_sent || is_safe(&ask.method) && has_ended(&error));
        if !is_stale || !may_reuse {
            let what = format!("the exchange with {peer} failed");
            return Err(limits.asked.broken(&what, error));
        }
        may_reuse = false;
    }
}

async fn connect(
    place: &Place,
    ask: &Ask,
    settings: &Settings,
    limits: &Limits,
) -> Result<Link, Error> {
    let origin = ask.target.origin();
    let asked = &limits.asked;
    let refused = |cause| asked.not_connected(ConnectError::new(asked.url.clone(), cause));
    let connecting = async {
        let stream = dial(&origin.host, origin.port, settings.connect_timeout).await;
        let linked = place.pool().link(stream.map_err(refused)?).await;
        linked.map_err(|error| match error {
            LinkError::Socket(cause) => refused(cause),
            LinkError::Http(cause) => {
                asked.broken(&format!("the connection to {origin} failed"), cause)
            }
        })
    };
    let stage = || Stage::Connection {
        of: origin.to_string(),
    };
    limits.step(connecting, stage).await?
}

/// What goes over the line.
fn request(ask: &Ask) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = ask.target.request_uri();
    *request.headers_mut() = ask.headers.clone();
    let headers = request.headers_mut();
    headers
        .entry(HOST)
        .or_insert_with(|| ask.target.host_header());
    request
}

/// Whether the request may reach the server twice.
fn is_safe(method: &Method) -> bool {
    method.is_safe()
}

/// Whether the connection ended where the answer was to begin.
fn has_ended(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let is_cut = |cause: &io::Error| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        )
    };
    let cut = source
        .and_then(|source| source.downcast_ref())
        .is_some_and(is_cut);
    cut || error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}
