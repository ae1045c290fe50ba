//! What a deterministic run says when nothing can ever run again.
//!
//! The [tree](crate::tree) of its tasks knows who waits for what, for whom, and in which circles; here it is
//! told line by line, with what to look for.
//!
//! Invariant: L1: the report runs no code of the program, so that it says what is, and not what it does.
//!
//! Tests: `tests/tests/hangs.rs`, `tests/tests/deterministic.rs`.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeSet;

use tenter_sync::book::Book;
use tenter_sync::current::WaitKind;
use tenter_sync::notes::Wants;

use super::choices::Order;
use super::current_thread::Core;
use crate::builder::Config;
use crate::task::task_ref::TaskRef;
use crate::tree::snapshot;
use crate::tree::words::shown;
use crate::tree::{TaskNode, TaskWait};

/// How many tasks are listed; the rest are counted. Those in a circle are shown whatever their number.
const LISTED_MAX: usize = 200;

/// What a task waits for that says nothing.
const UNKNOWN: &str = WaitKind::Unknown.describe();

/// Every task: name, spawn site, and what it waits for; then those that wait in a circle, and what to look
/// for.
pub fn report(config: &Config, core: &Core, book: Option<&Book>, grace: Duration) -> String {
    let mut tasks = Vec::new();
    core.owned.for_each(|task| tasks.push(TaskRef::new(task)));
    let tree = snapshot::tree(tasks, Vec::new(), book, true);
    let tasks = tree.tasks();
    let mut report = format!(
        "tenter: deadlock. No task is ready, no timer is armed, no socket is awaited, and no \
         other thread woke a task for {grace:?}.\n{}:\n",
        match tasks.len() {
            1 => "1 task has not ended".to_owned(),
            count => format!("{count} tasks have not ended"),
        }
    );
    if let Some(choices) = &config.choices {
        let order = match choices.order() {
            Order::Fifo => "first in, first out",
            Order::Random => "random order",
        };
        let (seed, made) = (choices.seed(), choices.made());
        let _ = writeln!(report, "(seed {seed}, {order}, after {made} choices)");
    }
    for task in tasks.iter().take(LISTED_MAX) {
        let wait = task.wait().map_or(UNKNOWN, TaskWait::what);
        let (shown, place) = (shown(task), task.spawned_at());
        let _ = writeln!(report, "  {shown} spawned at {place} waits for {wait}");
    }
    if let Some(more @ 1..) = tasks.len().checked_sub(LISTED_MAX) {
        let _ = writeln!(report, "  and {more} more");
    }
    // A circle of one says so in its line.
    for cycle in tree.cycles().iter().filter(|cycle| cycle.len() > 1) {
        let circle = tree.in_words(cycle);
        let _ = writeln!(report, "They wait in a circle: {circle}.");
    }
    let advices: BTreeSet<&str> = tasks.iter().filter_map(advice).collect();
    for advice in advices {
        let _ = writeln!(report, "hint: {advice}");
    }
    report.push_str(
        "If another thread is to wake one of them later, use a runtime with a real clock \
         (flavor = \"current_thread\").",
    );
    report
}

/// What to look for.
fn advice(task: &TaskNode) -> Option<&'static str> {
    let wait = task.wait()?;
    let on_itself = wait.whom().contains(&task.id());
    if let Some(note) = wait.note() {
        match note.wants {
            Wants::AllDone => {
                return Some(
                    "Each item that is taken from a Queue needs one task_done, also where the work fails; \
                     what next_job returns says it by being dropped.",
                );
            }
            Wants::Room(_) => {
                return Some(
                    "Whoever takes from a full Queue is gone, or waits to put something itself.",
                );
            }
            Wants::Value => {
                return Some(
                    "A channel ends when its last Sender is dropped; a clone is still there, perhaps in \
                     the task that receives.",
                );
            }
            Wants::Words(_) => return None,
            _ => {}
        }
    }
    match wait.kind() {
        WaitKind::Task if on_itself => {
            Some("A task that awaits its own handle waits for ever: give the handle to another.")
        }
        WaitKind::Lock | WaitKind::RwLock if on_itself => Some(
            "A lock is not re-entrant: drop the guard before the task locks again, or hand on what it \
             guards.",
        ),
        WaitKind::Lock | WaitKind::RwLock => Some(
            "Locks are to be taken in the same order everywhere, and no guard is to be kept across an \
             await that depends on others.",
        ),
        WaitKind::Event | WaitKind::Notify => {
            Some("Whoever should set the Event, or notify, has ended, or waits too.")
        }
        WaitKind::Condition => Some(
            "Whoever changes the data of a Condition has to notify after that; wait_for looks at the data \
             before it waits.",
        ),
        WaitKind::Barrier => Some(
            "Fewer come to a Barrier than it was made for: one has ended on the way, or was never spawned.",
        ),
        WaitKind::Semaphore => Some(
            "A permit of a Semaphore comes back when it is dropped: one was forgotten, or is kept by who \
             waits.",
        ),
        WaitKind::Queue => Some(
            "Whoever puts into an empty Queue is gone, or waits too; shutdown tells those who wait.",
        ),
        WaitKind::Oneshot => Some("The Sender of a oneshot is kept, and has not sent."),
        _ => None,
    }
}
