//! The lock without the data: how it is taken and put back, and who is called from the line.
//!
//! The invariants (I1 to I6) and the proof that nobody waits for nothing are in the module above.

use core::num::NonZeroU64;

use super::state::{self, DOWNGRADE, Kind, MAX_READERS, Put, Take, WAITERS, WRITER};
use crate::current;
use crate::holders;
use crate::name::Name;
use crate::owner::Owner;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Guess, Mutex};
use crate::wait_list::WaitList;
use crate::wake_batch::{CAPACITY, Progress, WakeBatch, wake_in_batches};

/// How far behind the called one those of the same task are looked for, which wait in another branch
/// of a combinator that polls only what was woken.
pub(super) const KIN_DEPTH: usize = 16;

/// What the lock of the line guards.
pub(super) struct Line {
    /// Those whose turn it is: woken, and not come yet. Their payload is the number of their call.
    pub(super) called: WaitList,
    /// Those behind them, in the order of arrival. Their payload is their kind.
    pub(super) waiting: WaitList,
    /// The number of the last call, above the bit for the kind.
    last_call: usize,
    /// The most that ever waited at once.
    pub(super) peak: usize,
}

/// The bit of a payload that says "write".
const WRITES: usize = 1;

/// What a waiter wants, from its payload.
fn kind_of(payload: usize) -> Kind {
    if payload & WRITES == 0 {
        Kind::Read
    } else {
        Kind::Write
    }
}

/// The payload of a waiter that has not been called.
pub(super) const fn payload(kind: Kind) -> usize {
    match kind {
        Kind::Read => 0,
        Kind::Write => WRITES,
    }
}

impl Line {
    crate::const_fn! {
        const fn new() -> Self {
            Self {
                called: WaitList::new(),
                waiting: WaitList::new(),
                last_call: 0,
                peak: 0,
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.called.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.called.len() + self.waiting.len()
    }

    /// What the called ones want: one writer, or only readers (I4).
    pub(super) fn called_kind(&self) -> Option<Kind> {
        self.called.front_payload().map(kind_of)
    }

    fn number_of_next_call(&mut self, kind: Kind) -> usize {
        self.last_call = self.last_call.wrapping_add(WRITES << 1);
        self.last_call | payload(kind)
    }
}

/// A read-write lock that guards nothing.
pub(super) struct Raw {
    pub(super) word: AtomicUsize,
    /// Who writes, if somebody does.
    owner: Owner,
    pub(super) line: Mutex<Line>,
    pub(super) name: Name,
}

impl Raw {
    crate::const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                word: AtomicUsize::new(0),
                owner: Owner::new(),
                line: Mutex::new(Line::new()),
                name: Name::None,
            }
        }
    }

    /// Takes the lock without waiting: one exchange.
    ///
    /// # Panics
    ///
    /// If there are as many readers as can be counted.
    #[track_caller]
    #[inline]
    pub(super) fn take(&self, kind: Kind) -> bool {
        let mut seen = self.word.guess();
        loop {
            let next = match state::take(seen, kind) {
                Take::Taken(next) => next,
                Take::Busy => return false,
                Take::Full => too_many_readers(),
            };
            // ORDERING: Acquire pairs with the Release in `put`: what was done under the lock is
            // visible. Failure is Relaxed because `state::take` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(actual) => seen = actual,
            }
        }
    }

    /// Notes who has taken the lock to write: a task, or zero.
    #[inline(always)]
    pub(super) fn own(&self, task: u64) {
        self.owner.set(task);
    }

    /// Which task writes, if the word says that somebody does.
    pub(super) fn writer(&self, word: usize) -> Option<NonZeroU64> {
        (word & WRITER != 0).then(|| self.owner.get()).flatten()
    }

    /// Lets a deadlock report know who writes, while somebody is in line.
    #[inline]
    pub(super) fn say_who_writes(&self, line: &Line) {
        holders::write_down(self, || {
            let is_waited_for = !line.is_empty();
            is_waited_for
                .then(|| self.writer(self.word_in_line()))
                .flatten()
        });
    }

    /// Puts the lock back: one subtraction, and the line is called if it waits for this.
    #[inline]
    pub(super) fn put(&self, kind: Kind) {
        let release = if planted!("rwlock.relaxed_put") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire of whoever takes the lock next, in `take`,
        // `take_in_line` or `line_up`: what was done under it is visible there. Every later change
        // of the word is a read-modify-write, so that all readers that have left are seen.
        let before = self.word.fetch_sub(kind.share(), release);
        match state::put(before, kind) {
            Put::Done => {}
            Put::Call if planted!("rwlock.put_without_calling") => {}
            Put::Call => self.call_next(),
        }
    }

    /// A writer becomes a reader, and lets the readers in that are next in line.
    pub(super) fn downgrade(&self) {
        // ORDERING: Release as in `put`: other readers see what the writer did.
        let before = self.word.fetch_add(DOWNGRADE, Ordering::Release);
        if before & WAITERS != 0 && !planted!("rwlock.downgrade_without_calling") {
            self.call_next();
        }
    }

    /// Takes the lock for a waiter that is out of the line already, under the lock of the line, when
    /// there is room (I5).
    pub(super) fn take_in_line(&self, line: &Line, kind: Kind) {
        let closed = if line.is_empty() { WAITERS } else { 0 }; // I1
        // ORDERING: AcqRel. Acquire as in `take`; Release keeps the chain from `put` whole.
        self.word
            .fetch_add(kind.share().wrapping_sub(closed), Ordering::AcqRel);
        if kind == Kind::Write {
            self.own(current::task_number());
        }
        self.say_who_writes(line);
    }

    /// The word, to the holder of the line's lock: what it says of takers is up to date (I2).
    pub(super) fn word_in_line(&self) -> usize {
        // ORDERING: Acquire. Takes nothing over that the taking exchange would not; it pairs with
        // `put` so that the wakes below come after what was done under the lock.
        self.word.load(Ordering::Acquire)
    }

    #[cold]
    fn call_next(&self) {
        wake_in_batches(|batch| self.call_some(&mut self.line.lock(), batch));
    }

    /// Calls those in line whose turn it is, as many as the batch has room for.
    pub(super) fn call_some(&self, line: &mut Line, batch: &mut WakeBatch) -> Progress {
        let word = self.word_in_line();
        while let Some(next) = line.waiting.front_payload() {
            let kind = kind_of(next);
            if !state::may_call(word, line.called_kind(), kind) {
                break;
            }
            if batch.len() + 1 + KIN_DEPTH > CAPACITY {
                return Progress::More;
            }
            let number = line.number_of_next_call(kind);
            if let Some(passed) = line.waiting.pass_front(&mut line.called, number) {
                // Without a waker it was woken as the kin of another, and its branch may have polled
                // one that waits here with the same waker: then that one is woken too.
                let reached = passed.waker.is_some() || planted!("rwlock.woken_once_is_enough");
                if let Some(waker) = passed.waker {
                    batch.push(waker);
                }
                let identity = &passed.identity;
                line.waiting.wakers_of(identity, reached, KIN_DEPTH, batch);
            }
        }
        if line.is_empty() && word & WAITERS != 0 && !planted!("rwlock.keep_waiters_bit") {
            // ORDERING: AcqRel keeps the chain from `put` to `take` whole.
            self.word.fetch_and(!WAITERS, Ordering::AcqRel); // I1
        }
        self.say_who_writes(line);
        Progress::Finished
    }
}

/// Refuses one reader more than the word can count, whatever has leaked the others.
///
/// # Panics
///
/// If the word is full.
#[track_caller]
pub(super) fn assert_countable(word: usize, kind: Kind) {
    if kind == Kind::Read && state::readers(word) >= MAX_READERS {
        too_many_readers();
    }
}

#[cold]
#[track_caller]
pub(super) fn too_many_readers() -> ! {
    panic!(
        "an RwLock counts at most {MAX_READERS} readers at once, and that many have it: read \
         guards are leaked somewhere (`mem::forget`), or kept where they should be dropped"
    );
}
