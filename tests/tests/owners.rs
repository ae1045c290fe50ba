//! Tasks that are not `Send` belong to the thread that spawned them: it alone polls and drops them.
//!
//! Each test runs on both single-threaded flavours.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;

use parking_lot::Mutex;
use tenter::sync::oneshot;
use tenter::task::{self, yield_now};
use tenter::{CancelKind, CancelReason, Canceller, Runtime, spawn_local};
use tenter_tests::support::{
    Count, Slot, assert_says, both, build, foreign_block_on, panic_of, thread,
};

fn here() -> ThreadId {
    std::thread::current().id()
}

/// A future that is not `Send`, and fails where it is used on another thread than the one that
/// made it.
struct Homebound {
    home: ThreadId,
    polls: Count,
    drops: Count,
    waker: Slot<Waker>,
    end: Arc<AtomicBool>,
    _not_send: Rc<()>,
}

/// What a [`Homebound`] tells the rest of the world.
#[derive(Clone, Default)]
struct News {
    polls: Count,
    drops: Count,
    waker: Slot<Waker>,
    end: Arc<AtomicBool>,
}

impl News {
    fn homebound(&self) -> Homebound {
        Homebound {
            home: here(),
            polls: self.polls.clone(),
            drops: self.drops.clone(),
            waker: self.waker.clone(),
            end: Arc::clone(&self.end),
            _not_send: Rc::new(()),
        }
    }
}

impl Future for Homebound {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert_eq!(self.home, here(), "polled away from home");
        self.polls.add();
        self.waker.put(cx.waker().clone());
        if self.end.load(Ordering::Acquire) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Homebound {
    fn drop(&mut self) {
        self.drops.add();
        if self.home != here() {
            // Not a panic, which the runtime would catch.
            eprintln!("dropped away from home");
            std::process::abort();
        }
    }
}

/// Goal: a local task that is woken while another thread drives waits for its own thread.
/// Method: two threads drive one runtime in turns.
#[test]
fn a_local_task_waits_for_its_own_thread() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let news = News::default();
        let task = runtime.block_on(async {
            let task = spawn_local(news.homebound());
            yield_now().await;
            task
        });
        assert_eq!(news.polls.get(), 1);
        for round in 1..4 {
            let waker = news.waker.take();
            thread({
                let (runtime, polls) = (Arc::clone(&runtime), news.polls.clone());
                move || {
                    runtime.block_on(async {
                        waker.wake();
                        for _ in 0..200 {
                            yield_now().await;
                        }
                    });
                    assert_eq!(polls.get(), round);
                }
            })
            .join();
            runtime.block_on(yield_now());
            assert_eq!(news.polls.get(), round + 1);
        }
        news.end.store(true, Ordering::Release);
        news.waker.take().wake();
        runtime.block_on(task).expect("no panic");
        assert_eq!(news.drops.get(), 1);
    });
}

/// Goal: a local task that was never polled is not polled by another thread either.
#[test]
fn a_fresh_local_task_waits_for_its_own_thread() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let news = News::default();
        let task = runtime.block_on(async { spawn_local(news.homebound()) });
        thread({
            let runtime = Arc::clone(&runtime);
            move || runtime.block_on(yield_now())
        })
        .join();
        assert_eq!(news.polls.get(), 0);
        runtime.block_on(async {
            yield_now().await;
            assert_eq!(news.polls.get(), 1);
            task.cancel_and_wait().await.expect_err("it never ends");
        });
        assert_eq!(news.drops.get(), 1);
    });
}

/// Goal: cancelling from another thread does not drop the future there, whoever drives.
#[test]
fn a_cancelled_local_task_is_dropped_at_home() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let news = News::default();
        let task = runtime.block_on(async {
            let task = spawn_local(news.homebound());
            yield_now().await;
            task
        });
        thread({
            let (runtime, canceller) = (Arc::clone(&runtime), task.canceller());
            move || {
                assert!(canceller.cancel());
                runtime.block_on(yield_now());
                assert!(!canceller.is_finished());
            }
        })
        .join();
        assert_eq!(news.drops.get(), 0);
        let error = runtime.block_on(task).expect_err("it was cancelled");
        assert!(error.is_cancelled());
        assert_eq!(news.drops.get(), 1);
    });
}

/// Goal: the last waker of a local task that has ended may be dropped anywhere.
#[test]
fn the_memory_of_a_local_task_may_be_freed_elsewhere() {
    both(|builder| {
        let runtime = build(builder);
        let news = News::default();
        news.end.store(true, Ordering::Release);
        runtime.block_on(async { spawn_local(news.homebound()).await.expect("no panic") });
        assert_eq!(news.drops.get(), 1);
        let waker = news.waker.take();
        drop(runtime);
        thread(move || drop(waker)).join();
    });
}

/// Keeps tasks reachable that are leaked on purpose, so that a leak checker does not report them.
static LEAKED_ON_PURPOSE: Mutex<Vec<Canceller>> = Mutex::new(Vec::new());

/// Goal: a runtime that ends on another thread does not drop local tasks there: it leaks them, counts
/// them, names them, and tells whoever joins them.
#[test]
fn a_local_task_whose_runtime_ends_elsewhere_is_leaked_and_counted() {
    both(|builder| {
        let runtime = build(builder);
        let (news, dropped) = (News::default(), Count::new());
        let (local, sent) = runtime.block_on(async {
            let local = task::Builder::new()
                .name("homebound")
                .spawn_local(news.homebound());
            let guard = dropped.on_drop();
            let sent = tenter::spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            (local, sent)
        });
        LEAKED_ON_PURPOSE.lock().push(local.canceller());
        let handle = runtime.handle().clone();
        let report = thread(move || runtime.shutdown_timeout(std::time::Duration::MAX)).join();
        assert_eq!((report.cancelled, report.leaked), (1, 1));
        assert!(!report.is_clean());
        assert_eq!(report.leaked_tasks[0].name.as_deref(), Some("homebound"));
        assert_says(
            &report.to_string(),
            &[
                "1 task cancelled, 1 leaked",
                "leaked: task",
                "\"homebound\"",
                "owners.rs",
            ],
        );
        assert_eq!(handle.metrics().leaked_tasks, 1);
        assert_eq!((news.drops.get(), dropped.get()), (0, 1));

        news.waker.take().wake();
        for (task, name) in [(sent, None), (local, Some("homebound"))] {
            let error = foreign_block_on(task).expect_err("the runtime has ended");
            assert_eq!(
                error.reason().map(CancelReason::kind),
                Some(CancelKind::Shutdown)
            );
            assert_eq!(error.name(), name);
        }
        assert_eq!(news.drops.get(), 0);
    });
}

/// Goal: a local task whose handle is gone is leaked likewise.
#[test]
fn a_detached_local_task_whose_runtime_ends_elsewhere_is_leaked() {
    both(|builder| {
        let runtime = build(builder);
        let news = News::default();
        runtime.block_on(async {
            let local = spawn_local(news.homebound());
            yield_now().await;
            LEAKED_ON_PURPOSE.lock().push(local.canceller());
        });
        let report = thread(move || runtime.shutdown_timeout(std::time::Duration::MAX)).join();
        assert_eq!((report.cancelled, report.leaked), (0, 1));
        assert_eq!(news.drops.get(), 0);
    });
}

/// Goal: a thread that merely waits for the core, or has merely entered, cannot spawn local tasks, and
/// is told what to do.
#[test]
fn local_tasks_are_spawned_only_where_they_can_run() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let message = panic_of(|| spawn_local(async {}));
        assert_says(
            &message,
            &[
                "spawn_local",
                "owners.rs",
                "does not drive",
                "Runtime::block_on",
                "tenter::spawn",
            ],
        );
        let entered = runtime.enter();
        assert_says(&panic_of(|| spawn_local(async {})), &["does not drive"]);
        drop(entered);
        assert_says(
            &panic_of(|| {
                runtime
                    .handle()
                    .block_on(async { drop(spawn_local(async {})) });
            }),
            &["does not drive"],
        );

        let (waits, waited) = oneshot();
        let other = Arc::clone(&runtime);
        runtime.block_on(async {
            let second = thread(move || {
                panic_of(|| {
                    other.block_on(async {
                        drop(spawn_local(async {}));
                        waits.send(()).expect("not reached");
                    });
                })
            });
            let message = second.join();
            assert_says(&message, &["does not drive"]);
            assert!(waited.await.is_err());
        });
    });
}

/// Goal: a local task runs when its thread is in `block_on`, even if another thread drives and waits
/// for that very task.
/// Method: the other thread gets the core first; both then wait.
#[test]
fn a_local_task_runs_while_its_thread_waits_for_the_core() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let (go, gone) = oneshot::<()>();
        let (give, taken) = oneshot::<u32>();
        runtime.block_on(async {
            let not_send = Rc::new(7);
            drop(spawn_local(async move {
                gone.await.expect("it is sent");
                give.send(*not_send).expect("the other thread waits");
            }));
            yield_now().await;
        });
        let (driving, drives) = (Slot::new(), Slot::new());
        let other = thread({
            let (runtime, driving, drives) =
                (Arc::clone(&runtime), driving.clone(), drives.clone());
            move || {
                runtime.block_on(async {
                    driving.put(());
                    // Held until the owner is in `block_on`.
                    drives.take();
                    go.send(()).expect("the local task waits");
                    taken.await
                })
            }
        });
        driving.take();
        let mut put = false;
        let (stop, mut stopped) = oneshot::<()>();
        let watcher = thread(move || {
            assert_eq!(other.join(), Ok(7));
            stop.send(()).expect("the owner waits");
        });
        runtime
            .block_on(poll_fn(|cx| {
                if !core::mem::replace(&mut put, true) {
                    drives.put(());
                }
                Pin::new(&mut stopped).poll(cx)
            }))
            .expect("it is sent");
        watcher.join();
    });
}

/// Goal: a runtime may be moved and dropped on its owner's thread after other threads used it.
#[test]
fn the_owner_ends_its_runtime_and_its_local_tasks() {
    both(|builder| {
        let runtime: Runtime = build(builder);
        let news = News::default();
        runtime.block_on(async {
            drop(spawn_local(news.homebound()));
            yield_now().await;
        });
        let waker = news.waker.take();
        thread(move || waker.wake()).join();
        let report = runtime.shutdown_timeout(std::time::Duration::ZERO);
        assert_eq!((report.cancelled, report.leaked), (1, 0));
        assert_eq!((news.polls.get(), news.drops.get()), (1, 1));
    });
}
