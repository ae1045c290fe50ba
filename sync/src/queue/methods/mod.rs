//! The methods that all three queues have, written once for each theme.
//!
//! Tests: see the module above.

mod ending;
mod getting;
mod putting;

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::core::Core;
use super::fifo::Fifo;
use super::get::Get;
use super::heap::Heap;
use super::put::{Put, PutMany};
use super::reserve::Slot;
use super::stack::Stack;
use super::stats::QueueStats;
use super::store::Store;
use super::{AnyQueue, LifoQueue, PriorityQueue, Queue, sealed};
use crate::name::Name;

/// What all queues have besides.
macro_rules! queue {
    ($queue:ident, $store:ty $(, $bound:ident)?) => {
        impl<T $(: $bound)?> $queue<T> {
            /// Gives the queue a name for reports.
            #[must_use]
            pub const fn named(mut self, name: &'static str) -> Self {
                self.core.name.set_static(name);
                self
            }

            /// Gives the queue a name that is made at run time.
            #[must_use]
            pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
                self.core.name = Name::Dynamic(name.into().into_boxed_str());
                self
            }

            /// Whether it was shut down.
            pub fn is_shut_down(&self) -> bool {
                self.core.is_shut_down()
            }

            /// How many items are in it, at some moment not long ago.
            #[doc(alias = "qsize")]
            pub fn len(&self) -> usize {
                Store::<T>::len(&self.core.store)
            }

            /// Whether there are none. Another thread may put one before the caller acts on it.
            #[doc(alias = "empty")]
            pub fn is_empty(&self) -> bool {
                Store::<T>::is_empty(&self.core.store)
            }

            /// Whether there is no room, counting slots. Another thread may make some before the caller acts on
            /// it.
            #[doc(alias = "full")]
            pub fn is_full(&self) -> bool {
                self.core.is_full()
            }

            /// How many items there may be; `None` of an unbounded queue.
            #[doc(alias = "maxsize")]
            pub fn capacity(&self) -> Option<usize> {
                Store::<T>::capacity(&self.core.store)
            }

            /// How many items there are, who waits, and the like.
            #[doc(alias = "statistics")]
            pub fn stats(&self) -> QueueStats {
                self.core.stats()
            }
        }

        impl<T $(: $bound)?> sealed::Sealed for $queue<T> {}

        impl<T $(: $bound)?> AnyQueue<T> for $queue<T> {
            type Store = $store;

            #[inline(always)]
            fn core(&self) -> &Core<T, $store> {
                &self.core
            }
        }

        impl<T $(: $bound)?> fmt::Debug for $queue<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.core.describe(stringify!($queue), f)
            }
        }

        /// A panic with an item in hand leaves the queue whole.
        impl<T $(: $bound)?> UnwindSafe for $queue<T> {}
        impl<T $(: $bound)?> RefUnwindSafe for $queue<T> {}
    };
}

queue!(Queue, Fifo<T>);
queue!(LifoQueue, Stack);
queue!(PriorityQueue, Heap, Ord);

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Queue<u8>>();
    send_and_sync::<LifoQueue<u8>>();
    send_and_sync::<PriorityQueue<u8>>();
    send_and_sync::<Get<'static, u8>>();
    send_and_sync::<Put<'static, u8>>();
    send_and_sync::<PutMany<'static, u8>>();
    send_and_sync::<Slot<'static, u8>>();
    send_and_sync::<QueueStats>();
};
