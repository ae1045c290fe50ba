//! Production back end: the standard library and parking_lot.

pub use parking_lot::{Condvar, Mutex, MutexGuard};
pub use std::sync::Arc;

/// Atomic integers and fences.
pub mod atomic {
    pub use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// The first look of a compare-exchange loop: [`Guess::guess`].
pub trait Guess {
    /// What the atomic holds.
    type Value;
    /// The value, perhaps out of date, to start a compare-exchange loop with. A relaxed load; in the
    /// model it is a compare-exchange that fails, see `docs/memory-model.md`.
    fn guess(&self) -> Self::Value;
}

macro_rules! guess {
    ($($atomic:ty => $value:ty),*) => {$(
        impl Guess for $atomic {
            type Value = $value;

            #[inline(always)]
            fn guess(&self) -> $value {
                // ORDERING: Relaxed. Only a guess; the exchange that follows compares and orders.
                self.load(atomic::Ordering::Relaxed)
            }
        }
    )*};
}

guess!(
    atomic::AtomicU8 => u8,
    atomic::AtomicU32 => u32,
    atomic::AtomicU64 => u64,
    atomic::AtomicUsize => usize
);

impl<T> Guess for atomic::AtomicPtr<T> {
    type Value = *mut T;

    #[inline(always)]
    fn guess(&self) -> *mut T {
        // ORDERING: Relaxed. Only a guess; the exchange that follows compares and orders.
        self.load(atomic::Ordering::Relaxed)
    }
}

/// Threads.
pub mod thread {
    use std::io;

    pub use std::thread::{JoinHandle, ThreadId, panicking, spawn, yield_now};

    /// Starts a named thread; a refusal by the system is an error, never a panic.
    pub fn spawn_named<R, F>(name: &str, body: F) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        spawn_named_with_stack(name, None, body)
    }

    /// [`spawn_named`] with a stack of so many bytes, if not the system's default.
    pub fn spawn_named_with_stack<R, F>(
        name: &str,
        stack_size: Option<usize>,
        body: F,
    ) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let builder = std::thread::Builder::new().name(name.to_owned());
        match stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
        .spawn(body)
    }

    /// The identity of the calling thread.
    pub fn current_id() -> ThreadId {
        std::thread::current().id()
    }

    /// Asks the system to end the timed sleeps of the calling thread on time, where it would otherwise
    /// add some slack (50 µs on Linux) to wake several threads at once.
    pub fn sleep_precisely() {
        // Miri has no slack, and no such call.
        #[cfg(all(target_os = "linux", not(miri)))]
        {
            // A system that refuses keeps its slack.
            let _ = rustix::thread::set_current_timer_slack(core::num::NonZeroU64::new(1));
        }
    }

    /// How many processors this process may use; 1 if the system does not tell.
    pub fn processors() -> usize {
        std::thread::available_parallelism().map_or(1, core::num::NonZeroUsize::get)
    }
}

/// The allocator.
pub mod alloc {
    pub use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
}

/// A cell that the model checker watches.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps a value.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Unwraps the value.
    #[inline]
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T> UnsafeCell<core::mem::MaybeUninit<T>> {
    /// Makes a cell without a value at `place`: nothing is written, in production.
    #[inline(always)]
    pub fn make_uninit(_place: &mut core::mem::MaybeUninit<Self>) {}
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the value for reading. The caller answers for nobody writing meanwhile.
    #[inline(always)]
    pub fn with<R>(&self, body: impl FnOnce(*const T) -> R) -> R {
        body(self.0.get())
    }

    /// Lends the value for writing. The caller answers for nobody else using it meanwhile.
    #[inline(always)]
    pub fn with_mut<R>(&self, body: impl FnOnce(*mut T) -> R) -> R {
        body(self.0.get())
    }
}

/// Marks an object whose lifetime is part of a protocol. Nothing in production.
#[derive(Debug, Default)]
pub struct Live;

impl Live {
    /// A live object.
    #[inline]
    pub const fn new() -> Self {
        Self
    }

    /// The caller uses the object now.
    #[inline(always)]
    pub fn touch(&self) {}

    /// The caller is about to free the object.
    #[inline(always)]
    pub fn end(&self) {}
}

/// Whether the named bug is planted: never in production.
#[doc(hidden)]
#[inline(always)]
pub const fn planted_bug(_name: &str) -> bool {
    false
}

/// How often [`explore`] runs a body.
const STRESS_ROUNDS: u64 = 200;

/// Runs `body` again and again on system threads, so that every model is a stress test too.
/// Returns how often.
pub fn explore(body: impl Fn() + Send + Sync + 'static) -> u64 {
    for _ in 0..STRESS_ROUNDS {
        body();
    }
    STRESS_ROUNDS
}
