//! An item that says by itself that it is done with.
//!
//! Tests: `sync/tests/queue_join.rs`, `sync/tests/queue_drops.rs`.

use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::get::Get;
use super::{AnyQueue, Queue};

/// Waits for an item to work on. See [`Queue::next_job`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct NextJob<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    get: Get<'a, T, Q>,
}

/// An item in work: when it is dropped, [`task_done`](Queue::task_done) is called for it, also by a
/// panic.
///
/// The item is dropped first, so whoever waits in [`join`](Queue::join) finds it gone. Do not call `task_done`
/// for it besides: that would be counted for an item of somebody else.
///
/// # Examples
///
/// ```
/// let queue = tenter_sync::Queue::unbounded();
/// queue.try_put(String::from("wash")).unwrap();
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = pin!(f);
/// #     loop {
/// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
/// #     }
/// # }
/// # block_on(async {
/// let job = queue.next_job().await.expect("it is not shut down");
/// assert_eq!(job.len(), 4);
/// assert_eq!(queue.stats().unfinished, 1);
/// drop(job);
/// assert_eq!(queue.stats().unfinished, 0);
/// # });
/// ```
#[must_use = "a job that is dropped is done"]
pub struct Job<'a, T, Q: AnyQueue<T> = Queue<T>> {
    value: T,
    done: Done<'a, T, Q>,
}

/// Dropped after the item, and also if the drop of the item panics.
struct Done<'a, T, Q: AnyQueue<T>> {
    queue: &'a Q,
    _items: core::marker::PhantomData<fn() -> T>,
}

impl<T, Q: AnyQueue<T>> Drop for Done<'_, T, Q> {
    fn drop(&mut self) {
        // `TooMany` means that somebody has called `task_done` for this item besides.
        let _ = self.queue.core().task_done();
    }
}

impl<'a, T, Q: AnyQueue<T>> NextJob<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            get: Get::new(queue),
        }
    }
}

impl<'a, T, Q: AnyQueue<T>> Future for NextJob<'a, T, Q> {
    type Output = Option<Job<'a, T, Q>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        // SAFETY: the inner future is pinned with this one: it is never moved out, and `NextJob` is not
        // `Unpin` because `Get` is not.
        let get = unsafe { self.map_unchecked_mut(|future| &mut future.get) };
        get.poll(cx).map(|item| match item {
            Ok(value) => Some(Job::new(queue, value)),
            Err(_) => None,
        })
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for NextJob<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextJob").field("get", &self.get).finish()
    }
}

impl<'a, T, Q: AnyQueue<T>> Job<'a, T, Q> {
    fn new(queue: &'a Q, value: T) -> Self {
        Self {
            value,
            done: Done {
                queue,
                _items: core::marker::PhantomData,
            },
        }
    }

    /// Takes the item out. It counts as done from now on.
    pub fn into_inner(self) -> T {
        let Self { value, done } = self;
        drop(done);
        value
    }
}

impl<T, Q: AnyQueue<T>> Deref for Job<'_, T, Q> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, Q: AnyQueue<T>> DerefMut for Job<'_, T, Q> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug, Q: AnyQueue<T>> fmt::Debug for Job<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.value).finish()
    }
}
