//! Many streams as one.
//!
//! ```text
//!  first: member 0, 1, 2, …, each polled once       then: those that were woken, in the order of the wakes
//!         a member that gives an item is woken: it comes last, behind all that are ready now
//! ```
//!
//! Which member is polled next is said by [`Ready`], so a member that waits costs nothing. A member is
//! asked for an item only if that item is returned by the same poll: no item is kept here.
//!
//! Tests: `tests/tests/streams/merged.rs`.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use tenter_sync::{budget, current};

use crate::combine::ready::{Ready, Served};

/// The items of many streams as they come, each with the index of its stream in the arguments.
///
/// All of them begin with the first item that is asked for. They are polled only when they are woken,
/// however many there are. The merged stream ends when all of them have ended; without streams, at once.
/// Streams of several types are merged as `Pin<Box<dyn Stream<Item = T>>>`.
///
/// # Fairness
///
/// A stream that has given an item comes behind all others that are ready, so of several that are always
/// ready each has its turn.
///
/// # Cancel safety
///
/// No item is lost if the wait for the next one is dropped, nor if the merged stream is: an item that was
/// taken from a stream is returned at once.
///
/// # Panics
///
/// A panic of one of the streams goes on through the reader. Who polls after that gets a panic that says
/// so.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use tenter::stream::{merge, next};
/// use tenter::sync::channel;
///
/// # tenter::run(async {
/// let (left, receiver_0) = channel::unbounded();
/// let (right, receiver_1) = channel::unbounded();
/// let mut both = merge([receiver_0, receiver_1]);
/// right.send("from the right").await?;
/// assert_eq!(next(&mut both).await, Some((1, "from the right")));
/// drop((left, right));
/// assert_eq!(next(&mut both).await, None);
/// # Ok::<_, channel::SendError<&str>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "select_all")]
#[doc(alias = "SelectAll")]
#[doc(alias = "StreamMap")]
pub fn merge<I>(streams: I) -> Merge<I::Item>
where
    I: IntoIterator,
    I::Item: Stream,
{
    let row: Box<[_]> = streams.into_iter().map(Some).collect();
    Merge {
        ready: Ready::new(row.len()),
        row: Box::into_pin(row),
    }
}

/// The stream of [`merge`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Merge<S> {
    ready: Ready,
    /// Those that have ended are dropped.
    row: Pin<Box<[Option<S>]>>,
}

impl<S> Merge<S> {
    /// How many of the streams have not ended.
    pub fn remaining(&self) -> usize {
        self.ready.left() as usize
    }

    fn member(row: &mut Pin<Box<[Option<S>]>>, index: u32) -> Pin<&mut Option<S>> {
        // SAFETY: an element of a pinned slice is pinned: it is moved no more than the slice is.
        unsafe {
            row.as_mut()
                .map_unchecked_mut(|row| &mut row[index as usize])
        }
    }
}

impl<S: Stream> Stream for Merge<S> {
    type Item = (usize, S::Item);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Merge { ready, row } = self.get_mut();
        ready.open();
        if ready.left() == 0 {
            return Poll::Ready(None);
        }
        if current::budget() == Some(0) {
            // What cannot be paid for is not taken.
            ready!(budget::poll_spend(cx));
        }
        let mut given = None;
        ready.serve(cx, |index, cx| {
            let mut member = Self::member(row, index);
            let stream = member.as_mut().as_pin_mut();
            match stream.expect("there until it has ended").poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    // Last in the line: it may have another one.
                    cx.waker().wake_by_ref();
                    given = Some((index as usize, item));
                    Served::Enough
                }
                Poll::Ready(None) => {
                    member.set(None);
                    Served::Over
                }
                Poll::Pending => Served::Waits,
            }
        });
        if given.is_none() && ready.left() > 0 {
            return Poll::Pending;
        }
        if given.is_some() {
            let paid = ready.pay(cx);
            debug_assert!(paid.is_ready(), "there was something left of the budget");
        }
        Poll::Ready(given)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let all = self.row.iter().flatten().map(Stream::size_hint);
        all.fold((0, Some(0)), |(least, most), (low, high)| {
            let most = most.zip(high).and_then(|(a, b)| a.checked_add(b));
            (least.saturating_add(low), most)
        })
    }
}

impl<S: Stream> FusedStream for Merge<S> {
    fn is_terminated(&self) -> bool {
        self.ready.left() == 0
    }
}

impl<S> fmt::Debug for Merge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Merge").field(&self.ready).finish()
    }
}
