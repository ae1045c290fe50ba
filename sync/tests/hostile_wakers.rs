//! Wakers that panic, come back, or drop the last reference, at every occasion they get.

mod support;

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use support::{Count, Hook, Hooks, hostile, poll, poll_with, survive};
use tenter_sync::waker_cell::WakerCell;
use tenter_sync::{Notify, Semaphore, oneshot};

/// The occasions at which a waker runs code of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Occasion {
    Clone,
    Wake,
    Drop,
}

const OCCASIONS: [Occasion; 3] = [Occasion::Clone, Occasion::Wake, Occasion::Drop];

/// A waker that runs `hook` once armed, and only on one occasion.
fn waker_with(occasion: Occasion, hook: Hook) -> (Waker, Arc<Hooks>) {
    let mut hooks = Hooks::default();
    match occasion {
        Occasion::Clone => hooks.on_clone = Some(hook),
        Occasion::Wake => hooks.on_wake = Some(hook),
        Occasion::Drop => hooks.on_drop = Some(hook),
    }
    let hooks = Arc::new(hooks);
    (hostile(&hooks), hooks)
}

/// A waker that panics the first time.
fn panics_on(occasion: Occasion) -> Waker {
    let armed = Mutex::new(true);
    let hook = Box::new(move || {
        let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
        assert!(!armed, "hostile waker");
    });
    waker_with(occasion, hook).0
}

/// tokio #3689, #5154, #7094: a waker that panics leaves the semaphore whole and the others served.
#[test]
fn a_panicking_waker_leaves_the_semaphore_whole() {
    for occasion in OCCASIONS {
        let semaphore = Semaphore::new(0);
        let (good, count) = Count::new();
        let mut hostile = Box::pin(semaphore.acquire());
        let bad = panics_on(occasion);
        survive(|| drop(poll_with(hostile.as_mut(), &bad)));
        survive(|| drop(poll_with(hostile.as_mut(), &good))); // another waker: the old is dropped
        let bad = panics_on(occasion);
        survive(|| drop(poll_with(hostile.as_mut(), &bad)));
        let mut others: Vec<_> = (0..40).map(|_| Box::pin(semaphore.acquire())).collect();
        for other in &mut others {
            assert!(poll_with(other.as_mut(), &good).is_pending());
        }
        survive(|| semaphore.add_permits(41).unwrap());
        assert!(
            count.get() >= 40,
            "{occasion:?}: all others are woken, in both batches"
        );
        survive(|| drop(hostile));
        survive(|| drop(bad));
        for other in &mut others {
            assert!(poll(other.as_mut()).is_ready());
        }
        drop(others);
        let stats = semaphore.stats();
        assert_eq!((stats.available, stats.waiting), (41, 0), "{occasion:?}");
    }
}

#[test]
fn a_panicking_waker_leaves_notify_whole() {
    for occasion in OCCASIONS {
        let notify = Notify::new();
        let (good, count) = Count::new();
        let mut hostile = Box::pin(notify.notified());
        let bad = panics_on(occasion);
        survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
        let mut others: Vec<_> = (0..40).map(|_| Box::pin(notify.notified())).collect();
        for other in &mut others {
            assert!(poll_with(other.as_mut(), &good).is_pending());
        }
        survive(|| notify.notify_waiters());
        assert_eq!(count.get(), 40, "{occasion:?}");
        assert!(
            others
                .iter_mut()
                .all(|other| poll(other.as_mut()).is_ready())
        );
        survive(|| drop((hostile, bad)));
        assert!(notify.stats().waiting == 0 && !notify.stats().is_stored);
        notify.notify_one();
        assert!(poll(Box::pin(notify.notified()).as_mut()).is_ready());
    }
}

#[test]
fn a_panicking_waker_leaves_a_oneshot_whole() {
    for occasion in OCCASIONS {
        let value = Arc::new(());
        let (sender, mut receiver) = oneshot();
        let (good, _) = Count::new();
        let bad = panics_on(occasion);
        survive(|| drop(poll_with(Pin::new(&mut receiver), &bad)));
        survive(|| drop(poll_with(Pin::new(&mut receiver), &good)));
        let bad = panics_on(occasion);
        survive(|| drop(poll_with(Pin::new(&mut receiver), &bad)));
        survive(|| drop(sender.send(Arc::clone(&value))));
        assert!(
            receiver.try_recv().is_ok(),
            "{occasion:?}: it was sent all the same"
        );
        survive(|| drop(bad));
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[test]
fn a_panicking_waker_leaves_the_cell_usable() {
    for occasion in OCCASIONS {
        let cell = WakerCell::new();
        let (good, count) = Count::new();
        let bad = panics_on(occasion);
        survive(|| cell.register(&bad));
        survive(|| cell.register(&good));
        survive(|| cell.register(&bad));
        survive(|| cell.wake());
        survive(|| drop(bad));
        cell.register(&good);
        cell.wake();
        assert_eq!(count.get(), 1, "{occasion:?}");
    }
}

/// tokio #5429, #5578, #4129: no lock is held while a waker is cloned, woken or dropped, so one that
/// uses the very primitive neither deadlocks nor confuses it.
#[test]
fn a_waker_may_use_the_semaphore_that_wakes_it() {
    for occasion in OCCASIONS {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let hook = Box::new(move || {
            other.add_permits(1).unwrap();
            let _ = other.try_acquire();
            let mut future = Box::pin(other.acquire());
            let _ = poll(future.as_mut());
            assert!(other.stats().waiting <= 3 && !format!("{other:?}").contains("<locked>"));
        });
        let (waker, hooks) = waker_with(occasion, hook);
        let mut first = Box::pin(semaphore.acquire());
        let mut second = Box::pin(semaphore.acquire());
        let _ = poll_with(first.as_mut(), &waker);
        if !matches!(occasion, Occasion::Clone) {
            assert!(poll_with(second.as_mut(), &waker).is_pending());
            drop(poll(second.as_mut())); // another waker
            semaphore.add_permits(1).unwrap();
            assert_eq!(hooks.wakes.load(Ordering::Relaxed), 1);
        }
        drop((first, second, waker));
        assert_eq!(semaphore.stats().waiting, 0, "{occasion:?}");
        semaphore.close();
    }
}

#[test]
fn a_waker_may_use_the_notify_and_the_cell_that_wake_it() {
    for occasion in OCCASIONS {
        let shared = Arc::new((Notify::new(), WakerCell::new()));
        let other = Arc::clone(&shared);
        let hook = Box::new(move || {
            other.0.notify_waiters();
            let mut future = Box::pin(other.0.notified());
            let _ = poll(future.as_mut());
            other.1.register(Waker::noop());
            other.1.wake();
        });
        let (waker, _hooks) = waker_with(occasion, hook);
        let mut future = Box::pin(shared.0.notified());
        let _ = poll_with(future.as_mut(), &waker);
        let _ = poll(future.as_mut());
        let _ = poll_with(future.as_mut(), &waker);
        shared.0.notify_one();
        shared.1.register(&waker);
        shared.1.register(Waker::noop());
        shared.1.register(&waker);
        shared.1.wake();
        drop((future, waker));
        assert_eq!(shared.0.stats().waiting, 0, "{occasion:?}");
    }
}

/// A wake that drops the last reference to what wakes it.
#[test]
fn a_wake_may_drop_the_last_reference() {
    // The waker owns the only handle to the semaphore besides the future that is granted.
    let semaphore = Arc::new(Semaphore::new(0));
    let last = Mutex::new(Some(Arc::clone(&semaphore)));
    let hook = Box::new(move || drop(last.lock().unwrap().take()));
    let (waker, _) = waker_with(Occasion::Wake, hook);
    let mut future = Box::pin(Arc::clone(&semaphore).acquire_owned());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    drop(waker);
    semaphore.add_permits(1).unwrap();
    drop(future);
    assert_eq!(Arc::strong_count(&semaphore), 1);

    // The waker owns the receiver that it wakes: sending drops it, with the value in it.
    let value = Arc::new(());
    let (sender, receiver) = oneshot();
    let place = Arc::new(Mutex::new(Some(receiver)));
    let owned = Arc::clone(&place);
    let hook = Box::new(move || drop(owned.lock().unwrap().take()));
    let (waker, _) = waker_with(Occasion::Wake, hook);
    let mut receiver = place.lock().unwrap().take().unwrap();
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    *place.lock().unwrap() = Some(receiver);
    assert!(sender.send(Arc::clone(&value)).is_ok());
    assert_eq!(Arc::strong_count(&value), 1);
}
