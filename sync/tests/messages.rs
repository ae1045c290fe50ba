//! What misuse is told: what happened, where the caller is, and what to do instead.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_sync::{
    Barrier, CapacityLimiter, Closed, Condition, LifoQueue, Lock, OnceCell, PriorityQueue, Queue,
    Semaphore, TooMany, TryAcquireError, broadcast, channel, watch,
};

thread_local! {
    /// The file and the words of the last panic of this thread.
    static LAST: RefCell<(String, String)> = RefCell::default();
}

/// The words of the panic, and whether it names this file: the caller's.
fn misuse(act: impl FnOnce()) -> (String, bool) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err(), "accepted");
    let (file, words) = LAST.take();
    (words, file == file!())
}

fn poll(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

fn check(what: &str, act: impl FnOnce(), says: &[&str]) {
    let (words, names_the_caller) = misuse(act);
    assert!(names_the_caller, "{what}: does not name the caller");
    for part in says {
        assert!(words.contains(part), "{what}: {part:?} is not in {words:?}");
    }
}

/// Goal: a panic of misuse names the caller's line, and says what to do.
/// Method: one misuse of each kind; the hook notes where it was.
#[test]
fn a_panic_says_what_where_and_what_to_do() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let file = info.location().map(|place| place.file().to_owned());
        let words = info.payload();
        let words = match words.downcast_ref::<&str>() {
            Some(words) => (*words).to_owned(),
            None => words.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        LAST.set((file.unwrap_or_default(), words));
    }));
    let checks = catch_unwind(sizes_and_permits)
        .and(catch_unwind(capacities))
        .and(catch_unwind(waits));
    std::panic::set_hook(usual);
    assert!(checks.is_ok(), "{}", LAST.take().1);
}

fn sizes_and_permits() {
    let too_many = Semaphore::MAX_PERMITS + 1;
    check(
        "Semaphore::new",
        || drop(Semaphore::new(too_many)),
        &["has at most", "give it a smaller number"],
    );
    check(
        "Semaphore::bounded",
        || drop(Semaphore::bounded(too_many)),
        &["has at most", "give it a smaller number"],
    );
    let two = Arc::new(Semaphore::bounded(2).named("db"));
    let says = ["3 permits", "(db) can have 2", "ask for fewer"];
    check("acquire_many", || drop(two.acquire_many(3)), &says);
    let owned = || drop(Arc::clone(&two).acquire_many_owned(3));
    check("acquire_many_owned", owned, &says);
    let blocking = || drop(two.blocking_acquire_many(3));
    check("blocking_acquire_many", blocking, &says);
    assert_eq!(
        two.try_acquire_many(3).err(),
        Some(TryAcquireError::NoPermits)
    );
    let other = Semaphore::new(1);
    let merge = || {
        two.try_acquire()
            .unwrap()
            .merge(other.try_acquire().unwrap());
    };
    check(
        "merge",
        merge,
        &["two different semaphores", "keep them apart"],
    );
    assert_eq!((two.available(), other.available()), (2, 1));
    check(
        "Barrier::new",
        || drop(Barrier::new(0)),
        &["at least one party", "give Barrier::new"],
    );
    check(
        "broadcast",
        || drop(broadcast::<u8>(0)),
        &["room for one value", "broadcast(1)"],
    );
}

fn capacities() {
    let says = ["room for nothing", "at least 1", "channel::rendezvous"];
    check("Queue", || drop(Queue::<u8>::bounded(0)), &says);
    check("LifoQueue", || drop(LifoQueue::<u8>::bounded(0)), &says);
    let priority = || drop(PriorityQueue::<u8>::bounded(0));
    check("PriorityQueue", priority, &says);
    check("channel", || drop(channel::bounded::<u8>(0)), &says);
    let named = || drop(channel::named("jobs").bounded::<u8>(0));
    check("named", named, &says);
    let endless = || drop(Queue::<u8>::bounded(usize::MAX));
    check("Queue", endless, &["above 2^47", "an unbounded one"]);
}

fn waits() {
    let (sender, receiver) = watch(1);
    let seen = receiver.borrow();
    let change = || sender.send_modify(|value| *value += 1);
    check(
        "send_modify",
        change,
        &["a `Ref` of it", "drop the `Ref` first"],
    );
    drop(seen);

    // Found out in a poll, which has no caller: the words name the places.
    let cell = OnceCell::<u8>::new();
    let inside = async || *cell.get_or_init(async || 1).await;
    let (words, _) = misuse(|| poll(cell.get_or_init(inside)));
    for part in ["its own cell", "messages.rs", "somewhere else"] {
        assert!(
            words.contains(part),
            "OnceCell: {part:?} is not in {words:?}"
        );
    }
    let (one, other) = (Lock::new(1), Lock::new(2));
    let condition = Condition::new().named("ready");
    let mut wait = Box::pin(condition.wait(one.try_lock().unwrap()));
    poll(wait.as_mut());
    let (words, _) = misuse(|| condition.notify(&other.try_lock().unwrap(), 1));
    for part in ["(ready)", "two locks", "messages.rs", "for each lock"] {
        assert!(
            words.contains(part),
            "Condition: {part:?} is not in {words:?}"
        );
    }
}

/// Goal: an error that is only printed says the same.
#[test]
fn an_error_says_what_and_what_to_do() {
    let over = Semaphore::bounded(1).add_permits(1).unwrap_err();
    assert!(over.to_string().contains("comes back by itself"), "{over}");
    assert_eq!(Closed.to_string(), "the semaphore was closed");
    let text = TooMany.to_string();
    assert!(
        text.contains("once for each item") && text.contains("next_job"),
        "{text}"
    );
    let limiter = CapacityLimiter::new(2);
    let _token = limiter.try_acquire_for("resize").unwrap();
    let twice = limiter.try_acquire_for("resize").unwrap_err().to_string();
    assert!(
        twice.contains("\"resize\"") && twice.contains("`acquire_for`"),
        "{twice}"
    );
}
