//! Which members of a combinator were woken: one allocation, shared with the members' wakers.
//!
//! ```text
//!  List ──► refs │ woken │ parent │ member 0 │ member 1 │ …
//!                    │                ▲          ▲
//!                    └── a stack, linked through the members; the waker of a member points to it
//!
//!              wake                      begin
//!  IDLE ─────────────────► QUEUED ─────────────────► IDLE          (the member is polled now)
//!    └───── retire ──► RETIRED ◄── retire ──┘                      (it is never polled again)
//! ```
//!
//! A wake that finds IDLE pushes the member on the stack, and then wakes the parent: the task that polls
//! the combinator. Every other wake does nothing. The combinator takes the whole stack and turns it over,
//! so that members are polled in the order in which they were woken.
//!
//! Invariants:
//! - L1: a member is in the stack, or in the batch that was taken from it, at most once. Who turned IDLE
//!   into QUEUED pushes it; `next` is that thread's until the push, then the taker's.
//! - L2: the allocation lives as long as somebody counts in `refs`: the combinator, and every waker.
//! - L3: no user code runs here, but for the wake, clone and drop of the parent's waker, and these at the
//!   end of a function, when the list is whole.
//!
//! # No wake is lost
//!
//! To the member: who wakes publishes, then exchanges `state`; the combinator exchanges `state` in `begin`,
//! then polls. All of them are read-modify-writes of one word, so either the wake comes after `begin` and
//! finds IDLE, or `begin` acquires what it published, and the poll sees it.
//!
//! To the parent: who wakes pushes, then takes the parent's waker ([`WakerCell`]); the combinator registers
//! that waker, then looks at the stack ([`List::watch`]). The cell's proof says that one of them sees the
//! other.
//!
//! Rejected: an `Arc` for each member, as unordered sets of futures have it. It costs an allocation each.
//! Rejected: one bit for each member. The order of the wakes, which is that of the outputs, would be lost.
//! Rejected: registering the parent before the members are polled. Each wake from a poll would then wake
//! the task that is being polled.
//!
//! Tests: `tests/tests/combine`, model: `loom-tests/tests/combine.rs`.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use tenter_sync::planted;
use tenter_sync::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use tenter_sync::shim::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use tenter_sync::shim::{Guess, Live};
use tenter_sync::waker_cell::WakerCell;

/// No member: the end of a chain.
pub const NONE: u32 = u32::MAX;

const IDLE: u32 = 0;
/// In the stack or in the batch, or about to be.
const QUEUED: u32 = 1;
/// Over.
const RETIRED: u32 = 2;

struct Header {
    refs: AtomicUsize,
    /// The member that was woken last.
    woken: AtomicU32,
    members: u32,
    parent: WakerCell,
    live: Live,
}

struct Member {
    state: AtomicU32,
    /// The next one in the stack or in the batch.
    next: AtomicU32,
    index: u32,
}

/// The layout of a list, and where the members begin.
fn layout(members: u32) -> (Layout, usize) {
    let row = Layout::array::<Member>(members as usize);
    let both = row.and_then(|row| Layout::new::<Header>().extend(row));
    both.unwrap_or_else(|_| panic!("{members} futures at once are more than memory can hold"))
}

/// The combinator's reference to the list.
pub struct List(NonNull<Header>);

// SAFETY: what several threads reach is atomic, or a `WakerCell`, which is `Sync`; the count (L2) may go
// down on any thread. Were one of these not so, a wake on another thread would race.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

impl List {
    /// A list for so many members, none of which is woken.
    pub fn new(members: u32) -> Self {
        let (layout, first) = layout(members);
        // SAFETY: a header makes the layout larger than nothing.
        let memory = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(memory.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        let value = Header {
            refs: AtomicUsize::new(1),
            woken: AtomicU32::new(NONE),
            members,
            parent: WakerCell::new(),
            live: Live::new(),
        };
        // SAFETY: the memory is as large and as aligned as `layout` says, and nobody else has it yet.
        unsafe {
            header.write(value);
            let row = header.cast::<u8>().add(first).cast::<Member>();
            for index in 0..members {
                row.add(index as usize).write(Member {
                    state: AtomicU32::new(IDLE),
                    next: AtomicU32::new(NONE),
                    index,
                });
            }
        }
        Self(header)
    }

    /// Gives the reference away as a pointer, to be taken back by [`from_raw`](Self::from_raw).
    pub fn into_raw(self) -> *mut () {
        ManuallyDrop::new(self).0.as_ptr().cast()
    }

    /// Takes a reference back.
    ///
    /// # Safety
    ///
    /// It comes from [`into_raw`](Self::into_raw), and is taken back once, or else never dropped; a second
    /// drop would free what others use.
    pub unsafe fn from_raw(pointer: *mut ()) -> Option<Self> {
        NonNull::new(pointer.cast()).map(Self)
    }

    fn header(&self) -> &Header {
        // SAFETY: L2: the reference that we count keeps it alive.
        let header = unsafe { self.0.as_ref() };
        header.live.touch();
        header
    }

    /// The member's place. The pointer is good for the whole allocation.
    fn place(&self, index: u32) -> NonNull<Member> {
        assert!(index < self.header().members, "no such member: {index}");
        let (_, first) = layout(0);
        // SAFETY: inside of the allocation, as just asserted: the members begin at `first` whatever their
        // number, because only their alignment matters to that.
        unsafe {
            self.0
                .cast::<u8>()
                .add(first)
                .cast::<Member>()
                .add(index as usize)
        }
    }

    fn member(&self, index: u32) -> &Member {
        // SAFETY: as in `header`; members are written once, in `new`, and used through their atomics.
        unsafe { self.place(index).as_ref() }
    }

    /// Lends the waker of a member: nobody counts it.
    pub fn waker<R>(&self, index: u32, lend: impl FnOnce(&Waker) -> R) -> R {
        let data = self.place(index).as_ptr().cast_const().cast();
        // SAFETY: the functions of the table keep the contract of `RawWaker` for a pointer to a member
        // whose list is alive. It is, by our reference, until `lend` returns; who wants to keep the waker
        // has to clone it, which counts. It is not dropped, so that it takes no count away.
        let waker = unsafe { ManuallyDrop::new(Waker::new(data, &MEMBER)) };
        lend(&waker)
    }

    /// A waker of a member that is counted.
    pub fn counted(&self, index: u32) -> Waker {
        self.waker(index, Waker::clone)
    }

    /// Takes those that were woken, as a chain in the order of their wakes.
    pub fn take(&self) -> u32 {
        let header = self.header();
        // ORDERING: Relaxed. A hint; who pushes after it wakes the parent, or is seen by `watch`.
        if header.woken.load(Ordering::Relaxed) == NONE {
            return NONE;
        }
        // ORDERING: Acquire, of the pushes: the links are theirs (L1).
        let mut last = header.woken.swap(NONE, Ordering::Acquire);
        let mut first = NONE;
        while last != NONE {
            let member = self.member(last);
            // ORDERING: Relaxed. The chain is ours since the swap (L1).
            let before = member.next.load(Ordering::Relaxed);
            member.next.store(first, Ordering::Relaxed);
            first = core::mem::replace(&mut last, before);
        }
        first
    }

    /// Takes the first member from a chain: the rest, and whether it is to be polled now.
    pub fn begin(&self, first: u32) -> (u32, bool) {
        let member = self.member(first);
        // ORDERING: Relaxed. The chain is ours (L1).
        let rest = member.next.load(Ordering::Relaxed);
        // ORDERING: Relaxed. Only the combinator, which is us, retires.
        if member.state.load(Ordering::Relaxed) & RETIRED != 0 {
            return (rest, false);
        }
        if planted!("combine.begin_after_poll") {
            return (rest, true);
        }
        if planted!("combine.begin_by_store") {
            member.state.store(IDLE, Ordering::Relaxed);
            return (rest, true);
        }
        // ORDERING: AcqRel. Acquire, of every `wake` that found the member queued: the poll sees what it
        // published. Release, for the next `wake`, which pushes: `rest` was read before.
        member.state.fetch_and(!QUEUED, Ordering::AcqRel);
        (rest, true)
    }

    /// The member is over, and is not polled again.
    pub fn retire(&self, index: u32) {
        // ORDERING: Relaxed. A wake that does not see it costs a look at the member, and nothing else.
        self.member(index)
            .state
            .fetch_or(RETIRED, Ordering::Relaxed);
    }

    /// The combinator has polled what was woken, and is about to wait: whose task the next wake wakes.
    /// False: there was a wake in the meantime.
    pub fn watch(&self, parent: &Waker) -> bool {
        let header = self.header();
        if planted!("combine.look_before_watch") {
            // ORDERING: Acquire, as below.
            let quiet = header.woken.load(Ordering::Acquire) == NONE;
            header.parent.register(parent);
            return quiet;
        }
        header.parent.register(parent);
        // ORDERING: Acquire. By the proof of `WakerCell`, a push whose wake found no waker is visible here.
        planted!("combine.no_look_after_watch") || header.woken.load(Ordering::Acquire) == NONE
    }
}

/// Something has come from a wake of a member.
///
/// # Safety
///
/// `data` points to a member whose list is alive until this returns.
unsafe fn wake_member(data: *const ()) {
    // SAFETY: the caller's.
    let member = unsafe { &*data.cast::<Member>() };
    // ORDERING: AcqRel, a read-modify-write also if the member is queued: Release, so that `begin` sees
    // what the caller has published; Acquire, so that who pushes passes on what others published before.
    if member.state.fetch_or(QUEUED, Ordering::AcqRel) != IDLE {
        return;
    }
    // SAFETY: as above: the header is part of the same allocation.
    let header = unsafe { header_of(data).as_ref() };
    header.live.touch();
    let mut last = header.woken.guess();
    loop {
        // ORDERING: Relaxed. The link is ours until the exchange, which publishes it.
        member.next.store(last, Ordering::Relaxed);
        let order = if planted!("combine.relaxed_push") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release, to `take`. A failure is Relaxed: its value is only compared and linked.
        match header
            .woken
            .compare_exchange_weak(last, member.index, order, Ordering::Relaxed)
        {
            Ok(_) => break,
            Err(actual) => last = actual,
        }
    }
    header.parent.wake();
}

/// The header of a member's list.
///
/// # Safety
///
/// `data` points to a member, and was made by `List::place`.
unsafe fn header_of(data: *const ()) -> NonNull<Header> {
    let member = data.cast::<Member>();
    // SAFETY: the caller's. The steps back are those that `place` went forth, with a pointer that is good
    // for the whole allocation.
    unsafe {
        let first = member.sub((*member).index as usize);
        let header = first.cast::<u8>().sub(layout(0).1).cast_mut();
        NonNull::new_unchecked(header.cast())
    }
}

/// The functions of a member's waker. Its data points to the member.
static MEMBER: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: a waker points to a member, and its list is alive as long as the waker (L2).
        let header = unsafe { header_of(data).as_ref() };
        header.live.touch();
        // ORDERING: Relaxed. The clone comes from a reference that keeps the list alive.
        let before = header.refs.fetch_add(1, Ordering::Relaxed);
        // As for `Arc`: who forgets that many clones shall not be able to make the count come back to zero.
        if before > isize::MAX as usize {
            std::process::abort();
        }
        RawWaker::new(data, &MEMBER)
    },
    |data| {
        // The reference is given back also if the parent's waker panics.
        // SAFETY: as above; the waker's count is ours now.
        let _counted = unsafe { List(header_of(data)).without_end() };
        // SAFETY: as above.
        unsafe { wake_member(data) };
    },
    // SAFETY: as above.
    |data| unsafe { wake_member(data) },
    // SAFETY: as above; the waker's count is given back.
    |data| drop(unsafe { List(header_of(data)).without_end() }),
);

/// A reference whose drop is only one reference less.
struct Counted(NonNull<Header>);

impl List {
    fn without_end(self) -> Counted {
        Counted(ManuallyDrop::new(self).0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        {
            // SAFETY: L2: our reference keeps it alive.
            let header = unsafe { self.0.as_ref() };
            header.live.touch();
            // ORDERING: Release, so that who frees comes after all that we did; its partner is below.
            let order = if planted!("combine.relaxed_release") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            if header.refs.fetch_sub(1, order) != 1 {
                return;
            }
            // ORDERING: Acquire, of the releases of all the others.
            fence(Ordering::Acquire);
            header.live.end();
        }
        // SAFETY: the last reference is gone (L2), so nobody else reaches the memory; it was made with this
        // layout. Members have nothing to drop in production; in the model they do.
        unsafe {
            let members = self.0.as_ref().members;
            let (layout, first) = layout(members);
            let row = self.0.cast::<u8>().add(first).cast::<Member>();
            for index in 0..members as usize {
                row.add(index).drop_in_place();
            }
            self.0.drop_in_place();
            dealloc(self.0.as_ptr().cast(), layout);
        }
    }
}

impl Drop for List {
    /// The combinator is gone: wakes of its members wake nobody from now on.
    fn drop(&mut self) {
        let counted = Counted(self.0);
        let parent = self.header().parent.take();
        drop(counted);
        // Dropped last: it is user code (L3).
        drop(parent);
    }
}
