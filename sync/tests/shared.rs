//! `Shared`: one future, many who wait, and what becomes of them.

#[path = "models/shared.rs"]
mod body;
mod models;
mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use support::{Count, Hooks, Tasks, hostile, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Event, Shared, WeakShared, oneshot, shim};

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

fn boxed<T>(future: impl Future<Output = T> + 'static) -> Boxed<T> {
    Box::pin(future)
}

/// The words of the panic that `body` ends with.
fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body))
        .err()
        .expect("it panics");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => String::from(*panic.downcast::<&str>().expect("a text")),
    }
}

/// Counts its drops.
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn f01_what_is_not_done_has_no_output() {
    let (sender, receiver) = oneshot();
    let mut shared = Shared::new(receiver);
    assert!(shared.peek().is_none() && !shared.stats().is_done);
    assert!(poll(Pin::new(&mut shared)).is_pending() && shared.peek().is_none());
    sender.send(7).unwrap();
    assert!(shared.peek().is_none(), "nobody has polled it since");
    assert_eq!(poll(Pin::new(&mut shared)), Poll::Ready(Ok(7)));
    assert_eq!(
        (shared.peek(), shared.stats().is_done),
        (Some(&Ok(7)), true)
    );
    assert_eq!(poll(Pin::new(&mut shared)), Poll::Ready(Ok(7)), "again");
}

#[test]
fn f02_all_who_wait_get_the_value() {
    let (sender, receiver) = oneshot();
    let shared = Shared::new(receiver);
    let got = RefCell::new(Vec::new());
    let mut tasks = Tasks::new();
    for name in 0..5 {
        let (shared, got) = (shared.clone(), &got);
        tasks.spawn(async move {
            let value = shared.await;
            got.borrow_mut().push((name, value.unwrap()));
        });
    }
    tasks.run();
    assert_eq!((shared.stats().waiting, shared.strong_count()), (5, 6));
    sender.send("v").unwrap();
    tasks.run();
    got.borrow_mut().sort_unstable();
    assert_eq!(*got.borrow(), [0, 1, 2, 3, 4].map(|name| (name, "v")));
    assert_eq!((shared.stats().waiting, shared.stats().waiting_max), (0, 5));
}

#[test]
fn f03_a_cancelled_waiter_leaves_the_future_to_the_others() {
    let (sender, receiver) = oneshot();
    let shared = Shared::new(receiver);
    let mut tasks = Tasks::new();
    let [cancelled, stays] = [shared.clone(), shared]
        .map(|shared| tasks.spawn(async move { assert_eq!(shared.await, Ok(1)) }));
    tasks.run();
    tasks.cancel(cancelled);
    assert!(!sender.is_closed(), "the future is not cancelled");
    sender.send(1).unwrap();
    tasks.run();
    assert!(tasks.is_done(stays));
}

#[test]
fn f04_a_setter_that_is_dropped_is_an_error_for_all() {
    let (sender, receiver) = oneshot::<u8>();
    let shared = Shared::new(receiver);
    let mut other = shared.clone();
    assert!(poll(Pin::new(&mut other)).is_pending());
    drop(sender);
    assert!(matches!(poll(pin!(shared)), Poll::Ready(Err(_))));
    assert!(matches!(poll(pin!(other)), Poll::Ready(Err(_))));
}

/// Dropped, or kept and not polled, before and after it was told: the other one takes over.
#[test]
fn whoever_polled_may_go_in_any_state() {
    for polls in 0..3 {
        for told in [false, true] {
            for kept in [false, true] {
                let event = Arc::new(Event::new());
                let own = Arc::clone(&event);
                let shared = Shared::new(boxed(async move { own.wait().await }));
                let (waker, count) = Count::new();
                let mut goes = shared.clone();
                for _ in 0..polls {
                    assert!(poll(Pin::new(&mut goes)).is_pending());
                }
                let mut stays = Box::pin(shared.wait());
                assert!(poll_with(stays.as_mut(), &waker).is_pending());
                if told {
                    event.set();
                }
                let kept = if kept {
                    Some(goes)
                } else {
                    drop(goes);
                    None
                };
                event.set();
                assert_eq!(count.get(), 1, "{polls} {told}");
                assert!(poll(stays.as_mut()).is_ready());
                drop(stays);
                assert_eq!(
                    (shared.stats().waiting, shared.strong_count()),
                    (0, 1 + usize::from(kept.is_some()))
                );
            }
        }
    }
}

#[test]
fn a_forgotten_handle_keeps_nobody_waiting() {
    let (sender, receiver) = oneshot();
    let shared = Shared::new(receiver);
    for polled in [false, true] {
        let mut forgotten = shared.clone();
        assert!(!polled || poll(Pin::new(&mut forgotten)).is_pending());
        leak(forgotten);
        let mut wait = Box::pin(Box::leak(Box::new(shared.clone())).wait());
        assert!(!polled || poll(wait.as_mut()).is_pending());
        leak(wait);
    }
    let (waker, count) = Count::new();
    let mut stays = shared.clone();
    assert!(poll_with(Pin::new(&mut stays), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!(
        (count.get(), poll(Pin::new(&mut stays))),
        (1, Poll::Ready(Ok(1)))
    );
}

#[test]
fn the_future_is_polled_when_it_was_woken_and_not_else() {
    let polls = Rc::new(Cell::new(0));
    let place = Rc::new(RefCell::new(None));
    let (counts, keeps) = (Rc::clone(&polls), Rc::clone(&place));
    let shared = Shared::new(boxed(poll_fn(move |cx| {
        counts.set(counts.get() + 1);
        *keeps.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    let mut handles: Vec<_> = (0..4).map(|_| shared.clone()).collect();
    for _ in 0..3 {
        for handle in &mut handles {
            assert!(poll(Pin::new(handle)).is_pending());
        }
    }
    assert_eq!(polls.get(), 1);
    let first = place.borrow().clone().unwrap();
    first.wake_by_ref();
    for handle in &mut handles {
        assert!(poll(Pin::new(handle)).is_pending());
    }
    assert_eq!(polls.get(), 2);
    assert!(
        first.will_wake(place.borrow().as_ref().unwrap()),
        "one waker for all polls"
    );
}

/// The future goes as soon as it is ready, or with the last handle; its waker does not keep it.
#[test]
fn the_future_is_dropped_when_it_is_done_or_wanted_no_more() {
    let drops = Rc::new(Cell::new(0));
    let place = Rc::new(RefCell::new(None));
    for ends in [true, false] {
        let (dropped, keeps) = (Dropped(Rc::clone(&drops)), Rc::clone(&place));
        let before = drops.get();
        let shared = Shared::new(boxed(poll_fn(move |cx| {
            let _ = &dropped;
            *keeps.borrow_mut() = Some(cx.waker().clone());
            if ends { Poll::Ready(3) } else { Poll::Pending }
        })));
        let weak = shared.downgrade();
        assert_eq!(poll(Pin::new(&mut shared.clone())).is_ready(), ends);
        assert_eq!(drops.get() - before, usize::from(ends));
        assert!(weak.upgrade().is_some_and(|same| same.ptr_eq(&shared)));
        drop(shared);
        assert_eq!(drops.get() - before, 1);
        assert!(weak.upgrade().is_none() && weak.strong_count() == 0);
        assert!(weak.ptr_eq(&weak.clone()));
        place.borrow_mut().take().unwrap().wake(); // it is late, and finds nobody
    }
}

/// The future's drop, and that of the output, run under no lock.
#[test]
fn a_drop_may_use_the_handle() {
    struct Nosy(Rc<RefCell<Option<WeakShared<Boxed<i32>>>>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            let weak = self.0.borrow_mut().take().unwrap();
            if let Some(shared) = weak.upgrade() {
                assert_eq!(shared.stats().waiting, 0);
                assert!(!format!("{shared:?}").contains("<locked>"));
                assert!(shared.peek().is_none());
            }
        }
    }
    for ends in [true, false] {
        let place = Rc::new(RefCell::new(None));
        let nosy = Nosy(Rc::clone(&place));
        let shared = Shared::new(boxed(async move {
            let _nosy = nosy;
            if !ends {
                pending::<()>().await;
            }
            1
        }));
        *place.borrow_mut() = Some(shared.downgrade());
        assert_eq!(poll(pin!(shared.wait())).is_ready(), ends);
        drop(shared);
        assert!(place.borrow().is_none());
    }
}

/// futures-rs leaves the others without an answer they can read.
#[test]
fn a_panic_of_the_future_reaches_all() {
    let (sender, receiver) = oneshot::<()>();
    let shared = Shared::new(boxed(async move {
        let _ = receiver.await;
        let words: String = ["out", "of", "ideas"].join(" ");
        if words.is_empty() {
            1
        } else {
            panic!("{words}")
        }
    }));
    let (waker, count) = Count::new();
    let mut handles: Vec<_> = (0..3).map(|_| shared.clone()).collect();
    for handle in &mut handles {
        assert!(poll_with(Pin::new(handle), &waker).is_pending());
    }
    drop(sender);
    assert_eq!(count.get(), 3);
    let first = panic_of(|| poll(Pin::new(&mut handles[0])));
    assert_eq!(first, "out of ideas", "to the one who polls as it is");
    for handle in &mut handles {
        let words = panic_of(|| poll(Pin::new(handle)));
        assert!(
            words.contains("`Shared` panicked") && words.ends_with("out of ideas"),
            "{words}"
        );
    }
    assert!(shared.peek().is_none() && shared.stats().has_panicked);
    assert_eq!(shared.stats().waiting, 0);
    let odd = Shared::new(poll_fn(|_| -> Poll<u8> { panic_any(7) }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(pin!(odd.wait())))).is_err());
    assert!(panic_of(|| poll(pin!(odd.wait()))).ends_with("not text"));
}

/// Those who come while it is polled wait; they are told of the panic too.
#[test]
fn a_panic_tells_those_who_came_while_it_was_polled() {
    let place: Rc<RefCell<Option<Shared<Boxed<i32>>>>> = Rc::default();
    let (waker, count) = Count::new();
    let (inner, own) = (Rc::clone(&place), waker.clone());
    let shared = Shared::new(boxed(poll_fn(move |_| {
        let mut inner = inner.borrow_mut();
        assert!(poll_with(Pin::new(inner.as_mut().unwrap()), &own).is_pending());
        panic!("too late");
    })));
    *place.borrow_mut() = Some(shared.clone());
    assert_eq!(panic_of(|| poll(pin!(shared.wait()))), "too late");
    assert_eq!(count.get(), 1);
    let mut inner = place.borrow_mut();
    let words = panic_of(|| poll(Pin::new(inner.as_mut().unwrap())));
    assert!(words.ends_with("too late"), "{words}");
}

#[test]
fn a_panic_in_the_drop_of_the_future_keeps_the_output() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let bomb = Bomb;
    let shared = Shared::new(poll_fn(move |_| {
        let _ = &bomb;
        Poll::Ready(5)
    }));
    assert_eq!(panic_of(|| poll(pin!(shared.wait()))), "boom");
    assert_eq!(
        (poll(pin!(shared.wait())), shared.peek()),
        (Poll::Ready(5), Some(&5))
    );
}

#[test]
fn a_future_that_waits_for_itself_panics_and_says_what_to_do() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for in_task in [false, true] {
        let place: Rc<RefCell<Option<WeakShared<Boxed<i32>>>>> = Rc::default();
        let own = Rc::clone(&place);
        let shared = Shared::new(boxed(async move {
            let me = own.borrow().as_ref().and_then(WeakShared::upgrade).unwrap();
            me.await
        }));
        *place.borrow_mut() = Some(shared.downgrade());
        let poll_it = || poll(pin!(shared.wait()));
        let words = panic_of(|| {
            if in_task {
                current::with_task(&slot, 9, poll_it)
            } else {
                poll_it()
            }
        });
        assert!(
            words.contains("waits for that very `Shared`") && words.contains("split it"),
            "{words}"
        );
        assert!(
            panic_of(poll_it).contains("waits for that very"),
            "and so do the others"
        );
    }
    // Two branches of one task are no mistake.
    let (sender, receiver) = oneshot();
    let shared = Shared::new(receiver);
    let mut branches = [shared.clone(), shared];
    current::with_task(&slot, 9, || {
        assert!(
            branches
                .iter_mut()
                .all(|branch| poll(Pin::new(branch)).is_pending())
        );
        sender.send(1).unwrap();
        assert!(
            branches
                .iter_mut()
                .all(|branch| poll(Pin::new(branch)).is_ready())
        );
    });
}

#[test]
fn a_spent_budget_postpones_and_loses_nothing() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut shared = Shared::new(ready(1));
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(Pin::new(&mut shared), &waker).is_pending());
    });
    assert_eq!(
        (count.get(), poll(Pin::new(&mut shared))),
        (1, Poll::Ready(1))
    );
    let waits = Shared::new(pending::<u8>());
    current::with_task(&slot, 9, || assert!(poll(pin!(waits.wait())).is_pending()));
    assert_eq!(slot.waiting_on().map(|on| on.kind), Some(WaitKind::Shared));
}

#[test]
fn one_that_yields_gets_on_with_many_who_wait() {
    let shared = Shared::new(boxed(async {
        for _ in 0..10 {
            support::yield_now().await;
        }
        1
    }));
    let mut tasks = Tasks::new();
    let waits: Vec<_> = (0..70)
        .map(|_| {
            let shared = shared.clone();
            tasks.spawn(async move { assert_eq!(shared.await, 1) })
        })
        .collect();
    tasks.run();
    assert!(waits.iter().all(|task| tasks.is_done(*task)));
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
fn a_panicking_waker_leaves_it_whole_and_the_others_told() {
    for occasion in 0..3 {
        let (sender, receiver) = oneshot();
        let shared = Shared::new(receiver);
        let (good, count) = Count::new();
        let mut waits: Vec<_> = (0..41).map(|_| Box::pin(shared.wait())).collect();
        let bad = panics_once(occasion);
        survive(|| assert!(poll_with(waits[0].as_mut(), &bad).is_pending()));
        survive(|| assert!(poll_with(waits[0].as_mut(), &good).is_pending())); // the old one is dropped
        let worse = panics_once(occasion);
        survive(|| assert!(poll_with(waits[0].as_mut(), &worse).is_pending()));
        for wait in &mut waits[1..] {
            assert!(poll_with(wait.as_mut(), &good).is_pending());
        }
        survive(|| sender.send(1).unwrap());
        assert!(count.get() >= 40, "{occasion}: all others, in both batches");
        assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
        survive(|| drop(waits));
        survive(|| drop(bad));
        survive(|| drop(worse));
        assert_eq!(shared.stats().waiting, 0);
    }
}

#[test]
fn a_waker_may_use_the_shared_that_wakes_it_and_drop_the_last_handle() {
    for occasion in 0..3 {
        let (sender, receiver) = oneshot();
        let shared = Shared::new(receiver);
        let weak = shared.downgrade();
        let place = Mutex::new(Some(shared.clone()));
        let waker = waker_on(occasion, move || {
            let Some(mut shared) = place.lock().unwrap().take() else {
                return;
            };
            assert!(!format!("{shared:?}").contains("<locked>"));
            let _ = poll(Pin::new(&mut shared));
            let _ = poll(pin!(shared.wait()));
        });
        let mut handle = shared;
        let _ = poll_with(Pin::new(&mut handle), &waker);
        let _ = poll(Pin::new(&mut handle));
        let _ = poll_with(Pin::new(&mut handle), &waker);
        sender.send(1).unwrap();
        assert_eq!(poll(Pin::new(&mut handle)), Poll::Ready(Ok(1)));
        drop((handle, waker));
        assert_eq!(weak.strong_count(), 0, "{occasion}");
    }
}

#[test]
fn debug_shows_the_name_and_the_state() {
    let shared = Shared::new(ready(1)).named("config");
    let text = format!("{shared:?}");
    assert!(
        text.contains("\"config\"") && text.contains("pending"),
        "{text}"
    );
    assert!(poll(pin!(shared.wait())).is_ready() && format!("{shared:?}").contains("done"));
    assert_eq!(shared.stats().name.as_deref(), Some("config"));
    let shared = shared.named_dyn(format!("config {}", 2));
    assert_eq!(shared.stats().name.as_deref(), Some("config 2"));
    assert_eq!((shared.weak_count(), shared.stats().handles), (0, 1));
    assert!(format!("{:?}", shared.downgrade()).contains("handles: 1"));
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::a_wake_while_it_is_polled);
    shim::explore(body::the_one_who_polled_is_dropped);
    shim::explore(body::the_one_who_polled_is_forgotten);
    shim::explore(body::two_come_at_once);
    shim::explore(body::it_wakes_itself);
    shim::explore(body::a_oneshot_for_two);
    shim::explore(body::two_wakes);
}
