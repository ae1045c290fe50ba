//! The wait list: who waits, in the order of arrival, with no allocation.
//!
//! A primitive keeps one [`WaitList`] in a [`Mutex`](crate::shim::Mutex) and puts its fast path in
//! front of it. Each waiting future carries its own [`Waiter`] and links it in when it first has to
//! wait. Whoever has something to give takes the longest-waiting one out and gets its waker, to be
//! woken when the lock is released. A future that is dropped early takes its waiter out itself.
//!
//! ```text
//!  head ──► Waiter ⇄ Waiter ⇄ Waiter ◄── tail        (each one inside a pinned future)
//!
//!               enlist              grant_front              finish
//!    ┌── Idle ─────────► Waiting ──────────────► Granted ──────────► Done
//!    │                    │   │   dismiss_front               finish  ▲
//!    │    secure          │   └────────────────► Dismissed ───────────┤
//!    └──────────► Granted │ leave                                     │
//!                         └───────────────────────────────────────────┘
//! ```
//!
//! A primitive may keep two lists under one lock, and pass the front of one on to the other: the
//! waiter stays Waiting. A dismissed waiter may begin again with `renew`.
//!
//! *Granted* means that something is reserved for the waiter and passed on if it is dropped;
//! *Dismissed* that its wait is over and nothing is reserved (closed, or told with all others).
//!
//! A list of the notify-and-claim kind wakes its front and leaves it Waiting; its owner claims the turn
//! (Waiting to Granted) with the list in hand. `place.rs` has what that takes, and `kin.rs` how one waiter
//! takes the turn of another of its task.
//!
//! Invariants:
//! - I1: a waiter is linked, in the list that it was enlisted in or moved to last, exactly while it is
//!   Waiting.
//! - I2: `&mut WaitList` is the right to the links, waker and payload of every waiter in it.
//! - I3: the store that ends Waiting is the last access to the waiter from the list's side; from
//!   then on its owner may free it.
//! - I4: the list calls no user code. Wakers are cloned by the caller before it locks, and handed
//!   out to be woken or dropped after.
//!
//! # Contract of the raw pointers
//!
//! All raw pointers to waiters are in this folder. Whoever calls [`WaitList::enlist`] answers for:
//! - (a) *Presence.* A waiter that is Waiting is given to [`WaitList::leave`] before it is dropped.
//!   (Its pin keeps the memory in place until then. A waiter that is leaked stays linked for ever,
//!   which is sound.)
//! - (b) *Home.* While it is Waiting it is given to no other list than the one that it is in; it is moved by
//!   who has both in hand.
//! - (c) *Standing still.* The list is not moved or dropped as long as somebody can still give it
//!   one of its waiters.
//!
//! Two backstops turn a mistake into a report: a waiter remembers the address of its list, and one
//! that is dropped while linked ends the process.
//!
//! Rejected: a lock-free list. An async waiter leaves from the middle at any time.
//! Rejected: an allocated node. Waiting would cost what the rest of the primitive costs together.
//! Rejected: taking the whole list out to wake it. What is taken out still has to be able to leave;
//! a number in the payload tells old waiters from new ones (see `notify`).
//!
//! Tests: below, `sync/tests/models/wait_list.rs` (stress: `sync/tests/stress.rs`, model:
//! `loom-tests/tests/wait_list.rs`).

mod kin;
mod place;
mod waiter;

use core::fmt;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

pub use waiter::{Identity, WaitState, Waiter};

use crate::wake_batch::WakeBatch;
use waiter::Links;

/// Waiters in the order of their arrival.
pub struct WaitList {
    head: Option<NonNull<Waiter>>,
    tail: Option<NonNull<Waiter>>,
    len: usize,
}

// SAFETY: the pointers lead to waiters that may be shared between threads (`Waiter: Send + Sync`),
// and by I2 whoever holds the list holds the right to them.
unsafe impl Send for WaitList {}

/// What [`WaitList::leave`] found.
#[derive(Debug)]
#[must_use]
pub enum Left {
    /// It was still waiting and is out of the list. Drop its waker after unlocking.
    Waiting(Option<Waker>),
    /// It was not in the list any more: look at its state.
    Gone,
}

/// Who was passed on by [`WaitList::pass_front`].
#[derive(Debug)]
#[must_use]
pub struct Passed {
    /// The task that waits.
    pub identity: Identity,
    /// Its waker, to be woken after unlocking.
    pub waker: Option<Waker>,
}

impl WaitList {
    /// A list that nobody waits in.
    pub const fn new() -> Self {
        Self {
            head: None,
            tail: None,
            len: 0,
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts an idle waiter at the back: Idle to Waiting. `waker` may come later, with
    /// [`set_waker`](Self::set_waker).
    ///
    /// # Panics
    ///
    /// If the waiter is not idle.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the module's contract, until the waiter is no longer Waiting.
    pub unsafe fn enlist(
        &mut self,
        waiter: Pin<&mut Waiter>,
        payload: usize,
        identity: Identity,
        waker: Option<Waker>,
    ) {
        assert_eq!(
            waiter.state(),
            WaitState::Idle,
            "only an idle waiter can enlist"
        );
        let node = NonNull::from(waiter.as_ref().get_ref());
        waiter.as_ref().begin(
            self.address(),
            identity.with(waker.as_ref()),
            Links {
                prev: self.tail,
                next: None,
                waker,
                payload,
            },
        );
        self.append(node);
    }

    /// What the longest-waiting one wants, if anybody waits.
    pub fn front_payload(&self) -> Option<usize> {
        self.front()
            .map(|front| front.with_links(|links| links.payload))
    }

    /// What the one in this place wants, counted from the front. As slow as the place is far.
    pub fn payload_at(&self, place: usize) -> Option<usize> {
        let mut waiter = self.front()?;
        for _ in 0..place {
            let next = waiter.with_links(|links| links.next)?;
            // SAFETY: a neighbour is linked (I1), so alive by (a), and it cannot leave while `self`
            // is borrowed (I2).
            waiter = unsafe { next.as_ref() };
        }
        Some(waiter.with_links(|links| links.payload))
    }

    /// Which task has waited longest, if anybody waits.
    pub fn front_identity(&self) -> Option<Identity> {
        self.front().map(Waiter::identity)
    }

    /// Takes the longest-waiting one out with something reserved for it. The outer `None`: nobody
    /// waits. Wake what is returned after unlocking.
    pub fn grant_front(&mut self) -> Option<Option<Waker>> {
        self.pop_front(WaitState::Granted)
    }

    /// Takes the longest-waiting one out with nothing reserved for it. The outer `None`: nobody
    /// waits. Wake what is returned after unlocking.
    pub fn dismiss_front(&mut self) -> Option<Option<Waker>> {
        self.pop_front(WaitState::Dismissed)
    }

    /// Takes a waiter out that does not want to wait any more: Waiting to Done.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn leave(&mut self, waiter: Pin<&mut Waiter>) -> Left {
        if waiter.state() != WaitState::Waiting {
            if crate::planted!("wait_list.granted_leaves_as_waiting") {
                return Left::Waiting(None);
            }
            return Left::Gone;
        }
        waiter.assert_home(self.address());
        let waker = self.unlink(waiter.as_ref().get_ref());
        waiter.done();
        Left::Waiting(waker)
    }

    /// Whether a waiter waits in this list.
    pub fn holds(&self, waiter: Pin<&mut Waiter>) -> bool {
        waiter.state() == WaitState::Waiting && waiter.home() == self.address()
    }

    /// Moves the longest-waiting one to the back of another list, with another payload, and takes
    /// its waker. `None`: nobody waits here. Both lists are under one lock, and (c) of the module's
    /// contract holds for `to` as well.
    pub fn pass_front(&mut self, to: &mut WaitList, payload: usize) -> Option<Passed> {
        let head = self.head?;
        // SAFETY: the head is linked (I1), so alive by (a), and stays so: it is in the hands of one
        // list or the other until this returns.
        let waiter = unsafe { head.as_ref() };
        let waker = self.unlink(waiter);
        waiter.set_home(to.address());
        waiter.with_links(|links| {
            links.prev = to.tail;
            links.payload = payload;
        });
        to.append(head);
        Some(Passed {
            identity: waiter.identity(),
            waker,
        })
    }

    /// The payload of the longest-waiting one of this task. Looks at all who wait.
    pub fn payload_of(&self, identity: &Identity) -> Option<usize> {
        self.waiter_of(identity)
            .map(|waiter| waiter.with_links(|links| links.payload))
    }

    /// Takes the longest-waiting one of this task out with nothing reserved for it. The outer `None`:
    /// the task does not wait here.
    pub fn dismiss_of(&mut self, identity: &Identity) -> Option<Option<Waker>> {
        let node = NonNull::from(self.waiter_of(identity)?);
        // SAFETY: found in the list just now, so linked, alive by (a) until `end` below.
        let waiter = unsafe { node.as_ref() };
        let waker = self.unlink(waiter);
        waiter.end(WaitState::Dismissed); // I3
        Some(waker)
    }

    /// Takes the wakers of those among the first `depth` that wait for this task; if the waker of
    /// `identity` is `reached` otherwise, of those that wait with another one. They stay in the list;
    /// wake what is pushed after unlocking.
    pub fn wakers_of(
        &mut self,
        identity: &Identity,
        reached: bool,
        depth: usize,
        batch: &mut WakeBatch,
    ) {
        let others = self.iter().take(depth).filter(|waiter| {
            let other = waiter.identity();
            other.same_task(identity) && !(reached && other.same_waker(identity))
        });
        for waker in others.filter_map(|waiter| waiter.with_links(|links| links.waker.take())) {
            batch.push(waker);
        }
    }

    /// Gives a waiter another waker. The old one, or the new one if nobody is going to wake it, is
    /// returned to be dropped after unlocking; in the second case the state has changed.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn set_waker(
        &mut self,
        waiter: Pin<&mut Waiter>,
        identity: Identity,
        waker: Waker,
    ) -> Option<Waker> {
        if waiter.state() != WaitState::Waiting {
            return Some(waker);
        }
        waiter.assert_home(self.address());
        waiter.as_ref().set_identity(identity.with(Some(&waker)));
        waiter.with_links(|links| links.waker.replace(waker))
    }

    fn front(&self) -> Option<&Waiter> {
        // SAFETY: the head is linked (I1), so alive by (a), and it cannot leave while `self` is
        // borrowed (I2).
        self.head.map(|head| unsafe { head.as_ref() })
    }

    fn iter(&self) -> impl Iterator<Item = &Waiter> {
        core::iter::successors(self.front(), |waiter| {
            let next = waiter.with_links(|links| links.next);
            // SAFETY: a neighbour is linked (I1), so alive by (a), and cannot leave while `self` is
            // borrowed (I2).
            next.map(|next| unsafe { next.as_ref() })
        })
    }

    fn waiter_of(&self, identity: &Identity) -> Option<&Waiter> {
        self.iter()
            .find(|waiter| waiter.identity().same_task(identity))
    }

    /// Puts a waiter at the back that points to the tail already, and to nothing behind it.
    fn append(&mut self, node: NonNull<Waiter>) {
        match self.tail {
            // SAFETY: the tail is linked (I1), so alive by (a); were it freed, this would write to
            // freed memory.
            Some(tail) => unsafe { tail.as_ref() }.with_links(|links| links.next = Some(node)),
            None => self.head = Some(node),
        }
        self.tail = Some(node);
        self.len += 1;
    }

    fn pop_front(&mut self, end: WaitState) -> Option<Option<Waker>> {
        let head = self.head?;
        // SAFETY: the head is linked (I1), so alive by (a) until `end` below.
        let waiter = unsafe { head.as_ref() };
        if crate::planted!("wait_list.publish_before_unlink") {
            waiter.end(end);
            return Some(self.unlink(waiter));
        }
        let waker = self.unlink(waiter);
        waiter.end(end); // I3: nothing of the waiter is touched after this
        Some(waker)
    }

    /// Takes a linked waiter out of its place.
    fn unlink(&mut self, waiter: &Waiter) -> Option<Waker> {
        let (prev, next, waker) =
            waiter.with_links(|links| (links.prev.take(), links.next.take(), links.waker.take()));
        match prev {
            // SAFETY: a neighbour is linked (I1), so alive by (a), and in this list by (b).
            Some(prev) => unsafe { prev.as_ref() }.with_links(|links| links.next = next),
            None => self.head = next,
        }
        match next {
            // SAFETY: as for `prev`.
            Some(next) => unsafe { next.as_ref() }.with_links(|links| links.prev = prev),
            None => self.tail = prev,
        }
        self.len -= 1;
        waker
    }

    fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl Default for WaitList {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList").field("len", &self.len).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn enlist(list: &mut WaitList, waiter: Pin<&mut Waiter>, payload: usize) {
        let waker = Waker::noop();
        // SAFETY: (a) every test takes its waiters out; (b) it has one list; (c) which stays put.
        unsafe { list.enlist(waiter, payload, Identity::of(waker), Some(waker.clone())) };
    }

    #[test]
    fn the_longest_waiting_one_comes_first() {
        let mut list = WaitList::new();
        let (mut a, mut b, mut c) = (
            pin!(Waiter::new()),
            pin!(Waiter::new()),
            pin!(Waiter::new()),
        );
        enlist(&mut list, a.as_mut(), 1);
        enlist(&mut list, b.as_mut(), 2);
        enlist(&mut list, c.as_mut(), 3);
        assert_eq!((list.len(), list.front_payload()), (3, Some(1)));
        assert_eq!(
            [0, 1, 2, 3].map(|place| list.payload_at(place)),
            [Some(1), Some(2), Some(3), None]
        );
        assert!(list.grant_front().flatten().is_some());
        assert!(list.dismiss_front().flatten().is_some());
        assert_eq!(
            (a.state(), b.state(), c.state()),
            (WaitState::Granted, WaitState::Dismissed, WaitState::Waiting)
        );
        assert!(matches!(list.leave(c), Left::Waiting(Some(_))));
        assert!(list.is_empty() && list.grant_front().is_none());
    }

    #[test]
    fn anyone_may_leave_from_any_place_in_any_order() {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut list = WaitList::new();
            let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(Waiter::new())).collect();
            for (payload, waiter) in waiters.iter_mut().enumerate() {
                enlist(&mut list, waiter.as_mut(), payload);
            }
            for (left, index) in order.into_iter().enumerate() {
                assert!(matches!(
                    list.leave(waiters[index].as_mut()),
                    Left::Waiting(_)
                ));
                let first = (0..3).find(|i| waiters[*i].state() == WaitState::Waiting);
                assert_eq!(
                    (list.len(), list.front_payload()),
                    (2 - left, first),
                    "{order:?}"
                );
            }
        }
    }

    #[test]
    fn a_granted_waiter_cannot_leave_any_more() {
        let mut list = WaitList::new();
        let mut waiter = pin!(Waiter::new());
        enlist(&mut list, waiter.as_mut(), 1);
        drop(list.grant_front());
        assert!(matches!(list.leave(waiter.as_mut()), Left::Gone));
        assert_eq!(waiter.state(), WaitState::Granted);
        assert!(
            list.set_waker(waiter, Identity::of(Waker::noop()), Waker::noop().clone())
                .is_some(),
            "nobody will wake it: the waker comes back"
        );
    }

    #[test]
    fn one_that_is_passed_on_waits_in_the_other_list() {
        let (mut home, mut next) = (WaitList::new(), WaitList::new());
        let (mut a, mut b) = (pin!(Waiter::new()), pin!(Waiter::new()));
        enlist(&mut home, a.as_mut(), 1);
        enlist(&mut home, b.as_mut(), 2);
        for payload in [7, 8] {
            let passed = home.pass_front(&mut next, payload).expect("two wait");
            assert!(passed.waker.is_some());
        }
        assert!(home.is_empty() && home.pass_front(&mut next, 9).is_none());
        assert!(next.holds(a.as_mut()) && !home.holds(a.as_mut()));
        assert_eq!((next.len(), next.front_payload()), (2, Some(7)));
        assert!(matches!(next.leave(a.as_mut()), Left::Waiting(None)));
        assert_eq!(next.front_payload(), Some(8));
        assert!(matches!(next.leave(b.as_mut()), Left::Waiting(None)));
        assert!(next.is_empty() && !next.holds(b));
    }

    #[test]
    fn those_of_a_task_are_found_woken_and_dismissed() {
        use crate::current::{TaskSlot, with_task};
        use core::num::NonZeroU64;
        use std::sync::Arc;
        use std::task::Wake;

        struct Other;
        impl Wake for Other {
            fn wake(self: Arc<Self>) {}
        }
        let mut list = WaitList::new();
        let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(Waiter::new())).collect();
        let task = TaskSlot::new(NonZeroU64::MIN);
        // Clones, since a clone need not have the vtable of the first one, but that of other clones.
        let wakers = [0; 4].map(|_| Waker::from(Arc::new(Other)).clone());
        let of_task = |waker: &Waker| with_task(&task, 1, || Identity::of(waker));
        for (number, waiter) in waiters.iter_mut().enumerate() {
            let waker = &wakers[number];
            let identity = match number {
                0 => Identity::of(waker),
                _ => of_task(waker),
            };
            // SAFETY: (a) all are taken out below; (b) one list; (c) which stays put.
            unsafe { list.enlist(waiter.as_mut(), number, identity, Some(waker.clone())) };
        }
        let asks = of_task(&wakers[1]);
        assert_eq!(list.payload_of(&asks), Some(1));
        let mut batch = WakeBatch::new();
        list.wakers_of(&asks, true, 3, &mut batch);
        assert_eq!(batch.len(), 1, "the third; the fourth is too far behind");
        list.wakers_of(&asks, true, 4, &mut batch);
        assert_eq!(batch.len(), 2, "the third has been woken already");
        assert!(list.dismiss_of(&asks).flatten().is_some());
        assert_eq!(waiters[1].state(), WaitState::Dismissed);
        waiters[1].as_mut().renew();
        assert_eq!(waiters[1].state(), WaitState::Idle);
        assert_eq!((list.payload_of(&asks), list.len()), (Some(2), 3));
        for number in [0, 2, 3] {
            assert!(matches!(
                list.leave(waiters[number].as_mut()),
                Left::Waiting(_)
            ));
        }
        assert!(list.dismiss_of(&asks).is_none());
    }

    #[test]
    fn a_foreign_list_is_refused() {
        use std::panic::{AssertUnwindSafe, catch_unwind};

        let (mut home, mut other) = (WaitList::new(), WaitList::new());
        let mut waiter = pin!(Waiter::new());
        enlist(&mut home, waiter.as_mut(), 1);
        let refused = catch_unwind(AssertUnwindSafe(|| {
            let _ = other.leave(waiter.as_mut());
        }));
        let message = refused.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("waits in another list"), "{message}");
        assert!(matches!(home.leave(waiter), Left::Waiting(Some(_))));
    }
}
