//! `Event`: who goes on, who waits, and what a clear takes away.

#[path = "models/event.rs"]
mod body;
mod models;
mod support;

use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use support::generator::Random;
use support::{Count, Log, Tasks, leak, panics_once, poll, poll_with, survive, waker_on};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Event, EventWait, shim};

#[test]
fn e01_those_who_wait_wake_in_order_and_a_later_one_does_not_wait() {
    let event = Event::new();
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["a", "b"] {
        let (log, event) = (log.clone(), &event);
        tasks.spawn(async move {
            event.wait().await;
            log.add(name);
        });
    }
    tasks.run();
    event.set();
    assert!(poll(pin!(event.wait())).is_ready(), "before the two run");
    tasks.run();
    assert_eq!(log.take(), "a b");
}

#[test]
fn e02_a_set_event_does_not_suspend() {
    let event = Event::new();
    event.set();
    event.set();
    for _ in 0..1000 {
        assert!(poll(pin!(event.wait())).is_ready());
    }
    assert_eq!(event.stats().waiting_max, 0);
}

#[test]
fn e03_a_cancelled_waiter_leaves_nothing_behind() {
    let event = Event::new();
    let (waker, count) = Count::new();
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(event.wait())).collect();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    drop(waits.remove(1));
    assert_eq!(event.stats().waiting, 2);
    drop(waits);
    assert_eq!((event.stats().waiting, event.stats().waiting_max), (0, 3));
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1, "the wakers are gone");
    event.set();
    assert_eq!(count.get(), 0);
}

#[test]
fn e06_the_count_of_those_who_wait_falls_from_two_to_none() {
    let event = Event::new();
    let mut tasks = Tasks::new();
    let sleepers = [(); 2].map(|()| tasks.spawn(event.wait()));
    tasks.run();
    assert_eq!(event.stats().waiting, 2);
    event.set();
    assert_eq!(event.stats().waiting, 0);
    tasks.run();
    assert!(sleepers.iter().all(|task| tasks.is_done(*task)));
}

#[test]
fn set_then_clear_wakes_those_who_were_waiting_and_nobody_later() {
    let event = Event::new();
    let (waker, count) = Count::new();
    let unpolled = event.wait();
    let mut polled = pin!(event.wait());
    assert!(poll_with(polled.as_mut(), &waker).is_pending());
    event.set();
    event.clear();
    assert_eq!(count.get(), 1);
    assert!(poll(polled.as_mut()).is_ready());
    assert!(poll(polled).is_ready(), "it stays ready");
    assert!(poll(pin!(unpolled)).is_pending(), "it had not begun");
    assert!(!event.is_set());
}

/// More waiters than fit into a batch, and a waker that clears the event in the middle and begins to
/// wait anew: the old ones all go on, the new one does not.
#[test]
fn a_wait_that_begins_between_two_batches_is_not_let_go() {
    static EVENT: Event = Event::new();
    #[derive(Default)]
    struct Meddler(Mutex<Option<Pin<Box<EventWait<'static>>>>>);
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            let mut late = self.0.lock().unwrap();
            if late.is_none() {
                EVENT.clear();
                let wait = late.insert(Box::pin(EVENT.wait()));
                assert!(poll(wait.as_mut()).is_pending());
            }
        }
    }
    let meddler = Arc::new(Meddler::default());
    let waker = Waker::from(Arc::clone(&meddler));
    let mut old: Vec<_> = (0..100).map(|_| Box::pin(EVENT.wait())).collect();
    for wait in &mut old {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    EVENT.set();
    assert!(old.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
    let mut late = meddler.0.lock().unwrap().take().unwrap();
    assert!(poll(late.as_mut()).is_pending());
    assert_eq!(EVENT.stats().waiting, 1);
    EVENT.set();
    assert!(poll(late.as_mut()).is_ready());
}

#[test]
fn a_spent_budget_keeps_the_outcome_when_the_event_is_cleared() {
    let event = Event::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut waited = pin!(event.wait());
    current::with_task(&slot, 1, || assert!(poll(waited.as_mut()).is_pending()));
    assert_eq!(slot.waiting_on().unwrap().kind, WaitKind::Event);
    event.set();
    let mut found = pin!(event.wait());
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(found.as_mut(), &waker).is_pending());
        assert!(poll_with(waited.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 2, "they come back by themselves");
    event.clear();
    assert!(poll(found).is_ready() && poll(waited).is_ready());
}

/// Every moment at which a wait can be dropped; the one behind it is served all the same.
#[test]
fn a_wait_may_be_dropped_at_every_poll() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for polls in 0..3 {
        for (set, held_back) in [(false, false), (true, false), (true, true)] {
            let event = Event::new();
            let (waker, count) = Count::new();
            let mut dropped = Box::pin(event.wait());
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut behind = pin!(event.wait());
            assert!(poll_with(behind.as_mut(), &waker).is_pending());
            if set {
                event.set();
            }
            if held_back {
                current::with_task(&slot, 0, || assert!(poll(dropped.as_mut()).is_pending()));
            }
            drop(dropped);
            event.set();
            assert_eq!(
                (count.get(), event.stats().waiting),
                (1, 0),
                "{polls} polls"
            );
            assert!(poll(behind).is_ready());
        }
    }
}

#[test]
fn a_leaked_wait_is_sound_also_when_the_event_moves() {
    let event = Event::new();
    for polled in [false, true] {
        let mut leaked = Box::pin(event.wait());
        assert!(!polled || poll(leaked.as_mut()).is_pending());
        leak(leaked);
    }
    let moved = Box::new(event);
    let mut behind = Box::pin(moved.wait());
    assert!(poll(behind.as_mut()).is_pending());
    moved.set();
    assert!(poll(behind.as_mut()).is_ready());
    drop(behind);
    drop(moved);
}

#[test]
fn a_panicking_waker_leaves_the_event_whole() {
    for occasion in 0..3 {
        let event = Event::new();
        let (good, count) = Count::new();
        let mut hostile = Box::pin(event.wait());
        let bad = panics_once(occasion);
        survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
        survive(|| assert!(poll_with(hostile.as_mut(), &good).is_pending())); // another waker: the old is dropped
        let bad = panics_once(occasion);
        survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
        let mut others: Vec<_> = (0..40).map(|_| Box::pin(event.wait())).collect();
        for other in &mut others {
            assert!(poll_with(other.as_mut(), &good).is_pending());
        }
        survive(|| event.set());
        assert!(count.get() >= 40, "{occasion}: all others, in both batches");
        assert!(
            others
                .iter_mut()
                .all(|other| poll(other.as_mut()).is_ready())
        );
        survive(|| drop((hostile, bad)));
        assert_eq!(event.stats().waiting, 0);
    }
}

#[test]
fn a_waker_may_use_the_event_that_wakes_it_and_drop_the_last_reference() {
    for occasion in 0..3 {
        let event = Arc::new(Event::new());
        let other = Mutex::new(Some(Arc::clone(&event)));
        let waker = waker_on(occasion, move || {
            // Clone, wake or drop: whichever comes first uses the event and lets go of it.
            let Some(event) = other.lock().unwrap().take() else {
                return;
            };
            event.clear();
            let mut wait = Box::pin(event.wait());
            assert!(poll(wait.as_mut()).is_pending());
            event.set();
            assert!(poll(wait.as_mut()).is_ready());
            assert!(!format!("{event:?}").contains("<locked>"));
        });
        let mut wait = Box::pin(event.wait());
        let _ = poll_with(wait.as_mut(), &waker);
        let _ = poll(wait.as_mut());
        let _ = poll_with(wait.as_mut(), &waker);
        event.set();
        assert!(poll(wait.as_mut()).is_ready());
        drop((wait, waker));
        assert_eq!((event.stats().waiting, Arc::strong_count(&event)), (0, 1));
    }
}

/// Goal: the event behaves as a flag and a set of those who wait.
/// Method: random calls, polls and drops; after each step the flag, the number of those in line, and
/// the wakes of every wait are those of the model.
#[test]
fn it_agrees_with_a_flag_and_a_list() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Expected {
        New,
        Waiting,
        Over,
    }
    struct Wait<'a> {
        future: Pin<Box<EventWait<'a>>>,
        expected: Expected,
        wakes: usize,
        waker: Waker,
        count: Arc<Count>,
    }
    let mut largest = 0;
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let event = Event::new();
        let mut is_set = false;
        let mut waits: Vec<Wait<'_>> = Vec::new();
        let rare = [1, 40][seed as usize % 2]; // sets and clears
        for step in 0..400 {
            let at = format!("seed {seed}, step {step}");
            match random.below(12) {
                0 if random.below(rare) == 0 => {
                    event.set();
                    is_set = true;
                    for wait in &mut waits {
                        if wait.expected == Expected::Waiting {
                            wait.expected = Expected::Over;
                            wait.wakes += 1;
                        }
                    }
                }
                1 if random.below(rare) == 0 => {
                    event.clear();
                    is_set = false;
                }
                2..=5 if waits.len() < 80 => {
                    let (waker, count) = Count::new();
                    waits.push(Wait {
                        future: Box::pin(event.wait()),
                        expected: Expected::New,
                        wakes: 0,
                        waker,
                        count,
                    });
                }
                6 | 7 if !waits.is_empty() => {
                    drop(waits.swap_remove(random.below(waits.len())));
                }
                _ if !waits.is_empty() => {
                    let index = random.below(waits.len());
                    let wait = &mut waits[index];
                    if wait.expected == Expected::New {
                        wait.expected = if is_set {
                            Expected::Over
                        } else {
                            Expected::Waiting
                        };
                    }
                    let is_ready = poll_with(wait.future.as_mut(), &wait.waker).is_ready();
                    assert_eq!(is_ready, wait.expected == Expected::Over, "{at}");
                }
                _ => {}
            }
            let waiting = waits
                .iter()
                .filter(|wait| wait.expected == Expected::Waiting);
            assert_eq!(event.stats().waiting, waiting.count(), "{at}");
            assert_eq!(event.is_set(), is_set, "{at}");
            for wait in &waits {
                assert_eq!(wait.count.get(), wait.wakes, "{at}");
            }
        }
        largest = largest.max(event.stats().waiting_max);
    }
    assert!(largest > 32, "more than a batch: {largest}");
}

#[test]
fn debug_shows_the_name_and_a_static_event_serves() {
    static NAMED: Event = Event::new().named("ready");
    NAMED.set();
    let text = format!("{NAMED:?}");
    assert!(
        text.contains("\"ready\"") && text.contains("is_set: true"),
        "{text}"
    );
    let named = Event::new().named_dyn(String::from("made"));
    assert_eq!(named.stats().name.as_deref(), Some("made"));
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::one_for_one);
    shim::explore(body::a_clear_takes_nothing_from_those_who_wait);
    shim::explore(body::clear_look_wait);
    shim::explore(body::a_clear_acquires);
    shim::explore(body::one_leaves_and_one_goes_on);
}
