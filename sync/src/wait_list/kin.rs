//! How one waiter takes the turn of another that belongs to the same task (*futurelock*).
//!
//! A primitive that calls its waiters moves them to a list of the called, where they wait to be polled.
//! If their task polls another of its waiters instead, the two change places: the called one goes back
//! to where the other one waited, and everyone else keeps the place that they had.

use core::pin::Pin;
use core::ptr::NonNull;
use core::task::Waker;

use super::{Identity, WaitList, Waiter};
use crate::wake_batch::WakeBatch;

impl WaitList {
    /// Whether one of this task, among the first `depth`, wants at least `wish`.
    pub fn has_kin(&self, kin: &Identity, wish: usize, depth: usize) -> bool {
        self.kin(kin, wish, depth).is_some()
    }

    /// Moves the longest-waiting one of this task that wants at least `wish`, if it is among the first
    /// `depth`, to another list: into the place before `place`, which is in that list, or to the back.
    /// There it waits on with this waker. Returns what it wants; `None` if there is no such waiter, and
    /// then the waker has been given back in `waker`. Both lists are under one lock, and (c) of the
    /// module's contract holds for `to` as well.
    ///
    /// # Panics
    ///
    /// If `place` waits in another list.
    pub fn step_back(
        &mut self,
        kin: Identity,
        wish: usize,
        depth: usize,
        to: &mut WaitList,
        place: Option<Pin<&mut Waiter>>,
        waker: &mut Option<Waker>,
    ) -> Option<usize> {
        let node = NonNull::from(self.kin(&kin, wish, depth)?);
        // SAFETY: found in the list just now, so linked, alive by (a), and it stays so: it is in the
        // hands of one list or the other until this returns.
        let waiter = unsafe { node.as_ref() };
        let none = self.unlink(waiter);
        debug_assert!(
            none.is_none(),
            "the waker of one that was called has left the list"
        );
        waiter.set_home(to.address());
        // SAFETY: as above; that it never moves is its owner's pin.
        unsafe { Pin::new_unchecked(waiter) }.set_identity(kin);
        let payload = waiter.with_links(|links| {
            links.waker = waker.take();
            links.payload
        });
        match place {
            Some(place) => {
                place.assert_home(to.address());
                to.insert_before(node, NonNull::from(place.as_ref().get_ref()));
            }
            None => {
                waiter.with_links(|links| links.prev = to.tail);
                to.append(node);
            }
        }
        Some(payload)
    }

    /// Takes the wakers of those among the first `depth` that wait for this task. They stay in the list;
    /// wake what is pushed after unlocking.
    pub fn wakers_of_task(&mut self, task: &Identity, depth: usize, batch: &mut WakeBatch) {
        let kin = self
            .iter()
            .take(depth)
            .filter(|waiter| waiter.identity().same_task(task));
        for waker in kin.filter_map(|waiter| waiter.with_links(|links| links.waker.take())) {
            batch.push(waker);
        }
    }

    fn kin(&self, kin: &Identity, wish: usize, depth: usize) -> Option<&Waiter> {
        self.iter().take(depth).find(|waiter| {
            waiter.identity().same_task(kin) && waiter.with_links(|links| links.payload) >= wish
        })
    }

    /// Links an unlinked waiter in before one of this list.
    fn insert_before(&mut self, node: NonNull<Waiter>, next: NonNull<Waiter>) {
        // SAFETY: `next` is linked (I1), so alive by (a); were it freed, this would write to freed memory.
        let prev = unsafe { next.as_ref() }.with_links(|links| links.prev.replace(node));
        // SAFETY: the caller has the waiter in hand.
        unsafe { node.as_ref() }.with_links(|links| {
            links.prev = prev;
            links.next = Some(next);
        });
        match prev {
            // SAFETY: a neighbour is linked (I1), so alive by (a), and in this list by (b).
            Some(prev) => unsafe { prev.as_ref() }.with_links(|links| links.next = Some(node)),
            None => self.head = Some(node),
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Left;
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
        // SAFETY: (a) the test takes its waiters out; (b) it says which list has them; (c) the lists
        // stay put.
        unsafe { list.enlist(waiter, payload, Identity::of(waker), Some(waker.clone())) };
    }

    #[test]
    fn one_of_the_same_task_changes_places() {
        let (mut called, mut waiting) = (WaitList::new(), WaitList::new());
        let mut waiters: Vec<_> = (0..5).map(|_| Box::pin(Waiter::new())).collect();
        for (index, waiter) in waiters.iter_mut().enumerate() {
            let list = if index < 2 { &mut called } else { &mut waiting };
            enlist(list, waiter.as_mut(), index);
        }
        let (kin, other) = (Identity::of(Waker::noop()), Waker::from(Arc::new(Nothing)));
        assert!(called.has_kin(&kin, 1, 2) && !called.has_kin(&kin, 1, 1));
        assert!(!called.has_kin(&kin, 2, 9) && !called.has_kin(&Identity::of(&other), 0, 9));
        let mut waker = Some(Waker::noop().clone());
        assert!(called.take_front_waker().is_some());
        // The first goes before the one in the middle, and that one takes its turn.
        let mut place = waiters.remove(3);
        let moved = called.step_back(kin, 0, 9, &mut waiting, Some(place.as_mut()), &mut waker);
        assert_eq!((moved, waker.is_none()), (Some(0), true));
        assert_eq!(
            [0, 1, 2, 3].map(|at| waiting.payload_at(at)),
            [2, 0, 3, 4].map(Some)
        );
        drop(waiting.claim(place.as_mut()));
        assert!(
            called
                .step_back(kin, 9, 9, &mut waiting, None, &mut waker)
                .is_none()
        );
        // Before the front.
        assert!(called.take_front_waker().is_some());
        let front = Some(waiters[2].as_mut());
        assert_eq!(
            called.step_back(kin, 1, 9, &mut waiting, front, &mut waker),
            Some(1)
        );
        assert_eq!(
            [0, 1, 2, 3].map(|at| waiting.payload_at(at)),
            [1, 2, 0, 4].map(Some)
        );
        // To the back.
        let mut last = pin!(Waiter::new());
        // SAFETY: as in `enlist`.
        unsafe { called.enlist(last.as_mut(), 7, kin, None) };
        assert_eq!(
            called.step_back(kin, 7, 9, &mut waiting, None, &mut waker),
            Some(7)
        );
        assert_eq!(waiting.payload_at(4), Some(7));
        let mut batch = WakeBatch::new();
        waiting.wakers_of_task(&kin, 2, &mut batch);
        assert_eq!(batch.len(), 1, "the other has none");
        assert!(matches!(waiting.leave(last), Left::Waiting(None)));
        for waiter in &mut waiters {
            assert!(matches!(waiting.leave(waiter.as_mut()), Left::Waiting(_)));
        }
        assert!(called.is_empty() && waiting.is_empty());
    }
}
