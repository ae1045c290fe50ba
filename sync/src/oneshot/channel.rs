//! The memory that the two ends of a oneshot channel share.
//!
//! | field   | who                                                                               |
//! |---------|-----------------------------------------------------------------------------------|
//! | `word`  | both, atomically                                                                  |
//! | `value` | the sender until SENT, then the receiver (I1 in `state.rs`)                       |
//! | slots   | each written by its own side while its bit is clear; read by both (I3)            |
//!
//! # How a waker changes hands in one step
//!
//! A side that leaves copies the two pointers in a slot *before* its exchange, and makes a waker of
//! them only if the exchange succeeds. Until then the copy is nothing but two numbers: the slot's own
//! side may be changing them at this moment. When the exchange succeeds the word has not changed since
//! it was read, so neither has the slot (I5), and the bit that the exchange cleared was the right to
//! the waker (I3). After the exchange the slot is not touched: the channel may be gone (I2).
//!
//! The copy can be older than the word says only if the word's Acquire failed, and newer only if its
//! own side wrote it after a `take_back`; then the Acquire load of the pointer makes that `take_back`
//! happen before the exchange, which fails.
//!
//! # Contract of the raw pointer
//!
//! [`Handle`] is the right of one end to the channel. Every unsafe function here needs:
//! - (a) the caller is the one sender, or the one receiver, whose side the call is about, and has
//!   not set its GONE;
//!
//! and says what else it needs.

use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, RawWakerVTable, Waker};

use super::state::{RX, Side};
use crate::planted;
use crate::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use crate::shim::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::shim::{Guess, Live, UnsafeCell};

pub(super) struct Channel<T> {
    word: AtomicU64,
    live: Live,
    rx: Slot,
    tx: Slot,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// One end's right to the channel: to use it, and to free it when it is alone (I2).
pub(super) struct Handle<T> {
    channel: NonNull<Channel<T>>,
}

impl<T> Handle<T> {
    /// A new channel, for its two ends.
    #[inline]
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
    /// - (c) no value is left in it; it would leak.
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

/// The wakers that came out of the slots by one step.
#[must_use]
pub(super) struct Wakers {
    /// The caller's own: nobody waits with it any more.
    own: Option<Waker>,
    /// The other side's, to be woken.
    peer: Option<Waker>,
}

impl Wakers {
    /// Wakes the other side and drops the own waker: user code, after the step.
    #[inline]
    pub(super) fn settle(self) {
        if let Some(peer) = self.peer {
            peer.wake();
        }
        drop(self.own);
    }
}

impl<T> Channel<T> {
    #[inline]
    fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            live: Live::new(),
            rx: Slot::new(),
            tx: Slot::new(),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The word. What the other side did before its last step is visible.
    #[inline(always)]
    pub(super) fn word(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `step`.
        self.word.load(Ordering::Acquire)
    }

    /// Takes one step of the word, by the side `own`: `Ok` with the wakers that it took out, or
    /// `Err` with the word, which `step` left unchanged. A step that sets GONE ends the right to the
    /// channel.
    ///
    /// # Safety
    ///
    /// (a) for the side `own`, and (b) `step` is one of that side's steps in `state.rs`.
    #[inline]
    pub(super) unsafe fn step(
        &self,
        own: Side,
        peer: Side,
        step: impl Fn(u64) -> u64,
    ) -> Result<Wakers, u64> {
        let mut seen = self.word.guess();
        loop {
            let next = step(seen);
            if next == seen {
                // ORDERING: Acquire (in `word`) pairs with the other side's Release, for a GONE. A
                // load and not a fence, because ThreadSanitizer does not see fences.
                return Err(self.word());
            }
            // The bits that this step clears are the rights to the wakers (I3).
            let cleared = seen & !next;
            let (mut own_copy, mut peer_copy) = (None, None);
            if own.has_waker(cleared) {
                own_copy = Some(self.slot(own).copy());
            }
            if peer.has_waker(cleared) && !planted!("oneshot.copy_after_leaving") {
                // ORDERING: Acquire (in `word`): the slot is at least as new as the word. If the
                // word has changed, the exchange fails.
                self.word();
                peer_copy = Some(self.slot(peer).copy());
            }
            let order = if planted!("oneshot.relaxed_publication") {
                Ordering::Relaxed
            } else {
                Ordering::AcqRel
            };
            // ORDERING: AcqRel. Release publishes value and slot to the other side, Acquire takes
            // them over. Failure is Relaxed because `step` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, order, Ordering::Relaxed)
            {
                Err(actual) => seen = actual,
                Ok(_) => {
                    if peer.has_waker(cleared) && peer_copy.is_none() {
                        self.live.touch(); // planted bug: it may be gone
                        peer_copy = Some(self.slot(peer).copy());
                    }
                    // SAFETY: this step cleared the bits, so these wakers are the caller's (I3),
                    // and the copies are of them (I5); made twice, they would be freed twice.
                    return Ok(unsafe {
                        Wakers {
                            own: own_copy.map(|copy| copy.into_waker()),
                            peer: peer_copy.map(|copy| copy.into_waker()),
                        }
                    });
                }
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

    /// Waits for what the side `own` waits for, by registering the waker in its slot.
    ///
    /// # Safety
    ///
    /// (a) for `own`, with the sender's or receiver's exclusive borrow: two callers would write the
    /// slot at once.
    #[inline]
    pub(super) unsafe fn poll_wait(&self, own: Side, peer: Side, cx: &mut Context<'_>) -> Poll<()> {
        if own.is_over(self.word()) {
            return Poll::Ready(());
        }
        // SAFETY: (a) is the caller's.
        unsafe { self.poll_register(own, peer, cx.waker()) }
    }

    /// # Safety
    ///
    /// As [`poll_wait`](Self::poll_wait).
    unsafe fn poll_register(&self, own: Side, peer: Side, waker: &Waker) -> Poll<()> {
        let word = self.word();
        if own.has_waker(word) {
            if self.slot(own).copy().is(waker) {
                return Poll::Pending;
            }
            // SAFETY: (a); (b) `take_back` is a step of either side. If it is refused the other side
            // has the waker, and with it has ended the wait.
            drop(unsafe { self.step(own, peer, |word| own.take_back(word)) });
        } else if own.is_over(word) {
            return Poll::Ready(());
        }
        let fresh = waker.clone();
        // The bit is clear, so the slot is ours to write (I3), or nobody will look at it again.
        self.slot(own).put(&fresh);
        // SAFETY: (a); (b) `register` is a step of either side.
        match unsafe { self.step(own, peer, |word| own.register(word)) } {
            Ok(_) => {
                let _in_the_slot = ManuallyDrop::new(fresh);
                Poll::Pending
            }
            Err(_) => Poll::Ready(()), // over; `fresh` is dropped
        }
    }

    #[inline(always)]
    fn slot(&self, side: Side) -> &Slot {
        if side == RX { &self.rx } else { &self.tx }
    }
}

/// A place for the two pointers of a waker. They are atomic because the other side may copy them
/// while they change; it then throws the copy away.
struct Slot {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// What was in a slot at some moment. Two pointers that are not followed.
#[derive(Clone, Copy)]
struct Copied {
    data: *mut (),
    vtable: *mut RawWakerVTable,
}

impl Slot {
    #[inline]
    fn new() -> Self {
        Self {
            data: AtomicPtr::new(ptr::null_mut()),
            vtable: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Writes the pointers of a waker that stays where it is.
    fn put(&self, waker: &Waker) {
        // ORDERING: Release pairs with the Acquire in `copy`: whoever sees a pointer sees the
        // `take_back` that came before it, and its exchange fails.
        self.data.store(waker.data().cast_mut(), Ordering::Release);
        // ORDERING: Release, as above.
        self.vtable
            .store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Release);
    }

    fn copy(&self) -> Copied {
        Copied {
            // ORDERING: Acquire pairs with the Release in `put`.
            data: self.data.load(Ordering::Acquire),
            // ORDERING: Acquire pairs with the Release in `put`.
            vtable: self.vtable.load(Ordering::Acquire),
        }
    }
}

impl Copied {
    /// Whether these are the pointers of this waker.
    fn is(self, waker: &Waker) -> bool {
        self.data.cast_const() == waker.data()
            && self.vtable.cast_const() == ptr::from_ref(waker.vtable())
    }

    /// The waker whose pointers these are.
    ///
    /// # Safety
    ///
    /// The pointers were put into the slot as one waker, and the right to it is the caller's: it is
    /// made once.
    unsafe fn into_waker(self) -> Waker {
        // SAFETY: the vtable came from `Waker::vtable`, which lives for ever, and both pointers are
        // of one waker, whose right the caller has.
        unsafe { Waker::new(self.data, &*self.vtable) }
    }
}
