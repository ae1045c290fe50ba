//! Panics of members, of their drops, and of the task's waker; wakes from other threads.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tenter::{gather, race};

use crate::support::{Gate, Task};

/// Panics in its poll number `at`, or in its drop.
struct Bad {
    gate: Arc<Gate>,
    at: usize,
    in_drop: bool,
}

impl Future for Bad {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        assert!(
            self.gate.polls.load(Ordering::Relaxed) + 1 != self.at,
            "bad poll"
        );
        pin!(self.gate.member()).poll(cx)
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.gate.drops.fetch_add(10, Ordering::Relaxed);
        assert!(!self.in_drop || std::thread::panicking(), "bad drop");
    }
}

fn bad(gates: &[Arc<Gate>], who: usize, at: usize, in_drop: bool) -> impl Iterator<Item = Bad> {
    let make = move |gate: &Arc<Gate>| {
        let bad = gate.index == who;
        Bad {
            gate: Arc::clone(gate),
            at: if bad { at } else { usize::MAX },
            in_drop: bad && in_drop,
        }
    };
    gates.iter().map(make).collect::<Vec<_>>().into_iter()
}

fn caught<R>(body: impl FnOnce() -> R) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body))
        .err()
        .expect("it panics");
    match panic.downcast::<String>() {
        Ok(said) => *said,
        Err(panic) => (*panic.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn a20_a_member_that_panics_unwinds_through_and_the_rest_is_dropped() {
    for who in 0..3 {
        for at in 1..3 {
            let task = Task::own();
            let gates = Gate::row(3, true, |_| 5);
            let mut all = Box::pin(gather(bad(&gates, who, at, false)));
            let mut polls = 0;
            let said = caught(|| {
                loop {
                    polls += 1;
                    assert!(task.poll(all.as_mut()).is_pending());
                }
            });
            assert_eq!((polls, &*said), (at, "bad poll"));
            let again = caught(|| task.poll(all.as_mut()));
            assert!(again.contains("had panicked"), "{again}");
            drop(all);
            assert!(gates.iter().all(|gate| gate.drops() / 10 == 1));
        }
    }
}

#[test]
fn a_member_whose_drop_panics_loses_nothing() {
    let task = Task::own();
    let gates = Gate::row(3, false, |_| 1);
    let mut all = Box::pin(gather(bad(&gates, 1, 99, true)));
    assert!(caught(|| task.poll(all.as_mut())).contains("bad drop"));
    drop(all);
    assert!(gates.iter().all(|gate| gate.drops() / 10 == 1));
    // Among the losers.
    let gates = Gate::row(3, false, |index| if index == 0 { 1 } else { 9 });
    let mut first = Box::pin(race(bad(&gates, 1, 99, true)));
    assert!(caught(|| task.poll(first.as_mut())).contains("bad drop"));
    drop(first);
    assert!(gates.iter().all(|gate| gate.drops() / 10 == 1));
    // Among those that are cancelled.
    let gates = Gate::row(3, false, |_| 9);
    let mut all = Box::pin(gather(bad(&gates, 1, 99, true)));
    assert!(task.poll(all.as_mut()).is_pending());
    assert!(caught(|| drop(all)).contains("bad drop"));
    assert!(gates.iter().all(|gate| gate.drops() / 10 == 1));
}

/// Panics when it is woken.
struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("bad wake");
    }
}

#[test]
fn a_task_whose_waker_panics_loses_no_wake_of_a_member() {
    let gates = Gate::row(3, false, |_| 2);
    let mut all = pin!(gather(gates.iter().map(Gate::member)));
    let panics = Arc::new(Panics(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&panics));
    assert!(
        all.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(caught(|| gates[1].wake()).contains("bad wake"));
    gates[0].wake();
    gates[2].wake();
    assert_eq!(panics.0.load(Ordering::Relaxed), 1);
    let polled = all.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Ready(vec![0, 1, 2]));
}

/// Its waker comes back into the combinator: it wakes the members again.
struct Comes(Arc<Gate>, AtomicBool);

impl Wake for Comes {
    fn wake(self: Arc<Self>) {
        if !self.1.swap(true, Ordering::Relaxed) {
            self.0.wake();
        }
    }
}

#[test]
fn a_waker_that_comes_back_finds_everything_whole() {
    let gates = Gate::row(2, false, |_| 2);
    let mut all = pin!(gather(gates.iter().map(Gate::member)));
    let waker = Waker::from(Arc::new(Comes(
        Arc::clone(&gates[1]),
        AtomicBool::new(false),
    )));
    assert!(
        all.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    gates[0].wake();
    assert!(
        all.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
    );
}

/// The first waker of a member goes to other threads during the poll.
#[test]
fn the_waker_of_a_first_poll_may_be_cloned_on_other_threads() {
    struct Lends(bool);
    impl Future for Lends {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(());
            }
            let waker = cx.waker();
            std::thread::scope(|threads| {
                let lent = [0, 1, 2, 3].map(|index| {
                    threads.spawn(move || match index % 2 {
                        0 => waker.wake_by_ref(),
                        _ => {
                            let clone = waker.clone();
                            clone.wake_by_ref();
                            clone.wake();
                        }
                    })
                });
                // Joined one by one: ThreadSanitizer does not see how a scope waits.
                for thread in lent {
                    thread.join().expect("no panic");
                }
            });
            Poll::Pending
        }
    }
    for _ in 0..50 {
        let task = Task::own();
        let mut all = pin!(tenter::gather!(Lends(false), Lends(false)));
        assert!(task.poll(all.as_mut()).is_pending());
        assert_eq!(task.wakes(), 1, "a wake in the poll is one of the task");
        assert!(task.poll(all.as_mut()).is_ready());
    }
}

#[tenter::test(flavor = "multi_thread", workers = 2)]
async fn a20_wakes_from_other_threads_are_not_lost() {
    for _ in 0..200 {
        let tasks = (0..20).map(|index| tenter::spawn(async move { index }));
        let outputs = gather(tasks.collect::<Vec<_>>()).await;
        assert!(outputs.into_iter().map(Result::unwrap).eq(0..20));
        let (first, second) =
            tenter::gather!(tenter::spawn(async { 1 }), tenter::spawn(async { 2 })).await;
        assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
    }
}

/// Wakers outlive the combinator, on another thread too.
#[test]
fn a_waker_that_is_kept_outlives_the_combinator() {
    let gates = Gate::row(100, false, |_| 2);
    let waking = gates.clone();
    let task = Task::own();
    let mut all = Box::pin(gather(gates.iter().map(Gate::member)));
    assert!(task.poll(all.as_mut()).is_pending());
    let thread = std::thread::spawn(move || waking.iter().for_each(|gate| gate.wake()));
    drop(all);
    thread.join().unwrap();
    gates.iter().for_each(|gate| gate.wake());
    drop(race([pending::<()>()]));
}
