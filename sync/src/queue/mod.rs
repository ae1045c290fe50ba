//! Queues of any order: put and got by shared reference, waited for in line, counted until done.
//!
//! ```text
//!    put ──► store ──► get          FAST: one exchange each, no lock
//!             │ ▲
//!       hold  │ │ release           HELD: somebody waits, has a slot, has left an item, was served just
//!             ▼ │                         now, or it is shut
//!    ┌────────────────────────────── line (lock) ────────────────────────────────┐
//!    │  putters: [value] [slot?] ──►  store  ──► getters: [  ] [  ]   joiners   │
//!    │            a put ───────────── pass ───────────────►                      │
//!    └───────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `store.rs` | the port to the items, and the proof of the two modes |
//! | `ring.rs` (`slot.rs`), `blocks.rs` (`block.rs`, `end.rs`), `stack.rs`, `heap.rs`, `rendezvous.rs` (`tally.rs`) | what is behind it; `fifo.rs` is over three of them |
//! | `core.rs`, `line.rs` | the line: who is due what (`settle`), and the one way to act on it (`act`) |
//! | `compare.rs`, `reentry.rs` | what a comparison that panics, or comes back, does to it |
//! | `node.rs` | the place in a waiting future through which an item goes |
//! | `get.rs`, `put.rs`, `reserve.rs`, `join.rs`, `job.rs`, `stream.rs` | the futures |
//! | `kinds.rs`, `methods`, `error.rs`, `stats.rs` | the three public types, and what they can do |
//!
//! # Invariants
//!
//! At each unlock of the line, but where a full batch of wakes is about to lock again:
//! - Q1: the store is held at least while somebody waits for an item or for room, has a slot, or the
//!   queue is shut, or the store says that it must be. It may be held for no reason; see below.
//! - Q2: a getter waits only if there is no item.
//! - Q3: a putter waits only if there is no room.
//! - Q4: room is what the capacity leaves beside the items and the slots. With a capacity of zero, room
//!   is a getter that waits and that no slot is promised to.
//!
//! Always:
//! - Q5: nobody is passed by: who does not wait gets nothing while others wait for the same.
//! - Q6: an item is in one place: with its putter, in the store, or with its getter. A *granted* getter
//!   has its item, and a granted putter has none any more. What a getter leaves behind goes back with
//!   its number and stands where it stood, whether it came through the store or past it.
//! - Q7: a comparison that panics moves nothing. If it was made on behalf of a waiter, that one is let
//!   go, and makes it again itself.
//!
//! # Nobody waits for nothing
//!
//! Whoever is about to wait has the lock and has held the store, so no fast operation can begin, and
//! the answer "no item" or "no room" is exact (`store.rs`). From then on everything goes through the
//! lock, and each act ends with `settle`, which serves getters while there are items and putters while
//! there is room; only if nobody is left does it release the store. So Q2 and Q3 hold at each unlock, and
//! a fast operation never finds somebody waiting whom it should have served.
//!
//! # From hand to hand, past the store
//!
//! While a getter waits the store is empty (Q2), so an item that is put would be pushed and popped at
//! once. `hand_over` gives it to the front getter without that: the store only counts it (`pass`), because
//! the item needs a number, and `pushed` is what is unfinished and not done. The number is that of the next
//! push, so an item that went past the store stands before all that come after it, and what a dropped getter
//! gives back is sorted in by it. It is done only if nobody comes before: no putter in line, no slot
//! out (Q5). With a slot out the room may be promised, and with a putter in line that one's item is next;
//! then the item goes through `admit` and the store, or is refused. A heap is empty as well, so there
//! is nothing that the item would have to be compared with.
//!
//! # The lazy way back
//!
//! `settle` releases the store only after an act that served nobody (`Line::is_lively`). Whoever was
//! served is likely to wait again soon, and to hold, release and hold the store again costs more than the lock
//! does: in a round trip between two tasks each message would pay for it. A store that is held
//! without need is correct: a fast refusal means nothing (`store.rs`), and under the lock the answer is
//! exact. It does not stay so. The next operation finds the store held and takes the lock; if that act serves
//! nobody, and no reason is left, it gives the store back. So a queue pays for one lock more than it
//! must, once each time when the waiting ends. The flag is of one act: `release` takes it away.
//!
//! What was done before a put is visible after the get of the item: by the store's stamps, or through
//! the line's lock and the waiter's state.
//!
//! # What runs where
//!
//! Values are moved under the lock, never dropped: those that a shutdown takes out are in a vector of
//! the caller's. Wakers leave in a batch. The one exception is `Ord` (Q7, `reentry.rs`).
//!
//! Rejected: waking a getter to look for itself. Others take the item meanwhile, or it has to be
//! promised, and then the queue counts promises instead of items; and the item makes its way through
//! memory once more.
//! Rejected: a fast mode beside waiters, with a fence after each put to look for them. It costs every put
//! what it saves the first.
//! Rejected: one generic `Queue<T, Order>`. `Queue::bounded(8)` would not say which order it means.
//!
//! Tests: `sync/tests/queue.rs`, `sync/tests/queue_many.rs`, `sync/tests/queue_slots.rs`,
//! `sync/tests/queue_priority.rs`, `sync/tests/queue_join.rs`, `sync/tests/queue_drops.rs`,
//! `sync/tests/queue_oracle.rs`, `sync/tests/queue_linear.rs`, `sync/tests/attack_queue.rs`,
//! `sync/tests/attack_queue_threads.rs`, `sync/tests/models/queue.rs` (stress:
//! `sync/tests/queue_stress.rs`, model: `loom-tests/tests/queue.rs`).

#[expect(unsafe_code, reason = "slots that are read by hand")]
mod block;
#[expect(unsafe_code, reason = "blocks that live as long as a slot is claimed")]
pub mod blocks;
mod compare;
#[expect(unsafe_code, reason = "hands values over in the nodes of a list")]
pub(crate) mod core;
mod end;
mod error;
pub(crate) mod fifo;
#[expect(
    unsafe_code,
    reason = "pins the node inside the futures, and enlists it"
)]
mod get;
pub mod heap;
#[expect(unsafe_code, reason = "pins the future inside the future")]
mod job;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod join;
mod kinds;
#[expect(unsafe_code, reason = "enlists by the contract of its callers")]
mod line;
mod methods;
#[expect(unsafe_code, reason = "a place that the waiter's state guards")]
pub(crate) mod node;
#[expect(
    unsafe_code,
    reason = "pins the node inside the futures, and enlists it"
)]
mod put;
mod reentry;
pub mod rendezvous;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod reserve;
#[expect(unsafe_code, reason = "slots that their stamps guard")]
pub mod ring;
#[expect(unsafe_code, reason = "a value that its stamp guards")]
mod slot;
pub mod stack;
mod stats;
pub mod store;
mod stream;
mod tally;

pub use error::{ShutDown, TooMany, TryGetError, TryPutError, TryReserveError};
pub use get::{Get, GetMany};
pub use job::{Job, NextJob};
pub use join::Join;
pub use kinds::{LifoQueue, PriorityQueue, Queue};
pub use put::{Put, PutMany};
pub use reserve::{Reserve, Slot};
pub use stats::QueueStats;
pub use stream::Items;

use store::Store;

/// A queue of items `T`, of any order: what the futures of all queues, and of the channels, are made for.
///
/// It cannot be implemented elsewhere.
pub trait AnyQueue<T>: sealed::Sealed {
    /// Where the items are.
    #[doc(hidden)]
    type Store: Store<T>;

    /// The waiting machine.
    #[doc(hidden)]
    fn core(&self) -> &self::core::Core<T, Self::Store>;
}

pub(crate) mod sealed {
    /// Implemented for this crate's queues and channels.
    pub trait Sealed {}
}

#[cold]
fn completed() -> ! {
    panic!("a queue future was polled again after it had completed: await it once");
}
