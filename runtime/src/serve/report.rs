//! What a server tells when it has ended: [`ServeReport`], [`ServeError`].

use core::fmt;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::task::TaskId;

/// What a server did.
///
/// Every connection that was accepted is in exactly one of `completed`, `panicked`, `cancelled` and
/// `stuck`; while the server runs, `open` stands for those that have not ended.
///
/// `Display` is one line, and one more for each connection that is stuck.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeReport {
    /// Connections accepted in all.
    pub accepted: u64,
    /// Connections whose handler returned.
    pub completed: u64,
    /// Connections whose handler panicked. Each was reported like the panic of any task.
    pub panicked: u64,
    /// Connections whose handler was dropped before it was ready.
    pub cancelled: u64,
    /// Of those that completed or panicked, how many did so after the server began to close.
    pub drained: u64,
    /// Accepts that failed and were survived.
    pub accept_errors: u64,
    /// Connections that have not ended. None when the server has ended.
    pub open: usize,
    /// Connections that were cancelled, and were not gone when the grace was over.
    pub stuck: usize,
    /// The first of them (at most 64).
    pub stuck_connections: Vec<StuckConnection>,
}

impl fmt::Display for ServeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "accepted {} connection{}: {} completed, {} cancelled",
            self.accepted,
            if self.accepted == 1 { "" } else { "s" },
            self.completed,
            self.cancelled
        )?;
        let rare = [
            (self.panicked, "panicked"),
            (self.open as u64, "open"),
            (self.stuck as u64, "stuck"),
        ];
        for (count, what) in rare.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        if self.accept_errors > 0 {
            write!(f, "; survived {} failed accepts", self.accept_errors)?;
        }
        for stuck in &self.stuck_connections {
            write!(f, "\n  stuck: {stuck}")?;
        }
        Ok(())
    }
}

/// A connection that was cancelled and had not left when the grace was over: its handler is in a
/// poll that does not end, or shields itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StuckConnection {
    /// The address of the peer, where it has one.
    pub peer: Option<SocketAddr>,
    /// The number of the connection's task.
    pub task: Option<TaskId>,
}

impl fmt::Display for StuckConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(f, "the connection of {peer}")?,
            None => f.write_str("a connection")?,
        }
        match self.task {
            Some(task) => write!(f, ", task {task}"),
            None => Ok(()),
        }
    }
}

/// A server ended without having been asked to: its listener failed, or its task was dropped.
///
/// [`report`](Self::report) says what it had done until then.
#[derive(Clone, Debug)]
pub struct ServeError {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cause: Cause,
    report: ServeReport,
}

#[derive(Debug)]
enum Cause {
    Listener { at: String, error: io::Error },
    Dropped { at: String },
}

impl ServeError {
    pub(super) fn listener(at: String, error: io::Error, report: ServeReport) -> ServeError {
        let cause = Cause::Listener { at, error };
        let inner = Arc::new(Inner { cause, report });
        ServeError { inner }
    }

    pub(super) fn dropped(at: String, report: ServeReport) -> ServeError {
        let cause = Cause::Dropped { at };
        let inner = Arc::new(Inner { cause, report });
        ServeError { inner }
    }

    /// Whether the listener failed: then the connections were drained as after a `close`. Otherwise
    /// the server was dropped, by the end of its runtime or by its owner.
    pub fn is_listener(&self) -> bool {
        matches!(self.inner.cause, Cause::Listener { .. })
    }

    /// What the server had done. Of a server that was dropped, its open connections were cancelled,
    /// and not waited for.
    pub fn report(&self) -> &ServeReport {
        &self.inner.report
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.cause {
            Cause::Listener { at, error } => write!(
                f,
                "the server at {at} can accept no more connections: {error}"
            )?,
            Cause::Dropped { at } => write!(
                f,
                "the server at {at} was dropped before it was closed: its runtime has shut down, \
                 or the future that served was dropped"
            )?,
        }
        write!(f, " ({})", self.inner.report)
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.inner.cause {
            Cause::Listener { error, .. } => Some(error),
            Cause::Dropped { .. } => None,
        }
    }
}

impl From<ServeError> for io::Error {
    fn from(error: ServeError) -> io::Error {
        let kind = match &error.inner.cause {
            Cause::Listener { error, .. } => error.kind(),
            Cause::Dropped { .. } => io::ErrorKind::Interrupted,
        };
        io::Error::new(kind, error)
    }
}
