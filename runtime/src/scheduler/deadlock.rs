//! What a deterministic run says when nothing can ever run again.
//!
//! ```text
//!  each task ──► its wait (kind, address) ──┬─► the task that it joins        ─┐
//!                                           ├─► the task that holds the lock  ─┼─► edges ──► cycles
//!                                           └─► the words of the wait, if any  ┘
//! ```
//!
//! A wait of a new kind, such as that for the members of a group, needs no change here: it says what it is
//! with [`notes::waiting_for`], and if it is for one task, [`for_whom`] learns how to find that.
//!
//! Invariant: L1: the report runs no code of the program, so that it says what is, and not what it does.
//!
//! Tests: `tests/tests/hangs.rs`, `tests/tests/deterministic.rs`.

use core::fmt::Write as _;
use core::num::NonZeroU64;
use core::panic::Location;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use tenter_sync::current::{WaitKind, WaitingOn};
use tenter_sync::notes::{self, Note, Wants};

use super::choices::Order;
use super::current_thread::Core;
use crate::builder::Config;
use crate::task::cell::Header;

/// A task that has not ended.
struct Stuck {
    /// `task 7 "name"`, or `task 7`.
    shown: String,
    spawned_at: &'static Location<'static>,
    wait: Option<WaitingOn>,
    note: Option<Note>,
    /// How many wait for the same thing, this one among them.
    together: usize,
    /// Who has to do something before it goes on.
    for_whom: Option<NonZeroU64>,
}

/// All of them, by number.
type Tasks = BTreeMap<NonZeroU64, Stuck>;

/// How many tasks are listed; the rest are counted. Those in a circle are shown whatever their number.
const LISTED_MAX: usize = 200;

/// Every task: name, spawn site, and what it waits for; then those that wait in a circle, and what to look
/// for.
pub fn report(config: &Config, core: &Core, grace: Duration) -> String {
    let tasks = stuck_tasks(core);
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
    for (id, task) in tasks.iter().take(LISTED_MAX) {
        let wait = describe_wait(&tasks, *id, task);
        let (shown, place) = (&task.shown, &task.spawned_at);
        let _ = writeln!(report, "  {shown} spawned at {place} waits for {wait}");
    }
    if let Some(more @ 1..) = tasks.len().checked_sub(LISTED_MAX) {
        let _ = writeln!(report, "  and {more} more");
    }
    // A circle of one says so in its line.
    for cycle in cycles(&tasks).iter().filter(|cycle| cycle.len() > 1) {
        let _ = writeln!(
            report,
            "They wait in a circle: {}.",
            in_words(&tasks, cycle)
        );
    }
    for advice in advices(&tasks) {
        let _ = writeln!(report, "hint: {advice}");
    }
    report.push_str(
        "If another thread is to wake one of them later, use a runtime with a real clock \
         (flavor = \"current_thread\").",
    );
    report
}

fn stuck_tasks(core: &Core) -> Tasks {
    let mut by_address = HashMap::new();
    let mut together: HashMap<WaitingOn, usize> = HashMap::new();
    core.owned.for_each(|task| {
        by_address.insert(core::ptr::from_ref(task.header()).addr(), task.slot.id());
        if let Some(wait) = task.slot.waiting_on() {
            *together.entry(wait).or_default() += 1;
        }
    });
    let mut tasks = Tasks::new();
    core.owned.for_each(|task| {
        let id = task.slot.id();
        let wait = task.slot.waiting_on();
        let stuck = Stuck {
            shown: task.describe(),
            spawned_at: task.spawned_at,
            wait,
            note: wait.and_then(|wait| notes::note_of(id, wait)),
            together: wait.map_or(0, |wait| together[&wait]),
            for_whom: for_whom(&by_address, &task),
        };
        tasks.insert(id, stuck);
    });
    tasks
}

/// The task that has to do something before this one goes on, if that is one task.
fn for_whom(by_address: &HashMap<usize, NonZeroU64>, task: &Header) -> Option<NonZeroU64> {
    let wait = task.slot.waiting_on()?;
    match wait.kind {
        WaitKind::Task => by_address.get(&wait.address).copied(),
        _ => task.slot.waiting_for(),
    }
}

/// What the task waits for, and who has it.
fn describe_wait(tasks: &Tasks, id: NonZeroU64, task: &Stuck) -> String {
    let Some(wait) = task.wait else {
        return "something that tenter does not know".to_owned();
    };
    let other = task.for_whom.map(|other| name_of(tasks, other));
    if wait.kind == WaitKind::Task {
        return match other {
            Some(_) if task.for_whom == Some(id) => format!("{}, which is itself", task.shown),
            Some(other) => other,
            None => in_short(task, wait),
        };
    }
    let mut words = in_short(task, wait);
    if let Some(Note {
        wants: Wants::Parties(_),
        ..
    }) = task.note
    {
        let _ = write!(words, " and {} wait", task.together);
    }
    match other {
        Some(_) if task.for_whom == Some(id) => words.push_str(", held by itself"),
        Some(other) => {
            let _ = write!(words, ", held by {other}");
        }
        None => {}
    }
    words
}

/// The thing that a task waits for, by its name or address.
fn in_short(task: &Stuck, wait: WaitingOn) -> String {
    match &task.note {
        Some(note) => note.to_string(),
        None => format!("{} at {:#x}", wait.kind.describe(), wait.address),
    }
}

fn name_of(tasks: &Tasks, id: NonZeroU64) -> String {
    match tasks.get(&id) {
        Some(task) => task.shown.clone(),
        None => format!("task {id}, which has ended or is not of this runtime"),
    }
}

/// Those that wait for each other in a circle. Each task waits for at most one other, so each circle is
/// found by walking on from any task until one comes twice.
fn cycles(tasks: &Tasks) -> Vec<Vec<NonZeroU64>> {
    let mut seen = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in tasks.keys() {
        let mut walk = Vec::new();
        let mut at = Some(*start);
        while let Some(id) = at.filter(|id| seen.insert(*id)) {
            walk.push(id);
            at = tasks.get(&id).and_then(|task| task.for_whom);
        }
        // It ended at a task that was seen before: a new circle, if that was in this walk.
        let begin = at.and_then(|id| walk.iter().position(|walked| *walked == id));
        if let Some(begin) = begin {
            cycles.push(walk.split_off(begin));
        }
    }
    cycles
}

/// `task 1 "a" waits for Lock "x", held by task 2 "b", which waits for Lock "y", held by task 1 "a"`.
fn in_words(tasks: &Tasks, cycle: &[NonZeroU64]) -> String {
    let mut words = String::new();
    for (index, id) in cycle.iter().enumerate() {
        let Some(task) = tasks.get(id) else { continue };
        if index == 0 {
            words.push_str(&task.shown);
        } else {
            words.push_str(", which");
        }
        let _ = write!(words, " waits for {}", describe_wait(tasks, *id, task));
    }
    words
}

/// What to look for: once for each kind of wait that there is.
fn advices(tasks: &Tasks) -> BTreeSet<&'static str> {
    let advices = tasks
        .iter()
        .filter_map(|(id, task)| advice(task, task.for_whom == Some(*id)));
    advices.collect()
}

fn advice(task: &Stuck, on_itself: bool) -> Option<&'static str> {
    let kind = task.wait?.kind;
    if let Some(note) = &task.note {
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
    match kind {
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
