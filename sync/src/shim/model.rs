//! Model back end: loom.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64 as Count, Ordering as CountOrdering};

pub use loom::lazy_static as loom_lazy_static;
pub use loom::sync::Arc;
pub use loom::thread_local as loom_thread_local;

/// Atomic integers and fences.
pub mod atomic {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// The first look of a compare-exchange loop: [`Guess::guess`].
///
/// loom remembers only the last access to each atomic when it looks for races to reorder. A plain load
/// at the head of a compare-exchange loop would be that last access, and would hide the conflict
/// between the exchange and an earlier load by another thread: the model would never try the exchange
/// first. A compare-exchange that fails counts as a write in that search, stores nothing, and reads the
/// newest value, which is what the loop ends with anyway.
pub trait Guess {
    /// What the atomic holds.
    type Value;
    /// The newest value.
    fn guess(&self) -> Self::Value;
}

macro_rules! guess {
    ($($atomic:ty => $value:ty),*) => {$(
        impl Guess for $atomic {
            type Value = $value;

            fn guess(&self) -> $value {
                let (any, relaxed) = (<$value>::MAX, atomic::Ordering::Relaxed);
                self.compare_exchange(any, any, relaxed, relaxed).unwrap_or_else(|value| value)
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

    fn guess(&self) -> *mut T {
        let (any, relaxed) = (
            std::ptr::without_provenance_mut(3),
            atomic::Ordering::Relaxed,
        );
        self.compare_exchange(any, any, relaxed, relaxed)
            .unwrap_or_else(|value| value)
    }
}

/// Threads.
pub mod thread {
    use std::io;

    pub use loom::thread::{JoinHandle, ThreadId, spawn, yield_now};
    pub use std::thread::panicking;

    /// Starts a named thread.
    pub fn spawn_named<R, F>(name: &str, body: F) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        loom::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
    }

    /// [`spawn_named`]; the size of the stack is the model checker's.
    pub fn spawn_named_with_stack<R, F>(
        name: &str,
        _stack_size: Option<usize>,
        body: F,
    ) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        spawn_named(name, body)
    }

    /// The identity of the calling thread.
    pub fn current_id() -> ThreadId {
        loom::thread::current().id()
    }

    /// There is no time in the model.
    pub fn sleep_precisely() {}

    /// How many processors there are.
    pub fn processors() -> usize {
        2
    }
}

/// The allocator: loom reports what is not freed.
pub mod alloc {
    pub use loom::alloc::{Layout, alloc, dealloc};
    pub use std::alloc::handle_alloc_error;
}

/// A cell that the model checker watches.
#[derive(Debug, Default)]
pub struct UnsafeCell<T: ?Sized>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T> UnsafeCell<core::mem::MaybeUninit<T>> {
    /// Makes a cell without a value at `place`: nothing is written, in production.
    pub fn make_uninit(place: &mut core::mem::MaybeUninit<Self>) {
        place.write(Self::new(core::mem::MaybeUninit::uninit()));
    }
}

impl<T: ?Sized> UnsafeCell<T> {
    /// Lends the value for reading. The caller answers for nobody writing meanwhile.
    pub fn with<R>(&self, body: impl FnOnce(*const T) -> R) -> R {
        self.0.with(body)
    }

    /// Lends the value for writing. The caller answers for nobody else using it meanwhile.
    pub fn with_mut<R>(&self, body: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(body)
    }
}

/// Marks an object whose lifetime is part of a protocol: a use that races with the end, or comes
/// after it, is a finding.
#[derive(Debug)]
pub struct Live(loom::cell::UnsafeCell<()>);

// SAFETY: there is nothing in the cell to race for; an access that is not ordered is what loom
// reports, and that is the purpose.
unsafe impl Sync for Live {}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    /// A live object.
    pub fn new() -> Self {
        Self(loom::cell::UnsafeCell::new(()))
    }

    /// The caller uses the object now.
    pub fn touch(&self) {
        self.0.with(|_| ());
    }

    /// The caller is about to free the object.
    pub fn end(&self) {
        self.0.with_mut(|_| ());
    }
}

/// loom's mutex in parking_lot's shape.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// The right to the contents of a [`Mutex`].
#[derive(Debug)]
pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(
            self.0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        ))
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
    }

    /// The contents, without locking.
    pub fn get_mut(&mut self) -> &mut T {
        self.0
            .get_mut()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        self.0
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T> std::ops::Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
            .as_deref()
            .expect("the guard is whole outside Condvar::wait")
    }
}

impl<T> std::ops::DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0
            .as_deref_mut()
            .expect("the guard is whole outside Condvar::wait")
    }
}

/// loom's condition variable in parking_lot's shape.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// A condition that nobody waits for.
    pub fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    /// Releases the lock, waits, and takes the lock again.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard
            .0
            .take()
            .expect("the guard is whole outside Condvar::wait");
        guard.0 = Some(
            self.0
                .wait(inner)
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
    }

    /// Wakes one waiter.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Whether the named bug is planted, by the environment variable `TENTER_PLANT`.
#[doc(hidden)]
pub fn planted_bug(name: &str) -> bool {
    static PLANT: OnceLock<Option<String>> = OnceLock::new();
    PLANT
        .get_or_init(|| std::env::var("TENTER_PLANT").ok())
        .as_deref()
        == Some(name)
}

/// The bound on preemptions when `LOOM_MAX_PREEMPTIONS` does not set one.
const PREEMPTIONS: usize = 2;

/// Runs `body` under every schedule within the preemption bound. Returns how many there were.
///
/// # Panics
///
/// With the finding, if a schedule fails; and if the environment limits the search, because loom
/// ends a limited search as if it had been a complete one.
pub fn explore(body: impl Fn() + Send + Sync + 'static) -> u64 {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = builder.max_branches.max(10_000);
    assert!(
        builder.max_duration.is_none() && builder.max_permutations.is_none(),
        "TRUNCATED: unset LOOM_MAX_DURATION and LOOM_MAX_PERMUTATIONS, a limited search proves nothing"
    );
    let count = std::sync::Arc::new(Count::new(0));
    let counter = std::sync::Arc::clone(&count);
    builder.check(move || {
        counter.fetch_add(1, CountOrdering::Relaxed);
        body();
    });
    count.load(CountOrdering::Relaxed)
}
