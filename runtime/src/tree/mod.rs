//! The tasks of a runtime as a tree: who is in whose group, who waits for what, and for whom.
//!
//! ```text
//!  tree() ──► snapshot: references, groups, waits ──► cycles, forest ──► accessors, Display, table
//!  deadlock::report ──► the same
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `node.rs` | what a tree is made of |
//! | `snapshot.rs` | how it is made |
//! | `words.rs` | waits in words |
//! | `cycles.rs` | who waits in a circle |
//! | `forest.rs` | who is shown under whom |
//! | `print.rs` | lines, and a table |
//! | `outside.rs` | groups that no task is in |
//!
//! Tests: `tests/tests/tree`, `tests/tests/rows/tree.rs`, `tests/tests/hangs.rs`.

mod cycles;
mod forest;
mod node;
pub(crate) mod outside;
mod print;
pub(crate) mod snapshot;
pub(crate) mod words;

use core::fmt::Write as _;

use tenter_sync::current::WaitKind;

use self::forest::Forest;
pub use self::node::{Awaiter, GroupNode, TaskNode, TaskState, TaskWait};
pub use self::print::TaskTable;
use crate::builder::Flavor;
use crate::handle::Handle;
use crate::task::TaskId;
use crate::task::task_ref;

/// The tasks of a runtime that had not ended, as they were when [`tree`] looked: each once, with its group
/// and what it waits for.
///
/// `Display` draws it, with tasks under their group, groups under the task that is in them, and tasks in no
/// group under one that awaits their handle. [`table`](Self::table) has a line for each task. Both end with
/// the [circles](Self::cycles), if there are any.
///
/// ```text
/// └── (T) Task-1 "main"
///     ├──  waits for the 2 children of the task_group at src/main.rs:12:5
///     └──  task_group at src/main.rs:12:5
///         ├── (T) Task-2 "reader"
///         │   └──  waits for Lock "db", held by task 3 "writer", for 4.2 s
///         └── (T) Task-3 "writer"
///             └──  waits for a socket to become readable, for 4.3 s
/// ```
///
/// # The main future
///
/// The future of `block_on` is a task only on one thread. Beside many workers it is none and is not shown, and
/// what it waits for is not known: both forms end with a line that says so. To see it, spawn it:
/// `tenter::spawn(main()).await`.
///
/// # Not one moment
///
/// One task is looked at after the other, while others run on. A task may be shown to wait for one that has
/// gone on meanwhile, or miss its group because that was opened just then. A circle is looked at twice before
/// it is told. What is stuck does not change: what two trees in a row say is to be believed.
#[derive(Clone, Debug)]
pub struct TaskTree {
    /// In the order of their numbers.
    tasks: Vec<TaskNode>,
    groups: Vec<GroupNode>,
    cycles: Vec<Vec<TaskId>>,
    forest: Forest,
    complete: bool,
    /// The future of a `block_on` is no task.
    beside_workers: bool,
}

/// All tasks of the runtime that this thread is in, with who waits for whom: [`Handle::tree`].
///
/// # Panics
///
/// Outside a runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// use tenter::{sync::Event, task};
///
/// static GATE: Event = Event::new();
///
/// # tenter::Builder::deterministic(0).build().unwrap().block_on(async {
/// let waiter = task::Builder::new().name("waiter").spawn(GATE.wait());
/// task::yield_now().await;
/// let tree = task::tree();
/// let waits = tree.task(waiter.id()).and_then(|task| task.wait());
/// assert!(waits.expect("nobody has set it").what().starts_with("an Event"));
/// println!("{tree}{}", tree.table());
/// # });
/// ```
#[track_caller]
#[doc(alias = "capture_call_graph")]
#[doc(alias = "format_call_graph")]
#[doc(alias = "print_call_graph")]
#[doc(alias = "pstree")]
#[doc(alias = "dump")]
pub fn tree() -> TaskTree {
    of(&Handle::current_for("tenter::task::tree"))
}

/// The tree of a runtime.
pub(crate) fn of(handle: &Handle) -> TaskTree {
    let (tasks, complete) = task_ref::all_of(handle);
    let scheduler = handle.scheduler();
    let outside = scheduler.outside.scopes();
    let book = scheduler.book().map(|book| &**book);
    let mut tree = snapshot::tree(tasks, outside, book, complete);
    tree.beside_workers = scheduler.config().flavor == Flavor::MultiThread;
    tree
}

impl TaskTree {
    /// All tasks, in the order of their numbers.
    pub fn tasks(&self) -> &[TaskNode] {
        &self.tasks
    }

    /// The task with this number.
    pub fn task(&self, id: TaskId) -> Option<&TaskNode> {
        self.place(id).map(|place| &self.tasks[place])
    }

    /// All groups, those of one task from the outside in.
    pub fn groups(&self) -> &[GroupNode] {
        &self.groups
    }

    /// The group that a task is in.
    pub fn group_of(&self, id: TaskId) -> Option<&GroupNode> {
        let group = self.task(id)?.group?;
        Some(&self.groups[group])
    }

    /// The task whose future has this group. `None`: no task is in it, but the future of a `block_on`.
    pub fn opener_of(&self, group: &GroupNode) -> Option<&TaskNode> {
        Some(&self.tasks[group.opened_by?])
    }

    /// The tasks that are shown under no other.
    pub fn roots(&self) -> impl Iterator<Item = &TaskNode> {
        let root = |place: &usize| self.parent_place(*place).is_none();
        let places = (0..self.tasks.len()).filter(root);
        places.map(|place| &self.tasks[place])
    }

    /// The tasks that are shown under this one: the children of its groups, and tasks in no group whose
    /// handle it awaits.
    pub fn children(&self, id: TaskId) -> impl Iterator<Item = &TaskNode> {
        let mut places: Vec<usize> = Vec::new();
        if let Some(own) = self.place(id) {
            places.extend(&self.forest.joined[own]);
            let mut groups = self.forest.groups_in[own].clone();
            while let Some(group) = groups.pop() {
                places.extend(&self.forest.members[group]);
                groups.extend(&self.forest.inner[group]);
            }
        }
        places.sort_unstable();
        places.into_iter().map(|place| &self.tasks[place])
    }

    /// The task that this one is shown under.
    pub fn parent(&self, id: TaskId) -> Option<&TaskNode> {
        let parent = self.parent_place(self.place(id)?)?;
        Some(&self.tasks[parent])
    }

    /// Who waits for the end of this task: its group, and the tasks that await its handle.
    ///
    /// A task that awaits several handles at once is known by the last one that it looked at, and if the
    /// runtime is [inspected](crate::Builder::inspect) or on a virtual clock, by all of them.
    pub fn awaited_by(&self, id: TaskId) -> impl Iterator<Item = Awaiter<'_>> {
        let group = self.group_of(id).map(Awaiter::Group);
        let tasks = self.task(id).map_or(&[][..], |task| &task.joined_by);
        let tasks = tasks.iter().map(|place| Awaiter::Task(&self.tasks[*place]));
        group.into_iter().chain(tasks)
    }

    /// Deadlocks: tasks that wait for each other in a circle, each for the next one and the last for the
    /// first. None of them goes on, unless one is cancelled, a timeout ends its wait, or it waits for
    /// something else besides. Where many are entangled, one circle is told.
    pub fn cycles(&self) -> &[Vec<TaskId>] {
        &self.cycles
    }

    /// Whether the runtime was asked and has answered. False: it has one thread, which another one drives,
    /// and that did not answer within a second because a poll blocks it. Then the tree is empty.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A line for each task: its number and name, what it does, where it was spawned, what it waits for, and
    /// who awaits it.
    #[doc(alias = "ps")]
    pub fn table(&self) -> TaskTable<'_> {
        TaskTable(self)
    }

    fn place(&self, id: TaskId) -> Option<usize> {
        self.tasks.binary_search_by_key(&id, |task| task.id).ok()
    }

    fn parent_place(&self, place: usize) -> Option<usize> {
        forest::parent(&self.tasks, &self.groups, place)
    }

    /// The places of tasks that are shown under nothing.
    fn root_places(&self) -> impl Iterator<Item = usize> {
        let root = |place: &usize| {
            let task = &self.tasks[*place];
            task.group.is_none() && task.under.is_none()
        };
        (0..self.tasks.len()).filter(root)
    }

    /// The groups that no task is in.
    fn loose_groups(&self) -> impl Iterator<Item = usize> {
        let loose = |number: &usize| {
            let group = &self.groups[*number];
            group.within.is_none() && group.opened_by.is_none()
        };
        (0..self.groups.len()).filter(loose)
    }

    /// `task 1 "a" waits for Lock "x", held by task 2 "b", which waits for Lock "y", held by task 1 "a"`.
    pub(crate) fn in_words(&self, cycle: &[TaskId]) -> String {
        let mut words = String::new();
        let next = cycle.iter().cycle().skip(1);
        for (index, (id, next)) in cycle.iter().zip(next).enumerate() {
            let (Some(task), Some(next)) = (self.task(*id), self.task(*next)) else {
                continue;
            };
            match index {
                0 => words.push_str(&words::shown(task)),
                _ => words.push_str(", which"),
            }
            let Some(wait) = &task.wait else { continue };
            let _ = write!(words, " waits for {}", wait.words);
            if wait.kind() == WaitKind::Group || wait.whom.first() != Some(&next.id) {
                let _ = write!(words, ", among them {}", words::shown(next));
            }
        }
        words
    }
}
