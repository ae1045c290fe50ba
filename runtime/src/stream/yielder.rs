//! The hand that the body of a generator puts its items in, and that the stream takes them from.
//!
//! ```text
//!            send: put                    the stream returns it            asked for the next one
//!  Free ───────────────► Full (the item) ──────────────────────► Given ───────────────────────► Free
//!    ▲                        │                                    the send is ready, the others look
//!    └── the send is dropped ─┘  the item goes with it: it was never sent
//! ```
//!
//! A `send` is ready when the item after its own is asked for, so that the body is never ahead of its
//! reader: what stands behind a `send` runs when the reader has done with the item.
//!
//! The body runs in the poll of the stream and nowhere else, so a `send` that is polled anywhere else is a
//! mistake, and says so: nobody would return its item.
//!
//! Invariants:
//! - H1: `asked` is `put`, or one less: then an item is here, or is given and the next one was not asked
//!   for. Only in the first case is there room.
//! - H2: `poll` says who polls the body during that poll, and only then.
//!
//! No user code runs under the lock, which nobody contends for: it makes the yielder `Send` without unsafe
//! code. Wakers of the sends are kept because a combinator in the body polls only what was woken; one that
//! is the reader's own needs no wake, for the body is about to be polled with it.
//!
//! Tests: `tests/tests/streams/sends.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use tenter_sync::current;
use tenter_sync::shim::{Mutex, local};
use tenter_sync::wake_batch::{Progress, wake_in_batches};

/// Gives items to the reader of the stream whose body has it. See [`stream_fn`](super::stream_fn()).
pub struct Yielder<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Yielder<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// Gives an item to the reader, and waits until the next one is asked for.
    ///
    /// Several at once, in branches of the body, wait for each other.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the reader has the item, the item is dropped with it, and was never
    /// sent.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled outside the body of its stream, for example in a task that the
    /// body has spawned. What other tasks send goes through a [channel](crate::sync::channel) that the
    /// body receives from.
    #[doc(alias = "yield")]
    #[doc(alias = "asend")]
    pub fn send(&self, item: T) -> Sending<'_, T> {
        Sending {
            shared: &self.shared,
            state: State::Has(item),
        }
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder")
            .field("created_at", &format_args!("{}", self.shared.at))
            .finish_non_exhaustive()
    }
}

/// What a stream and its yielder share.
pub(super) struct Shared<T> {
    hand: Mutex<Hand<T>>,
    /// Where the stream was made.
    at: &'static Location<'static>,
}

struct Hand<T> {
    item: Option<T>,
    /// How many items were put here.
    put: u64,
    /// So many of them were taken, and the next one asked for (H1).
    asked: u64,
    /// Who is told when that happens.
    sender: Option<Waker>,
    /// Who waits for room.
    others: Vec<Waker>,
    /// H2.
    poll: Option<Place>,
}

/// A poll, told from all others that run at this moment.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    thread: usize,
    task: usize,
}

local! {
    static THREAD: u8 = const { 0 };
}

impl Place {
    fn here() -> Self {
        Self {
            thread: THREAD.with(|mark| core::ptr::from_ref(mark) as usize),
            task: current::slot_address() as usize,
        }
    }
}

impl<T> Hand<T> {
    fn has_room(&self) -> bool {
        self.item.is_none() && self.asked == self.put
    }

    /// Whether that waker would be told already.
    fn knows(&self, waker: &Waker, sends: bool) -> bool {
        match sends {
            true => self.sender.iter().any(|one| one.will_wake(waker)),
            false => self.others.iter().any(|one| one.will_wake(waker)),
        }
    }
}

impl<T> Shared<T> {
    pub fn new(at: &'static Location<'static>) -> Arc<Self> {
        Arc::new(Self {
            hand: Mutex::new(Hand {
                item: None,
                put: 0,
                asked: 0,
                sender: None,
                others: Vec::new(),
                poll: None,
            }),
            at,
        })
    }

    /// Whether an item is here.
    pub fn is_full(&self) -> bool {
        self.hand.lock().item.is_some()
    }

    /// The item, for the reader.
    pub fn take(&self) -> Option<T> {
        self.hand.lock().item.take()
    }

    /// The next item is asked for, and the body is about to be polled with `reader`'s waker. `None`: an
    /// item is here.
    pub fn ask(&self, reader: &Waker) -> Option<InPoll<'_, T>> {
        let mut hand = self.hand.lock();
        if hand.item.is_some() {
            return None;
        }
        hand.asked = hand.put;
        hand.poll = Some(Place::here());
        let in_poll = InPoll { shared: self };
        let sender = match &hand.sender {
            Some(sender) if !sender.will_wake(reader) => hand.sender.take(),
            _ => None,
        };
        let others = core::mem::take(&mut hand.others);
        drop(hand);
        // Those who wait for room come first, so that a branch that sends and sends keeps none out.
        wake_all(others.into_iter().chain(sender), Some(reader));
        Some(in_poll)
    }
}

/// The poll of a body (H2).
pub(super) struct InPoll<'a, T> {
    shared: &'a Shared<T>,
}

impl<T> Drop for InPoll<'_, T> {
    fn drop(&mut self) {
        self.shared.hand.lock().poll = None;
    }
}

/// Wakes all of them, but for the one that is polled anyway.
fn wake_all(wakers: impl Iterator<Item = Waker>, polled: Option<&Waker>) {
    let mut wakers = wakers.filter(|one| polled.is_none_or(|polled| !one.will_wake(polled)));
    wake_in_batches(|batch| {
        while !batch.is_full() {
            match wakers.next() {
                Some(waker) => batch.push(waker),
                None => return Progress::Finished,
            }
        }
        Progress::More
    });
}

/// The future of [`Yielder::send`].
#[must_use = "futures do nothing unless they are awaited: `y.send(item).await`"]
pub struct Sending<'a, T> {
    shared: &'a Shared<T>,
    state: State<T>,
}

enum State<T> {
    Has(T),
    /// The item with this number is its own.
    Put(u64),
    Done,
}

// The item is moved out of it, never pinned.
impl<T> Unpin for Sending<'_, T> {}

impl<T> Future for Sending<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut hand = this.shared.hand.lock();
        if hand.poll != Some(Place::here()) {
            drop(hand);
            refuse(this.shared.at);
        }
        let sends = match core::mem::replace(&mut this.state, State::Done) {
            State::Has(item) if hand.has_room() => {
                hand.item = Some(item);
                hand.put += 1;
                this.state = State::Put(hand.put);
                true
            }
            State::Put(number) if hand.asked >= number => return Poll::Ready(()),
            State::Done => panic!("a `send` was polled again after its item had been taken"),
            waits => {
                this.state = waits;
                matches!(this.state, State::Put(_))
            }
        };
        if hand.knows(cx.waker(), sends) {
            return Poll::Pending;
        }
        drop(hand);
        let waker = cx.waker().clone();
        let mut hand = this.shared.hand.lock();
        let old = if sends {
            hand.sender.replace(waker)
        } else {
            hand.others.push(waker);
            None
        };
        drop(hand);
        drop(old);
        Poll::Pending
    }
}

#[cold]
fn refuse(at: &Location<'_>) -> ! {
    panic!(
        "a `send` of the stream that was made at {at} was polled outside the body of that stream, where \
         nobody would take its item; let other tasks send to a channel, and the body receive from it"
    );
}

impl<T> Drop for Sending<'_, T> {
    /// An item that nobody has taken was never sent.
    fn drop(&mut self) {
        let State::Put(number) = self.state else {
            return;
        };
        let mut hand = self.shared.hand.lock();
        if hand.put != number {
            return;
        }
        let Some(item) = hand.item.take() else {
            return;
        };
        hand.asked = hand.put;
        let others = core::mem::take(&mut hand.others);
        drop(hand);
        wake_all(others.into_iter(), None);
        drop(item);
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Has(_) => "Has",
            State::Put(_) => "Put",
            State::Done => "Done",
        };
        f.debug_tuple("Sending")
            .field(&format_args!("{state}"))
            .finish()
    }
}
