//! Which values the context variables have for the code that runs now.
//!
//! ```text
//!  a task is polled here ──► its Extras: Own(values) ─── the normal case; `Own(nothing)` until a set
//!                                        Shared(context)  given by a Builder, or `Context::run`
//!                                        Thread ────┐     the main task of a block_on
//!  no task is polled here ──────────────────────────┴──► the thread: Own(values) or Shared(context)
//! ```
//!
//! The main future of a `block_on` may change between being a task and being polled by itself, so its
//! values are the thread's, from the begin of the `block_on` to its end ([`Main`]).
//!
//! Invariants:
//! - N1: as long as [`IN_USE`] is false, no place has a value.
//! - N2: nothing of the program runs under a lock or borrow of a place: what goes out of it is given
//!   to the caller.
//! - N3: the place of a thread is never `Thread`.
//!
//! A spawn asks [`IN_USE`] and nothing else until the first variable is set.
//!
//! Tests: `tests/tests/context.rs`.

use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;

use tenter_sync::shim::diagnostic::{AtomicBool, Ordering};
use tenter_sync::shim::{Mutex, local};

use super::cell::Extras;
use super::context_map::{Key, Value, Values};
use crate::context;

/// Whether any variable was ever set in this process.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The values of all context variables, to be shared by several tasks.
///
/// A task normally has values of its own: it gets a copy of its spawner's when it is spawned, and what
/// it sets, only it and the tasks that it spawns later can see. Tasks that are spawned with
/// [`Builder::context`](super::Builder::context) share one `Context`: each sees what the others set.
/// Clones of a `Context` are the same one.
///
/// # Examples
///
/// ```
/// use tenter::task::{Builder, Context};
///
/// tenter::context_var! { static STEPS: u32 = 0; }
///
/// tenter::run(async {
///     let shared = Context::current();
///     for expected in 1..=2 {
///         let step = async {
///             STEPS.set(STEPS.get() + 1);
///             STEPS.get()
///         };
///         let task = Builder::new().context(&shared).spawn(step);
///         assert_eq!(task.await.expect("no panic"), expected);
///     }
///     assert_eq!(STEPS.get(), 0, "here it was never set");
///     assert_eq!(shared.run(|| STEPS.get()), 2);
/// });
/// ```
#[derive(Clone)]
#[doc(alias = "copy_context")]
pub struct Context(Arc<Mutex<Values>>);

impl Context {
    /// A context in which no variable is set.
    pub fn new() -> Self {
        Self::of(Values::new())
    }

    /// A copy of the context of the caller. Later changes of one are not seen in the other.
    #[doc(alias = "copy_context")]
    pub fn current() -> Self {
        Self::of(current_values())
    }

    fn of(values: Values) -> Self {
        Self(Arc::new(Mutex::new(values)))
    }

    /// Calls a function in this context: it sees the values here, and what it sets stays here.
    pub fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Restore(Option<Place>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let inner = self.0.take().and_then(replace_place);
                drop(inner);
            }
        }
        // The place is that of the poll, or of the thread, that this call is part of: the same at the end.
        let _restore = Restore(replace_place(Place::Shared(self.clone())));
        body()
    }

    /// Has the main future of the next `block_on` that `body` calls on this thread run in this very
    /// context, and not in a copy of the caller's.
    pub(crate) fn run_main<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Disarm(Option<Context>);
        impl Drop for Disarm {
            fn drop(&mut self) {
                let _ = NEXT_MAIN.try_with(|next| next.replace(self.0.take()));
            }
        }
        let outer = NEXT_MAIN.try_with(|next| next.replace(Some(self.clone())));
        let _disarm = Disarm(outer.ok().flatten());
        body()
    }
}

// A variable is set in one step, in which nothing of the program runs.
impl core::panic::UnwindSafe for Context {}
impl core::panic::RefUnwindSafe for Context {}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("set", &self.0.try_lock().map(|values| values.len()))
            .finish_non_exhaustive()
    }
}

/// Where the values are.
enum Place {
    Own(Values),
    Shared(Context),
    /// With the thread: the main task of a `block_on`.
    Thread,
}

impl Place {
    const EMPTY: Self = Self::Own(Values::new());

    /// Shows the values, and takes `body` for it; `None`: they are the thread's.
    fn show<R, F: FnOnce(&mut Values) -> R>(&mut self, body: &mut Option<F>) -> Option<R> {
        match self {
            Place::Own(values) => Some((body.take()?)(values)),
            Place::Shared(context) => Some((body.take()?)(&mut context.0.lock())),
            Place::Thread => None,
        }
    }
}

/// What a task has of it, in its rarely used block.
pub struct TaskContext(Mutex<Place>);

impl TaskContext {
    /// For the main task of a `block_on`.
    pub fn of_thread() -> Self {
        Self(Mutex::new(Place::Thread))
    }

    /// A context that was given.
    pub fn shared(context: Context) -> Self {
        Self(Mutex::new(Place::Shared(context)))
    }

    /// The task has ended: what it had goes to the caller.
    pub fn take(&self) -> impl Sized {
        core::mem::replace(&mut *self.0.lock(), Place::EMPTY)
    }

    fn of(values: Values) -> Self {
        Self(Mutex::new(Place::Own(values)))
    }

    fn is_untouched(&mut self) -> bool {
        matches!(self.0.get_mut(), Place::Own(values) if values.is_empty())
    }
}

impl Default for TaskContext {
    fn default() -> Self {
        Self(Mutex::new(Place::EMPTY))
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").finish_non_exhaustive()
    }
}

local! {
    /// The values where no task is polled.
    static THREAD: RefCell<Place> = const { RefCell::new(Place::EMPTY) };
}

local! {
    /// What the next `block_on` of this thread takes.
    static NEXT_MAIN: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// Shows the values that hold here. On a thread that is ending nothing holds any more, and nothing stays.
fn with_values<R>(write: bool, body: impl FnOnce(&mut Values) -> R) -> R {
    let mut body = Some(body);
    let of_task = context::with_current_task(|header| {
        let header = header?;
        let extras = match header.extras() {
            Some(extras) => extras,
            None if write => header.extras_or_insert(),
            None => return body.take().map(|body| body(&mut Values::new())),
        };
        extras.context.0.lock().show(&mut body)
    });
    if let Some(result) = of_task {
        return result;
    }
    let of_thread = THREAD.try_with(|place| place.borrow_mut().show(&mut body));
    match (of_thread, body) {
        (Ok(Some(result)), _) => result,
        (_, Some(body)) => body(&mut Values::new()),
        (_, None) => unreachable!("N3: whoever takes the body has a result"),
    }
}

/// Puts another place where the values that hold here are. `None`: the thread is ending.
fn replace_place(new: Place) -> Option<Place> {
    let mut new = Some(new);
    let of_task = context::with_current_task(|header| {
        let mut place = header?.header().extras_or_insert().context.0.lock();
        Some(core::mem::replace(&mut *place, new.take()?))
    });
    if of_task.is_some() {
        return of_task;
    }
    THREAD
        .try_with(|place| Some(place.replace(new.take()?)))
        .ok()?
}

fn current_values() -> Values {
    // ORDERING: Relaxed. As in `inherit`.
    if !IN_USE.load(Ordering::Relaxed) {
        return Values::new();
    }
    with_values(false, |values| values.clone())
}

/// The value of a variable that holds here, if it is set.
pub fn value(key: Key) -> Option<Value> {
    with_values(false, |values| values.get(key).cloned())
}

/// Sets a variable here, or unsets it. Returns what it was.
pub fn replace_value(key: Key, value: Option<Value>) -> Option<Value> {
    // ORDERING: Relaxed. A value gets from thread to thread only by a spawn, whose task then sees this too.
    IN_USE.store(true, Ordering::Relaxed);
    with_values(true, |values| values.replace(key, value))
}

/// What a task is spawned with: a copy of the values that hold here, unless it was given a context.
#[inline]
pub fn inherit(extras: Option<Box<Extras>>) -> Option<Box<Extras>> {
    // ORDERING: Relaxed. This thread's own store is seen, and so is one that came before a value got here.
    if IN_USE.load(Ordering::Relaxed) {
        inherit_values(extras)
    } else {
        extras
    }
}

#[cold]
fn inherit_values(extras: Option<Box<Extras>>) -> Option<Box<Extras>> {
    let values = current_values();
    if values.is_empty() {
        return extras;
    }
    let mut extras = extras.unwrap_or_default();
    if !extras.context.is_untouched() {
        return Some(extras);
    }
    extras.context = TaskContext::of(values);
    Some(extras)
}

/// The values of the main future of a `block_on`, while it lasts: a copy of the caller's, or the context
/// that [`Context::run_main`] says.
pub struct Main {
    outer: Option<Place>,
    /// Stays on its thread.
    _thread: PhantomData<*const ()>,
}

impl Main {
    /// A `block_on` begins.
    pub fn enter() -> Self {
        let given = NEXT_MAIN.try_with(RefCell::take).ok().flatten();
        let inner = match given {
            Some(context) => Place::Shared(context),
            None => Place::Own(current_values()),
        };
        Self {
            outer: THREAD.try_with(|place| place.replace(inner)).ok(),
            _thread: PhantomData,
        }
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let inner = outer.map(|outer| THREAD.try_with(|place| place.replace(outer)));
        // Outside the borrow: values have destructors.
        drop(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;

    crate::context_var! { static SEEN: u32 = 0; }

    /// Case R04: what a run sets, the next one in the same context sees; nested runs and others do not.
    #[test]
    fn r04_runs_that_are_given_one_context_share_it() {
        for builder in [
            Builder::current_thread(),
            Builder::multi_thread().workers(1),
        ] {
            let runtime = builder.build().expect("the system has resources left");
            let context = Context::new();
            let step = || {
                context.run_main(|| {
                    runtime.block_on(async {
                        SEEN.set(SEEN.get() + 1);
                        let child = crate::spawn(async { SEEN.get() });
                        child.await.expect("no panic")
                    })
                })
            };
            assert_eq!((step(), step()), (1, 2));
            assert_eq!(runtime.block_on(async { SEEN.get() }), 0);
            assert_eq!(context.run(|| SEEN.get()), 2);
            let inside = context.run_main(|| {
                runtime.block_on(async {
                    // Only the first `block_on` is meant.
                    let nested = crate::spawn_blocking(|| {
                        let runtime = Builder::current_thread().build().expect("as above");
                        runtime.block_on(async {
                            SEEN.set(10);
                            SEEN.get()
                        })
                    });
                    (nested.await.expect("no panic"), SEEN.get())
                })
            });
            assert_eq!(inside, (10, 2));
            assert_eq!(SEEN.get(), 0);
        }
    }
}
