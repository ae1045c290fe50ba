//! The harness that ends a waiting future at every moment of its life.
//!
//! A [`Scenario`] is a world (a primitive and what belongs to it), the future under test, other futures,
//! and events. It runs once for every way to interleave the steps of all of them, every number of polls
//! before the end, every way to end, every manner of the waker, and every place to be polled in:
//!
//! ```text
//!   the subject   make, poll × 0..=2, end: dropped, forgotten, or kept until it completes
//!   each other    its first poll, and a poll for each `polled_again`, if it was woken
//!   each event    a step; those chained by `followed_by` keep their order
//!   then          settle ── settled? ── finish ── settle ── all others done? ── whole?
//! ```
//!
//! To *settle* is to do what an executor does: poll what was woken until nothing is. So a wake that is
//! lost is found by a future that never completes.
//!
//! To add a primitive: a world that is `Send + Sync`, a subject in [`then`], and what has to hold at the
//! end. Futures give back what they get when they complete, or count it in the world.
//!
//! Tests: `sync/tests/drops/harness.rs` has toys that are broken on purpose.

mod run;

use std::any::Any;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use run::{Mode, Run, modes, survive};

use super::{Count, poll_with};

/// A future of the harness. See [`then`].
pub type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The future itself with something to do at its end, and not a block around it that makes it late.
pub fn then<'a, F: Future + 'a>(future: F, end: impl FnOnce(F::Output) + 'a) -> Boxed<'a> {
    struct Then<F, E>(Pin<Box<F>>, Option<E>);
    impl<F, E> Unpin for Then<F, E> {}
    impl<F: Future, E: FnOnce(F::Output)> Future for Then<F, E> {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx).map(|output| {
                let end = self.1.take().expect("completes once");
                end(output);
            })
        }
    }
    Box::pin(Then(Box::pin(future), Some(end)))
}

/// Polls a future once and drops it: what a waker that comes back does.
pub fn touch(future: impl Future) {
    let (waker, _) = Count::new();
    drop(poll_with(Box::pin(future).as_mut(), &waker));
}

/// A place in the world for what events take and give up. Wakers run outside of it.
pub struct Pocket<T>(Mutex<Vec<T>>);

impl<T> Pocket<T> {
    pub fn new(values: impl IntoIterator<Item = T>) -> Self {
        Self(Mutex::new(values.into_iter().collect()))
    }

    /// Puts something in, or nothing.
    pub fn put(&self, values: impl IntoIterator<Item = T>) {
        let values: Vec<_> = values.into_iter().collect();
        self.0.lock().unwrap().extend(values);
    }

    /// Takes what was put in last.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap().pop()
    }

    /// Drops all.
    pub fn clear(&self) {
        let values = std::mem::take(&mut *self.0.lock().unwrap());
        drop(values);
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A value of a pocket that a future uses. It goes back when the future is gone.
pub struct Lent<'a, T>(&'a Pocket<T>, Option<T>);

impl<T> Pocket<T> {
    pub fn lend(&self) -> Lent<'_, T> {
        Lent(self, self.take())
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.1.as_ref().expect("it was there")
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.1.as_mut().expect("it was there")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.0.put(self.1.take());
    }
}

/// How the life of the subject ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Kept,
    Dropped,
    Forgotten,
}

/// What happened, for the checks.
#[derive(Debug)]
pub struct Seen {
    /// How the subject was to end.
    pub end: End,
    /// The subject completed before that.
    pub subject: bool,
    /// The others that completed so far.
    pub others: usize,
    /// The others that were dropped because a waker of the subject panicked in their poll.
    pub broken: usize,
}

type Make<P> = Box<dyn for<'a> Fn(&'a P) -> Boxed<'a>>;
type Act<P> = Arc<dyn Fn(&P) + Send + Sync>;
type Check<P> = Box<dyn Fn(&P, &Seen)>;

/// What is run in every order. See the head of this file.
pub struct Scenario<P> {
    name: String,
    build: Box<dyn Fn() -> P>,
    subject: Make<P>,
    is_made_first: bool,
    others: Vec<(Make<P>, usize)>,
    events: Vec<Vec<Act<P>>>,
    reenter: Option<Act<P>>,
    settled: Check<P>,
    finish: Act<P>,
    whole: Check<P>,
    after_leak: Check<P>,
}

impl<P: Send + Sync + 'static> Scenario<P> {
    pub fn new(
        name: impl Into<String>,
        build: impl Fn() -> P + 'static,
        subject: impl for<'a> Fn(&'a P) -> Boxed<'a> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            build: Box::new(build),
            subject: Box::new(subject),
            is_made_first: false,
            others: Vec::new(),
            events: Vec::new(),
            reenter: None,
            settled: Box::new(|_, _| ()),
            finish: Arc::new(|_| ()),
            whole: Box::new(|_, _| ()),
            after_leak: Box::new(|_, _| ()),
        }
    }

    /// The subject is made before all else, and not at any time.
    pub fn made_first(mut self) -> Self {
        self.is_made_first = true;
        self
    }

    /// Another future, which starts at any time.
    pub fn other(mut self, make: impl for<'a> Fn(&'a P) -> Boxed<'a> + 'static) -> Self {
        self.others.push((Box::new(make), 1));
        self
    }

    /// The last other one is polled once more at any time after its start, if it was woken.
    pub fn polled_again(mut self) -> Self {
        self.others.last_mut().expect("follows `other`").1 += 1;
        self
    }

    /// Something that happens at any time.
    pub fn event(mut self, act: impl Fn(&P) + Send + Sync + 'static) -> Self {
        self.events.push(vec![Arc::new(act)]);
        self
    }

    /// Something that happens at any time after the last event.
    pub fn followed_by(mut self, act: impl Fn(&P) + Send + Sync + 'static) -> Self {
        let last = self.events.last_mut().expect("follows `event`");
        last.push(Arc::new(act));
        self
    }

    /// What a waker does that comes back to the primitive: something that leaves no trace.
    pub fn reenter(mut self, act: impl Fn(&P) + Send + Sync + 'static) -> Self {
        self.reenter = Some(Arc::new(act));
        self
    }

    /// What has to hold when all that was woken was polled.
    pub fn settled(mut self, check: impl Fn(&P, &Seen) + 'static) -> Self {
        self.settled = Box::new(check);
        self
    }

    /// What lets all complete that still wait. Then they have to.
    pub fn finish(mut self, act: impl Fn(&P) + Send + Sync + 'static) -> Self {
        self.finish = Arc::new(act);
        self
    }

    /// What has to hold at the end.
    pub fn whole(mut self, check: impl Fn(&P, &Seen) + 'static) -> Self {
        self.whole = Box::new(check);
        self
    }

    /// What has to hold at the end if the subject was forgotten.
    pub fn after_leak(mut self, check: impl Fn(&P, &Seen) + 'static) -> Self {
        self.after_leak = Box::new(check);
        self
    }

    /// Runs it in every way. Returns how many there were.
    pub fn run(&self) -> usize {
        let mut runs = 0;
        for polls in 0..=2 {
            let mut order = self.first_order(polls);
            loop {
                for mode in modes(self.reenter.is_some()) {
                    runs += 1;
                    let run = || self.run_once(&order, polls, mode);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
                        panic!(
                            "{}, run {runs}: {}\n  {mode:?}\n  order {order:?} (0 is the subject with \
                             {polls} polls, then others, then events)",
                            self.name,
                            message(&*panic),
                        );
                    }
                }
                if !next_permutation(&mut order) {
                    break;
                }
            }
        }
        runs
    }

    /// The steps by their actors: the subject, the others, the events.
    fn first_order(&self, polls: usize) -> Vec<usize> {
        let subject = polls + 1 + usize::from(!self.is_made_first);
        let others = self.others.iter().map(|(_, steps)| *steps);
        let events = self.events.iter().map(Vec::len);
        let steps = std::iter::once(subject).chain(others).chain(events);
        steps
            .enumerate()
            .flat_map(|(actor, steps)| std::iter::repeat_n(actor, steps))
            .collect()
    }

    fn run_once(&self, order: &[usize], polls: usize, mode: Mode) {
        let world = Arc::new((self.build)());
        // SAFETY: the world lives until the end of this function. The futures that borrow it are dropped
        // before, by the drop of `Run`, or are forgotten and never touched again.
        let lent: &'static P = unsafe { &*Arc::as_ptr(&world) };
        let mut run = Run::new(self, Arc::clone(&world), lent, polls, mode);
        for &actor in order {
            run.step(actor);
        }
        run.settle();
        if mode.end == End::Forgotten && !run.seen.subject {
            survive(|| (self.finish)(lent));
            run.settle();
            (self.after_leak)(lent, &run.seen);
        } else {
            (self.settled)(lent, &run.seen);
            survive(|| (self.finish)(lent));
            run.settle();
            let over = run.seen.others + run.seen.broken;
            assert_eq!(over, self.others.len(), "another one sleeps on");
            assert!(run.is_subject_gone(), "the subject sleeps on");
            (self.whole)(lent, &run.seen);
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<String>(), panic.downcast_ref()) {
        (Some(message), _) => message,
        (None, message) => message.copied().unwrap_or("a panic without words"),
    }
}

/// The next order of the same steps; false after the last one.
fn next_permutation(order: &mut [usize]) -> bool {
    let Some(last) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else {
        return false;
    };
    let greater = order.iter().rposition(|step| *step > order[last]);
    order.swap(last, greater.expect("the one behind it is"));
    order[last + 1..].reverse();
    true
}
