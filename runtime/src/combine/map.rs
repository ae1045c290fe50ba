//! A function on many arguments, a bounded number at a time.

use core::fmt;
use core::future::Future;
use core::ops::ControlFlow;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use tenter_sync::{budget, current};

use super::ready::Ready;
use super::slot::{Row, Slot};

/// Calls `f` for each argument, runs the futures that it returns in the caller's task, at most `limit` at
/// a time, and returns their outputs in the order of the arguments.
///
/// The first futures are polled in the order of the arguments, and then only when they are woken. When one
/// ends, the next argument is taken and `f` is called for it: arguments and futures are made no earlier
/// than there is room for them. They may borrow, and need not be [`Send`].
///
/// # Cancel safety
///
/// If the returned future is dropped, the futures that have not ended are dropped with it, in the order of
/// their places, and outputs that are there already are lost.
///
/// # Panics
///
/// If `limit` is zero. A panic of `f`, of the arguments or of one of the futures goes on through this one,
/// and the others are dropped.
///
/// # If you know futures
///
/// This is `stream::iter(args).map(f).buffered(limit)`, collected; but a future that is slow at the front
/// keeps no room from those behind it, as it does there.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, now, sleep};
///
/// # let runtime = tenter::Builder::deterministic(0).build()?;
/// # runtime.block_on(async {
/// let start = now();
/// let squares = tenter::map_concurrent(1..=10, 5, |number: u64| async move {
///     sleep(Duration::from_secs(1)).await;
///     number * number
/// });
/// assert_eq!(squares.await, [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]);
/// assert_eq!(now() - start, Duration::from_secs(2)); // five at a time
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[doc(alias = "amap")]
#[doc(alias = "buffered")]
#[doc(alias = "Semaphore")]
#[track_caller]
pub fn map_concurrent<I, F, Fut>(args: I, limit: usize, f: F) -> MapConcurrent<I::IntoIter, F, Fut>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future,
{
    if limit == 0 {
        panic!(
            "tenter::map_concurrent was called at {} with a limit of 0: nothing could ever run; use 1 for \
             one after the other",
            Location::caller()
        );
    }
    MapConcurrent {
        source: Source {
            args: args.into_iter(),
            f,
            taken: 0,
        },
        limit,
        window: None,
        outputs: Vec::new(),
    }
}

/// The future of [`map_concurrent`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct MapConcurrent<I, F, Fut: Future> {
    /// Those that run, from the first poll on. Dropped before what has not begun.
    window: Option<Window<Fut>>,
    source: Source<I, F>,
    limit: usize,
    outputs: Vec<Option<Fut::Output>>,
}

/// What is to be done.
struct Source<I, F> {
    args: I,
    f: F,
    /// How many arguments have been taken.
    taken: usize,
}

/// What runs, and which argument each place works on.
struct Window<Fut: Future> {
    ready: Ready,
    row: Row<Fut>,
    numbers: Vec<usize>,
}

impl<I: Iterator, F: FnMut(I::Item) -> Fut, Fut: Future> Source<I, F> {
    /// The next future, and the number of its argument.
    fn next(&mut self) -> Option<(usize, Fut)> {
        let future = (self.f)(self.args.next()?);
        self.taken += 1;
        Some((self.taken - 1, future))
    }

    /// As many as there is room for.
    fn begin(&mut self, limit: usize) -> Window<Fut> {
        let room = self.args.size_hint().0.min(limit);
        let mut numbers = Vec::with_capacity(room);
        let mut futures = Vec::with_capacity(room);
        while futures.len() < limit {
            let Some((number, future)) = self.next() else {
                break;
            };
            numbers.push(number);
            futures.push(future);
        }
        let row = Row::new(futures);
        Window {
            ready: Ready::new(row.len()),
            row,
            numbers,
        }
    }
}

// The futures are pinned in their row; nothing else is.
impl<I, F, Fut: Future> Unpin for MapConcurrent<I, F, Fut> {}

impl<I: Iterator, F: FnMut(I::Item) -> Fut, Fut: Future> Future for MapConcurrent<I, F, Fut> {
    type Output = Vec<Fut::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let MapConcurrent {
            source,
            limit,
            window,
            outputs,
        } = &mut *self;
        let Window {
            ready,
            row,
            numbers,
        } = window.get_or_insert_with(|| source.begin(*limit));
        ready.open();
        ready.round(cx, |index, cx| {
            loop {
                let purse = current::budget();
                ready!(row.slot(index).poll(cx));
                let number = numbers[index as usize];
                if outputs.len() <= number {
                    outputs.resize_with(number + 1, || None);
                }
                outputs[number] = row.slot(index).take();
                let Some((number, future)) = source.next() else {
                    return Poll::Ready(ControlFlow::Continue(()));
                };
                numbers[index as usize] = number;
                row.slot(index).set(Slot::Running(future));
                if purse == current::budget() {
                    // Each output costs an operation, so that many that are ready let others run.
                    ready!(budget::poll_spend(cx));
                }
            }
        });
        if ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(ready.pay(cx));
        ready.set_ended();
        row.clear();
        let outputs = core::mem::take(outputs);
        Poll::Ready(outputs.into_iter().flatten().collect())
    }
}

impl<I, F, Fut: Future> fmt::Debug for MapConcurrent<I, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapConcurrent")
            .field("limit", &self.limit)
            .field("taken", &self.source.taken)
            .finish()
    }
}
