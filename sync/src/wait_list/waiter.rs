//! One waiting future's place in a [`WaitList`](super::WaitList).
//!
//! Who may touch what: see the fields of [`Waiter`]. The life of a waiter and the contract of the
//! raw pointers to it are in the module above.

use core::fmt;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::num::NonZeroU64;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

use crate::current;
use crate::planted;
use crate::shim::atomic::{AtomicU8, Ordering};
use crate::shim::diagnostic::AtomicUsize;
use crate::shim::{Live, UnsafeCell};

/// How far a wait has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WaitState {
    /// It has not begun.
    Idle = 0,
    /// It is in the list.
    Waiting = 1,
    /// Over; something is reserved for the waiter and must be passed on if it is dropped.
    Granted = 2,
    /// Over; nothing is reserved.
    Dismissed = 3,
    /// The future has returned, or has left.
    Done = 4,
}

/// Who waits: the task, and the waker it waits with.
///
/// A combinator may poll its members with wakers of its own, so inside a tenter task the task's
/// number decides; elsewhere the waker is all that is known.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    task: Option<NonZeroU64>,
    /// The waker of the last poll. It may be gone, and another one be where it was.
    polled: Pointers,
    /// The clone of it that the list keeps, which may be another waker; only of one that is kept is it
    /// known that no other is where it is.
    kept: Pointers,
}

type Pointers = (*const (), *const ());

impl Identity {
    /// The task that is being polled, waiting with `waker`.
    pub fn of(waker: &Waker) -> Self {
        Self {
            task: current::task_id(),
            polled: pointers(waker),
            kept: pointers(waker),
        }
    }

    /// The same, with the clone that the list keeps.
    pub(super) fn with(self, kept: Option<&Waker>) -> Self {
        Self {
            kept: kept.map_or(self.kept, pointers),
            ..self
        }
    }

    /// Whether both belong to one task.
    pub fn same_task(&self, other: &Identity) -> bool {
        match (self.task, other.task) {
            (None, None) => self.polled == other.polled,
            (one, another) => one == another,
        }
    }

    /// Whether both have one number of a task, or none.
    pub(super) fn has_task_of(&self, other: &Identity) -> bool {
        self.task == other.task
    }

    /// Whether both wait with the same waker.
    pub fn same_waker(&self, other: &Identity) -> bool {
        self.kept == other.kept
    }
}

fn pointers(waker: &Waker) -> Pointers {
    (waker.data(), core::ptr::from_ref(waker.vtable()).cast())
}

/// What the list keeps in a waiter.
pub(super) struct Links {
    pub(super) prev: Option<NonNull<Waiter>>,
    pub(super) next: Option<NonNull<Waiter>>,
    pub(super) waker: Option<Waker>,
    pub(super) payload: usize,
}

/// What the owner keeps for itself.
struct Own {
    /// The address of the list, never dereferenced. Written with the list in hand; an atomic because
    /// the owner may look at the identity beside it meanwhile.
    home: AtomicUsize,
    identity: Identity,
}

/// A place in a wait list, inside the future that waits.
///
/// Its fields other than `state` are written when it enlists and not before, so that a future that
/// never has to wait costs one byte to set up.
pub struct Waiter {
    /// Anyone, to read. Idle and Done: written by the owner. Waiting: by the holder of the list.
    state: AtomicU8,
    /// The holder of the list, while Waiting. `waker` is `None` at any other time.
    links: UnsafeCell<MaybeUninit<Links>>,
    /// Since it first enlisted: the owner, to read, and with the list in hand to write; the holder of
    /// the list, to read, while Waiting. A waiter that may be moved to another list is read by its
    /// owner with one of the two in hand only, because the mover writes with both.
    own: UnsafeCell<MaybeUninit<Own>>,
    /// The list's side touches it, the owner ends it.
    live: Live,
    _pinned: PhantomPinned,
}

// SAFETY: a waiter is a place that threads share on purpose; each field names who may touch it when,
// and none of them cares which thread that is.
unsafe impl Send for Waiter {}
// SAFETY: through `&Waiter` only `state` is reached without the list in hand.
unsafe impl Sync for Waiter {}

impl Waiter {
    /// A waiter that has not begun to wait.
    ///
    /// Written field by field: of a struct expression the compiler makes a constant, and copies that with
    /// zeros for what it leaves out, which costs more than the rest of an uncontended operation.
    #[inline(always)]
    pub fn new() -> Self {
        let mut waiter = MaybeUninit::<Self>::uninit();
        let place = waiter.as_mut_ptr();
        // SAFETY: the place is this function's, and every field but the marker, which has no size, is
        // made before it is taken out. A field left out would be used without a value.
        unsafe {
            (&raw mut (*place).state).write(AtomicU8::new(WaitState::Idle as u8));
            UnsafeCell::<MaybeUninit<Links>>::make_uninit(&mut *(&raw mut (*place).links).cast());
            UnsafeCell::<MaybeUninit<Own>>::make_uninit(&mut *(&raw mut (*place).own).cast());
            (&raw mut (*place).live).write(Live::new());
            waiter.assume_init()
        }
    }

    /// How far the wait has come. Granted and Dismissed make visible what was done before.
    #[inline]
    pub fn state(&self) -> WaitState {
        // ORDERING: Acquire pairs with the Release in `end`: the waiter's owner sees what the one
        // who granted wrote before, and may then free the waiter (I3).
        match self.state.load(Ordering::Acquire) {
            0 => WaitState::Idle,
            1 => WaitState::Waiting,
            2 => WaitState::Granted,
            3 => WaitState::Dismissed,
            _ => WaitState::Done,
        }
    }

    /// Whether the waiter is in the list with this very waker, so that a poll has nothing to do.
    pub fn is_registered(self: Pin<&mut Self>, waker: &Waker) -> bool {
        self.state() == WaitState::Waiting && self.identity().kept == pointers(waker)
    }

    /// Idle to Granted: the owner has what it wants without waiting, but cannot return it yet.
    ///
    /// # Panics
    ///
    /// If the wait has begun.
    pub fn secure(self: Pin<&mut Self>) {
        assert_eq!(
            self.state(),
            WaitState::Idle,
            "only an idle waiter can be served at once"
        );
        // ORDERING: Relaxed. The owner tells itself.
        self.state
            .store(WaitState::Granted as u8, Ordering::Relaxed);
    }

    /// To Done: the owner has taken what the wait ended with.
    ///
    /// # Panics
    ///
    /// If the waiter is in a list: it has to leave first (I1).
    #[inline]
    pub fn finish(self: Pin<&mut Self>) {
        assert_ne!(
            self.state(),
            WaitState::Waiting,
            "a linked waiter has to leave first"
        );
        self.done();
    }

    /// Idle to Done: the owner has what it wants and is not going to wait.
    ///
    /// # Safety
    ///
    /// The waiter is Idle. If it were linked, the list would point to it for ever.
    #[inline(always)]
    pub(crate) unsafe fn finish_idle(&self) {
        debug_assert_eq!(self.state(), WaitState::Idle);
        self.done();
    }

    /// To Done, by the owner, when the waiter is not linked any more.
    #[inline]
    pub(super) fn done(&self) {
        // ORDERING: Relaxed. The owner tells itself; the list's side is through with it (I3).
        self.state.store(WaitState::Done as u8, Ordering::Relaxed);
    }

    /// Dismissed to Idle: the owner begins again.
    ///
    /// # Panics
    ///
    /// If the wait has not ended that way.
    pub fn renew(self: Pin<&mut Self>) {
        assert_eq!(
            self.state(),
            WaitState::Dismissed,
            "only a dismissed waiter begins again"
        );
        // ORDERING: Relaxed. The owner tells itself.
        self.state.store(WaitState::Idle as u8, Ordering::Relaxed);
    }

    /// Idle to Waiting, by the list.
    pub(super) fn begin(self: Pin<&Self>, home: usize, identity: Identity, links: Links) {
        self.live.touch();
        self.links.with_mut(|place| {
            // SAFETY: the waiter is not linked yet and its owner is in this call, so nobody else
            // reaches the place.
            unsafe { &mut *place }.write(links);
        });
        self.own.with_mut(|place| {
            // SAFETY: as above.
            unsafe { &mut *place }.write(Own {
                home: AtomicUsize::new(home),
                identity,
            });
        });
        // ORDERING: Relaxed. Others see the waiter through the list, whose lock orders this.
        self.state
            .store(WaitState::Waiting as u8, Ordering::Relaxed);
    }

    /// Waiting to Granted or Dismissed, by the list. The last access to the waiter.
    pub(super) fn end(&self, state: WaitState) {
        self.live.touch();
        let order = if planted!("wait_list.relaxed_end") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire in `state`: all accesses of the list's side
        // come before the owner frees the waiter (I3).
        self.state.store(state as u8, order);
    }

    /// Runs `body` on the links of a linked waiter, by the holder of its list.
    pub(super) fn with_links<R>(&self, body: impl FnOnce(&mut Links) -> R) -> R {
        self.live.touch();
        self.links.with_mut(|place| {
            // SAFETY: a linked waiter has been through `begin`, and the caller holds the list that
            // it is linked in (I1, I2). Without the list in hand two threads would write the links.
            body(unsafe { (*place).assume_init_mut() })
        })
    }

    /// Who waits: for the owner, or the holder of the list, once enlisted.
    pub(super) fn identity(&self) -> Identity {
        self.with_own(|own| own.identity)
    }

    /// Another waker, by the owner with the list in hand.
    pub(super) fn set_identity(self: Pin<&Self>, identity: Identity) {
        self.own.with_mut(|place| {
            // SAFETY: Waiting, so it has been through `begin`; the owner is in this call and holds
            // the list, so nobody reads.
            unsafe { (*place).assume_init_mut() }.identity = identity;
        });
    }

    pub(super) fn assert_home(&self, list: usize) {
        assert_eq!(self.home(), list, "the waiter waits in another list");
    }

    /// The address of the list that the waiter is in, or was in last.
    pub(super) fn home(&self) -> usize {
        // ORDERING: Relaxed. The lock of the list orders it; a backstop otherwise.
        self.with_own(|own| own.home.load(Ordering::Relaxed))
    }

    /// Another list, by the holder of both.
    pub(super) fn set_home(&self, list: usize) {
        // ORDERING: Relaxed. As in `home`.
        self.with_own(|own| own.home.store(list, Ordering::Relaxed));
    }

    fn with_own<R>(&self, body: impl FnOnce(&Own) -> R) -> R {
        self.own.with(|place| {
            // SAFETY: it has been through `begin`, because callers checked Waiting or hold the
            // list that it is in; only its owner writes, with the list in hand.
            body(unsafe { (*place).assume_init_ref() })
        })
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        if self.state() == WaitState::Waiting {
            still_linked();
        }
        self.live.end();
    }
}

/// Unwinding would free memory that the list points to.
#[cold]
fn still_linked() -> ! {
    eprintln!("tenter-sync: a waiter was dropped while linked; this is a bug in the primitive");
    std::process::abort();
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("state", &self.state())
            .finish()
    }
}
