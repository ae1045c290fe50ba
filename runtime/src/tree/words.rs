//! A wait in words: for the tree, and for the report of a deadlock.

use core::fmt::Write as _;

use tenter_sync::current::WaitKind;
use tenter_sync::notes::{Note, Wants};

use super::node::{GroupNode, TaskNode, TaskWait};
use crate::task::TaskId;

/// `task 7 "name"`, or `task 7`.
pub fn shown(task: &TaskNode) -> String {
    match &task.name {
        Some(name) => format!("task {} {name:?}", task.id),
        None => format!("task {}", task.id),
    }
}

fn name_of(tasks: &[TaskNode], id: TaskId) -> String {
    match tasks.binary_search_by_key(&id, |task| task.id) {
        Ok(place) => shown(&tasks[place]),
        Err(_) => format!("task {id}, which has ended or is not of this runtime"),
    }
}

/// What the task at `place` waits for, and who has it. `together` tasks wait for the same thing.
pub fn of_wait(
    tasks: &[TaskNode],
    place: usize,
    wait: &TaskWait,
    group: Option<&GroupNode>,
    together: usize,
) -> String {
    let (own, on, whom) = (&tasks[place], wait.on, &wait.whom);
    let note = wait.note.as_ref();
    if let (WaitKind::Group, Some(group)) = (on.kind, group) {
        let children = match whom.len() {
            1 => "the child".to_owned(),
            count => format!("the {count} children"),
        };
        return format!("{children} of the {group}");
    }
    let mut words = match note {
        Some(note) => note.to_string(),
        // A timer is a place in the task itself, and that of a socket tells nobody which one it is.
        None if matches!(
            on.kind,
            WaitKind::Sleep | WaitKind::Readable | WaitKind::Writable
        ) =>
        {
            on.kind.describe().to_owned()
        }
        None => format!("{} at {:#x}", on.kind.describe(), on.address),
    };
    let Some(first) = whom.first() else {
        add_parties(&mut words, note, together);
        return words;
    };
    match (on.kind, *first == own.id) {
        (WaitKind::Task, true) => words = format!("{}, which is itself", shown(own)),
        (WaitKind::Task, false) => words = name_of(tasks, *first),
        (_, true) => words.push_str(", held by itself"),
        (_, false) => {
            let _ = write!(words, ", held by {}", name_of(tasks, *first));
        }
    }
    match whom.len() {
        ..=1 => {}
        2 => words.push_str(", and one task more"),
        count => {
            let _ = write!(words, ", and {} tasks more", count - 1);
        }
    }
    words
}

fn add_parties(words: &mut String, note: Option<&Note>, together: usize) {
    if let Some(Wants::Parties(_)) = note.map(|note| &note.wants) {
        let _ = write!(words, " and {together} wait");
    }
}
