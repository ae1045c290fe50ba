//! How a server tells its connections to finish, and learns that they have.
//!
//! ```text
//!  open ──drain──► draining ──drop_all──► dropping
//!  serve           finish the request     leave now
//!                  in hand, then close
//! ```
//!
//! 1. A phase is never left backwards, and who asks later sees it as well: both are semaphores
//!    without permits, and waiting for one ends when it is closed.
//! 2. A connection holds a place from before it is accepted until its task has dropped everything
//!    else, also if it panics. So all places being free means that no connection is left.

use std::sync::Arc;

use tenter::sync::{OwnedPermit, Semaphore};

/// Shared by a server and its connections.
#[derive(Debug)]
pub(crate) struct Gate {
    draining: Semaphore,
    dropping: Semaphore,
    places: Arc<Semaphore>,
    place_count: usize,
}

/// A connection's place.
pub(crate) type Place = OwnedPermit;

impl Gate {
    /// A gate in the phase "open", for at most `place_count` connections at a time.
    pub(crate) fn new(place_count: usize) -> Gate {
        Gate {
            draining: Semaphore::new(0).named("end of the HTTP server"),
            dropping: Semaphore::new(0).named("end of the HTTP server's drain"),
            places: Arc::new(Semaphore::new(place_count).named("HTTP connections")),
            place_count,
        }
    }

    /// Waits for a free place.
    pub(crate) async fn place(&self) -> Place {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            Err(_) => unreachable!("nobody closes the semaphore of the places"),
        }
    }

    /// How many connections there are.
    pub(crate) fn live(&self) -> usize {
        self.place_count - self.places.available()
    }

    /// Waits until there is no connection.
    pub(crate) async fn empty(&self) {
        drop(self.places.acquire_many(self.place_count).await);
    }

    /// Asks every connection to finish.
    pub(crate) fn drain(&self) {
        self.draining.close();
    }

    /// Waits until connections are asked to finish.
    pub(crate) async fn draining(&self) {
        drop(self.draining.acquire().await);
    }

    /// Makes every connection leave.
    pub(crate) fn drop_all(&self) {
        self.draining.close();
        self.dropping.close();
    }

    /// Waits until connections must leave.
    pub(crate) async fn dropping(&self) {
        drop(self.dropping.acquire().await);
    }
}
