//! What is done with, and when a queue ends.
//!
//! Tests: see the module above.

use crate::queue::error::TooMany;
use crate::queue::join::Join;
use crate::queue::{LifoQueue, PriorityQueue, Queue};

macro_rules! ending {
    ($queue:ident $(, $bound:ident)?) => {
        impl<T $(: $bound)?> $queue<T> {
            /// Says that one item that was taken out is done with. Call it once for each item that was taken
            /// out in another way than with [`next_job`](Self::next_job), whose jobs do it themselves.
            ///
            /// # Errors
            ///
            /// [`TooMany`] if no item is unfinished; nothing is counted then. Somewhere it is called twice for
            /// an item, or beside `next_job`.
            ///
            /// # Panics
            ///
            /// If the waker of a joiner panics, after all others have been woken. The item is counted then.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::unbounded();")]
            /// use tenter_sync::TooMany;
            ///
            /// queue.try_put("wash").unwrap();
            /// let item = queue.try_get().unwrap();
            /// assert_eq!((item, queue.stats().unfinished), ("wash", 1));
            /// assert_eq!(queue.task_done(), Ok(()));
            /// assert_eq!(queue.task_done(), Err(TooMany), "twice for one item");
            /// ```
            #[inline]
            pub fn task_done(&self) -> Result<(), TooMany> {
                self.core.task_done()
            }

            /// Waits until every item that was put is done with; at once if all are.
            ///
            /// Whoever waits when the count of unfinished items reaches zero is let go, even if an item is put
            /// before it runs. An item counts from the moment when it is in the queue, so one whose put still
            /// waits for room does not count. A shutdown lets nobody go; [`shutdown_now`](Self::shutdown_now)
            /// does, if all that had been taken out is done with.
            ///
            /// # Fairness
            ///
            /// All who wait go at once, and are woken in the order in which they began to wait.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future has no effect on anybody.
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
            /// queue.join().await; // nothing was put
            /// queue.put("wash").await?;
            /// let job = queue.next_job().await.expect("it is not shut down");
            /// assert_eq!(queue.stats().unfinished, 1);
            /// drop(job);
            /// queue.join().await;
            /// # Ok::<(), tenter_sync::ShutDown<&str>>(())
            /// # }).unwrap();
            /// ```
            #[inline]
            pub fn join(&self) -> Join<'_, T, Self> {
                Join::new(self)
            }

            /// Shuts the queue down: nothing goes in any more, and whoever waits to put gets its item back.
            /// What is in it can still be taken out; after that, getters get [`ShutDown`](crate::ShutDown).
            ///
            /// Shutting down again does nothing. Whoever waits in [`join`](Self::join) waits on, until what is in
            /// it is done with.
            ///
            /// # Panics
            ///
            /// If a waker panics, after all others have been woken. The queue is shut down then.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// use tenter_sync::{ShutDown, TryGetError};
            ///
            /// queue.try_put(1).unwrap();
            /// queue.shutdown();
            /// assert_eq!(queue.blocking_put(2), Err(ShutDown(2)));
            /// assert_eq!(queue.try_get(), Ok(1), "what is in it can be taken out");
            /// assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
            /// ```
            #[doc(alias = "close")]
            pub fn shutdown(&self) {
                self.core.shut_down();
            }

            /// Shuts the queue down and takes out what is in it, which counts as done with. Items that were
            /// taken out before still have to be.
            ///
            /// It is done in two steps: first the shutdown, which wakes all who wait, then the items. In
            /// between a getter may still take an item. One that a dropped getter leaves behind later can still
            /// be taken out, by a getter or by calling this again.
            ///
            /// # Panics
            ///
            /// If a waker panics, after all others have been woken. If that is in the first step the queue is
            /// shut down, and the items are still in it: call this again to have them. In the second, joiners are
            /// woken; if one of their wakers panics the items are dropped with the panic.
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
            /// assert_eq!(queue.shutdown_now(), ["wash"]);
            /// queue.join().await; // it counts as done with
            /// # Ok::<(), tenter_sync::ShutDown<&str>>(())
            /// # }).unwrap();
            /// ```
            #[doc(alias = "shutdown_immediate")]
            pub fn shutdown_now(&self) -> Vec<T> {
                self.core.shut_down_now()
            }
        }
    };
}

ending!(Queue);
ending!(LifoQueue);
ending!(PriorityQueue, Ord);
