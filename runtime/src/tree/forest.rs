//! Who is shown under whom.
//!
//! A task is shown in its group; one in no group under the first of those who await its handle; else by
//! itself. A group is shown in the group around it, or in the task whose future has it.
//!
//! Invariant: F1: from every task the way up ends. Where tasks await each other in a circle, the first of them
//! is shown by itself.

use super::node::{GroupNode, TaskNode};

/// What is right below, by places of tasks and numbers of groups.
#[derive(Clone, Debug, Default)]
pub struct Forest {
    /// Of each task, those in no group whose handle it awaits.
    pub joined: Vec<Vec<usize>>,
    /// Of each task, its outermost groups.
    pub groups_in: Vec<Vec<usize>>,
    /// Of each group, its children.
    pub members: Vec<Vec<usize>>,
    /// Of each group, those right inside, in the same task.
    pub inner: Vec<Vec<usize>>,
}

impl Forest {
    /// Finds a place for each.
    pub fn of(tasks: &mut [TaskNode], groups: &[GroupNode]) -> Self {
        for (place, task) in tasks.iter_mut().enumerate() {
            task.joined_by.sort_unstable();
            let mut others = task.joined_by.iter().filter(|other| **other != place);
            task.under = others.next().copied().filter(|_| task.group.is_none());
        }
        cut(tasks, groups);
        let mut forest = Self {
            joined: vec![Vec::new(); tasks.len()],
            groups_in: vec![Vec::new(); tasks.len()],
            members: vec![Vec::new(); groups.len()],
            inner: vec![Vec::new(); groups.len()],
        };
        for (place, task) in tasks.iter().enumerate() {
            match (task.group, task.under) {
                (Some(group), _) => forest.members[group].push(place),
                (None, Some(other)) => forest.joined[other].push(place),
                (None, None) => {}
            }
        }
        for (number, group) in groups.iter().enumerate() {
            match (group.within, group.opened_by) {
                (Some(around), _) => forest.inner[around].push(number),
                (None, Some(task)) => forest.groups_in[task].push(number),
                (None, None) => {}
            }
        }
        forest
    }
}

/// The task under which this one is shown.
pub fn parent(tasks: &[TaskNode], groups: &[GroupNode], place: usize) -> Option<usize> {
    match tasks[place].group {
        Some(group) => groups[group].opened_by,
        None => tasks[place].under,
    }
}

/// F1.
fn cut(tasks: &mut [TaskNode], groups: &[GroupNode]) {
    let mut walked_from = vec![usize::MAX; tasks.len()];
    for start in 0..tasks.len() {
        let mut walk = Vec::new();
        let mut at = Some(start);
        while let Some(place) = at.filter(|place| walked_from[*place] == usize::MAX) {
            walked_from[place] = start;
            walk.push(place);
            at = parent(tasks, groups, place);
        }
        let Some(place) = at.filter(|place| walked_from[*place] == start) else {
            continue;
        };
        let begin = walk.iter().position(|walked| *walked == place);
        let circle = &walk[begin.unwrap_or(0)..];
        let loose = circle.iter().filter(|place| tasks[**place].group.is_none());
        match loose.min() {
            Some(place) => tasks[*place].under = None,
            // Futures of groups were moved from task to task while they were looked at.
            None => circle.iter().for_each(|place| tasks[*place].group = None),
        }
    }
}
