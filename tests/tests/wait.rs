//! Waiting for several tasks: row A21, cases W01 to W06.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tenter::task::{Builder as Task, yield_now};
use tenter::time::{Duration, Instant, sleep};
use tenter::{JoinHandle, Until, spawn, wait, wait_mut};
use tenter_tests::support::{
    Count, CountWakes, assert_says, both, build, every, panic_of, poll_with, settle,
};

fn after(millis: u64) -> JoinHandle<u64> {
    spawn(async move {
        sleep(Duration::from_millis(millis)).await;
        millis
    })
}

fn millis(since: Instant) -> u128 {
    Instant::now().duration_since(since).as_millis()
}

/// Runs a future and counts how often it is polled.
async fn counted<F: Future>(polls: &Count, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.add();
        future.as_mut().poll(cx)
    })
    .await
}

async fn outputs<T>(handles: Vec<JoinHandle<T>>) -> Vec<Option<T>> {
    let mut all = Vec::new();
    for handle in handles {
        all.push(handle.await.ok());
    }
    all
}

/// Goal: a wait for all lasts as long as the slowest; a second one takes no time.
#[tenter::test]
async fn w01_a_wait_for_all_ends_with_the_last() {
    let began = Instant::now();
    let waited = wait([after(100), after(150)], Until::all()).await;
    assert_eq!(millis(began), 150);
    assert!(waited.pending.is_empty() && !waited.timed_out);
    let again = wait(waited.done, Until::all()).await;
    assert_eq!(millis(began), 150);
    assert_eq!(outputs(again.done).await, [Some(100), Some(150)]);
}

/// Goal: a wait for the first ends with the first, and the other runs on.
#[tenter::test]
async fn w02_a_wait_for_the_first_ends_with_the_first() {
    let began = Instant::now();
    let waited = wait([after(10_000), after(100)], Until::first_completed()).await;
    assert_eq!(millis(began), 100);
    assert_eq!(outputs(waited.done).await, [Some(100)]);
    assert_eq!(outputs(waited.pending).await, [Some(10_000)]);
    assert_eq!(millis(began), 10_000);
}

/// Goal: a task that ends while the end of the first is on its way is done, too.
#[tenter::test]
async fn w03_what_ends_meanwhile_is_done_too() {
    let waited = wait([after(100), after(100)], Until::first_completed()).await;
    assert_eq!(waited.done.len(), 2);
    assert!(waited.pending.is_empty());
}

/// Goal: a wait for the first failure ends with it, and raises nothing; a task that is cancelled is no
/// failure; nor is an `Err`, unless the wait says so.
#[tenter::test]
async fn w04_a_wait_for_the_first_failure_ends_with_a_panic() {
    let began = Instant::now();
    let failing = spawn(async {
        sleep(Duration::from_millis(10)).await;
        panic!("on purpose")
    });
    let cancelled = after(5_000);
    let canceller = cancelled.canceller();
    drop(spawn(async move {
        sleep(Duration::from_millis(5)).await;
        canceller.cancel();
    }));
    let waited = wait(
        [cancelled, after(100), failing, after(2)],
        Until::first_failed(),
    )
    .await;
    assert_eq!(millis(began), 10);
    assert!(!waited.timed_out);
    let ends = outputs(waited.done).await;
    assert_eq!(ends, [None, None, Some(2)]);
    assert_eq!(outputs(waited.pending).await, [Some(100)]);
}

/// Goal: without a failure, a wait for the first one ends with the last task.
#[tenter::test]
async fn w04_without_a_failure_all_have_to_end() {
    let cancelled = spawn(pending());
    cancelled.cancel();
    let began = Instant::now();
    let waited = wait([after(20), cancelled, after(30)], Until::first_failed()).await;
    assert_eq!(millis(began), 30);
    assert_eq!((waited.done.len(), waited.pending.len()), (3, 0));
}

/// Goal: outputs that are failures can be named: then an `Err` ends the wait. One that is there already
/// ends it at once.
#[tenter::test]
async fn w04_an_err_is_a_failure_if_the_wait_says_so() {
    let task = |millis: u64, output: Result<u8, u8>| {
        spawn(async move {
            sleep(Duration::from_millis(millis)).await;
            output
        })
    };
    let began = Instant::now();
    let tasks = [task(10, Ok(1)), task(20, Err(2)), task(30, Ok(3))];
    let waited = wait(tasks, Until::first_failed())
        .failed_if(Result::is_err)
        .await;
    assert_eq!(millis(began), 20);
    assert_eq!((waited.done.len(), waited.pending.len()), (2, 1));
    let mut all: Vec<_> = waited.done.into_iter().chain(waited.pending).collect();
    let waited = wait_mut(&mut all, Until::first_failed())
        .failed_if(Result::is_err)
        .await;
    assert_eq!(millis(began), 20);
    assert_eq!((waited.done.len(), all.len()), (2, 1));
    let waited = wait(all, Until::first_failed()).await;
    assert_eq!(millis(began), 30);
    assert_eq!(outputs(waited.done).await, [Some(Ok(3))]);
}

/// Goal: when the time is up, the wait ends, sorted, without an error and without a cancellation.
#[tenter::test]
async fn w05_a_timeout_ends_the_wait_and_nothing_else() {
    let began = Instant::now();
    let until = Until::all().timeout(Duration::from_millis(110));
    let waited = wait([after(100), after(150)], until).await;
    assert_eq!(millis(began), 110);
    assert!(waited.timed_out);
    assert_eq!(outputs(waited.done).await, [Some(100)]);
    assert_eq!(outputs(waited.pending).await, [Some(150)]);
    // What happens at the very same time has happened.
    let until = Until::all().timeout(Duration::from_millis(50));
    let waited = wait([after(50)], until).await;
    assert_eq!(waited.done.len() + waited.pending.len(), 1);
    assert_eq!(waited.timed_out, waited.done.is_empty());
}

/// Goal: a wait that is cancelled leaves the tasks alone: they run to their ends.
#[tenter::test]
async fn w06_the_tasks_of_a_cancelled_wait_run_on() {
    let ran = Count::new();
    let task = |millis| {
        let ran = ran.clone();
        spawn(async move {
            sleep(Duration::from_millis(millis)).await;
            ran.add();
        })
    };
    let tasks = [task(10), task(20)];
    let waiter = spawn(async move { wait(tasks, Until::all()).await.done.len() });
    sleep(Duration::from_millis(5)).await;
    let ended = waiter.cancel_and_wait().await;
    assert!(ended.expect_err("cancelled").is_cancelled());
    sleep(Duration::from_millis(20)).await;
    assert_eq!(ran.get(), 2);
}

/// Goal: nobody to wait for is no wait, on whatever condition.
#[tenter::test]
async fn a21_a_wait_for_nobody_is_over_at_once() {
    for until in [
        Until::all(),
        Until::first_completed(),
        Until::first_failed(),
    ] {
        for until in [until, until.timeout(Duration::from_secs(1))] {
            let waited = wait(Vec::<JoinHandle<()>>::new(), until).await;
            assert!(waited.done.is_empty() && waited.pending.is_empty());
            assert!(!waited.timed_out);
        }
    }
    let mut none: Vec<JoinHandle<()>> = Vec::new();
    let waited = wait_mut(&mut none, Until::first_completed()).await;
    assert!(waited.done.is_empty() && !waited.timed_out);
}

/// Goal: done and pending keep the order of the handles, on every flavour, for tasks that have ended
/// before, end meanwhile, and do not end.
#[test]
fn a21_wait_returns_done_and_pending_in_order() {
    every(|builder| {
        build(builder).block_on(async {
            let over = spawn(async { 1 });
            settle().await;
            let (tx, rx) = tenter::sync::oneshot();
            let gated = spawn(async move { rx.await.expect("it is sent") });
            let never = spawn(pending::<i32>());
            let ends = spawn(async move {
                yield_now().await;
                tx.send(3).expect("it waits");
                4
            });
            let ids = [over.id(), never.id(), gated.id(), ends.id()];
            let mut handles = vec![over, never, gated, ends];
            let mut seen = Vec::new();
            while handles.len() > 1 {
                let waited = wait_mut(&mut handles, Until::first_completed()).await;
                assert!(!waited.done.is_empty() && !waited.timed_out);
                seen.extend(waited.done.iter().map(JoinHandle::id));
            }
            assert_eq!(handles[0].id(), ids[1]);
            seen.sort_unstable();
            let mut expected = [ids[0], ids[2], ids[3]];
            expected.sort_unstable();
            assert_eq!(seen, expected);
        });
    });
}

/// Goal: `wait_mut` that is dropped leaves the handles where they are, and they can be waited for again, or
/// awaited by themselves; its old wakers wake nobody.
#[test]
fn a21_a_dropped_wait_mut_keeps_the_handles() {
    both(|builder| {
        build(builder).block_on(async {
            let (waker, wakes) = CountWakes::waker();
            let mut handles: Vec<_> = (0..3)
                .map(|number| {
                    spawn(async move {
                        yield_now().await;
                        number
                    })
                })
                .collect();
            for until in [Until::all(), Until::first_failed()] {
                let mut waiting = wait_mut(&mut handles, until);
                assert!(poll_with(&waker, &mut waiting).is_pending());
                drop(waiting);
                assert_eq!(handles.len(), 3);
            }
            let first = handles.remove(0);
            assert_eq!(first.await.expect("no panic"), 0);
            let waited = wait_mut(&mut handles, Until::all()).await;
            assert_eq!(outputs(waited.done).await, [Some(1), Some(2)]);
            assert!(handles.is_empty());
            assert_eq!(wakes.get(), 0);
        });
    });
}

/// Goal: each task costs one registration, and a wait for all of ten thousand is polled twice.
#[test]
fn a21_a_wait_for_many_is_polled_only_when_it_may_be_over() {
    every(|builder| {
        build(builder).block_on(async {
            let polls = Count::new();
            let tasks: Vec<_> = (0..10_000_u32)
                .map(|number| {
                    spawn(async move {
                        yield_now().await;
                        number
                    })
                })
                .collect();
            let waited = counted(&polls, wait(tasks, Until::all())).await;
            assert_eq!(waited.done.len(), 10_000);
            assert!(polls.get() <= 2, "{} polls", polls.get());
        });
    });
}

/// Goal: a wait that goes to another task is woken there.
#[test]
fn a21_a_wait_that_moves_is_woken_where_it_is() {
    every(|builder| {
        build(builder).block_on(async {
            let (tx, rx) = tenter::sync::oneshot::<()>();
            let gated = spawn(async move { rx.await.is_ok() });
            let mut waiting = wait([gated], Until::all());
            let (waker, wakes) = CountWakes::waker();
            assert!(poll_with(&waker, &mut waiting).is_pending());
            let elsewhere = spawn(async move { waiting.await.done.len() });
            settle().await;
            tx.send(()).expect("it waits");
            assert_eq!(elsewhere.await.expect("no panic"), 1);
            assert_eq!(wakes.get(), 0);
        });
    });
}

/// Goal: a handle whose output was taken counts as done, and as no failure.
#[tenter::test]
async fn a21_a_handle_that_was_awaited_is_done() {
    let mut handle = spawn(async { Err::<u8, u8>(1) });
    assert_eq!((&mut handle).await.expect("no panic"), Err(1));
    let handles = [handle, spawn(async { Ok(2) })];
    let waited = wait(handles, Until::first_failed())
        .failed_if(Result::is_err)
        .await;
    assert_eq!(waited.done.len(), 2);
}

/// Goal: the wait for tasks of a runtime that ends, ends too.
#[test]
fn a21_a_wait_ends_with_the_runtime_of_its_tasks() {
    every(|builder| {
        let runtime = build(builder);
        let handles = vec![runtime.spawn(pending::<()>()), runtime.spawn(pending())];
        let mut waiting = wait(handles, Until::all());
        let (waker, wakes) = CountWakes::waker();
        assert!(poll_with(&waker, &mut waiting).is_pending());
        drop(runtime);
        assert_eq!(wakes.get(), 1);
        let Poll::Ready(waited) = poll_with(&waker, &mut waiting) else {
            panic!("all tasks have ended")
        };
        assert_eq!(waited.done.len(), 2);
    });
}

/// Goal: polled again after it was ready, it says so.
#[test]
fn a21_a_wait_that_is_over_is_not_polled_again() {
    let (waker, _) = CountWakes::waker();
    let mut waiting = wait(Vec::<JoinHandle<()>>::new(), Until::all());
    assert!(poll_with(&waker, &mut waiting).is_ready());
    let message = panic_of(|| poll_with(&waker, &mut waiting).is_ready());
    assert_says(&message, &["wait", "after it was ready"]);
}

/// Goal: a program that waits in vain is told for whom.
#[test]
fn a21_the_report_of_a_deadlock_names_whom_a_wait_waits_for() {
    let message = panic_of(|| {
        let runtime = build(tenter::Builder::deterministic(7));
        runtime.block_on(async {
            let over = spawn(async {});
            yield_now().await;
            let stuck = Task::new().name("stuck").spawn(pending());
            let waited = wait([over, stuck], Until::all()).await;
            drop(waited);
        });
    });
    assert_says(
        &message,
        &["deadlock", "\"main\"", "waits for task", "\"stuck\""],
    );
}

/// Goal: `Debug` of a wait says how far it is.
#[tenter::test]
async fn a21_debug_says_how_far_it_is() {
    let over = spawn(async {});
    yield_now().await;
    let waiting = wait([over, spawn(async {})], Until::all());
    assert_says(&format!("{waiting:?}"), &["tasks: 2", "ended: 1", "All"]);
    drop(waiting);
}
