//! The co-operative budget: how a task that never has to wait lets others run.
//!
//! The runtime gives each poll of a task a number of operations. Every leaf future of tenter spends
//! one when it completes; when none are left it wakes its own task and stays pending, so that the
//! task goes to the end of the line. A leaf spends *after* it has registered its waiter or secured
//! its result: a leaf that looked at the budget first would give up its place in the line.
//!
//! Nobody opens a budget on a foreign executor, and what nobody opened is without limit.

use core::task::{Context, Poll};

use crate::current;

/// How many operations one poll may complete.
pub const PER_POLL: u8 = 128;

/// Spends one operation.
///
/// `Ready`: go on and return the result. `Pending`: the task has been woken and comes back; keep the
/// result where the next poll, or the drop, finds it.
#[inline]
pub fn poll_spend(cx: &mut Context<'_>) -> Poll<()> {
    if current::spend() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Tries `op`, which completes at once or not at all, and spends one operation if it does. When none is
/// left nothing is tried, and `input` comes back.
///
/// For fast paths that can be taken again on a slow one: there the result is secured first.
#[inline]
pub(crate) fn spend_on<I, R>(input: I, op: impl FnOnce(I) -> Result<R, I>) -> Result<R, I> {
    current::spend_on(input, op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::current::TaskSlot;
    use core::num::NonZeroU64;
    use core::task::Waker;

    #[test]
    fn a_budget_that_nobody_opened_is_without_limit() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            assert!(poll_spend(&mut cx).is_ready());
        }
    }

    #[test]
    fn only_what_succeeds_is_paid_for() {
        let slot = TaskSlot::new(NonZeroU64::MIN);
        current::with_task(&slot, 1, || {
            assert_eq!(spend_on(1, Err::<(), _>), Err(1));
            assert_eq!(spend_on(2, Ok), Ok(2));
            assert_eq!(spend_on(3, Ok), Err(3));
        });
        assert_eq!(spend_on(4, Ok), Ok(4));
    }

    #[test]
    fn a_spent_budget_ends_the_poll_until_it_is_opened_again() {
        let slot = TaskSlot::new(NonZeroU64::MIN);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            current::with_task(&slot, 2, || {
                assert!(poll_spend(&mut cx).is_ready());
                assert!(poll_spend(&mut cx).is_ready());
                assert!(poll_spend(&mut cx).is_pending());
            });
        }
        current::with_task(&slot, 0, || {
            current::without_budget(|| assert!(poll_spend(&mut cx).is_ready()));
        });
    }
}
