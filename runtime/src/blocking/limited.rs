//! Blocking jobs of which only so many run at a time: each borrows a token of a [`CapacityLimiter`] first.
//!
//! ```text
//!  spawn ──► a token is free ─────────────────────────► the pool ──► runs ──► the token goes back
//!     └────► none is: a task waits for one ──► has it ──► the pool
//!                                         └──► the runtime ends: the job is ended unrun
//! ```
//!
//! The job is a task from the beginning, so its handle is that of any job: cancelled before it runs, it never
//! does, and its handle says so when its turn comes. No thread is held while it waits, and the token goes
//! back when the function has returned, or is dropped, whatever became of the handle.
//!
//! Tests: `tests/tests/blocking/limiter.rs`.

use core::fmt;
use core::panic::Location;
use std::sync::Arc as StdArc;

use tenter_sync::current::without_task;
use tenter_sync::shim::Mutex;
use tenter_sync::{AlreadyBorrowing, CapacityLimiter, OwnedToken, Token};

use super::job;
use crate::handle::Handle;
use crate::task::cell::Extras;
use crate::task::{JoinHandle, Runnable};

/// A limiter that lives long enough for a blocking job: a static one, or one that is shared.
#[derive(Clone)]
pub struct JobLimiter(Which);

#[derive(Clone)]
enum Which {
    Fixed(&'static CapacityLimiter),
    Shared(StdArc<CapacityLimiter>),
}

impl From<&'static CapacityLimiter> for JobLimiter {
    fn from(limiter: &'static CapacityLimiter) -> Self {
        Self(Which::Fixed(limiter))
    }
}

impl From<StdArc<CapacityLimiter>> for JobLimiter {
    fn from(limiter: StdArc<CapacityLimiter>) -> Self {
        Self(Which::Shared(limiter))
    }
}

impl From<&StdArc<CapacityLimiter>> for JobLimiter {
    fn from(limiter: &StdArc<CapacityLimiter>) -> Self {
        Self(Which::Shared(StdArc::clone(limiter)))
    }
}

impl fmt::Debug for JobLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Which::Fixed(limiter) => limiter.fmt(f),
            Which::Shared(limiter) => limiter.fmt(f),
        }
    }
}

/// The right to run.
enum Pass {
    Fixed(#[expect(dead_code, reason = "gives the token back when it is dropped")] Token<'static>),
    Shared(#[expect(dead_code, reason = "gives the token back when it is dropped")] OwnedToken),
}

impl JobLimiter {
    /// A token that is free. For nobody in particular: a task may have many jobs.
    fn try_pass(&self) -> Option<Pass> {
        without_task(|| match &self.0 {
            Which::Fixed(limiter) => limiter.try_acquire().ok().map(Pass::Fixed),
            Which::Shared(limiter) => {
                let token = StdArc::clone(limiter).try_acquire_owned();
                token.ok().map(Pass::Shared)
            }
        })
    }

    /// A token, when it is this task's turn.
    async fn pass(self) -> Result<Pass, AlreadyBorrowing> {
        match self.0 {
            Which::Fixed(limiter) => limiter.acquire().await.map(Pass::Fixed),
            Which::Shared(limiter) => limiter.acquire_owned().await.map(Pass::Shared),
        }
    }
}

/// Where the token of a job is, from the time that it has one until its function is gone.
type Place = StdArc<Mutex<Option<Pass>>>;

/// Part of the job's function.
struct GiveBack(Place);

impl Drop for GiveBack {
    fn drop(&mut self) {
        let pass = self.0.lock().take();
        // It wakes the next one: not under the lock.
        drop(pass);
    }
}

/// A job that waits for its token.
struct Held {
    handle: Handle,
    job: Option<Runnable>,
    place: Place,
}

impl Held {
    async fn run(mut self, limiter: JobLimiter) {
        // Each job waits in a task of its own, which cannot have a token already.
        if let Ok(pass) = limiter.pass().await {
            *self.place.lock() = Some(pass);
            if let Some(job) = self.job.take() {
                self.handle.scheduler().blocking.submit(job);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            job::end(job);
        }
    }
}

/// [`Handle::spawn_blocking`] with a limiter.
pub fn spawn<F, R>(
    handle: &Handle,
    function: F,
    limiter: JobLimiter,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let place = Place::default();
    let give_back = GiveBack(StdArc::clone(&place));
    let function = move || {
        let _give_back = give_back;
        function()
    };
    let pool = &handle.scheduler().blocking;
    let (job, joined) = pool.prepare(function, handle.clone(), extras, spawned_at);
    if let Some(pass) = limiter.try_pass() {
        *place.lock() = Some(pass);
        pool.submit(job);
        return joined;
    }
    let held = Held {
        handle: handle.clone(),
        job: Some(job),
        place,
    };
    drop(handle.spawn_with(held.run(limiter), None, spawned_at));
    joined
}
