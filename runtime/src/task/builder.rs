//! A task with a name.

use core::future::Future;
use core::panic::Location;
use std::sync::Arc;

use super::cell::Extras;
use super::join::JoinHandle;
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
pub struct Builder {
    name: Option<Arc<str>>,
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

    pub(crate) fn into_extras(self) -> Option<Box<Extras>> {
        let name = self.name?;
        Some(Box::new(Extras {
            name: Some(name),
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
        Handle::current_for("tenter::task::Builder::spawn").spawn_with(
            future,
            self.into_extras(),
            Location::caller(),
        )
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
        Handle::spawn_local_with(future, self.into_extras(), Location::caller())
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
        Handle::current_for("tenter::task::Builder::spawn_blocking").spawn_blocking_with(
            function,
            self.into_extras(),
            Location::caller(),
        )
    }
}
