//! Asynchronous clean-up: what has to be awaited after a future was dropped.
//!
//! ```text
//!  defer_async ──► DeferGuard ──drop──► the scope's list ──the scope's future is gone──► done, in order
//!                      │                      │
//!                      └─disarm──► nothing    └─the scope goes on──► a task of the runtime's own
//! ```
//!
//! A guard that is dropped as a body ends, by a return or because its future was dropped, leaves its
//! clean-up to the scope around it, which does it before it returns. If the scope goes on instead (the
//! guard was in a block, or in a branch that lost), the runtime does it in a task of its own, at once.
//!
//! A clean-up is not cancelled: it bounds itself by its grace. Those of the runtime's own, of a child or a
//! server, are done side by side, before their turn: their time runs from the drop.
//!
//! Tests: `tests/tests/scopes`.

use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tenter_timer::{Sleep, poll_deadline, sleep};

use super::frame::{self, Frame, Kind};
use super::node::Node;
use crate::context;
use crate::handle::Handle;
use crate::hooks;
use crate::task::UnobservedKind;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;
use crate::task::raw;

pub mod errors;
pub mod stack;

/// How long a clean-up may take, unless it says otherwise.
const GRACE: Duration = Duration::from_secs(5);

/// Something to be done before a scope ends.
#[expect(missing_debug_implementations, reason = "user code")]
pub struct CleanUp(Kept);

enum Kept {
    Future(Box<Deferred>),
    /// Something to be dropped when all else is done.
    Value(#[expect(dead_code, reason = "kept until it is dropped")] Box<dyn Send>),
}

struct Deferred {
    /// There until the drop.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    grace: Duration,
    /// Begins with the first poll.
    timer: Option<Pin<Box<Sleep>>>,
    node: OnceLock<Arc<Node>>,
    at: &'static Location<'static>,
    /// It is the runtime's: it bounds itself, waits for nothing that is deferred before it, and sees to
    /// itself where it is dropped undone.
    own: bool,
}

impl Deferred {
    fn new(
        future: impl Future<Output = ()> + Send + 'static,
        at: &'static Location<'static>,
    ) -> Box<Self> {
        Box::new(Self {
            future: Some(Box::pin(future)),
            grace: GRACE,
            timer: None,
            node: OnceLock::new(),
            at,
            own: false,
        })
    }
}

impl CleanUp {
    /// A future to be awaited, however long it takes.
    #[allow(dead_code, reason = "for the models, which have no clock")]
    #[track_caller]
    pub fn unbounded(future: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut deferred = Deferred::new(future, Location::caller());
        deferred.grace = Duration::MAX;
        Self(Kept::Future(deferred))
    }

    /// A future of the runtime's own, which bounds itself and minds its being dropped. It is begun at once.
    #[track_caller]
    pub fn own(future: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut deferred = Deferred::new(future, Location::caller());
        deferred.grace = Duration::MAX;
        deferred.own = true;
        Self(Kept::Future(deferred))
    }

    /// Something to be dropped when all that was handed over before it is done.
    pub fn value(value: Box<dyn Send>) -> Self {
        Self(Kept::Value(value))
    }

    /// Whether it is such a thing.
    pub fn is_value(&self) -> bool {
        matches!(self.0, Kept::Value(_))
    }

    /// Whether it is the runtime's own.
    pub fn is_own(&self) -> bool {
        matches!(&self.0, Kept::Future(deferred) if deferred.own)
    }

    /// Does it. Its panic is reported, and so is the end of its grace.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Kept::Future(deferred) = &mut self.0 else {
            return Poll::Ready(());
        };
        let Deferred {
            future,
            grace,
            timer,
            node,
            at,
            ..
        } = &mut **deferred;
        if let Some(node) = node.get() {
            // It may be another scope's by now.
            node.settle(frame::enclosing().as_ref());
        }
        let frame = Frame::new(Kind::Shield(node));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let running = future.as_mut().expect("there until the drop");
            if frame::enter(&frame, || running.as_mut().poll(cx)).is_ready() {
                return Poll::Ready(None);
            }
            if *grace == Duration::MAX {
                return Poll::Pending;
            }
            let timer = timer.get_or_insert_with(|| Box::pin(sleep(*grace)));
            poll_deadline(timer.as_mut(), cx)
                .map(|()| Some(format!("had not ended after {grace:?} and was dropped")))
        }));
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(None)) => {}
            Ok(Poll::Ready(Some(what))) => report(at, &what),
            Err(payload) => report_panic(at, payload),
        }
        Poll::Ready(())
    }

    /// Has the runtime do it, in a task of its own. Given back where there is no runtime.
    pub fn reap(self) -> Result<(), Self> {
        match &self.0 {
            Kept::Value(_) => Err(self),
            // A runtime that is about to end takes no tasks: the scope does it when it has ended.
            Kept::Future(deferred) => match context::current_handle() {
                Some(handle) if context::takes_tasks() => {
                    let at = deferred.at;
                    spawn(&handle, self, at);
                    Ok(())
                }
                _ => Err(self),
            },
        }
    }

    /// What is to be said if it is dropped now.
    pub fn undone(&self) -> Option<String> {
        match &self.0 {
            Kept::Value(_) => None,
            Kept::Future(deferred) if deferred.own => None,
            Kept::Future(deferred) => {
                let what = "was dropped undone, because its runtime had ended";
                Some(line(deferred.at, what))
            }
        }
    }

    /// Leaves it to the scope that is around the caller now; else to the runtime.
    pub fn hand_over(self, handle: Option<&Handle>) {
        let left = match frame::ending() {
            Some(scope) => scope.defer(self).err(),
            None => Some(self),
        };
        match (left, handle) {
            (None, _) => {}
            (Some(CleanUp(Kept::Value(_))), _) => {}
            (Some(CleanUp(Kept::Future(deferred))), Some(handle)) => {
                let at = deferred.at;
                spawn(handle, CleanUp(Kept::Future(deferred)), at);
            }
            (Some(clean_up), None) => {
                if let Some(line) = clean_up.undone() {
                    say(line);
                }
            }
        }
    }
}

/// A task whose body is the drop of a guard: whether it is polled or cancelled unpolled, the clean-up is
/// left to the task as a scope, and a task does what is left to it whatever happens.
fn spawn(handle: &Handle, clean_up: CleanUp, at: &'static Location<'static>) {
    struct Armed(Option<CleanUp>);
    impl Drop for Armed {
        fn drop(&mut self) {
            if let Some(clean_up) = self.0.take() {
                clean_up.hand_over(None);
            }
        }
    }
    let armed = Armed(Some(clean_up));
    drop(handle.spawn_with(async move { drop(armed) }, None, at));
}

/// Whatever becomes of it: it counts no more in the scope that did it, and a panic of its drop is no more
/// than reported.
impl Drop for Deferred {
    fn drop(&mut self) {
        let future = self.future.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        if let Some(node) = self.node.get() {
            node.leave();
        }
        if let Err(payload) = dropped {
            report_panic(self.at, payload);
        }
    }
}

fn line(at: &Location<'_>, what: &str) -> String {
    format!("the clean-up that was deferred at {at} {what}")
}

fn report_panic(at: &Location<'_>, payload: Box<dyn Any + Send>) {
    report(at, &format!("panicked: {}", payload_message(&*payload)));
    drop_payload(payload);
}

fn report(at: &Location<'_>, what: &str) {
    say(line(at, what));
}

/// Tells of what went wrong in a clean-up.
pub fn say(line: String) {
    context::with_current_task(|task| match task {
        Some(task) => raw::report(task.pointer(), UnobservedKind::CleanUp, Box::new(line)),
        None => hooks::say(&format!("tenter: {line}")),
    });
}

/// Has `future` awaited when the guard is dropped, before the scope around it ends: the asynchronous part
/// of a `finally`.
///
/// The scope is the task, or the [`CancelScope`](crate::CancelScope), the group or the timeout that the
/// guard is dropped in. It drops its future first, then awaits what was deferred in it, in the order in
/// which the guards were dropped, and only then returns. Cancellation does not interrupt it: each has a
/// grace of five seconds, or what [`grace`](DeferGuard::grace) says; what has not ended then is dropped
/// and reported.
///
/// Where the guard is dropped and the scope goes on, the runtime awaits the future in a task of its own,
/// at once.
///
/// # Panics
///
/// A panic of `future` is reported by [`on_unobserved`](crate::Builder::on_unobserved); the scope goes
/// on.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// tenter::run(async {
///     let session = tenter::spawn_eager(async {
///         let _goodbye = tenter::defer_async(async {
///             sleep(Duration::from_millis(1)).await; // say goodbye to the peer
///             println!("closed");
///         });
///         std::future::pending::<()>().await;
///     });
///     // Prints "closed" before it returns.
///     assert!(session.cancel_and_wait().await.is_err());
/// });
/// ```
#[track_caller]
#[doc(alias = "finally")]
#[doc(alias = "__aexit__")]
#[doc(alias = "AsyncExitStack")]
pub fn defer_async(future: impl Future<Output = ()> + Send + 'static) -> DeferGuard {
    DeferGuard {
        clean_up: Some(Deferred::new(future, Location::caller())),
        handle: context::current_handle(),
    }
}

/// Has a future awaited after it is dropped. Made by [`defer_async`].
#[must_use = "the clean-up begins when the guard is dropped: bind it to a name, `let _guard = …`"]
#[clippy::has_significant_drop]
pub struct DeferGuard {
    clean_up: Option<Box<Deferred>>,
    handle: Option<Handle>,
}

impl DeferGuard {
    /// How long the clean-up may take. [`Duration::MAX`]: for ever.
    pub fn grace(mut self, grace: Duration) -> Self {
        if let Some(clean_up) = &mut self.clean_up {
            clean_up.grace = grace;
        }
        self
    }

    /// There is nothing to clean up any more: drops the future, undone.
    pub fn disarm(mut self) {
        self.clean_up = None;
    }
}

impl Drop for DeferGuard {
    fn drop(&mut self) {
        if let Some(clean_up) = self.clean_up.take() {
            CleanUp(Kept::Future(clean_up)).hand_over(self.handle.as_ref());
        }
    }
}

impl core::fmt::Debug for DeferGuard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeferGuard")
            .field("deferred_at", &self.clean_up.as_ref().map(|it| it.at))
            .finish_non_exhaustive()
    }
}
