//! The memory that all ends of a channel share, and who counts for its being there.
//!
//! | count | what | reaching 0 |
//! |---|---|---|
//! | `senders` | [`End<T, Senders>`] | the side is gone for good: the channel closes |
//! | `receivers` | [`End<T, Receivers>`] | the same, and what is in it is dropped |
//! | `holds` | [`Hold`]s: one for each side that is there, one for each weak sender | the memory goes |
//!
//! ```text
//!   senders    1 ⇄ 2 ⇄ …            clone, upgrade: + 1      drop: - 1
//!              │ the last
//!              ▼
//!   leave ──► hold given back ──► the last hold frees
//! ```
//!
//! Invariants:
//! - I1: a count of ends that is 0 stays 0.
//! - I2: while a side's count is not 0, or its last end is leaving, the side has a hold.
//! - I3: whoever gave its count away does not touch the memory again, unless it was the last of its
//!   side, and then not after it gave the hold away.
//!
//! Proof that nobody uses what is freed: an end is alive while it is counted (I2). Each count goes down
//! by an AcqRel exchange, so the last of a side happens after all uses by the others of that side, and
//! the last hold after all uses by anybody.
//!
//! User code runs in `leave`: wakers, and drops of values. Both may panic, or drop other ends of the
//! same channel, even the last of the other side. The memory stays until the hold is given back, which
//! a panic does too.
//!
//! Rejected: an `Arc` beside the count of a side. A clone would be two increments.
//! Rejected: an `Arc` per side around an `Arc` of the channel. Every operation would follow two pointers.
//!
//! Tests: `sync/tests/channel.rs`, `sync/tests/models/channel.rs`.

use core::marker::PhantomData;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::process::abort;

use crate::event::Event;
use crate::planted;
use crate::queue::core::Core;
use crate::queue::fifo::Fifo;
use crate::queue::{AnyQueue, sealed};
use crate::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{CachePadded, Guess, Live};

/// More ends than this are not possible but by leaking them in a loop, and would wrap around in the end.
const TOO_MANY: usize = isize::MAX as usize;

/// What the ends share.
pub struct Shared<T> {
    core: Core<T, Fifo<T>>,
    /// Set when the core is shut down, for senders that wait for it.
    closed: Event,
    counts: CachePadded<Counts>,
    live: Live,
}

#[derive(Debug)]
pub struct Counts {
    senders: AtomicUsize,
    receivers: AtomicUsize,
    holds: AtomicUsize,
}

/// One of the two sides of a channel.
pub trait Side {
    /// How many ends there are of it.
    fn count(counts: &Counts) -> &AtomicUsize;

    /// The last one leaves.
    fn leave<T>(shared: &Shared<T>);
}

#[derive(Debug)]
pub enum Senders {}

#[derive(Debug)]
pub enum Receivers {}

impl Side for Senders {
    #[inline]
    fn count(counts: &Counts) -> &AtomicUsize {
        &counts.senders
    }

    fn leave<T>(shared: &Shared<T>) {
        if !planted!("channel.last_sender_tells_nobody") {
            shared.close();
        }
    }
}

impl Side for Receivers {
    #[inline]
    fn count(counts: &Counts) -> &AtomicUsize {
        &counts.receivers
    }

    fn leave<T>(shared: &Shared<T>) {
        if planted!("channel.last_receiver_leaves_the_values") {
            return shared.close();
        }
        shared.close_and_clear();
    }
}

/// A counted end of a channel.
pub struct End<T, S: Side> {
    shared: NonNull<Shared<T>>,
    _side: PhantomData<S>,
}

/// Keeps the memory, and nothing else.
pub struct Hold<T> {
    shared: NonNull<Shared<T>>,
}

// SAFETY: an end is a right to use the shared memory from any thread, which is `Send + Sync` if values
// may go to other threads (asserted below); all that it has of its own is a pointer.
unsafe impl<T: Send, S: Side> Send for End<T, S> {}
// SAFETY: as above.
unsafe impl<T: Send, S: Side> Sync for End<T, S> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Hold<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Hold<T> {}

/// A new channel, with its first two ends.
pub fn pair<T>(core: Core<T, Fifo<T>>) -> (End<T, Senders>, End<T, Receivers>) {
    let layout = Layout::new::<Shared<T>>();
    // SAFETY: the layout is not of size zero; it holds at least the counts.
    let memory = unsafe { alloc(layout) }.cast::<Shared<T>>();
    let Some(shared) = NonNull::new(memory) else {
        handle_alloc_error(layout);
    };
    let fresh = Shared {
        core,
        closed: Event::new(),
        counts: CachePadded::new(Counts {
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
            holds: AtomicUsize::new(2), // one for each side (I2)
        }),
        live: Live::new(),
    };
    // SAFETY: fresh memory of this very layout.
    unsafe { shared.write(fresh) };
    (End::counted(shared), End::counted(shared))
}

impl<T, S: Side> End<T, S> {
    /// Stands for a count of its side.
    #[inline]
    fn counted(shared: NonNull<Shared<T>>) -> Self {
        Self {
            shared,
            _side: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn shared(&self) -> &Shared<T> {
        // SAFETY: the end is counted, so the memory is there (I2).
        let shared = unsafe { self.shared.as_ref() };
        shared.live.touch();
        shared
    }

    pub(super) fn same_channel(&self, other: &Self) -> bool {
        self.shared == other.shared
    }

    pub(super) fn hold(&self) -> Hold<T> {
        self.shared().hold(self.shared)
    }

    /// The last of a side: its count is 0, and its hold is the caller's.
    #[cold]
    fn leave(&self) {
        let hold = Hold {
            shared: self.shared,
        };
        // SAFETY: the hold keeps the memory, also if this panics.
        let shared = unsafe { hold.shared.as_ref() };
        shared.live.touch();
        S::leave(shared);
    }
}

impl<T, S: Side> Clone for End<T, S> {
    #[inline]
    fn clone(&self) -> Self {
        // ORDERING: Relaxed. The new end comes from one that is counted; it publishes nothing.
        let before = S::count(&self.shared().counts).fetch_add(1, Ordering::Relaxed);
        if before > TOO_MANY {
            abort();
        }
        Self::counted(self.shared)
    }
}

impl<T, S: Side> Drop for End<T, S> {
    #[inline]
    fn drop(&mut self) {
        let order = if planted!("channel.relaxed_leave") {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        // ORDERING: AcqRel. Release gives the uses of this end to the last one, which takes them over
        // by the Acquire.
        if S::count(&self.shared().counts).fetch_sub(1, order) == 1 {
            self.leave();
        }
    }
}

impl<T> Hold<T> {
    /// An end of the side, unless the side is gone (I1).
    pub(super) fn upgrade<S: Side>(&self) -> Option<End<T, S>> {
        let count = S::count(&self.shared().counts);
        let mut seen = count.guess();
        loop {
            if seen == 0 && !planted!("channel.upgrade_from_none") {
                return None;
            }
            if seen > TOO_MANY {
                abort();
            }
            // ORDERING: Relaxed, both. As a clone; the exchange compares.
            match count.compare_exchange_weak(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Some(End::counted(self.shared)),
                Err(actual) => seen = actual,
            }
        }
    }

    pub(super) fn shared(&self) -> &Shared<T> {
        // SAFETY: the hold keeps the memory.
        let shared = unsafe { self.shared.as_ref() };
        shared.live.touch();
        shared
    }

    pub(super) fn same_channel(&self, other: &Self) -> bool {
        self.shared == other.shared
    }
}

impl<T> Clone for Hold<T> {
    fn clone(&self) -> Self {
        self.shared().hold(self.shared)
    }
}

impl<T> Drop for Hold<T> {
    fn drop(&mut self) {
        // ORDERING: AcqRel. Release gives the uses before to whoever frees, who takes them over by the
        // Acquire.
        if self.shared().counts.holds.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        // SAFETY: the last hold: nobody reaches the memory any more (I2, I3). It came from `pair`.
        unsafe {
            self.shared.as_ref().live.end();
            let memory = Memory(self.shared.as_ptr());
            memory.0.drop_in_place();
        }
    }
}

/// The memory of a channel whose contents are being dropped; a panic there leaks nothing.
struct Memory<T>(*mut Shared<T>);

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: the memory came from `alloc` in `pair`, with this layout, and nobody has it any more.
        unsafe { dealloc(self.0.cast(), Layout::new::<Shared<T>>()) };
    }
}

impl<T> Shared<T> {
    fn hold(&self, shared: NonNull<Self>) -> Hold<T> {
        // ORDERING: Relaxed. It comes from one that keeps the memory.
        let before = self.counts.holds.fetch_add(1, Ordering::Relaxed);
        if before > TOO_MANY {
            abort();
        }
        Hold { shared }
    }

    /// How many ends of the side there are.
    pub(super) fn count<S: Side>(&self) -> usize {
        // ORDERING: Relaxed. A number for people.
        S::count(&self.counts).load(Ordering::Relaxed)
    }

    /// Nothing goes in any more.
    ///
    /// Those who wait for the end are told, even if a waker panics before.
    pub(super) fn close(&self) {
        let shut_down = catch_unwind(AssertUnwindSafe(|| self.core.shut_down()));
        if !planted!("channel.close_tells_nobody") {
            self.closed.set();
        }
        if let Err(panic) = shut_down {
            resume_unwind(panic);
        }
    }

    /// Nothing goes in any more, and nobody is there to take out what is in it.
    fn close_and_clear(&self) {
        if planted!("channel.clear_before_close") {
            while self.core.try_get().is_ok() {}
            return self.close();
        }
        let closed = catch_unwind(AssertUnwindSafe(|| self.close()));
        drop(self.core.shut_down_now()); // without a lock
        if let Err(panic) = closed {
            resume_unwind(panic);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_set() || self.core.is_shut_down()
    }

    /// As far as can be told without blocking.
    pub(super) fn is_known_closed(&self) -> bool {
        self.closed.is_set()
    }

    pub(super) fn closed(&self) -> &Event {
        &self.closed
    }
}

/// A panic with a value in hand leaves the channel whole.
impl<T> UnwindSafe for Shared<T> {}
impl<T> RefUnwindSafe for Shared<T> {}

impl<T> sealed::Sealed for Shared<T> {}

impl<T> AnyQueue<T> for Shared<T> {
    type Store = Fifo<T>;

    #[inline(always)]
    fn core(&self) -> &Core<T, Fifo<T>> {
        &self.core
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Shared<u8>>();
};
