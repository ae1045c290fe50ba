//! One of the handles to a shared future, itself a future.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::cell::Cell;
use super::state::{DONE, OVER, PANICKED, POLLED};
use super::wait::SharedWait;
use super::weak::WeakShared;
use crate::name::Name;
use crate::wait_list::Waiter;

/// A future that many wait for: each handle is a future of a clone of the output.
///
/// The future runs while somebody waits for it, in whichever of those tasks is polled. It is dropped when
/// it is ready, or with the last handle. A handle that has returned the output returns it again when it
/// is awaited again. For an output that is costly to clone, or cannot be, let the future return an
/// [`Arc`] of it.
///
/// # Fairness
///
/// A wake of the future wakes all that wait, in the order in which they began to, and the first of them
/// to be polled polls the future.
///
/// # Cancel safety
///
/// Dropping a handle, polled or not, leaves the others waiting; they go on polling the future. So does
/// one that is kept and not polled any more, and one that is forgotten.
///
/// # Panics
///
/// A panic of the future goes on in the task that polled it, and every other one that waits, or comes to,
/// panics with the words of the first. A future that waits for its own `Shared` panics: it would never
/// end. That is noticed in one task; two futures that wait for one another hang. A future that keeps a
/// handle to itself is never dropped unless it ends; give it a [`WeakShared`].
///
/// # Examples
///
/// ```
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = pin!(f);
/// #     loop {
/// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
/// #     }
/// # }
/// use tenter_sync::Shared;
///
/// let address = Shared::new(async {
///     // … some slow request …
///     String::from("10.0.0.1")
/// });
/// let other = address.clone();
/// # block_on(async {
/// assert_eq!(address.wait().await, "10.0.0.1");
/// assert_eq!(other.await, "10.0.0.1"); // at once
/// # });
/// assert_eq!(address.peek().map(String::as_str), Some("10.0.0.1"));
/// ```
#[doc(alias = "Future")]
#[doc(alias = "shared")]
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Shared<F: Future> {
    cell: Arc<Cell<F>>,
    /// A place in line, made when this handle first has to wait, and kept: so the handle may be moved.
    place: Option<Pin<Box<Waiter>>>,
}

/// What a [`Shared`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedStats {
    /// The name given by [`Shared::named`].
    pub name: Option<String>,
    /// Whether the output is there.
    pub is_done: bool,
    /// Whether the future has panicked.
    pub has_panicked: bool,
    /// How many wait for the output.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
    /// How many handles there are.
    pub handles: usize,
}

impl<F: Future> Shared<F> {
    /// The first handle to this future. Nothing is polled until somebody waits.
    pub fn new(future: F) -> Self {
        Self::from_cell(Cell::new(future))
    }

    pub(super) fn from_cell(cell: Arc<Cell<F>>) -> Self {
        Self { cell, place: None }
    }

    pub(super) fn cell(&self) -> &Cell<F> {
        &self.cell
    }

    /// Gives it a name for reports.
    pub fn named(self, name: &'static str) -> Self {
        self.cell.bell.line.lock().name.set_static(name);
        self
    }

    /// Gives it a name that is made at run time.
    pub fn named_dyn(self, name: impl Into<String>) -> Self {
        let name = Name::Dynamic(name.into().into_boxed_str());
        self.cell.bell.line.lock().name = name;
        self
    }

    /// Waits for the output by reference, without another handle and without an allocation.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the others waiting; they go on polling the shared one.
    ///
    /// # Panics
    ///
    /// As the handle itself.
    pub fn wait(&self) -> SharedWait<'_, F> {
        SharedWait::new(self)
    }

    /// The output, if it is there. One load.
    ///
    /// # Examples
    ///
    /// ```
    /// let shared = tenter_sync::Shared::new(async { 1 });
    /// assert_eq!(shared.peek(), None); // nobody has polled it
    /// ```
    #[doc(alias = "result")]
    #[inline]
    pub fn peek(&self) -> Option<&F::Output> {
        self.cell.peek()
    }

    /// A handle that does not keep the future alive.
    pub fn downgrade(&self) -> WeakShared<F> {
        WeakShared::new(Arc::downgrade(&self.cell))
    }

    /// Whether both are handles to the same future.
    pub fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// How many handles there are. Out of date when it arrives, if other threads have some.
    pub fn strong_count(&self) -> usize {
        Arc::strong_count(&self.cell)
    }

    /// How many weak handles there are.
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.cell)
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> SharedStats {
        let line = self.cell.bell.line.lock();
        let word = self.cell.bell.word();
        let (waiting, waiting_max) = line.waiting();
        SharedStats {
            name: line.name.get().map(str::to_owned),
            is_done: word & DONE != 0,
            has_panicked: word & PANICKED != 0,
            waiting,
            waiting_max,
            handles: self.strong_count(),
        }
    }
}

impl<F: Future> Future for Shared<F>
where
    F::Output: Clone,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        this.cell.poll(&mut this.place, cx)
    }
}

/// Another handle. It waits for itself.
impl<F: Future> Clone for Shared<F> {
    fn clone(&self) -> Self {
        Self::from_cell(Arc::clone(&self.cell))
    }
}

impl<F: Future> Drop for Shared<F> {
    fn drop(&mut self) {
        if let Some(waiter) = &mut self.place {
            self.cell.bell.abandon(waiter.as_mut());
        }
    }
}

impl<F: Future> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Shared");
        let bell = &self.cell.bell;
        // Writing is user code, so the line is let go of before.
        let line = bell.line.try_lock();
        let line = line.map(|line| (line.name.clone(), line.waiting().0));
        if let Some((name, _)) = &line {
            name.describe(&mut out);
        }
        let word = bell.word();
        let state = match word & (OVER | POLLED) {
            0 => "pending",
            POLLED => "polled",
            PANICKED => "panicked",
            _ => "done",
        };
        out.field("state", &state)
            .field("handles", &self.strong_count());
        match &line {
            Some((_, waiting)) => out.field("waiting", waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.finish()
    }
}
