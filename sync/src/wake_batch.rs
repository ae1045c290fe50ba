//! Wakers collected under a lock, to be woken after it.
//!
//! Waking runs user code, which may panic, block or come back to the very primitive that wakes, so
//! no waker is called while a lock of ours is held. A primitive pushes the wakers that it owes into a
//! batch, lets go of its lock, and then calls [`WakeBatch::wake_all`]. One that may owe more wakes
//! than fit does it in turns, with [`wake_in_batches`].
//!
//! Invariants:
//! - I1: the first `len` places hold wakers, the others nothing.
//! - I2: each waker pushed is woken exactly once, also when another one panics and when the batch is
//!   dropped by unwinding.
//! - I3: the first panic of a wake goes on after the last wake; on a thread that is already
//!   panicking it is swallowed, because a second one would end the process.
//!
//! Rejected: a `Vec`. The path that hands over a permit must not allocate.
//! Rejected: an array of `Option<Waker>`. Clearing 512 bytes costs more than the hand-over.
//!
//! Tests: below, and `sync/tests/hostile_wakers.rs`.

use core::any::Any;
use core::fmt;
use core::mem::MaybeUninit;
use core::task::Waker;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::shim::thread;

/// How many wakers fit.
pub const CAPACITY: usize = 32;

/// Up to [`CAPACITY`] wakers that are owed a wake.
pub struct WakeBatch {
    wakers: [MaybeUninit<Waker>; CAPACITY],
    len: usize,
}

impl WakeBatch {
    /// An empty batch.
    #[inline]
    pub const fn new() -> Self {
        Self {
            wakers: [const { MaybeUninit::uninit() }; CAPACITY],
            len: 0,
        }
    }

    /// Whether the next push would panic: let go of the lock and wake.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == CAPACITY
    }

    /// Whether nobody is owed a wake.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many are owed a wake.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a waker.
    ///
    /// # Panics
    ///
    /// If the batch is full.
    #[inline]
    pub fn push(&mut self, waker: Waker) {
        assert!(
            !self.is_full(),
            "a full WakeBatch is woken before the next push"
        );
        self.wakers[self.len].write(waker);
        self.len += 1; // I1
    }

    /// Wakes all. The caller holds no lock.
    ///
    /// # Panics
    ///
    /// With the first panic of a wake, after the last wake; not if the thread is panicking already.
    #[inline]
    pub fn wake_all(mut self) {
        if self.len > 0 {
            raise(self.drain());
        }
    }

    /// Wakes all and empties the batch. Returns the first panic.
    fn drain(&mut self) -> Option<Panic> {
        let len = core::mem::take(&mut self.len); // I1: from here on the places count as empty
        let mut first = None;
        for place in &self.wakers[..len] {
            // SAFETY: the place was written by `push` (I1), and each is read once because `len`
            // is zero already; read twice, the waker would be freed twice.
            let waker = unsafe { place.assume_init_read() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                keep_first(&mut first, panic);
            }
        }
        first
    }
}

/// Wakes any number of wakers, a batch at a time.
///
/// `fill` pushes wakers until nobody more is owed a wake, or until the batch is full. It takes its
/// lock inside, so that each batch is woken without it. A panic of a wake does not keep the later
/// batches from being filled and woken.
///
/// # Panics
///
/// As [`WakeBatch::wake_all`].
#[inline]
pub fn wake_in_batches(mut fill: impl FnMut(&mut WakeBatch) -> Progress) {
    let mut batch = WakeBatch::new();
    let mut first = None;
    loop {
        let progress = fill(&mut batch);
        if let Some(panic) = batch.drain() {
            keep_first(&mut first, panic);
        }
        if progress == Progress::Finished {
            return raise(first);
        }
    }
}

/// Whether the filling of batches goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The batch is full, and more wakers may be owed a wake.
    More,
    /// Nobody else is owed a wake.
    Finished,
}

type Panic = Box<dyn Any + Send>;

fn keep_first(first: &mut Option<Panic>, panic: Panic) {
    match first {
        None => *first = Some(panic),
        Some(_) => discard(panic),
    }
}

/// Lets a panic go on, unless the thread is panicking already (I3).
fn raise(panic: Option<Panic>) {
    match panic {
        None => {}
        Some(panic) if thread::panicking() => discard(panic),
        Some(panic) => resume_unwind(panic),
    }
}

/// Drops a panic that nobody will see. Its payload is user code too: one whose drop panics gives rise
/// to another payload, and the third in a row is leaked, lest this go on for ever.
pub(crate) fn discard(panic: Panic) {
    let dropped = |payload: Panic| catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(stubborn) = dropped(panic).or_else(dropped) {
        core::mem::forget(stubborn);
    }
}

impl Drop for WakeBatch {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 {
            raise(self.drain()); // I2
        }
    }
}

impl Default for WakeBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WakeBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeBatch").field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count {
        wakes: Arc<AtomicUsize>,
        panics: bool,
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.wakes.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "hostile wake");
        }
    }

    fn batch(wakes: &Arc<AtomicUsize>, panics: impl Fn(usize) -> bool) -> WakeBatch {
        let mut batch = WakeBatch::new();
        for number in 0..CAPACITY {
            batch.push(Waker::from(Arc::new(Count {
                wakes: Arc::clone(wakes),
                panics: panics(number),
            })));
        }
        batch
    }

    #[test]
    fn all_are_woken_and_then_the_first_panic_goes_on() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let full = batch(&wakes, |number| number % 3 == 0);
        assert!(full.is_full());
        let outcome = catch_unwind(AssertUnwindSafe(|| full.wake_all()));
        assert!(outcome.is_err());
        assert_eq!(wakes.load(Ordering::Relaxed), CAPACITY);
    }

    #[test]
    fn a_panicking_thread_swallows_the_panics_of_wakes() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let full = batch(&wakes, |_| true);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _woken_by_unwinding = full;
            std::panic::panic_any("outer");
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"outer"));
        assert_eq!(wakes.load(Ordering::Relaxed), CAPACITY);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_harmless() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("hostile payload");
            }
        }
        discard(Box::new(Bomb));
    }
}
