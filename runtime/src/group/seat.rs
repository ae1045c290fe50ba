//! A child's place in its group, as the child has it.

use core::mem;
use std::sync::Arc;

use super::core::Core;
use super::error::Failure;
use super::outcome::{Ended, TaskOutcome};
use crate::task::{Canceller, TaskId};

/// A child's place in its group. Dropping it gives it up.
#[allow(missing_debug_implementations, reason = "the errors are the program's")]
pub struct Seat<E> {
    /// Until it is given up.
    pub(super) core: Option<Arc<Core<E>>>,
    pub(super) place: usize,
}

impl<E> Seat<E> {
    /// The seat of nobody.
    pub const fn none() -> Self {
        Self {
            core: None,
            place: 0,
        }
    }

    /// The group, unless this is the seat of nobody.
    #[inline]
    pub fn core(&self) -> Option<&Arc<Core<E>>> {
        self.core.as_ref()
    }

    /// The seat, for which nobody's is left here.
    #[inline]
    pub fn take(&mut self) -> Self {
        Self {
            core: self.core.take(),
            place: self.place,
        }
    }

    /// A reference to the child's task: made of the pointer that the task was made with, not of a borrow of
    /// its header, which is no right to free it.
    pub fn canceller(&self) -> Option<Canceller> {
        self.core.as_ref()?.member(self.place)
    }

    /// The child has failed: [`Core::fail`].
    pub fn fail(&self, failure: Failure<E>) -> Result<(), Failure<E>> {
        match (&self.core, self.canceller()) {
            (Some(core), Some(task)) => core.fail(failure, task),
            _ => Err(failure),
        }
    }

    /// Gives it up, and has `join_next` tell how the child ended.
    pub fn give_up(mut self, outcome: TaskOutcome) {
        if let Some(core) = self.core.take() {
            core.vacate(self.place, Some(outcome));
        }
    }

    /// The same of a child without a name.
    #[inline]
    pub fn give_up_unnamed(mut self, id: TaskId, ended: Ended) {
        let core = self.core.take();
        let place = self.place;
        mem::forget(self); // Nothing is left in it.
        if let Some(core) = core {
            core.vacate_unnamed(place, id, ended);
        }
    }
}

impl<E> Drop for Seat<E> {
    #[inline]
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            core.vacate(self.place, None);
        }
    }
}
