//! `watch` and wakers that panic, come back, or begin to wait anew.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Count, Hooks, hostile, poll, poll_with};
use tenter_sync::watch;
use tenter_sync::watch::Values;

fn next<T: Clone>(values: &mut Values<T>) -> Poll<Option<T>> {
    Pin::new(values).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Arms one of the three occasions at which a waker runs code of its own.
fn waker_on(occasion: usize, hook: impl Fn() + Send + Sync + 'static) -> Waker {
    let mut hooks = Hooks::default();
    *[&mut hooks.on_clone, &mut hooks.on_wake, &mut hooks.on_drop][occasion] = Some(Box::new(hook));
    hostile(&Arc::new(hooks))
}

/// A waker that panics the first time.
fn panics_once(occasion: usize) -> Waker {
    let armed = Mutex::new(true);
    waker_on(occasion, move || {
        let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
        assert!(!armed, "hostile waker");
    })
}

fn survive(step: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(step));
}

#[test]
fn a_panicking_waker_leaves_the_channel_whole() {
    for occasion in 0..3 {
        let old = Arc::new(());
        let (sender, receiver) = watch(Arc::clone(&old));
        let (good, count) = Count::new();
        let mut ends: Vec<_> = (0..41).map(|_| receiver.clone()).collect();
        let mut waits: Vec<_> = ends.iter_mut().map(|end| Box::pin(end.changed())).collect();
        let mut bad = panics_once(occasion);
        survive(|| assert!(poll_with(waits[0].as_mut(), &bad).is_pending()));
        survive(|| assert!(poll_with(waits[0].as_mut(), &good).is_pending())); // another waker: the old is dropped
        survive(|| bad = panics_once(occasion));
        survive(|| assert!(poll_with(waits[0].as_mut(), &bad).is_pending()));
        for wait in &mut waits[1..] {
            assert!(poll_with(wait.as_mut(), &good).is_pending());
        }
        survive(|| sender.send(Arc::new(())).unwrap());
        assert!(count.get() >= 40, "{occasion}: all others, in both batches");
        assert_eq!(Arc::strong_count(&old), 1, "the old value is gone");
        assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
        survive(|| drop((waits, bad)));
        assert_eq!(sender.stats().waiting, 0);
    }
}

#[test]
fn a_waker_may_use_the_channel_that_wakes_it() {
    for occasion in 0..3 {
        let (sender, mut receiver) = watch(0);
        let place = Mutex::new(Some((sender.clone(), receiver.clone())));
        let waker = waker_on(occasion, move || {
            let Some((sender, mut receiver)) = place.lock().unwrap().take() else {
                return;
            };
            sender.send(7).unwrap();
            sender.send_modify(|value| *value += 1);
            assert_eq!(*receiver.borrow_and_update(), 8);
            assert!(poll(pin!(receiver.changed())).is_pending());
            assert!(!format!("{sender:?}").contains("<locked>"));
        });
        let mut changed = Box::pin(receiver.changed());
        let _ = poll_with(changed.as_mut(), &waker);
        let _ = poll(changed.as_mut());
        let _ = poll_with(changed.as_mut(), &waker);
        sender.send(1).unwrap();
        assert!(poll(changed.as_mut()).is_ready());
        drop((changed, waker));
        assert_eq!((sender.stats().waiting, sender.sender_count()), (0, 1));
    }
}

/// More waiters than fit into a batch, and a wake that begins to wait anew: those who waited all go on.
#[test]
fn a_wait_that_begins_between_two_batches_waits_for_the_next_value() {
    let (sender, receiver) = watch(0);
    let late = Arc::new(Mutex::new(None));
    let hook = {
        let (late, receiver) = (Arc::clone(&late), sender.subscribe());
        move || {
            let mut receiver = receiver.clone();
            receiver.mark_unchanged();
            let mut values = receiver.into_stream();
            assert_eq!(next(&mut values), Poll::Pending);
            *late.lock().unwrap() = Some(values);
        }
    };
    let waker = waker_on(1, hook);
    let (good, count) = Count::new();
    let mut ends: Vec<_> = (0..70).map(|_| receiver.clone()).collect();
    let mut waits: Vec<_> = ends.iter_mut().map(|end| Box::pin(end.changed())).collect();
    for (index, wait) in waits.iter_mut().enumerate() {
        let waker = if index == 0 { &waker } else { &good };
        assert!(poll_with(wait.as_mut(), waker).is_pending());
    }
    sender.send(1).unwrap();
    assert_eq!((count.get(), sender.stats().waiting), (69, 1));
    let mut values = late.lock().unwrap().take().unwrap();
    assert_eq!(next(&mut values), Poll::Pending);
    sender.send(2).unwrap();
    assert_eq!(next(&mut values), Poll::Ready(Some(2)));
    assert_eq!(sender.stats().waiting_max, 70);
}
