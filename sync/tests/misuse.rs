//! Misuse is an error with a type, or a panic that says what, where and what to do; and what was misused
//! works on as if nothing had been.

mod support;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Once};
use std::task::Poll;

use support::{poll, poll_alone, ready};
use tenter_sync::{
    Barrier, CapacityLimiter, Condition, LifoQueue, Lock, OnceCell, OverRelease, PriorityQueue,
    Queue, Semaphore, TooMany, TryAcquireError, TryBorrowError, broadcast, channel, watch,
};

thread_local! {
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
    /// The file and the words of the last panic that was expected.
    static LAST: RefCell<(String, String)> = RefCell::default();
}

/// The act panics; the words say all of this, and where it was: the panic names this file, or the words do.
#[track_caller]
fn refused(act: impl FnOnce(), says: &[&str]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_EXPECTED.get() {
                return usual(info);
            }
            let file = info.location().map(|place| place.file().to_owned());
            let words = words_of(info.payload()).to_owned();
            LAST.set((file.unwrap_or_default(), words));
        }));
    });
    IS_EXPECTED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(act));
    IS_EXPECTED.set(false);
    assert!(outcome.is_err(), "accepted, and not refused with {says:?}");
    let (file, words) = LAST.take();
    let is_named = file == file!() || words.contains(file!());
    assert!(is_named, "{words:?} at {file}, which is not the caller's");
    for part in says {
        assert!(words.contains(part), "{part:?} is not in {words:?}");
    }
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, words) => words.map_or("", String::as_str),
    }
}

fn now<F: Future>(future: F) -> F::Output {
    ready(poll(pin!(future)))
}

#[test]
fn a_bounded_semaphore_is_given_too_much() {
    let semaphore = Arc::new(Semaphore::bounded(2).named("db"));
    let over: OverRelease = semaphore.add_permits(1).unwrap_err();
    assert!(over.to_string().contains("comes back by itself"), "{over}");
    let permit = semaphore.try_acquire().unwrap();
    assert!(
        semaphore.add_permits(1).is_err(),
        "one is out, and comes back"
    );
    assert!(semaphore.add_permits(usize::MAX).is_err());
    permit.forget();
    semaphore.add_permits(1).unwrap();
    assert!(semaphore.add_permits(1).is_err());
    // Somebody waits for all of them, and is not served by what is refused.
    let held = semaphore.try_acquire().unwrap();
    let mut wait = Box::pin(Arc::clone(&semaphore).acquire_many_owned(2));
    assert!(poll(wait.as_mut()).is_pending());
    assert!(semaphore.add_permits(2).is_err());
    assert!(poll(wait.as_mut()).is_pending());
    drop(held);
    assert_eq!(ready(poll(wait.as_mut())).unwrap().count(), 2);
    assert_eq!((semaphore.available(), semaphore.stats().waiting), (2, 0));
}

#[test]
fn more_permits_than_there_can_be() {
    let too_many = Semaphore::MAX_PERMITS + 1;
    let says = ["has at most", "give it a smaller number"];
    refused(|| drop(Semaphore::new(too_many)), &says);
    refused(|| drop(Semaphore::bounded(too_many)), &says);
    refused(|| drop(Semaphore::new(usize::MAX)), &says);

    let free = Semaphore::new(1);
    assert!(
        free.add_permits(usize::MAX).is_err(),
        "there is no room to count them"
    );
    assert!(free.add_permits(Semaphore::MAX_PERMITS).is_err());
    free.add_permits(Semaphore::MAX_PERMITS - 1).unwrap();
    assert!(free.add_permits(1).is_err());
    assert_eq!(free.forget_permits(usize::MAX), Semaphore::MAX_PERMITS);
    assert_eq!(free.available(), 0);
    free.add_permits(1).unwrap();
    drop(now(free.acquire()).unwrap());

    let two = Arc::new(Semaphore::bounded(2).named("db"));
    let says = ["3 permits", "(db) can have 2", "ask for fewer"];
    refused(|| drop(two.acquire_many(3)), &says);
    refused(|| drop(Arc::clone(&two).acquire_many_owned(3)), &says);
    refused(|| drop(two.blocking_acquire_many(3)), &says);
    assert!(matches!(
        two.try_acquire_many(3),
        Err(TryAcquireError::NoPermits)
    ));
    let other = Semaphore::new(1);
    let merge = || {
        let (one, foreign) = (two.try_acquire().unwrap(), other.try_acquire().unwrap());
        let mut one = one;
        one.merge(foreign);
    };
    refused(merge, &["two different semaphores", "keep them apart"]);
    assert_eq!((two.available(), other.available()), (2, 1));
    assert_eq!(now(two.acquire_many(2)).unwrap().count(), 2);
}

macro_rules! queues {
    ($body:ident) => {
        $body!(Queue);
        $body!(LifoQueue);
        $body!(PriorityQueue);
    };
}

#[test]
fn done_too_often() {
    macro_rules! body {
        ($kind:ident) => {
            for queue in [$kind::bounded(2), $kind::unbounded()] {
                assert_eq!(queue.task_done(), Err(TooMany));
                assert!(TooMany.to_string().contains("call it once for each item"));
                queue.try_put(1).unwrap();
                let mut join = Box::pin(queue.join());
                assert!(poll(join.as_mut()).is_pending());
                assert_eq!(now(queue.get()), Ok(1));
                queue.task_done().unwrap();
                assert_eq!(queue.task_done(), Err(TooMany), "once each");
                assert!(poll(join.as_mut()).is_ready());
                // A job says it itself; whoever says it too is told.
                queue.try_put(2).unwrap();
                drop(now(queue.next_job()).unwrap());
                assert_eq!(queue.task_done(), Err(TooMany));
                queue.try_put(3).unwrap();
                assert_eq!(queue.stats().unfinished, 1);
                assert_eq!(
                    (queue.shutdown_now(), queue.task_done()),
                    (vec![3], Err(TooMany))
                );
                assert_eq!((queue.stats().unfinished, queue.stats().joiners), (0, 0));
                now(queue.join());
            }
        };
    }
    queues!(body);
}

#[test]
fn room_for_nothing() {
    let says = ["room for nothing", "at least 1", "channel::rendezvous"];
    macro_rules! body {
        ($kind:ident) => {
            refused(|| drop($kind::<u8>::bounded(0)), &says);
            let queue = $kind::bounded(1);
            queue.try_put(1).unwrap();
            assert_eq!(queue.try_put(2).unwrap_err().into_inner(), 2);
            assert_eq!(queue.try_get(), Ok(1));
        };
    }
    queues!(body);
    refused(|| drop(channel::bounded::<u8>(0)), &says);
    refused(|| drop(channel::named("jobs").bounded::<u8>(0)), &says);
    refused(
        || drop(broadcast::<u8>(0)),
        &["room for one value", "broadcast(1)"],
    );
    refused(
        || drop(Barrier::new(0)),
        &["at least one party", "give Barrier::new"],
    );
}

/// Room for more than can be counted is refused before anything is allocated.
#[test]
fn room_for_more_than_can_be() {
    let says = ["capacity", "unbounded"];
    refused(|| drop(Queue::<u8>::bounded(usize::MAX)), &says);
    refused(|| drop(channel::bounded::<u8>(usize::MAX)), &says);
    refused(
        || drop(broadcast::<u8>(usize::MAX)),
        &["values at most", "choose how far"],
    );
    // Those that grow with what is in them have no limit to pass.
    let queue = PriorityQueue::bounded(usize::MAX);
    queue.try_put(1).unwrap();
    assert_eq!(queue.try_get(), Ok(1));
    let queue = LifoQueue::bounded(usize::MAX);
    queue.try_put(1).unwrap();
    assert_eq!(queue.try_get(), Ok(1));
}

#[test]
fn a_condition_with_two_locks() {
    let (one, other) = (Lock::new(1), Lock::new(2));
    let condition = Condition::new().named("ready");
    let mut wait = Box::pin(condition.wait(one.try_lock().unwrap()));
    assert!(poll(wait.as_mut()).is_pending());
    let says = ["(ready)", "two locks", "a Condition for each lock"];
    let notify = || {
        condition.notify(&other.try_lock().unwrap(), 1);
    };
    refused(notify, &says);
    refused(
        || drop(poll(pin!(condition.wait(other.try_lock().unwrap())))),
        &says,
    );
    assert!(other.try_lock().is_ok(), "the guard went with the panic");
    assert_eq!(condition.stats().waiting, 1, "whoever waited still does");
    condition.notify(&one.try_lock().unwrap(), 1);
    assert_eq!(*ready(poll(wait.as_mut())), 1);
    drop(wait);
    // Nobody waits, so it may be another one now.
    let mut wait = Box::pin(condition.wait(other.try_lock().unwrap()));
    assert!(poll(wait.as_mut()).is_pending());
    condition.notify(&other.try_lock().unwrap(), 1);
    assert_eq!(*ready(poll(wait.as_mut())), 2);
}

#[test]
fn one_who_borrows_borrows_again() {
    let limiter = Arc::new(CapacityLimiter::new(2).named("threads"));
    let token = limiter.try_acquire_for("resize").unwrap();
    let twice = limiter.try_acquire_for("resize").unwrap_err();
    assert!(
        matches!(twice, TryBorrowError::AlreadyBorrowing(_)),
        "{twice:?}"
    );
    let words = twice.to_string();
    assert!(
        words.contains("\"resize\"") && words.contains("`acquire_for`"),
        "{words}"
    );
    assert!(now(limiter.acquire_for("resize")).is_err());
    assert!(now(Arc::clone(&limiter).acquire_for_owned("resize")).is_err());
    assert!(limiter.blocking_acquire_for("resize").is_err());
    assert_eq!((limiter.borrowed(), limiter.available()), (1, 1));
    // One who waits is not lent to twice either.
    let other = limiter.try_acquire_for("other").unwrap();
    let mut wait = Box::pin(limiter.acquire_for("third"));
    assert!(poll(wait.as_mut()).is_pending());
    assert!(poll_alone(pin!(limiter.acquire_for("third"))).is_ready());
    drop(token);
    let third = ready(poll(wait.as_mut())).unwrap();
    drop((other, third));
    assert_eq!((limiter.borrowed(), limiter.available()), (0, 2));
    drop(limiter.try_acquire_for("resize").unwrap());
}

/// Sending into what nobody can receive from, and the other way round.
#[test]
fn a_channel_whose_other_side_is_gone() {
    for make in [|| channel::bounded(2), || channel::unbounded()] {
        let (sender, receiver) = make();
        sender.try_send(1).unwrap();
        drop(receiver);
        assert_eq!(sender.try_send(2), Err(channel::TrySendError::Closed(2)));
        assert_eq!(now(sender.send(3)), Err(channel::SendError(3)));
        assert_eq!(
            now(sender.send_many([4, 5])),
            Err(channel::SendError(vec![4, 5]))
        );
        assert_eq!(sender.blocking_send(6), Err(channel::SendError(6)));
        assert!(now(sender.reserve()).is_err());
        assert_eq!(
            channel::SendError(1).to_string(),
            "sending on a closed channel"
        );
        let (sender, receiver) = make();
        sender.try_send(1).unwrap();
        drop(sender);
        assert_eq!(now(receiver.recv()), Ok(1));
        assert_eq!(now(receiver.recv()), Err(channel::RecvError));
        assert_eq!(receiver.blocking_recv(), Err(channel::RecvError));
        let mut values = Vec::new();
        assert_eq!(
            now(receiver.recv_many(&mut values, 3)),
            Err(channel::RecvError)
        );
        assert_eq!(channel::RecvError.to_string(), "the channel has ended");
    }
    let (sender, receiver) = broadcast(2);
    drop(receiver);
    assert!(sender.send(1).is_err());
    assert_eq!(sender.subscribe().try_recv().ok(), None);
    assert_eq!(sender.send(2).ok(), None, "nobody listens again");
    let mut late = sender.subscribe();
    assert_eq!(sender.send(3), Ok(1));
    assert_eq!(now(late.recv()), Ok(3));
}

#[test]
fn what_would_wait_for_itself() {
    let (sender, receiver) = watch(1);
    let seen = receiver.borrow();
    let change = || sender.send_modify(|value| *value += 1);
    refused(change, &["a `Ref` of it", "drop the `Ref` first"]);
    drop(seen);
    sender.send_modify(|value| *value += 1);
    let inside = || {
        sender.send_modify(|_| drop(receiver.borrow()));
    };
    refused(inside, &["inside the closure", "`&mut`"]);
    sender.send_modify(|value| *value += 1);
    assert_eq!(*receiver.borrow(), 3);

    let cell = OnceCell::<u8>::new();
    let inside = async || *cell.get_or_init(async || 1).await;
    let act = || assert!(poll(pin!(cell.get_or_init(inside))).is_pending());
    refused(act, &["its own cell", "somewhere else"]);
    assert_eq!(*now(cell.get_or_init(async || 2)), 2);
}

/// A future that has completed is not polled again; its primitive does not mind.
#[test]
fn polled_again() {
    let again = "polled again after it had completed: await it once";
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut get = Box::pin(queue.get());
    assert_eq!(poll(get.as_mut()), Poll::Ready(Ok(1)));
    let outcome = catch_unwind(AssertUnwindSafe(|| poll(get.as_mut())));
    let panic = outcome.unwrap_err();
    assert!(words_of(&*panic).contains(again), "{}", words_of(&*panic));
    drop(get);
    queue.try_put(2).unwrap();
    assert_eq!(now(queue.get()), Ok(2));
}
