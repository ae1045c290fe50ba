//! [`Error`]: what was asked for, at which address, and what went wrong.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::{BoxError, ConnectError};

/// Why a request of [`Client`](crate::Client) has no answer, or an answer has no body.
///
/// Its text is never empty: it names what was asked for, the address where one was reached, and the
/// cause; a timeout says after how long and what was waited for.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let error = tenter_http::Client::new().get("http://127.0.0.1:9/").await.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot connect to http://127.0.0.1:9/: 127.0.0.1:9: Connection refused (os error 111)"
/// );
/// # });
/// ```
#[doc(alias = "ClientError")]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    /// Without the name of a user.
    url: String,
    text: String,
    cause: Option<BoxError>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The address cannot be understood, or a header cannot be sent.
    Request,
    /// The address is `https`, which needs TLS.
    Tls,
    /// There is no connection: nobody listens, the host is unknown, the time for it is up.
    Connect,
    /// The time for the whole is up.
    Timeout,
    /// There were more redirects than allowed.
    Redirects,
    /// The body is larger than allowed.
    BodyLimit,
    /// The connection broke, or what came is no HTTP.
    Exchange,
    /// The status that [`Response::error_for_status`](crate::Response::error_for_status) refused.
    Status(StatusCode),
}

/// What was waited for when the time was up.
#[derive(Debug)]
pub(crate) enum Stage {
    Place { of: String, count: usize },
    Connection { of: String },
    Answer { peer: SocketAddr },
    Body { peer: SocketAddr, so_far: usize },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Place { of, count } => {
                write!(f, "waiting for one of the {count} places at {of}")
            }
            Stage::Connection { of } => write!(f, "connecting to {of}"),
            Stage::Answer { peer } => write!(f, "waiting for the answer of {peer}"),
            Stage::Body { peer, so_far } => {
                write!(f, "reading the body from {peer}, {so_far} bytes so far")
            }
        }
    }
}

/// What errors are about.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Without the name of a user.
    pub(crate) url: String,
}

impl Asked {
    fn error(&self, kind: ErrorKind, what: &str, cause: Option<BoxError>) -> Error {
        Error {
            inner: Box::new(Inner {
                kind,
                url: self.url.clone(),
                text: format!("{} {}: {what}", self.method, self.url),
                cause,
            }),
        }
    }

    pub(crate) fn refused(&self, kind: ErrorKind, why: impl fmt::Display) -> Error {
        self.error(kind, &why.to_string(), None)
    }

    pub(crate) fn not_connected(&self, cause: ConnectError) -> Error {
        Error {
            inner: Box::new(Inner {
                kind: ErrorKind::Connect,
                url: self.url.clone(),
                text: cause.to_string(),
                cause: Some(cause.into()),
            }),
        }
    }

    pub(crate) fn timed_out(&self, limit: Duration, stage: &Stage) -> Error {
        let what = format!("timed out after {limit:?}, {stage}");
        self.error(ErrorKind::Timeout, &what, None)
    }

    pub(crate) fn broken(&self, what: &str, cause: hyper::Error) -> Error {
        let mut text = format!("{what}: {cause}");
        let mut inner: &dyn std::error::Error = &cause;
        while let Some(next) = inner.source() {
            text = format!("{text}: {next}");
            inner = next;
        }
        self.error(ErrorKind::Exchange, &text, Some(cause.into()))
    }
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What was asked for when it went wrong: after redirects, the last address. The name and the
    /// password of a user are left out.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Some time was up: for the whole, or for connecting.
    pub fn is_timeout(&self) -> bool {
        let connecting = || {
            let cause = self.inner.cause.as_ref()?;
            Some(cause.downcast_ref::<ConnectError>()?.is_timeout())
        };
        self.inner.kind == ErrorKind::Timeout || connecting() == Some(true)
    }

    /// There was no connection, so the server has not heard of the request.
    pub fn is_connect(&self) -> bool {
        self.inner.kind == ErrorKind::Connect
    }

    /// The status, if that was the error.
    pub fn status(&self) -> Option<StatusCode> {
        match self.inner.kind {
            ErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.text)
    }
}

/// Programs end with the `Debug` of an error more often than with its `Display`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner.text, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.inner.cause.as_ref()?;
        Some(cause.as_ref())
    }
}
