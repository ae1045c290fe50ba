//! `Barrier`: who meets whom, who is let down, and who has to wait for the next round.

#[path = "models/barrier.rs"]
mod body;
mod models;
mod support;

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use support::generator::Random;
use support::{
    Count, Log, Tasks, leak, panics_once, poll, poll_with, survive, waker_on, yield_now,
};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Barrier, BarrierWait, Broken, Turn, shim};

/// A future that has come and waits.
fn waiting(barrier: &Barrier) -> Pin<Box<BarrierWait<'_>>> {
    let mut wait = Box::pin(barrier.wait());
    assert!(poll(wait.as_mut()).is_pending());
    wait
}

const fn turn(index: usize) -> Poll<Result<Turn, Broken>> {
    Poll::Ready(Ok(Turn {
        index,
        is_leader: index == 0,
    }))
}

const BROKEN: Poll<Result<Turn, Broken>> = Poll::Ready(Err(Broken));

#[test]
fn b01_no_parties_are_refused() {
    let message = catch_unwind(|| Barrier::new(0)).unwrap_err();
    let message = message.downcast_ref::<&str>().unwrap();
    assert!(message.contains("at least one party"), "{message}");
}

#[test]
fn b02_one_party_never_waits() {
    let barrier = Barrier::new(1);
    for _ in 0..3 {
        assert_eq!(poll(pin!(barrier.wait())), turn(0));
        assert_eq!(barrier.waiting(), 0);
    }
}

#[test]
fn b03_each_round_hands_out_each_index_once() {
    const PARTIES: usize = 100;
    let barrier = Barrier::new(PARTIES);
    let rounds = RefCell::new(vec![Vec::new(); 3]);
    let mut tasks = Tasks::new();
    for task in 0..PARTIES {
        let (barrier, rounds) = (&barrier, &rounds);
        tasks.spawn(async move {
            for round in 0..3 {
                for _ in 0..task % 5 {
                    yield_now().await;
                }
                let turn = barrier.wait().await.unwrap();
                assert_eq!(turn.is_leader, turn.index == 0);
                let mut rounds = rounds.borrow_mut();
                rounds[round].push(turn.index);
                assert!(
                    round == 0 || rounds[round - 1].len() == PARTIES,
                    "nobody is a round ahead"
                );
            }
        });
    }
    tasks.run();
    for indices in rounds.borrow().iter() {
        assert_eq!(*indices, (0..PARTIES).collect::<Vec<_>>());
    }
    assert_eq!(barrier.stats().waiting_max, PARTIES - 1);
}

#[test]
fn b06_a_reset_lets_down_those_who_wait_and_the_barrier_is_usable() {
    let barrier = Barrier::new(3);
    let mut down = [(); 2].map(|()| waiting(&barrier));
    barrier.reset();
    assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    let mut next = [(); 2].map(|()| waiting(&barrier));
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    assert_eq!(down.each_mut().map(|wait| poll(wait.as_mut())), [BROKEN; 2]);
    assert_eq!(
        next.each_mut().map(|wait| poll(wait.as_mut())),
        [turn(1), turn(2)]
    );
}

#[test]
fn b07_a_reset_in_the_middle_of_a_round_lets_down_those_who_have_not_gone_on() {
    let barrier = Barrier::new(4);
    let mut round = [(); 3].map(|()| waiting(&barrier));
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    assert_eq!(poll(round[2].as_mut()), turn(1));
    let late = waiting(&barrier);
    barrier.reset();
    assert_eq!(barrier.stats().going, 0);
    assert_eq!(poll(round[0].as_mut()), BROKEN);
    assert_eq!(barrier.waiting(), 1, "the late one stays");
    let mut next = [late, waiting(&barrier), waiting(&barrier)];
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    assert_eq!(poll(round[1].as_mut()), BROKEN);
    for (index, wait) in next.iter_mut().enumerate() {
        assert_eq!(poll(wait.as_mut()), turn(index + 1));
    }
}

#[test]
fn b07_a_reset_in_the_middle_of_a_round_lets_enough_late_comers_go() {
    let barrier = Barrier::new(2);
    let mut released = waiting(&barrier);
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    let (waker, count) = Count::new();
    let mut late: Vec<_> = (0..3).map(|_| Box::pin(barrier.wait())).collect();
    for wait in &mut late {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    barrier.reset();
    assert_eq!((count.get(), barrier.waiting()), (2, 1));
    assert_eq!(poll(released.as_mut()), BROKEN);
    assert_eq!(poll(late[1].as_mut()), turn(0));
    assert_eq!(poll(late[0].as_mut()), turn(1));
    assert!(poll(late[2].as_mut()).is_pending());
}

#[test]
fn b08_an_aborted_barrier_refuses_until_it_is_reset() {
    let barrier = Barrier::new(2);
    let mut first = waiting(&barrier);
    barrier.abort();
    assert_eq!(poll(first.as_mut()), BROKEN);
    assert_eq!(poll(pin!(barrier.wait())), BROKEN);
    assert!(barrier.is_broken());
    barrier.reset();
    assert!(!barrier.is_broken());
    let mut first = waiting(&barrier);
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    assert_eq!(poll(first.as_mut()), turn(1));
}

#[test]
fn b08_an_abort_in_the_middle_of_a_round_reaches_the_late_comers_too() {
    let barrier = Barrier::new(2);
    let mut released = waiting(&barrier);
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    let mut late = waiting(&barrier);
    barrier.abort();
    assert_eq!([poll(released.as_mut()), poll(late.as_mut())], [BROKEN; 2]);
    assert_eq!((barrier.waiting(), barrier.stats().going), (0, 0));
}

#[test]
fn a_cancelled_waiter_leaves_quietly_while_the_barrier_fills() {
    let barrier = Barrier::new(3);
    let cancelled = waiting(&barrier);
    let mut stays = waiting(&barrier);
    drop(cancelled);
    assert_eq!((barrier.waiting(), barrier.is_broken()), (1, false));
    let mut comes = waiting(&barrier);
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    assert_eq!(poll(stays.as_mut()), turn(1));
    assert_eq!(poll(comes.as_mut()), turn(2));
}

#[test]
fn late_comers_wait_until_the_round_is_over_and_go_in_the_order_of_coming() {
    let barrier = Barrier::new(2);
    let log = Log::default();
    let mut tasks = Tasks::new();
    let mut released = waiting(&barrier);
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    for name in ["a", "b", "c"] {
        let (log, barrier) = (log.clone(), &barrier);
        tasks.spawn(async move {
            let turn = barrier.wait().await.unwrap();
            log.add(format!("{name}{}", turn.index));
        });
    }
    tasks.run();
    assert_eq!(log.take(), "", "though two of them would be enough");
    assert_eq!(poll(released.as_mut()), turn(1));
    tasks.run();
    assert_eq!((log.take().as_str(), barrier.waiting()), ("a0 b1", 1));
}

#[test]
fn a_round_whose_tasks_are_dropped_is_over_and_its_leader_is_one_who_goes_on() {
    let barrier = Barrier::new(3);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let first = waiting(&barrier);
    let mut second = waiting(&barrier);
    let mut last = Box::pin(barrier.wait());
    current::with_task(&slot, 0, || assert!(poll(last.as_mut()).is_pending()));
    assert_eq!(barrier.stats().going, 3);
    drop((first, last));
    assert_eq!(
        poll(second.as_mut()),
        turn(0),
        "it leads, and nobody else does"
    );
    assert_eq!(barrier.stats().going, 0);
    let mut again = waiting(&barrier);
    assert!(poll(again.as_mut()).is_pending(), "the next round fills");
}

/// Every moment at which one of three can be dropped; the other two are never left in between.
#[test]
fn a_wait_may_be_dropped_at_every_poll() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for polls in 0..3 {
        for (released, held_back) in [(false, false), (true, false), (true, true)] {
            let barrier = Barrier::new(2);
            let mut dropped = Box::pin(barrier.wait());
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut other = (released && polls > 0).then(|| {
                let mut other = Box::pin(barrier.wait());
                assert_eq!(poll(other.as_mut()), turn(0));
                other
            });
            if held_back && other.is_some() {
                current::with_task(&slot, 0, || assert!(poll(dropped.as_mut()).is_pending()));
            }
            drop(dropped);
            drop(other.take());
            let stats = barrier.stats();
            assert_eq!((stats.waiting, stats.going), (0, 0), "{polls} polls");
            let mut first = waiting(&barrier);
            assert_eq!(poll(pin!(barrier.wait())), turn(0));
            assert_eq!(poll(first.as_mut()), turn(1));
        }
    }
}

#[test]
fn a_spent_budget_keeps_the_turn() {
    let barrier = Barrier::new(2);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut first = pin!(barrier.wait());
    current::with_task(&slot, 1, || assert!(poll(first.as_mut()).is_pending()));
    assert_eq!(slot.waiting_on().unwrap().kind, WaitKind::Barrier);
    let mut last = pin!(barrier.wait());
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(last.as_mut(), &waker).is_pending());
        assert!(poll_with(first.as_mut(), &waker).is_pending());
    });
    assert_eq!((count.get(), barrier.stats().going), (2, 2));
    assert_eq!([poll(first), poll(last)], [turn(0), turn(1)]);
}

#[test]
fn a_future_that_has_returned_must_not_be_polled() {
    let barrier = Barrier::new(1);
    let mut wait = pin!(barrier.wait());
    assert_eq!(poll(wait.as_mut()), turn(0));
    let again = catch_unwind(AssertUnwindSafe(|| poll(wait.as_mut())));
    assert!(again.is_err());
    assert_eq!(barrier.stats().going, 0);
}

#[test]
fn a_leaked_wait_keeps_its_place_until_a_reset() {
    let barrier = Barrier::new(2);
    leak(waiting(&barrier)); // waits for ever
    assert_eq!(poll(pin!(barrier.wait())), turn(0));
    let mut late = waiting(&barrier);
    assert_eq!(barrier.stats().going, 1, "it never goes on");
    let moved = {
        barrier.reset();
        assert_eq!(barrier.waiting(), 1);
        assert_eq!(poll(pin!(barrier.wait())), turn(0));
        assert_eq!(poll(late.as_mut()), turn(1));
        leak(waiting(&barrier));
        drop(late);
        Box::new(barrier)
    };
    assert_eq!(moved.waiting(), 1);
    moved.reset();
    drop(moved);
}

#[test]
fn a_panicking_waker_leaves_the_barrier_whole() {
    for occasion in 0..3 {
        let barrier = Barrier::new(42);
        let (good, count) = Count::new();
        let mut hostile = Box::pin(barrier.wait());
        let bad = panics_once(occasion);
        survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
        survive(|| assert!(poll_with(hostile.as_mut(), &good).is_pending()));
        let bad = panics_once(occasion);
        survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
        let mut others: Vec<_> = (0..40).map(|_| Box::pin(barrier.wait())).collect();
        for other in &mut others {
            assert!(poll_with(other.as_mut(), &good).is_pending());
        }
        let mut last = Box::pin(barrier.wait());
        survive(|| assert!(poll(last.as_mut()).is_ready()));
        assert!(count.get() >= 40, "{occasion}: all others, in both batches");
        for other in &mut others {
            assert!(matches!(poll(other.as_mut()), Poll::Ready(Ok(_))));
        }
        survive(|| drop((hostile, last, bad)));
        let stats = barrier.stats();
        assert_eq!((stats.waiting, stats.going), (0, 0), "{occasion}");
    }
}

#[test]
fn a_waker_may_use_the_barrier_that_wakes_it_and_drop_the_last_reference() {
    for occasion in 0..3 {
        let barrier = Arc::new(Barrier::new(2));
        let other = Mutex::new(Some(Arc::clone(&barrier)));
        let waker = waker_on(occasion, move || {
            let Some(barrier) = other.lock().unwrap().take() else {
                return;
            };
            let _ = poll(pin!(barrier.wait()));
            barrier.abort();
            barrier.reset();
            assert!(!format!("{barrier:?}").contains("<locked>"));
        });
        let mut wait = Box::pin(barrier.wait());
        let _ = poll_with(wait.as_mut(), &waker);
        barrier.reset();
        drop((wait, waker));
        let stats = barrier.stats();
        assert_eq!((stats.waiting, stats.going), (0, 0), "{occasion}");
        assert_eq!(Arc::strong_count(&barrier), 1);
    }
}

/// A barrier in the plainest terms: lists of names.
#[derive(Default)]
struct Model {
    parties: usize,
    line: Vec<usize>,
    going: Vec<usize>,
    passed: usize,
    rounds: usize,
    down: Vec<usize>,
    is_broken: bool,
    /// Who is owed a wake.
    woken: Vec<usize>,
}

impl Model {
    /// Begins a round if nobody is left of the last one and enough wait.
    fn settle(&mut self) {
        if self.going.is_empty() && self.line.len() >= self.parties {
            self.going = self.line.drain(..self.parties).collect();
            self.passed = 0;
            self.rounds += 1;
            self.woken.extend(&self.going);
        }
    }

    fn poll(&mut self, name: usize, is_new: bool) -> Poll<Result<Turn, Broken>> {
        if is_new {
            if self.is_broken {
                return BROKEN;
            }
            self.line.push(name);
            self.settle();
            self.woken.retain(|woken| *woken != name); // it is awake
        }
        if self.down.contains(&name) {
            self.down.retain(|down| *down != name);
            return BROKEN;
        }
        if !self.going.contains(&name) {
            return Poll::Pending;
        }
        let index = self.passed;
        self.passed += 1;
        self.leave(name);
        turn(index)
    }

    fn leave(&mut self, name: usize) {
        for list in [&mut self.line, &mut self.going, &mut self.down] {
            list.retain(|other| *other != name);
        }
        self.settle();
    }

    fn reset(&mut self) {
        let down = if self.going.is_empty() {
            let down = std::mem::take(&mut self.line);
            self.woken.extend(&down);
            down
        } else {
            std::mem::take(&mut self.going)
        };
        self.down.extend(down);
        self.is_broken = false;
        self.settle();
    }

    fn abort(&mut self) {
        self.woken.extend(&self.line);
        self.down.append(&mut self.line);
        self.down.append(&mut self.going);
        self.is_broken = true;
    }
}

/// Goal: the barrier behaves as lists of those who wait, may go on and were let down.
/// Method: random calls, polls and drops, with rounds larger than a batch; after each step the counts
/// and the wakes are those of the model.
#[test]
fn it_agrees_with_plain_lists() {
    struct Wait<'a> {
        name: usize,
        is_new: bool,
        future: Pin<Box<BarrierWait<'a>>>,
        waker: Waker,
        count: Arc<Count>,
        wakes: usize,
    }
    let mut large_rounds = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let parties = [1, 2, 3, 5, 40][random.below(5)];
        let barrier = Barrier::new(parties);
        let mut model = Model {
            parties,
            ..Model::default()
        };
        let mut waits: Vec<Wait<'_>> = Vec::new();
        for name in 0..30 * (parties + 10) {
            let at = format!("seed {seed}, step {name}, {parties} parties");
            match random.below(60) {
                0 if model.is_broken || random.below(parties) == 0 => {
                    barrier.reset();
                    model.reset();
                }
                1 if random.below(parties) == 0 => {
                    barrier.abort();
                    model.abort();
                }
                2..=5 if !waits.is_empty() => {
                    let wait = waits.swap_remove(random.below(waits.len()));
                    model.leave(wait.name);
                }
                6..=30 if waits.len() < 3 * parties => {
                    let (waker, count) = Count::new();
                    waits.push(Wait {
                        name,
                        is_new: true,
                        future: Box::pin(barrier.wait()),
                        waker,
                        count,
                        wakes: 0,
                    });
                }
                _ if !waits.is_empty() => {
                    let index = random.below(waits.len());
                    let wait = &mut waits[index];
                    let outcome = poll_with(wait.future.as_mut(), &wait.waker);
                    let expected = model.poll(wait.name, wait.is_new);
                    wait.is_new = false;
                    assert_eq!(outcome, expected, "{at}");
                    if outcome.is_ready() {
                        waits.swap_remove(index);
                    }
                }
                _ => {}
            }
            for name in model.woken.drain(..) {
                if let Some(wait) = waits.iter_mut().find(|wait| wait.name == name) {
                    wait.wakes += 1;
                }
            }
            for wait in &waits {
                assert_eq!(wait.count.get(), wait.wakes, "{at}");
            }
            let stats = barrier.stats();
            assert_eq!(
                (stats.waiting, stats.going, stats.is_broken),
                (model.line.len(), model.going.len(), model.is_broken),
                "{at}"
            );
        }
        if parties == 40 {
            large_rounds += model.rounds;
        }
    }
    assert!(
        large_rounds > 20,
        "the larger rounds take place: {large_rounds}"
    );
}

#[test]
fn debug_and_stats_show_the_name() {
    static NAMED: Barrier = Barrier::new(2).named("start");
    let text = format!("{NAMED:?}");
    assert!(
        text.contains("\"start\"") && text.contains("parties: 2"),
        "{text}"
    );
    let named = Barrier::new(3).named_dyn(String::from("made"));
    assert_eq!(
        (named.stats().name.as_deref(), named.parties()),
        (Some("made"), 3)
    );
    assert_eq!(Broken.to_string(), "the barrier was reset or aborted");
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::two_meet);
    shim::explore(body::two_rounds);
    shim::explore(body::one_leaves_as_another_comes);
    shim::explore(body::dropped_turns_let_late_comers_in);
    shim::explore(body::a_reset_meets_a_departure);
}
