//! The inbox and the parking of the driving thread (`runtime/src/scheduler/{inbox,parking}.rs`).
#![cfg(tenter_loom)]

use tenter::model::{Inbox, Parking, Ran, Runnable, Schedule, Unobserved, YieldFlag, spawn_on};
use tenter_loom_tests::check;
use tenter_sync::shim::{Arc, thread};

/// These tasks are never woken.
struct Nowhere;

impl Schedule for Nowhere {
    fn schedule(&self, _task: Runnable) {
        unreachable!("nobody wakes these tasks");
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

fn task() -> Runnable {
    let (task, handle) = spawn_on(async {}, Nowhere);
    drop(handle);
    task
}

fn run(task: Runnable) {
    // SAFETY: these tasks have no owner.
    let ran = unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) };
    assert!(matches!(ran, Ran::Finished));
}

/// The sleep of `Scheduler::sleep`, on the futex.
fn sleep(inbox: &Inbox, parking: &Parking) {
    if !parking.announce(false) {
        return;
    }
    if inbox.is_empty() {
        parking.sleep(None);
    } else {
        parking.awake(false);
    }
}

/// Goal: whatever two threads push while the thread goes to sleep gets run: none is slept over.
#[test]
fn a_pushed_task_is_seen() {
    check("inbox::a_pushed_task_is_seen", || {
        let shared = Arc::new((Inbox::new(), StdParking(Parking::new())));
        let pushers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.0.push(task()).expect("open");
                    shared.1.0.wake_if_parked();
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 2 {
            let before = seen;
            for task in shared.0.take() {
                run(task);
                seen += 1;
            }
            if seen == before {
                sleep(&shared.0, &shared.1.0);
            }
        }
        for pusher in pushers {
            pusher.join().unwrap();
        }
    });
}

/// Goal: the oldest comes first, whatever the interleaving of two pushes by one thread with a take.
#[test]
fn order_is_kept() {
    check("inbox::order_is_kept", || {
        let inbox = Arc::new(Inbox::new());
        let pusher = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                let (first, second) = (task(), task());
                let order = (
                    first.pointer().as_ptr() as usize,
                    second.pointer().as_ptr() as usize,
                );
                inbox.push(first).expect("open");
                inbox.push(second).expect("open");
                order
            })
        };
        let mut taken: Vec<usize> = Vec::new();
        let mut take = |inbox: &Inbox| {
            for task in inbox.take() {
                taken.push(task.pointer().as_ptr() as usize);
                run(task);
            }
        };
        take(&inbox);
        let order = pusher.join().unwrap();
        take(&inbox);
        assert_eq!(taken, [order.0, order.1]);
    });
}

/// Goal: a push that races with the close is either taken or refused, never both, never lost.
#[test]
fn close_vs_push() {
    check("inbox::close_vs_push", || {
        let inbox = Arc::new(Inbox::new());
        let pusher = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || match inbox.push(task()) {
                Ok(()) => 1,
                Err(refused) => {
                    run(refused);
                    0
                }
            })
        };
        let mut taken = 0;
        for task in inbox.take().chain(inbox.close()) {
            run(task);
            taken += 1;
        }
        assert_eq!(taken, pusher.join().unwrap());
        assert!(inbox.push(task()).map_err(run).is_err(), "closed is final");
    });
}

/// The parking, which production code keeps in a standard `Arc`.
struct StdParking(std::sync::Arc<Parking>);
