//! Attacks on `broadcast`, `watch`, `Shared`, `CapacityLimiter` and `Semaphore`: user code that runs where
//! nobody thought of it.

mod support;

use std::fmt::{self, Debug, Write as _};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use futures_core::Stream;
use support::{Count, poll, poll_with, ready, slot, survive, waker_on};
use tenter_sync::broadcast::Receiver;
use tenter_sync::current::TaskSlot;
use tenter_sync::{Acquire, CapacityLimiter, Semaphore, Shared, broadcast, current, watch};

/// Whether somebody holds the lock of this primitive now, as its `Debug` tells.
fn is_locked(primitive: &dyn Debug) -> bool {
    format!("{primitive:?}").contains("<locked>")
}

/// Goal: no waker is dropped under the lock of a semaphore.
/// Method: a wait could take the turn of another one of its task, but its budget is spent; so the waker
/// that it has cloned is not needed.
#[test]
fn a_semaphore_drops_no_waker_under_its_lock() {
    let me = slot(1);
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.try_acquire().unwrap();
    let (mut forsaken, mut polled) = (pin!(semaphore.acquire()), pin!(semaphore.acquire()));
    current::with_task(&me, 128, || {
        assert!(poll(forsaken.as_mut()).is_pending());
        assert!(poll(polled.as_mut()).is_pending());
    });
    drop(permit);
    let locked = Arc::new(AtomicUsize::new(0));
    let (seen, other) = (Arc::clone(&locked), Arc::clone(&semaphore));
    let waker = waker_on(2, move || {
        seen.fetch_add(usize::from(is_locked(&other)), Ordering::Relaxed);
    });
    current::with_task(&me, 0, || {
        assert!(poll_with(polled.as_mut(), &waker).is_pending());
    });
    assert_eq!(locked.load(Ordering::Relaxed), 0);
    assert!(current::with_task(&me, 1, || poll(polled.as_mut())).is_ready());
}

/// Goal: a wait that has stepped back with a foreign waker of its task does not keep the task asleep.
/// Method: two waits of one task have foreign wakers, and the second takes the turn of the first one,
/// which nobody polls any more; a third has the task's own waker.
#[test]
fn a_wait_that_stepped_back_with_a_foreign_waker_takes_its_task_along() {
    #[repr(C)]
    struct Task {
        head: [usize; current::HEAD_TO_SLOT / size_of::<usize>()],
        slot: TaskSlot,
    }
    static COUNTS: RawWakerVTable =
        RawWakerVTable::new(|data| RawWaker::new(data, &COUNTS), count, count, |_| {});
    static WAKES: AtomicUsize = AtomicUsize::new(0);
    fn count(_: *const ()) {
        WAKES.fetch_add(1, Ordering::Relaxed);
    }
    let me = Task {
        head: Default::default(),
        slot: slot(1),
    };
    // SAFETY: no function of the table looks at the data.
    let own = unsafe { Waker::new(me.head.as_ptr().cast(), &COUNTS) };
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    let (mut forsaken, mut taker) = (pin!(semaphore.acquire()), pin!(semaphore.acquire()));
    let mut last = pin!(semaphore.acquire());
    let in_task = |future: Pin<&mut Acquire<'_>>, waker: &Waker| {
        current::with_task(&me.slot, 128, || poll_with(future, waker)).is_pending()
    };
    let (foreign, _) = Count::new();
    let (another, _) = Count::new();
    assert!(in_task(forsaken.as_mut(), &foreign));
    drop(permit);
    let taken = current::with_task(&me.slot, 128, || poll_with(taker.as_mut(), &another));
    let taken = ready(taken).expect("the turn of the first");
    assert!(in_task(last.as_mut(), &own));
    drop(taken);
    assert_eq!(
        WAKES.load(Ordering::Relaxed),
        1,
        "the one that is polled is woken"
    );
    assert!(!in_task(last.as_mut(), &own));
}

/// Goal: of two panics of a shared future the first one goes on, whatever the second one carries.
/// Method: the payload of the second panics when it is dropped.
#[test]
fn a_second_panic_of_a_shared_future_does_not_end_the_process() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    struct Bad;
    impl Future for Bad {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("first");
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }
    let mut shared = Shared::new(Bad);
    let panic = catch_unwind(AssertUnwindSafe(|| poll(Pin::new(&mut shared)))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"first"));
}

/// Goal: a receiver that is dropped leaves no value behind, also if its waker panics then.
/// Method: a sender that wakes a batch of others wakes one that drops the receiver, which is still in line.
#[test]
fn a_receiver_gives_its_values_up_when_its_waker_panics() {
    let (sender, receiver) = broadcast(4);
    let mut others: Vec<_> = (0..40).map(|_| sender.subscribe()).collect();
    let place = Arc::new(Mutex::new(Some(receiver)));
    for (index, other) in others.iter_mut().enumerate() {
        let place = Arc::clone(&place);
        let waker = waker_on(1, move || {
            if index == 0 {
                let receiver = place.lock().unwrap().take();
                survive(|| drop(receiver));
            }
        });
        assert!(stream(other, &waker).is_pending());
    }
    let armed = AtomicUsize::new(0);
    let waker = waker_on(2, move || {
        assert_ne!(armed.fetch_add(1, Ordering::Relaxed), 0, "hostile waker");
    });
    assert!(stream(place.lock().unwrap().as_mut().unwrap(), &waker).is_pending());
    let value = Arc::new(());
    assert_eq!(sender.send(Arc::clone(&value)), Ok(41));
    drop(waker);
    assert!(place.lock().unwrap().is_none(), "it was dropped");
    drop(others);
    assert_eq!(sender.len(), 0);
    assert_eq!(Arc::strong_count(&value), 1);
}

fn stream<T: Clone>(receiver: &mut Receiver<T>, waker: &Waker) -> Poll<Option<T>> {
    let mut cx = Context::from_waker(waker);
    Pin::new(receiver)
        .poll_next(&mut cx)
        .map(|item| item.and_then(Result::ok))
}

/// Goal: no primitive writes its `Debug` under its lock: what it writes to may use it.
#[test]
fn debug_is_not_written_under_a_lock() {
    struct Spy<'a>(&'a dyn Debug);
    impl fmt::Write for Spy<'_> {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            assert!(!is_locked(self.0), "{:?}", self.0);
            Ok(())
        }
    }
    fn spy(primitive: &dyn Debug) {
        write!(Spy(primitive), "{primitive:?}").unwrap();
    }
    let (sender, receiver) = broadcast::<u8>(1);
    let sender = sender.named("news");
    spy(&sender);
    spy(&receiver);
    spy(&sender.downgrade());
    let (sender, receiver) = watch(0);
    spy(&sender.named("level"));
    spy(&receiver);
    spy(&Shared::new(async {}).named("once"));
    spy(&CapacityLimiter::new(1).named("few"));
    spy(&Semaphore::new(1).named("few"));
}

/// Goal: a borrower that nothing is known of is nobody else, in whatever limiter it borrows.
#[test]
fn nameless_borrowers_of_two_limiters_are_two() {
    let (one, another) = (CapacityLimiter::new(9), CapacityLimiter::new(9));
    let token = one.try_acquire().unwrap();
    let _guest = another.try_acquire_for(token.borrower().clone()).unwrap();
    let own = another.try_acquire().unwrap();
    assert_ne!(token.borrower(), own.borrower());
}
