//! Dropping or leaking a future at any moment: a cancelled wait did not happen.

mod support;

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;

use support::{Count, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::oneshot::TryRecvError;
use tenter_sync::{Notify, Semaphore, oneshot};

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where in its life a future is dropped.
const POLLS: [usize; 3] = [0, 1, 2];

/// Goal: whatever a dropped waiter was, those behind it get what it would have got.
/// Method: drop a waiter after each number of polls, before and after the grant, with the grant
/// unpolled and with it held back by the budget; then count.
fn drop_at_every_poll<'a>(
    waiter: impl Fn() -> Boxed<'a>,
    give_one: impl Fn(),
    is_whole: impl Fn(usize) -> bool,
) {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for polls in POLLS {
        for (granted, held_back) in [(false, false), (true, false), (true, true)] {
            let (waker, count) = Count::new();
            let mut dropped = waiter();
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut behind = waiter();
            assert!(poll_with(behind.as_mut(), &waker).is_pending());
            if granted {
                give_one();
            }
            if held_back && polls > 0 {
                current::with_task(&slot, 0, || assert!(poll(dropped.as_mut()).is_pending()));
            }
            drop(dropped);
            assert_eq!(count.get() == 1, granted, "{polls} polls");
            if !granted {
                give_one();
            }
            assert_eq!(count.get(), 1, "{polls} polls");
            assert!(poll(behind.as_mut()).is_ready());
            drop(behind);
            assert!(
                is_whole(0),
                "{polls} polls, granted {granted}, held back {held_back}"
            );
        }
    }
}

#[test]
fn acquire_may_be_dropped_at_every_poll() {
    let semaphore = Semaphore::new(0);
    drop_at_every_poll(
        || Box::pin(async { semaphore.acquire().await.unwrap().forget() }),
        || semaphore.add_permits(1).unwrap(),
        |free| semaphore.available() == free && semaphore.stats().waiting == 0,
    );
}

#[test]
fn acquire_many_may_be_dropped_at_every_poll() {
    let semaphore = Semaphore::new(0);
    drop_at_every_poll(
        || Box::pin(async { semaphore.acquire_many(3).await.unwrap().forget() }),
        || semaphore.add_permits(3).unwrap(),
        |free| semaphore.available() == free && semaphore.stats().waiting == 0,
    );
}

#[test]
fn acquire_owned_may_be_dropped_at_every_poll() {
    let semaphore = Arc::new(Semaphore::new(0));
    drop_at_every_poll(
        || {
            let semaphore = Arc::clone(&semaphore);
            Box::pin(async { semaphore.acquire_owned().await.unwrap().forget() })
        },
        || semaphore.add_permits(1).unwrap(),
        |free| semaphore.available() == free && semaphore.stats().waiting == 0,
    );
    assert_eq!(Arc::strong_count(&semaphore), 1);
}

#[test]
fn notified_may_be_dropped_at_every_poll() {
    let notify = Notify::new();
    drop_at_every_poll(
        || Box::pin(notify.notified()),
        || notify.notify_one(),
        |_| !notify.stats().is_stored && notify.stats().waiting == 0,
    );
}

#[test]
fn a_large_request_that_is_dropped_frees_the_line_behind_it() {
    let semaphore = Semaphore::new(2);
    let mut large = Box::pin(semaphore.acquire_many(3));
    assert!(poll(large.as_mut()).is_pending());
    let (waker, count) = Count::new();
    let mut small: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
    for future in &mut small {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    }
    drop(large);
    assert_eq!(
        (
            count.get(),
            semaphore.available(),
            semaphore.stats().waiting
        ),
        (2, 0, 1)
    );
}

/// tokio #2340, #8021: leaked futures and permits are lost, and nothing else happens, not even when
/// the semaphore moves.
#[test]
fn leaked_waiters_and_permits_are_sound() {
    let semaphore = Semaphore::new(2);
    leak(semaphore.try_acquire().unwrap());
    leak(semaphore.try_acquire().unwrap());
    for polled in [false, true] {
        let mut leaked = Box::pin(semaphore.acquire());
        assert!(!polled || poll(leaked.as_mut()).is_pending());
        leak(leaked);
    }
    let moved = Box::new(semaphore);
    let mut behind = Box::pin(moved.acquire());
    assert!(poll(behind.as_mut()).is_pending());
    moved.add_permits(2).unwrap();
    assert!(
        poll(behind.as_mut()).is_ready(),
        "the leaked waiter got the first of the two"
    );
    drop(behind);
    let mut leaked = Box::pin(moved.acquire_many(9));
    assert!(poll(leaked.as_mut()).is_pending());
    leak(leaked);
    drop(moved);

    let notify = Notify::new();
    let mut leaked = Box::pin(notify.notified());
    assert!(poll(leaked.as_mut()).is_pending());
    leak(leaked);
    notify.notify_waiters();
    notify.notify_one();
    assert!(notify.stats().is_stored);
}

#[test]
fn leaked_ends_of_a_oneshot_are_sound() {
    let (sender, mut receiver) = oneshot::<u8>();
    leak(sender);
    assert!(poll(Pin::new(&mut receiver)).is_pending());
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    drop(receiver);
    let (sender, receiver) = oneshot();
    leak(receiver);
    sender.send(1).unwrap();
}
