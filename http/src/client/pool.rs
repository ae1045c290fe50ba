//! [`Pool`]: connections that are kept for the next request to the same origin.
//!
//! ```text
//!              place ─► take ─┬─ one that is idle ──┐
//!                             └─ none: connect ─────┤
//!                                                   ▼
//!   idle ◄─ settle: answered, read to the end ◄─── leased ─► dropped, failed, unread: closed
//!    └─► kept for too long, closed by the server: dropped
//! ```
//!
//! 1. A connection is leased to one request at a time, and becomes idle only when hyper says that
//!    it is ready for the next: whatever is dropped before that, by a scope or a timeout, takes its
//!    connection with it. The task of a connection ends with its link.
//! 2. A new connection is opened only with a place in hand and where none was idle, and an idle one
//!    gives its place back after it is in the pool. So there are never more connections in use and
//!    idle than places.
//! 3. Nothing is dropped under the lock: a link that goes wakes its task.
//! 4. The task that closes what is idle for too long lives only while something is idle.
//!
//! Rejected: the pool of hyper-util, which starts a second connection where the first is on its way
//! back, so that neither the reuse nor a limit is exact.
//!
//! Tests: below, `tests/tests/http/client.rs`.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use tenter::CancelOnDrop;
use tenter::net::TcpStream;
use tenter::sync::{Lock, OwnedPermit, Semaphore};
use tenter::time::{self, Instant};

use crate::client::target::Origin;
use crate::{TenterExecutor, TenterIo};

/// How long a connection may take to become ready again when its answer is read to the end. It is a
/// turn of its task, unless the server has answered without taking the whole request.
const SETTLE_LIMIT: Duration = Duration::from_millis(250);

/// So many origins are kept without looking whether they are still of use.
const ORIGINS_UNCHECKED: usize = 64;

pub(crate) struct Pool {
    executor: TenterExecutor,
    idle_timeout: Duration,
    /// Requests to one origin at a time.
    places: Option<usize>,
    state: Lock<State>,
}

struct State {
    origins: HashMap<Origin, Kept>,
    /// When there are more, those that are of no use are looked for.
    check_at: usize,
    /// The task that closes what is idle for too long.
    watch: Option<CancelOnDrop<()>>,
}

/// What there is for an origin.
struct Kept {
    /// The one used last is at the end.
    idle: Vec<Idle>,
    places: Option<Arc<Semaphore>>,
}

struct Idle {
    link: Link,
    since: Instant,
}

/// A connection. Dropping it closes it.
pub(crate) struct Link {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    pub(crate) peer: SocketAddr,
    /// It has answered before, so that the server may have closed it meanwhile.
    pub(crate) is_used: bool,
    /// Ends, with its socket, when this is dropped.
    _task: CancelOnDrop<()>,
}

/// A connection in use, with its place.
pub(crate) struct Lease {
    // First, because fields are dropped in order: a place is given back when its connection ends.
    pub(crate) link: Link,
    pub(crate) place: Place,
}

/// The right to one connection to an origin.
pub(crate) struct Place {
    pool: Arc<Pool>,
    origin: Origin,
    _permit: Option<OwnedPermit>,
}

impl Pool {
    pub(crate) fn new(
        executor: TenterExecutor,
        idle_timeout: Duration,
        places: Option<usize>,
    ) -> Pool {
        Pool {
            executor,
            idle_timeout,
            places,
            state: Lock::unfair(State {
                origins: HashMap::new(),
                check_at: ORIGINS_UNCHECKED,
                watch: None,
            }),
        }
    }

    pub(crate) fn places(&self) -> usize {
        self.places.unwrap_or(usize::MAX)
    }

    /// Waits for a place at an origin, first come, first served.
    pub(crate) async fn place(self: Arc<Self>, origin: Origin) -> Place {
        let semaphore = match self.places {
            None => None,
            Some(_) => self
                .state
                .lock()
                .await
                .of(&origin, self.places)
                .places
                .clone(),
        };
        let permit = match semaphore {
            None => None,
            Some(semaphore) => semaphore.acquire_owned().await.ok(),
        };
        Place {
            pool: self,
            origin,
            _permit: permit,
        }
    }

    /// A connection on a stream that has just been connected.
    pub(crate) async fn link(&self, stream: TcpStream) -> Result<Link, LinkError> {
        let peer = stream.peer_addr().map_err(LinkError::Socket)?;
        // A peer that has already reset the connection makes this fail; using it shows that.
        let _ = stream.set_nodelay(true);
        let shaken = http1::Builder::new().handshake(TenterIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(LinkError::Http)?;
        // Whoever waits for an answer hears of the error too.
        let task = async move { drop(connection.await) };
        let mut link = Link {
            sender,
            peer,
            is_used: false,
            _task: self.executor.handle().spawn(task).cancel_on_drop(),
        };
        link.sender.ready().await.map_err(LinkError::Http)?;
        Ok(link)
    }

    async fn put(self: &Arc<Self>, origin: &Origin, link: Link) {
        let since = time::now();
        let mut state = self.state.lock().await;
        let kept = state.of(origin, self.places);
        kept.idle.push(Idle { link, since });
        if state.watch.is_none() && since + self.idle_timeout != Instant::MAX {
            let watch = watch(Arc::downgrade(self), self.idle_timeout);
            let task = self.executor.handle().spawn(watch);
            state.watch = Some(task.cancel_on_drop());
        }
    }
}

/// Why a connection cannot be used.
pub(crate) enum LinkError {
    Socket(io::Error),
    Http(hyper::Error),
}

impl State {
    /// What there is for an origin, from now on.
    fn of(&mut self, origin: &Origin, places: Option<usize>) -> &mut Kept {
        if !self.origins.contains_key(origin) {
            if self.origins.len() >= self.check_at {
                self.forget_unused();
                self.check_at = ORIGINS_UNCHECKED.max(2 * self.origins.len());
            }
            let kept = Kept {
                idle: Vec::new(),
                places: places.map(|places| Arc::new(Semaphore::new(places))),
            };
            self.origins.insert(origin.clone(), kept);
        }
        self.origins.get_mut(origin).expect("it is there by now")
    }

    /// Forgets the origins without an idle connection that nobody has a place at or waits for one.
    fn forget_unused(&mut self) {
        self.origins.retain(|_, kept| {
            let is_wanted = |places: &Arc<Semaphore>| Arc::strong_count(places) > 1;
            !kept.idle.is_empty() || kept.places.as_ref().is_some_and(is_wanted)
        });
    }

    /// Takes out what has been idle since `limit` or before, and what was closed.
    fn expired(&mut self, limit: Instant) -> Vec<Idle> {
        let mut gone = Vec::new();
        for kept in self.origins.values_mut() {
            let is_over = |idle: &Idle| idle.since <= limit || idle.link.sender.is_closed();
            let (over, left): (Vec<_>, Vec<_>) = kept.idle.drain(..).partition(is_over);
            kept.idle = left;
            gone.extend(over);
        }
        gone
    }

    fn oldest(&self) -> Option<Instant> {
        let idle = self.origins.values().flat_map(|kept| &kept.idle);
        idle.map(|idle| idle.since).min()
    }
}

/// Closes connections when they have been idle for so long. Ends when none is.
async fn watch(pool: Weak<Pool>, limit: Duration) {
    loop {
        let Some(strong) = pool.upgrade() else {
            return;
        };
        let mut state = strong.state.lock().await;
        let gone = state.expired(time::now() - limit);
        let next = state.oldest();
        let own_handle = match next {
            Some(_) => None,
            None => {
                state.forget_unused();
                state.watch.take()
            }
        };
        drop(state);
        drop(gone);
        drop(own_handle.map(CancelOnDrop::into_inner));
        let Some(next) = next else {
            return;
        };
        // Whoever drops the client meanwhile closes what is idle, and ends this task.
        drop(strong);
        time::sleep_until(next + limit).await;
    }
}

impl Place {
    /// An idle connection to the origin, the one that was used last.
    pub(crate) async fn take_idle(&self) -> Option<Link> {
        let mut unusable = Vec::new();
        let mut state = self.pool.state.lock().await;
        let kept = state.origins.get_mut(&self.origin)?;
        let limit = self.pool.idle_timeout;
        let found = loop {
            match kept.idle.pop() {
                Some(Idle { link, since })
                    if since + limit > time::now() && link.sender.is_ready() =>
                {
                    break Some(link);
                }
                Some(idle) => unusable.push(idle),
                None => break None,
            }
        };
        drop(state);
        drop(unusable);
        found
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Lease {
    /// Gives the connection back, whose answer was read to the end, if it can be used again.
    pub(crate) async fn settle(self) {
        let Lease { mut link, place } = self;
        let ready = poll_fn(|cx| link.sender.poll_ready(cx));
        if let Ok(Ok(())) = time::timeout(SETTLE_LIMIT, ready).await {
            link.is_used = true;
            place.pool.put(&place.origin, link).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(number: usize) -> Origin {
        let host = format!("host{number}");
        Origin { host, port: 80 }
    }

    /// Goal: who asks ever new servers does not fill the memory, and no place in use is forgotten.
    #[test]
    fn origins_of_no_use_are_forgotten() {
        let mut state = State {
            origins: HashMap::new(),
            check_at: ORIGINS_UNCHECKED,
            watch: None,
        };
        let kept: Vec<_> = (0..100)
            .map(|number| state.of(&origin(number), Some(1)).places.clone())
            .collect();
        assert_eq!(state.origins.len(), 100);
        for number in 100..10_000 {
            state.of(&origin(number), Some(1));
            assert!(state.origins.len() <= 2 * 100 + ORIGINS_UNCHECKED);
        }
        for (number, places) in kept.iter().enumerate() {
            let again = &state.of(&origin(number), Some(1)).places;
            assert!(Arc::ptr_eq(
                places.as_ref().unwrap(),
                again.as_ref().unwrap()
            ));
        }
    }
}
