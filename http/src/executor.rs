//! [`TenterExecutor`]: hyper's tasks on a runtime of tenter.

use std::future::Future;

use hyper::rt::Executor;
use tenter::Handle;

/// Spawns hyper's tasks on one runtime.
///
/// It keeps a handle to the runtime, so a client that holds it may be used from any thread. When
/// the runtime has shut down, what is spawned is dropped unpolled.
#[derive(Clone, Debug)]
pub struct TenterExecutor {
    handle: Handle,
}

impl TenterExecutor {
    /// An executor for the runtime that runs the caller.
    ///
    /// # Panics
    ///
    /// If no runtime does. There use [`TenterExecutor::new`] with a handle.
    #[track_caller]
    pub fn current() -> TenterExecutor {
        TenterExecutor {
            handle: Handle::current(),
        }
    }

    /// An executor for the runtime of `handle`.
    pub fn new(handle: Handle) -> TenterExecutor {
        TenterExecutor { handle }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<F> Executor<F> for TenterExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // Dropping the handle detaches the task; hyper has its own channels to learn the result.
        drop(self.handle.spawn(future));
    }
}
