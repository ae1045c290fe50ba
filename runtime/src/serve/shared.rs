//! What a server, its connections and its handles have in common.

use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::net::SocketAddr;

use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::{Notify, Permit, Semaphore};

use super::latch::Latch;
use super::report::{ServeError, ServeReport};
use super::roster::{Key, Leaving, Roster, Started};
use crate::hooks::say;
use crate::task::JoinHandle;

/// How many tasks are cancelled for each time that the lock of the roster is taken.
const BATCH: usize = 64;

/// How a server ended.
pub type Outcome = Result<ServeReport, ServeError>;

/// See the module.
pub struct Shared {
    /// Nobody is accepted any more, and connections are asked to finish.
    pub closing: Latch,
    /// Connections are cancelled.
    pub cancelling: Latch,
    /// The outcome is there.
    closed: Latch,
    roster: Mutex<Roster>,
    /// Somebody left as the last one.
    nobody_left: Notify,
    /// Free places, a number for each listener; none if there is no limit.
    places: Box<[Semaphore]>,
    end: Mutex<End>,
    /// Where the server listens, for messages.
    at: String,
}

/// The end of a server, and who will hear of it.
struct End {
    outcome: Option<Outcome>,
    handles: usize,
    /// Somebody has seen the outcome, or will.
    is_observed: bool,
}

impl Shared {
    /// A server that listens `at`, with so many `places` at each listener.
    pub fn new(at: String, places: Box<[Semaphore]>) -> Shared {
        Shared {
            closing: Latch::new("end of the server"),
            cancelling: Latch::new("end of the server's drain"),
            closed: Latch::new("report of the server"),
            roster: Mutex::new(Roster::new()),
            nobody_left: Notify::new().named("connections of the server"),
            places,
            end: Mutex::new(End {
                outcome: None,
                handles: 0,
                is_observed: false,
            }),
            at,
        }
    }

    /// Waits for room for another connection at the listener `shard`.
    pub async fn place(&self, shard: usize) -> Option<Permit<'_>> {
        let places = self.places.get(shard)?;
        // Nobody closes it.
        places.acquire().await.ok()
    }

    /// A connection was accepted.
    pub fn enter(&self, peer: Option<SocketAddr>) -> Key {
        self.roster.lock().enter(peer)
    }

    /// The task of a connection exists.
    pub fn started(&self, key: Key, handle: JoinHandle<()>) {
        let started = self.roster.lock().started(key, handle);
        match started {
            Started::Running => {}
            Started::Cancel(_) if planted!("serve.who_starts_late_goes_on") => {}
            Started::Cancel(task) => drop(task.cancel()),
            Started::Ended(handle) => drop(handle),
        }
    }

    /// Nothing of a connection of the listener `shard` is left.
    pub fn left(&self, key: Key, shard: usize, how: Leaving) {
        // A connection that was asked to finish may be quicker than the loop that was asked as well.
        let closing = self.closing.is_open();
        let left = self.roster.lock().left(key, how, closing);
        drop(left.handle);
        if let Some(places) = self.places.get(shard) {
            // It cannot be more than there were: each connection took one.
            let _ = places.add_permits(usize::from(!planted!("serve.a_place_is_not_put_back")));
        }
        if left.is_last {
            if planted!("serve.the_last_tells_only_who_waits") {
                return self.nobody_left.notify_waiters();
            }
            self.nobody_left.notify_one();
        }
    }

    /// An accept failed. Returns how many have so far.
    pub fn accept_failed(&self) -> u64 {
        self.roster.lock().accept_failed()
    }

    /// Nobody is accepted any more: the last connection to leave now tells.
    pub fn drain(&self) {
        self.closing.open();
        if planted!("serve.who_leaves_does_not_know") {
            return;
        }
        self.roster.lock().drain();
    }

    /// Waits until no connection is left; for a server that drains.
    pub async fn empty(&self) {
        while !self.roster.lock().is_empty() {
            self.nobody_left.notified().await;
        }
    }

    /// Cancels every connection.
    pub fn cancel_all(&self) {
        self.closing.open();
        self.cancelling.open();
        self.roster.lock().cancel();
        let mut from = Some(0);
        while let Some(start) = from {
            let mut batch = Vec::with_capacity(BATCH);
            from = self.roster.lock().cancellers(start, &mut batch);
            for task in batch {
                task.cancel_with("its server was closed");
            }
        }
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.roster.lock().open()
    }

    /// What has happened so far, or, of a server that has ended, all of it.
    pub fn report(&self) -> ServeReport {
        match &self.end.lock().outcome {
            Some(Ok(report)) => report.clone(),
            Some(Err(error)) => error.report().clone(),
            None => self.roster.lock().report(),
        }
    }

    /// The report of a server that waits no longer.
    pub fn last_report(&self) -> ServeReport {
        self.roster.lock().last_report()
    }

    /// Where the server listens.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// The server was dropped: whoever waits for its end is told.
    pub fn dropped(&self) {
        if self.end.lock().outcome.is_some() || planted!("serve.dropped_in_silence") {
            return;
        }
        self.cancel_all();
        let report = self.roster.lock().dropped_report();
        self.end(Err(ServeError::dropped(self.at.clone(), report)));
    }

    /// The server has ended. A failure that nobody will hear of is told at once.
    pub fn end(&self, outcome: Outcome) {
        if planted!("serve.the_outcome_comes_after_the_end") {
            self.closed.open();
        }
        let mut end = self.end.lock();
        let untold = match &outcome {
            Err(error) if end.handles == 0 && !end.is_observed => Some(error.clone()),
            _ => None,
        };
        end.outcome = Some(outcome);
        drop(end);
        self.closed.open();
        if let Some(error) = untold {
            tell(&error);
        }
    }

    /// How the server ended.
    pub async fn outcome(&self) -> Outcome {
        self.closed.wait().await;
        let mut end = self.end.lock();
        end.is_observed = true;
        let Some(outcome) = end.outcome.clone() else {
            unreachable!("the outcome is there before the latch is open")
        };
        outcome
    }

    /// Whether there is an outcome.
    pub fn has_ended(&self) -> bool {
        self.closed.is_open()
    }

    /// Whoever awaits the server itself sees its outcome.
    pub fn observe(&self) {
        self.end.lock().is_observed = true;
    }

    /// One more who may ask for the outcome.
    pub fn add_handle(&self) {
        self.end.lock().handles += 1;
    }

    /// One less. The last one is told of a failure that nobody has heard of.
    pub fn remove_handle(&self) {
        let mut end = self.end.lock();
        end.handles -= 1;
        let untold = match &end.outcome {
            Some(Err(error)) if end.handles == 0 && !end.is_observed => Some(error.clone()),
            _ => None,
        };
        drop(end);
        if let Some(error) = untold {
            tell(&error);
        }
    }
}

/// One line about a failure that nobody else hears of. The end of a runtime is none.
fn tell(error: &ServeError) {
    if error.is_listener() {
        say(&format!("tenter: {error}"));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("at", &self.at)
            .field("is_closing", &self.closing.is_open())
            .field("has_ended", &self.closed.is_open())
            .finish_non_exhaustive()
    }
}

/// What `work` returns, or `None` if `end` comes first. The end goes first: under a flood of
/// clients there is always work.
pub async fn until<T>(
    mut end: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    core::future::poll_fn(|cx| match end.as_mut().poll(cx) {
        _ if planted!("serve.nobody_listens_for_the_end") => work.as_mut().poll(cx).map(Some),
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
