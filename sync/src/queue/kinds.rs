//! The three public queues: one waiting machine over three orders. Their methods are in `methods`.
//!
//! Tests: see the module above.

use super::blocks::Blocks;
use super::core::Core;
use super::fifo::Fifo;
use super::heap::{Heap, Sorted};
use super::ring::Ring;
use super::stack::Stack;
use super::store::Returned;

/// First in, first out: many put, many get, all by shared reference.
///
/// A bounded queue makes those who put wait while it is full. An unbounded one takes what comes.
///
/// # Fairness
///
/// Getters are served in the order in which they began to wait, and so are putters. An item is handed
/// to the getter that has waited longest, and a getter that frees a place lets the value of the
/// longest-waiting putter in: nobody gets in between, not even `try_get` and `try_put`. What was handed to a
/// getter that is dropped before it runs goes to the next, or back to the front.
///
/// # One task, two waits
///
/// An item is handed to a *future*. A task that waits in two `get`s and polls only one of them leaves the
/// other's item where nobody sees it until that other one is polled or dropped: `select!` drops the losers,
/// which is enough. So do not keep a `get` that has been polled while you await something else.
///
/// # Counting
///
/// Each item put counts as unfinished until [`task_done`](Self::task_done), and [`join`](Self::join) waits
/// until none is. [`next_job`](Self::next_job) does the counting for you.
///
/// # Panics
///
/// Nearly every call may wake somebody, and a waker is code of an executor, which may panic. If one does,
/// all others are woken all the same, and the call panics after that; each says what has happened then. So
/// do the drops of futures, slots and jobs, which have passed on what they had.
///
/// # Other orders
///
/// [`LifoQueue`] and [`PriorityQueue`]. For a queue that ends by itself when one side is gone:
/// [`channel`](crate::channel).
///
/// # Examples
///
/// ```
/// use tenter_sync::{Queue, TryPutError};
///
/// static JOBS: Queue<&str> = Queue::bounded(2).named("jobs");
///
/// JOBS.try_put("wash").unwrap();
/// JOBS.try_put("dry").unwrap();
/// assert_eq!(JOBS.try_put("fold"), Err(TryPutError::Full("fold")));
/// assert_eq!(JOBS.try_get(), Ok("wash"));
/// ```
#[doc(alias = "mpmc")]
#[doc(alias = "mpsc")]
#[doc(alias = "ArrayQueue")]
pub struct Queue<T> {
    pub(super) core: Core<T, Fifo<T>>,
}

/// Last in, first out. Everything else is as with [`Queue`].
///
/// Its operations take a lock. An item that a dropped getter leaves behind goes back to where it was: under
/// those that were put after it.
///
/// # Examples
///
/// ```
/// let queue = tenter_sync::LifoQueue::unbounded();
/// for number in [1, 3, 2] {
///     queue.try_put(number).unwrap();
/// }
/// assert_eq!([(); 3].map(|()| queue.try_get().unwrap()), [2, 3, 1]);
/// ```
#[doc(alias = "stack")]
pub struct LifoQueue<T> {
    pub(super) core: Core<T, Stack>,
}

/// The smallest first, and of equal ones the first that was put. Everything else is as with [`Queue`].
///
/// For the greatest first, put [`Reverse`](std::cmp::Reverse).
///
/// # Panics
///
/// The items' `Ord` runs under the queue's lock. If it uses the very queue that compares, that panics and
/// says so. If it panics, so does the call that compared; the item that was being put is dropped, or stays
/// with the future that waits to put it, nothing else is lost, and the queue goes on working.
///
/// # Examples
///
/// ```
/// let queue = tenter_sync::PriorityQueue::unbounded();
/// for number in [1, 3, 2] {
///     queue.try_put(number).unwrap();
/// }
/// assert_eq!([(); 3].map(|()| queue.try_get().unwrap()), [1, 2, 3]);
/// ```
#[doc(alias = "heap")]
pub struct PriorityQueue<T: Ord> {
    pub(super) core: Core<T, Heap>,
}

const NO_ROOM: &str = "a queue with room for nothing: use a capacity of at least 1, or \
                       channel::rendezvous, where an item goes from hand to hand";

impl<T> Queue<T> {
    crate::const_fn! {
        /// Room for `capacity` items.
        ///
        /// The memory for them is allocated when the first one is put.
        ///
        /// # Panics
        ///
        /// If `capacity` is 0: [`channel::rendezvous`](crate::channel::rendezvous) is the queue without room,
        /// and [`unbounded`](Self::unbounded) the one without a limit. If it is so large that no memory could
        /// hold it, 2<sup>47</sup> on 64 bits. In a `static` both are errors of the compiler.
        #[doc(alias = "maxsize")]
        #[track_caller]
        pub const fn bounded(capacity: usize) -> Self {
            assert!(capacity > 0, "{}", NO_ROOM);
            Self { core: Core::new(Fifo::Bounded(Ring::new(capacity)), Returned::new()) }
        }
    }

    crate::const_fn! {
        /// Room for any number of items. Memory is the limit: `put` never waits.
        pub const fn unbounded() -> Self {
            Self { core: Core::new(Fifo::Unbounded(Blocks::new()), Returned::new()) }
        }
    }
}

impl<T> LifoQueue<T> {
    crate::const_fn! {
        /// Room for `capacity` items.
        ///
        /// # Panics
        ///
        /// If `capacity` is 0: use at least 1, or [`unbounded`](Self::unbounded) for no limit. In a `static`
        /// it is an error of the compiler.
        #[doc(alias = "maxsize")]
        #[track_caller]
        pub const fn bounded(capacity: usize) -> Self {
            assert!(capacity > 0, "{}", NO_ROOM);
            Self { core: Core::new(Stack::new(Some(capacity)), Vec::new()) }
        }
    }

    crate::const_fn! {
        /// Room for any number of items.
        pub const fn unbounded() -> Self {
            Self { core: Core::new(Stack::new(None), Vec::new()) }
        }
    }
}

impl<T: Ord> PriorityQueue<T> {
    crate::const_fn! {
        /// Room for `capacity` items.
        ///
        /// # Panics
        ///
        /// If `capacity` is 0: use at least 1, or [`unbounded`](Self::unbounded) for no limit. In a `static`
        /// it is an error of the compiler.
        #[doc(alias = "maxsize")]
        #[track_caller]
        pub const fn bounded(capacity: usize) -> Self {
            assert!(capacity > 0, "{}", NO_ROOM);
            Self { core: Core::new(Heap::new(Some(capacity)), Sorted::new()) }
        }
    }

    crate::const_fn! {
        /// Room for any number of items.
        pub const fn unbounded() -> Self {
            Self { core: Core::new(Heap::new(None), Sorted::new()) }
        }
    }
}
