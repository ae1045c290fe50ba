//! `CapacityLimiter`: the semantic cases S14, S16 and S17, keys, totals, cancellation, hostile wakers, an oracle.

mod models;
mod support;

use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use support::{Count, Hooks, Log, Tasks, hostile, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Borrower, Borrowing, CapacityLimiter, Token, TryBorrowError};

/// The bodies of the models, again and again on system threads.
mod stress {
    macro_rules! stress {
        ($($name:ident),* $(,)?) => {
            $(#[test]
            fn $name() {
                tenter_sync::shim::explore(super::models::limiter::$name);
            })*
        };
    }

    stress! { two_borrowers, a_cancelled_request_passes_it_on, a_larger_total_lets_them_in }
}

fn slot(id: u64) -> TaskSlot {
    TaskSlot::new(NonZeroU64::new(id).expect("not zero"))
}

/// Polls as the task `slot` does.
fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, 128, || poll_with(future, waker))
}

fn names(borrowers: &[Borrower]) -> String {
    let names: Vec<_> = borrowers.iter().map(ToString::to_string).collect();
    names.join(" ")
}

/// Nobody is in the book.
fn assert_empty(limiter: &CapacityLimiter) {
    let stats = limiter.stats();
    assert_eq!(
        (stats.borrowed, stats.borrowers.len(), stats.waiting.len()),
        (0, 0, 0)
    );
}

#[test]
fn s14_a_second_request_of_one_task_is_an_error() {
    let limiter = CapacityLimiter::new(2);
    let me = slot(7);
    let Poll::Ready(Ok(token)) = poll_in(&me, pin!(limiter.acquire()), Waker::noop()) else {
        panic!("there are two")
    };
    let Poll::Ready(Err(error)) = poll_in(&me, pin!(limiter.acquire()), Waker::noop()) else {
        panic!("it would wait for itself")
    };
    assert_eq!(error.borrower(), token.borrower());
    assert!(
        error.to_string().starts_with("task 7 already borrows"),
        "{error}"
    );
    let error = current::with_task(&me, 1, || limiter.try_acquire()).unwrap_err();
    assert!(
        matches!(error, TryBorrowError::AlreadyBorrowing(_)),
        "{error}"
    );
    let other = poll_in(&me, pin!(limiter.acquire_for("db")), Waker::noop());
    assert!(matches!(other, Poll::Ready(Ok(_))), "another key borrows");
    let Poll::Ready(Ok(other)) = other else {
        return;
    };
    let stats = limiter.stats();
    assert_eq!(names(&stats.borrowers), r#""db" task 7"#);
    assert_eq!((stats.total, stats.borrowed, stats.available), (2, 2, 0));
    assert_eq!(
        limiter.try_acquire_for("more").unwrap_err(),
        TryBorrowError::NoneAvailable
    );
    drop((token, other));
    assert_empty(&limiter);
    let again = current::with_task(&me, 1, || limiter.try_acquire());
    assert!(again.is_ok(), "it may borrow again");
}

#[test]
fn s16_a_total_of_zero_holds_everyone_until_it_is_raised() {
    let limiter = CapacityLimiter::new(0);
    let (log, gate) = (Log::default(), tenter_sync::Semaphore::new(0));
    let user = |number: u64| {
        let (log, limiter, gate) = (log.clone(), &limiter, &gate);
        async move {
            let _token = limiter.acquire_for(number).await.unwrap();
            log.add(number.to_string());
            gate.acquire().await.unwrap().forget();
        }
    };
    let mut tasks = Tasks::new();
    for number in 1..=5 {
        tasks.spawn(user(number));
    }
    tasks.run();
    assert_eq!(log.take(), "");
    assert_eq!(names(&limiter.stats().waiting), "1 2 3 4 5");
    limiter.set_total(5);
    tasks.run();
    assert_eq!(log.take(), "1 2 3 4 5");
    limiter.set_total(0);
    tasks.spawn(user(6));
    tasks.run();
    let stats = limiter.stats();
    assert_eq!(
        (log.take(), stats.borrowed),
        (String::new(), 5),
        "nobody is evicted"
    );
    assert_eq!(
        (limiter.total(), limiter.available(), limiter.borrowed()),
        (0, 0, 5)
    );
    limiter.set_total(2);
    gate.add_permits(3).unwrap();
    tasks.run();
    assert_eq!(
        (log.take(), limiter.borrowed()),
        (String::new(), 2),
        "not below the total yet"
    );
    gate.add_permits(1).unwrap();
    tasks.run();
    assert_eq!((log.take(), limiter.borrowed()), ("6".into(), 2));
    gate.add_permits(2).unwrap();
    tasks.run();
    drop(tasks);
    let stats = limiter.stats();
    assert_eq!((stats.borrowed_max, stats.waiting_max), (5, 5));
    assert_empty(&limiter);
}

#[test]
fn s17_a_cancelled_request_leaves_nothing_behind() {
    let limiter = CapacityLimiter::new(1);
    let token = limiter.try_acquire_for("holder").unwrap();
    for polls in 0..3 {
        let mut cancelled = Box::pin(limiter.acquire_for("cancelled"));
        for _ in 0..polls {
            assert!(poll(cancelled.as_mut()).is_pending());
        }
        assert_eq!(limiter.stats().waiting.len(), usize::from(polls > 0));
        drop(cancelled);
        let stats = limiter.stats();
        assert_eq!(names(&stats.borrowers), r#""holder""#);
        assert!(stats.waiting.is_empty());
    }
    let mut again = pin!(limiter.acquire_for("cancelled"));
    assert!(
        poll(again.as_mut()).is_pending(),
        "and is no reason to refuse"
    );
    drop(token);
    assert!(matches!(poll(again), Poll::Ready(Ok(_))));
    assert_empty(&limiter);
}

#[test]
fn a_request_that_waits_refuses_a_second_one_of_its_borrower() {
    let limiter = CapacityLimiter::new(0);
    let me = slot(1);
    let mut first = Box::pin(limiter.acquire());
    assert!(poll_in(&me, first.as_mut(), Waker::noop()).is_pending());
    let second = poll_in(&me, pin!(limiter.acquire()), Waker::noop());
    assert!(
        matches!(second, Poll::Ready(Err(_))),
        "it would wait behind itself"
    );
    let other = poll_in(&slot(2), pin!(limiter.acquire()), Waker::noop());
    assert!(other.is_pending());
    drop(first);
    assert!(poll_in(&me, pin!(limiter.acquire()), Waker::noop()).is_pending());
    assert_empty(&limiter);
}

#[test]
fn on_another_executor_a_waker_tells_tasks_apart() {
    let limiter = CapacityLimiter::new(usize::MAX);
    let ((one, _), (another, _)) = (Count::new(), Count::new());
    let Poll::Ready(Ok(token)) = poll_with(pin!(limiter.acquire()), &one) else {
        panic!("without limit")
    };
    assert!(matches!(
        poll_with(pin!(limiter.acquire()), &one),
        Poll::Ready(Err(_))
    ));
    assert!(matches!(
        poll_with(pin!(limiter.acquire()), &another),
        Poll::Ready(Ok(_))
    ));
    assert!(
        token
            .borrower()
            .to_string()
            .starts_with("a task with the waker 0x")
    );
    let nameless = (
        limiter.try_acquire().unwrap(),
        limiter.try_acquire().unwrap(),
    );
    assert_ne!(nameless.0.borrower(), nameless.1.borrower());
    assert_eq!(limiter.available(), usize::MAX);
    assert_eq!(limiter.borrowed(), 3);
}

#[test]
fn hundreds_of_requests_are_let_in_by_one_change_in_their_order() {
    let limiter = CapacityLimiter::new(0);
    let (waker, count) = Count::new();
    let mut requests: Vec<_> = (0..100_u64)
        .map(|number| Box::pin(limiter.acquire_for(number)))
        .collect();
    for request in &mut requests {
        assert!(poll_with(request.as_mut(), &waker).is_pending());
    }
    limiter.set_total(70);
    assert_eq!((count.get(), limiter.stats().waiting.len()), (70, 30));
    assert!(
        requests
            .iter_mut()
            .skip(70)
            .all(|it| poll(it.as_mut()).is_pending())
    );
    limiter.set_total(usize::MAX);
    assert_eq!(limiter.stats().waiting.len(), 0);
    let tokens: Vec<_> = requests
        .iter_mut()
        .map(|it| match poll(it.as_mut()) {
            Poll::Ready(Ok(token)) => token,
            other => panic!("let in: {other:?}"),
        })
        .collect();
    drop(tokens);
    assert_empty(&limiter);
}

/// Goal: whatever a dropped request was, those behind it get what it would have got.
#[test]
fn a_request_may_be_dropped_at_every_poll() {
    let me = slot(1);
    for polls in 0..3 {
        for (granted, held_back) in [(false, false), (true, false), (true, true)] {
            let limiter = Arc::new(CapacityLimiter::new(1));
            let token = limiter.try_acquire_for("holder").unwrap();
            let (waker, count) = Count::new();
            let mut dropped = Box::pin(Arc::clone(&limiter).acquire_for_owned("dropped"));
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut behind = pin!(limiter.acquire_for("behind"));
            assert!(poll_with(behind.as_mut(), &waker).is_pending());
            let mut token = Some(token);
            if granted {
                drop(token.take());
            }
            if held_back && polls > 0 {
                current::with_task(&me, 0, || assert!(poll(dropped.as_mut()).is_pending()));
            }
            drop(dropped);
            assert_eq!(count.get() == 1, granted, "{polls} polls");
            drop(token);
            let Poll::Ready(Ok(token)) = poll(behind) else {
                panic!("{polls} polls, granted {granted}, held back {held_back}")
            };
            drop(token);
            assert_empty(&limiter);
        }
    }
}

#[test]
fn leaked_tokens_and_requests_are_sound() {
    let limiter = Box::new(CapacityLimiter::new(2));
    leak(limiter.try_acquire_for("leaked").unwrap());
    for polled in [false, true] {
        let mut request = Box::pin(limiter.acquire_for("request"));
        assert!(!polled || poll(request.as_mut()).is_ready());
        leak(request);
    }
    limiter.set_total(1);
    let mut request = Box::pin(limiter.acquire_for("waits"));
    assert!(poll(request.as_mut()).is_pending());
    leak(request);
    limiter.set_total(4);
    assert_eq!(names(&limiter.stats().borrowers), r#""leaked" "waits""#);
    assert!(limiter.try_acquire_for("leaked").is_err());
    assert!(
        limiter.try_acquire_for("request").is_ok(),
        "that token was returned and dropped"
    );
}

#[test]
fn a_spent_budget_keeps_the_token_for_the_next_poll() {
    let limiter = CapacityLimiter::new(1);
    let me = slot(1);
    let (waker, count) = Count::new();
    let mut request = pin!(limiter.acquire());
    current::with_task(&me, 0, || {
        assert!(poll_with(request.as_mut(), &waker).is_pending());
        let refused = poll_with(pin!(limiter.acquire()), &waker);
        assert!(refused.is_pending(), "an error costs as much");
    });
    assert_eq!((count.get(), limiter.available()), (2, 0));
    assert!(poll_in(&me, request, &waker).is_ready());
}

#[test]
fn a_waiting_task_says_what_it_waits_for() {
    let limiter = CapacityLimiter::new(0);
    let me = slot(1);
    let mut request = pin!(limiter.acquire());
    assert!(poll_in(&me, request.as_mut(), Waker::noop()).is_pending());
    let note = me.waiting_on().unwrap();
    assert_eq!(note.kind, WaitKind::Semaphore);
    assert_eq!(note.address, std::ptr::from_ref(&limiter).addr());
}

#[test]
fn a_thread_can_wait_in_the_same_line() {
    let limiter = Arc::new(CapacityLimiter::new(0));
    let other = Arc::clone(&limiter);
    let thread = std::thread::spawn(move || other.blocking_acquire_for("thread").map(drop));
    while limiter.stats().waiting.is_empty() {
        std::thread::yield_now();
    }
    limiter.set_total(1);
    assert_eq!(thread.join().unwrap(), Ok(()));
    let owned = Arc::clone(&limiter)
        .try_acquire_for_owned("thread")
        .unwrap();
    assert!(limiter.blocking_acquire_for("thread").is_err());
    drop(owned);
    drop(Arc::clone(&limiter).try_acquire_owned().unwrap());
    assert!(poll(pin!(Arc::clone(&limiter).acquire_owned())).is_ready());
    assert_eq!(Arc::strong_count(&limiter), 1);
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_a_finished_future_panics() {
    let limiter = CapacityLimiter::new(1);
    let mut future = pin!(limiter.acquire());
    let _token = poll(future.as_mut());
    let _ = poll(future);
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let limiter = CapacityLimiter::new(0);
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let mut request = pin!(limiter.acquire_for("it"));
    assert!(poll_with(request.as_mut(), &old).is_pending());
    assert!(poll_with(request.as_mut(), &old).is_pending());
    assert!(poll_with(request.as_mut(), &new).is_pending());
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    limiter.set_total(1);
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
}

#[test]
fn debug_shows_the_name_and_never_blocks() {
    static NAMED: CapacityLimiter = CapacityLimiter::new(2).named("threads");
    let token = NAMED.try_acquire_for(9_u64).unwrap();
    let text = format!("{NAMED:?} {token:?} {:?}", NAMED.acquire_for("x"));
    for part in [
        "\"threads\"",
        "total: 2",
        "borrowed: 1",
        "borrower: 9",
        "state: Idle",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let named = CapacityLimiter::new(0).named_dyn(format!("shard {}", 7));
    assert_eq!(named.stats().name.as_deref(), Some("shard 7"));
}

/// A waker that panics, or uses the limiter, on any occasion leaves the book right.
#[test]
fn hostile_wakers_leave_the_limiter_whole() {
    for occasion in 0..3 {
        for panics in [true, false] {
            let limiter = Arc::new(CapacityLimiter::new(0));
            let (armed, other) = (AtomicBool::new(true), Arc::clone(&limiter));
            let hook: support::Hook = Box::new(move || {
                if armed.swap(false, Ordering::Relaxed) {
                    assert!(!panics, "hostile waker");
                    other.set_total(other.total());
                    let _ = other.try_acquire_for("inside");
                    let _ = poll(pin!(other.acquire_for("inside")));
                    assert!(!format!("{other:?} {:?}", other.stats()).contains("<locked>"));
                }
            });
            let mut hooks = Hooks::default();
            match occasion {
                0 => hooks.on_clone = Some(hook),
                1 => hooks.on_wake = Some(hook),
                _ => hooks.on_drop = Some(hook),
            }
            let waker = hostile(&Arc::new(hooks));
            let survive = |step: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(step)));
            let mut request = Box::pin(limiter.acquire_for("hostile"));
            survive(&mut || drop(poll_with(request.as_mut(), &waker)));
            let (good, count) = Count::new();
            let mut others: Vec<_> = (0..40_u64)
                .map(|number| Box::pin(limiter.acquire_for(number)))
                .collect();
            for other in &mut others {
                assert!(poll_with(other.as_mut(), &good).is_pending());
            }
            survive(&mut || limiter.set_total(41));
            assert_eq!(count.get(), 40, "occasion {occasion}: all others are woken");
            let mut waker = Some(waker);
            survive(&mut || drop(waker.take()));
            survive(&mut || drop(poll(request.as_mut())));
            drop((request, others));
            assert_empty(&limiter);
        }
    }
}

/// The token comes between the first look and the second, and the waker that is not needed any more
/// panics as it is dropped.
#[test]
fn a_waker_whose_drop_panics_does_not_lose_the_token() {
    let limiter = Arc::new(CapacityLimiter::new(0));
    let other = Arc::clone(&limiter);
    let armed = Arc::new(Mutex::new(false));
    let bomb = Arc::clone(&armed);
    let waker = hostile(&Arc::new(Hooks {
        on_clone: Some(Box::new(move || other.set_total(1))),
        on_drop: Some(Box::new(move || {
            let armed = std::mem::take(&mut *bomb.lock().unwrap());
            assert!(!armed, "hostile waker");
        })),
        ..Hooks::default()
    }));
    let mut request = Box::pin(limiter.acquire());
    *armed.lock().unwrap() = true;
    let outcome = catch_unwind(AssertUnwindSafe(|| poll_with(request.as_mut(), &waker)));
    assert!(outcome.is_err());
    assert_eq!(limiter.borrowed(), 1, "the future has it");
    drop(request);
    assert_empty(&limiter);
}

/// Goal: any sequence of operations does what a list of borrowers and a queue would do.
/// Method: 300 random sequences over seven keys, compared with those after every operation.
#[test]
fn any_sequence_agrees_with_a_list_and_a_queue() {
    for seed in 1..=300 {
        Trial::new(seed).run();
    }
}

struct Trial {
    random: u64,
    total: usize,
    borrowing: Vec<u64>,
    waiting: Vec<u64>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            random: seed * 0x9E37_79B9,
            total: 1,
            borrowing: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    fn serve(&mut self) {
        while self.borrowing.len() < self.total && !self.waiting.is_empty() {
            let key = self.waiting.remove(0);
            self.borrowing.push(key);
        }
    }

    fn run(mut self) {
        let limiter = CapacityLimiter::new(self.total);
        let mut futures: Vec<(u64, Pin<Box<Borrowing<'_>>>)> = Vec::new();
        let mut tokens: Vec<Token<'_>> = Vec::new();
        for _ in 0..80 {
            match self.pick(6) {
                0 | 1 => {
                    let key = self.pick(7) as u64;
                    let known = self.borrowing.contains(&key) || self.waiting.contains(&key);
                    let mut future = Box::pin(limiter.acquire_for(key));
                    match poll(future.as_mut()) {
                        Poll::Ready(Err(_)) => assert!(known),
                        outcome => {
                            assert!(!known);
                            self.waiting.push(key);
                            self.serve();
                            let lent = self.borrowing.contains(&key);
                            match outcome {
                                Poll::Ready(Ok(token)) if lent => tokens.push(token),
                                Poll::Pending if !lent => futures.push((key, future)),
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                }
                2 if !tokens.is_empty() => {
                    let index = self.pick(tokens.len());
                    let token = tokens.swap_remove(index);
                    self.borrowing
                        .retain(|key| Borrower::from(*key) != *token.borrower());
                    drop(token);
                    self.serve();
                }
                3 if !futures.is_empty() => {
                    let index = self.pick(futures.len());
                    let (key, future) = futures.swap_remove(index);
                    self.borrowing.retain(|other| *other != key);
                    self.waiting.retain(|other| *other != key);
                    drop(future);
                    self.serve();
                }
                4 => {
                    self.total = [0, 1, 2, 3, usize::MAX][self.pick(5)];
                    limiter.set_total(self.total);
                    self.serve();
                }
                _ => futures.retain_mut(|(key, future)| match poll(future.as_mut()) {
                    Poll::Ready(token) => {
                        assert!(self.borrowing.contains(key));
                        tokens.push(token.unwrap());
                        false
                    }
                    Poll::Pending => {
                        assert!(self.waiting.contains(key));
                        true
                    }
                }),
            }
            let stats = limiter.stats();
            let sorted = |keys: &[u64]| {
                let mut keys = keys.to_vec();
                keys.sort_unstable();
                keys.into_iter().map(Borrower::from).collect::<Vec<_>>()
            };
            let waiting: Vec<_> = self.waiting.iter().copied().map(Borrower::from).collect();
            assert_eq!(stats.borrowers, sorted(&self.borrowing));
            assert_eq!(
                (stats.waiting, stats.borrowed),
                (waiting, self.borrowing.len())
            );
        }
    }
}
