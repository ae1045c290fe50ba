//! Children that say when they are ready.

use core::fmt;
use std::error::Error;

use tenter_sync::oneshot;
use tenter_sync::shim::Mutex;

use super::error::{Failure, Panic};
use crate::task::CancelReason;

/// Who is told if a child fails: the one who starts it, until it is ready.
pub struct Starting<E>(Mutex<Phase<E>>);

enum Phase<E> {
    Waiting,
    Failed(Failure<E>),
    /// Ready, or nobody waits for it any more.
    Over,
}

impl<E> Starting<E> {
    /// Somebody waits for the child to be ready.
    pub fn new() -> Self {
        Self(Mutex::new(Phase::Waiting))
    }

    /// The child has failed. Given back if it is for the group.
    pub fn fail(&self, failure: Failure<E>) -> Result<(), Failure<E>> {
        let mut phase = self.0.lock();
        match *phase {
            Phase::Waiting => {
                *phase = Phase::Failed(failure);
                Ok(())
            }
            Phase::Failed(_) | Phase::Over => Err(failure),
        }
    }

    /// The child is ready, or nobody waits any more. What it failed with, if it did before.
    pub fn end(&self) -> Option<Failure<E>> {
        match core::mem::replace(&mut *self.0.lock(), Phase::Over) {
            Phase::Failed(failure) => Some(failure),
            Phase::Waiting | Phase::Over => None,
        }
    }
}

/// Given to a child that is started with [`TaskGroup::start`](crate::TaskGroup::start): says that it is
/// ready, once.
#[must_use = "without `ready` the start fails"]
pub struct Started<S> {
    sender: oneshot::Sender<S>,
    over: Box<dyn Fn() + Send>,
}

impl<S> Started<S> {
    pub(crate) fn new(sender: oneshot::Sender<S>, over: Box<dyn Fn() + Send>) -> Self {
        Self { sender, over }
    }

    /// The child is ready. From now on its failure is the group's.
    ///
    /// # Errors
    ///
    /// `value`, if nobody waits for it any more.
    #[doc(alias = "started")]
    pub fn ready(self, value: S) -> Result<(), S> {
        (self.over)();
        self.sender.send(value)
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
            StartError::Failed(error) => write!(f, "failed before it was ready: {error}"),
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

impl<E: Error + 'static> Error for StartError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::Failed(error) => Some(error),
            _ => None,
        }
    }
}
