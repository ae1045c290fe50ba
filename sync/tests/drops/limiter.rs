//! `CapacityLimiter`.

use std::sync::Arc;

use tenter_sync::{CapacityLimiter, OwnedToken};

use crate::support::drops::{Boxed, Pocket, Scenario, then, touch};

/// A limiter of one, which is borrowed.
struct Desk {
    limiter: Arc<CapacityLimiter>,
    lent: Pocket<OwnedToken>,
}

impl Desk {
    fn new() -> Self {
        let limiter = Arc::new(CapacityLimiter::new(1));
        let token = Arc::clone(&limiter).try_acquire_for_owned(99_u64).unwrap();
        Self {
            limiter,
            lent: Pocket::new([token]),
        }
    }

    fn borrow(&self, key: u64) -> Boxed<'_> {
        then(self.limiter.acquire_for(key), |token| drop(token.unwrap()))
    }

    fn borrow_owned(&self, key: u64) -> Boxed<'_> {
        let wait = Arc::clone(&self.limiter).acquire_for_owned(key);
        then(wait, |token| drop(token.unwrap()))
    }

    fn assert_whole(&self, total: usize) {
        let limiter = &self.limiter;
        let stats = limiter.stats();
        assert_eq!(
            (stats.waiting.len(), limiter.borrowed(), limiter.available()),
            (0, 0, total)
        );
        assert_eq!(Arc::strong_count(limiter), 1);
        // Nobody is taken for a borrower any more.
        assert!(limiter.try_acquire_for(1_u64).is_ok() && limiter.try_acquire_for(2_u64).is_ok());
    }
}

type Subject = fn(&Desk) -> Boxed<'_>;

#[test]
fn limiter() {
    let subjects: [(_, Subject); 2] = [
        ("CapacityLimiter::acquire_for", |desk| desk.borrow(1)),
        ("CapacityLimiter::acquire_for_owned", |desk| {
            desk.borrow_owned(1)
        }),
    ];
    for (name, subject) in subjects {
        Scenario::new(name, Desk::new, subject)
            .other(|desk| desk.borrow(2))
            .other(|desk| desk.borrow_owned(3))
            .event(|desk| desk.lent.clear())
            .reenter(|desk| {
                drop(desk.limiter.try_acquire_for(7_u64));
                touch(desk.limiter.acquire_for(8_u64));
                assert!(!format!("{:?} {:?}", desk.limiter, desk.limiter.stats()).is_empty());
            })
            .whole(|desk, _| desk.assert_whole(1))
            .run();
        Scenario::new(name, Desk::new, subject)
            .other(|desk| desk.borrow(2))
            .event(|desk| desk.limiter.set_total(2))
            .finish(|desk| desk.lent.clear())
            .whole(|desk, _| desk.assert_whole(2))
            .run();
    }
}
