//! A stack of clean-ups that is filled while the program runs.
//!
//! ```text
//!           push, enter                       close                    each is done, the last one first
//!  AsyncStack ─────────► AsyncStack ─────────────────► Closing ─────────────────────────► Ok, or errors
//!                          │      │                      │ dropped
//!                  disarm: │      │ dropped              ▼
//!                  nothing ▼      └──────────────► one clean-up of the scope around: does the rest, in
//!                                                  the same order
//! ```
//!
//! It has no machine of its own: each entry is what [`defer_async`](super::defer_async) makes, and what is
//! left of a stack that is dropped is one clean-up, so that the entries come one after the other also where
//! the runtime does them.
//!
//! Tests: `tests/tests/streams/stacks.rs`.

use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use tenter_sync::shim::Mutex;

use super::errors::{BoxError, CleanUpErrors, Failed};
use super::{CleanUp, Deferred, GRACE, Kept, report};
use crate::context;
use crate::handle::Handle;

/// Clean-ups that are awaited in the end, the last one first: what asyncio calls an `AsyncExitStack`.
///
/// For resources whose number is not known when the program is written; for a known one,
/// [`defer_async`](crate::defer_async) is enough. [`close`](Self::close) awaits the clean-ups there and
/// then. If the stack is dropped instead, by an error that returns early, a panic or a cancellation, the
/// scope around awaits them before it ends, in the same task: what `defer_async` does. Where that scope goes
/// on, the runtime does it, in a task of its own. On each of these ways one clean-up begins when the one
/// before it has ended, and no failure of one keeps the others from being done.
///
/// Each clean-up has a grace of five seconds, or what [`grace`](Self::grace) says; what has not ended then is
/// dropped and reported by [`on_unobserved`](crate::Builder::on_unobserved). So is the panic of one.
///
/// # Examples
///
/// ```
/// use tenter::AsyncStack;
///
/// async fn open(name: &str) -> std::io::Result<String> {
///     Ok(name.to_owned())
/// }
///
/// # tenter::run(async {
/// let mut stack = AsyncStack::new();
/// let mut opened = Vec::new();
/// for name in ["a", "b", "c"] {
///     // If one cannot be opened, those that were opened are closed.
///     let resource = stack.enter(open(name).await?, async |name| println!("closing {name}"));
///     opened.push(resource);
/// }
/// println!("using {opened:?}");
/// stack.close().await?; // c, b, a
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "AsyncExitStack")]
#[doc(alias = "ExitStack")]
#[must_use = "the clean-ups begin when the stack is dropped: bind it to a name"]
#[clippy::has_significant_drop]
pub struct AsyncStack {
    /// What is done first is at the end.
    entries: Vec<CleanUp>,
    grace: Duration,
    /// From the first entry on that may fail.
    errors: Option<Arc<Errors>>,
    handle: Option<Handle>,
    at: &'static Location<'static>,
}

/// Where failures go: to who closes the stack, or to the report.
#[derive(Default)]
struct Errors(Mutex<Option<Vec<Failed>>>);

impl Errors {
    fn put(&self, at: &'static Location<'static>, error: BoxError) {
        let mut kept = self.0.lock();
        match &mut *kept {
            Some(errors) => errors.push((at, error)),
            None => {
                drop(kept);
                say((at, error));
            }
        }
    }

    /// Somebody wants to know.
    fn open(&self) {
        self.0.lock().get_or_insert_default();
    }

    /// Nobody wants to know any more.
    fn close(&self) -> Vec<Failed> {
        self.0.lock().take().unwrap_or_default()
    }
}

fn say((at, error): Failed) {
    report(at, &format!("failed: {error}"));
}

impl AsyncStack {
    /// An empty stack.
    #[track_caller]
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            grace: GRACE,
            errors: None,
            handle: context::current_handle(),
            at: Location::caller(),
        }
    }

    /// Lends a stack to `body`, and awaits its clean-ups before this returns, on every way out: what
    /// `async with AsyncExitStack()` does.
    ///
    /// What fails among them is reported by [`on_unobserved`](crate::Builder::on_unobserved); who wants the
    /// errors closes a stack.
    ///
    /// # Cancel safety
    ///
    /// That of the body. The clean-ups are done by the scope around then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::AsyncStack;
    ///
    /// # tenter::run(async {
    /// let sum = AsyncStack::with(async |stack| {
    ///     let numbers = [1, 2].map(|number| stack.enter(number, async |it| println!("left {it}")));
    ///     numbers.iter().sum::<i32>()
    /// });
    /// assert_eq!(sum.await, 3);
    /// # });
    /// ```
    #[track_caller]
    pub fn with<R>(body: impl AsyncFnOnce(&mut AsyncStack) -> R) -> impl Future<Output = R> {
        let mut stack = Self::new();
        async move {
            let output = body(&mut stack).await;
            stack.closing().await;
            output
        }
    }

    /// Has `clean_up` awaited in the end, before those that were pushed earlier.
    #[track_caller]
    #[doc(alias = "push_async_callback")]
    #[doc(alias = "push_async_exit")]
    pub fn push(&mut self, clean_up: impl Future<Output = ()> + Send + 'static) {
        self.push_at(clean_up, Location::caller());
    }

    /// [`push`](Self::push) of a clean-up that may fail. Its error is in what [`close`](Self::close) returns;
    /// where nobody closes the stack, it is reported by
    /// [`on_unobserved`](crate::Builder::on_unobserved).
    #[track_caller]
    pub fn push_try<E: Into<BoxError>>(
        &mut self,
        clean_up: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let at = Location::caller();
        let errors = Arc::clone(self.errors.get_or_insert_default());
        let clean_up = async move {
            if let Err(error) = clean_up.await {
                errors.put(at, error.into());
            }
        };
        self.push_at(clean_up, at);
    }

    /// Keeps a clone of `resource`, and has `leave` called with it in the end and its future awaited. Gives
    /// the resource back.
    #[track_caller]
    #[doc(alias = "enter_async_context")]
    pub fn enter<T, F>(&mut self, resource: T, leave: impl FnOnce(T) -> F + Send + 'static) -> T
    where
        T: Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let kept = resource.clone();
        self.push_at(async move { leave(kept).await }, Location::caller());
        resource
    }

    fn push_at(
        &mut self,
        clean_up: impl Future<Output = ()> + Send + 'static,
        at: &'static Location<'static>,
    ) {
        let mut deferred = Deferred::new(clean_up, at);
        deferred.grace = self.grace;
        self.entries.push(CleanUp(Kept::Future(deferred)));
    }

    /// How long each clean-up that is pushed from now on may take. [`Duration::MAX`]: for ever.
    pub fn grace(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// How many clean-ups there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing to clean up.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Moves all clean-ups to a stack of their own: for who hands the resources on when all of them are
    /// there.
    pub fn pop_all(&mut self) -> AsyncStack {
        AsyncStack {
            entries: core::mem::take(&mut self.entries),
            grace: self.grace,
            errors: self.errors.take(),
            handle: self.handle.clone(),
            at: self.at,
        }
    }

    /// There is nothing to clean up any more: drops the clean-ups, undone.
    pub fn disarm(mut self) {
        self.entries.clear();
    }

    /// Awaits the clean-ups, the last one first.
    ///
    /// # Errors
    ///
    /// What failed among those of [`push_try`](Self::push_try), in the order in which it failed.
    ///
    /// # Cancel safety
    ///
    /// If the returned future is dropped, the scope around goes on with what is left, with the clean-up that
    /// has begun first. What had failed is reported.
    ///
    /// # Examples
    ///
    /// ```
    /// # tenter::run(async {
    /// let mut stack = tenter::AsyncStack::new();
    /// stack.push(async { println!("done all the same") });
    /// stack.push_try(async { Err("the peer is gone") });
    /// let errors = stack.close().await.unwrap_err();
    /// assert_eq!(errors.to_string(), "a clean-up failed: the peer is gone");
    /// # });
    /// ```
    #[doc(alias = "aclose")]
    pub fn close(self) -> Closing {
        if let Some(errors) = &self.errors {
            errors.open();
        }
        self.closing_raw()
    }

    fn closing_raw(self) -> Closing {
        Closing {
            running: None,
            stack: self,
        }
    }

    /// Awaits the clean-ups. Their errors are reported.
    async fn closing(self) {
        let closed = self.closing_raw().await;
        debug_assert!(closed.is_ok(), "nobody asked for the errors");
    }
}

impl Default for AsyncStack {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for AsyncStack {
    fn drop(&mut self) {
        for failed in self.errors.iter().flat_map(|errors| errors.close()) {
            say(failed);
        }
        let mut entries = core::mem::take(&mut self.entries);
        let left = match entries.len() {
            0 => return,
            1 => entries.pop().expect("there is one"),
            _ => {
                let all = async move {
                    while let Some(mut first) = entries.pop() {
                        poll_fn(|cx| first.poll(cx)).await;
                    }
                };
                // Each of them has a grace of its own.
                let mut all = Deferred::new(all, self.at);
                all.grace = Duration::MAX;
                CleanUp(Kept::Future(all))
            }
        };
        left.hand_over(self.handle.as_ref());
    }
}

impl fmt::Debug for AsyncStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStack")
            .field("len", &self.len())
            .field("created_at", &format_args!("{}", self.at))
            .finish_non_exhaustive()
    }
}

/// The future of [`AsyncStack::close`].
#[must_use = "futures do nothing unless they are awaited; dropped, the scope around does the rest"]
pub struct Closing {
    running: Option<CleanUp>,
    stack: AsyncStack,
}

impl Future for Closing {
    type Output = Result<(), CleanUpErrors>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Closing { running, stack } = &mut *self;
        loop {
            let Some(first) = running.take().or_else(|| stack.entries.pop()) else {
                break;
            };
            ready!(running.insert(first).poll(cx));
            *running = None;
        }
        let errors = stack.errors.take();
        let errors = errors.map_or_else(Vec::new, |errors| errors.close());
        Poll::Ready(match errors.is_empty() {
            true => Ok(()),
            false => Err(CleanUpErrors { errors }),
        })
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Closing { running, stack } = self;
        stack.entries.extend(running.take());
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing")
            .field("left", &self.stack.len())
            .finish_non_exhaustive()
    }
}
