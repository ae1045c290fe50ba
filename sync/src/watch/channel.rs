//! What the ends of a watch channel share: the value, and those who wait.
//!
//! One lock guards all of it except the counts of readers. No user code runs under the lock: values
//! and wakers leave it to be dropped or woken, and the closure that changes a value in place runs while
//! the channel is merely marked as *being changed*.

use core::ptr::NonNull;

use super::node::Node;
use super::state::{self, CLOSED, Leave, Mark};
use super::{SendError, held};
use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Condvar, Mutex, MutexGuard};
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, wake_in_batches};

pub(super) struct Channel<T> {
    /// Written with the lock in hand, read by anybody.
    word: AtomicUsize,
    pub(super) line: Mutex<Line<T>>,
    /// Threads that wait for a change to end, or for readers to leave.
    turn: Condvar,
}

/// What the lock guards.
pub(super) struct Line<T> {
    /// The latest value.
    current: NonNull<Node<T>>,
    /// Earlier ones that are still read.
    retired: Vec<NonNull<Node<T>>>,
    /// A node for the next value that cannot take the place of the last one.
    spare: Option<NonNull<Node<T>>>,
    /// Whether a closure has the current value.
    is_being_changed: bool,
    /// Threads that wait to change the value.
    wanted: usize,
    /// How many changes have ended.
    changes: usize,
    pub(super) senders: usize,
    pub(super) receivers: usize,
    /// How often the last receiver has left.
    departures: usize,
    /// Receivers; the payload is the version that they have seen.
    waiting: WaitList,
    waiting_max: usize,
    /// Senders that wait for the receivers to leave; the payload is the number of departures before.
    leaving: WaitList,
    pub(super) name: Name,
}

// SAFETY: the nodes belong to the channel: a thread that has the lock, or the channel to itself, is the
// only one to follow the pointers here. The values go from thread to thread (`Send`) and are lent to
// several at once (`Sync`).
unsafe impl<T: Send + Sync> Send for Channel<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Channel<T> {}

/// A value that a `Ref` reads.
pub(super) struct Reading<T> {
    pub(super) node: NonNull<Node<T>>,
    pub(super) version: usize,
}

impl<T> Channel<T> {
    pub(super) fn new(value: T, receivers: usize) -> Self {
        Self {
            word: AtomicUsize::new(0),
            line: Mutex::new(Line {
                current: Node::allocate(Some(value)),
                retired: Vec::new(),
                spare: None,
                is_being_changed: false,
                wanted: 0,
                changes: 0,
                senders: 1,
                receivers,
                departures: 0,
                waiting: WaitList::new(),
                waiting_max: 0,
                leaving: WaitList::new(),
                name: Name::None,
            }),
            turn: Condvar::new(),
        }
    }

    /// The version, and whether senders are left. What was done before the value was sent is visible.
    #[inline]
    pub(super) fn word(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `write_word`.
        self.word.load(Ordering::Acquire)
    }

    /// The channel's identity in the notes of a thread.
    fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn write_word(&self, _line: &mut Line<T>, step: impl FnOnce(usize) -> usize) {
        // ORDERING: Relaxed. Written with the lock in hand only, and the caller has it.
        let word = self.word.load(Ordering::Relaxed);
        // ORDERING: Release pairs with the Acquire in `word`.
        self.word.store(step(word), Ordering::Release);
    }

    /// Begins to read the latest value; `end_read` is owed.
    ///
    /// # Panics
    ///
    /// Inside the closure that changes the value.
    #[inline]
    #[track_caller]
    pub(super) fn begin_read(&self) -> Reading<T> {
        let mut line = self.line.lock();
        if line.is_being_changed || line.wanted > 0 {
            self.wait_to_read(&mut line);
        }
        let node = line.current;
        // SAFETY: (a) of `node.rs`.
        unsafe { node.as_ref() }.join();
        // ORDERING: Relaxed. The lock orders it.
        let version = state::version(self.word.load(Ordering::Relaxed));
        drop(line);
        held::begin_read(self.address(), node.addr().get());
        Reading { node, version }
    }

    /// Waits until nobody changes the value, and lets one go first who wants to.
    #[cold]
    #[track_caller]
    fn wait_to_read(&self, line: &mut MutexGuard<'_, Line<T>>) {
        assert!(
            !held::changes(self.address()),
            "a watch value was borrowed inside the closure that changes it: use the `&mut` that the \
             closure was given"
        );
        // Whoever wants to change the value may be waiting for this very thread.
        let passes = held::reads_any(self.address()) && !planted!("watch.readers_always_wait");
        let changes = line.changes;
        while line.is_being_changed || (line.wanted > 0 && line.changes == changes && !passes) {
            self.turn.wait(line);
        }
    }

    /// Ends a read.
    ///
    /// # Safety
    ///
    /// The caller has joined the node with `begin_read`, and this is its last access to it.
    #[inline]
    pub(super) unsafe fn end_read(&self, node: NonNull<Node<T>>) {
        held::end_read(self.address(), node.addr().get());
        // SAFETY: (a) of `node.rs`; the caller is a reader.
        if unsafe { node.as_ref() }.leave() == Leave::LastOfInterest {
            self.last_reader_left();
        }
    }

    /// Sees to what waited for a node's readers: values that nobody can read any more go, and a sender
    /// goes on.
    #[cold]
    fn last_reader_left(&self) {
        loop {
            let mut line = self.line.lock();
            let value = line.reap();
            if line.wanted > 0 {
                self.turn.notify_all();
            }
            drop(line);
            match value {
                Some(value) => drop(value), // user code, outside the lock
                None => return,
            }
        }
    }

    /// Sends a value: never waits for readers, only for a change that is under way.
    #[track_caller]
    pub(super) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut line = self.line.lock();
        if line.is_being_changed {
            self.wait_to_send(&mut line);
        }
        if line.receivers == 0 {
            return Err(SendError(value));
        }
        let old = line.put(value);
        if line.wanted > 0 && !planted!("watch.send_tells_no_change") {
            self.turn.notify_all(); // the value that is waited for has been retired
        }
        self.announce(line);
        drop(old); // user code, outside the lock
        Ok(())
    }

    #[cold]
    #[track_caller]
    fn wait_to_send(&self, line: &mut MutexGuard<'_, Line<T>>) {
        self.assert_not_changing();
        while line.is_being_changed {
            self.turn.wait(line);
        }
    }

    #[track_caller]
    fn assert_not_changing(&self) {
        assert!(
            !held::changes(self.address()),
            "a watch channel was sent to inside the closure that changes its value: change the `&mut` \
             that the closure was given"
        );
    }

    /// Changes the value in place, when nobody reads it. `announces` says whether the receivers are told.
    ///
    /// # Panics
    ///
    /// If this thread reads or changes the value already; and if `change` does, whereupon the receivers
    /// are not told.
    #[track_caller]
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut T) -> R,
        announces: impl FnOnce(&R) -> bool,
    ) -> R {
        let mut turn = Change {
            channel: self,
            node: self.begin_change(),
            announces: false,
        };
        // SAFETY: (a) of `node.rs`; the channel is being changed, by this caller.
        let result = unsafe { turn.node.as_ref().change(change) };
        turn.announces = announces(&result);
        drop(turn);
        result
    }

    /// Waits until nobody reads or changes the value.
    #[track_caller]
    fn begin_change(&self) -> NonNull<Node<T>> {
        let mut line = self.line.lock();
        if line.is_being_changed {
            self.assert_not_changing();
        }
        loop {
            if !line.is_being_changed {
                // SAFETY: (a) of `node.rs`.
                let node = unsafe { line.current.as_ref() };
                if !node.is_read() || node.mark() == Mark::Free {
                    node.unmark();
                    break;
                }
                assert!(
                    !held::reads(self.address(), line.current.addr().get()),
                    "a watch value was to be changed in place while this thread holds a `Ref` of it, \
                     which would wait for ever: drop the `Ref` first, or use `send`"
                );
            }
            line.wanted += 1;
            self.turn.wait(&mut line);
            line.wanted -= 1;
        }
        line.is_being_changed = true;
        let node = line.current;
        drop(line);
        held::begin_change(self.address());
        node
    }

    /// A new value, or a changed one: all who wait go on.
    fn announce(&self, mut line: MutexGuard<'_, Line<T>>) {
        self.write_word(&mut line, state::announce);
        self.tell(line);
    }

    /// The last sender has left: all who wait go on, and nobody waits any more.
    pub(super) fn close(&self, mut line: MutexGuard<'_, Line<T>>) {
        self.write_word(&mut line, |word| word | CLOSED);
        if !planted!("watch.close_tells_nobody") {
            self.tell(line);
        }
    }

    /// Lets those receivers go that have not seen the latest version, and wakes them without the lock.
    fn tell(&self, line: MutexGuard<'_, Line<T>>) {
        if line.waiting.is_empty() {
            return;
        }
        let mut held = Some(line);
        wake_in_batches(|batch| {
            let mut line = held.take().unwrap_or_else(|| self.line.lock());
            // ORDERING: Relaxed. Written with the lock in hand only.
            let word = self.word.load(Ordering::Relaxed);
            while line
                .waiting
                .front_payload()
                .is_some_and(|seen| state::outlook(word, seen) != state::Outlook::Nothing)
            {
                if batch.is_full() {
                    return Progress::More;
                }
                if let Some(waker) = line.waiting.dismiss_front().flatten() {
                    batch.push(waker);
                }
            }
            Progress::Finished
        });
    }

    /// The last receiver has left: all senders go on that wait for that.
    pub(super) fn last_receiver_left(&self, mut line: MutexGuard<'_, Line<T>>) {
        line.departures = line.departures.wrapping_add(1);
        if line.leaving.is_empty() {
            return;
        }
        let mut held = Some(line);
        wake_in_batches(|batch| {
            let mut line = held.take().unwrap_or_else(|| self.line.lock());
            let now = line.departures;
            while line.leaving.front_payload().is_some_and(|then| then != now) {
                if batch.is_full() {
                    return Progress::More;
                }
                if let Some(waker) = line.leaving.dismiss_front().flatten() {
                    batch.push(waker);
                }
            }
            Progress::Finished
        });
    }
}

/// The right to the current value, until it is dropped.
struct Change<'a, T> {
    channel: &'a Channel<T>,
    node: NonNull<Node<T>>,
    announces: bool,
}

impl<T> Drop for Change<'_, T> {
    fn drop(&mut self) {
        let channel = self.channel;
        held::end_change(channel.address());
        let mut line = channel.line.lock();
        line.is_being_changed = false;
        line.changes = line.changes.wrapping_add(1);
        channel.turn.notify_all();
        if self.announces {
            channel.announce(line);
        }
    }
}

impl<T> Line<T> {
    /// Makes a value the latest one. The last one, if nobody reads it, is returned to be dropped after
    /// unlocking; else the last reader drops it.
    fn put(&mut self, value: T) -> Option<T> {
        // SAFETY: (a) of `node.rs`.
        let current = unsafe { self.current.as_ref() };
        if !current.is_read() || current.mark() == Mark::Free {
            current.unmark();
            // SAFETY: the lock is in hand, nobody changes the value, nobody reads it (I4).
            return unsafe { current.replace(Some(value)) };
        }
        let fresh = match self.spare.take() {
            Some(node) => {
                // SAFETY: (a) of `node.rs`; nobody reads a spare node (I4), and it holds nothing.
                unsafe { node.as_ref().replace(Some(value)) };
                node
            }
            None => Node::allocate(Some(value)),
        };
        self.retired
            .push(core::mem::replace(&mut self.current, fresh));
        None
    }

    /// Takes the value out of a retired node that nobody reads any more, if there is one.
    fn reap(&mut self) -> Option<T> {
        // SAFETY: (a) of `node.rs`.
        let is_idle = |node: &NonNull<Node<T>>| !unsafe { node.as_ref() }.is_read();
        let place = self.retired.iter().position(is_idle)?;
        let node = self.retired.swap_remove(place);
        // SAFETY: (a) of `node.rs`; nobody reads it, and nobody joins a retired node (I3, I4).
        let value = unsafe {
            node.as_ref().unmark();
            node.as_ref().replace(None)
        };
        if self.spare.is_none() {
            self.spare = Some(node);
        } else {
            // SAFETY: it is in no list any more, and its readers have left (I5). Empty, so no user code.
            unsafe { Node::free(node) };
        }
        value
    }

    pub(super) fn is_being_changed(&self) -> bool {
        self.is_being_changed
    }

    /// Receivers that wait: how many, and the most that ever did.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_max)
    }

    /// The list of receivers that wait.
    pub(super) fn receivers_waiting(&mut self) -> &mut WaitList {
        &mut self.waiting
    }

    /// A receiver has been added to the list.
    pub(super) fn note_peak(&mut self) {
        self.waiting_max = self.waiting_max.max(self.waiting.len());
    }

    /// The list of senders that wait, and what their payload is.
    pub(super) fn senders_waiting(&mut self) -> (&mut WaitList, usize) {
        (&mut self.leaving, self.departures)
    }
}

impl<T> Drop for Channel<T> {
    fn drop(&mut self) {
        let line = self.line.get_mut();
        let nodes = line.retired.drain(..).chain(line.spare.take());
        for node in nodes.chain([line.current]) {
            // SAFETY: no end of the channel is left, and so no `Ref` that could be used: those that
            // still count as readers were forgotten. Each node is in one place, and freed once.
            unsafe { Node::free(node) };
        }
    }
}
