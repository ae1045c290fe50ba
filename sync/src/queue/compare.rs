//! What happens when a comparison panics under the lock (Q7).
//!
//! Tests: `sync/tests/queue_priority.rs`.

use core::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::core::{Core, push};
use super::reentry;
use super::store::Store;
use crate::shim::thread;
use crate::wait_list::WaitList;
use crate::wake_batch::{self, WakeBatch, wake_in_batches};

/// A comparison that panics while the front of a list is served is that one's own affair: it is let go,
/// and looks again by itself (Q7).
pub(super) struct SendOn<'a, S: Store<T>, T> {
    list: &'a mut WaitList,
    batch: &'a mut WakeBatch,
    _store: PhantomData<fn() -> (S, T)>,
}

impl<'a, S: Store<T>, T> SendOn<'a, S, T> {
    #[inline]
    pub(super) fn new(list: &'a mut WaitList, batch: &'a mut WakeBatch) -> Self {
        Self {
            list,
            batch,
            _store: PhantomData,
        }
    }

    #[inline]
    pub(super) fn forget(self) {
        core::mem::forget(self);
    }
}

impl<S: Store<T>, T> Drop for SendOn<'_, S, T> {
    #[cold]
    fn drop(&mut self) {
        push(self.batch, self.list.dismiss_front());
    }
}

/// After a comparison has panicked, those behind get what they are due all the same (Q7).
pub(super) struct SettleAgain<'a, T, S: Store<T>>(pub(super) &'a Core<T, S>);

impl<T, S: Store<T>> Drop for SettleAgain<'_, T, S> {
    fn drop(&mut self) {
        if thread::panicking() && !reentry::is_inside(&self.0.owner) {
            let again = || {
                wake_in_batches(|batch| {
                    let mut line = self.0.lock();
                    self.0.hold(&mut line);
                    self.0.settle(&mut line, batch)
                });
            };
            // Later panics stay here: the first one is on its way. Each has let somebody go (`SendOn`).
            while let Err(later) = catch_unwind(AssertUnwindSafe(again)) {
                wake_batch::discard(later);
            }
        }
    }
}
