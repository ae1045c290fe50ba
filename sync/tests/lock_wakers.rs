//! `Lock` and wakers that panic, come back, or drop the last reference.

mod support;

use std::sync::{Arc, Mutex};

use support::{Count, poll, poll_with, survive, waker_on};
use tenter_sync::Lock;

#[test]
fn a_panicking_waker_leaves_the_lock_whole() {
    for unfair in [false, true] {
        for occasion in 0..3 {
            let lock = if unfair {
                Lock::unfair(())
            } else {
                Lock::new(())
            };
            let armed = Mutex::new(true);
            let bad = waker_on(occasion, move || {
                let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
                assert!(!armed, "hostile waker");
            });
            let (good, count) = Count::new();
            let guard = lock.try_lock().unwrap();
            let mut first = Box::pin(lock.lock());
            let mut second = Box::pin(lock.lock());
            survive(|| assert!(poll_with(first.as_mut(), &bad).is_pending()));
            assert!(poll_with(second.as_mut(), &good).is_pending());
            survive(|| drop(guard));
            survive(|| drop(first));
            survive(|| drop(bad));
            assert_eq!(count.get(), 1, "{occasion}");
            assert!(poll_with(second.as_mut(), &good).is_ready());
            drop(second);
            assert!(!lock.is_locked() && lock.stats().waiting == 0, "{occasion}");
        }
    }
}

#[test]
fn a_waker_may_use_the_lock_that_wakes_it() {
    for unfair in [false, true] {
        for occasion in 0..3 {
            let lock = Arc::new(if unfair {
                Lock::unfair(())
            } else {
                Lock::new(())
            });
            let other = Arc::clone(&lock);
            let waker = waker_on(occasion, move || {
                drop(other.try_lock());
                let (mine, _) = Count::new();
                drop(poll_with(Box::pin(other.lock()).as_mut(), &mine));
                assert!(!format!("{:?}", other.stats()).is_empty());
            });
            let guard = lock.try_lock().unwrap();
            let mut first = Box::pin(lock.lock());
            let mut second = Box::pin(Arc::clone(&lock).lock_owned());
            assert!(poll_with(first.as_mut(), &waker).is_pending());
            assert!(poll_with(second.as_mut(), &waker).is_pending());
            assert!(poll(first.as_mut()).is_pending());
            assert!(poll_with(first.as_mut(), &waker).is_pending());
            drop(guard);
            drop(poll(first.as_mut()));
            drop((first, second, waker));
            assert!(!lock.is_locked() && lock.stats().waiting == 0, "{occasion}");
        }
    }
}

/// A wake that drops the last reference to what wakes it.
#[test]
fn a_wake_may_drop_the_last_reference() {
    let lock = Arc::new(Lock::new(()));
    let place = Arc::new(Mutex::new(None));
    let owned = Arc::clone(&place);
    let waker = waker_on(1, move || drop(owned.lock().unwrap().take()));
    let guard = Arc::clone(&lock).try_lock_owned().unwrap();
    let mut future = Box::pin(Arc::clone(&lock).lock_owned());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    *place.lock().unwrap() = Some(future);
    let gone = Arc::downgrade(&lock);
    drop((lock, waker));
    drop(guard);
    assert_eq!(gone.strong_count(), 0);
}
