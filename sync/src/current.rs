//! Which task the calling thread polls, how much it may still do, and what it waits for.
//!
//! A thread-local slot: defined here, where the primitives can see it, and filled by the runtime
//! around each poll. A combinator that polls its members with wakers of its own does not hide the
//! task from it. On a foreign executor the slot stays empty: no identity, no limit, no notes.
//!
//! ```text
//!  thread-local ──► task: *const TaskSlot ──► id, waiting_on
//!                   budget: Option<u8>
//! ```
//!
//! Invariants:
//! - I1: a non-null `task` points to a slot borrowed by a [`with_task`] further up this stack.
//! - I2: the word in `waiting_on` is a note for diagnoses; its address is never dereferenced.
//! - I3: where there is a budget there is a task.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroU64;
use core::ptr;

use crate::book;
use crate::shim::diagnostic::{AtomicU64, Ordering};
use crate::shim::local;

/// What kind of thing a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum WaitKind {
    /// Nothing that tenter knows of: a foreign future.
    Unknown = 0,
    /// The end of another task.
    Task = 1,
    /// A point in time.
    Sleep = 2,
    /// A file descriptor to become readable.
    Readable = 3,
    /// A file descriptor to become writable.
    Writable = 4,
    /// Permits of a semaphore.
    Semaphore = 5,
    /// A notification.
    Notify = 6,
    /// The value of a oneshot channel.
    Oneshot = 7,
    /// A lock.
    Lock = 8,
    /// A read or write lock.
    RwLock = 9,
    /// An event to be set.
    Event = 10,
    /// A condition.
    Condition = 11,
    /// A barrier.
    Barrier = 12,
    /// Room or an item in a queue or channel.
    Queue = 13,
    /// A job on a blocking thread.
    Blocking = 14,
    /// A signal of the operating system.
    Signal = 15,
    /// The value of a cell, which another task makes.
    OnceCell = 16,
    /// A value of a watch channel.
    Watch = 17,
    /// The output of a future that several wait for.
    Shared = 18,
    /// The children of a task group.
    Group = 19,
}

impl WaitKind {
    const ALL: [WaitKind; 20] = [
        WaitKind::Unknown,
        WaitKind::Task,
        WaitKind::Sleep,
        WaitKind::Readable,
        WaitKind::Writable,
        WaitKind::Semaphore,
        WaitKind::Notify,
        WaitKind::Oneshot,
        WaitKind::Lock,
        WaitKind::RwLock,
        WaitKind::Event,
        WaitKind::Condition,
        WaitKind::Barrier,
        WaitKind::Queue,
        WaitKind::Blocking,
        WaitKind::Signal,
        WaitKind::OnceCell,
        WaitKind::Watch,
        WaitKind::Shared,
        WaitKind::Group,
    ];

    /// In words, as it stands in a report: "waits for …".
    pub const fn describe(self) -> &'static str {
        match self {
            WaitKind::Unknown => "something that tenter does not know",
            WaitKind::Task => "another task",
            WaitKind::Sleep => "a point in time",
            WaitKind::Readable => "a socket to become readable",
            WaitKind::Writable => "a socket to become writable",
            WaitKind::Semaphore => "a Semaphore",
            WaitKind::Notify => "a Notify",
            WaitKind::Oneshot => "the value of a oneshot",
            WaitKind::Lock => "a Lock",
            WaitKind::RwLock => "a RwLock",
            WaitKind::Event => "an Event",
            WaitKind::Condition => "a Condition",
            WaitKind::Barrier => "a Barrier",
            WaitKind::Queue => "a Queue",
            WaitKind::Blocking => "a blocking job",
            WaitKind::Signal => "a signal",
            WaitKind::OnceCell => "the value of a OnceCell",
            WaitKind::Watch => "a change of a watch channel",
            WaitKind::Shared => "the output of a Shared",
            WaitKind::Group => "the children of a task group",
        }
    }

    /// The word for the thing alone, for a sentence of another form.
    pub(crate) const fn thing(self) -> &'static str {
        match self {
            WaitKind::Unknown => "thing",
            WaitKind::Task => "task",
            WaitKind::Sleep => "timer",
            WaitKind::Readable | WaitKind::Writable => "socket",
            WaitKind::Semaphore => "Semaphore",
            WaitKind::Notify => "Notify",
            WaitKind::Oneshot => "oneshot",
            WaitKind::Lock => "Lock",
            WaitKind::RwLock => "RwLock",
            WaitKind::Event => "Event",
            WaitKind::Condition => "Condition",
            WaitKind::Barrier => "Barrier",
            WaitKind::Queue => "Queue",
            WaitKind::Blocking => "blocking job",
            WaitKind::Signal => "signal",
            WaitKind::OnceCell => "OnceCell",
            WaitKind::Watch => "watch channel",
            WaitKind::Shared => "Shared",
            WaitKind::Group => "task group",
        }
    }
}

/// What a task waits for: a kind, and an address that tells two things of one kind apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitingOn {
    /// The kind of thing.
    pub kind: WaitKind,
    /// Where it is. An identity only; it may be gone.
    pub address: usize,
}

/// The bits of the packed word that hold the address.
const ADDRESS_BITS: u32 = 56;

/// The part of a task that the primitives may see: who it is, and what it waits for.
pub struct TaskSlot {
    id: NonZeroU64,
    /// | 63 … 56 | 55 … 0  |
    /// | kind    | address |
    waiting_on: AtomicU64,
}

/// How far a task's slot is behind what the data pointer of the task's own waker points to: three words
/// of a header come before it. (In the model checker a header is larger, and no waker is known as the
/// task's own there.)
pub const HEAD_TO_SLOT: usize = (3 * size_of::<usize>()).next_multiple_of(align_of::<TaskSlot>());

impl TaskSlot {
    /// The slot of the task `id`.
    pub const fn new(id: NonZeroU64) -> Self {
        Self {
            id,
            waiting_on: AtomicU64::new(0),
        }
    }

    /// The task's number.
    pub fn id(&self) -> NonZeroU64 {
        self.id
    }

    /// What the task said last. Another thread may read it at any time; it may be out of date.
    pub fn waiting_on(&self) -> Option<WaitingOn> {
        // ORDERING: Relaxed. A note for diagnoses, I2.
        let word = self.waiting_on.load(Ordering::Relaxed);
        let kind = *WaitKind::ALL.get((word >> ADDRESS_BITS) as usize)?;
        if kind == WaitKind::Unknown {
            return None;
        }
        let address = (word & ((1 << ADDRESS_BITS) - 1)) as usize;
        Some(WaitingOn { kind, address })
    }

    /// Forgets what the task waited for, before it is polled.
    #[inline]
    pub fn clear_waiting_on(&self) {
        // ORDERING: Relaxed. A note for diagnoses, I2.
        self.waiting_on.store(0, Ordering::Relaxed);
    }
}

impl fmt::Debug for TaskSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSlot")
            .field("id", &self.id)
            .field("waiting_on", &self.waiting_on())
            .finish()
    }
}

/// What a thread keeps about the poll that it is in.
struct Poll {
    task: Cell<*const TaskSlot>,
    /// Operations left in this poll; `None` is without limit.
    budget: Cell<Option<u8>>,
}

local! {
    static POLL: Poll = const { Poll { task: Cell::new(ptr::null()), budget: Cell::new(None) } };
}

/// Runs `body` as a poll of the task `slot`, which may do `budget` operations before it has to
/// let others run.
#[inline]
pub fn with_task<R>(slot: &TaskSlot, budget: u8, body: impl FnOnce() -> R) -> R {
    with_poll(slot, Some(budget), body)
}

/// Runs `body` as no task at all, and without limit.
pub fn without_task<R>(body: impl FnOnce() -> R) -> R {
    with_poll(ptr::null(), None, body)
}

/// Runs `body` as the same task, but without limit.
pub fn without_budget<R>(body: impl FnOnce() -> R) -> R {
    let task = POLL.with(|poll| poll.task.get());
    with_poll(task, None, body)
}

#[inline]
fn with_poll<R>(task: *const TaskSlot, budget: Option<u8>, body: impl FnOnce() -> R) -> R {
    struct Restore(*const TaskSlot, Option<u8>);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            POLL.with(|poll| {
                poll.task.set(self.0);
                poll.budget.set(self.1);
            });
        }
    }
    debug_assert!(budget.is_none() || !task.is_null()); // I3
    // I1: the guard takes the pointer away again before the borrow of the slot ends, also when
    // `body` panics; it is not in the caller's hands, so it cannot be forgotten.
    let _restore = POLL.with(|poll| Restore(poll.task.replace(task), poll.budget.replace(budget)));
    body()
}

/// The number of the task that this thread polls, if tenter polls it.
pub fn task_id() -> Option<NonZeroU64> {
    with_slot(TaskSlot::id)
}

/// Notes what the current task waits for. Leaf futures call it when they return `Pending`.
#[inline]
pub fn waiting_on<T: ?Sized>(kind: WaitKind, address: *const T) {
    set_waiting_on(kind, address);
    if book::is_stamping() {
        book::write_wait(None);
    }
}

/// The same, for waits that say more in a book.
#[inline]
pub(crate) fn set_waiting_on<T: ?Sized>(kind: WaitKind, address: *const T) {
    let address = address.cast::<()>() as usize as u64;
    let word = ((kind as u64) << ADDRESS_BITS) | (address & ((1 << ADDRESS_BITS) - 1));
    // ORDERING: Relaxed. A note for diagnoses, I2.
    with_slot(|slot| slot.waiting_on.store(word, Ordering::Relaxed));
}

#[inline]
pub(crate) fn with_slot<R>(read: impl FnOnce(&TaskSlot) -> R) -> Option<R> {
    let task = POLL.with(|poll| poll.task.get());
    // SAFETY: by I1 a non-null pointer is borrowed by a `with_poll` further up this very stack,
    // so the slot lives at least until this function has returned. Were the pointer left behind
    // after that call, this would read a freed task.
    unsafe { task.as_ref() }.map(read)
}

/// How many operations this poll may still complete; `None` is without limit. For what polls several
/// futures: when nothing is left, they would only be told to come back.
#[inline]
pub fn budget() -> Option<u8> {
    POLL.with(|poll| poll.budget.get())
}

/// Takes one operation from the budget; false if it is spent.
#[inline]
pub(crate) fn spend() -> bool {
    POLL.with(|poll| match poll.budget.get() {
        None => true,
        Some(0) => false,
        Some(left) => {
            poll.budget.set(Some(left - 1));
            true
        }
    })
}

/// Takes one operation from the budget, and says who is charged: the number of the task, zero without
/// one. `None` if the budget is spent.
#[inline]
pub(crate) fn spend_as() -> Option<u64> {
    POLL.with(|poll| match poll.budget.get() {
        None => Some(number(poll.task.get())),
        Some(0) => None,
        Some(left) => {
            poll.budget.set(Some(left - 1));
            let task = poll.task.get();
            // SAFETY: there is a task because there is a budget (I3), and the pointer is good as in
            // `number`.
            Some(unsafe { (*task).id }.get())
        }
    })
}

/// The number of the task that this thread polls, zero if there is none.
#[inline]
pub(crate) fn task_number() -> u64 {
    POLL.with(|poll| number(poll.task.get()))
}

/// The number of the task with this slot, zero without one. For what is in [`POLL`] only.
#[inline(always)]
fn number(task: *const TaskSlot) -> u64 {
    // SAFETY: as in `with_slot`, which reads the same pointer.
    unsafe { task.as_ref() }.map_or(0, |slot| slot.id.get())
}

/// Runs `op` unless the budget is spent, and takes one operation from it if `op` succeeds. One access to
/// the thread's slot for both.
#[inline]
pub(crate) fn spend_on<I, R>(input: I, op: impl FnOnce(I) -> Result<R, I>) -> Result<R, I> {
    POLL.with(|poll| {
        let budget = poll.budget.get();
        if budget == Some(0) {
            return Err(input);
        }
        // Called in one place: it is large, and is to be a part of the caller.
        let result = op(input)?;
        if let Some(left) = budget {
            poll.budget.set(Some(left - 1));
        }
        Ok(result)
    })
}

/// The pointer to the current task's slot, null without one: an identity to compare.
pub fn slot_address() -> *const TaskSlot {
    POLL.with(|poll| poll.task.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(id: u64) -> TaskSlot {
        TaskSlot::new(NonZeroU64::new(id).expect("not zero"))
    }

    #[test]
    fn every_kind_survives_packing() {
        let slot = slot(7);
        for kind in WaitKind::ALL.into_iter().skip(1) {
            with_task(&slot, 1, || waiting_on(kind, 0x1234 as *const u8));
            assert_eq!(
                slot.waiting_on(),
                Some(WaitingOn {
                    kind,
                    address: 0x1234
                })
            );
        }
        slot.clear_waiting_on();
        assert_eq!(slot.waiting_on(), None);
    }

    #[test]
    fn nested_polls_restore_the_outer_one_also_after_a_panic() {
        let (outer, inner) = (slot(1), slot(2));
        with_task(&outer, 5, || {
            let panicked = std::panic::catch_unwind(|| {
                with_task(&inner, 1, || {
                    assert_eq!(task_id().map(NonZeroU64::get), Some(2));
                    panic!("inside");
                })
            });
            assert!(panicked.is_err());
            assert_eq!(task_id().map(NonZeroU64::get), Some(1));
            without_task(|| assert_eq!(task_id(), None));
        });
        assert_eq!(task_id(), None);
    }
}
