//! Who waits for one source: wakers of poll functions, and wakers of futures, per direction.
//!
//! - A *poller* is a task that called a poll function. It has no handle to what it left here; its
//!   next poll replaces the waker, and the next event takes it. One stands inline, others follow
//!   in a vector: two tasks that poll one socket must not push each other out, and must not wake
//!   each other in turns for ever.
//! - A *ticket* belongs to a future. Its drop takes the waker back, whatever else waits.
//!
//! Invariants:
//! - I1: nothing here runs user code. Wakers are cloned before the lock, and leave it before they
//!   are dropped or woken.
//! - I2: a ticket's stamp is used once, so that a ticket that outlived its waker finds nothing.
//! - I3: `draining` ends: it takes only what was there when it began.
//! - I4: pollers come to rest: whenever there is no room for one more, there is twice the room from
//!   then on, so that all who were woken for it fit when they come back.
//!
//! Rejected: an intrusive list of pinned nodes. It saves the vector, and makes every future that
//! can wait for a socket immovable and its projection unsafe; the vector is allocated once for a
//! source.
//!
//! Tests: below.

use std::fmt;
use std::mem;
use std::os::fd::RawFd;
use std::task::Waker;

use tenter_sync::planted;
use tenter_sync::wake_batch::{Progress, WakeBatch, wake_in_batches};

use crate::interest::{Direction, Directions};
use crate::limits::{POLLERS_DOUBLINGS, POLLERS_PER_DIRECTION};

/// All who wait for one source. Stands behind the lock of its slot.
#[derive(Default)]
pub struct Waiters {
    /// Directions that the poller will report, where it has to be told for each wait.
    pub armed: Directions,
    /// How often there was no room for another poller, for reading and for writing. I4
    doublings: [u8; 2],
    /// The descriptor that it was told about.
    pub fd: RawFd,
    reader: Option<Waker>,
    writer: Option<Waker>,
    others: Vec<Option<Entry>>,
    /// Positions in `others` that are empty.
    free: Vec<u32>,
    next_stamp: u64,
}

/// A future's place among the waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    position: u32,
    stamp: u64,
}

struct Entry {
    stamp: u64,
    direction: Direction,
    /// Left by a poll function, so that nobody will take it back.
    is_poller: bool,
    waker: Waker,
}

/// What has to happen, outside the lock, with the wakers that an addition displaced.
#[must_use]
#[derive(Debug)]
pub enum Displaced {
    /// There are none.
    Nobody,
    /// An older waker of the same task: drop it.
    Older(Waker),
    /// Too many tasks poll this direction: wake them, those that still care will poll again.
    Crowd(Vec<Waker>),
}

impl Displaced {
    /// Does it.
    pub fn settle(self) {
        match self {
            Displaced::Nobody => {}
            Displaced::Older(waker) => drop(waker),
            Displaced::Crowd(wakers) => {
                let mut wakers = wakers.into_iter();
                wake_in_batches(|batch| {
                    while !batch.is_full() {
                        match wakers.next() {
                            Some(waker) => batch.push(waker),
                            None => return Progress::Finished,
                        }
                    }
                    Progress::More
                });
            }
        }
    }
}

/// How far [`Waiters::drain`] came.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All are in the batch.
    All,
    /// The batch is full: wake it, then drain again.
    Full,
}

impl Waiters {
    /// A poll function of the task behind `waker` waits.
    pub fn add_poller(&mut self, direction: Direction, waker: Waker) -> Displaced {
        let slot = self.poller(direction);
        match slot {
            None => {
                *slot = Some(waker);
                Displaced::Nobody
            }
            Some(present) if present.will_wake(&waker) => {
                Displaced::Older(mem::replace(present, waker))
            }
            Some(_) => self.add_another_poller(direction, waker),
        }
    }

    /// A future waits. Its ticket is filled in, or its waker brought up to date.
    pub fn add_ticket(
        &mut self,
        direction: Direction,
        ticket: &mut Option<Ticket>,
        waker: Waker,
    ) -> Displaced {
        if let Some(entry) = ticket.and_then(|ticket| self.entry(ticket)) {
            return Displaced::Older(mem::replace(&mut entry.waker, waker));
        }
        *ticket = Some(self.add_entry(direction, false, waker));
        Displaced::Nobody
    }

    /// A future does not wait any more. The caller drops the waker outside the lock.
    pub fn remove_ticket(&mut self, ticket: Ticket) -> Option<Waker> {
        self.entry(ticket)?;
        self.free.push(ticket.position);
        let entry = self.others[ticket.position as usize].take();
        entry.map(|entry| entry.waker)
    }

    /// The stamp that divides those who wait now from those who will.
    pub fn now(&self) -> u64 {
        self.next_stamp
    }

    /// Moves the wakers of `directions` that came before `now` into the batch.
    pub fn drain(&mut self, directions: Directions, now: u64, batch: &mut WakeBatch) -> Drained {
        for direction in [Direction::Read, Direction::Write] {
            if !directions.contains(direction) {
                continue;
            }
            if batch.is_full() {
                return Drained::Full;
            }
            if let Some(waker) = self.poller(direction).take() {
                batch.push(waker);
            }
        }
        if self.free.len() == self.others.len() {
            return Drained::All;
        }
        for (position, place) in self.others.iter_mut().enumerate() {
            let is_meant = |entry: &mut Entry| {
                directions.contains(entry.direction) && entry.stamp < now // I3
            };
            if batch.is_full() && place.as_mut().is_some_and(is_meant) {
                return Drained::Full;
            }
            if let Some(entry) = place.take_if(is_meant) {
                self.free.push(position as u32);
                batch.push(entry.waker);
            }
        }
        Drained::All
    }

    /// Takes everything out; what comes next starts afresh. Stamps go on, I2.
    pub fn take_all(&mut self) -> Waiters {
        let next_stamp = self.next_stamp;
        let taken = mem::take(self);
        self.next_stamp = next_stamp;
        taken
    }

    /// The directions that somebody waits for.
    pub fn directions(&self) -> Directions {
        let pollers = Directions::new(self.reader.is_some(), self.writer.is_some());
        let others = self.others.iter().flatten();
        others.fold(pollers, |all, entry| all | entry.direction.into())
    }

    /// How many wakers there are.
    pub fn len(&self) -> usize {
        usize::from(self.reader.is_some())
            + usize::from(self.writer.is_some())
            + (self.others.len() - self.free.len())
    }

    fn poller(&mut self, direction: Direction) -> &mut Option<Waker> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    fn entry(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        let entry = self.others.get_mut(ticket.position as usize)?.as_mut()?;
        let is_ours = entry.stamp == ticket.stamp || planted!("io.stamp_not_compared");
        is_ours.then_some(entry) // I2
    }

    fn add_entry(&mut self, direction: Direction, is_poller: bool, waker: Waker) -> Ticket {
        let stamp = self.next_stamp;
        self.next_stamp += 1;
        let entry = Entry {
            stamp,
            direction,
            is_poller,
            waker,
        };
        let position = match self.free.pop() {
            Some(position) => {
                self.others[position as usize] = Some(entry);
                position
            }
            None => {
                self.others.push(Some(entry));
                (self.others.len() - 1) as u32
            }
        };
        Ticket { position, stamp }
    }

    #[cold]
    fn add_another_poller(&mut self, direction: Direction, waker: Waker) -> Displaced {
        let mut count = 1;
        for entry in self.others.iter_mut().flatten() {
            if entry.is_poller && entry.direction == direction {
                if entry.waker.will_wake(&waker) {
                    return Displaced::Older(mem::replace(&mut entry.waker, waker));
                }
                count += 1;
            }
        }
        let doublings = &mut self.doublings[direction as usize];
        let displaced = if count >= POLLERS_PER_DIRECTION << *doublings {
            *doublings = POLLERS_DOUBLINGS.min(*doublings + 1); // I4
            Displaced::Crowd(self.take_pollers(direction))
        } else {
            Displaced::Nobody
        };
        self.add_entry(direction, true, waker);
        displaced
    }

    fn take_pollers(&mut self, direction: Direction) -> Vec<Waker> {
        let mut wakers: Vec<Waker> = self.poller(direction).take().into_iter().collect();
        for (position, place) in self.others.iter_mut().enumerate() {
            let is_meant = |entry: &mut Entry| entry.is_poller && entry.direction == direction;
            if let Some(entry) = place.take_if(is_meant) {
                self.free.push(position as u32);
                wakers.push(entry.waker);
            }
        }
        wakers
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("count", &self.len())
            .field("directions", &self.directions())
            .finish()
    }
}

#[cfg(all(test, not(tenter_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn drain_all(waiters: &mut Waiters, directions: Directions) -> usize {
        let now = waiters.now();
        let before = waiters.len();
        loop {
            let mut batch = WakeBatch::new();
            let drained = waiters.drain(directions, now, &mut batch);
            batch.wake_all();
            if drained == Drained::All {
                return before - waiters.len();
            }
        }
    }

    #[test]
    fn a_task_that_polls_again_replaces_its_own_waker() {
        let (count, waker) = task();
        let mut waiters = Waiters::default();
        for _ in 0..5 {
            waiters.add_poller(Direction::Read, waker.clone()).settle();
        }
        assert_eq!(waiters.len(), 1);
        assert_eq!(drain_all(&mut waiters, Directions::READ), 1);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn tasks_that_poll_one_direction_do_not_push_each_other_out() {
        let tasks: Vec<_> = (0..POLLERS_PER_DIRECTION).map(|_| task()).collect();
        let mut waiters = Waiters::default();
        for _ in 0..3 {
            for (_, waker) in &tasks {
                waiters.add_poller(Direction::Write, waker.clone()).settle();
            }
        }
        assert!(tasks.iter().all(|(count, _)| count.get() == 0));
        assert_eq!(drain_all(&mut waiters, Directions::WRITE), tasks.len());
        assert!(tasks.iter().all(|(count, _)| count.get() == 1));
    }

    #[test]
    fn wakers_left_behind_by_polls_do_not_pile_up() {
        let mut waiters = Waiters::default();
        let mut counts = Vec::new();
        for _ in 0..20_000 {
            let (count, waker) = task();
            counts.push(count);
            waiters.add_poller(Direction::Read, waker).settle();
            assert!(waiters.len() <= POLLERS_PER_DIRECTION << POLLERS_DOUBLINGS);
        }
        drain_all(&mut waiters, Directions::READ);
        assert!(counts.iter().all(|count| count.get() == 1), "none is lost");
    }

    #[test]
    fn however_many_poll_they_come_to_rest() {
        for number in [9, 100, 1_000] {
            let tasks: Vec<_> = (0..number).map(|_| task()).collect();
            let mut waiters = Waiters::default();
            let mut polls = 0;
            let mut seen = vec![0; number];
            // Each polls once, and again whenever it was woken.
            let mut due: Vec<usize> = (0..number).collect();
            while !due.is_empty() {
                for index in due {
                    polls += 1;
                    seen[index] = tasks[index].0.get();
                    let waker = tasks[index].1.clone();
                    waiters.add_poller(Direction::Read, waker).settle();
                }
                assert!(polls <= 10 * number, "they push each other out");
                let is_due = |index: &usize| tasks[*index].0.get() > seen[*index];
                due = (0..number).filter(is_due).collect();
            }
            assert_eq!(drain_all(&mut waiters, Directions::READ), number);
        }
    }

    #[test]
    fn a_ticket_is_taken_back_by_its_owner_alone() {
        let ((_, first), (count, second)) = (task(), task());
        let mut waiters = Waiters::default();
        let (mut one, mut two) = (None, None);
        waiters
            .add_ticket(Direction::Read, &mut one, first)
            .settle();
        assert!(waiters.remove_ticket(one.expect("filled in")).is_some());
        waiters
            .add_ticket(Direction::Read, &mut two, second)
            .settle();
        assert_eq!(
            two.expect("filled in").position,
            0,
            "the place is used again"
        );
        assert!(
            waiters.remove_ticket(one.expect("filled in")).is_none(),
            "I2"
        );
        assert_eq!(drain_all(&mut waiters, Directions::BOTH), 1);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn an_event_wakes_its_direction_only_and_every_waiter_of_it() {
        let mut waiters = Waiters::default();
        let tasks: Vec<_> = (0..100).map(|_| task()).collect();
        let mut tickets = vec![None; 100];
        for (index, (_, waker)) in tasks.iter().enumerate() {
            let direction = if index % 2 == 0 {
                Direction::Read
            } else {
                Direction::Write
            };
            waiters
                .add_ticket(direction, &mut tickets[index], waker.clone())
                .settle();
        }
        assert_eq!(drain_all(&mut waiters, Directions::READ), 50);
        assert_eq!(waiters.directions(), Directions::WRITE);
        assert_eq!(drain_all(&mut waiters, Directions::BOTH), 50);
        assert!(tasks.iter().all(|(count, _)| count.get() == 1));
        assert_eq!(waiters.len(), 0);
    }

    #[test]
    fn draining_leaves_those_who_came_later() {
        let mut waiters = Waiters::default();
        let mut tickets = vec![None; 40];
        for ticket in &mut tickets {
            waiters
                .add_ticket(Direction::Read, ticket, task().1)
                .settle();
        }
        let now = waiters.now();
        let mut batch = WakeBatch::new();
        assert_eq!(
            waiters.drain(Directions::READ, now, &mut batch),
            Drained::Full
        );
        batch.wake_all();
        let mut late = None;
        waiters
            .add_ticket(Direction::Read, &mut late, task().1)
            .settle();
        let mut batch = WakeBatch::new();
        assert_eq!(
            waiters.drain(Directions::READ, now, &mut batch),
            Drained::All
        );
        batch.wake_all();
        assert_eq!(waiters.len(), 1, "I3");
    }
}
