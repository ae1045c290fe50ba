//! Waiting for several tasks without owning how they end: nothing is cancelled, nothing raised.
//!
//! ```text
//!  handles ──first poll──► each registers once with the tally ──enough have ended──► one wake, sorted
//!                                    │                                                    ▲
//!                                    └──────────── the timeout passes ────────────────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `until.rs` | when a wait ends |
//! | `tally.rs` | who has ended so far: shared with the wakers that the tasks have |
//! | `waited.rs` | what a wait returns |
//!
//! Cost: one registration and one wake for each task, whatever is waited for, and one poll of the waiting
//! task for each time that the answer may have changed: once for all, once for the first, once for each that
//! ends while the first failure is waited for.
//!
//! Tests: `tests/tests/wait.rs`.

use core::borrow::BorrowMut;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use tenter_sync::budget;
use tenter_timer::{Sleep, sleep};

use crate::task::{JoinError, JoinHandle};

mod tally;
mod until;
mod waited;

use self::tally::{Goal, Tally};
pub use self::until::Until;
pub use self::waited::{Waited, WaitedMut};

/// Waits until so many of these tasks have ended, and gives their handles back.
///
/// No task is cancelled, and no failure raised: whether a task has failed, its handle says when it is awaited,
/// which takes no time then. Without any handle it is ready at once.
///
/// # Cancel safety
///
/// Dropping the future detaches the tasks, which run on. [`wait_mut`] keeps the handles.
///
/// # Examples
///
/// ```
/// use tenter::{Until, spawn, time::{Duration, sleep}, wait};
///
/// tenter::run(async {
///     let task = |millis| spawn(async move { sleep(Duration::from_millis(millis)).await; millis });
///     let waited = wait([task(3_600_000), task(1)], Until::first_completed()).await;
///     for handle in waited.done {
///         assert_eq!(handle.await.expect("no panic"), 1);
///     }
///     assert_eq!(waited.pending.len(), 1);
///     assert!(!waited.timed_out);
/// });
/// ```
pub fn wait<T>(handles: impl IntoIterator<Item = JoinHandle<T>>, until: Until) -> Wait<T> {
    Wait(Waiting::new(handles.into_iter().collect(), until))
}

/// [`wait`] on handles that the caller keeps: those of the tasks that have ended are taken out of `handles`
/// and returned, the others stay there, in order.
///
/// # Cancel safety
///
/// Dropping the future leaves all handles where they are.
///
/// # Examples
///
/// ```
/// use tenter::{Until, spawn, task::yield_now, wait_mut};
///
/// tenter::run(async {
///     let mut tasks: Vec<_> = (0..10_u64)
///         .map(|number| spawn(async move { yield_now().await; number }))
///         .collect();
///     let mut sum = 0;
///     while !tasks.is_empty() {
///         for handle in wait_mut(&mut tasks, Until::first_completed()).await.done {
///             sum += handle.await.expect("no panic");
///         }
///     }
///     assert_eq!(sum, 45);
/// });
/// ```
pub fn wait_mut<T>(handles: &mut Vec<JoinHandle<T>>, until: Until) -> WaitMut<'_, T> {
    WaitMut(Waiting::new(handles, until))
}

/// The future of [`wait`].
#[must_use = "futures do nothing unless you `.await` or poll them, and the handles are lost"]
pub struct Wait<T>(Waiting<T, Vec<JoinHandle<T>>>);

impl<T> Wait<T> {
    /// Outputs that count as failures for [`Until::first_failed`], beside panics: usually
    /// `Result::is_err`.
    pub fn failed_if(mut self, failed: fn(&T) -> bool) -> Self {
        self.0.failed_if = Some(failed);
        self
    }
}

impl<T> Future for Wait<T> {
    type Output = Waited<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<T>> {
        let waiting = &mut self.get_mut().0;
        let timed_out = core::task::ready!(waiting.poll(cx));
        let handles = core::mem::take(&mut waiting.handles);
        let (done, pending) = handles.into_iter().partition(JoinHandle::is_finished);
        Poll::Ready(Waited {
            done,
            pending,
            timed_out,
        })
    }
}

/// The future of [`wait_mut`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitMut<'a, T>(Waiting<T, &'a mut Vec<JoinHandle<T>>>);

impl<T> WaitMut<'_, T> {
    /// Outputs that count as failures for [`Until::first_failed`], beside panics: usually
    /// `Result::is_err`.
    pub fn failed_if(mut self, failed: fn(&T) -> bool) -> Self {
        self.0.failed_if = Some(failed);
        self
    }
}

impl<T> Future for WaitMut<'_, T> {
    type Output = WaitedMut<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WaitedMut<T>> {
        let waiting = &mut self.get_mut().0;
        let timed_out = core::task::ready!(waiting.poll(cx));
        let handles = core::mem::take(waiting.handles);
        let (done, pending) = handles.into_iter().partition(JoinHandle::is_finished);
        *waiting.handles = pending;
        Poll::Ready(WaitedMut { done, timed_out })
    }
}

/// What both futures are, apart from what they return.
struct Waiting<T, H> {
    handles: H,
    until: Until,
    failed_if: Option<fn(&T) -> bool>,
    begun: Option<Begun>,
    ended: bool,
}

/// What is there since the first poll.
struct Begun {
    tally: Arc<Tally>,
    timeout: Option<Pin<Box<Sleep>>>,
    /// All handles before this one are of tasks that have ended.
    awaited: usize,
}

impl<T, H: BorrowMut<Vec<JoinHandle<T>>>> Waiting<T, H> {
    fn new(handles: H, until: Until) -> Self {
        Self {
            handles,
            until,
            failed_if: None,
            begun: None,
            ended: false,
        }
    }

    /// True: the time was up first.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        assert!(!self.ended, "a wait was polled after it was ready");
        if self.begun.is_none() {
            self.begun = Some(self.begin());
        }
        let handles: &mut Vec<JoinHandle<T>> = self.handles.borrow_mut();
        let Some(begun) = self.begun.as_mut() else {
            unreachable!("begun above")
        };
        begun.tally.listen(cx.waker());
        let mut enough = begun.tally.is_reached();
        for index in begun.tally.take_ended() {
            enough |= has_failed(&mut handles[index], self.failed_if);
        }
        let mut timed_out = false;
        if let Some(timeout) = begun.timeout.as_mut().filter(|_| !enough) {
            timed_out = timeout.as_mut().poll(cx).is_ready();
        }
        if !enough && !timed_out {
            begun.note_what_is_awaited(handles);
            return Poll::Pending;
        }
        // What has ended stays so: nothing is lost if the budget is spent.
        core::task::ready!(budget::poll_spend(cx));
        self.ended = true;
        self.begun = None;
        Poll::Ready(timed_out)
    }

    fn begin(&mut self) -> Begun {
        let handles: &mut Vec<JoinHandle<T>> = self.handles.borrow_mut();
        let goal = match (handles.len(), self.until.goal) {
            (0, _) => Goal::Ended(0),
            (all, until::Kind::All) => Goal::Ended(all),
            (_, until::Kind::FirstCompleted) => Goal::Ended(1),
            (all, until::Kind::FirstFailed) => Goal::Each(all),
        };
        let tally = Arc::new(Tally::new(goal));
        tally::register(&tally, handles);
        Begun {
            tally,
            timeout: self.until.timeout.map(|timeout| Box::pin(sleep(timeout))),
            awaited: 0,
        }
    }
}

impl Begun {
    /// For reports: the first of the tasks that have not ended.
    fn note_what_is_awaited<T>(&mut self, handles: &[JoinHandle<T>]) {
        while let Some(handle) = handles.get(self.awaited) {
            if !handle.is_finished() {
                handle.note_wait();
                return;
            }
            self.awaited += 1;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Handles that stay with the caller may still have the wakers.
        self.tally.forget();
    }
}

/// Whether a task that has ended counts as failed: it panicked, or its output is one that does.
fn has_failed<T>(handle: &mut JoinHandle<T>, failed_if: Option<fn(&T) -> bool>) -> bool {
    match handle.outcome() {
        None => false,
        Some(Err(error)) => JoinError::is_panic(error),
        Some(Ok(output)) => failed_if.is_some_and(|failed| failed(output)),
    }
}

fn debug<T>(
    name: &str,
    handles: &[JoinHandle<T>],
    until: &Until,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let ended = handles.iter().filter(|handle| handle.is_finished()).count();
    f.debug_struct(name)
        .field("tasks", &handles.len())
        .field("ended", &ended)
        .field("until", until)
        .finish()
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug("Wait", &self.0.handles, &self.0.until, f)
    }
}

impl<T> fmt::Debug for WaitMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug("WaitMut", self.0.handles, &self.0.until, f)
    }
}
