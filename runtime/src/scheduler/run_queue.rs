//! The queue of tasks that are ready: first in, first out, linked through the tasks.
//!
//! One thread at a time uses it, through a shared reference: a task that is polled wakes others.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::task::Runnable;
use crate::task::cell::Header;

/// The queue.
#[derive(Debug, Default)]
pub struct RunQueue {
    head: Cell<Option<NonNull<Header>>>,
    tail: Cell<Option<NonNull<Header>>>,
    len: Cell<usize>,
}

// SAFETY: the tasks are reached through pointers whose rights (the place in a queue, the scheduler's
// reference) may move between threads; the core that this is part of is used by one at a time (C1).
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// How many tasks are ready.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether no task is ready.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_none()
    }

    /// Puts a task at the end.
    #[inline]
    pub fn push(&self, task: Runnable) {
        let new = task.into_raw();
        set_next(new, None);
        match self.tail.replace(Some(new)) {
            Some(tail) => set_next(tail, Some(new)),
            None => self.head.set(Some(new)),
        }
        self.len.set(self.len.get() + 1);
    }

    /// Puts the tasks of another queue at the end, in their order, and leaves that one empty.
    pub fn append(&self, more: &RunQueue) {
        let Some(first) = more.head.take() else {
            return;
        };
        match self.tail.replace(more.tail.take()) {
            Some(tail) => set_next(tail, Some(first)),
            None => self.head.set(Some(first)),
        }
        self.len.set(self.len.get() + more.len.take());
    }

    /// Puts the tasks of another queue at the front, in their order, and leaves that one empty.
    pub fn prepend(&self, more: &RunQueue) {
        let rest = RunQueue {
            head: Cell::new(self.head.take()),
            tail: Cell::new(self.tail.take()),
            len: Cell::new(self.len.take()),
        };
        self.append(more);
        self.append(&rest);
    }

    /// Takes the first task.
    #[inline]
    pub fn pop(&self) -> Option<Runnable> {
        let first = self.head.get()?;
        let rest = next(first);
        self.head.set(rest);
        if rest.is_none() {
            self.tail.set(None);
        }
        self.len.set(self.len.get() - 1);
        // SAFETY: `push` put it here with its place, which leaves with it.
        Some(unsafe { Runnable::from_raw(first) })
    }

    /// Takes the task at `index`, counted from the front. O(index).
    ///
    /// # Panics
    ///
    /// If there are not so many tasks.
    pub fn remove(&self, index: usize) -> Runnable {
        assert!(
            index < self.len(),
            "the queue has {} tasks, not {index} and one more",
            self.len()
        );
        if index == 0 {
            return self.pop().expect("the queue is not empty");
        }
        let first = self.head.get().expect("the queue is not empty");
        let before = (1..index).fold(first, |task, _| next(task).expect("index is below len"));
        let task = next(before).expect("index is below len");
        let after = next(task);
        set_next(before, after);
        if after.is_none() {
            self.tail.set(Some(before));
        }
        self.len.set(self.len.get() - 1);
        // SAFETY: as in `pop`.
        unsafe { Runnable::from_raw(task) }
    }

    /// Forgets every place in the queue: for shutdown, which ends the tasks themselves.
    pub fn clear(&self) {
        self.head.set(None);
        self.tail.set(None);
        self.len.set(0);
    }
}

fn next(task: NonNull<Header>) -> Option<NonNull<Header>> {
    // SAFETY: the task is in the queue, by its place in it alive until it is run, and `next` belongs to
    // that place (S1).
    let header = unsafe { task.as_ref() };
    // SAFETY: as above.
    header.next.with(|next| unsafe { *next })
}

fn set_next(task: NonNull<Header>, link: Option<NonNull<Header>>) {
    // SAFETY: as in `next`.
    let header = unsafe { task.as_ref() };
    // SAFETY: as in `next`.
    header.next.with_mut(|next| unsafe { *next = link });
}
