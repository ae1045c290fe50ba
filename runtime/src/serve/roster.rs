//! The list of a server's connections: who is there, how each left, and what the server is at.
//!
//! ```text
//!  enter ──► Entered ──started──► Running ──left──► Free
//!               └──left──► Gone ──started──► Free
//! ```
//!
//! A task may have ended before its handle is brought here (`Gone`); the place is then kept until
//! the handle has come, so that no key stands for two connections.
//!
//! Plain data under the lock of [`Shared`](super::shared::Shared). What may run user code when it
//! is dropped is handed to the caller.

use std::net::SocketAddr;

use super::report::{ServeReport, StuckConnection};
use crate::task::{Canceller, JoinHandle, TaskId};

/// How many stuck connections a report names; the rest are counted.
const NAMED_MAX: usize = 64;

/// What a server is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It accepts.
    Accepting,
    /// It waits for its connections to finish.
    Draining,
    /// It has cancelled them.
    Cancelling,
}

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u32);

/// How a connection left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Its handler returned.
    Completed,
    /// Its handler panicked.
    Panicked,
    /// Its handler was dropped before it was ready.
    Cancelled,
}

#[derive(Debug)]
enum Place {
    Free(Option<u32>),
    Entered(Option<SocketAddr>),
    Running(JoinHandle<()>, Option<SocketAddr>),
    Gone,
}

/// What becomes of a task's handle.
#[derive(Debug)]
#[must_use = "a task of a server that cancels is to be cancelled"]
pub enum Started {
    /// It is on the list.
    Running,
    /// It is on the list, and the rest has been cancelled already.
    Cancel(Canceller),
    /// The task has ended: drop this outside the lock.
    Ended(JoinHandle<()>),
}

/// What who leaves has to do.
#[derive(Debug)]
#[must_use = "the handle is to be dropped outside the lock, and the server told"]
pub struct Left {
    /// The handle of the task, to be dropped outside the lock.
    pub handle: Option<JoinHandle<()>>,
    /// The server waits for this.
    pub is_last: bool,
}

/// The list.
#[derive(Debug)]
pub struct Roster {
    places: Vec<Place>,
    free: Option<u32>,
    stage: Stage,
    /// With `open` up to date; `stuck` is filled in at the end.
    report: ServeReport,
}

impl Roster {
    pub fn new() -> Roster {
        Roster {
            places: Vec::new(),
            free: None,
            stage: Stage::Accepting,
            report: ServeReport::default(),
        }
    }

    /// A connection was accepted.
    pub fn enter(&mut self, peer: Option<SocketAddr>) -> Key {
        self.report.accepted += 1;
        self.report.open += 1;
        let place = Place::Entered(peer);
        match self.free {
            Some(index) => {
                let old = core::mem::replace(&mut self.places[index as usize], place);
                let Place::Free(next) = old else {
                    unreachable!("a place on the free list is free")
                };
                self.free = next;
                Key(index)
            }
            None => {
                let index = u32::try_from(self.places.len());
                self.places.push(place);
                Key(index.expect("no system has 2^32 sockets"))
            }
        }
    }

    /// The task of a connection exists.
    pub fn started(&mut self, key: Key, handle: JoinHandle<()>) -> Started {
        let place = &mut self.places[key.0 as usize];
        match *place {
            Place::Entered(peer) => {
                let started = match self.stage {
                    Stage::Cancelling => Started::Cancel(handle.canceller()),
                    Stage::Accepting | Stage::Draining => Started::Running,
                };
                *place = Place::Running(handle, peer);
                started
            }
            Place::Gone => {
                self.release(key);
                Started::Ended(handle)
            }
            Place::Free(_) | Place::Running(..) => unreachable!("a task is started once"),
        }
    }

    /// Nothing of the connection is left. `closing`: the server had been asked to close before.
    pub fn left(&mut self, key: Key, how: Leaving, closing: bool) -> Left {
        let report = &mut self.report;
        report.open -= 1;
        match how {
            Leaving::Completed => report.completed += 1,
            Leaving::Panicked => report.panicked += 1,
            Leaving::Cancelled => report.cancelled += 1,
        }
        if how != Leaving::Cancelled && closing {
            report.drained += 1;
        }
        let is_last = report.open == 0 && self.stage != Stage::Accepting;
        let place = &mut self.places[key.0 as usize];
        let handle = match core::mem::replace(place, Place::Gone) {
            Place::Entered(_) => None,
            Place::Running(handle, _) => {
                self.release(key);
                Some(handle)
            }
            Place::Free(_) | Place::Gone => unreachable!("a connection leaves once"),
        };
        Left { handle, is_last }
    }

    fn release(&mut self, key: Key) {
        self.places[key.0 as usize] = Place::Free(self.free);
        self.free = Some(key.0);
    }

    /// An accept failed. Returns how many have so far.
    pub fn accept_failed(&mut self) -> u64 {
        self.report.accept_errors += 1;
        self.report.accept_errors
    }

    /// Nobody is accepted any more.
    pub fn drain(&mut self) {
        self.stage = self.stage.max(Stage::Draining);
    }

    /// From now on every task that is started is cancelled.
    pub fn cancel(&mut self) {
        self.stage = Stage::Cancelling;
    }

    /// Puts what cancels the tasks from place `from` on into `batch`, up to its capacity. Returns
    /// where to go on, until there is no more.
    pub fn cancellers(&self, from: usize, batch: &mut Vec<Canceller>) -> Option<usize> {
        for (index, place) in self.places.iter().enumerate().skip(from) {
            if batch.len() == batch.capacity() {
                return Some(index);
            }
            if let Place::Running(handle, _) = place {
                batch.push(handle.canceller());
            }
        }
        None
    }

    /// Whether nothing of any connection is left.
    pub fn is_empty(&self) -> bool {
        self.report.open == 0
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.report.open
    }

    /// What has happened so far.
    pub fn report(&self) -> ServeReport {
        self.report.clone()
    }

    /// The report of a server that waits no longer: who is left is stuck, and is named.
    pub fn last_report(&self) -> ServeReport {
        let mut report = self.report();
        report.stuck = core::mem::take(&mut report.open);
        let left = self.places.iter().filter_map(Place::stuck);
        report.stuck_connections = left.take(NAMED_MAX).collect();
        report
    }

    /// The report of a server that has cancelled its connections and waits for none.
    pub fn dropped_report(&self) -> ServeReport {
        let mut report = self.report();
        report.cancelled += core::mem::take(&mut report.open) as u64;
        report
    }
}

impl Place {
    fn stuck(&self) -> Option<StuckConnection> {
        let (peer, task): (_, Option<TaskId>) = match self {
            Place::Free(_) | Place::Gone => return None,
            Place::Entered(peer) => (*peer, None),
            Place::Running(handle, peer) => (*peer, Some(handle.id())),
        };
        Some(StuckConnection { peer, task })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;

    fn task() -> JoinHandle<()> {
        Runtime::new().expect("a runtime").spawn(async {})
    }

    fn enter(roster: &mut Roster) -> Key {
        roster.enter(None)
    }

    #[test]
    fn a_place_is_used_again_only_when_task_and_handle_are_done_with_it() {
        let mut roster = Roster::new();
        let first = enter(&mut roster);
        assert!(
            roster
                .left(first, Leaving::Completed, false)
                .handle
                .is_none()
        );
        let second = enter(&mut roster);
        assert_ne!(first, second, "the handle of the first has not come");
        assert!(matches!(roster.started(first, task()), Started::Ended(_)));
        assert_eq!(enter(&mut roster), first);
        assert!(matches!(roster.started(second, task()), Started::Running));
        assert!(
            roster
                .left(second, Leaving::Panicked, false)
                .handle
                .is_some()
        );
        assert_eq!(enter(&mut roster), second);
        let report = roster.report();
        assert_eq!(
            (report.accepted, report.completed, report.panicked),
            (4, 1, 1)
        );
        assert_eq!((report.open, report.drained), (2, 0));
    }

    #[test]
    fn the_last_to_leave_is_told_only_when_the_server_drains() {
        let mut roster = Roster::new();
        let early = enter(&mut roster);
        assert!(!roster.left(early, Leaving::Completed, true).is_last);
        let (first, second) = (enter(&mut roster), enter(&mut roster));
        roster.drain();
        assert!(!roster.left(first, Leaving::Cancelled, true).is_last);
        assert!(roster.left(second, Leaving::Completed, true).is_last);
        assert!(roster.is_empty());
        // The early one knew of the end before the accept loop did.
        assert_eq!((roster.report().drained, roster.report().cancelled), (2, 1));
    }

    #[test]
    fn a_handle_that_comes_after_the_cancellation_is_cancelled_by_who_brings_it() {
        let mut roster = Roster::new();
        let (early, late) = (enter(&mut roster), enter(&mut roster));
        assert!(matches!(roster.started(early, task()), Started::Running));
        roster.cancel();
        let mut batch = Vec::with_capacity(8);
        assert_eq!(roster.cancellers(0, &mut batch), None);
        assert_eq!(batch.len(), 1);
        assert!(matches!(roster.started(late, task()), Started::Cancel(_)));
        roster.drain();
        assert_eq!(roster.stage, Stage::Cancelling, "never backwards");
    }

    #[test]
    fn cancellers_come_in_batches_until_all_have_come() {
        let mut roster = Roster::new();
        for _ in 0..10 {
            let key = enter(&mut roster);
            assert!(matches!(roster.started(key, task()), Started::Running));
        }
        let (mut from, mut sizes) = (Some(0), Vec::new());
        while let Some(start) = from {
            let mut batch = Vec::with_capacity(4);
            from = roster.cancellers(start, &mut batch);
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [4, 4, 2]);
    }

    #[test]
    fn who_is_left_at_the_end_is_named() {
        let mut roster = Roster::new();
        let peer = SocketAddr::from(([127, 0, 0, 1], 80));
        let key = roster.enter(Some(peer));
        let handle = task();
        let id = handle.id();
        assert!(matches!(roster.started(key, handle), Started::Running));
        for _ in 0..100 {
            let _ = enter(&mut roster);
        }
        let report = roster.last_report();
        assert_eq!((report.open, report.stuck), (0, 101));
        assert_eq!(report.stuck_connections.len(), NAMED_MAX);
        let text = format!("the connection of 127.0.0.1:80, task {id}");
        assert_eq!(report.stuck_connections[0].to_string(), text);
        assert!(report.to_string().contains(&text), "{report}");
    }
}
