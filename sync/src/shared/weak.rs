//! A handle that does not keep the future alive.

use core::fmt;
use core::future::Future;
use std::sync::Weak;

use super::Shared;
use super::cell::Cell;

/// A handle to the future of a [`Shared`] that does not keep it alive: when the last [`Shared`] goes, so
/// does the future, or its output.
pub struct WeakShared<F: Future> {
    cell: Weak<Cell<F>>,
}

impl<F: Future> WeakShared<F> {
    pub(super) fn new(cell: Weak<Cell<F>>) -> Self {
        Self { cell }
    }

    /// A handle, unless all are gone.
    pub fn upgrade(&self) -> Option<Shared<F>> {
        self.cell.upgrade().map(Shared::from_cell)
    }

    /// Whether both lead to the same future.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.cell, &other.cell)
    }

    /// How many handles keep the future alive.
    pub fn strong_count(&self) -> usize {
        self.cell.strong_count()
    }
}

impl<F: Future> Clone for WeakShared<F> {
    fn clone(&self) -> Self {
        Self::new(Weak::clone(&self.cell))
    }
}

impl<F: Future> fmt::Debug for WeakShared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakShared")
            .field("handles", &self.strong_count())
            .finish()
    }
}
