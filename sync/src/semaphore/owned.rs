//! The forms of taking permits that keep the semaphore alive, or park the calling thread.

use std::sync::Arc;

use super::{AcquireOwned, OwnedPermit, Permit, Semaphore};
use crate::block_on::block_on;
use crate::error::{Closed, TryAcquireError};

impl Semaphore {
    /// Takes one permit that keeps the semaphore alive. See [`acquire`](Self::acquire) for fairness and
    /// cancel safety.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before or while waiting.
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
    /// use std::sync::Arc;
    ///
    /// # block_on(async {
    /// let permit = Arc::new(tenter_sync::Semaphore::new(1)).acquire_owned().await?;
    /// let user = std::thread::spawn(move || permit.count()); // goes anywhere
    /// assert_eq!(user.join().unwrap(), 1);
    /// # Ok::<(), tenter_sync::Closed>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn acquire_owned(self: Arc<Self>) -> AcquireOwned {
        AcquireOwned::new(self, 1)
    }

    /// Takes `count` permits that keep the semaphore alive. See
    /// [`acquire_many`](Self::acquire_many) for fairness and cancel safety.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before or while waiting.
    ///
    /// # Panics
    ///
    /// If the semaphore could never have that many.
    #[track_caller]
    #[inline]
    pub fn acquire_many_owned(self: Arc<Self>, count: usize) -> AcquireOwned {
        self.assert_possible(count);
        AcquireOwned::new(self, count)
    }

    /// Takes one permit that keeps the semaphore alive, if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if not, or if the semaphore is closed.
    #[inline]
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes `count` permits that keep the semaphore alive, if so many are free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if not, or if the semaphore is closed.
    #[inline]
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.take(count)?;
        Ok(OwnedPermit::new(self, count))
    }

    /// Takes one permit, parking the calling thread until it gets one. It waits in the same line
    /// as the tasks.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before or while waiting.
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<Permit<'_>, Closed> {
        block_on(self.acquire())
    }

    /// Takes `count` permits, parking the calling thread until it gets them.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before or while waiting.
    ///
    /// # Panics
    ///
    /// If the semaphore could never have that many; and inside a task of tenter.
    #[track_caller]
    pub fn blocking_acquire_many(&self, count: usize) -> Result<Permit<'_>, Closed> {
        block_on(self.acquire_many(count))
    }

    /// Takes one permit that keeps the semaphore alive, parking the calling thread until it gets one.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before or while waiting.
    ///
    /// # Panics
    ///
    /// Inside a task of tenter.
    #[track_caller]
    pub fn blocking_acquire_owned(self: Arc<Self>) -> Result<OwnedPermit, Closed> {
        block_on(self.acquire_owned())
    }
}
