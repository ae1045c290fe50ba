//! Bodies for `semaphore`.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::Poll;

use tenter_sync::current::{self, TaskSlot};
use tenter_sync::shim::thread;
use tenter_sync::{Permit, Semaphore};

use super::{Guarded, block_on, poll_once};

struct Shared {
    semaphore: Semaphore,
    data: Guarded,
}

impl Shared {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            semaphore: Semaphore::new(permits),
            data: Guarded::new(),
        })
    }

    /// Uses what one permit of one guards.
    fn use_it(&self) {
        let permit = block_on(self.semaphore.acquire()).expect("nobody closes");
        self.data.add_one();
        drop(permit);
    }

    fn assert_whole(&self, permits: usize) {
        let stats = self.semaphore.stats();
        assert_eq!(
            (stats.available, stats.waiting),
            (permits, 0),
            "permits are conserved"
        );
        assert_eq!(
            self.semaphore.is_locked(),
            permits == 0,
            "nobody is left in line"
        );
    }
}

/// One permit excludes, and what was done under it is visible to the next.
pub fn two_users() {
    let shared = Shared::new(1);
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it());
    shared.use_it();
    user.join().unwrap();
    assert_eq!(shared.data.get(), 2);
    shared.assert_whole(1);
}

/// The same for three, so that there is a line.
pub fn three_users() {
    let shared = Shared::new(1);
    let users = [(), ()].map(|()| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || shared.use_it())
    });
    shared.use_it();
    for user in users {
        user.join().unwrap();
    }
    assert_eq!(shared.data.get(), 3);
    shared.assert_whole(1);
}

/// A waiter that is dropped as it is granted passes the permit on.
pub fn a_cancelled_waiter_passes_it_on() {
    let shared = Shared::new(1);
    let permit = shared.semaphore.try_acquire().expect("nobody else is here");
    let mut cancelled = Box::pin(shared.semaphore.acquire());
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it());
    let permit = {
        // The permit goes home from another thread.
        permit.forget();
        let other = Arc::clone(&shared);
        thread::spawn(move || other.semaphore.add_permits(1).expect("one is not too many"))
    };
    drop(cancelled);
    user.join().unwrap();
    permit.join().unwrap();
    shared.assert_whole(1);
}

/// A large request that leaves the front lets the smaller ones behind it through.
pub fn a_large_request_leaves() {
    let shared = Shared::new(1);
    let mut large = Box::pin(shared.semaphore.acquire_many(2));
    assert!(poll_once(large.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it());
    drop(large);
    user.join().unwrap();
    shared.assert_whole(1);
}

/// A request for two is not starved by requests for one.
pub fn many_and_singles() {
    let shared = Shared::new(2);
    let users = [1, 1].map(|count| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || drop(block_on(shared.semaphore.acquire_many(count))))
    });
    drop(block_on(shared.semaphore.acquire_many(2)).expect("nobody closes"));
    for user in users {
        user.join().unwrap();
    }
    shared.assert_whole(2);
}

/// `close` and a permit that comes home: everybody gets an answer, and no permit is lost.
pub fn close_and_release() {
    let shared = Shared::new(0);
    let other = Arc::clone(&shared);
    let waiter = thread::spawn(move || {
        block_on(other.semaphore.acquire())
            .map(tenter_sync::Permit::forget)
            .is_ok()
    });
    let other = Arc::clone(&shared);
    let releaser = thread::spawn(move || other.semaphore.add_permits(1).expect("not too many"));
    shared.semaphore.close();
    let granted = waiter.join().unwrap();
    releaser.join().unwrap();
    let stats = shared.semaphore.stats();
    assert_eq!((stats.available, stats.waiting), (usize::from(!granted), 0));
}

/// A request for several, one behind it, an addition that would serve the first, and `close`: each is
/// answered as a whole, and when `close` returns nobody waits.
pub fn close_batch() {
    let shared = Shared::new(1);
    let mut large = Box::pin(shared.semaphore.acquire_many(2));
    assert!(poll_once(large.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let small = thread::spawn(move || {
        block_on(other.semaphore.acquire())
            .map(Permit::forget)
            .is_ok()
    });
    let other = Arc::clone(&shared);
    let adder = thread::spawn(move || other.semaphore.add_permits(1).expect("not too many"));
    shared.semaphore.close();
    let Poll::Ready(outcome) = poll_once(large.as_mut()) else {
        panic!("it waits though the semaphore is closed")
    };
    let granted = outcome.map(Permit::forget).is_ok();
    let small = small.join().unwrap();
    adder.join().unwrap();
    assert!(!small, "it was behind one that took all, or was closed");
    let stats = shared.semaphore.stats();
    assert_eq!(
        (stats.available, stats.waiting),
        (if granted { 0 } else { 2 }, 0)
    );
}

/// A task that polls only the second of its two waits, with a waker of its own, gets the permit that
/// the first one was called for.
pub fn a_forsaken_wait_is_overtaken() {
    forsaken(1);
}

/// The same where the first one wanted more: the rest is not lost.
pub fn a_forsaken_large_request_is_overtaken() {
    forsaken(2);
}

fn forsaken(count: usize) {
    let shared = Shared::new(0);
    let task = TaskSlot::new(NonZeroU64::MIN);
    let mut forsaken = Box::pin(shared.semaphore.acquire_many(count));
    current::with_task(&task, 128, || {
        assert!(poll_once(forsaken.as_mut()).is_pending());
    });
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it());
    let other = Arc::clone(&shared);
    let adder = thread::spawn(move || other.semaphore.add_permits(count).expect("not too many"));
    current::with_task(&task, 128, || shared.use_it());
    drop(forsaken);
    user.join().unwrap();
    adder.join().unwrap();
    shared.assert_whole(count);
}
