//! [`ServeOptions`]: how a server behaves.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tenter_sync::Semaphore;

/// What service managers wait between asking a process to end and killing it is 30 s or more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Cancelled connections need one poll to be gone. More means that a handler shields its last
/// steps, or that a thread is stuck in user code.
const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// What is called with the errors of `accept` that a server survives.
pub type OnAcceptError = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// How a server behaves: how many connections it has at a time, and how it ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter::net::ServeOptions;
///
/// let options = ServeOptions::new().max_connections(1_000).drain_timeout(Duration::from_secs(5));
/// # drop(options);
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until they are given to `serve`"]
pub struct ServeOptions {
    pub(super) max_connections: Option<usize>,
    pub(super) drain_timeout: Duration,
    pub(super) cancel_grace: Duration,
    pub(super) on_accept_error: Option<OnAcceptError>,
}

impl ServeOptions {
    /// No limit of connections, a drain timeout of 30 s, a grace of 1 s.
    pub fn new() -> ServeOptions {
        ServeOptions {
            max_connections: None,
            drain_timeout: DRAIN_TIMEOUT,
            cancel_grace: CANCEL_GRACE,
            on_accept_error: None,
        }
    }

    /// How many connections there may be at a time. At the limit the server accepts no more, and
    /// further clients wait in the backlog of the listener. Default: as many as the system gives.
    ///
    /// # Panics
    ///
    /// If `count` is 0, which would serve nobody.
    #[track_caller]
    pub fn max_connections(mut self, count: usize) -> ServeOptions {
        assert!(
            count > 0,
            "max_connections(0) would serve nobody: allow at least one"
        );
        self.max_connections = (count <= Semaphore::MAX_PERMITS).then_some(count);
        self
    }

    /// How long a server that is asked to [`close`](crate::net::ServerHandle::close) waits for its
    /// connections to finish; those that are left are then cancelled. Default: 30 s.
    /// `Duration::MAX` waits for ever, zero cancels at once.
    pub fn drain_timeout(mut self, limit: Duration) -> ServeOptions {
        self.drain_timeout = limit;
        self
    }

    /// How long cancelled connections may take to be gone: a handler may shield its last steps.
    /// Those that are not are reported as stuck, and end when they end. Default: 1 s.
    pub fn cancel_grace(mut self, limit: Duration) -> ServeOptions {
        self.cancel_grace = limit;
        self
    }

    /// Calls `report` with every error of `accept` that the server survives: no file descriptors
    /// left, say. They come at most every few milliseconds, because accepting pauses after each.
    /// Default: one line on standard error, at most every 5 s.
    ///
    /// A panic of `report` is printed and ignored.
    pub fn on_accept_error(
        mut self,
        report: impl Fn(&io::Error) + Send + Sync + 'static,
    ) -> ServeOptions {
        self.on_accept_error = Some(Arc::new(report));
        self
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("max_connections", &self.max_connections)
            .field("drain_timeout", &self.drain_timeout)
            .field("cancel_grace", &self.cancel_grace)
            .field("on_accept_error", &self.on_accept_error.is_some())
            .finish()
    }
}
