//! What a blocking job may ask of the runtime that it is a job of.
//!
//! ```text
//!  job ── run(future) ──────► a task of the runtime ──► its output, or why there is none
//!   └──── check_cancelled ──► was the job cancelled, or does its runtime end?
//! ```
//!
//! A job is not interrupted by a cancellation: it runs to its end, and its output stands. With
//! [`check_cancelled`] one that takes long finds out that nobody wants it any more.
//!
//! Tests: `tests/tests/from_thread.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;

use crate::blocking::job;
use crate::handle::Handle;
use crate::nested;
use crate::task::{CancelKind, CancelReason, JoinError};

/// Why a blocking job did not get what it asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromThreadError {
    /// The call came from a thread that runs no blocking job.
    NotInJob(NotInJob),
    /// The job was cancelled, or its runtime ends.
    Cancelled(CancelReason),
    /// The task that ran the future panicked or was cancelled.
    Failed(JoinError),
}

impl FromThreadError {
    /// Whether the job was cancelled, or its runtime ends.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, FromThreadError::Cancelled(_))
    }
}

impl fmt::Display for FromThreadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromThreadError::NotInJob(error) => error.fmt(f),
            FromThreadError::Cancelled(reason) => {
                write!(f, "the blocking job was cancelled: {reason}")
            }
            FromThreadError::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FromThreadError {}

/// A function of [`from_thread`](self) was called on a thread that runs no blocking job. `Display` says what
/// to do.
#[derive(Clone, Copy, Debug)]
pub struct NotInJob {
    what: &'static str,
    at: &'static Location<'static>,
}

impl fmt::Display for NotInJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} was called at {} outside a blocking job. Call it in a function that was given to \
             tenter::spawn_blocking; on other threads use a tenter::Handle",
            self.what, self.at
        )
    }
}

impl std::error::Error for NotInJob {}

/// Runs a future as a task of the runtime, in the context of the blocking job that calls this, and waits for
/// it. Another thread may stand in for the job's meanwhile.
///
/// # Cancel safety
///
/// Cancelling the job, once it has begun, cancels nothing that is in progress: the next
/// [`check_cancelled`] or `run` says so.
///
/// # Errors
///
/// [`FromThreadError`]: outside a job; if the job was cancelled before the call, or the runtime ends, in which
/// case the future is dropped unpolled; and if the task panicked or was cancelled.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let sum = tenter::spawn_blocking(|| {
///     // Code that blocks, and in the middle of it something async.
///     let part = tenter::from_thread::run(async { tenter::task::yield_now().await; 40 });
///     part.map(|part| part + 2)
/// });
/// assert_eq!(sum.await.expect("no panic").expect("not cancelled"), 42);
/// # });
/// ```
#[track_caller]
#[doc(alias = "run_coroutine_threadsafe")]
pub fn run<F>(future: F) -> Result<F::Output, FromThreadError>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let at = Location::caller();
    let handle = check("tenter::from_thread::run", at)?;
    let task = handle.spawn_with(future, None, at).cancel_on_drop();
    match nested::block(at, "tenter::from_thread::run", task) {
        Ok(ended) => ended.map_err(FromThreadError::Failed),
        // Only if the job itself drives a runtime, and calls this inside it.
        Err(nested) => panic!("{nested}"),
    }
}

/// Whether the blocking job that calls this is still wanted.
///
/// # Errors
///
/// [`FromThreadError::Cancelled`], if its handle or an owner cancelled it, or its runtime is ending;
/// [`FromThreadError::NotInJob`] on a thread that runs no job.
///
/// # Examples
///
/// ```
/// use tenter::from_thread::{FromThreadError, check_cancelled};
///
/// fn sum(numbers: &[u64]) -> Result<u64, FromThreadError> {
///     let mut sum = 0;
///     for chunk in numbers.chunks(1_000) {
///         check_cancelled()?;
///         sum += chunk.iter().sum::<u64>();
///     }
///     Ok(sum)
/// }
///
/// # tenter::run(async {
/// let job = tenter::spawn_blocking(|| sum(&[1; 10_000]));
/// assert_eq!(job.await.expect("no panic").expect("not cancelled"), 10_000);
/// # });
/// ```
#[track_caller]
pub fn check_cancelled() -> Result<(), FromThreadError> {
    check("tenter::from_thread::check_cancelled", Location::caller()).map(drop)
}

/// The runtime of the job on this thread, if it is still wanted.
fn check(what: &'static str, at: &'static Location<'static>) -> Result<Handle, FromThreadError> {
    let asked = job::with_current(|job| {
        if !job.state.load().is_cancelled() {
            return None;
        }
        // The reason is in its place before the request can be seen.
        job.extras().and_then(|extras| extras.reason.lock().clone())
    });
    // A job is in its runtime, unless it entered another one.
    let handle = Handle::try_current();
    match (asked, handle) {
        (Some(Some(reason)), _) => Err(FromThreadError::Cancelled(reason)),
        (Some(None), Ok(handle)) if handle.scheduler().is_ending() => {
            let reason = CancelReason::of(CancelKind::Shutdown);
            Err(FromThreadError::Cancelled(reason))
        }
        (Some(None), Ok(handle)) => Ok(handle),
        (None, _) | (_, Err(_)) => Err(FromThreadError::NotInJob(NotInJob { what, at })),
    }
}
