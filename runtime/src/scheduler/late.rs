//! Tasks that come after the end of their runtime, or while it ends: they are ended at once, unpolled.
//!
//! ```text
//!   refuse ──► nothing is being refused on this thread: end the task, then those in the list
//!          └─► else: into the list                        (a destructor spawned it)
//!                └─► after LATE_MAX in a row: leaked and counted
//! ```
//!
//! Ending a task runs destructors, and these may spawn again. A task that respawns itself when it is
//! dropped would else recurse until the stack is used up, or, with the list alone, go on for ever.
//!
//! Tests: `tests/tests/shutdown.rs`.

use core::cell::RefCell;

use tenter_sync::shim::local;

use super::shared::Scheduler;
use crate::task::Runnable;
use crate::task::raw;

/// How many tasks may be refused in a row, each spawned by the destructors of those before it.
const LATE_MAX: usize = 10_000;

#[derive(Default)]
struct Late {
    tasks: Vec<Runnable>,
    refused: usize,
}

local! {
    /// Present while this thread refuses a task.
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// What to do with a task.
enum Turn {
    End(Runnable),
    Leak(Runnable),
    Wait,
}

/// Ends a task that came too late. The caller has its place in a queue and the scheduler's reference,
/// which is on no list; a `!Send` task is only ever spawned, and so refused, on its owner.
pub fn refuse(scheduler: &Scheduler, task: Runnable) {
    match queue(task) {
        Turn::Wait => {}
        Turn::Leak(task) => {
            scheduler.counters().leaked.add_shared(1);
            scheduler.tell_leaked(task.header());
            // SAFETY: the scheduler's reference is ours, and given to nobody.
            unsafe { raw::leak(task.into_raw()) };
        }
        Turn::End(mut task) => loop {
            // SAFETY: (a) the scheduler's reference is ours; (b) this thread spawned it, if it is local.
            unsafe { raw::shut_down(task.into_raw(), |task| scheduler.tell_exited(task)) };
            let Some(next) = next() else { break };
            task = next;
        },
    }
}

fn queue(task: Runnable) -> Turn {
    let mut task = Some(task);
    let turn = LATE.try_with(|late| {
        let task = task.take()?;
        let late = &mut *late.borrow_mut();
        let Some(late) = late else {
            *late = Some(Late::default());
            return Some(Turn::End(task));
        };
        late.refused += 1;
        if late.refused > LATE_MAX {
            return Some(Turn::Leak(task));
        }
        late.tasks.push(task);
        Some(Turn::Wait)
    });
    match (turn, task) {
        (Ok(Some(turn)), _) => turn,
        // A thread that is ending has no list any more: what is spawned there is ended in place.
        (_, Some(task)) => Turn::End(task),
        (_, None) => unreachable!("the closure either ran or left the task alone"),
    }
}

/// The next task of the list; without one the list is gone.
fn next() -> Option<Runnable> {
    LATE.try_with(|late| {
        let late = &mut *late.borrow_mut();
        let next = late.as_mut()?.tasks.pop();
        if next.is_none() {
            *late = None;
        }
        next
    })
    .ok()?
}
