//! Connections that are opened, and what is said when they cannot be.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tenter::net::{AttemptErrors, TcpStream};

/// Long enough for three packets that were lost, short enough for a person who waits.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a host as its addresses allow: they race (RFC 8305).
pub(crate) async fn dial(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    if limit == Duration::MAX {
        return TcpStream::connect((host, port)).await;
    }
    TcpStream::connect_timeout((host, port), limit).await
}

/// A connection that could not be opened: what for, and what became of every address that was
/// tried.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let client = tenter_http::Client::new();
/// let error = client.get("http://127.0.0.1:9/").await.unwrap_err();
/// let cause = std::error::Error::source(&error).expect("it has a cause");
/// let refused: &tenter_http::ConnectError = cause.downcast_ref().expect("of this type");
/// assert_eq!(refused.attempts()[0].0.port(), 9);
/// # });
/// ```
#[doc(alias = "ClientConnectorError")]
pub struct ConnectError {
    target: String,
    cause: io::Error,
}

impl ConnectError {
    pub(crate) fn new(target: String, cause: io::Error) -> ConnectError {
        ConnectError { target, cause }
    }

    /// What the connection was for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Every address that refused, with its reason, in the order in which they did. Empty if it
    /// did not come to that: the host was not found, or the time was up.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        let inside = self.cause.get_ref();
        inside
            .and_then(|inside| inside.downcast_ref::<AttemptErrors>())
            .map_or(&[], AttemptErrors::attempts)
    }

    /// The time for connecting was up.
    pub fn is_timeout(&self) -> bool {
        self.attempts().is_empty() && self.cause.kind() == io::ErrorKind::TimedOut
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}: ", self.target)?;
        let mut between = "";
        for (address, cause) in self.attempts() {
            write!(f, "{between}{address}: {cause}")?;
            between = "; ";
        }
        if between.is_empty() {
            let text = self.cause.to_string();
            f.write_str(text.strip_prefix("cannot connect: ").unwrap_or(&text))?;
        }
        Ok(())
    }
}

/// Programs end with the `Debug` of an error more often than with its `Display`.
impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
