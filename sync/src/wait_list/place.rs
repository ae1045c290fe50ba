//! What a waiter's place in the list tells, and how a waiter that was only woken takes its turn.
//!
//! A primitive of the notify-and-claim kind wakes the front and leaves it in the list; when it is
//! polled it looks for its place and claims. Its waker has left the list by then, so whether the
//! list still has one is asked here too.

use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

use super::{Identity, WaitList, WaitState, Waiter};
use crate::wake_batch::WakeBatch;

impl WaitList {
    /// Whether the waiter has waited longest.
    pub fn is_front(&self, waiter: Pin<&mut Waiter>) -> bool {
        self.head == Some(NonNull::from(waiter.as_ref().get_ref()))
    }

    /// What a waiter of this list wants.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn payload(&self, waiter: Pin<&mut Waiter>) -> usize {
        waiter.assert_home(self.address());
        waiter.with_links(|links| links.payload)
    }

    /// Changes what a waiter of this list wants.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn set_payload(&mut self, waiter: Pin<&mut Waiter>, payload: usize) {
        waiter.assert_home(self.address());
        waiter.with_links(|links| links.payload = payload);
    }

    /// Whether a waiter of this list has a waker here that wakes the same as `waker`, and waits for the
    /// task of `identity`, which is that waker's now.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn has_waker(&self, waiter: Pin<&mut Waiter>, waker: &Waker, identity: &Identity) -> bool {
        waiter.assert_home(self.address());
        waiter.identity().has_task_of(identity)
            && waiter
                .with_links(|links| links.waker.as_ref().is_some_and(|old| old.will_wake(waker)))
    }

    /// Takes a waiter out that takes its turn: Waiting to Granted, by its owner. Drop the waker after
    /// unlocking.
    ///
    /// # Panics
    ///
    /// If the waiter waits in another list.
    pub fn claim(&mut self, waiter: Pin<&mut Waiter>) -> Option<Waker> {
        assert_eq!(
            waiter.state(),
            WaitState::Waiting,
            "only a linked waiter can claim"
        );
        waiter.assert_home(self.address());
        let waker = self.unlink(waiter.as_ref().get_ref());
        waiter.end(WaitState::Granted);
        waker
    }

    /// The waker of the longest-waiting one, which stays in the list; `None` if it was taken before.
    /// Wake it after unlocking.
    pub fn take_front_waker(&mut self) -> Option<Waker> {
        self.front()?.with_links(|links| links.waker.take())
    }

    /// Takes the wakers of those behind the front that belong to the same task as the front, as many as
    /// there is room for.
    pub fn take_wakers_like_front(&mut self, batch: &mut WakeBatch) {
        let Some(front) = self.front() else { return };
        let identity = front.identity();
        let mut next = front.with_links(|links| links.next);
        while let Some(node) = next {
            if batch.is_full() {
                return;
            }
            // SAFETY: reached from the front through links of linked waiters (I1), so alive by (a);
            // none can leave while `self` is borrowed (I2).
            let waiter = unsafe { node.as_ref() };
            let same_task = waiter.identity().same_task(&identity);
            next = waiter.with_links(|links| {
                if same_task {
                    links
                        .waker
                        .take()
                        .into_iter()
                        .for_each(|waker| batch.push(waker));
                }
                links.next
            });
        }
    }

    /// Moves the longest-waiting one to the back of another list, where it waits on. False if nobody
    /// waits here.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the module's contract hold for `to` from now on; and the owner of the waiter
    /// looks with [`holds`](Self::holds), with this list in hand, where its waiter is before it gives it
    /// to either.
    pub unsafe fn move_front_to(&mut self, to: &mut WaitList) -> bool {
        let Some(node) = self.head else { return false };
        // SAFETY: the head is linked (I1), so alive by (a) until its owner has both lists' leave.
        let waiter = unsafe { node.as_ref() };
        let waker = self.unlink(waiter);
        waiter.with_links(|links| {
            links.prev = to.tail;
            links.waker = waker;
        });
        waiter.set_home(to.address());
        to.append(node);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Identity, Left};
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Wake;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    fn enlist(list: &mut WaitList, waiter: Pin<&mut Waiter>, payload: usize) {
        let waker = Waker::noop();
        // SAFETY: (a) every test takes its waiters out; (b) it says which list has them; (c) the lists
        // stay put.
        unsafe { list.enlist(waiter, payload, Identity::of(waker), Some(waker.clone())) };
    }

    #[test]
    fn a_woken_front_keeps_its_place_until_it_claims() {
        let mut list = WaitList::new();
        let (mut a, mut b) = (pin!(Waiter::new()), pin!(Waiter::new()));
        enlist(&mut list, a.as_mut(), 1);
        enlist(&mut list, b.as_mut(), 2);
        // A clone, since a clone need not have the vtable of the first one, but that of other clones.
        let waker = Waker::from(Arc::new(Nothing)).clone();
        drop(list.set_waker(a.as_mut(), Identity::of(&waker), waker.clone()));
        assert!(list.has_waker(a.as_mut(), &waker, &Identity::of(&waker)));
        assert!(list.take_front_waker().is_some() && list.take_front_waker().is_none());
        assert!(!list.has_waker(a.as_mut(), &waker, &Identity::of(&waker)));
        assert!(list.is_front(a.as_mut()) && !list.is_front(b.as_mut()));
        assert!(list.claim(a.as_mut()).is_none());
        assert_eq!((a.state(), list.len()), (WaitState::Granted, 1));
        assert!(list.is_front(b.as_mut()));
        let mut batch = WakeBatch::new();
        list.take_wakers_like_front(&mut batch);
        assert!(batch.is_empty(), "those behind the front");
        assert!(matches!(list.leave(b), Left::Waiting(Some(_))));
    }

    #[test]
    fn the_same_task_is_found_wherever_it_is_in_the_line() {
        let mut list = WaitList::new();
        let mut waiters: Vec<_> = (0..40).map(|_| Box::pin(Waiter::new())).collect();
        for waiter in &mut waiters {
            enlist(&mut list, waiter.as_mut(), 0);
        }
        let mut batch = WakeBatch::new();
        list.take_wakers_like_front(&mut batch);
        assert!(batch.is_full());
        for waiter in &mut waiters {
            let _ = list.leave(waiter.as_mut());
        }
    }

    #[test]
    fn the_moved_keep_their_order_their_wakers_and_their_wishes() {
        let (mut from, mut to) = (WaitList::new(), WaitList::new());
        let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(Waiter::new())).collect();
        enlist(&mut to, waiters[0].as_mut(), 0);
        for (index, waiter) in waiters.iter_mut().enumerate().skip(1) {
            enlist(&mut from, waiter.as_mut(), index);
        }
        for left in [2, 1] {
            // SAFETY: as in `enlist`.
            assert!(unsafe { from.move_front_to(&mut to) });
            assert_eq!(from.len(), left);
        }
        assert!(from.holds(waiters[3].as_mut()) && !to.holds(waiters[3].as_mut()));
        for (index, waiter) in waiters.iter_mut().enumerate().take(3) {
            assert!(to.holds(waiter.as_mut()) && to.is_front(waiter.as_mut()));
            assert_eq!(to.payload(waiter.as_mut()), index);
            assert!(to.claim(waiter.as_mut()).is_some());
        }
        assert!(matches!(from.leave(waiters[3].as_mut()), Left::Waiting(_)));
        // SAFETY: as in `enlist`.
        assert!(!unsafe { from.move_front_to(&mut to) } && to.is_empty());
    }
}
