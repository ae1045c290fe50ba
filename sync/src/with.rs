//! Locks lent to a closure: held while its future runs, and freed when that is ready or dropped.
//!
//! What `async with lock:` is elsewhere. A guard does the same, and more: it can be freed early, stored, and
//! handed on.
//!
//! Tests: `tests/tests/streams/withs.rs`.

use crate::error::Closed;
use crate::lock::Lock;
use crate::rwlock::RwLock;
use crate::semaphore::Semaphore;

impl<T: ?Sized> Lock<T> {
    /// Lends the data to `body`, under the lock, which is freed when this returns, or is dropped.
    ///
    /// # Cancel safety
    ///
    /// That of [`lock`](Self::lock), and then that of the body.
    ///
    /// # Generic callers
    ///
    /// A future that is generic in its body (`B: AsyncFnOnce(&mut T) -> R`) cannot be spawned, because the
    /// compiler cannot prove that it is `Send` for every lifetime of the reference. There, hold a guard.
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
    /// let names = tenter_sync::Lock::new(vec!["Ada"]);
    /// let count = names.with(async |names| {
    ///     names.push("Grace");
    ///     names.len()
    /// });
    /// assert_eq!(count.await, 2);
    /// # });
    /// ```
    #[doc(alias = "__aenter__")]
    pub async fn with<R>(&self, body: impl AsyncFnOnce(&mut T) -> R) -> R {
        let mut guard = self.lock().await;
        body(&mut guard).await
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Lends the data to `body` for reading, as [`Lock::with`] does.
    ///
    /// # Cancel safety
    ///
    /// That of [`read`](Self::read), and then that of the body.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
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
    /// let names = tenter_sync::RwLock::new(vec!["Ada"]);
    /// names.with_write(async |names| names.push("Grace")).await;
    /// assert_eq!(names.with_read(async |names| names.len()).await, 2);
    /// # });
    /// ```
    pub async fn with_read<R>(&self, body: impl AsyncFnOnce(&T) -> R) -> R {
        let guard = self.read().await;
        body(&guard).await
    }

    /// Lends the data to `body` for writing, as [`Lock::with`] does.
    ///
    /// # Cancel safety
    ///
    /// That of [`write`](Self::write), and then that of the body.
    pub async fn with_write<R>(&self, body: impl AsyncFnOnce(&mut T) -> R) -> R {
        let mut guard = self.write().await;
        body(&mut guard).await
    }
}

impl Semaphore {
    /// Runs `body` with one permit, which is given back when this returns, or is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the semaphore is closed before there is a permit. The body is not called then.
    ///
    /// # Cancel safety
    ///
    /// That of [`acquire`](Self::acquire), and then that of the body.
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
    /// let connections = tenter_sync::Semaphore::new(10);
    /// let left = connections.with(async || connections.available()).await?;
    /// assert_eq!((left, connections.available()), (9, 10));
    /// # Ok::<(), tenter_sync::Closed>(())
    /// # }).unwrap();
    /// ```
    pub async fn with<F: Future>(&self, body: impl FnOnce() -> F) -> Result<F::Output, Closed> {
        let _permit = self.acquire().await?;
        Ok(body().await)
    }
}
