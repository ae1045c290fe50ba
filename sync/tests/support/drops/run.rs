//! One way through a scenario.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use tenter_sync::current;

use super::{Boxed, End, Scenario, Seen};
use crate::support::{Count, Hook, Hooks, hostile, leak, poll_with, slot};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Occasion {
    Clone,
    Wake,
    Drop,
}

/// What the waker of the subject does. All but the plain one are a new one for each poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    Plain,
    Fresh,
    /// The waker of this poll panics once, on this occasion.
    Panics(Occasion, usize),
    /// Uses the primitive that calls it.
    Reenters(Occasion),
    /// Drops the very future that it wakes.
    DropsSubject,
    /// The first event happens meanwhile, as if by another thread; and then a drop may panic.
    Interrupts(Occasion, bool),
}

/// In what the subject is polled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// An executor that is not tenter.
    Elsewhere,
    /// A task of tenter, with a waker that is not the task's.
    Task,
    /// A task that has nothing left to spend, so that what is ready has to be kept.
    Spent,
}

/// One way to go about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    pub(super) end: End,
    manner: Manner,
    place: Place,
}

pub(super) fn modes(reenters: bool) -> Vec<Mode> {
    use Occasion::{Clone, Drop, Wake};
    let mut modes = Vec::new();
    for place in [Place::Elsewhere, Place::Task, Place::Spent] {
        let mut add = |end, manner| modes.push(Mode { end, manner, place });
        add(End::Kept, Manner::Fresh);
        add(End::Dropped, Manner::Plain);
        add(End::Dropped, Manner::Fresh);
        add(End::Forgotten, Manner::Plain);
        add(End::Kept, Manner::DropsSubject);
        add(End::Dropped, Manner::Interrupts(Clone, true));
        if place == Place::Task {
            add(End::Kept, Manner::Plain);
            add(End::Forgotten, Manner::Fresh);
            add(End::Kept, Manner::Interrupts(Clone, false));
            add(End::Kept, Manner::Interrupts(Drop, false));
            add(End::Dropped, Manner::Interrupts(Wake, false));
            continue;
        }
        for occasion in [Clone, Wake, Drop] {
            add(End::Dropped, Manner::Panics(occasion, 0));
            add(End::Dropped, Manner::Panics(occasion, 1));
            if reenters {
                add(End::Kept, Manner::Reenters(occasion));
                add(End::Dropped, Manner::Reenters(occasion));
            }
        }
    }
    modes
}

thread_local! {
    /// The subject, where its own waker finds it.
    static SUBJECT: RefCell<Option<Boxed<'static>>> = const { RefCell::new(None) };
}

/// One way through a scenario.
pub(super) struct Run<'s, P: 'static> {
    scenario: &'s Scenario<P>,
    world: Arc<P>,
    lent: &'static P,
    mode: Mode,
    /// The steps of the subject that are left: make, polls, end.
    script: Vec<Step>,
    polls: usize,
    waker: Option<Waker>,
    hooks: Arc<Hooks>,
    wakes_seen: usize,
    others: Vec<Other>,
    /// How often the turn of each event came.
    events_come: Vec<usize>,
    /// Whether the first one has happened, perhaps before its turn.
    is_interrupted: Arc<AtomicBool>,
    pub(super) seen: Seen,
}

#[derive(Clone, Copy)]
enum Step {
    Make,
    Poll,
    End,
}

struct Other {
    future: Option<Boxed<'static>>,
    waker: Waker,
    count: Arc<Count>,
    wakes_seen: usize,
    is_done: bool,
}

impl<'s, P: Send + Sync + 'static> Run<'s, P> {
    pub(super) fn new(
        scenario: &'s Scenario<P>,
        world: Arc<P>,
        lent: &'static P,
        polls: usize,
        mode: Mode,
    ) -> Self {
        let mut script = vec![Step::End];
        script.extend(std::iter::repeat_n(Step::Poll, polls));
        script.push(Step::Make);
        let others = scenario.others.iter().map(|_| {
            let (waker, count) = Count::new();
            Other {
                future: None,
                waker,
                count,
                wakes_seen: 0,
                is_done: false,
            }
        });
        let mut run = Run {
            scenario,
            world,
            lent,
            mode,
            script,
            polls: 0,
            waker: None,
            hooks: Arc::default(),
            wakes_seen: 0,
            others: others.collect(),
            events_come: vec![0; scenario.events.len()],
            is_interrupted: Arc::default(),
            seen: Seen {
                end: mode.end,
                subject: false,
                others: 0,
                broken: 0,
            },
        };
        if scenario.is_made_first {
            run.step(0);
        }
        run
    }

    pub(super) fn step(&mut self, actor: usize) {
        let others = self.others.len();
        if actor == 0 {
            match self.script.pop().expect("as many as were counted") {
                Step::Make => {
                    let subject = (self.scenario.subject)(self.lent);
                    SUBJECT.with_borrow_mut(|place| *place = Some(subject));
                }
                Step::Poll => self.poll_subject(self.mode.place),
                Step::End => self.end_subject(),
            }
        } else if actor <= others {
            let other = &self.others[actor - 1];
            if other.future.is_none() && !other.is_done {
                self.others[actor - 1].future =
                    Some((self.scenario.others[actor - 1].0)(self.lent));
                self.poll_other(actor - 1);
            } else if other.count.get() > other.wakes_seen {
                self.poll_other(actor - 1);
            }
        } else {
            let event = actor - others - 1;
            let number = self.events_come[event];
            self.events_come[event] += 1;
            if (event, number) != (0, 0) || !self.is_interrupted.swap(true, Ordering::Relaxed) {
                survive(|| self.scenario.events[event][number](self.lent));
            }
        }
    }

    fn poll_subject(&mut self, place: Place) {
        let Some(mut subject) = SUBJECT.take() else {
            return; // it completed, or its waker dropped it
        };
        let mut old = None; // is dropped last, so that the hooks are the primitive's to meet
        if self.waker.is_none() || self.mode.manner != Manner::Plain {
            self.hooks = Arc::new(self.hooks());
            old = self.waker.replace(hostile(&self.hooks));
            self.wakes_seen = 0;
            self.polls += 1;
        }
        self.wakes_seen = self.hooks.wakes.load(Ordering::Relaxed);
        let waker = self.waker.as_ref().expect("made above");
        let mut poll = None;
        survive(|| {
            poll = Some(match place {
                Place::Elsewhere => poll_with(subject.as_mut(), waker),
                Place::Task => {
                    current::with_task(&slot(1), 128, || poll_with(subject.as_mut(), waker))
                }
                Place::Spent => {
                    current::with_task(&slot(1), 0, || poll_with(subject.as_mut(), waker))
                }
            });
        });
        match poll {
            Some(Poll::Pending) => SUBJECT.with_borrow_mut(|place| *place = Some(subject)),
            Some(Poll::Ready(())) => {
                self.seen.subject = true;
                survive(|| drop(subject));
            }
            None => survive(|| drop(subject)), // what panics is not polled again
        }
        survive(|| drop(old));
    }

    fn end_subject(&mut self) {
        if self.mode.end == End::Kept {
            return;
        }
        if let Some(subject) = SUBJECT.take() {
            match self.mode.end {
                End::Forgotten => leak(subject),
                _ => survive(|| drop(subject)),
            }
        }
    }

    fn poll_other(&mut self, number: usize) {
        let other = &mut self.others[number];
        let Some(future) = &mut other.future else {
            return;
        };
        other.wakes_seen = other.count.get();
        let mut poll = None;
        survive(|| poll = Some(poll_with(future.as_mut(), &other.waker)));
        match poll {
            Some(Poll::Pending) => return,
            Some(Poll::Ready(())) => self.seen.others += 1,
            None => self.seen.broken += 1,
        }
        let done = other.future.take();
        other.is_done = true;
        survive(|| drop(done));
    }

    /// Polls what was woken until nothing is.
    pub(super) fn settle(&mut self) {
        for rounds in 0.. {
            assert!(rounds < 1000, "they wake one another for ever");
            let mut was_polled = false;
            for number in 0..self.others.len() {
                let other = &self.others[number];
                if other.future.is_some() && other.count.get() > other.wakes_seen {
                    was_polled = true;
                    self.poll_other(number);
                }
            }
            let is_new = self.polls == 0 && self.mode.end == End::Kept;
            let wakes = self.hooks.wakes.load(Ordering::Relaxed);
            if !self.is_subject_gone() && (is_new || wakes > self.wakes_seen) {
                was_polled = true;
                self.poll_subject(Place::Task);
            }
            if !was_polled {
                return;
            }
        }
    }

    pub(super) fn is_subject_gone(&self) -> bool {
        SUBJECT.with_borrow(Option::is_none)
    }

    /// Something that a waker does to the world.
    fn with_world(&self, act: super::Act<P>) -> impl Fn() + Send + Sync + 'static + use<P> {
        let world = Arc::downgrade(&self.world);
        move || {
            let world = world.upgrade().expect("the world outlives its futures");
            act(&world);
        }
    }

    /// What the next waker of the subject does.
    fn hooks(&self) -> Hooks {
        let mut hooks = Hooks::default();
        let (occasion, hook): (_, Hook) = match self.mode.manner {
            Manner::Plain | Manner::Fresh => return hooks,
            Manner::Panics(_, poll) if poll != self.polls => return hooks,
            Manner::Panics(occasion, _) => (occasion, once(|| resume_unwind(Box::new(Hostile)))),
            Manner::Reenters(occasion) => {
                let act = self
                    .scenario
                    .reenter
                    .clone()
                    .expect("or there is no such mode");
                (occasion, once(self.with_world(act)))
            }
            Manner::Interrupts(occasion, panics) => {
                // One panic in all: a second one in its wake would end the process.
                if panics && self.polls == 0 {
                    hooks.on_drop = Some(once(|| resume_unwind(Box::new(Hostile))));
                }
                let Some(events) = self.scenario.events.first() else {
                    return hooks;
                };
                let (act, done) = (
                    self.with_world(Arc::clone(&events[0])),
                    Arc::clone(&self.is_interrupted),
                );
                let hook = move || {
                    if !done.swap(true, Ordering::Relaxed) {
                        act();
                    }
                };
                (occasion, Box::new(hook))
            }
            Manner::DropsSubject => (Occasion::Wake, Box::new(|| drop(SUBJECT.take()))),
        };
        match occasion {
            Occasion::Clone => hooks.on_clone = Some(hook),
            Occasion::Wake => hooks.on_wake = Some(hook),
            Occasion::Drop => hooks.on_drop = Some(hook),
        }
        hooks
    }
}

impl<P> Drop for Run<'_, P> {
    fn drop(&mut self) {
        let (subject, waker) = (SUBJECT.take(), self.waker.take());
        survive(|| drop(subject));
        survive(|| drop(waker));
    }
}

/// What a hostile waker panics with.
struct Hostile;

fn once(act: impl Fn() + Send + Sync + 'static) -> Hook {
    let armed = AtomicBool::new(true);
    Box::new(move || {
        if armed.swap(false, Ordering::Relaxed) {
            act();
        }
    })
}

/// Runs a step in which a hostile waker may panic; any other panic goes on.
pub(super) fn survive(step: impl FnOnce()) {
    match catch_unwind(AssertUnwindSafe(step)) {
        Err(panic) if !panic.is::<Hostile>() => resume_unwind(panic),
        _ => {}
    }
}
