//! The memory that the two ends of a oneshot channel share.
//!
//! | field    | who                                                                              |
//! |----------|----------------------------------------------------------------------------------|
//! | `word`   | both, atomically                                                                 |
//! | `value`  | the sender until SENT, then the receiver (I1 in `state.rs`)                       |
//! | `wakers` | each slot: its own side, or after a claim the other side, to read (I3)            |
//!
//! # Contract of the raw pointer
//!
//! [`Handle`] is the right of one end to the channel. Every unsafe function here needs:
//! - (a) the caller is the one sender, or the one receiver, whose side the call is about, and has
//!   not set its GONE;
//!
//! and says what else it needs.

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

use super::state::{self, Exit, RX, Side, Wait};
use crate::planted;
use crate::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use crate::shim::atomic::{AtomicU8, Ordering};
use crate::shim::{Live, UnsafeCell};

pub(super) struct Channel<T> {
    word: AtomicU8,
    live: Live,
    rx_waker: UnsafeCell<MaybeUninit<Waker>>,
    tx_waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// One end's right to the channel: to use it, and to free it when it is alone (I2).
pub(super) struct Handle<T> {
    channel: NonNull<Channel<T>>,
}

impl<T> Handle<T> {
    /// A new channel, for its two ends.
    pub(super) fn pair() -> (Self, Self) {
        let layout = Layout::new::<Channel<T>>();
        // SAFETY: the layout is not of size zero; it holds at least the word.
        let memory = unsafe { alloc(layout) }.cast::<Channel<T>>();
        let Some(channel) = NonNull::new(memory) else {
            handle_alloc_error(layout);
        };
        // SAFETY: fresh memory of this very layout.
        unsafe { channel.write(Channel::new()) };
        (Self { channel }, Self { channel })
    }

    /// The channel.
    ///
    /// # Safety
    ///
    /// (a); else it may be freed.
    #[inline(always)]
    pub(super) unsafe fn get(&self) -> &Channel<T> {
        // SAFETY: by (a) and I2 nobody has freed it: the other side frees only after this one has
        // set its GONE.
        let channel = unsafe { self.channel.as_ref() };
        channel.live.touch();
        channel
    }

    /// Frees the channel.
    ///
    /// # Safety
    ///
    /// - (a), and (b) the caller has seen the other side's GONE (I2), and
    /// - (c) no value and no waker is left in it, they would leak.
    #[inline]
    pub(super) unsafe fn free(&self) {
        // SAFETY: by (a) and (b) nobody else reaches it, now or later.
        unsafe {
            self.channel.as_ref().live.end();
            self.channel.drop_in_place();
            dealloc(self.channel.as_ptr().cast(), Layout::new::<Channel<T>>());
        }
    }

    /// Where the channel is, as an identity.
    pub(super) fn address(&self) -> *const () {
        self.channel.as_ptr().cast_const().cast()
    }
}

impl<T> Channel<T> {
    #[inline]
    fn new() -> Self {
        Self {
            word: AtomicU8::new(0),
            live: Live::new(),
            rx_waker: UnsafeCell::new(MaybeUninit::uninit()),
            tx_waker: UnsafeCell::new(MaybeUninit::uninit()),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The word. What the other side did before its last step is visible.
    #[inline(always)]
    pub(super) fn word(&self) -> u8 {
        // ORDERING: Acquire pairs with the Release in `update`.
        self.word.load(Ordering::Acquire)
    }

    /// One step of the word. A step that changes nothing is a load.
    #[inline]
    pub(super) fn update<A>(&self, step: impl Fn(u8) -> (u8, A)) -> A {
        // ORDERING: Acquire pairs with the Release below on the other side: its writes to value
        // and slots are visible to what `step` makes the caller do.
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let (next, action) = step(seen);
            if next == seen {
                return action;
            }
            // ORDERING: AcqRel. Release publishes value and slots to the other side, Acquire takes
            // them over. Failure is Acquire because `step` runs again.
            let order = if planted!("oneshot.relaxed_publication") {
                Ordering::Relaxed
            } else {
                Ordering::AcqRel
            };
            match self.word.compare_exchange_weak(seen, next, order, Ordering::Acquire) {
                Ok(_) => return action,
                Err(actual) => seen = actual,
            }
        }
    }

    /// Puts the value into the cell.
    ///
    /// # Safety
    ///
    /// (a) for the sender, before SENT: then the cell is its own (I1).
    #[inline]
    pub(super) unsafe fn put_value(&self, value: T) {
        self.value.with_mut(|cell| {
            // SAFETY: by (a) nobody else reaches the cell.
            unsafe { &mut *cell }.write(value);
        });
    }

    /// Takes the value out of the cell.
    ///
    /// # Safety
    ///
    /// - (a) for the sender before SENT, or for the receiver after it: the cell is its own (I1).
    /// - (b) A value is there; it must not be taken twice.
    #[inline]
    pub(super) unsafe fn take_value(&self) -> T {
        self.value.with_mut(|cell| {
            // SAFETY: by (a) nobody else reaches the cell; by (b) it holds a value.
            unsafe { (*cell).assume_init_read() }
        })
    }

    /// Waits for what a side waits for, by registering the waker in its slot.
    ///
    /// # Safety
    ///
    /// (a) for `side`, with the sender's or receiver's exclusive borrow: two callers would write the
    /// slot at once.
    #[inline]
    pub(super) unsafe fn poll_wait(&self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        if state::wait(self.word(), side) == Wait::Over {
            return Poll::Ready(());
        }
        // SAFETY: (a) is the caller's.
        unsafe { self.poll_register(side, cx.waker()) }
    }

    /// # Safety
    ///
    /// As [`poll_wait`](Self::poll_wait).
    unsafe fn poll_register(&self, side: Side, waker: &Waker) -> Poll<()> {
        loop {
            match state::wait(self.word(), side) {
                Wait::Over => return Poll::Ready(()),
                Wait::Registered | Wait::Claimed if self.holds(side, waker) => {
                    return Poll::Pending;
                }
                Wait::Claimed => {
                    // Another waker of ours is about to be woken. Come back with this one.
                    waker.wake_by_ref();
                    return Poll::Pending;
                }
                Wait::Registered => {
                    if self.update(|word| state::take_back(word, side)) {
                        // SAFETY: taken back, so the slot is ours and full (I3).
                        drop(unsafe { self.take_waker(side) });
                    }
                }
                Wait::Vacant => {
                    let fresh = waker.clone();
                    self.slot(side).with_mut(|slot| {
                        // SAFETY: (a), and Vacant: the slot is ours alone (I3).
                        unsafe { &mut *slot }.write(fresh);
                    });
                    if self.update(|word| state::register(word, side)) {
                        return Poll::Pending;
                    }
                    // SAFETY: not registered, so the slot is still ours, and full.
                    drop(unsafe { self.take_waker(side) });
                }
            }
        }
    }

    /// Whether the waker in a registered or claimed slot is this one.
    fn holds(&self, side: Side, waker: &Waker) -> bool {
        self.live.touch();
        self.slot(side).with(|slot| {
            // SAFETY: registered or claimed, so the slot was written, and nobody writes it (I3):
            // the other side moves the waker out by reading. What is read here are two pointers;
            // they are compared and not followed.
            unsafe { (*slot).assume_init_ref() }.will_wake(waker)
        })
    }

    /// Takes the waker out of a slot.
    ///
    /// # Safety
    ///
    /// - (a) for the side that took it back, or for the other one that claimed it (I3).
    /// - (b) It has not been taken yet.
    pub(super) unsafe fn take_waker(&self, side: Side) -> Waker {
        self.live.touch();
        self.slot(side).with(|slot| {
            // SAFETY: by (a) and (b) the slot holds a waker that is the caller's to move; it is
            // only read, because its own side may be comparing it (`holds`).
            unsafe { (*slot).assume_init_read() }
        })
    }

    #[inline]
    fn slot(&self, side: Side) -> &UnsafeCell<MaybeUninit<Waker>> {
        if side == RX { &self.rx_waker } else { &self.tx_waker }
    }
}

/// The wakers that a side has in hand while it leaves. Dropped or woken when it has left.
#[derive(Default)]
pub(super) struct Departure {
    /// Its own, taken back.
    own: Option<Waker>,
    /// The other side's, to be woken.
    peer: Option<Waker>,
}

impl Departure {
    /// Takes the steps of `step` until it has left. False: refused.
    ///
    /// # Safety
    ///
    /// (a) for the side `own`, whose steps these are.
    #[inline]
    pub(super) unsafe fn go<T>(
        &mut self,
        handle: &Handle<T>,
        own: Side,
        peer: Side,
        step: impl Fn(u8) -> (u8, Exit),
    ) -> Exit {
        // SAFETY: (a), and no step has set GONE yet.
        let channel = unsafe { handle.get() };
        loop {
            match channel.update(&step) {
                Exit::TakeBack if planted!("oneshot.leave_before_taking_back") => {
                    let exit = channel.update(&step);
                    // SAFETY: none: the other side may have freed the channel. That is the bug.
                    self.own = Some(unsafe { channel.take_waker(own) });
                    return exit;
                }
                Exit::Claim if planted!("oneshot.publish_before_claiming") => {
                    let exit = channel.update(&step);
                    // SAFETY: none: the other side may have freed the channel. That is the bug.
                    self.peer = Some(unsafe { channel.take_waker(peer) });
                    return exit;
                }
                // SAFETY: (a); taken back by the step just taken, so full and ours.
                Exit::TakeBack => self.own = Some(unsafe { channel.take_waker(own) }),
                // SAFETY: (a); claimed by the step just taken, so full and ours to take.
                Exit::Claim => self.peer = Some(unsafe { channel.take_waker(peer) }),
                exit => return exit,
            }
        }
    }

    /// Wakes the other side. The caller has left, or stays but holds nothing.
    #[inline]
    pub(super) fn wake(self) {
        if let Some(waker) = self.peer {
            waker.wake();
        }
    }
}
