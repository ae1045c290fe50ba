//! One future that many wait for: each gets a clone of the output.
//!
//! ```text
//!   Shared ──┐                                   claim      ┌─► Ready: output in the future's place,
//!   Shared ──┼─► Cell { future or output } ◄── one of them ─┤          tell all
//!   Shared ──┘     │         │ polled with                  └─► Pending: line up, release
//!                  ▼         ▼
//!                 Bell { word, WaitList } ◄─── wake: remember, tell all
//! ```
//!
//! The word and its steps are in `state.rs`, the waker and the line in `bell.rs`, the future in `cell.rs`,
//! the waiting in `wait.rs`.
//!
//! Invariants, besides I1 and I2 of the word:
//! - I3: whoever is in line is told when the future is woken and nobody polls it; or when the poll ends
//!   during which it was woken; or when it is over.
//! - I4: a waiter that has been told reserves nothing: whoever is polled first claims. So one that is
//!   dropped, forgotten or never polled again after it was told keeps nobody from going on.
//! - I5: the future is dropped in place, once, outside any lock: by the poll that ends it, or with the
//!   last handle.
//! - I6: the future's waker keeps the bell alive and not the future.
//!
//! # No wake is lost
//!
//! A wake sets WOKEN, a claim clears it, a release finds it or does not: all in one word. If the wake
//! meets a poll, the release that ends the poll finds it; by then the one who polled is in line, and so
//! it is told with the others. If it meets none, the waker tells all. One who lines up looks at the word
//! again with the lock in hand, and whoever tells takes its step before it locks: so one of the two sees
//! the other. While WOKEN is set and nobody polls, whoever comes claims and does not line up.
//!
//! Rejected: telling only the first in line, and passing that on when it is dropped. One that is kept and
//! not polled would keep all others asleep.
//! Rejected: the waker of whoever polled last. It is the waker of a task that may have lost interest.
//! Rejected: polling in a task of its own. The crate has no executor; `spawn` and a `JoinHandle` do that.
//!
//! Tests: `state.rs`, `sync/tests/shared.rs`, `sync/tests/models/shared.rs` (model:
//! `loom-tests/tests/shared.rs`).

#[expect(unsafe_code, reason = "enlists waiters")]
mod bell;
#[expect(unsafe_code, reason = "a future that its state word guards")]
mod cell;
mod handle;
mod state;
#[expect(unsafe_code, reason = "pins the waiter inside the future")]
mod wait;
mod weak;

use std::panic::{RefUnwindSafe, UnwindSafe};

pub use handle::{Shared, SharedStats};
pub use wait::SharedWait;
pub use weak::WeakShared;

/// A panic of the future is an outcome like any other.
impl<F: Future> UnwindSafe for Shared<F> {}
impl<F: Future> RefUnwindSafe for Shared<F> {}
impl<F: Future> UnwindSafe for WeakShared<F> {}
impl<F: Future> RefUnwindSafe for WeakShared<F> {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    const fn unpin<T: Unpin>() {}
    type Ready = core::future::Ready<u8>;
    send_and_sync::<Shared<Ready>>();
    send_and_sync::<SharedWait<'static, Ready>>();
    send_and_sync::<WeakShared<Ready>>();
    send_and_sync::<SharedStats>();
    unpin::<Shared<core::future::Pending<core::marker::PhantomPinned>>>();
};
