//! The harness itself: it accepts a toy that keeps its word, and rejects those that do not.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::support::drops::{Scenario, then, touch};

/// What is wrong with a toy.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Flaw {
    None,
    /// A future that was granted and is dropped keeps the permit.
    SwallowsGrant,
    /// A future that waits and is dropped stays in line, and is granted later.
    StaysInLine,
    /// A permit that comes while somebody waits wakes nobody.
    WakesNobody,
    /// A future that is polled with another waker keeps the old one.
    KeepsOldWaker,
    /// A future that is dropped gives back a permit that it never had.
    GivesTooMuch,
    /// Wakers are woken in the critical section.
    WakesUnderLock,
    /// Wakers are cloned in the critical section.
    ClonesUnderLock,
    /// Wakers that are not needed any more are dropped in the critical section.
    DropsUnderLock,
    /// A panic of a waker comes between the two halves of a change.
    HalfDone,
}

/// A semaphore as a beginner writes it: one mutex around all.
struct Toy {
    flaw: Flaw,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    free: usize,
    next: u64,
    line: VecDeque<(u64, Waker)>,
    granted: Vec<u64>,
}

struct Take<'a> {
    toy: &'a Toy,
    ticket: Option<u64>,
    holds: bool,
}

impl Toy {
    fn new(flaw: Flaw, free: usize) -> Self {
        let inner = Inner {
            free,
            ..Inner::default()
        };
        Self {
            flaw,
            inner: Mutex::new(inner),
        }
    }

    /// Panics instead of a deadlock.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(std::sync::TryLockError::Poisoned(inner)) => inner.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => panic!("deadlock"),
        }
    }

    fn take(&self) -> Take<'_> {
        Take {
            toy: self,
            ticket: None,
            holds: false,
        }
    }

    fn put(&self) {
        let mut inner = self.lock();
        if self.flaw == Flaw::WakesNobody {
            inner.free += 1;
            return;
        }
        match inner.line.pop_front() {
            None => inner.free += 1,
            Some((ticket, waker)) if self.flaw == Flaw::HalfDone => {
                drop(inner);
                waker.wake();
                self.lock().granted.push(ticket);
            }
            Some((ticket, waker)) => {
                inner.granted.push(ticket);
                if self.flaw == Flaw::WakesUnderLock {
                    waker.wake();
                    return;
                }
                drop(inner);
                waker.wake();
            }
        }
    }
}

impl Future for Take<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let toy = self.toy;
        let mut spare = None;
        if toy.flaw != Flaw::ClonesUnderLock {
            spare = Some(cx.waker().clone());
        }
        let mut inner = toy.lock();
        let waker = spare.take().unwrap_or_else(|| cx.waker().clone());
        match self.ticket {
            None if inner.free > 0 => inner.free -= 1,
            None => {
                inner.next += 1;
                self.ticket = Some(inner.next);
                let entry = (inner.next, waker);
                inner.line.push_back(entry);
                return Poll::Pending;
            }
            Some(ticket) => {
                if let Some(at) = inner.granted.iter().position(|one| *one == ticket) {
                    inner.granted.remove(at);
                } else {
                    let entry = inner.line.iter_mut().find(|entry| entry.0 == ticket);
                    if let Some(entry) = entry {
                        if toy.flaw != Flaw::KeepsOldWaker {
                            let old = std::mem::replace(&mut entry.1, waker);
                            if toy.flaw == Flaw::DropsUnderLock {
                                drop(old);
                            } else {
                                drop(inner);
                                drop(old);
                            }
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
        drop(inner);
        self.ticket = None;
        self.holds = true;
        drop(waker); // may panic, and then the drop of this gives it back
        self.holds = false;
        Poll::Ready(())
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        if self.holds {
            return self.toy.put();
        }
        let Some(ticket) = self.ticket else {
            return;
        };
        let mut inner = self.toy.lock();
        if let Some(at) = inner.granted.iter().position(|one| *one == ticket) {
            if self.toy.flaw != Flaw::SwallowsGrant {
                inner.granted.remove(at);
                drop(inner);
                self.toy.put();
            }
        } else if self.toy.flaw != Flaw::StaysInLine {
            let at = inner.line.iter().position(|entry| entry.0 == ticket);
            let left = at.and_then(|at| inner.line.remove(at));
            drop(inner);
            drop(left);
            if self.toy.flaw == Flaw::GivesTooMuch {
                self.toy.put();
            }
        }
    }
}

fn scenario(flaw: Flaw) -> Scenario<Toy> {
    Scenario::new(
        format!("toy that {flaw:?}"),
        move || Toy::new(flaw, 0),
        |toy| then(toy.take(), |()| toy.put()),
    )
    .other(|toy| then(toy.take(), |()| toy.put()))
    .event(Toy::put)
    .reenter(|toy| touch(then(toy.take(), |()| toy.put())))
    .whole(|toy, _| {
        let inner = toy.lock();
        assert_eq!(
            (inner.free, inner.line.len(), inner.granted.len()),
            (1, 0, 0)
        );
    })
}

#[test]
fn a_toy_that_keeps_its_word_passes() {
    // The orders of two steps of the others and two to four of the subject, times the modes in each of the
    // three places.
    assert_eq!(
        scenario(Flaw::None).run(),
        (12 + 20 + 30) * (18 + 11 + 18),
        "every order was run"
    );
}

#[test]
fn toys_that_break_their_word_are_rejected() {
    for (flaw, complaint) in [
        (Flaw::SwallowsGrant, "another one sleeps on"),
        (Flaw::StaysInLine, "left == right"),
        (Flaw::WakesNobody, "another one sleeps on"),
        (Flaw::KeepsOldWaker, "another one sleeps on"),
        (Flaw::GivesTooMuch, "left == right"),
        (Flaw::WakesUnderLock, "deadlock"),
        (Flaw::ClonesUnderLock, "deadlock"),
        (Flaw::DropsUnderLock, "deadlock"),
        (Flaw::HalfDone, "another one sleeps on"),
    ] {
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(flaw).run()));
        let panic = outcome.expect_err("rejected");
        let message = panic.downcast_ref::<String>().expect("with words");
        assert!(message.contains(complaint), "{flaw:?}: {message}");
    }
}
