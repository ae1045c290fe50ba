//! Where a member and then its output are, in place.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

/// A member, its output, or nothing. Only the future is pinned.
pub enum Slot<F: Future> {
    /// To be polled.
    Running(F),
    /// Its output, which nobody has taken.
    Done(F::Output),
    /// Taken or dropped.
    Gone,
}

impl<F: Future> Slot<F> {
    /// Polls the future, if it is still there. `Ready`, once: the output has taken its place.
    pub fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: a structural pin: the future is not moved before it is dropped in place by `set`. `Slot`
        // has no `Drop`, and is `Unpin` only if the future is.
        let future = match unsafe { self.as_mut().get_unchecked_mut() } {
            // SAFETY: as above.
            Slot::Running(future) => unsafe { Pin::new_unchecked(future) },
            Slot::Done(_) | Slot::Gone => return Poll::Pending,
        };
        future.poll(cx).map(|output| self.set(Slot::Done(output)))
    }

    /// The output, if it is there.
    pub fn output(&self) -> Option<&F::Output> {
        match self {
            Slot::Done(output) => Some(output),
            Slot::Running(_) | Slot::Gone => None,
        }
    }

    /// Takes the output, if it is there.
    pub fn take(self: Pin<&mut Self>) -> Option<F::Output> {
        // SAFETY: the output is not pinned, and nothing else is moved: a future stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if !matches!(this, Slot::Done(_)) {
            return None;
        }
        match core::mem::replace(this, Slot::Gone) {
            Slot::Done(output) => Some(output),
            Slot::Running(_) | Slot::Gone => None,
        }
    }
}

/// Many members of one type, in one allocation.
pub struct Row<F: Future>(Pin<Box<[Slot<F>]>>);

impl<F: Future> Row<F> {
    /// The members, in order.
    pub fn new<I: IntoIterator>(members: I) -> Self
    where
        I::Item: IntoFuture<IntoFuture = F>,
    {
        let slots = members
            .into_iter()
            .map(|member| Slot::Running(member.into_future()));
        Self(Box::into_pin(slots.collect()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A member.
    pub fn slot(&mut self, index: u32) -> Pin<&mut Slot<F>> {
        // SAFETY: an element of a pinned slice is pinned: it is moved no more than the slice is.
        unsafe {
            self.0
                .as_mut()
                .map_unchecked_mut(|slots| &mut slots[index as usize])
        }
    }

    /// The output of a member, if it is there.
    pub fn output(&self, index: u32) -> Option<&F::Output> {
        self.0[index as usize].output()
    }

    /// Drops whatever is left, in order.
    pub fn clear(&mut self) {
        self.0 = Box::into_pin(Vec::new().into_boxed_slice());
    }

    /// Takes the outputs that are there, in order, and drops whatever else is left.
    pub fn take_all<T>(&mut self, mut each: impl FnMut(F::Output) -> T) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        for index in 0..self.len() as u32 {
            outputs.extend(self.slot(index).take().map(&mut each));
        }
        self.clear();
        outputs
    }
}

impl<F: Future> fmt::Debug for Slot<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::Running(_) => "Running",
            Slot::Done(_) => "Done",
            Slot::Gone => "Gone",
        })
    }
}

impl<F: Future> fmt::Debug for Row<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Row").field(&self.len()).finish()
    }
}
