//! A task with a name, a context, or an early start.

use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use tenter_sync::shim::thread;

use super::cell::{Extras, Local};
use super::context::{Context, TaskContext};
use super::eager;
use super::join::JoinHandle;
use crate::blocking::limited::JobLimiter;
use crate::handle::Handle;

/// Settings of a task that is about to be spawned.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let task = tenter::task::Builder::new().name("reader").spawn(async { 1 });
///     assert_eq!(task.name().as_deref(), Some("reader"));
///     assert_eq!(task.await.expect("no panic"), 1);
/// });
/// ```
#[must_use = "a Builder does nothing until it spawns"]
#[derive(Clone, Debug, Default)]
#[doc(alias = "create_task")]
pub struct Builder {
    name: Option<Arc<str>>,
    context: Option<Context>,
    eager: bool,
    limiter: Option<JobLimiter>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that reports and errors give the task. It costs one more allocation.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The context that the task runs in, and shares with whoever else has it, instead of a copy of its
    /// spawner's. It costs one more allocation.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Whether the task is polled once before `spawn` or `spawn_local` returns, as
    /// [`spawn_eager`](crate::spawn_eager) does it. Jobs of `spawn_blocking` begin on their own thread in any
    /// case.
    #[doc(alias = "eager_start")]
    pub fn eager(mut self, eager: bool) -> Self {
        self.eager = eager;
        self
    }

    /// The limiter of [`spawn_blocking`](Self::spawn_blocking): the job waits until it may borrow a token,
    /// in line with all others, holds no thread while it waits, and gives the token back when its function
    /// has returned, whatever became of its handle. Tasks that are not blocking jobs pay no heed to it.
    ///
    /// In a single-threaded runtime, a job that has to wait gets its turn while some thread is in
    /// `block_on`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::sync::CapacityLimiter;
    /// use tenter::task::Builder;
    ///
    /// static DATABASE: CapacityLimiter = CapacityLimiter::new(4);
    ///
    /// tenter::run(async {
    ///     let row = Builder::new().limiter(&DATABASE).spawn_blocking(|| "a row");
    ///     assert_eq!(row.await.expect("no panic"), "a row");
    /// });
    /// ```
    pub fn limiter(mut self, limiter: impl Into<JobLimiter>) -> Self {
        self.limiter = Some(limiter.into());
        self
    }

    pub(crate) fn into_extras(self) -> Option<Box<Extras>> {
        if self.name.is_none() && self.context.is_none() {
            return None;
        }
        Some(Box::new(Extras {
            name: self.name,
            context: self.context.map(TaskContext::shared).unwrap_or_default(),
            ..Extras::default()
        }))
    }

    /// [`tenter::spawn`](crate::spawn) with these settings.
    ///
    /// # Panics
    ///
    /// Outside a runtime, as `spawn` does.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = Handle::current_for("tenter::task::Builder::spawn");
        let eager = self.eager;
        let (extras, at) = (self.into_extras(), Location::caller());
        if eager {
            eager::spawn_with(&handle, future, extras, at)
        } else {
            handle.spawn_with(future, extras, at)
        }
    }

    /// [`tenter::spawn_local`](crate::spawn_local) with these settings.
    ///
    /// # Panics
    ///
    /// Outside the thread that drives a runtime, as `spawn_local` does.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let eager = self.eager;
        let (extras, at) = (self.into_extras(), Location::caller());
        if !eager {
            return Handle::spawn_local_with(future, extras, at);
        }
        Handle::with_local_driving(at, |driving| {
            let owner = Local(thread::current_id());
            eager::spawn_here(driving, future, owner, extras, at)
        })
    }

    /// [`tenter::spawn_blocking`](crate::spawn_blocking) with these settings.
    ///
    /// # Panics
    ///
    /// Outside a runtime, as `spawn_blocking` does.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let mut this = self;
        let limiter = this.limiter.take();
        Handle::current_for("tenter::task::Builder::spawn_blocking").spawn_blocking_limited(
            function,
            limiter,
            this.into_extras(),
            Location::caller(),
        )
    }
}
