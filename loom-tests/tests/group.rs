//! Who is in a group (`runtime/src/group/core.rs`): children that end, fail, are spawned and are cancelled
//! at once, while the group waits for them or goes away.
#![cfg(tenter_loom)]

use std::future::{pending, poll_fn};
use std::panic::Location;
use std::task::Poll;

use tenter::model::{
    Group, GroupSeat, Node, Ran, Runnable, Schedule, Unobserved, YieldFlag, outcome, shut_down,
    spawn_on,
};
use tenter::{CancelReason, Ended, Failure, JoinHandle};
use tenter_loom_tests::{block_on, check};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Arc, thread};

type Tasks = std::sync::Arc<Group<()>>;

fn group() -> Tasks {
    Group::new(Node::new(), None, Location::caller())
}

/// Until the group is closed.
fn close(group: &Tasks) {
    block_on(poll_fn(|cx| group.poll_closed(cx)));
}

/// A scheduler whose tasks nobody runs, and that counts what it is told of.
struct Reports(Arc<AtomicUsize>);

impl Schedule for Reports {
    fn schedule(&self, _task: Runnable) {
        unreachable!("a task that was never run is in its queue already")
    }

    fn unobserved(&self, _failure: &Unobserved<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task in a queue, its handle, and how many failures were reported of it.
struct Child {
    task: Runnable,
    handle: JoinHandle<()>,
    reports: Arc<AtomicUsize>,
}

fn child() -> Child {
    let reports = Arc::new(AtomicUsize::new(0));
    let (task, handle) = spawn_on(pending(), Reports(Arc::clone(&reports)));
    Child {
        task,
        handle,
        reports,
    }
}

impl Child {
    /// A seat for it, if it is admitted.
    fn seat(&self, group: &Tasks) -> Option<GroupSeat<()>> {
        Some(group.admit(self.task.pointer())?.0)
    }

    /// Whether it was cancelled: then its run ends it. Ends it in any case.
    fn was_cancelled(self) -> bool {
        let pointer = self.task.pointer();
        // SAFETY: these tasks have no owner.
        let ran = unsafe { self.task.run(&YieldFlag::new(false), |_| None, |_| ()) };
        let cancelled = matches!(ran, Ran::Finished);
        if !cancelled {
            // SAFETY: it sleeps, so the scheduler's reference is still there; it has no owner.
            unsafe { shut_down(pointer, |_| ()) };
        }
        drop(self.handle);
        cancelled
    }
}

fn fails(group: &Tasks, child: &Child) -> bool {
    let failure = Failure::Error {
        error: (),
        task: Some(child.handle.id()),
        name: None,
        spawned_at: None,
    };
    group.fail(failure, child.handle.canceller()).is_ok()
}

/// Goal: the last child that ends is not missed.
#[test]
fn the_last_child() {
    check("group::the_last_child", || {
        let (group, child) = (group(), child());
        let seat = child.seat(&group).expect("it is open");
        let ended = thread::spawn(move || drop(seat));
        close(&group);
        ended.join().unwrap();
        assert!(child.seat(&group).is_none());
        child.was_cancelled();
    });
}

/// Goal: a child that is alive brings in a sibling, and the group waits for that too.
#[test]
fn a_child_spawns_a_sibling_as_it_ends() {
    check("group::a_child_spawns_a_sibling_as_it_ends", || {
        let (group, first) = (group(), child());
        let done = Arc::new(AtomicUsize::new(0));
        let own = first.seat(&group).expect("it is open");
        let both = thread::spawn({
            let (group, done) = (group.clone(), Arc::clone(&done));
            move || {
                let second = child();
                let sibling = second.seat(&group).expect("a child is alive");
                drop(own);
                // Published by nothing but the seat.
                done.store(1, Ordering::Relaxed);
                drop(sibling);
                second.was_cancelled();
            }
        });
        close(&group);
        assert_eq!((done.load(Ordering::Relaxed), group.live()), (1, 0));
        both.join().unwrap();
        first.was_cancelled();
    });
}

/// Goal: whoever comes from outside as the last child ends is admitted and waited for, or refused.
#[test]
fn a_stranger_spawns_as_the_last_child_ends() {
    check("group::a_stranger_spawns_as_the_last_child_ends", || {
        let (group, last) = (group(), child());
        let alive = Arc::new(AtomicUsize::new(0));
        let own = last.seat(&group).expect("it is open");
        let stranger = thread::spawn({
            let (group, alive) = (group.clone(), Arc::clone(&alive));
            move || {
                let late = child();
                if let Some(seat) = late.seat(&group) {
                    alive.store(1, Ordering::Relaxed);
                    alive.store(0, Ordering::Relaxed);
                    drop(seat);
                }
                late.was_cancelled();
            }
        });
        drop(own);
        close(&group);
        assert_eq!((alive.load(Ordering::Relaxed), group.live()), (0, 0));
        stranger.join().unwrap();
        assert_eq!(group.live(), 0);
        last.was_cancelled();
    });
}

/// Goal: a child that is spawned while the group ends is cancelled or refused.
#[test]
fn a_failure_against_an_admission() {
    check("group::a_failure_against_an_admission", || {
        let group = group();
        let (failing, spawned) = (child(), child());
        let own = failing.seat(&group).expect("it is open");
        let spawner = thread::spawn({
            let group = group.clone();
            move || {
                let seat = spawned.seat(&group);
                (spawned, seat)
            }
        });
        assert!(fails(&group, &failing));
        let (spawned, seat) = spawner.join().unwrap();
        let is_member = seat.is_some();
        drop(seat);
        assert_eq!(spawned.was_cancelled(), is_member);
        drop(own);
        close(&group);
        assert_eq!(group.take_failures().len(), 1);
        failing.was_cancelled();
    });
}

/// The seat of a task that has it in its future, to be given up with that.
#[derive(Default)]
struct Own(std::sync::Arc<std::sync::Mutex<Option<GroupSeat<()>>>>);

impl Own {
    fn leave(&self) {
        drop(self.0.lock().unwrap().take());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Goal: who cancels the members does not touch the task of a child that has ended.
#[test]
fn a_cancellation_against_the_end_of_a_child() {
    check("group::a_cancellation_against_the_end_of_a_child", || {
        let group = group();
        let own = Own::default();
        let leaves = poll_fn({
            let own = Own(own.0.clone());
            move |_| {
                own.leave();
                Poll::Ready(())
            }
        });
        let (task, handle) = spawn_on(leaves, Reports(Arc::new(AtomicUsize::new(0))));
        let (seat, _) = group.admit(task.pointer()).expect("it is open");
        *own.0.lock().unwrap() = Some(seat);
        drop(handle);
        let ended = thread::spawn(move || {
            // SAFETY: it has no owner.
            let ran = unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) };
            assert!(matches!(ran, Ran::Finished));
        });
        group.cancel_members(&CancelReason::from("it is over"));
        ended.join().unwrap();
        close(&group);
        drop(own);
    });
}

/// Goal: a failure is in the group when it closes, or it comes back; and is reported once if the group
/// goes away.
#[test]
fn a_failure_against_the_end_of_the_groups_future() {
    check(
        "group::a_failure_against_the_end_of_the_groups_future",
        || {
            let group = group();
            let failing = child();
            let seat = failing.seat(&group).expect("it is open");
            let told = thread::spawn({
                let group = group.clone();
                move || {
                    let kept = fails(&group, &failing);
                    drop(seat);
                    (failing, kept)
                }
            });
            group.abandon(&CancelReason::from("it was dropped"));
            let (failing, kept) = told.join().unwrap();
            assert_eq!(failing.reports.load(Ordering::Relaxed), usize::from(kept));
            assert_eq!((group.live(), group.take_failures().len()), (0, 0));
            failing.was_cancelled();
        },
    );
}

/// Goal: whoever waits for the end of a child is told of each once, and that none is left.
#[test]
fn ends_are_told_once() {
    check("group::ends_are_told_once", || {
        let group = group();
        let named = child();
        let seat = named.seat(&group).expect("it is open");
        let told = outcome(named.handle.id(), Ended::Succeeded);
        let ended = thread::spawn(move || seat.give_up(told));
        let first = block_on(group.join_next()).expect("one child");
        assert_eq!(
            (first.id, first.ended),
            (named.handle.id(), Ended::Succeeded)
        );
        assert!(block_on(group.join_next()).is_none());
        ended.join().unwrap();
        named.was_cancelled();
    });
}
