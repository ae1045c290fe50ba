//! The one door to atomics, cells, locks, threads, thread-locals and the allocator.
//!
//! Everything in the project that two threads could fight over comes through here, so that one
//! private flag, `--cfg tenter_loom`, puts the model checker underneath the very lines that ship:
//!
//! | | production (`real.rs`) | model (`model.rs`) |
//! |---|---|---|
//! | atomics, fences | `std` | loom: weak memory is explored |
//! | [`UnsafeCell`], [`Live`] | free | loom: every conflicting access is reported |
//! | [`Mutex`], [`Condvar`] | parking_lot | loom |
//! | [`Futex`] | the system's futex | a lock and a condition variable, with [`expire`](Futex) for a clock thread |
//! | [`alloc`], [`Arc`] | `std` | loom: leaks are reported |
//! | [`planted!`](crate::planted) | `false` | true for the one bug named by `TENTER_PLANT` |
//!
//! What the model does not see is written in `docs/memory-model.md`.
//!
//! Tests: `loom-tests/tests/canary.rs` proves that the model is awake.

#[cfg(not(tenter_loom))]
mod real;
#[cfg(not(tenter_loom))]
pub use real::*;

#[cfg(tenter_loom)]
#[expect(unsafe_code, reason = "shares cells whose accesses loom watches")]
mod model;
#[cfg(tenter_loom)]
pub use model::*;

#[cfg(any(tenter_loom, not(target_os = "linux")))]
mod futex_condvar;
#[cfg(any(tenter_loom, not(target_os = "linux")))]
pub use futex_condvar::Futex;

#[cfg(all(not(tenter_loom), target_os = "linux"))]
mod futex_linux;
#[cfg(all(not(tenter_loom), target_os = "linux"))]
pub use futex_linux::Futex;

pub use crate::{const_fn, global, local, planted};
pub use crossbeam_utils::CachePadded;

/// True when the model checker is underneath. The canary asserts it.
pub const MODELLED: bool = cfg!(tenter_loom);

/// Picks the size of a tunable: the real one, or the small one that the model can explore.
pub const fn size(real: usize, modelled: usize) -> usize {
    if MODELLED { modelled } else { real }
}

/// Why [`Futex::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum FutexWait {
    /// Woken, or the word had changed, or for no reason: look at the word.
    Returned,
    /// The time is up.
    TimedOut,
}

/// Atomics for counters and hints that publish nothing.
///
/// They are the standard library's in the model too, so that a statistic adds no branch to
/// explore. A protocol that needs one of these to be right is wrong.
pub mod diagnostic {
    pub use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
}

/// Declares a thread-local: `local! { static NAME: T = const { value }; }`.
#[cfg(not(tenter_loom))]
#[doc(hidden)]
#[macro_export]
macro_rules! local {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = const { $value:expr };) => {
        ::std::thread_local! { $(#[$meta])* $vis static $name: $type = const { $value }; }
    };
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        ::std::thread_local! { $(#[$meta])* $vis static $name: $type = $value; }
    };
}

/// Declares a thread-local: `local! { static NAME: T = const { value }; }`.
#[cfg(tenter_loom)]
#[doc(hidden)]
#[macro_export]
macro_rules! local {
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = const { $value:expr };) => {
        $crate::shim::loom_thread_local! { $(#[$meta])* $vis static $name: $type = $value; }
    };
    ($(#[$meta:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;) => {
        $crate::shim::loom_thread_local! { $(#[$meta])* $vis static $name: $type = $value; }
    };
}

/// Declares a static: `global! { static NAME: T = value; }`. The model makes it anew for each
/// schedule, since what loom watches does not outlive one.
#[cfg(not(tenter_loom))]
#[doc(hidden)]
#[macro_export]
macro_rules! global {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$meta])* static $name: $type = $value;
    };
}

/// Declares a static: `global! { static NAME: T = value; }`. The model makes it anew for each
/// schedule, since what loom watches does not outlive one.
#[cfg(tenter_loom)]
#[doc(hidden)]
#[macro_export]
macro_rules! global {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $crate::shim::loom_lazy_static! { $(#[$meta])* static ref $name: $type = $value; }
    };
}

/// A function that is `const` in production; loom's constructors are not.
#[cfg(not(tenter_loom))]
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$meta])* $vis const fn $($rest)*
    };
}

/// A function that is `const` in production; loom's constructors are not.
#[cfg(tenter_loom)]
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$meta])* $vis fn $($rest)*
    };
}

/// Names one step of a protocol whose removal a model must notice.
///
/// `if !planted!("parker.no_fence") { fence(Ordering::SeqCst) }` is the fence in production, where
/// the macro is the literal `false`. Under the model checker the step is left out when the
/// environment variable `TENTER_PLANT` holds the name. `loom-tests/planted/` lists every name
/// with the model that catches it.
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::shim::planted_bug($name)
    };
}
