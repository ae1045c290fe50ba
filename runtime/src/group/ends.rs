//! How children ended, until somebody asks.

use std::collections::VecDeque;
use std::sync::Arc;

use super::outcome::{Ended, TaskOutcome};
use crate::task::TaskId;

/// How many ends are kept for a `join_next` that nobody has called yet.
const MAX: usize = 1_024;

/// Ends of children, in order.
pub struct Ends {
    ends: VecDeque<(TaskId, Ended)>,
    /// The names of those of them that have one, in the same order: few have.
    names: VecDeque<(TaskId, Arc<str>)>,
    /// Whether somebody asks: from then on all are kept.
    asked: bool,
}

impl Ends {
    /// None.
    pub const fn new() -> Self {
        Self {
            ends: VecDeque::new(),
            names: VecDeque::new(),
            asked: false,
        }
    }

    /// Whether somebody has asked.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// Whether one more makes the first one be forgotten.
    #[inline]
    pub fn is_full(&self) -> bool {
        !self.asked && self.ends.len() >= MAX
    }

    /// One more, without a name. There is room.
    #[inline]
    pub fn push(&mut self, id: TaskId, ended: Ended) {
        self.ends.push_back((id, ended));
    }

    /// One more. What is forgotten for it is returned, to be dropped elsewhere.
    pub fn push_outcome(&mut self, outcome: TaskOutcome) -> Option<TaskOutcome> {
        let forgotten = if self.is_full() { self.pop() } else { None };
        self.push(outcome.id, outcome.ended);
        if let Some(name) = outcome.name {
            self.names.push_back((outcome.id, name));
        }
        forgotten
    }

    /// Somebody asks for the first one.
    pub fn ask(&mut self) -> Option<TaskOutcome> {
        self.asked = true;
        self.pop()
    }

    fn pop(&mut self) -> Option<TaskOutcome> {
        let (id, ended) = self.ends.pop_front()?;
        let named = self.names.front().is_some_and(|(named, _)| *named == id);
        let name = if named { self.names.pop_front() } else { None };
        Some(TaskOutcome::new(id, name.map(|(_, name)| name), ended))
    }
}
