//! Bodies for `condition`.

use std::sync::Arc;

use tenter_sync::shim::thread;
use tenter_sync::{Condition, Lock};

use super::{block_on, poll_once};

struct Shared {
    lock: Lock<usize>,
    added: Condition,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: Lock::new(0),
            added: Condition::new(),
        })
    }

    /// Waits until there is one, and takes it.
    fn take(&self) {
        let take = |number: &mut usize| {
            *number = number.checked_sub(1)?;
            Some(())
        };
        let guard = block_on(self.lock.lock());
        drop(block_on(self.added.wait_for(guard, take)));
    }

    fn add(&self, count: usize) {
        let mut guard = block_on(self.lock.lock());
        *guard += count;
        self.added.notify(&guard, count);
    }

    fn assert_whole(&self, left: usize) {
        let stats = self.lock.stats();
        assert_eq!((stats.is_locked, stats.waiting), (false, 0));
        assert_eq!(self.added.stats().waiting, 0);
        assert_eq!(self.lock.try_lock().map(|guard| *guard), Ok(left));
    }
}

/// To free the lock and to wait is one step: no notification falls in between.
pub fn wait_and_notify() {
    let shared = Shared::new();
    let other = Arc::clone(&shared);
    let waiter = thread::spawn(move || other.take());
    shared.add(1);
    waiter.join().unwrap();
    shared.assert_whole(0);
}

/// Two who wait, and one notification for both.
pub fn two_waiters() {
    let shared = Shared::new();
    let waiters = [(), ()].map(|()| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || shared.take())
    });
    shared.add(2);
    for waiter in waiters {
        waiter.join().unwrap();
    }
    shared.assert_whole(0);
}

/// A wait that is dropped as it is notified, with the lock contended, passes the notification on.
pub fn a_cancelled_wait_passes_it_on() {
    let shared = Shared::new();
    let guard = shared.lock.try_lock().expect("nobody else is here");
    let mut cancelled = Box::pin(shared.added.wait(guard));
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let waiter = thread::spawn(move || other.take());
    let other = Arc::clone(&shared);
    let notifier = thread::spawn(move || other.add(1));
    drop(cancelled);
    waiter.join().unwrap();
    notifier.join().unwrap();
    shared.assert_whole(0);
}

/// A waiter that is moved to the lock's line while it changes its waker keeps its links and is woken.
pub fn moved_while_it_looks() {
    let shared = Shared::new();
    let guard = shared.lock.try_lock().expect("nobody else is here");
    let mut wait = Box::pin(shared.added.wait(guard));
    assert!(poll_once(wait.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let notifier = thread::spawn(move || other.add(1));
    let guard = super::block_on_pinned(wait.as_mut());
    assert_eq!(*guard, 1);
    drop(guard);
    notifier.join().unwrap();
    drop(wait);
    shared.assert_whole(1);
}
