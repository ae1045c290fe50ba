//! Ten common hangs, and what the deterministic flavour says of each instead of hanging.
//!
//! Each waits one real second, in which another thread might come to the rescue. The guide quotes the reports;
//! they are printed here, for whoever changes them (`--nocapture`).

use std::future::{Future, pending};
use std::mem::forget;
use std::sync::Arc;
use std::time::Duration;

use tenter::sync::{Barrier, Condition, Event, Lock, Queue, RwLock, Semaphore, channel, oneshot};
use tenter::task::{self, yield_now};
use tenter::time::timeout;
use tenter::{Builder, JoinHandle};
use tenter_tests::support::{assert_says, build, ends, panic_of};

#[track_caller]
fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    task::Builder::new().name(name).spawn(future)
}

/// What a program says that hangs.
fn report<F: Future<Output: Send>>(main: impl FnOnce() -> F + Send + 'static) -> String {
    let report = ends("deterministic", move || {
        let runtime = build(Builder::deterministic(0));
        panic_of(|| runtime.block_on(main()))
    });
    println!("{}", report.get(..4_000).unwrap_or(&report));
    assert_says(&report, &["deadlock", "tests/tests/hangs.rs:"]);
    report
}

/// The line of the report on this task.
fn line<'a>(report: &'a str, name: &str) -> &'a str {
    let mut lines = report.lines();
    let found = lines.find(|line| line.contains(&format!("\"{name}\" spawned at")));
    found.unwrap_or_else(|| panic!("no {name} in: {report}"))
}

/// Goal: a task that locks what it has locked is told so.
#[test]
fn hang_01_a_lock_that_the_task_holds_itself() {
    let report = report(|| async {
        let lock = Lock::new(0).named("balance");
        let first = lock.lock().await;
        let second = lock.lock().await;
        drop((first, second));
    });
    assert_says(
        line(&report, "main"),
        &["waits for Lock \"balance\", held by itself"],
    );
    assert_says(&report, &["not re-entrant"]);
}

/// Goal: two locks in opposite order are shown as the circle that they are.
#[test]
fn hang_02_two_locks_in_opposite_order() {
    let report = report(|| async {
        let from = Arc::new(Lock::new(0).named("from"));
        let to = Arc::new(Lock::new(0).named("to"));
        let transfer = |first: Arc<Lock<i32>>, second: Arc<Lock<i32>>| async move {
            let _first = first.lock().await;
            yield_now().await;
            let _second = second.lock().await;
        };
        let there = spawn("there", transfer(Arc::clone(&from), Arc::clone(&to)));
        let back = spawn("back", transfer(to, from));
        there.await.expect("no panic");
        back.await.expect("no panic");
    });
    let (there, back) = (line(&report, "there"), line(&report, "back"));
    assert_says(there, &["waits for Lock \"to\", held by task", "\"back\""]);
    assert_says(
        back,
        &["waits for Lock \"from\", held by task", "\"there\""],
    );
    let circle = report
        .lines()
        .find(|line| line.contains("in a circle"))
        .unwrap_or_else(|| panic!("no circle in: {report}"));
    assert_says(
        circle,
        &[
            "\"there\" waits for Lock \"to\", held by task",
            "\"back\", which waits for Lock \"from\", held by task",
        ],
    );
    assert!(!circle.contains("main"), "it waits for them: {circle}");
    assert_says(&report, &["same order everywhere"]);
}

/// Goal: a `join` that waits for a `task_done` that never comes.
#[test]
fn hang_03_a_forgotten_task_done() {
    let report = report(|| async {
        let jobs = Arc::new(Queue::bounded(8).named("jobs"));
        let worker = {
            let jobs = Arc::clone(&jobs);
            async move { while jobs.get().await.is_ok() {} }
        };
        drop(spawn("worker", worker));
        jobs.put(1).await.expect("it is open");
        jobs.join().await;
    });
    assert_says(
        line(&report, "main"),
        &["waits for the last task_done of Queue \"jobs\""],
    );
    assert_says(
        line(&report, "worker"),
        &["waits for an item of Queue \"jobs\""],
    );
    assert_says(&report, &["needs one task_done", "next_job"]);
}

/// Goal: an event that nobody sets.
#[test]
fn hang_04_an_event_that_is_never_set() {
    let report = report(|| async {
        let ready = Arc::new(Event::new().named("ready"));
        let server = {
            let ready = Arc::clone(&ready);
            async move {
                let failed = true;
                if !failed {
                    ready.set();
                }
            }
        };
        spawn("server", server).await.expect("no panic");
        ready.wait().await;
    });
    assert_says(
        line(&report, "main"),
        &["waits for Event \"ready\" to be set"],
    );
    assert!(!report.contains("\"server\""), "it has ended: {report}");
    assert_says(&report, &["hint: Whoever should set the Event"]);
}

/// Goal: two stages that feed each other through full queues.
#[test]
fn hang_05_full_queues_in_a_circle() {
    let report = report(|| async {
        let forth = Arc::new(Queue::bounded(1).named("forth"));
        let back = Arc::new(Queue::bounded(1).named("back"));
        let stage = |from: Arc<Queue<u32>>, to: Arc<Queue<u32>>| async move {
            while let Ok(item) = from.get().await {
                for part in 0..3 {
                    to.put(item + part).await.expect("it is open");
                }
            }
        };
        let a = spawn("a", stage(Arc::clone(&forth), Arc::clone(&back)));
        drop(spawn("b", stage(back, Arc::clone(&forth))));
        forth.put(1).await.expect("it is open");
        a.await.expect("no panic");
    });
    assert_says(
        line(&report, "a"),
        &["waits for room in Queue \"back\", which holds 1"],
    );
    assert_says(
        line(&report, "b"),
        &["waits for room in Queue \"forth\", which holds 1"],
    );
    assert_says(&report, &["hint: Whoever takes from a full Queue"]);
}

/// Goal: a task that awaits its own handle.
#[test]
fn hang_06_a_task_that_joins_itself() {
    let report = report(|| async {
        let (give, handle) = oneshot::<JoinHandle<()>>();
        let task = spawn("ouroboros", async move {
            let me = handle.await.expect("it is sent");
            let _never = me.await;
        });
        assert!(give.send(task).is_ok());
        pending::<()>().await;
    });
    assert_says(
        line(&report, "ouroboros"),
        &["waits for task", "\"ouroboros\", which is itself"],
    );
    assert_says(&report, &["hint: A task that awaits its own handle"]);
}

/// Goal: a channel does not end while a sender is there, which is in the receiving task.
#[test]
fn hang_07_a_sender_that_is_alive_and_never_sends() {
    let report = report(|| async {
        let (sender, receiver) = channel::named("lines").bounded(8);
        let writer = {
            let sender = sender.clone();
            async move { sender.send(1).await.expect("somebody receives") }
        };
        spawn("writer", writer).await.expect("no panic");
        while receiver.recv().await.is_ok() {}
        drop(sender);
    });
    assert_says(
        line(&report, "main"),
        &["waits for a value of channel \"lines\""],
    );
    assert_says(&report, &["its last Sender is dropped"]);
}

/// Goal: a barrier for more than will come.
#[test]
fn hang_08_a_barrier_with_too_few_parties() {
    let report = report(|| async {
        let start = Arc::new(Barrier::new(3).named("start"));
        let racer = |start: Arc<Barrier>| async move { start.wait().await.is_ok() };
        let one = spawn("one", racer(Arc::clone(&start)));
        let two = spawn("two", racer(start));
        assert!(one.await.expect("no panic") && two.await.expect("no panic"));
    });
    for name in ["one", "two"] {
        assert_says(
            line(&report, name),
            &["waits for Barrier \"start\", where 3 have to meet and 2 wait"],
        );
    }
    assert_says(&report, &["hint: Fewer come to a Barrier"]);
}

/// Goal: a permit that never comes back.
#[test]
fn hang_09_a_permit_that_was_leaked() {
    let report = report(|| async {
        let slots = Arc::new(Semaphore::new(2).named("slots"));
        forget(slots.acquire().await.expect("it is open"));
        let all = slots.acquire_many(2).await;
        assert!(all.is_ok());
    });
    assert_says(
        line(&report, "main"),
        &["waits for 2 permits of Semaphore \"slots\""],
    );
    assert_says(&report, &["one was forgotten"]);
}

/// Goal: data that changes without a notification.
#[test]
fn hang_10_a_condition_that_nobody_notifies() {
    let report = report(|| async {
        let shared = Arc::new((Lock::new(false), Condition::new().named("changed")));
        let setter = {
            let shared = Arc::clone(&shared);
            async move { *shared.0.lock().await = true }
        };
        let waiter = spawn("waiter", async move {
            let (lock, changed) = &*shared;
            let guard = lock.lock().await;
            let _guard = changed.wait(guard).await;
        });
        yield_now().await;
        spawn("setter", setter).await.expect("no panic");
        waiter.await.expect("no panic");
    });
    assert_says(
        line(&report, "waiter"),
        &["waits for Condition \"changed\" to be notified"],
    );
    assert_says(&report, &["has to notify after that"]);
}

/// Goal: a wait that was given up is not what a task waits for, whatever it said of it.
#[test]
fn a_wait_that_was_given_up_is_forgotten() {
    let report = report(|| async {
        let lock = Arc::new(Lock::new(()).named("given up"));
        let guard = lock.lock().await;
        let second = timeout(Duration::from_secs(1), lock.lock()).await;
        assert!(second.is_err());
        drop(guard);
        Event::new().named("instead").wait().await;
    });
    assert_says(
        line(&report, "main"),
        &["waits for Event \"instead\" to be set"],
    );
    assert!(!report.contains("given up"), "{report}");
}

/// Goal: a lock whose holder has ended without giving it back: who it was.
#[test]
fn a_lock_is_held_by_a_task_that_has_ended() {
    let report = report(|| async {
        let lock = Arc::new(Lock::new(()).named("left"));
        let holder = spawn("holder", {
            let lock = Arc::clone(&lock);
            async move { forget(lock.lock().await) }
        });
        let id = holder.id();
        holder.await.expect("no panic");
        println!("the holder was {id}");
        drop(lock.lock().await);
    });
    assert_says(
        line(&report, "main"),
        &[
            "waits for Lock \"left\", held by task ",
            ", which has ended",
        ],
    );
}

/// Goal: three philosophers, one circle, found from whichever of them; and who waits for them is not in it.
#[test]
fn a_circle_of_three_is_one_circle() {
    let report = report(|| async {
        let forks: Vec<_> = ["red", "green", "blue"]
            .map(|name| Arc::new(RwLock::new(()).named(name)))
            .into();
        let meet = Arc::new(Barrier::new(3));
        let names = ["kant", "hume", "mill"];
        let dine = (0..3).map(|seat| {
            let (left, right) = (Arc::clone(&forks[seat]), Arc::clone(&forks[(seat + 1) % 3]));
            let meet = Arc::clone(&meet);
            spawn(names[seat], async move {
                let _left = left.write().await;
                meet.wait().await.expect("all come");
                let _right = right.write().await;
            })
        });
        for task in dine.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
    });
    let circles: Vec<_> = report.lines().filter(|l| l.contains("circle")).collect();
    assert_eq!(circles.len(), 1, "{report}");
    for name in ["kant", "hume", "mill", "red", "green", "blue"] {
        assert_says(circles[0], &[&format!("\"{name}\"")]);
    }
    assert!(!circles[0].contains("main"), "{report}");
}

/// Goal: a hundred thousand tasks are reported in time, and the report stays readable.
#[test]
fn many_tasks_are_counted() {
    let report = report(|| async {
        let start = Arc::new(Barrier::new(usize::MAX >> 8));
        let mut next = spawn("first", pending::<()>());
        for _ in 0..50_000 {
            let start = Arc::clone(&start);
            drop(spawn("racer", async move { start.wait().await.is_ok() }));
            next = spawn("link", async move { next.await.expect("no panic") });
        }
        next.await.expect("no panic");
    });
    assert_says(
        &report,
        &[
            "100002 tasks have not ended",
            "99802 more",
            "and 50000 wait",
        ],
    );
    assert!(report.lines().count() < 220);
}
