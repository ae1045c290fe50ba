//! [`ServerHandle`]: to close a server, and to learn how it ended.

use core::fmt;
use std::sync::Arc;

use tenter_sync::planted;

use super::report::{ServeError, ServeReport};
use super::shared::Shared;

/// The right to close a server and to learn how it ended. Cheap to clone, usable from any thread.
///
/// Dropping it detaches the server, which goes on. If its listener fails after the last handle is
/// gone, that is told on standard error.
#[doc(alias = "Server")]
#[must_use = "without its handle a server runs until its runtime ends: drop it on purpose"]
pub struct ServerHandle {
    server: Arc<Shared>,
}

impl ServerHandle {
    pub(super) fn new(server: Arc<Shared>) -> ServerHandle {
        server.add_handle();
        ServerHandle { server }
    }

    /// Closes the server: it stops listening, so clients in the backlog and new ones are refused;
    /// it asks its connections to finish ([`Closing`](crate::net::Closing)); and cancels those that
    /// are left after the [drain timeout](crate::net::ServeOptions::drain_timeout).
    ///
    /// Returns at once; [`closed`](Self::closed) waits. Closing again does nothing.
    pub fn close(&self) {
        self.server.closing.open();
    }

    /// Closes the server and cancels its connections without waiting for them to finish. Also
    /// shortens a [`close`](Self::close) that takes too long.
    ///
    /// Returns at once; [`closed`](Self::closed) waits until they are gone.
    #[doc(alias = "abort_clients")]
    pub fn abort(&self) {
        self.server.closing.open();
        if !planted!("serve.abort_only_closes") {
            self.server.cancelling.open();
        }
    }

    /// Waits until the server has ended, and says what it did. May be called any number of times.
    ///
    /// # Errors
    ///
    /// The listener failed, or the server was dropped, by the end of its runtime say. The error has
    /// the report of what was done.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[doc(alias = "wait_closed")]
    pub async fn closed(&self) -> Result<ServeReport, ServeError> {
        self.server.outcome().await
    }

    /// What the server has done so far.
    pub fn report(&self) -> ServeReport {
        self.server.report()
    }

    /// How many connections there are at this moment.
    pub fn open_connections(&self) -> usize {
        self.server.open()
    }

    /// Whether the server was asked to close, or closes because it failed.
    pub fn is_closing(&self) -> bool {
        self.server.closing.is_open()
    }

    /// Whether the server has ended.
    pub fn is_closed(&self) -> bool {
        self.server.has_ended()
    }
}

impl Clone for ServerHandle {
    fn clone(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.server))
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.server.remove_handle();
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}
