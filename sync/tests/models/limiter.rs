//! Bodies for `limiter`.

use std::sync::Arc;

use tenter_sync::CapacityLimiter;
use tenter_sync::shim::thread;

use super::{Guarded, block_on, poll_once};

struct Shared {
    limiter: CapacityLimiter,
    data: Guarded,
}

impl Shared {
    fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            limiter: CapacityLimiter::new(total),
            data: Guarded::new(),
        })
    }

    /// Uses what one token of one guards.
    fn use_it(&self, name: &'static str) {
        let token = block_on(self.limiter.acquire_for(name)).expect("every name is used once");
        self.data.add_one();
        drop(token);
    }

    fn assert_whole(&self, total: usize) {
        let stats = self.limiter.stats();
        assert!(
            stats.borrowers.is_empty() && stats.waiting.is_empty(),
            "the book is empty: {stats:?}"
        );
        assert_eq!((stats.borrowed, stats.available), (0, total));
    }
}

/// One token excludes, and what was done under it is visible to the next borrower.
pub fn two_borrowers() {
    let shared = Shared::new(1);
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it("other"));
    shared.use_it("main");
    user.join().unwrap();
    assert_eq!(shared.data.get(), 2);
    shared.assert_whole(1);
}

/// A request that is dropped as it is granted passes the token on, and leaves no name behind.
pub fn a_cancelled_request_passes_it_on() {
    let shared = Shared::new(0);
    let mut cancelled = Box::pin(shared.limiter.acquire_for("cancelled"));
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let other = Arc::clone(&shared);
    let user = thread::spawn(move || other.use_it("other"));
    let other = Arc::clone(&shared);
    let raiser = thread::spawn(move || other.limiter.set_total(1));
    drop(cancelled);
    user.join().unwrap();
    raiser.join().unwrap();
    shared.assert_whole(1);
}

/// A total that is raised while two come lets both in; lowered meanwhile, it evicts nobody.
pub fn a_larger_total_lets_them_in() {
    let shared = Shared::new(0);
    let users = ["one", "two"].map(|name| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || drop(block_on(shared.limiter.acquire_for(name))))
    });
    shared.limiter.set_total(2);
    shared.limiter.set_total(1);
    for user in users {
        user.join().unwrap();
    }
    shared.assert_whole(1);
}
