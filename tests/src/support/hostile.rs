//! Wakers that panic, or call back, when they are cloned, woken or dropped.

use std::panic::panic_any;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::Count;

/// What is done to a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is cloned.
    Clone,
    /// It is woken, by value or by reference.
    Wake,
    /// It is dropped.
    Drop,
}

/// What every panic of a hostile waker says.
pub const HOSTILE: &str = "hostile waker";

struct Inner {
    act: Act,
    body: Box<dyn Fn() + Send + Sync>,
    clones: Count,
    ends: Count,
    wakes: Count,
}

/// A waker's twin: knows what was done to it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    clones: Count,
    ends: Count,
    wakes: Count,
}

impl Seen {
    /// How often it was woken.
    pub fn wakes(&self) -> usize {
        self.wakes.get()
    }

    /// How many wakers are alive: those made by [`waker_that`] and their clones, without those that
    /// were dropped or woken by value.
    pub fn alive(&self) -> usize {
        self.clones.get() - self.ends.get()
    }
}

/// A waker that panics at every `act`.
pub fn waker_that_panics_at(act: Act) -> (Waker, Seen) {
    waker_that(act, || panic_any(HOSTILE))
}

/// A waker that runs `body` at every `act`. What is done to it is counted first.
pub fn waker_that(act: Act, body: impl Fn() + Send + Sync + 'static) -> (Waker, Seen) {
    let seen = Seen::default();
    let inner = Arc::new(Inner {
        act,
        body: Box::new(body),
        clones: seen.clones.clone(),
        ends: seen.ends.clone(),
        wakes: seen.wakes.clone(),
    });
    seen.clones.add();
    // SAFETY: the table below keeps the contract: each waker owns one count of the `Arc`.
    let waker = unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(inner).cast(), &TABLE)) };
    (waker, seen)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

fn run(inner: &Inner, act: Act) {
    if inner.act == act {
        (inner.body)();
    }
}

fn clone(data: *const ()) -> RawWaker {
    let inner = data.cast::<Inner>();
    // SAFETY: the waker that is cloned owns a count.
    run(unsafe { &*inner }, Act::Clone);
    // SAFETY: as above; the new count is the clone's.
    unsafe { Arc::increment_strong_count(inner) };
    // SAFETY: as above.
    unsafe { &*inner }.clones.add();
    RawWaker::new(data, &TABLE)
}

fn wake(data: *const ()) {
    // SAFETY: the waker's count is ours now, and is given up at the end or by unwinding.
    let inner = unsafe { Arc::from_raw(data.cast::<Inner>()) };
    inner.ends.add();
    inner.wakes.add();
    run(&inner, Act::Wake);
}

fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker owns a count.
    let inner = unsafe { &*data.cast::<Inner>() };
    inner.wakes.add();
    run(inner, Act::Wake);
}

fn drop_waker(data: *const ()) {
    // SAFETY: the waker's count is ours now, and is given up at the end or by unwinding.
    let inner = unsafe { Arc::from_raw(data.cast::<Inner>()) };
    inner.ends.add();
    run(&inner, Act::Drop);
}
