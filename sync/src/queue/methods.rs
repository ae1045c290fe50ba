//! The methods that all three queues have, written once.
//!
//! Tests: see the module above.

use core::fmt;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::core::Core;
use super::error::{ShutDown, TooMany, TryGetError, TryPutError, TryReserveError};
use super::fifo::Fifo;
use super::get::{Get, GetMany};
use super::heap::Heap;
use super::job::NextJob;
use super::join::Join;
use super::put::{Put, PutMany};
use super::reserve::{Reserve, Slot};
use super::stack::Stack;
use super::stats::QueueStats;
use super::store::Store;
use super::stream::Items;
use super::{AnyQueue, LifoQueue, PriorityQueue, Queue, sealed};
use crate::block_on::block_on;
use crate::name::Name;

/// The methods that all queues have.
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

            /// Puts an item, waiting for room if there is none.
            ///
            /// If there is room and nobody waits for it, it is put in the first poll.
            ///
            /// # Fairness
            ///
            /// First come, first served, counted from the first poll.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future leaves the line, and drops the item with it. But the place of one who
            /// waits may have come between the last poll and the drop: then the item is in the queue. It is
            /// never lost, and never there twice. If the item must not be dropped, get a place first, with
            /// [`reserve`](Self::reserve).
            ///
            /// # Errors
            ///
            /// [`ShutDown`] with the item if the queue is shut down, before or while waiting.
            ///
            /// # Examples
            ///
            /// ```
            /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
            /// # fn block_on<F: Future>(f: F) -> F::Output {
            /// #     let mut f = pin!(f);
            /// #     loop {
            /// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
            /// #     }
            /// # }
            /// # block_on(async {
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// queue.put(1).await?;
            /// assert!(queue.is_full());
            /// assert_eq!(queue.get().await, Ok(1));
            /// # Ok::<(), tenter_sync::ShutDown<i32>>(())
            /// # }).unwrap();
            /// ```
            #[doc(alias = "send")]
            #[inline]
            pub fn put(&self, value: T) -> Put<'_, T, Self> {
                Put::new(self, value)
            }

            /// Puts an item if there is room, and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryPutError`] with the item if not, or if the queue is shut down.
            #[doc(alias = "put_nowait")]
            #[doc(alias = "try_send")]
            #[inline]
            pub fn try_put(&self, value: T) -> Result<(), TryPutError<T>> {
                self.core.try_put(value)
            }

            /// Puts an item, parking the calling thread until there is room. It waits in the same line as the
            /// tasks.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] with the item if the queue is shut down, before or while waiting.
            ///
            /// # Panics
            ///
            /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
            #[track_caller]
            pub fn blocking_put(&self, value: T) -> Result<(), ShutDown<T>> {
                match self.core.try_put(value) {
                    Ok(()) => Ok(()),
                    Err(TryPutError::ShutDown(value)) => Err(ShutDown(value)),
                    Err(TryPutError::Full(value)) => block_on(self.put(value)),
                }
            }

            /// Puts items in their order, waiting for room as often as it takes. Others may put theirs in
            /// between.
            ///
            /// # Cancel safety
            ///
            /// Those that are in stay in, and the rest is dropped.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] with what was not put, in its order.
            pub fn put_many(&self, items: impl IntoIterator<Item = T>) -> PutMany<'_, T, Self> {
                PutMany::new(self, items.into_iter().collect::<VecDeque<_>>())
            }

            /// Gets a place for an item that may not exist yet, waiting for it if there is none.
            ///
            /// The place counts as an item. As long as slots are out every operation of the queue takes a
            /// lock; one that is leaked is never given back.
            ///
            /// # Fairness
            ///
            /// First come, first served, in one line with those who put.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future leaves the line. A place already kept for it goes to the next.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] if the queue is shut down, before or while waiting.
            #[inline]
            pub fn reserve(&self) -> Reserve<'_, T, Self> {
                Reserve::new(self)
            }

            /// Gets a place for an item, if there is one and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryReserveError`] if not, or if the queue is shut down.
            pub fn try_reserve(&self) -> Result<Slot<'_, T, Self>, TryReserveError> {
                self.core.try_reserve()?;
                Ok(Slot::new(self))
            }

            /// Takes the next item out, waiting for it if there is none.
            ///
            /// # Fairness
            ///
            /// First come, first served, counted from the first poll.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future leaves the line. An item already handed to it goes to the next who waits, or
            /// back to where it was.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] if the queue is shut down and empty, before or while waiting.
            #[doc(alias = "recv")]
            #[inline]
            pub fn get(&self) -> Get<'_, T, Self> {
                Get::new(self)
            }

            /// Takes the next item out, if there is one and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryGetError`] if not; it says whether the queue is shut down.
            #[doc(alias = "get_nowait")]
            #[doc(alias = "try_recv")]
            #[inline]
            pub fn try_get(&self) -> Result<T, TryGetError> {
                self.core.try_get()
            }

            /// Takes the next item out, parking the calling thread until there is one. It waits in the same
            /// line as the tasks.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] if the queue is shut down and empty, before or while waiting.
            ///
            /// # Panics
            ///
            /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
            #[track_caller]
            pub fn blocking_get(&self) -> Result<T, ShutDown> {
                match self.core.try_get() {
                    Ok(item) => Ok(item),
                    Err(TryGetError::ShutDown) => Err(ShutDown(())),
                    Err(TryGetError::Empty) => block_on(self.get()),
                }
            }

            /// Waits until there is an item, and then takes up to `max` onto the end of `into`. Returns how
            /// many: at least one, unless `max` is 0.
            ///
            /// # Cancel safety
            ///
            /// As of [`get`](Self::get): nothing is in `into` before the future completes.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] if the queue is shut down and empty, before or while waiting.
            #[doc(alias = "recv_many")]
            #[inline]
            pub fn get_many<'a>(
                &'a self,
                into: &'a mut Vec<T>,
                max: usize,
            ) -> GetMany<'a, T, Self> {
                GetMany::new(self, into, max)
            }

            /// Waits for an item to work on; `None` when the queue is shut down and empty. When the job is
            /// dropped, the item is done with.
            ///
            /// # Cancel safety
            ///
            /// As of [`get`](Self::get).
            ///
            /// # Examples
            ///
            /// ```
            /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
            /// # fn block_on<F: Future>(f: F) -> F::Output {
            /// #     let mut f = pin!(f);
            /// #     loop {
            /// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
            /// #     }
            /// # }
            /// # block_on(async {
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::unbounded();")]
            /// queue.put("wash").await?;
            /// queue.shutdown();
            /// while let Some(job) = queue.next_job().await {
            ///     assert_eq!(*job, "wash");
            /// }
            /// queue.join().await;
            /// # Ok::<(), tenter_sync::ShutDown<&str>>(())
            /// # }).unwrap();
            /// ```
            #[inline]
            pub fn next_job(&self) -> NextJob<'_, T, Self> {
                NextJob::new(self)
            }

            /// The items as a stream, which ends when the queue is shut down and empty.
            ///
            /// # Cancel safety
            ///
            /// An item that was handed to a stream which is then dropped goes to the next who waits, or back to
            /// where it was. The stream allocates once, if it has to wait.
            #[doc(alias = "iter")]
            pub fn stream(&self) -> Items<'_, T, Self> {
                Items::new(self)
            }

            /// Says that one item that was taken out is done with. Whoever uses [`next_job`](Self::next_job)
            /// need not.
            ///
            /// # Errors
            ///
            /// [`TooMany`] if no item is unfinished; nothing is counted then.
            #[inline]
            pub fn task_done(&self) -> Result<(), TooMany> {
                self.core.task_done()
            }

            /// Waits until every item that was put is done with; at once if all are.
            ///
            /// Whoever waits when the count of unfinished items reaches zero is let go, even if an item is put
            /// before it runs.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future has no effect on anybody.
            #[inline]
            pub fn join(&self) -> Join<'_, T, Self> {
                Join::new(self)
            }

            /// Shuts the queue down: nothing goes in any more, and whoever waits to put gets its item back.
            /// What is in it can still be taken out; after that, getters get [`ShutDown`].
            ///
            /// Shutting down again does nothing.
            #[doc(alias = "close")]
            pub fn shutdown(&self) {
                self.core.shut_down();
            }

            /// Shuts the queue down and takes out what is in it, which counts as done with. Items that were
            /// taken out before still have to be.
            ///
            /// An item that a dropped getter leaves behind later can still be taken out.
            #[doc(alias = "shutdown_immediate")]
            pub fn shutdown_now(&self) -> Vec<T> {
                self.core.shut_down_now()
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
