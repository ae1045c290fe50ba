//! Children that say when they are ready.
//!
//! ```text
//!            ready: the value is sent             the child has failed, and the starter learns of it
//!  Waiting ──────────────────────────► Over   Waiting ──────────────────────────────────► Failed
//!     └── let go of, or the child has ended: the starter is told that it will never be ready
//! ```
//!
//! The starter waits for the value. It is told without one as soon as nobody can say ready any more: the
//! child has ended, whoever keeps its `Started`, or that was dropped.

use core::fmt;
use std::error::Error;
use std::sync::Arc;

use tenter_sync::oneshot;
use tenter_sync::shim::Mutex;

use super::error::{Failure, Panic};
use crate::task::{CancelKind, CancelReason, JoinHandle};

/// Who is told if a child fails: the one who starts it, until it is ready.
pub struct Starting<S, E>(Mutex<Phase<S, E>>);

enum Phase<S, E> {
    /// `None`: it will never be ready.
    Waiting(Option<oneshot::Sender<S>>),
    Failed(Failure<E>),
    /// Ready, or nobody waits for it any more.
    Over,
}

/// What a child knows of its start.
pub trait Starter<E>: Send + Sync {
    /// The child has failed. Given back if it is for the group.
    fn fail(&self, failure: Failure<E>) -> Result<(), Failure<E>>;
    /// The child will not be ready any more.
    fn close(&self);
}

/// What a [`Started`] knows of it.
trait Ready<S>: Send + Sync {
    /// The child is ready. The value comes back if nobody waits for it.
    fn ready(&self, value: S) -> Result<(), S>;
    /// It will not be ready any more.
    fn let_go(&self);
}

impl<S, E> Starting<S, E> {
    /// Somebody waits for the child to be ready.
    pub fn new(sender: oneshot::Sender<S>) -> Self {
        Self(Mutex::new(Phase::Waiting(Some(sender))))
    }

    /// Nobody waits any more. What the child failed with, if it did before it was ready.
    pub fn end(&self) -> Option<Failure<E>> {
        let old = core::mem::replace(&mut *self.0.lock(), Phase::Over);
        match old {
            Phase::Failed(failure) => Some(failure),
            Phase::Waiting(_) | Phase::Over => None,
        }
    }

    /// Why it was not, once that is certain: cancels the child, and waits for its end.
    pub async fn not_started<T>(&self, child: &mut JoinHandle<T>) -> StartError<E> {
        // The first request, if the child lives on without its `Started`.
        let ours = child.cancel_with(CancelReason::of(CancelKind::OwnerDropped));
        let ended = child.await.err();
        match (self.end(), ended) {
            (Some(Failure::Error { error, .. }), _) => StartError::Failed(error),
            (Some(Failure::Panic(panic)), _) => StartError::Panicked(panic),
            (_, Some(error)) if error.is_panic() => StartError::Panicked(Panic::joined(error)),
            (_, Some(error)) if error.is_cancelled() && !ours => {
                StartError::Cancelled(error.reason().cloned())
            }
            _ => StartError::NeverReady,
        }
    }

    fn never(&self) {
        let sender = match &mut *self.0.lock() {
            Phase::Waiting(sender) => sender.take(),
            Phase::Failed(_) | Phase::Over => None,
        };
        drop(sender);
    }
}

impl<S: Send, E: Send> Starter<E> for Starting<S, E> {
    fn fail(&self, failure: Failure<E>) -> Result<(), Failure<E>> {
        let mut phase = self.0.lock();
        if !matches!(*phase, Phase::Waiting(_)) {
            return Err(failure);
        }
        let old = core::mem::replace(&mut *phase, Phase::Failed(failure));
        drop(phase);
        drop(old);
        Ok(())
    }

    fn close(&self) {
        self.never();
    }
}

impl<S: Send, E: Send> Ready<S> for Starting<S, E> {
    fn ready(&self, value: S) -> Result<(), S> {
        let sender = {
            let mut phase = self.0.lock();
            match &mut *phase {
                Phase::Waiting(sender) => sender.take().inspect(|_| *phase = Phase::Over),
                Phase::Failed(_) | Phase::Over => None,
            }
        };
        match sender {
            Some(sender) => sender.send(value),
            None => Err(value),
        }
    }

    fn let_go(&self) {
        self.never();
    }
}

/// Given to a child that is started with [`TaskGroup::start`](crate::TaskGroup::start): says that it is
/// ready, once.
///
/// Whoever keeps it, the start fails as soon as the child has ended, or it is dropped: so the child's future
/// has to own it, `|started| async move { … started.ready(port) … }`.
#[must_use = "without `ready` the start fails"]
pub struct Started<S> {
    starting: Arc<dyn Ready<S>>,
}

impl<S> Started<S> {
    pub(crate) fn new<E>(starting: Arc<Starting<S, E>>) -> Self
    where
        S: Send + 'static,
        E: Send + 'static,
    {
        Self { starting }
    }

    /// The child is ready. From now on its failure is the group's.
    ///
    /// # Errors
    ///
    /// `value`, if nobody waits for it any more, or the child has ended.
    #[doc(alias = "started")]
    pub fn ready(self, value: S) -> Result<(), S> {
        self.starting.ready(value)
    }
}

impl<S> Drop for Started<S> {
    fn drop(&mut self) {
        self.starting.let_go();
    }
}

impl<S> fmt::Debug for Started<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

/// Why a child was not started. The group is not affected.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError<E> {
    /// It returned an `Err` before it was ready.
    Failed(E),
    /// It panicked before it was ready.
    Panicked(Panic),
    /// It ended, or let go of its [`Started`], without being ready.
    NeverReady,
    /// It was cancelled before it was ready, or the group had ended.
    Cancelled(Option<CancelReason>),
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Failed(error) => {
                f.write_str("failed before it was ready: ")?;
                error.fmt(f)
            }
            StartError::Panicked(panic) => {
                write!(f, "panicked before it was ready: {}", panic.message())
            }
            StartError::NeverReady => f.write_str("ended without calling Started::ready"),
            StartError::Cancelled(Some(reason)) => {
                write!(f, "was cancelled before it was ready: {reason}")
            }
            StartError::Cancelled(None) => f.write_str("was cancelled before it was ready"),
        }
    }
}

// As with the error of a group, the text says all.
impl<E: fmt::Debug + fmt::Display> Error for StartError<E> {}
