//! Variables whose value depends on the task.
//!
//! Which values hold where is in `context.rs`; this is the typed face of it. A variable is told from others
//! by its address: it is a static, and not of size zero.
//!
//! ```text
//!  scope: suspended (its value is in the future) ──poll──► inside (its value is the task's)
//!             ▲                                              │
//!             └───────────── pending, ready, panic ──────────┘   and once more for the drop
//! ```
//!
//! Tests: `tests/tests/context.rs`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context as Cx, Poll};
use std::sync::{Arc, OnceLock};

use super::context::{replace_value, value};
use super::context_map::{Key, Value};

/// Declares [context variables](crate::task::ContextVar): values that a task passes on to the tasks that it
/// spawns.
///
/// # Examples
///
/// ```
/// tenter::context_var! {
///     /// The number of the request that is being answered.
///     pub static REQUEST: Option<u64> = None;
///     static USER: String = String::from("nobody");
/// }
///
/// tenter::run(async {
///     REQUEST.set(Some(7));
///     let task = tenter::spawn(async {
///         assert_eq!(REQUEST.get(), Some(7));
///         REQUEST.set(None); // here, and not in the spawner
///     });
///     task.await.expect("no panic");
///     assert_eq!(REQUEST.get(), Some(7));
///     assert_eq!(USER.with(String::len), 6);
/// });
/// ```
#[macro_export]
macro_rules! context_var {
    ($($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $default:expr);+ $(;)?) => {
        $(
            $(#[$meta])*
            $vis static $name: $crate::task::ContextVar<$type> =
                $crate::task::ContextVar::__declared(::core::stringify!($name), || $default);
        )+
    };
}

/// A variable whose value depends on the task that asks. Declared with
/// [`context_var!`](crate::context_var).
///
/// A task gets a copy of its spawner's values when it is spawned, also by `spawn_local`, `spawn_blocking`
/// and in groups; what it sets later, its spawner does not see, nor do the tasks that it has spawned
/// before. The main future of a `block_on` begins with a copy of what holds on its thread. Where no task
/// runs, a value holds for the thread.
///
/// As long as no variable of the program was ever set, a spawn costs nothing more; then, a task that gets
/// values has one more allocation.
///
/// On an executor that is not tenter's, all tasks of a thread share the values of the thread.
///
/// # Panics
///
/// Only with the panic of a default value, or of the program's own `Clone`.
#[doc(alias = "task_local")]
#[doc(alias = "LocalKey")]
pub struct ContextVar<T: 'static> {
    name: &'static str,
    default: fn() -> T,
    made: OnceLock<T>,
}

impl<T> ContextVar<T> {
    #[doc(hidden)]
    pub const fn __declared(name: &'static str, default: fn() -> T) -> Self {
        Self {
            name,
            default,
            made: OnceLock::new(),
        }
    }

    /// What it is called in the program.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Send + Sync> ContextVar<T> {
    fn key(&'static self) -> Key {
        Key(core::ptr::from_ref(self).addr())
    }

    fn value(&'static self) -> Option<Arc<T>> {
        let value = value(self.key())?.downcast::<T>();
        Some(value.expect("only this variable puts values under its address"))
    }

    /// The value that holds here.
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// Shows the value that holds here. `body` may do anything, also set the variable.
    pub fn with<R>(&'static self, body: impl FnOnce(&T) -> R) -> R {
        match self.value() {
            Some(value) => body(&value),
            None => body(self.made.get_or_init(self.default)),
        }
    }

    /// Sets the value that holds here, in this task, from now on. The token is for
    /// [`reset`](Self::reset), and may be ignored.
    pub fn set(&'static self, value: T) -> Token<T> {
        let before = replace_value(self.key(), Some(Arc::new(value)));
        Token {
            variable: self,
            before,
        }
    }

    /// Puts the value back that held before the [`set`](Self::set) that the token is from; if none did,
    /// the default holds again. In another task than that of the `set` it sets the value there.
    ///
    /// # Panics
    ///
    /// With the token of another variable.
    #[track_caller]
    pub fn reset(&'static self, token: Token<T>) {
        assert!(
            core::ptr::eq(self, token.variable),
            "the context variable {} was reset with a token of {}: pass a token to the variable whose \
             `set` returned it",
            self.name,
            token.variable.name
        );
        drop(replace_value(self.key(), token.before));
    }

    /// Runs a future with a value of its own. What it sets stays inside, too; other variables that it sets
    /// stay set.
    ///
    /// # Cancel safety
    ///
    /// The future's destructors see the value of the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// tenter::context_var! { static DEPTH: u32 = 0; }
    ///
    /// tenter::run(async {
    ///     assert_eq!(DEPTH.scope(1, async { DEPTH.get() }).await, 1);
    ///     assert_eq!(DEPTH.get(), 0);
    /// });
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> ContextScope<T, F> {
        ContextScope {
            future: Some(future),
            variable: self,
            inside: Some(Arc::new(value)),
        }
    }

    /// Calls a function with a value of its own.
    pub fn sync_scope<R>(&'static self, value: T, body: impl FnOnce() -> R) -> R {
        let mut inside: Option<Value> = Some(Arc::new(value));
        let _inside = Inside::enter(self.key(), &mut inside);
        body()
    }
}

// Values are replaced as a whole, and never lent to be changed.
impl<T> core::panic::UnwindSafe for ContextVar<T> {}
impl<T> core::panic::RefUnwindSafe for ContextVar<T> {}
impl<T> core::panic::UnwindSafe for Token<T> {}
impl<T> core::panic::RefUnwindSafe for Token<T> {}

impl<T: fmt::Debug + Send + Sync> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextVar")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a context variable was before a [`set`](ContextVar::set).
pub struct Token<T: 'static> {
    variable: &'static ContextVar<T>,
    before: Option<Value>,
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("variable", &self.variable.name)
            .field("was_set", &self.before.is_some())
            .finish()
    }
}

/// While it lives, the value of a scope holds here, and that of the outside is in its place.
struct Inside<'a> {
    key: Key,
    held: &'a mut Option<Value>,
}

impl<'a> Inside<'a> {
    fn enter(key: Key, held: &'a mut Option<Value>) -> Self {
        *held = replace_value(key, held.take());
        Self { key, held }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.held = replace_value(self.key, self.held.take());
    }
}

/// The future of [`ContextVar::scope`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ContextScope<T: 'static, F> {
    /// Pinned. Taken away as soon as it is ready, for its destructors belong to the scope.
    future: Option<F>,
    variable: &'static ContextVar<T>,
    /// The value of the scope while it is not being polled.
    inside: Option<Value>,
}

// Only the future is pinned.
impl<T, F: Unpin> Unpin for ContextScope<T, F> {}

impl<T, F> ContextScope<T, F> {
    /// Shows the future inside the scope.
    fn enter<R>(self: Pin<&mut Self>, body: impl FnOnce(Pin<&mut Option<F>>) -> R) -> R {
        // SAFETY: `future` is not moved out of the pinned struct; the other fields are not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let key = Key(core::ptr::from_ref(this.variable).addr());
        let _inside = Inside::enter(key, &mut this.inside);
        // SAFETY: it stays where it is until it is dropped in place, here or with the struct.
        body(unsafe { Pin::new_unchecked(&mut this.future) })
    }
}

impl<T, F: Future> Future for ContextScope<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<F::Output> {
        self.enter(|mut future| {
            let polled = match future.as_mut().as_pin_mut() {
                Some(future) => future.poll(cx),
                None => panic!("a ContextScope was polled after it was ready"),
            };
            if polled.is_ready() {
                future.set(None);
            }
            polled
        })
    }
}

impl<T: 'static, F> Drop for ContextScope<T, F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            // SAFETY: if it was ever pinned it still is: it is dropped in place, and not moved before.
            let this = unsafe { Pin::new_unchecked(self) };
            this.enter(|mut future| future.set(None));
        }
    }
}

impl<T, F: fmt::Debug> fmt::Debug for ContextScope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextScope")
            .field("variable", &self.variable.name)
            .field("future", &self.future)
            .finish()
    }
}
