//! `Semaphore`.

use std::sync::Arc;

use tenter_sync::{OwnedPermit, Semaphore};

use crate::support::drops::{Boxed, End, Pocket, Scenario, then, touch};

/// A semaphore of two permits, which are out.
struct Pool {
    semaphore: Arc<Semaphore>,
    out: Pocket<OwnedPermit>,
}

impl Pool {
    fn new(semaphore: Semaphore) -> Self {
        let semaphore = Arc::new(semaphore);
        let permit = || Arc::clone(&semaphore).try_acquire_owned().unwrap();
        Self {
            out: Pocket::new([permit(), permit()]),
            semaphore,
        }
    }

    fn give_one_back(&self) {
        drop(self.out.take());
    }

    fn one(&self) -> Boxed<'_> {
        then(self.semaphore.acquire(), drop)
    }

    fn two(&self) -> Boxed<'_> {
        then(self.semaphore.acquire_many(2), drop)
    }

    fn one_owned(&self) -> Boxed<'_> {
        then(Arc::clone(&self.semaphore).acquire_owned(), drop)
    }

    fn two_owned(&self) -> Boxed<'_> {
        then(Arc::clone(&self.semaphore).acquire_many_owned(2), drop)
    }

    fn assert_whole(&self, permits: usize) {
        let stats = self.semaphore.stats();
        assert_eq!((stats.available, stats.waiting), (permits, 0));
        assert_eq!(Arc::strong_count(&self.semaphore), 1);
        if !stats.is_closed {
            assert!(self.semaphore.try_acquire_many(permits).is_ok());
        }
    }
}

type Subject = fn(&Pool) -> Boxed<'_>;

const SUBJECTS: [(&str, Subject); 4] = [
    ("Semaphore::acquire", Pool::one),
    ("Semaphore::acquire_many", Pool::two),
    ("Semaphore::acquire_owned", Pool::one_owned),
    ("Semaphore::acquire_many_owned", Pool::two_owned),
];

fn pool(name: &str, semaphore: fn(usize) -> Semaphore, subject: Subject) -> Scenario<Pool> {
    Scenario::new(name, move || Pool::new(semaphore(2)), subject).reenter(|pool| {
        drop(pool.semaphore.try_acquire());
        touch(pool.semaphore.acquire());
        touch(pool.semaphore.acquire_many(2));
        assert!(!format!("{:?} {:?}", pool.semaphore, pool.semaphore.stats()).is_empty());
    })
}

#[test]
fn semaphore() {
    for (name, subject) in SUBJECTS {
        for semaphore in [Semaphore::new, Semaphore::bounded] {
            pool(name, semaphore, subject)
                .other(Pool::one)
                .other(Pool::two)
                .event(Pool::give_one_back)
                .followed_by(Pool::give_one_back)
                .whole(|pool, _| pool.assert_whole(2))
                .after_leak(|pool, _| assert!(pool.semaphore.available() <= 2))
                .run();
        }
    }
}

#[test]
fn semaphore_that_is_closed() {
    for (name, subject) in SUBJECTS {
        pool(name, Semaphore::new, subject)
            .other(Pool::one)
            .event(Pool::give_one_back)
            .event(|pool| pool.semaphore.close())
            .whole(|pool, _| {
                pool.out.clear();
                pool.assert_whole(2);
            })
            .run();
    }
}

#[test]
fn semaphore_that_grows() {
    for (name, subject) in SUBJECTS {
        pool(name, Semaphore::new, subject)
            .other(Pool::one)
            .event(|pool| pool.semaphore.add_permits(1).unwrap())
            .followed_by(Pool::give_one_back)
            .settled(|pool, seen| {
                assert!(
                    seen.end == End::Kept || seen.others == 1,
                    "somebody could go on"
                );
                let stats = pool.semaphore.stats();
                assert_eq!((stats.available, stats.waiting), (2, 0));
            })
            .finish(Pool::give_one_back)
            .whole(|pool, _| pool.assert_whole(3))
            .run();
    }
}
