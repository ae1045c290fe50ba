//! How a tree is made: of counted references to tasks, and of what each of them shows.
//!
//! ```text
//!  references ──► each task's scopes ──► groups ──► their children, also those on no list yet
//!       └──────────────┬──────────────────┘
//!                      ▼
//!   state, slot, words from the book ──► whom each waits for ──► circles, and a parent for each
//! ```
//!
//! Invariants:
//! - T1: a lock is held to count references or to copy what can be copied, and no two at a time; everything
//!   that could run code of the program, such as the drop of a last reference, happens without.
//! - T2: addresses are compared with those of tasks and groups to which there is a reference here, and never
//!   followed.
//! - T3: a task is in the tree once, by its number. The groups of a child that is on no list are not looked
//!   for: it has not run. So the walk ends, however fast tasks are spawned.
//! - T4: the word of a task is read once.
//! - T5: each wait of a circle is looked at again when all have been looked at. If none has changed, there was
//!   a moment at which all were so at once, unless a task has waited for the same thing a second time.

use core::mem;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use tenter_sync::book::Book;
use tenter_sync::current::{WaitKind, WaitingOn};

use super::TaskTree;
use super::cycles::cycles;
use super::forest::Forest;
use super::node::{GroupNode, TaskNode, TaskState, TaskWait};
use super::words;
use crate::scope::node::Node;
use crate::task::TaskId;
use crate::task::state::Word;
use crate::task::task_ref::TaskRef;

/// The tree of these tasks. `outside` has scopes of groups that no task is in.
pub fn tree(
    tasks: Vec<TaskRef>,
    outside: Vec<Arc<Node>>,
    book: Option<&Book>,
    complete: bool,
) -> TaskTree {
    let mut tasks: BTreeMap<TaskId, TaskRef> =
        tasks.into_iter().map(|task| (task.id(), task)).collect(); // T3
    let mut groups = Groups::default();
    groups.walk(outside, None);
    for task in tasks.values() {
        let root = task.header().root().map(Arc::clone);
        groups.walk(root.into_iter().collect(), Some(task.id()));
    }
    for child in mem::take(&mut groups.children) {
        tasks.entry(child.id()).or_insert(child); // T3
    }
    let seen = tasks.into_values().filter_map(Seen::new).collect();
    Draft::new(seen, groups, book).finish(complete)
}

/// A task that had not ended when it was looked at.
struct Seen {
    task: TaskRef,
    state: TaskState,
    wait: Option<WaitingOn>,
    is_joined: bool,
}

impl Seen {
    fn new(task: TaskRef) -> Option<Self> {
        let word = task.header().state.load(); // T4
        if word.is_complete() {
            return None;
        }
        let state = state_of(word);
        let waits = !word.is_running() && !word.is_scheduled();
        let wait = task.header().slot.waiting_on().filter(|_| waits);
        Some(Self {
            task,
            state,
            wait,
            is_joined: word.is_joined(),
        })
    }
}

fn state_of(word: Word) -> TaskState {
    if word.is_cleaning() {
        TaskState::CleaningUp
    } else if word.is_running() {
        TaskState::Running
    } else if word.is_fresh() {
        TaskState::New
    } else if word.is_scheduled() {
        TaskState::Ready
    } else {
        TaskState::Waiting
    }
}

/// Groups that were found.
#[derive(Default)]
struct Groups {
    nodes: Vec<GroupNode>,
    openers: Vec<Option<TaskId>>,
    children: Vec<TaskRef>,
    /// Scopes that were walked, kept so that no address comes twice.
    walked: HashSet<usize>,
    kept: Vec<Arc<Node>>,
}

impl Groups {
    /// Those of a task: its scopes, from the outside in.
    fn walk(&mut self, scopes: Vec<Arc<Node>>, opener: Option<TaskId>) {
        let mut line: VecDeque<_> = scopes.into_iter().map(|scope| (scope, None)).collect();
        while let Some((scope, within)) = line.pop_front() {
            if !self.walked.insert(Arc::as_ptr(&scope).addr()) {
                continue;
            }
            let (group, below) = scope.look_below();
            let inside = match group.as_ref().and_then(Weak::upgrade) {
                None => within,
                Some(group) => {
                    let members = group.members();
                    let ids = members.iter().map(|member| member.id()).collect();
                    let tasks = members.iter().map(|member| TaskRef::new(member.header()));
                    self.children.extend(tasks);
                    self.openers.push(opener);
                    self.nodes.push(GroupNode {
                        opened_at: group.opened_at(),
                        opened_by: None,
                        within,
                        members: ids,
                        address: Arc::as_ptr(&group).addr(),
                    });
                    Some(self.nodes.len() - 1)
                }
            };
            line.extend(below.into_iter().map(|scope| (scope, inside)));
            self.kept.push(scope);
        }
    }
}

/// A tree that is being made.
struct Draft<'a> {
    seen: Vec<Seen>,
    places: HashMap<TaskId, usize>,
    groups: Vec<GroupNode>,
    book: Option<&'a Book>,
    tasks: Vec<TaskNode>,
    /// Whom each waits for, by their places.
    edges: Vec<Vec<usize>>,
}

impl<'a> Draft<'a> {
    fn new(seen: Vec<Seen>, groups: Groups, book: Option<&'a Book>) -> Self {
        let ids = seen.iter().map(|it| it.task.id()).enumerate();
        let places: HashMap<TaskId, usize> = ids.map(|(place, id)| (id, place)).collect();
        let mut nodes = groups.nodes;
        let mut group_of = HashMap::new();
        for (number, (node, opener)) in nodes.iter_mut().zip(groups.openers).enumerate() {
            node.opened_by = opener.and_then(|id| places.get(&id).copied());
            node.members.retain(|id| places.contains_key(id));
            node.members.sort();
            group_of.extend(node.members.iter().map(|id| (*id, number)));
        }
        let tasks = seen.iter().map(|it| {
            let id = it.task.id();
            TaskNode {
                id,
                name: it.task.name(),
                spawned_at: it.task.spawned_at(),
                state: it.state,
                cancel_requested: it.task.cancel_requested(),
                wait: None,
                group: group_of.get(&id).copied(),
                joined_by: Vec::new(),
                under: None,
            }
        });
        Self {
            tasks: tasks.collect(),
            edges: vec![Vec::new(); seen.len()],
            seen,
            places,
            groups: nodes,
            book,
        }
    }

    fn finish(mut self, complete: bool) -> TaskTree {
        let joins = self.joins();
        self.add_waits(&joins);
        for (awaiter, awaited) in joins {
            self.tasks[awaited].joined_by.push(awaiter);
        }
        let mut cycles = cycles(&self.edges);
        cycles.retain(|cycle| cycle.iter().all(|place| self.is_still_so(*place))); // T5
        let id = |place: usize| self.tasks[place].id;
        let ids = |cycle: Vec<usize>| cycle.into_iter().map(id).collect();
        let cycles = cycles.into_iter().map(ids).collect();
        let forest = Forest::of(&mut self.tasks, &self.groups);
        // The last references may be these.
        drop(self.seen);
        TaskTree {
            tasks: self.tasks,
            groups: self.groups,
            cycles,
            forest,
            complete,
            beside_workers: false,
        }
    }

    /// Whether the task waits as it did.
    fn is_still_so(&self, place: usize) -> bool {
        let (it, node) = (&self.seen[place], &self.tasks[place]);
        let now = Seen::new(it.task.clone());
        let same = now.is_some_and(|now| now.wait == it.wait);
        let whom = node.wait.as_ref().map_or(&[][..], TaskWait::whom);
        same && match it.wait {
            Some(on) if matches!(on.kind, WaitKind::Lock | WaitKind::RwLock) => {
                self.holder_of(on).as_slice() == whom
            }
            _ => true,
        }
    }

    /// The task that holds what is waited for.
    fn holder_of(&self, on: WaitingOn) -> Option<TaskId> {
        let holder = self.book.and_then(|book| book.holder_of(on.address));
        holder.map(TaskId)
    }

    /// Who awaits whose handle: as far as slots tell, which know the last wait of a task, and as far as the
    /// book does.
    fn joins(&self) -> BTreeSet<(usize, usize)> {
        let address = |task: &TaskRef| task.header().pointer().addr().get();
        let tasks = self.seen.iter().enumerate();
        let by_address: HashMap<usize, usize> = tasks
            .map(|(place, it)| (address(&it.task), place))
            .collect();
        let mut joins = BTreeSet::new();
        for (place, it) in self.seen.iter().enumerate() {
            let wait = it.wait.filter(|wait| wait.kind == WaitKind::Task);
            let awaited = wait.and_then(|wait| by_address.get(&wait.address)); // T2
            joins.extend(awaited.map(|awaited| (place, *awaited)));
        }
        let Some(book) = self.book else { return joins };
        for (awaited, it) in self.seen.iter().enumerate() {
            let awaiter = it.is_joined.then(|| book.joiner_of(it.task.id().get()));
            let awaiter = awaiter.flatten().map(TaskId);
            if let Some(awaiter) = awaiter.and_then(|id| self.places.get(&id)) {
                // The book knows of handles that are awaited beside others, and of some that were kept and
                // are not awaited any more.
                let waits = self.seen[*awaiter].wait;
                if waits.is_some() {
                    joins.insert((*awaiter, awaited));
                }
            }
        }
        joins
    }

    /// What each waits for, in words, and whom that makes it wait for.
    fn add_waits(&mut self, joins: &BTreeSet<(usize, usize)>) {
        let mut together: HashMap<WaitingOn, usize> = HashMap::new();
        for wait in self.seen.iter().filter_map(|it| it.wait) {
            *together.entry(wait).or_default() += 1;
        }
        let mut awaited: Vec<Vec<usize>> = vec![Vec::new(); self.seen.len()];
        for (awaiter, task) in joins {
            awaited[*awaiter].push(*task);
        }
        // T2: two that are open at a time have different addresses.
        let groups = self.groups.iter();
        let groups: HashMap<usize, &GroupNode> = groups.map(|it| (it.address, it)).collect();
        for (place, awaited) in awaited.iter().enumerate() {
            let Some(on) = self.seen[place].wait else {
                continue;
            };
            let id = self.tasks[place].id.get();
            let group = groups.get(&on.address).copied();
            let group = group.filter(|_| on.kind == WaitKind::Group);
            let whom: Vec<TaskId> = match on.kind {
                WaitKind::Task => awaited.iter().map(|it| self.tasks[*it].id).collect(),
                WaitKind::Lock | WaitKind::RwLock => self.holder_of(on).into_iter().collect(),
                _ => group.map_or_else(Vec::new, |group| group.members.clone()),
            };
            let places = whom.iter().filter_map(|id| self.places.get(id));
            self.edges[place].extend(places);
            let mut wait = TaskWait {
                on,
                note: self.book.and_then(|book| book.note_of(id, on)),
                words: String::new(),
                whom,
                lasted: self.book.and_then(|book| book.lasted(id, on)),
            };
            wait.words = words::of_wait(&self.tasks, place, &wait, group, together[&on]);
            self.tasks[place].wait = Some(wait);
        }
    }
}
