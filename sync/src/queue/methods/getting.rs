//! What takes items out of all three queues.
//!
//! Tests: see the module above.

use crate::block_on::block_on;
use crate::queue::error::{ShutDown, TryGetError};
use crate::queue::get::{Get, GetMany};
use crate::queue::job::NextJob;
use crate::queue::stream::Items;
use crate::queue::{LifoQueue, PriorityQueue, Queue};

macro_rules! getting {
    ($queue:ident $(, $bound:ident)?) => {
        impl<T $(: $bound)?> $queue<T> {
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
            ///
            /// # Panics
            ///
            /// If the waker of a putter that is let in panics; the item is the future's then, and the next poll
            /// returns it, or the drop gives it back.
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
            /// queue.put("news").await?;
            /// assert_eq!(queue.get().await, Ok("news"));
            /// queue.shutdown();
            /// assert_eq!(queue.get().await, Err(tenter_sync::ShutDown(())));
            /// # Ok::<(), tenter_sync::ShutDown<&str>>(())
            /// # }).unwrap();
            /// ```
            #[doc(alias = "recv")]
            #[doc(alias = "pop")]
            #[inline]
            pub fn get(&self) -> Get<'_, T, Self> {
                Get::new(self)
            }

            /// Takes the next item out, if there is one and nobody waits for it.
            ///
            /// # Errors
            ///
            /// [`TryGetError`] if not; it says whether the queue is shut down.
            ///
            /// # Panics
            ///
            /// If the waker of a putter that is let in panics; the item is where it was then.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::bounded(1);")]
            /// use tenter_sync::TryGetError;
            ///
            /// assert_eq!(queue.try_get(), Err(TryGetError::Empty));
            /// queue.try_put("news").unwrap();
            /// assert_eq!(queue.try_get(), Ok("news"));
            /// queue.shutdown();
            /// assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
            /// ```
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
            /// Inside a task of tenter, which it would stop together with all other tasks of the thread. If a
            /// waker panics, as with [`get`](Self::get).
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::unbounded();")]
            /// std::thread::scope(|threads| {
            ///     let getter = threads.spawn(|| queue.blocking_get());
            ///     queue.blocking_put("news").unwrap();
            ///     assert_eq!(getter.join().unwrap(), Ok("news"));
            /// });
            /// ```
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
            /// # Fairness
            ///
            /// First come, first served. It takes what is there when its turn comes, and does not wait for
            /// more; nor does it take more than the first as long as others wait for an item.
            ///
            /// # Cancel safety
            ///
            /// As of [`get`](Self::get): nothing is in `into` before the future completes.
            ///
            /// # Errors
            ///
            /// [`ShutDown`] if the queue is shut down and empty, before or while waiting.
            ///
            /// # Panics
            ///
            /// If the waker of a putter that is let in panics; what was taken is in `into` then, or still in the
            /// future, as with [`get`](Self::get).
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
            /// let mut batch = Vec::with_capacity(16); // may be used again, so that nothing is allocated
            /// assert_eq!(queue.get_many(&mut batch, 16).await, Ok(3));
            /// assert_eq!(batch.len(), 3);
            /// # Ok::<(), tenter_sync::ShutDown<Vec<i32>>>(())
            /// # }).unwrap();
            /// ```
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
            /// Do not call [`task_done`](Self::task_done) for it besides.
            ///
            /// # Fairness and cancel safety
            ///
            /// As of [`get`](Self::get). An item that was handed to a future which is dropped is still to be
            /// done.
            ///
            /// # Panics
            ///
            /// As [`get`](Self::get). The drop of the job panics if the waker of a joiner does; the item is done
            /// with then, and all other joiners have been woken.
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
            /// Each item is waited for in the same line as with [`get`](Self::get), and what is said there of
            /// fairness and of wakers that panic holds here.
            ///
            /// # Cancel safety
            ///
            /// An item that was handed to a stream which is then dropped goes to the next who waits, or back to
            /// where it was. The stream allocates once, if it has to wait.
            ///
            /// # Examples
            ///
            /// ```
            /// use futures_core::Stream; // most use the `next` of an extension trait
            /// use std::future::poll_fn;
            /// use std::pin::Pin;
            /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
            /// # fn block_on<F: Future>(f: F) -> F::Output {
            /// #     let mut f = pin!(f);
            /// #     loop {
            /// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
            /// #     }
            /// # }
            /// # block_on(async {
            #[doc = concat!("let queue = tenter_sync::", stringify!($queue), "::unbounded();")]
            /// queue.put(1).await?;
            /// queue.shutdown();
            /// let mut items = queue.stream();
            /// assert_eq!(poll_fn(|cx| Pin::new(&mut items).poll_next(cx)).await, Some(1));
            /// assert_eq!(poll_fn(|cx| Pin::new(&mut items).poll_next(cx)).await, None);
            /// # Ok::<(), tenter_sync::ShutDown<i32>>(())
            /// # }).unwrap();
            /// ```
            #[doc(alias = "iter")]
            pub fn stream(&self) -> Items<'_, T, Self> {
                Items::new(self)
            }
        }
    };
}

getting!(Queue);
getting!(LifoQueue);
getting!(PriorityQueue, Ord);
