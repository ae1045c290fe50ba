//! The list of all tasks of a scheduler that have not ended: how shutdown finds those that sleep.
//!
//! Doubly linked through the tasks; only one thread at a time touches it: the one that drives a
//! single-threaded scheduler, or the one that holds the lock around the list of a worker.

use core::cell::Cell;
use core::ptr::NonNull;

use tenter_sync::shim::thread::ThreadId;

use crate::task::alive::Alive;
use crate::task::cell::{Header, Links};
use crate::task::raw;

/// The list. The scheduler's reference to a task is held by its place in it.
#[derive(Debug, Default)]
pub struct OwnedList {
    head: Cell<Option<NonNull<Header>>>,
}

// SAFETY: the tasks are reached through pointers whose rights (the place in a queue, the scheduler's
// reference) may move between threads; the core that this is part of is used by one at a time (C1).
unsafe impl Send for OwnedList {}

impl OwnedList {
    /// Adds a task.
    #[inline]
    pub fn insert(&self, new: NonNull<Header>) {
        let old = self.head.replace(Some(new));
        with_links(new, |links| {
            *links = Links {
                previous: None,
                next: old,
            }
        });
        if let Some(old) = old {
            with_links(old, |links| links.previous = Some(new));
        }
    }

    /// Takes a task off.
    #[inline]
    pub fn remove(&self, task: &Header) {
        let links = with_links(NonNull::from(task), core::mem::take);
        match links.previous {
            Some(previous) => with_links(previous, |links_of| links_of.next = links.next),
            None => self.head.set(links.next),
        }
        if let Some(next) = links.next {
            with_links(next, |links_of| links_of.previous = links.previous);
        }
    }

    /// Takes the newest task off and gives its reference to the caller.
    pub fn pop(&self) -> Option<NonNull<Header>> {
        let task = self.head.get()?;
        // SAFETY: on the list, so the scheduler's reference keeps it alive.
        self.remove(unsafe { task.as_ref() });
        Some(task)
    }

    /// The newest task.
    pub fn first(&self) -> Option<NonNull<Header>> {
        self.head.get()
    }

    /// Shows every task that may run on this thread. Returns how many may not: `!Send` ones of others.
    pub fn for_each_runnable(&self, here: ThreadId, mut show: impl FnMut(Alive<'_>)) -> u64 {
        let mut others = 0;
        self.for_each(|task| {
            // SAFETY: (a) on the list, so the scheduler's reference keeps it alive.
            let owner = unsafe { raw::owner_of(task.pointer()) };
            if owner.is_none_or(|owner| owner == here) {
                show(task);
            } else {
                others += 1;
            }
        });
        others
    }

    /// Shows every task, newest first.
    pub fn for_each(&self, mut show: impl FnMut(Alive<'_>)) {
        let mut rest = self.head.get();
        while let Some(task) = rest {
            // SAFETY: on the list, so the scheduler's reference keeps it alive.
            show(unsafe { Alive::new(task) });
            rest = with_links(task, |links| links.next);
        }
    }
}

#[inline]
fn with_links<R>(task: NonNull<Header>, body: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: the caller's task is on the list or goes there: alive by the scheduler's reference.
    let header = unsafe { task.as_ref() };
    // SAFETY: only one thread at a time touches links, and `body` does not reach another task's.
    header.owned.with_mut(|links| body(unsafe { &mut *links }))
}
