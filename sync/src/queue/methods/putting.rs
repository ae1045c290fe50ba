//! What puts items into all three queues.
//!
//! Tests: see the module above.

use std::collections::VecDeque;

use crate::block_on::block_on;
use crate::queue::error::{ShutDown, TryPutError, TryReserveError};
use crate::queue::put::{Put, PutMany};
use crate::queue::reserve::{Reserve, Slot};
use crate::queue::{LifoQueue, PriorityQueue, Queue};

macro_rules! putting {
    ($queue:ident $(, $bound:ident)?) => {
        impl<T $(: $bound)?> $queue<T> {
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
            /// # Panics
            ///
            /// If the waker of the getter that is served panics; the item is put then, and the next poll says
            /// so.
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
            #[doc(alias = "push")]
            #[inline]
            pub fn put(&self, value: T) -> Put<'_, T, Self> {
                Put::new(self, value)
            }

            /// Puts an item if there is room, and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryPutError`] with the item if not, or if the queue is shut down.
            ///
            /// # Panics
            ///
            /// If the waker of the getter that is served panics; the item is put then.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// use tenter_sync::TryPutError;
            ///
            /// assert_eq!(queue.try_put("wash"), Ok(()));
            /// assert_eq!(queue.try_put("dry"), Err(TryPutError::Full("dry")));
            /// ```
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
            /// Inside a task of tenter, which it would stop together with all other tasks of the thread. If a
            /// waker panics, as with [`put`](Self::put).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// std::thread::scope(|threads| {
            ///     threads.spawn(|| (0..3).try_for_each(|number| queue.blocking_put(number)));
            ///     let got = [(); 3].map(|()| queue.blocking_get().unwrap());
            ///     assert_eq!(got.iter().sum::<i32>(), 3);
            /// });
            /// ```
            #[track_caller]
            pub fn blocking_put(&self, value: T) -> Result<(), ShutDown<T>> {
                match self.core.try_put(value) {
                    Ok(()) => Ok(()),
                    Err(TryPutError::ShutDown(value)) => Err(ShutDown(value)),
                    Err(TryPutError::Full(value)) => block_on(self.put(value)),
                }
            }

            /// Puts items in their order, waiting for room as often as it takes.
            ///
            /// The iterator is read to its end at once, before the first poll. As many as there is room for go
            /// in together, which is cheaper than one `put` for each.
            ///
            /// # Fairness
            ///
            /// First come, first served, but for each item that has to wait anew: when it was let in, the
            /// next one lines up behind those who came meanwhile. So others may put theirs in between, and a
            /// long batch keeps nobody waiting for its end.
            ///
            /// # Cancel safety
            ///
            /// Those that are in stay in, and the rest is dropped. How many are in is not told; if that
            /// matters, put them one by one, or get places first, with [`reserve`](Self::reserve).
            ///
            /// # Errors
            ///
            /// [`ShutDown`] with what was not put, in its order.
            ///
            /// # Panics
            ///
            /// If the waker of a getter that is served panics, after all others have been woken. The items
            /// that are in stay in, and the next poll goes on with the rest.
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
            /// queue.put_many([1, 2, 3]).await?;
            /// assert_eq!(queue.len(), 3);
            ///
            /// queue.shutdown();
            /// let late = queue.put_many([4, 5]).await.unwrap_err();
            /// assert_eq!(late.into_inner(), [4, 5]);
            /// # Ok::<(), tenter_sync::ShutDown<Vec<i32>>>(())
            /// # }).unwrap();
            /// ```
            #[doc(alias = "send_all")]
            #[doc(alias = "extend")]
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
            /// let slot = queue.reserve().await?; // before the item is made, or taken from elsewhere
            /// assert!(queue.is_full() && queue.is_empty());
            /// slot.put("news").expect("nobody has shut it down");
            /// assert_eq!(queue.get().await, Ok("news"));
            /// # Ok::<(), tenter_sync::ShutDown>(())
            /// # }).unwrap();
            /// ```
            #[inline]
            pub fn reserve(&self) -> Reserve<'_, T, Self> {
                Reserve::new(self)
            }

            /// Gets a place for an item, if there is one and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryReserveError`] if not, or if the queue is shut down.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// use tenter_sync::TryReserveError;
            ///
            /// let slot = queue.try_reserve()?;
            /// assert_eq!(queue.try_reserve().err(), Some(TryReserveError::Full));
            /// drop(slot); // the place is free again
            /// queue.try_reserve()?.put("news").unwrap();
            /// # Ok::<(), TryReserveError>(())
            /// ```
            pub fn try_reserve(&self) -> Result<Slot<'_, T, Self>, TryReserveError> {
                self.core.try_reserve()?;
                Ok(Slot::new(self))
            }
        }
    };
}

putting!(Queue);
putting!(LifoQueue);
putting!(PriorityQueue, Ord);
