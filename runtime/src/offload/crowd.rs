//! [`Crowd`]: tasks that came by a poll function, and wait.
//!
//! A poll function has no drop: a task that does not care any more, as after a timeout, leaves its
//! waker behind, which keeps the task's memory. While nothing happens that would wake all (a pipe that
//! nobody reads, a terminal where nobody types) that would go on without end. So whenever there is no
//! room for one more, all are woken: those that care come back, the others are gone. Then there is twice
//! the room, because those that came back would push each other out for ever.
//!
//! Nothing here runs user code: wakers are cloned before, and woken and dropped after, outside of the lock
//! that this stands behind.
//!
//! Tests: below.

use core::mem;
use core::task::Waker;

use tenter_sync::shim::size;
use tenter_sync::wake_batch::{Progress, wake_in_batches};

/// How many wakers there is room for at first, and at most.
const ROOM_MIN: usize = size(64, 2);
const ROOM_MAX: usize = size(4096, 8);

/// See the module's first lines.
#[derive(Debug)]
pub struct Crowd {
    wakers: Vec<Waker>,
    room: usize,
}

impl Crowd {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            wakers: Vec::new(),
            room: ROOM_MIN,
        }
    }

    /// Keeps a waker. One that is kept already stays with the caller. Returns who has to be
    /// [woken](wake) to make room.
    #[must_use = "a task that is not woken waits for ever"]
    pub fn add(&mut self, waiter: &mut Option<Waker>) -> Vec<Waker> {
        let known = |waker: &Waker| self.wakers.iter().any(|known| known.will_wake(waker));
        if waiter.as_ref().is_none_or(known) {
            return Vec::new();
        }
        let displaced = if self.wakers.len() >= self.room {
            self.room = ROOM_MAX.min(self.room * 2);
            self.take()
        } else {
            Vec::new()
        };
        self.wakers.extend(waiter.take());
        displaced
    }

    /// Takes all, to be [woken](wake).
    #[must_use = "a task that is not woken waits for ever"]
    pub fn take(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers)
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::new()
    }
}

/// Wakes them, in the order in which they came.
pub fn wake(waiters: Vec<Waker>) {
    let mut waiters = waiters.into_iter();
    wake_in_batches(|batch| {
        while !batch.is_full() {
            match waiters.next() {
                Some(waker) => batch.push(waker),
                None => return Progress::Finished,
            }
        }
        Progress::More
    });
}

#[cfg(all(test, not(tenter_loom)))]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn wakers_left_behind_do_not_pile_up() {
        let mut crowd = Crowd::new();
        let mut counts = Vec::new();
        for _ in 0..20_000 {
            let (count, waker) = task();
            wake(crowd.add(&mut Some(waker)));
            assert!(crowd.wakers.len() <= ROOM_MAX);
            counts.push(count);
        }
        wake(crowd.take());
        assert!(
            counts
                .iter()
                .all(|count| count.0.load(Ordering::Relaxed) == 1)
        );
    }

    #[test]
    fn however_many_wait_they_come_to_rest() {
        for number in [ROOM_MIN + 1, 1_000] {
            let tasks: Vec<_> = (0..number).map(|_| task()).collect();
            let (mut crowd, mut polls) = (Crowd::new(), 0);
            let mut seen = vec![0; number];
            let mut due: Vec<usize> = (0..number).collect();
            while !due.is_empty() {
                for index in due {
                    polls += 1;
                    seen[index] = tasks[index].0.0.load(Ordering::Relaxed);
                    wake(crowd.add(&mut Some(tasks[index].1.clone())));
                }
                assert!(polls <= 10 * number, "they push each other out");
                let is_due =
                    |index: &usize| tasks[*index].0.0.load(Ordering::Relaxed) > seen[*index];
                due = (0..number).filter(is_due).collect();
            }
            assert_eq!(crowd.take().len(), number);
        }
    }

    #[test]
    fn a_task_that_is_known_keeps_its_place() {
        let (_, waker) = task();
        let mut crowd = Crowd::new();
        for _ in 0..3 {
            wake(crowd.add(&mut Some(waker.clone())));
        }
        assert_eq!(crowd.take().len(), 1);
    }
}
